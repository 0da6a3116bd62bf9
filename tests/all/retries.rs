//! What failed for now is sent again, where that is safe, and never more than helps.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use portcullis_runtime::{Integration, Outcome};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::harness::{Case, everything, get, send};

/// Answers with these in turn, the last one for ever.
fn in_turn(answers: Vec<Answer>) -> impl Fn(&Received) -> Answer + Send + Sync {
    let next = AtomicUsize::new(0);
    move |request| match request.target.as_str() {
        "/ok" => Answer::json(&json!({"ok": true})),
        _ => answers[next.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)].clone(),
    }
}

fn status(status: u16) -> Answer {
    Answer::json(&json!({"status": status})).status(status)
}

fn item(origin: &str) -> Value {
    get(&format!("{origin}/items/1"))
}

async fn limited(case: &Case, limits: &str) -> Integration {
    let base = case.upstream.origin();
    case.probe_with(&base, &format!("{}[limits]\n{limits}\n", everything(&base)), &[case.upstream.address]).await
}

/// Attempt, status and error of each exchange.
fn tries(outcome: &Outcome) -> Vec<(u32, Option<u16>, Option<&str>)> {
    outcome.exchanges.iter().map(|try_| (try_.attempt, try_.status, try_.error.as_deref())).collect()
}

/// Treats its first `bad` connections as told, and answers 200 on the others.
async fn flaky(bad: usize, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                if number >= bad {
                    let _ =
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
                    return;
                }
                match manner {
                    Manner::Close => {}
                    Manner::Reset => stream.set_zero_linger().unwrap(),
                    Manner::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
                    Manner::Half => drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx").await),
                    Manner::Noise => drop(stream.write_all(b"220 mail ready\r\n\r\n").await),
                }
            });
        }
    });
    address
}

#[derive(Clone, Copy, Debug)]
enum Manner {
    Close,
    Reset,
    Silence,
    Half,
    Noise,
}

#[tokio::test]
async fn a_get_is_tried_again_and_each_try_is_told() {
    let case = Case::answering(in_turn(vec![status(503), status(502), status(200)])).await;
    let outcome = case.steps(case.probe(), json!([item(&case.upstream.origin())])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200);
    assert_eq!(tries(&outcome), [(1, Some(503), None), (2, Some(502), None), (3, Some(200), None)]);
    assert_eq!((outcome.receipt.requests, outcome.receipt.retries), (1, 2));
    let record = &case.ledger.of_kind("outcome")[0];
    assert_eq!(record["exchanges"][2]["attempt"], 3, "{record}");
    assert_eq!(record["receipt"]["retries"], 2);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn the_last_answer_is_the_guests_when_tries_are_used_up() {
    let case = Case::answering(in_turn(vec![status(504)])).await;
    let outcome = case.steps(case.probe(), json!([item(&case.upstream.origin())])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 504);
    assert_eq!(outcome.exchanges.len(), 3);
    let never = limited(&case, "retries = 0").await;
    let outcome = case.steps(&never, json!([item(&case.upstream.origin())])).await;
    assert_eq!(outcome.exchanges.len(), 1);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_post_is_sent_once_whatever_becomes_of_it() {
    let case = Case::answering(in_turn(vec![status(503)])).await;
    let url = format!("{}/echo", case.upstream.origin());
    let outcome = case.steps(case.probe(), json!([send("POST", &url, Some("token"), json!([]))])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 503);
    assert_eq!(case.upstream.received().len(), 1);
    case.holds(&outcome).await;
    let address = flaky(1, Manner::Close).await;
    let base = format!("http://{address}");
    let probe = case.probe_with(&base, &everything(&base), &[address]).await;
    let outcome = case.steps(&probe, json!([send("POST", &format!("{base}/echo"), Some("token"), json!([]))])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["error"]["kind"], "protocol", "{:?}", outcome.result);
    assert_eq!(tries(&outcome), [(1, None, Some("closed"))]);
}

#[tokio::test]
async fn a_connection_that_closes_resets_or_says_nothing_before_a_response_is_tried_again() {
    let case = Case::new().await;
    for (manner, error) in [(Manner::Close, "closed"), (Manner::Reset, "closed"), (Manner::Silence, "timeout")] {
        let address = flaky(2, manner).await;
        let base = format!("http://{address}");
        let lines = format!("{}[limits]\nfirst_byte_ms = 100\n", everything(&base));
        let probe = case.probe_with(&base, &lines, &[address]).await;
        let outcome = case.steps(&probe, json!([item(&base)])).await;
        assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["body"], "ok", "{manner:?}");
        assert_eq!(
            tries(&outcome),
            [(1, None, Some(error)), (2, None, Some(error)), (3, Some(200), None)],
            "{manner:?}"
        );
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn half_a_response_and_what_is_not_http_are_not_tried_again() {
    let case = Case::new().await;
    for manner in [Manner::Half, Manner::Noise] {
        let address = flaky(1, manner).await;
        let base = format!("http://{address}");
        let probe = case.probe_with(&base, &everything(&base), &[address]).await;
        let outcome = case.steps(&probe, json!([item(&base)])).await;
        assert_eq!(tries(&outcome), [(1, None, Some("protocol"))], "{manner:?}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_told_as_it_is() {
    let case = Case::new().await;
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let base = format!("http://{address}");
    let probe = case.probe_with(&base, &everything(&base), &[address]).await;
    let outcome = case.steps(&probe, json!([item(&base)])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["error"]["kind"], "connect");
    let refused = |attempt| (attempt, None, Some("connect"));
    assert_eq!(tries(&outcome), [refused(1), refused(2), refused(3)]);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn retry_after_is_obeyed_where_it_fits_and_is_the_guests_where_not() {
    let wait = |seconds: &str| status(503).header("retry-after", seconds);
    let case = Case::answering(in_turn(vec![wait("1"), status(200), wait("3600"), status(200)])).await;
    let started = Instant::now();
    let outcome = case.steps(case.probe(), json!([item(&case.upstream.origin())])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200);
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    let started = Instant::now();
    let outcome = case.steps(case.probe(), json!([item(&case.upstream.origin())])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 503);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(outcome.exchanges.len(), 1);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn retries_of_an_integration_have_a_budget() {
    let case = Case::answering(in_turn(vec![status(429)])).await;
    let probe = limited(&case, "requests = 50\nrequests_at_once = 50\nretries = 10\n").await;
    let requests: Vec<Value> = (0..50).map(|_| item(&case.upstream.origin())).collect();
    let outcome = case.steps(&probe, json!([{"do": "sendAll", "requests": requests}])).await;
    // Ten to begin with, and one for five requests, as far as there is room for them.
    assert_eq!(outcome.receipt.requests, 50);
    assert!((10..=20).contains(&outcome.receipt.retries), "{:?}", outcome.receipt);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_retry_is_resolved_and_judged_again() {
    let case = Case::answering(in_turn(vec![status(503)])).await;
    let port = case.upstream.address.port();
    let base = format!("http://moving.example:{port}");
    let inside: IpAddr = "10.0.0.1".parse().unwrap();
    case.names.add("moving.example", &[case.upstream.address.ip()]);
    case.names.add("moving.example", &[inside]);
    let probe = case.probe_with(&base, &everything(&base), &[case.upstream.address]).await;
    let outcome = case.steps(&probe, json!([item(&base)])).await;
    let error = &outcome.result.as_ref().unwrap()["results"][0]["error"];
    assert_eq!(error["rule"], "address-not-allowed", "{error}");
    assert_eq!(outcome.denials.len(), 1);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn nothing_is_tried_again_after_its_call() {
    let case = Case::answering(in_turn(vec![status(503).header("retry-after", "1")])).await;
    let case = Arc::new(case);
    let going = case.clone();
    let call = tokio::spawn(async move { going.steps(going.probe(), json!([item(&going.upstream.origin())])).await });
    while case.upstream.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    call.abort();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(case.upstream.received().len(), 1);
    let record = &case.ledger.of_kind("outcome")[0];
    assert_eq!((&record["status"], &record["exchanges"][0]["status"]), (&json!("abandoned"), &json!(503)));
    case.goes_on().await;
}
