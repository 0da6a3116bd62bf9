//! Master keys: what wraps the data keys, and where it comes from.
//!
//! | file | what it does |
//! | --- | --- |
//! | `local.rs` | a master key whose bytes this process has |
//! | `file.rs`, `command.rs` | reads one from a file, from a program |
//! | `source.rs` | `file:PATH`, `env:NAME`, `command:PROGRAM ARG…` |
//!
//! [`KeyProvider`] is the seam for a KMS or a PKCS#11 token: it wraps and unwraps data keys, and nobody asks it for the
//! master key itself.

mod command;
mod file;
mod local;
mod source;

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

pub use command::CommandKey;
pub use file::FileKey;
pub use local::{EnvKey, LocalKey};
pub use source::KeySource;

/// Bytes of a master key and of a data key.
pub const KEY_BYTES: usize = 32;

/// What seals a workspace's credentials. Wiped when dropped; it does not print and does not clone.
pub struct DataKey(Zeroizing<Vec<u8>>);

impl DataKey {
    /// A new one.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new(vec![0; KEY_BYTES]);
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Crypto("no random bytes"))?;
        Ok(Self(bytes))
    }

    /// From what a provider unwrapped.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        if bytes.len() == KEY_BYTES { Ok(Self(bytes)) } else { Err(KeyError::Unwrap) }
    }

    /// Its bytes, for providers alone: what they send to a KMS.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Holds a master key, or talks to somebody who does.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// Which master key this is: a fingerprint or a name, never the key. Kept beside what it wrapped, and told in errors.
    fn id(&self) -> String;

    /// Wraps a data key. `aad` says what it is for; unwrapping must fail with any other.
    ///
    /// What it gives is kept where others may write. A provider must authenticate what it unwraps, `aad` included: keys that
    /// decide what this host trusts are wrapped too, and one that can be made without the master key, or moved from one
    /// `aad` to another, would be trusted. AES-GCM does, AES-CBC alone does not; a KMS calls `aad` its encryption context.
    async fn wrap(&self, key: &DataKey, aad: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Unwraps one. [`KeyError::Unwrap`] unless exactly this was wrapped, by this master key and for this `aad`.
    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<DataKey, KeyError>;
}

/// There is no master key, or it did not do its part. Says nothing about its bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a source.
    #[error(
        "write `file:PATH`, `env:NAME` or `command:PROGRAM ARG…`; a master key itself does not belong on a command line"
    )]
    Source,
    /// Others could read the file.
    #[error(
        "{path}: others than its owner may read or write it (mode {mode:o}); write: chmod 600 {path}, and change to a new master key if somebody had it"
    )]
    Permissions {
        /// Which file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// Somebody else's file.
    #[error("{path}: it belongs to user {owner}, who could put another key there; write: chown {me} {path}")]
    Owner {
        /// Which file.
        path: String,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        me: u32,
    },
    /// A folder, a pipe, a device.
    #[error("{path}: this is no regular file; give a file, or `command:` for a program that prints the key")]
    NotAFile {
        /// Which.
        path: String,
    },
    /// The file cannot be read or made.
    #[error("{path}: {problem}")]
    Io {
        /// Which file.
        path: String,
        /// What went wrong.
        problem: String,
    },
    /// No such variable, or not text.
    #[error("the environment variable {0} is not set; it takes a master key: openssl rand -base64 32")]
    Env(String),
    /// The program did not give a key.
    #[error("the program {program} gave no master key: {problem}; run it by hand to see what it says")]
    Command {
        /// Which program, without its arguments.
        program: String,
        /// Why.
        problem: String,
    },
    /// What was read is no key.
    #[error("{place}: this is no master key; one is 32 random bytes as one line of base64: openssl rand -base64 32")]
    Form {
        /// Where it was.
        place: String,
    },
    /// Wrapped by another key, for another purpose, or changed since.
    #[error("the data key cannot be unwrapped with this master key")]
    Unwrap,
    /// There is none here.
    #[error("there is no master key here; give one with `file:PATH`, `env:NAME` or `command:PROGRAM ARG…`")]
    Absent,
    /// The service that holds the key did not do its part.
    #[error("the service that holds the master key: {0}")]
    Service(String),
    /// The crypto library did not do its part.
    #[error("{0}")]
    Crypto(&'static str),
}
