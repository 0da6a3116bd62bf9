//! A host for tests, with everything around it that a hostile guest might touch, and the oracle that each case must pass.
//!
//! The oracle, [`Case::holds`]: no byte at the canary and no DNS question that nobody expects; every refusal and the outcome in the
//! ledger, with the receipt; no secret, nothing derived from one and no address behind a name in anything that can be
//! read, logs of all levels among it; a benign call right after, in less than a second. That it is the same process goes
//! without saying: these tests are one process, and a crash ends them all.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use portcullis_gate::OpenSlot;
use portcullis_ledger::Ledger;
use portcullis_runtime::{
    Adapter, Call, CallError, Caller, Compiler, Grant, Integration, Json, LoadError, MemoryVault, NewIntegration,
    Outcome, Runtime, RuntimeBuilder, Secret, Vault,
};
use portcullis_tests::{
    canary::Canary,
    dns::DnsServer,
    folder,
    guests::Guest,
    ledger::ReadableLedger,
    upstream::{Answer, Received, Upstream},
};
use portcullis_vault::{MacAlgorithm, Ready, Scrubber, VaultError};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{guests, traces};

pub(crate) use crate::needles::SECRET;

/// The secret in a slot; in `basic` with a user before it, in some of letters and digits alone, as cookies and paths want it.
pub(crate) fn secret(slot: &str) -> String {
    if ["cookie", "bot"].contains(&slot) {
        return format!("{}{slot}", SECRET.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
    }
    format!("{}{SECRET}{slot}", if slot == "basic" { "user:" } else { "" })
}

/// One case: a host, its upstream, its DNS server, its canaries.
pub(crate) struct Case {
    pub(crate) runtime: Runtime,
    pub(crate) ledger: Arc<ReadableLedger>,
    pub(crate) names: Arc<DnsServer>,
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
    searched: AtomicUsize,
    /// What an authorization server gave beside a token, by its name there.
    pub(crate) values: Mutex<BTreeMap<String, String>>,
}

impl WatchedVault {
    /// With a secret in each slot that the probe knows.
    pub(crate) fn full() -> Self {
        let vault = Self::default();
        for slot in ["token", "key", "query-key", "cookie", "bot", "signing", "server-token", "basic"] {
            vault.inner.put(slot, Secret::try_from(secret(slot)).unwrap());
        }
        vault
    }

    /// How often it was asked for anything.
    pub(crate) fn asked(&self) -> usize {
        self.opened() + self.searched.load(Ordering::SeqCst)
    }

    /// How often a secret was to be used, and not only to be found in what is kept or handed on.
    pub(crate) fn opened(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn search(&self) -> &MemoryVault {
        self.searched.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }

    fn ask(&self) -> &MemoryVault {
        self.asked.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }
}

#[async_trait]
impl Vault for WatchedVault {
    fn holds(&self, slot: &str) -> bool {
        self.ask().holds(slot)
    }

    async fn ready(&self, slots: &[OpenSlot], origin: &str, by: &str) -> Result<Ready, VaultError> {
        // One of no slot is asked only for what finds the others in the answer.
        let vault = if slots.is_empty() { self.search() } else { self.ask() };
        vault.ready(slots, origin, by).await
    }

    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.ask().sign(slot, algorithm, message)
    }

    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, VaultError> {
        self.ask().verify(slot, algorithm, message, mac)
    }

    async fn value(&self, slot: &OpenSlot, name: &str) -> Result<String, VaultError> {
        let given = self.values.lock().unwrap().get(name).cloned();
        match given {
            Some(value) => Ok(value),
            None => self.ask().value(slot, name).await,
        }
    }

    fn scrubber(&self) -> Arc<Scrubber> {
        self.search().scrubber()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
}

impl Case {
    /// With an upstream that answers every request with `{"ok": true}`.
    pub(crate) async fn new() -> Self {
        Self::answering(|_| Answer::json(&json!({"ok": true}))).await
    }

    pub(crate) async fn answering(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(answer, |builder| builder).await
    }

    /// With a runtime that is set up differently.
    pub(crate) async fn with(
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        set_up: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Self {
        Self::on(Arc::new(ReadableLedger::start().await), answer, set_up).await
    }

    /// With this ledger.
    pub(crate) async fn on(
        ledger: Arc<ReadableLedger>,
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
        set_up: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Self {
        traces::watch();
        let names = Arc::new(DnsServer::start().await.unwrap());
        let builder = Runtime::builder(ledger.ledger())
            .cache(folder::cache())
            .cache_key(folder::cache_key())
            .compiler(compiler())
            .resolver(Arc::new(portcullis_runtime::DnsResolver::with_servers(&[names.address]).unwrap()))
            .calls_at_once(4);
        let runtime = set_up(builder).build().unwrap();
        let upstream = Upstream::start(answer).await.unwrap();
        let canary = Canary::start().await.unwrap();
        // What a guest in a cloud would ask for first.
        names.add("metadata.google.internal", &[canary.address.ip()]);
        let vault = Arc::new(WatchedVault::full());
        let probe = load(&runtime, &folder::guest(guests::PUPPET_PROBE).unwrap()).await.unwrap();
        let origin = upstream.origin();
        let new = tenant("acme", probe, &origin, &everything(&origin), &[upstream.address]).vault(vault.clone());
        let benign = runtime.integrate(new).await.unwrap();
        Self { runtime, ledger, names, canary, upstream, vault, benign }
    }

    /// Another host, which keeps its records in this ledger.
    pub(crate) fn host_on(&self, ledger: Ledger) -> Runtime {
        let builder =
            Runtime::builder(ledger).cache(folder::cache()).cache_key(folder::cache_key()).compiler(compiler());
        let names = portcullis_runtime::DnsResolver::with_servers(&[self.names.address]).unwrap();
        builder.resolver(Arc::new(names)).build().unwrap()
    }

    /// The probe on another host.
    pub(crate) async fn probe_on(
        &self,
        host: &Runtime,
        base: &str,
        routes: &str,
        carve_outs: &[SocketAddr],
    ) -> Integration {
        let probe = load(host, &folder::guest(guests::PUPPET_PROBE).unwrap()).await.unwrap();
        host.integrate(tenant("acme", probe, base, routes, carve_outs).vault(self.vault.clone())).await.unwrap()
    }

    /// The probe, granted everything it declares at the upstream.
    pub(crate) fn probe(&self) -> &Integration {
        &self.benign
    }

    /// The probe with another base URL and grant.
    pub(crate) async fn probe_with(&self, base: &str, routes: &str, carve_outs: &[SocketAddr]) -> Integration {
        self.probe_in("acme", self.vault.clone(), base, routes, carve_outs).await
    }

    /// The probe in another workspace, with credentials of its own.
    pub(crate) async fn probe_in(
        &self,
        workspace: &str,
        vault: Arc<dyn Vault>,
        base: &str,
        routes: &str,
        carve_outs: &[SocketAddr],
    ) -> Integration {
        let probe = self.load(guests::PUPPET_PROBE).await;
        self.runtime.integrate(tenant(workspace, probe, base, routes, carve_outs).vault(vault)).await.unwrap()
    }

    pub(crate) async fn load(&self, guest: Guest) -> Adapter {
        load(&self.runtime, &folder::guest(guest).unwrap()).await.unwrap()
    }

    /// A guest with all of its operations, no routes and these limits.
    pub(crate) async fn guest(&self, guest: Guest, operation: &str, limits: &str) -> Integration {
        self.guest_in("acme", guest, operation, &format!("[limits]\n{limits}")).await
    }

    /// A guest in a workspace, with what else its grant says.
    pub(crate) async fn guest_in(&self, workspace: &str, guest: Guest, operation: &str, more: &str) -> Integration {
        let adapter = self.load(guest).await;
        let grant = format!("adapter = \"{}\"\noperations = [\"{operation}\"]\n{more}", adapter.digest());
        let new = NewIntegration::new(workspace, guest.name(), adapter, Grant::parse(&grant).unwrap());
        self.runtime.integrate(new.vault(self.vault.clone())).await.unwrap()
    }

    /// Runs steps of the probe, live.
    pub(crate) async fn steps(&self, integration: &Integration, steps: Value) -> Outcome {
        integration.call(call("probe", json!({ "steps": steps })).live()).await
    }

    /// The oracle: whatever happened, nothing was touched, nothing was seen, and the host goes on.
    pub(crate) async fn holds(&self, outcome: &Outcome) {
        assert_eq!((self.canary.touched(), self.canary.bytes()), (0, 0), "somebody touched the canary");
        assert_eq!(self.names.strangers(), Vec::<String>::new(), "a name was asked for that is nobody's");
        let records = self.is_recorded(outcome);
        let mut shown = vec![
            format!("{outcome:?}"),
            format!("{:?} {:?}", self.benign, self.vault.inner),
            json!([outcome.journal, outcome.would_send, outcome.exchanges, outcome.denials, outcome.receipt])
                .to_string(),
            Value::Array(records).to_string(),
        ];
        match &outcome.result {
            Ok(output) => shown.push(output.to_string()),
            Err(error) => shown.push(format!("{error} {} {:?}", error.code(), error.allow_with())),
        }
        for text in &shown {
            self.no_secret_in(text);
            // Which addresses a name stands for is nobody's business: it would be a way to scan the inside.
            for address in self.names.given().iter().map(ToString::to_string).filter(|address| address.len() > 3) {
                assert!(!text.contains(&address), "{address} is in {text}");
            }
        }
        self.no_secret_in(&Value::Array(self.ledger.records()).to_string());
        traces::are_clean();
        self.goes_on().await;
    }

    /// The ledger's last record says that this was refused before there was a call.
    pub(crate) fn refusal_is_recorded(&self, step: &str, error: &str) {
        let records = self.ledger.of_kind("refusal");
        let last = records.last().expect("a refusal is recorded");
        assert_eq!(last["step"], step, "{last}");
        assert!(last["adapter"].as_str().unwrap().starts_with("sha256:"), "{last}");
        assert!(error.starts_with(last["message"].as_str().unwrap()), "{last}");
        self.no_secret_in(&last.to_string());
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

    /// The ledger has the intent, every denial and the outcome with its receipt. Returns these records.
    fn is_recorded(&self, outcome: &Outcome) -> Vec<Value> {
        let id = json!(outcome.call);
        let records: Vec<Value> = self.ledger.records().into_iter().filter(|record| record["call"] == id).collect();
        let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<_>>();
        let ends = of("outcome");
        assert_eq!(ends.len(), 1, "one outcome");
        let (status, error) = match &outcome.result {
            Ok(_) => (json!("done"), Value::Null),
            // A code that the adapter chose stands beside the chain.
            Err(CallError::Adapter { .. }) => (json!("adapter_failed"), json!(portcullis_ledger::FAILURE)),
            Err(error) => (json!(error.status()), json!(error.code())),
        };
        assert_eq!((&ends[0]["status"], &ends[0]["error"]), (&status, &error));
        assert_eq!(ends[0]["receipt"], json!(outcome.receipt), "with its receipt");
        if outcome.receipt.fuel > 0 {
            assert_eq!(records[0]["kind"], "intent", "no adapter runs before its call is recorded");
        }
        let rules: Vec<Value> = of("denial").iter().map(|record| record["denial"]["rule"].clone()).collect();
        let expected: Vec<Value> = outcome.denials.iter().map(|denial| json!(denial.rule)).collect();
        assert_eq!(rules, expected, "every denial is recorded");
        records
    }

    pub(crate) fn no_secret_in(&self, text: &str) {
        if let Some(needle) = crate::needles::found_in(text) {
            panic!("the secret `{needle}` is in {text}");
        }
    }
}

/// What compiles adapters for tests: their own program is a test harness, whose `main` is not ours.
pub(crate) fn compiler() -> Compiler {
    Compiler::Program(PathBuf::from(env!("CARGO_BIN_EXE_demo")))
}

pub(crate) fn call(operation: &str, input: impl Into<Json>) -> Call {
    Call::new(Caller::principal("user:test"), operation, input)
}

pub(crate) fn get(url: &str) -> Value {
    json!({"do": "send", "method": "GET", "url": url, "headers": [], "body": null, "slot": null})
}

pub(crate) fn send(method: &str, url: &str, slot: Option<&str>, headers: Value) -> Value {
    json!({"do": "send", "method": method, "url": url, "headers": headers, "body": null, "slot": slot})
}

/// The rule by which each step of the probe was refused; `ok` for those that were not.
pub(crate) fn rules(outcome: &Outcome) -> Vec<String> {
    let results = outcome.result.as_ref().unwrap()["results"].as_array().unwrap();
    let rule = |result: &Value| result.pointer("/error/rule").and_then(Value::as_str).unwrap_or("ok").to_owned();
    results.iter().map(rule).collect()
}

/// What the probe was told of its n-th step: `/error/kind` and its like.
pub(crate) fn told<'a>(outcome: &'a Outcome, step: usize, what: &str) -> &'a str {
    let result = &outcome.result.as_ref().unwrap()["results"][step];
    result.pointer(what).and_then(Value::as_str).unwrap_or_else(|| panic!("no {what} in {result}"))
}

/// Grant lines for all that the probe declares.
pub(crate) fn everything(base: &str) -> String {
    let route = |method: &str, path: &str, more: &str| {
        format!("[[routes]]\nmethod = \"{method}\"\nurl = \"{base}{path}\"\n{more}\n")
    };
    [
        route("GET", "/ok", ""),
        route("POST", "/echo", "slots = [\"token\"]\nheaders = [\"X-Trace\"]"),
        route("GET", "/items/{id}", "query = [\"q\"]\nheaders = [\"X-Trace\"]"),
        route("GET", "/basic", "slots = [\"basic\"]"),
        route("GET", "/header", "slots = [\"key\"]\nheaders = [\"X-Go\"]"),
        route("GET", "/query", "slots = [\"query-key\"]"),
        route("GET", "/several", "slots = [\"token\", \"key\", \"query-key\", \"cookie\"]"),
        route("GET", "/bot/{bot}/send/{to}", "slots = [\"bot\"]"),
    ]
    .concat()
}

/// One load at a time: tests run side by side, and compiling the same guest in all of them helps nobody.
pub(crate) async fn load(runtime: &Runtime, bytes: &[u8]) -> Result<Adapter, LoadError> {
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    runtime.load(bytes).await
}

/// The probe, to be integrated.
pub(crate) fn tenant(
    workspace: &str,
    probe: Adapter,
    base: &str,
    routes: &str,
    carve_outs: &[SocketAddr],
) -> NewIntegration {
    let grant = format!(
        "adapter = \"{}\"\noperations = [\"probe\"]\nsigning = [\"signing\"]\ncarve_outs = {}\n{routes}",
        probe.digest(),
        json!(carve_outs)
    );
    let grant = Grant::parse(&grant).unwrap();
    NewIntegration::new(workspace, "probe", probe, grant).config(json!({ "baseUrl": base }))
}
