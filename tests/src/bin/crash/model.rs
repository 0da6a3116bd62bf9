//! What a power cut leaves of what a trace tells: the power-loss model.
//!
//! What was flushed before the cut is there: the content of a file by a flush of that file, names by a flush of their
//! folder, and only what was done before the flush began. Of all else any part may be there, in any order between files
//! and between the sectors (512 bytes) of a file; a sector is as it was at one moment since its flush. So are sizes and,
//! one by one, names. `sync_file_range` is no flush: it never was in the trace.
//!
//! How much survives is drawn for each file anew, nothing and everything included, so that one file is often far ahead of
//! another. Not modelled: a disk that lies about its flushes, or loses what it had; sectors that hold what nobody ever wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use crate::{
    random::Random,
    trace::{Change, Inode, Names, Node, Time, Trace},
};

const SECTOR: usize = 512;

/// How much of what was not flushed is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Survival {
    Nothing,
    All,
    /// Each sector, or each name, is up to date in so many of a hundred cases.
    Part(usize),
}

impl Survival {
    fn any(random: &mut Random) -> Self {
        match random.below(6) {
            0 | 1 => Self::Nothing,
            2 => Self::All,
            3 => Self::Part(10),
            4 => Self::Part(50),
            _ => Self::Part(90),
        }
    }

    /// How many of so many changes in a row are there.
    fn of(self, changes: usize, random: &mut Random) -> usize {
        match self {
            Self::Nothing => 0,
            Self::All => changes,
            Self::Part(percent) if random.percent(percent) => changes,
            Self::Part(_) => random.below(changes + 1),
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, data: &[u8]) {
    if content.len() < at + data.len() {
        content.resize(at + data.len(), 0);
    }
    if let Some(place) = content.get_mut(at..at + data.len()) {
        place.copy_from_slice(data);
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, data) => write(content, *at, data),
        Change::Resize(size) => content.resize(*size, 0),
    }
}

/// The sectors that a change touches, in a file that is never longer than `longest`.
fn sectors(change: &Change, longest: usize) -> std::ops::Range<usize> {
    match change {
        Change::Write(at, data) => at / SECTOR..(at + data.len()).div_ceil(SECTOR),
        Change::Resize(size) => size / SECTOR..longest.div_ceil(SECTOR),
    }
}

/// One sector of the content after some changes. A size is not its concern: what is cut off is zero.
fn sector_after(sector: usize, durable: &[u8], changes: &[&Change]) -> Vec<u8> {
    let begin = sector * SECTOR;
    let old = durable.get(begin.min(durable.len())..(begin + SECTOR).min(durable.len())).unwrap_or_default();
    let mut bytes = old.to_vec();
    bytes.resize(SECTOR, 0);
    for change in changes {
        match change {
            Change::Write(at, data) => {
                let from = begin.max(*at);
                let to = (begin + SECTOR).min(at + data.len());
                if let (Some(place), Some(part)) =
                    (bytes.get_mut(from - begin..to - begin), data.get(from - at..to - at))
                {
                    place.copy_from_slice(part);
                }
            }
            Change::Resize(size) => {
                if let Some(cut) = bytes.get_mut(size.saturating_sub(begin).min(SECTOR)..) {
                    cut.fill(0);
                }
            }
        }
    }
    bytes
}

/// A file's content after a cut.
fn content(inode: &Inode, cut: Time, flushed: Time, random: &mut Random) -> Vec<u8> {
    let mut durable = inode.before.clone();
    let mut pending = Vec::new();
    for (time, change) in inode.changes.iter().filter(|(time, _)| *time < cut) {
        if *time < flushed {
            apply(&mut durable, change);
        } else {
            pending.push(change);
        }
    }
    let survival = Survival::any(random);
    if pending.is_empty() || survival == Survival::Nothing {
        return durable;
    }
    let mut sizes = vec![durable.len()];
    for change in &pending {
        let last = sizes.last().copied().unwrap_or(0);
        sizes.push(match change {
            Change::Write(at, data) => last.max(at + data.len()),
            Change::Resize(size) => *size,
        });
    }
    let longest = sizes.iter().copied().max().unwrap_or(0);
    let mut touched: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
    for change in &pending {
        for sector in sectors(change, longest) {
            touched.entry(sector).or_default().push(change);
        }
    }
    let size = sizes.get(survival.of(sizes.len() - 1, random)).copied().unwrap_or(0);
    let mut content = durable.clone();
    content.resize(longest, 0);
    for (sector, changes) in touched {
        let there = survival.of(changes.len(), random);
        let bytes = sector_after(sector, &durable, changes.get(..there).unwrap_or_default());
        write(&mut content, sector * SECTOR, &bytes);
    }
    content.resize(size, 0);
    content
}

/// The names after a cut.
fn names(trace: &Trace, cut: Time, ignored: &BTreeSet<Node>, random: &mut Random) -> BTreeMap<(Node, String), Node> {
    let flushed = |node: &Node| match trace.inodes.get(*node) {
        Some(inode) if !ignored.contains(node) => inode.durable_until(cut),
        _ => 0,
    };
    let durable = |time: Time, step: &Names| step.iter().any(|(folder, _, _)| time < flushed(folder));
    let survival = Survival::any(random);
    let mut names = trace.names_before.clone();
    for (time, step) in trace.names.iter().filter(|(time, _)| *time < cut) {
        if !durable(*time, step) && survival.of(1, random) == 0 {
            continue;
        }
        for (folder, name, node) in step {
            match node {
                Some(node) => names.insert((*folder, name.clone()), *node),
                None => names.remove(&(*folder, name.clone())),
            };
        }
    }
    names
}

/// Where each file and folder is, by the names there are.
pub(crate) fn paths(names: &BTreeMap<(Node, String), Node>, folder: Node, at: &str, found: &mut Vec<(String, Node)>) {
    for ((_, name), node) in names.range((folder, String::new())..(folder + 1, String::new())) {
        let path = format!("{at}{name}");
        found.push((path.clone(), *node));
        paths(names, *node, &format!("{path}/"), found);
    }
}

/// Builds, in an empty folder, what a power cut at a time leaves. Flushes of the files with a name in `deaf_to` do
/// not count: so it is shown that the model would find a flush that is missing. The same for the same numbers.
pub(crate) fn image(trace: &Trace, cut: Time, deaf_to: &[String], random: &mut Random, to: &Path) -> io::Result<()> {
    let came = trace.names.iter().flat_map(|(_, step)| step).filter_map(|(_, name, node)| Some((name, (*node)?)));
    let were = trace.names_before.iter().map(|((_, name), node)| (name, *node));
    let ignored: BTreeSet<Node> =
        were.chain(came).filter(|(name, _)| deaf_to.contains(name)).map(|(_, node)| node).collect();
    let mut found = Vec::new();
    paths(&names(trace, cut, &ignored, random), 0, "", &mut found);
    for (path, node) in found {
        let Some(inode) = trace.inodes.get(node) else { continue };
        let place = to.join(path);
        if inode.folder {
            fs::create_dir_all(place)?;
        } else {
            let flushed = if ignored.contains(&node) { 0 } else { inode.durable_until(cut) };
            fs::write(place, content(inode, cut, flushed, random))?;
        }
    }
    Ok(())
}

/// Says where a folder differs from what the trace comes to. Nothing may: a difference is something the recorder missed.
pub(crate) fn differences(trace: &Trace, folder: &Path) -> io::Result<Vec<String>> {
    let mut names = trace.names_before.clone();
    for (folder, name, node) in trace.names.iter().flat_map(|(_, step)| step) {
        match node {
            Some(node) => names.insert((*folder, name.clone()), *node),
            None => names.remove(&(*folder, name.clone())),
        };
    }
    let mut expected = Vec::new();
    paths(&names, 0, "", &mut expected);
    let mut differences = Vec::new();
    for (path, node) in &expected {
        let Some(inode) = trace.inodes.get(*node) else { continue };
        let place = folder.join(path);
        if inode.folder {
            if !place.is_dir() {
                differences.push(format!("{path} is no folder"));
            }
            continue;
        }
        let mut content = inode.before.clone();
        inode.changes.iter().for_each(|(_, change)| apply(&mut content, change));
        match fs::read(&place) {
            Ok(found) if found == content => {}
            Ok(found) => differences.push(format!("{path} has {} bytes, traced {}", found.len(), content.len())),
            Err(error) => differences.push(format!("{path}: {error}")),
        }
    }
    let known: BTreeSet<&str> = expected.iter().map(|(path, _)| path.as_str()).collect();
    let mut there = Vec::new();
    crate::files::list(folder, "", &mut there)?;
    differences.extend(there.iter().filter(|path| !known.contains(path.as_str())).map(|path| format!("{path} is new")));
    Ok(differences)
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
