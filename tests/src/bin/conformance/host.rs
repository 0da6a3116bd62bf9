//! A host as an embedder sets one up: a store on disk, a ledger, sealed credentials, a runtime. For suites about
//! credentials; the others use a `Bench`, which is quicker.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use portcullis_gate::RouteLimits;
use portcullis_ledger::{Exporter, Format, Query, Wanted};
use portcullis_runtime::{
    Adapter, Caller, Clock, CredentialId, CredentialKind, Credentials, Given, Grant, GrantedRoute, Integration, Ledger,
    LedgerOptions, Limits, Method, NewIntegration, NewOptions, Outcome, Route, Runtime, Secret, SystemClock,
};
use portcullis_store::{Embedded, Options, StoreError};
use portcullis_tests::folder;
use portcullis_vault::FileKey;
use serde_json::Value;
use url::Url;

use crate::{
    cache::Cache,
    progress,
    report::{Checked, Stop},
};

/// The workspace of all its integrations.
pub(crate) const WORKSPACE: &str = "conformance";
/// How long a store that was just closed may be busy.
const CLOSING: Duration = Duration::from_secs(10);

/// A host. Its store is deleted with it.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) credentials: Credentials,
    pub(crate) ledger: Ledger,
    folder: Folder,
    /// Those that were loaded, by name.
    adapters: Mutex<BTreeMap<String, Adapter>>,
    /// All outcomes, as they can be printed.
    said: Mutex<String>,
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // It is below `target`, and made anew by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A clock that is late.
struct Late(SignedDuration);

impl Clock for Late {
    fn now(&self) -> Timestamp {
        SystemClock.now().saturating_sub(self.0).unwrap_or_default()
    }
}

impl Host {
    /// With an empty store.
    pub(crate) async fn start(cache: &Cache, name: &str) -> Checked<Self> {
        Self::with_clock(cache, name, Arc::new(SystemClock)).await
    }

    /// The same, with a clock that is so many seconds late.
    pub(crate) async fn late(cache: &Cache, name: &str, seconds: i64) -> Checked<Self> {
        Self::with_clock(cache, name, Arc::new(Late(SignedDuration::from_secs(seconds)))).await
    }

    async fn with_clock(cache: &Cache, name: &str, clock: Arc<dyn Clock>) -> Checked<Self> {
        let folder = cache.folder("stores").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        Self::open(Folder(folder), clock, String::new()).await
    }

    async fn open(folder: Folder, clock: Arc<dyn Clock>, said: String) -> Checked<Self> {
        let store = Arc::new(opened(&folder.0.join("store")).await?);
        let options = LedgerOptions { clock, ..LedgerOptions::default() };
        let ledger = Ledger::open(store, options).await.map_err(Stop::failed)?;
        let key = FileKey::open_or_create(&folder.0.join("master.key")).map_err(Stop::failed)?;
        let credentials = Credentials::open(ledger.clone(), Arc::new(key)).await.map_err(Stop::failed)?;
        let runtime = Runtime::builder(ledger.clone())
            .cache(folder::cache())
            .cache_key(folder::cache_key())
            .credentials(credentials.clone());
        let runtime = runtime.build().map_err(Stop::failed)?;
        Ok(Self { runtime, credentials, ledger, folder, adapters: Mutex::default(), said: Mutex::new(said) })
    }

    /// The next start, with what is on disk alone. Integrations of this one must be gone.
    pub(crate) async fn started_again(self) -> Checked<Self> {
        let Self { runtime, credentials, ledger, folder, adapters, said } = self;
        let clock = ledger.clock().clone();
        drop((runtime, credentials, adapters));
        ledger.close().await;
        Self::open(folder, clock, said.into_inner().unwrap_or_else(PoisonError::into_inner)).await
    }

    /// A built adapter, loaded once.
    async fn load(&self, name: &str) -> Checked<Adapter> {
        let known = || self.adapters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(adapter) = known().get(name) {
            return Ok(adapter.clone());
        }
        let wasm = folder::adapter(name)?;
        let loaded =
            progress::step(&format!("compile {name}"), self.runtime.load(&wasm)).await.map_err(Stop::failed)?;
        known().insert(name.to_owned(), loaded.clone());
        Ok(loaded)
    }

    /// An integration with all that its adapter declares granted, and token routes: the slot, the method, the URL.
    pub(crate) async fn integrate(
        &self,
        name: &str,
        adapter: &str,
        config: Value,
        tokens: Vec<(&str, Method, String)>,
        counterparts: &[SocketAddr],
    ) -> Checked<Integration> {
        let adapter = self.load(adapter).await?;
        let descriptor = self.runtime.describe(&adapter, &config).await.map_err(Stop::failed)?;
        let mut addresses: BTreeSet<String> = counterparts.iter().map(SocketAddr::to_string).collect();
        addresses.extend(tokens.iter().filter_map(|(_, _, url)| address(url)));
        let tokens = tokens.into_iter().map(|(slot, method, url)| token_route(slot, method, url));
        let grant = Grant {
            adapter: adapter.digest().to_owned(),
            operations: descriptor.operations.iter().map(|operation| operation.name.clone()).collect(),
            carve_outs: addresses.iter().map(|at| at.parse()).collect::<Result<_, _>>().map_err(Stop::failed)?,
            signing: Vec::new(),
            routes: descriptor.routes.iter().map(Route::as_granted).chain(tokens).collect(),
            limits: Limits { calls_at_once: 128, ..Limits::default() },
        };
        let new = NewIntegration::new(WORKSPACE, name, adapter, grant).config(config);
        self.runtime.integrate(new).await.map_err(Stop::failed)
    }

    /// Gives an integration a credential. It may be integrated later.
    pub(crate) async fn give(&self, name: &str, slot: &str, given: Given) -> Checked<CredentialId> {
        let id = CredentialId::new(WORKSPACE, name, slot);
        self.credentials.add(&id, given, NewOptions::by(&by())).await.map_err(Stop::failed)?;
        Ok(id)
    }

    /// Keeps what can be read of an outcome, for [`Host::shown`].
    pub(crate) fn hear(&self, outcome: &Outcome) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) += &format!("{outcome:?}\n");
    }

    /// The same of anything else that somebody can read.
    pub(crate) fn hear_text(&self, text: &str) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) += &format!("{text}\n");
    }

    /// The records of an integration, oldest first.
    pub(crate) async fn records(&self, integration: &str) -> Checked<Vec<Value>> {
        let (reader, mut all, mut from) = (self.ledger.reader(), Vec::new(), 1);
        loop {
            let lines = reader.lines(WORKSPACE, from).await.map_err(Stop::failed)?;
            let Some(last) = lines.last() else { break };
            from = last.seq + 1;
            for line in &lines {
                let record: Value = serde_json::from_str(&line.text).map_err(Stop::failed)?;
                if record.get("integration").and_then(Value::as_str) == Some(integration) {
                    all.push(record);
                }
            }
        }
        Ok(all)
    }

    /// All that can be read of it, each part with its name: outcomes, the ledger's exports, the store's files.
    pub(crate) async fn shown(&self) -> Checked<Vec<(String, Vec<u8>)>> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all = vec![("outcomes".to_owned(), said.into_bytes())];
        for format in Format::ALL {
            let wanted = Wanted::new(Query::new(WORKSPACE), format);
            let exporter = Exporter::new(self.ledger.reader(), wanted, Timestamp::now()).await;
            let (mut exporter, mut text) = (exporter.map_err(Stop::failed)?, Vec::new());
            while let Some(piece) = exporter.next().await.map_err(Stop::failed)? {
                text.extend_from_slice(&piece);
            }
            all.push((format!("the ledger as {}", format.as_str()), text));
        }
        files(&self.folder.0.join("store"), &mut all)?;
        Ok(all)
    }
}

/// Who does all of it.
pub(crate) fn by() -> Caller {
    Caller::principal("user:conformance")
}

/// What an operator gives.
pub(crate) fn given(kind: CredentialKind, fields: &[(&str, &str)], secrets: &[(&str, &str)]) -> Checked<Given> {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut kept = BTreeMap::new();
    for (name, value) in secrets {
        let bytes = value.as_bytes().to_vec();
        let document = matches!(*name, "private-key" | "key-file");
        let secret = if document { Secret::document(bytes) } else { Secret::new(bytes) };
        kept.insert((*name).to_owned(), secret.map_err(Stop::failed)?);
    }
    Ok(Given { kind, fields, secrets: kept })
}

fn token_route(slot: &str, method: Method, url: String) -> GrantedRoute {
    GrantedRoute {
        links: Vec::new(),
        method,
        url,
        query: Vec::new(),
        headers: Vec::new(),
        slots: Vec::new(),
        token_for: Some(slot.to_owned()),
        limits: RouteLimits::default(),
    }
}

fn address(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// Opens a store; one that was just closed may need a moment.
async fn opened(folder: &Path) -> Checked<Embedded> {
    let since = std::time::Instant::now();
    loop {
        match Embedded::open(folder, Options::default()).await {
            Err(StoreError::Busy { .. }) if since.elapsed() < CLOSING => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return opened.map_err(Stop::failed),
        }
    }
}

fn files(folder: &Path, all: &mut Vec<(String, Vec<u8>)>) -> Checked {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, all)?;
        } else {
            all.push((
                format!("the store's file {}", path.file_name().unwrap_or_default().display()),
                fs::read(&path)?,
            ));
        }
    }
    Ok(())
}
