//! The one task that writes: it takes what has come in meanwhile, makes one batch of it, and answers when that is durable.
//!
//! While a batch is on its way to the disk, the next one gathers; so the busier the host, the more records share a flush.
//! What comes in is bounded: who finds the queue full waits. A batch is committed only if each chain still ends where this
//! writer believes it does; if not, somebody else wrote, and the chain is read anew. So two writers cannot fork a chain.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use portcullis_store::{Batch, Check, Store, StoreError};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

use crate::{
    Clock,
    chain::Chain,
    clock::Watch,
    entry::{Entry, HOST},
    error::LedgerError,
    keys,
    record::{Kind, Payload},
};

/// Most requests in one batch.
const ROUND: usize = 1024;
/// About how many bytes one batch has, unless a single request is larger: far below what a store takes at once, also where
/// all of it is escaped. So nobody's records are too large because of somebody else's.
const ROUND_BYTES: usize = 4 * 1024 * 1024;
/// Most chains that are held in memory; others are read when they are written to.
const CHAINS: usize = 256;
/// Most outcomes that wait for the store to take writes again.
const OWED: usize = 4096;
/// How often they are tried.
const OWED_EVERY: Duration = Duration::from_secs(1);
/// How often a batch is made anew because somebody else wrote to one of its chains.
const TRIES: usize = 1000;

/// What is to be kept, as a whole.
pub(crate) struct Request {
    pub(crate) entries: Vec<Entry>,
    pub(crate) batch: Batch,
    /// About how many bytes all of it has.
    pub(crate) bytes: usize,
    pub(crate) done: oneshot::Sender<Result<(), LedgerError>>,
}

pub(crate) struct Writer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<Watch>,
    pub(crate) gather: Duration,
    pub(crate) requests: mpsc::Receiver<Request>,
    /// Counts batches, for those who follow.
    pub(crate) written: watch::Sender<u64>,
    pub(crate) chains: HashMap<String, Chain>,
    /// Outcomes of calls that were carried out while nothing could be written.
    pub(crate) owed: VecDeque<Entry>,
    /// When they are tried next.
    pub(crate) pay_at: Instant,
}

impl Writer {
    /// Writes until nobody can ask any more.
    pub(crate) async fn run(mut self) {
        let mut round = Vec::new();
        let mut usual = 1;
        loop {
            if self.owed.is_empty() {
                if self.requests.recv_many(&mut round, ROUND).await == 0 {
                    return;
                }
            } else if timeout_at(self.pay_at, self.requests.recv_many(&mut round, ROUND)).await == Ok(0) {
                self.pay().await;
                return;
            }
            self.gather(&mut round, usual).await;
            usual = round.len();
            if !self.owed.is_empty() && Instant::now() >= self.pay_at {
                self.pay().await;
            }
            let mut waiting: VecDeque<Request> = round.drain(..).collect();
            while !waiting.is_empty() {
                self.write(&mut waiting).await;
            }
        }
    }

    /// Lets those who were just answered ask again, so that they share this batch and not the next: until as many have come
    /// as last time, none comes any more, or the time is over.
    async fn gather(&mut self, round: &mut Vec<Request>, usual: usize) {
        let until = Instant::now() + self.gather;
        let mut idle = 0;
        while round.len() < usual.min(ROUND) && idle < 3 {
            tokio::task::yield_now().await;
            let before = round.len();
            while round.len() < ROUND
                && let Ok(request) = self.requests.try_recv()
            {
                round.push(request);
            }
            idle = if round.len() == before { idle + 1 } else { 0 };
            if Instant::now() >= until {
                break;
            }
        }
    }

    /// Writes as many of those who wait as fit into a batch, and answers them.
    async fn write(&mut self, waiting: &mut VecDeque<Request>) {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(request) = waiting.pop_front() {
            bytes += request.bytes;
            if bytes > ROUND_BYTES && !taken.is_empty() {
                waiting.push_front(request);
                break;
            }
            taken.push(request);
        }
        for _ in 0..TRIES {
            match self.attempt(&mut taken).await {
                Ok(()) => {
                    self.written.send_modify(|count| *count += 1);
                    taken.into_iter().for_each(|request| answer(request.done, Ok(())));
                    return;
                }
                Err(LedgerError::Store(StoreError::Conflict { .. })) => self.chains.clear(),
                Err(error) => {
                    self.fail(taken, &error);
                    return;
                }
            }
        }
        let error = LedgerError::Conflict { key: "the head of a chain".to_owned() };
        self.fail(taken, &error);
    }

    /// Makes one batch of all of them. Those whose own checks do not hold are answered and taken out.
    async fn attempt(&mut self, taken: &mut Vec<Request>) -> Result<(), LedgerError> {
        let mut batch = Batch::new();
        let mut touched = Vec::new();
        let now = self.clock.now();
        let mut kept = Vec::with_capacity(taken.len());
        let mut coming = std::mem::take(taken).into_iter();
        while let Some(request) = coming.next() {
            // Nobody waits for the answer any more, and nothing was written: then nothing needs to be.
            if request.done.is_closed() && request.entries.iter().all(|entry| entry.0.kind == Kind::Intent) {
                continue;
            }
            match self.refused(&request, &batch).await {
                Ok(None) => {
                    if !request.batch.is_empty() {
                        batch.append(request.batch.clone());
                    }
                    kept.push(request);
                }
                Ok(Some(error)) => answer(request.done, Err(error)),
                Err(error) => {
                    kept.push(request);
                    kept.extend(coming);
                    *taken = kept;
                    return Err(error);
                }
            }
        }
        *taken = kept;
        let (mut jumps, recorded) = self.jumps(taken).await?;
        for entry in jumps.iter_mut().chain(taken.iter_mut().flat_map(|request| &mut request.entries)) {
            if let Some(chain) = self.chains.get_mut(&entry.0.workspace) {
                chain.add(entry, now, &mut batch)?;
                if !touched.contains(&entry.0.workspace) {
                    touched.push(entry.0.workspace.clone());
                }
            }
        }
        for workspace in &touched {
            if let Some(chain) = self.chains.get_mut(workspace) {
                chain.finish(&mut batch)?;
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.store.commit(batch).await?;
        self.clock.recorded(recorded);
        touched
            .iter()
            .filter_map(|workspace| self.chains.get(workspace)?.time())
            .for_each(|time| self.clock.note(time));
        if self.chains.len() > CHAINS {
            self.chains.retain(|workspace, _| touched.contains(workspace));
        }
        Ok(())
    }

    /// The records of the clock's jumps, for the host's chain and for those that are written to; and of how many jumps.
    async fn jumps(&mut self, taken: &[Request]) -> Result<(Vec<Entry>, usize), LedgerError> {
        let jumps = self.clock.jumps();
        let written = taken.iter().flat_map(|request| &request.entries).map(|entry| entry.0.workspace.as_str());
        let mut chains: Vec<&str> = written.collect();
        if jumps.is_empty() || chains.is_empty() {
            return Ok((Vec::new(), 0));
        }
        chains.push(HOST);
        chains.sort_unstable();
        chains.dedup();
        if !self.chains.contains_key(HOST) {
            match Chain::load(self.store.as_ref(), HOST).await {
                Ok(chain) => drop(self.chains.insert(HOST.to_owned(), chain)),
                // Then the other chains tell of it.
                Err(LedgerError::Corrupt { .. }) => chains.retain(|workspace| *workspace != HOST),
                Err(error) => return Err(error),
            }
        }
        let entries = chains.iter().flat_map(|workspace| jumps.iter().map(|jump| jump.entry(workspace)));
        Ok((entries.collect(), jumps.len()))
    }

    /// Why a request alone cannot be kept: a chain of its that does not hold, which is no other workspace's concern, or a key
    /// that is not as it needs it. Its chains are in memory then.
    async fn refused(&mut self, request: &Request, before: &Batch) -> Result<Option<LedgerError>, LedgerError> {
        for workspace in request.entries.iter().map(|entry| &entry.0.workspace) {
            if self.chains.contains_key(workspace) {
                continue;
            }
            match Chain::load(self.store.as_ref(), workspace).await {
                Ok(chain) => {
                    // Another host may have written to it, by another clock.
                    chain.time().into_iter().for_each(|time| self.clock.note(time));
                    self.chains.insert(workspace.clone(), chain);
                }
                Err(error @ LedgerError::Corrupt { .. }) => return Ok(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(self.broken_check(&request.batch, before).await?.map(|key| LedgerError::Conflict { key }))
    }

    /// The first key that is not as a request needs it, given what is written before it in the same batch.
    async fn broken_check(&self, request: &Batch, before: &Batch) -> Result<Option<String>, LedgerError> {
        for (key, check) in request.checks() {
            let stored;
            let found = match before.writes().get(key) {
                Some(written) => written.as_ref(),
                None => {
                    stored = self.store.get(key).await?;
                    stored.as_ref()
                }
            };
            let holds = match (found, check) {
                (None, Check::Absent) => true,
                (Some(found), Check::Is(expected)) => found == expected,
                _ => false,
            };
            if !holds {
                return Ok(Some(key.escape_ascii().to_string()));
            }
        }
        Ok(None)
    }

    /// Nothing was written, as far as is known. What the chains in memory say is in doubt; outcomes are written later.
    fn fail(&mut self, taken: Vec<Request>, error: &LedgerError) {
        self.chains.clear();
        for mut request in taken {
            let is_outcome = request.entries.last().is_some_and(|entry| entry.0.kind == Kind::Outcome);
            if is_outcome && only_payloads(&request.batch) {
                // What was to be kept of the output, and of what was said, is large and is let go.
                let records = request.entries.iter_mut().map(|entry| &mut entry.0);
                for payload in records.flat_map(|record| [&mut record.output, &mut record.outside_words]).flatten() {
                    *payload = Payload { bytes: payload.bytes, ..Payload::default() };
                }
                self.owed.extend(request.entries);
                self.pay_at = Instant::now() + OWED_EVERY;
            }
            answer(request.done, Err(error.clone()));
        }
        while self.owed.len() > OWED {
            if let Some(lost) = self.owed.pop_front() {
                tracing::error!(call = ?lost.0.call, "an outcome is given up: its call is `unknown` after the next start");
            }
        }
    }

    /// Writes the outcomes that are owed, of calls that are still without one.
    async fn pay(&mut self) {
        self.pay_at = Instant::now() + OWED_EVERY;
        let owed: Vec<Entry> = self.owed.drain(..).collect();
        let mut open = BTreeMap::new();
        for workspace in owed.iter().map(|entry| &entry.0.workspace) {
            if open.contains_key(workspace) {
                continue;
            }
            match Chain::load(self.store.as_ref(), workspace).await {
                Ok(chain) => drop(open.insert(workspace.clone(), Some(chain))),
                // Nothing can be added to it any more.
                Err(LedgerError::Corrupt { .. }) => drop(open.insert(workspace.clone(), None)),
                Err(_) => {
                    self.owed.extend(owed);
                    return;
                }
            }
        }
        let is_open = |entry: &Entry| {
            let chain = open.get(&entry.0.workspace).and_then(Option::as_ref);
            entry.0.call.is_some_and(|call| chain.is_some_and(|chain| chain.is_open(call)))
        };
        let entries: Vec<Entry> = owed.into_iter().filter(is_open).collect();
        if entries.is_empty() {
            return;
        }
        let (done, _) = oneshot::channel();
        self.write(&mut VecDeque::from([Request { entries, batch: Batch::new(), bytes: 0, done }])).await;
    }
}

/// Whether nothing comes with the records but what is kept of inputs and outputs. Anything else is kept together with its
/// records, or not at all.
fn only_payloads(batch: &Batch) -> bool {
    batch.checks().is_empty() && batch.writes().keys().all(|key| keys::is_of_payload(key))
}

/// Whoever asked may have gone away.
fn answer(done: oneshot::Sender<Result<(), LedgerError>>, result: Result<(), LedgerError>) {
    drop(done.send(result));
}
