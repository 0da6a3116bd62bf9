//! Work that takes longer than a millisecond, on a thread of its own, where nobody else's call waits for it.
//!
//! What is quick is done where it comes up ([`Work::quickly`]), without a hop. The rest goes here: its CPU time is added to the
//! call's, and when nobody waits any more (the call's time is over, or its caller went away), the work is given up and ends
//! where it next charges. So many such threads run at once as there are processors, and one integration's calls have half of
//! them at most: whoever makes the host work hard waits for themselves.

use std::{
    sync::{Arc, OnceLock},
    thread,
};

use portcullis_gate::{Spent, Work};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{error::SendError, traffic::Traffic};

/// The places of one integration for such work.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new((processors() / 2).max(1))))
    }
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The places of all together.
fn all() -> Arc<Semaphore> {
    static ALL: OnceLock<Arc<Semaphore>> = OnceLock::new();
    ALL.get_or_init(|| Arc::new(Semaphore::new(processors()))).clone()
}

/// Gives the work up when it is dropped.
struct GivesUp(Arc<Work>);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Traffic {
    /// Does this work on a thread of its own, charged to this budget. None where it broke.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: &Arc<Work>,
        job: impl FnOnce(&Work) -> T + Send + 'static,
    ) -> Option<T> {
        let place = |of: Arc<Semaphore>| of.acquire_owned();
        // Its own first: who waits for one of those holds none of the others up. Held until the thread ends, also where
        // nobody waits for it any more.
        let places: [OwnedSemaphorePermit; 2] = [place(self.places.0.clone()).await.ok()?, place(all()).await.ok()?];
        let part = Arc::new(work.part());
        let _given_up_at_the_end = GivesUp(part.clone());
        let working = tokio::task::spawn_blocking(move || {
            let before = thread_cpu_ns();
            let done = job(&part);
            part.add_elsewhere_ns(thread_cpu_ns().saturating_sub(before));
            drop(places);
            done
        });
        working.await.ok()
    }
}

/// The calling thread's CPU time.
fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

impl From<Spent> for SendError {
    fn from(spent: Spent) -> Self {
        SendError::Bound { name: "work", limit: spent.limit }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::SeqCst},
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_ends_where_it_next_charges_and_its_time_is_counted() {
        let (traffic, work) = (Traffic::default(), Arc::new(Work::new(u64::MAX >> 1)));
        let ended = Arc::new(AtomicBool::new(false));
        let told = ended.clone();
        let endless = traffic.aside(&work, move |work| {
            while work.charge(1).is_ok() {}
            told.store(true, SeqCst);
        });
        tokio::time::timeout(Duration::from_millis(50), endless).await.unwrap_err();
        // The next one of this integration waits for the thread, which therefore has ended.
        let all: Vec<_> = (0..processors()).map(|_| traffic.aside(&work, |work| work.charge(1))).collect();
        assert!(futures::future::join_all(all).await.iter().all(|charged| *charged == Some(Ok(()))));
        assert!(ended.load(SeqCst));
        assert!(work.elsewhere_ns() > 1_000_000, "{}", work.elsewhere_ns());
    }

    #[tokio::test]
    async fn one_integrations_work_leaves_places_for_anothers() {
        if processors() < 2 {
            return;
        }
        let (one, other) = (Traffic::default(), Traffic::default());
        let work = Arc::new(Work::new(u64::MAX >> 1));
        let endless = (0..4 * processors()).map(|_| one.aside(&work, |work| while work.charge(1).is_ok() {}));
        let endless = futures::future::join_all(endless);
        let others = Arc::new(Work::new(1));
        tokio::select! {
            _ = endless => panic!("it has no end"),
            done = other.aside(&others, |work| work.charge(1)) => assert_eq!(done, Some(Ok(()))),
        }
    }

    #[tokio::test]
    async fn what_breaks_is_told_and_leaves_its_place() {
        let (traffic, work) = (Traffic::default(), Arc::new(Work::new(1)));
        for _ in 0..2 * processors() {
            #[allow(clippy::panic)]
            let broke = traffic.aside(&work, |_| -> u8 { panic!("a test") }).await;
            assert_eq!(broke, None);
        }
        assert_eq!(traffic.aside(&work, |_| 7).await, Some(7));
    }
}
