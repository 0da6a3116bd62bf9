//! Keyed hashes over parts of a request: what is hashed, and which header fields say it.

use super::text::{Reading, contains, is_one_of, starts_with};
use crate::{
    MacAlgorithm,
    bindings::portcullis::adapter::descriptor::{HmacScheme, MacEncoding, SignedHeader},
};

/// A keyed hash (RFC 2104) over parts of the request, for [`Slot::hmac`](crate::Slot::hmac).
///
/// The message is text with `{method}`, `{host}`, `{path}`, `{query}`, `{target}` (path and query), `{url}`, `{body}`,
/// `{body-sha256}` (hex), `{timestamp}` (seconds since 1970), `{timestamp-ms}`, `{date}` (as in the header `Date`), `{nonce}`,
/// `{key-id}` and `{header:NAME}`; a new line may be written as a backslash and an `n`. Headers have `{signature}`, and of those `{timestamp}`, `{timestamp-ms}`, `{date}`,
/// `{nonce}` and `{key-id}`.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// const SIGNATURE: Hmac = Hmac::sha256("{timestamp}.{body}").header("X-Signature", "t={timestamp},v1={signature}");
/// const KEY: Slot = Slot::hmac("key", SIGNATURE).describe("The signing secret: Settings, Webhooks.");
/// ```
///
/// What is not among these does not compile, and neither does a signature that stands nowhere:
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const SIGNATURE: Hmac = Hmac::sha256("{time}.{body}");
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const KEY: Slot = Slot::hmac("key", Hmac::sha256("{body}").header("X-Time", "{timestamp}"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Hmac<'a> {
    algorithm: MacAlgorithm,
    message: &'a str,
    encoding: MacEncoding,
    /// Name and value of each.
    headers: [Option<(&'a str, &'a str)>; MAX_HEADERS],
}

/// Most header fields of one signature.
const MAX_HEADERS: usize = 8;
/// Longest message, in bytes, before anything is filled in.
const MAX_MESSAGE: usize = 1024;
/// What a message can name beside `{header:NAME}`.
const IN_MESSAGES: [&str; 13] = [
    "method",
    "host",
    "path",
    "query",
    "target",
    "url",
    "body",
    "body-sha256",
    "timestamp",
    "timestamp-ms",
    "date",
    "nonce",
    "key-id",
];
/// What a header can name.
const IN_HEADERS: [&str; 6] = ["signature", "timestamp", "timestamp-ms", "date", "nonce", "key-id"];

impl<'a> Hmac<'a> {
    /// HMAC-SHA-1 over this message: only where a provider offers nothing better.
    #[must_use]
    pub const fn sha1(message: &'a str) -> Self {
        Self::new(MacAlgorithm::HmacSha1, message)
    }

    /// HMAC-SHA-256 over this message.
    #[must_use]
    pub const fn sha256(message: &'a str) -> Self {
        Self::new(MacAlgorithm::HmacSha256, message)
    }

    /// HMAC-SHA-512 over this message.
    #[must_use]
    pub const fn sha512(message: &'a str) -> Self {
        Self::new(MacAlgorithm::HmacSha512, message)
    }

    /// The signature is written in base64 (RFC 4648, section 4) instead of lower-case hexadecimal.
    #[must_use]
    pub const fn base64(mut self) -> Self {
        self.encoding = MacEncoding::Base64;
        self
    }

    /// The signature is written in base64 for URLs, without padding (RFC 4648, section 5).
    #[must_use]
    pub const fn base64_url(mut self) -> Self {
        self.encoding = MacEncoding::Base64Url;
        self
    }

    /// Adds a header field that is written, of at most 8.
    #[must_use]
    pub const fn header(mut self, name: &'a str, value: &'a str) -> Self {
        assert!(!name.is_empty(), "a header field has a name, as in `.header(\"X-Signature\", \"{{signature}}\")`");
        assert!(
            Self::is_value(value),
            "a header names no parts but {{signature}}, {{timestamp}}, {{timestamp-ms}}, {{date}}, {{nonce}} and {{key-id}}"
        );
        assert!(self.field(MAX_HEADERS - 1).is_none(), "a signature writes at most 8 header fields");
        let mut headers = self.headers.as_mut_slice();
        while let [first, rest @ ..] = headers {
            if first.is_none() {
                *first = Some((name, value));
                break;
            }
            headers = rest;
        }
        self
    }

    /// Whether this can be hashed: not empty, at most 1 KiB, and each `{…}` is a part of a request.
    #[must_use]
    pub const fn is_message(message: &str) -> bool {
        !message.is_empty() && message.len() <= MAX_MESSAGE && is_template(message, &IN_MESSAGES, true)
    }

    /// Whether this can be a header's value: each `{…}` is something that a header can say.
    #[must_use]
    pub const fn is_value(value: &str) -> bool {
        is_template(value, &IN_HEADERS, false)
    }

    const fn new(algorithm: MacAlgorithm, message: &'a str) -> Self {
        assert!(
            Self::is_message(message),
            "what is hashed is 1 to 1024 bytes, and each {{…}} is one that Hmac's documentation lists"
        );
        Self { algorithm, message, encoding: MacEncoding::Hex, headers: [None; MAX_HEADERS] }
    }

    /// Whether a header says the signature.
    pub(super) const fn is_written(&self) -> bool {
        let mut headers = self.headers.as_slice();
        while let [Some((_, value)), rest @ ..] = headers {
            if contains(value, "{signature}") {
                return true;
            }
            headers = rest;
        }
        false
    }

    /// The name of the header field at this place.
    pub(super) const fn field(&self, at: usize) -> Option<&'a str> {
        let (mut headers, mut at) = (self.headers.as_slice(), at);
        while let [Some((name, _)), rest @ ..] = headers {
            if at == 0 {
                return Some(name);
            }
            (headers, at) = (rest, at - 1);
        }
        None
    }

    pub(super) fn declared(&self) -> HmacScheme {
        let headers = self.headers.iter().flatten();
        let header =
            |(name, value): &(&str, &str)| SignedHeader { name: (*name).to_owned(), value: (*value).to_owned() };
        HmacScheme {
            algorithm: self.algorithm,
            message: self.message.to_owned(),
            encoding: self.encoding,
            headers: headers.map(header).collect(),
        }
    }
}

/// Whether each `{…}` is one of these, or `{header:NAME}` where those are allowed, and what stands between is plain.
const fn is_template(text: &str, known: &[&str], headers: bool) -> bool {
    let mut rest = text;
    loop {
        let Some((before, after)) = cut(rest, b'{') else { return is_plain(rest, headers) };
        let Some((name, after)) = cut(after, b'}') else { return false };
        let is_header = headers && name.len() > 7 && starts_with(name.as_bytes(), b"header:");
        if !is_plain(before, headers) || !is_header && !is_one_of(name, known, Reading::Exact) {
            return false;
        }
        rest = after;
    }
}

/// Whether the host reads this as it is written: no brace alone, a backslash only in `\n` (a new line) and `\\`, and of what
/// cannot be seen only new lines, where those are allowed.
const fn is_plain(text: &str, lines: bool) -> bool {
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        rest = match (*first, others) {
            (b'\\', [b'n' | b'\\', others @ ..]) => others,
            (b'\\' | b'}', _) => return false,
            (b'\n', others) if lines => others,
            (byte, _) if byte.is_ascii_control() => return false,
            _ => others,
        };
    }
    true
}

/// What stands before and behind the first byte of this kind.
const fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        if *first == byte {
            let (before, found) = text.split_at(text.len() - rest.len());
            let (_, behind) = found.split_at(1);
            return Some((before, behind));
        }
        rest = others;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_headers_name_what_there_is() {
        for good in ["{method}\n{target}\n{header:X-Date}\n{body-sha256}", "{timestamp}.{body}", "key", "a\\nb\\\\"] {
            assert!(Hmac::is_message(good), "{good}");
        }
        for bad in [
            "",
            "{signature}",
            "{time}",
            "{header:}",
            "{body",
            "{}",
            "{{body}}",
            "a}b",
            "a\\t",
            "a\t",
            &"x".repeat(1025),
        ] {
            assert!(!Hmac::is_message(bad), "{bad}");
        }
        for (value, good) in [
            ("t={timestamp},v1={signature}", true),
            ("v1", true),
            ("{body}", false),
            ("{header:A}", false),
            ("a\nb", false),
        ] {
            assert_eq!(Hmac::is_value(value), good, "{value}");
        }
    }
}
