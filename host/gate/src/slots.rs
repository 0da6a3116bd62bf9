//! Whether slots are well formed: their schemes, who issues tokens for them, and which of them may be on one route.

use std::collections::{BTreeSet, HashMap};

use crate::{
    body::BodyKind,
    canonical::Canonical,
    descriptor::{Descriptor, Route, Slot},
    header::{is_reserved, is_same, is_token},
    printable::printable,
    query::{OTHERS, is_slots},
    scheme::{HmacScheme, OAuth, OpenSlot, Scheme},
    template::{Template, is_name},
};

/// Most slots of one route.
pub(crate) const MAX_SLOTS: usize = 4;
/// Most header fields that one signature writes.
const MAX_SIGNED: usize = 8;
/// Most scopes, and the longest, in bytes.
const MAX_SCOPES: usize = 64;
const MAX_SCOPE: usize = 256;
/// Most values beside a token, and their longest name, in bytes.
const MAX_VALUES: usize = 8;
const MAX_VALUE_NAME: usize = 64;
/// Members of a token's answer that nobody reads.
const TOKENS: [&str; 4] = ["access_token", "refresh_token", "id_token", "token"];

/// A descriptor's slots, by name.
pub(crate) struct Slots<'a>(HashMap<&'a str, &'a Slot>);

impl<'a> Slots<'a> {
    pub(crate) fn of(descriptor: &'a Descriptor) -> Self {
        // Of two with one name the first counts, as in `Descriptor::slot`.
        Self(descriptor.slots.iter().rev().map(|slot| (slot.name.as_str(), slot)).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Slot> {
        self.0.get(name).copied()
    }
}

/// What is wrong with how a slot goes on the wire, if anything.
pub(crate) fn scheme_problem(scheme: &Scheme) -> Option<String> {
    match scheme {
        Scheme::Bearer | Scheme::Basic | Scheme::SigningKey | Scheme::ClientCertificate => None,
        Scheme::Query { name } if name == OTHERS => {
            Some("`*` stands for every name that is not listed; a secret goes into a parameter of one name".to_owned())
        }
        Scheme::Query { name } => (!is_printable_name(name))
            .then(|| format!("`{}` is not 1 to 128 printable ASCII characters", shorten(name))),
        Scheme::Header { name, prefix } => header_name_problem(name).or_else(|| {
            let good = prefix.len() <= 128 && prefix.bytes().all(|b| (b' '..0x7f).contains(&b));
            (!good).then(|| "the prefix must be at most 128 printable ASCII characters".to_owned())
        }),
        Scheme::Path { name, .. } if !is_name(name) => {
            Some(format!("`{}` is not a parameter's name: 1 to 64 letters, digits, `_` and `-`", shorten(name)))
        }
        // What it could otherwise add to the path would be another path than the one that is judged.
        Scheme::Path { prefix, .. } => {
            let good = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b);
            (prefix.len() > 128 || !prefix.bytes().all(good))
                .then(|| "the prefix must be at most 128 characters that stand in a path as they are".to_owned())
        }
        Scheme::Cookie { name } => (!is_token(name) || name.len() > 128)
            .then(|| format!("`{}` is not a cookie's name: 1 to 128 letters, digits and some others", shorten(name))),
        Scheme::Body { name } => {
            let good = !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| (b' '..0x7f).contains(&b));
            (!good).then(|| format!("`{}` is not 1 to 128 printable ASCII characters", shorten(name)))
        }
        Scheme::Sigv4 { service, region } => {
            let good = |word: &str| {
                let byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
                !word.is_empty() && word.len() <= 64 && word.bytes().all(byte)
            };
            let bad = [("service", service), ("region", region)].into_iter().find(|(_, word)| !good(word))?;
            let (what, word) = bad;
            Some(format!("the {what} `{}` is not 1 to 64 lower-case letters, digits and `-`", shorten(word)))
        }
        Scheme::Hmac(hmac) => hmac_problem(hmac),
    }
}

fn hmac_problem(hmac: &HmacScheme) -> Option<String> {
    if let Err(error) = Canonical::message(&hmac.message) {
        return Some(format!("the message: {error}"));
    }
    if hmac.headers.is_empty() || hmac.headers.len() > MAX_SIGNED {
        return Some(format!("{} headers; write 1 to {MAX_SIGNED}", hmac.headers.len()));
    }
    let mut signed = false;
    for (position, (name, value)) in hmac.headers.iter().enumerate() {
        if let Some(problem) = header_name_problem(name) {
            return Some(problem);
        }
        if hmac.headers.iter().take(position).any(|(before, _)| is_same(before, name)) {
            return Some(format!("the header `{name}` stands there twice"));
        }
        match Canonical::value(value) {
            Ok(value) => signed |= value.has_signature(),
            Err(error) => return Some(format!("the header `{name}`: {error}")),
        }
    }
    (!signed).then(|| "no header has `{signature}`, so that nothing would be signed".to_owned())
}

/// Why a secret cannot go into a header field of this name.
fn header_name_problem(name: &str) -> Option<String> {
    if !is_token(name) || name.len() > 128 {
        return Some(format!("`{}` is not a header name", shorten(name)));
    }
    let reserved = is_reserved(name) && !name.eq_ignore_ascii_case("authorization");
    reserved.then(|| format!("`{name}` frames or routes the message; a secret cannot go there"))
}

/// What is wrong with who issues a slot's tokens, and where, if anything.
pub(crate) fn oauth_problem(scheme: &Scheme, oauth: &OAuth) -> Option<(&'static str, String)> {
    if let Scheme::Basic | Scheme::Sigv4 { .. } | Scheme::Hmac(_) | Scheme::ClientCertificate | Scheme::SigningKey =
        scheme
    {
        let told = format!("a slot of scheme {} takes no tokens; use bearer, or a header", scheme.as_str());
        return Some(("", told));
    }
    for (what, url) in oauth.urls() {
        let Some(url) = url else { continue };
        let problem = match Template::parse(url) {
            Err(error) => Some(printable(&error.to_string(), 400)),
            Ok(_) if url.contains('{') => Some(format!("`{}`: this URL has no parameters", shorten(url))),
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            return Some((what, problem));
        }
    }
    if oauth.scopes.len() > MAX_SCOPES {
        return Some((".scopes", format!("{} of them; at most {MAX_SCOPES}", oauth.scopes.len())));
    }
    // RFC 6749, section 3.3.
    let good = |scope: &str| {
        let byte = |b: u8| (b'!'..0x7f).contains(&b) && b != b'"' && b != b'\\';
        !scope.is_empty() && scope.len() <= MAX_SCOPE && scope.bytes().all(byte)
    };
    if let Some(scope) = oauth.scopes.iter().find(|scope| !good(scope)) {
        let told = format!("`{}` is not 1 to {MAX_SCOPE} printable ASCII characters without spaces", shorten(scope));
        return Some((".scopes", told));
    }
    if oauth.values.len() > MAX_VALUES {
        return Some((".values", format!("{} of them; at most {MAX_VALUES}", oauth.values.len())));
    }
    let mut seen = BTreeSet::new();
    let told = oauth.values.iter().find_map(|name| {
        value_problem(name).or_else(|| (!seen.insert(name)).then(|| format!("`{name}` stands there twice")))
    });
    told.map(|told| (".values", told))
}

fn value_problem(name: &str) -> Option<String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if name.is_empty() || name.len() > MAX_VALUE_NAME || !name.bytes().all(good) {
        return Some(format!("`{}` is not 1 to {MAX_VALUE_NAME} letters, digits, `_` and `-`", shorten(name)));
    }
    let lower = name.to_ascii_lowercase().replace('-', "_");
    (TOKENS.contains(&lower.as_str()) || lower.contains("secret"))
        .then(|| format!("`{name}` is a secret, which no adapter reads"))
}

/// The slots of a route, as an open route has them; or what is wrong with them, and where below the route.
pub(crate) fn of_route(known: &Slots<'_>, route: &Route) -> Result<Vec<OpenSlot>, (&'static str, String)> {
    let wrong = |problem: String| Err((".slots", problem));
    if route.slots.len() > MAX_SLOTS {
        return wrong(format!("{} of them; at most {MAX_SLOTS}", route.slots.len()));
    }
    let mut slots: Vec<OpenSlot> = Vec::with_capacity(route.slots.len());
    for name in &route.slots {
        let Some(slot) = known.get(name) else {
            return wrong(format!("`{}` is not one of the slots", shorten(name)));
        };
        if slots.iter().any(|before| before.name == *name) {
            return wrong(format!("`{name}` stands there twice"));
        }
        let mut segment = None;
        match &slot.scheme {
            Scheme::SigningKey => return wrong(format!("`{name}` is a signing key, which is never sent")),
            Scheme::Body { .. } => match route.request.as_ref().map(|body| &body.kind) {
                Some(BodyKind::Json | BodyKind::Form) => {}
                _ => return wrong(format!("`{name}` goes into a body, and the route has none that is JSON or a form")),
            },
            Scheme::Path { name: parameter, .. } => match path_segment(&route.url, parameter) {
                Ok(at) => segment = Some(at),
                Err(problem) => return Err((".url", problem)),
            },
            _ => {}
        }
        for before in &slots {
            if let Some(place) = shared_place(&before.scheme, &slot.scheme) {
                return wrong(format!("`{}` and `{name}` both write {place}", before.name));
            }
        }
        slots.push(OpenSlot { name: name.clone(), scheme: slot.scheme.clone(), segment });
    }
    Ok(slots)
}

/// Which segment of a URL template is `{name}`, if it is one and no other bears that name.
fn path_segment(url: &str, name: &str) -> Result<usize, String> {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let bears = |segment: &str| {
        let inside = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
        inside.is_some_and(|s| s.split_once(':').map_or(s, |(name, _)| name).trim_end_matches('.') == name)
    };
    let mut named = path.split('/').enumerate().filter(|(_, segment)| bears(segment));
    let plain = format!("{{{name}}}");
    match (named.next(), named.next()) {
        (Some((at, segment)), None) if segment == plain => Ok(at),
        _ => {
            Err(format!("a slot of scheme path goes into the segment `{plain}`, which must stand there once, as it is"))
        }
    }
}

/// What two schemes both write, if there is such a place.
fn shared_place(one: &Scheme, other: &Scheme) -> Option<String> {
    match (one, other) {
        (Scheme::Query { name }, Scheme::Query { name: other }) if is_slots(Some(name), other.bytes()) => {
            Some(format!("the query parameter `{name}`"))
        }
        // Cookies stand side by side in one field.
        (Scheme::Cookie { name }, Scheme::Cookie { name: other }) => {
            is_slots(Some(name), other.bytes()).then(|| format!("the cookie `{name}`"))
        }
        (Scheme::Body { name }, Scheme::Body { name: other }) if is_slots(Some(name), other.bytes()) => {
            Some(format!("`{name}` of the body"))
        }
        (Scheme::Path { name, .. }, Scheme::Path { name: other, .. }) if name == other => {
            Some(format!("the segment `{{{name}}}`"))
        }
        (Scheme::ClientCertificate, Scheme::ClientCertificate) => {
            Some("the connection's client certificate".to_owned())
        }
        // Each would have to be signed by the other.
        (Scheme::Sigv4 { .. } | Scheme::Hmac(_), Scheme::Sigv4 { .. } | Scheme::Hmac(_)) => {
            Some("a signature of the whole request".to_owned())
        }
        _ => one.header_names().into_iter().find(|name| other.writes_header(name)).map(|name| format!("`{name}`")),
    }
}

/// Whether some server may read this name as one that a slot of the route writes. Allocates nothing.
pub(crate) fn writes_query(slots: &[OpenSlot], name: impl Iterator<Item = u8> + Clone) -> bool {
    slots.iter().any(|slot| is_slots(slot.scheme.query_name(), name.clone()))
}

fn is_printable_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| (b'!'..0x7f).contains(&b))
}

fn shorten(text: &str) -> String {
    printable(text, 80)
}

#[cfg(test)]
mod tests;
