//! Case 2: host calls one after another, each of which takes its time and burns no fuel. Fuel does not end them, nor does
//! the CPU time in the guest; the deadline does.

use std::time::{Duration, Instant};

use portcullis_runtime::Outcome;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::bound;
use crate::{
    guests,
    harness::{Case, call, everything, get},
};

/// More fuel and guest time than there will be of anything else.
const PLENTY: &str = "fuel = 1_000_000_000_000\nguest_ms = 600_000\nwall_ms = 300";

fn ended_in_time(outcome: &Outcome, started: Instant) {
    assert_eq!(bound(outcome), "wall_ms");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(outcome.receipt.fuel < 1_000_000_000, "it was not the fuel: {}", outcome.receipt.fuel);
}

#[tokio::test]
async fn short_sleeps_in_a_row_are_ended_by_the_deadline() {
    let case = Case::new().await;
    let caller = case.guest(guests::HOSTILE_HOST_CALLS, "call", PLENTY).await;
    let started = Instant::now();
    let outcome = caller.call(call("call", json!({"call": "sleep"})).live()).await;
    ended_in_time(&outcome, started);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn host_calls_that_never_wait_are_ended_by_the_deadline_too() {
    let case = Case::new().await;
    let caller = case.guest(guests::HOSTILE_HOST_CALLS, "call", PLENTY).await;
    let started = Instant::now();
    let outcome = caller.call(call("call", json!({"call": "random"})).live()).await;
    ended_in_time(&outcome, started);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn slow_exchanges_in_a_row_are_ended_by_the_deadline_and_told() {
    let case = Case::new().await;
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = slow.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = slow.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(1..) = stream.read(&mut request).await {
                    tokio::time::sleep(Duration::from_millis(40)).await;
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                }
            });
        }
    });
    let base = format!("http://{address}");
    let routes = format!("{}[limits]\nrequests = 10_000\n{PLENTY}\n", everything(&base));
    let probe = case.probe_with(&base, &routes, &[address]).await;
    let steps: Vec<Value> = (0..200).map(|_| get(&format!("{base}/ok"))).collect();
    let started = Instant::now();
    let outcome = case.steps(&probe, json!(steps)).await;
    ended_in_time(&outcome, started);
    // Each of them left, the one that was cut off too.
    assert!((3..=9).contains(&outcome.exchanges.len()), "{:?}", outcome.exchanges);
    assert_eq!(outcome.exchanges.last().unwrap().status, None);
    case.holds(&outcome).await;
}
