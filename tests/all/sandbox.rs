//! What the sandbox promises every adapter. What hostile ones come to is in `hostile`.

use std::time::Duration;

use portcullis_runtime::{CallError, Limits, Outcome};
use portcullis_tests::folder;
use serde_json::json;

use crate::{
    guests,
    harness::{Case, call},
};

fn bound(outcome: &Outcome) -> &'static str {
    match outcome.result.as_ref().unwrap_err() {
        CallError::Bound { name, .. } => name,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
pub(crate) async fn an_output_that_is_too_large_is_a_bound() {
    let case = Case::new().await;
    let probe = case.probe_with("https://a.example", "[limits]\noutput_bytes = 100\n", &[]).await;
    let steps = json!([{"do": "open", "slot": "a"}, {"do": "open", "slot": "b"}, {"do": "open", "slot": "c"}]);
    let outcome = case.steps(&probe, steps).await;
    assert_eq!(bound(&outcome), "output_bytes");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_panic_and_a_broken_output_are_the_adapters_failure() {
    let case = Case::new().await;
    for (guest, operation) in
        [(guests::HOSTILE_PANIC, "panic"), (guests::HOSTILE_BAD_JSON, "answer"), (guests::HOSTILE_BAD_OUTPUT, "answer")]
    {
        let integration = case.guest(guest, operation, "").await;
        let outcome = integration.call(call(operation, json!({}))).await;
        assert!(matches!(outcome.result, Err(CallError::Broken(_))), "{}: {:?}", guest.name(), outcome.result);
        case.holds(&outcome).await;
    }
}

#[tokio::test]
pub(crate) async fn there_is_no_environment_and_describe_is_always_the_same() {
    let case = Case::new().await;
    let outcome = case.steps(case.probe(), json!([{"do": "environment"}])).await;
    let told = outcome.result.as_ref().unwrap()["results"][0].to_string();
    assert!(!told.contains("PATH") && !told.contains("CARGO"), "{told}");
    let adapter = case.runtime.load(&folder::adapter("postmark").unwrap()).await.unwrap();
    let first = case.runtime.describe(&adapter, &json!({})).await.unwrap();
    for _ in 0..3 {
        assert_eq!(case.runtime.describe(&adapter, &json!({})).await.unwrap(), first);
    }
}

#[tokio::test]
pub(crate) async fn more_calls_than_there_are_places_wait_for_their_turn() {
    let case = Case::new().await;
    let sleeper = case.guest(guests::HOSTILE_SLEEP, "sleep", "calls_at_once = 1\nwall_ms = 600").await;
    let one = |ms: u64| {
        let sleeper = sleeper.clone();
        tokio::spawn(async move { sleeper.call(call("sleep", json!({ "milliseconds": ms }))).await })
    };
    let long = one(60_000);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let waiting = one(1);
    assert_eq!(bound(&long.await.unwrap()), "wall_ms");
    let waited = waiting.await.unwrap();
    assert!(waited.result.is_ok() || bound(&waited) == "calls_at_once", "{:?}", waited.result);
    assert_eq!(Limits::default().calls_at_once, 64);
    case.goes_on().await;
}
