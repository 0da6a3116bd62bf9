//! Case 46: an upstream that echoes a secret, and says beside it how long the body with the secret is and what it hashes to;
//! and one that echoes the signature that was made for the request.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use crate::{
    harness::{Case, send},
    secrets::Kept,
};

/// Fields that are made from a body, and one that is not.
const FIELDS: [&str; 9] = [
    "etag",
    "content-md5",
    "content-digest",
    "repr-digest",
    "digest",
    "x-amz-checksum-sha256",
    "x-goog-hash",
    "x-uncompressed-size",
    "last-request",
];

fn echo(request: &Received) -> Answer {
    let body = request.header("authorization").unwrap_or("nothing to hide").to_owned();
    let answer = Answer { status: 200, headers: Vec::new(), body: body.clone().into_bytes() };
    FIELDS.iter().fold(answer, |answer, name| answer.header(name, &format!("of-{}", body.len())))
}

#[tokio::test]
async fn fields_that_are_made_from_a_body_do_not_tell_of_the_secret_that_was_taken_out() {
    let case = Case::answering(|request| if request.target == "/ok" { Answer::json(&json!({})) } else { echo(request) }).await;
    let origin = case.upstream.origin();
    let steps = json!([
        send("POST", &format!("{origin}/echo"), Some("token"), json!([])),
        send("GET", &format!("{origin}/items/7"), None, json!([])),
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let results = outcome.result.as_ref().unwrap()["results"].as_array().unwrap().clone();
    let field = |result: &Value, name: &str| {
        let headers = result.pointer("/ok/headers").and_then(Value::as_array).unwrap().clone();
        headers.into_iter().find(|field| field[0] == name).map(|field| field[1].as_str().unwrap().to_owned())
    };
    for name in FIELDS {
        let kept = name == "last-request";
        assert_eq!(field(&results[0], name).is_some(), kept, "{name}: {}", results[0]);
        assert!(field(&results[1], name).is_some(), "where nothing was taken out, nothing goes: {name}");
    }
    let body = "Bearer [redacted:token]";
    assert_eq!(field(&results[0], "content-length"), Some(body.len().to_string()));
    assert_eq!(field(&results[1], "content-length"), Some("nothing to hide".len().to_string()));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_signature_that_was_made_for_a_request_is_not_read_by_the_guest_in_any_later_answer_either() {
    let kept = Kept::new().await;
    kept.fill().await;
    let probe = kept.probe().await;
    let base = kept.case.upstream.origin();
    let signed = |path: &str, slot: &str| {
        let mut step = send("POST", &format!("{base}{path}"), Some(slot), json!([["content-type", "text/plain"]]));
        step["body"] = json!("of the guest");
        step
    };
    let steps = json!([signed("/aws", "aws"), signed("/mac", "mac")]);
    let outcome = kept.case.steps(&probe, steps).await;
    let told = outcome.result.as_ref().unwrap().to_string();
    let received: Vec<Received> =
        kept.case.upstream.received().into_iter().filter(|request| ["/aws", "/mac"].contains(&&*request.target)).collect();
    let aws = received[0].header("authorization").unwrap().rsplit_once("Signature=").unwrap().1.to_owned();
    let mac = received[1].header("x-signature").unwrap().rsplit_once(':').unwrap().1.to_owned();
    for signature in [&aws, &mac] {
        assert!(signature.len() > 16, "{signature}");
        for written in [signature.clone(), BASE64_STANDARD.encode(signature)] {
            assert!(!told.contains(&written), "{written} is in {told}");
        }
    }
    assert!(told.contains("[redacted:aws]") && told.contains("[redacted:mac]"), "{told}");
    kept.case.holds(&outcome).await;
}
