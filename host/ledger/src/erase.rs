//! Erasing what is kept of inputs and outputs, with a record of it: which calls, who asked, and why.
//!
//! The chain stays as it is, for it never held them. What stands in an erased entry's place says when it was erased, so that
//! what was erased can be told from what is missing; what proves that somebody had it erased is the record.
//!
//! A store does not overwrite: the bytes leave the disk when it is compacted (`portcullis store compact`), and backups when
//! they do.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use portcullis_store::{Batch, Scan};
use serde::Serialize;

use crate::{
    Ledger,
    entry::Entry,
    error::LedgerError,
    keys,
    payload::{Tombstone, fetch, parse, tombstone},
    policy::Side,
    record::{CallId, Caller, Change, Kind},
};

/// Most calls that one record tells of: all of them are named.
const CALLS: usize = 64;
/// Longest reason, in bytes.
const MAX_REASON: usize = 1_000;

/// Who has something erased, and why.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Who.
    pub by: &'a Caller,
    /// Why: 1 to 1,000 bytes. It stands in the chain and cannot be erased: no names of people.
    pub reason: &'a str,
}

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// How many calls something was erased of.
    pub calls: u64,
    /// How many inputs and outputs.
    pub entries: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The calls of which nothing was kept, or not any more.
    pub nothing_kept: Vec<CallId>,
}

impl Ledger {
    /// Erases what is kept of these calls' inputs and outputs. What a call that is still under way will give is kept as the
    /// policy says.
    pub async fn erase(&self, workspace: &str, calls: &[CallId], order: Order<'_>) -> Result<Erased, LedgerError> {
        let mut done = Erased::default();
        let calls: Vec<CallId> = calls.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        for calls in calls.chunks(CALLS) {
            let both = calls.iter().flat_map(|call| Side::ALL.map(|side| (*call, side)));
            let found = self.erase_all(workspace, both.collect(), order, &mut done, Batch::new()).await?;
            done.nothing_kept.extend(calls.iter().filter(|call| !found.contains(call)));
        }
        Ok(done)
    }

    /// Erases what was to be kept until now and no longer; of one workspace, or of all. Not while the clock is in doubt: what
    /// is erased because of a clock that was set ahead cannot be brought back.
    pub async fn erase_expired(&self, workspace: Option<&str>, order: Order<'_>) -> Result<Erased, LedgerError> {
        let mut done = Erased::default();
        let mut is_sure = false;
        let now = u64::try_from(self.clock().now().as_second()).unwrap_or(0);
        let end = Bound::Excluded(keys::expiries_from(now.saturating_add(1)));
        let mut scan = Scan::range(Bound::Included(keys::EXPIRIES.to_vec()), end).entries(CALLS);
        loop {
            let page = self.store().scan(&scan).await?;
            // Where nothing is to be erased the clock does not matter.
            if !is_sure && !page.entries.is_empty() {
                if let Some(seconds) = self.clock_in_doubt().await? {
                    return Err(LedgerError::ClockInDoubt { says: self.clock().now(), seconds });
                }
                is_sure = true;
            }
            // A record for each workspace, with what it tells of.
            let mut due: BTreeMap<String, (Vec<(CallId, Side)>, Batch)> = BTreeMap::new();
            for (key, _) in &page.entries {
                let Some((of, call, side)) = keys::of_expiry(key) else { continue };
                if workspace.is_none_or(|workspace| workspace == of) {
                    let (entries, batch) = due.entry(of.to_owned()).or_default();
                    entries.push((call, side));
                    batch.remove(key.clone());
                }
            }
            for (workspace, (entries, batch)) in due {
                self.erase_all(&workspace, entries, order, &mut done, batch).await?;
            }
            match page.next {
                Some(next) => scan = scan.after(next),
                None => return Ok(done),
            }
        }
    }

    /// Erases these entries, as far as there are any, with one record. The calls of which there was something.
    async fn erase_all(
        &self,
        workspace: &str,
        entries: Vec<(CallId, Side)>,
        order: Order<'_>,
        done: &mut Erased,
        mut batch: Batch,
    ) -> Result<BTreeSet<CallId>, LedgerError> {
        keys::check(workspace)?;
        if order.reason.trim().is_empty() || order.reason.len() > MAX_REASON {
            let bytes = order.reason.len();
            return Err(LedgerError::Entry(format!(
                "the reason for erasing has {bytes} bytes; write 1 to {MAX_REASON}"
            )));
        }
        let erased = Tombstone { erased: self.clock().now() };
        let erased = serde_json::to_vec(&erased).map_err(|error| LedgerError::Entry(error.to_string()))?;
        let mut calls = BTreeSet::new();
        let (mut count, mut bytes) = (0, 0);
        for (call, side) in entries {
            let Some((entry, keys)) = fetch(self.store().as_ref(), workspace, call, side).await? else { continue };
            if tombstone(&entry).is_some() {
                continue;
            }
            keys.into_iter().for_each(|key| batch.remove(key));
            batch.insert(keys::payload(workspace, call, side), erased.clone());
            let until = parse(&entry).and_then(|entry| u64::try_from(entry.expires?.as_second()).ok());
            if let Some(seconds) = until {
                batch.remove(keys::expiry(seconds, workspace, call, side));
            }
            count += 1;
            bytes += entry.len() as u64;
            calls.insert(call);
        }
        if batch.is_empty() {
            return Ok(calls);
        }
        let records = if calls.is_empty() { Vec::new() } else { vec![record(workspace, &calls, count, bytes, order)] };
        self.commit(records, batch).await?;
        done.calls += calls.len() as u64;
        done.entries += count;
        done.bytes += bytes;
        Ok(calls)
    }
}

fn record(workspace: &str, calls: &BTreeSet<CallId>, count: u64, bytes: u64, order: Order<'_>) -> Entry {
    let names: Vec<String> = calls.iter().map(CallId::to_string).collect();
    let of = format!("{count} inputs, outputs and words of {} calls", calls.len());
    let details = [
        (DETAIL_CALLS, names.join(" ")),
        ("entries", count.to_string()),
        ("bytes", bytes.to_string()),
        ("reason", order.reason.to_owned()),
    ];
    let details = details.map(|(name, value)| (name.to_owned(), value)).into();
    Entry::change(workspace, Kind::Erasure, order.by, Change { action: "erased".to_owned(), details, of })
}

/// The detail of an erasure that names the calls, with spaces between them. They can be asked for like the call of any record.
pub(crate) const DETAIL_CALLS: &str = "calls";
