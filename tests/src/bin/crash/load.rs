//! Callers that write to a ledger, and log what they submit and what is acknowledged.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use portcullis_ledger::{
    CallId, Caller, Change, Ending, Entry, Kept, Kind, Ledger, LedgerError, Mode, Payload, Receipt, Status, Subject,
};
use portcullis_store::Batch;
use tokio::time::sleep;

use crate::{
    journal::{Journal, KeyChange, key_of, value_of},
    random::Random,
};

/// Names of the workspaces that are written to.
pub(crate) const WORKSPACES: [&str; 4] = ["acme", "globex", "initech", "umbrella"];
/// How long a caller waits after an error.
const AFTER_ERROR: Duration = Duration::from_millis(5);

/// What all callers share.
pub(crate) struct Load {
    pub(crate) ledger: Ledger,
    pub(crate) journal: Arc<Journal>,
    /// Set when they are to end.
    pub(crate) end: AtomicBool,
    /// Whether a caller goes on after an error.
    pub(crate) goes_on: bool,
    /// Whether a record is logged as acknowledged before it was: then records must be lost, or the tests are worth nothing.
    pub(crate) early: bool,
    /// Most records in all; 0 sets no limit.
    pub(crate) most: usize,
    /// Records that were acknowledged.
    pub(crate) acknowledged: AtomicUsize,
    /// Appends that were answered with an error, by its kind.
    pub(crate) errors: std::sync::Mutex<BTreeMap<String, usize>>,
    /// The call that was last acknowledged, and its workspace.
    pub(crate) last: std::sync::Mutex<Option<(String, CallId)>>,
}

impl Load {
    pub(crate) fn new(ledger: Ledger, journal: Arc<Journal>) -> Self {
        Self {
            ledger,
            journal,
            end: AtomicBool::new(false),
            goes_on: false,
            early: false,
            most: 0,
            acknowledged: AtomicUsize::new(0),
            errors: std::sync::Mutex::default(),
            last: std::sync::Mutex::default(),
        }
    }

    fn over(&self) -> bool {
        self.end.load(Ordering::Relaxed) || (self.most > 0 && self.acknowledged.load(Ordering::Relaxed) >= self.most)
    }

    /// One caller: call after call, until it is told to end. An error ends it, unless it is to go on.
    pub(crate) async fn caller(self: Arc<Self>, number: usize, seed: u64) -> io::Result<()> {
        let mut random = Random::new(seed, number as u64);
        while !self.over() {
            if self.call(number, &mut random).await?.is_err() {
                if !self.goes_on {
                    return Ok(());
                }
                sleep(AFTER_ERROR).await;
            }
        }
        Ok(())
    }

    /// One call: its intent, then its outcome, and keys of the store with them now and then.
    async fn call(&self, number: usize, random: &mut Random) -> io::Result<Result<(), LedgerError>> {
        let call = CallId::generate();
        let workspace = WORKSPACES.get(number % WORKSPACES.len()).copied().unwrap_or("acme");
        let caller = Caller { run: Some(format!("run-{number}")), ..Caller::principal("service:crash") };
        let cost = BTreeMap::from([("team".to_owned(), format!("t{}", random.below(10)))]);
        let about = Subject {
            call,
            workspace,
            integration: "crash",
            integration_version: 1,
            adapter: "sha256:5f1d7a84db00d2fce00b31a7fc73224f8d3c1a0a1f9e3a1a3f5c5f0f2b6f0c11",
            grant: "sha256:9b74c9897bac770ffc029102a200c5de7f4c9c0d4f6c1b1a2f2f6f0b1c8e7d22",
            grantor: "user:ada",
            operation: "send",
            mode: Mode::Live,
            caller: &caller,
            cost: &cost,
        };
        let key = match random.below(100) {
            0 => KeyChange::Put(random.between(20_000, 120_000)),
            1..=25 => KeyChange::Put(random.between(0, 300)),
            _ => KeyChange::None,
        };
        let input = Payload { bytes: random.below(5000) as u64, kept: Kept::Nothing, ..Payload::default() };
        let intent = vec![Entry::intent(&about, input)];
        if let Err(error) = self.submit(call, 'i', key, intent).await? {
            return Ok(Err(error));
        }
        if random.percent(3) {
            // Whoever called is gone: nobody writes an outcome.
            return Ok(Ok(()));
        }
        let mut entries = Vec::new();
        if random.percent(10) {
            let change = Change { action: "replaced".to_owned(), of: "a setting".to_owned(), ..Change::default() };
            entries.push(Entry::change(workspace, Kind::Configuration, &caller, change).call(call));
        }
        entries.push(Entry::outcome(
            &about,
            Ending {
                status: Status::Done,
                error: None,
                exchanges: Vec::new(),
                bounds: BTreeMap::new(),
                output: Some(Payload { bytes: random.below(500) as u64, ..Payload::default() }),
                words: None,
                receipt: Receipt { fuel: random.next() >> 40, ..Receipt::default() },
            },
        ));
        let delete = key != KeyChange::None && random.percent(40);
        self.submit(call, 'o', if delete { KeyChange::Delete } else { KeyChange::None }, entries).await
    }

    async fn submit(
        &self,
        call: CallId,
        group: char,
        key: KeyChange,
        entries: Vec<Entry>,
    ) -> io::Result<Result<(), LedgerError>> {
        let name = call.to_string();
        self.journal.submit(&name, group, key, &entries)?;
        if self.early {
            self.journal.acknowledge(&name, group)?;
        }
        let records = entries.len();
        let workspace = entries.first().map(|entry| entry.record().workspace.clone()).unwrap_or_default();
        let kept = match key {
            KeyChange::None => self.ledger.append(entries).await,
            KeyChange::Put(length) => {
                let batch = Batch::new().check(key_of(&name), None).put(key_of(&name), value_of(&name, length));
                self.ledger.commit(entries, batch).await
            }
            KeyChange::Delete => self.ledger.commit(entries, Batch::new().delete(key_of(&name))).await,
        };
        match &kept {
            Ok(()) => {
                self.journal.acknowledge(&name, group)?;
                self.acknowledged.fetch_add(records, Ordering::Relaxed);
                if let Ok(mut last) = self.last.lock() {
                    *last = Some((workspace, call));
                }
            }
            Err(error) => {
                let kind = match error {
                    LedgerError::Store(store) => format!("{store:?}"),
                    other => format!("{other:?}"),
                };
                let kind = kind.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
                if let Ok(mut errors) = self.errors.lock() {
                    *errors.entry(kind).or_default() += 1;
                }
                if !self.goes_on {
                    self.journal.refused(&error.to_string())?;
                }
            }
        }
        Ok(kept)
    }
}
