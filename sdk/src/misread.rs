//! What an answer is that cannot be read as JSON: what it calls itself, what it looks like, and where it is wrong. A position
//! in JSON helps nobody who was sent a page to sign in at.

use serde_json::{Error, error::Category};

use crate::{Response, failure::mismatch};

/// U+FEFF in UTF-8. A parser may ignore it before JSON (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Longest media type that is repeated, in characters.
const MAX_TYPE: usize = 100;

/// The body without a byte order mark.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// Why an answer is not JSON of the wanted type, without the values that it holds.
pub(crate) fn told(response: &Response, error: &Error) -> String {
    let status = response.status;
    if error.classify() == Category::Data && !error.to_string().starts_with(HALF) {
        let mismatch = mismatch(error);
        return format!("the answer ({status}) is not what the route's response type describes: {mismatch}");
    }
    let printable = |c: &char| c.is_ascii_graphic() || *c == ' ';
    let named: Option<String> =
        response.header("content-type").map(|named| named.chars().filter(printable).take(MAX_TYPE).collect());
    let named = named.filter(|named| !named.is_empty());
    let named = named.map_or_else(|| "has no Content-Type".to_owned(), |named| format!("calls itself `{named}`"));
    let (what, place) = (looks_like(&response.body), place(error));
    format!("the answer ({status}) {named} and is {what}: {place}")
}

/// What a body looks like that is no JSON.
fn looks_like(body: &[u8]) -> &'static str {
    let text = without_mark(body).trim_ascii_start();
    let begins = |start: &[u8]| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
    match text {
        [] => "empty",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16 text, which is no JSON (RFC 8259, section 8.1)",
        [0x1f, 0x8b, ..] => "packed as gzip without saying so",
        _ if begins(b"<!doctype html") || begins(b"<html") => "a page of HTML, not JSON",
        [b'<', ..] => "XML or HTML, not JSON",
        _ if body.contains(&0) => "not text, and not JSON",
        [b'{' | b'[' | b'"', ..] => "malformed JSON",
        _ => "not JSON",
    }
}

/// What is said of an unpaired surrogate.
pub(crate) const HALF: &str = "half of a character (an unpaired surrogate such as `\\ud83d`, RFC 8259, section 8.2), as APIs that cut texts send it";

/// Whether a parser's words are about an unpaired surrogate.
pub(crate) fn is_half(words: &str) -> bool {
    words.starts_with("lone leading surrogate") || words.starts_with("unexpected end of hex escape")
}

/// Where it is wrong, and how.
fn place(error: &Error) -> String {
    let text = error.to_string();
    let what = if is_half(&text) {
        HALF
    } else if text.starts_with("invalid unicode code point") {
        "a byte that is no UTF-8"
    } else {
        return text;
    };
    format!("{what}, at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use crate::{Header, Response, Value, json};

    fn read(media: Option<&str>, body: &[u8]) -> Result<Value, String> {
        let header = |value: &str| Header { name: "content-type".to_owned(), value: value.into() };
        let headers = media.map(header).into_iter().collect();
        let response = Response { status: 200, url: String::new(), headers, body: body.to_vec() };
        response.json().map_err(|failure| failure.message)
    }

    #[test]
    fn a_byte_order_mark_before_json_is_ignored() {
        assert_eq!(read(None, b"\xef\xbb\xbf{\"ok\": true}"), Ok(json!({"ok": true})));
    }

    #[test]
    fn what_is_no_json_is_told_by_what_it_calls_itself_and_what_it_looks_like() {
        for (media, body, told) in [
            (
                Some("text/html; charset=utf-8"),
                &b"<html>sign in</html>"[..],
                "calls itself `text/html; charset=utf-8` and is a page of HTML",
            ),
            (
                Some("application/json"),
                b"<?xml version=\"1.0\"?>",
                "calls itself `application/json` and is XML or HTML",
            ),
            (None, b"\xff\xfe{\0}\0", "has no Content-Type and is UTF-16 text"),
            (Some("application/json"), b"\x1f\x8b\x08", "is packed as gzip"),
            (
                Some("application/json"),
                b"{\"a\": 1",
                "is malformed JSON: EOF while parsing an object at line 1 column 7",
            ),
            (Some("text/plain"), b"OK", "calls itself `text/plain` and is not JSON"),
        ] {
            let message = read(media, body).unwrap_err();
            assert!(message.contains(told), "{message}");
        }
    }

    #[test]
    fn half_of_a_character_is_named_with_its_place() {
        for body in [r#"{"id": 7, "text": "nice \ud83d"}"#, r#"{"text": "\ud83d and more"}"#, r#"["\udc00"]"#] {
            let message = read(Some("application/json"), body.as_bytes()).unwrap_err();
            assert!(
                message.contains("unpaired surrogate")
                    && (message.contains(" at /") || message.contains("at line 1 column")),
                "{message}"
            );
        }
        let message = read(Some("application/json"), b"{\"a\": \"\xe4\"}").unwrap_err();
        assert!(message.contains("a byte that is no UTF-8, at line 1 column"), "{message}");
    }
}
