//! Making an engine anew: from an exported file, or from what is live in the old one.
//!
//! Both fill a new engine in its waiting place, count it, and only then let it take its place (see `folder.rs`). Cut off
//! anywhere, the store is what it was, or what it was to become.

use std::{io::Read, os::unix::fs::MetadataExt, path::Path};

use super::{
    Note,
    export::{Exported, Reader},
    salvage,
};
use crate::{
    StoreError,
    engine::{Engine, EngineKind, Failure, Writes},
    envelope,
    folder::{Folder, Found},
    opening::{self, Opened},
    options::Options,
    redo::Redo,
    shared,
    tally::{self, Tally},
    tools,
};

/// How much is written to a new engine at once, in bytes.
const CHUNK_BYTES: usize = 4 << 20;

/// Makes a store of an exported file, where there is none or an empty one. Blocks.
///
/// A file that is damaged or cut off is refused with the place, and changes nothing.
pub fn import(
    folder: &Path,
    options: &Options,
    file: impl Read,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, StoreError> {
    let refuse = |problem: String| {
        let problem = format!("the export cannot be imported: {problem}");
        StoreError::NotAStore { place: crate::folder::place(folder), problem }
    };
    // Whoever names the wrong file should not find a folder made for it.
    let mut reader = Reader::new(file).map_err(refuse)?;
    let (folder, old) = empty(folder, options)?;
    let kind = old.as_ref().map_or(options.engine.unwrap_or_default(), |(kind, _)| *kind);
    let mut tally = Tally { number: old.map_or(1, |(_, old)| old.number + 1), ..Tally::default() };
    let (mut bytes, mut problem) = (0, None);
    let made = folder.new_engine(kind, options, |engine| {
        let mut loader = Loader::new(engine);
        loop {
            match reader.next() {
                Ok(Some((key, value))) => {
                    bytes += (key.len() + value.len()) as u64;
                    let wrapped = envelope::wrap(&key, &value);
                    tally.add(envelope::claimed(&wrapped));
                    loader.add(tally::entry_key(&key), wrapped)?;
                    if tally.entries.is_multiple_of(1000) {
                        progress(tally.entries);
                    }
                }
                Ok(None) => return loader.end(tally, reader.note()),
                Err(wrong) => {
                    problem = Some(wrong);
                    return Ok(());
                }
            }
        }
    });
    if let Some(problem) = problem {
        folder.settle()?;
        return Err(refuse(problem));
    }
    if made.is_err() {
        folder.settle()?;
    }
    made?;
    if old.is_some() {
        folder.swap(kind)?;
        Redo::create(folder.path()).map_err(|error| folder.io("emptying the files of the last commits", &error))?;
    } else {
        folder.install(kind, tally)?;
    }
    let note = reader.note().cloned();
    drop(folder);
    Ok(Exported { entries: tally.entries, bytes, salvaged: note })
}

/// Locks a folder in which there is no store, or an empty one.
fn empty(path: &Path, options: &Options) -> Result<(Folder, Option<(EngineKind, Tally)>), StoreError> {
    let folder = Folder::lock(path, true)?;
    let Found::Store(_) = folder.settle()? else { return Ok((folder, None)) };
    drop(folder);
    let Opened { folder, kind, engine, tally, .. } = opening::open(path, options)?;
    if tally.entries > 0 {
        let entries = tally.entries;
        let problem = format!(
            "it has {entries} entries already; `portcullis store import FILE --replace` moves it aside and keeps it, and --data names another place"
        );
        return Err(StoreError::NotAStore { place: folder.place(), problem });
    }
    let closed = engine.close();
    drop(engine);
    closed.map_err(|failure| folder.told(failure, options))?;
    let folder =
        std::sync::Arc::into_inner(folder).ok_or_else(|| StoreError::Busy { place: path.display().to_string() })?;
    Ok((folder, Some((kind, tally))))
}

/// What compacting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// How many entries there are.
    pub entries: u64,
    /// What the engine's files took on the disk before, in bytes.
    pub before_bytes: u64,
    /// And take now.
    pub after_bytes: u64,
}

/// Makes the engine anew from what is live in it. Blocks. Needs as much free space as the entries take.
pub fn compact(folder: &Path, options: &Options, progress: &mut dyn FnMut(u64)) -> Result<Compacted, StoreError> {
    let Opened { folder, kind, engine, witnesses, tally } = opening::open(folder, &options.clone().existing())?;
    let told = |failure| folder.told(failure, options);
    let before_bytes = on_disk(&folder.engine(kind));
    // A copy of something that is damaged would look whole.
    tools::recount(&folder, options, engine.as_ref(), &mut |_| true)?;
    let note = tools::note_of(engine.as_ref()).map_err(told)?;
    let mut counted = 0_u64;
    folder.new_engine(kind, options, |new| {
        let mut loader = Loader::new(new);
        let mut failed = None;
        engine.visit(&shared::everything(), false, &mut |key, value| {
            failed = loader.add(key.to_vec(), value.to_vec()).err();
            counted += 1;
            if counted.is_multiple_of(1000) {
                progress(counted);
            }
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)?;
        loader.end(tally, note.as_ref())?;
        tools::recount(&folder, options, new, &mut |_| true)
            .map(drop)
            .map_err(|error| Failure::Damaged(error.to_string()))
    })?;
    let closed = engine.close();
    drop(engine);
    closed.map_err(told)?;
    folder.swap(kind)?;
    opening::seal(&folder, kind, &witnesses, tally)?;
    Ok(Compacted { entries: tally.entries, before_bytes, after_bytes: on_disk(&folder.engine(kind)) })
}

/// Writes a new engine in chunks.
struct Loader<'a> {
    engine: &'a dyn Engine,
    chunk: Writes,
    bytes: usize,
}

impl<'a> Loader<'a> {
    fn new(engine: &'a dyn Engine) -> Self {
        Self { engine, chunk: Writes::new(), bytes: 0 }
    }

    fn add(&mut self, key: Vec<u8>, envelope: Vec<u8>) -> Result<(), Failure> {
        self.bytes += key.len() + envelope.len();
        self.chunk.insert(key, Some(envelope));
        if self.bytes < CHUNK_BYTES {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.engine.prepare(bytes as u64)?;
        self.engine.write(std::mem::take(&mut self.chunk))
    }

    fn end(mut self, tally: Tally, note: Option<&Note>) -> Result<(), Failure> {
        if let Some(note) = note {
            self.chunk.insert(salvage::KEY.to_vec(), Some(note.stored()));
        }
        self.chunk.insert(tally::KEY.to_vec(), Some(tally.to_bytes().to_vec()));
        self.engine.prepare(self.bytes as u64)?;
        self.engine.write(self.chunk)
    }
}

/// What files take on the disk. Files that are gone meanwhile take nothing.
fn on_disk(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => on_disk(&entry.path()),
            Ok(found) => found.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
