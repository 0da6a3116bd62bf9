//! The vault: holds an integration's secrets, puts them on requests the gate has allowed, and takes their echoes out of
//! responses.
//!
//! | file | what it does |
//! | --- | --- |
//! | `secret.rs` | a secret: does not print, does not clone, is wiped |
//! | `pasted.rs`, `pem.rs` | one as people paste it |
//! | `source.rs` | where an operator gives one: a file, an environment variable, standard input |
//! | `material/` | what an operator hands over, by kind |
//! | `usable.rs`, `identity.rs` | what a slot holds, ready to be used |
//! | `outgoing.rs`, `ready.rs` | a request, and its secrets, all as they were at one moment |
//! | `scheme/` | how one goes on the wire, a file for each scheme |
//! | `client.rs` | how tokens are asked for: what is sent, and who sends it |
//! | `keys/` | master keys: where they come from, and the seam for a KMS |
//! | `seal/` | how what is kept is sealed |
//! | `credentials/` | credentials at rest, and their life: for those who run the host |
//! | `state/` | what vouches for the records that authorise |
//! | `token/` | OAuth 2.0: what is sent for a token, and what an answer says |
//! | `live/` | the integrations' side: what is stored, ready to be used as it is now |
//! | `scrub/` | how one is found in what an upstream sends back |
//! | `strength.rs` | whether one can be guessed |
//! | `memory.rs` | a vault that holds its secrets in memory |
//!
//! There is no function here that returns a secret, and none that can be reached from a guest. What a guest holds is the
//! name of a slot; whether it may use it was decided before this crate is asked.

mod client;
mod credentials;
mod identity;
mod keys;
mod live;
mod mac;
mod material;
mod memory;
mod outgoing;
mod pasted;
mod pem;
mod ready;
mod scheme;
mod scrub;
mod seal;
mod secret;
mod source;
mod state;
mod strength;
mod token;
mod usable;

pub use client::{Purpose, TokenClient, TokenRequest, TokenResponse, TokenSendError, TokenVault};
pub use credentials::{
    CredentialChange, CredentialError, CredentialId, CredentialInfo, Credentials, Expiring, KeptToken, Listing,
    NewOptions, Overlap, Previous, PurposeKey, ReadError, ReadProblem, Rewrapped, Rewrapping, RotatedDataKey, State,
    Stored, What, credential_numbers,
};
pub use identity::Identity;
pub use keys::{CommandKey, DataKey, EnvKey, FileKey, KEY_BYTES, KeyError, KeyProvider, KeySource, LocalKey};
pub use live::{CredentialEvent, Happened, IntegrationVault, NOT_BOUND, Vaults};
pub use material::{Field, Given, Kind, Material, MaterialError};
pub use memory::MemoryVault;
pub use outgoing::Outgoing;
pub use portcullis_gate::MacAlgorithm;
pub use ready::Ready;
pub use scheme::body_fits;
pub use scrub::{Scrubbed, Scrubber};
pub use secret::{Secret, SecretError};
pub use source::{Exposed, Source, SourceError};
pub use state::{Adopted, AdoptedRecord, HostState, Kept, StateError, Unvouched, authorises, compare_with_state};

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_gate::{OpenSlot, Slot};
use tokio::sync::watch;

/// Whether what was handed over is right for a slot, before it is kept: its fields, its keys, and that the slot takes its kind.
/// Says when it stops working, where it says so itself.
pub fn check(given: &Given, slot: &Slot) -> Result<Option<Timestamp>, MaterialError> {
    material::judge_pasted(given, &slot.scheme)?;
    Ok(Material::new(given, &slot.scheme, slot.oauth.as_ref())?.expires())
}

/// Which of these secrets can be guessed, by their names: what an operator is warned of.
pub fn weak_secrets(given: &Given) -> Vec<&str> {
    let of_lines = |name: &str| given.kind.fields().iter().any(|field| field.name == name && field.is_document());
    let weak = |(name, secret): &(&String, &Secret)| !of_lines(name) && strength::is_weak_credential(secret.expose());
    given.secrets.iter().filter(weak).map(|(name, _)| name.as_str()).collect()
}

/// An integration's credentials, for the host's own parts.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Whether something is stored in this slot that can be used. Decrypts nothing.
    fn holds(&self, slot: &str) -> bool;

    /// Why what is in this slot cannot be used, where that is plain without decrypting it.
    fn available(&self, slot: &str) -> Result<(), VaultError> {
        if self.holds(slot) { Ok(()) } else { Err(VaultError::Empty(slot.to_owned())) }
    }

    /// What these slots hold, all as of one moment, ready to be put on a request to this origin that the gate has allowed. Waits
    /// where a token has to be asked for first. `by` is told to operators: the operation, say.
    async fn ready(&self, slots: &[OpenSlot], origin: &str, by: &str) -> Result<Ready, VaultError>;

    /// An upstream answered 401 to a request with these. Whether there is something else now to try it with, once.
    async fn refused(&self, ready: &Ready) -> bool {
        let _ = ready;
        false
    }

    /// The MAC of `message` under a slot of scheme `signing-key`.
    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, VaultError>;

    /// Whether `mac` is that MAC, in constant time.
    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, VaultError>;

    /// Takes in what was changed until now. Asked for at the beginning of a call, so that what is asked without waiting
    /// ([`Vault::holds`], [`Vault::sign`], [`Vault::verify`]) is as of then or later.
    async fn refresh(&self) {}

    /// What an authorization server gave beside the slot's token, by a name that the slot declares. Waits where the token
    /// has to be asked for first.
    async fn value(&self, slot: &OpenSlot, name: &str) -> Result<String, VaultError> {
        Err(VaultError::NoValue { slot: slot.name.clone(), name: name.to_owned() })
    }

    /// What finds this vault's secrets in responses.
    fn scrubber(&self) -> Arc<Scrubber>;

    /// Counts changes. Connections of older numbers are closed.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Before the first call: what the adapter declares of its slots, and who asks authorization servers.
    fn connect(&self, slots: &[Slot], client: Arc<dyn TokenClient>) {
        let _ = (slots, client);
    }
}

impl VaultError {
    /// The slot that it is about.
    pub fn slot(&self) -> &str {
        match self {
            Self::Empty(slot) | Self::Revoked(slot) | Self::Expired(slot) => slot,
            Self::Unfit { slot, .. }
            | Self::NotBound { slot, .. }
            | Self::Reconnect { slot, .. }
            | Self::Token { slot, .. }
            | Self::Damaged { slot, .. }
            | Self::NoValue { slot, .. } => slot,
        }
    }
}

/// A credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Nothing is stored in the slot.
    #[error("no credential is stored in the slot `{0}`")]
    Empty(String),
    /// What is stored does not fit the slot's scheme.
    #[error("the secret in the slot `{slot}` cannot go on the wire as {scheme}: {problem}")]
    Unfit {
        /// The slot.
        slot: String,
        /// Its scheme.
        scheme: &'static str,
        /// What would fit.
        problem: String,
    },
    /// It was revoked.
    #[error("the credential in the slot `{0}` was revoked; give another one")]
    Revoked(String),
    /// It was given for other origins.
    #[error(
        "the credential in the slot `{slot}` is not bound to {origin}: it was given for {bound}, and is sent nowhere else until an \
         operator says so"
    )]
    NotBound {
        /// The slot.
        slot: String,
        /// Where it would have gone.
        origin: String,
        /// What it was given for.
        bound: String,
    },
    /// It has expired.
    #[error("the credential in the slot `{0}` has expired; rotate it")]
    Expired(String),
    /// A person has to agree again.
    #[error("the credential in the slot `{slot}` needs to be reconnected: {why}")]
    Reconnect {
        /// The slot.
        slot: String,
        /// Why.
        why: String,
    },
    /// There is no token.
    #[error("no token for the slot `{slot}`: {why}")]
    Token {
        /// The slot.
        slot: String,
        /// A code: `denied`, `dns`, `timeout`, `refused`, ...
        code: String,
        /// Why, in a sentence.
        why: String,
        /// Whether it may end better later.
        retryable: bool,
    },
    /// What is stored is not what was stored.
    #[error("the credential in the slot `{slot}` cannot be read: {why}")]
    Damaged {
        /// The slot.
        slot: String,
        /// Which record, and what is wrong with it.
        why: String,
    },
    /// Nothing of this name came with the token.
    #[error("the authorization server gave no `{name}` with the token of the slot `{slot}`")]
    NoValue {
        /// The slot.
        slot: String,
        /// The name.
        name: String,
    },
}
