//! Ctrl-C (SIGINT) and SIGTERM: what is under way is given up, recorded and closed in order, and then the command ends.
//!
//! A command that holds the store says so by a [`Held`], from when it has the store until it has closed it, and does its
//! work within [`or_given_up`]. The first signal gives the work up: its future is dropped, so that a call that is under way
//! is recorded as abandoned, and the command goes on with closing what it holds. The second signal ends the process at once.
//! So does the first one where nothing is held: there is nothing to be put in order.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{exit::Code, prompt};

/// How many parts of the command are to be closed in order.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// The first signal that came, for all who wait.
static FIRST: OnceLock<watch::Sender<Option<Interrupted>>> = OnceLock::new();

/// Which signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// SIGINT, as Ctrl-C sends it.
    Int,
    /// SIGTERM.
    Term,
}

impl Interrupted {
    /// 128 and the signal's number, as shells have it.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Int => Code::of(130),
            Self::Term => Code::of(143),
        }
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int => "interrupted (SIGINT)",
            Self::Term => "terminated (SIGTERM)",
        })
    }
}

impl std::error::Error for Interrupted {}

/// Work that a signal gave up, and what is left of it.
#[derive(Debug)]
pub(crate) struct GivenUp {
    came: Interrupted,
    left: String,
}

impl GivenUp {
    pub(crate) fn code(&self) -> Code {
        self.came.code()
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.came, self.left)
    }
}

impl std::error::Error for GivenUp {}

/// Something that is to be closed in order. While there is one, a first signal does not end the process.
#[derive(Debug)]
pub(crate) struct Held(());

impl Held {
    pub(crate) fn new() -> Self {
        HELD.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::SeqCst);
    }
}

fn first() -> &'static watch::Sender<Option<Interrupted>> {
    FIRST.get_or_init(|| watch::channel(None).0)
}

/// Listens from now on. Must be called within a tokio runtime with more than one thread.
pub(crate) fn listen() -> std::io::Result<()> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        loop {
            let came = tokio::select! {
                Some(()) = int.recv() => Interrupted::Int,
                Some(()) = term.recv() => Interrupted::Term,
                else => return,
            };
            let known = first().borrow().is_some();
            if known || HELD.load(Ordering::SeqCst) == 0 {
                prompt::show_again();
                // The command's thread may wait for a terminal or a disk, so nothing of it is waited for.
                std::process::exit(came.code().number());
            }
            first().send_replace(Some(came));
        }
    });
    Ok(())
}

/// Waits for the first signal.
pub(crate) async fn received() -> Interrupted {
    let mut first = first().subscribe();
    let came = match first.wait_for(Option::is_some).await {
        Ok(came) => *came,
        Err(_) => None,
    };
    match came {
        Some(came) => came,
        // The sender is never dropped.
        None => std::future::pending().await,
    }
}

/// Does some work, and gives it up when a signal comes. Then the work's future is gone when this returns.
pub(crate) async fn or_given_up<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        biased;
        done = work => done,
        came = received() => {
            prompt::show_again();
            Err(came.into())
        }
    }
}

/// The same, and says what is left where a signal gives it up.
pub(crate) async fn or_left<T>(left: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    or_given_up(work).await.map_err(|error| match error.downcast::<Interrupted>() {
        Ok(came) => GivenUp { came, left: left.to_owned() }.into(),
        Err(error) => error,
    })
}
