//! Case 3: waiting. It burns neither fuel nor CPU time; the clock on the wall ends it.

use std::time::{Duration, Instant};

use portcullis_runtime::CallError;
use portcullis_tests::dns::Reply;
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::bound;
use crate::{
    guests,
    harness::{Case, call, everything, get, told},
};

#[tokio::test]
async fn sleeping_is_ended_by_the_clock_on_the_wall() {
    let case = Case::new().await;
    let sleeper = case.guest(guests::HOSTILE_SLEEP, "sleep", "wall_ms = 300").await;
    let started = Instant::now();
    let outcome = sleeper.call(call("sleep", json!({"milliseconds": 600_000})).live()).await;
    assert_eq!(bound(&outcome), "wall_ms");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(outcome.receipt.wall_us >= 300_000, "a failure has a receipt too");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_ended_by_the_clock_on_the_wall() {
    let case = Case::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let held = tokio::spawn(async move {
        let mut taken = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = silent.accept().await.unwrap();
            // Reads for ever, answers never; ends when the host hangs up.
            stream.read_to_end(&mut taken).await.unwrap_or(0);
        }
        taken.len()
    });
    let base = format!("http://{address}");
    for (limits, expected) in [("wall_ms = 400", "wall_ms"), ("connect_ms = 100\nfirst_byte_ms = 200\nretries = 0", "timeout")] {
        let routes = format!("{}[limits]\n{limits}\n", everything(&base));
        let probe = case.probe_with(&base, &routes, &[address]).await;
        let started = Instant::now();
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        match &outcome.result {
            Err(CallError::Bound { name, .. }) => assert_eq!(*name, expected),
            // The probe tells what it was told.
            Ok(output) => assert_eq!(output["results"][0]["error"]["kind"], expected, "{output}"),
            Err(other) => panic!("{other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(2));
        // It may have been carried out, so it is told: in the receipt, and in the ledger.
        assert_eq!(outcome.receipt.requests, 1, "{limits}");
        let ends = case.ledger.of_kind("outcome");
        let end = ends.iter().find(|end| end["call"] == json!(outcome.call)).unwrap();
        assert_eq!(end["exchanges"][0]["route"], "ok", "{end}");
        case.holds(&outcome).await;
    }
    let sent = tokio::time::timeout(Duration::from_secs(2), held).await.expect("no request outlives its call").unwrap();
    assert!(sent > 0, "the request did go out");
}

#[tokio::test]
async fn a_name_server_that_never_answers_is_ended_by_the_clock_on_the_wall() {
    let case = Case::new().await;
    let base = "https://silent.example";
    case.names.reply("silent.example", Reply::Silence);
    let probe = case.probe_with(base, &format!("{}[limits]\ndns_ms = 200\n", everything(base)), &[]).await;
    let started = Instant::now();
    let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
    assert_eq!((told(&outcome, 0, "/error/kind"), told(&outcome, 0, "/error/phase")), ("timeout", "dns"));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    case.holds(&outcome).await;
}
