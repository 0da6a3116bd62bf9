//! What is kept of inputs and outputs: what is in the store, what can be proved by it, and what is left when it is erased.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::{Timestamp, ToSpan};
use portcullis_gate::Work;
use portcullis_ledger::{
    CallId, Caller, Clock, Ending, Entry, Field, Found, Hash, Kept, Kind, Ledger, LedgerError, LedgerOptions, Mode,
    Order, Payload, Query, Receipt, RetentionPolicy, Salts, Side, Status, Subject, ToKeep, read_payload,
    verify::{VerifyOptions, verify_store},
};
use portcullis_schema::Schema;
use portcullis_store::{Batch, MemoryStore, Scan, Store};
use serde_json::{Value, json};

struct Set(Mutex<Timestamp>);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A ledger in memory, whose clock is set by hand.
struct Place {
    store: Arc<MemoryStore>,
    ledger: Ledger,
    clock: Arc<Set>,
    schema: Schema,
}

static REASON: Order<'static> = Order { by: &ADA, reason: "asked for by the person, ticket 7" };
static ADA: Caller =
    Caller { agent: None, known_by: None, principal: String::new(), run: None, step: None, workflow: None };

impl Place {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(Set(Mutex::new("2026-11-21T09:00:00.5Z".parse().unwrap())));
        let options = LedgerOptions { clock: clock.clone(), ..LedgerOptions::default() };
        let ledger = Ledger::open(store.clone(), options).await.unwrap();
        let schema = json!({"type": "object", "properties": {
            "to": {"type": "string", "x-sensitive": true}, "subject": {"type": "string"}, "pages": {"type": "array", "items": {"type": "string"}}}});
        Self { store, ledger, clock, schema: Schema::compile(&schema.to_string()).unwrap() }
    }

    /// Keeps the input of a call under this policy, with its intent.
    async fn keep(&self, policy: &str, workspace: &str, value: &Value) -> Result<(CallId, Payload), LedgerError> {
        let (call, salts) = (CallId::generate(), Salts::generate());
        let retention = RetentionPolicy::parse(policy).unwrap().of(workspace, "mail", "send");
        let mut batch = Batch::new();
        let json = value.clone().into();
        let what = ToKeep {
            workspace,
            call,
            side: Side::Input,
            salts: &salts,
            schema: &self.schema,
            value: &json,
            now: self.clock.now(),
        };
        let payload = retention.side(Side::Input).keep(&what, &mut batch, &Work::new(20_000_000))?;
        let entry = Entry::intent(&subject(workspace, call, &BTreeMap::new()), payload.clone());
        self.ledger.commit(vec![entry], batch).await?;
        Ok((call, payload))
    }

    async fn read(&self, call: CallId, payload: &Payload) -> Found {
        read_payload(self.store.as_ref(), ("acme", call, Side::Input), payload, self.clock.now()).await.unwrap()
    }

    /// Days later, and somebody says that the clock is right.
    async fn later(&self, days: i64) {
        let now = self.clock.now().checked_add((days * 24).hours()).unwrap();
        *self.clock.0.lock().unwrap() = now;
        self.ledger.confirm_clock(&ADA).await.unwrap();
    }

    /// Every key and value of the store, one after another.
    async fn bytes(&self) -> String {
        let page = self.store.scan(&Scan::prefix("").entries(usize::MAX).bytes(usize::MAX)).await.unwrap();
        page.entries
            .into_iter()
            .map(|(key, value)| format!("{}={}\n", key.escape_ascii(), value.escape_ascii()))
            .collect()
    }

    async fn entries(&self, letter: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.store.scan(&Scan::prefix(letter).bytes(usize::MAX)).await.unwrap().entries
    }

    /// The chain holds: each record is as it was hashed.
    async fn chain_holds(&self, workspace: &str) {
        let mut prev = Hash::genesis(workspace);
        let mut from = 1;
        loop {
            let lines = self.ledger.reader().lines(workspace, from).await.unwrap();
            if lines.is_empty() {
                assert_eq!(self.ledger.reader().chain(workspace).await.unwrap().unwrap().hash, prev);
                return;
            }
            for line in lines {
                assert_eq!(line.record(workspace).unwrap().prev, prev);
                prev = line.hash();
                from = line.seq + 1;
            }
        }
    }

    async fn erasures(&self, workspace: &str) -> Vec<portcullis_ledger::Record> {
        let query = Query::new(workspace).field(Field::Kind, Kind::Erasure.as_str()).oldest_first();
        self.ledger.reader().query(&query).await.unwrap().records.into_iter().map(|(_, record)| record).collect()
    }
}

fn subject<'a>(workspace: &'a str, call: CallId, cost: &'a BTreeMap<String, String>) -> Subject<'a> {
    Subject {
        call,
        workspace,
        integration: "mail",
        integration_version: 1,
        adapter: "sha256:00",
        grant: "sha256:11",
        grantor: "user:bob",
        operation: "send",
        mode: Mode::Live,
        caller: &ADA,
        cost,
    }
}

fn mail() -> Value {
    json!({"to": "ada@example.com", "subject": "Hello", "bcc": "bob@example.com"})
}

const WHOLE: &str = "[[keep]]\nwhat = \"whole\"\n";

#[tokio::test]
async fn without_a_rule_nothing_sensitive_is_anywhere_in_the_store() {
    let place = Place::new().await;
    let (call, payload) = place.keep("", "acme", &mail()).await.unwrap();
    let bytes = place.bytes().await;
    assert!(!bytes.contains("ada@") && !bytes.contains("bob@") && !bytes.contains("bcc\\\""), "{bytes}");
    assert_eq!((payload.kept, payload.redacted.clone()), (Kept::Redacted, vec!["/*".to_owned(), "/to".to_owned()]));
    assert_eq!(payload.bytes, mail().to_string().len() as u64);
    let Found::Kept(stored) = place.read(call, &payload).await else { panic!() };
    assert_eq!(stored.text, r#"{"[redacted]":"[redacted]","subject":"Hello","to":"[redacted]"}"#);
    assert!(stored.proves(&payload, &mail().to_string()), "who has the text can prove that it was this one");
    assert!(!stored.proves(&payload, &json!({"to": "eve@example.com"}).to_string()));
    assert!(!format!("{stored:?}").contains("Hello"));
}

#[tokio::test]
async fn whole_is_kept_only_where_it_is_asked_for() {
    let place = Place::new().await;
    let policy =
        "[[redact]]\npointer = \"/subject\"\n[[keep]]\nintegration = \"acme/mail\"\nside = \"input\"\nwhat = \"whole\"";
    let (call, payload) = place.keep(policy, "acme", &mail()).await.unwrap();
    let Found::Kept(stored) = place.read(call, &payload).await else { panic!() };
    assert_eq!((stored.kept, stored.text.as_str()), (Kept::Whole, mail().to_string().as_str()));
    assert!(payload.redacted.is_empty());
    let place = Place::new().await;
    let (_, payload) = place.keep(policy, "other", &mail()).await.unwrap();
    assert_eq!((payload.kept, payload.redacted), (Kept::Redacted, ["/*", "/to", "/subject"].map(str::to_owned).into()));
    let bytes = place.bytes().await;
    assert!(!bytes.contains("ada@") && !bytes.contains("Hello"), "{bytes}");
}

#[tokio::test]
async fn where_nothing_is_kept_there_is_no_hash_either() {
    let place = Place::new().await;
    let (call, payload) = place.keep("[[keep]]\nwhat = \"nothing\"", "acme", &mail()).await.unwrap();
    let bytes = mail().to_string().len() as u64;
    assert_eq!(payload, Payload { bytes, kept: Kept::Nothing, ..Payload::default() });
    assert!(place.entries("P").await.is_empty() && place.entries("E").await.is_empty());
    assert_eq!(place.read(call, &payload).await, Found::NeverKept);
}

#[tokio::test]
async fn what_was_erased_is_gone_and_told_and_the_chain_holds() {
    let place = Place::new().await;
    let (call, payload) = place.keep("[[keep]]\nwhat = \"whole\"\ndays = 30", "acme", &mail()).await.unwrap();
    let (other, kept) = place.keep(WHOLE, "acme", &mail()).await.unwrap();
    let never = CallId::generate();
    let done = place.ledger.erase("acme", &[call, never, call], REASON).await.unwrap();
    assert_eq!((done.calls, done.entries, done.nothing_kept), (1, 1, vec![never]));
    assert!(done.bytes > payload.bytes);
    assert_eq!(place.read(call, &payload).await, Found::Erased { at: place.clock.now() });
    assert!(matches!(place.read(other, &kept).await, Found::Kept(_)));
    assert!(place.entries("E").await.is_empty(), "it does not expire any more");
    place.chain_holds("acme").await;
    // Who, why, and which calls: by the kind of the record, and by the call.
    let record = place.erasures("acme").await.remove(0);
    let change = record.change.clone().unwrap();
    assert_eq!(change.details["calls"], call.to_string());
    assert_eq!(change.details["reason"], REASON.reason);
    assert_eq!((change.action.as_str(), change.details["entries"].as_str()), ("erased", "1"));
    assert_eq!(place.ledger.reader().call("acme", call).await.unwrap().last(), Some(&record));
    // Again: there is nothing left, and nothing to tell of.
    let again = place.ledger.erase("acme", &[call], REASON).await.unwrap();
    assert_eq!((again.calls, again.nothing_kept.len(), place.erasures("acme").await.len()), (0, 1, 1));
    // The last one: not a byte of the text is left, nor of what it could be guessed by.
    place.ledger.erase("acme", &[other], REASON).await.unwrap();
    let bytes = place.bytes().await;
    assert!(!bytes.contains("ada@") && !bytes.contains("Hello") && !bytes.contains("salt"), "{bytes}");
    place.chain_holds("acme").await;
}

#[tokio::test]
async fn what_is_to_be_kept_for_some_days_is_shown_no_longer_and_then_erased() {
    let place = Place::new().await;
    let month = "[[keep]]\nwhat = \"redacted\"\ndays = 30";
    let (call, payload) = place.keep(month, "acme", &mail()).await.unwrap();
    place.keep(month, "other", &mail()).await.unwrap();
    place.later(10).await;
    let (young, still) = place.keep(month, "acme", &mail()).await.unwrap();
    place.later(20).await;
    let at = "2026-12-21T09:00:00Z".parse().unwrap();
    assert_eq!(place.read(call, &payload).await, Found::Expired { at });
    let done = place.ledger.erase_expired(Some("acme"), REASON).await.unwrap();
    assert_eq!((done.calls, done.entries), (1, 1));
    assert!(matches!(place.read(call, &payload).await, Found::Erased { .. }));
    assert!(matches!(place.read(young, &still).await, Found::Kept(_)));
    assert_eq!(place.entries("E").await.len(), 2, "those of the other workspace, and the young one");
    assert_eq!(place.ledger.erase_expired(None, REASON).await.unwrap().calls, 1);
    assert_eq!((place.erasures("acme").await.len(), place.erasures("other").await.len()), (1, 1));
    assert_eq!(place.ledger.erase_expired(None, REASON).await.unwrap(), Default::default());
    // What was damaged and erased before its time leaves no trace that is looked at for ever.
    let (call, _) = place.keep(month, "acme", &mail()).await.unwrap();
    let (key, _) = place
        .entries("P")
        .await
        .into_iter()
        .find(|(key, _)| key.ends_with(&[&call.as_bytes()[..], b"i"].concat()))
        .unwrap();
    place.store.commit(Batch::new().put(key, "nonsense")).await.unwrap();
    place.ledger.erase("acme", &[call], REASON).await.unwrap();
    place.later(40).await;
    place.ledger.erase_expired(None, REASON).await.unwrap();
    assert!(place.entries("E").await.is_empty());
    place.chain_holds("acme").await;
    place.chain_holds("other").await;
}

#[tokio::test]
async fn each_of_many_erased_calls_is_named_by_a_record() {
    let place = Place::new().await;
    let mut calls = Vec::new();
    for _ in 0..150 {
        calls.push(place.keep("[[keep]]\nwhat = \"whole\"\ndays = 1", "acme", &mail()).await.unwrap().0);
    }
    place.later(2).await;
    let done = place.ledger.erase_expired(None, REASON).await.unwrap();
    assert_eq!((done.calls, done.entries, place.erasures("acme").await.len()), (150, 150, 3));
    for call in calls {
        assert_eq!(place.ledger.reader().call("acme", call).await.unwrap().len(), 2, "its intent and its erasure");
    }
    assert!(!place.bytes().await.contains("ada@"));
}

#[tokio::test]
async fn an_entry_that_was_changed_or_is_missing_is_told() {
    let place = Place::new().await;
    let (call, payload) = place.keep("", "acme", &mail()).await.unwrap();
    let (key, value) = place.entries("P").await.remove(0);
    let damaged = |what: &str| Found::Damaged { what: what.to_owned() };
    for at in 0..value.len() {
        let mut flipped = value.clone();
        flipped[at] ^= 1;
        place.store.commit(Batch::new().put(key.clone(), flipped)).await.unwrap();
        assert_eq!(place.read(call, &payload).await, damaged("it is not what the record says was kept"));
    }
    place.store.commit(Batch::new().delete(key.clone())).await.unwrap();
    assert_eq!(place.read(call, &payload).await, damaged("it is missing, and nobody erased it"));
    // Another one with a hash of its own does not pass for what was kept whole.
    let (call, mut payload) = place.keep(WHOLE, "acme", &mail()).await.unwrap();
    let (key, value) = place.entries("P").await.remove(0);
    let forged = String::from_utf8(value).unwrap().replace("ada@", "eve@");
    payload.stored = Some(Hash::of(forged.as_bytes()));
    place.store.commit(Batch::new().put(key.clone(), forged)).await.unwrap();
    assert_eq!(place.read(call, &payload).await, damaged("it is not the text whose hash the record has"));
    // What is damaged can be erased.
    place.store.commit(Batch::new().put(key, "nonsense")).await.unwrap();
    assert_eq!(place.ledger.erase("acme", &[call], REASON).await.unwrap().calls, 1);
    assert!(matches!(place.read(call, &payload).await, Found::Erased { .. }));
}

#[tokio::test]
async fn what_is_long_is_kept_in_parts_and_what_is_too_long_is_refused() {
    let place = Place::new().await;
    let long = json!({"subject": "x".repeat(5 << 20)});
    let (call, payload) = place.keep(WHOLE, "acme", &long).await.unwrap();
    assert_eq!(place.entries("P").await.len(), 3);
    let Found::Kept(stored) = place.read(call, &payload).await else { panic!() };
    assert_eq!(stored.text, long.to_string());
    let (key, value) = place.entries("P").await.remove(2);
    place.store.commit(Batch::new().delete(key.clone())).await.unwrap();
    assert!(matches!(place.read(call, &payload).await, Found::Damaged { .. }));
    place.store.commit(Batch::new().put(key, value)).await.unwrap();
    place.ledger.erase("acme", &[call], REASON).await.unwrap();
    assert_eq!(place.entries("P").await.len(), 1, "its further parts are gone");
    assert!(matches!(place.read(call, &payload).await, Found::Erased { .. }));
    let error = place.keep(WHOLE, "acme", &json!({"subject": "x".repeat(17 << 20)})).await.unwrap_err().to_string();
    assert!(error.contains("the input has") && error.contains("what = \"nothing\""), "{error}");
}

#[tokio::test]
async fn two_calls_with_the_same_input_cannot_be_told_by_their_hashes() {
    let place = Place::new().await;
    let (_, one) = place.keep("", "acme", &mail()).await.unwrap();
    let (_, two) = place.keep("", "acme", &mail()).await.unwrap();
    assert!(one.hash.is_some() && one.hash != two.hash && one.stored != two.stored);
    assert_ne!(one.hash, Some(Hash::of(mail().to_string().as_bytes())));
    let (salts, others) = (Salts::generate(), Salts::generate());
    assert!(salts.input != salts.output && salts.input != others.input && salts.output != others.output);
    assert_eq!(format!("{salts:?}"), "Salts");
}

#[tokio::test]
async fn more_places_than_a_record_tells_end_with_dots() {
    let place = Place::new().await;
    let rules: String = (0..100).map(|i| format!("[[redact]]\npointer = \"/pages/{i}\"\n")).collect();
    let (_, payload) = place.keep(&rules, "acme", &json!({"pages": vec!["a"; 100]})).await.unwrap();
    assert_eq!((payload.redacted.len(), payload.redacted[63].as_str()), (64, "…"));
}

#[tokio::test]
async fn without_a_reason_nothing_is_erased() {
    let place = Place::new().await;
    let (call, payload) = place.keep("", "acme", &mail()).await.unwrap();
    for reason in ["", "  ", &"x".repeat(1_001)] {
        let error = place.ledger.erase("acme", &[call], Order { by: &ADA, reason }).await.unwrap_err();
        assert!(error.to_string().contains("write 1 to 1000"), "{error}");
    }
    assert!(matches!(place.read(call, &payload).await, Found::Kept(_)));
}

#[tokio::test]
async fn verifying_reads_all_that_records_name_and_tells_what_does_not_fit() {
    let place = Place::new().await;
    let verdict = async || {
        let options = VerifyOptions { now: Some(place.clock.now()), ..VerifyOptions::default() };
        verify_store(place.store.as_ref(), options).await.unwrap()
    };
    let key = |call: CallId| [b"Pacme\0".as_slice(), call.as_bytes(), b"i"].concat();
    let mut calls = Vec::new();
    for policy in ["", "", "", "", "", "[[keep]]\nwhat = \"whole\"\ndays = 1", "[[keep]]\nwhat = \"nothing\""] {
        calls.push(place.keep(policy, "acme", &mail()).await.unwrap().0);
    }
    place.ledger.erase("acme", &calls[4..5], REASON).await.unwrap();
    place.later(2).await;
    let found = verdict().await;
    let payloads = &found.chains[1].payloads;
    assert!(found.holds(), "{found:?}");
    assert_eq!((payloads.kept, payloads.expired, payloads.erased), (4, 1, 1));

    let other = place.store.get(&key(calls[0])).await.unwrap().unwrap();
    let mut flipped = other.clone();
    *flipped.last_mut().unwrap() = b' ';
    let forged = r#"{"erased":"2026-11-21T09:00:00Z"}"#;
    for (call, put, says) in [
        (calls[1], Some(flipped), "it is not what the record says was kept"),
        (calls[2], None, "it is missing, and nobody erased it"),
        (calls[3], Some(other), "it is not what the record says was kept"),
        (calls[3], Some(forged.into()), "no record that can be read tells of that"),
        // That it had expired is no reason for it to be gone: nobody erased it.
        (calls[5], None, "it is missing, and nobody erased it"),
    ] {
        let before = place.store.get(&key(call)).await.unwrap().unwrap();
        let batch = match put {
            Some(bytes) => Batch::new().put(key(call), bytes),
            None => Batch::new().delete(key(call)),
        };
        place.store.commit(batch).await.unwrap();
        let found = verdict().await;
        assert!(!found.holds() && found.chains[1].wrong.is_none());
        let wrong = &found.chains[1].payloads.wrong;
        assert_eq!((wrong.len(), wrong[0].call, wrong[0].side), (1, call, Side::Input));
        assert_eq!(calls[wrong[0].seq as usize - 1], call, "the record that names it");
        assert!(wrong[0].what.contains(says), "{}", wrong[0]);
        place.store.commit(Batch::new().put(key(call), before)).await.unwrap();
    }
    assert!(verdict().await.holds());
}

#[tokio::test]
async fn an_erasure_explains_what_was_kept_before_it_and_nothing_after() {
    let place = Place::new().await;
    let (call, payload) = place.keep("", "acme", &mail()).await.unwrap();
    place.ledger.erase("acme", &[call], REASON).await.unwrap();
    // The call's output is kept after that, and somebody with the disk writes that it was erased.
    let ending = Ending {
        status: Status::Done,
        error: None,
        exchanges: Vec::new(),
        bounds: BTreeMap::new(),
        output: Some(payload),
        words: None,
        receipt: Receipt::default(),
    };
    let entry = Entry::outcome(&subject("acme", call, &BTreeMap::new()), ending);
    let key = [b"Pacme\0".as_slice(), call.as_bytes(), b"o"].concat();
    let forged = Batch::new().put(key, r#"{"erased":"2026-11-21T09:00:00Z"}"#);
    place.ledger.commit(vec![entry], forged).await.unwrap();
    let found = verify_store(place.store.as_ref(), VerifyOptions::default()).await.unwrap();
    let payloads = &found.chains[0].payloads;
    assert_eq!((payloads.erased, payloads.wrong.len(), payloads.wrong[0].side), (1, 1, Side::Output), "{payloads:?}");
}
