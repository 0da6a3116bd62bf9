//! What leaves and what does not, and which reason is told.

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
    scheme::Scheme,
};

const GRANT: &str = r#"
    operations = ["readItem", "send"]
    [[routes]]
    method = "GET"
    url = "https://api.example.com/items/{id}"
    query = ["q"]
    slots = ["key"]
    [[routes]]
    method = "GET"
    url = "https://open.example.com/status"
    [[routes]]
    method = "POST"
    url = "https://api.example.com/send"
    slots = ["key"]
"#;

fn powers() -> Powers {
    let grant = Grant::parse(&format!("adapter = \"{DIGEST}\"\n{GRANT}")).unwrap();
    powers_of(&grant).unwrap()
}

fn owned(slot: Option<&str>) -> Vec<String> {
    slot.map(str::to_owned).into_iter().collect()
}

fn verdict(operation: &str, method: Method, url: &str, slot: Option<&str>, headers: &[(&str, &str)]) -> &'static str {
    let url = RequestUrl::parse(url, 8192).unwrap();
    let headers: Vec<Header> =
        headers.iter().map(|(n, v)| Header { name: (*n).into(), value: v.as_bytes().to_vec() }).collect();
    let request = Request { method, url: &url, headers: &headers, body: false, slots: &owned(slot), written: &[] };
    match decide(&request, powers().operation(operation).unwrap()) {
        Decision::Allow(_) => "allow",
        Decision::Deny(reason) => reason.rule(),
    }
}

#[test]
fn a_request_that_a_route_allows_in_every_respect_leaves() {
    assert_eq!(verdict("readItem", Method::Get, "https://api.example.com/items/1?q=x&q=y", Some("key"), &[]), "allow");
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
    route.repeat = crate::Repeat::WithKey("Idempotency-Key".into());
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
    let request =
        Request { method: Method::Post, url: &url, headers: &headers, body, slots: &["key".to_owned()], written: &[] };
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
    for headers in [&[][..], &[("Content-Type", "text/html")], &[json, json], &[json, ("Content_Type", "text/html")]] {
        assert_eq!(ruled_verdict("", headers, true), "body-kind-not-granted", "{headers:?}");
    }
}

#[test]
fn a_body_leaves_only_by_a_route_that_has_one() {
    let url = RequestUrl::parse("https://api.example.com/send", 8192).unwrap();
    let request =
        Request { method: Method::Post, url: &url, headers: &[], body: true, slots: &["key".to_owned()], written: &[] };
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
        decide(
            &Request { method: Method::Get, url: &url, headers: &[], body: false, slots: &owned(slot), written: &[] },
            powers,
        )
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
    let request = Request { method: Method::Get, url: &url, headers, body: false, slots: &owned(slot), written: &[] };
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
    let unsent = |route: crate::Route| crate::Route { slots: Vec::new(), ..route };
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
        vec![Reason::Link],
        vec![Reason::Slot(2), Reason::SlotMissing],
        vec![Reason::Query(1), Reason::QueryValue(0)],
        vec![Reason::Body, Reason::BodyKind],
        vec![Reason::Header(1, HeaderRefusal::Name), Reason::HeaderName(0), Reason::HeaderValue(2)],
        vec![Reason::Address(refusal)],
    ];
    for (rank, reasons) in in_order.iter().enumerate() {
        assert!(reasons.iter().all(|reason| usize::from(reason.rank()) == rank), "{reasons:?}");
    }
}

#[test]
fn a_route_of_links_takes_what_was_written_where_it_looks_and_nothing_else() {
    let mut descriptor = sample();
    let places = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<crate::LinkPlace>>();
    descriptor.routes[0].url = "https://api.example.com/items/{link*}".into();
    descriptor.routes[0].links = places(&["rel=next", "/next"]);
    let decided = |links: &str, path: &str, written: &[&str]| {
        let lines = format!(
            "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/items/{{l*}}\"\nslots = [\"key\"]\n{links}\n"
        );
        let powers =
            Powers::new(DIGEST, "sample", &descriptor, &crate::powers::tests::grant(&lines), &Ceiling::default())
                .map_err(|error| error.to_string())?;
        let powers = powers.operation("readItem").unwrap();
        let url = RequestUrl::parse(&format!("https://api.example.com{path}"), 8192).unwrap();
        let (slots, written) = (["key".to_owned()], places(written));
        let request =
            Request { method: Method::Get, url: &url, headers: &[], body: false, slots: &slots, written: &written };
        assert_eq!(decide(&request, powers), crate::decide_by_specification(&request, powers));
        Ok::<_, String>(decide(&request, powers))
    };
    let both = "links = [\"rel=next\", \"/next\"]";
    let unwritten = Ok(Decision::Deny(Reason::Link));
    assert_eq!(decided(both, "/items", &["/next"]), Ok(Decision::Allow(RouteId(0))));
    assert_eq!(decided(both, "/items//x/", &["rel=prev", "rel=next"]), Ok(Decision::Allow(RouteId(0))));
    assert_eq!(decided("links = [\"/next\"]", "/items", &["rel=next"]), unwritten);
    assert_eq!(
        (decided(both, "/items/1", &[]), decided(both, "/items/1", &["/other"])),
        (unwritten.clone(), unwritten)
    );
    assert_eq!(decided(both, "/itemsx", &["/next"]), Ok(Decision::Deny(Reason::Path)));
    assert_eq!(decided(both, "/items?q=1&x=1", &["/next"]), Ok(Decision::Deny(Reason::Query(0))));
    let error = decided("links = [\"rel=last\"]", "/items", &[]).unwrap_err();
    assert!(error.contains("declares links at rel=next, /next, not at `rel=last`"), "{error}");
    let plain = "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/items/{id}\"\nslots = [\"key\"]\n";
    let grant = crate::powers::tests::grant(plain);
    let error = Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).unwrap_err().to_string();
    assert!(error.contains("stands for links at rel=next, /next alone; write them in `links`"), "{error}");
}

#[test]
fn a_key_that_the_grant_leaves_out_is_not_sent() {
    let (descriptor, mut grant) = ruled();
    assert!(
        grant.routes[0].headers.iter().any(|header| header.name == "Idempotency-Key"),
        "it is granted like any other"
    );
    grant.routes[0].headers.retain(|header| header.name != "Idempotency-Key");
    let powers = Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).unwrap();
    let url = RequestUrl::parse("https://api.example.com/send", 8192).unwrap();
    let headers = [Header { name: "Idempotency-Key".into(), value: b"k".to_vec() }];
    let request = Request {
        method: Method::Post,
        url: &url,
        headers: &headers,
        body: false,
        slots: &["key".to_owned()],
        written: &[],
    };
    assert_eq!(decide(&request, powers.operation("send").unwrap()), Decision::Deny(Reason::HeaderName(0)));
}

/// What is said of a GET with this query, where the item's route declares and is granted these rules.
fn starred_verdict(scheme: Scheme, rules: &str, query: &str) -> &'static str {
    let mut descriptor = sample();
    descriptor.slots[0].scheme = scheme;
    descriptor.routes[0].query = serde_json::from_str(rules).unwrap();
    let lines = descriptor.routes[0].as_granted().to_toml_lines();
    let grant = Grant::parse(&format!("adapter = \"{DIGEST}\"\noperations = [\"readItem\"]\n{lines}")).unwrap();
    let powers = Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).unwrap();
    let url = RequestUrl::parse(&format!("https://api.example.com/items/1?{query}"), 20_000).unwrap();
    let request =
        Request { method: Method::Get, url: &url, headers: &[], body: false, slots: &["key".to_owned()], written: &[] };
    match decide(&request, powers.operation("readItem").unwrap()) {
        Decision::Allow(_) => "allow",
        Decision::Deny(reason) => reason.rule(),
    }
}

#[test]
fn a_star_stands_for_every_query_parameter_that_is_not_listed() {
    let long = format!("a={}", "x".repeat(8_193));
    let star = r#"["*"]"#;
    let listed = r#"[{ "name": "status", "one_of": ["open"] }, { "name": "*", "shape": "word(1..3)" }]"#;
    for (rules, query, verdict) in [
        (star, "_getpages=1&_has:Observation:patient:code=x&&=y&TOKEN&%00=%ff", "allow"),
        (star, "*=x&%2a=x", "allow"),
        (star, long.as_str(), "query-value-not-granted"),
        (listed, "status=open&a=b&Status=x", "allow"),
        (listed, "a=b&status=new", "query-value-not-granted"),
        (listed, "%73tatus=new", "query-value-not-granted"),
        (listed, "a=four", "query-value-not-granted"),
        (listed, "a", "query-value-not-granted"),
        (r#"["a"]"#, "*=x", "query-not-granted"),
        ("[]", "a=x", "query-not-granted"),
    ] {
        assert_eq!(starred_verdict(Scheme::Bearer, rules, query), verdict, "{rules} {query}");
    }
}

#[test]
fn a_star_never_stands_for_the_parameter_that_the_credential_writes() {
    let scheme = || Scheme::Query { name: "Key".into() };
    for (query, verdict) in [
        ("keys=1&ke=2", "allow"),
        ("Key=mine", "query-not-granted"),
        ("a=1&%4bey=mine", "query-not-granted"),
        ("kEY=mine", "query-not-granted"),
        ("key", "query-not-granted"),
        ("key[]=mine", "query-not-granted"),
        ("key%5Bx%5D=mine", "query-not-granted"),
        ("key%00x=mine", "query-not-granted"),
        ("+key=mine", "query-not-granted"),
        ("x[key]=1&key_=2", "allow"),
    ] {
        assert_eq!(starred_verdict(scheme(), r#"["*"]"#, query), verdict, "{query}");
    }
    let scheme = || Scheme::Query { name: "api_key".into() };
    for query in
        ["api.key=mine", "api+key=mine", "API%20Key=mine", "api%2ekey[]=mine", "api-key=mine", "api%255Fkey=mine"]
    {
        assert_eq!(starred_verdict(scheme(), r#"["*"]"#, query), "query-not-granted", "{query}");
    }
    assert_eq!(starred_verdict(scheme(), r#"["*"]"#, "api_key2=1&apikey=2"), "allow");
}
