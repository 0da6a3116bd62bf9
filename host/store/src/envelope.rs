//! What an engine holds for a value: one version byte (1), the entry's checksum (16 bytes, little endian), the value.
//!
//! Engines check some of what they read, some of the time. With the envelope a value that is not as it was written, or not
//! where it was written, is found whenever it is read.

use crate::checksum;

/// The version of the envelope.
const VERSION: u8 = 1;
/// Bytes before the value.
pub(crate) const HEAD_BYTES: usize = 1 + checksum::BYTES;

/// Puts a value into its envelope.
pub(crate) fn wrap(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut envelope = Vec::with_capacity(HEAD_BYTES + value.len());
    envelope.push(VERSION);
    envelope.extend_from_slice(&checksum::of_entry(key, value).to_le_bytes());
    envelope.extend_from_slice(value);
    envelope
}

/// What is wrong with an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is too short to be one.
    Short,
    /// Its version is not known.
    Version(u8),
    /// Its checksum is not the entry's.
    Checksum,
}

impl Wrong {
    /// As part of a sentence about the key.
    pub(crate) fn tell(self, key: &[u8]) -> String {
        let key = key.escape_ascii();
        match self {
            Self::Short => format!("the value of `{key}` is cut off"),
            Self::Version(found) => format!("the value of `{key}` has the unknown version {found}"),
            Self::Checksum => format!("the value of `{key}` is not as it was written (its checksum is wrong)"),
        }
    }
}

/// Takes a value out of its envelope, and says its checksum.
pub(crate) fn open<'a>(key: &[u8], envelope: &'a [u8]) -> Result<(&'a [u8], u128), Wrong> {
    let (&version, rest) = envelope.split_first().ok_or(Wrong::Short)?;
    if version != VERSION {
        return Err(Wrong::Version(version));
    }
    let (stored, value) = rest.split_first_chunk::<{ checksum::BYTES }>().ok_or(Wrong::Short)?;
    let stored = u128::from_le_bytes(*stored);
    if stored != checksum::of_entry(key, value) {
        return Err(Wrong::Checksum);
    }
    Ok((value, stored))
}

/// The checksum that an envelope claims. For envelopes that were just made or opened.
pub(crate) fn claimed(envelope: &[u8]) -> u128 {
    envelope
        .get(1..)
        .and_then(|rest| rest.first_chunk::<{ checksum::BYTES }>())
        .map_or(0, |stored| u128::from_le_bytes(*stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let envelope = wrap(b"key", b"some value");
        assert_eq!(open(b"key", &envelope).unwrap(), (&b"some value"[..], claimed(&envelope)));
        for bit in 0..envelope.len() * 8 {
            let mut flipped = envelope.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"key", &flipped).is_err(), "bit {bit}");
        }
        for length in 0..envelope.len() {
            assert!(open(b"key", &envelope[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn a_value_under_another_key_is_found() {
        assert_eq!(open(b"other", &wrap(b"key", b"value")), Err(Wrong::Checksum));
        // The same bytes, divided elsewhere.
        assert_eq!(open(b"ke", &wrap(b"key", b"value")), Err(Wrong::Checksum));
    }
}
