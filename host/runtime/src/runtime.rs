//! The runtime: sandbox, egress and ledger, put together once and shared by all integrations.

use std::{path::PathBuf, sync::Arc};

use portcullis_egress::{Egress, Resolver, system_resolver};
use portcullis_gate::{Ceiling, Descriptor, Limits, Named, printable};
use portcullis_ledger::{Caller, Entry, HOST, Ledger, RetentionPolicy, Step};
use portcullis_sandbox::{CallError, CodeKeys, CompileLimits, Compiler, LoadError, Sandbox, SandboxOptions, wit};
use portcullis_schema::Schema;
use portcullis_vault::{CredentialError, CredentialId, Credentials, HostState, KeyProvider, Vaults};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::{
    adapter::Adapter,
    code_keys::MasterKey,
    describe::descriptor,
    error::{DescribeError, IntegrateError, StartError},
    events::{self, Event},
    integration::{Integration, NewIntegration, Schemas, sha256},
    settings::{HostSettings, SettingsError},
};

/// Longest error of a refusal that is recorded, in characters.
const MAX_REFUSAL: usize = 1_000;

/// Loads adapters and makes integrations of them. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) sandbox: Sandbox,
    pub(crate) egress: Egress,
    pub(crate) ledger: Ledger,
    pub(crate) compiling: CompileLimits,
    pub(crate) ceiling: Ceiling,
    pub(crate) retention: RetentionPolicy,
    pub(crate) vaults: Option<Vaults>,
    pub(crate) events: broadcast::Sender<Event>,
}

impl Shared {
    /// What vouches for what is kept; none where there is no master key.
    pub(crate) fn state(&self) -> Option<HostState> {
        self.vaults.as_ref().map(|vaults| vaults.credentials().state())
    }

    /// What compiling an adapter may take. Settings that nobody vouches for set no bound; whoever needs them refuses them.
    async fn compile_limits(&self) -> CompileLimits {
        let settings = match self.state() {
            Some(state) => HostSettings::of(&state).await,
            None => Ok(HostSettings::default()),
        };
        match settings {
            Ok(settings) => settings.compile_limits(self.compiling),
            Err(error) => {
                tracing::warn!(%error, "what is set for compiling does not count");
                self.compiling
            }
        }
    }

    /// What holds for the whole host: what is set for it, and no more than was said when the runtime was built.
    pub(crate) async fn settled(&self) -> Result<(Ceiling, RetentionPolicy), SettingsError> {
        let settings = match self.state() {
            Some(state) => HostSettings::of(&state).await?,
            None => HostSettings::default(),
        };
        let ceiling = match settings.ceiling {
            Some(ceiling) => ceiling.and(self.ceiling.clone()),
            None => self.ceiling.clone(),
        };
        Ok((ceiling, settings.retention.unwrap_or_else(|| self.retention.clone())))
    }
}

/// Sets a runtime up. Everything but the ledger has a default.
pub struct RuntimeBuilder {
    ledger: Ledger,
    /// The system's, unless set: which may read files, so only when it is needed.
    resolver: Option<Arc<dyn Resolver>>,
    /// What the system trusts, unless set.
    roots: Option<RootCertStore>,
    sandbox: SandboxOptions,
    compiling: CompileLimits,
    cache: Option<PathBuf>,
    cache_key: Option<Arc<dyn KeyProvider>>,
    ceiling: Ceiling,
    retention: RetentionPolicy,
    credentials: Option<Credentials>,
}

impl RuntimeBuilder {
    /// The credentials that integrations are opened with, unless they are given others. [`RuntimeBuilder::build`] must then
    /// be called within tokio.
    ///
    /// They bring the master key, and so what vouches for adapters and integrations that are kept
    /// ([`HostState`](crate::HostState)): without them nothing is kept or opened by name.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// What is kept of inputs and outputs, where that is not set for the host ([`HostSettings`](crate::HostSettings)). Without
    /// either, what their schemas do not mark as sensitive, until it is erased.
    #[must_use]
    pub fn retention(mut self, policy: RetentionPolicy) -> Self {
        self.retention = policy;
        self
    }

    /// What no grant goes beyond, beside what is set for the host ([`HostSettings`](crate::HostSettings)): both hold. Without
    /// either, grants are what they say.
    #[must_use]
    pub fn ceiling(mut self, ceiling: Ceiling) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// Keeps compiled adapters in this folder, so that the next start is quick. What is there is taken only where the master
    /// key vouches for it: that of the credentials, or one that is given by [`RuntimeBuilder::cache_key`]. Without any, nothing
    /// is kept or taken, and each process compiles.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Another master key for compiled code than the credentials', or one where there are none. Whoever has it can make code
    /// that this host runs, so it must not lie where the code does.
    #[must_use]
    pub fn cache_key(mut self, master: Arc<dyn KeyProvider>) -> Self {
        self.cache_key = Some(master);
        self
    }

    /// Compiles with another program than this one.
    #[must_use]
    pub fn compiler(mut self, compiler: Compiler) -> Self {
        self.sandbox.compiler = compiler;
        self
    }

    /// What compiling one adapter may take, where that is not set for the host ([`HostSettings`](crate::HostSettings)).
    #[must_use]
    pub fn compile_limits(mut self, limits: CompileLimits) -> Self {
        self.compiling = limits;
        self
    }

    /// Runs this many calls at once over all integrations; more wait for their turn. 128 unless set.
    #[must_use]
    pub fn calls_at_once(mut self, calls: u32) -> Self {
        self.sandbox.calls_at_once = calls;
        self
    }

    /// Resolves names with this. Unless set, by DNS as the system is set up for it.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Trusts upstreams whose certificates these authorities signed, and no others. Unless set, those that the system
    /// trusts.
    #[must_use]
    pub fn trust(mut self, roots: RootCertStore) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Starts the runtime.
    pub fn build(self) -> Result<Runtime, StartError> {
        let resolver = self.resolver.unwrap_or_else(system_resolver);
        let egress = match self.roots {
            None => Egress::new(resolver).map_err(|error| StartError::Tls(error.to_string()))?,
            Some(roots) => {
                let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                    .with_safe_default_protocol_versions()
                    .map_err(|error| StartError::Tls(error.to_string()))?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Egress::with_tls(resolver, tls)
            }
        };
        let mut options = self.sandbox;
        let credentials = self.credentials.clone().filter(|credentials| !credentials.master_keys().is_empty());
        let master = self.cache_key.map(MasterKey::Given).or_else(|| credentials.map(MasterKey::OfCredentials));
        options.keys = master.map(|master| Arc::new(master) as Arc<dyn CodeKeys>);
        options.cache = self.cache;
        let sandbox = Sandbox::new(options)?;
        let (ledger, ceiling, retention, credentials) = (self.ledger, self.ceiling, self.retention, self.credentials);
        let compiling = self.compiling;
        let vaults = credentials.map(Vaults::new);
        let events = events::bus(vaults.as_ref());
        Ok(Runtime {
            shared: Arc::new(Shared { sandbox, egress, ledger, compiling, ceiling, retention, vaults, events }),
        })
    }
}

impl Runtime {
    /// Begins to set a runtime up. What it does is recorded in `ledger`.
    pub fn builder(ledger: Ledger) -> RuntimeBuilder {
        RuntimeBuilder {
            ledger,
            resolver: None,
            roots: None,
            sandbox: SandboxOptions::default(),
            compiling: CompileLimits::default(),
            cache: None,
            cache_key: None,
            ceiling: Ceiling::default(),
            retention: RetentionPolicy::default(),
            credentials: None,
        }
    }

    /// What happens from now on that a platform may want to tell somebody. Who does not keep up loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Ends a credential: here at once, and then at its authorization server, where that takes tokens back.
    pub async fn revoke(&self, id: &CredentialId, by: &Caller, reason: &str) -> Result<(), CredentialError> {
        match &self.shared.vaults {
            Some(vaults) => vaults.revoke(id, by, reason).await,
            None => Err(CredentialError::None(id.clone())),
        }
    }

    /// The credentials that integrations are opened with.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.shared.vaults.as_ref().map(Vaults::credentials)
    }

    /// Inspects, compiles (or takes from the cache) and links an adapter. A refusal is recorded.
    pub async fn load(&self, component: &[u8]) -> Result<Adapter, LoadError> {
        let limits = self.shared.compile_limits().await;
        let loaded = self.shared.sandbox.load(component, &limits).await.map(Adapter::new);
        if let Err(error) = &loaded {
            self.refused(Step::Load, None, &sha256(component), error).await;
        }
        loaded
    }

    /// Compiles an adapter in advance, for hosts of the same version, on the same kind of processor and with the same master key:
    /// what [`Runtime::take_compiled`] takes there.
    pub async fn compile(&self, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let limits = self.shared.compile_limits().await;
        self.shared.sandbox.compile(component, &limits).await
    }

    /// Keeps what [`Runtime::compile`] made of this adapter in the folder of compiled code, so that it is not compiled here. It is
    /// refused where it is of another adapter, for another engine, under another master key, or was changed. A refusal is recorded.
    pub async fn take_compiled(&self, component: &[u8], code: &[u8]) -> Result<(), LoadError> {
        let taken = self.shared.sandbox.take_compiled(component, code).await;
        if let Err(error) = &taken {
            self.refused(Step::Load, None, &sha256(component), error).await;
        }
        taken
    }

    /// Asks an adapter which configs it takes, the first time; then it is known. The adapter has no powers while it answers.
    /// A refusal is recorded.
    pub async fn config_schema(&self, adapter: &Adapter) -> Result<Schema, DescribeError> {
        let asked = adapter.config_schema(&self.shared.sandbox).await;
        if let Err(error) = &asked {
            self.refused(Step::Describe, None, adapter.digest(), error).await;
        }
        asked
    }

    /// Asks an adapter what it needs and offers for this config, once its schema allows the config. The adapter has no
    /// powers while it answers. A refusal is recorded.
    pub async fn describe(&self, adapter: &Adapter, config: &Value) -> Result<Descriptor, DescribeError> {
        let described = self.ask(adapter, config).await;
        if let Err(error) = &described {
            self.refused(Step::Describe, None, adapter.digest(), error).await;
        }
        described
    }

    /// Records what was refused before there was a call. There is nothing to hold back where the ledger cannot be written:
    /// it was refused already.
    async fn refused(
        &self,
        step: Step,
        integration: Option<[&str; 2]>,
        adapter: &str,
        error: &(dyn std::error::Error + Sync),
    ) {
        let error = printable(&error.to_string(), MAX_REFUSAL);
        let workspace = integration.map_or(HOST, |[workspace, _]| workspace);
        let mut entry = Entry::refusal(workspace, step, adapter, &error);
        if let Some([_, name]) = integration {
            entry = entry.integration(name, None);
        }
        if let Err(error) = self.shared.ledger.append(vec![entry]).await {
            tracing::warn!(%error, "a refusal was not recorded");
        }
    }

    async fn ask(&self, adapter: &Adapter, config: &Value) -> Result<Descriptor, DescribeError> {
        let schema = adapter.config_schema(&self.shared.sandbox).await?;
        // A stranger's schema over a config of any size can take a tenth of a second.
        let judged = tokio::task::spawn_blocking({
            let config = config.clone();
            move || schema.validate(&config)
        });
        let judged = judged.await.map_err(|error| DescribeError::Config(error.to_string()))?;
        judged.map_err(|violations| DescribeError::Config(violations.to_string()))?;
        let ended = self.shared.sandbox.describe(adapter.loaded(), &config.to_string(), &Limits::default()).await;
        let described = ended.result.map_err(|error| match error {
            CallError::Adapter(wit::Error::InvalidConfig(at)) if at.pointer.is_empty() => {
                DescribeError::Config(printable(&at.message, 400))
            }
            CallError::Adapter(wit::Error::InvalidConfig(at)) => {
                DescribeError::Config(format!("at {}: {}", printable(&at.pointer, 200), printable(&at.message, 400)))
            }
            other => DescribeError::Failed(other),
        })?;
        let descriptor = descriptor(described)?;
        descriptor.check()?;
        Ok(descriptor)
    }

    /// Makes an integration: checks config, grant and schemas against what the adapter says. A refusal is recorded.
    pub async fn integrate(&self, new: NewIntegration) -> Result<Integration, IntegrateError> {
        // There is no chain that a refusal of these could stand in.
        Named::Workspace.check(&new.workspace)?;
        Named::Integration.check(&new.name)?;
        let (workspace, name, digest) = (new.workspace.clone(), new.name.clone(), new.adapter.digest().to_owned());
        let made = self.make(new).await;
        if let Err(error) = &made {
            self.refused(Step::Integrate, Some([&workspace, &name]), &digest, error).await;
        }
        made
    }

    async fn make(&self, new: NewIntegration) -> Result<Integration, IntegrateError> {
        let descriptor = self.ask(&new.adapter, &new.config).await?;
        let patterns = new.adapter.config_schema(&self.shared.sandbox).await?.patterns();
        // A stranger's schemas can take a second to compile.
        let compiling = tokio::task::spawn_blocking(move || {
            Schemas::new(&descriptor, patterns).map(|schemas| (descriptor, schemas))
        });
        let (descriptor, schemas) = compiling.await.map_err(|error| DescribeError::Config(error.to_string()))??;
        Integration::new(self.shared.clone(), new, descriptor, schemas).await
    }
}
