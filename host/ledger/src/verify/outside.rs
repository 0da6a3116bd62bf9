//! Signed heads that are kept elsewhere, read before what they are held against.

use std::io::{self, BufRead, Read};

use super::signed::{Begins, HeadsCheck, Marks, note};
use crate::{error::LedgerError, heads::PublicKey};

/// Longest line. A signed head that names thousands of workspaces has some hundred KiB.
pub(super) const MAX_LINE: u64 = 8 * 1024 * 1024;

/// Signed heads that are kept elsewhere: lines, oldest first.
pub struct Outside<'a> {
    /// Where, for people.
    pub place: String,
    /// The lines.
    pub lines: &'a mut (dyn BufRead + Send),
}

pub(super) fn read_outside<'k>(
    outside: Outside<'_>,
    keys: &'k [PublicKey],
    marks: &mut Marks,
) -> Result<HeadsCheck<'k>, LedgerError> {
    let mut check = HeadsCheck::new(&outside.place, keys, Begins::Anywhere);
    let mut buffer = Vec::new();
    for line in 1.. {
        buffer.clear();
        let failed =
            |error: io::Error| LedgerError::Outside { place: outside.place.clone(), problem: error.to_string() };
        if (&mut *outside.lines).take(MAX_LINE).read_until(b'\n', &mut buffer).map_err(failed)? == 0 {
            break;
        }
        if buffer.len() as u64 == MAX_LINE {
            let problem = format!("line {line} is longer than {MAX_LINE} bytes; no signed head is");
            return Err(LedgerError::Outside { place: outside.place, problem });
        }
        // A host that ends while it writes leaves half a line, and writes it again when it is started.
        let Some(whole) = buffer.strip_suffix(b"\n") else { break };
        if let Some(signed) = check.line(whole, Some(line)) {
            note(marks, &signed, check.checks());
        }
    }
    Ok(check)
}
