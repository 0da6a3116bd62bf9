//! Keyed hashes (RFC 2104) under a secret.

use aws_lc_rs::hmac;
use portcullis_gate::MacAlgorithm;

use crate::secret::Secret;

/// The MAC of `message`.
pub(crate) fn sign(algorithm: MacAlgorithm, secret: &Secret, message: &[u8]) -> Vec<u8> {
    hmac::sign(&key(algorithm, secret), message).as_ref().to_vec()
}

/// Whether `mac` is that MAC, in constant time.
pub(crate) fn verify(algorithm: MacAlgorithm, secret: &Secret, message: &[u8], mac: &[u8]) -> bool {
    hmac::verify(&key(algorithm, secret), message, mac).is_ok()
}

fn key(algorithm: MacAlgorithm, secret: &Secret) -> hmac::Key {
    let algorithm = match algorithm {
        MacAlgorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        MacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(algorithm, secret.expose())
}
