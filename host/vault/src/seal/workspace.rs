//! A workspace's data keys: as they are kept, wrapped by a master key, and as they are used.
//!
//! There is one, and two while records are sealed anew under the next. Each may be wrapped twice, while the master key is
//! changed: once by the old master key and once by the new one.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::SealKey;
use crate::keys::{DataKey, KeyError, KeyProvider};

const VERSION: u8 = 1;

/// A workspace's data keys, as they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wrapped {
    v: u8,
    /// The one that seals.
    pub(crate) current: u32,
    /// By number.
    pub(crate) keys: BTreeMap<u32, Vec<WrappedKey>>,
}

/// A data key, wrapped by one master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrappedKey {
    /// Which master key.
    pub(crate) by: String,
    wrapped: String,
}

/// Why there is no data key.
#[derive(Debug)]
pub(crate) enum NoKey {
    /// It is wrapped by these, and none of them is here.
    Wrong(Vec<String>),
    /// It is wrapped by one that is here, and does not open.
    Damaged,
    /// The provider did not do its part.
    Provider(KeyError),
}

/// A workspace's data keys, ready to be used.
#[derive(Debug)]
pub(crate) struct DataKeys {
    pub(crate) current: u32,
    keys: BTreeMap<u32, Arc<SealKey>>,
}

impl DataKeys {
    /// One of them.
    pub(crate) fn get(&self, number: u32) -> Option<&Arc<SealKey>> {
        self.keys.get(&number)
    }

    /// The one that seals.
    pub(crate) fn sealing(&self) -> Result<&Arc<SealKey>, KeyError> {
        self.get(self.current).ok_or(KeyError::Unwrap)
    }
}

/// What a data key is wrapped for: this workspace, under this number.
fn purpose(workspace: &str, number: u32) -> Vec<u8> {
    [b"portcullis data key 1\0".as_slice(), workspace.as_bytes(), &[0], &number.to_le_bytes()].concat()
}

impl WrappedKey {
    pub(crate) async fn new(
        provider: &dyn KeyProvider,
        key: &DataKey,
        workspace: &str,
        number: u32,
    ) -> Result<Self, KeyError> {
        let wrapped = provider.wrap(key, &purpose(workspace, number)).await?;
        Ok(Self { by: provider.id(), wrapped: BASE64_STANDARD.encode(wrapped) })
    }
}

impl Wrapped {
    /// A workspace's first.
    pub(crate) async fn first(providers: &[Arc<dyn KeyProvider>], workspace: &str) -> Result<Self, KeyError> {
        let mut wrapped = Self { v: VERSION, current: 0, keys: BTreeMap::new() };
        wrapped.add(providers, workspace).await?;
        Ok(wrapped)
    }

    /// Adds another one, wrapped by each of these, which is to seal from now on.
    pub(crate) async fn add(&mut self, providers: &[Arc<dyn KeyProvider>], workspace: &str) -> Result<(), KeyError> {
        let number = self.current.saturating_add(1);
        let key = DataKey::generate()?;
        let mut wrapped = Vec::new();
        for provider in providers {
            wrapped.push(WrappedKey::new(provider.as_ref(), &key, workspace, number).await?);
        }
        self.keys.insert(number, wrapped);
        self.current = number;
        Ok(())
    }

    /// Wraps each key by this master key, too, where it is not yet.
    pub(crate) async fn wrap_by(
        &mut self,
        to: &dyn KeyProvider,
        providers: &[Arc<dyn KeyProvider>],
        workspace: &str,
    ) -> Result<(), NoKey> {
        let id = to.id();
        let missing = |keys: &Vec<WrappedKey>| keys.iter().all(|key| key.by != id);
        let numbers: Vec<u32> = self.keys.iter().filter(|(_, keys)| missing(keys)).map(|(number, _)| *number).collect();
        for number in numbers {
            let key = self.unwrap(providers, workspace, number).await?;
            let wrapped = WrappedKey::new(to, &key, workspace, number).await.map_err(NoKey::Provider)?;
            self.keys.entry(number).or_default().push(wrapped);
        }
        Ok(())
    }

    /// Forgets what other master keys wrapped. Only where this one wrapped all of them.
    pub(crate) fn keep_only(&mut self, id: &str) {
        for keys in self.keys.values_mut() {
            keys.retain(|key| key.by == id);
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes)
            .ok()
            .filter(|read: &Self| read.v == VERSION && read.keys.contains_key(&read.current))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether each key is wrapped by this master key.
    pub(crate) fn all_by(&self, id: &str) -> bool {
        self.keys.values().all(|key| key.iter().any(|wrapped| wrapped.by == id))
    }

    /// Whether each key is wrapped by this master key and by no other.
    pub(crate) fn only_by(&self, id: &str) -> bool {
        self.keys.values().all(|key| key.iter().all(|wrapped| wrapped.by == id)) && self.all_by(id)
    }

    /// Unwraps one, by any of the master keys that are here.
    pub(crate) async fn unwrap(
        &self,
        providers: &[Arc<dyn KeyProvider>],
        workspace: &str,
        number: u32,
    ) -> Result<DataKey, NoKey> {
        let wrapped = self.keys.get(&number).ok_or(NoKey::Damaged)?;
        let mut wrong = NoKey::Wrong(wrapped.iter().map(|key| key.by.clone()).collect());
        for key in wrapped {
            let Some(provider) = providers.iter().find(|provider| provider.id() == key.by) else { continue };
            let Ok(bytes) = BASE64_STANDARD.decode(&key.wrapped) else {
                wrong = NoKey::Damaged;
                continue;
            };
            match provider.unwrap(&bytes, &purpose(workspace, number)).await {
                Ok(key) => return Ok(key),
                Err(KeyError::Unwrap) => wrong = NoKey::Damaged,
                Err(error) => wrong = NoKey::Provider(error),
            }
        }
        Err(wrong)
    }

    /// Unwraps all of them.
    pub(crate) async fn open(&self, providers: &[Arc<dyn KeyProvider>], workspace: &str) -> Result<DataKeys, NoKey> {
        let mut keys = BTreeMap::new();
        for number in self.keys.keys() {
            let key = self.unwrap(providers, workspace, *number).await?;
            keys.insert(*number, Arc::new(SealKey::new(&key).map_err(NoKey::Provider)?));
        }
        Ok(DataKeys { current: self.current, keys })
    }
}
