//! Case 25: sandbox mode. Nothing leaves, and nothing that could leave is even looked at.

use serde_json::json;

use crate::harness::{Case, call, everything, get, send};

#[tokio::test]
async fn sandbox_mode_sends_no_packet_asks_no_name_and_opens_no_vault() {
    let case = Case::new().await;
    let base = "https://granted.example";
    let probe = case.probe_with(base, &everything(base), &[]).await;
    let asked = case.vault.asked();
    let steps = json!([
        send("POST", &format!("{base}/echo"), Some("token"), json!([])),
        send("GET", &format!("{base}/basic"), Some("basic"), json!([])),
        send("GET", &format!("{base}/query"), Some("query-key"), json!([])),
        {"do": "sign", "slot": "signing", "algorithm": "hmac-sha256", "message": "m"},
        send("GET", &format!("{base}/admin"), None, json!([])),
    ]);
    let outcome = probe.call(call("probe", json!({ "steps": steps }))).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(outcome.would_send.len(), 3);
    assert_eq!(output["results"][4]["error"]["rule"], "path-not-granted", "the gate decides in sandbox mode too");
    assert_eq!((case.vault.asked() - asked, case.names.queries()), (0, 0));
    assert_eq!((case.upstream.received().len(), case.upstream.connections()), (0, 0));
    assert_eq!((outcome.receipt.bytes_out, outcome.receipt.bytes_in), (0, 0));
    let shown = serde_json::to_string(&outcome.would_send).unwrap();
    for slot in ["Bearer {token}", "Basic {basic}", "api_key={query-key}"] {
        assert!(shown.contains(slot), "{shown}");
    }
    case.holds(&outcome).await;
}

#[tokio::test]
async fn sandbox_mode_needs_neither_network_nor_credentials() {
    let case = Case::new().await;
    // The upstream is carved out and there, and every slot is empty.
    for slot in ["token", "basic", "key", "query-key", "signing"] {
        case.vault.inner.remove(slot);
    }
    let base = case.upstream.origin();
    let steps = json!([get(&format!("{base}/ok")), send("POST", &format!("{base}/echo"), Some("token"), json!([]))]);
    let outcome = case.probe().call(call("probe", json!({ "steps": steps }))).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][1]["ok"]["status"], 200, "{output}");
    assert_eq!((case.upstream.connections(), case.names.queries(), case.vault.asked()), (0, 0, 0));
    case.holds(&outcome).await;
}
