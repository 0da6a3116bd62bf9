//! A ledger with a call for each way to end, as the runtime would have written it.

#![allow(unreachable_pub, reason = "shared by test programs, none of which is a library")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use portcullis_runtime::{
    CallId, Caller, Denial, Exchange, Ledger, LedgerOptions, Method, Mode, Receipt, Status, StoreError,
    ledger::{Change, Ending, Entry, Hash, Kept, Kind, Payload, Reader, Step, Subject},
    store::{Batch, Embedded, Options},
};

use crate::place::Place;

pub const TEMPLATE: &str = "https://api.example.com/v1/things/{id:digits(1..9)}";
const ADAPTER: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const GRANT: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// What is kept of each input and output.
const KEPT: &str = r#"{"kept":"redacted","salt":"000102030405060708090a0b0c0d0e0f","value":{"name":"[redacted]"}}"#;

/// Where it is kept, beside the chain of `local`.
pub fn payload_key(call: CallId, side: char) -> Vec<u8> {
    [b"Plocal\0".as_slice(), call.as_bytes(), &[side as u8]].concat()
}

/// What is in it.
pub struct History {
    pub records: u64,
    pub done: CallId,
    pub denied: CallId,
    calls: BTreeMap<&'static str, CallId>,
}

/// A call's id as the table shows it.
pub fn short(call: &CallId) -> String {
    let id = call.to_string();
    id[id.len() - 8..].to_owned()
}

/// The store, as soon as nobody else has it.
pub async fn open(place: &Place) -> Embedded {
    loop {
        match Embedded::open(place.folder.path().join("data/store"), Options::default()).await {
            Err(StoreError::Busy { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            opened => return opened.unwrap(),
        }
    }
}

async fn close(mut store: Arc<Embedded>) {
    loop {
        match Arc::try_unwrap(store) {
            Ok(store) => return store.close().await.unwrap(),
            Err(shared) => store = shared,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Records these, as another command would.
pub async fn append(place: &Place, workspace: &str, entries: Vec<Entry>) {
    assert!(entries.iter().all(|entry| entry.record().workspace == workspace));
    let store = Arc::new(open(place).await);
    let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
    ledger.append(entries).await.unwrap();
    ledger.close().await;
    close(store).await;
}

pub fn sign_in(principal: &str) -> Entry {
    sign_in_of("local", principal)
}

pub fn sign_in_of(workspace: &str, principal: &str) -> Entry {
    let change = Change { action: "signed-in".to_owned(), ..Change::default() };
    Entry::change(workspace, Kind::SignIn, &Caller::principal(principal), change)
}

impl History {
    /// Writes one to the place's data folder.
    pub async fn of(place: &Place) -> Self {
        std::fs::create_dir_all(place.folder.path().join("data")).unwrap();
        let store = Arc::new(open(place).await);
        let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
        let mut calls = BTreeMap::new();
        for entries in entries(&mut calls) {
            let mut batch = Batch::new();
            for record in entries.iter().map(Entry::record) {
                for (payload, side) in [(&record.input, 'i'), (&record.output, 'o')] {
                    if let (Some(call), Some(_)) = (record.call, payload) {
                        batch.insert(payload_key(call, side), KEPT);
                    }
                }
            }
            ledger.commit(entries, batch).await.unwrap();
        }
        ledger.close().await;
        close(store).await;
        // The call whose end is not known: it is closed when the ledger is opened again.
        append(place, "local", Vec::new()).await;
        let store = Arc::new(open(place).await);
        let records = Reader::new(store.clone()).chain("local").await.unwrap().unwrap().seq;
        close(store).await;
        Self { records, done: calls["done"], denied: calls["denied"], calls }
    }

    pub fn call(&self, status: Status) -> CallId {
        self.calls[status.as_str()]
    }
}

fn entries(calls: &mut BTreeMap<&'static str, CallId>) -> Vec<Vec<Entry>> {
    let caller = Caller {
        agent: Some("agent:helper".to_owned()),
        run: Some("run-7".to_owned()),
        step: Some("notify".to_owned()),
        workflow: Some("onboarding".to_owned()),
        ..Caller::principal("user:ada")
    };
    let cost = BTreeMap::from([("team".to_owned(), "billing".to_owned())]);
    let subject = |call| Subject {
        call,
        workspace: "local",
        integration: "things",
        integration_version: 1,
        adapter: ADAPTER,
        grant: GRANT,
        grantor: "user:grace",
        operation: "changeThing",
        mode: Mode::Live,
        caller: &caller,
        cost: &cost,
    };
    let payload = Payload {
        bytes: 40,
        hash: Some(Hash::of(b"salt and text")),
        kept: Kept::Redacted,
        redacted: vec!["/name".to_owned()],
        stored: Some(Hash::of(KEPT.as_bytes())),
    };
    let denial = Denial {
        allow_request: None,
        allow_with: Some("[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/v1/others\"\n".to_owned()),
        asked: "GET https://api.example.com/v1/others".to_owned(),
        ceiling: false,
        granted: vec![format!("PATCH {TEMPLATE}")],
        message: "GET https://api.example.com/v1/others: no GET route to this path is open during `changeThing`."
            .to_owned(),
        rule: "path-not-granted".to_owned(),
    };
    let exchange = |status, error: Option<&'static str>| Exchange {
        attempt: 1,
        duration_us: 12_345,
        error: error.map(Into::into),
        method: Method::Patch,
        origin: "https://api.example.com".to_owned(),
        payload: Some(Hash::of(b"body")),
        redactions: 0,
        route: "change-thing".to_owned(),
        slots: vec!["token".to_owned()],
        status,
        template: TEMPLATE.to_owned(),
    };
    let receipt =
        Receipt { bytes_in: 2_001, bytes_out: 512, fuel: 77_777, requests: 1, wall_us: 31_000, ..Receipt::default() };
    let grant = format!(
        "adapter = \"{ADAPTER}\"\noperations = [\"changeThing\"]\n\n[[routes]]\nmethod = \"PATCH\"\nurl = \"{TEMPLATE}\"\n\n[limits]\nrequests = 20\n"
    );
    let details = BTreeMap::from([("grant".to_owned(), grant)]);
    let change = Change { action: "granted".to_owned(), details, of: "things".to_owned() };
    let granted = Entry::change("local", Kind::Grant, &Caller::principal("user:grace"), change);
    let mut all = vec![
        vec![granted.integration("things", Some(1)).adapter(ADAPTER).grant(GRANT, "user:grace")],
        vec![Entry::refusal("local", Step::Load, "sha256:cccc", "this is no component")],
    ];
    for (status, error) in [
        (Status::Done, None),
        (Status::Denied, Some("path-not-granted")),
        (Status::Refused, Some("invalid-input")),
        (Status::AdapterFailed, Some("card_declined")),
        (Status::BoundHit, Some("requests")),
        (Status::UpstreamFailed, Some("timeout")),
        (Status::Abandoned, Some("abandoned")),
        (Status::Unknown, None),
    ] {
        let call = CallId::generate();
        calls.insert(status.as_str(), call);
        all.push(vec![Entry::intent(&subject(call), payload.clone())]);
        let mut end = Vec::new();
        if status == Status::Denied {
            end.push(Entry::denial(&subject(call), denial.clone()));
        }
        let exchanges = match status {
            Status::Done => vec![exchange(Some(200), None)],
            Status::UpstreamFailed => vec![exchange(None, Some("timeout"))],
            Status::Abandoned => vec![exchange(None, Some("cut-off"))],
            _ => Vec::new(),
        };
        let bounds = if status == Status::BoundHit { BTreeMap::from([("requests", 3)]) } else { BTreeMap::new() };
        let output = (status == Status::Done).then(|| payload.clone());
        let ending = Ending { status, error: error.map(Into::into), exchanges, bounds, output, words: None, receipt };
        end.push(Entry::outcome(&subject(call), ending));
        // The host stopped in the middle of it.
        if status != Status::Unknown {
            all.push(end);
        }
    }
    all
}
