//! The decision: may this request leave?
//!
//! Default deny. A request is allowed when one open route agrees with it in every respect: origin, method, path,
//! credential slot, query, body, header fields. There is no rule that forbids: what no route allows does not happen.
//!
//! `decide` is total and pure, and allocates nothing on the way to `Allow`. Of several routes that allow it takes the first
//! of the grant; if none does, it names the first respect in which the request fell short of the route that came nearest.
//! `specification.rs` says the same without an index, to be read; both are held against each other on random requests.

use std::net::IpAddr;

use crate::{
    address::{AddressRefusal, judge_address},
    descriptor::Scheme,
    header::{Header, HeaderRefusal, is_always_granted, judge_header},
    method::Method,
    parameter::Parameter,
    powers::{OpenRoute, OperationPowers, RouteId},
    query::{Decoded, pairs},
    repeat::Repeat,
    url::RequestUrl,
};

/// Longest value of the header field by which a request can be known again, in bytes.
pub(crate) const MAX_KEY: usize = 255;

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
    /// It may leave, by this open route.
    Allow(RouteId),
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
    /// A credential where the route has none, or another than the route's.
    Slot,
    /// No credential where the route has one.
    SlotMissing,
    /// A query parameter (the one of this number) that the route does not have.
    Query(usize),
    /// A value that the query parameter of this number may not have.
    QueryValue(usize),
    /// A body where the route has none.
    Body,
    /// A body whose `Content-Type` is missing, doubled or not of the route's kind.
    BodyKind,
    /// A header field (the one of this number) that no guest may write.
    Header(usize, HeaderRefusal),
    /// A header field (the one of this number) that the route does not have.
    HeaderName(usize),
    /// A value that the header field of this number may not have.
    HeaderValue(usize),
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
            Reason::Slot => "slot-not-granted",
            Reason::SlotMissing => "slot-missing",
            Reason::Query(_) => "query-not-granted",
            Reason::QueryValue(_) => "query-value-not-granted",
            Reason::Body => "body-not-granted",
            Reason::BodyKind => "body-kind-not-granted",
            Reason::Header(_, HeaderRefusal::Name | HeaderRefusal::Value) => "header-invalid",
            Reason::Header(_, HeaderRefusal::Reserved | HeaderRefusal::Slot) => "header-reserved",
            Reason::HeaderName(_) => "header-not-granted",
            Reason::HeaderValue(_) => "header-value-not-granted",
            Reason::Address(_) => "address-not-allowed",
        }
    }

    /// How much of a request was right before this: the higher, the nearer was the route.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Reason::Origin => 0,
            Reason::Method => 1,
            Reason::Path => 2,
            Reason::Slot | Reason::SlotMissing => 3,
            Reason::Query(_) | Reason::QueryValue(_) => 4,
            Reason::Body | Reason::BodyKind => 5,
            Reason::Header(..) | Reason::HeaderName(_) | Reason::HeaderValue(_) => 6,
            Reason::Address(_) => 7,
        }
    }
}

/// Decides about one request. Redirect hops are requests like any other.
pub fn decide(request: &Request<'_>, powers: &OperationPowers) -> Decision {
    let Some(methods) = powers.index.origin(request.url.origin()) else {
        return Decision::Deny(Reason::Origin);
    };
    let Some(Some(tree)) = methods.get(request.method.index()) else {
        return Decision::Deny(Reason::Method);
    };
    let mut allowed: Option<usize> = None;
    let mut nearest: Option<(usize, Reason)> = None;
    tree.find(request.url.path(), &mut |number| {
        let Some(route) = powers.routes.get(number) else { return };
        match shortfall(request, route) {
            None => allowed = Some(allowed.map_or(number, |first| first.min(number))),
            Some(reason) => {
                let nearer = nearest.is_none_or(|(first, known)| {
                    reason.rank() > known.rank() || (reason.rank() == known.rank() && number < first)
                });
                if nearer {
                    nearest = Some((number, reason));
                }
            }
        }
    });
    match (allowed, nearest) {
        (Some(number), _) => address(request, powers).map_or(Decision::Allow(RouteId(number)), Decision::Deny),
        (None, Some((_, reason))) => Decision::Deny(reason),
        (None, None) => Decision::Deny(Reason::Path),
    }
}

/// The first respect in which a request falls short of a route to its path; none if it agrees in all.
pub(crate) fn shortfall(request: &Request<'_>, route: &OpenRoute) -> Option<Reason> {
    match (request.slot, &route.slot) {
        (None, None) => {}
        (Some(asked), Some((granted, _))) if asked == granted => {}
        (None, Some(_)) => return Some(Reason::SlotMissing),
        (Some(_), _) => return Some(Reason::Slot),
    }
    let scheme = route.slot.as_ref().map(|(_, scheme)| scheme);
    for (position, (name, value)) in pairs(request.url).enumerate() {
        match judge_query(name, value, &route.query, scheme) {
            Some(true) => {}
            Some(false) => return Some(Reason::QueryValue(position)),
            None => return Some(Reason::Query(position)),
        }
    }
    if request.body {
        match &route.body {
            None => return Some(Reason::Body),
            Some(kind) if !kind.is_said_by(request.headers) => return Some(Reason::BodyKind),
            Some(_) => {}
        }
    }
    for (position, header) in request.headers.iter().enumerate() {
        if let Err(refusal) = judge_header(&header.name, &header.value, scheme) {
            return Some(Reason::Header(position, refusal));
        }
        match allows_header(header, route) {
            Some(true) => {}
            Some(false) => return Some(Reason::HeaderValue(position)),
            None => return Some(Reason::HeaderName(position)),
        }
    }
    None
}

/// Whether a parameter may be sent with this value; none if it may not be sent at all, or is the slot's to write.
fn judge_query(name: Decoded<'_>, value: Decoded<'_>, allowed: &[Parameter], scheme: Option<&Scheme>) -> Option<bool> {
    if matches!(scheme, Some(Scheme::Query { name: own }) if name.clone().eq(own.bytes())) {
        return None;
    }
    judge(allowed.iter().filter(|parameter| name.clone().eq(parameter.name.bytes())), value)
}

/// Whether a header field that a guest may write may be sent with this value; none if not at all.
fn allows_header(header: &Header, route: &OpenRoute) -> Option<bool> {
    if is_always_granted(&header.name) {
        return Some(true);
    }
    let is = |name: &str| name.eq_ignore_ascii_case(&header.name);
    let granted = route.headers.iter().filter(|parameter| is(&parameter.name));
    judge(granted, header.value.iter().copied()).or_else(|| match &route.repeat {
        Repeat::WithKey(name) if is(name) => Some((1..=MAX_KEY).contains(&header.value.len())),
        _ => None,
    })
}

/// Whether one of the parameters allows this value; none if there is none.
fn judge<'a>(parameters: impl Iterator<Item = &'a Parameter>, value: impl Iterator<Item = u8> + Clone) -> Option<bool> {
    parameters.fold(None, |so_far, parameter| Some(so_far == Some(true) || parameter.allows(value.clone())))
}

/// An address in the URL is never seen by a resolver, so it is judged here.
fn address(request: &Request<'_>, powers: &OperationPowers) -> Option<Reason> {
    let address: IpAddr = request.url.address()?;
    let secure = request.url.scheme() == "https";
    judge_address(address, request.url.port(), secure, &powers.carve_outs).err().map(Reason::Address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        body::BodyKind,
        ceiling::Ceiling,
        descriptor::{Descriptor, RequestBody, tests::sample},
        grant::Grant,
        parameter::Values,
        powers::{
            Powers,
            tests::{DIGEST, powers_of},
        },
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
        powers_of(&grant).unwrap()
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
        let url = "https://api.example.com/items/1?%71=x";
        assert_eq!(verdict("readItem", Method::Get, url, Some("key"), &[]), "allow");
    }

    /// The sample adapter with a POST of JSON that has rules for its query, headers and repeats.
    fn ruled() -> (Descriptor, Grant) {
        let mut descriptor = sample();
        let route = &mut descriptor.routes[1];
        let values = Values::Shape("digits(1..3)".parse().unwrap());
        route.query = vec![Parameter { name: "limit".into(), values }];
        let values = Values::OneOf(vec!["a".into(), "b".into()]);
        route.headers = vec![Parameter { name: "X-Mode".into(), values }, Parameter::any("X-Any")];
        route.repeat = Repeat::WithKey("Idempotency-Key".into());
        route.request = Some(RequestBody { kind: BodyKind::Json, schema: Some("{}".into()) });
        let lines = route.as_granted().to_toml_lines();
        (descriptor, Grant::parse(&format!("adapter = \"{DIGEST}\"\noperations = [\"send\"]\n{lines}")).unwrap())
    }

    fn ruled_verdict(query: &str, headers: &[(&str, &str)], body: bool) -> &'static str {
        let (descriptor, grant) = ruled();
        let powers = Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).unwrap();
        let url = RequestUrl::parse(&format!("https://api.example.com/send{query}"), 20_000).unwrap();
        let headers: Vec<Header> =
            headers.iter().map(|(n, v)| Header { name: (*n).into(), value: v.as_bytes().to_vec() }).collect();
        let request = Request { method: Method::Post, url: &url, headers: &headers, body, slot: Some("key") };
        match decide(&request, powers.operation("send").unwrap()) {
            Decision::Allow(_) => "allow",
            Decision::Deny(reason) => reason.rule(),
        }
    }

    #[test]
    fn query_values_are_those_of_the_rule() {
        for (query, verdict) in [
            ("?limit=12", "allow"),
            ("?limit=%31%32", "allow"),
            ("?limit=1&limit=2", "allow"),
            ("?limit=1234", "query-value-not-granted"),
            ("?limit=1&limit=x", "query-value-not-granted"),
            ("?limit", "query-value-not-granted"),
            ("?limit=%2031", "query-value-not-granted"),
            ("?Limit=1", "query-not-granted"),
            ("?limit%00=1", "query-not-granted"),
        ] {
            assert_eq!(ruled_verdict(query, &[], false), verdict, "{query}");
        }
    }

    #[test]
    fn header_fields_are_those_of_the_route() {
        let long = "x".repeat(256);
        for (name, value, verdict) in [
            ("X-Mode", "a", "allow"),
            ("x-mode", "b", "allow"),
            ("X-Mode", "c", "header-value-not-granted"),
            ("X_Mode", "a", "header-not-granted"),
            ("X-Any", "", "allow"),
            ("X-Other", "a", "header-not-granted"),
            ("Accept-Language", "de", "allow"),
            ("User_Agent", "x", "header-not-granted"),
            ("idempotency-key", "k", "allow"),
            ("Idempotency-Key", "", "header-value-not-granted"),
            ("Idempotency-Key", &long[1..], "allow"),
            ("Idempotency-Key", &long, "header-value-not-granted"),
            ("Cookie", "a", "header-reserved"),
        ] {
            assert_eq!(ruled_verdict("", &[(name, value)], false), verdict, "{name}: {value}");
        }
    }

    #[test]
    fn a_body_is_of_the_routes_kind_and_says_so_once() {
        let json = ("Content-Type", "application/json");
        assert_eq!(ruled_verdict("", &[json], true), "allow");
        assert_eq!(ruled_verdict("", &[], false), "allow");
        for headers in
            [&[][..], &[("Content-Type", "text/html")], &[json, json], &[json, ("Content_Type", "text/html")]]
        {
            assert_eq!(ruled_verdict("", headers, true), "body-kind-not-granted", "{headers:?}");
        }
    }

    #[test]
    fn a_body_leaves_only_by_a_route_that_has_one() {
        let url = RequestUrl::parse("https://api.example.com/send", 8192).unwrap();
        let request = Request { method: Method::Post, url: &url, headers: &[], body: true, slot: Some("key") };
        let decision = decide(&request, powers().operation("send").unwrap());
        assert_eq!(decision, Decision::Deny(Reason::Body));
    }

    #[test]
    fn the_first_route_of_the_grant_that_allows_is_taken_and_else_the_nearest_is_told() {
        let mut grant = Grant::parse(&format!("adapter = \"{DIGEST}\"\n{GRANT}")).unwrap();
        let narrow = "https://api.example.com/items/me";
        grant.routes.insert(0, crate::GrantedRoute { url: narrow.into(), ..grant.routes[0].clone() });
        grant.routes[0].query.clear();
        let powers = powers_of(&grant).unwrap();
        let powers = powers.operation("readItem").unwrap();
        let decision = |url: &str, slot| {
            let url = RequestUrl::parse(url, 8192).unwrap();
            decide(&Request { method: Method::Get, url: &url, headers: &[], body: false, slot }, powers)
        };
        assert_eq!(decision(narrow, Some("key")), Decision::Allow(RouteId(0)));
        assert_eq!(decision("https://api.example.com/items/me?q=1", Some("key")), Decision::Allow(RouteId(1)));
        assert_eq!(decision("https://api.example.com/items/me?x=1", Some("key")), Decision::Deny(Reason::Query(0)));
        assert_eq!(decision("https://api.example.com/items/me?x=1", None), Decision::Deny(Reason::SlotMissing));
    }

    /// What is said of a GET by two routes of one operation that both stand for its path.
    fn of_two(
        first: &crate::Route,
        second: &crate::Route,
        query: &str,
        headers: &[Header],
        slot: Option<&str>,
    ) -> Decision {
        let mut descriptor = sample();
        descriptor.routes = vec![first.clone(), second.clone()];
        descriptor.operations.truncate(1);
        descriptor.operations[0].routes = vec!["first".into(), "second".into()];
        let lines: String = descriptor.routes.iter().map(|route| route.as_granted().to_toml_lines()).collect();
        let grant = format!("adapter = \"{DIGEST}\"\noperations = [\"readItem\"]\n{lines}");
        let powers =
            Powers::new(DIGEST, "sample", &descriptor, &Grant::parse(&grant).unwrap(), &Ceiling::default()).unwrap();
        let url = RequestUrl::parse(&format!("https://api.example.com/items/me{query}"), 8192).unwrap();
        let request = Request { method: Method::Get, url: &url, headers, body: false, slot };
        decide(&request, powers.operation("readItem").unwrap())
    }

    #[test]
    fn the_nearest_route_tells_why_and_of_two_as_near_the_first() {
        let item = &sample().routes[0];
        let first = |query: &str| crate::Route {
            id: "first".into(),
            url: "https://api.example.com/items/{id}".into(),
            query: vec![Parameter::any(query)],
            ..item.clone()
        };
        let second = |query: &str| crate::Route {
            id: "second".into(),
            url: "https://api.example.com/items/me".into(),
            ..first(query)
        };
        // The second stands first in the index, where literals come before parameters; the first still tells.
        let told = of_two(&first("a"), &second("b"), "?a=1&b=2", &[], Some("key"));
        assert_eq!(told, Decision::Deny(Reason::Query(1)));
        let told = of_two(&first("b"), &second("a"), "?a=1&b=2", &[], Some("key"));
        assert_eq!(told, Decision::Deny(Reason::Query(0)));
        // Whichever is first: the one that got further tells.
        let header = [Header { name: "x-other".into(), value: Vec::new() }];
        let unsent = |route: crate::Route| crate::Route { slot: None, ..route };
        for (first, second) in [
            (first("q"), second("a")),
            (first("a"), second("q")),
            (unsent(first("q")), second("q")),
            (first("q"), unsent(second("q"))),
        ] {
            let told = of_two(&first, &second, "?q=1", &header, Some("key"));
            assert_eq!(told, Decision::Deny(Reason::HeaderName(0)));
        }
    }

    #[test]
    fn reasons_are_ranked_in_the_order_in_which_a_request_is_judged() {
        let refusal = AddressRefusal { range: "", source: "" };
        let in_order = [
            vec![Reason::Origin],
            vec![Reason::Method],
            vec![Reason::Path],
            vec![Reason::Slot, Reason::SlotMissing],
            vec![Reason::Query(1), Reason::QueryValue(0)],
            vec![Reason::Body, Reason::BodyKind],
            vec![Reason::Header(1, HeaderRefusal::Name), Reason::HeaderName(0), Reason::HeaderValue(2)],
            vec![Reason::Address(refusal)],
        ];
        for (rank, reasons) in in_order.iter().enumerate() {
            assert!(reasons.iter().all(|reason| usize::from(reason.rank()) == rank), "{reasons:?}");
        }
    }
}
