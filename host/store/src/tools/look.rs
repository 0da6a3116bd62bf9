//! Reading a store that may be damaged, past what is wrong with it: what still holds, and what does not, one by one.
//!
//! Opening refuses a store at the first thing that is wrong, which is right for all that works with it and wrong for whoever has
//! to mend it. Here nothing is refused that can be read, and nothing of the store is changed: no seal is removed, nothing is put
//! right. redb is read with its changes kept in memory; sled, which has no such way, is read from a copy that is removed again.
//!
//! What holds is what its checksum says, entry by entry; the last commits (`redo.rs`) are laid over it. It is not said that it is
//! all: that is what the tally is compared for.
//!
//! An engine may panic over damage, or wait for ever. It is asked by a thread of its own that can be left behind.

use std::{
    collections::BTreeMap,
    fs, io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::salvage::Note;
use crate::{
    StoreError,
    anchor::Anchor,
    engine::{self, Engine, EngineKind, Failure, Opening, Writes},
    envelope,
    folder::{self, Folder, Format, LOOK},
    options::Options,
    redo::Redo,
    tally::{self, Tally},
};

/// How long an engine may be silent.
const SILENT: Duration = Duration::from_secs(60);
/// Entries that wait to be looked at.
const AHEAD: usize = 64;
/// How often reading begins anew behind something that cannot be read.
const MOST_GAPS: usize = 10_000;
/// Bytes of entries that are read backwards to where a gap begins.
const BACKWARDS: usize = 64 << 20;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Which engine keeps it; none where that cannot be told.
    pub engine: Option<EngineKind>,
    /// Entries that are as they were written.
    pub holds: u64,
    /// Their keys and values together, in bytes.
    pub bytes: u64,
    /// Entries that are there, and not as they were written.
    pub damaged: u64,
    /// Entries that were written and that are not there at all; none where nothing says how many there were.
    pub missing: Option<u64>,
    /// The last commit that anything tells of.
    pub commits: u64,
    /// What is wrong with the store as a whole, in words.
    pub problems: Vec<String>,
    /// What it is said to have been salvaged from.
    pub salvaged: Option<Note>,
}

impl Looked {
    /// Whether nothing is wrong with it.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0 && self.missing == Some(0) && self.problems.is_empty()
    }
}

/// Is shown each entry, in the order of keys: its key, and its value or what is wrong with it.
pub type Seen<'a> = dyn FnMut(&[u8], Result<&[u8], &str>) + 'a;
/// The same, and may end it.
pub(super) type Each<'a> = dyn FnMut(&[u8], Result<&[u8], &str>) -> Result<(), StoreError> + 'a;

/// Reads a store past what is wrong with it, and shows each entry: its key, and its value or what is wrong with it. Blocks.
pub fn look(path: &Path, options: &Options, each: &mut Seen<'_>) -> Result<Looked, StoreError> {
    read(path, options, &mut |key, found| {
        each(key, found);
        Ok(())
    })
}

pub(super) fn read(path: &Path, options: &Options, each: &mut Each<'_>) -> Result<Looked, StoreError> {
    let folder = Folder::lock_damaged(path)?;
    let mut looked = Looked::default();
    let format = Format::read(folder.path()).unwrap_or_else(|error| {
        looked.problems.push(problem_of(&error));
        None
    });
    let there: Vec<EngineKind> = EngineKind::ALL.into_iter().filter(|kind| folder.engine(*kind).is_dir()).collect();
    let waits = folder.waiting();
    let kind = match (there.as_slice(), &format) {
        ([kind], None) => {
            looked.problems.push("the file `format` is missing, or cannot be read".to_owned());
            Some((*kind, folder.engine(*kind)))
        }
        ([kind], Some(format)) => {
            if format.engine != *kind {
                let says = format.engine;
                looked.problems.push(format!("`format` says that it is kept by {says}, and the files are {kind}'s"));
            }
            Some((*kind, folder.engine(*kind)))
        }
        ([], Some(format)) if waits.is_dir() => Some((format.engine, waits)),
        ([], _) => {
            looked.problems.push("the engine's files are missing".to_owned());
            None
        }
        (_, Some(format)) => {
            looked.problems.push("there are files of two engines; those that `format` names were read".to_owned());
            Some((format.engine, folder.engine(format.engine)))
        }
        (_, None) => {
            looked.problems.push("there are files of two engines, and nothing says which are right".to_owned());
            None
        }
    };
    if let Some((kind, _)) = &kind {
        match folder.compare_seal(*kind) {
            Ok(()) => {}
            Err(error) => looked.problems.push(problem_of(&error)),
        }
    }
    let mut told = Told::of(&folder, &mut looked.problems);
    let mut found = Found { folder: &folder, each, looked: &mut looked, over: std::mem::take(&mut told.over) };
    let mut kept = None;
    if let Some((kind, files)) = kind {
        found.looked.engine = Some(kind);
        kept = of_engine(&folder, options, kind, files, &mut found)?;
    }
    found.rest()?;
    // By the number of the commit, what there was; the newest of all that tell it.
    let newest = kept.iter().copied().chain(told.tallies.iter().copied()).max_by_key(|tally| tally.number);
    match (newest, kept) {
        (Some(newest), kept) => {
            looked.commits = newest.number;
            looked.missing = Some(newest.entries.saturating_sub(looked.holds + looked.damaged));
            let last = kept.map(|kept| kept.number.max(told.reaches(kept.number)));
            if last.is_none_or(|last| last < newest.number) && looked.engine.is_some() {
                let is = last.map_or("no readable tally".to_owned(), |last| format!("{last} commits"));
                looked.problems.push(format!("the engine has {is}, and {} were made durable", newest.number));
            }
        }
        (None, _) => looked.problems.push("nothing says how many entries there were".to_owned()),
    }
    Ok(looked)
}

/// What is wrong, without where and what to do: that is told once, for all of it.
fn problem_of(error: &StoreError) -> String {
    match error {
        StoreError::Corrupt { what, .. } => what.clone(),
        other => other.to_string(),
    }
}

/// What is told outside of the engine.
struct Told {
    tallies: Vec<Tally>,
    /// The writes of the last commits.
    over: Writes,
    numbers: Vec<u64>,
}

impl Told {
    fn of(folder: &Folder, problems: &mut Vec<String>) -> Self {
        let mut told = Self { tallies: Vec::new(), over: Writes::new(), numbers: Vec::new() };
        match Anchor::open(folder.path()) {
            Ok((_, Some(tally))) => told.tallies.push(tally),
            Ok((_, None)) => problems.push("the file `anchor` is not as it was written".to_owned()),
            Err(error) => problems.push(format!("the file `anchor` cannot be read: {error}")),
        }
        match Redo::look(folder.path()) {
            Ok(records) => {
                for record in records {
                    told.tallies.push(record.tally);
                    told.numbers.push(record.tally.number);
                    told.over.extend(record.writes);
                }
            }
            Err(error) => problems.push(format!("the files of the last commits cannot be read: {error}")),
        }
        told
    }

    /// Up to which commit an engine comes with them.
    fn reaches(&self, mut number: u64) -> u64 {
        for next in &self.numbers {
            if *next == number + 1 {
                number = *next;
            }
        }
        number
    }
}

/// Takes entries in the order of their keys, lays the last commits over them, and counts.
struct Found<'a, 'b> {
    folder: &'a Folder,
    each: &'a mut Each<'b>,
    looked: &'a mut Looked,
    /// By stored key: what the last commits wrote.
    over: Writes,
}

impl Found<'_, '_> {
    fn entry(&mut self, stored_key: &[u8], stored: Vec<u8>) -> Result<(), StoreError> {
        while let Some(first) = self.over.first_entry()
            && first.key().as_slice() < stored_key
        {
            let (key, value) = first.remove_entry();
            self.one(&key, value)?;
        }
        let value = self.over.remove(stored_key).unwrap_or(Some(stored));
        self.one(stored_key, value)
    }

    fn rest(&mut self) -> Result<(), StoreError> {
        while let Some((key, value)) = self.over.pop_first() {
            self.one(&key, value)?;
        }
        Ok(())
    }

    fn one(&mut self, stored_key: &[u8], value: Option<Vec<u8>>) -> Result<(), StoreError> {
        let (Some(key), Some(stored)) = (stored_key.get(1..), value) else { return Ok(()) };
        match envelope::open(key, &stored) {
            Ok((value, _)) => {
                self.looked.holds += 1;
                self.looked.bytes += (key.len() + value.len()) as u64;
                (self.each)(key, Ok(value))
            }
            Err(wrong) => {
                self.looked.damaged += 1;
                (self.each)(key, Err(&wrong.tell(key)))
            }
        }
    }
}

/// What the thread that asks the engine says.
enum Say {
    Entry(Vec<u8>, Vec<u8>),
    /// What is internal to a store: tally, and the note of a salvage.
    Tally(Option<Tally>),
    Note(Option<Vec<u8>>),
    Problem(String),
    /// That was all. What is left is to let go of the engine, which may take for ever.
    End,
}

fn of_engine(
    folder: &Folder,
    options: &Options,
    kind: EngineKind,
    files: PathBuf,
    found: &mut Found<'_, '_>,
) -> Result<Option<Tally>, StoreError> {
    let copy = folder.path().join(LOOK);
    let files = match kind {
        EngineKind::Redb => files,
        EngineKind::Sled => {
            let copied = remove(&copy).and_then(|()| copy_files(&files, &copy));
            copied.map_err(|error| folder.io("copying the engine's files, to look at the copy", &error))?;
            copy.clone()
        }
    };
    let opening = Opening { folder: files, cache_bytes: options.cache_bytes, hook: None };
    let (say, said) = mpsc::sync_channel(AHEAD);
    let asking =
        thread::Builder::new().name("portcullis-look".to_owned()).spawn(move || Asking { kind, opening, say }.run());
    asking.map_err(|error| folder.io("starting a thread", &error))?;
    let mut kept = None;
    let done = loop {
        match said.recv_timeout(SILENT) {
            Ok(Say::Entry(key, value)) => {
                if let Err(error) = found.entry(&key, value) {
                    break Err(error);
                }
            }
            Ok(Say::Tally(tally)) => kept = tally,
            Ok(Say::Note(note)) => found.looked.salvaged = note.and_then(|note| Note::parse(&note).ok()),
            Ok(Say::Problem(problem)) => found.looked.problems.push(problem),
            Ok(Say::End) | Err(mpsc::RecvTimeoutError::Disconnected) => break Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let seconds = SILENT.as_secs();
                found
                    .looked
                    .problems
                    .push(format!("{kind} gave no answer for {seconds} s; what it had said by then was read"));
                break Ok(());
            }
        }
    };
    if kind == EngineKind::Sled {
        remove(&copy).map_err(|error| found.folder.io("removing the copy that was looked at", &error))?;
    }
    done.map(|()| kept)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    portcullis_files::make_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else {
            io::copy(&mut fs::File::open(entry.path())?, &mut portcullis_files::create_new(&target)?)?;
        }
    }
    Ok(())
}

/// Stored keys and envelopes, in order.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Asks an engine for all that it has.
struct Asking {
    kind: EngineKind,
    opening: Opening,
    say: mpsc::SyncSender<Say>,
}

impl Asking {
    fn run(self) {
        let Some(engine) = self.open_first() else { return };
        let tally = engine.get(tally::KEY).ok().flatten();
        if let Some(tally) = &tally
            && Tally::from_bytes(tally).is_none()
        {
            self.problem("its tally of entries is not as it was written".to_owned());
        }
        self.tell(Say::Tally(tally.as_deref().and_then(Tally::from_bytes)));
        self.tell(Say::Note(engine.get(super::salvage::KEY).ok().flatten()));
        self.all(engine);
    }

    fn tell(&self, what: Say) {
        // Nobody listens any more: it is given up.
        let _ = self.say.send(what);
    }

    fn problem(&self, what: String) {
        self.tell(Say::Problem(what));
    }

    fn open(&self) -> Result<Box<dyn Engine>, Failure> {
        match engine::open_for_reading(self.kind, self.opening.clone())? {
            Some(engine) => Ok(engine),
            None => engine::open(self.kind, self.opening.clone()),
        }
    }

    fn open_first(&self) -> Option<Box<dyn Engine>> {
        let failure = match self.open() {
            Ok(engine) => return Some(engine),
            Err(failure) => failure,
        };
        // sled can do without its snapshots: its log has all.
        if self.kind == EngineKind::Sled && remove_snapshots(&self.opening.folder).unwrap_or(false) {
            self.problem(format!("with its snapshot: {}", text_of(&failure)));
            match self.open() {
                Ok(engine) => return Some(engine),
                Err(failure) => self.problem(text_of(&failure)),
            }
        } else {
            self.problem(text_of(&failure));
        }
        None
    }

    /// The engine anew: after an error it may answer nothing any more, and two cannot have the same files.
    fn anew(&self, engine: Box<dyn Engine>) -> Option<Box<dyn Engine>> {
        drop(engine);
        match self.open() {
            Ok(engine) => Some(engine),
            Err(failure) => {
                self.problem(format!("what comes behind was not read: {}", text_of(&failure)));
                None
            }
        }
    }

    /// All entries, in the order of their keys. Where the engine fails, reading goes on behind that.
    fn all(&self, mut engine: Box<dyn Engine>) {
        let (first, end) = (vec![tally::ENTRY], vec![tally::ENTRY + 1]);
        let mut from = Bound::Included(first);
        for _ in 0..MOST_GAPS {
            let mut last = None;
            let read = engine.visit(&(from.clone(), Bound::Excluded(end.clone())), false, &mut |key, value| {
                last = Some(key.to_vec());
                self.say.send(Say::Entry(key.to_vec(), value.to_vec())).is_ok()
            });
            let Err(failure) = read else { return self.tell(Say::End) };
            self.problem(format!("something in it cannot be read: {}", text_of(&failure)));
            let after = last.map_or_else(|| from.clone(), Bound::Excluded);
            let Some((fresh, resumed, behind)) = self.behind(engine, &after, &end) else { return };
            engine = fresh;
            for (key, value) in behind {
                if self.say.send(Say::Entry(key, value)).is_err() {
                    return;
                }
            }
            from = Bound::Included(resumed);
        }
        self.problem(format!("reading began anew {MOST_GAPS} times; what comes behind was not read"));
    }

    /// The first key behind a gap that can be read, and what can be read backwards from there.
    fn behind(
        &self,
        mut engine: Box<dyn Engine>,
        after: &Bound<Vec<u8>>,
        end: &[u8],
    ) -> Option<(Box<dyn Engine>, Vec<u8>, Entries)> {
        let (Bound::Included(at) | Bound::Excluded(at)) = after else { return None };
        let mut starts: Vec<Vec<u8>> = (2..=at.len()).rev().filter_map(|length| next_of(at.get(..length)?)).collect();
        starts.extend((0..=u8::MAX).map(|byte| vec![tally::ENTRY, byte]));
        starts.retain(|start| start > at);
        for start in starts {
            engine = self.anew(engine)?;
            let mut found = None;
            let range = (Bound::Included(start), Bound::Excluded(end.to_vec()));
            let read = engine.visit(&range, false, &mut |key, _| {
                found = Some(key.to_vec());
                false
            });
            let resumed = match (read, found) {
                (Ok(()), Some(resumed)) => resumed,
                // Nothing is behind.
                (Ok(()), None) => end.to_vec(),
                (Err(_), _) => continue,
            };
            let (mut behind, mut bytes) = (Entries::new(), 0);
            // A failure here is where the gap ends.
            let _ = engine.visit(&(after.clone(), Bound::Excluded(resumed.clone())), true, &mut |key, value| {
                bytes += key.len() + value.len();
                behind.insert(key.to_vec(), value.to_vec());
                bytes < BACKWARDS
            });
            let engine = self.anew(engine)?;
            return Some((engine, resumed, behind));
        }
        None
    }
}

/// The first key behind all that begin with this.
fn next_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix.get(..=kept)?.to_vec();
    *next.last_mut()? += 1;
    Some(next)
}

fn remove_snapshots(folder: &Path) -> io::Result<bool> {
    let mut any = false;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(entry.path())?;
            any = true;
        }
    }
    Ok(any)
}

fn text_of(failure: &Failure) -> String {
    match failure {
        Failure::Full => "the disk is full".to_owned(),
        Failure::ReadOnly => "the file system is read-only".to_owned(),
        Failure::Io(text) | Failure::Unsynced(text) | Failure::Damaged(text) => text.clone(),
    }
}

/// Where a store of this name lies when another takes its place: the first that is free.
pub(super) fn aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let name = folder.file_name().ok_or_else(|| folder::not_a_store(folder, "this names no folder"))?;
    (1..10_000_u32)
        .map(|number| folder.with_file_name(format!("{}.before-{number}", name.to_string_lossy())))
        .find(|path| path.symlink_metadata().is_err())
        .ok_or_else(|| folder::not_a_store(folder, "there are ten thousand stores beside it; move some away"))
}
