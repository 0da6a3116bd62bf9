//! The seal of a closed store: lengths and checksums of the engine's files.
//!
//! What engines do with files that were damaged while nobody had them open is not theirs to promise, and they do not: they
//! panic, answer less, or wait for ever. With the seal they are never shown such files. It is written when a store is
//! closed, and removed, durably, before the engine is opened; after a crash there is none, and the engine's own recovery,
//! the tally and the anchor have to do.
//!
//! One line a file, `CHECKSUM LENGTH NAME`, in the order of names, and a last line with the checksum of those before.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use super::sync;
use crate::checksum;

/// The file's name.
pub(super) const NAME: &str = "seal";
/// Where it is written before it takes its place.
pub(super) const NEW: &str = "seal.new";
/// Files are read, and their checksums computed, in pieces of this many bytes.
const PIECE: usize = 1 << 20;

struct Sealed {
    name: String,
    length: u64,
}

/// Seals the files of an engine, which must be closed.
pub(super) fn write(folder: &Path, engine: &Path) -> io::Result<()> {
    let mut lines = String::new();
    for file in files(engine)? {
        lines += &format!("{:032x} {} {}\n", checksum_of(&engine.join(&file.name))?, file.length, file.name);
    }
    lines += &format!("{:032x}\n", checksum::of(lines.as_bytes()));
    let mut file = portcullis_files::create(&folder.join(NEW))?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    fs::rename(folder.join(NEW), folder.join(NAME))?;
    sync(folder)
}

/// Compares. The inner error says what is not as it was.
pub(super) fn check(folder: &Path, engine: &Path, most_bytes: u64) -> io::Result<Result<(), String>> {
    let text = match fs::read(folder.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(())),
        Err(error) => return Err(error),
    };
    let Some(told) = parse(&text) else {
        return Ok(Err("the file `seal` is not as it was written".to_owned()));
    };
    let found = files(engine)?;
    let kind = engine.file_name().unwrap_or_default().to_string_lossy();
    for file in &found {
        if !told.iter().any(|(sealed, _)| sealed.name == file.name) {
            return Ok(Err(format!("`{kind}/{}` came into the folder while the store was closed", file.name)));
        }
    }
    let everything = told.iter().map(|(sealed, _)| sealed.length).sum::<u64>() <= most_bytes;
    for (sealed, checksum) in told {
        let name = &sealed.name;
        let Some(file) = found.iter().find(|file| file.name == *name) else {
            return Ok(Err(format!("`{kind}/{name}` is missing")));
        };
        if file.length != sealed.length {
            let (is, was) = (file.length, sealed.length);
            return Ok(Err(format!("`{kind}/{name}` has {is} bytes and had {was} when the store was closed")));
        }
        if everything && checksum_of(&engine.join(name))? != checksum {
            return Ok(Err(format!(
                "`{kind}/{name}` is not as it was when the store was closed (its checksum is wrong)"
            )));
        }
    }
    Ok(Ok(()))
}

fn parse(text: &[u8]) -> Option<Vec<(Sealed, u128)>> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.strip_suffix('\n')?;
    let (lines, check) = lines.rsplit_once('\n').map_or(("", lines), |(lines, check)| (lines, check));
    let checked = text.get(..if lines.is_empty() { 0 } else { lines.len() + 1 })?;
    if format!("{:032x}", checksum::of(checked.as_bytes())) != check {
        return None;
    }
    lines
        .lines()
        .map(|line| {
            let (checksum, rest) = line.split_once(' ')?;
            let (length, name) = rest.split_once(' ')?;
            let sealed = Sealed { name: name.to_owned(), length: length.parse().ok()? };
            Some((sealed, u128::from_str_radix(checksum, 16).ok()?))
        })
        .collect()
}

/// An engine's files, with their paths below its folder, in order.
fn files(engine: &Path) -> io::Result<Vec<Sealed>> {
    fn collect(folder: &Path, before: &str, found: &mut Vec<Sealed>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{before}{}", entry.file_name().to_string_lossy());
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                collect(&entry.path(), &format!("{name}/"), found)?;
            } else {
                found.push(Sealed { name, length: metadata.len() });
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    collect(engine, "", &mut found)?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// The checksum of the checksums of a file's pieces.
fn checksum_of(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let (mut piece, mut checksums) = (Vec::with_capacity(PIECE), Vec::new());
    loop {
        piece.clear();
        if Read::by_ref(&mut file).take(PIECE as u64).read_to_end(&mut piece)? == 0 {
            return Ok(checksum::of(&checksums));
        }
        checksums.extend_from_slice(&checksum::of(&piece).to_le_bytes());
    }
}
