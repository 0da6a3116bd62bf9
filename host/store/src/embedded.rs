//! A store in a folder of this machine.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use async_trait::async_trait;
use tokio::sync::{RwLock, Semaphore, mpsc, oneshot};

use crate::{
    Batch, MAX_BATCH_BYTES, Note, Page, Scan, Store, StoreError,
    committer::{Committer, Job},
    engine::EngineKind,
    envelope,
    folder::{self, Folder},
    opening::{self, Opened},
    options::Options,
    shared::Shared,
    tally,
    tools::{self, Verified},
};

/// The queue is counted in units of this many bytes; each batch takes one more than it fills.
const UNIT: usize = 1024;

/// A store in a folder, on an engine in this process.
///
/// Dropping it closes it in the background. [`close`](Self::close) does so and says how it went.
pub struct Embedded {
    jobs: Option<mpsc::UnboundedSender<Job>>,
    room: Arc<Semaphore>,
    most: usize,
    shared: Arc<RwLock<Shared>>,
    folder: Arc<Folder>,
    kind: EngineKind,
    ended: Option<oneshot::Receiver<Result<(), StoreError>>>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the store in a folder, or makes one there.
    ///
    /// It is compared with what is known of it from outside of the engine; up to 20,000 entries are all read.
    pub async fn open(folder: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let folder = folder.as_ref().to_owned();
        let place = folder::place(&folder);
        let opening = tokio::task::spawn_blocking(move || Self::open_blocking(&folder, options));
        opening.await.unwrap_or_else(|error| Err(StoreError::Io { place, problem: format!("opening: {error}") }))
    }

    fn open_blocking(folder: &Path, options: Options) -> Result<Self, StoreError> {
        let Opened { folder, kind, engine, witnesses, tally } = opening::open(folder, &options)?;
        let shared = Shared {
            folder: Arc::clone(&folder),
            options: options.clone(),
            engine: Some(engine),
            undo: Default::default(),
            unreadable: None,
        };
        let shared = Arc::new(RwLock::new(shared));
        let most = options.queue_bytes.max(MAX_BATCH_BYTES + 2 * UNIT) / UNIT;
        let (jobs, queue) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let committer =
            Committer { shared: Arc::clone(&shared), folder: Arc::clone(&folder), kind, options, witnesses, tally };
        thread::Builder::new()
            .name("portcullis-store".to_owned())
            .spawn(move || drop(end.send(committer.run(queue))))
            .map_err(|error| folder.io("starting a thread", &error))?;
        let room = Arc::new(Semaphore::new(most));
        Ok(Self { jobs: Some(jobs), room, most, shared, folder, kind, ended: Some(ended) })
    }

    /// Which engine keeps it.
    pub fn engine(&self) -> EngineKind {
        self.kind
    }

    /// Commits what waits, closes the engine, and seals its files.
    pub async fn close(mut self) -> Result<(), StoreError> {
        drop(self.jobs.take());
        let Some(ended) = self.ended.take() else { return Ok(()) };
        ended.await.unwrap_or_else(|_| Err(self.ended_early()))
    }

    /// Reads everything, and compares it with the tally. The first thing that is wrong is the error.
    ///
    /// Commits wait meanwhile. Where the future is dropped the reading ends soon.
    pub async fn verify(&self, mut progress: impl FnMut(u64) + Send + 'static) -> Result<Verified, StoreError> {
        let shared = Arc::clone(&self.shared).read_owned().await;
        let wanted = Wanted::default();
        let is_wanted = Arc::clone(&wanted.0);
        let counted = tokio::task::spawn_blocking(move || {
            let Some(engine) = &shared.engine else {
                let closed =
                    || StoreError::Io { place: shared.folder.place(), problem: "it cannot be read".to_owned() };
                return Err(shared.unreadable.clone().unwrap_or_else(closed));
            };
            tools::recount(&shared.folder, &shared.options, engine.as_ref(), &mut |entries| {
                progress(entries);
                is_wanted.load(Ordering::Relaxed)
            })
        });
        counted.await.unwrap_or_else(|_| Err(self.ended_early()))
    }

    /// How many bytes wait for their commit, about.
    pub fn queued_bytes(&self) -> usize {
        self.most.saturating_sub(self.room.available_permits()) * UNIT
    }

    fn ended_early(&self) -> StoreError {
        StoreError::Io { place: self.place(), problem: "the thread that writes has ended".to_owned() }
    }
}

/// Says that somebody waits for something, until it is dropped.
struct Wanted(Arc<AtomicBool>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for Embedded {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.read().await.get(key)
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        let (scan, shared) = (scan.clone(), Arc::clone(&self.shared).read_owned().await);
        let scanned = tokio::task::spawn_blocking(move || shared.scan(&scan));
        scanned.await.unwrap_or_else(|_| Err(self.ended_early()))
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.within_limits()?;
        let bytes = batch.bytes();
        let units = u32::try_from(bytes / UNIT + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(units).await.map_err(|_| self.ended_early())?;
        let (checks, writes) = batch.into_parts();
        let checks = checks.into_iter().map(|(key, check)| (tally::entry_key(&key), check)).collect();
        let writes = writes
            .into_iter()
            .map(|(key, value)| (tally::entry_key(&key), value.map(|value| envelope::wrap(&key, &value))))
            .collect();
        let (answer, answered) = oneshot::channel();
        let job = Job { checks, writes, bytes, answer, room };
        self.jobs.as_ref().ok_or_else(|| self.ended_early())?.send(job).map_err(|_| self.ended_early())?;
        answered.await.unwrap_or_else(|_| Err(self.ended_early()))
    }

    async fn salvaged(&self) -> Result<Option<Note>, StoreError> {
        self.shared.read().await.note()
    }

    fn place(&self) -> String {
        format!("{} at {}", self.kind, self.folder.place())
    }
}
