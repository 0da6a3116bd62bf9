//! A store that forgets, for tests and for hosts that keep nothing.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{Batch, Check, Page, Scan, Store, StoreError};

/// Keys and values in memory. "Durable" is as long as it lives.
#[derive(Debug, Default)]
pub struct MemoryStore {
    entries: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.entries().get(key).cloned())
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        if scan.is_empty() {
            return Ok(Page::default());
        }
        let entries = self.entries();
        let bounds: (Bound<&Vec<u8>>, Bound<&Vec<u8>>) = (scan.from.as_ref(), scan.to.as_ref());
        let range = entries.range::<Vec<u8>, _>(bounds).map(|(key, value)| Ok((key.clone(), value.clone())));
        if scan.descending { Page::fill(scan, range.rev()) } else { Page::fill(scan, range) }
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.within_limits()?;
        let mut entries = self.entries();
        for (key, check) in batch.checks() {
            let holds = match (entries.get(key), check) {
                (None, Check::Absent) => true,
                (Some(found), Check::Is(expected)) => found == expected,
                _ => false,
            };
            if !holds {
                return Err(StoreError::Conflict { key: key.escape_ascii().to_string() });
            }
        }
        for (key, value) in batch.writes() {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        Ok(())
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}
