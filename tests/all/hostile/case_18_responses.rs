//! Case 18: responses that do not end, are too much, or break off.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use portcullis_runtime::Outcome;
use portcullis_tests::upstream::Answer;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::case_17_framing::raw;
use crate::harness::{Case, everything, get, send, told};

/// Answers every request with `head`, and then with `piece` for ever, one each `pause`.
async fn endless(head: &'static str, piece: Vec<u8>, pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let piece = piece.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let mut sent = stream.write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    tokio::time::sleep(pause).await;
                    sent = stream.write_all(&piece).await;
                }
            });
        }
    });
    address
}

async fn asked(case: &Case, address: SocketAddr, limits: &str) -> Outcome {
    let base = format!("http://{address}");
    let probe = case.probe_with(&base, &format!("{}[limits]\n{limits}\n", everything(&base)), &[address]).await;
    let started = Instant::now();
    let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{limits}");
    outcome
}

#[tokio::test]
async fn bodies_and_headers_have_bounds_both_ways() {
    let case = Case::answering(|request| match request.target.as_str() {
        "/items/large" => Answer { status: 200, headers: Vec::new(), body: vec![b'x'; 6 << 20] },
        "/items/headers" => (0..80).fold(Answer::json(&json!({})), |answer, i| answer.header(&format!("x-{i}"), "y")),
        _ => Answer::json(&json!({})),
    })
    .await;
    let origin = case.upstream.origin();
    let many: Vec<Value> = (0..65).map(|i| json!([format!("x-{i}"), "y"])).collect();
    let steps = json!([
        get(&format!("{origin}/items/large")),
        get(&format!("{origin}/items/headers")),
        send("GET", &format!("{origin}/ok"), None, json!(many)),
        send("GET", &format!("{origin}/ok"), None, json!([["x-a", "y".repeat(40_000)]])),
        get(&format!("{origin}/items/{}", "a".repeat(9_000))),
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let names: Vec<&str> = (0..5).map(|step| told(&outcome, step, "/error/name")).collect();
    assert_eq!(names, ["response_bytes", "header_count", "header_count", "header_bytes", "url_bytes"]);
    let ends = case.ledger.of_kind("outcome");
    assert_eq!(ends[0]["bounds"]["response_bytes"], 1, "the ledger says which bounds: {ends:?}");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_at_its_bound() {
    let case = Case::new().await;
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 65_536], b"\r\n".to_vec()].concat();
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let until_the_end = "HTTP/1.1 200 OK\r\n\r\n";
    for (head, piece) in [(chunked, chunk), (until_the_end, vec![b'x'; 65_536])] {
        let address = endless(head, piece, Duration::ZERO).await;
        let outcome = asked(&case, address, "response_bytes = 1_000_000").await;
        assert_eq!(told(&outcome, 0, "/error/name"), "response_bytes");
        assert!(outcome.receipt.bytes_in < 2_000_000, "{}", outcome.receipt.bytes_in);
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_flood_of_header_fields_is_cut_off_at_its_bound() {
    let case = Case::new().await;
    // Short ones, long ones, and one that never ends.
    for (piece, bounds) in [
        (b"x-a: y\r\n".repeat(100), &["header_count", "header_bytes"][..]),
        ([b"x-a: ".to_vec(), vec![b'y'; 8_000], b"\r\n".to_vec()].concat(), &["header_count", "header_bytes"]),
        (vec![b'y'; 8_000], &["header_count", "header_bytes"]),
    ] {
        let address = endless("HTTP/1.1 200 OK\r\nx: y", piece, Duration::ZERO).await;
        let outcome = asked(&case, address, "first_byte_ms = 2_000").await;
        assert!(bounds.contains(&told(&outcome, 0, "/error/name")), "{:?}", outcome.result);
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_body_that_stalls_and_a_body_that_drips_are_both_ended() {
    let case = Case::new().await;
    for (pause, limits, phase) in
        [(60_000, "idle_ms = 150", "idle"), (20, "idle_ms = 5_000\nrequest_ms = 300", "total")]
    {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
        let address = endless(head, b"x".to_vec(), Duration::from_millis(pause)).await;
        let outcome = asked(&case, address, limits).await;
        assert_eq!(told(&outcome, 0, "/error/phase"), phase);
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn header_fields_that_drip_are_ended_too() {
    let case = Case::new().await;
    let address = endless("HTTP/1.1 200 OK\r\nx-a: ", b"y".to_vec(), Duration::from_millis(20)).await;
    let outcome = asked(&case, address, "connect_ms = 200\nfirst_byte_ms = 200").await;
    assert_eq!(told(&outcome, 0, "/error/phase"), "first-byte");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_connection_that_is_reset_halfway_is_an_error_and_not_half_an_answer() {
    let case = Case::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 16];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Closed with bytes unread, it is reset.
            drop::<TcpStream>(stream);
        }
    });
    let outcome = asked(&case, address, "").await;
    assert_eq!(told(&outcome, 0, "/error/kind"), "protocol");
    assert_eq!(outcome.exchanges[0].status, None);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn what_is_not_http_is_an_error_and_is_not_shown() {
    let case = Case::new().await;
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n", "\u{0}\u{1}\u{2}", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 99999 OK\r\n\r\n"] {
        let outcome = asked(&case, raw(answer, false).await, "").await;
        assert_eq!(told(&outcome, 0, "/error/kind"), "protocol", "{answer:?}");
        assert!(!format!("{outcome:?}").contains("OpenSSH"), "{outcome:?}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_small_response_that_unpacks_to_a_large_one_is_cut_off_at_its_bound() {
    let case = Case::answering(|request| match request.target.as_str() {
        "/items/bomb" => {
            let headers = vec![("content-encoding".to_owned(), "gzip".to_owned())];
            Answer { status: 200, headers, body: gzip_bomb(40_000) }
        }
        _ => Answer::json(&json!({"ok": true})),
    })
    .await;
    assert!(gzip_bomb(40_000).len() < 70_000, "it is small");
    let outcome = case.steps(case.probe(), json!([get(&format!("{}/items/bomb", case.upstream.origin()))])).await;
    assert_eq!(told(&outcome, 0, "/error/name"), "response_bytes");
    case.holds(&outcome).await;
}

/// A gzip member (RFC 1952) of one deflate block with fixed codes (RFC 1951, section 3.2.6): a zero, and then `repeats`
/// times "the last byte 258 times over". It has no checksum: nobody gets that far.
fn gzip_bomb(repeats: usize) -> Vec<u8> {
    let mut bits = vec![true, true, false];
    // The literal 0, most significant bit first.
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..repeats {
        // Length 258 is code 285, eight bits; distance 1 is code 0, five bits.
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for eight in bits.chunks(8) {
        bytes.push(eight.iter().enumerate().fold(0, |byte, (at, bit)| byte | (u8::from(*bit) << at)));
    }
    bytes
}
