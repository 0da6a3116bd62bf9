//! What becomes known of a credential, for those who tell somebody.

use jiff::Timestamp;
use serde::Serialize;

use crate::credentials::CredentialId;

/// Something became known of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialEvent {
    /// Which one.
    #[serde(flatten)]
    pub id: CredentialId,
    /// Its generation.
    pub generation: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: Happened,
}

/// What became known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "happened", rename_all = "kebab-case")]
pub enum Happened {
    /// It is new.
    Added,
    /// Another one is in its place.
    Rotated,
    /// It is not to be used any more.
    Revoked,
    /// It is gone.
    Removed,
    /// It works, and will not for long.
    Expiring {
        /// Until when.
        expires: Timestamp,
    },
    /// It does not work any more.
    Expired,
    /// An upstream answered 401 to it.
    Refused,
    /// No token could be had.
    NoToken {
        /// Why.
        why: String,
    },
    /// A person has to agree again.
    NeedsReconnect {
        /// Why.
        why: String,
    },
    /// A person has.
    Reconnected,
}
