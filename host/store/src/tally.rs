//! How much there is: what an engine that lost something cannot know.
//!
//! A tally is kept with each commit in the engine, under [`KEY`], and outside of it in the anchor. It is computed
//! incrementally: the sum is over the checksums of all entries, each of which has its key in it, modulo 2^128.

use crate::checksum;

/// Where the tally is kept in the engine. Keys of entries begin with [`ENTRY`].
pub(crate) const KEY: &[u8] = b"\x00tally";
/// The first byte of an entry's key in the engine.
pub(crate) const ENTRY: u8 = 1;
/// Bytes of a stored tally: version, number, entries, sum, checksum.
pub(crate) const BYTES: usize = 1 + 8 + 8 + 16 + checksum::BYTES;
const VERSION: u8 = 1;

/// The key of an entry in the engine.
pub(crate) fn entry_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(ENTRY);
    stored.extend_from_slice(key);
    stored
}

/// A commit's number, and what there is after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many commits there were.
    pub(crate) number: u64,
    /// How many entries there are.
    pub(crate) entries: u64,
    /// The sum of their checksums.
    pub(crate) sum: u128,
}

impl Tally {
    /// An entry is there.
    pub(crate) fn add(&mut self, checksum: u128) {
        self.entries = self.entries.wrapping_add(1);
        self.sum = self.sum.wrapping_add(checksum);
    }

    /// An entry is gone.
    pub(crate) fn remove(&mut self, checksum: u128) {
        self.entries = self.entries.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(checksum);
    }

    /// Whether both count the same, whatever their numbers.
    pub(crate) fn counts_as(&self, other: &Self) -> bool {
        self.entries == other.entries && self.sum == other.sum
    }

    pub(crate) fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.entries.to_le_bytes());
        bytes.extend_from_slice(&self.sum.to_le_bytes());
        bytes.extend_from_slice(&checksum::of(&bytes).to_le_bytes());
        let mut fixed = [0; BYTES];
        fixed.copy_from_slice(&bytes);
        fixed
    }

    /// None where these are not the bytes of one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let (told, stored) = bytes.split_last_chunk::<{ checksum::BYTES }>()?;
        if checksum::of(told) != u128::from_le_bytes(*stored) {
            return None;
        }
        let (&version, rest) = told.split_first()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (entries, rest) = rest.split_first_chunk::<8>()?;
        let sum = rest.first_chunk::<16>()?;
        (version == VERSION).then_some(Self {
            number: u64::from_le_bytes(*number),
            entries: u64::from_le_bytes(*entries),
            sum: u128::from_le_bytes(*sum),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_of_a_tally_is_found() {
        let tally = Tally { number: 7, entries: 3, sum: u128::MAX - 5 };
        let bytes = tally.to_bytes();
        assert_eq!(Tally::from_bytes(&bytes), Some(tally));
        for bit in 0..BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Tally::from_bytes(&flipped), None, "bit {bit}");
        }
    }
}
