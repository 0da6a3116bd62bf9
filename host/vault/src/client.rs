//! How tokens are asked for: the vault says what, and somebody who may connect sends it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use portcullis_gate::{MacAlgorithm, OpenSlot};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    Vault, VaultError,
    ready::{Ready, Written},
    scrub::Scrubber,
};

/// A request to an authorization server. Its headers and its body hold secrets.
pub struct TokenRequest {
    /// The slot that it is for.
    pub slot: String,
    /// What for.
    pub purpose: Purpose,
    /// The method.
    pub method: Method,
    /// The URL, not judged yet.
    pub url: String,
    /// Header fields, with their secrets.
    pub headers: HeaderMap,
    /// The body, with its secrets.
    pub body: Option<Bytes>,
    /// Finds those secrets, in what is told of a failure.
    pub scrubber: Arc<Scrubber>,
}

/// A request to an authorization server, as the one who sends it takes secrets from any vault: so it goes the same way as
/// all requests. It takes no slots, finds nothing in the answer, which is the vault's own to read, and is sent once.
pub struct TokenVault {
    headers: HeaderMap,
    body: Option<Bytes>,
    /// Connections to authorization servers outlive changes of credentials: none is made with one.
    generation: watch::Sender<u64>,
}

impl TokenVault {
    /// For this request.
    pub fn new(request: &TokenRequest) -> Self {
        Self { headers: request.headers.clone(), body: request.body.clone(), generation: watch::channel(0).0 }
    }
}

#[async_trait]
impl Vault for TokenVault {
    fn holds(&self, _slot: &str) -> bool {
        false
    }

    async fn ready(&self, slots: &[OpenSlot], _origin: &str, _by: &str) -> Result<Ready, VaultError> {
        if let Some(slot) = slots.first() {
            return Err(VaultError::Empty(slot.name.clone()));
        }
        let mut ready = Ready::new(0, Arc::default(), Timestamp::UNIX_EPOCH);
        ready.written = Some(Written { headers: self.headers.clone(), body: self.body.clone() });
        Ok(ready)
    }

    fn sign(&self, slot: &str, _algorithm: MacAlgorithm, _message: &[u8]) -> Result<Vec<u8>, VaultError> {
        Err(VaultError::Empty(slot.to_owned()))
    }

    fn verify(&self, slot: &str, _algorithm: MacAlgorithm, _message: &[u8], _mac: &[u8]) -> Result<bool, VaultError> {
        Err(VaultError::Empty(slot.to_owned()))
    }

    fn scrubber(&self) -> Arc<Scrubber> {
        Arc::default()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}

/// What an authorization server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What it says about itself. Sent without secrets.
    Metadata,
    /// A token.
    Token,
    /// That a token is not to work any more.
    Revocation,
}

/// What it answered.
pub struct TokenResponse {
    /// The status.
    pub status: u16,
    /// The body, within the caps of any response. May hold tokens.
    pub body: Zeroizing<Vec<u8>>,
}

/// Sends a request to an authorization server: through the gate, recorded and capped like any request.
#[async_trait]
pub trait TokenClient: Send + Sync {
    /// Sends it.
    async fn send(&self, request: TokenRequest) -> Result<TokenResponse, TokenSendError>;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TokenSendError {
    /// What stopped it, such as `denied`, `dns`, `timeout`.
    pub code: String,
    /// In a sentence, without secrets and addresses.
    pub message: String,
    /// Whether it may end better later.
    pub retryable: bool,
}
