//! Stripe's errors as stable failures (<https://docs.stripe.com/api/errors>, <https://docs.stripe.com/error-codes>).
//!
//! Stripe answers `{"error": {"type", "code", "decline_code", "param", "message", …}}`. The failure's code is `stripe.` and
//! Stripe's code, or its type where it gives no code; a key that is refused, and too many requests, have codes of ours,
//! because Stripe tells them by the status alone.
//!
//! Of what else stands in an error only what is listed below is told: a card error carries the whole PaymentIntent, with its
//! client secret and the customer's address.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

const ERRORS: Errors = Errors::new("stripe", &["/error/code", "/error/type"]).message("/error/message");

/// Stripe's words for a request of these names are told in the details: `details.declineCode`.
const TOLD: [(&str, &str); 9] = [
    ("type", "type"),
    ("code", "code"),
    ("decline_code", "declineCode"),
    ("advice_code", "adviceCode"),
    ("network_decline_code", "networkDeclineCode"),
    ("param", "param"),
    ("charge", "charge"),
    ("payment_method_type", "paymentMethodType"),
    ("doc_url", "docUrl"),
];

/// A success is 2xx with JSON that is no error. Stripe always says 4xx or 5xx; what stands between may not.
pub(crate) fn is_success(response: &Response) -> bool {
    #[model]
    struct Told {
        error: Option<Fault>,
    }

    #[model]
    struct Fault {}

    // Nothing else that Stripe says has a field of this name, so that a good answer is not read twice.
    let may_tell = response.body.split(|byte| *byte == b'"').any(|text| text == b"error");
    let tells = may_tell && matches!(response.json::<Told>(), Ok(Told { error: Some(_) }));
    response.is_success() && is_json(response) && !tells
}

fn is_json(response: &Response) -> bool {
    // Media types are compared without regard to case (RFC 9110, section 8.3.1). Where none is said, the body has to tell.
    let media_type = response.header("content-type").map(|value| value.split(';').next().unwrap_or(value).trim());
    media_type.is_none_or(|name| name.eq_ignore_ascii_case("application/json"))
}

/// What an answer that is no success means.
pub(crate) fn failure(response: &Response) -> Failure {
    let status = response.status;
    let body = response.json::<Value>().unwrap_or_default();
    let Some(error) = body.get("error").filter(|error| error.is_object()) else { return other(response) };
    let code = match (status, error.get("code").and_then(Value::as_str)) {
        (401, None) => "stripe.authentication".to_owned(),
        (403, None) => "stripe.permission".to_owned(),
        (429, None | Some("rate_limit")) => "stripe.rate-limit".to_owned(),
        _ => ERRORS.failure(response).code.into_owned(),
    };
    let message = error.get("message").and_then(Value::as_str);
    let message = message.map_or_else(|| format!("Stripe answered with status {status}"), str::to_owned);
    let told = TOLD.iter().filter_map(|(theirs, ours)| Some(((*ours).to_owned(), text(error.get(theirs)?)?)));
    let mut details: BTreeMap<String, Value> = told.collect();
    details.insert("status".to_owned(), status.into());
    let of_intent = |name: &str| error.get("payment_intent").and_then(|intent| text(intent.get(name)?));
    if let Some(id) = of_intent("id") {
        details.insert("paymentIntent".to_owned(), json!({"id": id, "status": of_intent("status")}));
    }
    if let Some(id) = response.header("request-id") {
        details.insert("requestId".to_owned(), id.into());
    }
    Failure::new(code, message).retryable(is_retryable(response)).details(json!(details))
}

/// A text, as it is.
fn text(value: &Value) -> Option<Value> {
    value.is_string().then(|| value.clone())
}

/// Whether the same call, with the same idempotency key, may succeed later. Stripe says so in a header where it knows
/// better than the status: a conflict (409) is another request with the same key that is not done yet.
fn is_retryable(response: &Response) -> bool {
    match response.header("stripe-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => response.status == 409 || Failure::is_retryable_status(response.status),
    }
}

/// What is not Stripe's form: a proxy's page, or nothing.
fn other(response: &Response) -> Failure {
    let status = response.status;
    if status == 429 {
        return Failure::new("stripe.rate-limit", "Stripe answered with status 429")
            .retryable(true)
            .details(json!({"status": status}));
    }
    if response.is_success() {
        let message = format!("the answer ({status}) is not Stripe's: it says of itself that it is no JSON");
        return Failure::new("http.unexpected-body", message).details(json!({"status": status}));
    }
    Failure::from_status(response)
}
