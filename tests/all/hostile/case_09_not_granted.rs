//! Case 9: what was not granted is refused before anything is touched: no name is looked up, no packet leaves.

use portcullis_runtime::CallError;
use serde_json::{Value, json};

use crate::{
    guests,
    harness::{Case, call, everything, rules, send},
};

#[tokio::test]
async fn what_was_not_granted_is_refused_and_no_name_is_looked_up() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let canary = case.canary.address;
    let name = "https://granted.example";
    let probe = case.probe_with(name, &everything(name), &[]).await;
    let cases = [
        ("GET", format!("{origin}/ok"), "origin-not-granted"),
        ("GET", "http://granted.example/ok".to_owned(), "origin-not-granted"),
        ("GET", "https://granted.example:8443/ok".to_owned(), "origin-not-granted"),
        ("GET", "https://granted.example.evil.example/ok".to_owned(), "origin-not-granted"),
        ("GET", "https://evil.example/ok".to_owned(), "origin-not-granted"),
        ("GET", "https://sub.granted.example/ok".to_owned(), "origin-not-granted"),
        ("GET", "https://metadata.google.internal/ok".to_owned(), "origin-not-granted"),
        ("GET", format!("http://{canary}/"), "origin-not-granted"),
        ("GET", "https://granted.example/ok/../admin".to_owned(), "url-ambiguous"),
        ("GET", "https://granted.example/items/..%2fadmin".to_owned(), "url-ambiguous"),
        ("GET", "ftp://granted.example/ok".to_owned(), "scheme-not-https"),
        ("GET", "file:///etc/passwd".to_owned(), "scheme-not-https"),
        ("DELETE", format!("{name}/ok"), "method-not-granted"),
        ("POST", format!("{name}/ok"), "path-not-granted"),
        ("GET", format!("{name}/admin"), "path-not-granted"),
        ("GET", format!("{name}/OK"), "path-not-granted"),
        ("GET", format!("{name}/items/1/2"), "path-not-granted"),
        ("GET", format!("{name}/items/"), "path-not-granted"),
        ("GET", format!("{name}/items/1?q=1&admin=1"), "query-not-granted"),
        ("GET", format!("{name}/ok?x=1"), "query-not-granted"),
    ];
    // More of them than a call may send, so in several calls.
    for some in cases.chunks(8) {
        let steps: Vec<Value> = some.iter().map(|(method, url, _)| send(method, url, None, json!([]))).collect();
        let outcome = case.steps(&probe, json!(steps)).await;
        let expected: Vec<String> = some.iter().map(|(_, _, rule)| (*rule).to_owned()).collect();
        assert_eq!(rules(&outcome), expected);
        assert_eq!(outcome.receipt.denials as usize, some.len());
        assert_eq!((outcome.receipt.requests, outcome.receipt.bytes_out), (0, 0));
        assert_eq!(case.names.queries(), 0, "a name was looked up");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_guest_that_asks_for_more_than_it_was_granted_ends_denied_whatever_it_says() {
    let case = Case::new().await;
    let greedy = case.guest(guests::PUPPET_GREEDY, "steal", "").await;
    let urls = ["https://metadata.google.internal/computeMetadata/v1/", "https://evil.example/"];
    for url in urls {
        let outcome = greedy.call(call("steal", json!({"urls": [url]})).live()).await;
        match outcome.result.as_ref().unwrap_err() {
            CallError::Denied(denial) => assert_eq!(denial.rule, "origin-not-granted"),
            other => panic!("{other:?}"),
        }
        assert_eq!(case.names.queries(), 0, "a name was looked up");
        case.holds(&outcome).await;
    }
}
