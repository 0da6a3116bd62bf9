//! Hostile cases 1 to 5, 7 and 8: a guest against the host. Each ends with the bound's name, a receipt and a record, and
//! the host goes on.

use std::time::{Duration, Instant};

use portcullis_runtime::{CallError, DescribeError, Limits, Outcome};
use portcullis_tests::folder;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpListener};

use crate::{
    harness::{Case, call, everything, get, load},
    uploads::handwritten,
};

fn bound(outcome: &Outcome) -> &'static str {
    match outcome.result.as_ref().unwrap_err() {
        CallError::Bound { name, .. } => name,
        other => panic!("{other:?}"),
    }
}

async fn ends_at(guest: &str, operation: &str, input: Value, limits: &str, name: &str) {
    let case = Case::new().await;
    let integration = case.guest(guest, operation, limits).await;
    let started = Instant::now();
    let outcome = integration.call(call(operation, input).live()).await;
    assert_eq!(bound(&outcome), name);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(outcome.receipt.wall_us > 0, "a failure has a receipt too");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_endless_loop_ends_when_its_fuel_does() {
    ends_at("hostile_endless_loop", "loop", json!({}), "fuel = 10_000_000", "fuel").await;
}

#[tokio::test]
async fn an_endless_loop_with_much_fuel_ends_when_its_cpu_time_does() {
    ends_at("hostile_endless_loop", "loop", json!({}), "fuel = 1_000_000_000_000\nguest_ms = 100", "guest_ms").await;
}

#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_does_not_keep_others_from_their_turn() {
    let case = Case::new().await;
    let looper = case.guest("hostile_endless_loop", "loop", "fuel = 1_000_000_000_000\nguest_ms = 800").await;
    // One thread for both: the loop must give way for the benign call to get through.
    let running = tokio::spawn(async move { looper.call(call("loop", json!({}))).await });
    tokio::task::yield_now().await;
    case.goes_on().await;
    assert!(!running.is_finished(), "the loop was still running");
    assert_eq!(bound(&running.await.unwrap()), "guest_ms");
}

#[tokio::test]
async fn sleeping_is_ended_by_the_clock_on_the_wall() {
    ends_at("hostile_sleep", "sleep", json!({"milliseconds": 600_000}), "wall_ms = 300", "wall_ms").await;
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_ended_by_the_clock_on_the_wall() {
    let case = Case::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let held = tokio::spawn(async move {
        let mut taken = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = silent.accept().await.unwrap();
            // Reads for ever, answers never; ends when the host hangs up.
            stream.read_to_end(&mut taken).await.unwrap_or(0);
        }
        taken.len()
    });
    let base = format!("http://{address}");
    for (limits, expected) in
        [("wall_ms = 400", "wall_ms"), ("connect_ms = 100\nfirst_byte_ms = 200\nretries = 0", "timeout")]
    {
        let routes = format!("{}[limits]\n{limits}\n", everything(&base));
        let probe = case.probe_with(&base, &routes, &[address]).await;
        let started = Instant::now();
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        match &outcome.result {
            Err(CallError::Bound { name, .. }) => assert_eq!(*name, expected),
            // The probe tells what it was told.
            Ok(output) => assert_eq!(output["results"][0]["error"]["kind"], expected, "{output}"),
            Err(other) => panic!("{other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(2));
        // It may have been carried out, so it is told: in the receipt, and in the ledger.
        assert_eq!(outcome.receipt.requests, 1, "{limits}");
        let ends = case.ledger.of_kind("outcome");
        let end = ends.iter().find(|end| end["call"] == json!(outcome.call)).unwrap();
        assert_eq!(end["exchanges"][0]["route"], "ok", "{end}");
        case.holds(&outcome).await;
    }
    let sent = tokio::time::timeout(Duration::from_secs(2), held).await.expect("no request outlives its call").unwrap();
    assert!(sent > 0, "the request did go out");
}

#[tokio::test]
async fn recursion_without_end_ends_at_the_stack() {
    ends_at("hostile_recursion", "recurse", json!({}), "", "stack_bytes").await;
}

#[tokio::test]
async fn growing_memory_ends_at_the_bound_over_all_memories() {
    ends_at("hostile_grow_memory", "grow", json!({}), "memory_bytes = 8_388_608", "memory_bytes").await;
}

#[tokio::test]
async fn a_huge_string_for_a_host_function_is_a_bound_and_not_a_copy() {
    ends_at("hostile_huge_string", "shout", json!({"bytes": 20 << 20}), "", "host_call_bytes").await;
    ends_at("hostile_huge_string", "shout", json!({}), "", "memory_bytes").await;
}

#[tokio::test]
async fn a_flood_of_random_numbers_is_a_bound() {
    ends_at("hostile_random_flood", "draw", json!({}), "", "random_bytes").await;
}

#[tokio::test]
async fn several_memories_are_counted_together() {
    let case = Case::new().await;
    let wasm = handwritten("hostile_many_memories");
    let adapter = load(&case.runtime, &wasm).await.unwrap();
    // Each of its four memories alone would fit.
    let error = case.runtime.describe(&adapter, &json!({})).await.unwrap_err();
    assert!(error.to_string().contains("memory_bytes"), "{error}");
    case.goes_on().await;
}

#[tokio::test]
async fn a_table_that_grows_without_end_ends_at_its_bound() {
    let case = Case::new().await;
    let adapter = load(&case.runtime, &handwritten("hostile_grow_table")).await.unwrap();
    let error = case.runtime.describe(&adapter, &json!({})).await.unwrap_err();
    assert!(error.to_string().contains("table_elements"), "{error}");
    case.goes_on().await;
}

#[tokio::test]
async fn a_loop_anywhere_before_an_operation_ends_too() {
    let case = Case::new().await;
    for guest in ["hostile_loop_in_start", "hostile_loop_in_realloc", "hostile_loop_in_post_return"] {
        let adapter = load(&case.runtime, &handwritten(guest)).await.unwrap();
        let started = Instant::now();
        let error = case.runtime.describe(&adapter, &json!({})).await.unwrap_err();
        assert!(matches!(&error, DescribeError::Failed(error) if error.is_bound()), "{guest}: {error}");
        assert!(started.elapsed() < Duration::from_secs(5));
        case.goes_on().await;
    }
    let adapter = case.load("hostile_endless_describe").await;
    let error = case.runtime.describe(&adapter, &json!({})).await.unwrap_err();
    assert!(error.to_string().contains("fuel"), "{error}");
    case.goes_on().await;
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_clean() {
    let case = Case::new().await;
    let integration = case.guest("hostile_log_flood", "flood", "").await;
    let outcome = integration.call(call("flood", json!({}))).await;
    let kept: usize = outcome.journal.lines.iter().map(|line| line.text.len() + 1).sum();
    assert!(kept <= 64 * 1024 + 1, "{kept}");
    assert!(outcome.journal.dropped_bytes > 0);
    assert!(outcome.journal.lines.iter().all(|line| !line.text.chars().any(|c| c.is_control() && c != '\t')));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_flood_of_refusals_is_counted_and_not_kept() {
    let case = Case::new().await;
    let steps: Vec<Value> = (0..500).map(|_| json!({"do": "open", "slot": "none-such"})).collect();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    assert_eq!((outcome.receipt.denials, outcome.denials.len()), (500, 64));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_output_that_is_too_large_is_a_bound() {
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
        [("hostile_panic", "panic"), ("hostile_bad_json", "answer"), ("hostile_bad_output", "answer")]
    {
        let integration = case.guest(guest, operation, "").await;
        let outcome = integration.call(call(operation, json!({}))).await;
        assert!(matches!(outcome.result, Err(CallError::Broken(_))), "{guest}: {:?}", outcome.result);
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn there_is_no_environment_and_describe_is_always_the_same() {
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
async fn more_calls_than_there_are_places_wait_for_their_turn() {
    let case = Case::new().await;
    let sleeper = case.guest("hostile_sleep", "sleep", "calls_at_once = 1\nwall_ms = 600").await;
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
