//! Requests and their bounds: sizes both ways, packed and unpacked; time; how many at once; and that none outlives its call.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use portcullis_runtime::Integration;
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use crate::harness::{Case, everything, get, send};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// The probe at the case's own upstream, with these limits.
async fn limited(case: &Case, limits: &str) -> Integration {
    let base = case.upstream.origin();
    case.probe_with(&base, &format!("{}[limits]\n{limits}\n", everything(&base)), &[case.upstream.address]).await
}

fn item(case: &Case, key: &str) -> Value {
    get(&format!("{}/items/{key}", case.upstream.origin()))
}

#[tokio::test]
async fn a_gzip_answer_is_unpacked_and_searched_for_secrets() {
    let case = Case::answering(|request: &Received| {
        assert_eq!(request.header("accept-encoding"), Some("gzip"));
        let echo = request.header("x-api-key").unwrap_or("nothing").to_owned();
        Answer { status: 200, headers: Vec::new(), body: gzip(format!("{{\"echo\": {echo:?}}}").as_bytes()) }
            .header("content-encoding", "gzip")
            .header("vary", "accept-encoding")
    })
    .await;
    let url = format!("{}/header", case.upstream.origin());
    let outcome = case.steps(case.probe(), json!([send("GET", &url, Some("key"), json!([]))])).await;
    let ok = &outcome.result.as_ref().unwrap()["results"][0]["ok"];
    assert_eq!(ok["body"], "{\"echo\": \"[redacted:key]\"}", "{ok}");
    let names: Vec<&str> = ok["headers"].as_array().unwrap().iter().filter_map(|pair| pair[0].as_str()).collect();
    assert!(names.contains(&"vary"), "{names:?}");
    assert!(!names.contains(&"content-encoding") && !names.contains(&"content-length"), "{names:?}");
    assert!(outcome.receipt.redactions > 0);
    case.no_secret_in(&format!("{outcome:?}"));
}

#[tokio::test]
async fn a_bomb_a_torso_and_another_coding_are_refused_by_name() {
    let bomb = gzip(&vec![0; 20 << 20]);
    let whole = gzip(b"hello hello hello hello");
    let case = Case::answering(move |request: &Received| {
        let body = match request.target.as_str() {
            "/items/bomb" => bomb.clone(),
            "/items/torso" => whole[..whole.len() - 9].to_vec(),
            "/ok" => return Answer::json(&json!({})),
            _ => whole.clone(),
        };
        let coding = if request.target == "/items/br" { "br" } else { "gzip" };
        Answer { status: 200, headers: Vec::new(), body }.header("content-encoding", coding)
    })
    .await;
    let steps = json!([item(&case, "bomb"), item(&case, "torso"), item(&case, "br"), item(&case, "whole")]);
    let outcome = case.steps(case.probe(), steps).await;
    let results = &outcome.result.as_ref().unwrap()["results"];
    assert_eq!(results[0]["error"]["name"], "response_bytes", "{results}");
    assert_eq!(results[1]["error"]["kind"], "protocol", "{results}");
    assert_eq!(results[2]["error"]["kind"], "protocol", "{results}");
    assert_eq!(results[3]["ok"]["body"], "hello hello hello hello");
    // 20 MiB of zeros are 20 KiB on the wire, and no more than that came in.
    assert!(outcome.receipt.bytes_in < 100_000, "{:?}", outcome.receipt);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn all_bodies_of_a_call_together_are_bounded() {
    let case = Case::answering(|_| Answer { status: 200, headers: Vec::new(), body: vec![b'x'; 400] }).await;
    let probe = limited(&case, "bytes_in = 1_000").await;
    let requests: Vec<Value> = (0..4).map(|i| item(&case, &i.to_string())).collect();
    let outcome = case.steps(&probe, json!([{"do": "sendAll", "requests": requests}, item(&case, "more")])).await;
    let output = outcome.result.as_ref().unwrap();
    let all = output["results"][0]["results"].as_array().unwrap();
    assert_eq!(all.iter().filter(|one| one["ok"]["status"] == 200).count(), 2, "{output}");
    let hit = json!({"kind": "bound", "name": "bytes_in", "limit": 1_000});
    assert_eq!(all.iter().filter(|one| one["error"] == hit).count(), 2, "{output}");
    assert_eq!(output["results"][1]["error"], hit);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn what_comes_packed_is_counted_unpacked() {
    let body = gzip(&[b'x'; 600]);
    let case = Case::answering(move |_| {
        Answer { status: 200, headers: Vec::new(), body: body.clone() }.header("content-encoding", "gzip")
    })
    .await;
    let probe = limited(&case, "bytes_in = 1_000").await;
    let outcome = case.steps(&probe, json!([item(&case, "a"), item(&case, "b")])).await;
    let results = &outcome.result.as_ref().unwrap()["results"];
    assert_eq!(results[0]["ok"]["body"].as_str().unwrap().len(), 600);
    assert_eq!(results[1]["error"]["name"], "bytes_in", "{results}");
}

#[tokio::test]
async fn an_answer_to_head_says_how_it_would_be_packed_and_has_no_body() {
    let case = Case::answering(|_| {
        Answer { status: 200, headers: Vec::new(), body: Vec::new() }.header("content-encoding", "gzip")
    })
    .await;
    let base = case.upstream.origin();
    let lines = format!("[[routes]]\nmethod = \"HEAD\"\nurl = \"{base}/ok\"\n");
    let probe = case.probe_with(&base, &lines, &[case.upstream.address]).await;
    let outcome = case.steps(&probe, json!([send("HEAD", &format!("{base}/ok"), None, json!([]))])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["body"], "", "{:?}", outcome.result);
}
