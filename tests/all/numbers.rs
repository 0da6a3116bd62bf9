//! Numbers on their whole way: from the caller through an adapter to the wire, back from the upstream to the caller, and into what is
//! kept of both. Their text is the same everywhere; what cannot be written is the caller's mistake.

use portcullis_ledger::{Found, RetentionPolicy, Side, read_payload};
use portcullis_runtime::{Body, CallError, Integration, Json};
use portcullis_tests::upstream::Answer;
use serde_json::{Value, json};

use crate::{
    harness::{Case, call},
    upstreams::integrated,
};

/// Numbers that a float would write in another way.
const NUMBERS: &str =
    r#"{"dose":1.10,"few":-0.0,"id":18446744073709551617,"list":[1e5,0.30,12345678901234567.89],"one":1.0}"#;

fn answer(text: &str) -> Answer {
    let mut answer = Answer::json(&json!({}));
    answer.body = text.as_bytes().to_vec();
    answer
}

/// Three endpoints whose inputs go into a body, into a query and a path, and into a form.
async fn custom_http(case: &Case) -> Integration {
    let anything = json!({"type": "object", "properties": {
        "dose": {"type": "number"}, "few": {"type": "number"}, "id": {"type": "number"}, "one": {"type": "number"},
        "list": {"type": "array", "items": {"type": "number"}}, "days": {"type": "integer", "minimum": 1}}});
    let mut of_path = anything.clone();
    of_path["properties"]["n"] = json!({"type": "integer"});
    of_path["required"] = json!(["n"]);
    let endpoint = |name: &str, method: &str, path: &str, more: Value| {
        let mut endpoint = json!({"name": name, "description": "Does it.", "effect": "write", "method": method, "path": path, "input": anything});
        endpoint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        endpoint
    };
    let config = json!({"provider": "odd", "baseUrl": case.upstream.origin(), "endpoints": [
        endpoint("post", "POST", "/post", json!({})),
        endpoint("get", "GET", "/get/{n:digits(1..9)}", json!({"input": of_path})),
        endpoint("form", "POST", "/form", json!({"body": {"type": "form"}})),
    ]});
    integrated(case, "custom_http", config, Some(case.upstream.address), "").await
}

#[tokio::test]
async fn numbers_keep_their_text_from_the_caller_to_the_wire_and_back() {
    let case = Case::answering(|_| answer(NUMBERS)).await;
    let integration = custom_http(&case).await;
    let input: Json = NUMBERS.parse().unwrap();
    for operation in ["post", "form"] {
        let outcome = integration.call(call(operation, input.clone()).live()).await;
        assert_eq!(outcome.result.unwrap().to_string(), NUMBERS, "{operation}");
    }
    let with_path: Json = NUMBERS.replacen('{', r#"{"n":7.0,"days":3e0,"#, 1).parse().unwrap();
    integration.call(call("get", with_path).live()).await.result.unwrap();
    let sent = case.upstream.received();
    let sent: Vec<(String, String)> = sent.iter().map(|request| (request.target.clone(), request.text())).collect();
    let pairs = "dose=1.10&few=-0.0&id=18446744073709551617&list=1e5&list=0.30&list=12345678901234567.89&one=1.0";
    assert!(sent[0].1.ends_with(NUMBERS), "{sent:?}");
    assert!(sent[1].1.ends_with(pairs), "{sent:?}");
    assert_eq!(sent[2].0, format!("/get/7?days=3&{pairs}"));
}

#[tokio::test]
async fn what_is_kept_and_what_would_be_sent_hold_the_text_of_numbers() {
    let policy = RetentionPolicy::parse("[[redact]]\npointer = \"/one\"\n\n[[keep]]\nwhat = \"redacted\"").unwrap();
    let case = Case::with(|_| answer(NUMBERS), |builder| builder.retention(policy)).await;
    let integration = custom_http(&case).await;
    let input: Json = NUMBERS.parse().unwrap();
    let pretended = integration.call(call("post", input.clone())).await;
    let Some(Body::Json(body)) = &pretended.would_send[0].body else { panic!("{:?}", pretended.would_send) };
    assert_eq!(body.to_string(), NUMBERS);
    let outcome = integration.call(call("post", input).live()).await;
    let ledger = case.ledger.ledger();
    let records = ledger.reader().call("acme", outcome.call).await.unwrap();
    let kept = NUMBERS.replace(r#""one":1.0"#, r#""one":"[redacted]""#);
    for (side, payload) in [(Side::Input, records[0].input.clone()), (Side::Output, records[1].output.clone())] {
        let payload = payload.unwrap();
        let at = ("acme", outcome.call, side);
        let found = read_payload(ledger.store().as_ref(), at, &payload, ledger.clock().now()).await.unwrap();
        let Found::Kept(stored) = found else { panic!("{found:?}") };
        assert_eq!(stored.text, kept, "{side}");
        assert!(stored.proves(&payload, NUMBERS), "{side}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_or_judged_is_the_callers_mistake_and_named() {
    let case = Case::answering(|_| answer(r#"{"n":1E400}"#)).await;
    let integration = custom_http(&case).await;
    for (operation, input, place) in [
        ("get", r#"{"n":-7}"#, "/n"),
        ("get", r#"{"n":1234567890}"#, "/n"),
        ("get", r#"{"n":7,"days":1e30}"#, "/days"),
        ("get", r#"{"n":7,"days":2.5}"#, "/days"),
        ("get", r#"{"n":7,"days":18446744073709551617.5}"#, "/days"),
    ] {
        let input: Json = input.parse().unwrap();
        let outcome = integration.call(call(operation, input.clone()).live()).await;
        let error = outcome.result.unwrap_err();
        assert!(matches!(error, CallError::Input(_)) && error.to_string().contains(place), "{input}: {error}");
    }
    assert!(case.upstream.received().is_empty());
    assert!(r#"{"n":1E400}"#.parse::<Json>().unwrap_err().to_string().contains("beyond what can be judged"));
    let outcome = integration.call(call("get", json!({"n": 1})).live()).await;
    match outcome.result.unwrap_err() {
        CallError::Adapter { code, message, .. } => {
            assert!(code == "http.unexpected-body" && message.contains("at /n"), "{code} {message}");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_fhir_decimal_keeps_its_precision_through_the_adapter() {
    let observation = r#"{"code":{"text":"x"},"id":"1","resourceType":"Observation","status":"final","valueQuantity":{"unit":"mg","value":1.10}}"#;
    let case = Case::answering(move |_| answer(observation)).await;
    let config = json!({ "baseUrl": format!("{}/fhir", case.upstream.origin()) });
    let fhir = integrated(&case, "fhir", config, Some(case.upstream.address), "").await;
    let read = fhir.call(call("read", json!({"type": "Observation", "id": "1"})).live()).await;
    assert!(read.result.unwrap().to_string().contains(r#""value":1.10}"#));
    let input: Json = format!(r#"{{"resource":{observation}}}"#).parse().unwrap();
    let _ = fhir.call(call("create", input).live()).await;
    let sent = case.upstream.received();
    assert!(sent[1].text().contains(r#""value":1.10}"#), "{}", sent[1].text());
}
