//! Bringing a sink what it has not got, in order, from the store. One that fails is tried again, ever more rarely; nobody
//! waits for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use portcullis_store::{Batch, Store};
use tokio::sync::watch;

use super::{HeadError, HeadSink, SignedHead, SinkStatus, signing::read_signed};
use crate::keys;

/// Most signed heads that a sink is given at once.
const AT_ONCE: usize = 64;
/// How long until a sink that failed is tried again; twice as long after each failure.
const AGAIN: Duration = Duration::from_millis(500);
/// But never longer.
const AGAIN_MOST: Duration = Duration::from_secs(60);

pub(super) struct Delivery {
    store: Arc<dyn Store>,
    sink: Arc<dyn HeadSink>,
    name: String,
    /// The last signed head.
    last: watch::Receiver<u64>,
    /// The last that the sink took.
    written: watch::Sender<u64>,
    error: Mutex<Option<String>>,
}

impl Delivery {
    /// To a sink that shows this one last, if it shows any.
    pub(super) async fn new(
        store: Arc<dyn Store>,
        sink: Arc<dyn HeadSink>,
        last: watch::Receiver<u64>,
        shown: Option<u64>,
    ) -> Result<Self, HeadError> {
        let name = sink.name();
        let noted = store.get(&keys::sink(&name)).await?;
        // Whoever writes the store writes this as well: a sink never has more than was signed.
        let signed = *last.borrow();
        let noted = noted.and_then(|value| Some(u64::from_be_bytes(value.try_into().ok()?)));
        let noted = noted.filter(|noted| *noted <= signed);
        // What the sink shows is truer than what is noted of it. One that shows nothing goes on where it was: a file that
        // was moved away is begun anew.
        let written = shown.or(noted).unwrap_or(0);
        if let Some(noted) = noted.filter(|noted| *noted != written || shown.is_none() && *noted > 0) {
            tracing::debug!(sink = name, noted, written, "a sink goes on");
        }
        let (written, _) = watch::channel(written);
        Ok(Self { store, sink, name, last, written, error: Mutex::default() })
    }

    /// Waits until the sink has it.
    pub(super) async fn has(&self, seq: u64) {
        let mut written = self.written.subscribe();
        drop(written.wait_for(|written| *written >= seq).await);
    }

    pub(super) fn status(&self, signed: u64) -> SinkStatus {
        let written = *self.written.borrow();
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SinkStatus { name: self.name.clone(), written, waiting: signed.saturating_sub(written), error }
    }

    /// Until it is aborted.
    pub(super) async fn run(self: Arc<Self>) {
        let mut last = self.last.clone();
        let mut again = AGAIN;
        loop {
            let written = *self.written.borrow();
            if last.wait_for(|last| *last > written).await.is_err() {
                return;
            }
            let result = self.some().await;
            let error = result.err().map(|error| match error {
                HeadError::Sink(error) => error.to_string(),
                error => error.to_string(),
            });
            self.error.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&error);
            match error {
                None => again = AGAIN,
                Some(error) => {
                    tracing::error!(sink = self.name, error, "signed heads are not written here; it is tried again");
                    tokio::time::sleep(again).await;
                    again = (again * 2).min(AGAIN_MOST);
                }
            }
        }
    }

    async fn some(&self) -> Result<(), HeadError> {
        let written = *self.written.borrow();
        let mut scan = keys::all_signed().entries(AT_ONCE);
        scan.from = std::ops::Bound::Excluded(keys::signed(written));
        let mut heads: Vec<Arc<SignedHead>> = Vec::new();
        for (key, value) in &self.store.scan(&scan).await?.entries {
            let seq = keys::seq_of_signed(key).unwrap_or(0);
            heads.push(Arc::new(read_signed(self.store.as_ref(), seq, value)?));
        }
        let Some(last) = heads.last().map(|head| head.head.seq) else {
            let what = "it is missing".to_owned();
            return Err(HeadError::Damaged { seq: written + 1, place: self.store.place(), what });
        };
        self.sink.write(&heads).await?;
        self.written.send_replace(last);
        // Where that cannot be noted, the sink may get them twice after the next start.
        let note = Batch::new().put(keys::sink(&self.name), last.to_be_bytes());
        self.store.commit(note).await.map_err(Into::into)
    }
}
