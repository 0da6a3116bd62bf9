//! What can be wrong with the state, or with what it vouches for. Each error names the record, and says what to do.

use portcullis_ledger::{LedgerError, state};

use crate::credentials::CredentialError;

/// Why a record that authorises is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unvouched {
    /// Another value than the one that was kept.
    #[error("it is not what was kept here last: it was edited, swapped or put back")]
    Changed,
    /// It was kept, and is not there.
    #[error("it was kept here, and is gone")]
    Missing,
    /// Nobody kept it here, or it was removed.
    #[error("nobody kept it here, or it was removed and put back")]
    Unknown,
    /// What vouches for it was changed.
    #[error("what vouches for it was changed itself")]
    Page,
}

/// A record of what authorises, as it is called in errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept(Vec<u8>);

impl Kept {
    /// Of the record with this key.
    pub fn new(key: &[u8]) -> Self {
        Self(key.to_vec())
    }

    /// Its key in the store.
    pub fn key(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((letter, rest)) = self.0.split_first() else { return f.write_str("a record without a key") };
        let text = |bytes: &[u8]| portcullis_gate::printable(&String::from_utf8_lossy(bytes), 256);
        let mut parts = rest.splitn(4, |byte| *byte == 0);
        let mut name = || text(parts.next().unwrap_or_default());
        match letter {
            b'A' => write!(f, "the adapter {}", text(rest)),
            b'C' => {
                write!(f, "the credential {}/{}/{}", name(), name(), name())?;
                match rest.splitn(4, |byte| *byte == 0).nth(3).and_then(|number| number.try_into().ok()) {
                    Some(number) => write!(f, ", generation {}", u64::from_be_bytes(number)),
                    None => Ok(()),
                }
            }
            b'G' => f.write_str("the settings of the host"),
            b'I' => write!(f, "the integration {}/{}", name(), name()),
            _ => write!(f, "the record {}", self.0.escape_ascii()),
        }
    }
}

/// What is wrong with the state of a store, or with what it vouches for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A record that the state does not vouch for. The others can be used.
    #[error(
        "{record} is refused: {why}. Take the store back from a backup, or keep it anew; `audit verify` compares the store with what was recorded"
    )]
    Record {
        /// Which one.
        record: Kept,
        /// Why.
        why: Unvouched,
    },
    /// There are records that authorise, and no state.
    #[error(
        "nothing vouches for {records} records here that grant something ({example} is one): the store is from before there was a state, or its state was taken away. Look at what is granted, and adopt the store if it is right"
    )]
    Unadopted {
        /// How many.
        records: usize,
        /// One of them.
        example: Kept,
    },
    /// There was a state in this process, and it is gone.
    #[error(
        "the state record of this store, which vouches for what is granted, was taken away while the host ran; take the store back from a backup"
    )]
    Gone,
    /// It is no state that was made here.
    #[error(
        "the state record of this store, which vouches for what is granted, is not one that was made with this master key ({what}): it was edited. Take the store back from a backup, or look at what is granted and adopt the store"
    )]
    Forged {
        /// What is wrong.
        what: String,
    },
    /// An older one than this process knows.
    #[error(
        "the state record of this store, which vouches for what is granted, was put back while the host ran: it tells of {found} changes, and there were {known}. Take the newer store back"
    )]
    PutBack {
        /// How many changes it tells of.
        found: u64,
        /// How many are known here.
        known: u64,
    },
    /// It cannot be changed: the page on which a record stands is not known any more.
    #[error(
        "{record} cannot be kept: what vouches for it and its neighbours (page {page:02x} of the state) was changed. Take the store back from a backup, or look at what is granted and adopt the store"
    )]
    Page {
        /// Which record.
        record: Kept,
        /// Which page.
        page: u8,
    },
    /// The key of the state cannot be had.
    #[error("the state of this store cannot be checked: {0}")]
    Key(Box<CredentialError>),
    /// The ledger or the store did not do its part.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<portcullis_store::StoreError> for StateError {
    fn from(error: portcullis_store::StoreError) -> Self {
        Self::Ledger(match error {
            portcullis_store::StoreError::Conflict { key } => LedgerError::Conflict { key },
            error => error.into(),
        })
    }
}

impl From<CredentialError> for StateError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::State(error) => error,
            CredentialError::Ledger(error) => Self::Ledger(error),
            error => Self::Key(Box::new(error)),
        }
    }
}

impl StateError {
    /// Whether it says that somebody changed the state record, and not that something could not be done.
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Key(_) | Self::Unadopted { .. })
            && !matches!(self, Self::Ledger(error) if !matches!(error, LedgerError::State { .. }))
    }
}

/// Whether an error says that the state record itself was changed by somebody else meanwhile.
pub(super) fn state_moved(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Conflict { key } if *key == state::STATE.escape_ascii().to_string())
}
