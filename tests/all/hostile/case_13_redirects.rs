//! Case 13: redirects. The host follows them hop by hop, and each hop passes the gate again.

use std::sync::{Arc, OnceLock};

use portcullis_tests::upstream::Answer;
use serde_json::json;

use crate::harness::{Case, get, rules, send, told};

/// A host whose upstream answers `/items/<n>` with a redirect to the n-th of these.
async fn redirecting(to: &[&str]) -> (Case, Arc<OnceLock<String>>) {
    let to: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
    let origin: Arc<OnceLock<String>> = Arc::default();
    let known = origin.clone();
    let case = Case::answering(move |request| {
        let number = request.target.strip_prefix("/items/").and_then(|number| number.parse::<usize>().ok());
        match number.and_then(|number| to.get(number)) {
            Some(to) => {
                let to = to.replace("{origin}", known.get().map_or("", String::as_str));
                Answer::json(&json!({})).status(302).header("location", &to)
            }
            None if request.target == "/echo" => Answer::json(&json!({})).status(307).header("location", "/items/go-on"),
            None => Answer::json(&json!({"ok": true})),
        }
    })
    .await;
    let _ = origin.set(case.upstream.origin());
    (case, origin)
}

#[tokio::test]
async fn a_redirect_to_what_was_not_granted_ends_denied_by_the_gates_rule() {
    let targets = [
        "https://evil.example/ok",
        "https://metadata.google.internal/",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://evil.example/",
        "/admin",
        "{origin}/items/0/0",
        "{origin}/ok?admin=1",
        "//evil.example/ok",
    ];
    let (case, origin) = redirecting(&targets).await;
    let expected = [
        "origin-not-granted",
        "origin-not-granted",
        "origin-not-granted",
        "scheme-not-https",
        "path-not-granted",
        "path-not-granted",
        "query-not-granted",
        "origin-not-granted",
    ];
    for (number, rule) in expected.into_iter().enumerate() {
        let url = format!("{}/items/{number}", origin.get().unwrap());
        let outcome = case.steps(case.probe(), json!([get(&url)])).await;
        assert_eq!(rules(&outcome), [rule], "{}", targets[number]);
        assert_eq!(case.names.queries(), 0, "a name was looked up");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_redirect_to_another_port_of_the_same_address_is_another_origin() {
    let (case, origin) = redirecting(&["http://127.0.0.1:1/ok"]).await;
    let outcome = case.steps(case.probe(), json!([get(&format!("{}/items/0", origin.get().unwrap()))])).await;
    assert_eq!(rules(&outcome), ["origin-not-granted"]);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_granted_redirect_is_followed_and_a_loop_of_them_is_a_bound() {
    let (case, origin) = redirecting(&["/ok", "/items/1", "/items/3", "/items/2"]).await;
    let origin = origin.get().unwrap();
    let steps = json!([
        get(&format!("{origin}/items/0")),
        get(&format!("{origin}/items/1")),
        get(&format!("{origin}/items/2")),
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200);
    for step in [1, 2] {
        assert_eq!((told(&outcome, step, "/error/kind"), told(&outcome, step, "/error/name")), ("bound", "redirects"));
    }
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_redirect_carries_no_credential_to_a_route_that_does_not_name_its_slot() {
    let (case, origin) = redirecting(&[]).await;
    let url = format!("{}/echo", origin.get().unwrap());
    let outcome = case.steps(case.probe(), json!([send("POST", &url, Some("token"), json!([]))])).await;
    let received = case.upstream.received();
    assert_eq!(received[0].target, "/echo");
    for request in &received[1..] {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    case.holds(&outcome).await;
}
