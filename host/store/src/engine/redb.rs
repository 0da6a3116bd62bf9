//! redb 4: a copy-on-write tree in the file `data`. Readers have snapshots; a commit is one flush.
//!
//! The file is ours ([`Disk`]), for three reasons: which of its calls failed is known (a failed flush means something else
//! than a full disk); a test can make one fail; and it can be read when nothing can be written. For that, redb's own
//! repair of a file that was not closed runs against changes that are kept in memory.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::File,
    io,
    ops::Bound,
    os::unix::fs::FileExt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition};

use super::{Engine, Failure, Opening, Range, Step, Visit, Writes, quiet};

const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// The file's name.
const FILE: &str = "data";
/// In what pieces changes that are kept in memory are kept.
const PIECE: u64 = 4096;

pub(super) struct Redb {
    /// None once it was closed.
    database: Mutex<Option<Arc<Database>>>,
    unsynced: Arc<AtomicBool>,
    gave_up: AtomicBool,
    reading_only: bool,
}

impl Redb {
    pub(super) fn open(opening: Opening) -> Result<Self, Failure> {
        let path = opening.folder.join(FILE);
        let file = portcullis_files::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| Failure::of_io("opening its file", &error))?;
        let unsynced = Arc::new(AtomicBool::new(false));
        let disk = Disk { file, opening: opening.clone(), unsynced: Arc::clone(&unsynced), kept: None };
        Self::on(disk, opening, unsynced)
    }

    /// Opens it with all changes kept in memory.
    pub(super) fn open_for_reading(opening: Opening) -> Result<Self, Failure> {
        let path = opening.folder.join(FILE);
        let file = File::open(path).map_err(|error| Failure::of_io("opening its file for reading", &error))?;
        let length = file.metadata().map_err(|error| Failure::of_io("looking at its file", &error))?.len();
        let kept = Some(Mutex::new(Kept { length, pieces: BTreeMap::new() }));
        let unsynced = Arc::new(AtomicBool::new(false));
        let disk = Disk { file, opening: opening.clone(), unsynced: Arc::clone(&unsynced), kept };
        Self::on(disk, opening, unsynced)
    }

    fn on(disk: Disk, opening: Opening, unsynced: Arc<AtomicBool>) -> Result<Self, Failure> {
        let reading_only = disk.kept.is_some();
        let cache = usize::try_from(opening.cache_bytes).unwrap_or(usize::MAX);
        let database = quiet::catch(|| {
            let database = Builder::new().set_cache_size(cache).create_with_backend(disk)?;
            if !reading_only {
                // Readers need the table to be there.
                let writing = database.begin_write()?;
                writing.open_table(ENTRIES)?;
                writing.commit()?;
            }
            Ok::<_, redb::Error>(database)
        })
        .map_err(Failure::Damaged)?
        .map_err(|error| told(&unsynced, error))?;
        let database = Mutex::new(Some(Arc::new(database)));
        Ok(Self { database, unsynced, gave_up: AtomicBool::new(false), reading_only })
    }

    /// Does something with the database. After a panic nothing is done with it any more.
    fn with<T>(&self, doing: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, Failure> {
        if self.gave_up.load(Ordering::Acquire) {
            return Err(Failure::Damaged("the engine gave up on this data before".to_owned()));
        }
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(database) = database else {
            return Err(Failure::Io("it was closed".to_owned()));
        };
        quiet::catch(|| doing(&database))
            .map_err(|text| {
                self.gave_up.store(true, Ordering::Release);
                Failure::Damaged(text)
            })?
            .map_err(|error| told(&self.unsynced, error))
    }
}

impl Engine for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(ENTRIES)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    fn visit(&self, range: &Range, descending: bool, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(ENTRIES)?;
            let bounds: (Bound<&[u8]>, Bound<&[u8]>) =
                (range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice));
            let mut entries = table.range::<&[u8]>(bounds)?;
            while let Some(entry) = if descending { entries.next_back() } else { entries.next() } {
                let (key, value) = entry?;
                if !visit(key.value(), value.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn prepare(&self, _: u64) -> Result<(), Failure> {
        // It is opened anew after anything.
        Ok(())
    }

    fn write(&self, writes: Writes) -> Result<(), Failure> {
        self.with(|database| {
            let writing = database.begin_write()?;
            {
                let mut table = writing.open_table(ENTRIES)?;
                for (key, value) in &writes {
                    match value {
                        Some(value) => drop(table.insert(key.as_slice(), value.as_slice())?),
                        None => drop(table.remove(key.as_slice())?),
                    }
                }
            }
            writing.commit()?;
            Ok(())
        })
    }

    fn shows_early(&self) -> bool {
        false
    }

    fn reads_after_failure(&self) -> bool {
        // After an error redb answers nothing any more.
        false
    }

    fn holds_files(&self) -> bool {
        !self.reading_only
    }

    fn close(&self) -> Result<(), Failure> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(database) = database.and_then(Arc::into_inner) else { return Ok(()) };
        quiet::catch(|| database.close()).map_err(Failure::Damaged)?.map_err(|error| told(&self.unsynced, error.into()))
    }
}

fn told(unsynced: &AtomicBool, error: redb::Error) -> Failure {
    if unsynced.load(Ordering::Acquire) {
        return Failure::Unsynced(error.to_string());
    }
    match &error {
        redb::Error::Io(io) => Failure::of_io("redb", io),
        redb::Error::PreviousIo => Failure::Io("redb: an earlier error of the disk".to_owned()),
        redb::Error::DatabaseAlreadyOpen => Failure::Io(error.to_string()),
        // Everything else cannot be in a file that only this code has written.
        _ => Failure::Damaged(format!("redb: {error}")),
    }
}

/// The file of a database, or the file and changes to it that are never written.
struct Disk {
    file: File,
    opening: Opening,
    /// A flush failed.
    unsynced: Arc<AtomicBool>,
    /// Changes that are kept in memory; none where they are written.
    kept: Option<Mutex<Kept>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("file", &self.file).finish_non_exhaustive()
    }
}

struct Kept {
    length: u64,
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Disk {
    fn kept(&self) -> Option<std::sync::MutexGuard<'_, Kept>> {
        self.kept.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A piece as it is in the file; zeros beyond its end.
    fn piece(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; usize::try_from(PIECE).unwrap_or(0)];
        let mut filled = 0;
        while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, number * PIECE + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(piece)
    }

    /// For each piece that a range of the file touches: its number, where in it, and how many bytes.
    fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
        let (mut at, end) = (offset, offset + length as u64);
        std::iter::from_fn(move || {
            let within = at % PIECE;
            let many = (PIECE - within).min(end.checked_sub(at).filter(|rest| *rest > 0)?);
            let number = at / PIECE;
            at += many;
            Some((number, usize::try_from(within).ok()?, usize::try_from(many).ok()?))
        })
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        match self.kept() {
            Some(kept) => Ok(kept.length),
            None => Ok(self.file.metadata()?.len()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(kept) = self.kept() else {
            return self.file.read_exact_at(out, offset);
        };
        if offset + out.len() as u64 > kept.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = out;
        for (number, within, many) in Self::pieces(offset, rest.len()) {
            let from_file;
            let piece = match kept.pieces.get(&number) {
                Some(piece) => piece,
                None => {
                    from_file = self.piece(number)?;
                    &from_file
                }
            };
            let (now, later) = rest.split_at_mut_checked(many).ok_or(io::ErrorKind::UnexpectedEof)?;
            now.copy_from_slice(piece.get(within..within + many).ok_or(io::ErrorKind::UnexpectedEof)?);
            rest = later;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        match self.kept() {
            Some(mut kept) => {
                kept.length = length;
                Ok(())
            }
            None => {
                self.opening.step(Step::Write)?;
                // A full disk is told here, where nothing was changed yet, and not at a write later on.
                super::reserve(&self.file, self.file.metadata()?.len(), length)?;
                self.file.set_len(length)
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.kept.is_some() {
            return Ok(());
        }
        let synced = self.opening.step(Step::Sync).and_then(|()| self.file.sync_data());
        if synced.is_err() {
            self.unsynced.store(true, Ordering::Release);
        }
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Some(mut kept) = self.kept() else {
            self.opening.step(Step::Write)?;
            return self.file.write_all_at(data, offset);
        };
        let mut rest = data;
        for (number, within, many) in Self::pieces(offset, rest.len()) {
            let piece = match kept.pieces.entry(number) {
                Entry::Occupied(piece) => piece.into_mut(),
                Entry::Vacant(empty) => empty.insert(self.piece(number)?),
            };
            let (now, later) = rest.split_at_checked(many).ok_or(io::ErrorKind::UnexpectedEof)?;
            let to = piece.get_mut(within..within + many);
            to.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(now);
            rest = later;
        }
        Ok(())
    }
}
