//! The one checksum of this crate: XXH3, 128 bits. It finds what a disk or a bug changed. It is no MAC: whoever means to
//! deceive can compute it, and the ledger's hash chain and signatures are for those.

use twox_hash::XxHash3_128;

/// Bytes of a checksum as it is stored.
pub(crate) const BYTES: usize = 16;

/// Of some bytes.
pub(crate) fn of(bytes: &[u8]) -> u128 {
    XxHash3_128::oneshot(bytes)
}

/// Of an entry: the key's length (u32, little endian), the key, the value. The key is in it, so that a value that is found
/// under another key is wrong, and its length, so that no byte can move from the one to the other.
pub(crate) fn of_entry(key: &[u8], value: &[u8]) -> u128 {
    let mut bytes = Vec::with_capacity(4 + key.len() + value.len());
    bytes.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
    of(&bytes)
}
