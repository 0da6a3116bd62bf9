//! CPU time of one call, counted apart for guest and host.
//!
//! A call is a future; what runs of it runs inside `poll`. The clock, read around each poll, gives the time the call's own
//! task took; read around the polls of host functions inside, it gives the host's share. The rest is the guest's, and is
//! what the guest's bound is about: waiting costs nothing.
//!
//! The clock is the monotonic one. The thread's own CPU clock would be more exact, but reading it is a system call, and a
//! call has a dozen such places. It is read where the difference matters: a guest that runs for longer than an epoch is
//! credited with the time that its thread was kept from running, so that a busy machine does not count against it.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    thread::{self, ThreadId},
    time::Instant,
};

use rustix::time::{ClockId, clock_gettime};

/// Counts a call's CPU time. Whoever runs a call wraps all of it in [`Meter::measure`].
#[derive(Debug)]
pub struct Meter {
    /// What all times here are counted from.
    zero: Instant,
    /// Of finished polls of the whole call, in nanoseconds.
    total: AtomicU64,
    /// When the current poll began.
    began: AtomicU64,
    /// What the call had taken when its guest started.
    before_guest: AtomicU64,
    /// Of polls of host functions.
    host: AtomicU64,
    /// Whether a host function is being polled.
    in_host: AtomicBool,
    /// How long the call's thread was kept from running, as far as epochs could tell.
    stolen: AtomicU64,
    /// The last epoch: on which thread, what the guest had taken by the clock, and the thread's own CPU time.
    epoch: Mutex<Option<(ThreadId, u64, u64)>>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            zero: Instant::now(),
            total: AtomicU64::new(0),
            began: AtomicU64::new(0),
            before_guest: AtomicU64::new(0),
            host: AtomicU64::new(0),
            in_host: AtomicBool::new(false),
            stolen: AtomicU64::new(0),
            epoch: Mutex::default(),
        }
    }
}

impl Meter {
    /// Counts what `call` takes.
    pub fn measure<F: Future>(self: &Arc<Self>, call: F) -> Metered<F> {
        Metered { meter: self.clone(), call: Box::pin(call) }
    }

    /// CPU time of the call up to now, in nanoseconds. Called from inside of it.
    pub fn cpu_ns(&self) -> u64 {
        self.taken_ns().saturating_sub(self.stolen.load(Relaxed))
    }

    /// What the call's polls have taken up to now by the clock.
    fn taken_ns(&self) -> u64 {
        self.total.load(Relaxed) + self.now().saturating_sub(self.began.load(Relaxed))
    }

    /// The guest starts now.
    pub(crate) fn guest_starts(&self) {
        self.before_guest.store(self.taken_ns(), Relaxed);
    }

    /// CPU time in the guest up to now, in nanoseconds.
    pub(crate) fn guest_ns(&self) -> u64 {
        self.guest_taken_ns().saturating_sub(self.stolen.load(Relaxed))
    }

    /// What the guest has taken up to now by the clock.
    fn guest_taken_ns(&self) -> u64 {
        self.taken_ns().saturating_sub(self.before_guest.load(Relaxed)).saturating_sub(self.host.load(Relaxed))
    }

    /// An epoch has passed while the guest ran. What the guest took by the clock since the last one, beyond all that its
    /// thread ran for, was somebody else's. A thread that was kept from running in a host function is no credit to the guest:
    /// that time is not in what the guest took.
    pub(crate) fn epoch_passed(&self) {
        let (thread, taken, cpu) = (thread::current().id(), self.guest_taken_ns(), thread_cpu());
        let last = self.epoch.lock().unwrap_or_else(PoisonError::into_inner).replace((thread, taken, cpu));
        if let Some((last_thread, last_taken, last_cpu)) = last
            && last_thread == thread
        {
            let kept = taken.saturating_sub(last_taken).saturating_sub(cpu.saturating_sub(last_cpu));
            self.stolen.fetch_add(kept, Relaxed);
        }
    }

    /// Nanoseconds since the meter was made.
    fn now(&self) -> u64 {
        u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A call that is counted.
pub struct Metered<F> {
    meter: Arc<Meter>,
    call: Pin<Box<F>>,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = self.meter.now();
        self.meter.began.store(began, Relaxed);
        let polled = self.call.as_mut().poll(context);
        self.meter.total.fetch_add(self.meter.now().saturating_sub(began), Relaxed);
        polled
    }
}

/// A host function's work inside a call.
pub(crate) struct HostWork<F: ?Sized> {
    pub(crate) meter: Arc<Meter>,
    pub(crate) work: Pin<Box<F>>,
}

impl<F: Future + ?Sized> Future for HostWork<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Host work inside host work is counted once.
        if self.meter.in_host.swap(true, Relaxed) {
            return self.work.as_mut().poll(context);
        }
        let began = self.meter.now();
        let polled = self.work.as_mut().poll(context);
        self.meter.host.fetch_add(self.meter.now().saturating_sub(began), Relaxed);
        self.meter.in_host.store(false, Relaxed);
        polled
    }
}

/// The calling thread's CPU time, in nanoseconds.
fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(ms: u64) {
        let until = thread_cpu() + ms * 1_000_000;
        while thread_cpu() < until {
            std::hint::spin_loop();
        }
    }

    fn poll<F: Future>(future: &mut Pin<Box<F>>) {
        let _ = future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    }

    /// A guest that runs, calls a host function, and runs again, with an epoch before and after.
    fn guest_ms(host: fn(), elsewhere: fn()) -> u64 {
        let meter = Arc::new(Meter::default());
        let inner = meter.clone();
        let mut call = Box::pin(meter.measure(async move {
            inner.guest_starts();
            inner.epoch_passed();
            burn(20);
            HostWork { meter: inner.clone(), work: Box::pin(async move { host() }) }.await;
            elsewhere();
            inner.epoch_passed();
        }));
        poll(&mut call);
        meter.began.store(meter.now(), Relaxed);
        meter.guest_ns() / 1_000_000
    }

    fn wait() {
        thread::sleep(std::time::Duration::from_millis(60));
    }

    #[test]
    fn what_the_thread_waited_for_in_a_host_function_is_no_credit_to_the_guest() {
        let ms = guest_ms(wait, || ());
        assert!((20..60).contains(&ms), "{ms}");
    }

    #[test]
    fn a_guest_is_credited_with_what_its_thread_was_kept_from_running() {
        let ms = guest_ms(|| (), wait);
        assert!((20..60).contains(&ms), "{ms}");
    }
}
