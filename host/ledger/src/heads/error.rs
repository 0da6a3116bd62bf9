//! Why heads are not signed.

use portcullis_gate::printable;

use super::{SignError, SinkError};
use crate::error::LedgerError;

/// Why heads are not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The ledger cannot be read, or the signed head not kept.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The key does not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What is kept elsewhere cannot be read. Without it nobody knows whether the store is an older one.
    #[error("{0}; mend it, or leave it out, and the host starts")]
    Sink(#[from] SinkError),
    /// A chain is shorter than it was.
    #[error(
        "the chain of the workspace `{}` ends at record {found}, and {place} has a signed head that names record {signed}: the store was put back to an older state, or cut off. Put the newer store back; `portcullis audit verify` says what holds. To go on without it, move {place} away and keep it as evidence",
        printable(.workspace, 128)
    )]
    RolledBack {
        /// Whose chain.
        workspace: String,
        /// Where it ends in the store.
        found: u64,
        /// The record that was signed.
        signed: u64,
        /// Where the signed head is kept.
        place: String,
    },
    /// A record is another than was signed.
    #[error(
        "record {signed} of the workspace `{}` is not the one that was signed (signed head {head}, in {place}), though its chain goes to record {found}: records were changed and hashed anew. `portcullis audit verify` says how far they hold; put a true copy of the store back",
        printable(.workspace, 128)
    )]
    Rewritten {
        /// Whose chain.
        workspace: String,
        /// Where it ends in the store.
        found: u64,
        /// The record that was signed.
        signed: u64,
        /// Which signed head names it.
        head: u64,
        /// Where that is kept.
        place: String,
    },
    /// What authorises is older than it was.
    #[error(
        "what authorises in this store was changed {found} times, and signed head {head} in {place} names change {signed}: the store, or the part of it that says what is granted, was put back to an older state. Put the newer store back. To go on with this one, move {place} away, keep it as evidence, look at what is granted here and adopt it"
    )]
    StateRolledBack {
        /// How many changes the store knows of.
        found: u64,
        /// Which change was signed.
        signed: u64,
        /// Which signed head names it.
        head: u64,
        /// Where that is kept.
        place: String,
    },
    /// What authorises is another than was signed.
    #[error(
        "what authorises in this store is not what change {signed} led to (signed head {head}, in {place}): it was changed by somebody who does not keep the state. Put a true copy of the store back, or look at what is granted here and adopt it"
    )]
    StateRewritten {
        /// Which change was signed.
        signed: u64,
        /// Which signed head names it.
        head: u64,
        /// Where that is kept.
        place: String,
    },
    /// A signed head is not what it has to be.
    #[error("signed head {seq} in {place} is wrong: {what}; `portcullis audit verify` says what holds")]
    Damaged {
        /// Which one.
        seq: u64,
        /// Where.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// Two sinks cannot be told apart.
    #[error("two sinks for signed heads have the name `{0}`; give each its own")]
    SameName(String),
}

impl From<portcullis_store::StoreError> for HeadError {
    fn from(error: portcullis_store::StoreError) -> Self {
        Self::Ledger(error.into())
    }
}
