//! Several secrets as bytes. A byte of the version, then of each its name and its bytes, with how long they are before them
//! (4 bytes, little-endian). No library writes it, so that no library has a copy; the buffer has its exact size from the
//! beginning, so that it never grows and leaves one.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::secret::Secret;

const VERSION: u8 = 1;

/// As bytes.
pub(crate) fn encode(secrets: &BTreeMap<String, Secret>) -> Zeroizing<Vec<u8>> {
    let size = secrets.iter().map(|(name, secret)| 8 + name.len() + secret.expose().len()).sum::<usize>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + size));
    bytes.push(VERSION);
    for (name, secret) in secrets {
        for part in [name.as_bytes(), secret.expose()] {
            // Neither is longer than a record may be.
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

/// Back from bytes; none where they are something else.
pub(crate) fn decode(bytes: &[u8]) -> Option<BTreeMap<String, Secret>> {
    let mut rest = match bytes.split_first()? {
        (&VERSION, rest) => rest,
        _ => return None,
    };
    let mut secrets = BTreeMap::new();
    while !rest.is_empty() {
        let name = part(&mut rest)?;
        let secret = part(&mut rest)?;
        secrets.insert(std::str::from_utf8(name).ok()?.to_owned(), Secret::stored(secret));
    }
    Some(secrets)
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (part, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_back_and_the_buffer_never_grows() {
        let secret = |text: &str| Secret::try_from(text).unwrap();
        let secrets = BTreeMap::from([
            ("key".to_owned(), secret("hunter22")),
            ("session-token".to_owned(), secret("über-geheim")),
        ]);
        let bytes = encode(&secrets);
        assert_eq!(bytes.len(), bytes.capacity());
        let read = decode(&bytes).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["key", "session-token"]);
        assert_eq!(read["key"].expose(), b"hunter22");
        assert_eq!(read["session-token"].expose(), "über-geheim".as_bytes());
        assert_eq!(read["key"].expose().len(), 8);
    }

    #[test]
    fn whatever_else_it_is_it_is_not_read_and_nothing_breaks() {
        let whole = encode(&BTreeMap::from([("key".to_owned(), Secret::try_from("hunter22").unwrap())]));
        for length in 0..whole.len() {
            assert!(length == 1 || decode(&whole[..length]).is_none(), "{length}");
            for byte in [0, 0xff] {
                let mut changed = whole.to_vec();
                changed[length] = byte;
                let _ = decode(&changed);
            }
        }
        assert!(decode(&[2]).is_none(), "another version");
    }
}
