//! Which token routes can be granted, and that no guest can use one.

use super::*;
use crate::{
    Ceiling, ChangeKind, Decision, Denial, Descriptor, Grant, Header, Powers, Request, RequestUrl, Scheme, decide,
    descriptor::tests::sample, diff, explain, powers::tests::DIGEST,
};

const TOKEN: &str = "https://login.example.com/token";

fn issued(change: impl FnOnce(&mut OAuth)) -> Descriptor {
    let mut oauth = OAuth {
        token_url: Some(TOKEN.into()),
        revoke_url: Some("https://login.example.com/revoke".into()),
        metadata_url: Some("https://login.example.com/.well-known/smart-configuration".into()),
        scopes: vec!["read".into()],
        values: vec!["instance_url".into()],
        ..OAuth::default()
    };
    change(&mut oauth);
    let mut descriptor = sample();
    descriptor.slots[0].scheme = Scheme::Bearer;
    descriptor.slots[0].oauth = Some(oauth);
    descriptor
}

fn route(method: &str, url: &str) -> String {
    format!("[[routes]]\nmethod = \"{method}\"\nurl = \"{url}\"\ntoken_for = \"key\"\n")
}

fn granted(descriptor: &Descriptor, lines: &str) -> Result<Powers, String> {
    let text = format!("adapter = \"{DIGEST}\"\noperations = [\"readItem\", \"send\"]\n{lines}");
    let grant = Grant::parse(&text).unwrap();
    Powers::new(DIGEST, "sample", descriptor, &grant, &Ceiling::default()).map_err(|error| error.to_string())
}

/// What is said of a token request with this media type.
fn asked(powers: &crate::OperationPowers, method: Method, url: &str, media: Option<&str>) -> Result<Decision, Denial> {
    let url = RequestUrl::parse(url, 8_192).unwrap();
    let header = |media: &str| Header { name: "Content-Type".into(), value: media.as_bytes().to_vec() };
    let headers: Vec<Header> = media.map(header).into_iter().collect();
    let request = Request { method, url: &url, headers: &headers, body: media.is_some(), slots: &[], written: &[] };
    match decide(&request, powers) {
        Decision::Deny(reason) => Err(Denial::new(reason, &request, powers)),
        allowed => Ok(allowed),
    }
}

#[test]
fn what_the_descriptor_names_can_be_granted_and_nothing_beside_it() {
    let descriptor = issued(|_| {});
    let all: String = descriptor.token_routes().iter().map(GrantedRoute::to_toml_lines).collect();
    assert_eq!(all.matches("token_for = \"key\"").count(), 3, "{all}");
    let powers = granted(&descriptor, &all).unwrap();
    let tokens = powers.tokens("key").unwrap();
    assert_eq!((tokens.operation.as_str(), tokens.token_for(), tokens.routes().len()), ("@token", Some("key"), 3));
    for (method, url, told) in [
        ("POST", "https://evil.example/token", "names POST https://login.example.com/token"),
        ("POST", "https://login.example.com/{x}", "names POST"),
        ("GET", TOKEN, "names GET"),
        ("PUT", TOKEN, "by POST, metadata by GET"),
    ] {
        let error = granted(&descriptor, &route(method, url)).unwrap_err();
        assert!(error.contains("`token_for`") && error.contains(told), "{error}");
    }
    for (slot, told) in [("mac", "has no `oauth`"), ("none", "there is no slot `none`")] {
        let error = granted(&descriptor, &route("POST", TOKEN).replace("\"key\"", &format!("\"{slot}\""))).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn where_the_descriptor_names_no_url_the_operator_does() {
    let descriptor = issued(|oauth| oauth.token_url = None);
    let github = "https://api.github.com/app/installations/{id:digits}/access_tokens";
    let powers = granted(&descriptor, &route("POST", github)).unwrap();
    let tokens = powers.tokens("key").unwrap();
    let asked = |url: &str| asked(tokens, Method::Post, url, None);
    assert!(asked("https://api.github.com/app/installations/7/access_tokens").is_ok());
    assert_eq!(asked("https://api.github.com/app/installations/x/access_tokens").unwrap_err().rule, "path-not-granted");
    assert!(granted(&descriptor, &route("POST", "https://any.example/{rest..}")).unwrap_err().contains("to its end"));
    // Its own metadata it does name.
    assert!(granted(&descriptor, &route("GET", "https://any.example/")).is_err());
    let open = issued(|oauth| oauth.metadata_url = None);
    assert!(granted(&open, &route("GET", "https://any.example/")).is_ok());
}

#[test]
fn a_token_route_is_the_hosts_alone() {
    let descriptor = issued(|_| {});
    let item = descriptor.routes[0].as_granted().to_toml_lines();
    let powers = granted(&descriptor, &format!("{}{item}", route("POST", TOKEN))).unwrap();
    for name in powers.operations() {
        let operation = powers.operation(name).unwrap();
        assert!(operation.routes().iter().all(|route| route.id != TOKEN_OPERATION));
        assert!(matches!(decide_post(operation), Decision::Deny(_)));
        assert_eq!(operation.token_for(), None);
    }
    assert!(powers.operation(TOKEN_OPERATION).is_none());
    assert_eq!(powers.oauth("key").unwrap().scopes, ["read"]);
    assert_eq!((powers.oauth("mac"), powers.tokens("mac").is_some()), (None, false));
    // Whoever may open the slot may read what its descriptor says of it.
    assert!(powers.operation("readItem").unwrap().oauth("key").is_some());
    assert!(powers.operation("send").unwrap().oauth("key").is_none());
}

fn decide_post(powers: &crate::OperationPowers) -> Decision {
    let url = RequestUrl::parse(TOKEN, 8_192).unwrap();
    let slots = ["key".to_owned()];
    let with = decide(
        &Request { method: Method::Post, url: &url, headers: &[], body: false, slots: &slots, written: &[] },
        powers,
    );
    let without = decide(
        &Request { method: Method::Post, url: &url, headers: &[], body: false, slots: &[], written: &[] },
        powers,
    );
    assert_eq!(with, without);
    with
}

#[test]
fn a_token_request_has_a_form_or_json_and_no_query() {
    let powers = granted(&issued(|_| {}), &route("POST", TOKEN)).unwrap();
    let tokens = powers.tokens("key").unwrap();
    let said = |url: &str, media: Option<&str>| asked(tokens, Method::Post, url, media).err().map(|denial| denial.rule);
    assert_eq!(said(TOKEN, Some("application/x-www-form-urlencoded")), None);
    assert_eq!(said(TOKEN, Some("application/json; charset=utf-8")), None);
    assert_eq!(said(TOKEN, Some("text/plain")).as_deref(), Some("body-kind-not-granted"));
    assert_eq!(said(&format!("{TOKEN}?a=1"), None).as_deref(), Some("query-not-granted"));
}

#[test]
fn a_refused_token_request_ends_with_the_lines_to_add() {
    for (descriptor, url) in
        [(issued(|_| {}), TOKEN), (issued(|oauth| oauth.token_url = None), "https://sts.example/token")]
    {
        let powers = granted(&descriptor, "").unwrap();
        let denial = asked(powers.tokens("key").unwrap(), Method::Post, url, None).unwrap_err();
        assert_eq!(denial.allow_with.as_deref(), Some(route("POST", url).as_str()), "{denial:?}");
        assert!(denial.message.contains("for the tokens of the slot `key`"), "{}", denial.message);
        granted(&descriptor, &denial.allow_with.unwrap()).unwrap();
    }
    let powers = granted(&issued(|_| {}), "").unwrap();
    let denial = asked(powers.tokens("key").unwrap(), Method::Post, "https://evil.example/", None).unwrap_err();
    assert_eq!(denial.allow_with, None);
}

#[test]
fn what_is_above_the_ceiling_gives_no_tokens_and_that_is_told() {
    let descriptor = issued(|oauth| oauth.token_url = None);
    let grant = format!("adapter = \"{DIGEST}\"\n{}", route("POST", TOKEN));
    let grant = Grant::parse(&grant).unwrap();
    let ceiling = Ceiling::parse("origins = [\"https://api.example.com\"]").unwrap();
    let powers = Powers::new(DIGEST, "sample", &descriptor, &grant, &ceiling).unwrap();
    let denial = asked(powers.tokens("key").unwrap(), Method::Post, TOKEN, None).unwrap_err();
    assert!(denial.allow_with.is_none() && denial.message.contains("ceiling is below it"), "{denial:?}");
    let told = explain("sample", &descriptor, &grant, &ceiling).unwrap();
    let line = told.routes.iter().find(|line| line.item.granted.url == TOKEN).unwrap();
    assert_eq!((line.effective, line.item.granted.token_for.as_deref()), (false, Some("key")));
}

#[test]
fn an_explanation_names_token_routes_granted_or_not() {
    let descriptor = issued(|_| {});
    let grant = Grant::parse(&format!("adapter = \"{DIGEST}\"\n{}", route("POST", TOKEN))).unwrap();
    let told = explain("sample", &descriptor, &grant, &Ceiling::default()).unwrap();
    let tokens: Vec<_> = told
        .routes
        .iter()
        .filter(|line| line.item.granted.token_for.is_some())
        .map(|line| (line.item.route.as_deref(), line.item.granted.url.as_str(), line.effective))
        .collect();
    assert_eq!(
        tokens,
        [
            (Some("@token"), TOKEN, true),
            (Some("@token"), "https://login.example.com/revoke", false),
            (Some("@token"), "https://login.example.com/.well-known/smart-configuration", false),
        ]
    );
    assert_eq!(told.slots[0].item.oauth, descriptor.slots[0].oauth);
}

#[test]
fn another_issuer_more_scopes_and_more_values_ask_for_more() {
    type Edit = fn(&mut OAuth);
    let edits: &[(Edit, ChangeKind, bool)] = &[
        (|o| o.token_url = Some("https://other.example/".into()), ChangeKind::TokenUrl, true),
        (|o| o.authorize_url = Some("https://other.example/".into()), ChangeKind::TokenUrl, true),
        (|o| o.revoke_url = None, ChangeKind::TokenUrl, false),
        (|o| o.scopes.push("write".into()), ChangeKind::Scopes, true),
        (|o| o.scopes.clear(), ChangeKind::Scopes, false),
        (|o| o.values.push("id".into()), ChangeKind::TokenValues, true),
        (|o| o.values.clear(), ChangeKind::TokenValues, false),
    ];
    for (number, (edit, kind, more)) in edits.iter().enumerate() {
        let told = diff(&issued(|_| {}), &issued(edit)).unwrap();
        let told: Vec<_> = told.changes.iter().map(|change| (change.kind, change.asks_more)).collect();
        assert_eq!(told, [(*kind, *more)], "{number}");
    }
    let mut without = issued(|_| {});
    without.slots[0].oauth = None;
    assert!(diff(&without, &issued(|_| {})).unwrap().asks_more());
    assert!(!diff(&issued(|_| {}), &without).unwrap().asks_more());
    assert!(
        diff(
            &issued(|o| o.scopes = vec!["a".into(), "b".into()]),
            &issued(|o| o.scopes = vec!["b".into(), "a".into()])
        )
        .unwrap()
        .is_empty()
    );
}

#[test]
fn a_token_url_may_have_a_query_which_the_grant_names_with_its_value() {
    let descriptor = issued(|oauth| oauth.token_url = None);
    let url = "https://login.example.com/t/token?p=B2C_1_x&v=2";
    let lines = token_route_lines(Method::Post, url, "key");
    assert!(lines.contains("url = \"https://login.example.com/t/token\"") && lines.contains("B2C_1_x"), "{lines}");
    let powers = granted(&descriptor, &lines).unwrap();
    let tokens = powers.tokens("key").unwrap();
    let form = Some("application/x-www-form-urlencoded");
    assert!(asked(tokens, Method::Post, url, form).is_ok());
    for other in
        ["https://login.example.com/t/token?p=other&v=2", "https://login.example.com/t/token?p=B2C_1_x&v=2&q=1"]
    {
        assert!(asked(tokens, Method::Post, other, form).is_err(), "{other}");
    }
    // What is refused is answered with the lines that name the query, too.
    let powers =
        granted(&descriptor, &token_route_lines(Method::Post, "https://login.example.com/other", "key")).unwrap();
    let denial = asked(powers.tokens("key").unwrap(), Method::Post, url, form).unwrap_err();
    assert_eq!(denial.allow_with.as_deref().map(str::trim), Some(lines.trim()));
}
