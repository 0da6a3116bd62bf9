//! The ledger: an append-only record of every call and every refusal.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `record.rs` | what a record says |
//! | `receipt.rs` | what a call used |
//! | `jsonl.rs` | a ledger that is a JSON Lines file |
//!
//! The rule it serves is *no record, no call*: [`Ledger::append`] returns only when the record is kept, and a live call
//! whose intent cannot be recorded does not happen. Callers know nothing of how records are kept; the file of today gives
//! way to a hash-chained log behind the same trait.
//!
//! Records hold no secrets and no inputs or outputs, only what is needed to say who did what under which grant.

mod jsonl;
mod receipt;
mod record;

pub use jsonl::JsonLines;
pub use receipt::Receipt;
pub use record::{CallId, Caller, Event, Exchange, Mode, Record, Status, Step, Subject};

use async_trait::async_trait;

/// Where records are kept.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Keeps a record. Returns when a `kill -9` of the process can no longer lose it.
    async fn append(&self, record: &Record<'_>) -> Result<(), LedgerError>;
}

/// A record could not be kept. The call it is about must not go on.
#[derive(Debug, thiserror::Error)]
#[error("the ledger cannot be written ({place}): {problem}; no call is made without a record")]
pub struct LedgerError {
    /// Where the ledger is.
    pub place: String,
    /// What went wrong.
    pub problem: String,
}

/// A ledger that keeps nothing. For tests and sandbox-only tools; a host that runs live calls does not use it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

#[async_trait]
impl Ledger for Discard {
    async fn append(&self, _: &Record<'_>) -> Result<(), LedgerError> {
        Ok(())
    }
}
