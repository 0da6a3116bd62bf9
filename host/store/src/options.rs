//! How a store is opened.

use std::{fmt, io, path::Path, sync::Arc};

use crate::engine::{EngineKind, Hook};

/// Says how many bytes are free for this user where a folder is.
pub type FreeSpace = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// How a store is opened. `Options::default()` is right for most.
#[derive(Clone)]
pub struct Options {
    /// Which engine; none takes the one that is there, and redb for a new store.
    pub engine: Option<EngineKind>,
    /// Whether a store is made where there is none.
    pub create: bool,
    /// What is kept free on the file system, in bytes (64 MiB). Below that nothing is written.
    pub floor_bytes: u64,
    /// Batches that wait for their commit, in bytes (64 MiB), each counted with a kilobyte on top. Beyond that
    /// [`commit`](crate::Store::commit) waits before it queues. Never less than the largest batch needs.
    pub queue_bytes: usize,
    /// The engine's cache, in bytes (64 MiB).
    pub cache_bytes: u64,
    /// Up to how many bytes (256 MiB) the files of a store that was closed are read and compared with their seal at open.
    /// Of larger ones only the lengths are compared, and `verify` does the rest.
    pub seal_bytes: u64,
    /// Asks the file system, unless a test wants another answer.
    pub free_space: FreeSpace,
    /// For tests: asked before an engine writes and before it flushes.
    pub hook: Option<Hook>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: None,
            create: true,
            floor_bytes: 64 << 20,
            queue_bytes: 64 << 20,
            cache_bytes: 64 << 20,
            seal_bytes: 256 << 20,
            free_space: Arc::new(free_space),
            hook: None,
        }
    }
}

impl Options {
    /// With this engine, or not at all.
    #[must_use]
    pub fn engine(mut self, engine: EngineKind) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Only what is there already.
    #[must_use]
    pub fn existing(mut self) -> Self {
        self.create = false;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("engine", &self.engine)
            .field("create", &self.create)
            .field("floor_bytes", &self.floor_bytes)
            .field("queue_bytes", &self.queue_bytes)
            .field("cache_bytes", &self.cache_bytes)
            .field("seal_bytes", &self.seal_bytes)
            .finish_non_exhaustive()
    }
}

fn free_space(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
