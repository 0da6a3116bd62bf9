//! Catches the panics of engines, and keeps their text off standard error.
//!
//! sled panics on damaged files, in the caller's thread and in threads of its own (`sled-io-…`). What it says becomes a
//! typed error; printed as well, it would look like a crash of the host. The hook is put before the one that is there, once,
//! and hands on every panic that is not an engine's.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

static HOOKED: Once = Once::new();
/// One of sled's own threads has died. They serve all its databases, and nothing that waits for one ever ends.
static THREAD_DIED: AtomicBool = AtomicBool::new(false);

/// Whether one of sled's own threads has died in this process.
pub(super) fn a_thread_of_sled_died() -> bool {
    THREAD_DIED.load(Ordering::Acquire)
}

/// Runs something of an engine; what it panics with is the error.
pub(super) fn catch<T>(doing: impl FnOnce() -> T) -> Result<T, String> {
    HOOKED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_an_engines(info) {
                before(info);
            }
        }));
    });
    let outer = WITHIN.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(doing));
    WITHIN.set(outer);
    done.map_err(|panic| text(panic.as_ref()))
}

fn is_an_engines(_: &PanicHookInfo<'_>) -> bool {
    if thread::current().name().is_some_and(|name| name.starts_with("sled-io-")) {
        THREAD_DIED.store(true, Ordering::Release);
        return true;
    }
    WITHIN.get()
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it did not say why");
    // Some say the whole tree.
    let short: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    format!("the engine gave up: {short}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_text() {
        assert_eq!(catch(|| 5), Ok(5));
        assert_eq!(catch(|| panic!("on page {}", 7)), Err::<(), _>("the engine gave up: on page 7".to_owned()));
        assert!(!WITHIN.get());
    }
}
