//! A secret: bytes that do not print, do not clone and are wiped when dropped.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// Shortest secret, in bytes. Anything shorter would be found in every response and taken out of it.
const MIN_BYTES: usize = 4;
/// Longest secret, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// A secret. Only this crate can read it.
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why something is not taken as a secret. Says nothing about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short or too long.
    #[error("a secret has {MIN_BYTES} to {MAX_BYTES} bytes; this one has {0}")]
    Length(usize),
    /// A space at its beginning or end: servers cut it off, and it would not be found again.
    #[error("it begins or ends with a space")]
    Space,
    /// CR, LF, NUL or another control character.
    #[error("it holds a control character other than one newline at its end")]
    Control,
}

impl Secret {
    /// Takes a secret over. One newline at the end, as editors and `echo` write it, is dropped.
    pub fn new(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if !(MIN_BYTES..=MAX_BYTES).contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        if bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ') {
            return Err(SecretError::Space);
        }
        if bytes.iter().any(|b| *b < b' ' || *b == 0x7f) {
            return Err(SecretError::Control);
        }
        Ok(Self(bytes))
    }

    /// The bytes, for this crate alone.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<String> for Secret {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        Self::new(text.into_bytes())
    }
}

impl TryFrom<&str> for Secret {
    type Error = SecretError;

    fn try_from(text: &str) -> Result<Self, SecretError> {
        Self::new(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::try_from("hunter22").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn one_newline_at_the_end_is_dropped_and_no_other_control_character_is_taken() {
        assert_eq!(Secret::try_from("hunter22\r\n").unwrap().expose(), b"hunter22");
        for text in ["hunter\r\nHost: x", "hunter\0", "hunter\n\n", "\thunter"] {
            assert_eq!(Secret::try_from(text).unwrap_err(), SecretError::Control);
        }
        assert_eq!(Secret::try_from("abc\n").unwrap_err(), SecretError::Length(3));
        assert_eq!(Secret::try_from("hunter22 ").unwrap_err(), SecretError::Space);
    }
}
