//! CPU time of one call, counted apart for guest and host.
//!
//! A call is a future; what runs of it runs inside `poll`. The thread's CPU clock, read around each poll, gives all the
//! time the call's own task took; read around the polls of host functions inside, it gives the host's share. The rest is
//! the guest's, and is what the guest's bound is about: waiting costs nothing, and a busy machine does not count against
//! a guest.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use rustix::time::{ClockId, clock_gettime};

/// Counts a call's CPU time. Whoever runs a call wraps all of it in [`Meter::measure`].
#[derive(Debug, Default)]
pub struct Meter {
    /// Of finished polls of the whole call, in nanoseconds.
    total: AtomicU64,
    /// When the current poll began, on the thread's own clock.
    began: AtomicU64,
    /// What the call had taken when its guest started.
    before_guest: AtomicU64,
    /// Of polls of host functions.
    host: AtomicU64,
    /// Whether a host function is being polled.
    in_host: AtomicBool,
}

impl Meter {
    /// Counts what `call` takes.
    pub fn measure<F: Future>(self: &Arc<Self>, call: F) -> Metered<F> {
        Metered { meter: self.clone(), call: Box::pin(call) }
    }

    /// CPU time of the call up to now, in nanoseconds. Called from inside of it.
    pub fn cpu_ns(&self) -> u64 {
        self.total.load(Relaxed) + self.this_poll()
    }

    /// CPU time of the current poll up to now, in nanoseconds.
    pub(crate) fn this_poll(&self) -> u64 {
        thread_cpu().saturating_sub(self.began.load(Relaxed))
    }

    /// The guest starts now.
    pub(crate) fn guest_starts(&self) {
        self.before_guest.store(self.cpu_ns(), Relaxed);
    }

    /// CPU time in the guest up to now, in nanoseconds.
    pub(crate) fn guest_ns(&self) -> u64 {
        self.cpu_ns().saturating_sub(self.before_guest.load(Relaxed)).saturating_sub(self.host.load(Relaxed))
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
        let began = thread_cpu();
        self.meter.began.store(began, Relaxed);
        let polled = self.call.as_mut().poll(context);
        self.meter.total.fetch_add(thread_cpu().saturating_sub(began), Relaxed);
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
        let began = thread_cpu();
        let polled = self.work.as_mut().poll(context);
        self.meter.host.fetch_add(thread_cpu().saturating_sub(began), Relaxed);
        self.meter.in_host.store(false, Relaxed);
        polled
    }
}

/// The calling thread's CPU time, in nanoseconds.
fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
