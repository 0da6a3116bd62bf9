//! Case 15: methods that do not exist here, and methods in disguise.

use portcullis_runtime::{CallError, Grant};
use serde_json::{Value, json};

use crate::{
    guests,
    harness::{Case, call, get, rules, send, told},
};

#[tokio::test]
async fn a_method_that_the_contract_does_not_have_cannot_even_be_asked_for() {
    let case = Case::new().await;
    let forger = case.guest(guests::HOSTILE_FORGED_METHOD, "attack", "").await;
    let outcome = forger.call(call("attack", json!({})).live()).await;
    match outcome.result.as_ref().unwrap_err() {
        CallError::Broken(why) => assert!(why.contains("discriminant"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome.receipt.requests, 0);
    case.holds(&outcome).await;
    // Nor by those who go by the contract.
    let url = format!("{}/ok", case.upstream.origin());
    let names = ["TRACE", "CONNECT", "get", "Get", "GET ", "INVENTED", "PRI"];
    let steps: Vec<Value> = names.iter().map(|name| send(name, &url, None, json!([]))).collect();
    let before = case.upstream.received().len();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    for step in 0..names.len() {
        assert_eq!(told(&outcome, step, "/error/kind"), "unknown-method");
    }
    assert_eq!(case.upstream.received().len(), before);
    case.holds(&outcome).await;
}

#[test]
fn a_grant_cannot_name_a_method_that_does_not_exist() {
    for method in ["TRACE", "CONNECT", "get", "INVENTED", "*", ""] {
        let zeros = "0".repeat(64);
        let grant = format!(
            "adapter = \"sha256:{zeros}\"\n[[routes]]\nmethod = \"{method}\"\nurl = \"https://a.example/\"\n"
        );
        assert!(Grant::parse(&grant).unwrap_err().to_string().contains("method"), "{method}");
    }
}

#[tokio::test]
async fn a_method_in_disguise_is_refused() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let url = format!("{origin}/ok");
    let names = [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "x-http-method-override",
        "X_HTTP_Method_Override",
        "X-Http_Method-Override",
    ];
    let steps: Vec<Value> = names.iter().map(|name| send("GET", &url, None, json!([[name, "DELETE"]]))).collect();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    assert_eq!(rules(&outcome), vec!["header-reserved"; names.len()]);
    case.holds(&outcome).await;
    // As a parameter, where many servers take it from too.
    let queries = ["_method=DELETE", "q=1&_method=DELETE", "%5fmethod=DELETE", "q=1;_method=DELETE"];
    let steps: Vec<Value> = queries.iter().map(|query| get(&format!("{origin}/items/1?{query}"))).collect();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    assert_eq!(
        rules(&outcome),
        ["query-not-granted", "query-not-granted", "query-not-granted", "url-ambiguous"]
    );
    assert!(case.upstream.received().iter().all(|request| request.target == "/ok"), "only the benign calls");
    case.holds(&outcome).await;
}
