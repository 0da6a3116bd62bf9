//! Watches what the host and the libraries below it log, at every level: a secret must be in none of it.

use std::{
    io,
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tracing_subscriber::EnvFilter;

/// The host's crates and all that touch the wire, in full. What a compiler says of its work is another matter.
const WATCHED: &str = "info,portcullis_runtime=trace,portcullis_egress=trace,portcullis_vault=trace,\
    portcullis_sandbox=trace,portcullis_ledger=trace,portcullis_gate=trace,reqwest=trace,hyper=trace,hyper_util=trace,\
    rustls=trace,hickory_resolver=trace,hickory_net=trace,hickory_proto=trace,tower=trace";

static LINES: AtomicUsize = AtomicUsize::new(0);
static FOUND: Mutex<Option<String>> = Mutex::new(None);
/// What operators were warned of, for tests that look for a line of their own.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Watch;

impl io::Write for Watch {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(line);
        if crate::needles::found_in(&text).is_some() {
            *FOUND.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.clone().into_owned());
        }
        if text.contains("WARN") {
            WARNINGS.lock().unwrap_or_else(PoisonError::into_inner).push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to watch, for all tests of this process.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(WATCHED)).with_writer(|| Watch);
        subscriber.init();
    });
}

/// The warnings up to now in which this stands.
pub(crate) fn warnings(part: &str) -> Vec<String> {
    let warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    warnings.iter().filter(|line| line.contains(part)).cloned().collect()
}

/// How many lines were logged.
pub(crate) fn lines() -> usize {
    LINES.load(Ordering::Relaxed)
}

/// No line that was logged up to now had a secret in it.
pub(crate) fn are_clean() {
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(found.is_none(), "a secret was logged: {found:?}");
}
