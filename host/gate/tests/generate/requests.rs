//! Made-up requests: such as an open route allows, and changed ones that come near.

use portcullis_gate::{
    BodyKind, Header, LinkPlace, Method, OpenRoute, Parameter, Request, RequestUrl, Scheme, Template, Values,
};

use super::{
    Choices,
    descriptors::{HEADERS, METHODS, ORIGINS, QUERY, SEGMENTS, SLOTS, place},
};

/// Longest URL, as the default limit has it.
pub(crate) const LIMIT: usize = 8_192;

/// A request that owns its parts.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) method: Method,
    pub(crate) url: RequestUrl,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: bool,
    pub(crate) slots: Vec<String>,
    pub(crate) written: Vec<LinkPlace>,
}

impl Made {
    pub(crate) fn as_request(&self) -> Request<'_> {
        let Made { method, url, headers, body, slots, written } = self;
        Request { method: *method, url, headers, body: *body, slots, written }
    }
}

/// A request that this route allows; none where it would need a text that a URL cannot hold.
pub(crate) fn fitting_request(choices: &mut Choices<'_>, route: &OpenRoute) -> Option<Made> {
    let own: Vec<&str> = route
        .slots
        .iter()
        .filter_map(|slot| match &slot.scheme {
            Scheme::Query { name } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let mut text = format!("{}{}", route.template.origin(), fitting_path(choices, &route.template));
    let usable: Vec<&Parameter> = route.query.iter().filter(|p| !own.contains(&p.name.as_str())).collect();
    let pairs = if usable.is_empty() { Vec::new() } else { choices.list(3, |c| c.of(&usable)) };
    for (i, parameter) in pairs.into_iter().enumerate() {
        text.push(if i == 0 { '?' } else { '&' });
        // What `*` stands for is any name that no other rule lists and no slot writes; among them `*` itself.
        let is_own = |name: &str| own.iter().any(|own| name.split('[').next() == Some(own));
        let others: Vec<&str> = OTHERS.iter().copied().filter(|name| !lists(route, name) && !is_own(name)).collect();
        let name = if parameter.name == "*" { choices.of(&others) } else { &parameter.name };
        text += &encoded(choices, name.as_bytes());
        let value = fitting_value(choices, parameter);
        if !(value.is_empty() && choices.one_in(2)) {
            text.push('=');
            text += &encoded(choices, &value);
        }
    }
    let mut headers = Vec::new();
    if !route.headers.is_empty() {
        for parameter in choices.list(2, |c| &route.headers[c.below(route.headers.len())]) {
            let value = fitting_value(choices, parameter);
            headers.push(Header { name: cased(choices, &parameter.name), value });
        }
    }
    if choices.one_in(4) {
        let name = choices.of(&["Accept", "accept-language", "User-Agent"]);
        headers.push(Header { name: cased(choices, name), value: b"x".to_vec() });
    }
    let body = route.body.is_some() && !choices.one_in(3);
    if let (Some(kind), true) = (&route.body, body) {
        let value = content_type(choices, kind).into_bytes();
        headers.insert(choices.below(headers.len() + 1), Header { name: cased(choices, "Content-Type"), value });
    }
    let url = RequestUrl::parse(&text, 2 * LIMIT).ok()?;
    let mut slots: Vec<String> = route.slots.iter().map(|slot| slot.name.clone()).collect();
    if choices.one_in(2) {
        slots.reverse();
    }
    let mut written: Vec<LinkPlace> = choices.list(2, |c| place(c));
    if !route.links.is_empty() {
        written.push(choices.of(&route.links.iter().collect::<Vec<_>>()).clone());
    }
    Some(Made { method: route.method, url, headers, body, slots, written })
}

/// Names that no slot writes.
const OTHERS: &[&str] = &["*", "c", "", "B", "keys", "a[1]", "ü", "_has:Observation:patient:code", "%", "b", "a[0]"];

fn lists(route: &OpenRoute, name: &str) -> bool {
    name != "*" && route.query.iter().any(|rule| rule.name == name)
}

fn content_type(choices: &mut Choices<'_>, kind: &BodyKind) -> String {
    let media = match kind {
        BodyKind::Json => choices.of(&["application/json", "Application/JSON", "application/x+json"]),
        BodyKind::Form => "application/x-www-form-urlencoded",
        BodyKind::Multipart => "multipart/form-data",
        BodyKind::Raw(types) => &types[choices.below(types.len())],
    };
    format!("{media}{}", choices.of(&["", "; charset=utf-8", ";"]))
}

/// A path that the template stands for.
fn fitting_path(choices: &mut Choices<'_>, template: &Template) -> String {
    let text = template.as_str().strip_prefix(template.origin()).unwrap();
    let mut path = String::new();
    for part in text[1..].split('/') {
        path.push('/');
        if part.ends_with("*}") {
            match choices.of(&["", "a", "/", "b/1", "a//", "-"]) {
                "-" => drop(path.pop()),
                rest => path += rest,
            }
        } else if part.ends_with("..}") {
            path += choices.of(&["a", "b/1", "1/ab/b", "%20"]);
        } else if let Some(inside) = part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            let shape = inside.split_once(':').map_or("text", |(_, shape)| shape);
            path.push_str(&String::from_utf8(fitting(choices, shape, b"ab1-_~%")).unwrap());
        } else {
            path.push_str(part);
        }
    }
    path
}

fn fitting_value(choices: &mut Choices<'_>, parameter: &Parameter) -> Vec<u8> {
    match &parameter.values {
        Values::Any => choices.of(&["", "a", "x y", "1", "ü&=%"]).as_bytes().to_vec(),
        Values::Shape(shape) => fitting(choices, &shape.to_string(), b"ab1-_~ &"),
        Values::OneOf(values) => values[choices.below(values.len())].as_bytes().to_vec(),
    }
}

/// A text of a shape; where any byte will do, made of these. A `%` stands for the escape `%41`, three bytes long.
fn fitting(choices: &mut Choices<'_>, shape: &str, any: &[u8]) -> Vec<u8> {
    let (kind, range) = shape.strip_suffix(')').and_then(|s| s.split_once('(')).unwrap_or((shape, "1..512"));
    let (least, most) = range.split_once("..").unwrap_or((range, range));
    let (least, most): (usize, usize) = (least.parse().unwrap_or(1), most.parse().unwrap());
    let alphabet = match kind {
        "digits" => b"0123456789",
        "hex" => b"0aAf9F12bB",
        "word" => b"a_-Zz09b1x",
        "uuid" => {
            let hex = |c: &mut Choices<'_>| char::from(c.of(b"0aF9"));
            let text =
                "8-4-4-4-12".split('-').map(|n| (0..n.parse().unwrap()).map(|_| hex(choices)).collect::<String>());
            return text.collect::<Vec<_>>().join("-").into_bytes();
        }
        _ => any,
    };
    // At either end of the range, or in between.
    let length = match choices.below(4) {
        0 => least,
        1 => most,
        _ => least + choices.below((most - least + 1).min(4)),
    };
    let first = choices.byte();
    let mut text = Vec::new();
    while text.len() < length {
        // The first bytes differ, the others are the same: shapes look at each alone.
        let byte = if text.len() < 4 { choices.of(alphabet) } else { alphabet[usize::from(first) % alphabet.len()] };
        match byte {
            b'%' if text.len() + 3 <= length => text.extend(b"%41"),
            b'%' => text.push(b'a'),
            other => text.push(other),
        }
    }
    text
}

/// `application/x-www-form-urlencoded`, with more escapes than there need be.
pub(crate) fn encoded(choices: &mut Choices<'_>, bytes: &[u8]) -> String {
    let mut text = String::new();
    let eager = choices.one_in(5);
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'[' | b']' | b'~' if !eager => {
                text.push(char::from(*byte))
            }
            b' ' if !eager => text.push('+'),
            other => text += &format!("%{other:02X}"),
        }
    }
    text
}

fn cased(choices: &mut Choices<'_>, name: &str) -> String {
    if choices.one_in(3) { name.to_ascii_lowercase() } else { name.to_owned() }
}

/// The request with one small change, which may or may not matter.
pub(crate) fn changed(choices: &mut Choices<'_>, made: &mut Made) {
    match choices.below(13) {
        12 => match choices.one_in(2) {
            true => made.written.clear(),
            false => made.written = vec![place(choices)],
        },
        0 => made.method = choices.of(METHODS),
        1 => made.body = !made.body,
        2 => {
            let other = choices.of(SLOTS).to_owned();
            let at = choices.below(made.slots.len() + 1);
            match made.slots.get_mut(at).filter(|_| choices.one_in(2)) {
                Some(slot) => *slot = other,
                None => made.slots.insert(at, other),
            }
        }
        3 => drop(made.slots.pop()),
        4 | 5 => change_headers(choices, &mut made.headers),
        _ => {
            let text = changed_url(choices, &made.url);
            if let Ok(url) = RequestUrl::parse(&text, 2 * LIMIT) {
                made.url = url;
            }
        }
    }
}

fn change_headers(choices: &mut Choices<'_>, headers: &mut Vec<Header>) {
    const NAMES: &[&str] = &[
        "X_A",
        "Host",
        "x-forwarded-for",
        "X-C",
        "Content-Type",
        "content_type",
        "a b",
        "Accept",
        "Authorization",
        "X-Key",
    ];
    let value = choices.of(&["a", "", "application/json", "1", "x\ry", "text/html", "ab1"]).as_bytes().to_vec();
    let at = choices.below(headers.len() + 1);
    match (choices.below(4), at < headers.len()) {
        (0, true) => drop(headers.remove(at)),
        (1, true) => headers[at].value = value,
        (2, true) => headers.insert(at, headers[at].clone()),
        _ => {
            let name = if choices.one_in(2) { choices.of(NAMES) } else { choices.of(HEADERS) };
            headers.insert(at, Header { name: name.to_owned(), value });
        }
    }
}

/// Another URL, one change away.
fn changed_url(choices: &mut Choices<'_>, url: &RequestUrl) -> String {
    let (origin, query) = (url.origin(), url.query().map(|query| format!("?{query}")).unwrap_or_default());
    let mut path = url.path().to_owned();
    let literal = |c: &mut Choices<'_>| c.of(SEGMENTS).replace(['{', '}', ':', '(', ')', '.'], "");
    match choices.below(9) {
        0 => return format!("{}{path}{query}", choices.of(ORIGINS)),
        1 => path = format!("{path}/{}", literal(choices)),
        2 => path.truncate(path.rfind('/').unwrap().max(1)),
        3 => path = format!("{}/{}", &path[..path.rfind('/').unwrap()], literal(choices)),
        4 => path = format!("/{}{path}", literal(choices)),
        5 => {
            let at = choices.below(path.len().min(256));
            let byte = choices.of(b"ab1/%2-");
            path.replace_range(at..=at, &char::from(byte).to_string());
            if !path.starts_with('/') {
                path.insert(0, '/');
            }
        }
        6 => return format!("{origin}{path}"),
        _ => {
            let names: &[&str] = if choices.one_in(4) {
                &["c", "", "a%5B0%5D", "%61", "%2561", "ke%79", "%2A", "KEY", "%00", "%FF"]
            } else {
                QUERY
            };
            let name = choices.of(names);
            let value = choices.of(&["=a", "=1", "", "=", "=%31", "=x+y", "=%C3%BC", "=123", "=a=b", "=%", "=%zz"]);
            let joint = if query.is_empty() { "?" } else { "&" };
            return match choices.below(3) {
                0 => format!("{origin}{path}?{name}{value}&{}", query.trim_start_matches('?')),
                _ => format!("{origin}{path}{query}{joint}{name}{value}"),
            };
        }
    }
    format!("{origin}{path}{query}")
}
