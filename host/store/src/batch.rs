//! A change: what must hold, what is written.

use std::collections::BTreeMap;

use crate::{StoreError, engine::Writes};

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest value, in bytes (4 MiB).
pub const MAX_VALUE_BYTES: usize = 4 * 1024 * 1024;
/// Largest batch: keys and values together, in bytes (32 MiB).
pub const MAX_BATCH_BYTES: usize = 32 * 1024 * 1024;

/// What a key must be for a batch to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// There is none.
    Absent,
    /// It has exactly this value.
    Is(Vec<u8>),
}

/// Writes that are applied as a whole, if all checks hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    checks: BTreeMap<Vec<u8>, Check>,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Batch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Is applied only if this key has this value, or is absent. Checks see the store as it was before the batch.
    #[must_use]
    pub fn check(mut self, key: impl Into<Vec<u8>>, is: Option<Vec<u8>>) -> Self {
        self.checks.insert(key.into(), is.map_or(Check::Absent, Check::Is));
        self
    }

    /// As [`Batch::check`], in place.
    pub fn expect(&mut self, key: impl Into<Vec<u8>>, is: Option<Vec<u8>>) {
        self.checks.insert(key.into(), is.map_or(Check::Absent, Check::Is));
    }

    /// As [`Batch::put`], in place.
    pub fn insert(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.insert(key.into(), Some(value.into()));
    }

    /// As [`Batch::delete`], in place.
    pub fn remove(&mut self, key: impl Into<Vec<u8>>) {
        self.writes.insert(key.into(), None);
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.writes.is_empty()
    }

    /// Writes a value. The last write of a key counts.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.writes.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes a key, whether or not it is there.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.writes.insert(key.into(), None);
        self
    }

    /// This batch and one that comes after it as one: what the other writes counts. What it checks of a key that this one
    /// writes, the caller has held against that; what both check of one key, they check of the same store.
    pub fn append(&mut self, other: Self) {
        for (key, check) in other.checks {
            if !self.writes.contains_key(&key) {
                self.checks.entry(key).or_insert(check);
            }
        }
        self.writes.extend(other.writes);
    }

    /// What must hold, by key.
    pub fn checks(&self) -> &BTreeMap<Vec<u8>, Check> {
        &self.checks
    }

    /// What is written, by key; none removes.
    pub fn writes(&self) -> &BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        &self.writes
    }

    /// What must hold, and what is written.
    pub(crate) fn into_parts(self) -> (BTreeMap<Vec<u8>, Check>, Writes) {
        (self.checks, self.writes)
    }

    /// Refuses keys, values and batches that are larger than any store takes.
    pub fn within_limits(&self) -> Result<(), StoreError> {
        let refuse = |what, bytes, limit| Err(StoreError::TooLarge { what, bytes, limit });
        for key in self.checks.keys().chain(self.writes.keys()) {
            if key.len() > MAX_KEY_BYTES {
                return refuse("a key", key.len(), MAX_KEY_BYTES);
            }
        }
        for value in self.writes.values().flatten() {
            if value.len() > MAX_VALUE_BYTES {
                return refuse("a value", value.len(), MAX_VALUE_BYTES);
            }
        }
        match self.bytes() {
            bytes if bytes > MAX_BATCH_BYTES => refuse("a batch", bytes, MAX_BATCH_BYTES),
            _ => Ok(()),
        }
    }

    /// Bytes of keys and values, checks included.
    pub fn bytes(&self) -> usize {
        let checks =
            self.checks.iter().map(|(key, check)| key.len() + if let Check::Is(v) = check { v.len() } else { 0 });
        let writes = self.writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len));
        checks.sum::<usize>() + writes.sum::<usize>()
    }
}
