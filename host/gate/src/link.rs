//! Links that a provider writes, as a capability: where in an answer a URL has to stand for a route to take it.
//!
//! **Context.** Lists go on at a URL that the provider writes: in `Link: <…>; rel="next"` (RFC 8288), in the JSON (`@odata.nextLink`,
//! a FHIR Bundle's `link`). It may name another path than the request did (GitHub's `/repositories/{id}/issues?after=…`), the
//! base with parameters alone (HAPI), or a path that ends with a slash. Routes that stand for all of these would open far
//! more than paging: any repository, any query, whoever asks.
//!
//! **Decision.** A route may say in `links` at which places its URLs stand. Such a route allows a request only if the host itself
//! found this very URL at one of these places, in an answer that the same origin gave in the same call, by a route that was
//! open. The host records it (`portcullis-egress`); the gate is told at which places the URL was found, so that `decide` stays
//! a pure function. The route's method (GET or HEAD), URL (with `{name*}` at its end: a prefix), query, headers and slots bound
//! it like any other route, so the operator grants origin, prefix and method, and never a template that stands for all.
//!
//! **What it does not promise.** An upstream that echoes what a guest sent can be made to write a link. What such a link can
//! reach is what the operator granted: this origin, below this prefix, with GET, in this call, and never with the slot's own
//! query parameter. The places keep it from being any text of an answer.
//!
//! **Alternatives.** Any URL anywhere in an answer would make every text of a provider's users a capability. Links that are
//! kept beyond the call would be a store of capabilities, to be expired and revoked. Links signed for the guest would need
//! a key, and say no more than the record of the call does.
//!
//! Written `rel=next` or `/links/next`. In a pointer, `*` stands for every item of an array.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{method::Method, printable::printable};

/// Most places of one route.
pub(crate) const MAX_PLACES: usize = 8;
/// Longest relation type, in bytes.
const MAX_RELATION: usize = 64;
/// Longest pointer, in bytes, and its most segments.
const MAX_POINTER: (usize, usize) = (256, 8);

/// Where in an answer a provider writes a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(rel=[a-z][a-z0-9.-]*|(/.*))$"))]
pub enum LinkPlace {
    /// In a `Link` header field, with this relation type (RFC 8288), in lower case.
    Header(String),
    /// In a JSON body, at this pointer (RFC 6901), in which `*` stands for every item of an array.
    Body(String),
}

/// A text that names no such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place of a link; write `rel=next` for a Link header field, or a JSON pointer such as `/links/next` or \
     `/link/*/url`"
)]
pub struct LinkPlaceError(String);

impl LinkPlace {
    /// Whether it is well formed: an adapter may have made it.
    pub(crate) fn check(&self) -> Result<(), LinkPlaceError> {
        let is_good = match self {
            LinkPlace::Header(relation) => {
                (1..=MAX_RELATION).contains(&relation.len())
                    && relation.starts_with(|c: char| c.is_ascii_lowercase())
                    && relation.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
            }
            LinkPlace::Body(pointer) => {
                let escapes = || pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
                pointer.starts_with('/')
                    && pointer.len() <= MAX_POINTER.0
                    && pointer.split('/').count() <= MAX_POINTER.1 + 1
                    && pointer.bytes().all(|b| (b' '..0x7f).contains(&b))
                    && escapes()
            }
        };
        if is_good { Ok(()) } else { Err(LinkPlaceError(printable(&self.to_string(), 80))) }
    }
}

/// Why a route with these places, this method and this path cannot be; nothing if it can.
pub(crate) fn problem(places: &[LinkPlace], method: Method, is_prefix: bool) -> Option<String> {
    if places.is_empty() {
        let why =
            "`{name*}` is for URLs that a provider writes; say in `links` where, as in `rel=next` or `/links/next`";
        return is_prefix.then(|| why.to_owned());
    }
    if places.len() > MAX_PLACES {
        return Some(format!("{} places of links; at most {MAX_PLACES}", places.len()));
    }
    if let Some(error) = places.iter().find_map(|place| place.check().err()) {
        return Some(error.to_string());
    }
    let twice = places.iter().enumerate().find(|(at, place)| places.iter().take(*at).any(|before| before == *place));
    if let Some((_, place)) = twice {
        return Some(format!("the link's place `{place}` stands there twice"));
    }
    let reads = matches!(method, Method::Get | Method::Head);
    (!reads).then(|| "a link is followed with GET or HEAD; another method is no provider's to choose".to_owned())
}

/// Places as they are told.
pub(crate) fn told(places: &[LinkPlace]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for LinkPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkPlace::Header(relation) => write!(f, "rel={relation}"),
            LinkPlace::Body(pointer) => f.write_str(pointer),
        }
    }
}

impl FromStr for LinkPlace {
    type Err = LinkPlaceError;

    fn from_str(text: &str) -> Result<Self, LinkPlaceError> {
        let place = match text.strip_prefix("rel=") {
            Some(relation) => LinkPlace::Header(relation.to_owned()),
            None => LinkPlace::Body(text.to_owned()),
        };
        place.check().map(|()| place)
    }
}

impl TryFrom<String> for LinkPlace {
    type Error = LinkPlaceError;

    fn try_from(text: String) -> Result<Self, LinkPlaceError> {
        text.parse()
    }
}

impl From<LinkPlace> for String {
    fn from(place: LinkPlace) -> String {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in
            ["rel=next", "rel=a.b-1", "/next", "/links/next", "/link/*/url", "/@odata.nextLink", "/a~1b/~0", "/"]
        {
            assert_eq!(text.parse::<LinkPlace>().unwrap().to_string(), text);
        }
        for text in
            ["", "next", "rel=", "rel=Next", "rel=next prev", "rel=1", "/a~2", "/a~", "/ü", "/a\n", "links/next"]
        {
            let error = text.parse::<LinkPlace>().unwrap_err().to_string();
            assert!(error.contains("`rel=next`"), "{error}");
        }
        assert!("/x".repeat(8).parse::<LinkPlace>().is_ok() && "/x".repeat(9).parse::<LinkPlace>().is_err());
        assert!(format!("/{}", "x".repeat(256)).parse::<LinkPlace>().is_err());
    }

    #[test]
    fn places_of_a_route_are_few_and_different_and_it_only_reads() {
        let places = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<LinkPlace>>();
        let why = |texts: &[&str], method, is_prefix| problem(&places(texts), method, is_prefix).unwrap_or_default();
        assert_eq!(why(&[], Method::Post, false), "");
        assert_eq!(why(&["rel=next", "/next"], Method::Get, true), "");
        assert_eq!(why(&["rel=next"], Method::Head, false), "");
        assert!(why(&[], Method::Get, true).contains("say in `links` where"));
        assert!(why(&["rel=next", "rel=next"], Method::Get, false).contains("twice"));
        assert!(why(&["rel=next"], Method::Post, false).contains("GET or HEAD"));
        let many: Vec<String> = (0..9).map(|n| format!("/{n}")).collect();
        assert!(why(&many.iter().map(String::as_str).collect::<Vec<_>>(), Method::Get, false).contains("at most 8"));
        let odd = [LinkPlace::Header("\u{1b}[2J".repeat(100))];
        assert!(problem(&odd, Method::Get, false).unwrap().len() < 800);
    }
}
