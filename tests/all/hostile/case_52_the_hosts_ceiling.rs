//! Case 52: the host's ceiling is set once, and somebody forgets it, says another one, or takes it away in the store. It holds in
//! each process that is started on the store, whatever that one says; without it nothing is opened.

use std::sync::Arc;

use portcullis_gate::{Ceiling, Grant};
use portcullis_ledger::Ledger;
use portcullis_runtime::{Credentials, HostSettings, Integration, MemoryStore, Runtime};
use portcullis_store::Store;
use portcullis_tests::folder;
use serde_json::json;

use crate::{
    guests,
    harness::{Case, call, load, rules, send, told},
    state::{
        entries,
        history::{builder, by, ledger, master},
        in_memory,
    },
};

async fn on(store: Arc<dyn Store>, ceiling: Option<&str>) -> (Runtime, Credentials, Ledger) {
    let ledger = ledger(store).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), master()).await.unwrap();
    let mut builder = builder(ledger.clone(), credentials.clone());
    if let Some(ceiling) = ceiling {
        builder = builder.ceiling(Ceiling::parse(ceiling).unwrap());
    }
    (builder.build().unwrap(), credentials, ledger)
}

/// A live call of `mail` that reads, and one that writes with a slot that has no credential: by which rule the one is refused, and
/// how the other ends, `unavailable` where the slot is open and `not-granted` where the ceiling took the route away.
async fn rules_of(integration: &Integration, origin: &str) -> Vec<String> {
    let steps = json!([send("GET", &format!("{origin}/ok"), None, json!([])), send("POST", &format!("{origin}/echo"), Some("token"), json!([]))]);
    let outcome = integration.call(call("probe", json!({ "steps": steps })).live()).await;
    vec![rules(&outcome).swap_remove(0), told(&outcome, 1, "/error/error/kind").to_owned()]
}

#[tokio::test]
async fn a_ceiling_that_is_set_holds_for_who_forgets_it_and_for_who_says_another() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let address = case.upstream.address;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (runtime, credentials, _) = on(store.clone(), None).await;
    let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
    load(&runtime, &probe).await.unwrap();
    let digest = runtime.keep_adapter(&probe, "probe", &by()).await.unwrap().digest;
    let grant = format!(
        "adapter = \"{digest}\"\noperations = [\"probe\"]\ncarve_outs = [\"{address}\"]\n[[routes]]\nmethod = \"GET\"\n\
         url = \"{origin}/ok\"\n[[routes]]\nmethod = \"POST\"\nurl = \"{origin}/echo\"\nslots = [\"token\"]\n"
    );
    let (grant, config) = (Grant::parse(&grant).unwrap(), json!({ "baseUrl": origin }));
    runtime.keep_integration(["acme", "mail"], &digest, config, grant, &by()).await.unwrap();
    let open = runtime.open("acme", "mail").await.unwrap();
    assert_eq!(rules_of(&open, &origin).await, ["ok", "unavailable"]);

    let state = credentials.state();
    let before = HostSettings::of(&state).await.unwrap();
    let mut settings = before.clone();
    settings.ceiling = Some(Ceiling::parse("methods = [\"GET\"]").unwrap());
    settings.keep(&before, &state, &by()).await.unwrap();
    let sent = case.upstream.received().len();
    for said in [None, Some(""), Some("methods = [\"GET\", \"POST\", \"DELETE\"]")] {
        let (runtime, ..) = on(store.clone(), said).await;
        let rules = rules_of(&runtime.open("acme", "mail").await.unwrap(), &origin).await;
        assert_eq!(rules, ["ok", "not-granted"], "{said:?}");
    }
    // What is said beside it narrows it.
    let (runtime, ..) = on(store.clone(), Some("forbidden_origins = [\"https://api.example.com\"]\nmethods = []")).await;
    assert_ne!(rules_of(&runtime.open("acme", "mail").await.unwrap(), &origin).await[0], "ok");
    let received = case.upstream.received();
    assert!(received[sent..].iter().all(|request| request.method == "GET"), "nothing was written");

    // Edited, or taken away: nothing is opened, and the settings are named.
    let now = entries(store.as_ref()).await;
    let lifted = String::from_utf8(now[&b"G"[..]].clone()).unwrap().replace("GET", "PUT").into_bytes();
    for value in [Some(lifted), Some(b"{}".to_vec()), None] {
        let mut attacked = now.clone();
        match value {
            Some(value) => drop(attacked.insert(b"G".to_vec(), value)),
            None => drop(attacked.remove(&b"G"[..])),
        }
        let (runtime, ..) = on(in_memory(&attacked).await, None).await;
        let error = runtime.open("acme", "mail").await.unwrap_err().to_string();
        assert!(error.contains("the settings of the host is refused"), "{error}");
    }
    let refusals = case.ledger.of_kind("refusal").len();
    assert_eq!(refusals, 0, "they are in the other ledger");
    case.goes_on().await;
}
