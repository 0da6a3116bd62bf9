//! The anchor: what was committed when the store was last opened or closed, told outside of the engine.
//!
//! A database that comes back shorter looks like one in which less was ever written. At open, an engine that is behind the
//! anchor has lost something. What is committed while the store is open is told by `redo.rs`, with each commit.
//!
//! The file has two slots of 64 bytes, 512 bytes apart so that no torn sector hits both: the tally's 49 bytes, then zeros.
//! Both say the same, and both are flushed.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::tally::{self, Tally};

/// The file's name.
pub(crate) const NAME: &str = "anchor";
/// Distance of the two slots.
const APART: u64 = 512;
/// Bytes of a slot.
const SLOT: usize = 64;

/// The open file.
#[derive(Debug)]
pub(crate) struct Anchor(File);

impl Anchor {
    /// Makes one in a folder, and flushes it.
    pub(crate) fn create(folder: &Path, tally: Tally) -> io::Result<Self> {
        let options = portcullis_files::options().read(true).write(true).create(true).truncate(true).clone();
        let anchor = Self(portcullis_files::open(&options, &folder.join(NAME))?);
        anchor.settle(tally)?;
        Ok(anchor)
    }

    /// Opens it, and says the newest tally that can be read in it; none where neither can.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Option<Tally>)> {
        let file = portcullis_files::open(portcullis_files::options().read(true).write(true), &folder.join(NAME))?;
        let slots = [0, APART].map(|at| {
            let mut slot = [0; SLOT];
            file.read_exact_at(&mut slot, at).ok()?;
            slot.first_chunk::<{ tally::BYTES }>().and_then(|bytes| Tally::from_bytes(bytes))
        });
        let newest = slots.into_iter().flatten().max_by_key(|tally| tally.number);
        Ok((Self(file), newest))
    }

    /// Tells it in both slots, and flushes.
    pub(crate) fn settle(&self, tally: Tally) -> io::Result<()> {
        self.write(tally, 0)?;
        self.write(tally, APART)?;
        self.0.sync_all()
    }

    fn write(&self, tally: Tally, at: u64) -> io::Result<()> {
        let mut slot = [0; SLOT];
        for (to, from) in slot.iter_mut().zip(tally.to_bytes()) {
            *to = from;
        }
        self.0.write_all_at(&slot, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(number: u64) -> Tally {
        Tally { number, entries: number * 2, sum: 5 }
    }

    #[test]
    fn the_newest_slot_counts_and_a_torn_one_leaves_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let anchor = Anchor::create(folder.path(), tally(0)).unwrap();
        anchor.settle(tally(4)).unwrap();
        anchor.write(tally(5), APART).unwrap();
        assert_eq!(Anchor::open(folder.path()).unwrap().1, Some(tally(5)));
        anchor.0.write_all_at(b"torn", APART).unwrap();
        assert_eq!(Anchor::open(folder.path()).unwrap().1, Some(tally(4)));
        anchor.0.set_len(0).unwrap();
        assert_eq!(Anchor::open(folder.path()).unwrap().1, None);
    }
}
