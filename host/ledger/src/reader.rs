//! Finding records again.

use std::{ops::Bound, sync::Arc};

use jiff::Timestamp;
use portcullis_store::{Scan, Store};
use tokio::sync::watch;

use crate::{
    block::{Line, lines},
    chain::{block_holding, read_head, read_line},
    error::LedgerError,
    follow::Follow,
    hash::Hash,
    index::{RANGE, decode, range_of, seq_of},
    keys,
    query::{Cursor, Field, Query, QueryPage},
    record::{CallId, Record},
};

/// Most records that are looked at for one page.
const LOOKED_AT: u64 = 50_000;
/// What a range counts for in which all terms stand, though maybe never in one record.
const RANGE_COSTS: u64 = 16;
/// Bytes of blocks that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Where a workspace's chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Whose chain.
    pub workspace: String,
    /// How many records it has.
    pub seq: u64,
    /// SHA-256 of the last one.
    pub hash: Hash,
    /// Its time.
    pub time: Timestamp,
}

/// Reads the records of a store. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn Store>,
    pub(crate) written: Option<watch::Receiver<u64>>,
}

impl Reader {
    /// Of a store that somebody else may write to.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, written: None }
    }

    pub(crate) fn live(store: Arc<dyn Store>, written: watch::Receiver<u64>) -> Self {
        Self { store, written: Some(written) }
    }

    /// Whose chains there are, and where they end, by name.
    pub async fn chains(&self) -> Result<Vec<ChainHead>, LedgerError> {
        let mut chains = Vec::new();
        let mut scan = Scan::prefix(keys::HEADS);
        loop {
            let page = self.store.scan(&scan).await?;
            for (key, value) in &page.entries {
                if let Some(workspace) = keys::workspace_of_head(key) {
                    chains.push(told(workspace, value)?);
                }
            }
            match page.next {
                Some(next) => scan = scan.after(next),
                None => return Ok(chains),
            }
        }
    }

    /// The same without those whose head is damaged: they are told where they are read or written.
    pub(crate) async fn chains_that_can_be_read(&self) -> Result<Vec<ChainHead>, LedgerError> {
        let mut chains = Vec::new();
        let mut scan = Scan::prefix(keys::HEADS);
        loop {
            let page = self.store.scan(&scan).await?;
            let heads = page.entries.iter().filter_map(|(key, value)| told(keys::workspace_of_head(key)?, value).ok());
            chains.extend(heads);
            match page.next {
                Some(next) => scan = scan.after(next),
                None => return Ok(chains),
            }
        }
    }

    /// Where a workspace's chain ends; none where it has no records.
    pub async fn chain(&self, workspace: &str) -> Result<Option<ChainHead>, LedgerError> {
        keys::check(workspace)?;
        let value = self.store.get(&keys::head(workspace)).await?;
        value.map(|value| told(workspace, &value)).transpose()
    }

    /// One record.
    pub async fn get(&self, workspace: &str, seq: u64) -> Result<Option<(Line, Record)>, LedgerError> {
        let Some(head) = self.chain(workspace).await?.filter(|head| (1..=head.seq).contains(&seq)) else {
            return Ok(None);
        };
        Ok(Some(self.must(workspace, seq.min(head.seq)).await?))
    }

    /// All records of a call, oldest first.
    pub async fn call(&self, workspace: &str, call: CallId) -> Result<Vec<Record>, LedgerError> {
        let mut query = Query::new(workspace).field(Field::Call, call.to_string()).oldest_first().limit(1_000);
        let mut records = Vec::new();
        loop {
            let page = self.query(&query).await?;
            records.extend(page.records.into_iter().map(|(_, record)| record));
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(records),
            }
        }
    }

    /// Records as they stand in the chain, from one on, oldest first: about 256 KiB of them. Empty beyond the end.
    pub async fn lines(&self, workspace: &str, from: u64) -> Result<Vec<Line>, LedgerError> {
        let mut scan = Scan::prefix(keys::blocks(workspace)).bytes(READ_BYTES);
        scan.from = Bound::Included(block_holding(self.store.as_ref(), workspace, from).await?);
        let mut found = Vec::new();
        for (key, value) in &self.store.scan(&scan).await?.entries {
            found.extend(lines(workspace, key, value)?.filter(|line| line.seq >= from));
        }
        Ok(found)
    }

    /// A page of the records that a query finds.
    pub async fn query(&self, query: &Query) -> Result<QueryPage, LedgerError> {
        let Some(head) = self.chain(&query.workspace).await? else { return Ok(QueryPage::default()) };
        let (mut low, mut high) = (1, head.seq);
        if let Some(since) = query.since {
            low = self.first_at(&query.workspace, head.seq, since).await?;
        }
        if let Some(until) = query.until {
            high = self.first_at(&query.workspace, head.seq, until).await?.saturating_sub(1);
        }
        if let Some(Cursor(after)) = query.after {
            if query.oldest_first {
                low = low.max(after.saturating_add(1));
            } else {
                high = high.min(after.saturating_sub(1));
            }
        }
        let mut search = Search { reader: self, query, page: QueryPage::default(), looked_at: 0, words: query.words() };
        search.page.seen = if query.oldest_first { head.seq } else { 1 };
        // Beyond the last full range there is no index; there is little to look through.
        let indexed = head.seq / RANGE * RANGE;
        let terms = query.terms();
        if terms.is_empty() {
            search.walk(low, high).await?;
        } else if query.oldest_first {
            if search.find(&terms, low, high.min(indexed)).await? {
                search.walk(low.max(indexed + 1), high).await?;
            }
        } else if search.walk(low.max(indexed + 1), high).await? {
            search.find(&terms, low, high.min(indexed)).await?;
        }
        Ok(search.page)
    }

    /// The records that a query finds, as they come. Begins with what is there, oldest first, after the query's cursor.
    pub fn follow(&self, query: Query) -> Follow {
        Follow { reader: self.clone(), query: query.oldest_first().limit(1_000) }
    }

    /// The first record at this time or later; one beyond the end where there is none.
    pub(crate) async fn first_at(&self, workspace: &str, last: u64, time: Timestamp) -> Result<u64, LedgerError> {
        let (mut low, mut high) = (1, last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.must(workspace, middle).await?.1.time < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// A record that has to be there.
    async fn must(&self, workspace: &str, seq: u64) -> Result<(Line, Record), LedgerError> {
        let line = read_line(self.store.as_ref(), workspace, seq).await?.ok_or_else(|| missing(workspace, seq))?;
        let record = line.record(workspace)?;
        Ok((line, record))
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reader").field(&self.store.place()).finish()
    }
}

fn missing(workspace: &str, seq: u64) -> LedgerError {
    LedgerError::Corrupt { workspace: workspace.to_owned(), seq, what: "it is missing".to_owned() }
}

fn told(workspace: &str, value: &[u8]) -> Result<ChainHead, LedgerError> {
    let head = read_head(workspace, value)?;
    Ok(ChainHead { workspace: workspace.to_owned(), seq: head.seq, hash: head.hash, time: head.time })
}

/// A page in the making.
struct Search<'a> {
    reader: &'a Reader,
    query: &'a Query,
    page: QueryPage,
    looked_at: u64,
    /// What stands in the text of every record that is one of those.
    words: Vec<String>,
}

impl Search<'_> {
    /// Looks at every record from `low` to `high`, in the query's direction. Whether there is room for more.
    async fn walk(&mut self, low: u64, high: u64) -> Result<bool, LedgerError> {
        let workspace = &self.query.workspace;
        if low > high {
            return Ok(true);
        }
        let store = self.reader.store.as_ref();
        let mut scan = Scan::prefix(keys::blocks(workspace)).bytes(READ_BYTES);
        scan.from = Bound::Included(block_holding(store, workspace, low).await?);
        scan.to = Bound::Included(keys::block(workspace, high));
        scan.descending = !self.query.oldest_first;
        let mut next = if self.query.oldest_first { low } else { high };
        loop {
            let page = store.scan(&scan).await?;
            for (key, value) in &page.entries {
                let lines = lines(workspace, key, value)?.filter(|line| (low..=high).contains(&line.seq));
                let lines: Vec<Line> = if self.query.oldest_first { lines.collect() } else { lines.rev().collect() };
                for line in lines {
                    if line.seq != next {
                        return Err(missing(workspace, next));
                    }
                    next = if self.query.oldest_first { next + 1 } else { next - 1 };
                    // Reading a record costs ten times what looking for a word in it does.
                    let taken = if self.words.iter().all(|word| line.text.contains(word.as_str())) {
                        let record = line.record(workspace)?;
                        self.take(line, record)
                    } else {
                        self.room(line.seq)
                    };
                    if !taken {
                        return Ok(false);
                    }
                }
            }
            match page.next {
                Some(cursor) => scan = scan.after(cursor),
                None if next == if self.query.oldest_first { high + 1 } else { low - 1 } => return Ok(true),
                None => return Err(missing(workspace, next)),
            }
        }
    }

    /// Looks at the records from `low` to `high` in which all terms stand, by the index. Whether there is room for more.
    async fn find(&mut self, terms: &[u64], low: u64, high: u64) -> Result<bool, LedgerError> {
        if low > high {
            return Ok(true);
        }
        let (first, last) = (range_of(low), range_of(high));
        let mut range = if self.query.oldest_first { first } else { last };
        // Where one term is not, the others need not be looked for.
        'ranges: while (first..=last).contains(&range) {
            let mut places: Option<Vec<u16>> = None;
            for term in terms {
                let Some((at, found)) = self.posting(*term, range, first, last).await? else { return Ok(true) };
                if at != range {
                    range = at;
                    continue 'ranges;
                }
                places = Some(match places {
                    None => found,
                    Some(places) => places.into_iter().filter(|place| found.binary_search(place).is_ok()).collect(),
                });
            }
            let mut places = places.unwrap_or_default();
            if !self.query.oldest_first {
                places.reverse();
            }
            for seq in places.into_iter().map(|place| seq_of(range, place)).filter(|seq| (low..=high).contains(seq)) {
                let (line, record) = self.reader.must(&self.query.workspace, seq).await?;
                if !self.take(line, record) {
                    return Ok(false);
                }
            }
            self.looked_at += RANGE_COSTS;
            if self.looked_at >= LOOKED_AT {
                let seen = seq_of(range, if self.query.oldest_first { RANGE as u16 - 1 } else { 0 });
                self.page.seen = seen;
                self.page.next = Some(Cursor(seen));
                return Ok(false);
            }
            range = if self.query.oldest_first {
                range + 1
            } else if range > 0 {
                range - 1
            } else {
                return Ok(true);
            };
        }
        Ok(true)
    }

    /// Where a term stands next: in this range, or the nearest in the query's direction.
    async fn posting(
        &self,
        term: u64,
        range: u32,
        first: u32,
        last: u32,
    ) -> Result<Option<(u32, Vec<u16>)>, LedgerError> {
        let workspace = &self.query.workspace;
        let mut range = range;
        loop {
            let (low, high) = if self.query.oldest_first {
                (range, last.min(keys::group_end(range)))
            } else {
                (first.max(keys::group_start(range)), range)
            };
            let mut scan = Scan::range(
                Bound::Included(keys::posting(workspace, term, low)),
                Bound::Included(keys::posting(workspace, term, high)),
            )
            .entries(1);
            scan.descending = !self.query.oldest_first;
            let page = self.reader.store.scan(&scan).await?;
            if let Some((key, value)) = page.entries.first() {
                let read = keys::range_of_posting(key).zip(decode(value));
                return read.map(Some).ok_or_else(|| LedgerError::Corrupt {
                    workspace: workspace.clone(),
                    seq: seq_of(range, 0),
                    what: "the index of its range cannot be read".to_owned(),
                });
            }
            range = match if self.query.oldest_first { high.checked_add(1) } else { low.checked_sub(1) } {
                Some(next) if (first..=last).contains(&next) => next,
                _ => return Ok(None),
            };
        }
    }

    /// Takes a record if it is one of those. Whether there is room for more.
    fn take(&mut self, line: Line, record: Record) -> bool {
        let seq = record.seq;
        if self.query.matches(&record) {
            self.page.records.push((line, record));
        }
        self.room(seq)
    }

    /// A record was looked at: is there room for more?
    fn room(&mut self, seq: u64) -> bool {
        self.looked_at += 1;
        let room = self.page.records.len() < self.query.limit && self.looked_at < LOOKED_AT;
        if !room {
            self.page.seen = seq;
            self.page.next = Some(Cursor(seq));
        }
        room
    }
}
