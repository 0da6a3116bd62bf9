//! Case 1: loops without end, wherever a guest's code can run.

use std::time::{Duration, Instant};

use portcullis_runtime::DescribeError;
use serde_json::{Value, json};

use super::bound;
use crate::{
    guests,
    harness::{Case, call},
};

async fn ends_at(limits: &str, name: &str) {
    let case = Case::new().await;
    let integration = case.guest(guests::HOSTILE_ENDLESS_LOOP, "loop", limits).await;
    let started = Instant::now();
    let outcome = integration.call(call("loop", json!({})).live()).await;
    assert_eq!(bound(&outcome), name);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(outcome.receipt.wall_us > 0, "a failure has a receipt too");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_endless_loop_ends_when_its_fuel_does() {
    ends_at("fuel = 10_000_000", "fuel").await;
}

#[tokio::test]
async fn an_endless_loop_with_much_fuel_ends_when_its_cpu_time_does() {
    ends_at("fuel = 1_000_000_000_000\nguest_ms = 100", "guest_ms").await;
}

#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_does_not_keep_others_from_their_turn() {
    let case = Case::new().await;
    let limits = "fuel = 1_000_000_000_000\nguest_ms = 800";
    let looper = case.guest(guests::HOSTILE_ENDLESS_LOOP, "loop", limits).await;
    // One thread for both: the loop must give way for the benign call to get through.
    let running = tokio::spawn(async move { looper.call(call("loop", json!({}))).await });
    tokio::task::yield_now().await;
    case.goes_on().await;
    assert!(!running.is_finished(), "the loop was still running");
    assert_eq!(bound(&running.await.unwrap()), "guest_ms");
}

#[tokio::test]
async fn a_loop_anywhere_before_an_operation_ends_too() {
    let case = Case::new().await;
    for guest in [
        guests::HOSTILE_LOOP_IN_CONFIG_SCHEMA,
        guests::HOSTILE_ENDLESS_DESCRIBE,
        guests::HOSTILE_LOOP_IN_START,
        guests::HOSTILE_LOOP_IN_REALLOC,
        guests::HOSTILE_LOOP_IN_POST_RETURN,
    ] {
        let adapter = case.load(guest).await;
        let started = Instant::now();
        let config: Value = json!({});
        let error = case.runtime.describe(&adapter, &config).await.unwrap_err();
        case.refusal_is_recorded("describe", &error.to_string());
        assert!(matches!(&error, DescribeError::Failed(error) if error.is_bound()), "{}: {error}", guest.name());
        assert!(error.to_string().contains("fuel"), "{}: {error}", guest.name());
        assert!(started.elapsed() < Duration::from_secs(5));
        case.goes_on().await;
    }
}

#[tokio::test]
async fn a_config_schema_that_would_never_be_done_is_refused() {
    let case = Case::new().await;
    let adapter = case.load(guests::HOSTILE_ENDLESS_CONFIG_SCHEMA).await;
    let error = case.runtime.config_schema(&adapter).await.unwrap_err();
    case.refusal_is_recorded("describe", &error.to_string());
    assert!(matches!(&error, DescribeError::ConfigSchema(_)), "{error:?}");
    assert!(error.to_string().contains("applies itself to the same value for ever"), "{error}");
    case.goes_on().await;
}

#[tokio::test]
async fn a_loop_around_an_operation_ends_with_its_call() {
    let case = Case::new().await;
    for guest in [guests::HOSTILE_LOOP_IN_ARGUMENT, guests::HOSTILE_LOOP_AFTER_CALL] {
        let looper = case.guest(guest, "attack", "fuel = 10_000_000").await;
        let outcome = looper.call(call("attack", json!({})).live()).await;
        assert_eq!(bound(&outcome), "fuel", "{}", guest.name());
        case.holds(&outcome).await;
    }
}
