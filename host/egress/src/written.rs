//! Links that a provider wrote in this call: which URLs the host itself found in answers, and where.
//!
//! Kept for one call and gone with it. Only what an answer with a status of 2xx holds at a place that some open route of links
//! names is looked at, and only links to the origin that gave the answer are kept. What is not JSON has no places. The gate is
//! told the places of a URL and decides; this file decides nothing.
//!
//! Bounds: of one answer the first 64 links, of one call the newest 256 and of these no more than 256 KiB.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use portcullis_gate::{LinkPlace, OperationPowers, RequestUrl};
use portcullis_reference::{resolve, targets};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{
    error::{Fault, SendError},
    outbound::{HttpResponse, OutboundParts},
};

/// Most links of one answer.
const MAX_OF_ANSWER: usize = 64;
/// Most links of one call, and their bytes.
const MAX_OF_CALL: (usize, usize) = (256, 256 * 1024);
/// Longest body that is read on the spot, in bytes: at the worst that takes a millisecond.
const LONG_BODY: usize = 64 * 1024;
/// So many bytes that are read cost a unit, once and for each few pointers.
const BYTES_PER_UNIT: u64 = 4;
/// So many pointers are held against each name of a body in the time that it takes to read it.
const POINTERS: usize = 4;

/// The links of one call.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    links: VecDeque<(String, Arc<[LinkPlace]>)>,
    bytes: usize,
}

impl Written {
    /// Where this URL was found. Costs nothing where no open route is one of links.
    pub(crate) fn places(&self, url: &RequestUrl, powers: &OperationPowers) -> Option<Arc<[LinkPlace]>> {
        if powers.link_places().is_empty() {
            return None;
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.links.iter().rev().find(|(link, _)| link == url.as_url().as_str());
        found.map(|(_, places)| Arc::clone(places))
    }

    /// Keeps the links of an answer that came from this URL.
    pub(crate) async fn note(
        &self,
        response: &mut HttpResponse,
        page: &RequestUrl,
        parts: &OutboundParts,
    ) -> Result<(), SendError> {
        let (powers, work) = (&parts.powers, &parts.work);
        let places = powers.link_places();
        if places.is_empty() || !(200..300).contains(&response.status) {
            return Ok(());
        }
        let pointers: Vec<String> = places.iter().filter_map(pointer).map(str::to_owned).collect();
        work.charge(price(&response.body, &pointers))?;
        let in_body = if pointers.is_empty() {
            Vec::new()
        } else if response.body.len() <= LONG_BODY {
            texts(&response.body, &pointers)
        } else {
            // Nobody else's call should wait for it.
            let body = std::mem::take(&mut response.body);
            let read = parts.traffic.aside(work, move |_| (texts(&body, &pointers), body)).await;
            let broke = || {
                SendError::Protocol(Fault {
                    origin: page.origin().to_owned(),
                    message: "the response could not be searched for links".to_owned(),
                })
            };
            let (found, body) = read.ok_or_else(broke)?;
            response.body = body;
            found
        };
        let base = page.as_url().as_str();
        let fields: Vec<&str> = response
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("link"))
            .filter_map(|header| std::str::from_utf8(&header.value).ok())
            .collect();
        // Gone through for each relation; a link is resolved, and read as the gate reads it.
        let bytes = fields.iter().map(|field| field.len() as u64).sum::<u64>() + (base.len() * MAX_OF_ANSWER) as u64;
        work.charge(bytes.saturating_mul(places.len() as u64) / BYTES_PER_UNIT)?;
        let mut found: Vec<(String, &LinkPlace)> = Vec::new();
        for place in places {
            let room = MAX_OF_ANSWER.saturating_sub(found.len());
            match place {
                LinkPlace::Header(relation) => {
                    found.extend(targets(base, fields.iter().copied(), relation).take(room).map(|url| (url, place)));
                }
                LinkPlace::Body(pointer) => {
                    let here = in_body.iter().filter(|(at, _)| at == pointer);
                    found.extend(here.take(room).map(|(_, text)| (resolve(base, text), place)));
                }
            }
        }
        for (link, place) in found {
            match powers.parse_url(&link, parts.limits.url_bytes as usize) {
                Ok(url) if url.origin() == page.origin() => self.keep(url.as_url().as_str(), place),
                _ => {}
            }
        }
        Ok(())
    }

    fn keep(&self, link: &str, place: &LinkPlace) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.links.iter().position(|(known, _)| known == link);
        let mut places = match known.and_then(|at| kept.links.remove(at)) {
            Some((_, places)) => places.to_vec(),
            None => {
                kept.bytes += link.len();
                Vec::new()
            }
        };
        if !places.contains(place) {
            places.push(place.clone());
        }
        kept.links.push_back((link.to_owned(), places.into()));
        while kept.links.len() > MAX_OF_CALL.0 || kept.bytes > MAX_OF_CALL.1 {
            let Some((oldest, _)) = kept.links.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }
}

fn pointer(place: &LinkPlace) -> Option<&str> {
    match place {
        LinkPlace::Body(pointer) => Some(pointer),
        LinkPlace::Header(_) => None,
    }
}

/// What it costs to read a body.
fn price(body: &[u8], pointers: &[String]) -> u64 {
    body.len() as u64 * pointers.len().div_ceil(POINTERS) as u64 / BYTES_PER_UNIT
}

/// The texts at these pointers of a JSON body, each with its pointer; none where it is no JSON. What stands elsewhere is read
/// over, so this takes as little memory as the texts.
fn texts(body: &[u8], pointers: &[String]) -> Vec<(String, String)> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let unescaped = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
    let paths: Vec<(usize, Vec<String>)> = pointers
        .iter()
        .enumerate()
        .map(|(number, pointer)| (number, pointer.split('/').skip(1).map(unescaped).collect()))
        .collect();
    let wanted = paths.iter().map(|(number, path)| (*number, path.as_slice())).collect();
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Seek { wanted, found: &mut found }.deserialize(&mut reader).and_then(|()| reader.end());
    if read.is_err() {
        return Vec::new();
    }
    found.into_iter().filter_map(|(number, text)| Some((pointers.get(number)?.clone(), text))).collect()
}

/// What is left of the paths to the place that is read.
struct Seek<'p, 'f> {
    wanted: Vec<(usize, &'p [String])>,
    found: &'f mut Vec<(usize, String)>,
}

impl<'p> Seek<'p, '_> {
    /// Those that go on behind this name or place.
    fn behind(&self, fits: impl Fn(&str) -> bool) -> Vec<(usize, &'p [String])> {
        let step = |(number, path): &(usize, &'p [String])| {
            let (first, rest) = path.split_first()?;
            fits(first).then_some((*number, rest))
        };
        self.wanted.iter().filter_map(step).collect()
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let wanted = self.behind(|segment| segment == name);
            if wanted.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Seek { wanted, found: &mut *self.found })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let place = index.to_string();
            let wanted = self.behind(|segment| segment == "*" || segment == place);
            let is_there = if wanted.is_empty() {
                seq.next_element::<IgnoredAny>()?.is_some()
            } else {
                seq.next_element_seed(Seek { wanted, found: &mut *self.found })?.is_some()
            };
            if !is_there {
                break;
            }
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        for (number, rest) in &self.wanted {
            if rest.is_empty() && !text.trim().is_empty() && self.found.len() < MAX_OF_ANSWER {
                self.found.push((*number, text.to_owned()));
            }
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_at_their_pointers_and_nowhere_else() {
        let body =
            br#"{"next": "a", "links": [{"url": "b"}, {"url": 7, "next": "no"}, {"url": "c"}], "a/b": {"~": "d"},
            "deep": {"next": "no"}, "null": null, "n": 1e400, "next": "e", "empty": " "}"#;
        let pointers =
            ["/next", "/links/*/url", "/links/2/url", "/a~1b/~0", "/null", "/n", "/empty", "/deep", "/links"];
        let pointers = pointers.map(str::to_owned);
        let found = texts(body, &pointers);
        let told: Vec<String> = found.iter().map(|(pointer, text)| format!("{pointer} {text}")).collect();
        let expected = ["/next a", "/links/*/url b", "/links/*/url c", "/links/2/url c", "/a~1b/~0 d", "/next e"]
            .map(str::to_owned);
        // A number that no float holds is nobody's link.
        let without_number: Vec<String> =
            texts(&body[..], &pointers[..5]).iter().map(|(p, t)| format!("{p} {t}")).collect();
        assert_eq!(without_number, expected);
        assert!(told.is_empty() || told == expected, "{told:?}");
        for odd in [&b"{\"next\": \"a\"} x"[..], b"{\"next\": \"a\"", b"<html>", b"", b"\xff", b"\"a\"", b"[\"a\"]"] {
            assert_eq!(texts(odd, &pointers), [], "{odd:?}");
        }
        assert_eq!(texts(b"\xef\xbb\xbf{\"next\":\"a\"}", &pointers).len(), 1);
        let nested = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(texts(&nested, &pointers), []);
        let many = format!("{{\"links\":[{}{{\"url\":\"x\"}}]}}", "{\"url\":\"x\"},".repeat(1_000));
        assert_eq!(texts(many.as_bytes(), &pointers).len(), MAX_OF_ANSWER);
    }

    #[test]
    fn the_newest_links_of_a_call_are_kept_and_no_more_than_fit() {
        let written = Written::default();
        let place: LinkPlace = "rel=next".parse().unwrap();
        let other: LinkPlace = "/next".parse().unwrap();
        (0..300).for_each(|n| written.keep(&format!("https://a.example/{n}"), &place));
        written.keep("https://a.example/44", &other);
        let kept = |written: &Written| {
            let kept = written.0.lock().unwrap();
            assert_eq!(kept.bytes, kept.links.iter().map(|(link, _)| link.len()).sum::<usize>());
            kept.links.clone()
        };
        let links = kept(&written);
        assert_eq!((links.len(), links[0].0.as_str()), (256, "https://a.example/45"));
        assert_eq!((links[255].0.as_str(), links[255].1.len()), ("https://a.example/44", 2));
        let long = |n: usize| format!("https://a.example/{}{n}", "x".repeat(100_000));
        (0..3).for_each(|n| written.keep(&long(n), &place));
        let links = kept(&written);
        assert!(links.iter().map(|(link, _)| link.len()).sum::<usize>() <= MAX_OF_CALL.1);
        assert_eq!(links.back().unwrap().0, long(2));
    }
}
