//! Guests that reach for the authorization server, or for what is the host's to send there.

use portcullis_runtime::{CallError, Integration, Outcome};
use serde_json::{Value, json};

use super::{Kept, token_route};
use crate::harness::{call, rules, send};

fn free(kept: &Kept) -> Value {
    send("GET", &format!("{}/free", kept.case.upstream.origin()), Some("free"), json!([]))
}

async fn ask(kept: &Kept, probe: &Integration) -> Outcome {
    kept.case.steps(probe, json!([free(kept)])).await
}

#[tokio::test]
pub(crate) async fn a_token_route_is_open_to_no_guest_and_to_no_caller() {
    let kept = Kept::new().await;
    kept.fill().await;
    let probe = kept.probe().await;
    let base = kept.case.upstream.origin();
    let form = json!([["content-type", "application/x-www-form-urlencoded"]]);
    let mut steps = Vec::new();
    for path in ["/oauth/token", "/oauth/revoke"] {
        for slot in [None, Some("token"), Some("free"), Some("basic")] {
            let mut step = send("POST", &format!("{base}{path}"), slot, form.clone());
            step["body"] = json!("grant_type=client_credentials");
            steps.push(step);
            steps.push(send("GET", &format!("{base}{path}"), slot, json!([])));
        }
    }
    let outcome = kept.case.steps(&probe, json!(steps)).await;
    let rules = rules(&outcome);
    assert!(rules.iter().all(|rule| rule == "path-not-granted" || rule == "method-not-granted"), "{rules:?}");
    assert_eq!(kept.case.upstream.received().len(), 0);
    kept.case.holds(&outcome).await;
    // Nor is what the host asks with an operation.
    let outcome = probe.call(call("@token", json!({"steps": steps})).live()).await;
    assert!(!matches!(outcome.result, Ok(_) | Err(CallError::Adapter { .. })), "{outcome:?}");
    assert_eq!(kept.asked().len(), 0);
}

#[tokio::test]
pub(crate) async fn where_the_token_endpoint_is_a_route_of_the_guests_too_it_gets_there_without_any_secret() {
    let kept = Kept::new().await;
    let base = kept.case.upstream.origin();
    let url = format!("{base}/items/token");
    kept.give("free", kept.refresh_token_at(&url)).await;
    let probe = kept.probe_with(&token_route(&url, "free"), "").await;
    let mut post = send("POST", &url, None, json!([["content-type", "application/x-www-form-urlencoded"]]));
    post["body"] = json!("grant_type=refresh_token");
    let steps = json!([send("GET", &url, None, json!([])), send("GET", &url, Some("free"), json!([])), post,]);
    let outcome = kept.case.steps(&probe, steps).await;
    assert_eq!(rules(&outcome), ["ok", "slot-not-granted", "path-not-granted"]);
    let received = kept.case.upstream.received();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].method.as_str(), received[0].header("authorization")), ("GET", None));
    kept.case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn without_a_token_route_of_the_slots_own_nothing_is_asked_and_the_lines_to_add_are_told() {
    let kept = Kept::new().await;
    kept.fill().await;
    let base = kept.case.upstream.origin();
    let other = token_route(&format!("{base}/oauth/token"), "token");
    let elsewhere = token_route(&format!("{base}/oauth/other"), "free");
    for (routes, line) in [(other, "token_for = \"free\""), (elsewhere, "/oauth/token"), (String::new(), "token_for")] {
        let probe = kept.probe_with(&routes, "").await;
        kept.clock.pass(std::time::Duration::from_secs(120));
        let before = kept.case.ledger.of_kind("token").len();
        let outcome = ask(&kept, &probe).await;
        let error = &outcome.result.as_ref().unwrap()["results"][0]["error"]["error"];
        assert_eq!(error["kind"], "unavailable", "{outcome:?}");
        assert!(error["message"].as_str().unwrap().contains(line), "{error}");
        assert_eq!(kept.case.upstream.received().len(), 0);
        let records = kept.case.ledger.of_kind("token");
        assert!(records.len() > before, "the refusal is recorded");
        assert_eq!(records.last().unwrap()["change"]["action"], "not-asked");
        kept.case.holds(&outcome).await;
        kept.case.upstream.forget();
    }
}

#[tokio::test]
pub(crate) async fn a_grant_that_opens_a_token_endpoint_of_nobodys_is_refused() {
    let kept = Kept::new().await;
    let base = kept.case.upstream.origin();
    for (slot, url) in [
        ("token", format!("{base}/oauth/{{any..}}")),
        ("key", format!("{base}/oauth/token")),
        ("none-such", format!("{base}/oauth/token")),
    ] {
        let error = kept.try_probe(&token_route(&url, slot)).await.unwrap_err();
        assert!(error.to_string().contains("token_for"), "{error}");
        kept.case.refusal_is_recorded("integrate", &error.to_string());
    }
    kept.case.goes_on().await;
}
