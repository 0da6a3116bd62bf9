//! How a refusal is told: the rule, what was asked and granted, and the lines that would allow it.
//!
//! The text reaches the guest, the caller and the ledger, so it names nothing that the guest did not name itself: no
//! resolved address, no secret, no route of another operation.

use serde::{Deserialize, Serialize};

use crate::{
    address::AddressRefusal,
    body::BodyKind,
    decide::{Reason, Request},
    grant::GrantedRoute,
    header::HeaderRefusal,
    method::Method,
    parameter::Parameter,
    powers::OperationPowers,
    printable::printable,
    query::{Decoded, pairs},
    url::{RequestUrl, UrlRefusal},
};

/// Longest piece of guest text repeated in a denial, in characters.
const QUOTE: usize = 200;

/// Most routes or origins that a denial lists.
const LISTED: usize = 5;

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
            return Self { asked: asked(method, url), ..Self::address(url, refusal) };
        }
        let asked = asked(method, url);
        let granted = granted(reason, request, powers);
        let declared = powers.declared(method, url.origin(), url.path());
        let what = what(reason, request, powers);
        // What would help, and who would have to do it.
        let (helps, allow_with) = match (reason, declared) {
            (Reason::Slot | Reason::SlotMissing | Reason::Body | Reason::BodyKind | Reason::Header(..), _) => {
                ("", None)
            }
            (_, Some((_, Some(ceiling)))) => {
                let message = format!("{asked}: {what}. The host's ceiling is below it: {ceiling}.");
                return Self { rule: reason.rule().to_owned(), asked, granted, message, allow_with: None };
            }
            (Reason::Origin | Reason::Method | Reason::Path, None) => {
                (" The adapter does not declare it, so no grant can allow it.", None)
            }
            (Reason::Origin | Reason::Method | Reason::Path, Some((route, None))) => {
                (" The adapter declares it; the grant leaves it out.", Some(route.to_toml_lines()))
            }
            (_, Some((route, None))) if helps(reason, request, route) => {
                (" The adapter declares more than the grant allows.", Some(route.to_toml_lines()))
            }
            _ => (" The adapter does not declare it, so no grant can allow it.", None),
        };
        let told = if granted.is_empty() { String::new() } else { format!(" Granted: {}.", granted.join(", ")) };
        let message = format!("{asked}: {what}.{helps}{told}");
        Self { rule: reason.rule().to_owned(), asked, granted, message, allow_with }
    }

    /// Tells why a text is not a URL that can be judged.
    pub fn url(text: &str, refusal: &UrlRefusal) -> Self {
        let asked = quote(text.split('?').next().unwrap_or_default());
        let message = format!("`{asked}`: {}.", printable(&refusal.to_string(), 2 * QUOTE));
        Self { rule: refusal.rule().to_owned(), asked, granted: Vec::new(), message, allow_with: None }
    }

    /// Tells that a URL's address, or one that its name resolved to, may not be dialled. Resolved addresses are not told.
    pub fn address(url: &RequestUrl, refusal: AddressRefusal) -> Self {
        let (what, address) = match url.address() {
            Some(_) => ("is an address that may not be dialled", url.host()),
            None => ("resolves to an address that may not be dialled", "ADDRESS"),
        };
        Self {
            rule: "address-not-allowed".to_owned(),
            asked: quote(url.origin()),
            granted: Vec::new(),
            message: format!("{} {what}: {refusal}.", quote(url.host())),
            allow_with: Some(format!("carve_outs = [\"{address}:{}\"]\n", url.port())),
        }
    }

    /// The same refusal, of a request that a redirect led to.
    #[must_use]
    pub fn after_redirect(mut self, from: &RequestUrl) -> Self {
        self.message = format!("a redirect from {} was not followed: {}", quote(from.origin()), self.message);
        self
    }

    /// Tells that an operation is not granted: it is not declared (`None`), or these are the routes it needs.
    pub fn operation(name: &str, granted: &[&str], needs: Option<&[GrantedRoute]>) -> Self {
        let told = if granted.is_empty() { "none".to_owned() } else { granted.join(", ") };
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
        let allow_with = Some(format!("operations = [{}]\n{routes}", all.join(", ")));
        Self { rule, asked: name, granted: listed, message, allow_with }
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
    let name = |position| pair(position).map(|(name, _)| text(name)).unwrap_or_default();
    let header = |position: usize| quote(headers.get(position).map(|h| h.name.as_str()).unwrap_or_default());
    match reason {
        Reason::Origin => format!("no route to {} is open during `{operation}`", quote(url.origin())),
        Reason::Method => format!("no {method} route to {} is open during `{operation}`", quote(url.origin())),
        Reason::Path => format!("no {method} route to this path is open during `{operation}`"),
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
        Reason::Query(_) | Reason::QueryValue(_) => {
            to_path().flat_map(|route| &route.query).map(ToString::to_string).collect()
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

/// Whether granting a declared route in full would take away this reason.
fn helps(reason: Reason, request: &Request<'_>, route: &GrantedRoute) -> bool {
    let allowed = |parameters: &[Parameter], name: &str, value: &[u8]| {
        parameters.iter().any(|p| p.name.eq_ignore_ascii_case(name) && p.allows(value.iter().copied()))
    };
    match reason {
        Reason::Query(position) | Reason::QueryValue(position) => pairs(request.url)
            .nth(position)
            .is_some_and(|(name, value)| allowed(&route.query, &text(name), &value.collect::<Vec<u8>>())),
        Reason::HeaderName(position) | Reason::HeaderValue(position) => {
            request.headers.get(position).is_some_and(|header| allowed(&route.headers, &header.name, &header.value))
        }
        _ => false,
    }
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
        method::Method,
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
    fn a_resolved_address_is_not_told() {
        let url = RequestUrl::parse("https://api.example.com/", 100).unwrap();
        let denial = Denial::address(&url, AddressRefusal { range: "private", source: "RFC 1918" });
        assert_eq!(
            denial.message,
            "api.example.com resolves to an address that may not be dialled: private (RFC 1918)."
        );
    }
}
