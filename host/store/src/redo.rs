//! The last two commits as a whole, written outside of the engine before anybody is answered.
//!
//! A database that comes back shorter looks like one in which less was ever written, and whether an engine's flush is one
//! cannot be seen from here. So each commit is also written to `redo.0` or `redo.1`, in turn, and flushed by a thread of its
//! own while the engine flushes: the two take little longer than one. Whoever is answered has both. At open, an engine that is
//! behind by what stands here gets it again; one that is further behind has lost something, and is refused by name.
//!
//! A file holds one record, from its beginning: `01`, the tally after the commit, how many bytes of writes follow (u32), the
//! checksum (16) of all these and of the writes; then each write: key length and value length (u32 each; `ff ff ff ff` removes
//! the key), key, envelope. What is not whole is no record: nobody was answered for it. Both files are empty while the store is
//! closed.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use crate::{
    checksum,
    engine::Writes,
    tally::{self, Tally},
};

/// The files' names: that of a commit is told by the last bit of its number.
pub(crate) const NAMES: [&str; 2] = ["redo.0", "redo.1"];
const VERSION: u8 = 1;
/// Bytes before the writes.
const HEAD: usize = 1 + tally::BYTES + 4 + checksum::BYTES;
/// The length of a value that is none: the key is removed.
const REMOVED: u32 = u32::MAX;
/// Longest record that is read. A round of the committer is shorter.
const MAX_RECORD: u64 = 256 << 20;

/// A commit, as it was written here.
pub(crate) struct Record {
    pub(crate) tally: Tally,
    pub(crate) writes: Writes,
}

/// The open files, and the thread that flushes them.
pub(crate) struct Redo {
    files: [Arc<File>; 2],
    flush: mpsc::Sender<Arc<File>>,
    flushed: mpsc::Receiver<io::Result<()>>,
}

impl Redo {
    /// Makes both files, empty, and flushes them.
    pub(crate) fn create(folder: &Path) -> io::Result<()> {
        NAMES.into_iter().try_for_each(|name| portcullis_files::create(&folder.join(name))?.sync_all())?;
        crate::folder::sync(folder)
    }

    /// Opens both, and reads what is whole in them, oldest first.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Vec<Record>)> {
        let [one, other] = NAMES
            .map(|name| portcullis_files::open(portcullis_files::options().read(true).write(true), &folder.join(name)));
        let files = [Arc::new(one?), Arc::new(other?)];
        let records = read(&files)?;
        let (flush, next) = mpsc::channel::<Arc<File>>();
        let (answer, flushed) = mpsc::channel();
        thread::Builder::new().name("portcullis-redo".to_owned()).spawn(move || {
            while let Ok(file) = next.recv() {
                if answer.send(file.sync_data()).is_err() {
                    break;
                }
            }
        })?;
        Ok((Self { files, flush, flushed }, records))
    }

    /// Reads what is whole, of files that nobody has open. Those that are not there hold nothing.
    pub(crate) fn look(folder: &Path) -> io::Result<Vec<Record>> {
        let mut files = Vec::new();
        for name in NAMES {
            match portcullis_files::open(portcullis_files::options().read(true), &folder.join(name)) {
                Ok(file) => files.push(Arc::new(file)),
                Err(portcullis_files::FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        read(&files)
    }

    fn of(&self, number: u64) -> &Arc<File> {
        let [even, odd] = &self.files;
        if number.is_multiple_of(2) { even } else { odd }
    }

    /// Writes a commit, and begins to flush it. An error changes nothing: what is there of it is not whole.
    pub(crate) fn begin(&self, tally: Tally, writes: &Writes) -> io::Result<()> {
        let file = self.of(tally.number);
        file.write_all_at(&record(tally, writes), 0)?;
        self.flush.send(Arc::clone(file)).map_err(|_| ended())
    }

    /// Waits until it is flushed.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.flushed.recv().map_err(|_| ended())?
    }

    /// A commit that came to nothing is not to be done again.
    pub(crate) fn void(&self, number: u64) -> io::Result<()> {
        let file = self.of(number);
        file.set_len(0)?;
        file.sync_data()
    }

    /// Both are empty: the engine has everything.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| {
            file.set_len(0)?;
            file.sync_all()
        })
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that flushes has ended")
}

fn read(files: &[Arc<File>]) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    for file in files {
        let length = file.metadata()?.len();
        let Ok(bytes) = usize::try_from(length.min(MAX_RECORD)) else { continue };
        let mut text = vec![0; bytes];
        file.read_exact_at(&mut text, 0)?;
        records.extend(parse(&text));
    }
    records.sort_by_key(|record| record.tally.number);
    Ok(records)
}

fn record(tally: Tally, writes: &Writes) -> Vec<u8> {
    let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
    let bytes: usize = writes.iter().map(|(key, value)| 8 + key.len() + length(value)).sum();
    let mut record = Vec::with_capacity(HEAD + bytes);
    record.push(VERSION);
    record.extend_from_slice(&tally.to_bytes());
    record.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
    record.extend_from_slice(&[0; checksum::BYTES]);
    for (key, value) in writes {
        record.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
        let length = value.as_ref().map_or(REMOVED, |value| u32::try_from(value.len()).unwrap_or(REMOVED));
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(key);
        record.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    // Of the record with zeros in its place.
    let checksum = checksum::of(&record).to_le_bytes();
    if let Some(place) = record.get_mut(HEAD - checksum::BYTES..HEAD) {
        place.copy_from_slice(&checksum);
    }
    record
}

/// None where it is not whole.
fn parse(text: &[u8]) -> Option<Record> {
    let (head, rest) = text.split_at_checked(HEAD)?;
    let (&version, after) = head.split_first()?;
    let (tally, after) = after.split_at_checked(tally::BYTES)?;
    let (bytes, stored) = after.split_first_chunk::<4>()?;
    let writes = rest.get(..usize::try_from(u32::from_le_bytes(*bytes)).ok()?)?;
    if version != VERSION {
        return None;
    }
    let mut whole = head.get(..HEAD - checksum::BYTES)?.to_vec();
    whole.extend_from_slice(&[0; checksum::BYTES]);
    whole.extend_from_slice(writes);
    if checksum::of(&whole).to_le_bytes() != stored {
        return None;
    }
    let tally = Tally::from_bytes(tally)?;
    let (mut found, mut rest) = (Writes::new(), writes);
    while !rest.is_empty() {
        let (key, after) = rest.split_first_chunk::<4>()?;
        let (value, after) = after.split_first_chunk::<4>()?;
        let (key, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*key)).ok()?)?;
        let length = u32::from_le_bytes(*value);
        let (value, after) = if length == REMOVED {
            (None, after)
        } else {
            after.split_at_checked(usize::try_from(length).ok()?).map(|(value, after)| (Some(value.to_vec()), after))?
        };
        found.insert(key.to_vec(), value);
        rest = after;
    }
    Some(Record { tally, writes: found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(number: u64) -> Tally {
        Tally { number, entries: number * 2, sum: 5 }
    }

    fn writes(text: &str) -> Writes {
        [(b"\x01gone".to_vec(), None), (b"\x01key".to_vec(), Some(text.as_bytes().to_vec()))].into()
    }

    #[test]
    fn a_record_that_is_cut_off_or_changed_in_any_bit_is_none() {
        let whole = record(tally(7), &writes("text"));
        let read = parse(&whole).unwrap();
        assert_eq!((read.tally, read.writes), (tally(7), writes("text")));
        assert!(parse(&[whole.clone(), b"of a longer one before".to_vec()].concat()).is_some());
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_none(), "cut off at {end}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&flipped).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn the_last_two_commits_are_kept_and_a_void_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        Redo::create(folder.path()).unwrap();
        let numbers = |records: Vec<Record>| -> Vec<u64> { records.iter().map(|record| record.tally.number).collect() };
        let (redo, records) = Redo::open(folder.path()).unwrap();
        assert!(records.is_empty());
        for number in 1..=5 {
            redo.begin(tally(number), &writes(&"x".repeat(usize::try_from(40 - number).unwrap()))).unwrap();
            redo.end().unwrap();
        }
        assert_eq!(numbers(Redo::look(folder.path()).unwrap()), [4, 5]);
        redo.void(5).unwrap();
        assert_eq!(numbers(Redo::open(folder.path()).unwrap().1), [4]);
        redo.clear().unwrap();
        assert!(Redo::look(folder.path()).unwrap().is_empty());
        assert!(Redo::look(&folder.path().join("nothing")).unwrap().is_empty());
    }
}
