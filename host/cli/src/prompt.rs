//! Asks for a secret at a terminal, which does not show it.

use std::io::{BufRead, stdin};

use portcullis_runtime::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Longest secret that is typed or pasted, in bytes. Longer ones are files.
const MOST: usize = 16 * 1024;

/// Shows what is typed again when it is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> std::io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
    }
}

/// One line, not shown.
pub(crate) fn secret() -> anyhow::Result<Secret> {
    let _hidden = Hidden::new()?;
    let mut line = Zeroizing::new(Vec::with_capacity(MOST));
    std::io::Read::take(stdin().lock(), MOST as u64).read_until(b'\n', &mut line)?;
    Ok(Secret::new(std::mem::take(&mut *line))?)
}
