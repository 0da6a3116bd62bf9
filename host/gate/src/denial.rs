//! How a refusal is told: the rule, what was asked and granted, and the lines that would allow it.
//!
//! The text reaches the guest, the caller and the ledger, so it names nothing that the guest did not name itself: no
//! resolved address, no secret, no route of another operation.

use serde::{Deserialize, Serialize};

use crate::{
    address::AddressRefusal,
    decide::{Reason, Request, query_names},
    grant::GrantedRoute,
    header::HeaderRefusal,
    powers::OperationPowers,
    printable::printable,
    url::{RequestUrl, UrlRefusal},
};

/// Longest piece of guest text repeated in a denial, in characters.
const QUOTE: usize = 200;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The rule's name.
    pub rule: String,
    /// What was asked and what is granted, in one or two sentences.
    pub message: String,
    /// The lines to add to the grant; none where no grant would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_with: Option<String>,
}

impl Denial {
    /// Tells why the gate denied a request.
    pub fn new(reason: Reason, request: &Request<'_>, powers: &OperationPowers) -> Self {
        let Request { method, url, .. } = *request;
        let operation = &powers.operation;
        let asked = format!("{method} {}", quote(&format!("{}{}", url.origin(), url.path())));
        let declared = powers.declared(method, url.origin(), url.path());
        let (message, allow_with) = match reason {
            Reason::Origin | Reason::Method | Reason::Path => {
                let what = match reason {
                    Reason::Origin => format!("no route to {} is open during `{operation}`", quote(url.origin())),
                    Reason::Method => {
                        format!("no {method} route to {} is open during `{operation}`", quote(url.origin()))
                    }
                    _ => format!("no {method} route to this path is open during `{operation}`"),
                };
                match declared {
                    Some(route) => (
                        format!("{asked}: {what}. The adapter declares it; the grant leaves it out."),
                        Some(route.to_toml_lines()),
                    ),
                    None => {
                        (format!("{asked}: {what}. The adapter does not declare it, so no grant can allow it."), None)
                    }
                }
            }
            Reason::Query(position) => {
                let name = query_names(url).nth(position).unwrap_or_default();
                let lines = declared.filter(|route| route.query.iter().any(|q| q == name));
                (
                    format!("{asked}: the query parameter `{}` is not granted for this route.", quote(name)),
                    lines.map(|route| route.to_toml_lines()),
                )
            }
            Reason::Slot => (
                format!(
                    "{asked}: the credential `{}` does not belong to this route.",
                    quote(request.slot.unwrap_or_default())
                ),
                None,
            ),
            Reason::SlotMissing => (
                format!(
                    "{asked}: this route carries a credential and none was attached; open its slot and pass the handle."
                ),
                None,
            ),
            Reason::Body => (format!("{asked}: this route has no request body."), None),
            Reason::Header(position, refusal) => {
                let name = quote(request.headers.get(position).map(|h| h.name.as_str()).unwrap_or_default());
                let why = match refusal {
                    HeaderRefusal::Name => "its name is not a header name",
                    HeaderRefusal::Value => "its value holds control characters",
                    HeaderRefusal::Reserved => "only the host writes it",
                    HeaderRefusal::Slot => "the credential's scheme writes it",
                };
                (format!("{asked}: the header `{name}`: {why}."), None)
            }
            Reason::Address(refusal) => return Self::address(url, refusal),
        };
        Self { rule: reason.rule().to_owned(), message, allow_with }
    }

    /// Tells why a text is not a URL that can be judged.
    pub fn url(text: &str, refusal: &UrlRefusal) -> Self {
        Self {
            rule: refusal.rule().to_owned(),
            message: format!(
                "`{}`: {}.",
                quote(text.split('?').next().unwrap_or_default()),
                printable(&refusal.to_string(), 2 * QUOTE)
            ),
            allow_with: None,
        }
    }

    /// Tells that a URL's address, or one that its name resolved to, may not be dialled. Resolved addresses are not told.
    pub fn address(url: &RequestUrl, refusal: AddressRefusal) -> Self {
        let (what, address) = match url.address() {
            Some(_) => ("is an address that may not be dialled", url.host()),
            None => ("resolves to an address that may not be dialled", "ADDRESS"),
        };
        Self {
            rule: "address-not-allowed".to_owned(),
            message: format!("{} {what}: {refusal}.", quote(url.host())),
            allow_with: Some(format!("carve_outs = [\"{address}:{}\"]\n", url.port())),
        }
    }

    /// Tells that an operation is not granted: it is not declared (`None`), or these are the routes it needs.
    pub fn operation(name: &str, granted: &[&str], needs: Option<&[GrantedRoute]>) -> Self {
        let told = if granted.is_empty() { "none".to_owned() } else { granted.join(", ") };
        let name = quote(name);
        let rule = "operation-not-granted".to_owned();
        let Some(routes) = needs else {
            let message = format!("the adapter has no operation `{name}`; granted: {told}.");
            return Self { rule, message, allow_with: None };
        };
        let all: Vec<String> =
            granted.iter().map(|granted| format!("\"{granted}\"")).chain([format!("\"{name}\"")]).collect();
        let routes: String = routes.iter().map(|route| format!("\n{}", route.to_toml_lines())).collect();
        let message = format!("the operation `{name}` is not granted; granted: {told}.");
        Self { rule, message, allow_with: Some(format!("operations = [{}]\n{routes}", all.join(", "))) }
    }
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
        powers::{
            Powers,
            tests::{DIGEST, grant},
        },
    };

    fn denial(method: Method, url: &str) -> Denial {
        let powers = Powers::new(DIGEST, &sample(), &grant("")).unwrap();
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
        Powers::new(DIGEST, &sample(), &grant(&lines)).unwrap();
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
            slot: None,
        };
        let lines = Denial::operation("readItem", &["send"], Some(&[route])).allow_with.unwrap();
        let grant = crate::Grant::parse(&format!("adapter = \"{DIGEST}\"\n{lines}")).unwrap();
        assert_eq!(grant.operations, ["send", "readItem"]);
        Powers::new(DIGEST, &sample(), &grant).unwrap();
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
