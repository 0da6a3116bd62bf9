//! What a database must be able to do to stand behind [`Embedded`](crate::Embedded): five things, all of them blocking.
//!
//! Everything else is done once, above: checks, group commit, envelopes, tallies, what happens on a full disk. An engine
//! sees stored keys and envelopes and knows nothing of either.

mod quiet;
mod redb;
mod sled;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    ops::Bound,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

/// A database that a store can be kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// sled 0.34: a log and a tree over it.
    Sled,
    /// redb 4: a copy-on-write tree in one file.
    #[default]
    Redb,
}

impl EngineKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sled, Self::Redb];

    /// Its name, which is also its folder's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("`{name}` is no engine; there are sled and redb"))
    }
}

/// Writes by stored key; none removes.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Is shown entries of a range and says whether it wants more.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> bool + 'a;

/// A range of stored keys.
pub(crate) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// An open database.
pub(crate) trait Engine: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure>;

    /// Shows a range as it is at one moment, until the visitor has enough.
    fn visit(&self, range: &Range, descending: bool, visit: &mut Visit<'_>) -> Result<(), Failure>;

    /// Takes the space that a write of so many bytes needs, where the engine could not go on if there were none. When it
    /// fails, nothing has happened.
    fn prepare(&self, bytes: u64) -> Result<(), Failure>;

    /// Writes all or nothing. When it returns, that is durable.
    fn write(&self, writes: Writes) -> Result<(), Failure>;

    /// Whether a reader can see what is being written before it is durable. The store then keeps readers out meanwhile.
    fn shows_early(&self) -> bool;

    /// Whether it can still be read after a write that failed.
    fn reads_after_failure(&self) -> bool;

    /// Whether it must be closed before the same files are opened again.
    fn holds_files(&self) -> bool;

    /// Ends it in order, and says what could not be done.
    fn close(&self) -> Result<(), Failure>;
}

/// A point at which a test may make something fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An engine is about to write.
    Write,
    /// An engine is about to make what it wrote durable.
    Sync,
}

/// Asked at each [`Step`]; what it answers happens. For tests, which also count with it.
pub type Hook = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// How an engine is opened.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) folder: PathBuf,
    pub(crate) cache_bytes: u64,
    pub(crate) hook: Option<Hook>,
}

impl Opening {
    fn step(&self, step: Step) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(step))
    }
}

/// Opens an engine in its own folder, or makes one there.
pub(crate) fn open(kind: EngineKind, opening: Opening) -> Result<Box<dyn Engine>, Failure> {
    Ok(match kind {
        EngineKind::Sled => Box::new(sled::Sled::open(opening)?),
        EngineKind::Redb => Box::new(redb::Redb::open(opening)?),
    })
}

/// Opens what an engine has made durable for reading only, without writing to the disk; none where it has no such way.
pub(crate) fn open_for_reading(kind: EngineKind, opening: Opening) -> Result<Option<Box<dyn Engine>>, Failure> {
    match kind {
        EngineKind::Sled => Ok(None),
        EngineKind::Redb => Ok(Some(Box::new(redb::Redb::open_for_reading(opening)?))),
    }
}

/// Why an engine did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No space, or a quota.
    Full,
    /// The file system takes no writes.
    ReadOnly,
    /// Reading or writing failed.
    Io(String),
    /// What was written may or may not be durable.
    Unsynced(String),
    /// Something is not as it was written.
    Damaged(String),
}

impl Failure {
    /// What an error of the operating system means.
    pub(crate) fn of_io(doing: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::UnexpectedEof => Self::Damaged(format!("{doing}: a file is shorter than it was")),
            _ => Self::Io(format!("{doing}: {error}")),
        }
    }
}

/// Takes space for a file from one offset to another, without making it longer. File systems that cannot are not asked again.
fn reserve(file: &fs::File, from: u64, to: u64) -> io::Result<()> {
    if to <= from {
        return Ok(());
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, from, to - from) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => Ok(()),
        done => Ok(done?),
    }
}

/// Flushes a folder's files, then the folder, then those below it.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folder(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    fs::File::open(folder)?.sync_all()
}
