//! The host's own keys, one for each purpose, that live where the master key lives: what decides what is trusted is checked
//! with one of them, and never with a key that lies beside it on the disk.
//!
//! A [`KeyProvider`](crate::KeyProvider) wraps and unwraps and shows nobody its key, so that it can be a KMS. A key for a
//! purpose is therefore 32 random bytes, made once, wrapped by the master key and kept in the store like a workspace's data
//! key, under a name that no workspace can have. The name is part of what the wrapping authenticates, so the key for one
//! purpose cannot be put in the place of another; and it is wrapped anew by both passes of
//! [`Credentials::rewrap`] like any data key.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::{CredentialError, Credentials, ReadProblem, data_keys::wrong, places};
use crate::{
    keys::{DataKey, KEY_BYTES},
    seal::Wrapped,
};

/// Names of these keys begin like this. Names of workspaces do not begin with `@`.
const PREFIX: &str = "@key/";

/// The purpose, where this is no workspace's name.
pub(super) fn of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

/// The name under which the key for a purpose is kept.
pub(super) fn name(purpose: &str) -> String {
    format!("{PREFIX}{purpose}")
}

/// A key for one purpose: HMAC-SHA256 under it. It does not print and does not clone.
pub struct PurposeKey(hmac::Key);

impl PurposeKey {
    fn new(key: &DataKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The MAC of a message.
    pub fn mac(&self, message: &[u8]) -> [u8; KEY_BYTES] {
        let tag = hmac::sign(&self.0, message);
        let mut mac = [0; KEY_BYTES];
        mac.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        mac
    }

    /// Whether this is the MAC of a message, in constant time.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, message, mac).is_ok()
    }

    /// A key below this one, for who wants bytes. `context` tells it from others below the same key; no message of
    /// [`PurposeKey::mac`] may begin like it.
    pub fn below(&self, context: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(self.mac(&[b"portcullis key below 1\0".as_slice(), context].concat()))
    }
}

impl fmt::Debug for PurposeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PurposeKey(…)")
    }
}

impl Credentials {
    /// The host's key for a purpose, made where there is none yet. Asks the master key each time: keep what it gives.
    pub async fn key_for(&self, purpose: &str) -> Result<PurposeKey, CredentialError> {
        let name = name(purpose);
        let kept = self.kept_keys(&name).await?;
        self.unwrap_for(&name, &kept).await
    }

    /// The host's key for a purpose, where there is one.
    pub(crate) async fn known_key_for(&self, purpose: &str) -> Result<Option<PurposeKey>, CredentialError> {
        let name = name(purpose);
        match self.store().get(&places::data_keys(&name)).await? {
            Some(kept) => self.unwrap_for(&name, &kept).await.map(Some),
            None => Ok(None),
        }
    }

    async fn unwrap_for(&self, name: &str, kept: &[u8]) -> Result<PurposeKey, CredentialError> {
        let wrapped = Wrapped::read(kept).ok_or_else(|| wrong(name, ReadProblem::DataKeyDamaged))?;
        let key = self.told(wrapped.unwrap(&self.providers(), name, wrapped.current).await);
        Ok(PurposeKey::new(&key.map_err(|problem| wrong(name, problem))?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Host, ada, key};
    use super::*;

    const MESSAGE: &[u8] = b"what is trusted";

    #[tokio::test]
    async fn a_key_for_a_purpose_is_the_same_after_a_restart_and_another_for_each_purpose() {
        let host = Host::new().await;
        let mac = host.open(1).await.key_for("cache").await.unwrap().mac(MESSAGE);
        let again = host.open(1).await.key_for("cache").await.unwrap();
        assert!(again.verify(MESSAGE, &mac) && !again.verify(b"what is not", &mac));
        assert_ne!(host.open(1).await.key_for("state").await.unwrap().mac(MESSAGE), mac);
        assert_ne!(again.below(b"a"), again.below(b"b"));
        assert!(!host.everything().await.iter().any(|(_, value)| value.windows(32).any(|part| part == mac)));
    }

    #[tokio::test]
    async fn another_master_key_and_another_purposes_key_are_refused_by_name() {
        let host = Host::new().await;
        host.open(1).await.key_for("cache").await.unwrap();
        host.open(1).await.key_for("state").await.unwrap();
        let error = host.open(2).await.key_for("cache").await.unwrap_err().to_string();
        assert!(error.contains("the host's key for `cache`"), "{error}");
        let state = host.get(&places::data_keys(&name("state"))).await;
        host.put(&places::data_keys(&name("cache")), &state).await;
        let error = host.open(1).await.key_for("cache").await.unwrap_err().to_string();
        assert!(error.contains("the host's key for `cache`") && error.contains("changed"), "{error}");
    }

    #[tokio::test]
    async fn it_goes_along_when_the_master_key_is_changed() {
        let host = Host::new().await;
        let credentials = host.open(1).await;
        let mac = credentials.key_for("cache").await.unwrap().mac(MESSAGE);
        let done = credentials.rewrap(key(2), &ada(), &mut |_, _| {}).await.unwrap();
        assert_eq!(done.workspaces, 0, "no workspace has a data key yet");
        assert!(host.open(2).await.key_for("cache").await.unwrap().verify(MESSAGE, &mac));
        assert!(host.open(1).await.key_for("cache").await.is_err());
    }
}
