//! Loads compiled code: the one file with `unsafe`.
//!
//! Compiled code is machine code, and wasmtime runs it as it is. So there is a type for bytes that may be loaded, with two
//! ways to make one: the compiler's own output, handed over by a pipe from a child process this process started; and bytes
//! from the cache whose MAC, under a key that only this host's user can read, was checked.

#![allow(unsafe_code)]

use aws_lc_rs::hmac;
use wasmtime::{Engine, component::Component};

/// Length of the MAC before the code, in bytes.
const MAC: usize = 32;

/// Compiled code that may be loaded.
pub(crate) struct Trusted(Vec<u8>);

impl Trusted {
    /// The compiler's output.
    pub(crate) fn from_compiler(code: Vec<u8>) -> Self {
        Self(code)
    }

    /// Code from the cache: the MAC over `context` and code, and the code.
    pub(crate) fn open(sealed: &[u8], key: &hmac::Key, context: &[u8]) -> Option<Self> {
        let (mac, code) = sealed.split_at_checked(MAC)?;
        // Compared in constant time by the library, over a message that names what the code is for.
        hmac::verify(key, &message(context, code), mac).ok()?;
        Some(Self(code.to_vec()))
    }
}

/// Code for the cache.
pub(crate) fn seal(code: &[u8], key: &hmac::Key, context: &[u8]) -> Vec<u8> {
    let mac = hmac::sign(key, &message(context, code));
    let mut sealed = Vec::with_capacity(MAC + code.len());
    sealed.extend_from_slice(mac.as_ref());
    sealed.extend_from_slice(code);
    sealed
}

fn message(context: &[u8], code: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(8 + context.len() + code.len());
    message.extend_from_slice(&(context.len() as u64).to_le_bytes());
    message.extend_from_slice(context);
    message.extend_from_slice(code);
    message
}

/// Loads compiled code. Code for another engine or processor is refused by wasmtime.
pub(crate) fn load(engine: &Engine, code: &Trusted) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` asks that the bytes are unmodified output of wasmtime's own serialisation. A
    // `Trusted` is made from the output of this program's compiler, or from bytes with a valid MAC under a key that is
    // used for such output alone.
    unsafe { Component::deserialize(engine, &code.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_with_a_flipped_bit_or_for_another_adapter_is_not_loaded() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let sealed = seal(b"code", &key, b"digest-a");
        assert!(Trusted::open(&sealed, &key, b"digest-a").is_some());
        assert!(Trusted::open(&sealed, &key, b"digest-b").is_none());
        let other = hmac::Key::new(hmac::HMAC_SHA256, b"other");
        assert!(Trusted::open(&sealed, &other, b"digest-a").is_none());
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(Trusted::open(&flipped, &key, b"digest-a").is_none(), "byte {at}");
            assert!(Trusted::open(&sealed[..at], &key, b"digest-a").is_none(), "cut at {at}");
        }
    }
}
