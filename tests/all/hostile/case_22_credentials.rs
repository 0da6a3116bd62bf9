//! Case 22: a credential where it does not belong, and handles that are not the guest's to use.

use std::sync::Arc;

use portcullis_runtime::{CallError, MemoryVault, Secret};
use serde_json::{Value, json};

use crate::{
    guests,
    harness::{Case, call, everything, rules, send},
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
    let route = "[[routes]]\nmethod = \"GET\"\nurl = \"https://api.example.com/allowed\"\nslot = \"token\"\n";
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
