//! A secret: bytes that do not print, do not clone and are wiped when dropped.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// Shortest secret, in bytes. Anything shorter would be found in every response and taken out of it.
const MIN_BYTES: usize = 4;
/// Longest secret, in bytes.
const MAX_BYTES: usize = 16 * 1024;
/// Longest document, in bytes: a chain of certificates in PEM, a service account's key file.
const MAX_DOCUMENT: usize = 64 * 1024;

/// A secret. Only this crate can read it.
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why something is not taken as a secret. Says nothing about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short or too long.
    #[error("a secret has {MIN_BYTES} to {MAX_BYTES} bytes; this one has {0}")]
    Length(usize),
    /// A document that is too short or too long.
    #[error("a document has {MIN_BYTES} to {MAX_DOCUMENT} bytes; this one has {0}")]
    DocumentLength(usize),
    /// A space at its beginning or end: servers cut it off, and it would not be found again.
    #[error("it begins or ends with a space")]
    Space,
    /// CR, LF, NUL or another control character.
    #[error("it holds a control character other than one newline at its end")]
    Control,
    /// A control character in a document.
    #[error("it holds a control character other than newlines and tabs")]
    DocumentControl,
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
        if bytes.iter().any(u8::is_ascii_control) {
            return Err(SecretError::Control);
        }
        Ok(Self(bytes))
    }

    /// Takes over a document that is secret as a whole: PEM, JSON. It is never sent, so it may have lines. Kept as it is.
    pub fn document(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let bytes = Zeroizing::new(bytes);
        if !(MIN_BYTES..=MAX_DOCUMENT).contains(&bytes.len()) {
            return Err(SecretError::DocumentLength(bytes.len()));
        }
        if bytes.iter().any(|byte| byte.is_ascii_control() && !b"\n\r\t".contains(byte)) {
            return Err(SecretError::DocumentControl);
        }
        Ok(Self(bytes))
    }

    /// A second one of the same bytes, for this crate alone: each is wiped for itself.
    #[allow(dead_code, reason = "the store's vault takes it from here")]
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// Of bytes that no operator can hand over, for published test vectors.
    #[cfg(test)]
    pub(crate) fn of_any_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// As it was kept: it was judged when it was handed over.
    pub(crate) fn stored(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
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
    use proptest::{collection::vec, prelude::*, test_runner::Config};

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

    #[test]
    fn a_document_may_have_lines_and_is_kept_as_it_is() {
        let pem = b"-----BEGIN X-----\r\n\tAAAA\n-----END X-----\n";
        assert_eq!(Secret::document(pem.to_vec()).unwrap().expose(), pem);
        assert_eq!(Secret::document(b"abc\0def".to_vec()).unwrap_err(), SecretError::DocumentControl);
        assert!(Secret::document(vec![b'x'; MAX_DOCUMENT]).is_ok());
        assert!(Secret::document(vec![b'x'; MAX_DOCUMENT + 1]).is_err());
        assert!(Secret::document(b"abc".to_vec()).is_err());
    }

    #[test]
    fn a_duplicate_outlives_the_one_it_was_made_of() {
        let secret = Secret::try_from("hunter22").unwrap();
        let second = secret.duplicate();
        drop(secret);
        assert_eq!(second.expose(), b"hunter22");
    }

    /// Those that matter more often than chance has it.
    fn byte() -> impl Strategy<Value = u8> {
        prop_oneof![Just(b' '), Just(b'\n'), Just(b'\r'), b'a'..=b'z', b'a'..=b'z', any::<u8>()]
    }

    proptest! {
        #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

        #[test]
        fn what_is_taken_has_no_control_character_and_no_space_at_its_ends(bytes in vec(byte(), 0..12)) {
            match Secret::new(bytes.clone()) {
                Ok(secret) => {
                    let kept = secret.expose();
                    prop_assert!(bytes.starts_with(kept));
                    prop_assert!([&b""[..], b"\n", b"\r\n"].contains(&&bytes[kept.len()..]));
                    prop_assert!(kept.len() >= MIN_BYTES && kept[0] != b' ' && kept[kept.len() - 1] != b' ');
                    prop_assert!(!kept.iter().any(|b| *b < b' ' || *b == 0x7f));
                }
                Err(SecretError::Length(length)) => prop_assert!(length < MIN_BYTES),
                Err(SecretError::Space) => prop_assert!(bytes[0] == b' ' || bytes.contains(&b' ')),
                Err(_) => prop_assert!(bytes.iter().any(|b| *b < b' ' || *b == 0x7f)),
            }
        }

        #[test]
        fn a_document_is_taken_exactly_where_its_bytes_are_a_texts(bytes in vec(byte(), 0..12)) {
            let good = bytes.len() >= MIN_BYTES
                && bytes.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..));
            match Secret::document(bytes.clone()) {
                Ok(secret) => prop_assert!(good && secret.expose() == bytes),
                Err(_) => prop_assert!(!good),
            }
        }

        #[test]
        fn no_secret_and_no_refusal_prints_what_was_given(text in "[a-zA-Z0-9]{6,20}[\\n\\x00 ]{0,2}") {
            let told = format!("{:?}", Secret::new(text.clone().into_bytes()));
            prop_assert!(!told.contains(text.trim_end_matches(['\n', '\0', ' '])));
        }
    }
}
