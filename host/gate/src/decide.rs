//! The decision: may this request leave?
//!
//! Default deny. A request is allowed when one open route agrees with it in every respect: origin, method, path, query
//! names, credential slot and body. There is no rule that forbids: what no route allows does not happen.
//!
//! `decide` is total and pure, and allocates nothing on the way to `Allow`. It names the first respect in which the
//! request fell short of the route that came nearest.

use std::net::IpAddr;

use crate::{
    address::{AddressRefusal, judge_address},
    descriptor::Scheme,
    header::{Header, HeaderRefusal, judge_header},
    method::Method,
    powers::{OpenRoute, OperationPowers},
    url::RequestUrl,
};

/// An outbound request, as it will be sent but for the secret.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The URL, parsed.
    pub url: &'a RequestUrl,
    /// The header fields the guest set.
    pub headers: &'a [Header],
    /// Whether there is a body, even an empty one.
    pub body: bool,
    /// The slot of the credential the guest attached.
    pub slot: Option<&'a str>,
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may leave, by the open route of this number.
    Allow(usize),
    /// It may not.
    Deny(Reason),
}

/// Why a request may not leave. [`Denial`](crate::Denial) tells it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No open route has this origin.
    Origin,
    /// Routes at this origin, none with this method.
    Method,
    /// Routes at this origin with this method, none for this path.
    Path,
    /// A query parameter (the one of this number) that no matching route allows.
    Query(usize),
    /// A credential where the route has none, or another than the route's.
    Slot,
    /// No credential where the route has one.
    SlotMissing,
    /// A body where the route has none, or with GET or HEAD.
    Body,
    /// A header field (the one of this number) that the guest may not write.
    Header(usize, HeaderRefusal),
    /// An address in the URL that may not be dialled.
    Address(AddressRefusal),
}

impl Reason {
    /// The rule's name: stable, and the same in denials, ledger and documentation.
    pub fn rule(self) -> &'static str {
        match self {
            Reason::Origin => "origin-not-granted",
            Reason::Method => "method-not-granted",
            Reason::Path => "path-not-granted",
            Reason::Query(_) => "query-not-granted",
            Reason::Slot => "slot-not-granted",
            Reason::SlotMissing => "slot-missing",
            Reason::Body => "body-not-granted",
            Reason::Header(_, HeaderRefusal::Name | HeaderRefusal::Value) => "header-invalid",
            Reason::Header(_, HeaderRefusal::Reserved | HeaderRefusal::Slot) => "header-reserved",
            Reason::Address(_) => "address-not-allowed",
        }
    }
}

/// Decides about one request. Redirect hops are requests like any other.
pub fn decide(request: &Request<'_>, powers: &OperationPowers) -> Decision {
    let origin = request.url.origin();
    if !powers.has_origin(origin) {
        return Decision::Deny(Reason::Origin);
    }
    let candidates = powers.candidates(origin, request.method);
    if candidates.is_empty() {
        return Decision::Deny(Reason::Method);
    }
    // The nearest miss so far, by how many respects it got right.
    let mut nearest = (0, Reason::Path);
    for &number in candidates {
        let Some(route) = powers.routes.get(number) else { continue };
        match shortfall(request, route) {
            None => return address(request, powers).map_or(Decision::Allow(number), Decision::Deny),
            Some((rank, reason)) if rank > nearest.0 => nearest = (rank, reason),
            Some(_) => {}
        }
    }
    Decision::Deny(nearest.1)
}

/// The first respect in which a request falls short of a route, with its rank; none if it agrees in all.
fn shortfall(request: &Request<'_>, route: &OpenRoute) -> Option<(u8, Reason)> {
    if !route.template.matches_path(request.url.path()) {
        return Some((1, Reason::Path));
    }
    match (request.slot, &route.slot) {
        (None, None) => {}
        (Some(asked), Some((granted, _))) if asked == granted => {}
        (None, Some(_)) => return Some((2, Reason::SlotMissing)),
        (Some(_), _) => return Some((2, Reason::Slot)),
    }
    if let Some(position) = query_names(request.url).position(|name| !allows_query(route, name)) {
        return Some((3, Reason::Query(position)));
    }
    if request.body && (!route.body || matches!(request.method, Method::Get | Method::Head)) {
        return Some((4, Reason::Body));
    }
    let scheme = route.slot.as_ref().map(|(_, scheme)| scheme);
    request.headers.iter().enumerate().find_map(|(position, header)| {
        let refusal = judge_header(&header.name, &header.value, scheme).err()?;
        Some((5, Reason::Header(position, refusal)))
    })
}

/// An address in the URL is never seen by a resolver, so it is judged here.
fn address(request: &Request<'_>, powers: &OperationPowers) -> Option<Reason> {
    let address: IpAddr = request.url.address()?;
    let secure = request.url.scheme() == "https";
    judge_address(address, request.url.port(), secure, &powers.carve_outs).err().map(Reason::Address)
}

/// The names of the query's parameters, still encoded, in order.
pub(crate) fn query_names(url: &RequestUrl) -> impl Iterator<Item = &str> {
    url.query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
}

/// Whether a route allows a parameter of this name, and its slot does not write it.
fn allows_query(route: &OpenRoute, encoded: &str) -> bool {
    if let Some((_, Scheme::Query { name })) = &route.slot
        && decodes_to(encoded, name)
    {
        return false;
    }
    route.query.iter().any(|name| decodes_to(encoded, name))
}

/// Whether `encoded` (application/x-www-form-urlencoded) is `plain`. Allocates nothing.
fn decodes_to(encoded: &str, plain: &str) -> bool {
    let mut rest = encoded.as_bytes();
    let decoded = std::iter::from_fn(move || {
        let (first, tail) = rest.split_first()?;
        let hex = |b: &u8| char::from(*b).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                rest = tail;
                u8::try_from(hex(high)? * 16 + hex(low)?).ok()
            }
            (b'+', _) => {
                rest = tail;
                Some(b' ')
            }
            _ => {
                rest = tail;
                Some(*first)
            }
        }
    });
    decoded.eq(plain.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        descriptor::tests::sample,
        grant::Grant,
        powers::{Powers, tests::DIGEST},
    };

    const GRANT: &str = r#"
        operations = ["readItem", "send"]
        [[routes]]
        method = "GET"
        url = "https://api.example.com/items/{id}"
        query = ["q"]
        slot = "key"
        [[routes]]
        method = "GET"
        url = "https://open.example.com/status"
        [[routes]]
        method = "POST"
        url = "https://api.example.com/send"
        slot = "key"
    "#;

    fn powers() -> Powers {
        let grant = Grant::parse(&format!("adapter = \"{DIGEST}\"\n{GRANT}")).unwrap();
        Powers::new(DIGEST, &sample(), &grant).unwrap()
    }

    fn verdict(
        operation: &str,
        method: Method,
        url: &str,
        slot: Option<&str>,
        headers: &[(&str, &str)],
    ) -> &'static str {
        let url = RequestUrl::parse(url, 8192).unwrap();
        let headers: Vec<Header> =
            headers.iter().map(|(n, v)| Header { name: (*n).into(), value: v.as_bytes().to_vec() }).collect();
        let request = Request { method, url: &url, headers: &headers, body: false, slot };
        match decide(&request, powers().operation(operation).unwrap()) {
            Decision::Allow(_) => "allow",
            Decision::Deny(reason) => reason.rule(),
        }
    }

    #[test]
    fn a_request_that_a_route_allows_in_every_respect_leaves() {
        assert_eq!(
            verdict("readItem", Method::Get, "https://api.example.com/items/1?q=x&q=y", Some("key"), &[]),
            "allow"
        );
        assert_eq!(
            verdict("readItem", Method::Get, "https://open.example.com/status", None, &[("accept", "a/b")]),
            "allow"
        );
    }

    #[test]
    fn each_respect_has_its_own_rule() {
        use Method::{Delete, Get, Post};
        let read = |method, url, slot, headers: &[_]| verdict("readItem", method, url, slot, headers);
        let item = "https://api.example.com/items/1";
        assert_eq!(read(Get, "https://evil.example/items/1", Some("key"), &[]), "origin-not-granted");
        assert_eq!(read(Get, "http://api.example.com/items/1", Some("key"), &[]), "origin-not-granted");
        assert_eq!(read(Get, "https://api.example.com:444/items/1", Some("key"), &[]), "origin-not-granted");
        assert_eq!(read(Get, "https://api.example.com.evil.example/items/1", Some("key"), &[]), "origin-not-granted");
        assert_eq!(read(Delete, item, Some("key"), &[]), "method-not-granted");
        assert_eq!(read(Get, "https://api.example.com/items/1/secret", Some("key"), &[]), "path-not-granted");
        assert_eq!(read(Get, "https://api.example.com/items/", Some("key"), &[]), "path-not-granted");
        assert_eq!(read(Get, "https://api.example.com/items/1?admin=1", Some("key"), &[]), "query-not-granted");
        assert_eq!(read(Get, "https://api.example.com/items/1?q=1&%71x=1", Some("key"), &[]), "query-not-granted");
        assert_eq!(read(Get, item, None, &[]), "slot-missing");
        assert_eq!(read(Get, item, Some("mac"), &[]), "slot-not-granted");
        assert_eq!(read(Get, "https://open.example.com/status", Some("key"), &[]), "slot-not-granted");
        assert_eq!(read(Get, item, Some("key"), &[("Host", "evil")]), "header-reserved");
        assert_eq!(read(Get, item, Some("key"), &[("x-key", "mine")]), "header-reserved");
        assert_eq!(read(Get, item, Some("key"), &[("a", "b\r\nc")]), "header-invalid");
        assert_eq!(read(Post, "https://api.example.com/send", Some("key"), &[]), "method-not-granted");
    }

    #[test]
    fn an_encoded_parameter_name_is_the_name_it_decodes_to() {
        assert_eq!(
            verdict("readItem", Method::Get, "https://api.example.com/items/1?%71=x", Some("key"), &[]),
            "allow"
        );
        assert!(decodes_to("a%5Bb%5d+c", "a[b] c"));
        assert!(!decodes_to("a%5", "a["));
        assert!(decodes_to("a%zz", "a%zz"));
    }

    #[test]
    fn a_body_leaves_only_by_a_route_that_has_one() {
        let url = RequestUrl::parse("https://api.example.com/send", 8192).unwrap();
        let request = Request { method: Method::Post, url: &url, headers: &[], body: true, slot: Some("key") };
        let decision = decide(&request, powers().operation("send").unwrap());
        assert_eq!(decision, Decision::Deny(Reason::Body));
    }
}
