//! Stripe against upstreams that misbehave, each error that Stripe documents, and sandbox mode of all its operations.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use portcullis_runtime::{CallError, Integration};
use portcullis_tests::upstream::Answer;
use serde_json::{Value, json};

use crate::{
    harness::{Case, call, secret},
    upstreams::{self, Expected, IMPATIENT, Manner, hold, manners},
};

const JSON: &str = "content-type: application/json";

/// An integration with all that the adapter declares at this address.
async fn integrated(case: &Case, address: SocketAddr, limits: &str) -> Integration {
    let config = json!({"baseUrl": format!("http://{address}"), "account": "acct_1"});
    upstreams::integrated(case, "stripe", config, Some(address), limits).await
}

/// Each operation with a good input.
fn operations() -> Vec<(&'static str, Value)> {
    vec![
        ("createCustomer", json!({"email": "ada@example.com"})),
        ("getCustomer", json!({"customer": "cus_1"})),
        ("updateCustomer", json!({"customer": "cus_1", "name": "Ada"})),
        ("listCustomers", json!({})),
        ("searchCustomers", json!({"query": "name~\"Ada\""})),
        ("createPaymentIntent", json!({"amount": 2000, "currency": "eur"})),
        ("getPaymentIntent", json!({"intent": "pi_1"})),
        ("confirmPaymentIntent", json!({"intent": "pi_1"})),
        ("capturePaymentIntent", json!({"intent": "pi_1"})),
        ("cancelPaymentIntent", json!({"intent": "pi_1"})),
        ("createRefund", json!({"payment_intent": "pi_1"})),
        ("getRefund", json!({"refund": "re_1"})),
    ]
}

fn some(names: &[&str]) -> Vec<(&'static str, Value)> {
    operations().into_iter().filter(|(name, _)| names.contains(name)).collect()
}

#[tokio::test]
async fn whatever_stands_in_for_stripe_the_call_ends_as_a_typed_error() {
    let case = Case::new().await;
    // Too many requests have a code of Stripe's own, whoever says so and how.
    let mut manners: Vec<Manner> =
        manners().into_iter().filter(|manner| !manner.name.starts_with("slow down, in")).collect();
    let slow = |name, head: &str, when| {
        let head = format!("429 Too Many Requests\r\n{head}");
        Manner::answer(name, &head, "<html>", Expected::Failure("stripe.rate-limit", when))
    };
    let date = "retry-after: Sat, 21 Nov 2026 10:01:30 GMT\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT";
    manners.extend([
        slow("slow down, in seconds", "retry-after: 7", Some(7_000)),
        slow("slow down, as a date", date, Some(90_000)),
        slow("slow down, in no known way", "retry-after: soon", None),
    ]);
    let operations = some(&["getCustomer", "listCustomers", "createRefund"]);
    hold(&case, &manners, &operations, |address| integrated(&case, address, IMPATIENT)).await;
}

/// Status, what Stripe says beside it, and what that is.
fn errors() -> Vec<(&'static str, Value, &'static str)> {
    let request = |code: &str, param: &str| json!({"type": "invalid_request_error", "code": code, "param": param});
    let card = |code: &str, decline: &str| json!({"type": "card_error", "code": code, "decline_code": decline});
    vec![
        ("400 Bad Request", request("parameter_unknown", "foo"), "stripe.parameter-unknown"),
        ("400 Bad Request", request("amount_too_small", "amount"), "stripe.amount-too-small"),
        ("400 Bad Request", request("charge_already_refunded", "charge"), "stripe.charge-already-refunded"),
        ("400 Bad Request", json!({"type": "invalid_request_error"}), "stripe.invalid-request-error"),
        ("400 Bad Request", json!({"type": "idempotency_error"}), "stripe.idempotency-error"),
        ("401 Unauthorized", json!({"type": "invalid_request_error"}), "stripe.authentication"),
        ("402 Payment Required", card("card_declined", "insufficient_funds"), "stripe.card-declined"),
        ("402 Payment Required", card("card_declined", "lost_card"), "stripe.card-declined"),
        ("402 Payment Required", card("expired_card", "expired_card"), "stripe.expired-card"),
        ("402 Payment Required", card("incorrect_cvc", "incorrect_cvc"), "stripe.incorrect-cvc"),
        ("402 Payment Required", card("authentication_required", "x"), "stripe.authentication-required"),
        ("402 Payment Required", card("processing_error", "processing_error"), "stripe.processing-error"),
        ("403 Forbidden", json!({"type": "invalid_request_error"}), "stripe.permission"),
        ("404 Not Found", request("resource_missing", "intent"), "stripe.resource-missing"),
        (
            "409 Conflict",
            json!({"type": "idempotency_error", "code": "idempotency_key_in_use"}),
            "stripe.idempotency-key-in-use",
        ),
        ("424 Failed Dependency", json!({"type": "api_error"}), "stripe.api-error"),
        ("429 Too Many Requests", request("rate_limit", ""), "stripe.rate-limit"),
        ("429 Too Many Requests", request("lock_timeout", ""), "stripe.lock-timeout"),
        ("500 Internal Server Error", json!({"type": "api_error"}), "stripe.api-error"),
        ("503 Service Unavailable", json!({"type": "api_error"}), "stripe.api-error"),
        ("200 OK", card("card_declined", "generic_decline"), "stripe.card-declined"),
    ]
}

#[tokio::test]
async fn each_error_that_stripe_documents_has_its_code() {
    let case = Case::new().await;
    let manner = |(status, error, code): (&'static str, Value, &'static str)| {
        let head = format!("{status}\r\n{JSON}; charset=utf-8\r\nretry-after: 2");
        Manner::answer(code, &head, json!({ "error": error }).to_string(), Expected::Failure(code, Some(2_000)))
    };
    let manners: Vec<Manner> = errors().into_iter().map(manner).collect();
    let operations = some(&["confirmPaymentIntent"]);
    hold(&case, &manners, &operations, |address| integrated(&case, address, IMPATIENT)).await;
}

#[tokio::test]
async fn no_operation_takes_another_answer_for_its_own() {
    let case = Case::new().await;
    let shape = |name, body: &str| {
        let expected = Expected::Failure("http.unexpected-body", None);
        Manner::answer(name, &format!("200 OK\r\n{JSON}"), body, expected)
    };
    let manners = [
        shape("another object", r#"{"id": "evt_1", "object": "event", "data": [{"id": "evt_2", "object": "event"}]}"#),
        shape("an id that is a number", r#"{"id": 7, "object": "customer", "data": [{"id": 7}]}"#),
        Manner::answer(
            "an error as a success",
            &format!("200 OK\r\n{JSON}"),
            r#"{"error": {"type": "api_error"}, "data": []}"#,
            Expected::Failure("stripe.api-error", None),
        ),
        Manner::answer(
            "a good answer that says it is a page",
            "200 OK\r\ncontent-type: text/html",
            r#"{"id": "cus_1", "object": "customer", "data": []}"#,
            Expected::Failure("http.unexpected-body", None),
        ),
    ];
    hold(&case, &manners, &operations(), |address| integrated(&case, address, IMPATIENT)).await;
}

#[tokio::test]
async fn sandbox_mode_answers_each_operation_the_same_for_the_same_seed() {
    let case = Case::new().await;
    let stripe = integrated(&case, case.upstream.address, "").await;
    for (operation, input) in operations() {
        let [first, again, other] = [1, 1, 2].map(|seed| call(operation, input.clone()).seed(seed));
        let (first, again, other) = (stripe.call(first).await, stripe.call(again).await, stripe.call(other).await);
        let output = first.result.as_ref().unwrap_or_else(|error| panic!("{operation}: {error}"));
        assert_eq!(output, again.result.as_ref().unwrap(), "{operation}");
        assert_ne!(output, other.result.as_ref().unwrap(), "{operation}");
        let [would] = first.would_send.as_slice() else { panic!("{operation}: {:?}", first.would_send) };
        assert!(would.headers.contains(&("Authorization".to_owned(), "Bearer {secret-key}".to_owned())), "{would:?}");
        assert_eq!((first.receipt.bytes_out, first.receipt.requests), (0, 1), "{operation}");
    }
    let canceled = stripe.call(call("cancelPaymentIntent", json!({"intent": "pi_1"}))).await.result.unwrap();
    assert_eq!((&canceled["status"], &canceled["amount_received"]), (&json!("canceled"), &json!(0)));
    assert!(case.upstream.received().is_empty());
}

#[tokio::test]
async fn a_payment_that_is_sent_again_carries_the_same_key() {
    let tries = AtomicUsize::new(0);
    let case = Case::answering(move |request| match (request.method.as_str(), tries.fetch_add(1, Ordering::SeqCst)) {
        ("GET", _) => Answer::json(&json!({"ok": true})),
        (_, 0) => Answer::json(&json!({"error": {"type": "api_error"}})).status(503),
        _ => Answer::json(
            &json!({"id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 1, "currency": "eur"}),
        ),
    })
    .await;
    let stripe = integrated(&case, case.upstream.address, "").await;
    let outcome = stripe.call(call("confirmPaymentIntent", json!({"intent": "pi_1"})).live()).await;
    assert_eq!(outcome.result.as_ref().unwrap()["status"], "succeeded");
    let received = case.upstream.received();
    let keys: Vec<&str> = received.iter().filter_map(|request| request.header("idempotency-key")).collect();
    assert_eq!(keys, [outcome.call.to_string().as_str(); 2]);
    assert_eq!(received[0].header("stripe-account"), Some("acct_1"));
    assert_eq!(received[0].header("authorization"), Some(format!("Bearer {}", secret("secret-key")).as_str()));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_amount_that_cannot_be_right_is_refused_before_anything_is_sent() {
    let case = Case::new().await;
    let stripe = integrated(&case, case.upstream.address, "").await;
    let input = json!({"amount": 5_124, "currency": "kwd"});
    let outcome = stripe.call(call("createPaymentIntent", input).live()).await;
    let Err(CallError::Input(why)) = &outcome.result else { panic!("{:?}", outcome.result) };
    assert!(why.contains("/amount") && why.contains("5120 or 5130"), "{why}");
    assert!(case.upstream.received().is_empty());
    case.holds(&outcome).await;
}
