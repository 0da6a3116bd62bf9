//! Where things stand in the store. A key is a letter, the workspace, a zero byte, and what tells it from its neighbours;
//! numbers are big-endian, so that keys sort as they do.
//!
//! | key | value |
//! | --- | --- |
//! | `L` workspace 0 seq:8 | a block: the records from `seq` on, one a line |
//! | `H` workspace 0 | the head of the workspace's chain |
//! | `X` workspace 0 group:4 term:8 range:4 | where in a range of records a term stands |
//! | `S` seq:8 | a signed head |
//! | `T` workspace 0 seq:8 | the number of the signed head that names this record, in 8 bytes, and the record's hash |
//! | `W` name | the number of the last signed head that was written to the sink of this name, in 8 bytes |
//! | `P` workspace 0 call:16 side:1 | what is kept of a call's input (`i`), its output (`o`) or the words of strangers (`w`), or that it was erased |
//! | `P` workspace 0 call:16 side:1 part:2 | where that is long: its further parts, from 1 |
//! | `V`, `V` page:1 | what vouches for the records that authorise: `state.rs` |
//! | `E` seconds:8 workspace 0 call:16 side:1 | what is kept until that time; the value is empty |
//!
//! Inputs and outputs have keys of their own, so that they can be erased and no record is touched.

use portcullis_gate::Named;
use portcullis_store::Scan;

use crate::{entry::HOST, error::LedgerError, policy::Side, record::CallId};

/// Whether a workspace can have a chain of this name.
pub(crate) fn check(workspace: &str) -> Result<(), LedgerError> {
    if workspace == HOST {
        return Ok(());
    }
    Named::Workspace.check(workspace).map_err(|error| LedgerError::Entry(error.to_string()))
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

/// How many ranges stand together in the index. Within a group keys are in the order of their terms, and terms are as good as
/// random: so what is written to at one time is a group, a few megabytes, however long the chain is.
const GROUP: u32 = 64;

/// The last range of this one's group.
pub(crate) fn group_end(range: u32) -> u32 {
    (range / GROUP).saturating_mul(GROUP).saturating_add(GROUP - 1)
}

/// The first range of this one's group.
pub(crate) fn group_start(range: u32) -> u32 {
    range / GROUP * GROUP
}

pub(crate) fn posting(workspace: &str, term: u64, range: u32) -> Vec<u8> {
    let mut key = of(b'X', workspace);
    key.extend_from_slice(&(range / GROUP).to_be_bytes());
    key.extend_from_slice(&term.to_be_bytes());
    key.extend_from_slice(&range.to_be_bytes());
    key
}

/// The range of a posting's key.
pub(crate) fn range_of_posting(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.last_chunk()?))
}

/// What is kept of a call's input or output; its further parts begin with this too.
pub(crate) fn payload(workspace: &str, call: CallId, side: Side) -> Vec<u8> {
    let mut key = of(b'P', workspace);
    key.extend_from_slice(call.as_bytes());
    key.push(letter(side));
    key
}

pub(crate) fn payload_part(workspace: &str, call: CallId, side: Side, part: u16) -> Vec<u8> {
    let mut key = payload(workspace, call, side);
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// All that is kept until some time begins with this.
pub(crate) const EXPIRIES: &[u8] = b"E";

pub(crate) fn expiry(seconds: u64, workspace: &str, call: CallId, side: Side) -> Vec<u8> {
    let mut key = expiries_from(seconds);
    key.extend_from_slice(workspace.as_bytes());
    key.push(0);
    key.extend_from_slice(call.as_bytes());
    key.push(letter(side));
    key
}

/// Before all that is kept until this second or longer.
pub(crate) fn expiries_from(seconds: u64) -> Vec<u8> {
    let mut key = EXPIRIES.to_vec();
    key.extend_from_slice(&seconds.to_be_bytes());
    key
}

/// Whether a key is of what is kept of an input or output.
pub(crate) fn is_of_payload(key: &[u8]) -> bool {
    key.starts_with(b"P") || key.starts_with(EXPIRIES)
}

/// What an expiry's key is about.
pub(crate) fn of_expiry(key: &[u8]) -> Option<(&str, CallId, Side)> {
    let (_, rest) = key.strip_prefix(EXPIRIES)?.split_at_checked(8)?;
    let (workspace, rest) = rest.split_at_checked(rest.len().checked_sub(18)?)?;
    let [0, call @ .., side] = rest else { return None };
    let side = Side::ALL.into_iter().find(|known| letter(*known) == *side)?;
    Some((std::str::from_utf8(workspace).ok()?, CallId::from_bytes(call.try_into().ok()?), side))
}

fn letter(side: Side) -> u8 {
    match side {
        Side::Input => b'i',
        Side::Output => b'o',
        Side::Words => b'w',
    }
}
