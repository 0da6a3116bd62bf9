//! Why a record was not kept, or could not be read.

use portcullis_gate::Spent;
use portcullis_store::StoreError;

/// Why the ledger did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store did not do its part. The call that the record is about must not go on.
    #[error("the ledger cannot be written or read: {0}; no call is made without a record")]
    Store(#[from] StoreError),
    /// A check of a change did not hold. Neither the change nor its record was kept.
    #[error("{key} was changed by somebody else meanwhile; read it again and decide anew")]
    Conflict {
        /// The key, as text.
        key: String,
    },
    /// A record is not what it has to be.
    #[error(
        "record {seq} of the workspace `{workspace}` is wrong: {what}; `portcullis audit verify` says how far the chain holds"
    )]
    Corrupt {
        /// Whose chain.
        workspace: String,
        /// Which record.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// The state record of the store is no state record.
    #[error(
        "the state record of this store, which vouches for what authorises, cannot be read: {what}; take the store back from a backup, or look and adopt it"
    )]
    State {
        /// What is wrong.
        what: String,
    },
    /// A record cannot be kept as it is.
    #[error("the record cannot be kept: {0}")]
    Entry(String),
    /// Keeping an input or output costs more work than is left.
    #[error(transparent)]
    Work(#[from] Spent),
    /// The store has not answered in time. The record may be kept all the same.
    #[error("the ledger did not keep a record within {waited_ms} ms; no call is made without a record")]
    Slow {
        /// How long was waited.
        waited_ms: u64,
    },
    /// Signed heads that are kept elsewhere cannot be read.
    #[error("{place} cannot be read: {problem}; what was signed is compared with it")]
    Outside {
        /// Where they are.
        place: String,
        /// What went wrong.
        problem: String,
    },
    /// The clock jumped ahead, and nobody has said since then that it is right.
    #[error(
        "nothing is erased by a clock that may be wrong: it says {says}, and jumped ahead by {:#}, or nothing was recorded for so \
         long. Look whether it is right, and confirm it",
        long(.seconds)
    )]
    ClockInDoubt {
        /// What it says.
        says: jiff::Timestamp,
        /// By how many seconds it jumped.
        seconds: u64,
    },
    /// The ledger was closed.
    #[error("the ledger is closed; no call is made without a record")]
    Closed,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "thiserror gives a reference")]
fn long(seconds: &u64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_secs(i64::try_from(*seconds).unwrap_or(i64::MAX))
}
