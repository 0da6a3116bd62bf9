//! Case 7: a flood of text, and text that a terminal would act on.

use serde_json::{Value, json};

use crate::{
    guests,
    harness::{Case, call},
};

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_clean() {
    let case = Case::new().await;
    let flooder = case.guest(guests::HOSTILE_LOG_FLOOD, "flood", "").await;
    let outcome = flooder.call(call("flood", json!({}))).await;
    let lines = &outcome.journal.lines;
    let kept: usize = lines.iter().map(|line| line.text.len() + 1).sum();
    assert!(kept <= 64 * 1024 + 1, "{kept}");
    assert!(outcome.journal.dropped_bytes > 0);
    for source in ["stdout", "stderr", "error"] {
        assert!(lines.iter().any(|line| line.source == source), "nothing from {source}");
    }
    assert!(lines.iter().all(|line| !line.text.chars().any(|c| c.is_control() && c != '\t')));
    assert!(lines.iter().any(|line| line.text.contains("\\u{1b}[2J")), "it is told as text: {:?}", lines.first());
    case.holds(&outcome).await;
}

#[tokio::test]
async fn what_a_guest_says_in_its_errors_is_clean_and_short() {
    let case = Case::new().await;
    let panicker = case.guest(guests::HOSTILE_PANIC, "panic", "").await;
    let message = format!("\u{1b}[2J\u{1b}]0;owned\u{7}{}", "x".repeat(100_000));
    let outcome = panicker.call(call("panic", json!({ "message": message }))).await;
    let error = outcome.result.as_ref().unwrap_err().to_string();
    assert!(error.len() < 1_000 && !error.contains('\u{1b}'), "{error}");
    assert!(outcome.journal.lines.iter().all(|line| line.text.len() <= 4 * 1024 && !line.text.contains('\u{1b}')));
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
