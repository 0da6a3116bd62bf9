//! Case 22: a credential where it does not belong, and handles that are not the guest's to use.

use std::sync::Arc;

use portcullis_runtime::{CallError, MemoryVault, Outcome, Secret};
use serde_json::{Value, json};

use crate::{
    guests,
    harness::{Case, call, everything, rules, secret, send},
};

#[tokio::test]
async fn a_credential_goes_only_where_its_route_goes() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let steps = json!([
        send("GET", &format!("{origin}/header"), Some("token"), json!([])),
        send("GET", &format!("{origin}/ok"), Some("token"), json!([])),
        send("GET", &format!("{origin}/header"), None, json!([])),
        {"do": "open", "slot": "none-such"},
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    assert_eq!(rules(&outcome)[..3], ["slot-not-granted", "slot-not-granted", "slot-missing"]);
    let output = outcome.result.as_ref().unwrap();
    assert!(output["results"][3].to_string().contains("no-such-slot"), "{output}");
    assert_eq!(outcome.denials[3].rule, "slot-not-declared");
    assert_eq!(case.upstream.received().len(), 0);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_slot_name_that_the_guest_chose_opens_nothing() {
    let case = Case::new().await;
    // It is in the vault, and no route of the probe names it.
    let names = ["server-token", "TOKEN", "token ", "token\u{0}", "../token", "", "acme/token", "\u{1b}[2Jtoken"];
    let steps: Vec<Value> = names.iter().map(|name| json!({"do": "open", "slot": name})).collect();
    let asked = case.vault.opened();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    let output = outcome.result.as_ref().unwrap();
    for step in 0..names.len() {
        assert_eq!(output["results"][step]["error"]["kind"], "no-such-slot", "{output}");
    }
    assert_eq!(case.vault.opened(), asked, "the vault was asked");
    assert!(outcome.denials.iter().all(|denial| !denial.message.contains('\u{1b}')));
    case.holds(&outcome).await;
    // Declared and not granted.
    let base = case.upstream.origin();
    let routes = format!("[[routes]]\nmethod = \"GET\"\nurl = \"{base}/ok\"\n");
    let narrow = case.probe_with(&base, &routes, &[case.upstream.address]).await;
    let outcome = case.steps(&narrow, json!([{"do": "open", "slot": "token"}])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["error"]["kind"], "not-granted");
    assert_eq!(outcome.denials[0].rule, "slot-not-granted");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn there_are_no_credentials_before_anything_was_granted() {
    let case = Case::new().await;
    let adapter = case.load(guests::HOSTILE_POWERS_IN_CONFIG_SCHEMA).await;
    let asked = case.vault.opened();
    let error = case.runtime.config_schema(&adapter).await.unwrap_err().to_string();
    case.refusal_is_recorded("describe", &error);
    assert!(error.contains("`config-schema` have no powers"), "{error}");
    assert_eq!(case.vault.opened(), asked, "the vault was asked");
    case.goes_on().await;
}

#[tokio::test]
async fn each_integration_sends_its_own_credential() {
    let case = Case::new().await;
    let base = case.upstream.origin();
    let mut tenants = Vec::new();
    for (workspace, token) in [("acme", "token-of-acme"), ("other", "token-of-the-other")] {
        let vault = MemoryVault::new();
        vault.put("token", Secret::try_from(token).unwrap());
        let tenant =
            case.probe_in(workspace, Arc::new(vault), &base, &everything(&base), &[case.upstream.address]).await;
        tenants.push((tenant, token));
    }
    let step = send("POST", &format!("{base}/echo"), Some("token"), json!([]));
    for (tenant, token) in tenants.iter().chain(&tenants) {
        let outcome = case.steps(tenant, json!([step])).await;
        let received = case.upstream.received();
        assert_eq!(received.last().unwrap().header("authorization"), Some(format!("Bearer {token}").as_str()));
        assert!(!format!("{outcome:?}").contains(token));
    }
    case.goes_on().await;
}

#[tokio::test]
async fn a_handle_does_not_outlive_its_call() {
    let case = Case::new().await;
    let route = "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/allowed\"\nslots = [\"token\"]\n";
    let keeper = case.guest_in("acme", guests::HOSTILE_KEPT_HANDLE, "keep", route).await;
    for _ in 0..3 {
        let outcome = keeper.call(call("keep", json!({})).live()).await;
        assert_eq!(outcome.result.as_ref().unwrap(), &json!({"kept": null, "opened": true}));
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_handle_that_was_made_up_is_none() {
    let case = Case::new().await;
    let forger = case.guest(guests::HOSTILE_FORGED_HANDLE, "attack", "").await;
    let asked = case.vault.opened();
    let outcome = forger.call(call("attack", json!({})).live()).await;
    match outcome.result.as_ref().unwrap_err() {
        CallError::Broken(why) => assert!(why.contains("handle"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(case.vault.opened(), asked, "the vault was asked");
    case.holds(&outcome).await;
}

/// The rules of what was refused, as the ledger has them.
fn denied(outcome: &Outcome) -> Vec<&str> {
    outcome.denials.iter().map(|denial| denial.rule.as_str()).collect()
}

fn several(url: &str, slots: &[&str]) -> Value {
    json!({"do": "send", "method": "GET", "url": url, "headers": [], "body": null, "slots": slots})
}

#[tokio::test]
async fn a_request_carries_all_credentials_of_its_route_and_each_once() {
    let case = Case::new().await;
    let url = format!("{}/several", case.upstream.origin());
    let steps = json!([
        several(&url, &["cookie", "query-key", "token", "key"]),
        several(&url, &["token", "key", "query-key"]),
        several(&url, &["token", "key", "query-key", "cookie", "basic"]),
        several(&url, &["token", "key", "query-key", "cookie", "token"]),
        several(&url, &["token", "token+", "key", "query-key"]),
        {"do": "sendAll", "requests": [several(&url, &["key", "key"]), several(&url, &["token", "key", "query-key", "cookie"])]},
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][0]["ok"]["status"], 200, "{output}");
    assert_eq!(denied(&outcome), ["slot-missing", "slot-not-granted", "slot-wrong-use", "slot-wrong-use", "slot-wrong-use"]);
    assert!(outcome.denials[0].message.contains("`cookie`"), "{:?}", outcome.denials[0]);
    assert!(outcome.denials[1].message.contains("`basic`"), "{:?}", outcome.denials[1]);
    for step in [3, 4] {
        let error = &output["results"][step]["error"];
        assert!(error.to_string().contains("attached twice"), "{error}");
    }
    let both = &output["results"][5]["results"];
    assert!(both[0].to_string().contains("`key` is attached twice") && both[1]["ok"]["status"] == 200, "{both}");
    let received = case.upstream.received();
    assert_eq!(received.len(), 2);
    for received in &received {
        assert_eq!(received.header("authorization").unwrap(), format!("Bearer {}", secret("token")));
        assert_eq!(received.header("x-api-key").unwrap(), secret("key"));
        assert_eq!(received.header("cookie").unwrap(), format!("sid={}", secret("cookie")));
        assert!(received.target.starts_with("/several?api_key="), "{}", received.target);
    }
    assert_eq!(outcome.exchanges[0].slots, ["token", "key", "query-key", "cookie"]);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_secret_goes_into_its_own_segment_of_the_path_and_into_no_other() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let to = |path: &str| several(&format!("{origin}{path}"), &["bot"]);
    let steps = json!([
        to("/bot/-credential-/send/7"),
        to("/bot/-credential-/send/-credential-"),
        to("/bot/mine/send/-credential-"),
        several(&format!("{origin}/items/-credential-"), &[]),
        several(&format!("{origin}/items/-credential-"), &["bot"]),
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    assert_eq!(denied(&outcome), ["path-not-granted", "slot-not-granted"]);
    let targets: Vec<String> = case.upstream.received().into_iter().map(|received| received.target).collect();
    let bot = secret("bot");
    assert_eq!(
        targets,
        [format!("/bot/bot{bot}/send/7"), format!("/bot/bot{bot}/send/-credential-"), "/items/-credential-".to_owned()]
    );
    assert!(!format!("{:?}", outcome.exchanges).contains(&bot));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn what_came_with_a_token_is_read_by_its_declared_name_and_leads_nowhere_else() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let read = |name: &str| json!({"do": "value", "slot": "token", "name": name});
    let give = |name: &str, value: &str| drop(case.vault.values.lock().unwrap().insert(name.to_owned(), value.to_owned()));
    give("instance_url", &format!("{origin}/services"));
    give("id", "00D-1");
    give("undeclared", "x");
    let steps = json!([
        read("instance_url"),
        read("id"),
        read("undeclared"),
        {"do": "value", "slot": "key", "name": "id"},
        {"do": "value", "slot": "signing", "name": "id"},
        {"do": "value", "slot": "none-such", "name": "id"},
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][0]["ok"], format!("{origin}/services"), "{output}");
    assert_eq!(output["results"][1]["ok"], "00D-1");
    for (step, kind) in [(2, "wrong-use"), (3, "wrong-use"), (4, "wrong-use"), (5, "no-such-slot")] {
        assert_eq!(output["results"][step]["error"]["kind"], kind, "{output}");
    }
    assert_eq!(denied(&outcome), ["slot-wrong-use", "slot-wrong-use", "slot-wrong-use", "slot-not-declared"]);
    case.holds(&outcome).await;
    // Another server's.
    for elsewhere in ["https://evil.example/services", "https://user@evil.example/", "see https://evil.example/"] {
        give("instance_url", elsewhere);
        let outcome = case.steps(case.probe(), json!([read("instance_url")])).await;
        let output = outcome.result.as_ref().unwrap();
        assert_eq!(output["results"][0]["error"]["kind"], "unavailable", "{output}");
        assert_eq!(denied(&outcome), ["origin-not-granted"], "{elsewhere}");
        case.holds(&outcome).await;
    }
    // What is no plain text of 2 KiB; and one that is a secret after all.
    for (odd, kind) in [("x".repeat(2_049), "unavailable"), ("a\u{1b}[2J".to_owned(), "unavailable")] {
        give("id", &odd);
        let outcome = case.steps(case.probe(), json!([read("id")])).await;
        assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["error"]["kind"], kind);
    }
    give("id", &format!("is {}", secret("token")));
    let outcome = case.steps(case.probe(), json!([read("id")])).await;
    assert!(outcome.result.as_ref().unwrap()["results"][0]["ok"].is_string());
    case.holds(&outcome).await;
    // There is none: the server gave none.
    case.vault.values.lock().unwrap().clear();
    let outcome = case.steps(case.probe(), json!([read("id")])).await;
    let error = &outcome.result.as_ref().unwrap()["results"][0]["error"];
    assert!(error.to_string().contains("gave no `id`"), "{error}");
}

#[tokio::test]
async fn a_value_leads_where_a_route_is_declared_and_the_lines_that_open_it_are_told() {
    let case = Case::new().await;
    let base = case.upstream.origin();
    let route = format!("[[routes]]\nmethod = \"POST\"\nurl = \"{base}/echo\"\nslots = [\"token\"]\n");
    let probe = case.probe_with(&base, &route, &[case.upstream.address]).await;
    case.vault.values.lock().unwrap().insert("instance_url".to_owned(), "https://elsewhere.example/x".to_owned());
    let steps = json!([{"do": "value", "slot": "token", "name": "instance_url"}]);
    let outcome = case.steps(&probe, steps.clone()).await;
    assert_eq!(denied(&outcome), ["origin-not-granted"]);
    assert!(outcome.denials[0].message.contains("https://elsewhere.example"), "{:?}", outcome.denials[0]);
    assert_eq!(outcome.denials[0].allow_with, None, "the adapter declares nothing there");
    // In sandbox mode nobody is asked, and the value is an origin that a request can go to.
    let asked = case.vault.asked();
    let outcome = probe.call(call("probe", json!({ "steps": steps }))).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"], base);
    assert_eq!(case.vault.asked(), asked, "the vault was asked");
}

#[tokio::test]
async fn a_signing_key_signs_and_is_not_read_and_a_token_does_not_sign() {
    let case = Case::new().await;
    let steps = json!([
        {"do": "sign", "slot": "signing", "algorithm": "hmac-sha256", "message": "what do ya want for nothing?"},
        {"do": "sign", "slot": "token", "algorithm": "hmac-sha256", "message": "x"},
        {"do": "verify", "slot": "basic", "algorithm": "hmac-sha256", "message": "x", "mac": "00"},
        send("POST", &format!("{}/echo", case.upstream.origin()), Some("signing"), json!([])),
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let output = outcome.result.as_ref().unwrap();
    assert!(output["results"][0].get("error").is_none(), "{output}");
    for step in [1, 2] {
        assert_eq!(output["results"][step]["error"]["kind"], "wrong-use", "a credential cannot sign: {output}");
    }
    assert_eq!(output["results"][3]["error"]["rule"], "slot-not-granted", "a key is not sent: {output}");
    assert_eq!(case.upstream.received().len(), 0);
    case.holds(&outcome).await;
}
