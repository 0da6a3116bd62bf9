//! What is effective, and who took the rest away.

use super::*;
use crate::{descriptor::tests::sample, powers::tests::grant};

const ROUTES: &str = r#"
    [[routes]]
    method = "GET"
    url = "https://api.example.com/items/me"
    slots = ["key"]
    [[routes]]
    method = "POST"
    url = "https://api.example.com/send"
    slots = ["key"]
    [[routes]]
    method = "GET"
    url = "https://evil.example/"
    [limits]
    requests = 100
    fuel = 5_000_000
"#;

fn explained() -> Explanation {
    let mut grant = grant(ROUTES);
    grant.operations = vec!["send".into(), "drop".into()];
    grant.signing = vec!["key".into(), "none".into()];
    grant.carve_outs = vec!["127.0.0.1:80".parse().unwrap(), "127.0.0.1:81".parse().unwrap()];
    let ceiling =
        "methods = [\"GET\"]\ncarve_outs = [{ addresses = \"127.0.0.1:80\" }]\n[limits]\nrequests = 10\nwall_ms = 100";
    let mut descriptor = sample();
    descriptor.operations[1].routes.push("read-item".into());
    explain("sample", &descriptor, &grant, &Ceiling::parse(ceiling).unwrap()).unwrap()
}

#[test]
fn each_item_says_who_took_it_away() {
    let explained = explained();
    let by = |effective: bool, removed: &Option<Removed>| match removed {
        None => {
            if effective {
                "effective"
            } else {
                "?"
            }
        }
        Some(removed) => removed.by.as_str(),
    };
    let ids: Vec<_> = explained.routes.iter().map(|r| r.item.route.as_deref()).collect();
    assert_eq!(ids, [Some("read-item"), Some("send"), None, Some("open")]);
    let routes: Vec<_> =
        explained.routes.iter().map(|r| (r.item.granted.url.as_str(), by(r.effective, &r.removed))).collect();
    assert_eq!(
        routes,
        [
            ("https://api.example.com/items/me", "effective"),
            ("https://api.example.com/send", "ceiling"),
            ("https://evil.example/", "descriptor"),
            ("https://open.example.com/status", "grant"),
        ]
    );
    let operations: Vec<_> =
        explained.operations.iter().map(|o| (o.item.operation.as_str(), by(o.effective, &o.removed))).collect();
    assert_eq!(operations, [("readItem", "grant"), ("send", "effective"), ("drop", "descriptor")]);
    assert_eq!(explained.operations[1].item.missing_routes, ["send"]);
    let slots: Vec<_> = explained.slots.iter().map(|s| (s.item.slot.as_str(), by(s.effective, &s.removed))).collect();
    let signing = [("key (to sign with)", "descriptor"), ("none (to sign with)", "descriptor")];
    assert_eq!(slots, [&[("key", "effective"), ("mac", "grant")][..], &signing].concat());
    assert!(explained.refused.as_ref().unwrap().contains("signing slot `key`"), "{:?}", explained.refused);
    let carve_outs: Vec<_> = explained.carve_outs.iter().map(|c| by(c.effective, &c.removed)).collect();
    assert_eq!(carve_outs, ["effective", "ceiling"]);
}

#[test]
fn what_the_grant_narrows_is_told() {
    let narrowed = explained().routes[0].item.narrowed.clone().unwrap();
    assert_eq!(narrowed, "declared for https://api.example.com/items/{id}; query without q");
}

#[test]
fn values_that_the_grant_narrows_are_told_as_what_is_left() {
    let lines = "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/items/{id}\"\nslots = [\"key\"]\n\
                 query = [{ name = \"q\", one_of = [\"open\", \"closed\"] }]\nlimits = { requests = 3 }\n";
    let explained = explain("sample", &sample(), &grant(lines), &Ceiling::default()).unwrap();
    assert_eq!(explained.routes[0].item.narrowed.as_deref(), Some("query only q=open|closed; at most requests = 3"));
    assert_eq!(explained.refused, None);
}

#[test]
fn what_a_granted_star_stands_for_is_told_as_what_is_left() {
    let narrowed = |declared: &str, granted: &str| {
        let mut descriptor = sample();
        descriptor.routes[1].query = serde_json::from_str(declared).unwrap();
        let route = "[[routes]]\nmethod = \"POST\"\nurl = \"https://api.example.com/send\"\nslots = [\"key\"]\n";
        let grant = grant(&format!("{route}query = {granted}\n"));
        let explained = explain("sample", &descriptor, &grant, &Ceiling::default()).unwrap();
        assert_eq!(explained.refused, None);
        explained.routes[0].item.narrowed.clone().unwrap_or_default()
    };
    let wide = r#"["a", "*"]"#;
    assert_eq!(narrowed(wide, r#"["a", "*"]"#), "");
    assert_eq!(narrowed(wide, r#"["*"]"#), "", "`*` stands for `a`, too");
    assert_eq!(narrowed(wide, r#"["a"]"#), "query without *");
    assert_eq!(narrowed(wide, r#"["b"]"#), "query without a *; query only b");
    assert_eq!(narrowed(wide, r#"[{ name = "*", shape = "digits" }]"#), "query a only as *; query only *:digits");
    let digits = r#"["a", { "name": "*", "shape": "digits" }]"#;
    assert_eq!(narrowed(digits, r#"[{ name = "*", shape = "digits" }]"#), "query a only as *");
    // Names of query parameters are told apart by their case.
    assert_eq!(narrowed(r#"["a", "A"]"#, r#"["a"]"#), "query without A");
}

#[test]
fn limits_show_what_was_granted_and_what_holds() {
    let limits: Vec<_> = explained().limits.iter().map(|l| (l.limit, l.granted, l.ceiling, l.effective)).collect();
    assert_eq!(
        limits,
        [("fuel", 5_000_000, None, 5_000_000), ("wall_ms", 30_000, Some(100), 100), ("requests", 100, Some(10), 10),]
    );
}

/// Of each route, who took it away and why, if anybody did.
fn fates(explained: &Explanation) -> Vec<(&str, Option<(&str, &str)>)> {
    let all = explained.routes.iter();
    all.map(|r| {
        (
            r.item.route.as_deref().unwrap_or("none"),
            r.removed.as_ref().map(|removed| (removed.by.as_str(), removed.why.as_str())),
        )
    })
    .collect()
}

#[test]
fn a_route_that_no_granted_operation_uses_is_not_effective() {
    let mut descriptor = sample();
    descriptor.operations[1].routes.clear();
    let read = "[[routes]]\nmethod = \"GET\"\nurl = \"https://open.example.com/status\"\n";
    let send = "[[routes]]\nmethod = \"POST\"\nurl = \"https://api.example.com/send\"\nslots = [\"key\"]\n";
    let mut grant = grant(&format!("{read}{send}"));
    let explained = explain("sample", &descriptor, &grant, &Ceiling::default()).unwrap();
    assert_eq!(fates(&explained)[..2], [("open", None), ("send", Some(("descriptor", "no operation uses it")))]);
    assert!(!explained.slots[0].effective, "the slot goes with the route that carries it");
    grant.operations = vec!["send".into()];
    let explained = explain("sample", &sample(), &grant, &Ceiling::default()).unwrap();
    let unused = ("grant", "no operation that uses it is granted");
    assert_eq!(fates(&explained)[..2], [("open", Some(unused)), ("send", None)]);
    assert!(explained.slots[0].effective);
}

#[test]
fn a_route_whose_address_may_not_be_dialled_is_not_effective() {
    let explained = |url: &str, carve_outs: &[&str], ceiling: &str| {
        let mut descriptor = sample();
        descriptor.routes[2].url = url.into();
        let mut grant = grant("");
        grant.carve_outs = carve_outs.iter().map(|text| text.parse().unwrap()).collect();
        grant.routes = vec![descriptor.routes[2].as_granted()];
        let explained = explain("sample", &descriptor, &grant, &Ceiling::parse(ceiling).unwrap()).unwrap();
        let by = explained.routes[0].removed.as_ref().map(|removed| removed.by);
        let missing = explained.operations[0].item.missing_routes.contains(&"open".to_owned());
        assert_eq!((explained.routes[0].effective, missing), (by.is_none(), by.is_some()), "{url}");
        by
    };
    let none = "carve_outs = []";
    for (url, carve_outs, ceiling, by) in [
        ("http://127.0.0.1:80/", &["127.0.0.1:80"][..], "", None),
        ("http://127.0.0.1:80/", &["127.0.0.1:80"], none, Some(Layer::Ceiling)),
        ("http://127.0.0.1:80/", &["10.0.0.1:80"], "", Some(Layer::Grant)),
        ("http://127.0.0.1:80/", &["10.0.0.1:80"], none, Some(Layer::Grant)),
        ("http://open.example.com:80/", &["127.0.0.1:80"], "", None),
        ("http://open.example.com:80/", &["10.1.0.0/16"], "", None),
        ("http://open.example.com:80/", &["127.0.0.1:80"], none, Some(Layer::Ceiling)),
        (
            "http://open.example.com:80/",
            &["127.0.0.1:80", "127.0.0.1:81"],
            "carve_outs = [{ addresses = \"127.0.0.1:81\" }]",
            Some(Layer::Ceiling),
        ),
        ("https://10.0.0.1/", &["10.0.0.1:443"], "", None),
        ("https://10.0.0.1/", &["10.0.0.1:443"], none, Some(Layer::Ceiling)),
        ("https://10.0.0.1/", &[], none, Some(Layer::Grant)),
        ("https://1.1.1.1/", &[], none, None),
        ("https://open.example.com/", &[], none, None),
    ] {
        assert_eq!(explained(url, carve_outs, ceiling), by, "{url} {carve_outs:?} {ceiling}");
    }
}
