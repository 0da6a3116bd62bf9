//! Hostile cases 21, 25 and 26: a secret is used, and seen nowhere.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use crate::harness::{Case, call, secret, send};

/// Answers with everything it received, in every way an echo usually writes it.
fn echo(request: &Received) -> Answer {
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
async fn sandbox_mode_sends_no_packet_asks_no_name_and_opens_no_vault() {
    let case = Case::new().await;
    let base = "https://granted.example";
    let probe = case.probe_with(base, &crate::harness::everything(base), &[]).await;
    let asked = case.vault.asked();
    let steps = json!([
        send("POST", &format!("{base}/echo"), Some("token"), json!([])),
        send("GET", &format!("{base}/basic"), Some("basic"), json!([])),
        send("GET", &format!("{base}/query"), Some("query-key"), json!([])),
        {"do": "sign", "slot": "signing", "algorithm": "hmac-sha256", "message": "m"},
        send("GET", &format!("{base}/admin"), None, json!([])),
    ]);
    let outcome = probe.call(call("probe", json!({ "steps": steps }))).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(outcome.would_send.len(), 3);
    assert_eq!(output["results"][4]["error"]["rule"], "path-not-granted", "the gate decides in sandbox mode too");
    assert_eq!((case.vault.asked() - asked, case.names.asked()), (0, 0));
    assert_eq!(case.upstream.received().len(), 0);
    let shown = serde_json::to_string(&outcome.would_send).unwrap();
    for slot in ["Bearer {token}", "Basic {basic}", "api_key={query-key}"] {
        assert!(shown.contains(slot), "{shown}");
    }
    case.holds(&outcome).await;
}

#[tokio::test]
async fn the_secret_is_in_no_byte_of_a_guests_memory() {
    let case = Case::answering(echo_or_marker).await;
    let origin = case.upstream.origin();
    let hidden = |text: &str| text.bytes().map(|b| format!("{:02x}", b ^ 0x5a)).collect::<String>();
    let steps = json!([
        send("POST", &format!("{origin}/echo"), Some("token"), json!([])),
        send("GET", &format!("{origin}/header"), Some("key"), json!([])),
        {"do": "scan", "needle": hidden(&secret("token"))},
        {"do": "scan", "needle": hidden("s3cr3t/Pa55")},
        // The search does find what is there.
        {"do": "scan", "needle": hidden("marker-in-the-response")},
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let output = outcome.result.as_ref().unwrap();
    let found = |i: usize| output["results"][i]["found"].as_u64().unwrap();
    assert_eq!((found(2), found(3)), (0, 0), "{output}");
    assert!(found(4) > 0, "{output}");
    assert_eq!(
        case.upstream.received()[0].header("authorization"),
        Some(format!("Bearer {}", secret("token")).as_str())
    );
    case.holds(&outcome).await;
}

fn echo_or_marker(request: &Received) -> Answer {
    if request.target == "/ok" {
        return Answer::json(&json!({}));
    }
    echo(request).header("x-marker", "marker-in-the-response")
}

#[tokio::test]
async fn a_signing_key_signs_and_is_not_read() {
    let case = Case::new().await;
    let steps = json!([
        {"do": "sign", "slot": "signing", "algorithm": "hmac-sha256", "message": "what do ya want for nothing?"},
        {"do": "sign", "slot": "token", "algorithm": "hmac-sha256", "message": "x"},
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let output = outcome.result.as_ref().unwrap();
    assert!(output["results"][0].get("error").is_none(), "{output}");
    assert!(output["results"][1].to_string().contains("wrong-use"), "a bearer token cannot sign: {output}");
    case.holds(&outcome).await;
    let _: &Value = output;
}
