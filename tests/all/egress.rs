//! Hostile cases 9 to 16, as far as the gate goes today: what was not granted is refused before anything is touched.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Case, everything, get, send};

/// The rule by which each step was refused; `ok` for those that were not.
fn rules(output: &Value) -> Vec<String> {
    let results = output["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result.pointer("/error/rule").and_then(Value::as_str).unwrap_or("ok").to_owned())
        .collect()
}

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
        ("GET", format!("http://{canary}/"), "origin-not-granted"),
        ("GET", format!("https://granted.example@{canary}/ok"), "url-ambiguous"),
        ("GET", "https://granted.example\\@evil.example/ok".to_owned(), "url-ambiguous"),
        ("GET", "https://granted.example/ok/../admin".to_owned(), "url-ambiguous"),
        ("GET", "https://granted.example/items/..%2fadmin".to_owned(), "url-ambiguous"),
        ("GET", "ftp://granted.example/ok".to_owned(), "scheme-not-https"),
        ("GET", "file:///etc/passwd".to_owned(), "scheme-not-https"),
        ("GET", "https://2130706433/ok".to_owned(), "url-ambiguous"),
        ("GET", "https://0x7f.1/ok".to_owned(), "url-ambiguous"),
        ("GET", "https://[::ffff:127.0.0.1]/ok".to_owned(), "url-ambiguous"),
        ("DELETE", format!("{name}/ok"), "method-not-granted"),
        ("POST", format!("{name}/ok"), "path-not-granted"),
        ("GET", format!("{name}/admin"), "path-not-granted"),
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
        assert_eq!(rules(outcome.result.as_ref().unwrap()), expected);
        assert_eq!(outcome.receipt.denials as usize, some.len());
        assert_eq!(case.names.asked(), 0, "a name was looked up");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn headers_that_are_the_hosts_to_write_are_refused() {
    let case = Case::new().await;
    let url = format!("{}/header", case.upstream.origin());
    let names = [
        "Host",
        "Connection",
        "Transfer-Encoding",
        "Content-Length",
        "Authorization",
        "Cookie",
        "Proxy-Authorization",
        "X-HTTP-Method-Override",
        "x-api-key",
        "X-Forwarded-Host",
        "Upgrade",
        "TE",
    ];
    let steps: Vec<Value> = names.iter().map(|name| send("GET", &url, Some("key"), json!([[name, "x"]]))).collect();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    assert_eq!(rules(outcome.result.as_ref().unwrap()), vec!["header-reserved"; names.len()]);
    let split: Vec<Value> = ["a\r\nHost: evil", "a\nb", "a\u{0}"]
        .iter()
        .map(|value| send("GET", &url, Some("key"), json!([["x-a", value]])))
        .collect();
    let outcome = case.steps(case.probe(), json!(split)).await;
    assert_eq!(rules(outcome.result.as_ref().unwrap()), vec!["header-invalid"; 3]);
    assert_eq!(case.upstream.received().len(), 0);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_credential_goes_only_where_its_route_goes() {
    let case = Case::new().await;
    let origin = case.upstream.origin();
    let steps = json!([
        send("GET", &format!("{origin}/header"), Some("token"), json!([])),
        send("GET", &format!("{origin}/ok"), Some("token"), json!([])),
        send("GET", &format!("{origin}/header"), None, json!([])),
        {"do": "open", "slot": "none-such"},
    ]);
    let outcome = case.steps(case.probe(), steps).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(rules(output)[..3], ["slot-not-granted", "slot-not-granted", "slot-missing"]);
    assert!(output["results"][3].to_string().contains("no-such-slot"), "{output}");
    assert_eq!(outcome.denials[3].rule, "slot-not-declared");
    assert_eq!(case.upstream.received().len(), 0);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_granted_name_that_resolves_inwards_is_not_dialled() {
    let case = Case::new().await;
    let port = case.canary.address.port();
    let base = format!("https://granted.example:{port}");
    let probe = case.probe_with(&base, &everything(&base), &[]).await;
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let inward = [
        vec![ip("127.0.0.1")],
        vec![ip("::1")],
        vec![ip("::ffff:127.0.0.1")],
        vec![ip("10.0.0.1")],
        vec![ip("169.254.169.254")],
        vec![ip("fd00:ec2::254")],
        vec![ip("64:ff9b::127.0.0.1")],
        vec![ip("0.0.0.0")],
        // One public address does not make up for a private one.
        vec![ip("93.184.215.14"), ip("127.0.0.1")],
    ];
    for addresses in &inward {
        case.names.add("granted.example", addresses);
    }
    for addresses in &inward {
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        assert_eq!(rules(outcome.result.as_ref().unwrap()), ["address-not-allowed"], "{addresses:?}");
        // What the name stands for is nobody's business.
        let told = format!("{:?}", outcome.denials);
        for address in addresses {
            assert!(!told.contains(&address.to_string()), "{told}");
        }
        case.holds(&outcome).await;
    }
    assert_eq!(case.names.asked(), inward.len(), "one look-up for each request");
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_dialled() {
    let case = Case::new().await;
    // The upstream is carved out, the canary on another loopback address and the same port is not.
    let port = case.upstream.address.port();
    let base = format!("http://rebind.example:{port}");
    let carve_out: SocketAddr = case.upstream.address;
    let probe = case.probe_with(&base, &everything(&base), &[carve_out]).await;
    let good: IpAddr = carve_out.ip();
    let bad: IpAddr = "127.0.0.2".parse().unwrap();
    let canary = tokio::net::TcpListener::bind((bad, port)).await.unwrap();
    case.names.add("rebind.example", &[good]);
    case.names.add("rebind.example", &[bad]);
    let url = format!("{base}/ok");
    let outcome = case.steps(&probe, json!([get(&url), get(&url)])).await;
    // The connection of the first request is still there; the name now stands for another address, so it is not used.
    assert_eq!(rules(outcome.result.as_ref().unwrap()), ["ok", "address-not-allowed"]);
    assert_eq!(case.names.asked(), 2);
    assert_eq!(case.upstream.received().len(), 1);
    let touched = tokio::time::timeout(std::time::Duration::from_millis(100), canary.accept()).await;
    assert!(touched.is_err(), "the second address was dialled");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_address_in_the_url_is_judged_like_any_other() {
    let case = Case::new().await;
    for base in [
        format!("https://{}", case.canary.address),
        "https://169.254.169.254".to_owned(),
        "https://[fd00::1]".to_owned(),
    ] {
        let probe = case.probe_with(&base, &everything(&base), &[]).await;
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        assert_eq!(rules(outcome.result.as_ref().unwrap()), ["address-not-allowed"], "{base}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn more_requests_than_granted_are_a_bound_with_its_name() {
    let case = Case::new().await;
    let url = format!("{}/ok", case.upstream.origin());
    let steps: Vec<Value> = (0..18).map(|_| get(&url)).collect();
    let outcome = case.steps(case.probe(), json!(steps)).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][15]["ok"]["status"], 200);
    assert_eq!(output["results"][16]["error"]["name"], "requests", "{output}");
    assert_eq!(case.upstream.received().len(), 16);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn several_at_once_are_answered_in_their_order() {
    use portcullis_tests::upstream::Answer;
    let case = Case::answering(|request| Answer::json(&json!({"target": request.target}))).await;
    let requests: Vec<Value> = (0..8)
        .map(|i| json!({"method": "GET", "url": format!("{}/items/{i}", case.upstream.origin()), "headers": [], "body": null, "slot": null}))
        .collect();
    let outcome = case.steps(case.probe(), json!([{"do": "sendAll", "requests": requests}])).await;
    let output = outcome.result.as_ref().unwrap().to_string();
    let places: Vec<usize> = (0..8).map(|i| output.find(&format!("/items/{i}")).unwrap()).collect();
    assert!(places.is_sorted(), "{output}");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn bodies_and_headers_have_bounds_both_ways() {
    use portcullis_tests::upstream::Answer;
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
    let output = outcome.result.as_ref().unwrap();
    let names: Vec<&str> = (0..5).map(|i| output["results"][i]["error"]["name"].as_str().unwrap_or("none")).collect();
    assert_eq!(names, ["response_bytes", "header_count", "header_count", "header_bytes", "url_bytes"], "{output}");
    case.holds(&outcome).await;
}

/// Answers every request with a header that promises 100 bytes, and then a byte each `pause`, never to the end.
async fn drip(pause: Duration) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await;
                while sent.is_ok() {
                    tokio::time::sleep(pause).await;
                    sent = stream.write_all(b"x").await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_body_that_stalls_and_a_body_that_drips_are_both_ended() {
    let case = Case::new().await;
    for (pause, limits, phase) in
        [(60_000, "idle_ms = 150", "idle"), (20, "idle_ms = 5_000\nrequest_ms = 300", "total")]
    {
        let address = drip(Duration::from_millis(pause)).await;
        let base = format!("http://{address}");
        let probe = case.probe_with(&base, &format!("{}[limits]\n{limits}\n", everything(&base)), &[address]).await;
        let started = Instant::now();
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["error"]["phase"], phase, "{:?}", outcome.result);
        assert!(started.elapsed() < Duration::from_secs(3), "{limits}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_request_body_that_is_too_large_is_not_sent() {
    let case = Case::new().await;
    let base = case.upstream.origin();
    let limits = format!("{}[limits]\nrequest_bytes = 10\n", everything(&base));
    let probe = case.probe_with(&base, &limits, &[case.upstream.address]).await;
    let mut step = send("POST", &format!("{base}/echo"), Some("token"), json!([]));
    step["body"] = json!("x".repeat(11));
    let outcome = case.steps(&probe, json!([step])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["error"]["name"], "request_bytes");
    assert_eq!(case.upstream.received().len(), 0);
    let ends = case.ledger.of_kind("outcome");
    assert_eq!(ends[0]["bounds"]["request_bytes"], 1, "the ledger says which bound it was: {ends:?}");
    case.holds(&outcome).await;
}
