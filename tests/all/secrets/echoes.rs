//! Upstreams that send back whatever they know, in every writing.

use std::sync::{Arc, Mutex};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use portcullis_runtime::{Integration, Outcome, Sight};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use super::{Kept, secret};
use crate::{
    harness::{call, send},
    needles,
};

/// Every secret that there is: those of the slots, the clients', and the tokens that the server has given by then.
pub(crate) const NAMES: [&str; 17] = [
    "key",
    "query-key",
    "cookie",
    "bot",
    "signing",
    "member",
    "basic",
    "aws",
    "mac",
    "client",
    "refresh",
    "post",
    "access-1",
    "refresh-1",
    "access-2",
    "refresh-2",
    "access-3",
];

/// A text in every way in which an echo usually writes it.
fn written(text: &str) -> Value {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let url: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    json!({
        "raw": text,
        "json": serde_json::to_string(text).unwrap(),
        "base64": [
            BASE64_STANDARD.encode(text),
            BASE64_STANDARD.encode(format!("x{text}y")),
            BASE64_URL_SAFE_NO_PAD.encode(format!("xy{text}")),
        ],
        "basic": [
            BASE64_STANDARD.encode(format!("client-1:{text}")),
            BASE64_STANDARD.encode(format!("client-1:{url}")),
            BASE64_STANDARD.encode(format!("client-22:{url}")),
        ],
        "hex": [hex, hex.to_uppercase()],
        "url": url,
    })
}

/// Answers with all that it received, in every writing.
pub(crate) fn everything(request: &Received) -> Answer {
    let headers: Vec<Value> = request.headers.iter().map(|(_, value)| written(value)).collect();
    let body = String::from_utf8_lossy(&request.body);
    let answer = Answer::json(&json!({"target": written(&request.target), "headers": headers, "body": written(&body)}));
    let target: String = request.target.chars().filter(char::is_ascii_graphic).collect();
    answer.header("x-target", &target).header("x-marker", "marker-in-the-response")
}

/// Answers with every secret of all slots.
fn all_there_is() -> Answer {
    let all: Vec<Value> = NAMES.iter().map(|name| written(&secret(name))).collect();
    Answer::json(&json!(all)).header("x-client", &secret("client")).header("location-of", &secret("refresh-1"))
}

/// Uses each slot once.
pub(crate) fn each_slot(base: &str) -> Vec<Value> {
    let text = |path: &str, slot: &str, kind: &str, body: &str| {
        let mut step = send("POST", &format!("{base}{path}"), Some(slot), json!([["content-type", kind]]));
        step["body"] = json!(body);
        step
    };
    let mut steps = vec![
        send("GET", &format!("{base}/basic"), Some("basic"), json!([])),
        send("GET", &format!("{base}/header"), Some("key"), json!([])),
        send("GET", &format!("{base}/query"), Some("query-key"), json!([])),
        send("GET", &format!("{base}/bot/-credential-/send/7"), Some("bot"), json!([])),
        send("GET", &format!("{base}/free"), Some("free"), json!([])),
        text("/echo", "token", "text/plain", "of the guest"),
        text("/member", "member", "application/json", "{\"of\": \"the guest\"}"),
        text("/aws", "aws", "text/plain", "of the guest"),
        text("/mac", "mac", "text/plain", "of the guest"),
    ];
    let mut several = send("GET", &format!("{base}/several"), None, json!([]));
    several["slots"] = json!(["token", "key", "query-key", "cookie"]);
    steps.push(several);
    steps
}

async fn use_each_slot(kept: &Kept, probe: &Integration) -> Outcome {
    let outcome = kept.case.steps(probe, json!(each_slot(&kept.case.upstream.origin()))).await;
    for result in outcome.result.as_ref().unwrap()["results"].as_array().unwrap() {
        assert_eq!(result["ok"]["status"], 200, "{result}");
    }
    outcome
}

#[tokio::test]
pub(crate) async fn an_upstream_that_echoes_does_not_hand_over_tokens_keys_or_what_stands_in_paths_and_bodies() {
    let kept = Kept::new().await;
    kept.fill().await;
    let probe = kept.probe().await;
    let outcome = use_each_slot(&kept, &probe).await;
    // The upstream did get each of them, where it belongs.
    let received: Vec<Received> =
        kept.case.upstream.received().into_iter().filter(|request| !request.target.starts_with("/oauth/")).collect();
    assert_eq!(received[4].header("authorization"), Some(format!("Bearer {}", secret("access-1")).as_str()));
    assert_eq!(received[5].header("authorization"), Some(format!("Bearer {}", secret("access-2")).as_str()));
    let body: Value = serde_json::from_slice(&received[6].body).unwrap();
    assert_eq!(body["client_key"], secret("member"));
    assert!(received[7].header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 Credential=AKIA123/"));
    assert!(received[8].header("x-signature").unwrap().starts_with("AKIA123:"));
    assert_eq!(received[9].header("cookie"), Some(format!("sid={}", secret("cookie")).as_str()));
    // A key that signs does not leave.
    for request in &received {
        let text = request.text();
        assert!(
            !text.contains(&secret("aws")) && !text.contains(&secret("mac")) && !text.contains("signing"),
            "{text}"
        );
    }
    let told = outcome.result.as_ref().unwrap().to_string();
    for slot in ["token", "free", "member", "bot", "cookie", "query-key", "basic", "key"] {
        assert!(told.contains(&format!("[redacted:{slot}]")), "{slot}: {told}");
    }
    assert!(told.contains("of the guest") && told.contains("marker-in-the-response"));
    kept.case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn an_upstream_that_knows_every_secret_of_the_integration_cannot_tell_the_guest_one() {
    let kept = Kept::answering(|request| (request.target == "/items/all").then(all_there_is)).await;
    kept.fill().await;
    let probe = kept.probe().await;
    // The tokens of both clients, and those before them.
    let base = kept.case.upstream.origin();
    use_each_slot(&kept, &probe).await;
    kept.clock.pass(std::time::Duration::from_secs(3601));
    use_each_slot(&kept, &probe).await;
    assert_eq!(kept.asked().len(), 4);
    let steps = json!([
        send("GET", &format!("{base}/items/all"), None, json!([])),
        send("GET", &format!("{base}/items/all"), None, json!([["x-trace", "mine"]])),
    ]);
    let outcome = kept.case.steps(&probe, steps).await;
    let body = outcome.result.as_ref().unwrap()["results"][0]["ok"]["body"].as_str().unwrap();
    assert!(body.matches("[redacted:").count() >= 10 * NAMES.len(), "{body}");
    kept.case.holds(&outcome).await;
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
pub(crate) async fn no_secret_and_no_token_is_in_a_byte_that_the_host_hands_to_a_guest() {
    let kept = Kept::new().await;
    kept.fill().await;
    let probe = kept.probe().await;
    let hidden = |text: &str| text.bytes().map(|byte| format!("{:02x}", byte ^ 0x5a)).collect::<String>();
    let mut steps = each_slot(&kept.case.upstream.origin());
    let uses = steps.len();
    steps.extend([
        json!({"do": "value", "slot": "token", "name": "id"}),
        json!({"do": "value", "slot": "token", "name": "access_token"}),
        json!({"do": "value", "slot": "token", "name": "refresh_token"}),
        json!({"do": "value", "slot": "free", "name": "id"}),
        json!({"do": "sign", "slot": "signing", "algorithm": "hmac-sha256", "message": "m"}),
        json!({"do": "scan", "needle": hidden("s3cr3t")}),
        json!({"do": "scan", "needle": hidden("Pa55")}),
        json!({"do": "scan", "needle": hidden("marker-in-the-response")}),
    ]);
    let all = Arc::new(All::default());
    let outcome = probe.call(call("probe", json!({ "steps": steps })).live().sight(all.clone())).await;
    let output = outcome.result.as_ref().unwrap();
    let result = |step: usize| &output["results"][uses + step];
    assert_eq!(result(0)["ok"], "00D-1", "{output}");
    for step in 1..4 {
        assert_eq!(result(step)["error"]["kind"], "wrong-use", "{output}");
    }
    assert_eq!((&result(5)["found"], &result(6)["found"]), (&json!(0), &json!(0)), "{output}");
    assert!(result(7)["found"].as_u64().unwrap() > 0, "the search finds what is there");
    let seen = String::from_utf8_lossy(&all.0.lock().unwrap()).into_owned();
    assert_eq!(needles::found_in(&seen), None);
    assert!(seen.contains("marker-in-the-response") && seen.contains("[redacted:token]"), "it sees what there is");
    kept.case.holds(&outcome).await;
}
