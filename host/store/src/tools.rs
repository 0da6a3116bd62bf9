//! What operators do with a store as a whole.

mod export;
mod look;
mod rebuild;
mod replace;
pub(crate) mod salvage;

pub use export::{Exported, export};
pub use look::{Looked, Seen, look};
pub use rebuild::{Compacted, compact, import};
pub use replace::{Replaced, replace};
pub use salvage::{Note, salvage};

use crate::{
    StoreError,
    engine::{Engine, Failure},
    envelope,
    folder::Folder,
    options::Options,
    shared,
    tally::{self, Tally},
};

/// After how many entries progress is told.
const TELL_EVERY: u64 = 1_000;

/// What a store held when all of it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many commits there were.
    pub commits: u64,
    /// How many entries there are.
    pub entries: u64,
    /// Their keys and values together, in bytes.
    pub bytes: u64,
}

/// What a store says that it was salvaged from, if it was.
pub(crate) fn note_of(engine: &dyn Engine) -> Result<Option<Note>, Failure> {
    let Some(stored) = engine.get(salvage::KEY)? else { return Ok(None) };
    Note::parse(&stored).map(Some).map_err(Failure::Damaged)
}

/// Reads everything, and compares it with the tally. `progress` is told how much was read, and says whether to go on.
pub(crate) fn recount(
    folder: &Folder,
    options: &Options,
    engine: &dyn Engine,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Verified, StoreError> {
    let told = |failure| folder.told(failure, options);
    let stored = engine.get(tally::KEY).map_err(told)?;
    let Some(kept) = stored.as_deref().and_then(Tally::from_bytes) else {
        return Err(folder.corrupt("its tally of entries is missing, or not as it was written"));
    };
    let (mut counted, mut bytes, mut wrong) = (Tally::default(), 0, None);
    let mut last: Option<Vec<u8>> = None;
    let mut check = |stored_key: &[u8], stored: &[u8]| -> Result<(), StoreError> {
        let key = stored_key.get(1..).unwrap_or_default();
        if last.as_deref().is_some_and(|last| last >= stored_key) {
            return Err(folder.corrupt(format!("`{}` is not in its place in the order", key.escape_ascii())));
        }
        let (value, checksum) = envelope::open(key, stored).map_err(|wrong| folder.corrupt(wrong.tell(key)))?;
        counted.add(checksum);
        bytes += (key.len() + value.len()) as u64;
        last = Some(stored_key.to_vec());
        if counted.entries > kept.entries {
            return Err(folder.corrupt(format!("there are more than the {} entries that were written", kept.entries)));
        }
        Ok(())
    };
    let (mut shown, mut given_up) = (0_u64, false);
    engine
        .visit(&shared::everything(), false, &mut |stored_key, stored| {
            wrong = check(stored_key, stored).err();
            shown += 1;
            if shown.is_multiple_of(TELL_EVERY) {
                given_up = !progress(shown);
            }
            wrong.is_none() && !given_up
        })
        .map_err(told)?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    if given_up {
        let problem = format!("verifying was given up after {shown} entries");
        return Err(StoreError::Io { place: folder.place(), problem });
    }
    if !counted.counts_as(&kept) {
        let (is, was) = (counted.entries, kept.entries);
        return Err(folder.corrupt(if is == was {
            format!("there are {is} entries, as many as were written, and they are not the same")
        } else {
            format!("it is silently short: there are {is} entries, and {was} were written")
        }));
    }
    Ok(Verified { commits: kept.number, entries: kept.entries, bytes })
}
