//! What always holds, written a second time and in another way than the gate has it.

use std::collections::BTreeSet;

use portcullis_gate::{
    BodyKind, CarveOut, Ceiling, Decision, Denial, Descriptor, Diff, Grant, GrantedRoute, OAuth, OperationPowers,
    Parameter, Powers, Reason, Repeat, Request, RequestUrl, Scheme, Template, Values, decide, decide_by_specification,
    explain, judge_address,
};

use super::{DIGEST, requests::LIMIT};

/// What the gate says, after it was made sure that the specification says the same and that a refusal can be told.
pub(crate) fn verdict(request: &Request<'_>, powers: &OperationPowers) -> Decision {
    let decision = decide(request, powers);
    assert_eq!(decision, decide_by_specification(request, powers), "{request:?}");
    if let Decision::Deny(reason) = decision {
        is_fit_to_be_shown(&Denial::new(reason, request, powers), reason);
    }
    decision
}

/// A denial's text is bounded and holds nothing that a terminal would act on.
pub(crate) fn is_fit_to_be_shown(denial: &Denial, reason: Reason) {
    assert_eq!(denial.rule, reason.rule());
    let granted: usize = denial.granted.iter().map(|item| item.chars().count() + 2).sum();
    assert!(denial.granted.len() <= 5, "{denial:?}");
    // 200 characters of what was asked, and of a name; one that is escaped takes ten.
    assert!(denial.asked.chars().count() <= 210, "{denial:?}");
    assert!(denial.message.chars().count() <= 3_000 + granted, "{denial:?}");
    let lines = denial.allow_with.iter().chain(&denial.allow_request).flat_map(|text| text.lines());
    [&denial.asked, &denial.message].into_iter().chain(&denial.granted).for_each(|text| is_plain_text(text));
    lines.for_each(is_plain_text);
}

/// No control characters, and none of those by which text can pretend to be other text.
pub(crate) fn is_plain_text(text: &str) {
    let odd = |c: char| {
        let code = u32::from(c);
        c.is_control() || matches!(code, 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
    };
    assert!(!text.contains(odd), "{text:?}");
}

/// Where a URL is accepted, what is sent is what was written, and reads the same again.
pub(crate) fn url_is_sent_as_written(text: &str) {
    let Ok(url) = RequestUrl::parse(text, LIMIT) else { return };
    let sent = url.as_url().as_str();
    assert_eq!(RequestUrl::parse(sent, LIMIT).as_ref(), Ok(&url), "{text:?}");

    // Cut up by hand.
    let (scheme, rest) = text.split_once("://").unwrap_or_else(|| panic!("no authority: {text:?}"));
    let scheme = scheme.to_ascii_lowercase();
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(at);
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let default = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => panic!("neither https nor http: {text:?}"),
    };
    let authority = authority.to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority.as_str(), default),
    };
    let path = if path.is_empty() { "/" } else { path };
    let shown = if port == default { String::new() } else { format!(":{port}") };
    let encoded = |query: &str| {
        let escape = |b: u8| match b {
            b'!' | b'$'..=b'&' | b'('..=b';' | b'=' | b'?'..=b'~' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        };
        query.bytes().map(escape).collect::<String>()
    };
    let expected_query = query.map(encoded);
    let told = expected_query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    assert_eq!(sent, format!("{scheme}://{host}{shown}{path}{told}"), "{text:?}");
    assert_eq!(
        (url.scheme(), url.host(), url.port().to_string().as_str(), url.path(), url.query()),
        (scheme.as_str(), host, port, path, expected_query.as_deref()),
        "{text:?}"
    );
    assert_eq!(url.origin(), format!("{scheme}://{host}{shown}"));
    assert!(sent.bytes().all(|b| (b'!'..=b'~').contains(&b)), "{text:?}");
    assert!(!path.split('/').any(|part| matches!(part, "." | "..")), "{text:?}");
}

/// A template reads as it is written, stands for what it covers, and covers itself.
pub(crate) fn template_reads_as_written(text: &str) {
    let Ok(template) = Template::parse(text) else { return };
    assert_eq!(Template::parse(template.as_str()).as_ref(), Ok(&template));
    assert!(template.covers(&template), "{text:?}");
    assert_eq!(template.origin(), template.origin_url().origin());
    assert!(template.as_str().starts_with(template.origin()));
    is_plain_text(template.as_str());
}

/// A grant reads as it is written, in TOML and in JSON.
pub(crate) fn grant_reads_as_written(grant: &Grant) {
    assert_eq!(Grant::parse(&grant.to_toml()).as_ref(), Ok(grant), "{}", grant.to_toml());
    assert_eq!(Grant::parse(&serde_json::to_string(grant).unwrap()).as_ref(), Ok(grant));
    let lines: String = grant.routes.iter().map(GrantedRoute::to_toml_lines).collect();
    let rest = Grant { routes: Vec::new(), ..grant.clone() };
    let mut head: toml::Table = rest.to_toml().parse().unwrap();
    let routes: toml::Table = lines.parse().unwrap();
    head.remove("routes");
    head.extend(routes);
    assert_eq!(Grant::parse(&toml::to_string(&head).unwrap()).as_ref(), Ok(grant), "{lines}");
}

/// A ceiling reads as it is written.
pub(crate) fn ceiling_reads_as_written(ceiling: &Ceiling) {
    assert_eq!(Ceiling::parse(&toml::to_string(ceiling).unwrap()).as_ref(), Ok(ceiling));
    assert_eq!(Ceiling::parse(&serde_json::to_string(ceiling).unwrap()).as_ref(), Ok(ceiling));
}

/// What is explained is what holds.
pub(crate) fn explanation_is_what_holds(descriptor: &Descriptor, grant: &Grant, ceiling: &Ceiling, powers: &Powers) {
    let explained = explain("acme/made-up", descriptor, grant, ceiling).unwrap();
    let effective: Vec<_> = explained.routes.iter().filter(|route| route.effective).map(|route| &route.item).collect();
    for operation in &descriptor.operations {
        let line = explained.operations.iter().find(|line| line.item.operation == operation.name).unwrap();
        let open = powers.operation(&operation.name);
        assert_eq!(line.effective, open.is_some());
        let Some(open) = open else { continue };
        let told: Vec<&str> = effective.iter().filter_map(|route| route.route.as_deref()).collect();
        let told: Vec<&str> = told.into_iter().filter(|id| operation.routes.iter().any(|used| used == id)).collect();
        let ports: Vec<Option<u16>> = explained
            .carve_outs
            .iter()
            .filter(|line| line.effective)
            .map(|line| line.item.addresses.parse::<CarveOut>().unwrap().port())
            .collect();
        let can_be_dialled = |route: &&std::sync::Arc<portcullis_gate::OpenRoute>| {
            let url = route.template.origin_url();
            let (port, secure) = (url.port(), url.scheme() == "https");
            match url.address() {
                Some(address) => judge_address(address, port, secure, &open.carve_outs).is_ok(),
                None => secure || ports.iter().any(|own| own.is_none() || *own == Some(port)),
            }
        };
        let open: Vec<&str> = open.routes().iter().filter(can_be_dialled).map(|route| route.id.as_str()).collect();
        assert_eq!(open, told);
    }
    serde_json::to_string(&explained).unwrap();
}

/// Whether something the operator granted says yes to a request, looked at alone. Bodies and repeats are not granted.
pub(crate) fn grant_alone_allows(request: &Request<'_>, operation: &str, grant: &Grant) -> bool {
    let fits = |route: &&GrantedRoute| {
        let template = Template::parse(&route.url).unwrap();
        route.method == request.method
            && template.origin() == request.url.origin()
            && template.matches_path(request.url.path())
            && route.slots.iter().collect::<BTreeSet<_>>() == request.slots.iter().collect::<BTreeSet<_>>()
            && route.token_for.is_none()
            && (route.links.is_empty() || route.links.iter().any(|place| request.written.contains(place)))
            && url::form_urlencoded::parse(request.url.query().unwrap_or_default().as_bytes()).all(|(name, value)| {
                // Text that is not UTF-8 has lost its bytes here: its name is judged, its value is not.
                let lossy = value.contains('\u{fffd}');
                let listed = route.query.iter().any(|rule| rule.name == name);
                let stands_for = if listed { name.as_ref() } else { "*" };
                route.query.iter().any(|rule| rule.name == stands_for && (lossy || rule.allows(value.bytes())))
            })
    };
    grant.operations.iter().any(|name| name == operation) && grant.routes.iter().any(|route| fits(&route))
}

/// Whether a ceiling leaves a request's origin and method alone.
pub(crate) fn ceiling_alone_allows(request: &Request<'_>, ceiling: &Ceiling) -> bool {
    let matches = |pattern: &portcullis_gate::OriginPattern| {
        let (pattern, origin) = (pattern.to_string(), request.url.origin());
        match pattern.split_once("*.") {
            None => pattern == origin,
            Some((scheme, name)) => origin.starts_with(scheme) && origin.ends_with(&format!(".{name}")),
        }
    };
    ceiling.origins.as_ref().is_none_or(|origins| origins.iter().any(matches))
        && !ceiling.forbidden_origins.iter().any(matches)
        && ceiling.methods.as_ref().is_none_or(|methods| methods.contains(&request.method))
}

/// The lines that a denial would add make a grant that is accepted, and the request gets further by it. The least of them, where
/// they are told, allow this request; and of what stands beside it nothing that was not allowed before.
pub(crate) fn lines_help(
    request: &Request<'_>,
    operation: &str,
    descriptor: &Descriptor,
    grant: &Grant,
    ceiling: &Ceiling,
) {
    let powers = Powers::new(DIGEST, "acme/made-up", descriptor, grant, ceiling).unwrap();
    let Some(powers) = powers.operation(operation) else { return };
    let Decision::Deny(reason) = decide(request, powers) else { return };
    let denial = Denial::new(reason, request, powers);
    let Some(lines) = denial.allow_with else {
        assert_eq!(denial.allow_request, None);
        return;
    };
    if let Some(least) = denial.allow_request {
        let after = with_lines(&least, descriptor, grant, ceiling);
        let after = after.operation(operation).unwrap();
        // What is left to be judged is the address, for which a route is no answer.
        assert!(
            matches!(decide(request, after), Decision::Allow(_) | Decision::Deny(Reason::Address(_))),
            "{request:?} is not allowed with {least}"
        );
        for beside in beside(request.url) {
            let Ok(url) = RequestUrl::parse(&beside, LIMIT) else { continue };
            let neighbour = Request { url: &url, ..*request };
            let (before, after) = (decide(&neighbour, powers), decide(&neighbour, after));
            let opened = matches!(before, Decision::Deny(_)) && matches!(after, Decision::Allow(_));
            assert!(!opened, "{beside} is allowed, too, with {least}");
        }
    }
    let after = with_lines(&lines, descriptor, grant, ceiling);
    let after = decide(request, after.operation(operation).unwrap());
    assert_ne!(after, Decision::Deny(reason), "{request:?} is no further with {lines}");
}

/// URLs that differ from this one in one respect: another segment, one segment more, one name more.
fn beside(url: &RequestUrl) -> Vec<String> {
    let (origin, path) = (url.origin(), url.path());
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut all = vec![format!("{origin}{path}/other{query}")];
    let parts: Vec<&str> = path.split('/').collect();
    for at in 1..parts.len() {
        let mut parts = parts.clone();
        // The same kind of characters, so that a parameter of a shape would take it.
        let other: String = parts[at].chars().map(|c| if c == '1' { '2' } else { '1' }).collect();
        // What stands for a secret is not the guest's to choose.
        if parts[at] == portcullis_gate::PATH_PLACEHOLDER || other.is_empty() || parts[at].contains('%') {
            continue;
        }
        parts[at] = &other;
        all.push(format!("{origin}{}{query}", parts.join("/")));
    }
    let more = if query.is_empty() { "?" } else { "&" };
    all.push(format!("{origin}{path}{query}{more}nobody-asked=1"));
    all
}

/// What is left of a grant with these lines more.
fn with_lines(lines: &str, descriptor: &Descriptor, grant: &Grant, ceiling: &Ceiling) -> Powers {
    let lines = lines.replace("ADDRESS", "127.0.0.1");
    let mut added: toml::Table = lines.parse().unwrap_or_else(|e| panic!("{e}: {lines}"));
    let mut more = grant.clone();
    if let Some(routes) = added.remove("routes") {
        more.routes.extend(routes.try_into::<Vec<GrantedRoute>>().unwrap());
    }
    if let Some(carve_outs) = added.remove("carve_outs") {
        more.carve_outs.extend(carve_outs.try_into::<Vec<CarveOut>>().unwrap());
    }
    assert!(added.is_empty(), "{lines}");
    Powers::new(DIGEST, "acme/made-up", descriptor, &more, ceiling).unwrap_or_else(|e| panic!("{e}: {lines}"))
}

/// What a diff says agrees with the powers themselves: it is empty where they are equal, and only there.
pub(crate) fn diff_is_empty_where_powers_are_equal(old: &Descriptor, new: &Descriptor, diff: &Diff) {
    let (old_powers, new_powers) = (exchanges(old), exchanges(new));
    assert_eq!(diff.is_empty(), old_powers == new_powers, "{diff:?}\n{old_powers:#?}\n{new_powers:#?}");
}

/// Everything that a full grant would give, one line for each operation, each exchange of it and each signing key.
fn exchanges(descriptor: &Descriptor) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for slot in descriptor.slots.iter().filter(|slot| slot.scheme == Scheme::SigningKey) {
        all.insert(format!("sign with {}", slot.name));
    }
    for operation in &descriptor.operations {
        all.insert(format!("{} {}", operation.name, operation.effect.as_str()));
        for route in descriptor.routes.iter().filter(|route| operation.routes.contains(&route.id)) {
            let schemes =
                set(route.slots.iter().filter_map(|name| descriptor.slot(name)).map(|slot| match &slot.scheme {
                    Scheme::Header { name, prefix } => {
                        format!("{} header {} {prefix:?}", slot.name, name.to_lowercase())
                    }
                    Scheme::Path { name, prefix } => {
                        let at = route.url.split('/').position(|part| *part == format!("{{{name}}}"));
                        format!("{} path {prefix:?} {at:?}", slot.name)
                    }
                    Scheme::Hmac(mac) => format!("{} {mac:?}", slot.name).to_lowercase(),
                    other => format!("{} {other:?}", slot.name),
                }));
            for slot in route.slots.iter().filter_map(|name| descriptor.slot(name)) {
                all.extend(slot.oauth.as_ref().map(|oauth| issuer(&slot.name, oauth)));
            }
            let body = route.request.as_ref().map(|body| match &body.kind {
                BodyKind::Raw(types) => set(types.iter().map(|media| media.to_lowercase())),
                other => format!("{other:?}"),
            });
            let repeat = match &route.repeat {
                Repeat::WithKey(name) => Repeat::WithKey(name.to_lowercase()),
                other => other.clone(),
            };
            let query = set(route.query.iter().map(rule));
            let headers =
                set(route.headers.iter().map(|p| rule(&Parameter { name: p.name.to_lowercase(), ..p.clone() })));
            let path = unnamed(&route.url);
            let links = set(route.links.iter().map(ToString::to_string));
            all.insert(format!(
                "{} {} {path} {query} {headers} {schemes} {links} {body:?} {repeat:?}",
                operation.name, route.method
            ));
        }
    }
    all
}

fn issuer(slot: &str, oauth: &OAuth) -> String {
    let OAuth { token_url, authorize_url, revoke_url, metadata_url, scopes, values } = oauth;
    let (scopes, values) = (set(scopes.iter().cloned()), set(values.iter().cloned()));
    format!("{slot} {token_url:?} {authorize_url:?} {revoke_url:?} {metadata_url:?} {scopes} {values}")
}

fn set(items: impl Iterator<Item = String>) -> String {
    format!("{:?}", items.collect::<BTreeSet<String>>())
}

fn rule(parameter: &Parameter) -> String {
    match &parameter.values {
        Values::OneOf(values) => format!("{:?} {}", parameter.name, set(values.iter().cloned())),
        other => format!("{:?} {other:?}", parameter.name),
    }
}

/// A template without its parameters' names, shapes as they are read.
fn unnamed(url: &str) -> String {
    let template = Template::parse(url).unwrap();
    let part = |part: &str| match part.strip_prefix('{') {
        None => part.to_owned(),
        Some(inside) if inside.ends_with("..}") => "{..}".to_owned(),
        Some(inside) if inside.ends_with("*}") => "{*}".to_owned(),
        Some(inside) => {
            let shape = inside.trim_end_matches('}').split_once(':').map_or("text", |(_, shape)| shape);
            format!("{{{}}}", shape.parse::<portcullis_gate::Shape>().unwrap())
        }
    };
    template.as_str().split('/').map(part).collect::<Vec<_>>().join("/")
}
