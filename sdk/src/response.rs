//! Reading responses.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;

use crate::{Failure, Response, date, failure::mismatch};

/// A response, whole: status, headers and body (at most 5 MiB unless the operator set another limit).
impl Response {
    /// A JSON response, for tests.
    #[must_use]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes() }
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

    /// After how many milliseconds the provider wants to be asked again: the header `Retry-After` in seconds, or as a date
    /// beside the answer's own `Date` (RFC 9110, section 10.2.3). At most a day.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        let text = self.header("retry-after")?.trim();
        let seconds = match text.parse::<u64>() {
            Ok(seconds) => seconds,
            Err(_) => date::seconds(text)?.saturating_sub(date::seconds(self.header("date")?)?),
        };
        Some(seconds.min(86_400) * 1_000)
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
        let body = if self.body.is_empty() { b"null".as_slice() } else { self.body.as_slice() };
        serde_json::from_slice(body).map_err(|error| self.unexpected(&error))
    }

    fn unexpected(&self, error: &serde_json::Error) -> Failure {
        let (status, mismatch) = (self.status, mismatch(error));
        let message = format!("the answer ({status}) is not what the route's response type describes: {mismatch}");
        Failure::new("http.unexpected-body", message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Header;

    #[test]
    fn headers_are_found_without_regard_to_case() {
        let header = Header { name: "Retry-After".to_owned(), value: b"5".to_vec() };
        let response = Response { status: 429, headers: vec![header], body: Vec::new() };
        assert_eq!(response.header("retry-after"), Some("5"));
        assert_eq!(response.header("other"), None);
    }

    #[test]
    fn when_to_try_again_is_told_in_seconds_or_as_a_date() {
        let of = |fields: &[(&str, &str)]| {
            let header =
                |(name, value): &(&str, &str)| Header { name: (*name).to_owned(), value: value.as_bytes().to_vec() };
            Response { status: 429, headers: fields.iter().map(header).collect(), body: Vec::new() }.retry_after_ms()
        };
        let date = ("Date", "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(of(&[("Retry-After", " 7 ")]), Some(7_000));
        assert_eq!(of(&[("retry-after", "99999999999999999")]), Some(86_400_000));
        assert_eq!(of(&[("Retry-After", "Sat, 21 Nov 2026 10:01:30 GMT"), date]), Some(90_000));
        assert_eq!(of(&[("Retry-After", "Sat, 21 Nov 2026 09:00:00 GMT"), date]), Some(0));
        for none in ["", "-1", "1.5", "soon", "Sat, 21 Nov 2026"] {
            assert_eq!(of(&[("Retry-After", none), date]), None, "{none}");
        }
        assert_eq!(of(&[("Retry-After", "Sat, 21 Nov 2026 10:01:30 GMT")]), None);
    }

    #[test]
    fn bytes_are_told_in_base64() {
        assert_eq!(Response { status: 200, headers: Vec::new(), body: vec![0, 255, 62] }.base64(), "AP8+");
    }

    #[test]
    fn an_empty_body_is_null_and_a_wrong_one_is_named() {
        let empty = Response { status: 202, headers: Vec::new(), body: Vec::new() };
        assert_eq!(empty.json::<Option<u8>>(), Ok(None));
        assert_eq!(empty.json::<()>(), Ok(()));
        let list = Response::with_json(200, &json!([1, 2]));
        assert_eq!(list.json::<Value>(), Ok(json!([1, 2])));
        assert_eq!(list.json::<String>().unwrap_err().code, "http.unexpected-body");
    }
}
