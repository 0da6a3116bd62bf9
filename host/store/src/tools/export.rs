//! A store as one portable file: the same for every engine, for backups and for moving from one engine to another.
//!
//! ```text
//! portcullis store export 2\n            the version; 1 has no N
//! E  key length   u32                    each entry, in the order of keys; numbers are little endian
//!    value length u32
//!    checksum     u128                   of the entry, as it is in the store
//!    key, value
//! N  length       u32                    where the store was salvaged: what was left out, as JSON in an envelope; at most
//!    envelope                            once, behind the entries
//! T  entries      u64                    the end
//!    sum          u128                   of the entries' checksums, modulo 2^128
//!    checksum     u128                   of these 24 bytes
//! ```

use std::io::{self, Read, Write};

use super::salvage::{MAX_NOTE, Note};
use crate::{MAX_KEY_BYTES, MAX_VALUE_BYTES, Scan, Store, StoreError, checksum, tally::Tally};

/// How a file of any version begins.
const BEGINNING: &str = "portcullis store export ";
const VERSION: u32 = 2;
/// The oldest that is read.
const OLDEST: u32 = 1;
const ENTRY: u8 = b'E';
const NOTE: u8 = b'N';
const TRAILER: u8 = b'T';

/// What was written to a file, or read from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many entries.
    pub entries: u64,
    /// Their keys and values together, in bytes.
    pub bytes: u64,
    /// What it was salvaged from, if it was.
    pub salvaged: Option<Note>,
}

/// Writes all of a store, page by page. What is committed meanwhile may be in it or not, and of one batch a part.
pub async fn export(
    store: &dyn Store,
    out: &mut (dyn Write + Send),
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Exported, StoreError> {
    let failed =
        |error: io::Error| StoreError::Io { place: store.place(), problem: format!("writing the export: {error}") };
    let (mut tally, mut bytes) = (Tally::default(), 0);
    write_beginning(out).map_err(failed)?;
    let mut scan = Scan::prefix("");
    loop {
        let page = store.scan(&scan).await?;
        for (key, value) in &page.entries {
            let checksum = checksum::of_entry(key, value);
            write_entry(out, checksum, key, value).map_err(failed)?;
            tally.add(checksum);
            bytes += (key.len() + value.len()) as u64;
        }
        progress(tally.entries);
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => break,
        }
    }
    let salvaged = store.salvaged().await?;
    if let Some(note) = &salvaged {
        write_note(out, &note.stored()).map_err(failed)?;
    }
    write_trailer(out, &tally).map_err(failed)?;
    Ok(Exported { entries: tally.entries, bytes, salvaged })
}

pub(super) fn write_beginning(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(format!("{BEGINNING}{VERSION}\n").as_bytes())
}

pub(super) fn write_note(out: &mut dyn Write, note: &[u8]) -> io::Result<()> {
    out.write_all(&[NOTE])?;
    out.write_all(&u32::try_from(note.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    out.write_all(note)
}

pub(super) fn write_entry(out: &mut dyn Write, checksum: u128, key: &[u8], value: &[u8]) -> io::Result<()> {
    out.write_all(&[ENTRY])?;
    out.write_all(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    out.write_all(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    out.write_all(&checksum.to_le_bytes())?;
    out.write_all(key)?;
    out.write_all(value)
}

pub(super) fn write_trailer(out: &mut dyn Write, tally: &Tally) -> io::Result<()> {
    let mut told = tally.entries.to_le_bytes().to_vec();
    told.extend_from_slice(&tally.sum.to_le_bytes());
    out.write_all(&[TRAILER])?;
    out.write_all(&told)?;
    out.write_all(&checksum::of(&told).to_le_bytes())?;
    out.flush()
}

/// Reads an exported file, entry by entry, and finds what is wrong with it.
pub(super) struct Reader<R> {
    input: R,
    at: u64,
    tally: Tally,
    last: Option<Vec<u8>>,
    note: Option<Note>,
}

/// An error of an exported file, or of reading it.
pub(super) type Problem = String;

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Result<Self, Problem> {
        let mut reader = Self { input, at: 0, tally: Tally::default(), last: None, note: None };
        let mut beginning = [0; BEGINNING.len()];
        let other = "it is no export of a store; `portcullis store export` makes one";
        reader.exact(&mut beginning).map_err(|_| other.to_owned())?;
        if beginning != BEGINNING.as_bytes() {
            return Err(other.to_owned());
        }
        let mut version = Vec::new();
        loop {
            let [digit] = reader.bytes::<1>()?;
            match digit {
                b'\n' => break,
                b'0'..=b'9' if version.len() < 9 => version.push(digit),
                _ => return Err("its first line is not as it was written".to_owned()),
            }
        }
        match String::from_utf8_lossy(&version).parse::<u32>() {
            Ok(OLDEST..=VERSION) => Ok(reader),
            Ok(found) => Err(format!(
                "it has version {found}, and this Portcullis reads versions up to {VERSION}; use a newer one"
            )),
            Err(_) => Err("its first line is not as it was written".to_owned()),
        }
    }

    /// The next entry; none at the end, when all of it was right.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Problem> {
        let at = self.at;
        let wrong = |what: &str| format!("{what} (at byte {at})");
        match self.bytes()? {
            [ENTRY] if self.note.is_none() => {}
            [NOTE] if self.note.is_none() => {
                self.read_note(at)?;
                return self.next();
            }
            [TRAILER] => return self.end(at).map(|()| None),
            _ => return Err(wrong("there is neither an entry nor the end")),
        }
        let key_length = u32::from_le_bytes(self.bytes()?) as usize;
        let value_length = u32::from_le_bytes(self.bytes()?) as usize;
        if key_length > MAX_KEY_BYTES || value_length > MAX_VALUE_BYTES {
            return Err(wrong("an entry is longer than any can be"));
        }
        let told = u128::from_le_bytes(self.bytes()?);
        let (mut key, mut value) = (vec![0; key_length], vec![0; value_length]);
        self.exact(&mut key)?;
        self.exact(&mut value)?;
        if checksum::of_entry(&key, &value) != told {
            return Err(wrong("an entry is not as it was written: its checksum is wrong"));
        }
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(wrong("an entry is not in its place in the order"));
        }
        self.tally.add(told);
        self.last = Some(key.clone());
        Ok(Some((key, value)))
    }

    fn read_note(&mut self, at: u64) -> Result<(), Problem> {
        let length = u32::from_le_bytes(self.bytes()?) as usize;
        if length > MAX_NOTE {
            return Err(format!("its note has {length} bytes; the limit is {MAX_NOTE} (at byte {at})"));
        }
        let mut note = vec![0; length];
        self.exact(&mut note)?;
        self.note = Some(Note::parse(&note).map_err(|what| format!("{what} (at byte {at})"))?);
        Ok(())
    }

    /// What it says of itself, once all of it was read: that it was salvaged.
    pub(super) fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    fn end(&mut self, at: u64) -> Result<(), Problem> {
        let mut told = [0; 24];
        self.exact(&mut told)?;
        if u128::from_le_bytes(self.bytes()?) != checksum::of(&told) {
            return Err(format!("its end is not as it was written: its checksum is wrong (at byte {at})"));
        }
        let mut expected = self.tally.entries.to_le_bytes().to_vec();
        expected.extend_from_slice(&self.tally.sum.to_le_bytes());
        if expected != told {
            let found = self.tally.entries;
            return Err(format!("entries are missing: {found} are there, and its end tells of others (at byte {at})"));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(format!("something follows after its end (at byte {})", self.at)),
            Err(error) => Err(format!("reading it: {error}")),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let mut bytes = [0; N];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    fn exact(&mut self, into: &mut [u8]) -> Result<(), Problem> {
        self.input.read_exact(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("it is cut off (after byte {})", self.at),
            _ => format!("reading it: {error}"),
        })?;
        self.at += into.len() as u64;
        Ok(())
    }
}
