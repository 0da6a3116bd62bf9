//! Ledgers with a record of every kind, for tests.

#![allow(unreachable_pub, reason = "shared by test programs, none of which is a library")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use portcullis_gate::{Denial, Method};
use portcullis_ledger::{
    CallId, Caller, Change, Clock, Ending, Entry, Exchange, Hash, Kept, Kind, Ledger, LedgerOptions, Mode, Payload,
    Receipt, Status, Step, Subject,
};
use portcullis_store::MemoryStore;

/// A clock that takes one second for each time that it is asked.
#[derive(Debug, Default)]
pub struct Steps(AtomicI64);

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

pub async fn open(clock: Steps) -> (Ledger, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    let options = LedgerOptions { clock: Arc::new(clock), ..LedgerOptions::default() };
    (Ledger::open(store.clone(), options).await.unwrap(), store)
}

/// A ledger with these records, each of its own time.
pub async fn ledger_with(entries: &[Entry]) -> Ledger {
    let (ledger, _) = open(Steps::default()).await;
    for entry in entries {
        ledger.append(vec![entry.clone()]).await.unwrap();
    }
    ledger
}

/// Where the block that begins with a record stands.
pub fn key_of_block(workspace: &str, seq: u64) -> Vec<u8> {
    [b"L", workspace.as_bytes(), &[0], &seq.to_be_bytes()].concat()
}

/// One record of each kind, and a call for each way to end.
pub fn every_kind(workspace: &str) -> Vec<Entry> {
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
        workspace,
        integration: "things",
        integration_version: 2,
        adapter: "sha256:aaaa",
        grant: "sha256:bbbb",
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
        stored: Some(Hash::of(b"text")),
    };
    let denial = Denial {
        allow_request: None,
        allow_with: Some("[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/v1/others\"\n".to_owned()),
        asked: "GET https://api.example.com/v1/others".to_owned(),
        ceiling: false,
        granted: vec!["PATCH https://api.example.com/v1/things/{id:digits(1..9)}".to_owned()],
        message: "GET https://api.example.com/v1/others: no GET route to this path is open.".to_owned(),
        rule: "path-not-granted".to_owned(),
    };
    let exchange = |method, attempt, status, error: Option<&'static str>| Exchange {
        attempt,
        duration_us: 12_345,
        error: error.map(Into::into),
        method,
        origin: "https://api.example.com".to_owned(),
        payload: Some(Hash::of(b"body")),
        redactions: 1,
        route: "change-thing".to_owned(),
        slots: vec!["token".to_owned(), "key".to_owned()],
        status,
        template: "https://api.example.com/v1/things/{id:digits(1..9)}".to_owned(),
    };
    let receipt = Receipt {
        bytes_in: 2_001,
        bytes_out: 512,
        fuel: 77_777,
        requests: 2,
        retries: 1,
        wall_us: 31_000,
        ..Receipt::default()
    };
    let mut entries = Vec::new();
    for status in [
        Status::Done,
        Status::Denied,
        Status::Refused,
        Status::AdapterFailed,
        Status::BoundHit,
        Status::UpstreamFailed,
        Status::Abandoned,
        Status::Unknown,
    ] {
        let call = CallId::of_seed(entries.len() as u64);
        entries.push(Entry::intent(&subject(call), payload.clone()));
        if status == Status::Denied {
            entries.push(Entry::denial(&subject(call), denial.clone()));
        }
        let exchanges = match status {
            Status::Done => {
                vec![exchange(Method::Get, 1, Some(200), None), exchange(Method::Patch, 2, Some(200), None)]
            }
            Status::UpstreamFailed => vec![exchange(Method::Post, 1, None, Some("timeout"))],
            _ => Vec::new(),
        };
        let bounds = if status == Status::BoundHit { BTreeMap::from([("requests", 3)]) } else { BTreeMap::new() };
        let error = (status != Status::Done).then(|| status.as_str().replace('_', "-").into());
        let output = (status == Status::Done).then(|| payload.clone());
        let words = (status == Status::AdapterFailed).then(|| payload.clone());
        entries
            .push(Entry::outcome(&subject(call), Ending { status, error, exchanges, bounds, output, words, receipt }));
    }
    entries.push(Entry::refusal(workspace, Step::Load, "sha256:cccc", "this is no component"));
    for (kind, action, of) in [
        (Kind::Approval, "approved", "a call"),
        (Kind::Grant, "granted", ""),
        (Kind::Credential, "replaced", "token"),
        (Kind::Token, "asked", "token"),
        (Kind::Configuration, "created", "things"),
        (Kind::SignIn, "failed", "user:mallory"),
        (Kind::Clock, "ahead", "the machine's clock by 1d"),
        (Kind::Export, "exported", "records 1 to 10"),
        (Kind::Erasure, "erased", "payloads"),
    ] {
        let details = BTreeMap::from([("note".to_owned(), format!("more about {action}"))]);
        let change = Change { action: action.to_owned(), details, of: of.to_owned() };
        let entry = Entry::change(workspace, kind, &Caller::principal("user:grace"), change);
        entries.push(entry.integration("things", Some(3)).grant("sha256:bbbb", "user:grace"));
    }
    entries
}
