//! What `decide` has to say, written only to be read.
//!
//! No index, no walk, no care for cost: each route is looked at from the first to the last, texts are cut up and decoded
//! anew each time. It shares with `decide` the words ([`Reason`]) and the judges of single fields (`judge_header`, `judge_address`, the
//! media type of a body, which names a server reads as one), and nothing else. Random and fuzzed requests must get the same answer and the same reason from both.

use std::collections::BTreeSet;

use crate::{
    Decision, OpenRoute, OperationPowers, PATH_PLACEHOLDER, Reason, Request, RouteId, Scheme, judge_address,
    judge_header,
    parameter::{Parameter, Values},
    read_as::is_read_as,
};

/// Decides about one request, slowly.
pub fn decide_by_specification(request: &Request<'_>, powers: &OperationPowers) -> Decision {
    // Default deny: no route to this origin, none with this method, none for this path.
    let all = powers.routes().iter().map(AsRef::as_ref).enumerate();
    let to_origin: Vec<(usize, &OpenRoute)> =
        all.filter(|(_, route)| route.template.origin() == request.url.origin()).collect();
    if to_origin.is_empty() {
        return Decision::Deny(Reason::Origin);
    }
    let with_method: Vec<_> = to_origin.into_iter().filter(|(_, route)| route.method == request.method).collect();
    if with_method.is_empty() {
        return Decision::Deny(Reason::Method);
    }
    let for_path: Vec<_> =
        with_method.into_iter().filter(|(_, route)| stands_for(route.template.as_str(), request.url.path())).collect();
    // Where the host puts a secret into the path, a guest writes nothing else than the word that says so.
    let for_path: Vec<_> = for_path.into_iter().filter(|(_, route)| leaves_room(route, request.url.path())).collect();
    if for_path.is_empty() {
        return Decision::Deny(Reason::Path);
    }
    // The first route with nothing wrong allows; if there is none, the one that got furthest says why.
    let mut refusals: Vec<(usize, Reason)> = Vec::new();
    for (number, route) in for_path {
        match wrongs(request, route).first() {
            None => return address(request, powers).unwrap_or(Decision::Allow(RouteId(number))),
            Some(reason) => refusals.push((number, *reason)),
        }
    }
    refusals.sort_by_key(|(number, reason)| (u8::MAX - reason.rank(), *number));
    Decision::Deny(refusals.first().map_or(Reason::Path, |(_, reason)| *reason))
}

/// Whether a template stands for a path, segment by segment.
fn stands_for(template: &str, path: &str) -> bool {
    let after_origin = template.splitn(4, '/').nth(3).unwrap_or_default();
    let wanted: Vec<&str> = after_origin.split('/').collect();
    let given: Vec<&str> = path.get(1..).unwrap_or_default().split('/').collect();
    let (wanted, rest) = match wanted.split_last() {
        Some((last, before)) if last.ends_with("..}") => (before, "one or more"),
        Some((last, before)) if last.ends_with("*}") => (before, "whatever"),
        _ => (wanted.as_slice(), "none"),
    };
    if rest == "whatever" {
        if given.len() < wanted.len() {
            return false;
        }
    } else if rest == "one or more" {
        let more = given.get(wanted.len()..).unwrap_or_default();
        if more.is_empty() || more.iter().any(|part| part.is_empty() || part.contains("%2F")) {
            return false;
        }
    } else if given.len() != wanted.len() {
        return false;
    }
    wanted.iter().zip(&given).all(|(wanted, given)| match wanted.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
        None => wanted == given,
        Some(parameter) => {
            let shape = parameter.split_once(':').map_or("text", |(_, shape)| shape);
            let may_be_escaped = shape.starts_with("escaped");
            (may_be_escaped || !given.contains("%2F"))
                && shape.parse::<crate::Shape>().is_ok_and(|shape| shape.fits(given.bytes()))
        }
    })
}

/// Whether each segment that carries a secret is left to the host.
fn leaves_room(route: &OpenRoute, path: &str) -> bool {
    let given: Vec<&str> = path.get(1..).unwrap_or_default().split('/').collect();
    let in_path = route.slots.iter().filter(|slot| matches!(slot.scheme, Scheme::Path { .. }));
    in_path.map(|slot| slot.segment).all(|at| at.and_then(|at| given.get(at)) == Some(&PATH_PLACEHOLDER))
}

/// Everything in which a request differs from a route to its path, in the order in which it is told.
fn wrongs(request: &Request<'_>, route: &OpenRoute) -> Vec<Reason> {
    let mut wrongs = Vec::new();
    // A route of links takes a URL that its origin wrote in this call, at a place where the route looks for it.
    let is_written = request.written.iter().any(|found| route.links.iter().any(|place| place == found));
    if !(route.links.is_empty() || is_written) {
        wrongs.push(Reason::Link);
    }
    let carried: BTreeSet<&str> = route.slots.iter().map(|slot| slot.name.as_str()).collect();
    let attached: BTreeSet<&str> = request.slots.iter().map(String::as_str).collect();
    if let Some(stranger) = request.slots.iter().position(|slot| !carried.contains(slot.as_str())) {
        wrongs.push(Reason::Slot(stranger));
    } else if attached != carried {
        wrongs.push(Reason::SlotMissing);
    }
    let query = request.url.query().unwrap_or_default();
    for (position, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), decode(value));
        let mut rules: Vec<&Parameter> = route.query.iter().filter(|rule| rule.name.as_bytes() == name).collect();
        if rules.is_empty() {
            rules = route.query.iter().filter(|rule| rule.name == "*").collect();
        }
        let is_slots = route
            .slots
            .iter()
            .any(|slot| matches!(&slot.scheme, Scheme::Query { name: own } if is_read_as(own, name.iter().copied())));
        if rules.is_empty() || is_slots {
            wrongs.push(Reason::Query(position));
        } else if !rules.iter().any(|rule| may_have(rule, &value)) {
            wrongs.push(Reason::QueryValue(position));
        }
    }
    if request.body {
        match &route.body {
            None => wrongs.push(Reason::Body),
            Some(kind) if !kind.is_said_by(request.headers) => wrongs.push(Reason::BodyKind),
            Some(_) => {}
        }
    }
    for (position, header) in request.headers.iter().enumerate() {
        if let Err(refusal) = judge_header(&header.name, &header.value, &route.slots) {
            wrongs.push(Reason::Header(position, refusal));
            continue;
        }
        let name = header.name.to_ascii_lowercase();
        if ["accept", "accept-language", "content-type", "user-agent"].contains(&name.as_str()) {
            continue;
        }
        let rules: Vec<&Parameter> =
            route.headers.iter().filter(|rule| rule.name.to_ascii_lowercase() == name).collect();
        if rules.is_empty() {
            wrongs.push(Reason::HeaderName(position));
        } else if !rules.iter().any(|rule| may_have(rule, &header.value)) {
            wrongs.push(Reason::HeaderValue(position));
        }
    }
    wrongs
}

/// Whether a parameter may have this value.
fn may_have(rule: &Parameter, value: &[u8]) -> bool {
    match &rule.values {
        Values::Any => value.len() <= 8_192,
        Values::Shape(shape) => shape.fits(value.iter().copied()),
        Values::OneOf(values) => values.iter().any(|allowed| allowed.as_bytes() == value),
    }
}

/// `%41+b` is `A b`.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = text.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match (byte, escape.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (other, _) => decoded.push(*other),
        }
        at += 1;
    }
    decoded
}

/// An address in the URL is judged here; a name is judged when it is resolved.
fn address(request: &Request<'_>, powers: &OperationPowers) -> Option<Decision> {
    let secure = request.url.scheme() == "https";
    let judged = judge_address(request.url.address()?, request.url.port(), secure, &powers.carve_outs);
    judged.err().map(|refusal| Decision::Deny(Reason::Address(refusal)))
}
