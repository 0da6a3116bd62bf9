//! Case 26: what is in a guest's memory after the secret was used on its behalf.

use std::sync::{Arc, Mutex};

use portcullis_runtime::Sight;
use portcullis_tests::upstream::{Answer, Received};
use serde_json::json;

use super::case_21_echoes::echo;
use crate::{
    harness::{Case, call, secret, send},
    needles,
};

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

/// Keeps every byte that the host hands to a guest.
#[derive(Default)]
struct All(Mutex<Vec<u8>>);

impl Sight for All {
    fn lowered(&self, bytes: &[u8]) {
        let mut all = self.0.lock().unwrap();
        all.extend_from_slice(bytes);
        all.push(b'\n');
    }
}

#[tokio::test]
async fn the_secret_is_in_no_byte_that_the_host_hands_to_a_guest() {
    let case = Case::answering(echo_or_marker).await;
    let origin = case.upstream.origin();
    let steps = json!([
        send("POST", &format!("{origin}/echo"), Some("token"), json!([])),
        send("GET", &format!("{origin}/basic"), Some("basic"), json!([])),
        send("GET", &format!("{origin}/header"), Some("key"), json!([])),
        send("GET", &format!("{origin}/query"), Some("query-key"), json!([])),
        {"do": "open", "slot": "token"},
        {"do": "sign", "slot": "signing", "algorithm": "hmac-sha256", "message": "m"},
    ]);
    let all = Arc::new(All::default());
    let outcome = case.probe().call(call("probe", json!({ "steps": steps })).live().sight(all.clone())).await;
    let seen = String::from_utf8_lossy(&all.0.lock().unwrap()).into_owned();
    assert_eq!(needles::found_in(&seen), None);
    assert!(seen.contains("marker-in-the-response") && seen.contains("[redacted:basic]"), "it sees what there is");
    assert_eq!(case.upstream.received().len(), 4);
    case.holds(&outcome).await;
}
