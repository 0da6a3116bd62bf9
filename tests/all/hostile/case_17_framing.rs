//! Case 17: messages whose parts disagree, fields that come after the body, and proxies that the environment names.

use std::{env, net::SocketAddr, process::Stdio};

use portcullis_runtime::Runtime;
use portcullis_tests::{canary::Canary, folder, ledger::ReadableLedger, upstream::{Answer, Upstream}};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    guests,
    harness::{Case, call, compiler, everything, get, load, secret, send, tenant, told},
};

/// Answers each connection's first request with these bytes, and says no more; keeps the connection open if asked to.
pub(super) async fn raw(answer: &str, keep: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.to_owned();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                // Until the host hangs up.
                while keep && matches!(stream.read(&mut request).await, Ok(1..)) {}
            });
        }
    });
    address
}

/// What the probe is told of two requests to an upstream that answers like this.
async fn asked_twice(case: &Case, answer: &str, keep: bool) -> portcullis_runtime::Outcome {
    let address = raw(answer, keep).await;
    let base = format!("http://{address}");
    let routes = format!("{}[limits]\nfirst_byte_ms = 300\nidle_ms = 300\n", everything(&base));
    let probe = case.probe_with(&base, &routes, &[address]).await;
    let url = format!("{base}/ok");
    case.steps(&probe, json!([get(&url), get(&url)])).await
}

#[tokio::test]
async fn a_body_that_is_shorter_than_announced_is_an_error() {
    let case = Case::new().await;
    let outcome = asked_twice(&case, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", false).await;
    for step in 0..2 {
        assert_eq!(told(&outcome, step, "/error/kind"), "protocol");
    }
    case.holds(&outcome).await;
}

#[tokio::test]
async fn what_comes_after_the_announced_body_is_not_the_answer_to_the_next_request() {
    let case = Case::new().await;
    let smuggled = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n\"poison\"";
    let outcome = asked_twice(&case, smuggled, true).await;
    let output = outcome.result.as_ref().unwrap();
    for step in 0..2 {
        assert_eq!(output["results"][step]["ok"]["body"], "{}", "{output}");
    }
    case.holds(&outcome).await;
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_an_error() {
    let case = Case::new().await;
    for head in [
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 2, 3",
        "content-length: -2",
        "content-length: 0x2",
        "content-length: 99999999999999999999",
        "transfer-encoding: gzip, chunked, chunked\r\ncontent-length: 2",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
    ] {
        let outcome = asked_twice(&case, &format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{{}}"), true).await;
        let results = outcome.result.as_ref().unwrap()["results"].clone();
        assert!(results[0].get("error").is_some(), "{head}: {results}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn chunks_that_are_none_are_an_error() {
    let case = Case::new().await;
    for body in ["zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}xx0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "ffffffffffffffffff\r\n{}\r\n"] {
        let outcome =
            asked_twice(&case, &format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"), false).await;
        assert_eq!(told(&outcome, 0, "/error/kind"), "protocol", "{body:?}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn fields_after_the_body_reach_nobody() {
    let case = Case::new().await;
    let trailers = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-late\r\n\r\n2\r\n{{}}\r\n0\r\nx-late: {}\r\n\r\n",
        secret("token")
    );
    let address = raw(&trailers, true).await;
    let base = format!("http://{address}");
    let probe = case.probe_with(&base, &everything(&base), &[address]).await;
    let steps = json!([send("POST", &format!("{base}/echo"), Some("token"), json!([]))]);
    let outcome = case.steps(&probe, steps).await;
    let result = &outcome.result.as_ref().unwrap()["results"][0];
    assert_eq!(result["ok"]["body"], "{}", "{result}");
    let fields = result["ok"]["headers"].as_array().unwrap();
    assert!(fields.iter().all(|field| field[0] != "x-late"), "{result}");
    case.holds(&outcome).await;
}

/// Where the child's upstream is.
const UPSTREAM: &str = "PORTCULLIS_TEST_UPSTREAM";

#[tokio::test]
async fn proxies_in_the_environment_are_not_used() {
    let upstream = Upstream::start(|_| Answer::json(&json!({"ok": true}))).await.unwrap();
    let proxy = Canary::start().await.unwrap();
    let url = format!("http://{}", proxy.address);
    let mut child = tokio::process::Command::new(env::current_exe().unwrap());
    child.args(["--exact", "hostile::case_17_framing::a_call_in_an_environment_full_of_proxies", "--ignored"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, &url).env(name.to_lowercase(), &url);
    }
    // With these, some clients would leave the proxies alone by themselves.
    child.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("REQUEST_METHOD");
    child.env(UPSTREAM, upstream.address.to_string()).stdin(Stdio::null());
    let output = child.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!((proxy.touched(), proxy.bytes()), (0, 0), "the proxy was used");
    assert_eq!(upstream.received().len(), 2);
}

#[tokio::test]
#[ignore = "run by `proxies_in_the_environment_are_not_used`, in a process of its own"]
async fn a_call_in_an_environment_full_of_proxies() {
    let upstream: SocketAddr = env::var(UPSTREAM).unwrap().parse().unwrap();
    assert!(env::var("HTTP_PROXY").is_ok() && env::var("all_proxy").is_ok());
    let ledger = std::sync::Arc::new(ReadableLedger::start().await);
    let names = portcullis_tests::dns::DnsServer::start().await.unwrap();
    names.add("upstream.example", &[upstream.ip()]);
    let resolver = portcullis_runtime::DnsResolver::with_servers(&[names.address]).unwrap();
    let runtime = Runtime::builder(ledger.ledger())
        .cache(folder::cache()).cache_key(folder::cache_key())
        .compiler(compiler())
        .resolver(std::sync::Arc::new(resolver))
        .calls_at_once(1)
        .build()
        .unwrap();
    let probe = load(&runtime, &folder::guest(guests::PUPPET_PROBE).unwrap()).await.unwrap();
    // By address and by name: some proxy settings make a difference.
    for base in [format!("http://{upstream}"), format!("http://upstream.example:{}", upstream.port())] {
        let new = tenant("acme", probe.clone(), &base, &everything(&base), &[upstream]);
        let integration = runtime.integrate(new).await.unwrap();
        let steps = json!({"steps": [get(&format!("{base}/ok"))]});
        let output = integration.call(call("probe", steps).live()).await.result.unwrap();
        assert_eq!(output["results"][0]["ok"]["status"], 200, "{output}");
    }
}
