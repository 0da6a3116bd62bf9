//! Where things stand in the store. A key is a letter, the workspace, a zero byte, and what tells it from its neighbours;
//! numbers are big-endian, so that keys sort as they do.
//!
//! | key | value |
//! | --- | --- |
//! | `L` workspace 0 seq:8 | a block: the records from `seq` on, one a line |
//! | `H` workspace 0 | the head of the workspace's chain |
//! | `X` workspace 0 term:8 range:4 | where in a range of records a term stands |

use crate::{entry::HOST, error::LedgerError};

/// Longest name of a workspace, in bytes.
pub const MAX_WORKSPACE: usize = 128;

/// Whether a workspace can have a chain of this name.
pub(crate) fn check(workspace: &str) -> Result<(), LedgerError> {
    if workspace == HOST {
        return Ok(());
    }
    let why = if workspace.is_empty() {
        "it is empty"
    } else if workspace.len() > MAX_WORKSPACE {
        "it is longer than 128 bytes"
    } else if workspace.starts_with('@') {
        "names that begin with `@` are the host's"
    } else if workspace.chars().any(char::is_control) {
        "it has control characters"
    } else {
        return Ok(());
    };
    Err(LedgerError::Entry(format!("`{}` is no name of a workspace: {why}", workspace.escape_debug())))
}

fn of(letter: u8, workspace: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(workspace.len() + 16);
    key.push(letter);
    key.extend_from_slice(workspace.as_bytes());
    key.push(0);
    key
}

/// All blocks of a workspace begin with this.
pub(crate) fn blocks(workspace: &str) -> Vec<u8> {
    of(b'L', workspace)
}

pub(crate) fn block(workspace: &str, seq: u64) -> Vec<u8> {
    let mut key = blocks(workspace);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// The first sequence number of a block.
pub(crate) fn seq_of_block(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*key.last_chunk()?))
}

/// All heads begin with this.
pub(crate) const HEADS: &[u8] = b"H";

pub(crate) fn head(workspace: &str) -> Vec<u8> {
    of(b'H', workspace)
}

/// The workspace of a head's key.
pub(crate) fn workspace_of_head(key: &[u8]) -> Option<&str> {
    let name = key.strip_prefix(HEADS)?.strip_suffix(&[0])?;
    std::str::from_utf8(name).ok()
}

/// All that is noted of a term begins with this.
pub(crate) fn term(workspace: &str, term: u64) -> Vec<u8> {
    let mut key = of(b'X', workspace);
    key.extend_from_slice(&term.to_be_bytes());
    key
}

pub(crate) fn posting(workspace: &str, of: u64, range: u32) -> Vec<u8> {
    let mut key = term(workspace, of);
    key.extend_from_slice(&range.to_be_bytes());
    key
}

/// The range of a posting's key.
pub(crate) fn range_of_posting(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.last_chunk()?))
}
