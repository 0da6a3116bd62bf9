//! One process at a time. Nobody else can open the lock, and so nobody else can hold it.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{at, not_ours, place};
use crate::StoreError;

/// The file's name.
pub(super) const NAME: &str = "lock";
/// How long another process that is about to end is waited for.
const WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock is the file's")] File);

impl Lock {
    /// Takes it, and waits five seconds for another to let go.
    pub(super) fn take(folder: &Path) -> Result<Self, StoreError> {
        let started = Instant::now();
        let path = folder.join(NAME);
        loop {
            let options = portcullis_files::options().read(true).write(true).create(true).truncate(false).clone();
            let file = portcullis_files::open(&options, &path).map_err(|error| not_ours(folder, error))?;
            match file.try_lock() {
                // What was locked may have been replaced while it was waited for.
                Ok(()) if is_still(&file, &path) => return Ok(Self(file)),
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) if started.elapsed() < WITHIN => thread::sleep(AGAIN_AFTER),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Busy { place: place(folder) }),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(TryLockError::Error(error)) => return Err(at(folder, "locking", &error)),
            }
        }
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    held.ino() == there.ino() && held.dev() == there.dev()
}
