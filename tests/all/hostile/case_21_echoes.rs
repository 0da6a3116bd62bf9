//! Case 21: an upstream that sends back what it was sent, in every way an echo usually writes it.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::json;

use crate::harness::{Case, secret, send};

/// Answers with everything it received, in every way an echo usually writes it.
pub(super) fn echo(request: &Received) -> Answer {
    let text = request.text();
    let secret = request
        .header("authorization")
        .and_then(|value| value.split_once(' '))
        .map(|(_, secret)| secret.to_owned())
        .or_else(|| request.header("x-api-key").map(str::to_owned))
        .unwrap_or_default();
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let body = json!({
        "raw": secret,
        "all": text,
        "base64": [
            BASE64_STANDARD.encode(&secret),
            BASE64_STANDARD.encode(format!("x{secret}y")),
            BASE64_STANDARD.encode(format!("xy{secret}")),
        ],
        "hex": [hex, hex.to_uppercase()],
        "url": url,
        "json": serde_json::to_string(&secret).unwrap_or_default(),
    });
    Answer::json(&body).header("x-echo", &secret).header("x-echo-url", &url)
}

#[tokio::test]
async fn an_upstream_that_echoes_does_not_hand_the_secret_over() {
    let case =
        Case::answering(|request| if request.target == "/ok" { Answer::json(&json!({})) } else { echo(request) }).await;
    let origin = case.upstream.origin();
    let steps = json!([
        send("POST", &format!("{origin}/echo"), Some("token"), json!([])),
        send("GET", &format!("{origin}/basic"), Some("basic"), json!([])),
        send("GET", &format!("{origin}/header"), Some("key"), json!([])),
        send("GET", &format!("{origin}/query"), Some("query-key"), json!([])),
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    // The upstream did get it, each time in its own place.
    let received = case.upstream.received();
    assert_eq!(received[0].header("authorization"), Some(format!("Bearer {}", secret("token")).as_str()));
    assert_eq!(
        received[1].header("authorization"),
        Some(format!("Basic {}", BASE64_STANDARD.encode(secret("basic"))).as_str())
    );
    assert_eq!(received[2].header("x-api-key"), Some(secret("key").as_str()));
    let query = url::Url::parse(&format!("http://a{}", received[3].target)).unwrap();
    assert_eq!(query.query_pairs().last().unwrap(), ("api_key".into(), secret("query-key").into()));
    // The guest did not, in any writing.
    let told = outcome.result.as_ref().unwrap().to_string();
    case.no_secret_in(&told);
    for secret in ["token", "basic", "key", "query-key"].map(secret) {
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        let base64 = BASE64_STANDARD.encode(&secret);
        for written in [hex.clone(), hex.to_uppercase(), base64] {
            assert!(!told.contains(&written), "{written} is in {told}");
        }
    }
    assert!(told.contains("[redacted:token]") && told.contains("[redacted:basic]"), "{told}");
    assert!(outcome.receipt.redactions > 8, "{:?}", outcome.receipt);
    let ends = case.ledger.of_kind("outcome");
    assert!(ends[0]["exchanges"][0]["redactions"].as_u64().unwrap() > 0, "the ledger says that it happened");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_body_that_is_echoed_comes_back_without_the_secret_and_otherwise_whole() {
    let case = Case::answering(|request| match request.target.as_str() {
        "/ok" => Answer::json(&json!({})),
        _ => Answer { status: 200, headers: Vec::new(), body: [request.text().into_bytes(), request.body.clone()].concat() },
    })
    .await;
    let headers = json!([["content-type", "text/plain"], ["x-trace", "mine"]]);
    let mut step = send("POST", &format!("{}/echo", case.upstream.origin()), Some("token"), headers);
    step["body"] = json!("what-the-guest-itself-sent");
    let outcome = case.steps(case.probe(), json!([step])).await;
    let told = outcome.result.as_ref().unwrap().to_string();
    assert!(told.contains("what-the-guest-itself-sent") && told.contains("x-trace"), "{told}");
    assert!(told.contains("[redacted:token]"), "{told}");
    case.holds(&outcome).await;
}
