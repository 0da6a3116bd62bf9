//! Asks for a secret at a terminal, which does not show it.

use std::{
    io::{BufRead, stdin},
    sync::{Mutex, PoisonError},
};

use portcullis_runtime::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Longest secret that is typed or pasted, in bytes. Longer ones are files.
const MOST: usize = 16 * 1024;

/// How the terminal was, while it does not show what is typed.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Shows what is typed again when it is dropped.
struct Hidden;

impl Hidden {
    fn new() -> std::io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        show_again();
    }
}

/// Shows what is typed again, if it is hidden. For whoever ends the command while a prompt waits.
pub(crate) fn show_again() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &before);
    }
}

/// One line, not shown.
pub(crate) fn secret() -> anyhow::Result<Secret> {
    let _hidden = Hidden::new()?;
    let mut line = Zeroizing::new(Vec::with_capacity(MOST));
    std::io::Read::take(stdin().lock(), MOST as u64).read_until(b'\n', &mut line)?;
    Ok(Secret::new(std::mem::take(&mut *line))?)
}
