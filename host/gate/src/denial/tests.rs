//! What a refusal says, and what it offers.

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
    let request = Request { method, url: &url, headers: &[], body: false, slots: &["key".to_owned()], written: &[] };
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
    assert_eq!(lines, "[[routes]]\nmethod = \"POST\"\nurl = \"https://api.example.com/send\"\nslots = [\"key\"]\n");
    powers_of(&grant(&lines)).unwrap();
}

/// The denial of a request without a credential, where this much of this adapter is granted.
fn denied(descriptor: &crate::Descriptor, operation: &str, granted: &str, text: &str) -> Denial {
    let powers = crate::Powers::new(DIGEST, "sample", descriptor, &grant(granted), &crate::Ceiling::default());
    let powers = powers.unwrap();
    let powers = powers.operation(operation).unwrap();
    let url = RequestUrl::parse(text, 8192).unwrap();
    let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slots: &[], written: &[] };
    let Decision::Deny(reason) = decide(&request, powers) else { panic!("allowed") };
    Denial::new(reason, &request, powers)
}

#[test]
fn what_the_ceiling_forbids_is_said_to_be_above_it() {
    let ceiling = crate::Ceiling::parse("methods = [\"POST\"]").unwrap();
    let powers = crate::Powers::new(DIGEST, "sample", &sample(), &grant(""), &ceiling).unwrap();
    let url = RequestUrl::parse("https://open.example.com/status", 8192).unwrap();
    let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slots: &[], written: &[] };
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
        slots: slot.map(str::to_owned).into_iter().collect(),
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
fn the_least_that_allows_a_request_has_its_own_path_and_names_and_no_values() {
    let mut descriptor = sample();
    descriptor.routes[2].url = "https://open.example.com/repos/{owner}/{repo}/issues".into();
    descriptor.routes[2].query =
        serde_json::from_str(r#"["page", { "name": "state", "one_of": ["open", "closed"] }, "since", "labels"]"#)
            .unwrap();
    let of = |path: &str| format!("https://open.example.com/repos/{path}/issues");
    let narrow = "[[routes]]\nmethod = \"GET\"\nurl = \"https://open.example.com/repos/acme/{repo}/issues\"\n";
    // Another owner than the one that was granted: that one's path, and not every owner's.
    let other = denied(&descriptor, "readItem", narrow, &format!("{}?state=open", of("other/x")));
    let state = "query = [{ name = \"state\", one_of = [\"open\", \"closed\"] }]\n";
    let least = format!("[[routes]]\nmethod = \"GET\"\nurl = \"{}\"\n{state}", of("other/x"));
    assert_eq!(other.allow_request.as_deref(), Some(least.as_str()));
    assert!(other.allow_with.unwrap().contains("/repos/{owner}/{repo}/issues"));
    // One name that is not granted: not all ten of them.
    let name = denied(&descriptor, "readItem", narrow, &format!("{}?page=2&page=3", of("acme/x")));
    let least = format!("[[routes]]\nmethod = \"GET\"\nurl = \"{}\"\nquery = [\"page\"]\n", of("acme/x"));
    assert_eq!((name.rule.as_str(), name.allow_request.as_deref()), ("query-not-granted", Some(least.as_str())));
    powers_of(&grant(narrow)).unwrap_err();
    let more = grant(&format!("{narrow}{least}"));
    crate::Powers::new(DIGEST, "sample", &descriptor, &more, &crate::Ceiling::default()).unwrap();
    // What may be a value is never told, and no form that stands for it is made up.
    descriptor.routes[2].query = vec![Parameter::any("*")];
    let value = denied(&descriptor, "readItem", "", &format!("{}?hunter2", of("a/b")));
    assert!(value.allow_request.is_none() && value.allow_with.is_some());
    let named = denied(&descriptor, "readItem", "", &format!("{}?q=hunter2", of("a/b")));
    assert!(named.allow_request.as_deref().is_some_and(|lines| lines.contains("query = [\"q\"]")), "{named:?}");
    assert!(!format!("{value:?}{named:?}").contains("hunter2"));
    // Where the declared form is the least, it is told once.
    descriptor.routes[2].url = "https://open.example.com/status".into();
    descriptor.routes[2].query = Vec::new();
    assert_eq!(denied(&descriptor, "readItem", "", "https://open.example.com/status").allow_request, None);
}

#[test]
fn a_refusal_beside_a_star_tells_the_rule_that_stands_for_the_name() {
    let mut descriptor = sample();
    descriptor.slots[0].scheme = Scheme::Query { name: "key".into() };
    descriptor.routes[0].query = serde_json::from_str(r#"["*", { "name": "s", "one_of": ["x", "y"] }]"#).unwrap();
    let route = "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/items/{id}\"\nslots = [\"key\"]\n";
    let denied = |rules: &str, query: &str| {
        let grant = grant(&format!("{route}query = {rules}\n"));
        let powers = crate::Powers::new(DIGEST, "sample", &descriptor, &grant, &crate::Ceiling::default()).unwrap();
        let powers = powers.operation("readItem").unwrap();
        let url = RequestUrl::parse(&format!("https://api.example.com/items/1?{query}"), 100).unwrap();
        let request = Request {
            method: Method::Get,
            url: &url,
            headers: &[],
            body: false,
            slots: &["key".to_owned()],
            written: &[],
        };
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
        links: Vec::new(),
        method: Method::Get,
        url: "https://open.example.com/status".into(),
        query: Vec::new(),
        headers: Vec::new(),
        slots: Vec::new(),
        token_for: None,
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
        let request = Request {
            method: Method::Post,
            url: &url,
            headers: &[],
            body: false,
            slots: &["key".to_owned()],
            written: &[],
        };
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
    assert_eq!(denial.message, "api.example.com resolves to an address that may not be dialled: private (RFC 1918).");
}

#[test]
fn no_carve_out_is_offered_that_the_ceiling_would_take_away() {
    let refusal = AddressRefusal { range: "private", source: "RFC 1918" };
    let offers = |ceiling: &str, text: &str| {
        let ceiling = crate::Ceiling::parse(ceiling).unwrap();
        let powers = crate::Powers::new(DIGEST, "acme/sample", &sample(), &grant(""), &ceiling).unwrap();
        let url = RequestUrl::parse(text, 100).unwrap();
        let denial = Denial::address(&url, refusal, powers.operation("send").unwrap());
        assert_eq!(denial.message.contains("ceiling"), denial.allow_with.is_none(), "{}", denial.message);
        denial.allow_with.is_some()
    };
    let ours = "carve_outs = [{ addresses = \"10.0.0.0/8:80\", integrations = [\"acme/sample\"] }]";
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
        let request = Request { method: Method::Get, url: &url, headers: &[], body: false, slots: &[], written: &[] };
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
