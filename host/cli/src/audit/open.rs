//! Opens the store of the data folder, and closes it again, so that the next command finds it sealed.
//!
//! A store belongs to one process at a time. Another command is soon done with it, so the store waits for it a moment; a host
//! that keeps running is told of.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use portcullis_runtime::{
    StoreError,
    ledger::Reader,
    store::{Embedded, Options, Store},
};

use crate::{
    arguments::Arguments,
    interrupt::{Held, or_left},
    progress::Spinner,
};

/// How long a writer that was just dropped is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is left of a command that only reads.
const NOTHING: &str = "the command only reads, and changed nothing";

/// Opens the store, reads in it, and closes it, also where a signal ends the reading.
pub(super) async fn reading<T>(
    arguments: &Arguments,
    read: impl AsyncFnOnce(&Opened) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let _held = Held::new();
    let folder = folder(arguments);
    let opened = or_left(NOTHING, async { Ok(Opened::open(&folder).await?) }).await?;
    let done = or_left(NOTHING, read(&opened)).await;
    opened.close().await?;
    done
}

/// Where the store is.
pub(super) fn folder(arguments: &Arguments) -> PathBuf {
    arguments.data.join("store")
}

/// An open store, to be closed.
pub(super) struct Opened(Arc<Embedded>);

impl Opened {
    pub(super) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let _spinner = Spinner::start("opening the store");
        Ok(Self(Arc::new(Embedded::open(folder, Options::default().existing()).await?)))
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::new(self.store())
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    /// Closes it, once nobody reads any more.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        let mut store = self.0;
        let until = Instant::now() + PATIENCE;
        loop {
            match Arc::try_unwrap(store) {
                Ok(store) => return store.close().await,
                // It lets go of it in its own task.
                Err(shared) if Instant::now() < until => {
                    store = shared;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(_) => return Ok(()),
            }
        }
    }
}
