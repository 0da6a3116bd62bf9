//! The least that a grant needs for one request: its own path, its own query and header names, and nothing beside them.
//!
//! What an adapter declares is often much wider than what it asked for: any repository, ten parameters. Who grants the
//! declared form to let one request through grants more than they meant. So a refusal offers this form first. Values of
//! a query are never told, because they may be secrets or name people: a name comes with the values that are declared for
//! it. What is made here is held against the request and the declared route before it is offered.

use crate::{
    decide::{Request, shortfall},
    grant::GrantedRoute,
    intersect::Declared,
    parameter::Parameter,
    powers::OpenRoute,
    printable::is_plain,
    query::{OTHERS, beyond, pairs, rules_for},
    scheme::PATH_PLACEHOLDER,
    template::{Segment, Template},
    work::Work,
};

/// The narrowest form of a declared route that allows this request. None where the declared route does not allow it, where it
/// cannot be narrowed, or where a name of the request cannot be told.
pub(super) fn least(request: &Request<'_>, declared: &Declared) -> Option<GrantedRoute> {
    let wide = &declared.open;
    if shortfall(request, wide).is_some() {
        return None;
    }
    let route = GrantedRoute {
        url: url(request, declared)?,
        query: query(request, wide)?,
        headers: headers(request, wide),
        ..declared.granted.clone()
    };
    if route == declared.granted {
        return None;
    }
    let template = Template::parse(&route.url).ok()?;
    let narrow = OpenRoute {
        template: with_credentials(template, wide),
        query: route.query.clone(),
        headers: route.headers.clone(),
        ..wide.clone()
    };
    let is_declared = wide.template.covers(&narrow.template)
        && matches!(beyond(route.query.iter(), wide.query.iter(), &wide.slots, &Work::of_files()), Ok(None))
        && narrow.template.matches_path(request.url.path())
        && shortfall(request, &narrow).is_none();
    is_declared.then_some(route)
}

/// The request's own path; a segment that the host fills in stays the parameter that it is.
fn url(request: &Request<'_>, declared: &Declared) -> Option<String> {
    let path = request.url.path();
    // In a template braces would stand for more than themselves.
    if path.contains(['{', '}']) {
        return None;
    }
    let (given, written) = (path.strip_prefix('/')?, declared.granted.url.splitn(4, '/').nth(3).unwrap_or_default());
    let mut written = written.split('/');
    let parts: Vec<&str> = given
        .split('/')
        .map(|part| match written.next() {
            Some(written) if part == PATH_PLACEHOLDER => written,
            _ => part,
        })
        .collect();
    Some(format!("{}/{}", request.url.origin(), parts.join("/")))
}

/// As the declared template is: with the placeholder where the host puts a secret.
fn with_credentials(template: Template, wide: &OpenRoute) -> Template {
    let (segments, _) = wide.template.segments();
    let own = |(at, segment): (usize, &Segment)| {
        matches!(segment, Segment::Literal(text) if text == PATH_PLACEHOLDER).then_some(at)
    };
    template.with_credentials(segments.iter().enumerate().filter_map(own))
}

/// The declared rules of each name that the request has. None where one of its names may be a value, or is not fit to be told.
fn query(request: &Request<'_>, wide: &OpenRoute) -> Option<Vec<Parameter>> {
    let mut narrow: Vec<Parameter> = Vec::new();
    for (name, value) in pairs(request.url) {
        let text = String::from_utf8(name.clone().collect()).ok()?;
        let rules: Vec<&Parameter> = rules_for(&wide.query, &wide.slots, name).collect();
        let is_listed = rules.iter().any(|rule| rule.name == text);
        // `?TOKEN` is a name to a parser and a value to whoever wrote it.
        let may_be_told = is_listed || (value.clone().next().is_some() && text.chars().all(is_plain));
        // In a grant `*` stands for every name, and not for itself.
        if !may_be_told || text == OTHERS {
            return None;
        }
        for rule in rules {
            let own = Parameter { name: text.clone(), values: rule.values.clone() };
            if !narrow.contains(&own) {
                narrow.push(own);
            }
        }
    }
    Some(narrow)
}

/// The declared rules of each header field that the request has.
fn headers(request: &Request<'_>, wide: &OpenRoute) -> Vec<Parameter> {
    let is_sent = |rule: &&Parameter| request.headers.iter().any(|header| header.name.eq_ignore_ascii_case(&rule.name));
    wide.headers.iter().filter(is_sent).cloned().collect()
}
