//! Case 40: work of the host outside of a guest's fuel. A guest's pattern over a guest's text, unique items, examples in sandbox
//! mode, references that double, big answers with many secrets: each ends with the bound `work`.

use std::time::Duration;

use portcullis_runtime::{CallError, Grant, Integration, NewIntegration, Outcome, Secret, Vault};
use portcullis_tests::upstream::Answer;
use serde_json::{Map, Value, json};

use super::bound;
use crate::{
    guests,
    harness::{Case, call, get},
};

/// The guest with these schemas, and this much work for a call of it.
async fn worker(case: &Case, schemas: Value, work: u64) -> Integration {
    let adapter = case.load(guests::HOSTILE_WORK).await;
    let origin = case.upstream.origin();
    let mut config = schemas;
    config["baseUrl"] = json!(origin);
    let grant = format!(
        "adapter = \"{}\"\noperations = [\"work\"]\ncarve_outs = [\"{}\"]\n[[routes]]\nmethod = \"GET\"\nurl = \"{origin}/allowed\"\n\
         [limits]\nwork = {work}\nfuel = 1000000000\nguest_ms = 60000\nwall_ms = 120000\noutput_bytes = 8388608\n",
        adapter.digest(),
        case.upstream.address,
    );
    let new = NewIntegration::new("acme", "work", adapter, Grant::parse(&grant).unwrap());
    case.runtime.integrate(new.config(config).vault(case.vault.clone())).await.unwrap()
}

/// The call ended with the bound, told which limit to raise, and took no more than that.
fn is_spent(outcome: &Outcome, work: u64) {
    assert_eq!(bound(outcome), "work", "{:?}", outcome.result);
    let error = outcome.result.as_ref().unwrap_err();
    assert_eq!(error.to_string(), format!("the bound `work` was hit: at most {work} units of the host's work on this call's data"));
    assert_eq!(error.allow_with().unwrap(), format!("[limits]\nwork = {}\n", 2 * work));
    assert_eq!(outcome.receipt.work, work);
    // A unit is 50 ns of an optimised build at most; here a part of it is not, and the machine may be slow.
    let most_us = 1_000_000 + work * 50 * 60 / 1_000;
    assert!(outcome.receipt.host_cpu_us < most_us, "{} us", outcome.receipt.host_cpu_us);
}

const SLOW: &str = "[01]*1[01]{400}[^01]";

#[tokio::test]
async fn a_guests_pattern_over_a_guests_text_ends_with_the_bound() {
    let case = Case::new().await;
    let guest = worker(&case, json!({"output": {"pattern": SLOW}}), 1_000_000).await;
    let outcome = guest.call(call("work", json!({"text": "0110", "times": 250_000})).live()).await;
    is_spent(&outcome, 1_000_000);
    case.holds(&outcome).await;
    // And over a caller's.
    let guest = worker(&case, json!({"input": {"properties": {"text": {"pattern": SLOW}}}}), 1_000_000).await;
    let outcome = guest.call(call("work", json!({"text": "0110".repeat(250_000)})).live()).await;
    is_spent(&outcome, 1_000_000);
    assert_eq!(outcome.receipt.fuel, 0, "it did not run");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_long_list_whose_items_must_be_unique_is_cheap_and_one_of_long_lists_is_charged() {
    let case = Case::new().await;
    let unique = json!({"output": {"type": "array", "uniqueItems": true}});
    let guest = worker(&case, unique, 20_000_000).await;
    let outcome = guest.call(call("work", json!({"items": 100_000})).live()).await;
    assert_eq!(outcome.result.as_ref().unwrap().as_array().unwrap().len(), 100_000);
    assert!(outcome.receipt.work < 2_000_000, "{:?}", outcome.receipt);
    case.goes_on().await;
    // Held against many values each.
    let listed = json!({"output": {"items": {"not": {"enum": (200_000..230_000).collect::<Vec<_>>()}}}});
    let guest = worker(&case, listed, 1_000_000).await;
    let outcome = guest.call(call("work", json!({"items": 100_000})).live()).await;
    is_spent(&outcome, 1_000_000);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn examples_in_sandbox_mode_end_with_the_bound_and_the_guest_goes_no_further() {
    let case = Case::new().await;
    let examples = json!({"response": {"pattern": SLOW, "examples": ["0110".repeat(15_000)]}});
    let guest = worker(&case, examples, 500_000).await;
    let outcome = guest.call(call("work", json!({"sends": 100}))).await;
    is_spent(&outcome, 500_000);
    assert_eq!(outcome.would_send.len(), 1, "the first was the last");
    case.holds(&outcome).await;
}

/// Each level names the next one twice.
fn doubled(levels: usize) -> Value {
    let mut defs = Map::from_iter([(format!("l{levels}"), json!({"type": "string"}))]);
    for level in 0..levels {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    json!({"$ref": "#/$defs/l0", "$defs": defs})
}

#[tokio::test]
async fn references_that_double_end_with_the_bound() {
    let case = Case::new().await;
    let guest = worker(&case, json!({"output": doubled(40)}), 1_000_000).await;
    let outcome = guest.call(call("work", json!({"text": "x", "times": 1})).live()).await;
    is_spent(&outcome, 1_000_000);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn big_answers_with_many_secrets_end_with_the_bound_and_nobody_else_waits() {
    let slow = "%2541\\u0041&#65;=41\\/%2541".repeat(40_000);
    let case = Case::answering(move |request| match request.target.as_str() {
        "/allowed" => Answer { body: slow.clone().into_bytes(), ..Answer::json(&json!(null)) },
        _ => Answer::json(&json!({"ok": true})),
    })
    .await;
    for n in 0..24 {
        case.vault.inner.put(format!("more-{n}"), Secret::try_from(format!("secret-of-its-own-{n}")).unwrap());
    }
    let guest = worker(&case, json!({}), 2_000_000).await;
    let outcome = guest.call(call("work", json!({"sends": 10})).live()).await;
    is_spent(&outcome, 2_000_000);
    assert!(outcome.receipt.requests < 10, "{:?}", outcome.receipt);
    let ends = case.ledger.of_kind("outcome");
    let end = ends.iter().find(|end| end["call"] == json!(outcome.call)).unwrap();
    assert_eq!((&end["error"], &end["bounds"]["work"]), (&json!("work"), &json!(1)), "{end}");
    case.holds(&outcome).await;
    // With as much as they like, in several calls at once: another tenant's call ends while theirs are under way.
    let guest = worker(&case, json!({}), 12_000_000_000).await;
    let one = async || guest.call(call("work", json!({"sends": 16})).live()).await.receipt;
    let mut heavy = std::pin::pin!(async { tokio::join!(one(), one(), one()) });
    let url = format!("{}/ok", case.upstream.origin());
    for _ in 0..3 {
        tokio::select! {
            ended = &mut heavy => panic!("they were quicker: {ended:?}"),
            outcome = case.steps(case.probe(), json!([get(&url)])) => assert!(outcome.result.is_ok(), "{:?}", outcome.result),
        }
    }
}

#[tokio::test]
async fn work_that_nobody_waits_for_any_more_is_given_up() {
    let slow = "%2541\\u0041&#65;=41\\/%2541".repeat(150_000);
    let case = Case::answering(move |request| match request.target.as_str() {
        "/allowed" => Answer { body: slow.clone().into_bytes(), ..Answer::json(&json!(null)) },
        _ => Answer::json(&json!({"ok": true})),
    })
    .await;
    let guest = worker(&case, json!({}), 12_000_000_000).await;
    let before = case.vault.inner.scrubber();
    let endless = guest.call(call("work", json!({"sends": 16})).live());
    tokio::time::timeout(Duration::from_millis(1_500), endless).await.unwrap_err();
    // The thread holds what it searches for; it has ended when nobody does.
    let held = std::sync::Arc::strong_count(&before);
    let mut left = 600;
    while std::sync::Arc::strong_count(&before) > 2 && left > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        left -= 1;
    }
    assert!(left > 0, "{held}");
    case.goes_on().await;
}

#[tokio::test]
async fn an_ordinary_call_uses_little_of_it_and_the_receipt_says_how_much() {
    let case = Case::new().await;
    let outcome = case.steps(case.probe(), json!([get(&format!("{}/ok", case.upstream.origin()))])).await;
    assert!(outcome.result.is_ok());
    assert!((1..20_000).contains(&outcome.receipt.work), "{:?}", outcome.receipt);
    let ends = case.ledger.of_kind("outcome");
    let end = ends.iter().find(|end| end["call"] == json!(outcome.call)).unwrap();
    assert_eq!(end["receipt"]["work"], json!(outcome.receipt.work));
    match guest_error(&case).await {
        CallError::Input(told) => assert!(told.contains("is not"), "{told}"),
        other => panic!("{other:?}"),
    }
}

/// What is wrong with an input is told as ever.
async fn guest_error(case: &Case) -> CallError {
    let guest = worker(case, json!({"input": {"type": "string"}}), 1_000_000).await;
    guest.call(call("work", json!({"items": 1})).live()).await.result.unwrap_err()
}
