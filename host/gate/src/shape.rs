//! Shapes: which texts a path parameter, a query value or a header value may be.
//!
//! A kind of character and a range of lengths; no regular expressions. So it can be said in three words what a shape
//! allows, and whether one shape allows all that another does. Written `digits`, `word(8)`, `text(1..64)`.

use std::{fmt, str::FromStr};

/// Longest text that a shape can allow, in bytes.
pub const MAX_LENGTH: u32 = 8_192;
/// Longest text of a shape that does not say, in bytes.
const DEFAULT_LENGTH: u32 = 512;
/// A `/` that does not end a segment.
pub(crate) const ESCAPED_SLASH: &str = "%2F";
/// Length of a UUID (RFC 9562, section 4).
const UUID_LENGTH: u32 = 36;

/// What a text is made of. Each kind is contained in the one before it, but for the last, which is contained in `word`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// In a path alone: one segment as it is sent, that may hold `/` as `%2F`, as GitLab wants `group%2Fproject`. What stands
    /// between two of them is neither empty nor `.` or `..`.
    Escaped,
    /// Any bytes. In a path: one segment as it is sent, its escapes counted as three bytes each.
    Text,
    /// ASCII letters, digits, `_` and `-`.
    Word,
    /// ASCII letters `a` to `f` in either case, and digits.
    Hex,
    /// ASCII digits.
    Digits,
    /// A UUID in its usual form: 32 hex digits with hyphens, 8-4-4-4-12.
    Uuid,
}

impl Kind {
    const ALL: [Kind; 6] = [Kind::Escaped, Kind::Text, Kind::Word, Kind::Hex, Kind::Digits, Kind::Uuid];

    fn as_str(self) -> &'static str {
        match self {
            Kind::Escaped => "escaped",
            Kind::Text => "text",
            Kind::Word => "word",
            Kind::Hex => "hex",
            Kind::Digits => "digits",
            Kind::Uuid => "uuid",
        }
    }

    /// Whether a byte may stand at this place of a text.
    fn allows(self, place: u32, byte: u8) -> bool {
        match self {
            Kind::Escaped | Kind::Text => true,
            Kind::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Kind::Hex => byte.is_ascii_hexdigit(),
            Kind::Digits => byte.is_ascii_digit(),
            Kind::Uuid if matches!(place, 8 | 13 | 18 | 23) => byte == b'-',
            Kind::Uuid => byte.is_ascii_hexdigit(),
        }
    }

    /// Whether every text of `other` is made as this kind wants it.
    fn covers(self, other: Kind) -> bool {
        match (self, other) {
            (Kind::Escaped, _) => true,
            (Kind::Text, other) => other != Kind::Escaped,
            (Kind::Word, Kind::Word | Kind::Hex | Kind::Digits | Kind::Uuid) => true,
            (Kind::Hex, Kind::Hex | Kind::Digits) => true,
            _ => self == other,
        }
    }
}

/// A kind and a range of lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    kind: Kind,
    least: u32,
    most: u32,
}

/// What is wrong with a shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a shape; write `text`, `word`, `hex`, `digits` or `uuid`, and if need be its length in bytes, as in \
     `digits(1..9)`, `word(8)` or `text(..64)`, from 1 to {MAX_LENGTH}; in a path also `escaped`, for what is sent with `%2F`"
)]
pub struct ShapeError(String);

impl Shape {
    /// What a parameter without a shape stands for: 1 to 512 bytes of anything.
    pub const TEXT: Shape = Shape { kind: Kind::Text, least: 1, most: DEFAULT_LENGTH };
    /// Up to the most there can be, the empty text among it: what a query or header value without a shape may be.
    pub const ANY: Shape = Shape { kind: Kind::Text, least: 0, most: MAX_LENGTH };

    /// Any text of so many bytes.
    pub(crate) const fn text(least: u32, most: u32) -> Self {
        Self { kind: Kind::Text, least, most }
    }

    /// Whether this is one of the texts. Allocates nothing.
    pub fn fits(&self, text: impl IntoIterator<Item = u8>) -> bool {
        let mut length = 0;
        for byte in text {
            if length == self.most || !self.kind.allows(length, byte) {
                return false;
            }
            length += 1;
        }
        length >= self.least
    }

    /// Whether a part of a path, between two slashes, is one of the texts. `%2F` stands in those of one kind alone; that it
    /// stands there well is judged when the URL is read.
    pub(crate) fn fits_segment(&self, part: &str) -> bool {
        self.fits(part.bytes()) && (self.is_escaped() || !part.contains(ESCAPED_SLASH))
    }

    /// Whether it stands in paths alone.
    pub(crate) fn is_escaped(&self) -> bool {
        self.kind == Kind::Escaped
    }

    /// Whether every text of `other` is one of this shape.
    pub fn covers(&self, other: &Shape) -> bool {
        self.kind.covers(other.kind) && self.least <= other.least && other.most <= self.most
    }
}

impl FromStr for Shape {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let refuse = || ShapeError(crate::printable(text, 80));
        let (word, range) = match text.split_once('(') {
            Some((word, rest)) => (word, Some(rest.strip_suffix(')').ok_or_else(refuse)?)),
            None => (text, None),
        };
        let kind = *Kind::ALL.iter().find(|kind| kind.as_str() == word).ok_or_else(refuse)?;
        let (least, most) = match (kind, range) {
            (Kind::Uuid, None) => (UUID_LENGTH, UUID_LENGTH),
            (Kind::Uuid, Some(_)) => return Err(refuse()),
            (_, None) => (1, DEFAULT_LENGTH),
            (_, Some(range)) => {
                let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
                    true => text.parse::<u32>().map_err(|_| refuse()),
                    false => Err(refuse()),
                };
                match range.split_once("..") {
                    Some(("", most)) => (1, number(most)?),
                    Some((least, most)) => (number(least)?, number(most)?),
                    None => (number(range)?, number(range)?),
                }
            }
        };
        if least < 1 || least > most || most > MAX_LENGTH {
            return Err(refuse());
        }
        Ok(Self { kind, least, most })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match (self.kind, self.least, self.most) {
            (Kind::Uuid, ..) | (_, 1, DEFAULT_LENGTH) => Ok(()),
            (_, least, most) if least == most => write!(f, "({most})"),
            (_, least, most) => write!(f, "({least}..{most})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        text.parse().unwrap()
    }

    #[test]
    fn a_shape_fits_its_kind_and_its_lengths() {
        let cases = [
            ("text", "anything %20", true),
            ("text", "", false),
            ("text(..3)", "abcd", false),
            ("word", "cus_A-1", true),
            ("word", "a.b", false),
            ("word", "a%41", false),
            ("hex(4)", "aF09", true),
            ("hex(4)", "aF0", false),
            ("hex", "g", false),
            ("digits(1..3)", "123", true),
            ("digits(1..3)", "1234", false),
            ("digits", "-1", false),
            ("digits(2..3)", "1", false),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", true),
            ("uuid", "123e4567e89b-12d3-a456-4266141740000", false),
            ("uuid", "123e4567-e89b-12d3-a456-42661417400", false),
            ("uuid", "123e4567-e89b-12d3-a456-42661417400z", false),
        ];
        for (written, text, fits) in cases {
            assert_eq!(shape(written).fits(text.bytes()), fits, "{written} {text}");
        }
    }

    #[test]
    fn a_shape_covers_what_is_narrower_and_nothing_else() {
        let covers = |wide: &str, narrow: &str| shape(wide).covers(&shape(narrow));
        assert!(covers("text", "word") && covers("text", "uuid") && covers("word", "uuid"));
        assert!(covers("word", "hex") && covers("hex", "digits") && covers("digits(1..9)", "digits(2..9)"));
        assert!(
            !covers("word", "text") && !covers("digits", "hex") && !covers("hex", "uuid") && !covers("uuid", "hex")
        );
        assert!(!covers("digits", "uuid") && !covers("hex", "word") && !covers("uuid", "word(36)"));
        assert!(!covers("digits(2..9)", "digits(1..9)") && !covers("digits(1..9)", "digits(1..10)"));
        assert!(!covers("text(1..35)", "uuid") && Shape::ANY.covers(&Shape::TEXT) && !Shape::TEXT.covers(&Shape::ANY));
    }

    #[test]
    fn a_shape_is_written_as_it_is_read() {
        for text in ["text", "word", "hex", "digits", "uuid", "digits(1..9)", "word(8)", "text(2..64)", "text(1..8192)"]
        {
            assert_eq!(shape(text).to_string(), text);
        }
        assert_eq!(shape("text(..64)").to_string(), "text(1..64)");
        assert_eq!(shape("digits(1)").to_string(), "digits(1)");
    }

    #[test]
    fn every_kind_covers_just_those_kinds_whose_texts_it_allows() {
        // All pairs of kinds, and texts that tell them apart, all as long as a UUID.
        let texts = [
            "123e4567-e89b-12d3-a456-426614174000".to_owned(),
            "1".repeat(36),
            "a".repeat(36),
            "z".repeat(36),
            ".".repeat(36),
        ];
        let kinds = ["text(36)", "word(36)", "hex(36)", "digits(36)", "uuid"].map(shape);
        for wide in &kinds {
            for narrow in &kinds {
                let all = texts.iter().all(|text| !narrow.fits(text.bytes()) || wide.fits(text.bytes()));
                assert_eq!(wide.covers(narrow), all, "{wide} {narrow}");
            }
        }
    }

    #[test]
    fn what_is_no_shape_is_refused_with_the_ones_there_are() {
        for text in [
            "",
            "Text",
            "int",
            "text(",
            "text()",
            "text)",
            "text(0..4)",
            "text(4..3)",
            "text(1..8193)",
            "text(+1..2)",
            "uuid(36)",
            "text(1..2..3)",
            "text(1)x",
            "text(99999999999)",
            "text(1..)",
            "[a-z]+",
        ] {
            let error = text.parse::<Shape>().unwrap_err().to_string();
            assert!(error.contains("`digits`") && error.contains(text), "{error}");
        }
    }
}
