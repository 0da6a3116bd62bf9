//! Sealing: what stands in the store of a credential or a token can be read with the workspace's data key alone, and only
//! where it was sealed for.
//!
//! | file | what it does |
//! | --- | --- |
//! | `frame.rs` | a sealed record's bytes: the header in clear, the nonce, the ciphertext |
//! | `secrets.rs` | several secrets as bytes, and back |
//! | `workspace.rs` | a workspace's data keys, as they are kept, wrapped by the master key |
//!
//! The cipher is AES-256-GCM. Its additional data are the format's version, the purpose, workspace, integration and slot,
//! and the whole header, in which kind, generation and all else stands: nothing that was sealed for one place, purpose or
//! generation opens as another, and no byte of a header can be changed without that being found.

mod frame;
mod secrets;
mod workspace;

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand,
};
use zeroize::Zeroizing;

pub(crate) use frame::{Frame, frame};
pub(crate) use secrets::{decode, encode};
pub(crate) use workspace::{DataKeys, NoKey, Wrapped};

use crate::keys::{DataKey, KeyError};

/// The version of what is sealed, and the first of what it is bound to.
const SEAL: &[u8] = b"portcullis seal 1";
const TAG: usize = 16;

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What an operator handed over.
    Credential,
    /// What an authorization server gave.
    Token,
}

/// What something is sealed for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) workspace: &'a str,
    pub(crate) integration: &'a str,
    pub(crate) slot: &'a str,
}

impl Place<'_> {
    /// Each part with its length before it, so that no two places have the same bytes.
    fn bind(&self, header: &[u8]) -> Vec<u8> {
        let purpose: &[u8] = match self.purpose {
            Purpose::Credential => b"credential",
            Purpose::Token => b"token",
        };
        let parts =
            [SEAL, purpose, self.workspace.as_bytes(), self.integration.as_bytes(), self.slot.as_bytes(), header];
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// It is not what was sealed, or not for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSealedHere;

/// A data key, ready to be used. The library wipes its key schedule when it is dropped.
///
/// Nonces are 96 random bits. Two meet among 2^31 with a chance of one in 2^35, which is below what NIST SP 800-38D allows
/// (one in 2^32, at 2^32 seals). A workspace that seals a token each second takes 68 years to get there; whoever is busier
/// rotates the data key ([`Credentials::rotate_data_key`](crate::Credentials::rotate_data_key)).
pub(crate) struct SealKey(LessSafeKey);

impl SealKey {
    pub(crate) fn new(key: &DataKey) -> Result<Self, KeyError> {
        let key =
            UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| KeyError::Crypto("the data key has no use"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals what is in the buffer, as a record with this header. The buffer has the ciphertext after that.
    pub(crate) fn seal(
        &self,
        place: &Place<'_>,
        header: &[u8],
        mut secret: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, KeyError> {
        let crypto = |_| KeyError::Crypto("it cannot be sealed");
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(crypto)?;
        let aad = Aad::from(place.bind(header));
        let tag = self.0.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut secret);
        Ok(frame(header, &[&nonce, &secret, tag.map_err(crypto)?.as_ref()]))
    }

    /// Opens a record, into exactly as much memory as it takes, which is wiped.
    pub(crate) fn open(&self, place: &Place<'_>, frame: &Frame<'_>) -> Result<Zeroizing<Vec<u8>>, NotSealedHere> {
        let (nonce, sealed) = frame.sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotSealedHere)?;
        let length = sealed.len().checked_sub(TAG).ok_or(NotSealedHere)?;
        let (sealed, tag) = sealed.split_at_checked(length).ok_or(NotSealedHere)?;
        let mut secret = Zeroizing::new(vec![0; length]);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_separate_gather(nonce, Aad::from(place.bind(frame.header)), sealed, tag, &mut secret);
        opened.map(|()| secret).map_err(|_| NotSealedHere)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> =
        Place { purpose: Purpose::Credential, workspace: "acme", integration: "mail", slot: "token" };

    fn key() -> SealKey {
        SealKey::new(&DataKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn what_is_sealed_for_one_place_opens_in_no_other() {
        let key = key();
        let sealed = key.seal(&HERE, b"{}", Zeroizing::new(b"hunter22".to_vec())).unwrap();
        let frame = Frame::read(&sealed).unwrap();
        assert_eq!(key.open(&HERE, &frame).unwrap().as_slice(), b"hunter22");
        let others = [
            Place { purpose: Purpose::Token, ..HERE },
            Place { workspace: "acm", ..HERE },
            Place { integration: "mai", ..HERE },
            Place { slot: "tokem", ..HERE },
            // The same letters, cut elsewhere.
            Place { workspace: "acmem", integration: "ail", ..HERE },
            Place { integration: "mailt", slot: "oken", ..HERE },
        ];
        for other in others {
            assert_eq!(key.open(&other, &frame).unwrap_err(), NotSealedHere, "{other:?}");
        }
        assert!(super::tests::key().open(&HERE, &frame).is_err(), "another key");
    }

    #[test]
    fn a_byte_that_was_changed_or_cut_off_is_found_wherever_it_is() {
        let key = key();
        let sealed = key.seal(&HERE, b"{\"a\":1}", Zeroizing::new(b"hunter22".to_vec())).unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(Frame::read(&changed).is_none_or(|frame| key.open(&HERE, &frame).is_err()), "{at} {bit}");
            }
            assert!(Frame::read(&sealed[..at]).is_none_or(|frame| key.open(&HERE, &frame).is_err()), "{at}");
        }
        let longer = [sealed.as_slice(), b"x"].concat();
        assert!(key.open(&HERE, &Frame::read(&longer).unwrap()).is_err());
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        let key = key();
        let seal = || key.seal(&HERE, b"{}", Zeroizing::new(b"hunter22".to_vec())).unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    #[ignore = "measures"]
    fn bench_opening_a_kilobyte() {
        let key = key();
        let header = vec![b'h'; 400];
        let sealed = key.seal(&HERE, &header, Zeroizing::new(vec![b's'; 1024])).unwrap();
        let mut best = f64::MAX;
        for _ in 0..20 {
            let started = std::time::Instant::now();
            for _ in 0..1_000 {
                let frame = Frame::read(std::hint::black_box(&sealed)).unwrap();
                std::hint::black_box(key.open(&HERE, &frame).unwrap());
            }
            best = best.min(started.elapsed().as_nanos() as f64 / 1_000.0);
        }
        eprintln!("opening 1 KiB with a header of 400 bytes: {best:.0} ns");
        assert!(best < 5_000.0, "{best} ns");
    }
}
