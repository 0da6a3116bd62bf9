//! Postmark against upstreams that misbehave, the errors that Postmark documents, and sandbox mode of all its operations.

use std::net::SocketAddr;

use portcullis_runtime::Integration;
use serde_json::{Value, json};

use crate::{
    harness::{Case, call},
    upstreams::{self, Expected, IMPATIENT, Manner, hold, manners},
};

/// An integration with all that the adapter declares at this address.
async fn integrated(case: &Case, address: SocketAddr, limits: &str) -> Integration {
    let config = json!({ "baseUrl": format!("http://{address}") });
    upstreams::integrated(case, "postmark", config, Some(address), limits).await
}

/// Each operation with a good input.
fn operations() -> Vec<(&'static str, Value)> {
    let email = json!({"From": "a@example.com", "To": "b@example.com", "TextBody": "Hello"});
    let template = json!({
        "From": "a@example.com", "To": "b@example.com", "TemplateAlias": "welcome", "TemplateModel": {"name": "Ada"},
    });
    let page = json!({"count": 1, "offset": 0});
    vec![
        ("sendEmail", email.clone()),
        ("sendEmailBatch", json!([email])),
        ("sendEmailWithTemplate", template),
        ("getBounces", page.clone()),
        ("searchOutboundMessages", page.clone()),
        ("listServers", page),
    ]
}

#[tokio::test]
async fn whatever_stands_in_for_postmark_the_call_ends_as_a_typed_error() {
    let case = Case::new().await;
    // Too many requests have a code of their own, whoever says so and how.
    let mut manners: Vec<Manner> =
        manners().into_iter().filter(|manner| !manner.name.starts_with("slow down, in")).collect();
    let slow = |name, head: &str, when| {
        let head = format!("429 Too Many Requests\r\n{head}");
        Manner::answer(name, &head, "<html>", Expected::Failure("postmark.rate-limited", when))
    };
    manners.extend([
        slow("slow down, in seconds", "retry-after: 7", Some(7_000)),
        slow("slow down, in no known way", "retry-after: soon", None),
    ]);
    hold(&case, &manners, &operations(), |address| integrated(&case, address, IMPATIENT)).await;
}

#[tokio::test]
async fn each_error_that_postmark_documents_has_its_code() {
    let case = Case::new().await;
    // Status, Postmark's code, and what that is. A single email may be refused under 200, too.
    let errors = [
        ("401 Unauthorized", 10, "postmark.bad-token"),
        ("422 Unprocessable Entity", 300, "postmark.invalid-email"),
        ("422 Unprocessable Entity", 400, "postmark.sender-not-found"),
        ("422 Unprocessable Entity", 405, "postmark.not-allowed"),
        ("422 Unprocessable Entity", 406, "postmark.inactive-recipient"),
        ("422 Unprocessable Entity", 412, "postmark.account-pending"),
        ("422 Unprocessable Entity", 1101, "postmark.template-not-found"),
        ("422 Unprocessable Entity", 4_242, "postmark.error-4242"),
        ("429 Too Many Requests", 429, "postmark.rate-limited"),
        ("500 Internal Server Error", 100, "postmark.maintenance"),
        ("200 OK", 406, "postmark.inactive-recipient"),
        ("200 OK", 300, "postmark.invalid-email"),
    ];
    let manners = errors.map(|(status, code, expected)| {
        let head = format!("{status}\r\ncontent-type: application/json\r\nretry-after: 2");
        let body = json!({"ErrorCode": code, "Message": "why"}).to_string();
        // Of an answer that HTTP calls a success, nobody reads when to try again.
        let when = (status != "200 OK").then_some(2_000);
        Manner::answer(expected, &head, body, Expected::Failure(expected, when))
    });
    let sending: Vec<_> = operations().into_iter().filter(|(name, _)| *name == "sendEmail").collect();
    hold(&case, &manners, &sending, |address| integrated(&case, address, IMPATIENT)).await;
}

#[tokio::test]
async fn sandbox_mode_answers_each_operation_the_same_for_the_same_seed() {
    let case = Case::new().await;
    let postmark = integrated(&case, case.upstream.address, "").await;
    for (operation, input) in operations() {
        let [first, again] = [1, 1].map(|seed| call(operation, input.clone()).seed(seed));
        let (first, again) = (postmark.call(first).await, postmark.call(again).await);
        let output = first.result.as_ref().unwrap_or_else(|error| panic!("{operation}: {error}"));
        assert_eq!(output, again.result.as_ref().unwrap(), "{operation}");
        let [would] = first.would_send.as_slice() else { panic!("{operation}: {:?}", first.would_send) };
        assert!(
            would
                .slots
                .first()
                .is_some_and(|slot| would.curl.contains(&format!("$SLOT_{}", slot.to_uppercase().replace('-', "_"))))
        );
    }
    assert!(case.upstream.received().is_empty());
}
