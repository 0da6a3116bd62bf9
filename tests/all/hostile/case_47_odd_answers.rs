//! Case 47: answers that no honest peer sends, each refused by its name; and requests that say what they are not.

use serde_json::json;

use super::case_17_framing::raw;
use crate::harness::{Case, everything, get, rules, told};

/// What the probe is told of a request to an upstream that answers like this.
async fn told_of(case: &Case, answer: &str) -> portcullis_runtime::Outcome {
    let address = raw(answer, false).await;
    let base = format!("http://{address}");
    let routes = format!("{}[limits]\nfirst_byte_ms = 2_000\nidle_ms = 2_000\n", everything(&base));
    let probe = case.probe_with(&base, &routes, &[address]).await;
    case.steps(&probe, json!([get(&format!("{base}/ok"))])).await
}

#[tokio::test]
async fn an_answer_that_no_honest_peer_sends_is_refused_by_its_name() {
    let case = Case::new().await;
    for (answer, named) in [
        ("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "101"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: xgzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "`xgzip`"),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\n{}", "`br`"),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip, utf-8\r\ncontent-length: 2\r\n\r\n{}", "`utf-8`"),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-16\r\ncontent-length: 2\r\n\r\n{}", "charset=utf-16"),
    ] {
        let outcome = told_of(&case, answer).await;
        assert_eq!(told(&outcome, 0, "/error/kind"), "protocol", "{answer}");
        let message = told(&outcome, 0, "/error/message");
        assert!(message.contains(named), "{answer}: {message}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn an_answer_as_peers_write_it_is_taken() {
    let case = Case::new().await;
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-encoding: ,\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-security-policy: default-src 'self';\r\n\tscript-src 'self'\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let outcome = told_of(&case, answer).await;
        let result = &outcome.result.as_ref().unwrap()["results"][0];
        assert_eq!(result["ok"]["status"], 200, "{answer}: {result}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn two_lengths_that_disagree_are_no_http() {
    let case = Case::new().await;
    let outcome = told_of(&case, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ").await;
    assert_eq!(told(&outcome, 0, "/error/kind"), "protocol");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_question_mark_that_lists_nothing_is_not_sent() {
    let case = Case::new().await;
    let base = case.upstream.origin();
    let steps: Vec<_> = ["?", "?&", "?&&"].iter().map(|query| get(&format!("{base}/ok{query}"))).collect();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    assert_eq!(rules(&outcome), ["url-ambiguous"; 3]);
    assert_eq!(case.upstream.received().len(), 0);
    case.holds(&outcome).await;
}
