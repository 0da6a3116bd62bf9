//! What a request signature is made of: text with places for parts of the request, as schemes of kind `hmac` write it.
//!
//! Parsed once and checked with the descriptor; who signs fills the pieces in, in order, and reads the text a second time
//! nowhere. A brace is always part of a placeholder: what is not known is refused, not sent as it is.

use crate::{header::is_token, printable::printable};

/// Longest text, in bytes.
const MAX_BYTES: usize = 1_024;

/// A text with places for parts of a request: `{method}\n{path}\n{timestamp}`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    pieces: Vec<Piece>,
}

/// One piece of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// The method, upper case.
    Method,
    /// The host, with its port where that is not the scheme's own.
    Host,
    /// The path, as it is sent.
    Path,
    /// The query, as it is sent, without `?`; nothing where there is none.
    Query,
    /// Path, and `?` and query where there is one.
    Target,
    /// The whole URL, as it is sent.
    Url,
    /// The body; nothing where there is none.
    Body,
    /// The SHA-256 of the body, in lower-case hexadecimal.
    BodySha256,
    /// Seconds since 1970.
    Timestamp,
    /// Milliseconds since 1970.
    TimestampMs,
    /// The date of RFC 9110, section 5.6.7.
    Date,
    /// A text that is used once.
    Nonce,
    /// The key's name.
    KeyId,
    /// The value of the header field of this name; nothing where there is none.
    Header(String),
    /// The signature itself.
    Signature,
}

/// Why a text is none that can be signed or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// Nothing, or too much.
    #[error("{0} bytes; write 1 to {MAX_BYTES}")]
    Length(usize),
    /// A placeholder that nobody knows.
    #[error(
        "`{{{0}}}` is not known; there are {{method}}, {{host}}, {{path}}, {{query}}, {{target}}, {{url}}, {{body}}, \
         {{body-sha256}}, {{timestamp}}, {{timestamp-ms}}, {{date}}, {{nonce}}, {{key-id}}, {{header:NAME}} and, in headers, \
         {{signature}}"
    )]
    Unknown(String),
    /// A brace alone.
    #[error("a brace stands alone; `{{` and `}}` hold a placeholder")]
    Brace,
    /// The name in `{header:NAME}`.
    #[error("`{0}` in `{{header:NAME}}` is not a header name")]
    HeaderName(String),
    /// A backslash before something else than `n` and `\`.
    #[error("a backslash stands before something else than `n` and another backslash")]
    Escape,
    /// The signature in what is signed.
    #[error("`{{signature}}` is not there yet when the message is made")]
    Early,
    /// A part of the request in a header's value.
    #[error(
        "a header's value has no places for parts of the request but {{signature}}, times, {{nonce}} and {{key-id}}"
    )]
    Late,
    /// A control character.
    #[error("it holds control characters")]
    Control,
}

impl Canonical {
    /// Reads a text. `\n`, as a backslash and an `n`, is a new line, and `\\` a backslash.
    pub fn parse(text: &str) -> Result<Self, CanonicalError> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(CanonicalError::Length(text.len()));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                '{' => {
                    let (inside, after) = rest.split_once('}').ok_or(CanonicalError::Brace)?;
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::named(inside)?);
                    rest = after;
                }
                '}' => return Err(CanonicalError::Brace),
                '\\' => {
                    plain.push(match rest.chars().next() {
                        Some('n') => '\n',
                        Some('\\') => '\\',
                        _ => return Err(CanonicalError::Escape),
                    });
                    rest = rest.get(1..).unwrap_or_default();
                }
                c if c.is_control() && c != '\n' => return Err(CanonicalError::Control),
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// Reads what is signed.
    pub fn message(text: &str) -> Result<Self, CanonicalError> {
        let parsed = Self::parse(text)?;
        if parsed.has_signature() { Err(CanonicalError::Early) } else { Ok(parsed) }
    }

    /// Reads a header's value, which says nothing of the request but its signature.
    pub fn value(text: &str) -> Result<Self, CanonicalError> {
        let parsed = Self::parse(text)?;
        for piece in &parsed.pieces {
            match piece {
                Piece::Text(text) if !text.bytes().all(|b| (b' '..0x7f).contains(&b)) => {
                    return Err(CanonicalError::Control);
                }
                Piece::Text(_)
                | Piece::Timestamp
                | Piece::TimestampMs
                | Piece::Date
                | Piece::Nonce
                | Piece::KeyId
                | Piece::Signature => {}
                _ => return Err(CanonicalError::Late),
            }
        }
        Ok(parsed)
    }

    /// The pieces, in order. No two texts stand side by side.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether the signature has a place in it.
    pub fn has_signature(&self) -> bool {
        self.pieces.contains(&Piece::Signature)
    }
}

impl Piece {
    fn named(name: &str) -> Result<Self, CanonicalError> {
        if let Some(header) = name.strip_prefix("header:") {
            return if is_token(header) && header.len() <= 128 {
                Ok(Piece::Header(header.to_owned()))
            } else {
                Err(CanonicalError::HeaderName(printable(header, 80)))
            };
        }
        Ok(match name {
            "method" => Piece::Method,
            "host" => Piece::Host,
            "path" => Piece::Path,
            "query" => Piece::Query,
            "target" => Piece::Target,
            "url" => Piece::Url,
            "body" => Piece::Body,
            "body-sha256" => Piece::BodySha256,
            "timestamp" => Piece::Timestamp,
            "timestamp-ms" => Piece::TimestampMs,
            "date" => Piece::Date,
            "nonce" => Piece::Nonce,
            "key-id" => Piece::KeyId,
            "signature" => Piece::Signature,
            other => return Err(CanonicalError::Unknown(printable(other, 80))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<Piece> {
        Canonical::parse(text).unwrap().pieces
    }

    #[test]
    fn a_text_is_read_piece_by_piece() {
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            pieces("{method}\\n{target}\n{header:X-Date}{body-sha256}v1=\\\\"),
            [
                Piece::Method,
                text("\n"),
                Piece::Target,
                text("\n"),
                Piece::Header("X-Date".to_owned()),
                Piece::BodySha256,
                text("v1=\\")
            ]
        );
        let all = "{host}{path}{query}{url}{body}{timestamp}{timestamp-ms}{date}{nonce}{key-id}";
        assert_eq!(
            pieces(all),
            [
                Piece::Host,
                Piece::Path,
                Piece::Query,
                Piece::Url,
                Piece::Body,
                Piece::Timestamp,
                Piece::TimestampMs,
                Piece::Date,
                Piece::Nonce,
                Piece::KeyId
            ]
        );
        assert_eq!(pieces("ü plain"), [text("ü plain")]);
    }

    #[test]
    fn what_is_not_known_is_refused_and_never_sent_as_it_is() {
        for (text, told) in [
            ("", "0 bytes"),
            ("{secret}", "`{secret}` is not known"),
            ("{Method}", "`{Method}` is not known"),
            ("{}", "`{}` is not known"),
            ("{method", "stands alone"),
            ("method}", "stands alone"),
            ("{{method}}", "`{{method}` is not known"),
            ("{header:}", "is not a header name"),
            ("{header:a b}", "`a b`"),
            ("a\\t", "backslash"),
            ("a\\", "backslash"),
            ("a\rb", "control"),
            ("a\0", "control"),
        ] {
            let error = Canonical::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        assert!(Canonical::parse(&"x".repeat(1_024)).is_ok());
        assert_eq!(Canonical::parse(&"x".repeat(1_025)), Err(CanonicalError::Length(1_025)));
    }

    #[test]
    fn a_message_has_no_signature_and_a_header_nothing_of_the_request() {
        assert_eq!(Canonical::message("{body}{signature}"), Err(CanonicalError::Early));
        assert!(Canonical::message("{timestamp}.{body}").is_ok());
        let value = Canonical::value("t={timestamp},ms={timestamp-ms},d={date},n={nonce},k={key-id},v1={signature}");
        assert!(value.unwrap().has_signature());
        for part in ["method", "host", "path", "query", "target", "url", "body", "body-sha256", "header:x"] {
            assert_eq!(Canonical::value(&format!("{{{part}}}")), Err(CanonicalError::Late), "{part}");
        }
        for text in ["a\nb", "a\\nb", "ü"] {
            assert_eq!(Canonical::value(text), Err(CanonicalError::Control), "{text}");
        }
    }
}
