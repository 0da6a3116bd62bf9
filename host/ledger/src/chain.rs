//! One workspace's chain as its writer sees it: where it ends, which calls are under way, what stands in its last range.
//!
//! All of it follows from the records alone, so that it can be read from the store again whenever it is in doubt: after a
//! failed commit, or where somebody else wrote.

use std::collections::HashMap;

use jiff::Timestamp;
use portcullis_gate::{escape, is_plain};
use portcullis_store::{Batch, Scan, Store};
use serde::{Deserialize, Serialize};

use crate::{
    block::{Line, lines},
    entry::Entry,
    error::LedgerError,
    hash::Hash,
    index::{RANGE, Tail, range_of},
    keys,
    record::{CallId, Kind, Record},
};

/// A block is closed when it has this many bytes: a reader of one record reads its block.
const BLOCK_BYTES: usize = 16 * 1024;
/// How often a chain is read anew because somebody else wrote to it meanwhile.
const LOADS: usize = 1000;
/// Largest record, in bytes.
pub(crate) const MAX_RECORD: usize = 256 * 1024;

/// Where a chain ends, as it is kept in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// SHA-256 of the last record.
    pub(crate) hash: Hash,
    /// No call that was under way began before this record.
    pub(crate) open_from: u64,
    /// The last record.
    pub(crate) seq: u64,
    /// Its time.
    pub(crate) time: Timestamp,
}

/// A chain that can be added to.
#[derive(Debug)]
pub(crate) struct Chain {
    workspace: String,
    head: Option<Head>,
    /// The head as it stands in the store: it must still stand there when the next batch is committed.
    stored: Option<Vec<u8>>,
    /// Calls whose end is not recorded, and their intents.
    open: HashMap<CallId, u64>,
    tail: Tail,
    /// Records that are not in a block yet.
    block: Vec<u8>,
    /// The first of them.
    first: u64,
}

impl Chain {
    /// Reads it from the store: its head, and its records since the first that matters.
    ///
    /// That is more than one read. Where somebody else writes between them, the records do not end where the head says; so
    /// they are wrong only if the head is still the same afterwards.
    pub(crate) async fn load(store: &dyn Store, workspace: &str) -> Result<Self, LedgerError> {
        let mut stored = store.get(&keys::head(workspace)).await?;
        for _ in 0..LOADS {
            let loaded = Self::load_at(store, workspace, stored.clone()).await;
            if !matches!(loaded, Err(LedgerError::Corrupt { .. })) {
                return loaded;
            }
            let now = store.get(&keys::head(workspace)).await?;
            if now == stored {
                return loaded;
            }
            stored = now;
        }
        Err(LedgerError::Conflict { key: keys::head(workspace).escape_ascii().to_string() })
    }

    async fn load_at(store: &dyn Store, workspace: &str, stored: Option<Vec<u8>>) -> Result<Self, LedgerError> {
        let head = stored.as_deref().map(|bytes| read_head(workspace, bytes)).transpose()?;
        let mut chain = Self {
            workspace: workspace.to_owned(),
            stored,
            open: HashMap::new(),
            tail: Tail::default(),
            block: Vec::new(),
            first: 0,
            head: None,
        };
        if let Some(head) = head {
            chain.catch_up(store, &head).await?;
            chain.head = Some(head);
        }
        Ok(chain)
    }

    async fn catch_up(&mut self, store: &dyn Store, head: &Head) -> Result<(), LedgerError> {
        let range_start = head.seq / RANGE * RANGE + 1;
        let from = head.open_from.min(range_start).min(head.seq);
        let mut expected: Option<(u64, Hash)> = None;
        let mut scan = Scan::prefix(keys::blocks(&self.workspace));
        scan.from = std::ops::Bound::Included(block_holding(store, &self.workspace, from).await?);
        loop {
            let page = store.scan(&scan).await?;
            for (key, value) in &page.entries {
                for line in lines(&self.workspace, key, value)? {
                    let record = line.record(&self.workspace)?;
                    if let Some((seq, hash)) = expected
                        && (record.seq, record.prev) != (seq, hash)
                    {
                        return Err(self.corrupt(seq, "it does not follow from the record before it"));
                    }
                    expected = Some((record.seq + 1, line.hash()));
                    if record.seq >= from {
                        self.open_or_close(&record);
                    }
                    if record.seq >= range_start {
                        self.tail.note(&record);
                    }
                }
            }
            match page.next {
                Some(next) => scan = scan.after(next),
                None => break,
            }
        }
        match expected {
            Some((seq, hash)) if (seq, hash) == (head.seq + 1, head.hash) => Ok(()),
            Some((seq, _)) if seq <= head.seq => Err(self.corrupt(seq, "it and those after it are missing")),
            Some((seq, _)) if seq > head.seq + 1 => Err(self.corrupt(head.seq + 1, "it is beyond the chain's head")),
            Some(_) => Err(self.corrupt(head.seq, "the chain's head has another hash")),
            None => Err(self.corrupt(head.seq, "it is missing")),
        }
    }

    /// The time of its last record.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.head.as_ref().map(|head| head.time)
    }

    /// Adds a record at the end; in memory, until the batch that [`Chain::finish`] fills is committed.
    pub(crate) fn add(&mut self, entry: &mut Entry, now: Timestamp, batch: &mut Batch) -> Result<(), LedgerError> {
        let record = &mut entry.0;
        (record.seq, record.prev, record.time) = match &self.head {
            Some(head) => (head.seq + 1, head.hash, now.max(head.time)),
            None => (1, Hash::genesis(&self.workspace), now),
        };
        let start = self.block.len();
        let unfit = |error: serde_json::Error| LedgerError::Entry(error.to_string());
        serde_json::to_writer(&mut self.block, &*record).map_err(unfit)?;
        if let Some(plain) = in_plain_characters(self.block.get(start..).unwrap_or_default()) {
            *record = serde_json::from_str(&plain).map_err(unfit)?;
            self.block.truncate(start);
            serde_json::to_writer(&mut self.block, &*record).map_err(unfit)?;
        }
        let line = self.block.get(start..).unwrap_or_default();
        let hash = Hash::of(line);
        self.block.push(b'\n');
        if start == 0 {
            self.first = record.seq;
        }
        self.open_or_close(record);
        self.tail.note(record);
        let open_from = self.head.as_ref().map_or(1, |head| head.open_from);
        self.head = Some(Head { hash, open_from, seq: record.seq, time: record.time });
        if self.block.len() >= BLOCK_BYTES {
            self.close_block(batch);
        }
        if record.seq.is_multiple_of(RANGE) {
            let range = range_of(record.seq);
            for (term, places) in self.tail.take() {
                batch.insert(keys::posting(&self.workspace, term, range), places);
            }
        }
        Ok(())
    }

    /// Writes what was added to the batch, which is committed only if the chain still ends where it did.
    pub(crate) fn finish(&mut self, batch: &mut Batch) -> Result<(), LedgerError> {
        self.close_block(batch);
        let Some(head) = &mut self.head else { return Ok(()) };
        head.open_from = self.open.values().copied().min().unwrap_or(head.seq + 1);
        let key = keys::head(&self.workspace);
        let new = serde_json::to_vec(head).map_err(|error| LedgerError::Entry(error.to_string()))?;
        batch.expect(key.clone(), self.stored.replace(new.clone()));
        batch.insert(key, new);
        Ok(())
    }

    fn close_block(&mut self, batch: &mut Batch) {
        if !self.block.is_empty() {
            batch.insert(keys::block(&self.workspace, self.first), std::mem::take(&mut self.block));
        }
    }

    fn open_or_close(&mut self, record: &Record) {
        let Some(call) = record.call else { return };
        match record.kind {
            Kind::Intent => {
                self.open.insert(call, record.seq);
            }
            Kind::Outcome => {
                self.open.remove(&call);
            }
            _ => {}
        }
    }

    /// Whether the end of a call is still to be recorded.
    pub(crate) fn is_open(&self, call: CallId) -> bool {
        self.open.contains_key(&call)
    }

    /// The intents of calls whose end is not recorded, oldest first.
    pub(crate) fn open(&self) -> Vec<u64> {
        let mut open: Vec<u64> = self.open.values().copied().collect();
        open.sort_unstable();
        open
    }

    fn corrupt(&self, seq: u64, what: &str) -> LedgerError {
        LedgerError::Corrupt { workspace: self.workspace.clone(), seq, what: what.to_owned() }
    }
}

pub(crate) fn read_head(workspace: &str, bytes: &[u8]) -> Result<Head, LedgerError> {
    serde_json::from_slice(bytes).map_err(|error| LedgerError::Corrupt {
        workspace: workspace.to_owned(),
        seq: 0,
        what: format!("the chain's head cannot be read: {error}"),
    })
}

/// The key of the block that holds a record, or would.
pub(crate) async fn block_holding(store: &dyn Store, workspace: &str, seq: u64) -> Result<Vec<u8>, LedgerError> {
    let mut scan = Scan::prefix(keys::blocks(workspace)).descending().entries(1);
    scan.to = std::ops::Bound::Included(keys::block(workspace, seq));
    let page = store.scan(&scan).await?;
    Ok(page.entries.into_iter().next().map_or_else(|| keys::block(workspace, seq), |(key, _)| key))
}

/// The same record with each character that a terminal would act on, or that nobody sees, written as text; none where it has
/// none of these. An export is the chain byte for byte, and so is what a verifier hashes: what is to be plain in one must be
/// plain in the other.
fn in_plain_characters(line: &[u8]) -> Option<String> {
    if line.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return None;
    }
    let text = String::from_utf8_lossy(line);
    if text.chars().all(is_plain) {
        return None;
    }
    let mut plain = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if !is_plain(c) {
            // Within a string, where a backslash is two.
            plain.push('\\');
        }
        escape(c, &mut plain);
    }
    Some(plain)
}

/// A text as it stands in a record: in plain characters, but for those below U+0020, which JSON escapes itself.
pub(crate) fn as_in_records(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c < ' ' { plain.push(c) } else { escape(c, &mut plain) }
    }
    plain
}

/// A record read from the store.
pub(crate) async fn read_line(store: &dyn Store, workspace: &str, seq: u64) -> Result<Option<Line>, LedgerError> {
    let mut scan = Scan::prefix(keys::blocks(workspace)).descending().entries(1);
    scan.to = std::ops::Bound::Included(keys::block(workspace, seq));
    let page = store.scan(&scan).await?;
    let Some((key, value)) = page.entries.first() else { return Ok(None) };
    Ok(lines(workspace, key, value)?.find(|line| line.seq == seq))
}
