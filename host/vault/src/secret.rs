//! A secret: bytes that do not print, do not clone and are wiped when dropped.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::pasted;

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
    /// A character that no secret has, or a space at an end: servers cut that off, and it would not be found again.
    #[error("its character {at} is {what} (U+{code:04X}); copy it anew, without that")]
    Character {
        /// What it is called.
        what: &'static str,
        /// Its code point.
        code: u32,
        /// Its number, from 1.
        at: usize,
    },
    /// It stands in quotes.
    #[error("it begins with {0} and ends likewise, as if it were quoted; leave the quotes out")]
    Quoted(char),
    /// UTF-16.
    #[error("it is UTF-16, as Windows saves \"Unicode\"; save it as UTF-8")]
    Utf16,
}

impl Secret {
    /// Takes a secret over. A byte order mark before it and line ends behind it, as editors and `echo` write them, are
    /// dropped.
    pub fn new(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let bytes = pasted::one_line(bytes)?;
        if !(MIN_BYTES..=MAX_BYTES).contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// Takes over a document that is secret as a whole: PEM, JSON. It is never sent, so it may have lines. Kept as it is, but
    /// for a byte order mark.
    pub fn document(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let bytes = pasted::document(bytes)?;
        if !(MIN_BYTES..=MAX_DOCUMENT).contains(&bytes.len()) {
            return Err(SecretError::DocumentLength(bytes.len()));
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
    fn a_mark_before_a_secret_and_line_ends_behind_it_are_dropped() {
        for text in ["hunter22", "hunter22\n", "hunter22\r\n", "hunter22\n\n", "hunter22\r", "\u{feff}hunter22\n"] {
            assert_eq!(Secret::try_from(text).unwrap().expose(), b"hunter22", "{text:?}");
        }
        assert_eq!(Secret::try_from("abc\n").unwrap_err(), SecretError::Length(3));
        assert_eq!(Secret::try_from("p\u{e4}ss word22").unwrap().expose(), "p\u{e4}ss word22".as_bytes());
    }

    #[test]
    fn a_character_that_no_secret_has_is_named_and_placed() {
        for (text, what, at) in [
            ("hunter\r\nHost: x", "a carriage return (U+000D)", 7),
            ("hunter\n22", "a line feed (U+000A)", 7),
            ("hunter\0", "a zero byte (U+0000)", 7),
            ("\thunter", "a tab (U+0009)", 1),
            ("hunter22 ", "a space (U+0020)", 9),
            (" hunter22", "a space (U+0020)", 1),
            ("hunt\u{a0}er22", "a no-break space (U+00A0)", 5),
            ("hunter22\u{200b}", "a zero-width space (U+200B)", 9),
            ("\u{e4}hunt\u{feff}er", "a byte order mark (U+FEFF)", 6),
            ("\u{202e}hunter22", "a mark of the direction of writing (U+202E)", 1),
        ] {
            let error = Secret::try_from(text).unwrap_err().to_string();
            assert!(error.contains(&format!("its character {at} is {what}")), "{text:?}: {error}");
            assert!(!error.contains("hunt"), "{error}");
        }
        for text in ["\"hunter22\"", "'hunter22'", "\u{201c}hunter22\u{201d}", "`hunter22`\n"] {
            assert!(matches!(Secret::try_from(text), Err(SecretError::Quoted(_))), "{text}");
        }
        assert!(Secret::try_from("\"hunter22").is_ok(), "one quote is a part of it");
        let utf16: Vec<u8> = "\u{feff}hunter22".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(Secret::new(utf16.clone()).unwrap_err(), SecretError::Utf16);
        assert_eq!(Secret::document(utf16).unwrap_err(), SecretError::Utf16);
        assert!(Secret::new(b"p\xe4ssword".to_vec()).is_ok(), "Latin-1");
    }

    #[test]
    fn a_document_may_have_lines_and_is_kept_as_it_is() {
        let pem = b"-----BEGIN X-----\r\n\tAAAA\n-----END X-----\n";
        assert_eq!(Secret::document(pem.to_vec()).unwrap().expose(), pem);
        assert_eq!(Secret::document([b"\xef\xbb\xbf", &pem[..]].concat()).unwrap().expose(), pem);
        let error = Secret::document(b"abc\0def".to_vec()).unwrap_err().to_string();
        assert!(error.contains("character 4 is a zero byte"), "{error}");
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
            if let Ok(secret) = Secret::new(bytes.clone()) {
                let kept = secret.expose();
                prop_assert!(bytes.starts_with(kept));
                prop_assert!(bytes[kept.len()..].iter().all(|byte| b"\r\n".contains(byte)));
                prop_assert!(kept.len() >= MIN_BYTES);
                prop_assert!(!kept.iter().any(|b| *b < b' ' || *b == 0x7f));
                if std::str::from_utf8(kept).is_ok() {
                    prop_assert!(kept[0] != b' ' && kept[kept.len() - 1] != b' ');
                }
            }
        }

        #[test]
        fn a_document_is_taken_exactly_where_its_bytes_are_a_texts(bytes in vec(byte(), 0..12)) {
            let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
            let marked = bytes.starts_with(b"\xef\xbb\xbf");
            prop_assume!(!utf16 && !marked);
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
