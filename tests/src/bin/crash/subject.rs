//! What is tried: a store in a folder, and the ledger in it. The only file that knows how these are opened.

use std::{fmt::Display, path::Path, sync::Arc, time::Duration};

use portcullis_ledger::{Ledger, LedgerOptions};
use portcullis_store::{Embedded, EngineKind, Options, Store};

/// An open store and its ledger.
pub(crate) struct Subject {
    pub(crate) store: Arc<Embedded>,
    pub(crate) ledger: Ledger,
}

/// Opens both, or says why not. Calls that were under way are closed by that.
pub(crate) async fn open(folder: &Path, engine: EngineKind, floor_bytes: u64) -> Result<Subject, String> {
    let store = open_store(folder, engine, floor_bytes).await?;
    let shared: Arc<dyn Store> = store.clone();
    let ledger = Ledger::open(shared, LedgerOptions::default()).await.map_err(told)?;
    Ok(Subject { store, ledger })
}

async fn open_store(folder: &Path, engine: EngineKind, floor_bytes: u64) -> Result<Arc<Embedded>, String> {
    let options = Options { floor_bytes, ..Options::default().engine(engine) };
    Embedded::open(folder, options).await.map(Arc::new).map_err(told)
}

/// Makes the engine's files anew from what is live in them.
pub(crate) fn compact(folder: &Path, engine: EngineKind) -> Result<(), String> {
    let options = Options { floor_bytes: 0, ..Options::default().engine(engine) };
    portcullis_store::compact(folder, &options, &mut |_| {}).map(drop).map_err(told)
}

impl Subject {
    /// Counts and compares all that is in the store.
    pub(crate) async fn verify(&self) -> Result<(), String> {
        self.store.verify(|_| {}).await.map(drop).map_err(told)
    }

    /// Ends in order.
    pub(crate) async fn close(self) -> Result<(), String> {
        let Self { store, ledger } = self;
        drop(ledger);
        let mut shared = store;
        // The ledger's writer ends a moment later.
        for _ in 0..1000 {
            match Arc::try_unwrap(shared) {
                Ok(store) => return store.close().await.map_err(told),
                Err(still) => shared = still,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err("somebody still holds the store".to_owned())
    }
}

/// An error as a person reads it.
pub(crate) fn told(error: impl Display) -> String {
    error.to_string()
}
