//! Case 20: two tenants, the same adapter, the same upstream: they share nothing on the wire.

use std::sync::Arc;

use portcullis_runtime::{Integration, Outcome};
use portcullis_tests::{
    tls::{Authority, TlsUpstream},
    upstream::{Answer, Received},
};
use rustls::HandshakeKind;
use serde_json::json;

use crate::harness::{Case, WatchedVault, everything, get};

fn cookie(_: &Received) -> Answer {
    Answer::json(&json!({"ok": true})).header("set-cookie", "session=of-whoever-was-first; Path=/")
}

async fn two_tenants(case: &Case, base: &str, carve_out: std::net::SocketAddr) -> [Integration; 2] {
    let tenant = async |workspace| {
        case.probe_in(workspace, Arc::new(WatchedVault::full()), base, &everything(base), &[carve_out]).await
    };
    [tenant("acme").await, tenant("other").await]
}

async fn ask(case: &Case, tenant: &Integration, base: &str) -> Outcome {
    let outcome = case.steps(tenant, json!([get(&format!("{base}/ok"))])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200);
    outcome
}

#[tokio::test]
async fn tenants_share_neither_connections_nor_cookies() {
    let case = Case::answering(cookie).await;
    let base = case.upstream.origin();
    let [one, other] = two_tenants(&case, &base, case.upstream.address).await;
    let mut connections = Vec::new();
    for tenant in [&one, &one, &other, &one, &other] {
        ask(&case, tenant, &base).await;
        connections.push(case.upstream.connections());
    }
    // Each opens one of its own and keeps it.
    assert_eq!(connections, [1, 1, 2, 2, 2]);
    for request in case.upstream.received() {
        assert_eq!(request.header("cookie"), None, "a cookie was kept");
    }
    let outcome = ask(&case, &one, &base).await;
    case.holds(&outcome).await;
}

#[tokio::test]
async fn tenants_share_no_tls_session() {
    const NAME: &str = "granted.example";
    let authority = Authority::new("The authority of the tests").unwrap();
    let roots = authority.roots().unwrap();
    let case = Case::with(cookie, |builder| builder.trust(roots)).await;
    case.names.add(NAME, &["127.0.0.1".parse().unwrap()]);
    // It closes each connection, so that each request begins with a handshake.
    let close = |request: &Received| cookie(request).header("connection", "close");
    let server = TlsUpstream::start(authority.good(NAME).unwrap(), close).await.unwrap();
    let base = format!("https://{NAME}:{}", server.address.port());
    let [one, other] = two_tenants(&case, &base, server.address).await;
    let mut last = None;
    for tenant in [&one, &one, &other, &other, &one] {
        last = Some(ask(&case, tenant, &base).await);
    }
    use HandshakeKind::{Full, Resumed};
    // One's own sessions are resumed, so there is something to share; another's are not.
    assert_eq!(server.handshakes(), [Full, Resumed, Full, Resumed, Resumed]);
    assert!(server.received().iter().all(|request| request.header("cookie").is_none()), "a cookie was kept");
    case.holds(&last.unwrap()).await;
}
