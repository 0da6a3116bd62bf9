//! Case 16: header fields that are the host's to write.

use serde_json::{Value, json};

use crate::harness::{Case, rules, secret, send};

#[tokio::test]
async fn headers_that_are_the_hosts_to_write_are_refused() {
    let case = Case::new().await;
    let url = format!("{}/ok", case.upstream.origin());
    let names = [
        "Host",
        "host",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "transfer_encoding",
        "Content-Length",
        "Content_Length",
        "Authorization",
        "AUTHORIZATION",
        "Cookie",
        "Cookie2",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Proxy-Anything",
        "Proxy",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "Forwarded",
        "Via",
        "Upgrade",
        "TE",
        "Trailer",
        "Expect",
        "Accept-Encoding",
        "Range",
        "X-Original-URL",
        "X-Rewrite-URL",
    ];
    for some in names.chunks(14) {
        let steps: Vec<Value> = some.iter().map(|name| send("GET", &url, None, json!([[name, "x"]]))).collect();
        let outcome = case.steps(case.probe(), json!(steps)).await;
        assert_eq!(rules(&outcome), vec!["header-reserved"; some.len()], "{some:?}");
        assert!(case.upstream.received().iter().all(|request| request.headers.iter().all(|(_, value)| value != "x")));
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn the_slots_own_header_is_sent_once_and_is_the_hosts() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let header = format!("{origin}/header");
    let basic = format!("{origin}/basic");
    let steps = json!([
        send("GET", &header, Some("key"), json!([["X-Api-Key", "mine"]])),
        send("GET", &header, Some("key"), json!([["x-api-key", "mine"]])),
        send("GET", &header, Some("key"), json!([["X_Api_Key", "mine"]])),
        send("GET", &header, Some("key"), json!([["x-go", "1"], ["X-API-KEY", "mine"]])),
        send("GET", &basic, Some("basic"), json!([["Authorization", "Basic bWluZQ=="]])),
        send("GET", &header, Some("key"), json!([["X-Go", "fine"]])),
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let reserved = "header-reserved";
    assert_eq!(rules(&outcome), [reserved, reserved, reserved, reserved, reserved, "ok"]);
    let received = case.upstream.received();
    assert_eq!(received.len(), 1);
    let keys: Vec<&str> =
        received[0].headers.iter().filter(|(name, _)| name == "x-api-key").map(|(_, value)| value.as_str()).collect();
    assert_eq!(keys, [secret("key")]);
    assert_eq!(received[0].header("x-go"), Some("fine"));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn the_hosts_own_fields_are_there_once_and_right() {
    let case = Case::new().await;
    let url = format!("{}/echo", case.upstream.origin());
    let mut step = send("POST", &url, Some("token"), json!([["Content-Type", "text/plain"], ["X-Trace", "1"], ["x-trace", "2"]]));
    step["body"] = json!("four");
    let outcome = case.steps(case.probe(), json!([step])).await;
    let received = &case.upstream.received()[0];
    for (name, value) in [("host", case.upstream.address.to_string()), ("content-length", "4".to_owned())] {
        let all: Vec<&String> = received.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value).collect();
        assert_eq!(all, [&value]);
    }
    for name in ["transfer-encoding", "cookie", "proxy-authorization", "te", "via"] {
        assert_eq!(received.header(name), None);
    }
    case.holds(&outcome).await;
}
