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
    /// The last epoch: on which thread, what the call had taken, and the thread's own CPU time.
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
        let current = self.now().saturating_sub(self.began.load(Relaxed));
        (self.total.load(Relaxed) + current).saturating_sub(self.stolen.load(Relaxed))
    }

    /// The guest starts now.
    pub(crate) fn guest_starts(&self) {
        self.before_guest.store(self.cpu_ns(), Relaxed);
    }

    /// CPU time in the guest up to now, in nanoseconds.
    pub(crate) fn guest_ns(&self) -> u64 {
        self.cpu_ns().saturating_sub(self.before_guest.load(Relaxed)).saturating_sub(self.host.load(Relaxed))
    }

    /// An epoch has passed while the guest ran. What the call is said to have taken since the last one, and its thread
    /// has not, was somebody else's.
    pub(crate) fn epoch_passed(&self) {
        let (thread, taken, cpu) = (thread::current().id(), self.cpu_ns(), thread_cpu());
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
