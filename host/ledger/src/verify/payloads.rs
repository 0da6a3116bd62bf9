//! What is kept beside a chain: is each input and output that a record names still what was kept?
//!
//! A record holds the hash of what was kept. What was erased has a tombstone in its place, which takes no key to write; so a
//! tombstone counts only if a later record of the chain tells that this call was erased. What was kept and then expired is
//! still there, and is checked like the rest.
//!
//! Memory is bounded: an entry is held one at a time, and of tombstones that no record explained yet only so many. Where there
//! are more, the rest of the chain is looked through for the records that explain them.

use std::{collections::HashMap, ops::Bound};

use jiff::Timestamp;
use portcullis_store::{Scan, Store, StoreError};
use serde::Deserialize;

use super::next_line;
use crate::{
    chain::block_holding,
    erase::DETAIL_CALLS,
    error::LedgerError,
    keys,
    payload::{self, Found},
    policy::Side,
    record::{CallId, Change, Kind, Payload},
};

/// Most tombstones that wait for the record that explains them: some 30 MiB.
const AWAITED: usize = 1 << 18;
/// Most that is named of what is wrong beside one chain; the rest is counted.
const NAMED: usize = 100;
/// Bytes of blocks that are read at once.
const READ_BYTES: usize = 1024 * 1024;

/// Something beside the chain that is not what its record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadWrong {
    /// The record that names it.
    pub seq: u64,
    /// Of which call.
    pub call: CallId,
    /// What of it.
    pub side: Side,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for PayloadWrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seq, call, side, what } = self;
        write!(f, "record {seq}: what is kept of the {side} of the call {call}: {what}")
    }
}

/// What was found beside one chain, of all that its records name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadsVerdict {
    /// How many are there and as they were kept.
    pub kept: u64,
    /// How many are so, too, and were to be kept until a time that is over.
    pub expired: u64,
    /// How many were erased, as a record tells.
    pub erased: u64,
    /// Those that are not what their records say: the first hundred.
    pub wrong: Vec<PayloadWrong>,
    /// How many more there are.
    pub more_wrong: u64,
}

impl PayloadsVerdict {
    /// Whether nothing is wrong.
    pub fn holds(&self) -> bool {
        self.wrong.is_empty()
    }

    fn fail(&mut self, wrong: PayloadWrong) {
        if self.wrong.len() < NAMED {
            self.wrong.push(wrong);
        } else {
            self.more_wrong += 1;
        }
    }
}

/// What has to be read of a record.
#[derive(Deserialize)]
struct Named {
    call: Option<CallId>,
    change: Option<Change>,
    input: Option<Payload>,
    kind: Kind,
    output: Option<Payload>,
    outside_words: Option<Payload>,
    seq: u64,
}

impl Named {
    /// Reads it; none of a record that names nothing of what is kept, and none of one that is damaged, which is told elsewhere.
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let names = line.contains("\"stored\":\"") || line.contains("\"kind\":\"erasure\"");
        names.then(|| serde_json::from_str(line).ok()).flatten()
    }

    /// The calls that it tells to be erased.
    fn erased(&self) -> impl Iterator<Item = CallId> + '_ {
        let change = self.change.as_ref().filter(|_| self.kind == Kind::Erasure);
        let calls = change.and_then(|change| change.details.get(DETAIL_CALLS)).map_or("", String::as_str);
        calls.split(' ').filter_map(|call| call.parse().ok())
    }
}

/// Looks at what is kept beside one chain, record by record.
pub(super) struct Payloads<'a> {
    store: &'a dyn Store,
    workspace: &'a str,
    now: Timestamp,
    /// Tombstones, by what was erased, with the record that names it and what the tombstone says.
    awaited: HashMap<(CallId, Side), (u64, Timestamp)>,
    most: usize,
    /// The last record that named something.
    seen: u64,
    found: PayloadsVerdict,
}

impl<'a> Payloads<'a> {
    pub(super) fn new(store: &'a dyn Store, workspace: &'a str, now: Timestamp) -> Self {
        let (awaited, found) = (HashMap::new(), PayloadsVerdict::default());
        Self { store, workspace, now, awaited, most: AWAITED, seen: 0, found }
    }

    /// The next record, as it stands.
    pub(super) async fn record(&mut self, line: &[u8]) -> Result<(), LedgerError> {
        let Some(named) = Named::read(line) else { return Ok(()) };
        let seq = named.seq;
        self.seen = seq;
        self.explain(&named);
        let Some(call) = named.call else { return Ok(()) };
        let sides = [(Side::Input, &named.input), (Side::Output, &named.output), (Side::Words, &named.outside_words)];
        for (side, payload) in sides {
            let Some(payload) = payload.as_ref().filter(|payload| payload.stored.is_some()) else { continue };
            match self.read(call, side, payload).await? {
                Found::Kept(_) => self.found.kept += 1,
                Found::Expired { .. } => self.found.expired += 1,
                Found::Erased { at } => drop(self.awaited.insert((call, side), (seq, at))),
                Found::Damaged { what } => self.found.fail(PayloadWrong { seq, call, side, what }),
                Found::NeverKept => {}
            }
        }
        if self.awaited.len() >= self.most {
            self.look_ahead().await?;
        }
        Ok(())
    }

    async fn read(&self, call: CallId, side: Side, payload: &Payload) -> Result<Found, LedgerError> {
        let mut last = None;
        // A host that goes on may erase it while it is read, which is more than one read: so what does not fit is read again.
        for _ in 0..2 {
            let found = match payload::read(self.store, (self.workspace, call, side), payload, self.now).await {
                Ok(found) => found,
                Err(LedgerError::Store(error @ StoreError::Corrupt { .. })) => {
                    Found::Damaged { what: format!("the store cannot give it: {error}") }
                }
                Err(error) => return Err(error),
            };
            if !matches!(found, Found::Damaged { .. }) {
                return Ok(found);
            }
            last = Some(found);
        }
        Ok(last.unwrap_or(Found::NeverKept))
    }

    /// A record tells what was erased, of calls whose tombstones were found before it.
    fn explain(&mut self, named: &Named) {
        for call in named.erased() {
            for side in Side::ALL {
                self.found.erased += u64::from(self.awaited.remove(&(call, side)).is_some());
            }
        }
    }

    /// Looks through the rest of the chain for what explains the tombstones; those that nothing explains are forged.
    async fn look_ahead(&mut self) -> Result<(), LedgerError> {
        let from = self.seen.saturating_add(1);
        let mut scan = Scan::prefix(keys::blocks(self.workspace)).bytes(READ_BYTES);
        let begins = block_holding(self.store, self.workspace, from).await;
        scan.from = Bound::Included(begins.unwrap_or_else(|_| keys::block(self.workspace, from)));
        while !self.awaited.is_empty() {
            let page = match self.store.scan(&scan).await {
                Ok(page) => page,
                // Which block it is, the chain's own verdict tells.
                Err(StoreError::Corrupt { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            for (_, value) in &page.entries {
                let mut rest = value.as_slice();
                while !rest.is_empty() {
                    if let Some(named) = Named::read(next_line(&mut rest)).filter(|named| named.seq >= from) {
                        self.explain(&named);
                    }
                }
            }
            match page.next {
                Some(cursor) => scan = scan.after(cursor),
                None => break,
            }
        }
        let mut forged: Vec<_> = self.awaited.drain().collect();
        forged.sort_unstable_by_key(|((_, side), (seq, _))| (*seq, *side));
        for ((call, side), (seq, at)) in forged {
            let what = format!("it says that it was erased at {at}, and no record that can be read tells of that");
            self.found.fail(PayloadWrong { seq, call, side, what });
        }
        Ok(())
    }

    /// There are no more records, but for what a host that goes on has written meanwhile.
    pub(super) async fn finish(mut self) -> Result<PayloadsVerdict, LedgerError> {
        if !self.awaited.is_empty() {
            self.look_ahead().await?;
        }
        self.found.wrong.sort_by_key(|wrong| wrong.seq);
        Ok(self.found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_store::{Batch, MemoryStore};

    use super::*;
    use crate::{Caller, Entry, Hash, Kept, Ledger, LedgerOptions, Order};

    const ADA: Caller =
        Caller { agent: None, known_by: None, principal: String::new(), run: None, step: None, workflow: None };

    #[tokio::test]
    async fn tombstones_are_explained_by_what_comes_later_however_few_of_them_are_held() {
        let store = Arc::new(MemoryStore::new());
        let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
        let mut calls = Vec::new();
        for _ in 0..50 {
            let call = CallId::generate();
            let mut entry = Entry::new("acme", Kind::Intent).call(call);
            let stored = Some(Hash::of(b"something"));
            entry.0.input = Some(Payload { stored, kept: Kept::Redacted, ..Payload::default() });
            let batch = Batch::new().put(keys::payload("acme", call, Side::Input), "something");
            ledger.commit(vec![entry], batch).await.unwrap();
            calls.push(call);
        }
        ledger.erase("acme", &calls[..49], Order { by: &ADA, reason: "a test" }).await.unwrap();
        let forged = r#"{"erased":"2026-12-01T00:00:00Z"}"#;
        store.commit(Batch::new().put(keys::payload("acme", calls[49], Side::Input), forged)).await.unwrap();
        for most in [1, 7, 1_000] {
            let mut payloads = Payloads::new(store.as_ref(), "acme", Timestamp::now());
            payloads.most = most;
            for line in ledger.reader().lines("acme", 1).await.unwrap() {
                payloads.record(line.text.as_bytes()).await.unwrap();
                assert!(payloads.awaited.len() < most);
            }
            let found = payloads.finish().await.unwrap();
            assert_eq!((found.erased, found.kept, found.wrong.len()), (49, 0, 1), "{most}: {found:?}");
            assert_eq!((found.wrong[0].seq, found.wrong[0].call), (50, calls[49]));
        }
    }
}
