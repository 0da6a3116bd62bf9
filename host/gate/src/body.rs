//! What kind of body a route's requests have, judged by the one thing a server goes by: `Content-Type`.

use serde::{Deserialize, Serialize};

use crate::header::{Header, is_same, is_token};

/// A body's kind. The schemas of the first three are in the descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// `application/json`, or a type that ends with `+json` (RFC 6839, section 3.1).
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data` (RFC 7578).
    Multipart,
    /// One of these media types.
    Raw(Vec<String>),
}

/// Most media types of one route.
const MAX_TYPES: usize = 32;

impl BodyKind {
    /// Whether the header fields say, once, that the body is of this kind. Allocates nothing.
    pub(crate) fn is_said_by(&self, headers: &[Header]) -> bool {
        let mut said = headers.iter().filter(|header| is_same(&header.name, "content-type"));
        match (said.next(), said.next()) {
            (Some(header), None) => self.allows(&header.value),
            _ => false,
        }
    }

    /// Whether a `Content-Type` is one of this kind. Of its parameters only `charset` matters: JSON and forms are UTF-8
    /// (RFC 8259, section 8.1; the URL standard), and a secret in UTF-16 would not be found in them.
    fn allows(&self, value: &[u8]) -> bool {
        if matches!(self, BodyKind::Json | BodyKind::Form) && !is_utf8(value) {
            return false;
        }
        // Of a list, servers take the first or the last.
        if value.contains(&b',') {
            return false;
        }
        let media = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        let Some(slash) = media.iter().position(|b| *b == b'/') else { return false };
        let (main, sub) = (media.get(..slash).unwrap_or_default(), media.get(slash + 1..).unwrap_or_default());
        let named = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(is_token);
        if !named(main) || !named(sub) {
            return false;
        }
        let is = |text: &str| media.eq_ignore_ascii_case(text.as_bytes());
        match self {
            BodyKind::Json => {
                let suffix = sub.len().checked_sub("+json".len()).and_then(|at| sub.get(at..));
                is("application/json") || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
            }
            BodyKind::Form => is("application/x-www-form-urlencoded"),
            BodyKind::Multipart => is("multipart/form-data"),
            BodyKind::Raw(types) => types.iter().any(|media| is(media)),
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let BodyKind::Raw(types) = self else { return None };
        if types.is_empty() || types.len() > MAX_TYPES {
            return Some(format!("{} media types; write 1 to {MAX_TYPES}", types.len()));
        }
        let good = |media: &&String| media.split_once('/').is_some_and(|(main, sub)| is_token(main) && is_token(sub));
        types
            .iter()
            .find(|media| !good(media) || media.len() > 128)
            .map(|media| format!("`{}` is not a media type such as `text/csv`", crate::printable(media, 80)))
    }

    /// In a word or a few.
    pub fn told(&self) -> String {
        match self {
            BodyKind::Json => "JSON".to_owned(),
            BodyKind::Form => "form".to_owned(),
            BodyKind::Multipart => "multipart".to_owned(),
            BodyKind::Raw(types) => types.join(", "),
        }
    }
}

/// Whether a media type names no character set, or UTF-8 or its subset ASCII.
fn is_utf8(value: &[u8]) -> bool {
    let parameters = value.split(|byte| *byte == b';').skip(1);
    let named = parameters.filter_map(|parameter| {
        let at = parameter.iter().position(|byte| *byte == b'=')?;
        let (name, charset) = (parameter.get(..at)?.trim_ascii(), parameter.get(at + 1..)?.trim_ascii());
        let charset = charset.strip_prefix(b"\"").unwrap_or(charset);
        let charset = charset.strip_suffix(b"\"").unwrap_or(charset);
        name.eq_ignore_ascii_case(b"charset").then_some(charset)
    });
    named.into_iter().all(|charset| {
        [&b"utf-8"[..], b"utf8", b"us-ascii", b"ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &BodyKind, values: &[&str]) -> bool {
        let headers: Vec<Header> =
            values.iter().map(|v| Header { name: "Content-Type".into(), value: v.as_bytes().to_vec() }).collect();
        kind.is_said_by(&headers)
    }

    #[test]
    fn a_kind_is_said_by_its_media_type_and_no_other() {
        let json = BodyKind::Json;
        for value in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/fhir+json",
            " text/x+JSON ",
            "application/json;charset=\"UTF-8\"",
            "application/json; charset=us-ascii",
        ] {
            assert!(said(&json, &[value]), "{value}");
        }
        for value in [
            "application/json; charset=utf-16",
            "application/json;Charset=\"UTF-16LE\"",
            "application/json; a=b; charset = utf-7",
            "",
            "json",
            "application/jsonp",
            "text/plain",
            "application/json, text/html",
            "application/json; a=b, text/html",
            "a b/x+json",
            "/+json",
        ] {
            assert!(!said(&json, &[value]), "{value}");
        }
        assert!(
            said(&BodyKind::Form, &["application/x-www-form-urlencoded"])
                && !said(&BodyKind::Form, &["application/json"])
        );
        assert!(
            said(&BodyKind::Multipart, &["multipart/form-data; boundary=x"]) && !said(&json, &["multipart/form-data"])
        );
        let raw = BodyKind::Raw(vec!["text/csv".into(), "image/png".into()]);
        assert!(said(&raw, &["text/csv"]) && said(&raw, &["IMAGE/PNG"]) && !said(&raw, &["text/html"]));
    }

    #[test]
    fn it_is_said_once_or_not_at_all() {
        assert!(!said(&BodyKind::Json, &[]));
        assert!(!said(&BodyKind::Json, &["application/json", "application/json"]));
    }

    #[test]
    fn odd_media_types_are_refused() {
        for types in [vec![], vec!["text".to_owned()], vec!["a/b;c".to_owned()], vec!["x".repeat(200) + "/y"]] {
            assert!(BodyKind::Raw(types).problem().is_some());
        }
        assert_eq!(BodyKind::Raw(vec!["text/csv".into()]).problem(), None);
        let many = |count| BodyKind::Raw(vec!["text/csv".into(); count]).problem();
        assert!(many(32).is_none() && many(33).is_some());
        let long = |length: usize| BodyKind::Raw(vec![format!("{}/y", "x".repeat(length - 2))]).problem();
        assert!(long(128).is_none() && long(129).is_some());
        for types in [["text/csv", "/"], ["a b/c", "text/csv"], ["a/", "text/csv"]] {
            assert!(BodyKind::Raw(types.map(str::to_owned).to_vec()).problem().unwrap().contains("media type"));
        }
    }

    #[test]
    fn each_kind_has_its_word() {
        let raw = BodyKind::Raw(vec!["text/csv".into(), "image/png".into()]);
        let words = [BodyKind::Json, BodyKind::Form, BodyKind::Multipart, raw].map(|kind| kind.told());
        assert_eq!(words, ["JSON", "form", "multipart", "text/csv, image/png"]);
    }
}
