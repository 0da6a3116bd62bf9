//! A master key whose bytes this process has. Only keys derived from it stay in memory: one that wraps, and its name.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    rand,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{DataKey, KEY_BYTES, KeyError, KeyProvider};

/// What the key that wraps is derived for.
const WRAP: &[u8] = b"portcullis master key 1: wrap data keys";
/// What the name is derived for. It is no part of the key that wraps, and tells nothing of it.
const ID: &[u8] = b"portcullis master key 1: id";
const ID_BYTES: usize = 8;

/// A master key in memory. What it wraps is a nonce, then AES-256-GCM.
pub struct LocalKey {
    id: String,
    /// The library wipes its key schedule when it is dropped.
    wraps: LessSafeKey,
}

impl LocalKey {
    /// From 32 random bytes, which are not kept.
    pub fn new(master: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let crypto = |_| KeyError::Crypto("the master key cannot be derived from");
        if master.len() != KEY_BYTES {
            return Err(KeyError::Form { place: "the master key".to_owned() });
        }
        let extracted = Salt::new(HKDF_SHA256, &[]).extract(&master);
        let mut id = [0; ID_BYTES];
        extracted.expand(&[ID], IdLength).and_then(|okm| okm.fill(&mut id)).map_err(crypto)?;
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let wraps = extracted.expand(&[WRAP], &AES_256_GCM).map_err(crypto)?;
        Ok(Self { id, wraps: LessSafeKey::new(UnboundKey::from(wraps)) })
    }

    /// From one line of base64, as it stands in a file. `place` is told where it is none.
    pub(super) fn from_line(line: &[u8], place: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form { place: place.to_owned() };
        // Room for what decodes to a little more: the decoder wants whole groups of four.
        let mut bytes = Zeroizing::new(vec![0; KEY_BYTES + 3]);
        let length = BASE64_STANDARD.decode_slice(line.trim_ascii(), &mut bytes).map_err(|_| form())?;
        bytes.truncate(length);
        Self::new(bytes).map_err(|_| form())
    }
}

struct IdLength;

impl KeyType for IdLength {
    fn len(&self) -> usize {
        ID_BYTES
    }
}

#[async_trait]
impl KeyProvider for LocalKey {
    fn id(&self) -> String {
        self.id.clone()
    }

    async fn wrap(&self, key: &DataKey, aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        let crypto = |_| KeyError::Crypto("the data key cannot be wrapped");
        // A master key wraps one key for each workspace and rotation: random nonces do not meet.
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(crypto)?;
        let mut sealed = Zeroizing::new(key.expose().to_vec());
        let at = Nonce::assume_unique_for_key(nonce);
        let tag = self.wraps.seal_in_place_separate_tag(at, Aad::from(aad), &mut sealed).map_err(crypto)?;
        Ok([nonce.as_slice(), &sealed, tag.as_ref()].concat())
    }

    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<DataKey, KeyError> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or(KeyError::Unwrap)?;
        let (sealed, tag) = sealed.split_at_checked(KEY_BYTES).ok_or(KeyError::Unwrap)?;
        let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
        let at = Nonce::assume_unique_for_key(*nonce);
        let opened = self.wraps.open_separate_gather(at, Aad::from(aad), sealed, tag, &mut key);
        opened.map_err(|_| KeyError::Unwrap)?;
        DataKey::new(key)
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.id)
    }
}

/// A master key in an environment variable. The variable itself stays where it is, for whoever may read this process's
/// environment: a file is better.
pub struct EnvKey;

impl EnvKey {
    /// Reads it.
    pub fn open(name: &str) -> Result<LocalKey, KeyError> {
        let text = std::env::var(name).map_err(|_| KeyError::Env(name.to_owned()))?;
        let text = Zeroizing::new(text.into_bytes());
        LocalKey::from_line(&text, &format!("the environment variable {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> LocalKey {
        LocalKey::new(Zeroizing::new(vec![byte; KEY_BYTES])).unwrap()
    }

    #[tokio::test]
    async fn what_was_wrapped_for_one_purpose_by_one_key_opens_with_no_other() {
        let data = DataKey::generate().unwrap();
        let wrapped = key(1).wrap(&data, b"acme 1").await.unwrap();
        assert_eq!(key(1).unwrap(&wrapped, b"acme 1").await.unwrap().expose(), data.expose());
        assert!(key(1).unwrap(&wrapped, b"acme 2").await.is_err());
        assert!(key(2).unwrap(&wrapped, b"acme 1").await.is_err());
        assert!(!wrapped.windows(8).any(|part| data.expose().windows(8).any(|of| of == part)));
        for cut in 0..wrapped.len() {
            assert!(key(1).unwrap(&wrapped[..cut], b"acme 1").await.is_err(), "{cut}");
        }
    }

    #[test]
    fn the_id_names_the_key_and_is_no_part_of_it() {
        assert_eq!(key(1).id(), key(1).id());
        assert_ne!(key(1).id(), key(2).id());
        assert_eq!(key(1).id().len(), 2 * ID_BYTES);
        assert_eq!(format!("{:?}", key(7)), format!("LocalKey({})", key(7).id()));
    }

    #[test]
    fn a_master_key_is_one_line_of_base64_of_32_bytes() {
        let line = |bytes: usize| BASE64_STANDARD.encode(vec![9; bytes]);
        assert!(LocalKey::from_line(format!("{}\n", line(32)).as_bytes(), "here").is_ok());
        for wrong in [line(31), line(33), line(36), line(64), String::new(), "not base64!".into(), line(32) + "\nx"] {
            let error = LocalKey::from_line(wrong.as_bytes(), "here").unwrap_err().to_string();
            assert!(error.contains("here") && error.contains("openssl rand -base64 32"), "{error}");
        }
    }
}
