//! How secrets are sent: what each kind becomes, where it goes, and what is refused.

use portcullis_sdk::{
    bindings::portcullis::adapter::descriptor::{Body, Descriptor, Scheme},
    prelude::*,
    testing::Fake,
};

use super::{fake, fields, with};
use crate::config::Config;

/// A config with one endpoint and this `auth`.
fn with_auth(auth: Value, endpoint: Value) -> Value {
    let mut config = with(endpoint);
    config["auth"] = auth;
    config
}

fn described(auth: Value, endpoint: Value) -> Descriptor {
    fake(with_auth(auth, endpoint)).describe().unwrap()
}

fn refused(auth: Value, endpoint: Value) -> (String, String) {
    match fake(with_auth(auth.clone(), endpoint)).describe() {
        Err(Error::InvalidConfig { pointer, message }) => (pointer, message),
        other => panic!("{auth}: {other:?}"),
    }
}

fn hmac(change: Value) -> Value {
    let mut hmac = json!({
        "type": "hmac", "algorithm": "hmac-sha256", "message": "{timestamp}.{body}",
        "headers": {"X-Signature": "t={timestamp},v1={signature}"},
    });
    hmac.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    hmac
}

#[test]
fn each_kind_is_a_slot_with_its_scheme() {
    for (auth, scheme) in [
        (json!({"type": "basic"}), "Scheme::Basic"),
        (json!({"type": "header", "name": "X-Key", "prefix": "Token "}), r#"name: "X-Key", prefix: "Token ""#),
        (json!({"type": "query", "name": "key"}), r#"Scheme::Query("key")"#),
        (json!({"type": "cookie", "name": "sid"}), r#"Scheme::Cookie("sid")"#),
        (
            json!({"type": "sigv4", "service": "s3", "region": "eu-central-1"}),
            r#"service: "s3", region: "eu-central-1""#,
        ),
        (json!({"type": "clientCertificate"}), "Scheme::ClientCertificate"),
        (hmac(json!({"encoding": "base64-url"})), "MacEncoding::Base64Url"),
        (hmac(json!({})), r#"value: "t={timestamp},v1={signature}""#),
    ] {
        let descriptor = described(auth, json!({}));
        let [slot] = descriptor.slots.as_slice() else { panic!("one slot") };
        let told = format!("{:?}", slot.scheme);
        assert!(told.contains(scheme) && !slot.description.is_empty() && slot.oauth.is_none(), "{told}");
        assert_eq!(
            (slot.name.as_str(), descriptor.routes[0].slots.as_slice()),
            ("credential", &["credential".to_owned()][..])
        );
    }
    assert!(described(json!({"type": "none"}), json!({})).slots.is_empty());
    assert!(fake(with(json!({}))).describe().unwrap().slots.is_empty());
}

#[test]
fn several_secrets_go_with_each_request() {
    let auth = json!([
        {"type": "header", "name": "X-Api-Key", "slot": "app-key", "description": "The app's key."},
        {"type": "bearer"},
    ]);
    let config = with_auth(auth, json!({"redirects": ["/y", "https://b.example/y"]}));
    let descriptor = fake(config.clone()).describe().unwrap();
    let slots: Vec<_> = descriptor.slots.iter().map(|slot| (slot.name.as_str(), &slot.scheme)).collect();
    assert!(matches!(slots[..], [("app-key", Scheme::Header(_)), ("credential", Scheme::Bearer)]), "{slots:?}");
    assert_eq!(descriptor.slots[0].description, "The app's key.");
    let carried: Vec<usize> = descriptor.routes.iter().map(|route| route.slots.len()).collect();
    assert_eq!(carried, [2, 2, 0], "nothing goes along to another origin");
    let fake = fake(config).on_id("call", |_| Response::with_json(200, &json!({})));
    fake.invoke("call", &json!({})).unwrap();
    assert_eq!(fake.sent()[0].slots, ["app-key", "credential"]);
}

#[test]
fn a_secret_in_the_path_is_no_field_of_the_input() {
    let auth = json!({"type": "path", "name": "token", "prefix": "bot"});
    let input = fields(json!({"chat": {"type": "integer"}}));
    let endpoint = json!({"path": "/{token}/chats/{chat}", "input": input, "redirects": ["/{token}/to/{x}", "/open"]});
    let config = with_auth(auth.clone(), endpoint);
    let descriptor = fake(config.clone()).describe().unwrap();
    let told: Vec<_> = descriptor.routes.iter().map(|route| (route.url.as_str(), route.slots.len())).collect();
    let base = "https://a.example/v1";
    let [call, to, open] =
        [format!("{base}/{{token}}/chats/{{chat}}"), format!("{base}/{{token}}/to/{{x}}"), format!("{base}/open")];
    assert_eq!(told, [(call.as_str(), 1), (to.as_str(), 1), (open.as_str(), 0)]);
    let fake = fake(config).on_id("call", |_| Response::with_json(200, &json!({})));
    fake.invoke("call", &json!({"chat": 7})).unwrap();
    assert_eq!(fake.sent()[0].url, format!("{base}/-credential-/chats/7"));
    for path in ["/x", "/{token:word}/x", "/{token}/{token}"] {
        let input = fields(json!({"token": {"type": "string"}}));
        let (at, _) = refused(auth.clone(), json!({"path": path, "input": input}));
        assert_eq!(at, "/endpoints/0/path", "{path}");
    }
    let input = fields(json!({"token": {"type": "string"}}));
    let (at, message) = refused(auth, json!({"path": "/{token}/x", "input": input}));
    assert_eq!(at, "/endpoints/0/input/properties/token", "{message}");
}

#[test]
fn a_secret_in_the_body_has_one_to_go_into() {
    let auth = json!({"type": "body", "name": "api_key"});
    let post = json!({"method": "POST", "effect": "write"});
    let of = |more: Value| {
        let mut endpoint = post.clone();
        endpoint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        endpoint
    };
    let nothing = described(auth.clone(), post.clone()).routes.remove(0);
    assert!(matches!(nothing.request, Some(Body::Json(_))), "{:?}", nothing.request);
    let config = with_auth(auth.clone(), of(json!({"redirects": ["/y"]})));
    assert!(fake(config.clone()).describe().unwrap().routes[1].slots.is_empty(), "what is redirected has no body");
    let fake = fake(config).on_id("call", |_| Response::with_json(200, &json!({})));
    fake.invoke("call", &json!({})).unwrap();
    assert_eq!(fake.sent()[0].body, b"{}");
    assert!(matches!(
        described(auth.clone(), of(json!({"body": {"type": "form"}}))).routes[0].request,
        Some(Body::Form(_))
    ));
    let item = fields(json!({"item": {"type": "object", "properties": {"api_key": {}}}}));
    let text = fields(json!({"item": {"type": "string"}}));
    for (endpoint, place) in [
        (json!({}), "body"),
        (of(json!({"body": {"type": "multipart"}})), "body"),
        (of(json!({"body": {"type": "json", "field": "item"}, "input": text})), "body"),
        (of(json!({"body": {"type": "json", "field": "item"}, "input": item})), "body/field"),
        (of(json!({"input": fields(json!({"api_key": {"type": "string"}}))})), "input/properties/api_key"),
    ] {
        let (at, message) = refused(auth.clone(), endpoint);
        assert_eq!(at, format!("/endpoints/0/{place}"), "{message}");
    }
    let elsewhere = of(json!({"input": fields(json!({"api_key": {"type": "string"}})), "query": ["api_key"]}));
    assert_eq!(described(auth, elsewhere).routes[0].query.len(), 1);
}

#[test]
fn tokens_come_from_the_server_that_the_config_names() {
    let oauth = json!({"tokenUrl": "https://login.example/token", "scopes": ["a:b", "offline_access"]});
    let descriptor = described(json!({"type": "bearer", "oauth": oauth}), json!({}));
    let server = descriptor.slots[0].oauth.clone().unwrap();
    assert_eq!((server.token_url.as_deref(), server.revoke_url), (Some("https://login.example/token"), None));
    assert_eq!((server.scopes, server.values.len()), (vec!["a:b".to_owned(), "offline_access".to_owned()], 0));
    let two = json!([{"type": "header", "name": "X-Key", "slot": "key"}, {"type": "bearer", "oauth": {}}]);
    let told: Vec<bool> = described(two, json!({})).slots.iter().map(|slot| slot.oauth.is_some()).collect();
    assert_eq!(told, [false, true]);
    assert!(serde_refuses(json!({"type": "basic", "oauth": {}})), "a pair of two is no token");
}

fn serde_refuses(auth: Value) -> bool {
    portcullis_sdk::serde_json::from_str::<Config>(&with_auth(auth, json!({})).to_string()).is_err()
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let oauth = |server: Value| json!({"type": "bearer", "oauth": server});
    for (auth, at, says) in [
        (json!([]), "/auth", "the list is empty"),
        (json!([{"type": "none"}, {"type": "bearer"}]), "/auth/0", "take it out of the list"),
        (json!({"type": "bearer", "slot": "Key"}), "/auth/slot", "is not a slot's name"),
        (json!([{"type": "bearer"}, {"type": "cookie", "name": "a"}]), "/auth/1/slot", "the slot of `/auth/0` too"),
        (
            json!([{"type": "bearer"}, {"type": "basic", "slot": "b"}]),
            "/auth/1",
            "the same place of a request as `/auth/0`",
        ),
        (
            json!([{"type": "bearer"}, {"type": "basic", "slot": "b", "description": "\n"}]),
            "/auth/1/description",
            "one line",
        ),
        (
            (0..5).map(|n| json!({"type": "cookie", "name": format!("c{n}"), "slot": format!("s{n}")})).collect(),
            "/auth",
            "at most 4 secrets",
        ),
        (json!({"type": "cookie", "name": "a b"}), "/auth/name", "is not a cookie's name"),
        (json!({"type": "body", "name": "schlüssel"}), "/auth/name", "is not a member's name"),
        (json!({"type": "path", "name": "a/b"}), "/auth/name", "does not name a segment"),
        (json!({"type": "path", "name": "a", "prefix": "b/"}), "/auth/prefix", "goes into the path"),
        (json!({"type": "sigv4", "service": "S3", "region": "eu"}), "/auth/service", "as in `s3`"),
        (json!({"type": "sigv4", "service": "s3", "region": ""}), "/auth/region", "`eu-central-1`"),
        (hmac(json!({"message": "{time}"})), "/auth/message", "is not what can be hashed"),
        (hmac(json!({"headers": {"X-S": "{body}{signature}"}})), "/auth/headers/X-S", "what a header cannot say"),
        (hmac(json!({"headers": {"Host": "{signature}"}})), "/auth/headers/Host", "a secret cannot go there"),
        (hmac(json!({"headers": {"X-S": "{timestamp}"}})), "/auth/headers", "one of them says `{signature}`"),
        (hmac(json!({"headers": {"X-S": "{signature}", "x_s": "1"}})), "/auth/headers/x_s", "keep one of the two"),
        (oauth(json!({"tokenUrl": "https://a.example/t?x=1"})), "/auth/oauth/tokenUrl", "has a query"),
        (oauth(json!({"metadataUrl": "/meta"})), "/auth/oauth/metadataUrl", "does not begin with https://"),
        (oauth(json!({"scopes": ["a", "b c"]})), "/auth/oauth/scopes/1", "is not a scope"),
    ] {
        let (found, message) = refused(auth.clone(), json!({}));
        assert_eq!(found, at, "{auth}: {message}");
        assert!(message.contains(says), "{auth}: {message}");
    }
    for (auth, header) in
        [(hmac(json!({})), "x_signature"), (json!({"type": "sigv4", "service": "s3", "region": "eu"}), "X-Amz-Date")]
    {
        let (at, message) = refused(auth, json!({"headers": {header: "1"}}));
        assert_eq!(at, format!("/endpoints/0/headers/{header}"), "{message}");
    }
}

#[test]
fn the_configs_schema_says_what_each_kind_takes() {
    let schema = Fake::<Config>::config_schema();
    let auth = &schema["properties"]["auth"]["anyOf"];
    let kinds = auth[0]["oneOf"].as_array().unwrap();
    let told: Vec<&str> = kinds.iter().map(|kind| kind["properties"]["type"]["const"].as_str().unwrap()).collect();
    let all =
        ["none", "bearer", "basic", "header", "query", "path", "cookie", "body", "sigv4", "hmac", "clientCertificate"];
    assert_eq!(told, all);
    assert!(kinds[1..].iter().all(|kind| kind["additionalProperties"] == json!(false)), "{kinds:?}");
    assert!(kinds[1]["properties"].get("oauth").is_some() && kinds[2]["properties"].get("oauth").is_none());
    assert_eq!(auth[1]["type"], json!("array"));
}
