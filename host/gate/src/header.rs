//! Which header fields a guest may write.
//!
//! Names that frame the message, that speak for the host, or that carry credentials are the host's alone. A guest that
//! sets one is refused, not corrected: silently dropping a header hides a bug, silently keeping it is a hole.

use crate::scheme::OpenSlot;

/// One header field: a name and a value of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Field name, compared without regard to case.
    pub name: String,
    /// Field value.
    pub value: Vec<u8>,
}

/// Why a header field is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderRefusal {
    /// The name is not a token (RFC 9110, section 5.6.2), or longer than 128 bytes.
    Name,
    /// The value holds CR, LF, NUL or another control character (RFC 9110, section 5.5).
    Value,
    /// The host's to write, always.
    Reserved,
    /// One that a slot of the route writes.
    Slot,
}

/// Fields that only the host writes, in lower case.
///
/// Framing and routing (RFC 9110, 9112), credentials (RFC 9110, section 11; cookies RFC 6265), ranges (a response in
/// pieces hides a secret from the search for echoes), and the fields by which some servers take another method, host or
/// path than the one that was judged. [`judge_header`] refuses more than these: beginnings of names, too.
pub const RESERVED_HEADERS: [&str; 24] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "if-range",
    "keep-alive",
    "max-forwards",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-host",
    "x-http-destinationurl",
    "x-method-override",
    "x-override-url",
    "x-real-ip",
];

/// Fields that a guest may write on every route, in lower case: they say how to talk, not what to do or as whom.
const ALWAYS_GRANTED: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

/// Beginnings of more of them.
const RESERVED_PREFIXES: [&str; 5] = ["proxy", "x-forwarded", "x-http-method", "x-original-", "x-rewrite-"];

/// Longest field name, in bytes.
const MAX_NAME: usize = 128;

/// Judges one field of a route with these slots. Allocates nothing.
pub fn judge_header(name: &str, value: &[u8], slots: &[OpenSlot]) -> Result<(), HeaderRefusal> {
    if !is_token(name) || name.len() > MAX_NAME {
        return Err(HeaderRefusal::Name);
    }
    if value.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
        return Err(HeaderRefusal::Value);
    }
    if is_reserved(name) {
        return Err(HeaderRefusal::Reserved);
    }
    if slots.iter().any(|slot| slot.scheme.writes_header(name)) { Err(HeaderRefusal::Slot) } else { Ok(()) }
}

/// Whether every route may send this field without declaring it. Spelt with `-`: the other spelling is another field.
pub(crate) fn is_always_granted(name: &str) -> bool {
    ALWAYS_GRANTED.iter().any(|always| name.eq_ignore_ascii_case(always))
}

/// Whether only the host may write this field.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED_HEADERS.iter().any(|reserved| is_same(name, reserved))
        || RESERVED_PREFIXES.iter().any(|prefix| name.get(..prefix.len()).is_some_and(|start| is_same(start, prefix)))
}

/// Whether two names are the same to some server: without regard to case, and with `_` for `-`, as CGI and its kin read
/// them.
pub(crate) fn is_same(name: &str, other: &str) -> bool {
    name.len() == other.len() && name.bytes().map(fold).eq(other.bytes().map(fold))
}

/// A name as [`is_same`] compares it: what it calls the same has the same text here.
pub(crate) fn folded(name: &str) -> String {
    name.bytes().map(|b| char::from(fold(b))).collect()
}

fn fold(b: u8) -> u8 {
    if b == b'_' { b'-' } else { b.to_ascii_lowercase() }
}

/// A token of RFC 9110, section 5.6.2.
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::Scheme;

    #[test]
    fn reserved_names_are_reserved_in_every_spelling() {
        for name in RESERVED_HEADERS {
            assert!(
                is_reserved(name) && is_reserved(&name.to_uppercase()) && is_reserved(&name.replace('-', "_")),
                "{name}"
            );
        }
        for name in ["Proxy", "Proxy-Authorization", "X_HTTP_Method_Override", "X-Forwarded-Prefix", "X-Original-URL"] {
            assert!(is_reserved(name), "{name}");
        }
        assert!(!is_reserved("content-type") && !is_reserved("x-forward") && !is_reserved(""));
    }

    #[test]
    fn the_slots_own_header_is_the_hosts_to_write() {
        let slot = |scheme| OpenSlot { name: "key".into(), scheme, segment: None };
        let header = slot(Scheme::Header { name: "X-Api-Key".into(), prefix: String::new() });
        let aws = slot(Scheme::Sigv4 { service: "s3".into(), region: "eu-central-1".into() });
        let slots = [slot(Scheme::Query { name: "x-other".into() }), aws, header];
        for name in ["x-api-key", "X_Api_Key", "X-Amz-Date", "x-amz-content-sha256", "X-Amz-Security-Token"] {
            assert_eq!(judge_header(name, b"mine", &slots), Err(HeaderRefusal::Slot), "{name}");
        }
        assert_eq!(judge_header("x-other", b"mine", &slots), Ok(()));
        assert_eq!(judge_header("x-api-key", b"mine", &[]), Ok(()));
    }

    #[test]
    fn split_values_and_odd_names_are_refused() {
        for value in [&b"a\r\nHost: x"[..], b"a\0", b"a\n", b"\x7f", b"\x1b[2J"] {
            assert_eq!(judge_header("x-a", value, &[]), Err(HeaderRefusal::Value));
        }
        for name in ["", "a b", "a:b", "a\r\n", "ü", &"x".repeat(129)] {
            assert_eq!(judge_header(name, b"", &[]), Err(HeaderRefusal::Name));
        }
        assert_eq!(judge_header("x-a", "a ü\t".as_bytes(), &[]), Ok(()));
        assert_eq!(judge_header(&"x".repeat(128), b"", &[]), Ok(()));
        assert_eq!(judge_header("x!#$%&'*+.^_`|~9", b"", &[]), Ok(()));
    }
}
