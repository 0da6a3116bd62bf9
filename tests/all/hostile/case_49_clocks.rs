//! Case 49: the machine's clock is set back, over a credential that has expired, or ahead, over all that was to be kept. Nothing
//! expires by a time before the newest record's; a jump is recorded; and what has expired by a clock that jumped stays until
//! somebody says that the clock is right.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use portcullis_ledger::{
    CallId, Caller, Clock, Entry, Field, Found, HOST, Kind, Ledger, LedgerError, LedgerOptions, Mode, Order, Payload,
    Query, Record, RetentionPolicy, Salts, Side, Subject, ToKeep, read_payload,
};
use portcullis_runtime::{CallError, Given, NewOptions, Overlap, Schema, Secret};
use portcullis_store::{Batch, MemoryStore};
use serde_json::json;

use crate::{
    harness::{secret, send},
    secrets::{Kept, by, id},
};

/// A machine whose clock can be set, and one that cannot.
struct Machine {
    says: Mutex<Timestamp>,
    elapsed: Mutex<Duration>,
}

impl Machine {
    fn new() -> Arc<Self> {
        let says = Mutex::new("2026-11-21T09:00:00Z".parse().unwrap());
        Arc::new(Self { says, elapsed: Mutex::new(Duration::from_secs(1_000)) })
    }

    fn set(&self, by: SignedDuration) {
        let mut says = self.says.lock().unwrap();
        *says = says.checked_add(by).unwrap();
    }

    /// Time goes by.
    fn pass(&self, long: Duration) {
        self.set(SignedDuration::try_from(long).unwrap());
        *self.elapsed.lock().unwrap() += long;
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        *self.says.lock().unwrap()
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(*self.elapsed.lock().unwrap())
    }
}

/// A machine whose other clock begins anew, as after a start.
struct Started(Arc<Machine>);

impl Clock for Started {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(self.0.elapsed()?.saturating_sub(Duration::from_secs(1_000)))
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

async fn open(store: &Arc<MemoryStore>, clock: Arc<dyn Clock>) -> Ledger {
    Ledger::open(store.clone(), LedgerOptions { clock, ..LedgerOptions::default() }).await.unwrap()
}

fn something() -> Entry {
    Entry::change("acme", Kind::Configuration, &Caller::principal("user:ada"), Default::default())
}

/// What the chain tells of the clock: what it did, and by how many seconds.
async fn told(ledger: &Ledger, workspace: &str) -> Vec<(String, String)> {
    let query = Query::new(workspace).field(Field::Kind, "clock").oldest_first();
    let records = ledger.reader().query(&query).await.unwrap().records;
    let change = |record: Record| record.change.unwrap();
    let seconds = |details: &std::collections::BTreeMap<String, String>| details.get("seconds").cloned();
    let all = records.into_iter().map(|(_, record)| change(record));
    all.map(|change| (change.action, seconds(&change.details).unwrap_or_default())).collect()
}

fn pair(action: &str, seconds: &str) -> (String, String) {
    (action.to_owned(), seconds.to_owned())
}

#[tokio::test]
async fn a_jump_is_recorded_by_how_much_and_time_that_goes_by_is_none() {
    let (store, machine) = (Arc::new(MemoryStore::new()), Machine::new());
    let ledger = open(&store, machine.clone()).await;
    ledger.append(vec![something()]).await.unwrap();
    // A week goes by, and a minute is set: both are no jump.
    machine.pass(7 * 24 * HOUR);
    machine.set(SignedDuration::from_secs(60));
    ledger.append(vec![something()]).await.unwrap();
    machine.set(SignedDuration::from_secs(-100));
    ledger.append(vec![something()]).await.unwrap();
    assert_eq!(told(&ledger, "acme").await, []);
    // Ten minutes ahead, and an hour back.
    machine.set(SignedDuration::from_mins(10));
    ledger.append(vec![something()]).await.unwrap();
    machine.set(SignedDuration::from_hours(-1));
    let newest = ledger.reader().chain("acme").await.unwrap().unwrap().time;
    assert_eq!(ledger.clock().now(), newest, "it is never before the newest record");
    machine.pass(HOUR / 2);
    assert_eq!(ledger.clock().now(), newest + SignedDuration::from_mins(30), "and goes on all the same");
    ledger.append(vec![something()]).await.unwrap();
    let expected = [pair("ahead", "600"), pair("back", "3600")];
    assert_eq!(told(&ledger, "acme").await, expected);
    assert_eq!(told(&ledger, HOST).await, expected, "the host's chain has all of them");
    // It is recorded once, and before what was recorded by it.
    ledger.append(vec![something()]).await.unwrap();
    assert_eq!(told(&ledger, "acme").await.len(), 2);
    // After a start the newest record is all that there is to compare with.
    drop(ledger);
    let ledger = open(&store, Arc::new(Started(machine.clone()))).await;
    ledger.append(vec![something()]).await.unwrap();
    assert_eq!(told(&ledger, "acme").await.last().unwrap().0, "back");
}

/// Keeps an input for a month.
async fn keep(ledger: &Ledger) -> (CallId, Payload) {
    let (call, salts) = (CallId::generate(), Salts::generate());
    let policy = RetentionPolicy::parse("[[keep]]\nwhat = \"whole\"\ndays = 30").unwrap().of("acme", "mail", "send");
    let (schema, value) = (Schema::compile("{}").unwrap(), json!({"to": "ada"}).into());
    let (mut batch, now) = (Batch::new(), ledger.clock().now());
    let what = ToKeep {
        workspace: "acme", call, side: Side::Input, salts: &salts, schema: &schema, value: &value, now,
    };
    let payload = policy.side(Side::Input).keep(&what, &mut batch, &portcullis_gate::Work::new(20_000_000)).unwrap();
    let subject = Subject {
        call,
        workspace: "acme",
        integration: "mail",
        integration_version: 1,
        adapter: "sha256:00",
        grant: "sha256:11",
        grantor: "user:bob",
        operation: "send",
        mode: Mode::Live,
        caller: &Caller::principal("user:ada"),
        cost: &Default::default(),
    };
    ledger.commit(vec![Entry::intent(&subject, payload.clone())], batch).await.unwrap();
    (call, payload)
}

#[tokio::test]
async fn what_expired_by_a_clock_that_jumped_ahead_stays_until_somebody_says_that_it_is_right() {
    let by = Caller::principal("user:ada");
    let order = Order { by: &by, reason: "what has expired" };
    for start in [false, true] {
        let (store, machine) = (Arc::new(MemoryStore::new()), Machine::new());
        let mut ledger = open(&store, machine.clone()).await;
        let (call, payload) = keep(&ledger).await;
        machine.set(SignedDuration::from_hours(24 * 365));
        if start {
            drop(ledger);
            ledger = open(&store, Arc::new(Started(machine.clone()))).await;
        }
        let is_refused = async |ledger: &Ledger| {
            let error = ledger.erase_expired(None, order).await.unwrap_err();
            assert!(matches!(error, LedgerError::ClockInDoubt { .. }), "{error}");
            let found = read_payload(store.as_ref(), ("acme", call, Side::Input), &payload, ledger.clock().now()).await;
            assert!(matches!(found.unwrap(), Found::Expired { .. }), "it is there, and not shown");
        };
        is_refused(&ledger).await;
        // Records that are written by that clock confirm nothing, and neither does another start, or a day that goes by.
        ledger.append(vec![something()]).await.unwrap();
        assert_eq!(told(&ledger, "acme").await, [pair("ahead", &(365 * 86_400).to_string())]);
        is_refused(&ledger).await;
        machine.pass(20 * HOUR);
        drop(ledger);
        let ledger = open(&store, Arc::new(Started(machine.clone()))).await;
        is_refused(&ledger).await;
        // Somebody looks, and says so.
        ledger.confirm_clock(&by).await.unwrap();
        assert_eq!(told(&ledger, HOST).await.last().unwrap().0, "confirmed");
        let done = ledger.erase_expired(None, order).await.unwrap();
        assert_eq!((done.calls, done.entries), (1, 1));
        let found = read_payload(store.as_ref(), ("acme", call, Side::Input), &payload, ledger.clock().now()).await;
        assert!(matches!(found.unwrap(), Found::Erased { .. }));
    }
}

#[tokio::test]
async fn a_host_that_runs_for_a_month_erases_what_has_expired_without_being_told() {
    let (store, machine) = (Arc::new(MemoryStore::new()), Machine::new());
    let ledger = open(&store, machine.clone()).await;
    keep(&ledger).await;
    machine.pass(31 * 24 * HOUR);
    let by = Caller::principal("user:ada");
    let done = ledger.erase_expired(None, Order { by: &by, reason: "what has expired" }).await.unwrap();
    assert_eq!(done.calls, 1);
    assert_eq!(told(&ledger, HOST).await, []);
}

#[tokio::test]
async fn where_nothing_has_expired_nobody_has_to_say_that_the_clock_is_right() {
    let (store, machine) = (Arc::new(MemoryStore::new()), Machine::new());
    let ledger = open(&store, machine.clone()).await;
    keep(&ledger).await;
    drop(ledger);
    // A host that nobody used for three days, and a timer.
    machine.set(SignedDuration::from_hours(72));
    let ledger = open(&store, Arc::new(Started(machine.clone()))).await;
    let by = Caller::principal("user:ada");
    let done = ledger.erase_expired(None, Order { by: &by, reason: "what has expired" }).await.unwrap();
    assert_eq!(done.calls, 0);
}

#[tokio::test]
async fn a_credential_that_has_expired_is_not_used_by_a_clock_that_was_set_back() {
    let kept = Kept::new().await;
    kept.fill().await;
    let soon = kept.case.ledger.ledger().clock().now() + SignedDuration::from_hours(1);
    let (given, by) = (Given::secret(Secret::try_from(secret("key")).unwrap()), by());
    let options = NewOptions::by(&by).expires(soon);
    kept.credentials.rotate(&id("key"), given, Overlap::AtOnce, options).await.unwrap();
    let probe = kept.probe().await;
    let url = format!("{}/header", kept.case.upstream.origin());
    let call = async || kept.case.steps(&probe, json!([send("GET", &url, Some("key"), json!([]))])).await;
    let used = || kept.case.upstream.received().iter().filter(|request| request.target == "/header").count();
    call().await;
    assert_eq!(used(), 1, "it is good");
    kept.clock.pass(2 * HOUR);
    let refused = call().await;
    assert_eq!(used(), 1, "it has expired: {refused:?}");
    kept.clock.back(3 * HOUR);
    let refused = call().await;
    assert_eq!(used(), 1, "and it stays so: {refused:?}");
    assert!(!matches!(refused.result, Err(CallError::Ledger(_))), "{refused:?}");
    let records = kept.case.ledger.of_kind("clock");
    assert!(records.iter().any(|record| record["change"]["action"] == "back"), "{records:?}");
    kept.case.goes_on().await;
}
