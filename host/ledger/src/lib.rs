//! The ledger: an append-only, hash-chained record of every call, every refusal and every change.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `record.rs`, `receipt.rs`, `hash.rs` | what a record says, and the one form in which it is written |
//! | `entry.rs` | a record that has no place in a chain yet |
//! | `keys.rs`, `block.rs` | where records stand in the store |
//! | `chain.rs` | one workspace's chain, to be added to |
//! | `clock.rs` | what time it is, as far as a host may believe it |
//! | `writer.rs` | group commit: what has come in meanwhile shares a flush |
//! | `heads/` | signed heads, and the places they are written to |
//! | `state.rs` | what vouches for the records that authorise, as far as it can be read without a key |
//! | `verify/` | is it what was kept, and how far? |
//! | `frame.rs` | the first and the last line of an export |
//! | `export/` | records in the forms that others read: JSON Lines, OCSF, CEF |
//! | `policy.rs`, `pointer.rs` | what is kept of inputs and outputs: the operator's rules |
//! | `payload.rs`, `erase.rs` | keeping, reading and erasing them, beside the chain |
//! | `words.rs` | the words of strangers in records, which are kept beside the chain as well |
//! | `index.rs`, `query.rs`, `reader.rs`, `follow.rs` | finding records again |
//!
//! The rule it serves is *no record, no call*: [`Ledger::append`] returns only when the record is durable, and a live call
//! whose intent cannot be recorded does not happen.
//!
//! **The chain.** Each workspace has its own, from 1. A record is JSON in the form of RFC 8785 and names the SHA-256 of the
//! record before it; the first names the hash of `portcullis ledger 1`, a line feed and the workspace. So no record can be
//! changed, taken out, moved or brought in from another workspace without all after it showing that.
//!
//! **What is not in it.** No secret, no input or output, and no word that a guest or an upstream chose: of those the chain has
//! a salted hash, and what is kept of them stands beside it, where it can be erased.
//!
//! **After a crash** a call of which only the intent is known gets an outcome with the status `unknown` when the ledger is
//! opened. Whether its requests were carried out only the upstream can say; nothing is tried again by itself.

mod block;
mod chain;
mod clock;
mod entry;
mod erase;
mod error;
mod export;
mod follow;
mod frame;
mod hash;
pub mod heads;
mod index;
mod keys;
mod payload;
mod pointer;
mod policy;
mod query;
mod reader;
mod receipt;
mod record;
pub mod state;
pub mod verify;
mod words;
mod writer;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use portcullis_store::{Batch, Scan, Store};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    chain::{Chain, MAX_RECORD, read_head, read_line},
    clock::Watch,
    writer::{Request, Writer},
};

pub use block::Line;
pub use clock::{Clock, SystemClock};
pub use entry::{Ending, Entry, HOST, Subject};
pub use erase::{Erased, Order};
pub use error::LedgerError;
pub use export::{ExportError, Exported, Exporter, Format, OCSF_VERSION, Wanted};
pub use follow::Follow;
pub use frame::{EXPORT_VERSION, EndBody, ExportEnd, ExportHeader, SIGNED_FORM};
pub use hash::{Hash, NotAHash};
pub use payload::{Found, MAX_KEPT_BYTES, Salts, Stored, ToKeep, read as read_payload};
pub use pointer::{Pointer, PointerError};
pub use policy::{KeepRule, PolicyError, RedactRule, Retention, RetentionPolicy, Rule, Side};
pub use query::{Cursor, Field, Query, QueryError, QueryPage};
pub use reader::{ChainHead, Reader};
pub use receipt::Receipt;
pub use record::{
    CallId, Caller, Change, Exchange, Kept, Kind, KnownBy, Mode, Payload, RECORD_VERSION, Record, Status, Step,
};
pub use words::{FAILURE, FailureWords, FoundWords, Words, read_words};

/// How a ledger is kept.
#[derive(Clone)]
pub struct LedgerOptions {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Most requests that wait to be written; who comes then waits for a place. 1,024 unless set.
    pub queue: usize,
    /// How long a batch waits for those who were just answered, so that they share it. 500 µs unless set; nobody waits who
    /// is alone.
    pub gather: Duration,
    /// Whether calls without an outcome are closed as `unknown` when the ledger is opened. Not where another host writes to
    /// the same store: its calls may be under way.
    pub recover: bool,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), queue: 1024, gather: Duration::from_micros(500), recover: true }
    }
}

/// Keeps records in a store. Cheap to clone; one writer for all clones.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    watch: Arc<Watch>,
    requests: mpsc::Sender<Request>,
    written: watch::Receiver<u64>,
}

impl Ledger {
    /// Opens the ledger of a store, or begins one. Calls of which only the intent is known are closed as `unknown`.
    ///
    /// Must be called within a tokio runtime, on which the writer runs.
    pub async fn open(store: Arc<dyn Store>, options: LedgerOptions) -> Result<Self, LedgerError> {
        let (requests, receiver) = mpsc::channel(options.queue.max(1));
        let (written, watch) = watch::channel(0);
        let clock = Arc::new(Watch::new(options.clock));
        for chain in Reader::new(store.clone()).chains_that_can_be_read().await? {
            clock.note(chain.time);
        }
        let writer = Writer {
            store: store.clone(),
            clock: clock.clone(),
            gather: options.gather,
            requests: receiver,
            written,
            chains: HashMap::new(),
            owed: VecDeque::new(),
            pay_at: tokio::time::Instant::now(),
        };
        tokio::spawn(writer.run());
        let ledger = Self { store, clock: clock.clone(), watch: clock, requests, written: watch };
        if options.recover {
            ledger.close_unknown().await?;
        }
        Ok(ledger)
    }

    /// Keeps records, as a whole and in this order. Returns when they are durable.
    ///
    /// Where the queue is full it waits. If the future is dropped, the records may be kept all the same.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<(), LedgerError> {
        self.commit(entries, Batch::new()).await
    }

    /// Makes a change together with the records of it: both are durable, or neither is. [`LedgerError::Conflict`] says that
    /// a check of the batch does not hold.
    pub async fn commit(&self, entries: Vec<Entry>, batch: Batch) -> Result<(), LedgerError> {
        let mut bytes = batch.bytes();
        for entry in &entries {
            keys::check(&entry.0.workspace)?;
            let mut about = about(entry);
            // Escaping makes six bytes of one at most.
            if about > MAX_RECORD / 6 {
                about = size(entry)?;
                if about > MAX_RECORD {
                    return Err(LedgerError::Entry(format!("it has {about} bytes; the limit is {MAX_RECORD}")));
                }
            }
            bytes += about;
        }
        let (done, answer) = oneshot::channel();
        self.requests.send(Request { entries, batch, bytes, done }).await.map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Waits until all that was handed in is written, and nobody holds the ledger any more: every clone must have been
    /// dropped, or will be. Then the store can be closed.
    pub async fn close(self) {
        let Self { store, requests, mut written, .. } = self;
        drop((store, requests));
        while written.changed().await.is_ok() {}
    }

    /// Reads what was kept.
    pub fn reader(&self) -> Reader {
        Reader::live(self.store.clone(), self.written.clone())
    }

    /// Where it is kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Tells the time for records, and by which things expire: never before the newest record.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// An operator says that the machine's clock is right, though it jumped: what has expired by it may be erased.
    pub async fn confirm_clock(&self, by: &Caller) -> Result<(), LedgerError> {
        let now = self.clock.now();
        self.append(vec![clock::confirmed(HOST, by, now)]).await
    }

    /// By how many seconds the clock jumped ahead, where nobody said since then that it is right.
    pub(crate) async fn clock_in_doubt(&self) -> Result<Option<u64>, LedgerError> {
        let mut doubt = self.watch.in_doubt();
        let mut query = Query::new(HOST).field(Field::Kind, Kind::Clock.as_str());
        'pages: while doubt.is_none() {
            let page = self.reader().query(&query).await?;
            for (_, record) in &page.records {
                if let Some(told) = clock::doubt(record) {
                    doubt = told;
                    break 'pages;
                }
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        Ok(doubt.map(|by| by.as_secs().unsigned_abs()))
    }

    /// Closes the calls that were under way when the host ended.
    async fn close_unknown(&self) -> Result<(), LedgerError> {
        let mut scan = Scan::prefix(keys::HEADS);
        loop {
            let page = self.store.scan(&scan).await?;
            for (key, value) in &page.entries {
                let Some(workspace) = keys::workspace_of_head(key) else { continue };
                let head = read_head(workspace, value)?;
                if head.open_from > head.seq {
                    continue;
                }
                let mut entries = Vec::new();
                for seq in Chain::load(self.store.as_ref(), workspace).await?.open() {
                    if let Some(line) = read_line(self.store.as_ref(), workspace, seq).await? {
                        entries.push(Entry::unknown(&line.record(workspace)?));
                    }
                }
                if !entries.is_empty() {
                    tracing::warn!(
                        workspace,
                        calls = entries.len(),
                        "calls were under way when the host ended; they are `unknown`"
                    );
                    self.append(entries).await?;
                }
            }
            match page.next {
                Some(next) => scan = scan.after(next),
                None => return Ok(()),
            }
        }
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ledger").field(&self.store.place()).finish()
    }
}

/// About how many bytes an entry has, before anything in it is escaped. Counting them costs as much as writing them does.
fn about(entry: &Entry) -> usize {
    let record = &entry.0;
    let mut bytes = 2 * 1024 + record.workspace.len() + 1_024 * record.exchanges.len() + 256 * record.bounds.len();
    bytes += record.message.as_ref().map_or(0, String::len) + record.error.as_ref().map_or(0, |error| error.len());
    index::fields(record, |_, value| bytes += value.len());
    if let Some(denial) = &record.denial {
        bytes += denial.asked.len() + denial.message.len();
        bytes += [&denial.allow_request, &denial.allow_with].into_iter().flatten().map(String::len).sum::<usize>();
        bytes += denial.granted.iter().map(String::len).sum::<usize>();
    }
    if let Some(change) = &record.change {
        bytes += change.of.len() + change.details.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    }
    for payload in [&record.input, &record.output].into_iter().flatten() {
        bytes += payload.redacted.iter().map(String::len).sum::<usize>();
    }
    bytes
}

/// How many bytes an entry has as JSON.
fn size(entry: &Entry) -> Result<usize, LedgerError> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, &entry.0).map_err(|error| LedgerError::Entry(error.to_string()))?;
    Ok(count.0)
}
