//! Made-up grants and ceilings: all that an adapter declares, or part of it.

use portcullis_gate::{
    Ceiling, Descriptor, Grant, GrantedRoute, Method, Parameter, RouteLimits, Scheme, Template, Values,
};

use super::{
    Choices,
    descriptors::{HEADERS, LISTED, METHODS, QUERY, SEGMENTS, SHAPES, SLOTS},
};

pub(crate) const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A grant of all that is declared, with the carve-outs that its plain http routes need.
pub(crate) fn full(descriptor: &Descriptor) -> Grant {
    let mut grant = Grant::parse(&format!("adapter = \"{DIGEST}\"")).unwrap();
    grant.operations = descriptor.operations.iter().map(|operation| operation.name.clone()).collect();
    let signing = descriptor.slots.iter().filter(|slot| slot.scheme == Scheme::SigningKey);
    grant.signing = signing.map(|slot| slot.name.clone()).collect();
    grant.routes = descriptor.routes.iter().map(portcullis_gate::Route::as_granted).collect();
    grant.routes.extend(descriptor.token_routes());
    for route in &grant.routes {
        let Ok(template) = Template::parse(&route.url) else { continue };
        if template.origin_url().scheme() == "http" {
            let carve_out = format!("127.0.0.1:{}", template.origin_url().port()).parse().unwrap();
            if !grant.carve_outs.contains(&carve_out) {
                grant.carve_outs.push(carve_out);
            }
        }
    }
    grant
}

/// A grant of part of what is declared.
pub(crate) fn grant(choices: &mut Choices<'_>, descriptor: &Descriptor) -> Grant {
    let mut grant = full(descriptor);
    if choices.one_in(4) {
        grant.carve_outs.push("10.0.0.1:443".parse().unwrap());
    }
    if choices.one_in(5) {
        grant.limits.requests = 1 + u32::from(choices.byte());
    }
    grant.routes = grant.routes.iter().flat_map(|route| choices.list(2, |c| narrowed(c, route))).collect();
    grant.operations.retain(|_| !choices.one_in(5));
    if !grant.routes.iter().any(|route| route.url.starts_with("http://")) && choices.one_in(2) {
        grant.carve_outs.clear();
    }
    grant
}

/// Part of a route, or all of it.
pub(crate) fn narrowed(choices: &mut Choices<'_>, route: &GrantedRoute) -> GrantedRoute {
    if !choices.one_in(2) {
        return route.clone();
    }
    let mut limits = RouteLimits::default();
    // Where a credential may go into the path, or tokens are asked for, the URL stays as it is.
    let keeps = route.token_for.is_some() || route.slots.iter().any(|slot| slot.starts_with("path"));
    if choices.one_in(4) {
        limits.requests = Some(u32::from(choices.byte()));
        limits.response_bytes = Some(1_000);
    }
    let links = match choices.below(route.links.len() + 1) {
        0 => route.links.clone(),
        count => route.links.iter().take(count).cloned().collect(),
    };
    GrantedRoute {
        links,
        url: if keeps { route.url.clone() } else { narrow_template(choices, &route.url) },
        query: narrow_query(choices, &route.query),
        headers: narrow_all(choices, &route.headers),
        limits,
        ..route.clone()
    }
}

/// A grant with one thing changed that may or may not be within what is declared.
pub(crate) fn overreaching(choices: &mut Choices<'_>, grant: &Grant) -> Grant {
    let mut grant = grant.clone();
    let at = choices.below(grant.routes.len().max(1));
    let Some(route) = grant.routes.get_mut(at) else { return grant };
    let from = choices.below(8);
    match choices.below(8) {
        6 => route.links.clear(),
        7 => route.links = super::descriptors::places(choices),
        0 => route.url = super::template(choices),
        1 => route.method = choices.of(METHODS),
        2 => route.slots.push(choices.of(SLOTS).to_owned()),
        3 => drop(route.slots.pop()),
        kind => {
            let (all, names) = if kind == 4 { (&mut route.query, QUERY) } else { (&mut route.headers, HEADERS) };
            let name = choices.of(names);
            match all.get_mut(from) {
                Some(known) => *known = super::parameter(choices, &known.name),
                None => all.push(super::parameter(choices, name)),
            }
        }
    }
    grant
}

/// A template that this one covers.
pub(crate) fn narrow_template(choices: &mut Choices<'_>, url: &str) -> String {
    let wide = Template::parse(url).unwrap();
    let mut parts: Vec<String> = wide.as_str().split('/').map(str::to_owned).collect();
    let literal = |c: &mut Choices<'_>| c.of(&["a", "b", "1", "ab", "12"]).to_owned();
    for at in 3..parts.len() {
        let part = parts[at].clone();
        let candidates: Vec<String> = if part.ends_with("..}") || part.ends_with("*}") {
            let mut parts = vec![literal(choices)];
            parts.extend(choices.list(2, |c| c.of(SEGMENTS).to_owned()));
            if choices.one_in(2) {
                parts.push(if part.ends_with("*}") { "{rest*}" } else { "{rest..}" }.to_owned());
            }
            vec![parts.join("/")]
        } else if part.starts_with('{') && choices.one_in(2) {
            vec![choices.of(SEGMENTS).to_owned(), literal(choices)]
        } else {
            continue;
        };
        for candidate in candidates {
            parts[at] = candidate;
            let text = parts.join("/");
            match Template::parse(&text) {
                Ok(narrow) if wide.covers(&narrow) => break,
                _ => parts[at].clone_from(&part),
            }
        }
    }
    parts.join("/")
}

/// Some of the parameters, each with all or some of its values.
pub(crate) fn narrow_all(choices: &mut Choices<'_>, parameters: &[Parameter]) -> Vec<Parameter> {
    parameters.iter().flat_map(|wide| choices.list(2, |c| narrow(c, wide))).collect()
}

/// Part of a query. Where `*` is declared, other names may be listed; where it is granted, no name falls to it that is declared
/// with less.
pub(crate) fn narrow_query(choices: &mut Choices<'_>, declared: &[Parameter]) -> Vec<Parameter> {
    let mut narrowed = narrow_all(choices, declared);
    if let Some(others) = declared.iter().find(|rule| rule.name == "*") {
        // None of these is a slot's.
        for name in choices.list(2, |c| c.of(&["b", "c", "b[0]", "keys"])) {
            if !declared.iter().any(|rule| rule.name == name) {
                narrowed.push(Parameter { name: name.to_owned(), ..narrow(choices, others) });
            }
        }
    }
    let stars: Vec<Parameter> = narrowed.iter().filter(|rule| rule.name == "*").cloned().collect();
    for wide in declared {
        let is_listed = narrowed.iter().any(|rule| rule.name == wide.name);
        if !is_listed && !stars.iter().all(|star| wide.covers(star)) {
            narrowed.push(narrow(choices, wide));
        }
    }
    narrowed
}

fn narrow(choices: &mut Choices<'_>, wide: &Parameter) -> Parameter {
    let mut narrow = wide.clone();
    narrow.values = match (&wide.values, choices.below(3)) {
        (Values::OneOf(values), 1) => Values::OneOf(vec![values[choices.below(values.len())].clone()]),
        (_, 1) => Values::Shape(choices.of(SHAPES).parse().unwrap()),
        (_, 2) => Values::OneOf(vec![choices.of(LISTED).to_owned()]),
        (values, _) => values.clone(),
    };
    if wide.covers(&narrow) { narrow } else { wide.clone() }
}

/// A ceiling, above or below.
pub(crate) fn ceiling(choices: &mut Choices<'_>) -> Ceiling {
    const PATTERNS: &[&str] = &[
        "https://a.example",
        "https://*.a.example",
        "https://b.example",
        "http://127.0.0.1:8025",
        "https://127.0.0.1",
        "https://a.example:8443",
        "http://a.example:8025",
    ];
    let pattern = |c: &mut Choices<'_>| c.of(PATTERNS).parse().unwrap();
    let mut ceiling = Ceiling::default();
    if choices.one_in(2) {
        ceiling.origins = Some((0..2 + choices.below(4)).map(|_| pattern(choices)).collect());
    }
    if choices.one_in(3) {
        ceiling.forbidden_origins = choices.list(2, pattern);
    }
    if choices.one_in(3) {
        ceiling.methods = Some(vec![Method::Get, choices.of(&[Method::Post, Method::Put, Method::Get])]);
    }
    if choices.one_in(3) {
        let allowed = "carve_outs = [{ addresses = \"127.0.0.1:8025\", integrations = [\"acme/made-up\"] }]";
        ceiling.carve_outs = Ceiling::parse(allowed).unwrap().carve_outs;
    }
    if choices.one_in(3) {
        ceiling.limits.insert("requests".to_owned(), 1 + u64::from(choices.byte()));
    }
    ceiling
}
