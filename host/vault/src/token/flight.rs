//! One exchange for all who wait for it. It runs in a task of its own, so that a waiter that goes away stops nothing; and a
//! failure is remembered for a while, so that a server that is down is not asked by everybody in turn.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::error::TokenError;
use crate::usable::Token;

/// First and longest time that a failure is remembered which may end better later. It doubles from one to the other.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
const LONGEST: SignedDuration = SignedDuration::from_secs(60);
/// How long a server's plain no is remembered.
const REFUSED: SignedDuration = SignedDuration::from_secs(30);

/// What became of an exchange.
type Outcome = Result<Arc<Token>, TokenError>;

/// The exchanges of a vault, by slot and generation: another credential in a slot begins anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flights(Arc<Mutex<HashMap<(String, u64), Entry>>>);

#[derive(Debug)]
enum Entry {
    Flying {
        outcome: watch::Receiver<Option<Outcome>>,
        /// How long the failure before was remembered.
        pause: Option<SignedDuration>,
    },
    Failed {
        error: TokenError,
        until: Timestamp,
        pause: SignedDuration,
    },
}

/// An exchange, or what is known without one.
#[derive(Debug)]
pub(crate) enum Flight {
    /// There is a token already, or a failure is remembered.
    Landed(Outcome),
    /// It is on its way.
    Flying(watch::Receiver<Option<Outcome>>),
}

impl Flight {
    /// Waits for the end.
    pub(crate) async fn landed(self) -> Outcome {
        let mut outcome = match self {
            Flight::Landed(outcome) => return outcome,
            Flight::Flying(outcome) => outcome,
        };
        let gone = || TokenError::Request("the exchange was given up".to_owned());
        let landed = outcome.wait_for(Option::is_some).await.map_err(|_| gone())?;
        landed.clone().unwrap_or_else(|| Err(gone()))
    }
}

impl Flights {
    /// Forgets that it failed: something else may come of it by now.
    pub(crate) fn forget_failures(&self, slot: &str) {
        self.lock().retain(|(of, _), entry| of != slot || !matches!(entry, Entry::Failed { .. }));
    }

    /// Joins the exchange that is on its way, or begins one. To refresh ahead, the flight is not waited for.
    ///
    /// `fresh` looks once more whether there is a token by now. `exchange` keeps the token where `fresh` looks before it ends:
    /// so nobody comes too late for the one and too early for the other. `fresh` must not wait for other locks for long.
    pub(crate) fn join<F>(
        &self,
        slot: &str,
        generation: u64,
        now: Timestamp,
        fresh: impl FnOnce() -> Option<Arc<Token>>,
        exchange: impl FnOnce() -> F,
    ) -> Flight
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let key = (slot.to_owned(), generation);
        let mut entries = self.lock();
        let pause = match entries.get(&key) {
            Some(Entry::Flying { outcome, .. }) if outcome.has_changed().is_ok() || outcome.borrow().is_some() => {
                return Flight::Flying(outcome.clone());
            }
            // Its task is gone without a word.
            Some(Entry::Flying { pause, .. }) => *pause,
            Some(Entry::Failed { error, until, .. }) if now < *until => return Flight::Landed(Err(error.clone())),
            Some(Entry::Failed { pause, .. }) => Some(*pause),
            None => None,
        };
        if let Some(token) = fresh() {
            entries.remove(&key);
            return Flight::Landed(Ok(token));
        }
        let (sender, outcome) = watch::channel(None);
        entries.insert(key.clone(), Entry::Flying { outcome: outcome.clone(), pause });
        drop(entries);
        let (flights, exchange, begun) = (self.clone(), exchange(), Instant::now());
        tokio::spawn(async move {
            let landed = exchange.await;
            // It took a while, and a failure is remembered from its end on.
            let took = SignedDuration::try_from(begun.elapsed()).unwrap_or(LONGEST);
            flights.land(key, &landed, now.saturating_add(took).unwrap_or(now));
            sender.send_replace(Some(landed));
        });
        Flight::Flying(outcome)
    }

    /// Forgets what became of a slot's exchanges: it was connected anew, or its routes were granted.
    pub(crate) fn forget(&self, slot: &str) {
        self.lock().retain(|(own, _), entry| own != slot || matches!(entry, Entry::Flying { .. }));
    }

    /// The failure that is remembered at this time.
    #[cfg(test)]
    pub(crate) fn remembered(&self, slot: &str, generation: u64, now: Timestamp) -> Option<TokenError> {
        match self.lock().get(&(slot.to_owned(), generation)) {
            Some(Entry::Failed { error, until, .. }) if now < *until => Some(error.clone()),
            _ => None,
        }
    }

    fn land(&self, key: (String, u64), outcome: &Outcome, now: Timestamp) {
        let mut entries = self.lock();
        let before = match entries.remove(&key) {
            Some(Entry::Flying { pause, .. }) => pause,
            _ => None,
        };
        if let Err(error) = outcome {
            let pause = match error {
                error if error.retryable() => before.map_or(SHORTEST, |pause| (pause * 2).clamp(SHORTEST, LONGEST)),
                // What the gate denies costs no server anything, and may be granted the next moment.
                TokenError::Sending(_) => SHORTEST,
                _ => REFUSED,
            };
            if let Ok(until) = now.checked_add(pause) {
                entries.insert(key, Entry::Failed { error: error.clone(), until, pause });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u64), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
