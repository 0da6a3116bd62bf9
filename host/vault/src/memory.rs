//! A vault that holds its secrets in memory for as long as the integration lives.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_gate::{MacAlgorithm, OpenSlot, Slot};
use tokio::sync::watch;

use crate::{
    Vault, VaultError, mac,
    material::{Given, Inside, Material, MaterialError},
    ready::{Live, Ready},
    scrub::Scrubber,
    secret::Secret,
    usable::Usable,
};

/// Secrets by slot.
#[derive(Debug)]
pub struct MemoryVault {
    state: RwLock<State>,
    generation: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    slots: BTreeMap<String, Arc<Live>>,
    scrubber: Arc<Scrubber>,
}

impl Default for MemoryVault {
    fn default() -> Self {
        Self { state: RwLock::default(), generation: watch::channel(0).0 }
    }
}

impl MemoryVault {
    /// An empty vault.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a secret, in place of the one that was there. From the next request on, this one is used.
    pub fn put(&self, slot: impl Into<String>, secret: Secret) {
        let live = Arc::new(Live::new(Usable::Secret(secret)));
        self.change(|slots| drop(slots.insert(slot.into(), live)));
    }

    /// Stores what was handed over for a slot: a key that has a name, a client certificate. What gets tokens is for a vault
    /// with a store, where they are kept.
    pub fn put_given(&self, slot: &Slot, given: &Given) -> Result<(), MaterialError> {
        let material = Material::new(given, &slot.scheme, slot.oauth.as_ref())?;
        let Inside::Usable(usable) = material.0 else {
            let problem = "tokens are kept in a store; open `Credentials` on one".to_owned();
            return Err(MaterialError::Slot { kind: given.kind.as_str(), problem });
        };
        let live = Arc::new(Live::new(usable));
        self.change(|slots| drop(slots.insert(slot.name.clone(), live)));
        Ok(())
    }

    /// Takes a secret away. From the next request on, there is none, and requests on their way with it are given up.
    pub fn remove(&self, slot: &str) {
        self.change(|slots| {
            if let Some(live) = slots.remove(slot) {
                live.cut.send_replace(true);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<Live>>)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.slots);
        let secrets =
            state.slots.iter().flat_map(|(slot, live)| live.usable.secrets().map(move |secret| (slot, secret)));
        state.scrubber = Arc::new(Scrubber::new(secrets));
        self.generation.send_modify(|generation| *generation += 1);
    }

    fn with<T>(&self, slot: &str, use_it: impl FnOnce(&Secret) -> T) -> Result<T, VaultError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let secret = state.slots.get(slot).and_then(|live| live.usable.secret());
        secret.map(use_it).ok_or_else(|| VaultError::Empty(slot.to_owned()))
    }
}

#[async_trait]
impl Vault for MemoryVault {
    fn holds(&self, slot: &str) -> bool {
        self.state.read().unwrap_or_else(PoisonError::into_inner).slots.contains_key(slot)
    }

    async fn ready(&self, slots: &[OpenSlot], _origin: &str, _by: &str) -> Result<Ready, VaultError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut ready = Ready::new(*self.generation.borrow(), state.scrubber.clone(), Timestamp::now());
        for slot in slots {
            let live = state.slots.get(&slot.name).ok_or_else(|| VaultError::Empty(slot.name.clone()))?;
            ready.slots.push((slot.clone(), live.clone()));
        }
        Ok(ready)
    }

    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.with(slot, |secret| mac::sign(algorithm, secret, message))
    }

    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], given: &[u8]) -> Result<bool, VaultError> {
        self.with(slot, |secret| mac::verify(algorithm, secret, message, given))
    }

    fn scrubber(&self) -> Arc<Scrubber> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).scrubber.clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use portcullis_gate::Scheme;
    use url::Url;

    use super::*;
    use crate::Outgoing;

    #[tokio::test]
    async fn a_rotated_secret_is_the_one_that_goes_out_and_the_generation_tells() {
        let vault = MemoryVault::new();
        let slot = OpenSlot { name: "key".into(), scheme: Scheme::Bearer, segment: None };
        let sent = async || {
            let url = Url::parse("https://a.example/").unwrap();
            let mut outgoing = Outgoing { method: Method::GET, url, headers: HeaderMap::new(), body: None };
            vault.ready(std::slice::from_ref(&slot), "", "").await?.attach(&mut outgoing)?;
            Ok::<_, VaultError>(outgoing.headers["authorization"].clone())
        };
        assert_eq!(sent().await.unwrap_err(), VaultError::Empty("key".into()));
        vault.put("key", Secret::try_from("first").unwrap());
        let before = *vault.changes().borrow();
        assert_eq!(sent().await.unwrap(), "Bearer first");
        vault.put("key", Secret::try_from("second").unwrap());
        assert_eq!(sent().await.unwrap(), "Bearer second");
        assert!(*vault.changes().borrow() > before);
        vault.remove("key");
        assert!(sent().await.is_err());
    }

    #[tokio::test]
    async fn what_is_taken_away_cuts_the_requests_that_use_it() {
        let vault = MemoryVault::new();
        vault.put("key", Secret::try_from("first").unwrap());
        vault.put("other", Secret::try_from("other").unwrap());
        let slot = |name: &str| [OpenSlot { name: name.into(), scheme: Scheme::Bearer, segment: None }];
        let (mine, others) =
            (vault.ready(&slot("key"), "", "").await.unwrap(), vault.ready(&slot("other"), "", "").await.unwrap());
        vault.remove("key");
        assert_eq!(mine.cut().await, "key");
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), others.cut()).await;
        assert!(waited.is_err(), "the other slot's requests go on");
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
