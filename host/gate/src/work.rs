//! What the host's work on strangers' data may cost: one budget for each call, charged before or while the work is done.
//!
//! Fuel and `guest_ms` bound what runs inside the sandbox. Much is done outside of it with what a stranger wrote: an input
//! is held against an adapter's schema, an answer is searched for secrets, a value is redacted. Such work often costs a
//! product (a text times a pattern, an object times a list of schemas), so its price is that product. Whoever does such
//! work charges it here; when nothing is left, the work ends and the call ends with the bound `work`.
//!
//! This is no clock. A unit is about 50 ns of a processor of 2024 at the most, so that a budget is also a bound on time, on
//! slow machines a larger one. What runs on a thread of its own checks [`Work::charge`] as it goes: after
//! [`Work::give_up`] nothing can be charged, and the thread ends.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// What may be done where others wait for their turn, in units: a millisecond at most.
const QUICK: u64 = 20_000;

/// Units of work that one stranger's data may cost.
#[derive(Debug)]
pub struct Work {
    limit: u64,
    used: AtomicU64,
    /// CPU time on threads of their own, in nanoseconds.
    elsewhere_ns: AtomicU64,
    given_up: AtomicBool,
    /// Whose budget this is a part of: that one is charged.
    whole: Option<Arc<Work>>,
}

/// A budget of [`Work`] is used up, or was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bound `work` was hit: at most {limit} units of the host's work on this data")]
pub struct Spent {
    /// How many units there were.
    pub limit: u64,
}

/// Units for one comparison of an adapter's descriptor with a grant, a ceiling or another descriptor: 2 s at the most. The largest
/// adapter that there may be, granted as a whole, takes a tenth of it.
const OF_FILES: u64 = 40_000_000;

impl Work {
    /// The budget of one comparison of an adapter's descriptor with an operator's files, or with another version's.
    #[must_use]
    pub fn of_files() -> Self {
        Self::new(OF_FILES)
    }

    /// So many units.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
            elsewhere_ns: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
            whole: None,
        }
    }

    /// The same budget, for one piece of work that can be given up apart from the others.
    #[must_use]
    pub fn part(self: &Arc<Self>) -> Self {
        Self { whole: Some(self.clone()), ..Self::new(self.limit) }
    }

    /// Takes so many units. Where there are fewer, all of them are gone.
    ///
    /// # Errors
    /// [`Spent`] when the budget does not suffice, or was given up.
    pub fn charge(&self, units: u64) -> Result<(), Spent> {
        if let Some(whole) = &self.whole {
            let charged = whole.charge(units);
            return if self.given_up.load(Relaxed) { Err(self.spent()) } else { charged };
        }
        // One beyond the limit stands for "more was needed".
        let most = self.limit.saturating_add(1);
        let take = |used: u64| Some(used.saturating_add(units).min(most));
        let before = self.used.fetch_update(Relaxed, Relaxed, take).unwrap_or(most);
        if before.saturating_add(units) > self.limit || self.given_up.load(Relaxed) {
            return Err(self.spent());
        }
        Ok(())
    }

    /// Does what takes a millisecond at most here and now, and charges it. None where it takes more: it is to be done again,
    /// on a thread of its own.
    pub fn quickly<T>(&self, job: impl FnOnce(&Work) -> Result<T, Spent>) -> Option<Result<T, Spent>> {
        let quick = Work::new(QUICK);
        let done = job(&quick);
        match (self.charge(quick.used()), done) {
            (Err(spent), _) => Some(Err(spent)),
            (Ok(()), Ok(done)) => Some(Ok(done)),
            (Ok(()), Err(_)) => None,
        }
    }

    /// Units that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        if self.given_up.load(Relaxed) {
            return 0;
        }
        self.whole.as_ref().map_or_else(|| self.limit.saturating_sub(self.used.load(Relaxed)), |whole| whole.left())
    }

    /// Units that were used.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.whole.as_ref().map_or_else(|| self.used.load(Relaxed).min(self.limit), |whole| whole.used())
    }

    /// Whether somebody needed more than there was.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.whole.as_ref().map_or_else(|| self.used.load(Relaxed) > self.limit, |whole| whole.is_spent())
    }

    /// The error of a budget that is used up.
    #[must_use]
    pub fn spent(&self) -> Spent {
        Spent { limit: self.limit }
    }

    /// Nobody waits for the work any more: it ends where it next charges.
    pub fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    /// Adds CPU time that was taken on another thread than the call's.
    pub fn add_elsewhere_ns(&self, nanoseconds: u64) {
        match &self.whole {
            Some(whole) => whole.add_elsewhere_ns(nanoseconds),
            None => _ = self.elsewhere_ns.fetch_add(nanoseconds, Relaxed),
        }
    }

    /// CPU time taken on other threads, in nanoseconds.
    #[must_use]
    pub fn elsewhere_ns(&self) -> u64 {
        self.whole.as_ref().map_or_else(|| self.elsewhere_ns.load(Relaxed), |whole| whole.elsewhere_ns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_and_stays_at_its_end() {
        let work = Work::new(10);
        work.charge(10).unwrap();
        assert!(!work.is_spent() && work.left() == 0 && work.used() == 10);
        assert_eq!(work.charge(1), Err(Spent { limit: 10 }));
        assert!(work.is_spent());
        for _ in 0..1_000 {
            work.charge(u64::MAX).unwrap_err();
        }
        assert!(work.is_spent() && work.used() == 10 && work.left() == 0);
    }

    #[test]
    fn one_charge_that_is_too_large_takes_all_there_is() {
        let work = Work::new(10);
        work.charge(u64::MAX).unwrap_err();
        assert!(work.is_spent() && work.used() == 10);
        work.charge(1).unwrap_err();
    }

    #[test]
    fn a_part_charges_the_whole_and_is_given_up_alone() {
        let whole = Arc::new(Work::new(10));
        let (one, other) = (whole.part(), whole.part());
        one.charge(4).unwrap();
        one.give_up();
        one.charge(1).unwrap_err();
        other.charge(5).unwrap();
        assert_eq!((whole.used(), other.left(), one.left()), (10, 0, 0));
        assert!(other.charge(1).is_err() && whole.is_spent() && other.is_spent());
    }

    #[test]
    fn what_is_quick_is_charged_and_what_is_not_is_left_to_another_thread() {
        let work = Work::new(2 * QUICK);
        assert_eq!(work.quickly(|work| work.charge(100).map(|()| 7)), Some(Ok(7)));
        assert_eq!(work.used(), 100);
        assert_eq!(work.quickly(|work| work.charge(QUICK + 1)), None);
        assert_eq!(work.used(), 100 + QUICK);
        // Where too little is left, it is spent like anything else.
        assert_eq!(work.quickly(|work| work.charge(QUICK)), Some(Err(work.spent())));
        assert!(work.is_spent());
    }

    #[test]
    fn what_a_part_takes_elsewhere_is_the_wholes() {
        let whole = Arc::new(Work::new(10));
        let part = whole.part();
        part.add_elsewhere_ns(5);
        whole.add_elsewhere_ns(2);
        assert_eq!((whole.elsewhere_ns(), part.elsewhere_ns()), (7, 7));
    }

    #[test]
    fn what_was_given_up_can_do_nothing_more() {
        let work = Work::new(10);
        work.charge(1).unwrap();
        work.give_up();
        assert_eq!((work.left(), work.charge(1)), (0, Err(Spent { limit: 10 })));
    }
}
