//! The one thread that writes.
//!
//! It takes all batches that wait, checks each against those before it and the engine, and hands what is left to the
//! engine as one write: a hundred callers share one flush, and a batch whose checks do not hold answers only itself. When
//! the write is durable, in the engine and in the redo files beside it, everybody is answered.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, RwLock, mpsc, oneshot};

use crate::{
    Check, StoreError,
    engine::{Engine, EngineKind, Failure, Writes},
    envelope,
    folder::Folder,
    opening::{self, Witnesses},
    options::Options,
    shared::Shared,
    tally::{self, Tally},
};

/// Most batches of one write.
const ROUND_BATCHES: usize = 4_096;
/// A round takes no further batch when it has this many bytes.
const ROUND_BYTES: usize = 8 << 20;
/// What must be free, beyond the floor, before an engine is opened again after the disk was full: it writes when it opens.
const REOPEN_BYTES: u64 = 4 << 20;

/// A batch that waits. Its values are in their envelopes already: the callers' threads did that.
pub(crate) struct Job {
    pub(crate) checks: BTreeMap<Vec<u8>, Check>,
    pub(crate) writes: Writes,
    pub(crate) bytes: usize,
    pub(crate) answer: oneshot::Sender<Result<(), StoreError>>,
    /// Its place in the queue.
    pub(crate) room: OwnedSemaphorePermit,
}

/// How it goes.
enum State {
    Running,
    /// The last write failed. The next one opens the engine again.
    Troubled,
    /// A flush failed: nothing is written any more.
    Stopped(StoreError),
}

pub(crate) struct Committer {
    pub(crate) shared: Arc<RwLock<Shared>>,
    pub(crate) folder: Arc<Folder>,
    pub(crate) kind: EngineKind,
    pub(crate) options: Options,
    pub(crate) witnesses: Witnesses,
    pub(crate) tally: Tally,
}

impl Committer {
    /// Works until nobody can send any more, and then closes the store.
    pub(crate) fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) -> Result<(), StoreError> {
        let mut state = State::Running;
        while let Some(first) = jobs.blocking_recv() {
            let mut bytes = first.bytes;
            let mut round = vec![first];
            while bytes < ROUND_BYTES
                && round.len() < ROUND_BATCHES
                && let Ok(job) = jobs.try_recv()
            {
                bytes += job.bytes;
                round.push(job);
            }
            state = self.round(state, round, bytes);
        }
        self.close(&state)
    }

    fn round(&mut self, state: State, round: Vec<Job>, bytes: usize) -> State {
        let (state, ready) = match state {
            State::Stopped(error) => (State::Stopped(error.clone()), Err(error)),
            state => match self.enough_space(bytes as u64, &state) {
                Err(error) => (state, Err(error)),
                Ok(()) => match state {
                    State::Troubled => self.reopen(),
                    other => (other, Ok(())),
                },
            },
        };
        if let Err(error) = ready {
            for job in round {
                let _ = job.answer.send(Err(error.clone()));
            }
            return state;
        }
        let Some(engine) = self.shared.blocking_read().engine.clone() else { return State::Troubled };
        let mut merged = Merged::new(engine.as_ref(), &self.folder, &self.options, self.tally);
        let mut waiting = Vec::with_capacity(round.len());
        for job in round {
            match merged.add(job.checks, job.writes) {
                Ok(()) => waiting.push((job.answer, job.room)),
                Err(error) => drop(job.answer.send(Err(error))),
            }
        }
        let Merged { writes, before, mut tally, .. } = merged;
        let (state, done) = if writes.is_empty() {
            (State::Running, Ok(()))
        } else if let Err(failure) = engine.prepare(bytes as u64) {
            (State::Running, Err(self.folder.told(failure, &self.options)))
        } else {
            self.write(&engine, writes, before, &mut tally)
        };
        for (answer, room) in waiting {
            drop(room);
            let _ = answer.send(done.clone());
        }
        state
    }

    fn write(
        &mut self,
        engine: &Arc<dyn Engine>,
        mut writes: Writes,
        before: Writes,
        tally: &mut Tally,
    ) -> (State, Result<(), StoreError>) {
        tally.number += 1;
        if let Err(error) = self.witnesses.redo.begin(*tally, &writes) {
            // Nothing has happened: what there is of it is not whole.
            let failure = Failure::of_io("writing the last commits", &error);
            return (State::Running, Err(self.folder.told(failure, &self.options)));
        }
        writes.insert(tally::KEY.to_vec(), Some(tally.to_bytes().to_vec()));
        let readers_out = engine.shows_early().then(|| self.shared.blocking_write());
        let written = engine.write(writes);
        let told = self.witnesses.redo.end();
        let failure = match (written, told) {
            (Ok(()), Ok(())) => {
                self.tally = *tally;
                return (State::Running, Ok(()));
            }
            // The engine has it. That it had it could not be shown if it lost it.
            (Ok(()), Err(error)) => {
                self.tally = *tally;
                let error = self.folder.told(Failure::Unsynced(error.to_string()), &self.options);
                return (State::Stopped(error.clone()), Err(error));
            }
            (Err(failure), _) => failure,
        };
        if !matches!(failure, Failure::Unsynced(_)) {
            // It is not to be done again at the next opening. Where this fails, too, it is done before the engine is opened again.
            let _ = self.witnesses.redo.void(tally.number);
        }
        let mut shared = readers_out.unwrap_or_else(|| self.shared.blocking_write());
        for (key, was) in before {
            // The oldest counts: between two failures nothing became durable.
            shared.undo.entry(key).or_insert(was);
        }
        let stopped = matches!(failure, Failure::Unsynced(_));
        let error = self.folder.told(failure, &self.options);
        self.read_only(&mut shared, &error);
        (if stopped { State::Stopped(error.clone()) } else { State::Troubled }, Err(error))
    }

    /// After a failed write: lets readers go on.
    fn read_only(&self, shared: &mut Shared, error: &StoreError) {
        if shared.engine.as_ref().is_some_and(|engine| engine.reads_after_failure()) {
            return;
        }
        let reader = opening::open_for_reading(&self.folder, self.kind, &self.options);
        shared.engine = reader.map(Arc::from);
        shared.unreadable = Some(error.clone());
    }

    fn enough_space(&self, bytes: u64, state: &State) -> Result<(), StoreError> {
        let free = (self.options.free_space)(self.folder.path())
            .map_err(|error| self.folder.io("asking how much space is free", &error))?;
        let wanted = if matches!(state, State::Troubled) { bytes.max(REOPEN_BYTES) } else { bytes };
        // A floor of zero asks for nothing at all: the disk itself says when it is full.
        if matches!(state, State::Running) && self.options.floor_bytes == 0
            || free >= self.options.floor_bytes.saturating_add(wanted)
        {
            return Ok(());
        }
        let floor_bytes = self.options.floor_bytes;
        Err(StoreError::Full { place: self.folder.place(), free_bytes: free, floor_bytes })
    }

    /// After a failed write: opens what the disk has, if the disk can be written again.
    fn reopen(&mut self) -> (State, Result<(), StoreError>) {
        if let Err(error) = opening::try_to_write(&self.folder) {
            return (State::Troubled, Err(error));
        }
        if let Err(error) = self.witnesses.redo.void(self.tally.number + 1) {
            return (State::Troubled, Err(self.folder.io("emptying the files of the last commits", &error)));
        }
        let mut shared = self.shared.blocking_write();
        if let Some(engine) = shared.engine.take_if(|engine| engine.holds_files()) {
            let _ = engine.close();
        }
        let opened = opening::open_engine(&self.folder, self.kind, &self.options).and_then(|engine| {
            let (witnesses, tally) = opening::judge(&self.folder, &self.options, engine.as_ref())?;
            Ok((engine, witnesses, tally))
        });
        match opened {
            Ok((engine, witnesses, tally)) => {
                (self.witnesses, self.tally) = (witnesses, tally);
                shared.engine = Some(Arc::from(engine));
                shared.unreadable = None;
                shared.undo.clear();
                (State::Running, Ok(()))
            }
            Err(error) => {
                if shared.engine.is_none() {
                    self.read_only(&mut shared, &error);
                }
                (State::Troubled, Err(error))
            }
        }
    }

    fn close(self, state: &State) -> Result<(), StoreError> {
        let engine = self.shared.blocking_write().engine.take();
        let Some(engine) = engine else { return Ok(()) };
        let closed = engine.close();
        drop(engine);
        if !matches!(state, State::Running) {
            return Ok(());
        }
        closed.map_err(|failure| self.folder.told(failure, &self.options))?;
        opening::seal(&self.folder, self.kind, &self.witnesses, self.tally)
    }
}

/// The batches of a round as one.
struct Merged<'a> {
    engine: &'a dyn Engine,
    folder: &'a Folder,
    options: &'a Options,
    writes: Writes,
    /// What the engine has for each key that was looked at.
    before: Writes,
    tally: Tally,
}

impl<'a> Merged<'a> {
    fn new(engine: &'a dyn Engine, folder: &'a Folder, options: &'a Options, tally: Tally) -> Self {
        Self { engine, folder, options, writes: Writes::new(), before: Writes::new(), tally }
    }

    /// What a key has after the batches so far.
    fn current(&self, key: &[u8]) -> Option<&[u8]> {
        self.writes.get(key).or_else(|| self.before.get(key)).and_then(Option::as_deref)
    }

    /// Reads a key, once in a round.
    fn look_up(&mut self, stored_key: &[u8]) -> Result<(), StoreError> {
        if self.before.contains_key(stored_key) {
            return Ok(());
        }
        let found = self.engine.get(stored_key).map_err(|failure| self.folder.told(failure, self.options))?;
        if let Some(found) = &found {
            // Overwriting something that is damaged would hide it.
            let key = stored_key.get(1..).unwrap_or_default();
            envelope::open(key, found).map_err(|wrong| self.folder.corrupt(wrong.tell(key)))?;
        }
        self.before.insert(stored_key.to_vec(), found);
        Ok(())
    }

    /// Takes a batch, or leaves everything as it is.
    fn add(&mut self, checks: BTreeMap<Vec<u8>, Check>, writes: Writes) -> Result<(), StoreError> {
        for (key, check) in &checks {
            self.look_up(key)?;
            let holds = match (self.current(key), check) {
                (None, Check::Absent) => true,
                (Some(found), Check::Is(expected)) => found.get(envelope::HEAD_BYTES..) == Some(expected),
                _ => false,
            };
            if !holds {
                let key = key.get(1..).unwrap_or_default();
                return Err(StoreError::Conflict { key: key.escape_ascii().to_string() });
            }
        }
        for key in writes.keys() {
            self.look_up(key)?;
        }
        for (key, value) in writes {
            if let Some(was) = self.current(&key).map(envelope::claimed) {
                self.tally.remove(was);
            }
            if let Some(value) = &value {
                self.tally.add(envelope::claimed(value));
            }
            self.writes.insert(key, value);
        }
        Ok(())
    }
}
