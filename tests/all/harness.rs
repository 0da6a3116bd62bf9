//! A host for tests, with everything around it that a hostile guest might touch, and the oracle that each case must pass.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::HeaderMap;
use portcullis_gate::Scheme;
use portcullis_runtime::{
    Adapter, Call, Caller, Compiler, Grant, Integration, LoadError, MemoryVault, NewIntegration, Outcome, Runtime,
    Secret, Vault,
};
use portcullis_tests::{
    canary::Canary,
    folder,
    ledger::ReadableLedger,
    names::Names,
    upstream::{Answer, Received, Upstream},
};
use portcullis_vault::{MacAlgorithm, Scrubber, VaultError};
use serde_json::{Value, json};
use url::Url;

/// How every secret of every case begins. It must never be seen.
pub(crate) const SECRET: &str = "s3cr3t/Pa55+phrase=&\"x\"";

/// The secret in a slot; in `basic` with a user before it.
pub(crate) fn secret(slot: &str) -> String {
    format!("{}{SECRET}{slot}", if slot == "basic" { "user:" } else { "" })
}

/// One case: a host, its upstream, its canaries.
pub(crate) struct Case {
    pub(crate) runtime: Runtime,
    pub(crate) ledger: Arc<ReadableLedger>,
    pub(crate) names: Arc<Names>,
    pub(crate) upstream: Upstream,
    pub(crate) canary: Canary,
    pub(crate) vault: Arc<WatchedVault>,
    benign: Integration,
}

/// A vault that counts how often a secret is asked for.
#[derive(Default)]
pub(crate) struct WatchedVault {
    pub(crate) inner: MemoryVault,
    asked: AtomicUsize,
}

impl WatchedVault {
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn ask(&self) -> &MemoryVault {
        self.asked.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }
}

impl Vault for WatchedVault {
    fn generation(&self) -> u64 {
        self.inner.generation()
    }

    fn holds(&self, slot: &str) -> bool {
        self.ask().holds(slot)
    }

    fn attach(&self, slot: &str, scheme: &Scheme, headers: &mut HeaderMap, url: &mut Url) -> Result<(), VaultError> {
        self.ask().attach(slot, scheme, headers, url)
    }

    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.ask().sign(slot, algorithm, message)
    }

    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, VaultError> {
        self.ask().verify(slot, algorithm, message, mac)
    }

    fn scrubber(&self) -> Arc<Scrubber> {
        self.ask().scrubber()
    }
}

impl Case {
    /// With an upstream that answers every request with `{"ok": true}`.
    pub(crate) async fn new() -> Self {
        Self::answering(|_| Answer::json(&json!({"ok": true}))).await
    }

    pub(crate) async fn answering(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let ledger = Arc::new(ReadableLedger::default());
        let names = Arc::new(Names::default());
        let runtime = Runtime::builder(ledger.clone())
            .cache(folder::cache())
            .compiler(Compiler::Program(PathBuf::from(env!("CARGO_BIN_EXE_demo"))))
            .resolver(names.clone())
            .calls_at_once(4)
            .build()
            .unwrap();
        let upstream = Upstream::start(answer).await.unwrap();
        let vault = WatchedVault::default();
        for slot in ["token", "key", "query-key", "signing", "server-token", "basic"] {
            vault.inner.put(slot, Secret::try_from(secret(slot)).unwrap());
        }
        let vault = Arc::new(vault);
        let probe = load(&runtime, &folder::guest("puppet_probe").unwrap()).await.unwrap();
        let origin = upstream.origin();
        let benign =
            integrate(&runtime, probe, &origin, &everything(&origin), &[upstream.address], vault.clone()).await;
        Self { runtime, ledger, names, canary: Canary::start().await.unwrap(), upstream, vault, benign }
    }

    /// The probe, granted everything it declares at the upstream.
    pub(crate) fn probe(&self) -> &Integration {
        &self.benign
    }

    /// The probe with another base URL and grant.
    pub(crate) async fn probe_with(&self, base: &str, routes: &str, carve_outs: &[SocketAddr]) -> Integration {
        let probe = self.load("puppet_probe").await;
        integrate(&self.runtime, probe, base, routes, carve_outs, self.vault.clone()).await
    }

    pub(crate) async fn load(&self, guest: &str) -> Adapter {
        load(&self.runtime, &folder::guest(guest).unwrap()).await.unwrap()
    }

    /// A guest with all of its operations, no routes and these limits.
    pub(crate) async fn guest(&self, name: &str, operation: &str, limits: &str) -> Integration {
        let adapter = self.load(name).await;
        let grant = format!("adapter = \"{}\"\noperations = [\"{operation}\"]\n[limits]\n{limits}", adapter.digest());
        let new = NewIntegration::new("acme", name, adapter, Grant::parse(&grant).unwrap());
        self.runtime.integrate(new).await.unwrap()
    }

    /// Runs steps of the probe, live.
    pub(crate) async fn steps(&self, integration: &Integration, steps: Value) -> Outcome {
        integration.call(call("probe", json!({ "steps": steps })).live()).await
    }

    /// The oracle: whatever happened, nothing was touched, nothing was seen, and the host goes on.
    pub(crate) async fn holds(&self, outcome: &Outcome) {
        assert_eq!(self.canary.touched(), 0, "somebody touched the canary");
        self.is_recorded(outcome);
        self.no_secret_in(&format!("{outcome:?}"));
        self.no_secret_in(&format!("{:?}", outcome.result.as_ref().map_err(ToString::to_string)));
        self.no_secret_in(&Value::Array(self.ledger.records()).to_string());
        self.goes_on().await;
    }

    /// A benign call right after succeeds, and soon.
    pub(crate) async fn goes_on(&self) {
        let started = Instant::now();
        let url = format!("{}/ok", self.upstream.origin());
        let outcome = self.steps(&self.benign, json!([get(&url)])).await;
        let output = outcome.result.expect("a benign call right after succeeds");
        assert_eq!(output.pointer("/results/0/ok/status"), Some(&json!(200)), "{output}");
        assert!(started.elapsed() < Duration::from_secs(1), "it took {:?}", started.elapsed());
    }

    /// The ledger has the outcome, and every denial.
    fn is_recorded(&self, outcome: &Outcome) {
        let id = json!(outcome.call);
        let of = |kind| self.ledger.of_kind(kind).into_iter().filter(|record| record["call"] == id).collect::<Vec<_>>();
        let ends = of("outcome");
        assert_eq!(ends.len(), 1, "one outcome");
        let status = match &outcome.result {
            Ok(_) => json!("done"),
            Err(error) => json!(error.status()),
        };
        assert_eq!(ends[0]["status"], status);
        let rules: Vec<Value> = of("denial").iter().map(|record| record["denial"]["rule"].clone()).collect();
        let expected: Vec<Value> = outcome.denials.iter().map(|denial| json!(denial.rule)).collect();
        assert_eq!(rules, expected, "every denial is recorded");
    }

    pub(crate) fn no_secret_in(&self, text: &str) {
        for needle in [SECRET, "s3cr3t", "Pa55"] {
            assert!(!text.contains(needle), "a secret is in {text}");
        }
    }
}

pub(crate) fn call(operation: &str, input: Value) -> Call {
    Call::new(Caller::principal("user:test"), operation, input)
}

pub(crate) fn get(url: &str) -> Value {
    json!({"do": "send", "method": "GET", "url": url, "headers": [], "body": null, "slot": null})
}

pub(crate) fn send(method: &str, url: &str, slot: Option<&str>, headers: Value) -> Value {
    json!({"do": "send", "method": method, "url": url, "headers": headers, "body": null, "slot": slot})
}

/// Grant lines for all that the probe declares.
pub(crate) fn everything(base: &str) -> String {
    let route = |method: &str, path: &str, more: &str| {
        format!("[[routes]]\nmethod = \"{method}\"\nurl = \"{base}{path}\"\n{more}\n")
    };
    [
        route("GET", "/ok", ""),
        route("POST", "/echo", "slot = \"token\"\nheaders = [\"X-Trace\"]"),
        route("GET", "/items/{id}", "query = [\"q\"]\nheaders = [\"X-Trace\"]"),
        route("GET", "/basic", "slot = \"basic\""),
        route("GET", "/header", "slot = \"key\"\nheaders = [\"X-Go\"]"),
        route("GET", "/query", "slot = \"query-key\""),
    ]
    .concat()
}

/// One load at a time: tests run side by side, and compiling the same guest in all of them helps nobody.
pub(crate) async fn load(runtime: &Runtime, bytes: &[u8]) -> Result<Adapter, LoadError> {
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    runtime.load(bytes).await
}

async fn integrate(
    runtime: &Runtime,
    probe: Adapter,
    base: &str,
    routes: &str,
    carve_outs: &[SocketAddr],
    vault: Arc<WatchedVault>,
) -> Integration {
    let grant = format!(
        "adapter = \"{}\"\noperations = [\"probe\"]\nsigning = [\"signing\"]\ncarve_outs = {}\n{routes}",
        probe.digest(),
        json!(carve_outs)
    );
    let grant = Grant::parse(&grant).unwrap();
    let new = NewIntegration::new("acme", "probe", probe, grant).config(json!({ "baseUrl": base })).vault(vault);
    runtime.integrate(new).await.unwrap()
}
