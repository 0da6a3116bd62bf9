//! The base URL and path templates, as the host reads them. What it refuses, or reads in another way than it is written,
//! is refused here with its place in the config.

use crate::check::{Checked, refuse, shown};

/// Most segments of a URL.
const MAX_SEGMENTS: usize = 64;
/// Longest text that a shape allows, in bytes.
const MAX_LENGTH: u32 = 8_192;

/// Scheme, host, maybe port and path.
pub(crate) fn base(at: &str, url: &str) -> Checked {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return refuse(at, format!("{} does not begin with https://; write `https://api.example.com/v1`", shown(url)));
    };
    if let Some(found) = rest.find(['?', '#']) {
        let what = if rest.as_bytes().get(found) == Some(&b'?') { "a query" } else { "a fragment" };
        let message = "a base URL ends with its path; a parameter of every request goes in each endpoint's `input` with a \
                       `const`, a key in `auth`";
        return refuse(at, format!("{} has {what}: {message}", shown(url)));
    }
    if rest.contains(['{', '}']) {
        return refuse(at, format!("{} has a parameter; those go in an endpoint's `path`", shown(url)));
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return refuse(at, "there is a user before the host; a secret goes in the slot `credential`, as `auth` says");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = address
        .is_some_and(|host| !host.is_empty() && host.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.'));
    if !is_address && !host.split('.').all(is_label) {
        return refuse(at, format!("{} is not a host; write a name of letters, digits, `-` and `.`", shown(host)));
    }
    if port.is_some_and(|port| port.starts_with('0') || !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return refuse(
            at,
            format!("{} is not a port; write 1 to 65535, or leave it out", shown(port.unwrap_or_default())),
        );
    }
    let path = rest.get(authority.len()..).unwrap_or_default();
    path.trim_end_matches('/').split('/').skip(1).try_for_each(|segment| literal(at, segment))
}

/// A template: relative to the base.
pub(crate) fn path(at: &str, path: &str) -> Checked {
    if path.is_empty() {
        return Ok(());
    }
    let Some(rest) = path.strip_prefix('/') else {
        return refuse(
            at,
            format!("{} does not begin with `/`; write `/items`, or nothing for the base URL itself", shown(path)),
        );
    };
    if path.contains(['?', '#']) {
        return refuse(
            at,
            format!("{} has a query or a fragment; query parameters are fields of `input`", shown(path)),
        );
    }
    let segments: Vec<&str> = rest.split('/').collect();
    if segments.len() > MAX_SEGMENTS / 2 {
        return refuse(at, format!("it has {} segments; at most {} are read", segments.len(), MAX_SEGMENTS / 2));
    }
    let mut names = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        let Some(inside) = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) else {
            if segment.contains(['{', '}']) {
                return refuse(
                    at,
                    format!("in {} the braces do not hold a whole segment; write `/{{name}}/`", shown(segment)),
                );
            }
            // A slash at the end is what some servers want.
            if !(segment.is_empty() && is_last) {
                literal(at, segment)?;
            }
            continue;
        };
        let (name, shape) = match (inside.strip_suffix(".."), inside.split_once(':')) {
            (Some(name), _) if is_last => (name, None),
            (Some(_), _) => {
                return refuse(at, format!("{} stands for all that follows, so it goes at the end", shown(segment)));
            }
            (None, Some((name, shape))) => (name, Some(shape)),
            (None, None) => (inside, None),
        };
        if !is_parameter(name) {
            let message = "does not name a field: write `{id}`, `{id:digits(1..9)}` or `{path..}`, with a name of at most 64 \
                           letters, digits, `_` and `-`";
            return refuse(at, format!("{} {message}", shown(segment)));
        }
        if let Some(shape) = shape.filter(|shape| !is_shape(shape)) {
            let message = "is not a shape: write `text`, `word`, `hex`, `digits` or `uuid`, and if need be its length in bytes, \
                           as in `digits(1..9)`, `word(8)` or `text(..64)`; or `escaped` where the API takes a / as %2F";
            return refuse(at, format!("{} {message}", shown(shape)));
        }
        if names.contains(&name) {
            return refuse(at, format!("{} stands there twice; a field goes to one place", shown(segment)));
        }
        names.push(name);
    }
    Ok(())
}

/// Whether this can stand between braces.
pub(super) fn is_parameter(name: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(is_name)
}

/// A segment that is written as it is sent.
fn literal(at: &str, segment: &str) -> Checked {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b);
    if matches!(segment, "" | "." | "..") || !segment.bytes().all(fits) {
        let message =
            "is a part of a path that servers read in more than one way: write letters, digits and `-._~!$&'()*+,=:@`";
        return refuse(at, format!("{} {message}", shown(segment)));
    }
    Ok(())
}

fn is_shape(shape: &str) -> bool {
    let (kind, range) = match shape.split_once('(') {
        Some((kind, rest)) => match rest.strip_suffix(')') {
            Some(range) => (kind, Some(range)),
            None => return false,
        },
        None => (shape, None),
    };
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let bounds = match range {
        None => Some((1, 1)),
        Some(range) => match range.split_once("..") {
            Some(("", most)) => Some(1).zip(number(most)),
            Some((least, most)) => number(least).zip(number(most)),
            None => number(range).zip(number(range)),
        },
    };
    let fits = bounds.is_some_and(|(least, most)| least >= 1 && least <= most && most <= MAX_LENGTH);
    match kind {
        "uuid" => range.is_none(),
        "escaped" | "text" | "word" | "hex" | "digits" => fits,
        _ => false,
    }
}
