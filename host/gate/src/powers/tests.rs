use super::*;
use crate::{descriptor::tests::sample, parameter::Values};

pub(crate) const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

pub(crate) fn grant(routes: &str) -> Grant {
    Grant::parse(&format!("adapter = \"{DIGEST}\"\noperations = [\"readItem\", \"send\"]\n{routes}")).unwrap()
}

/// The powers that a grant gives the sample adapter.
pub(crate) fn powers_of(grant: &Grant) -> Result<Powers, GrantMismatch> {
    Powers::new(DIGEST, "sample", &sample(), grant, &Ceiling::default())
}

const SEND: &str = "[[routes]]\nmethod = \"POST\"\nurl = \"https://api.example.com/send\"\nslots = [\"key\"]\n";

#[test]
fn a_route_is_open_only_during_the_operations_that_declare_it() {
    let powers = powers_of(&grant(SEND)).unwrap();
    assert_eq!(powers.operation("send").unwrap().routes.len(), 1);
    assert_eq!(powers.operation("readItem").unwrap().routes.len(), 0);
    assert!(powers.operation("send").unwrap().slot("key").is_some());
    assert!(powers.operation("readItem").unwrap().slot("key").is_none());
}

#[test]
fn what_was_not_declared_cannot_be_granted() {
    let cases = [
        (SEND.replace("POST", "GET"), "GET"),
        (SEND.replace("/send", "/other"), "/other"),
        (SEND.replace("api.", "evil."), "evil."),
        (SEND.replace("\"key\"", "\"mac\""), "has the slots key, not mac"),
        (SEND.replace("slots = [\"key\"]\n", ""), "has the slots key, not none"),
        (format!("{SEND}query = [\"x\"]\n"), "`x`"),
    ];
    for (routes, names) in cases {
        let error = powers_of(&grant(&routes)).unwrap_err().to_string();
        assert!(error.contains(names), "{error}");
    }
    let mut other = grant(SEND);
    other.operations.push("drop".into());
    assert!(matches!(powers_of(&other), Err(GrantMismatch::Operation { .. })));
    let mut other = grant(SEND);
    other.signing.push("key".into());
    assert!(matches!(powers_of(&other), Err(GrantMismatch::Signing(_))));
}

#[test]
fn a_signing_key_is_for_every_operation_and_other_slots_for_those_that_send_them() {
    let mut grant = grant(SEND);
    grant.signing = vec!["mac".into()];
    let powers = powers_of(&grant).unwrap();
    assert_eq!(powers.operations(), ["readItem", "send"]);
    let slot = |operation: &str, slot: &str| powers.operation(operation).unwrap().slot(slot).cloned();
    assert_eq!(slot("readItem", "mac"), Some(Scheme::SigningKey));
    assert!(matches!(slot("send", "key"), Some(Scheme::Header { .. })));
    assert_eq!((slot("readItem", "key"), slot("send", "none")), (None, None));
    assert!(powers.operation("drop").is_none());
}

#[test]
fn a_parameter_is_granted_by_its_name_and_with_no_more_than_its_values() {
    let mut descriptor = sample();
    let digits = |name: &str| Parameter { name: name.into(), values: Values::Shape("digits".parse().unwrap()) };
    descriptor.routes[1].query = vec![digits("n"), Parameter::any("any")];
    descriptor.routes[1].headers = vec![digits("X-N"), Parameter::any("X-Any")];
    let accepts = |line: &str| {
        let grant = grant(&format!("{SEND}{line}\n"));
        Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).is_ok()
    };
    assert!(accepts("query = [\"any\", { name = \"n\", shape = \"digits(3)\" }, { name = \"n\", one_of = [\"7\"] }]"));
    assert!(accepts("headers = [\"x-any\", { name = \"x-n\", shape = \"digits(3)\" }]"));
    for line in [
        "query = [\"x\"]",
        "query = [\"n\"]",
        "query = [\"Any\"]",
        "query = [{ name = \"x\", shape = \"digits(3)\" }]",
        "query = [\"any\", { name = \"n\", one_of = [\"7\", \"x\"] }]",
        "headers = [\"x-other\"]",
        "headers = [\"X-N\"]",
        "headers = [{ name = \"X_N\", shape = \"digits(3)\" }]",
    ] {
        assert!(!accepts(line), "{line}");
    }
}

/// Why this query is not granted where that one is declared; none if it is.
fn refused(declared: &str, scheme: Scheme, granted: &str) -> Option<String> {
    let mut descriptor = sample();
    descriptor.slots[0].scheme = scheme;
    descriptor.routes[1].query = serde_json::from_str(declared).unwrap();
    let grant = grant(&format!("{SEND}query = {granted}\n"));
    Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).err().map(|error| error.to_string())
}

#[test]
fn a_declared_star_lets_a_grant_list_names_one_by_one() {
    let digits = r#"["a", { "name": "*", "shape": "digits" }]"#;
    for (declared, granted) in [
        (r#"["*"]"#, r#"["b", { name = "c", shape = "word" }, { name = "*", one_of = ["x"] }]"#),
        (r#"["*"]"#, "[\"*\"]"),
        (digits, r#"[{ name = "b", one_of = ["1"] }]"#),
        (digits, r#"["a"]"#),
        (digits, r#"["a", { name = "*", shape = "digits(2)" }]"#),
        // Left out here, `a` is one of the others, with fewer values than are declared for it.
        (digits, r#"[{ name = "*", shape = "digits" }]"#),
    ] {
        assert_eq!(refused(declared, Scheme::Bearer, granted), None, "{declared} {granted}");
    }
}

#[test]
fn a_granted_star_has_no_more_than_is_declared_for_any_name() {
    let status = r#"[{ "name": "status", "one_of": ["open"] }, "*"]"#;
    let digits = r#"["a", { "name": "*", "shape": "digits" }]"#;
    for (declared, granted, names) in [
        (r#"["a"]"#, "[\"*\"]", "does not declare the query parameter `*`"),
        ("[]", "[\"*\"]", "does not declare the query parameter `*`"),
        (digits, "[\"*\"]", "`*:digits`, which does not cover `*`"),
        (digits, "[\"b\"]", "`*:digits`, which does not cover `b`"),
        (status, "[\"*\"]", "`status=open`, and the grant's `*` stands for it with more values; list it"),
        (status, "[\"status\", \"*\"]", "`status=open`, which does not cover `status`"),
        (status, r#"[{ name = "*", one_of = ["open", "x"] }]"#, "`*` stands for it"),
    ] {
        let error = refused(declared, Scheme::Bearer, granted).unwrap();
        assert!(error.contains(names), "{error}");
    }
    let listed = r#"[{ name = "status", one_of = ["open"] }, "*"]"#;
    assert_eq!(refused(status, Scheme::Bearer, listed), None);
    assert_eq!(refused(status, Scheme::Bearer, r#"[{ name = "*", one_of = ["open"] }]"#), None);
}

#[test]
fn the_parameter_that_the_credential_writes_is_not_granted_by_a_star() {
    let scheme = || Scheme::Query { name: "Key".into() };
    for name in ["Key", "kEY"] {
        let error = refused(r#"["*"]"#, scheme(), &format!("[\"{name}\"]")).unwrap();
        assert!(error.contains("is the slot's to write") && error.contains(name), "{error}");
    }
    assert_eq!(refused(r#"["*"]"#, scheme(), r#"["keys", "*"]"#), None);
}

#[test]
fn operations_share_the_routes_that_they_use() {
    let mut descriptor = sample();
    descriptor.operations[0].routes.push("send".into());
    let powers = Powers::new(DIGEST, "sample", &descriptor, &grant(SEND), &Ceiling::default()).unwrap();
    let route = |operation: &str| powers.operation(operation).unwrap().routes()[0].clone();
    assert!(Arc::ptr_eq(&route("send"), &route("readItem")));
}

#[test]
fn a_grant_holds_for_one_digest() {
    let other = DIGEST.replace('0', "1");
    assert!(matches!(
        Powers::new(&other, "sample", &sample(), &grant(SEND), &Ceiling::default()),
        Err(GrantMismatch::OtherAdapter { .. })
    ));
}

#[test]
fn what_is_above_the_ceiling_is_not_open_and_the_rest_is() {
    let read = "[[routes]]\nmethod = \"GET\"\nurl = \"https://open.example.com/status\"\n";
    let mut grant = grant(&format!("{SEND}{read}"));
    grant.carve_outs = vec!["127.0.0.1:80".parse().unwrap(), "127.0.0.1:81".parse().unwrap()];
    let ceiling = "methods = [\"GET\"]\ncarve_outs = [{ addresses = \"127.0.0.1:80\" }]\n[limits]\nrequests = 3";
    let ceiling = Ceiling::parse(ceiling).unwrap();
    let powers = Powers::new(DIGEST, "sample", &sample(), &grant, &ceiling).unwrap();
    assert_eq!(powers.operation("send").unwrap().routes.len(), 0);
    assert_eq!(powers.operation("readItem").unwrap().routes.len(), 1);
    let carve_outs = &powers.operation("send").unwrap().carve_outs;
    let loopback = "127.0.0.1".parse().unwrap();
    assert!(carve_outs.contains(loopback, 80) && !carve_outs.contains(loopback, 81));
    assert_eq!(powers.limits().requests, 3);
    // Above the ceiling or not: what was not declared is a mistake.
    grant.routes[0].url = "https://api.example.com/other".into();
    let error = Powers::new(DIGEST, "sample", &sample(), &grant, &ceiling).unwrap_err();
    assert!(matches!(error, GrantMismatch::Route { index: 0, .. }));
}

#[test]
fn a_granted_route_that_opens_too_many_is_refused() {
    for (count, fits) in [(16, true), (17, false)] {
        let mut descriptor = sample();
        descriptor.routes =
            (0..count).map(|i| crate::Route { id: format!("r{i}"), ..descriptor.routes[1].clone() }).collect();
        descriptor.operations[0].routes.clear();
        descriptor.operations[1].routes = vec!["r0".into()];
        let made = Powers::new(DIGEST, "sample", &descriptor, &grant(SEND), &Ceiling::default());
        assert_eq!(made.is_ok(), fits, "{count}");
    }
}
