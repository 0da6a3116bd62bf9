//! sled 0.34.7, fenced. What it does not promise, and what is done about it:
//!
//! - **Its flush is no barrier.** On Linux it calls `sync_file_range`, which flushes neither a disk's cache nor a file's
//!   length; and it does not flush its blob files (large values) at all. So after `flush` our own `sync_data` follows on
//!   sled's file, and `sync_all` on blobs that are new and on their folder.
//! - **It flushes when it likes.** `flush_every_ms(None)`: only when asked, or when a buffer is full.
//! - **Several trees are not one commit.** One tree, and `apply_batch`, whose log entries are recovered as a whole.
//! - **What is written is seen before it is durable.** `shows_early` keeps readers out meanwhile.
//! - **It panics on damage**, also in its own threads, and then waits for them for ever. Panics are caught; a write is done
//!   by a thread of ours that can be left behind ([`Worker`]).
//! - **It stumbles over its own leftovers**: a snapshot that a crash cut off is removed before it is opened.
//! - **An error of the disk is final**, and reading may write. So it is not let run into a full disk: before each write, space
//!   beyond the end of its log is taken (`fallocate`), and where there is none, sled is not asked; nor where a byte cannot be
//!   written to a file beside its log, for then the disk has become read-only. After any other error, such as one in the middle of
//!   a write, it stays readable as long as it can; the store opens it anew once a write can work.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    mem::ManuallyDrop,
    ops::Bound,
    os::unix::fs::{FileExt, PermissionsExt},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime},
};

use super::{Engine, Failure, Opening, Range, Step, Visit, Writes, quiet};

/// How long sled's file lock, which its threads hold a little longer than its handle lives, is waited for.
const UNLOCKED_WITHIN: Duration = Duration::from_secs(5);
/// How often a write that takes long is looked after.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// sled's log grows in pieces of this many bytes.
const SEGMENT: u64 = 512 << 10;
/// How many of them are taken ahead of it.
const SEGMENTS_AHEAD: u64 = 4;
/// What must be free for the files of large values, beyond four times what is written: sled moves old ones as well.
const BLOB_ROOM: u64 = 4 << 20;

pub(super) struct Sled {
    inner: Arc<Inner>,
    worker: Mutex<Option<Worker>>,
}

struct Inner {
    /// None once it was closed.
    database: Mutex<Option<sled::Db>>,
    /// Knows of errors in sled's threads.
    config: sled::Config,
    opening: Opening,
    /// sled's file, opened once more.
    file: File,
    /// A file of one byte, written before sled is asked to write.
    probe: File,
    /// Up to where its log has space.
    reserved: AtomicU64,
    blobs: Mutex<Blobs>,
    /// It panicked: nothing is done with it any more, and it is not dropped either, which would flush.
    gave_up: AtomicBool,
}

impl Sled {
    pub(super) fn open(opening: Opening) -> Result<Self, Failure> {
        if quiet::a_thread_of_sled_died() {
            let why = "sled's threads died of damaged data in this process; start it again";
            return Err(Failure::Damaged(why.to_owned()));
        }
        remove_unfinished_snapshots(&opening.folder)
            .map_err(|error| Failure::of_io("removing what a crash left of a snapshot", &error))?;
        let blobs = opening.folder.join("blobs");
        if !blobs.exists() {
            // sled would make it as wide as the umask is, and what others may write to is refused at the next start.
            portcullis_files::make_folder(&blobs).map_err(|error| Failure::of_io("making a folder for it", &error))?;
        }
        let config = sled::Config::new()
            .path(&opening.folder)
            .cache_capacity(opening.cache_bytes)
            .flush_every_ms(None)
            .use_compression(false);
        let started = std::time::Instant::now();
        let database = loop {
            match quiet::catch(|| config.open()).map_err(Failure::Damaged)? {
                Ok(database) => break database,
                Err(sled::Error::Io(error))
                    if error.to_string().contains("could not acquire lock") && started.elapsed() < UNLOCKED_WITHIN =>
                {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(told("opening", error)),
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(opening.folder.join("db"))
            .map_err(|error| Failure::of_io("opening its log", &error))?;
        let probe = portcullis_files::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(opening.folder.join("probe"))
            .map_err(|error| {
                Failure::of_io("opening the file by which it is known that the disk can be written", &error)
            })?;
        let blobs = Mutex::new(Blobs::new(blobs));
        let inner = Arc::new(Inner {
            database: Mutex::new(Some(database)),
            config,
            opening,
            file,
            probe,
            reserved: AtomicU64::new(0),
            blobs,
            gave_up: AtomicBool::new(false),
        });
        let worker = Mutex::new(Some(Worker::start(&inner)?));
        Ok(Self { inner, worker })
    }
}

/// A crash while sled writes a snapshot of its page table leaves `snap.….generating`. sled takes that for its newest snapshot
/// (it leaves out files with an ending that these no longer have), and calls its log damaged where it is not whole. The
/// snapshot before it is still there.
fn remove_unfinished_snapshots(folder: &std::path::Path) -> std::io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Inner {
    fn with<T>(&self, doing: impl FnOnce(&sled::Tree) -> Result<T, Failure>) -> Result<T, Failure> {
        if self.gave_up.load(Ordering::Acquire) {
            return Err(Failure::Damaged("the engine gave up on this data before".to_owned()));
        }
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(database) = database else {
            return Err(Failure::Io("it was closed".to_owned()));
        };
        // Whoever panics within must not drop it, which would flush and might wait for ever.
        let database = ManuallyDrop::new(database);
        match quiet::catch(|| doing(&database)) {
            Ok(done) => {
                drop(ManuallyDrop::into_inner(database));
                done
            }
            Err(text) => {
                self.give_up();
                Err(Failure::Damaged(text))
            }
        }
    }

    fn give_up(&self) {
        self.gave_up.store(true, Ordering::Release);
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::mem::forget(database);
    }

    /// Takes space for a write of so many bytes, and for what sled moves meanwhile.
    fn reserve(&self, bytes: u64) -> io::Result<()> {
        // To the same place each time: it takes no space, and is never flushed.
        self.probe.write_all_at(&[0], 0)?;
        let end = self.file.metadata()?.len();
        let wanted = end.next_multiple_of(SEGMENT) + bytes * 2 + SEGMENTS_AHEAD * SEGMENT;
        let reserved = self.reserved.load(Ordering::Acquire);
        if wanted > reserved {
            // A step further, so that this is not done at each write.
            let to = wanted + SEGMENTS_AHEAD * SEGMENT;
            super::reserve(&self.file, end, to)?;
            self.reserved.store(to, Ordering::Release);
        }
        // Large values go into files of their own, for which nothing can be taken ahead; where there is no space for one, sled
        // waits for ever.
        let space = rustix::fs::fstatvfs(&self.file)?;
        if space.f_bavail.saturating_mul(space.f_frsize) < bytes * 4 + BLOB_ROOM {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// All that a commit is.
    fn write(&self, writes: Writes) -> Result<(), Failure> {
        self.with(|tree| {
            self.opening.step(Step::Write).map_err(|error| Failure::of_io("writing", &error))?;
            let mut batch = sled::Batch::default();
            let keys: Vec<Vec<u8>> = writes.keys().cloned().collect();
            for (key, value) in writes {
                match value {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            tree.apply_batch(batch).map_err(|error| told_of_writing("writing", error))?;
            // A page that has grown is split by whoever reads from it next, which writes. Here that is done before anything is
            // flushed, so that nobody has to write to read where the flush is what fails.
            for key in keys {
                tree.get(key).map_err(|error| told_of_writing("writing", error))?;
            }
            tree.flush().map_err(|error| told_of_writing("flushing", error))?;
            Ok(())
        })?;
        let synced = self.opening.step(Step::Sync).and_then(|()| {
            self.file.sync_data()?;
            self.blobs.lock().unwrap_or_else(PoisonError::into_inner).sync()
        });
        synced.map_err(|error| Failure::Unsynced(error.to_string()))
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.inner.with(|tree| {
            let value = tree.get(key).map_err(|error| told("reading", error))?;
            Ok(value.map(|value| value.to_vec()))
        })
    }

    fn visit(&self, range: &Range, descending: bool, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.inner.with(|tree| {
            let bounds: (Bound<&[u8]>, Bound<&[u8]>) =
                (range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice));
            let mut entries = tree.range::<&[u8], _>(bounds);
            while let Some(entry) = if descending { entries.next_back() } else { entries.next() } {
                let (key, value) = entry.map_err(|error| told("reading", error))?;
                if !visit(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn prepare(&self, bytes: u64) -> Result<(), Failure> {
        self.inner.reserve(bytes).map_err(|error| Failure::of_io("taking space", &error))
    }

    fn write(&self, writes: Writes) -> Result<(), Failure> {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(worker) = &*worker else {
            return Err(Failure::Io("it was closed".to_owned()));
        };
        worker.write(&self.inner, writes)
    }

    fn shows_early(&self) -> bool {
        true
    }

    fn reads_after_failure(&self) -> bool {
        true
    }

    fn holds_files(&self) -> bool {
        true
    }

    fn close(&self) -> Result<(), Failure> {
        if let Some(worker) = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            worker.end();
        }
        let database = self.inner.database.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What it could not write it will never write; the store is opened anew.
        quiet::catch(|| drop(database)).map_err(Failure::Damaged)
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// A thread that writes, and can be left behind if sled waits for something that will never come.
struct Worker {
    jobs: mpsc::Sender<Writes>,
    done: mpsc::Receiver<Result<(), Failure>>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    fn start(inner: &Arc<Inner>) -> Result<Self, Failure> {
        let (jobs, next) = mpsc::channel::<Writes>();
        let (answer, done) = mpsc::channel();
        let inner = Arc::clone(inner);
        let thread = thread::Builder::new()
            .name("portcullis-sled".to_owned())
            .spawn(move || {
                while let Ok(writes) = next.recv() {
                    if answer.send(inner.write(writes)).is_err() {
                        break;
                    }
                }
            })
            .map_err(|error| Failure::of_io("starting a thread", &error))?;
        Ok(Self { jobs, done, thread })
    }

    fn write(&self, inner: &Inner, writes: Writes) -> Result<(), Failure> {
        let lost = || Failure::Damaged("the engine gave up on this data before".to_owned());
        self.jobs.send(writes).map_err(|_| lost())?;
        loop {
            match self.done.recv_timeout(LOOK_AFTER) {
                Ok(done) => return done,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(lost()),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if quiet::a_thread_of_sled_died() {
                        inner.give_up();
                        return Err(Failure::Damaged("a thread of sled died of what it found".to_owned()));
                    }
                    if inner.config.global_error().is_err() {
                        // An error was noted after the writer had looked for one, and nobody woke it: a second flush does.
                        let _ = inner.with(|tree| Ok(tree.flush()));
                    }
                }
            }
        }
    }

    fn end(self) {
        drop(self.jobs);
        if !quiet::a_thread_of_sled_died() {
            let _ = self.thread.join();
        }
    }
}

/// Which blob files were made durable.
struct Blobs {
    folder: PathBuf,
    changed: Option<SystemTime>,
    synced: HashSet<OsString>,
}

impl Blobs {
    fn new(folder: PathBuf) -> Self {
        Self { folder, changed: None, synced: HashSet::new() }
    }

    /// Flushes those that are new. A file is in its folder before it is in the log, so a folder that did not change has none.
    fn sync(&mut self) -> io::Result<()> {
        let changed = fs::metadata(&self.folder)?.modified()?;
        if self.changed == Some(changed) {
            return Ok(());
        }
        let mut there = HashSet::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if !self.synced.contains(&name) {
                match File::open(self.folder.join(&name)) {
                    Ok(blob) => {
                        blob.set_permissions(fs::Permissions::from_mode(portcullis_files::FILE))?;
                        blob.sync_all()?;
                    }
                    // sled removes what it needs no more.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            there.insert(name);
        }
        File::open(&self.folder)?.sync_all()?;
        self.synced = there;
        // Two changes within one tick of the file system's clock look like one.
        let settled = changed.elapsed().is_ok_and(|age| age > Duration::from_millis(50));
        self.changed = settled.then_some(changed);
        Ok(())
    }
}

fn told(doing: &str, error: sled::Error) -> Failure {
    match &error {
        sled::Error::Io(io) => Failure::of_io(&format!("sled, {doing}"), io),
        sled::Error::Corruption { .. } => Failure::Damaged(format!("sled found damage while {doing}")),
        _ => Failure::Damaged(format!("sled, {doing}: {error}")),
    }
}

/// sled does not say whether it was the write or its flush that failed, so what is not plainly the first is the second.
fn told_of_writing(doing: &str, error: sled::Error) -> Failure {
    match told(doing, error) {
        Failure::Io(problem) => Failure::Unsynced(problem),
        other => other,
    }
}
