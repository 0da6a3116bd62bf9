//! Case 24: what is derived from a secret is as secret as it is.
//!
//! Here the Basic form, which is base64 of `user:password`. Tokens that authorization servers give: `tests/all/secrets`.

use base64::{Engine, prelude::{BASE64_STANDARD, BASE64_URL_SAFE}};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use crate::harness::{Case, SECRET, secret, send};

/// Sends the derived token back in the ways in which servers do.
fn echo(request: &Received) -> Answer {
    let authorization = request.header("authorization").unwrap_or_default();
    let token = authorization.strip_prefix("Basic ").unwrap_or_default();
    let plain = BASE64_STANDARD.decode(token).unwrap_or_default();
    let password = plain.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default().to_vec();
    let body = json!({
        "authorization": authorization,
        "token": token,
        "unpadded": token.trim_end_matches('='),
        "url": BASE64_URL_SAFE.encode(&plain),
        "again": BASE64_STANDARD.encode(authorization),
        "plain": String::from_utf8_lossy(&plain),
        "password": String::from_utf8_lossy(&password),
        "passwordInBase64": BASE64_STANDARD.encode(&password),
        "passwordInHex": password.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    });
    Answer::json(&body).header("x-seen", authorization).header("www-authenticate", &format!("Basic realm=\"{token}\""))
}

#[tokio::test]
async fn a_derived_token_that_is_echoed_is_as_hidden_as_its_secret() {
    let case = Case::answering(|request| {
        if request.target == "/ok" { Answer::json(&json!({"ok": true})) } else { echo(request) }
    })
    .await;
    let step = send("GET", &format!("{}/basic", case.upstream.origin()), Some("basic"), json!([]));
    let outcome = case.steps(case.probe(), json!([step])).await;
    let derived = BASE64_STANDARD.encode(secret("basic"));
    assert_eq!(
        case.upstream.received()[0].header("authorization"),
        Some(format!("Basic {derived}").as_str()),
        "the upstream got it"
    );
    let output = outcome.result.as_ref().unwrap();
    let body: Value = serde_json::from_str(output["results"][0]["ok"]["body"].as_str().unwrap()).unwrap();
    let told = output.to_string();
    let password = BASE64_STANDARD.encode(format!("{SECRET}basic"));
    for hidden in [derived.trim_end_matches('='), password.trim_end_matches('='), SECRET] {
        assert!(!told.contains(hidden), "{hidden} is in {told}");
    }
    for (name, value) in body.as_object().unwrap() {
        // Base64 of base64 is a way of the upstream's own, and no secret in itself.
        if name != "again" {
            assert!(value.as_str().unwrap().contains("[redacted:basic]"), "{name}: {value}");
        }
    }
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_hundred_calls_at_once_use_the_derived_token_and_show_it_to_nobody() {
    let case = Case::answering(|request| {
        if request.target == "/ok" { Answer::json(&json!({"ok": true})) } else { echo(request) }
    })
    .await;
    let url = format!("{}/basic", case.upstream.origin());
    let mut running = Vec::new();
    for _ in 0..100 {
        let (probe, step) = (case.probe().clone(), send("GET", &url, Some("basic"), json!([])));
        running.push(tokio::spawn(async move {
            probe.call(crate::harness::call("probe", json!({"steps": [step]})).live()).await
        }));
    }
    let mut last = None;
    for one in running {
        let outcome = one.await.unwrap();
        case.no_secret_in(&format!("{outcome:?}"));
        last = Some(outcome);
    }
    let received = case.upstream.received();
    assert_eq!(received.len(), 100);
    assert!(received.iter().all(|request| request.headers == received[0].headers));
    case.holds(&last.unwrap()).await;
}
