//! Case 5: too much handed to a host function, and header fields that are two.

use serde_json::{Value, json};

use super::bound;
use crate::{
    guests,
    harness::{Case, call, rules, send},
};

#[tokio::test]
async fn all_random_numbers_there_are_are_a_bound() {
    let case = Case::new().await;
    let drawer = case.guest(guests::HOSTILE_RANDOM_FLOOD, "draw", "").await;
    let outcome = drawer.call(call("draw", json!({})).live()).await;
    assert_eq!(bound(&outcome), "random_bytes");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_flood_of_header_fields_is_a_bound() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let adapter = case.load(guests::HOSTILE_HEADER_FLOOD).await;
    let grant = format!(
        "adapter = \"{}\"\noperations = [\"flood\"]\ncarve_outs = [\"{}\"]\n[[routes]]\nmethod = \"GET\"\nurl = \"{origin}/allowed\"\n",
        adapter.digest(),
        case.upstream.address
    );
    let new = portcullis_runtime::NewIntegration::new("acme", "flood", adapter, portcullis_runtime::Grant::parse(&grant).unwrap());
    let flooder = case.runtime.integrate(new.config(json!({ "baseUrl": origin }))).await.unwrap();
    let outcome = flooder.call(call("flood", json!({"baseUrl": origin, "count": 32_769})).live()).await;
    assert_eq!(outcome.result.as_ref().unwrap(), &json!({"bound": "header_count"}));
    assert_eq!(case.upstream.received().len(), 0);
    let ends = case.ledger.of_kind("outcome");
    assert_eq!(ends[0]["bounds"]["header_count"], 1, "the ledger says which bound it was: {ends:?}");
    case.holds(&outcome).await;
    // A few are nothing special.
    let outcome = flooder.call(call("flood", json!({"baseUrl": origin, "count": 3})).live()).await;
    assert_eq!(outcome.result.unwrap(), json!({"status": 200}));
}

#[tokio::test]
async fn header_names_and_values_that_hold_a_line_break_or_a_nul_are_refused() {
    let case = Case::new().await;
    let url = format!("{}/ok", case.upstream.origin());
    let odd = [
        ["x-a", "a\r\nHost: evil"],
        ["x-a", "a\nb"],
        ["x-a", "a\rb"],
        ["x-a", "a\u{0}"],
        ["x-a\r\nHost", "b"],
        ["x-a\n", "b"],
        ["x\u{0}a", "b"],
        ["x-a:b", "c"],
        ["", "b"],
        ["x a", "b"],
    ];
    for some in odd.chunks(5) {
        let steps: Vec<Value> = some.iter().map(|header| send("GET", &url, None, json!([header]))).collect();
        let outcome = case.steps(case.probe(), json!(steps)).await;
        assert_eq!(rules(&outcome), vec!["header-invalid"; some.len()]);
        assert_eq!(case.upstream.received().len(), usize::from(some[0] != odd[0]), "only the benign call");
        case.holds(&outcome).await;
    }
}
