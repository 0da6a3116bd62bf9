//! Case 51: what clocks tell. A guest that looks at the time round a request, to find out by how long the host's search took
//! which few bytes of a secret it guessed right.

use portcullis_runtime::Secret;
use serde_json::{Value, json};

use crate::harness::{Case, send};

const CLOCK: &str = "clock";

#[tokio::test]
async fn a_guests_clocks_go_on_by_whole_milliseconds() {
    let case = Case::new().await;
    let steps: Vec<Value> = (0..40).map(|_| json!({"do": CLOCK})).collect();
    let outcome = case.steps(case.probe(), Value::Array(steps)).await;
    let output = outcome.result.as_ref().unwrap();
    for clock in output["results"].as_array().unwrap() {
        let (wall, monotonic) = (&clock["wall"]["nanoseconds"], &clock["monotonic"]);
        assert_eq!((wall.as_u64().unwrap() % 1_000_000, monotonic.as_u64().unwrap() % 1_000_000), (0, 0), "{clock}");
    }
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_request_with_a_right_piece_of_a_secret_costs_what_one_with_a_wrong_piece_does() {
    let case = Case::new().await;
    let work = async |secret: &str, piece: &str| {
        case.vault.inner.put("key", Secret::try_from(secret).unwrap());
        let url = format!("{}/echo", case.upstream.origin());
        let mut step = send("POST", &url, Some("token"), json!([["content-type", "text/plain"]]));
        step["body"] = json!(format!("{piece},").repeat(10_000));
        let outcome = case.steps(case.probe(), json!([step])).await;
        assert_eq!(outcome.result.as_ref().unwrap().pointer("/results/0/ok/status"), Some(&json!(200)));
        outcome.receipt.work
    };
    for piece in ["4815", "8151", "1516", "48151"] {
        let (right, wrong) = (work("481516", piece).await, work("937290", piece).await);
        // What may differ is how long the host's own names and numbers are.
        assert!(right.abs_diff(wrong) * 100 < wrong, "{piece}: {right} {wrong}");
    }
    case.goes_on().await;
}
