//! A ledger that can be read, and that can be told to fail.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use portcullis_ledger::{Ledger, LedgerOptions};
use portcullis_store::{Batch, MemoryStore, Page, Scan, Store, StoreError};
use serde_json::Value;

/// A ledger in memory.
#[derive(Debug)]
pub struct ReadableLedger {
    ledger: Ledger,
    store: Arc<Breakable>,
}

impl ReadableLedger {
    /// An empty one.
    pub async fn start() -> Self {
        Self::with(LedgerOptions::default()).await
    }

    /// An empty one that is kept like this.
    pub async fn with(options: LedgerOptions) -> Self {
        let store = Arc::new(Breakable::default());
        let ledger = Ledger::open(store.clone(), options).await;
        Self { ledger: ledger.unwrap_or_else(|error| unreachable!("memory does not fail: {error}")), store }
    }

    /// The ledger itself.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// All records of all workspaces, oldest first.
    pub fn records(&self) -> Vec<Value> {
        let mut records = at_once(self.read());
        records.sort_by_key(|record| record["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok()));
        records
    }

    /// The records of one kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["kind"] == kind).collect()
    }

    /// From now on nothing can be written, as on a full disk; or it can again.
    pub fn set_broken(&self, broken: bool) {
        self.store.broken.store(broken, Ordering::SeqCst);
    }

    async fn read(&self) -> Vec<Value> {
        let mut records = Vec::new();
        let reader = self.ledger.reader();
        for chain in reader.chains().await.unwrap_or_default() {
            let mut from = 1;
            while from <= chain.seq {
                let lines = reader.lines(&chain.workspace, from).await.unwrap_or_default();
                from += lines.len().max(1) as u64;
                records.extend(lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok()));
            }
        }
        records
    }
}

/// The result of a future that waits for nothing.
fn at_once<T: Default>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => T::default(),
    }
}

/// Memory that can be told to be full.
#[derive(Debug, Default)]
pub struct Breakable {
    memory: MemoryStore,
    broken: AtomicBool,
}

#[async_trait]
impl Store for Breakable {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.memory.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Full { place: self.place(), free_bytes: 0, floor_bytes: 1 });
        }
        self.memory.commit(batch).await
    }

    fn place(&self) -> String {
        self.memory.place()
    }
}
