//! Damage: a store with a few thousand records has one of its files truncated, or one byte changed, anywhere. What comes of
//! it is told by name, or harms nothing; it is never a panic, a hang, or fewer records.
//!
//! One store was closed in order, another one was killed: what is known of its files from outside differs.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    thread,
    time::Duration,
};

use portcullis_store::EngineKind;
use serde::Serialize;

use crate::{
    child::{Ended, Place, Task, Writing, verdict, wait},
    files::{Scratch, copy, list},
    journal::mend,
    random::Random,
    report::{self, Progress},
};

/// Records of the stores that are damaged.
const RECORDS: usize = 3000;
/// How long a damaged store may take to say so.
const WITHIN: Duration = Duration::from_secs(60);
/// Most problems that are told.
const TOLD: usize = 20;

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Damages {
    engine: String,
    /// `truncated` or `flipped`.
    damage: &'static str,
    stores: usize,
    /// A typed error said so.
    detected: usize,
    /// Every record is there, as it was submitted.
    unharmed: usize,
    /// Records are missing, or are others, and nothing said so.
    silent: usize,
    panicked: usize,
    hung: usize,
    /// Records of a store.
    records: usize,
    /// How often which file was damaged.
    files: BTreeMap<String, usize>,
    /// How often what was said of it.
    told: BTreeMap<String, usize>,
    seconds: u64,
    seed: u64,
    problems: Vec<String>,
}

impl report::Trial for Damages {
    fn is_good(&self) -> bool {
        self.stores > 0 && self.detected + self.unharmed == self.stores && self.problems.is_empty()
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

/// Makes a store that is closed in order, or killed when it has its records.
fn store(folder: &Path, engine: EngineKind, killed: bool, seed: u64) -> io::Result<Place> {
    let place =
        Place { folder: folder.join("store"), journal: folder.join("journal"), engine: engine.to_string(), seed };
    fs::create_dir_all(folder)?;
    let writing = Writing { callers: 16, records: if killed { 0 } else { RECORDS }, early: false };
    let mut child = Task::Write(place.clone(), writing).command()?.spawn()?;
    if killed {
        // A line of the log is about 700 bytes a record.
        while child.try_wait()?.is_none()
            && fs::metadata(&place.journal).map_or(0, |log| log.len()) < 700 * RECORDS as u64
        {
            thread::sleep(Duration::from_millis(5));
        }
        child.kill()?;
    }
    let ended = wait(child, WITHIN)?;
    mend(&place.journal)?;
    match ended {
        Ended::Well(_) => Ok(place),
        Ended::Otherwise(_) if killed => Ok(place),
        ended => Err(io::Error::other(format!("the writer did not end well: {ended:?}"))),
    }
}

/// Damages one of the files of a folder. Says which, and what was done.
fn harm(folder: &Path, truncate: bool, random: &mut Random) -> io::Result<(String, String)> {
    let mut names = Vec::new();
    list(folder, "", &mut names)?;
    let mut files = Vec::new();
    for name in names {
        let found = fs::metadata(folder.join(&name))?;
        if found.is_file() && found.len() > 0 {
            files.push((name, found.len()));
        }
    }
    // Each file as often as another, or each byte: otherwise small files, or large ones, would never have their turn.
    let total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    let mut at = random.next() % total.max(1);
    let by_bytes = files.iter().position(|(_, bytes)| {
        let here = at < *bytes;
        at = at.saturating_sub(*bytes);
        here
    });
    let chosen = if random.percent(50) { by_bytes.unwrap_or(0) } else { random.below(files.len()) };
    let (name, bytes) = files.get(chosen).ok_or_else(|| io::Error::other("there is nothing to damage"))?;
    let file = OpenOptions::new().read(true).write(true).open(folder.join(name))?;
    let place = random.next() % bytes;
    let what = if truncate {
        file.set_len(place)?;
        format!("{name} cut from {bytes} to {place} bytes")
    } else {
        let mut byte = [0];
        file.read_exact_at(&mut byte, place)?;
        let mask = if random.percent(50) { 1 << random.below(8) } else { random.between(1, 255) as u8 };
        let flipped = byte.map(|byte| byte ^ mask);
        file.write_all_at(&flipped, place)?;
        format!("{name}: byte {place} of {bytes} from {byte:?} to {flipped:?}")
    };
    Ok((name.clone(), what))
}

/// Whether an error says which store it is, and that it is damaged, newer or none.
fn names(why: &str, folder: &Path) -> bool {
    let what = ["is damaged:", "is wrong:", "has format", "there is no store", "is not"];
    why.contains(&folder.display().to_string()) && what.iter().any(|what| why.contains(what))
        || why.contains("of the workspace")
}

/// An error without what differs from one store to the next.
fn kind_of(why: &str, folder: &Path) -> String {
    let why = why.replace(&folder.display().to_string(), "").split(';').next().unwrap_or_default().to_owned();
    let mut kind = String::new();
    for character in why.trim().chars() {
        let character = if character.is_ascii_digit() { '#' } else { character };
        if !(character == '#' && kind.ends_with('#')) {
            kind.push(character);
        }
    }
    kind.chars().take(90).collect()
}

impl Damages {
    fn problem(&mut self, what: String) {
        if self.problems.len() < TOLD {
            self.problems.push(what);
        }
    }

    /// One damaged store. Whether it may be thrown away.
    fn one(&mut self, whole: &Place, folder: &Path, random: &mut Random) -> io::Result<bool> {
        let place = Place { folder: folder.join("store"), journal: folder.join("journal"), ..whole.clone() };
        copy(&whole.folder, &place.folder)?;
        fs::copy(&whole.journal, &place.journal)?;
        let (name, what) = harm(&place.folder, self.damage == "truncated", random)?;
        *self.files.entry(name).or_default() += 1;
        self.stores += 1;
        match verdict(&place, WITHIN)? {
            Ok(verdict) => match verdict.refused {
                Some(why) if names(&why, &place.folder) => {
                    self.detected += 1;
                    *self.told.entry(kind_of(&why, &place.folder)).or_default() += 1;
                }
                Some(why) => self.problem(format!("{what}: the error does not say what is damaged: {why}")),
                None if verdict.is_good() => self.unharmed += 1,
                None => {
                    self.silent += 1;
                    self.problem(format!("{what}: silent: {:?}", verdict.problems));
                    return Ok(false);
                }
            },
            Err(Ended::Panicked(text)) => {
                self.panicked += 1;
                self.problem(format!("{what}: panicked: {text}"));
                return Ok(false);
            }
            Err(Ended::Hung) => {
                self.hung += 1;
                self.problem(format!("{what}: hung"));
                return Ok(false);
            }
            Err(ended) => {
                self.problem(format!("{what}: {ended:?}"));
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Damages so many stores, in one way and in the other.
pub(crate) fn run(scratch: &Path, engine: EngineKind, times: usize, seed: u64) -> io::Result<[Damages; 2]> {
    let mut random = Random::new(seed, 4);
    let folder = Scratch::new(scratch, "whole")?;
    let closed = store(&folder.path().join("closed"), engine, false, random.next())?;
    let killed = store(&folder.path().join("killed"), engine, true, random.next())?;
    // How many records there are, and that nothing is wrong before anything is damaged.
    let reference =
        Place { folder: folder.path().join("reference"), journal: folder.path().join("log"), ..closed.clone() };
    copy(&closed.folder, &reference.folder)?;
    fs::copy(&closed.journal, &reference.journal)?;
    let records = verdict(&reference, WITHIN)?.ok().filter(|verdict| verdict.is_good()).map_or(0, |good| good.records);
    let mut of = |damage: &'static str| -> io::Result<Damages> {
        let mut result = Damages { engine: engine.to_string(), damage, seed, records, ..Damages::default() };
        if records == 0 {
            result.problem("the store was wrong before anything was damaged".to_owned());
        }
        let mut progress = Progress::new(format!("{damage}, {engine}"), times);
        for number in 0..times {
            let whole = if number % 2 == 1 { &killed } else { &closed };
            let mut folder = Scratch::new(scratch, "damaged")?;
            if !result.one(whole, folder.path(), &mut random)? {
                folder.keep();
                result.problem(format!("kept: {}", folder.path().display()));
            }
            progress.at(number + 1);
        }
        result.seconds = progress.seconds();
        Ok(result)
    };
    Ok([of("truncated")?, of("flipped")?])
}
