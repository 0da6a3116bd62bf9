//! Exchanges in general. What hostile ones come to is in `hostile`.

use portcullis_tests::upstream::Answer;
use serde_json::{Value, json};

use crate::harness::{Case, everything, get, send};

#[tokio::test]
async fn more_requests_than_granted_are_a_bound_with_its_name() {
    let case = Case::new().await;
    let url = format!("{}/ok", case.upstream.origin());
    let steps: Vec<Value> = (0..18).map(|_| get(&url)).collect();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][15]["ok"]["status"], 200);
    assert_eq!(output["results"][16]["error"]["name"], "requests", "{output}");
    assert_eq!(case.upstream.received().len(), 16);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn several_at_once_are_answered_in_their_order() {
    let case = Case::answering(|request| Answer::json(&json!({"target": request.target}))).await;
    let requests: Vec<Value> = (0..8)
        .map(|i| json!({"method": "GET", "url": format!("{}/items/{i}", case.upstream.origin()), "headers": [], "body": null, "slot": null}))
        .collect();
    let outcome = case.steps(case.probe(), json!([{"do": "sendAll", "requests": requests}])).await;
    let output = outcome.result.as_ref().unwrap().to_string();
    let places: Vec<usize> = (0..8).map(|i| output.find(&format!("/items/{i}")).unwrap()).collect();
    assert!(places.is_sorted(), "{output}");
    case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn a_request_body_that_is_too_large_is_not_sent() {
    let case = Case::new().await;
    let base = case.upstream.origin();
    let limits = format!("{}[limits]\nrequest_bytes = 10\n", everything(&base));
    let probe = case.probe_with(&base, &limits, &[case.upstream.address]).await;
    let mut step = send("POST", &format!("{base}/echo"), Some("token"), json!([]));
    step["body"] = json!("x".repeat(11));
    let outcome = case.steps(&probe, json!([step])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["error"]["name"], "request_bytes");
    assert_eq!(case.upstream.received().len(), 0);
    let ends = case.ledger.of_kind("outcome");
    assert_eq!(ends[0]["bounds"]["request_bytes"], 1, "the ledger says which bound it was: {ends:?}");
    case.holds(&outcome).await;
}
