//! What holds of credentials at rest, each test on a store and a ledger of its own.

mod damage;
mod life;
mod master;
mod nowhere;
mod tokens;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use portcullis_ledger::{Caller, Clock, Field, Ledger, LedgerOptions, Query, Record};
use portcullis_store::{Batch, MemoryStore, Page, Scan, Store, StoreError};
use zeroize::Zeroizing;

use super::*;
use crate::{
    keys::LocalKey,
    material::{Given, Kind},
    secret::Secret,
};

/// What must be found nowhere.
pub(super) const SECRET: &str = "hunter22-correct-horse-battery-staple";

/// A clock that is set.
pub(crate) struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl Hands {
    pub(crate) fn pass(&self, long: Duration) {
        let mut now = self.0.lock().unwrap();
        *now += long;
    }
}

/// A store, a ledger, a clock.
pub(crate) struct Host {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<Hands>,
}

impl Host {
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new())).await
    }

    pub(crate) async fn on(store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(Hands(Mutex::new("2026-11-21T12:00:00Z".parse().unwrap())));
        let options = LedgerOptions { clock: clock.clone(), ..LedgerOptions::default() };
        let ledger = Ledger::open(store.clone(), options).await.unwrap();
        Self { store, ledger, clock }
    }

    /// As after a new start: nothing is in memory.
    pub(crate) async fn open(&self, master: u8) -> Credentials {
        Credentials::open(self.ledger.clone(), key(master)).await.unwrap()
    }

    pub(crate) async fn get(&self, key: &[u8]) -> Vec<u8> {
        self.store.get(key).await.unwrap().unwrap()
    }

    /// Writes behind everybody's back.
    pub(crate) async fn put(&self, key: &[u8], value: &[u8]) {
        self.store.commit(Batch::new().put(key, value)).await.unwrap();
    }

    pub(crate) async fn delete(&self, key: &[u8]) {
        self.store.commit(Batch::new().delete(key)).await.unwrap();
    }

    /// The ledger's records of credentials, oldest first.
    pub(crate) async fn records(&self, workspace: &str) -> Vec<Record> {
        let query = Query::new(workspace).field(Field::Kind, "credential").oldest_first().limit(1_000);
        let page = self.ledger.reader().query(&query).await.unwrap();
        page.records.into_iter().map(|(_, record)| record).collect()
    }

    pub(crate) async fn everything(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.store.scan(&Scan::prefix(Vec::new())).await.unwrap().entries
    }
}

pub(crate) fn key(byte: u8) -> Arc<dyn KeyProvider> {
    Arc::new(LocalKey::new(Zeroizing::new(vec![byte; 32])).unwrap())
}

pub(crate) fn ada() -> Caller {
    Caller::principal("user:ada")
}

pub(crate) fn id(slot: &str) -> CredentialId {
    CredentialId::new("acme", "mail", slot)
}

pub(crate) fn given(secret: &str) -> Given {
    Given::secret(Secret::try_from(secret).unwrap())
}

pub(super) fn pair(secret: &str) -> Given {
    Given {
        kind: Kind::KeyPair,
        fields: BTreeMap::from([("id".to_owned(), "AKIA123".to_owned())]),
        secrets: BTreeMap::from([("secret".to_owned(), Secret::try_from(secret).unwrap())]),
    }
}

pub(super) fn text(given: &Given) -> &str {
    std::str::from_utf8(given.secrets["secret"].expose()).unwrap()
}

/// What a slot says now, to somebody who has nothing in memory.
pub(super) async fn said(credentials: &Credentials, slot: &str) -> Result<String, ReadError> {
    let loaded = credentials.load("acme", "mail").await.unwrap();
    loaded[slot].open().map(|given| text(&given).to_owned())
}

/// A store that lets others go first, before and after it does what it is asked.
#[derive(Default)]
pub(super) struct Yielding {
    store: MemoryStore,
    /// Somebody else's change, made right before the next one.
    pub(super) first: Mutex<Option<Batch>>,
    /// How often it was written.
    pub(super) commits: Mutex<u32>,
}

#[async_trait::async_trait]
impl Store for Yielding {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        tokio::task::yield_now().await;
        self.store.get(key).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        tokio::task::yield_now().await;
        self.store.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        *self.commits.lock().unwrap() += 1;
        let first = self.first.lock().unwrap().take();
        if let Some(first) = first {
            self.store.commit(first).await.unwrap();
        }
        let done = self.store.commit(batch).await;
        tokio::task::yield_now().await;
        done
    }

    fn place(&self) -> String {
        self.store.place()
    }
}
