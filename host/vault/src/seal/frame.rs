//! A sealed record's bytes: how long its header is (4, little-endian), the header, then nonce, ciphertext and tag. A record of
//! a credential that was revoked ends with its header.

/// A record, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) sealed: &'a [u8],
}

impl<'a> Frame<'a> {
    /// None where it is cut short.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (header, sealed) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        Some(Self { header, sealed })
    }
}

/// A record of a header and what comes after it.
pub(crate) fn frame(header: &[u8], after: &[&[u8]]) -> Vec<u8> {
    // Headers are refused long before they have 4 GiB.
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(4 + header.len() + after.iter().map(|part| part.len()).sum::<usize>());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(header);
    for part in after {
        bytes.extend_from_slice(part);
    }
    bytes
}
