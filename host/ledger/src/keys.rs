//! Where things stand in the store. A key is a letter, the workspace, a zero byte, and what tells it from its neighbours;
//! numbers are big-endian, so that keys sort as they do.
//!
//! | key | value |
//! | --- | --- |
//! | `L` workspace 0 seq:8 | a block: the records from `seq` on, one a line |
//! | `H` workspace 0 | the head of the workspace's chain |
//! | `X` workspace 0 term:8 range:4 | where in a range of records a term stands |
//! | `S` seq:8 | a signed head |
//! | `T` workspace 0 seq:8 | the number of the signed head that names this record, in 8 bytes, and the record's hash |
//! | `W` name | the number of the last signed head that was written to the sink of this name, in 8 bytes |

use portcullis_store::Scan;

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

/// All blocks begin with this.
pub(crate) const BLOCKS: &[u8] = b"L";

/// The workspace of a block's key.
pub(crate) fn workspace_of_block(key: &[u8]) -> Option<&str> {
    let (name, _) = key.strip_prefix(BLOCKS)?.split_last_chunk::<8>()?;
    std::str::from_utf8(name.strip_suffix(&[0])?).ok()
}

/// A signed head.
pub(crate) fn signed(seq: u64) -> Vec<u8> {
    [b"S".as_slice(), &seq.to_be_bytes()].concat()
}

/// All signed heads, oldest first.
pub(crate) fn all_signed() -> Scan {
    Scan::prefix(*b"S")
}

/// The number of a signed head's key.
pub(crate) fn seq_of_signed(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(b"S")?.try_into().ok()?))
}

/// Which signed head names this record.
pub(crate) fn covering(workspace: &str, seq: u64) -> Vec<u8> {
    let mut key = of(b'T', workspace);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// How far a sink is.
pub(crate) fn sink(name: &str) -> Vec<u8> {
    [b"W".as_slice(), name.as_bytes()].concat()
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
