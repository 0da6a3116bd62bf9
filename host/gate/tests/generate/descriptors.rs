//! Made-up adapters: well-formed descriptors with routes that overlap, and small edits of them.

use portcullis_gate::{
    BodyKind, Descriptor, Effect, HmacScheme, LinkPlace, MacAlgorithm, MacEncoding, Method, OAuth, Operation,
    Parameter, Repeat, RequestBody, Route, Scheme, Slot, Values,
};

use super::Choices;

pub(crate) const ORIGINS: &[&str] = &[
    "https://a.example",
    "https://b.example",
    "https://a.example:8443",
    "https://x.a.example",
    "http://127.0.0.1:8025",
    "https://127.0.0.1",
    "https://10.0.0.1",
    "https://[2606:4700::1111]",
    "http://a.example:8025",
];
pub(crate) const METHODS: &[Method] = &[
    Method::Get,
    Method::Post,
    Method::Get,
    Method::Post,
    Method::Put,
    Method::Delete,
    Method::Head,
    Method::Patch,
    Method::Options,
];
pub(crate) const SEGMENTS: &[&str] = &[
    "a",
    "b",
    "{p}",
    "{q}",
    "{p:digits(1..2)}",
    "1",
    "ab",
    "{p:word}",
    "{p:hex(2)}",
    "",
    "{p:text(2..3)}",
    "a%20b",
    "{p:uuid}",
    "{p:digits}",
    "%41",
];
pub(crate) const SHAPES: &[&str] = &[
    "digits(1..2)",
    "word",
    "text(2)",
    "hex",
    "digits",
    "uuid",
    "text(1..8192)",
    "text(..3)",
    "word(36)",
    "hex(1..3)",
];
pub(crate) const QUERY: &[&str] = &["a", "b", "*", "a[0]", "key", "%61", "A"];
pub(crate) const HEADERS: &[&str] = &["X-A", "X-B", "X-Key", "Idempotency-Key", "x.a"];
pub(crate) const LISTED: &[&str] = &["a", "1", "", "ab", "00", "ü", "x y"];
pub(crate) const SLOTS: &[&str] =
    &["bear", "base", "head", "ask", "path", "path-q", "cook", "body", "aws", "mac", "cert"];

/// An absolute template.
pub(crate) fn template(choices: &mut Choices<'_>) -> String {
    let mut text = choices.of(ORIGINS).to_owned();
    let segments = choices.list(4, |c| c.of(SEGMENTS));
    for segment in &segments {
        text.push('/');
        text.push_str(segment);
    }
    if choices.one_in(5) {
        text.push_str("/{rest..}");
    }
    text
}

/// Where a link may be written.
pub(crate) fn place(choices: &mut Choices<'_>) -> LinkPlace {
    choices.of(&["rel=next", "rel=last", "/next", "/link/*/url"]).parse().unwrap()
}

/// A few such places, each once.
pub(crate) fn places(choices: &mut Choices<'_>) -> Vec<LinkPlace> {
    let mut all = vec![place(choices)];
    for other in choices.list(2, |c| place(c)) {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// A shape, as it is written.
pub(crate) fn shape(choices: &mut Choices<'_>) -> String {
    if choices.one_in(2) {
        return choices.of(SHAPES).to_owned();
    }
    let kind = choices.of(&["text", "word", "hex", "digits"]);
    let least = 1 + choices.below(4);
    format!("{kind}({least}..{})", least + choices.below(4))
}

/// A parameter of this name.
pub(crate) fn parameter(choices: &mut Choices<'_>, name: &str) -> Parameter {
    let values = match choices.below(3) {
        0 => Values::Any,
        1 => Values::Shape(shape(choices).parse().unwrap()),
        _ => {
            let mut values = vec![choices.of(LISTED).to_owned()];
            values.extend(choices.list(2, |c| c.of(LISTED).to_owned()));
            Values::OneOf(values)
        }
    };
    Parameter { name: name.to_owned(), values }
}

fn parameters(choices: &mut Choices<'_>, names: &[&str]) -> Vec<Parameter> {
    let mut all: Vec<Parameter> = Vec::new();
    for name in choices.list(3, |c| c.of(names)) {
        if !all.iter().any(|known| known.name == name) {
            all.push(parameter(choices, name));
        }
    }
    all
}

fn body(choices: &mut Choices<'_>) -> Option<RequestBody> {
    let kind = match choices.below(5) {
        0 => return None,
        1 => BodyKind::Json,
        2 => BodyKind::Form,
        3 => BodyKind::Multipart,
        _ => BodyKind::Raw(vec![choices.of(&["text/csv", "application/json", "Image/PNG"]).to_owned()]),
    };
    Some(RequestBody { schema: None, kind })
}

fn repeat(choices: &mut Choices<'_>) -> Repeat {
    match choices.below(3) {
        0 => Repeat::Never,
        1 => Repeat::Idempotent,
        _ => Repeat::WithKey(choices.of(HEADERS).to_owned()),
    }
}

/// A route that is well formed beside these slots.
pub(crate) fn route_of(choices: &mut Choices<'_>, id: String, slots: &[Slot]) -> Route {
    let method = choices.of(METHODS);
    let mut url = template(choices);
    let links =
        if matches!(method, Method::Get | Method::Head) && choices.one_in(4) { places(choices) } else { Vec::new() };
    if !links.is_empty() && choices.one_in(2) && !url.ends_with("..}") {
        url.push_str("/{rest*}");
    }
    let slots_of_route = if choices.one_in(2) { some_slots(choices) } else { Vec::new() };
    let bodies = !matches!(method, Method::Get | Method::Head);
    let mut route = Route {
        id,
        description: String::new(),
        method,
        url,
        query: parameters(choices, QUERY),
        headers: parameters(choices, HEADERS),
        slots: slots_of_route,
        links,
        request: body(choices).filter(|_| bodies),
        repeat: repeat(choices),
        response: "{}".to_owned(),
    };
    if let Repeat::WithKey(key) = &route.repeat {
        route.headers.retain(|header| !header.name.eq_ignore_ascii_case(key));
    }
    if !is_well_formed(&route, slots) {
        route.headers.clear();
        route.query.clear();
        route.repeat = Repeat::Never;
    }
    while !is_well_formed(&route, slots) && route.slots.pop().is_some() {}
    route
}

fn some_slots(choices: &mut Choices<'_>) -> Vec<String> {
    let mut slots = vec![choices.of(SLOTS).to_owned()];
    slots.extend(choices.list(3, |c| c.of(SLOTS).to_owned()));
    slots
}

/// Whether a descriptor may have this route.
fn is_well_formed(route: &Route, slots: &[Slot]) -> bool {
    let descriptor = Descriptor { slots: slots.to_vec(), routes: vec![route.clone()], ..empty() };
    descriptor.check().is_ok()
}

fn empty() -> Descriptor {
    Descriptor {
        name: "made-up".to_owned(),
        version: "1".to_owned(),
        description: String::new(),
        slots: Vec::new(),
        routes: Vec::new(),
        operations: Vec::new(),
    }
}

fn oauth(choices: &mut Choices<'_>) -> Option<OAuth> {
    if choices.one_in(2) {
        return None;
    }
    let url = |c: &mut Choices<'_>, path: &str| {
        let origin = c.of(&["https://a.example", "https://login.example", "http://127.0.0.1:8025"]);
        (!c.one_in(3)).then(|| format!("{origin}/{path}"))
    };
    Some(OAuth {
        token_url: url(choices, "token"),
        authorize_url: url(choices, "authorize"),
        revoke_url: url(choices, "revoke"),
        metadata_url: url(choices, "metadata"),
        scopes: choices.list(2, |c| c.of(&["read", "write"]).to_owned()),
        values: if choices.one_in(3) { vec!["instance_url".to_owned()] } else { Vec::new() },
    })
}

fn slots(choices: &mut Choices<'_>) -> Vec<Slot> {
    let header = Scheme::Header { name: choices.of(&["X-Key", "x-key", "X-A"]).to_owned(), prefix: "k ".to_owned() };
    let query = Scheme::Query { name: choices.of(&["key", "a"]).to_owned() };
    let path = |name: &str, prefix: &str| Scheme::Path { name: name.to_owned(), prefix: prefix.to_owned() };
    let prefix = choices.of(&["", "bot"]);
    let mac = HmacScheme {
        algorithm: MacAlgorithm::HmacSha256,
        message: choices.of(&["{method}{target}", "{body}"]).to_owned(),
        encoding: MacEncoding::Hex,
        headers: vec![(choices.of(&["X-B", "x-b", "X-Mac"]).to_owned(), "{signature}".to_owned())],
    };
    let schemes = [
        ("bear", Scheme::Bearer),
        ("path", path("p", prefix)),
        ("path-q", path("q", "")),
        ("cook", Scheme::Cookie { name: "sid".to_owned() }),
        ("body", Scheme::Body { name: choices.of(&["key", "auth.key"]).to_owned() }),
        ("aws", Scheme::Sigv4 { service: "s3".to_owned(), region: "eu-1".to_owned() }),
        ("mac", Scheme::Hmac(mac)),
        ("cert", Scheme::ClientCertificate),
        ("base", Scheme::Basic),
        ("head", header),
        ("ask", query),
        ("sign", Scheme::SigningKey),
    ];
    let oauth = oauth(choices);
    let slot = |(name, scheme): (&str, Scheme)| Slot {
        name: name.to_owned(),
        description: String::new(),
        oauth: oauth.clone().filter(|_| matches!(scheme, Scheme::Bearer | Scheme::Header { .. })),
        scheme,
    };
    schemes.map(slot).to_vec()
}

/// A well-formed descriptor with at most six routes and three operations.
pub(crate) fn descriptor(choices: &mut Choices<'_>) -> Descriptor {
    let slots = slots(choices);
    let count = 1 + choices.below(6);
    let routes: Vec<Route> = (0..count).map(|i| route_of(choices, format!("r{i}"), &slots)).collect();
    let count = 1 + choices.below(3);
    let operations = ["one", "two", "three"].iter().take(count).map(|name| operation(choices, name, &routes)).collect();
    let descriptor = Descriptor { slots, routes, operations, ..empty() };
    descriptor.check().unwrap();
    descriptor
}

fn operation(choices: &mut Choices<'_>, name: &str, routes: &[Route]) -> Operation {
    Operation {
        name: name.to_owned(),
        description: String::new(),
        effect: choices.of(&[Effect::Read, Effect::Write, Effect::Destructive]),
        input: "{}".to_owned(),
        output: "{}".to_owned(),
        routes: routes.iter().filter(|_| !choices.one_in(3)).map(|route| route.id.clone()).collect(),
    }
}

/// Another version of an adapter: a few small edits, some of which change nothing. Well formed.
pub(crate) fn edited(choices: &mut Choices<'_>, old: &Descriptor) -> Descriptor {
    let mut new = old.clone();
    for _ in 0..1 + choices.below(3) {
        let before = new.clone();
        edit(choices, &mut new);
        if new.check().is_err() {
            new = before;
        }
    }
    new
}

fn edit(choices: &mut Choices<'_>, new: &mut Descriptor) {
    let route = choices.below(new.routes.len().max(1));
    let operation = choices.below(new.operations.len().max(1));
    let kind = choices.below(19);
    if let 0..=2 = kind {
        match kind {
            0 => new.routes.reverse(),
            1 => new.slots = slots(choices),
            _ => {
                let added = route_of(choices, format!("n{}", new.routes.len()), &new.slots);
                if let Some(operation) = new.operations.get_mut(operation) {
                    operation.routes.push(added.id.clone());
                }
                new.routes.push(added);
            }
        }
        return;
    }
    let slots = new.slots.clone();
    let (Some(changed), Some(operation)) = (new.routes.get_mut(route), new.operations.get_mut(operation)) else {
        return;
    };
    match kind {
        3 => changed.url = super::grants::narrow_template(choices, &changed.url),
        4 => changed.url = template(choices),
        5 => changed.query = parameters(choices, QUERY),
        6 => changed.headers = parameters(choices, HEADERS),
        7 => changed.query = super::grants::narrow_query(choices, &changed.query),
        8 => changed.headers = super::grants::narrow_all(choices, &changed.headers),
        9 => changed.slots = some_slots(choices),
        10 => drop(changed.slots.pop()),
        11 => changed.request = body(choices),
        12 => changed.repeat = repeat(choices),
        13 => changed.method = choices.of(METHODS),
        14 => operation.effect = choices.of(&[Effect::Read, Effect::Write, Effect::Destructive]),
        15 => match operation.routes.iter().position(|id| *id == changed.id) {
            Some(at) => drop(operation.routes.remove(at)),
            None => operation.routes.push(changed.id.clone()),
        },
        17 => changed.links = if changed.links.is_empty() || choices.one_in(2) { places(choices) } else { Vec::new() },
        16 => {
            let id = changed.id.clone();
            *changed = route_of(choices, id, &slots);
        }
        _ => {
            let (id, renamed) = (changed.id.clone(), format!("{}x", changed.id));
            changed.id.clone_from(&renamed);
            changed.url = changed.url.replace("{p", "{q");
            for operation in &mut new.operations {
                operation.routes.iter_mut().filter(|used| **used == id).for_each(|used| used.clone_from(&renamed));
            }
        }
    }
}
