//! Case 54: a guest that writes the name of a slot beside the host, in a spelling that some server reads as the same.

use serde_json::json;

use crate::{harness::send, secrets::Kept};

#[tokio::test]
async fn a_member_that_some_server_reads_as_the_slots_is_not_sent() {
    let kept = Kept::new().await;
    kept.fill().await;
    let probe = kept.probe().await;
    let url = format!("{}/member", kept.case.upstream.origin());
    for name in ["client_key", "CLIENT_KEY", "client.key", " client_key", "client_key[]", "client_key[0]", "client-key",
        "client_key\\u0000", "\\uff43lient_key", "client%5Fkey", "client\\u200b_key"]
    {
        let mut step = send("POST", &url, Some("member"), json!([["content-type", "application/json"]]));
        step["body"] = json!(format!("{{\"a\": 1, \"{name}\": \"of-the-guest\"}}"));
        let outcome = kept.case.steps(&probe, json!([step])).await;
        let told = outcome.result.as_ref().unwrap()["results"][0].to_string();
        assert!(told.contains("already") && told.contains("client_key"), "{name}: {told}");
        let sent = kept.case.upstream.received().iter().filter(|request| request.target == "/member").count();
        assert_eq!(sent, 0, "{name}");
    }
    let mut step = send("POST", &url, Some("member"), json!([["content-type", "application/json"]]));
    step["body"] = json!("{\"client_id\": 1, \"clientkey\": 2}");
    let outcome = kept.case.steps(&probe, json!([step])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200, "other names are others");
    kept.case.holds(&outcome).await;
}
