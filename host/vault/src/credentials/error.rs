//! What can go wrong with credentials at rest. Each error names the record that it is about, and no secret.

use portcullis_gate::NameError;
use portcullis_ledger::LedgerError;
use portcullis_store::StoreError;

use super::CredentialId;
use crate::{
    keys::KeyError,
    state::{StateError, Unvouched},
};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is one already.
    #[error("there is a credential {0} already, perhaps a revoked one; rotate it, or remove it first")]
    Exists(CredentialId),
    /// There is none.
    #[error("there is no credential {0}; add one")]
    None(CredentialId),
    /// It was revoked.
    #[error("the credential {0} was revoked; rotate it to give another one")]
    Revoked(CredentialId),
    /// More than is kept.
    #[error("the credential {id} has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// Which one.
        id: CredentialId,
        /// How large.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The credential was changed meanwhile.
    #[error("the credential {id} is of generation {now} now, not {generation}; what is of the old one is not kept")]
    Superseded {
        /// Which one.
        id: CredentialId,
        /// What was asked for.
        generation: u64,
        /// What there is.
        now: u64,
    },
    /// Somebody else kept another token meanwhile.
    #[error("another token of the credential {id} was kept meanwhile; load that one")]
    TokenMoved {
        /// Which one.
        id: CredentialId,
    },
    /// A record cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The master key is being changed to another one.
    #[error("the master key is being changed to {to}; finish that first, with both keys")]
    Rewrapping {
        /// To which.
        to: String,
    },
    /// The master key did not do its part.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// What vouches for what authorises was changed, or does not vouch for a record.
    #[error(transparent)]
    State(StateError),
    /// The ledger or the store did not do its part.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
}

impl From<StateError> for CredentialError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Ledger(error) => Self::Ledger(error),
            StateError::Key(error) => *error,
            error => Self::State(error),
        }
    }
}

impl From<StoreError> for CredentialError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(match error {
            StoreError::Conflict { key } => LedgerError::Conflict { key },
            error => error.into(),
        })
    }
}

/// A record cannot be read. The others can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{record}: {problem}")]
pub struct ReadError {
    /// Which record: `credential acme/mail/server-token, generation 3`.
    pub record: String,
    /// What is wrong with it.
    pub problem: ReadProblem,
}

impl ReadError {
    /// Whether another master key is needed, and the record itself may be as it was kept.
    pub fn needs_another_key(&self) -> bool {
        matches!(self.problem, ReadProblem::WrongKey { .. } | ReadProblem::Key(_))
    }

    pub(super) fn new(record: String, problem: ReadProblem) -> Self {
        Self { record, problem }
    }
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadProblem {
    /// Another master key.
    #[error("it was wrapped with the master key {wrapped}, and here is {here}; give that one")]
    WrongKey {
        /// Which key wrapped it.
        wrapped: String,
        /// Which is here.
        here: String,
    },
    /// The master key could not be asked.
    #[error("its data key cannot be unwrapped: {0}")]
    Key(String),
    /// The data key itself was changed.
    #[error(
        "the workspace's data key was changed or is damaged, though the master key is the right one; take it back from a backup"
    )]
    DataKeyDamaged,
    /// There is no data key.
    #[error(
        "the workspace's data key is missing; take it back from a backup, or remove the credential and add it anew"
    )]
    DataKeyMissing,
    /// Not what was sealed.
    #[error(
        "its bytes are not those that were sealed: it was edited or damaged; rotate it, or take it back from a backup"
    )]
    Edited,
    /// No record at all.
    #[error("its record is cut short or no record ({0}); rotate it, or take it back from a backup")]
    Form(String),
    /// Sealed for another place.
    #[error("in its place is the record of {found}; records were swapped")]
    Swapped {
        /// Whose record it is.
        found: String,
    },
    /// An older record than the newest one.
    #[error(
        "it was rolled back: the record is of change {here}, and the ledger tells of change {ledger} ({action}, generation {generation}); rotate it"
    )]
    RolledBack {
        /// The change that made the record.
        here: u64,
        /// The newest one that the ledger tells of.
        ledger: u64,
        /// What that was.
        action: String,
        /// Its generation.
        generation: u64,
    },
    /// The ledger tells of it, and it is not there.
    #[error("it is missing, and the ledger does not tell that it was removed ({action} last); add it anew")]
    Missing {
        /// What was done last.
        action: String,
    },
    /// It is there, and the state does not vouch for any.
    #[error("nobody kept such a credential here, or it was removed and put back; remove it and add it anew")]
    Unrecorded,
    /// What vouches for it was changed.
    #[error("{0}; take the store back from a backup")]
    Unvouched(Unvouched),
    /// It was revoked. Its secrets are gone.
    #[error("it was revoked; rotate it to give another one")]
    Revoked,
}
