//! The ledger as its users meet it: what is kept, in which order, and what is found again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_gate::{Denial, Method};
use portcullis_ledger::{
    CallId, Caller, Change, Clock, Ending, Entry, Exchange, Field, Hash, Kind, Ledger, LedgerError, LedgerOptions,
    Mode, Payload, Query, Reader, Receipt, Record, Status, Subject,
};
use portcullis_store::{Batch, MemoryStore, Page, Scan, Store, StoreError};

/// A clock that goes one second with each look, and backwards where it is told to.
#[derive(Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
    }
}

/// Memory that counts commits, and fails them where it is told to.
#[derive(Default)]
struct Watched {
    memory: MemoryStore,
    commits: AtomicUsize,
    broken: AtomicBool,
    /// Fails after it was written, as a disk can.
    late: AtomicBool,
    slow: AtomicBool,
}

#[async_trait]
impl Store for Watched {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.memory.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let full = || StoreError::Full { place: self.place(), free_bytes: 0, floor_bytes: 1 };
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err(full());
        }
        self.memory.commit(batch).await?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        if self.late.load(Ordering::SeqCst) { Err(full()) } else { Ok(()) }
    }

    fn place(&self) -> String {
        "watched memory".to_owned()
    }
}

async fn open(store: &Arc<Watched>) -> Ledger {
    let options = LedgerOptions { clock: Arc::new(Ticking::default()), ..LedgerOptions::default() };
    Ledger::open(store.clone(), options).await.unwrap()
}

struct Asked {
    call: CallId,
    caller: Caller,
    cost: BTreeMap<String, String>,
}

impl Asked {
    fn by(principal: &str) -> Self {
        Self { call: CallId::generate(), caller: Caller::principal(principal), cost: BTreeMap::new() }
    }

    fn subject<'a>(&'a self, workspace: &'a str) -> Subject<'a> {
        Subject {
            call: self.call,
            workspace,
            integration: "mail",
            integration_version: 3,
            adapter: "sha256:aa",
            grant: "sha256:bb",
            grantor: "user:root",
            operation: "sendEmail",
            mode: Mode::Live,
            caller: &self.caller,
            cost: &self.cost,
        }
    }

    fn intent(&self, workspace: &str) -> Entry {
        Entry::intent(&self.subject(workspace), Payload { bytes: 10, ..Payload::default() })
    }

    fn outcome(&self, workspace: &str, status: Status) -> Entry {
        Entry::outcome(&self.subject(workspace), ending(status))
    }
}

fn ending(status: Status) -> Ending {
    Ending {
        status,
        error: None,
        exchanges: vec![Exchange {
            attempt: 1,
            duration_us: 1_234,
            error: None,
            method: Method::Post,
            origin: "https://api.example.com".to_owned(),
            payload: Some(Hash::of(b"x")),
            redactions: 0,
            route: "send".to_owned(),
            slots: vec!["token".to_owned()],
            status: Some(200),
            template: "/email".to_owned(),
        }],
        bounds: BTreeMap::from([("requests", 2)]),
        output: Some(Payload::default()),
        words: None,
        receipt: Receipt { fuel: 12, ..Receipt::default() },
    }
}

async fn all(reader: &Reader, workspace: &str) -> Vec<(String, Record)> {
    let mut lines = Vec::new();
    loop {
        let more = reader.lines(workspace, lines.len() as u64 + 1).await.unwrap();
        if more.is_empty() {
            return lines;
        }
        lines.extend(more.into_iter().map(|line| (line.text.clone(), line.record(workspace).unwrap())));
    }
}

#[tokio::test]
async fn each_record_names_the_one_before_it_and_each_workspace_has_its_own_chain() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    for workspace in ["acme", "beta", "acme", "acme"] {
        ledger.append(vec![Asked::by("user:ada").intent(workspace)]).await.unwrap();
    }
    for (workspace, count) in [("acme", 3), ("beta", 1)] {
        let lines = all(&ledger.reader(), workspace).await;
        assert_eq!(lines.len(), count);
        let mut prev = Hash::genesis(workspace);
        for (i, (text, record)) in lines.iter().enumerate() {
            assert_eq!((record.seq, record.prev, record.workspace.as_str()), (i as u64 + 1, prev, workspace));
            prev = Hash::of(text.as_bytes());
        }
        assert_eq!(ledger.reader().chain(workspace).await.unwrap().unwrap().hash, prev);
    }
}

#[tokio::test]
async fn a_record_of_any_kind_is_written_as_rfc_8785_says() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    let mut asked = Asked::by("user:\u{e9}\"\\\u{1}\u{7f}\u{2028}😀");
    asked.caller = Caller {
        agent: Some("a".to_owned()),
        known_by: Some(portcullis_ledger::KnownBy::OsUser),
        run: Some("r".to_owned()),
        step: Some("s".to_owned()),
        workflow: Some("w".to_owned()),
        ..asked.caller
    };
    asked.cost = BTreeMap::from([("team".to_owned(), "billing".to_owned()), ("a".to_owned(), "b".to_owned())]);
    let denial = Denial {
        allow_request: Some("[[routes]]\n".to_owned()),
        allow_with: Some("[[routes]]".to_owned()),
        asked: "GET https://x".to_owned(),
        ceiling: false,
        granted: vec!["nothing".to_owned()],
        message: "no".to_owned(),
        rule: "path-not-granted".to_owned(),
    };
    let subject = asked.subject("acme");
    let kept = Payload {
        bytes: 3,
        hash: Some(Hash::of(b"a")),
        kept: portcullis_ledger::Kept::Redacted,
        redacted: vec!["/To".to_owned()],
        stored: Some(Hash::of(b"b")),
    };
    let mut end = ending(Status::Done);
    end.error = Some("x".into());
    end.output = Some(kept.clone());
    end.exchanges[0].error = Some("dns".into());
    end.exchanges[0].redactions = 1;
    let change = Change {
        action: "granted".to_owned(),
        details: BTreeMap::from([("grant".to_owned(), "adapter = 1\n".to_owned())]),
        of: "mail".to_owned(),
    };
    let mut entries = vec![
        Entry::intent(&subject, kept),
        Entry::denial(&subject, denial),
        Entry::outcome(&subject, end),
        Entry::refusal("acme", portcullis_ledger::Step::Load, "sha256:00", "no adapter"),
    ];
    let changes =
        Kind::ALL.map(|kind| Entry::change("acme", kind, &asked.caller, change.clone()).grant("g", "user:root"));
    entries.extend(changes);
    let count = entries.len();
    ledger.append(entries).await.unwrap();
    let lines = all(&ledger.reader(), "acme").await;
    assert_eq!(lines.len(), count);
    for (text, record) in lines {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let canonical = String::from_utf8(serde_json_canonicalizer::to_vec(&value).unwrap()).unwrap();
        assert_eq!(text, canonical);
        assert_eq!(serde_json::to_string(&record).unwrap(), text, "nothing is lost when it is read");
    }
}

#[tokio::test]
async fn callers_at_once_share_commits_and_none_is_lost() {
    let store = Arc::new(Watched::default());
    store.slow.store(true, Ordering::SeqCst);
    let ledger = open(&store).await;
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    ledger.append(vec![Asked::by("user:ada").intent("acme")]).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(all(&ledger.reader(), "acme").await.len(), 320);
    let commits = store.commits.load(Ordering::SeqCst);
    assert!(commits <= 20, "{commits} commits for 5 rounds of 64");
}

#[tokio::test]
async fn one_caller_alone_does_not_wait_for_others() {
    let store = Arc::new(Watched::default());
    let options = LedgerOptions { gather: Duration::from_secs(60), ..LedgerOptions::default() };
    let ledger = Ledger::open(store.clone(), options).await.unwrap();
    let alone = async {
        for _ in 0..20 {
            ledger.append(vec![Asked::by("user:ada").intent("acme")]).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), alone).await.expect("it waited");
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_takes_no_more_memory() {
    let store = Arc::new(Watched::default());
    store.slow.store(true, Ordering::SeqCst);
    let options = LedgerOptions { queue: 2, ..LedgerOptions::default() };
    let ledger = Ledger::open(store.clone(), options).await.unwrap();
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.append(vec![Asked::by("user:ada").intent("acme")]).await })
        })
        .collect();
    for caller in waiting {
        caller.await.unwrap().unwrap();
    }
    // At most what the queue holds is taken at once.
    assert!(store.commits.load(Ordering::SeqCst) >= 200 / 5);
}

#[tokio::test]
async fn sixty_four_writers_on_one_workspace_lose_nothing_and_fork_nothing() {
    let store = Arc::new(Watched::default());
    // Four ledgers on one store, as four hosts would have.
    let mut ledgers = Vec::new();
    for _ in 0..4 {
        let options = LedgerOptions { recover: false, ..LedgerOptions::default() };
        ledgers.push(Ledger::open(store.clone(), options).await.unwrap());
    }
    let writers: Vec<_> = (0..64)
        .map(|i| {
            let ledger = ledgers[i % 4].clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    ledger.append(vec![Asked::by(&format!("user:{i}")).intent("acme")]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let lines = all(&ledgers[0].reader(), "acme").await;
    assert_eq!(lines.len(), 640);
    let mut prev = Hash::genesis("acme");
    for (text, record) in &lines {
        assert_eq!(record.prev, prev);
        prev = Hash::of(text.as_bytes());
    }
    let of_one = ledgers[1].reader().query(&Query::new("acme").field(Field::Principal, "user:7")).await.unwrap();
    assert_eq!(of_one.records.len(), 10);
}

#[tokio::test]
async fn a_change_and_its_record_are_kept_together_or_not_at_all() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    let change = || {
        let change = Change { action: "created".to_owned(), ..Change::default() };
        vec![Entry::change("acme", Kind::Configuration, &Caller::principal("user:ada"), change)]
    };
    ledger.commit(change(), Batch::new().check("k", None).put("k", "1")).await.unwrap();
    let again = ledger.commit(change(), Batch::new().check("k", None).put("k", "2")).await;
    assert!(matches!(again, Err(LedgerError::Conflict { ref key }) if key == "k"), "{again:?}");
    assert_eq!(store.get(b"k").await.unwrap().unwrap(), b"1");
    assert_eq!(all(&ledger.reader(), "acme").await.len(), 1);
    // Of two that come at once, the second sees what the first wrote.
    let (one, two) = tokio::join!(
        ledger.commit(change(), Batch::new().check("k", Some(b"1".to_vec())).put("k", "2")),
        ledger.commit(change(), Batch::new().check("k", Some(b"1".to_vec())).put("k", "3")),
    );
    assert_eq!([one.is_ok(), two.is_ok()], [true, false]);
    assert_eq!(all(&ledger.reader(), "acme").await.len(), 2);
}

#[tokio::test]
async fn calls_without_an_end_are_closed_as_unknown_once() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    let (ended, cut_off, other) = (Asked::by("user:ada"), Asked::by("user:ada"), Asked::by("user:bob"));
    ledger.append(vec![ended.intent("acme"), cut_off.intent("acme"), other.intent("beta")]).await.unwrap();
    for _ in 0..1500 {
        let noise = Asked::by("user:noise");
        ledger.append(vec![noise.intent("acme"), noise.outcome("acme", Status::Done)]).await.unwrap();
    }
    ledger.append(vec![ended.outcome("acme", Status::Done)]).await.unwrap();
    drop(ledger);
    for _ in 0..2 {
        let reader = open(&store).await.reader();
        for (workspace, asked) in [("acme", &cut_off), ("beta", &other)] {
            let records = reader.call(workspace, asked.call).await.unwrap();
            let kinds: Vec<_> = records.iter().map(|record| (record.kind, record.status)).collect();
            assert_eq!(kinds, [(Kind::Intent, None), (Kind::Outcome, Some(Status::Unknown))]);
            assert_eq!(records[1].caller, records[0].caller);
        }
        let unknown = Query::new("acme").field(Field::Status, "unknown");
        assert_eq!(reader.query(&unknown).await.unwrap().records.len(), 1);
    }
}

#[tokio::test]
async fn without_space_nothing_is_kept_and_with_space_all_goes_on() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    let asked = Asked::by("user:ada");
    ledger.append(vec![asked.intent("acme")]).await.unwrap();
    store.broken.store(true, Ordering::SeqCst);
    let refused = ledger.append(vec![Asked::by("user:bob").intent("acme")]).await;
    assert!(matches!(refused, Err(LedgerError::Store(StoreError::Full { .. }))), "{refused:?}");
    assert!(ledger.append(vec![asked.outcome("acme", Status::Done)]).await.is_err());
    assert_eq!(all(&ledger.reader(), "acme").await.len(), 1, "reads go on");
    store.broken.store(false, Ordering::SeqCst);
    ledger.append(vec![Asked::by("user:eve").intent("acme")]).await.unwrap();
    // The outcome of the call that was carried out meanwhile is kept after all.
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if ledger.reader().call("acme", asked.call).await.unwrap().len() == 2 {
            let bob = Query::new("acme").field(Field::Principal, "user:bob");
            assert_eq!(ledger.reader().query(&bob).await.unwrap().records, [], "what was refused is not");
            return;
        }
    }
    panic!("the outcome is lost");
}

#[tokio::test]
async fn an_outcome_that_was_kept_although_it_was_said_to_have_failed_is_not_kept_twice() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    let asked = Asked::by("user:ada");
    ledger.append(vec![asked.intent("acme")]).await.unwrap();
    store.late.store(true, Ordering::SeqCst);
    assert!(ledger.append(vec![asked.outcome("acme", Status::Done)]).await.is_err());
    store.late.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    ledger.append(vec![Asked::by("user:eve").intent("acme")]).await.unwrap();
    assert_eq!(ledger.reader().call("acme", asked.call).await.unwrap().len(), 2);
    assert_eq!(all(&ledger.reader(), "acme").await.len(), 3);
}

/// 3,000 records of three principals, and every hundredth of a fourth.
async fn filled(store: &Arc<Watched>) -> Ledger {
    let ledger = open(store).await;
    let mut entries = Vec::new();
    for i in 0..3000 {
        let principal = if i % 100 == 99 { "user:rare".to_owned() } else { format!("user:{}", i % 3) };
        let asked = Asked::by(&principal);
        entries.push(if i % 2 == 0 { asked.intent("acme") } else { asked.outcome("acme", Status::Done) });
        if entries.len() == 50 {
            ledger.append(std::mem::take(&mut entries)).await.unwrap();
        }
    }
    ledger
}

#[tokio::test]
async fn every_question_finds_what_looking_at_every_record_finds() {
    let store = Arc::new(Watched::default());
    let reader = filled(&store).await.reader();
    let everything = all(&reader, "acme").await;
    let time = |seq: usize| everything[seq - 1].1.time;
    let base = Query::new("acme");
    let questions = [
        base.clone(),
        base.clone().field(Field::Principal, "user:rare"),
        base.clone().field(Field::Principal, "user:1").field(Field::Kind, "outcome"),
        base.clone().field(Field::Principal, "user:rare").field(Field::Kind, "intent"),
        base.clone().field(Field::Principal, "user:nobody"),
        base.clone().field(Field::Origin, "https://api.example.com").field(Field::Principal, "user:rare"),
        base.clone().since(time(1000)).until(time(2100)),
        base.clone().since(time(1025)).field(Field::Principal, "user:rare"),
        base.clone().until(time(1)),
        base.clone().since(time(3000) + jiff::SignedDuration::from_secs(5)),
        base.clone().field(Field::IntegrationVersion, "mail@3").until(time(60)),
        base.field(Field::Call, everything[17].1.call.unwrap().to_string()),
    ];
    for question in questions {
        for limit in [7, 50, 1000] {
            for oldest_first in [false, true] {
                let mut query = question.clone().limit(limit);
                if oldest_first {
                    query = query.oldest_first();
                }
                let mut expected: Vec<u64> =
                    everything.iter().filter(|(_, record)| query.matches(record)).map(|(_, r)| r.seq).collect();
                if !oldest_first {
                    expected.reverse();
                }
                let mut found = Vec::new();
                loop {
                    let page = reader.query(&query).await.unwrap();
                    assert!(page.records.len() <= limit);
                    found.extend(page.records.iter().map(|(_, record)| record.seq));
                    match page.next {
                        Some(next) => query = query.after(next.to_string().parse().unwrap()),
                        None => break,
                    }
                }
                assert_eq!(found, expected, "{question:?} {oldest_first}");
            }
        }
    }
}

#[tokio::test]
async fn who_follows_sees_every_record_once_and_in_order() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    ledger.append(vec![Asked::by("user:ada").intent("acme")]).await.unwrap();
    for mut follow in [
        ledger.reader().follow(Query::new("acme").field(Field::Principal, "user:ada")),
        Reader::new(store.clone()).follow(Query::new("acme").field(Field::Principal, "user:ada")),
    ] {
        let before = all(&ledger.reader(), "acme").await.len() as u64;
        let writer = ledger.clone();
        let writing = tokio::spawn(async move {
            for i in 0..300 {
                let who = if i % 2 == 0 { "user:ada" } else { "user:bob" };
                writer.append(vec![Asked::by(who).intent("acme")]).await.unwrap();
            }
        });
        let mut seen = Vec::new();
        while seen.iter().filter(|seq| **seq > before).count() < 150 {
            let next = tokio::time::timeout(Duration::from_secs(10), follow.next()).await.expect("it waits for ever");
            seen.extend(next.unwrap().into_iter().map(|(_, record)| record.seq));
        }
        writing.await.unwrap();
        assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

#[tokio::test]
async fn time_does_not_go_back_though_the_clock_does() {
    struct Back(AtomicI64);
    impl Clock for Back {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_780_000_000 - self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
        }
    }
    let options = LedgerOptions { clock: Arc::new(Back(AtomicI64::new(0))), ..LedgerOptions::default() };
    let ledger = Ledger::open(Arc::new(MemoryStore::new()), options).await.unwrap();
    for _ in 0..3 {
        ledger.append(vec![Asked::by("user:ada").intent("acme")]).await.unwrap();
    }
    let times: Vec<Timestamp> =
        all(&ledger.reader(), "acme").await.into_iter().map(|(_, record)| record.time).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn what_cannot_be_a_record_is_refused_and_disturbs_nobody() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    for workspace in ["", "@other", "a\0b", "a\nb", &"x".repeat(129)] {
        let refused = ledger.append(vec![Asked::by("user:ada").intent(workspace)]).await;
        assert!(matches!(refused, Err(LedgerError::Entry(_))), "{workspace}");
    }
    let huge = ledger.append(vec![Asked::by(&"x".repeat(300_000)).intent("acme")]).await;
    assert!(matches!(huge, Err(LedgerError::Entry(ref why)) if why.contains("262144")), "{huge:?}");
    ledger.append(vec![Asked::by("user:ada").intent("acme")]).await.unwrap();
}

#[tokio::test]
async fn a_chain_that_does_not_hold_is_not_added_to() {
    for damage in 0..4 {
        let store = Arc::new(Watched::default());
        let ledger = open(&store).await;
        for _ in 0..3 {
            ledger.append(vec![Asked::by("user:ada").intent("acme")]).await.unwrap();
        }
        drop(ledger);
        let key = |seq: u64| [&b"Lacme\0"[..], &seq.to_be_bytes()].concat();
        let batch = match damage {
            0 => Batch::new().delete(key(3)),
            1 => Batch::new().delete(key(2)),
            2 => {
                let text = String::from_utf8(store.get(&key(2)).await.unwrap().unwrap()).unwrap();
                Batch::new().put(key(2), text.replace("user:ada", "user:eve"))
            }
            _ => Batch::new().put(key(4), store.get(&key(3)).await.unwrap().unwrap()),
        };
        store.memory.commit(batch).await.unwrap();
        let options = LedgerOptions { recover: false, ..LedgerOptions::default() };
        let ledger = Ledger::open(store.clone(), options).await.unwrap();
        let refused = ledger.append(vec![Asked::by("user:ada").intent("acme")]).await;
        assert!(matches!(refused, Err(LedgerError::Corrupt { .. })), "{damage}: {refused:?}");
        // It is nobody else's concern, not even of who is in the same batch.
        let (damaged, other) = tokio::join!(
            ledger.append(vec![Asked::by("user:ada").intent("acme")]),
            ledger.append(vec![Asked::by("user:ada").intent("beta")]),
        );
        assert_eq!([damaged.is_ok(), other.is_ok()], [false, true], "{damage}: {damaged:?} {other:?}");
    }
}

#[tokio::test]
async fn what_is_rare_is_found_in_a_long_chain_wherever_it_stands() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    // More than one group of ranges of the index, and some beyond.
    let rare = [1, 1_024, 1_025, 40_000, 65_536, 65_537, 66_000, 66_600];
    let mut entries = Vec::new();
    for seq in 1..=66_600 {
        let principal = if rare.contains(&seq) { "user:rare" } else { "user:usual" };
        let change = Change { action: "replaced".to_owned(), ..Change::default() };
        entries.push(Entry::change("acme", Kind::Configuration, &Caller::principal(principal), change));
        if entries.len() == 1_000 {
            ledger.append(std::mem::take(&mut entries)).await.unwrap();
        }
    }
    ledger.append(entries).await.unwrap();
    for oldest_first in [true, false] {
        for limit in [3, 50] {
            let mut query = Query::new("acme").field(Field::Principal, "user:rare").limit(limit);
            if oldest_first {
                query = query.oldest_first();
            }
            let mut found = Vec::new();
            loop {
                let page = ledger.reader().query(&query).await.unwrap();
                found.extend(page.records.iter().map(|(_, record)| record.seq));
                match page.next {
                    Some(next) => query = query.after(next),
                    None => break,
                }
            }
            if !oldest_first {
                found.reverse();
            }
            assert_eq!(found, rare);
        }
    }
    // What never stands together is looked for within bounds, and found not to be there.
    let mut query = Query::new("acme").field(Field::Principal, "user:usual").field(Field::Kind, "grant");
    let mut pages = 1;
    while let Some(next) = ledger.reader().query(&query).await.unwrap().next {
        query = query.after(next);
        pages += 1;
    }
    assert!(pages < 10, "{pages}");
}

#[tokio::test]
async fn many_large_records_at_once_are_more_than_one_batch_and_disturb_nobody() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    let asked = Asked::by("user:ada");
    let large = || {
        let denial = Denial {
            allow_request: None,
            allow_with: None,
            asked: "x".to_owned(),
            ceiling: false,
            granted: Vec::new(),
            message: "no".repeat(100_000),
            rule: "path-not-granted".to_owned(),
        };
        vec![Entry::denial(&asked.subject("acme"), denial)]
    };
    // 48 MB in all; a store takes 32 at once.
    let hostile: Vec<_> = (0..240)
        .map(|_| {
            let (ledger, entries) = (ledger.clone(), large());
            tokio::spawn(async move { ledger.append(entries).await })
        })
        .collect();
    ledger.append(vec![asked.intent("beta")]).await.unwrap();
    for caller in hostile {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(ledger.reader().chain("acme").await.unwrap().unwrap().seq, 240);
}

#[tokio::test]
async fn a_change_that_builds_on_one_in_the_same_batch_is_made() {
    let store = Arc::new(Watched::default());
    let ledger = open(&store).await;
    let entry = || vec![Asked::by("user:ada").intent("acme")];
    let (one, two, three) = tokio::join!(
        ledger.commit(entry(), Batch::new().check("k", None).put("k", "1")),
        ledger.commit(entry(), Batch::new().check("k", Some(b"1".to_vec())).put("k", "2")),
        ledger.commit(entry(), Batch::new().check("k", Some(b"1".to_vec())).put("k", "3")),
    );
    assert_eq!([one.is_ok(), two.is_ok(), three.is_ok()], [true, true, false], "{one:?} {two:?} {three:?}");
    assert_eq!(store.get(b"k").await.unwrap().unwrap(), b"2");
}
