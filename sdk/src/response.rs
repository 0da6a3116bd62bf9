//! Reading responses.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;

use crate::{Failure, Response, misread, retry, value};

/// A response, whole: status, headers and body (at most 5 MiB unless the operator set another limit).
impl Response {
    /// A JSON response, for tests.
    #[must_use]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_json(status: u16, body: &crate::Value) -> Self {
        Self { status, url: String::new(), headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, compared without regard to case; none where its value is not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(&header.value).ok()
    }

    /// After how many milliseconds the provider wants to be asked again: `Retry-After` in seconds or as a date (RFC 9110, section
    /// 10.2.3); else, where the answer says that a limit is used up, `RateLimit` and `RateLimit-Reset` (the IETF's drafts) and
    /// `X-RateLimit-Reset`, in seconds to wait or in seconds or milliseconds since 1970. Moments are held against the answer's own
    /// `Date`, for adapters have no clock. At most a day.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        retry::after_ms(self)
    }

    /// The body as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body in base64 (RFC 4648, section 4), for outputs that carry bytes.
    #[must_use]
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.body)
    }

    /// The body as JSON of this type; an empty body is read as `null`. Fails with `http.unexpected-body`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let body = if self.body.is_empty() { b"null".as_slice() } else { misread::without_mark(&self.body) };
        parse(body).map_err(|error| Failure::new("http.unexpected-body", misread::told(self, &error)))
    }
}

/// Reads JSON. Where a type takes digits alone, an integer that is written with a point is one as well (JSON Schema validation,
/// 6.1.1).
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    value::from_text(text).or_else(|error| {
        // The error first: the text may be megabytes of what is no JSON at all.
        let is_pointed = error.is_data() && error.to_string().starts_with("invalid type: floating point");
        match is_pointed.then(|| value::with_integers(text)).flatten() {
            Some(text) => serde_json::from_slice(&text).map_err(|_| error),
            None => Err(error),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Header, Value, json};

    #[test]
    fn headers_are_found_without_regard_to_case() {
        let header = Header { name: "Retry-After".to_owned(), value: b"5".to_vec() };
        let response = Response { status: 429, url: String::new(), headers: vec![header], body: Vec::new() };
        assert_eq!(response.header("retry-after"), Some("5"));
        assert_eq!(response.header("other"), None);
    }

    #[test]
    fn bytes_are_told_in_base64() {
        assert_eq!(
            Response { status: 200, url: String::new(), headers: Vec::new(), body: vec![0, 255, 62] }.base64(),
            "AP8+"
        );
    }

    #[test]
    fn an_empty_body_is_null_and_a_wrong_one_is_named() {
        let empty = Response { status: 202, url: String::new(), headers: Vec::new(), body: Vec::new() };
        assert_eq!(empty.json::<Option<u8>>(), Ok(None));
        assert_eq!(empty.json::<()>(), Ok(()));
        let list = Response::with_json(200, &json!([1, 2]));
        assert_eq!(list.json::<Value>(), Ok(json!([1, 2])));
        assert_eq!(list.json::<String>().unwrap_err().code, "http.unexpected-body");
    }
}
