//! Several slots on a request, and what comes beside a token.

use crate::{prelude::*, testing::Fake};

const SERVER: OAuth = OAuth::server().token_url("/token").values(&["instance_url"]);
const TOKEN: Slot = Slot::bearer("token").oauth(SERVER);
const PLAIN: Slot = Slot::query("plain", "key");
const WHERE: Route<(), Value> = Route::get("where", "/where").slot(&TOKEN).slot(&PLAIN);
const KEY: SigningKey = SigningKey::new("key");

#[model]
struct Org {
    tenant: String,
}

/// Reads what came beside the token.
#[operation(read, uses(WHERE))]
fn locate(cx: &Context<Org>, name: String) -> Result<String, Failure> {
    cx.value(if name == "plain" { &PLAIN } else { &TOKEN }, &name)
}

/// Reads it without a route that carries the token.
#[operation(read, uses(KEY))]
fn apart(cx: &Context<Org>, _input: Value) -> Result<String, Failure> {
    assert!(cx.verify(&KEY, MacAlgorithm::HmacSha256, b"m", &cx.sign(&KEY, MacAlgorithm::HmacSha256, b"m")?)?);
    cx.value(&TOKEN, "instance_url")
}

register!(
    config: Org,
    base: "https://a.example",
    oauth: |config, slot, server| {
        assert_eq!(slot, "token");
        server.scopes.push(config.tenant.clone());
    },
    operations: [locate, apart],
    name: "tokens",
    description: "For tests.",
);

#[test]
fn what_came_beside_a_token_is_told_where_it_was_declared_and_the_slot_is_in_use() {
    let fake = || Fake::new(Org { tenant: "t1".to_owned() });
    let told = |fake: Fake<Org>, operation: &str, name: &str| match fake.invoke(operation, &json!(name)) {
        Ok(value) => value.as_str().unwrap().to_owned(),
        Err(Error::Failed(failure)) => {
            format!("{} {}", failure.code, failure.details.unwrap()["reason"].as_str().unwrap())
        }
        Err(other) => panic!("{other}"),
    };
    let given = || fake().value(&TOKEN, "instance_url", "https://eu.a.example").value(&PLAIN, "plain", "x");
    assert_eq!(told(given(), "locate", "instance_url"), "https://eu.a.example");
    assert_eq!(told(fake(), "locate", "instance_url"), "host.credential unavailable");
    assert_eq!(told(given(), "locate", "id"), "host.credential wrong-use");
    assert_eq!(told(given(), "locate", "plain"), "host.credential wrong-use");
    assert_eq!(told(given(), "apart", "x"), "host.credential not-granted");
    let unknown = given().call(|cx, ()| cx.value(&Slot::bearer("other"), "instance_url"), ());
    assert_eq!(unknown.unwrap_err().details.unwrap()["reason"], "no-such-slot");
    let called = given().call(|cx, ()| cx.value(&TOKEN, "instance_url"), ());
    assert_eq!(called.unwrap(), "https://eu.a.example");
}

#[test]
fn what_the_config_says_of_a_server_is_declared() {
    let descriptor = Fake::new(Org { tenant: "t1".to_owned() }).describe().unwrap();
    let told: Vec<_> = descriptor.slots.iter().map(|slot| (slot.name.as_str(), slot.oauth.is_some())).collect();
    assert_eq!(told, [("token", true), ("plain", false), ("key", false)]);
    assert_eq!(descriptor.slots[0].oauth.as_ref().unwrap().scopes, ["t1"]);
}

#[test]
fn a_request_goes_out_with_all_slots_of_its_route() {
    let fake = Fake::new(Org { tenant: "t1".to_owned() }).on(&WHERE, |_| Response::with_json(200, &json!(null)));
    fake.call(|cx, ()| cx.send(&WHERE, &()), ()).unwrap();
    assert_eq!(fake.sent()[0].slots, ["token", "plain"]);
}
