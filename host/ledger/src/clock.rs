//! What time it is, as far as a host may believe it.
//!
//! Whoever can set the machine's clock could bring an expired credential back, or have everything erased that was to be kept for
//! a year. So the ledger hands out a time of its own ([`Ledger::clock`](crate::Ledger::clock)), by which records are written and
//! by which credentials, tokens and what is kept of inputs and outputs expire:
//!
//! - It is never before the time of the newest record, whatever the machine's clock says.
//! - A jump of the machine's clock is recorded (kind `clock`), in the chain of the host and in those that are written to next:
//!   by more than two minutes against the newest record or against a clock that cannot be set, and by more than a day where
//!   there is none: then nothing was recorded for so long, or the clock was set ahead, and nobody can tell which.
//! - After a jump ahead of more than a day nothing is erased because it expired, until an operator says that the clock is right
//!   ([`Ledger::confirm_clock`](crate::Ledger::confirm_clock)). What is erased cannot be brought back; what is kept too long can
//!   be erased later.

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    entry::Entry,
    record::{Caller, Change, Kind, Record},
};

/// How far the machine's clock may be off before it is said to have jumped.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(2);
/// How far it may have gone on where nothing tells how much time went by, and how far it may jump ahead and expired entries are
/// still erased.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Tells the time for records.
pub trait Clock: Send + Sync {
    /// Now, as the machine says.
    fn now(&self) -> Timestamp;

    /// How much time has gone by since some moment, by a clock that nobody can set; none where there is none.
    fn elapsed(&self) -> Option<Duration> {
        None
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Option<Duration> {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        Some(BEGAN.elapsed())
    }
}

/// The clock jumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jump {
    /// What it says.
    says: Timestamp,
    /// What it would have said.
    expected: Timestamp,
}

impl Jump {
    fn by(self) -> SignedDuration {
        self.says.duration_since(self.expected)
    }

    /// The record of it, for a chain.
    pub(crate) fn entry(self, workspace: &str) -> Entry {
        let by = self.by();
        let action = if by.is_negative() { BACK } else { AHEAD };
        let details = [
            (BY, by.abs().as_secs().to_string()),
            ("clock", self.says.to_string()),
            ("expected", self.expected.to_string()),
        ];
        let details = details.map(|(name, value)| (name.to_owned(), value)).into();
        let of = format!("the machine's clock by {:#}", SignedDuration::from_secs(by.abs().as_secs()));
        let change = Change { action: action.to_owned(), details, of };
        Entry::change(workspace, Kind::Clock, &Caller::principal("host"), change)
    }
}

const AHEAD: &str = "ahead";
const BACK: &str = "back";
const CONFIRMED: &str = "confirmed";
/// The detail that says by how many seconds.
const BY: &str = "seconds";

/// The record by which an operator says that the clock is right.
pub(crate) fn confirmed(workspace: &str, by: &Caller, now: Timestamp) -> Entry {
    let details = [("clock".to_owned(), now.to_string())].into();
    let change = Change { action: CONFIRMED.to_owned(), details, of: "the machine's clock".to_owned() };
    Entry::change(workspace, Kind::Clock, by, change)
}

/// Whether a record of the host's chain says that the clock is in doubt: by how much, or that it is not; none where it says
/// nothing of that.
pub(crate) fn doubt(record: &Record) -> Option<Option<SignedDuration>> {
    let change = record.change.as_ref().filter(|_| record.kind == Kind::Clock)?;
    match change.action.as_str() {
        CONFIRMED => Some(None),
        AHEAD => {
            let by = SignedDuration::from_secs(change.details.get(BY)?.parse().ok()?);
            (by > DAY).then_some(Some(by))
        }
        _ => None,
    }
}

/// The time that a host may believe.
pub(crate) struct Watch {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The time of the newest record, and what the clock that nobody can set said when it was known.
    newest: Option<(Timestamp, Option<Duration>)>,
    /// What the machine's clock said last, and what the other one said then.
    seen: Option<(Timestamp, Option<Duration>)>,
    /// Jumps that are not recorded yet.
    jumps: Vec<Jump>,
}

/// Most jumps that wait to be recorded: whoever sets a clock all the time is told of often enough.
const JUMPS: usize = 16;

impl Watch {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a record of this time.
    pub(crate) fn note(&self, time: Timestamp) {
        let elapsed = self.clock.elapsed();
        let mut state = self.state();
        if state.newest.is_none_or(|(newest, _)| newest < time) {
            state.newest = Some((time, elapsed));
        }
    }

    /// Jumps that are not recorded yet, oldest first.
    pub(crate) fn jumps(&self) -> Vec<Jump> {
        self.state().jumps.clone()
    }

    /// So many of them are recorded now.
    pub(crate) fn recorded(&self, count: usize) {
        let mut state = self.state();
        let count = count.min(state.jumps.len());
        state.jumps.drain(..count);
    }

    /// By how much the clock jumped ahead, where that is too much to erase by and not recorded yet.
    pub(crate) fn in_doubt(&self) -> Option<SignedDuration> {
        self.now();
        self.state().jumps.iter().map(|jump| jump.by()).filter(|by| *by > DAY).max()
    }
}

impl State {
    /// Compares what the machine's clock says with what it would say had nobody set it.
    fn look(&mut self, says: Timestamp, elapsed: Option<Duration>) {
        let (expected, most) = match (self.seen, self.newest) {
            (Some((seen, Some(then))), _) if elapsed.is_some() => {
                (later(seen, elapsed.unwrap_or_default().saturating_sub(then)), TOLERANCE)
            }
            (Some((seen, _)), _) => (seen, DAY),
            (None, Some((newest, _))) => (newest, DAY),
            (None, None) => (says, DAY),
        };
        self.seen = Some((says, elapsed));
        let jump = Jump { says, expected };
        if (jump.by() > most || jump.by() < -TOLERANCE) && self.jumps.len() < JUMPS {
            self.jumps.push(jump);
        }
    }

    fn believed(&self, says: Timestamp, elapsed: Option<Duration>) -> Timestamp {
        let Some((newest, then)) = self.newest else { return says };
        if newest.duration_since(says) <= TOLERANCE {
            return newest.max(says);
        }
        // It was set back, and time goes on all the same.
        let since = elapsed.zip(then).map(|(now, then)| now.saturating_sub(then)).unwrap_or_default();
        later(newest, since)
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(time)
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        let (says, elapsed) = (self.clock.now(), self.clock.elapsed());
        let mut state = self.state();
        state.look(says, elapsed);
        state.believed(says, elapsed)
    }

    fn elapsed(&self) -> Option<Duration> {
        self.clock.elapsed()
    }
}
