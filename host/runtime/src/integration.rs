//! An integration: adapter, config, credentials and grant, checked against each other once, before the first call.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_egress::{Connections, Traffic};
use portcullis_gate::{Ceiling, Descriptor, Explanation, Grant, Limits, Powers, Slot, Work, explain};
use portcullis_ledger::{Caller, Retention};
use portcullis_schema::Schema;
use portcullis_vault::{CredentialError, HostState, MemoryVault, Vault};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    adapter::Adapter,
    binding,
    error::{DescribeError, IntegrateError},
    runtime::Shared,
    tokens::Tokens,
    version::{Asked, Version, grant_digest},
};

/// What an integration is made of.
pub struct NewIntegration {
    pub(crate) workspace: String,
    pub(crate) name: String,
    pub(crate) adapter: Adapter,
    pub(crate) config: Value,
    pub(crate) grant: Grant,
    /// Unless given, what the runtime's credentials have for it.
    pub(crate) vault: Option<Arc<dyn Vault>>,
    pub(crate) granted_by: Caller,
    /// What becomes of it in the store.
    pub(crate) keeping: Keeping,
}

/// What becomes of an integration in the store.
pub(crate) enum Keeping {
    /// It is not kept, and cannot be opened by its name. Its versions are counted, and recorded.
    Counted,
    /// It is kept, and this state vouches for it.
    Kept {
        /// The state.
        state: HostState,
        /// Slots whose credentials may go wherever this version sends them.
        rebind: Vec<String>,
    },
    /// This version of it is kept already, and was read: nothing is written.
    Opened(Box<Version>),
}

impl NewIntegration {
    /// With an empty config and no credentials.
    pub fn new(workspace: impl Into<String>, name: impl Into<String>, adapter: Adapter, grant: Grant) -> Self {
        Self {
            workspace: workspace.into(),
            name: name.into(),
            adapter,
            config: json!({}),
            grant,
            vault: None,
            granted_by: Caller::principal("host"),
            keeping: Keeping::Counted,
        }
    }

    /// With this config.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Granted by this person or service, which the ledger tells. `host` unless set.
    #[must_use]
    pub fn granted_by(mut self, caller: Caller) -> Self {
        self.granted_by = caller;
        self
    }

    /// With these credentials, in place of those that the runtime keeps.
    #[must_use]
    pub fn vault(mut self, vault: Arc<dyn Vault>) -> Self {
        self.vault = Some(vault);
        self
    }
}

/// A governed connection. Cheap to clone; calls run side by side.
#[derive(Clone)]
pub struct Integration {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workspace: String,
    pub(crate) name: String,
    pub(crate) adapter: Adapter,
    /// The config, as text, as the guest gets it.
    pub(crate) config: String,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) powers: Powers,
    pub(crate) limits: Arc<Limits>,
    pub(crate) grant: Grant,
    /// What no grant goes beyond, as it was when this was opened.
    pub(crate) ceiling: Ceiling,
    pub(crate) grant_digest: String,
    pub(crate) version: Version,
    pub(crate) schemas: Schemas,
    /// What is kept of inputs and outputs, by operation.
    pub(crate) retention: HashMap<String, Retention>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) turns: Semaphore,
}

fn unsettled(error: CredentialError) -> IntegrateError {
    match error {
        CredentialError::Ledger(error) => error.into(),
        error => error.into(),
    }
}

/// An integration's name on the whole host, by which the ceiling knows it.
fn full_name(workspace: &str, name: &str) -> String {
    format!("{workspace}/{name}")
}

/// `sha256:` and the digest in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hex: String = digest(&SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// Most patterns in all schemas of one descriptor: each takes up to 512 KiB when compiled.
const MAX_PATTERNS: usize = 256;

/// Units of work for compiling all schemas of one descriptor: three seconds at most.
const DESCRIBE_WORK: u64 = 60_000_000;

/// A descriptor's schemas, compiled.
pub(crate) struct Schemas {
    /// Input and output, by operation.
    pub(crate) operations: HashMap<String, (Schema, Schema)>,
    /// Response, by route.
    pub(crate) responses: Arc<HashMap<String, Schema>>,
}

impl Schemas {
    /// Compiles them. `patterns` counts those of the config's schema, which is held beside them.
    pub(crate) fn new(descriptor: &Descriptor, mut patterns: usize) -> Result<Self, DescribeError> {
        let work = Work::new(DESCRIBE_WORK);
        let mut compile = |at: String, text: &str| {
            let schema =
                Schema::compile_within(text, &work).map_err(|error| DescribeError::Schema { at: at.clone(), error })?;
            patterns += schema.patterns();
            if patterns > MAX_PATTERNS {
                return Err(DescribeError::Patterns { at, limit: MAX_PATTERNS });
            }
            Ok(schema)
        };
        let mut operations = HashMap::new();
        for (i, operation) in descriptor.operations.iter().enumerate() {
            let input = compile(format!("operations[{i}].input"), &operation.input)?;
            let output = compile(format!("operations[{i}].output"), &operation.output)?;
            operations.insert(operation.name.clone(), (input, output));
        }
        let mut responses = HashMap::new();
        for (i, route) in descriptor.routes.iter().enumerate() {
            if let Some(schema) = route.request.as_ref().and_then(|body| body.schema.as_ref()) {
                compile(format!("routes[{i}].request"), schema)?;
            }
            let response = compile(format!("routes[{i}].response"), &route.response)?;
            responses.insert(route.id.clone(), response);
        }
        Ok(Self { operations, responses: Arc::new(responses) })
    }
}

impl Integration {
    pub(crate) async fn new(
        shared: Arc<Shared>,
        new: NewIntegration,
        descriptor: Descriptor,
        schemas: Schemas,
    ) -> Result<Self, IntegrateError> {
        let NewIntegration { workspace, name, adapter, config, grant, vault, granted_by, keeping } = new;
        let (ceiling, policy) = shared.settled().await?;
        let powers = Powers::new(adapter.digest(), &full_name(&workspace, &name), &descriptor, &grant, &ceiling)?;
        let limits = Arc::new(powers.limits().clone());
        let binding = match (&shared.vaults, &keeping) {
            (Some(vaults), Keeping::Kept { .. } | Keeping::Opened(_)) => Some(vaults.credentials().clone()),
            _ => None,
        };
        let mut rebound = Vec::new();
        if let (Some(credentials), Keeping::Kept { state, rebind }) = (&binding, &keeping) {
            binding::check(credentials, state, [&workspace, &name], &grant, rebind).await?;
            rebound.clone_from(rebind);
        }
        let vault: Arc<dyn Vault> = match (vault, &shared.vaults) {
            (Some(vault), _) => vault,
            (None, Some(vaults)) => vaults.vault(&workspace, &name).await?,
            (None, None) => Arc::new(MemoryVault::new()),
        };
        let connections = Arc::new(shared.egress.connections());
        connections.follow(vault.changes());
        let asked = Asked {
            workspace: &workspace,
            name: &name,
            adapter: adapter.digest(),
            config: &config,
            grant: &grant,
            granted_by: &granted_by,
        };
        let version = match keeping {
            Keeping::Opened(version) => *version,
            Keeping::Counted => asked.settle(&shared.ledger, None).await.map_err(unsettled)?,
            Keeping::Kept { state, .. } => asked.settle(&shared.ledger, Some(&state)).await.map_err(unsettled)?,
        };
        if let Some(credentials) = &binding {
            binding::bind(credentials, [&workspace, &name], &grant, &rebound, &granted_by).await?;
        }
        let (grant_digest, config) = (grant_digest(&grant), config.to_string());
        let traffic: Arc<Traffic> = Arc::default();
        let routes =
            descriptor.slots.iter().filter_map(|slot| Some((slot.name.clone(), powers.tokens(&slot.name)?.clone())));
        let tokens = Tokens {
            ledger: shared.ledger.clone(),
            workspace: workspace.clone(),
            integration: name.clone(),
            version: version.number,
            adapter: adapter.digest().to_owned(),
            powers: routes.collect(),
            limits: limits.clone(),
            connections: Arc::new(shared.egress.connections()),
            traffic: traffic.clone(),
        };
        vault.connect(&descriptor.slots, Arc::new(tokens));
        let kept = |operation: &str| policy.of(&workspace, &name, operation);
        let retention = descriptor.operations.iter().map(|of| (of.name.clone(), kept(&of.name))).collect();
        let inner = Inner {
            shared,
            workspace,
            name,
            adapter,
            config,
            descriptor: Arc::new(descriptor),
            powers,
            turns: Semaphore::new(limits.calls_at_once as usize),
            limits,
            grant,
            ceiling,
            grant_digest,
            version,
            schemas,
            retention,
            vault,
            connections,
            traffic,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its workspace.
    pub fn workspace(&self) -> &str {
        &self.inner.workspace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Which version of it: each change of adapter, config or grant makes a new one, from 1.
    pub fn version(&self) -> u64 {
        self.inner.version.number
    }

    /// What its adapter says about itself for its config.
    pub fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    /// The slots that its grant opens for some operation.
    pub fn granted_slots(&self) -> Vec<&Slot> {
        let names = self.inner.powers.operations();
        let operations: Vec<_> = names.iter().filter_map(|name| self.inner.powers.operation(name)).collect();
        let open = |slot: &&Slot| operations.iter().any(|powers| powers.slot(&slot.name).is_some());
        self.inner.descriptor.slots.iter().filter(open).collect()
    }

    /// The origins that its grant lets the secret in a slot go to.
    pub fn origins_of(&self, slot: &str) -> BTreeSet<String> {
        self.inner.grant.origins_of(slot)
    }

    /// What it can do, and which of descriptor, grant and ceiling took the rest away.
    pub fn explain(&self) -> Result<Explanation, IntegrateError> {
        let Inner { workspace, name, descriptor, grant, ceiling, .. } = &*self.inner;
        Ok(explain(&full_name(workspace, name), descriptor, grant, ceiling)?)
    }
}

impl fmt::Debug for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integration")
            .field("workspace", &self.inner.workspace)
            .field("name", &self.inner.name)
            .field("adapter", &self.inner.adapter)
            .finish_non_exhaustive()
    }
}
