//! Upstreams that misbehave, for every adapter alike: pages that are no JSON, bodies that end early or never, answers of
//! another shape. Whatever they do, a call ends as a failure with a code, as a bound or as a fault of the upstream; never as
//! a success, and never as an adapter that broke.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use portcullis_runtime::{CallError, Grant, Integration, MemoryVault, NewIntegration, Outcome, Route, Secret};
use portcullis_tests::folder;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::harness::{Case, call, load, secret};

/// Lines of a grant that make a slow upstream a short test.
pub(crate) const IMPATIENT: &str =
    "[limits]\nfirst_byte_ms = 300\nidle_ms = 300\nrequest_ms = 2000\nretries = 0\nresponse_bytes = 300000\n";

/// An integration of a built adapter with all that it declares for this config, a secret in each of its slots, this carve-out,
/// and these lines of a grant.
pub(crate) async fn integrated(
    case: &Case,
    adapter: &str,
    config: Value,
    carve_out: Option<SocketAddr>,
    limits: &str,
) -> Integration {
    let loaded = load(&case.runtime, &folder::adapter(adapter).unwrap()).await.unwrap();
    let descriptor = case.runtime.describe(&loaded, &config).await.unwrap();
    let names: Vec<&str> = descriptor.operations.iter().map(|operation| operation.name.as_str()).collect();
    let text = format!("adapter = \"{}\"\noperations = {}\n{limits}", loaded.digest(), json!(names));
    let mut grant = Grant::parse(&text).unwrap();
    grant.routes = descriptor.routes.iter().map(Route::as_granted).collect();
    grant.carve_outs = carve_out.iter().map(|address| address.to_string().parse().unwrap()).collect();
    let vault = MemoryVault::new();
    for slot in &descriptor.slots {
        vault.put(&slot.name, Secret::try_from(secret(&slot.name)).unwrap());
    }
    let new = NewIntegration::new("acme", adapter, loaded, grant).config(config).vault(Arc::new(vault));
    case.runtime.integrate(new).await.unwrap()
}

/// What an upstream sends, and whether it then keeps the connection open.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) name: &'static str,
    says: Vec<u8>,
    stays: bool,
    expected: Expected,
}

/// How a call must end.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// With a failure of this code, and with when to try again where the upstream said so.
    Failure(&'static str, Option<u64>),
    /// With this bound.
    Bound(&'static str),
    /// With a fault of the upstream: `timeout` or `protocol`.
    Upstream(&'static str),
    /// With the gate's refusal.
    Denied,
}

impl Manner {
    /// A whole answer.
    pub(crate) fn answer(name: &'static str, head: &str, body: impl AsRef<[u8]>, expected: Expected) -> Self {
        let body = body.as_ref();
        let length = body.len();
        let mut says = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n").into_bytes();
        says.extend_from_slice(body);
        Self { name, says, stays: false, expected }
    }

    /// Bytes, after which nothing comes.
    fn stall(name: &'static str, says: &str, expected: Expected) -> Self {
        Self { name, says: says.as_bytes().to_vec(), stays: true, expected }
    }
}

/// An upstream that answers every request in this manner.
pub(crate) async fn upstream(manner: &Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let Manner { says, stays, .. } = manner.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let says = says.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 65_536]).await;
                let _ = stream.write_all(&says).await;
                let _ = stream.flush().await;
                tokio::time::sleep(if stays { Duration::from_secs(10) } else { Duration::from_millis(50) }).await;
            });
        }
    });
    address
}

/// What no provider should send where JSON is wanted.
pub(crate) fn manners() -> Vec<Manner> {
    let json = "200 OK\r\ncontent-type: application/json";
    let html = "content-type: text/html";
    let page = "<!doctype html><title>Sorry</title>";
    let unexpected = || Expected::Failure("http.unexpected-body", None);
    fn answer(name: &'static str, head: &str, body: impl AsRef<[u8]>, expected: Expected) -> Manner {
        Manner::answer(name, head, body, expected)
    }
    vec![
        answer("malformed JSON", json, "{\"data\": nope}", unexpected()),
        answer("truncated JSON", json, "{\"data\": [{\"id\": \"a\"", unexpected()),
        answer("JSON with something behind it", json, "{}{}", unexpected()),
        answer("JSON that is not UTF-8", json, b"{\"a\": \"\xff\"}", unexpected()),
        answer("JSON without an end to its depth", json, "[".repeat(200_000), unexpected()),
        answer("JSON null", json, "null", unexpected()),
        answer("a number", json, "7", unexpected()),
        answer("a list of numbers", json, "[1, 2]", unexpected()),
        answer("an empty object", json, "{}", unexpected()),
        answer("an empty body", json, "", unexpected()),
        answer("no content", "204 No Content", "", unexpected()),
        answer("an HTML page as a success", &format!("200 OK\r\n{html}"), page, unexpected()),
        answer("text as a success", "200 OK\r\ncontent-type: text/plain", "OK", unexpected()),
        answer(
            "an HTML page as an error",
            &format!("502 Bad Gateway\r\n{html}"),
            page,
            Expected::Failure("http.502", None),
        ),
        answer(
            "an HTML page of a firewall",
            &format!("403 Forbidden\r\n{html}"),
            page,
            Expected::Failure("http.403", None),
        ),
        answer("an error without a body", "500 Internal Server Error", "", Expected::Failure("http.500", None)),
        answer(
            "slow down, in seconds",
            "429 Too Many Requests\r\nretry-after: 7",
            "",
            Expected::Failure("http.429", Some(7_000)),
        ),
        answer(
            "slow down, as a date",
            "503 Service Unavailable\r\nretry-after: Sat, 21 Nov 2026 10:01:30 GMT\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT",
            "",
            Expected::Failure("http.503", Some(90_000)),
        ),
        answer(
            "slow down, in no known way",
            "429 Too Many Requests\r\nretry-after: soon",
            "",
            Expected::Failure("http.429", None),
        ),
        answer("a redirect to elsewhere", "302 Found\r\nlocation: https://b.example/", "", Expected::Denied),
        answer("a redirect to nowhere", "301 Moved Permanently", "", Expected::Failure("http.301", None)),
        answer("a huge body", json, format!("\"{}\"", "x".repeat(400_000)), Expected::Bound("response_bytes")),
        Manner::stall("silence", "", Expected::Upstream("timeout")),
        Manner::stall("half a head", "HTTP/1.1 200 OK\r\ncontent-", Expected::Upstream("timeout")),
        Manner::stall(
            "half a body",
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"data\":",
            Expected::Upstream("timeout"),
        ),
        Manner {
            stays: false,
            ..Manner::stall(
                "a body that breaks off",
                "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
                Expected::Upstream("protocol"),
            )
        },
        Manner {
            stays: false,
            ..Manner::stall("no HTTP", "220 mail.example ESMTP\r\n", Expected::Upstream("protocol"))
        },
    ]
}

/// Calls the operations against an upstream of each manner. `integrate` makes the integration for an upstream's address,
/// with [`IMPATIENT`] in its grant.
pub(crate) async fn hold<F: Future<Output = Integration>>(
    case: &Case,
    manners: &[Manner],
    operations: &[(&str, Value)],
    integrate: impl Fn(SocketAddr) -> F,
) {
    for manner in manners {
        for (operation, input) in operations {
            // An integration of its own for each: an origin that fails too often is left alone for a while.
            let integration = integrate(upstream(manner).await).await;
            let outcome = integration.call(call(operation, input.clone()).live()).await;
            check(manner, operation, &outcome);
            case.holds(&outcome).await;
        }
    }
}

fn check(manner: &Manner, operation: &str, outcome: &Outcome) {
    let name = manner.name;
    let fits = match (&manner.expected, &outcome.result) {
        (Expected::Failure(expected, when), Err(CallError::Adapter { code, retry_after_ms, retryable, .. })) => {
            let not_now = matches!(expected.rsplit('.').next(), Some("429" | "500" | "502" | "503"));
            code == expected && retry_after_ms == when && (!not_now || *retryable)
        }
        (Expected::Bound(expected), Err(CallError::Bound { name, .. })) => name == expected,
        (Expected::Upstream(expected), Err(CallError::Upstream { code, .. })) => code == expected,
        (Expected::Denied, Err(CallError::Denied(_))) => true,
        _ => false,
    };
    assert!(fits, "{operation}, {name}: expected {:?}, found {:?}", manner.expected, outcome.result);
}
