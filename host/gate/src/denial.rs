//! How a refusal is told: the rule, what was asked and granted, and the lines that would allow it.
//!
//! The text reaches the guest, the caller and the ledger, so it names nothing that the guest did not name itself: no
//! resolved address, no secret, no route of another operation.

use serde::{Deserialize, Serialize};

use crate::{
    address::{AddressRefusal, judge_address},
    body::BodyKind,
    decide::{Reason, Request, shortfall},
    descriptor::Scheme,
    grant::GrantedRoute,
    header::HeaderRefusal,
    intersect::MAX_COVERING,
    method::Method,
    powers::OperationPowers,
    printable::printable,
    query::{Decoded, is_slots, pairs, rules_for},
    url::{RequestUrl, UrlRefusal},
};

/// Longest piece of guest text repeated in a denial, in characters.
const QUOTE: usize = 200;

/// Most routes or origins that a denial lists.
const LISTED: usize = 5;
/// What the ceiling lacks where no grant can carve an address out.
const NOT_CARVED: &str = "`carve_outs` has nothing that holds it for this integration";
/// Longest lines that a denial gives, in bytes.
const MAX_LINES: usize = 4 * 1024;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The rule's name.
    pub rule: String,
    /// What was asked, as far as it was judged: method and URL without its query, or an operation's name.
    pub asked: String,
    /// What is granted in its place, at most five items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<String>,
    /// What was asked, what is granted and why that is not enough, in one or two sentences.
    pub message: String,
    /// The lines to add to the grant; none where no grant would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_with: Option<String>,
}

impl Denial {
    /// Tells why the gate denied a request.
    pub fn new(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> Self {
        let Request { method, url, .. } = *request;
        if let Reason::Address(refusal) = reason {
            return Self { asked: asked(method, url), ..Self::address(url, refusal, powers) };
        }
        let asked = asked(method, url);
        let granted = granted(reason, request, powers);
        let what = what(reason, request, powers);
        let above = powers.declared(method, url).next().and_then(|declared| {
            powers.above_ceiling(declared).or_else(|| is_kept_closed(url, powers).then(|| NOT_CARVED.to_owned()))
        });
        // What would help, and who would have to do it.
        let route_is_open = !matches!(reason, Reason::Origin | Reason::Method | Reason::Path);
        let (helps, allow_with) = match (reason, above, helping(reason, request, powers)) {
            (Reason::Slot | Reason::SlotMissing | Reason::Body | Reason::BodyKind | Reason::Header(..), ..) => {
                ("", None)
            }
            (_, Some(ceiling), _) => {
                let message = format!("{asked}: {what}. The host's ceiling is below it: {ceiling}.");
                return Self { rule: reason.rule().to_owned(), asked, granted, message, allow_with: None };
            }
            (_, None, Some(lines)) if route_is_open => {
                (" The adapter declares more than the grant allows.", Some(lines))
            }
            (_, None, Some(lines)) => (" The adapter declares it; the grant leaves it out.", Some(lines)),
            (_, None, None) if route_is_open => {
                (" The adapter declares no route that allows this request, so no grant can allow it.", None)
            }
            (_, None, None) => (" The adapter does not declare it, so no grant can allow it.", None),
        };
        let told = if granted.is_empty() { String::new() } else { format!(" Granted: {}.", granted.join(", ")) };
        let message = format!("{asked}: {what}.{helps}{told}");
        Self { rule: reason.rule().to_owned(), asked, granted, message, allow_with: allow_with.map(bounded) }
    }

    /// Tells why a text is not a URL that can be judged.
    pub fn url(text: &str, refusal: &UrlRefusal) -> Self {
        let asked = quote(&without_secrets(text));
        let message = format!("`{asked}`: {}.", printable(&refusal.to_string(), 2 * QUOTE));
        Self { rule: refusal.rule().to_owned(), asked, granted: Vec::new(), message, allow_with: None }
    }

    /// Tells that a URL's address, or one that its name resolved to, may not be dialled. Resolved addresses are not told.
    pub fn address(url: &RequestUrl, refusal: AddressRefusal, powers: &OperationPowers) -> Self {
        let (what, address) = match url.address() {
            Some(_) => ("is an address that may not be dialled", url.host()),
            None => ("resolves to an address that may not be dialled", "ADDRESS"),
        };
        let (above, allow_with) = match powers.may_be_carved_out(url) {
            true => (String::new(), Some(format!("carve_outs = [\"{address}:{}\"]\n", url.port()))),
            false => (format!(" The host's ceiling is below it: {NOT_CARVED}."), None),
        };
        Self {
            rule: "address-not-allowed".to_owned(),
            asked: quote(url.origin()),
            granted: Vec::new(),
            message: format!("{} {what}: {refusal}.{above}", quote(url.host())),
            allow_with,
        }
    }

    /// Tells that a slot may not be used. `rule` and `message` say why.
    pub fn slot(rule: &str, slot: &str, powers: &OperationPowers, message: String, allow_with: Option<String>) -> Self {
        let granted = powers.slots().take(LISTED).map(str::to_owned).collect();
        Self { rule: rule.to_owned(), asked: quote(slot), granted, message, allow_with: allow_with.map(bounded) }
    }

    /// Tells that an operation is not granted: it is not declared (`None`), or these are the routes it needs.
    pub fn operation(name: &str, granted: &[&str], needs: Option<&[GrantedRoute]>) -> Self {
        let told: Vec<&str> = granted.iter().copied().take(LISTED).collect();
        let more = if granted.len() > LISTED { format!(" and {} more", granted.len() - LISTED) } else { String::new() };
        let told = if granted.is_empty() { "none".to_owned() } else { told.join(", ") + &more };
        let name = quote(name);
        let rule = "operation-not-granted".to_owned();
        let listed = granted.iter().take(LISTED).map(|granted| (*granted).to_owned()).collect();
        let Some(routes) = needs else {
            let message = format!("the adapter has no operation `{name}`; granted: {told}.");
            return Self { rule, asked: name, granted: listed, message, allow_with: None };
        };
        let all: Vec<String> =
            granted.iter().map(|granted| format!("\"{granted}\"")).chain([format!("\"{name}\"")]).collect();
        let routes: String = routes.iter().map(|route| format!("\n{}", route.to_toml_lines())).collect();
        let message = format!("the operation `{name}` is not granted; granted: {told}.");
        let allow_with = format!("operations = [{}]\n{routes}", all.join(", "));
        Self { rule, asked: name, granted: listed, message, allow_with: Some(bounded(allow_with)) }
    }
}

/// Lines, or where they are too many to be recorded with every refusal, where to find them.
fn bounded(lines: String) -> String {
    if lines.len() <= MAX_LINES {
        return lines;
    }
    "# Too long to be told here; `portcullis inspect ADAPTER --grant` prints all that can be granted.\n".to_owned()
}

/// A text that is no good URL, without what nobody should read: user information, query and fragment.
fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("//").unwrap_or(("", text));
    let end = rest.find(['/', '\\']).unwrap_or(rest.len());
    match rest.get(..end).and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}//…{}", rest.get(at..).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Method and URL without its query, which may hold what nobody should read.
fn asked(method: Method, url: &RequestUrl) -> String {
    format!("{method} {}", quote(&format!("{}{}", url.origin(), url.path())))
}

/// What is wrong, in half a sentence.
fn what(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> String {
    let Request { method, url, headers, .. } = *request;
    let operation = &powers.operation;
    let pair = |position| pairs(url).nth(position);
    // A name without a value may be a value: `?TOKEN`.
    let name = |position| match pair(position) {
        Some((name, value)) if value.clone().next().is_some() => text(name),
        _ => "…".to_owned(),
    };
    let own = request.slot.and_then(|slot| powers.slot(slot)).and_then(Scheme::query_name);
    let header = |position: usize| quote(headers.get(position).map(|h| h.name.as_str()).unwrap_or_default());
    match reason {
        Reason::Origin => format!("no route to {} is open during `{operation}`", quote(url.origin())),
        Reason::Method => format!("no {method} route to {} is open during `{operation}`", quote(url.origin())),
        Reason::Path => format!("no {method} route to this path is open during `{operation}`"),
        Reason::Query(position) if pair(position).is_some_and(|(name, _)| is_slots(own, name)) => {
            format!("the query parameter `{}` is the credential's to write", name(position))
        }
        Reason::Query(position) => format!("the query parameter `{}` is not granted for this route", name(position)),
        Reason::QueryValue(position) => {
            format!("the query parameter `{}` may not have this value on this route", name(position))
        }
        Reason::Slot => {
            let slot = quote(request.slot.unwrap_or_default());
            format!("the credential `{slot}` does not belong to this route")
        }
        Reason::SlotMissing => {
            "this route carries a credential and none was attached; open its slot and pass the handle".to_owned()
        }
        Reason::Body => "this route has no request body".to_owned(),
        Reason::BodyKind => "the body's Content-Type must stand there once, and be one of this route's".to_owned(),
        Reason::Header(position, refusal) => {
            let why = match refusal {
                HeaderRefusal::Name => "its name is not a header name",
                HeaderRefusal::Value => "its value holds control characters",
                HeaderRefusal::Reserved => "only the host writes it",
                HeaderRefusal::Slot => "the credential's scheme writes it",
            };
            format!("the header `{}`: {why}", header(position))
        }
        Reason::HeaderName(position) => format!("the header `{}` is not granted for this route", header(position)),
        Reason::HeaderValue(position) => {
            format!("the header `{}` may not have this value on this route", header(position))
        }
        Reason::Address(refusal) => refusal.to_string(),
    }
}

/// What of the open routes comes nearest to what was asked.
fn granted(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> Vec<String> {
    let Request { method, url, .. } = *request;
    let routes = powers.routes().iter();
    let here = || powers.routes().iter().filter(|route| route.template.origin() == url.origin());
    let to_path = || here().filter(|route| route.method == method && route.template.matches_path(url.path()));
    let mut listed: Vec<String> = match reason {
        Reason::Origin => routes.map(|route| route.template.origin().to_owned()).collect(),
        Reason::Method => here().map(|route| format!("{} {}", route.method, route.template)).collect(),
        Reason::Path => {
            here().filter(|route| route.method == method).map(|route| format!("{method} {}", route.template)).collect()
        }
        Reason::Query(_) => to_path().flat_map(|route| &route.query).map(ToString::to_string).collect(),
        // The rules that stand for its name: beside them a `*` says nothing.
        Reason::QueryValue(position) => {
            let rules = |(name, _): (Decoded<'_>, _)| {
                to_path()
                    .flat_map(move |route| rules_for(&route.query, None, name.clone()))
                    .map(ToString::to_string)
                    .collect()
            };
            pairs(url).nth(position).map(rules).unwrap_or_default()
        }
        Reason::HeaderName(_) | Reason::HeaderValue(_) => {
            to_path().flat_map(|route| &route.headers).map(ToString::to_string).collect()
        }
        Reason::BodyKind => to_path().filter_map(|route| route.body.as_ref()).map(BodyKind::told).collect(),
        Reason::Slot | Reason::SlotMissing => {
            to_path().filter_map(|route| route.slot.as_ref()).map(|(slot, _)| slot.clone()).collect()
        }
        Reason::Body | Reason::Header(..) | Reason::Address(_) => Vec::new(),
    };
    let mut seen = std::collections::BTreeSet::new();
    listed.retain(|item| seen.insert(item.clone()));
    listed.truncate(LISTED);
    listed
}

/// The lines for a grant by which the request would get furthest, if it would get further than this reason.
fn helping(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> Option<String> {
    let mut best: Option<(u8, &GrantedRoute)> = None;
    // No more of them than a grant can open: a refusal must not take longer than a decision.
    for declared in powers.declared(request.method, request.url).take(MAX_COVERING) {
        let reached = shortfall(request, &declared.open).map_or(u8::MAX, Reason::rank);
        if reached > best.map_or(reason.rank(), |(reached, _)| reached) {
            best = Some((reached, &declared.granted));
        }
    }
    let (_, route) = best?;
    Some(carve_out_lines(request.url, powers) + &route.to_toml_lines())
}

/// Whether a URL needs a carve-out that the ceiling leaves to no grant of this integration.
fn is_kept_closed(url: &RequestUrl, powers: &OperationPowers) -> bool {
    let secure = url.scheme() == "https";
    let is_closed = |address| judge_address(address, url.port(), secure, &powers.carve_outs).is_err();
    url.address().map_or(!secure, is_closed) && !powers.may_be_carved_out(url)
}

/// The line without which a grant of a plain http route is refused; none where an open route shows that it is there.
fn carve_out_lines(url: &RequestUrl, powers: &OperationPowers) -> String {
    let is_alike = |other: &RequestUrl| other.scheme() == "http" && other.port() == url.port();
    if url.scheme() == "https" || powers.routes().iter().any(|route| is_alike(route.template.origin_url())) {
        return String::new();
    }
    let address = if url.address().is_some() { url.host() } else { "ADDRESS" };
    format!("carve_outs = [\"{address}:{}\"]\n", url.port())
}

/// A decoded piece of a query, fit to be shown.
fn text(decoded: Decoded<'_>) -> String {
    quote(&String::from_utf8_lossy(&decoded.collect::<Vec<u8>>()))
}

/// A piece of guest text, fit to be shown.
fn quote(text: &str) -> String {
    printable(text, QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::{Decision, decide},
        descriptor::tests::sample,
        method::Method,
        parameter::Parameter,
        powers::tests::{DIGEST, grant, powers_of},
    };

    fn denial(method: Method, url: &str) -> Denial {
        let powers = powers_of(&grant("")).unwrap();
        let powers = powers.operation("send").unwrap();
        let url = RequestUrl::parse(url, 8192).unwrap();
        let request = Request { method, url: &url, headers: &[], body: false, slot: Some("key") };
        match decide(&request, powers) {
            Decision::Deny(reason) => Denial::new(reason, &request, powers),
            Decision::Allow(_) => panic!("allowed"),
        }
    }

    #[test]
    fn what_is_declared_and_not_granted_ends_with_the_lines_to_add() {
        let denial = denial(Method::Post, "https://api.example.com/send");
        assert_eq!(denial.rule, "origin-not-granted");
        let lines = denial.allow_with.unwrap();
        assert_eq!(lines, "[[routes]]\nmethod = \"POST\"\nurl = \"https://api.example.com/send\"\nslot = \"key\"\n");
        powers_of(&grant(&lines)).unwrap();
    }

    /// The denial of a request without a credential, where this much of this adapter is granted.
    fn denied(descriptor: &crate::Descriptor, operation: &str, granted: &str, text: &str) -> Denial {
        let powers = crate::Powers::new(DIGEST, "sample", descriptor, &grant(granted), &crate::Ceiling::default());
        let powers = powers.unwrap();
        let powers = powers.operation(operation).unwrap();
        let url = RequestUrl::parse(text, 8192).unwrap();
        let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slot: None };
        let Decision::Deny(reason) = decide(&request, powers) else { panic!("allowed") };
        Denial::new(reason, &request, powers)
    }

    #[test]
    fn what_the_ceiling_forbids_is_said_to_be_above_it() {
        let ceiling = crate::Ceiling::parse("methods = [\"POST\"]").unwrap();
        let powers = crate::Powers::new(DIGEST, "sample", &sample(), &grant(""), &ceiling).unwrap();
        let url = RequestUrl::parse("https://open.example.com/status", 8192).unwrap();
        let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slot: None };
        let denial = Denial::new(Reason::Origin, &request, powers.operation("readItem").unwrap());
        assert_eq!(denial.allow_with, None);
        assert!(denial.message.contains("ceiling is below it: `methods` leaves out GET"), "{}", denial.message);
    }

    #[test]
    fn a_route_of_another_operation_is_not_told() {
        let denial = denied(&sample(), "send", "", "https://open.example.com/status");
        assert!(denial.allow_with.is_none() && denial.message.contains("no grant can allow it"), "{}", denial.message);
        assert!(denied(&sample(), "readItem", "", "https://open.example.com/status").allow_with.is_some());
    }

    #[test]
    fn the_lines_are_of_the_declared_route_by_which_the_request_gets_furthest() {
        let mut descriptor = sample();
        // To the same path: one with another credential, and one that has what is asked for.
        let with = |id: &str, slot: Option<&str>, query: &str| crate::Route {
            id: id.into(),
            url: "https://open.example.com/status".into(),
            slot: slot.map(str::to_owned),
            query: vec![Parameter::any(query)],
            ..sample().routes[2].clone()
        };
        descriptor.routes.insert(2, with("other-slot", Some("key"), "q"));
        descriptor.routes.push(with("other-query", None, "x"));
        descriptor.routes.push(with("fits", None, "q"));
        for id in ["other-slot", "other-query", "fits"] {
            descriptor.operations[0].routes.push(id.into());
        }
        let open = "[[routes]]\nmethod = \"GET\"\nurl = \"https://open.example.com/status\"\n";
        let denial = denied(&descriptor, "readItem", open, "https://open.example.com/status?q=1");
        assert_eq!(denial.rule, "query-not-granted");
        assert_eq!(denial.allow_with.unwrap(), format!("{open}query = [\"q\"]\n"));
        let denial = denied(&descriptor, "readItem", open, "https://open.example.com/status?y=1");
        assert!(denial.allow_with.is_none() && denial.message.contains("no route that allows this request"));
    }

    #[test]
    fn a_refusal_beside_a_star_tells_the_rule_that_stands_for_the_name() {
        let mut descriptor = sample();
        descriptor.slots[0].scheme = Scheme::Query { name: "key".into() };
        descriptor.routes[0].query = serde_json::from_str(r#"["*", { "name": "s", "one_of": ["x", "y"] }]"#).unwrap();
        let route = "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/items/{id}\"\nslot = \"key\"\n";
        let denied = |rules: &str, query: &str| {
            let grant = grant(&format!("{route}query = {rules}\n"));
            let powers = crate::Powers::new(DIGEST, "sample", &descriptor, &grant, &crate::Ceiling::default()).unwrap();
            let powers = powers.operation("readItem").unwrap();
            let url = RequestUrl::parse(&format!("https://api.example.com/items/1?{query}"), 100).unwrap();
            let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slot: Some("key") };
            let Decision::Deny(reason) = decide(&request, powers) else { panic!("allowed") };
            Denial::new(reason, &request, powers)
        };
        let lines = descriptor.routes[0].as_granted().to_toml_lines();
        let star = r#"["*", { name = "s", one_of = ["x"] }]"#;
        let value = denied(star, "a=1&s=y");
        assert_eq!((value.granted, value.allow_with), (vec!["s=x".to_owned()], Some(lines.clone())));
        let name = denied(r#"["a"]"#, "a=1&b=2");
        assert_eq!((name.granted, name.allow_with), (vec!["a".to_owned()], Some(lines)));
        let slots = denied(star, "a=1&KEY=2");
        assert!(slots.message.contains("the query parameter `KEY` is the credential's to write"), "{}", slots.message);
        assert_eq!(slots.allow_with, None);
    }

    #[test]
    fn a_plain_http_route_comes_with_its_carve_out_unless_there_is_one() {
        let mut descriptor = sample();
        descriptor.routes[2].url = "http://127.0.0.1:8025/{x}".into();
        let route = "[[routes]]\nmethod = \"GET\"\nurl = \"http://127.0.0.1:8025/{x}\"\n";
        let lines = denied(&descriptor, "readItem", "", "http://127.0.0.1:8025/a").allow_with.unwrap();
        assert_eq!(lines, format!("carve_outs = [\"127.0.0.1:8025\"]\n{route}"));
        let other = format!("carve_outs = [\"127.0.0.1:8025\"]\n{}", route.replace("{x}", "b"));
        let lines = denied(&descriptor, "readItem", &other, "http://127.0.0.1:8025/a").allow_with.unwrap();
        assert_eq!(lines, route);
        descriptor.routes[2].url = "http://open.example:8025/a".into();
        let lines = denied(&descriptor, "readItem", "", "http://open.example:8025/a").allow_with.unwrap();
        assert!(lines.starts_with("carve_outs = [\"ADDRESS:8025\"]\n"), "{lines}");
    }

    #[test]
    fn what_is_not_declared_says_that_no_grant_can_help() {
        let denial = denial(Method::Post, "https://evil.example/");
        assert!(denial.message.contains("no grant can allow it"), "{}", denial.message);
        assert_eq!(denial.allow_with, None);
    }

    #[test]
    fn an_operation_is_allowed_by_the_line_that_keeps_the_others_and_by_its_routes() {
        let route = GrantedRoute {
            method: Method::Get,
            url: "https://open.example.com/status".into(),
            query: Vec::new(),
            headers: Vec::new(),
            slot: None,
            limits: crate::RouteLimits::default(),
        };
        let lines = Denial::operation("readItem", &["send"], Some(&[route])).allow_with.unwrap();
        let grant = crate::Grant::parse(&format!("adapter = \"{DIGEST}\"\n{lines}")).unwrap();
        assert_eq!(grant.operations, ["send", "readItem"]);
        powers_of(&grant).unwrap();
    }

    #[test]
    fn no_more_declared_routes_are_held_against_a_request_than_a_grant_can_open() {
        for (before, told) in [(15, true), (16, false)] {
            let mut descriptor = sample();
            let send = descriptor.routes[1].clone();
            let helps = crate::Route { id: "helps".into(), query: vec![Parameter::any("q")], ..send.clone() };
            let others = (0..before).map(|i| crate::Route { id: format!("r{i}"), ..send.clone() });
            descriptor.routes = others.chain([helps]).collect();
            descriptor.operations[0].routes.clear();
            descriptor.operations[1].routes = descriptor.routes.iter().map(|route| route.id.clone()).collect();
            let grant = grant("");
            let powers = crate::Powers::new(DIGEST, "sample", &descriptor, &grant, &crate::Ceiling::default()).unwrap();
            let url = RequestUrl::parse("https://api.example.com/send?q=1", 100).unwrap();
            let request = Request { method: Method::Post, url: &url, headers: &[], body: false, slot: Some("key") };
            let denial = Denial::new(Reason::Origin, &request, powers.operation("send").unwrap());
            let lines = denial.allow_with.unwrap_or_default();
            assert_eq!(lines.contains("query"), told, "{before}: {lines}");
        }
    }

    #[test]
    fn what_nobody_should_read_is_not_told() {
        for text in [
            "https://user:hunter2@a.example/x",
            "https://a.example/x#hunter2",
            "https://a.example\\@b/?hunter2",
            "//hunter2@a",
        ] {
            let refusal = RequestUrl::parse(text, 100).unwrap_err();
            let told = format!("{:?}", Denial::url(text, &refusal));
            assert!(!told.contains("hunter2"), "{told}");
        }
        let many: Vec<String> = (0..1_000).map(|i| format!("operation{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let told = Denial::operation("x", &many, Some(&[]));
        assert!(told.message.len() < 500 && told.allow_with.unwrap().len() < 5_000);
    }

    #[test]
    fn a_resolved_address_is_not_told() {
        let powers = powers_of(&grant("")).unwrap();
        let url = RequestUrl::parse("https://api.example.com/", 100).unwrap();
        let refusal = AddressRefusal { range: "private", source: "RFC 1918" };
        let denial = Denial::address(&url, refusal, powers.operation("send").unwrap());
        assert_eq!(
            denial.message,
            "api.example.com resolves to an address that may not be dialled: private (RFC 1918)."
        );
    }

    #[test]
    fn no_carve_out_is_offered_that_the_ceiling_would_take_away() {
        let refusal = AddressRefusal { range: "private", source: "RFC 1918" };
        let offers = |ceiling: &str, text: &str| {
            let ceiling = crate::Ceiling::parse(ceiling).unwrap();
            let powers = crate::Powers::new(DIGEST, "sample", &sample(), &grant(""), &ceiling).unwrap();
            let url = RequestUrl::parse(text, 100).unwrap();
            let denial = Denial::address(&url, refusal, powers.operation("send").unwrap());
            assert_eq!(denial.message.contains("ceiling"), denial.allow_with.is_none(), "{}", denial.message);
            denial.allow_with.is_some()
        };
        let ours = "carve_outs = [{ addresses = \"10.0.0.0/8:80\", integrations = [\"sample\"] }]";
        let theirs = ours.replace("sample", "other");
        for (ceiling, url, offered) in [
            ("", "http://10.0.0.1/", true),
            ("carve_outs = []", "http://10.0.0.1/", false),
            ("carve_outs = []", "http://a.example/", false),
            (ours, "http://10.0.0.1/", true),
            (ours, "http://11.0.0.1/", false),
            (ours, "http://10.0.0.1:81/", false),
            (ours, "http://a.example/", true),
            (ours, "https://a.example/", false),
            ("carve_outs = [{ addresses = \"10.0.0.0/8\" }]", "https://a.example/", true),
            (theirs.as_str(), "http://10.0.0.1/", false),
            (theirs.as_str(), "http://a.example/", false),
        ] {
            assert_eq!(offers(ceiling, url), offered, "{ceiling} {url}");
        }
    }

    #[test]
    fn no_route_is_offered_whose_carve_out_the_ceiling_would_take_away() {
        let offers = |declared: &str, ceiling: &str| {
            let mut descriptor = sample();
            descriptor.routes[2].url = declared.into();
            let ceiling = crate::Ceiling::parse(ceiling).unwrap();
            let powers = crate::Powers::new(DIGEST, "sample", &descriptor, &grant(""), &ceiling).unwrap();
            let url = RequestUrl::parse(declared, 100).unwrap();
            let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slot: None };
            let denial = Denial::new(Reason::Origin, &request, powers.operation("readItem").unwrap());
            assert_eq!(denial.message.contains("ceiling"), denial.allow_with.is_none(), "{}", denial.message);
            denial.allow_with.is_some()
        };
        for (url, when_closed) in [
            ("http://127.0.0.1:8025/", false),
            ("http://a.example:8025/", false),
            ("https://10.0.0.1/", false),
            ("https://1.1.1.1/", true),
            ("https://a.example/", true),
        ] {
            assert!(offers(url, ""), "{url}");
            assert_eq!(offers(url, "carve_outs = []"), when_closed, "{url}");
        }
    }
}
