//! The vault: holds an integration's secrets, puts them on requests the gate has allowed, and takes their echoes out of
//! responses.
//!
//! | file | what it does |
//! | --- | --- |
//! | `secret.rs` | a secret: does not print, does not clone, is wiped |
//! | `source.rs` | where an operator gives one: a file, an environment variable, standard input |
//! | `attach.rs` | how one goes on the wire, by scheme |
//! | `scrub/` | how one is found in what an upstream sends back |
//! | `memory.rs` | a vault that holds its secrets in memory |
//!
//! There is no function here that returns a secret, and none that can be reached from a guest. What a guest holds is the
//! name of a slot; whether it may use it was decided before this crate is asked.

mod attach;
mod memory;
mod scrub;
mod secret;
mod source;

pub use memory::MemoryVault;
pub use scrub::{Scrubbed, Scrubber};
pub use secret::{Secret, SecretError};
pub use source::{Source, SourceError};

use std::sync::Arc;

use http::HeaderMap;
use portcullis_gate::Scheme;
use url::Url;

/// Keyed hashes (RFC 2104).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MacAlgorithm {
    HmacSha1,
    HmacSha256,
    HmacSha512,
}

/// An integration's credentials, for the host's own parts.
pub trait Vault: Send + Sync {
    /// Counts changes. Connections made under another generation are not used again.
    fn generation(&self) -> u64;

    /// Whether a secret is stored in this slot. Decrypts nothing.
    fn holds(&self, slot: &str) -> bool;

    /// Puts the slot's secret on a request that the gate has allowed.
    fn attach(&self, slot: &str, scheme: &Scheme, headers: &mut HeaderMap, url: &mut Url) -> Result<(), VaultError>;

    /// The MAC of `message` under a slot of scheme `signing-key`.
    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, VaultError>;

    /// Whether `mac` is that MAC, in constant time.
    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, VaultError>;

    /// What finds this vault's secrets in responses.
    fn scrubber(&self) -> Arc<Scrubber>;
}

/// A credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Nothing is stored in the slot.
    #[error("no secret is stored in the slot `{0}`; give one with `--credential {0}=file:PATH`, `env:NAME` or `-`")]
    Empty(String),
    /// What is stored does not fit the slot's scheme.
    #[error("the secret in the slot `{slot}` cannot go on the wire as {scheme}: {problem}")]
    Unfit {
        /// The slot.
        slot: String,
        /// Its scheme.
        scheme: &'static str,
        /// What would fit.
        problem: &'static str,
    },
}
