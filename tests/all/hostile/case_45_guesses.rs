//! Case 45: a guest that guesses a secret, and has an upstream that echoes say which guess was right.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_runtime::{CallError, Outcome, Secret};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use super::case_21_echoes::echo;
use crate::harness::{Case, secret, send};

/// A secret that the harness does not look for: the guesses stand in the input, and so in what a caller reads.
const PIN: &str = "481516";

async fn guessed() -> Case {
    let answer = |request: &Received| {
        if request.target == "/ok" { Answer::json(&json!({})) } else { echo(request) }
    };
    let case = Case::answering(answer).await;
    case.vault.inner.put("key", Secret::try_from(PIN).unwrap());
    case
}

/// A request without any slot, whose body is this.
fn with_body(case: &Case, body: &str) -> Value {
    let mut step = send("POST", &format!("{}/echo", case.upstream.origin()), Some("token"), json!([["content-type", "text/plain"]]));
    step["body"] = json!(body);
    step
}

fn is_refused(outcome: &Outcome, place: &str) {
    match &outcome.result {
        Err(CallError::Denied(denial)) => {
            assert_eq!(denial.rule, "secret-in-request");
            assert!(denial.message.contains(place) && denial.message.contains("the slot `key`"), "{}", denial.message);
        }
        other => panic!("{place}: {other:?}"),
    }
    assert_eq!(outcome.denials.len(), 1);
}

#[tokio::test]
async fn a_request_that_holds_a_secret_is_not_sent_and_ends_the_call() {
    let case = guessed().await;
    let origin = case.upstream.origin();
    let thousand: Vec<String> = (481_000..482_000).map(|guess| guess.to_string()).collect();
    let hex: String = PIN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let items = format!("{origin}/items");
    for (place, step) in [
        ("its body", with_body(&case, &thousand.join(" "))),
        ("its body", with_body(&case, &BASE64_STANDARD.encode(format!("xy {PIN} z")))),
        ("its body", with_body(&case, &hex)),
        ("its body", with_body(&case, "a=1&b=48%31516")),
        ("its body", with_body(&case, "{\"n\": [\"\\u00348151\\u0036\"]}")),
        ("its URL", send("GET", &format!("{items}/{PIN}"), None, json!([]))),
        ("its URL", send("GET", &format!("{items}/7?q=x%20{PIN}"), None, json!([]))),
        ("a header field", send("GET", &format!("{items}/7"), None, json!([["x-trace", PIN]]))),
        ("a header field", send("GET", &format!("{items}/7"), None, json!([["user-agent", format!("a/{PIN}")]]))),
    ] {
        let before = case.upstream.received().len();
        // What comes after it is not sent either, whatever the guest makes of the refusal.
        let after = send("GET", &format!("{items}/8"), None, json!([]));
        let outcome = case.steps(case.probe(), json!([step, after])).await;
        is_refused(&outcome, place);
        assert_eq!(case.upstream.received().len(), before, "nothing was sent: {place}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn of_several_at_once_none_is_answered_where_one_holds_a_secret() {
    let case = guessed().await;
    let requests: Vec<Value> = (0..6).map(|n| with_body(&case, if n == 3 { PIN } else { "481517" })).collect();
    let all = json!({"do": "sendAll", "requests": requests});
    let outcome = case.steps(case.probe(), json!([all, with_body(&case, "481518")])).await;
    is_refused(&outcome, "its body");
    let sent: Vec<String> = case.upstream.received().iter().map(Received::text).collect();
    assert!(sent.iter().all(|text| !text.contains(PIN) && !text.contains("481518")), "{sent:?}");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_secret_in_another_case_is_one_too_for_servers_change_the_case_of_names() {
    let case = guessed().await;
    case.vault.inner.put("key", Secret::try_from("correct-horse-battery").unwrap());
    for guess in ["Correct-hOrse-Battery", "CORRECT-HORSE-BATTERY", "correct-horse-battery"] {
        let outcome = case.steps(case.probe(), json!([with_body(&case, &format!("x: {guess}"))])).await;
        is_refused(&outcome, "its body");
    }
    case.goes_on().await;
}

#[tokio::test]
async fn a_secret_that_the_caller_wrote_into_the_input_is_not_sent_either() {
    let case = guessed().await;
    case.vault.inner.put("key", Secret::try_from(secret("key")).unwrap());
    let outcome = case.steps(case.probe(), json!([with_body(&case, &format!("my key is {}", secret("key")))])).await;
    is_refused(&outcome, "its body");
    let error = outcome.result.unwrap_err().to_string();
    assert!(error.contains("Where the input or the config holds it"), "{error}");
    assert_eq!(case.upstream.received().len(), 0);
    // The input is kept without it.
    case.no_secret_in(&Value::Array(case.ledger.records()).to_string());
    case.goes_on().await;
}

#[tokio::test]
async fn a_short_secret_ends_no_call_because_a_longer_number_holds_its_digits() {
    let case = guessed().await;
    for benign in ["948151623", "order 14815162", "a481516b", "{\"id\": 4815160}"] {
        let outcome = case.steps(case.probe(), json!([with_body(&case, benign)])).await;
        let told = outcome.result.as_ref().unwrap().to_string();
        assert!(told.contains("\"status\":200") && !told.contains("[redacted:key]"), "{told}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn sandbox_mode_does_not_ask_the_vault_for_what_to_search_for() {
    let case = guessed().await;
    let before = case.vault.asked();
    let steps = json!([with_body(&case, PIN)]);
    let outcome = case.probe().call(crate::harness::call("probe", json!({ "steps": steps }))).await;
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    assert_eq!(case.vault.asked(), before);
}
