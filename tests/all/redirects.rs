//! Hostile case 13, and what honest upstreams do: each hop of a redirect is a request of its own, judged like the first.

use std::{collections::HashMap, sync::Arc};

use portcullis_egress::{Egress, HttpRequest, Outbound, OutboundParts, SendError};
use portcullis_gate::{Ceiling, Limits, Method, Powers, Work};
use portcullis_runtime::{Grant, Integration, Mode, NewIntegration};
use portcullis_tests::{
    guests,
    names::Names,
    tls::{Authority, TlsUpstream},
    upstream::{Answer, Received, Upstream},
};
use serde_json::{Value, json};

use crate::harness::{Case, everything, get, secret, send};

/// Answers `/items/KEY` with the redirect of that key, and anything else with 200.
fn redirecting(table: Vec<(&'static str, u16, String)>) -> impl Fn(&Received) -> Answer + Send + Sync {
    move |request| {
        let path = request.target.split('?').next().unwrap();
        match table.iter().find(|(key, ..)| path == *key || path == format!("/items/{key}")) {
            Some((_, status, location)) => Answer::json(&json!({})).status(*status).header("location", location),
            None => Answer::json(&json!({"ok": true})),
        }
    }
}

fn item(case: &Case, key: &str) -> Value {
    get(&format!("{}/items/{key}", case.upstream.origin()))
}

/// The probe with a second origin, all granted but what `without` names.
pub(crate) async fn probe_elsewhere(case: &Case, elsewhere: &Upstream, limits: &str) -> Integration {
    let base = case.upstream.origin();
    let probe = case.load(guests::PUPPET_PROBE).await;
    let lines = format!(
        "adapter = \"{}\"\noperations = [\"probe\"]\ncarve_outs = [\"{}\", \"{}\"]\n{}{}[limits]\n{limits}",
        probe.digest(),
        case.upstream.address,
        elsewhere.address,
        everything(&base),
        everything(&elsewhere.origin()),
    );
    let new = NewIntegration::new("acme", "probe", probe, Grant::parse(&lines).unwrap())
        .config(json!({"baseUrl": base, "elsewhere": elsewhere.origin()}))
        .vault(case.vault.clone());
    case.runtime.integrate(new).await.unwrap()
}

#[tokio::test]
async fn a_redirect_is_followed_and_each_hop_is_in_the_receipt() {
    let table = [301, 302, 303, 307, 308].map(|status| match status {
        301 => ("a", status, "/items/b".to_owned()),
        302 => ("b", status, "c".to_owned()),
        303 => ("c", status, "?q=1#part".to_owned()),
        307 => ("d", status, "/ok".to_owned()),
        _ => ("e", status, "/ok".to_owned()),
    });
    let case = Case::answering(move |request: &Received| match request.target.as_str() {
        "/items/c?q=1" => Answer::json(&json!({"here": true})),
        _ => redirecting(table.to_vec())(request),
    })
    .await;
    let outcome = case.steps(case.probe(), json!([item(&case, "a"), item(&case, "d"), item(&case, "e")])).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][0]["ok"]["body"], "{\"here\":true}", "{output}");
    assert_eq!(output["results"][2]["ok"]["status"], 200);
    let seen: Vec<(String, Option<u16>)> =
        outcome.exchanges.iter().map(|exchange| (exchange.route.clone(), exchange.status)).collect();
    let hops = [("items", 301), ("items", 302), ("items", 303), ("items", 200)];
    let more = [("items", 307), ("ok", 200), ("items", 308), ("ok", 200)];
    let expected: Vec<_> =
        hops.iter().chain(&more).map(|(route, status)| ((*route).to_owned(), Some(*status))).collect();
    assert_eq!(seen, expected);
    assert_eq!(outcome.receipt.requests, 8);
    case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn a_hop_that_was_not_granted_is_a_denial_that_says_whence_it_came() {
    let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let address = canary.local_addr().unwrap();
    let hops = [
        ("host", format!("http://{address}/ok"), "origin-not-granted"),
        ("path", "/admin".to_owned(), "path-not-granted"),
        ("query", "/items/1?admin=1".to_owned(), "query-not-granted"),
        ("relative", "../admin".to_owned(), "path-not-granted"),
        ("escaped", "%2e%2e/admin".to_owned(), "url-ambiguous"),
        ("user", "http://granted.example@127.0.0.1/".to_owned(), "url-ambiguous"),
        ("odd", "http://0x7f.1/ok".to_owned(), "url-ambiguous"),
        ("slashes", format!("///{address}/ok"), "url-ambiguous"),
        ("scheme", "file:///etc/passwd".to_owned(), "scheme-not-https"),
        ("metadata", "http://169.254.169.254/latest/meta-data".to_owned(), "origin-not-granted"),
        ("slot", "/header".to_owned(), "slot-missing"),
    ];
    let table = hops.iter().map(|(key, location, _)| (*key, 302, location.clone())).collect();
    let case = Case::answering(redirecting(table)).await;
    for some in hops.chunks(5) {
        let steps: Vec<Value> = some.iter().map(|(key, ..)| item(&case, key)).collect();
        let outcome = case.steps(case.probe(), json!(steps)).await;
        let output = outcome.result.as_ref().unwrap();
        for (i, (key, _, rule)) in some.iter().enumerate() {
            assert_eq!(output["results"][i]["error"]["rule"], *rule, "{key}: {output}");
            let message = output["results"][i]["error"]["message"].as_str().unwrap();
            let whence = format!("after a redirect (302) from GET {}/items/{key}: ", case.upstream.origin());
            assert!(message.starts_with(&whence), "{message}");
        }
        case.holds(&outcome).await;
    }
    assert!(canary.accept().is_err(), "the other host was dialled");
    assert_eq!(case.names.asked(), 0);
    assert!(
        case.upstream.received().iter().all(|request| request.target.starts_with("/items/") || request.target == "/ok")
    );
}

#[tokio::test]
pub(crate) async fn a_loop_is_a_bound_and_every_hop_counts_as_a_request() {
    let case = Case::answering(redirecting(vec![("loop", 302, "/items/loop".to_owned())])).await;
    let outcome =
        case.steps(case.probe(), json!([item(&case, "loop"), item(&case, "loop"), item(&case, "loop")])).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][0]["error"], json!({"kind": "bound", "name": "redirects", "limit": 5}), "{output}");
    assert_eq!(output["results"][1]["error"]["name"], "redirects");
    // Six requests each; sixteen are granted.
    assert_eq!(output["results"][2]["error"]["name"], "requests", "{output}");
    assert_eq!(case.upstream.received().len(), 16);
    assert_eq!(case.ledger.of_kind("outcome")[0]["bounds"], json!({"redirects": 2, "requests": 1}));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn with_no_redirects_granted_the_redirect_is_the_response() {
    let case = Case::answering(redirecting(vec![("a", 307, "/admin".to_owned())])).await;
    let base = case.upstream.origin();
    let lines = format!("{}[limits]\nredirects = 0\n", everything(&base));
    let probe = case.probe_with(&base, &lines, &[case.upstream.address]).await;
    let outcome = case.steps(&probe, json!([item(&case, "a")])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 307);
    assert_eq!(case.upstream.received().len(), 1);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_post_becomes_a_get_without_its_body_and_without_the_credential() {
    let case = Case::answering(redirecting(vec![("/echo", 303, "/items/1".to_owned())])).await;
    let url = format!("{}/echo", case.upstream.origin());
    let headers = json!([["content-type", "text/plain"], ["x-trace", "1"]]);
    let mut step = send("POST", &url, Some("token"), headers);
    step["body"] = json!("{}");
    let outcome = case.steps(case.probe(), json!([step])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200, "{:?}", outcome.result);
    let received = case.upstream.received();
    assert_eq!(received[0].header("authorization").unwrap(), format!("Bearer {}", secret("token")));
    let hop = &received[1];
    assert_eq!((hop.method.as_str(), hop.target.as_str(), hop.body.len()), ("GET", "/items/1", 0));
    assert_eq!(hop.header("authorization"), None);
    assert_eq!(hop.header("content-type"), None);
    assert_eq!(hop.header("x-trace"), Some("1"), "the origin is the same, so the guest's own headers go on");
    assert_eq!(outcome.exchanges[1].slots, Vec::<String>::new());
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_header_goes_on_only_where_the_hops_own_route_names_it() {
    let case = Case::answering(redirecting(vec![("/header", 307, "/items/1".to_owned())])).await;
    let url = format!("{}/header", case.upstream.origin());
    let outcome = case.steps(case.probe(), json!([send("GET", &url, Some("key"), json!([["x-go", "1"]]))])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 200, "{:?}", outcome.result);
    let seen: Vec<_> = case.upstream.received().iter().map(|r| r.header("x-go").map(str::to_owned)).collect();
    assert_eq!(seen, [Some("1".to_owned()), None]);
    case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn a_credential_goes_on_only_where_the_hops_own_route_names_its_slot() {
    let elsewhere = Upstream::start(|_| Answer::json(&json!({"ok": true}))).await.unwrap();
    let other = elsewhere.origin();
    let case = Case::answering(move |request: &Received| match request.target.as_str() {
        "/header" if request.header("x-go").unwrap() == "same" => {
            redirecting(vec![("/header", 307, format!("{other}/header"))])(request)
        }
        "/header" if request.header("x-go").unwrap() == "none" => {
            redirecting(vec![("/header", 307, format!("{other}/ok"))])(request)
        }
        "/header" => redirecting(vec![("/header", 307, format!("{other}/basic"))])(request),
        _ => Answer::json(&json!({"ok": true})),
    })
    .await;
    let probe = probe_elsewhere(&case, &elsewhere, "").await;
    let url = format!("{}/header", case.upstream.origin());
    let step = |go| send("GET", &url, Some("key"), json!([["x-go", go], ["accept", "a/b"], ["user-agent", "me"]]));
    let outcome = case.steps(&probe, json!([step("same"), step("none"), step("other")])).await;
    let output = outcome.result.as_ref().unwrap();
    let received = elsewhere.received();
    assert_eq!(received.len(), 2);
    // The same slot is granted there, so the operator wants it there.
    assert_eq!(received[0].header("x-api-key"), Some(secret("key").as_str()));
    assert_eq!(received[1].header("x-api-key"), None);
    // Another slot is not opened by a redirect.
    assert_eq!(output["results"][2]["error"]["rule"], "slot-missing", "{output}");
    // Another origin learns nothing that the guest told the first one.
    assert_eq!(received[0].header("x-go"), None);
    assert_eq!((received[0].header("accept"), received[0].header("user-agent")), (Some("a/b"), Some("me")));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_credential_that_was_left_behind_is_not_picked_up_again() {
    let base = Arc::new(std::sync::OnceLock::<String>::new());
    let back = base.clone();
    let elsewhere = Upstream::start(move |_| {
        Answer::json(&json!({})).status(307).header("location", &format!("{}/header", back.get().unwrap()))
    })
    .await
    .unwrap();
    let other = elsewhere.origin();
    let case = Case::answering(redirecting(vec![("/header", 307, format!("{other}/ok"))])).await;
    base.set(case.upstream.origin()).unwrap();
    let probe = probe_elsewhere(&case, &elsewhere, "").await;
    let step = send("GET", &format!("{}/header", case.upstream.origin()), Some("key"), json!([]));
    let outcome = case.steps(&probe, json!([step])).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["results"][0]["error"]["rule"], "slot-missing", "a stranger may not spend it: {output}");
    assert_eq!(case.upstream.received().len(), 1);
    case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn a_secret_in_a_location_is_taken_out_before_it_is_read() {
    let elsewhere = Upstream::start(|_| Answer::json(&json!({"ok": true}))).await.unwrap();
    let other = elsewhere.origin();
    let case = Case::answering(move |request: &Received| {
        let echoed = request.header("authorization").unwrap().trim_start_matches("Bearer ").bytes();
        let echoed: String = echoed
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect();
        Answer::json(&json!({})).status(303).header("location", &format!("{other}/items/1?q={echoed}"))
    })
    .await;
    let probe = probe_elsewhere(&case, &elsewhere, "").await;
    let headers = json!([["content-type", "text/plain"]]);
    let mut step = send("POST", &format!("{}/echo", case.upstream.origin()), Some("token"), headers);
    step["body"] = json!("{}");
    let outcome = case.steps(&probe, json!([step])).await;
    assert!(elsewhere.received()[0].target.contains("[redacted:token]"), "{:?}", elsewhere.received());
    case.no_secret_in(&format!("{outcome:?}"));
}

#[tokio::test]
async fn redirects_and_their_waiting_share_one_deadline() {
    let case = Case::answering(|_: &Received| {
        std::thread::sleep(std::time::Duration::from_millis(120));
        Answer::json(&json!({})).status(302).header("location", "/items/on")
    })
    .await;
    let base = case.upstream.origin();
    let lines = format!("{}[limits]\nrequest_ms = 300\nredirects = 20\n", everything(&base));
    let probe = case.probe_with(&base, &lines, &[case.upstream.address]).await;
    let outcome = case.steps(&probe, json!([item(&case, "on")])).await;
    let error = &outcome.result.as_ref().unwrap()["results"][0]["error"];
    assert_eq!((&error["kind"], &error["phase"]), (&json!("timeout"), &json!("total")), "{error}");
    assert!((2..=4).contains(&case.upstream.received().len()));
}

#[tokio::test]
pub(crate) async fn a_redirect_from_https_to_http_is_followed_only_where_http_was_granted() {
    let plain = Upstream::start(|_| Answer::json(&json!({"plain": true}))).await.unwrap();
    let port = plain.address.port();
    let location = format!("http://secure.example:{port}/ok");
    let authority = Authority::new("the tests'").unwrap();
    let identity = authority.good("secure.example").unwrap();
    let secured = TlsUpstream::start(identity, redirecting(vec![("down", 302, location)])).await.unwrap();
    let case = Case::new().await;
    let adapter = case.load(guests::PUPPET_PROBE).await;
    let base = format!("https://secure.example:{}", secured.address.port());
    let http = format!("http://secure.example:{port}");
    let descriptor = case.runtime.describe(&adapter, &json!({"baseUrl": base, "elsewhere": http})).await.unwrap();
    for (more, expected) in [(String::new(), "origin-not-granted"), (everything(&http), "200")] {
        let grant = Grant::parse(&format!(
            "adapter = \"{}\"\noperations = [\"probe\"]\ncarve_outs = [\"{}\", \"{}\"]\n{}{more}",
            adapter.digest(),
            secured.address,
            plain.address,
            everything(&base)
        ))
        .unwrap();
        let names = Names::default();
        names.add("secure.example", &[secured.address.ip()]);
        let egress = Egress::with_tls(Arc::new(names), authority.client().unwrap());
        let outbound = Outbound::new(OutboundParts {
            powers: Powers::new(adapter.digest(), "probe", &descriptor, &grant, &Ceiling::default())
                .unwrap()
                .operation("probe")
                .unwrap()
                .clone(),
            limits: Arc::new(Limits::default()),
            vault: case.vault.clone(),
            connections: Arc::new(egress.connections()),
            traffic: Arc::default(),
            responses: Arc::new(HashMap::new()),
            salt: [7; 16],
            work: Arc::new(Work::new(20_000_000)),
            mode: Mode::Live,
            seed: 1,
        });
        let url = format!("{base}/items/down");
        let request = HttpRequest { method: Method::Get, url, headers: Vec::new(), body: None, slots: Vec::new() };
        let end = match outbound.send(request).await {
            Ok(response) => response.status.to_string(),
            Err(SendError::Denied(denial)) => denial.rule,
            Err(other) => other.to_string(),
        };
        assert_eq!(end, expected);
    }
    assert_eq!((secured.received().len(), plain.received().len()), (2, 1));
}

#[tokio::test]
async fn a_hop_has_the_deadline_of_its_own_route() {
    let case = Case::answering(|request: &Received| match request.target.as_str() {
        "/items/1" => Answer::json(&json!({})).status(302).header("location", "/ok"),
        _ => {
            std::thread::sleep(std::time::Duration::from_millis(600));
            Answer::json(&json!({"ok": true}))
        }
    })
    .await;
    let base = case.upstream.origin();
    let own = format!("url = \"{base}/ok\"\nlimits = {{ request_ms = 100 }}\n");
    let lines = everything(&base).replace(&format!("url = \"{base}/ok\"\n"), &own);
    let probe = case.probe_with(&base, &lines, &[case.upstream.address]).await;
    let outcome = case.steps(&probe, json!([item(&case, "1")])).await;
    let error = &outcome.result.as_ref().unwrap()["results"][0]["error"];
    assert_eq!((&error["kind"], &error["limitMs"]), (&json!("timeout"), &json!(100)), "{error}");
}
