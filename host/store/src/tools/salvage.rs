//! What still holds of a damaged store, as a portable export that says what it is.
//!
//! It is bytes: nothing in it is judged but by its checksum. Whether what is left may authorise anything, and how far a chain
//! holds, is for those to say who open it.

use std::{io::Write, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    export::{write_beginning, write_entry, write_note, write_trailer},
    look::{Looked, Seen, read},
};
use crate::{StoreError, checksum, envelope, options::Options, tally::Tally};

/// Where a store that was salvaged says so, in its engine.
pub(crate) const KEY: &[u8] = b"\x00salvaged";
/// Most bytes of a note.
pub(crate) const MAX_NOTE: usize = 1 << 20;
/// Most entries that a note names.
const NAMED: usize = 1_000;

/// What a store was salvaged from, and what was left out. It goes with the store: into exports of it, and stores made of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Seconds since 1970.
    pub time: u64,
    /// The last commit that anything told of.
    pub commits: u64,
    /// Entries that hold.
    pub kept: u64,
    /// Entries that were there, and not as they were written.
    pub damaged: u64,
    /// Entries that were written and could not be found; none where nothing told how many there were.
    pub missing: Option<u64>,
    /// What was wrong with the store as a whole.
    pub problems: Vec<String>,
    /// The keys of what was left out, as far as they are known; the first thousand.
    pub left_out: Vec<String>,
}

impl Note {
    pub(crate) fn parse(stored: &[u8]) -> Result<Self, String> {
        let wrong = |_| "its note of what was left out is not as it was written".to_owned();
        let (text, _) = envelope::open(KEY, stored).map_err(|_| wrong(()))?;
        serde_json::from_slice(text).map_err(|_| wrong(()))
    }

    /// As it is kept.
    pub(crate) fn stored(&self) -> Vec<u8> {
        envelope::wrap(KEY, &serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Writes all that still holds of a store as a portable export. Blocks; changes nothing in the store.
pub fn salvage(
    folder: &Path,
    options: &Options,
    out: &mut dyn Write,
    each: &mut Seen<'_>,
) -> Result<(Looked, Note), StoreError> {
    let place = crate::folder::place(folder);
    let failed = |error: std::io::Error| StoreError::Io {
        place: place.clone(),
        problem: format!("writing the export: {error}"),
    };
    write_beginning(out).map_err(failed)?;
    let (mut tally, mut left_out) = (Tally::default(), Vec::new());
    let looked = read(folder, options, &mut |key, found| {
        each(key, found);
        match found {
            Ok(value) => {
                let checksum = checksum::of_entry(key, value);
                tally.add(checksum);
                write_entry(out, checksum, key, value).map_err(failed)
            }
            Err(_) => {
                if left_out.len() < NAMED {
                    left_out.push(key.escape_ascii().to_string());
                }
                Ok(())
            }
        }
    })?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let note = Note {
        time: now,
        commits: looked.commits,
        kept: looked.holds,
        damaged: looked.damaged,
        missing: looked.missing,
        problems: looked.problems.iter().take(NAMED).cloned().collect(),
        left_out,
    };
    write_note(out, &note.stored()).and_then(|()| write_trailer(out, &tally)).map_err(failed)?;
    Ok((looked, note))
}
