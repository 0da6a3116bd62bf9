//! Case 4: stack, memory, tables, and the memory of the host that a guest makes it use.

use std::time::{Duration, Instant};

use portcullis_gate::Limits;
use portcullis_runtime::CallError;
use portcullis_tests::guests::Guest;
use serde_json::{Value, json};

use super::bound;
use crate::{
    guests,
    harness::{Case, call},
};

async fn ends_at(guest: Guest, operation: &str, input: Value, limits: &str, name: &str) {
    let case = Case::new().await;
    let integration = case.guest(guest, operation, limits).await;
    let started = Instant::now();
    let outcome = integration.call(call(operation, input).live()).await;
    assert_eq!(bound(&outcome), name);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(outcome.receipt.fuel > 0, "a failure has a receipt too");
    assert!(outcome.receipt.peak_memory_bytes <= Limits::default().memory_bytes);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn recursion_without_end_ends_at_the_stack() {
    ends_at(guests::HOSTILE_RECURSION, "recurse", json!({}), "", "stack_bytes").await;
}

#[tokio::test]
async fn growing_memory_to_four_gibibytes_ends_at_the_bound() {
    ends_at(guests::HOSTILE_GROW_MEMORY, "grow", json!({}), "", "memory_bytes").await;
    ends_at(guests::HOSTILE_GROW_MEMORY, "grow", json!({}), "memory_bytes = 8_388_608", "memory_bytes").await;
}

#[tokio::test]
async fn a_huge_string_for_a_host_function_is_a_bound_and_not_a_copy() {
    ends_at(guests::HOSTILE_HUGE_STRING, "shout", json!({"bytes": 20 << 20}), "", "host_call_bytes").await;
    ends_at(guests::HOSTILE_HUGE_STRING, "shout", json!({}), "", "memory_bytes").await;
}

#[tokio::test]
async fn a_list_whose_elements_share_their_bytes_is_counted_as_what_it_copies() {
    ends_at(guests::HOSTILE_SHARED_LIST, "attack", json!({}), "", "host_call_bytes").await;
}

#[tokio::test]
async fn a_text_that_is_longer_than_the_memory_it_is_in_is_not_read() {
    let case = Case::new().await;
    let liar = case.guest(guests::HOSTILE_FORGED_LENGTH, "attack", "").await;
    let outcome = liar.call(call("attack", json!({})).live()).await;
    match outcome.result.as_ref().unwrap_err() {
        CallError::Broken(why) => assert!(why.contains("out of bounds"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome.journal.lines, []);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn several_memories_are_counted_together() {
    let case = Case::new().await;
    let adapter = case.load(guests::HOSTILE_MANY_MEMORIES).await;
    // Each of its four memories alone would fit.
    let error = case.runtime.describe(&adapter, &json!({})).await.unwrap_err();
    case.refusal_is_recorded("describe", &error.to_string());
    assert!(error.to_string().contains("memory_bytes"), "{error}");
    case.goes_on().await;
}

#[tokio::test]
async fn a_table_that_grows_without_end_ends_at_its_bound() {
    let case = Case::new().await;
    let adapter = case.load(guests::HOSTILE_GROW_TABLE).await;
    let error = case.runtime.describe(&adapter, &json!({})).await.unwrap_err();
    case.refusal_is_recorded("describe", &error.to_string());
    assert!(error.to_string().contains("table_elements"), "{error}");
    case.goes_on().await;
}
