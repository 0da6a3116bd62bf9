//! A store's folder: what is in it, and how it is put right after something was interrupted.
//!
//! ```text
//! lock      held while the store is open
//! format    format number, engine, checksum
//! anchor    what was committed when it was last opened or closed
//! redo.0    the last two commits, in turn; with redo.1
//! seal      lengths and checksums of the engine's files, while the store is closed
//! sled/     or redb/: the engine's own files
//! ```
//!
//! Two more folders are there for a moment. `engine.new` is made in full before anything else is touched, and `engine.old`
//! is what it takes the place of. A new engine takes its place by two renames, so at any instant it can be told what to do:
//!
//! | `format` | `sled` | `engine.new` | what happened | what is done |
//! | --- | --- | --- | --- | --- |
//! | yes | yes | maybe | it was not ready, or all is done | `engine.new` and `engine.old` are removed |
//! | yes | no | yes | cut off before the last rename | `engine.new` is renamed |
//! | no | no | maybe | cut off while the store was made | it is made again |
//! | yes | no | no | nothing of ours | the store is damaged |
//! | no | yes | maybe | nothing of ours | the store is damaged |

mod format;
mod lock;
mod seal;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    StoreError, anchor,
    engine::{self, EngineKind, Opening},
    options::Options,
    redo,
    tally::{self, Tally},
};

pub(crate) use format::{FORMAT, Format};
pub(crate) use lock::Lock;

const NEW: &str = "engine.new";
const OLD: &str = "engine.old";
/// A copy of an engine's files that is looked at, because the engine writes where it reads.
pub(crate) const LOOK: &str = "engine.look";
/// What may lie in a store's folder besides.
const OURS: [&str; 10] = {
    let [even, odd] = redo::NAMES;
    [lock::NAME, format::NAME, format::NEW, anchor::NAME, even, odd, seal::NAME, seal::NEW, NEW, LOOK]
};

/// A locked folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Held, until this is dropped.
    _lock: Lock,
}

/// What a folder holds.
pub(crate) enum Found {
    /// No store, or one that was not made in full.
    Nothing,
    /// A store.
    Store(Format),
}

impl Folder {
    /// Locks it, and makes it where it is not there and may be made.
    pub(crate) fn lock(path: &Path, create: bool) -> Result<Self, StoreError> {
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => return Err(not_a_store(path, "this is a file; a store is a folder")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                portcullis_files::folder(path).map_err(|error| not_ours(path, error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(not_a_store(
                    path,
                    "there is nothing; it is made by the first command that records something",
                ));
            }
            Err(error) => return Err(at(path, "looking at the folder", &error)),
        }
        if !create && !path.join(lock::NAME).exists() && !path.join(format::NAME).exists() {
            return Err(not_a_store(path, "there is no store in this folder; name the folder of a store"));
        }
        if create && !path.join(lock::NAME).exists() {
            strangers(path)?;
        }
        portcullis_files::existing_folder(path).map_err(|error| not_ours(path, error))?;
        let locked = Self { path: path.to_owned(), _lock: Lock::take(path)? };
        // An engine's files as well, which have the modes that the engine gave them.
        portcullis_files::close_to_others(path).map_err(|error| not_ours(path, error))?;
        Ok(locked)
    }

    /// Locks what may be left of a store, to be looked at or to be moved away. Nothing but the lock is made.
    pub(crate) fn lock_damaged(path: &Path) -> Result<Self, StoreError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(not_a_store(path, "this is a file; a store is a folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_a_store(path, "there is nothing")),
            Err(error) => return Err(at(path, "looking at the folder", &error)),
        }
        let has = |name: &str| path.join(name).exists();
        let any = OURS.iter().any(|name| has(name)) || EngineKind::ALL.iter().any(|kind| has(kind.name()));
        if !any {
            return Err(not_a_store(path, "there is no store in this folder; name the folder of a store"));
        }
        portcullis_files::existing_folder(path).map_err(|error| not_ours(path, error))?;
        Ok(Self { path: path.to_owned(), _lock: Lock::take(path)? })
    }

    /// Where a new engine waits for its place.
    pub(crate) fn waiting(&self) -> PathBuf {
        self.path.join(NEW)
    }

    /// Compares all of the engine's files with their seal, where there is one, and leaves it.
    pub(crate) fn compare_seal(&self, kind: EngineKind) -> Result<(), StoreError> {
        seal::check(&self.path, &self.engine(kind), u64::MAX)
            .map_err(|error| self.io("comparing the files with their seal", &error))?
            .map_err(|what| self.corrupt(what))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// For errors and people.
    pub(crate) fn place(&self) -> String {
        place(&self.path)
    }

    pub(crate) fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::Corrupt { place: self.place(), what: what.into() }
    }

    pub(crate) fn io(&self, doing: &str, error: &io::Error) -> StoreError {
        at(&self.path, doing, error)
    }

    pub(crate) fn engine(&self, kind: EngineKind) -> PathBuf {
        self.path.join(kind.name())
    }

    /// Puts right what was interrupted, and says what is there.
    pub(crate) fn settle(&self) -> Result<Found, StoreError> {
        strangers(&self.path)?;
        let format = Format::read(&self.path)?;
        let there: Vec<EngineKind> = EngineKind::ALL.into_iter().filter(|kind| self.engine(*kind).is_dir()).collect();
        if let [one, other] = there.as_slice() {
            return Err(
                self.corrupt(format!("there are files of two engines, {one} and {other}, and only one can be right"))
            );
        }
        let (new, old) = (self.path.join(NEW), self.path.join(OLD));
        match (&format, there.first()) {
            (Some(format), Some(kind)) if format.engine != *kind => {
                Err(self
                    .corrupt(format!("`format` says that it is kept by {}, and the files are {kind}'s", format.engine)))
            }
            (None, Some(kind)) => {
                Err(self.corrupt(format!("the file `format` is missing beside {kind}'s files; put it back")))
            }
            (Some(format), Some(_)) => {
                self.remove(&new)?;
                self.remove(&old)?;
                self.remove(&self.path.join(LOOK))?;
                Ok(Found::Store(format.clone()))
            }
            // All of it is ready, and only the last rename was not done.
            (Some(format), None) if new.is_dir() => {
                self.rename(&new, &self.engine(format.engine))?;
                self.remove(&old)?;
                Ok(Found::Store(format.clone()))
            }
            (Some(format), None) => Err(self.corrupt(format!("the files of {} are missing", format.engine))),
            // Cut off while it was made: nothing was ever committed to it.
            (None, None) => {
                if let Ok((_, Some(tally))) = anchor::Anchor::open(&self.path)
                    && tally.number > 0
                    && !new.is_dir()
                {
                    let number = tally.number;
                    return Err(self.corrupt(format!("the engine's files are missing, and {number} commits were made")));
                }
                self.remove(&new)?;
                let [even, odd] = redo::NAMES;
                for name in [format::NAME, format::NEW, anchor::NAME, even, odd, seal::NAME, seal::NEW] {
                    self.remove(&self.path.join(name))?;
                }
                Ok(Found::Nothing)
            }
        }
    }

    /// Makes an empty store.
    pub(crate) fn make(&self, kind: EngineKind, options: &Options) -> Result<Format, StoreError> {
        let tally = Tally::default();
        self.new_engine(kind, options, |engine| {
            engine.write([(tally::KEY.to_vec(), Some(tally.to_bytes().to_vec()))].into())
        })?;
        self.install(kind, tally)
    }

    /// Lets the engine in the waiting place be a store's first.
    pub(crate) fn install(&self, kind: EngineKind, tally: Tally) -> Result<Format, StoreError> {
        anchor::Anchor::create(&self.path, tally).map_err(|error| self.io("making the anchor", &error))?;
        redo::Redo::create(&self.path).map_err(|error| self.io("making the files of the last commits", &error))?;
        // From `format` on this is a store, to which somebody may commit: all that leads to it is durable before.
        sync_above(&self.path).map_err(|error| self.io("flushing the folders above", &error))?;
        let format = Format { format: FORMAT, engine: kind };
        format.write(&self.path)?;
        self.rename(&self.path.join(NEW), &self.engine(kind))?;
        Ok(format)
    }

    /// Makes a new engine in its waiting place, filled, flushed and closed.
    pub(crate) fn new_engine(
        &self,
        kind: EngineKind,
        options: &Options,
        fill: impl FnOnce(&dyn engine::Engine) -> Result<(), engine::Failure>,
    ) -> Result<(), StoreError> {
        let new = self.path.join(NEW);
        self.remove(&new)?;
        portcullis_files::make_folder(&new).map_err(|error| self.io("making a folder", &error))?;
        let opening = Opening { folder: new.clone(), cache_bytes: options.cache_bytes, hook: None };
        let told = |failure| self.told(failure, options);
        let made = engine::open(kind, opening).map_err(told)?;
        let filled = fill(made.as_ref());
        let closed = made.close();
        drop(made);
        filled.and(closed).map_err(told)?;
        portcullis_files::close_to_others(&new).map_err(|error| not_ours(&new, error))?;
        // Its own name, too: what it takes the place of is only moved away when it is there to stay.
        engine::sync_folder(&new)
            .and_then(|()| sync(&self.path))
            .map_err(|error| self.io("flushing a new engine", &error))
    }

    /// Lets the engine in the waiting place take the place of the old one.
    pub(crate) fn swap(&self, kind: EngineKind) -> Result<(), StoreError> {
        let (here, new, old) = (self.engine(kind), self.path.join(NEW), self.path.join(OLD));
        self.remove(&old)?;
        self.rename(&here, &old)?;
        self.rename(&new, &here)?;
        self.remove(&old)
    }

    /// Notes what the engine's files are, now that nobody writes to them.
    pub(crate) fn seal(&self, kind: EngineKind) -> Result<(), StoreError> {
        seal::write(&self.path, &self.engine(kind)).map_err(|error| self.io("sealing", &error))
    }

    /// Compares the engine's files with their seal, and removes it. Says whether there was one: without it they were not closed
    /// in order.
    pub(crate) fn unseal(&self, kind: EngineKind, most_bytes: u64) -> Result<bool, StoreError> {
        let sealed = self.path.join(seal::NAME).exists();
        seal::check(&self.path, &self.engine(kind), most_bytes)
            .map_err(|error| self.io("comparing the files with their seal", &error))?
            .map_err(|what| self.corrupt(what))?;
        self.remove(&self.path.join(seal::NAME))?;
        // Whoever was killed here before may have removed it, or renamed something, and not have flushed that.
        sync(&self.path).map_err(|error| self.io("flushing the folder", &error))?;
        Ok(sealed)
    }

    /// What an engine's failure is to a store.
    pub(crate) fn told(&self, failure: engine::Failure, options: &Options) -> StoreError {
        use engine::Failure;
        let place = self.place();
        match failure {
            Failure::Full => StoreError::Full {
                place,
                free_bytes: (options.free_space)(&self.path).unwrap_or(0),
                floor_bytes: options.floor_bytes,
            },
            Failure::ReadOnly => StoreError::ReadOnly { place },
            Failure::Io(problem) => StoreError::Io { place, problem },
            Failure::Unsynced(problem) => StoreError::Stopped { place, problem },
            Failure::Damaged(what) => StoreError::Corrupt { place, what },
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        fs::rename(from, to).and_then(|()| sync(&self.path)).map_err(|error| self.io("renaming", &error))
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        let removed = match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => Err(error),
        };
        removed.and_then(|()| sync(&self.path)).map_err(|error| self.io("removing what was left over", &error))
    }
}

/// Refuses a folder with other things in it.
fn strangers(path: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(path).map_err(|error| at(path, "reading the folder", &error))? {
        let name = entry.map_err(|error| at(path, "reading the folder", &error))?.file_name();
        let ours = name.to_str().is_some_and(|name| {
            OURS.contains(&name) || name == OLD || EngineKind::ALL.iter().any(|kind| kind.name() == name)
        });
        if !ours {
            let name = name.to_string_lossy();
            let problem = format!("`{name}` is not a store's; name another folder, or move it away");
            return Err(not_a_store(path, &problem));
        }
    }
    Ok(())
}

/// Flushes a folder itself: which names are in it.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Flushes all folders above, as far as this user may open them: others made the rest, and before.
fn sync_above(path: &Path) -> io::Result<()> {
    for above in path.canonicalize()?.ancestors().skip(1) {
        match sync(above) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            // Some file systems know no flush of a folder.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            synced => synced?,
        }
    }
    Ok(())
}

pub(crate) fn place(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn not_a_store(path: &Path, problem: &str) -> StoreError {
    StoreError::NotAStore { place: place(path), problem: problem.to_owned() }
}

/// What cannot be this user's alone.
pub(crate) fn not_ours(path: &Path, error: portcullis_files::FileError) -> StoreError {
    match error {
        portcullis_files::FileError::Io { path, doing, error } => at(&path, doing, &error),
        other => StoreError::Open { place: place(path), problem: other.to_string() },
    }
}

pub(crate) fn at(path: &Path, doing: &str, error: &io::Error) -> StoreError {
    let place = place(path);
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { place },
        _ => StoreError::Io { place, problem: format!("{doing}: {error}") },
    }
}
