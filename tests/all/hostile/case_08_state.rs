//! Case 8: state that outlives its call, in a guest's globals or in memory that is used again.

use portcullis_tests::upstream::Answer;
use serde_json::json;

use crate::{
    guests,
    harness::{Case, call, everything, get},
};

#[tokio::test]
async fn a_count_begins_anew_in_every_call_of_every_tenant() {
    let case = Case::new().await;
    let mut counters = Vec::new();
    for workspace in ["acme", "other"] {
        counters.push(case.guest_in(workspace, guests::HOSTILE_GLOBAL_STATE, "count", "").await);
    }
    for counter in counters.iter().chain(&counters) {
        let outcome = counter.call(call("count", json!({}))).await;
        assert_eq!(outcome.result.as_ref().unwrap(), &json!({"count": 1}));
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn memory_that_is_used_again_holds_nothing_of_the_last_tenant() {
    const MARKER: &str = "what-only-the-first-tenant-may-see";
    let case = Case::answering(|request| match request.target.as_str() {
        "/items/1" => Answer::json(&json!({"marker": MARKER})),
        _ => Answer::json(&json!({"ok": true})),
    })
    .await;
    let base = case.upstream.origin();
    let scan: String = MARKER.bytes().map(|byte| format!("{:02x}", byte ^ 0x5a)).collect();
    let scan = json!({"do": "scan", "needle": scan});
    let other =
        case.probe_in("other", case.vault.clone(), &base, &everything(&base), &[case.upstream.address]).await;
    // There are four places for instances; after eight calls each was used.
    for _ in 0..8 {
        let outcome = case.steps(case.probe(), json!([get(&format!("{base}/items/1")), scan])).await;
        let found = outcome.result.as_ref().unwrap()["results"][1]["found"].as_u64().unwrap();
        assert!(found > 0, "the search finds what is there");
    }
    for tenant in [&other, case.probe()] {
        for _ in 0..8 {
            let outcome = case.steps(tenant, json!([scan])).await;
            assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["found"], 0);
            case.holds(&outcome).await;
        }
    }
}
