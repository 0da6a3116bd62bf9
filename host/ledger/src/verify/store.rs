//! A store: every chain in it, what is kept beside it of inputs and outputs, its signed heads, and all of that against signed
//! heads that are kept elsewhere.
//!
//! What is elsewhere is read first, the store's signed heads then, the chains' heads after that and the records last; so a
//! host may go on writing meanwhile: what is read later is never less.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use jiff::Timestamp;
use portcullis_store::{Scan, Store, StoreError};

use super::{
    EachRecord, OnProgress, Progress,
    chain::ChainCheck,
    next_line,
    outside::{Outside, read_outside},
    payloads::Payloads,
    signed::{Begins, HeadsCheck, Marks, note},
    wrong::{ChainVerdict, HeadWhy, HeadsVerdict, Verdict, Why},
};
use crate::{
    chain::{Head, read_head},
    error::LedgerError,
    hash::Hash,
    heads::PublicKey,
    keys,
};

/// Bytes of blocks that are read at once.
const READ_BYTES: usize = 1024 * 1024;

/// What is verified, and with what.
#[derive(Default)]
pub struct VerifyOptions<'a> {
    /// Whose signatures count. Several after a change of the key.
    pub keys: &'a [PublicKey],
    /// This workspace's chain only.
    pub workspace: Option<&'a str>,
    /// Signed heads that are kept elsewhere.
    pub outside: Vec<Outside<'a>>,
    /// Told how far it is.
    pub progress: Option<OnProgress<'a>>,
    /// Told each record.
    pub each: Option<EachRecord<'a>>,
    /// By when what was to be kept until some time is counted as expired. The system's clock unless set.
    pub now: Option<Timestamp>,
}

/// Verifies a store. What is wrong is in the verdict; an error says that it could not be verified.
pub async fn verify_store(store: &dyn Store, mut options: VerifyOptions<'_>) -> Result<Verdict, LedgerError> {
    let mut marks = Marks::new();
    let mut outside = Vec::new();
    for place in std::mem::take(&mut options.outside) {
        outside.push(read_outside(place, options.keys, &mut marks)?);
    }
    let mut verdict = Verdict::default();
    let of_store = signed_heads(store, options.keys, &outside, &mut marks).await?;
    verdict.heads.push(of_store);
    verdict.heads.extend(outside.into_iter().map(HeadsCheck::finish));
    let mut heads = heads(store).await?;
    let mut names: BTreeSet<String> = heads.keys().cloned().collect();
    names.extend(marks.keys().cloned());
    names.extend(with_records(store).await?);
    if let Some(only) = options.workspace {
        names.retain(|name| name == only);
    }
    let of = names.iter().filter_map(|name| heads.get(name)).map(|head| head.as_ref().map_or(0, |head| head.seq)).sum();
    let now = options.now.unwrap_or_else(Timestamp::now);
    let mut run = Run { store, progress: options.progress, each: options.each, now, at: Progress { done: 0, of } };
    for name in &names {
        let marks = marks.remove(name).unwrap_or_default();
        verdict.chains.push(run.chain(name, heads.remove(name), marks).await?);
    }
    verdict.records = run.at.done;
    Ok(verdict)
}

/// The store's own signed heads, held against those elsewhere.
async fn signed_heads(
    store: &dyn Store,
    keys: &[PublicKey],
    outside: &[HeadsCheck<'_>],
    marks: &mut Marks,
) -> Result<HeadsVerdict, LedgerError> {
    let mut check = HeadsCheck::new(&store.place(), keys, Begins::First);
    let mut scan = keys::all_signed();
    let mut next = 1;
    loop {
        let page = match store.scan(&scan).await {
            Ok(page) => page,
            Err(error @ StoreError::Corrupt { .. }) => {
                check.fail(next, None, HeadWhy::Unreadable(error.to_string()));
                break;
            }
            Err(error) => return Err(error.into()),
        };
        for (key, value) in &page.entries {
            let seq = keys::seq_of_signed(key).unwrap_or(next);
            let signed = check.line(value, None);
            if let Some(found) = signed.as_ref().map(|signed| signed.head.seq).filter(|found| *found != seq) {
                check.fail(seq, None, HeadWhy::OutOfOrder { found });
            }
            if let Some(signed) = signed {
                note(marks, &signed, check.checks());
            }
            next = seq + 1;
        }
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => break,
        }
    }
    for other in outside {
        let place = other.place().to_owned();
        let mut seqs: Vec<(&u64, &Hash)> = other.hashes.iter().collect();
        seqs.sort_unstable();
        for (seq, hash) in seqs {
            match check.hashes.get(seq) {
                Some(own) if own == hash => {}
                Some(_) => check.fail(*seq, None, HeadWhy::Differs { place: place.clone() }),
                None if *seq >= next => check.fail(*seq, None, HeadWhy::RolledBack { place: place.clone() }),
                // Then it was named already.
                None => {}
            }
        }
    }
    Ok(check.finish())
}

/// The chains' heads; none where it cannot be read.
async fn heads(store: &dyn Store) -> Result<BTreeMap<String, Option<Head>>, LedgerError> {
    let mut heads = BTreeMap::new();
    let mut scan = Scan::prefix(keys::HEADS);
    loop {
        let page = store.scan(&scan).await?;
        for (key, value) in &page.entries {
            if let Some(workspace) = keys::workspace_of_head(key) {
                heads.insert(workspace.to_owned(), read_head(workspace, value).ok());
            }
        }
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => return Ok(heads),
        }
    }
}

/// The workspaces that have records, whether or not they have a head.
async fn with_records(store: &dyn Store) -> Result<Vec<String>, LedgerError> {
    let mut names = Vec::new();
    let mut scan = Scan::prefix(keys::BLOCKS).entries(1).bytes(1);
    loop {
        let page = match store.scan(&scan).await {
            Ok(page) => page,
            // Whose records they are is found out by reading them.
            Err(StoreError::Corrupt { .. }) => return Ok(names),
            Err(error) => return Err(error.into()),
        };
        let Some((key, _)) = page.entries.first() else { return Ok(names) };
        let Some(name) = keys::workspace_of_block(key) else { return Ok(names) };
        scan.from = Bound::Excluded(keys::block(name, u64::MAX));
        names.push(name.to_owned());
    }
}

struct Run<'s, 'a> {
    store: &'s dyn Store,
    progress: Option<OnProgress<'a>>,
    each: Option<EachRecord<'a>>,
    now: Timestamp,
    at: Progress,
}

/// What is judged of one chain.
struct OfChain<'s> {
    workspace: &'s str,
    check: ChainCheck,
    payloads: Payloads<'s>,
}

impl<'s> Run<'s, '_> {
    async fn chain(
        &mut self,
        workspace: &'s str,
        head: Option<Option<Head>>,
        marks: Vec<super::chain::Mark>,
    ) -> Result<ChainVerdict, LedgerError> {
        let mut of = OfChain {
            workspace,
            check: ChainCheck::new(workspace, 1, Hash::genesis(workspace), marks),
            payloads: Payloads::new(self.store, workspace, self.now),
        };
        let unreadable = matches!(head, Some(None));
        let mut head = head.flatten();
        let mut scan = Scan::prefix(keys::blocks(workspace)).bytes(READ_BYTES);
        loop {
            let page = match self.store.scan(&scan).await {
                Ok(page) => page,
                Err(error @ StoreError::Corrupt { .. }) => {
                    of.check.fail(Why::Store(error.to_string()), None);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            for (key, value) in &page.entries {
                // Written since the head was read, or put in.
                if head.as_ref().is_some_and(|head| keys::seq_of_block(key).is_some_and(|first| first > head.seq)) {
                    head = self.store.get(&keys::head(workspace)).await?.and_then(|b| read_head(workspace, &b).ok());
                }
                self.block(&mut of, key, value).await?;
            }
            match page.next {
                Some(cursor) => scan = scan.after(cursor),
                None => break,
            }
        }
        let OfChain { mut check, payloads, .. } = of;
        let payloads = payloads.finish().await?;
        if head.is_none() && (check.next() > 1 || unreadable) {
            check.fail(if unreadable { Why::HeadDiffers } else { Why::NoHead }, None);
        }
        let verdict = check.finish(head.map(|head| (head.seq, head.hash)));
        Ok(ChainVerdict { payloads, ..verdict })
    }

    async fn block(&mut self, of: &mut OfChain<'s>, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        let check = &mut of.check;
        if let Some(first) = keys::seq_of_block(key).filter(|first| *first != check.next() && check.holds()) {
            let why = if first > check.next() { Why::Missing } else { Why::OutOfOrder { found: first } };
            check.fail(why, None);
        }
        let mut rest = value;
        while !rest.is_empty() {
            let torn = !value.ends_with(b"\n");
            let line = next_line(&mut rest);
            if torn && rest.is_empty() {
                check.fail(Why::Torn, None);
            }
            if let Some(each) = &mut self.each {
                each(of.workspace, check.next(), line);
            }
            check.record(line, None);
            of.payloads.record(line).await?;
            self.at.done += 1;
        }
        // A block has a few dozen records: where much is kept beside them, a page of blocks would take long.
        if let Some(progress) = &mut self.progress {
            progress(self.at);
        }
        Ok(())
    }
}
