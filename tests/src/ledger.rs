//! A ledger that can be read, and that can be told to fail.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use portcullis_ledger::{Ledger, LedgerError, Record};
use serde_json::Value;

/// Keeps records as the JSON they would be on disk.
#[derive(Debug, Default)]
pub struct ReadableLedger {
    records: Mutex<Vec<Value>>,
    broken: AtomicBool,
}

impl ReadableLedger {
    /// All records, oldest first.
    pub fn records(&self) -> Vec<Value> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The records of one kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record.get("kind").is_some_and(|k| k == kind)).collect()
    }

    /// From now on nothing can be written, as on a full disk; or it can again.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

#[async_trait]
impl Ledger for ReadableLedger {
    async fn append(&self, record: &Record<'_>) -> Result<(), LedgerError> {
        let error = |problem: String| LedgerError { place: "memory".to_owned(), problem };
        if self.broken.load(Ordering::SeqCst) {
            return Err(error("no space left on device".to_owned()));
        }
        let value = serde_json::to_value(record).map_err(|e| error(e.to_string()))?;
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(value);
        Ok(())
    }
}
