//! A vault that holds its secrets in memory for as long as the integration lives.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::hmac;
use http::HeaderMap;
use portcullis_gate::Scheme;
use url::Url;

use crate::{MacAlgorithm, Vault, VaultError, attach::attach, scrub::Scrubber, secret::Secret};

/// Secrets by slot.
#[derive(Debug, Default)]
pub struct MemoryVault {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    secrets: BTreeMap<String, Secret>,
    scrubber: Arc<Scrubber>,
}

impl MemoryVault {
    /// An empty vault.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a secret, in place of the one that was there. From the next request on, this one is used.
    pub fn put(&self, slot: impl Into<String>, secret: Secret) {
        self.change(|secrets| drop(secrets.insert(slot.into(), secret)));
    }

    /// Takes a secret away. From the next request on, there is none.
    pub fn remove(&self, slot: &str) {
        self.change(|secrets| drop(secrets.remove(slot)));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Secret>)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.secrets);
        state.generation += 1;
        state.scrubber = Arc::new(Scrubber::new(state.secrets.iter()));
    }

    fn with<T>(&self, slot: &str, use_it: impl FnOnce(&Secret) -> Result<T, VaultError>) -> Result<T, VaultError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        use_it(state.secrets.get(slot).ok_or_else(|| VaultError::Empty(slot.to_owned()))?)
    }
}

impl Vault for MemoryVault {
    fn generation(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).generation
    }

    fn holds(&self, slot: &str) -> bool {
        self.state.read().unwrap_or_else(PoisonError::into_inner).secrets.contains_key(slot)
    }

    fn attach(&self, slot: &str, scheme: &Scheme, headers: &mut HeaderMap, url: &mut Url) -> Result<(), VaultError> {
        self.with(slot, |secret| attach(slot, secret, scheme, headers, url))
    }

    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.with(slot, |secret| Ok(hmac::sign(&key(algorithm, secret), message).as_ref().to_vec()))
    }

    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], mac: &[u8]) -> Result<bool, VaultError> {
        self.with(slot, |secret| Ok(hmac::verify(&key(algorithm, secret), message, mac).is_ok()))
    }

    fn scrubber(&self) -> Arc<Scrubber> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).scrubber.clone()
    }
}

fn key(algorithm: MacAlgorithm, secret: &Secret) -> hmac::Key {
    let algorithm = match algorithm {
        MacAlgorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        MacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(algorithm, secret.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_secret_is_the_one_that_goes_out_and_the_generation_tells() {
        let vault = MemoryVault::new();
        let sent = || {
            let mut headers = HeaderMap::new();
            let mut url = Url::parse("https://a.example/").unwrap();
            vault.attach("key", &Scheme::Bearer, &mut headers, &mut url).map(|()| headers["authorization"].clone())
        };
        assert_eq!(sent().unwrap_err(), VaultError::Empty("key".into()));
        vault.put("key", Secret::try_from("first").unwrap());
        let before = vault.generation();
        assert_eq!(sent().unwrap(), "Bearer first");
        vault.put("key", Secret::try_from("second").unwrap());
        assert_eq!(sent().unwrap(), "Bearer second");
        assert!(vault.generation() > before);
        vault.remove("key");
        assert!(sent().is_err());
    }

    #[test]
    fn a_mac_is_the_one_rfc_4231_says() {
        let vault = MemoryVault::new();
        vault.put("mac", Secret::try_from("Jefe").unwrap());
        let message = b"what do ya want for nothing?";
        let mac = vault.sign("mac", MacAlgorithm::HmacSha256, message).unwrap();
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(vault.verify("mac", MacAlgorithm::HmacSha256, message, &mac).unwrap());
        assert!(!vault.verify("mac", MacAlgorithm::HmacSha256, b"other", &mac).unwrap());
    }
}
