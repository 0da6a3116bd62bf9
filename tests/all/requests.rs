//! Requests and their bounds: sizes both ways, packed and unpacked; time; how many at once; and that none outlives its call.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use flate2::{Compression, write::GzEncoder};
use portcullis_egress::{Egress, HttpRequest, Outbound, OutboundParts, Phase, Resolver, SendError};
use portcullis_gate::{Ceiling, Limits, Method, Powers, Work};
use portcullis_runtime::{Grant, Integration, Mode};
use portcullis_tests::{
    guests,
    names::Names,
    tls::Authority,
    upstream::{Answer, Received},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

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

/// An upstream that counts how many requests are open at once, and answers `/items/N` after N milliseconds.
struct Slow {
    address: SocketAddr,
    most: Arc<AtomicUsize>,
}

impl Slow {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = most.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (now, most) = (now.clone(), seen.clone());
                tokio::spawn(async move { Self::serve(stream, &now, &most).await });
            }
        });
        Self { address, most }
    }

    async fn serve(mut stream: TcpStream, now: &AtomicUsize, most: &AtomicUsize) -> Option<()> {
        let mut request = [0; 4096];
        loop {
            let length = stream.read(&mut request).await.ok().filter(|length| *length > 0)?;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let item = text.split_once("/items/")?.1.split_once(' ')?.0;
            sleep(Duration::from_millis(item.parse().ok()?)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{item}", item.len());
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

#[tokio::test]
async fn answers_come_in_order_and_never_more_than_allowed_are_open_at_once() {
    let case = Case::new().await;
    for at_once in [1, 3] {
        let slow = Slow::start().await;
        let base = format!("http://{}", slow.address);
        let lines = format!("{}[limits]\nrequests_at_once = {at_once}\n", everything(&base));
        let probe = case.probe_with(&base, &lines, &[slow.address]).await;
        let delays = [150, 10, 80, 1, 120, 5, 60, 30, 2];
        let requests: Vec<Value> = delays.iter().map(|delay| get(&format!("{base}/items/{delay}"))).collect();
        let outcome = case.steps(&probe, json!([{"do": "sendAll", "requests": requests}])).await;
        let results = &outcome.result.as_ref().unwrap()["results"][0]["results"];
        for (place, delay) in delays.iter().enumerate() {
            assert_eq!(results[place]["ok"]["body"], delay.to_string(), "{results}");
        }
        assert_eq!(slow.most.load(Ordering::SeqCst), at_once, "as many as allowed, and no more");
        case.holds(&outcome).await;
    }
}

/// An upstream that reads, sends what it is told to, and tells when the other side hangs up.
async fn watcher(sends: &'static [u8]) -> (SocketAddr, mpsc::UnboundedReceiver<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut piece = [0; 4096];
                let _ = stream.read(&mut piece).await;
                let _ = stream.write_all(sends).await;
                let _ = tell.send("request");
                while stream.read(&mut piece).await.is_ok_and(|length| length > 0) {}
                let _ = tell.send("closed");
            });
        }
    });
    (address, told)
}

async fn next(told: &mut mpsc::UnboundedReceiver<&'static str>) -> &'static str {
    timeout(Duration::from_secs(1), told.recv()).await.expect("within a second").unwrap()
}

#[tokio::test]
async fn no_request_outlives_a_caller_who_goes_away() {
    let case = Arc::new(Case::new().await);
    // Before a response, in the middle of one, and with three at once.
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx";
    for (sends, count) in [(&b""[..], 1), (&half[..], 1), (&half[..], 3)] {
        let (address, mut told) = watcher(sends).await;
        let base = format!("http://{address}");
        let probe = case.probe_with(&base, &everything(&base), &[address]).await;
        let requests = vec![get(&format!("{base}/ok")); count];
        let going = case.clone();
        let steps = json!([{"do": "sendAll", "requests": requests}]);
        let call = tokio::spawn(async move { going.steps(&probe, steps).await });
        for _ in 0..count {
            assert_eq!(next(&mut told).await, "request");
        }
        call.abort();
        for _ in 0..count {
            assert_eq!(next(&mut told).await, "closed");
        }
        assert!(timeout(Duration::from_millis(700), told.recv()).await.is_err(), "nothing was sent again");
        case.goes_on().await;
    }
}

#[tokio::test]
async fn no_request_outlives_its_calls_wall_clock_or_its_own_deadline() {
    let case = Case::new().await;
    for (limits, kind) in [("wall_ms = 300", None), ("request_ms = 300", Some("timeout"))] {
        let (address, mut told) = watcher(b"").await;
        let base = format!("http://{address}");
        let lines = format!("{}[limits]\n{limits}\n", everything(&base));
        let probe = case.probe_with(&base, &lines, &[address]).await;
        let outcome = case.steps(&probe, json!([get(&format!("{base}/ok"))])).await;
        match &outcome.result {
            Ok(output) => {
                let error = &output["results"][0]["error"];
                assert_eq!((error["kind"].as_str(), &error["phase"]), (kind, &json!("total")));
            }
            Err(error) => assert_eq!((error.code(), kind), ("wall_ms", None)),
        }
        assert_eq!((next(&mut told).await, next(&mut told).await), ("request", "closed"), "{limits}");
        let expected = if kind.is_some() { "timeout" } else { "cut-off" };
        assert_eq!(outcome.exchanges[0].error.as_deref(), Some(expected));
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_wait_for_a_turn_ends_with_its_call() {
    let case = Arc::new(Case::new().await);
    let probe = limited(&case, "requests_per_second = 1").await;
    let going = case.clone();
    let url = format!("{}/items/1", case.upstream.origin());
    let steps = json!([{"do": "sendAll", "requests": vec![get(&url); 3]}]);
    let call = tokio::spawn(async move { going.steps(&probe, steps).await });
    while case.upstream.received().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    sleep(Duration::from_millis(1_300)).await;
    assert_eq!(case.upstream.received().len(), 1, "nobody who had to wait was sent");
    case.goes_on().await;
}

/// A resolver that takes its time.
struct Sleepy;

#[async_trait]
impl Resolver for Sleepy {
    async fn resolve(&self, _: &str) -> io::Result<Arc<[IpAddr]>> {
        sleep(Duration::from_secs(60)).await;
        Err(io::Error::other("too late"))
    }
}

/// A way out beside any call, to `base`.
pub(crate) async fn outbound(
    case: &Case,
    (base, mode): (&str, Mode),
    address: SocketAddr,
    resolver: Arc<dyn Resolver>,
    limits: Limits,
) -> Outbound {
    let adapter = case.load(guests::PUPPET_PROBE).await;
    let descriptor = case.runtime.describe(&adapter, &json!({"baseUrl": base})).await.unwrap();
    let lines = format!("carve_outs = [\"{address}\"]\n{}", everything(base));
    let grant = format!("adapter = \"{}\"\noperations = [\"probe\"]\n{lines}", adapter.digest());
    let powers =
        Powers::new(adapter.digest(), "probe", &descriptor, &Grant::parse(&grant).unwrap(), &Ceiling::default())
            .unwrap();
    Outbound::new(OutboundParts {
        powers: powers.operation("probe").unwrap().clone(),
        limits: Arc::new(limits),
        vault: case.vault.clone(),
        connections: Arc::new(
            Egress::with_tls(resolver, Authority::new("nobody's").unwrap().client().unwrap()).connections(),
        ),
        traffic: Arc::default(),
        responses: Arc::new(HashMap::new()),
        salt: [7; 16],
        work: Arc::new(Work::new(20_000_000)),
        mode,
        seed: 1,
    })
}

pub(crate) fn plain_get(url: String) -> HttpRequest {
    HttpRequest { method: Method::Get, url, headers: Vec::new(), body: None, slots: Vec::new() }
}

#[tokio::test]
async fn resolving_has_a_bound_of_its_own() {
    let case = Case::new().await;
    let limits = Limits { dns_ms: 100, retries: 0, ..Limits::default() };
    let base = "https://slow.example";
    let outbound = outbound(&case, (base, Mode::Live), "127.0.0.1:1".parse().unwrap(), Arc::new(Sleepy), limits).await;
    let end = outbound.send(plain_get(format!("{base}/ok"))).await;
    assert_eq!(end, Err(SendError::Timeout { phase: Phase::Dns, limit_ms: 100 }));
}

#[tokio::test]
async fn connecting_has_a_bound_of_its_own() {
    let case = Case::new().await;
    // Nobody accepts, and the queue of those who wait is full: the next one gets no answer at all.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        queue.push(stream.unwrap());
    }
    let limits = Limits { connect_ms: 200, retries: 0, ..Limits::default() };
    let base = format!("http://{address}");
    let outbound = outbound(&case, (&base, Mode::Live), address, Arc::new(Names::default()), limits).await;
    let started = Instant::now();
    let end = outbound.send(plain_get(format!("{base}/ok"))).await;
    assert_eq!(end, Err(SendError::Timeout { phase: Phase::Connect, limit_ms: 200 }));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn ten_thousand_made_up_answers_leave_room_for_others() {
    let case = Case::new().await;
    let base = case.upstream.origin();
    let limits = Limits { requests: 10_000, ..Limits::default() };
    let outbound =
        outbound(&case, (&base, Mode::Sandbox), case.upstream.address, Arc::new(Names::default()), limits).await;
    let others = Arc::new(AtomicUsize::new(0));
    let seen = others.clone();
    tokio::spawn(async move {
        loop {
            seen.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..1_000 {
        let _ = outbound.send(plain_get(format!("{base}/ok"))).await;
    }
    assert!(others.load(Ordering::SeqCst) >= 500, "somebody else had a turn: {others:?}");
}

#[tokio::test]
pub(crate) async fn an_address_of_the_hosts_own_is_not_dialled_even_where_it_is_public() {
    let case = Case::new().await;
    let public = "93.184.215.14".parse().unwrap();
    let limits = Limits { connect_ms: 100, retries: 0, ..Limits::default() };
    let base = "https://granted.example";
    for own in [true, false] {
        let names = Names::default();
        names.add("granted.example", &[public]);
        if own {
            names.own(public);
        }
        let address = case.upstream.address;
        let outbound = outbound(&case, (base, Mode::Live), address, Arc::new(names), limits.clone()).await;
        match outbound.send(plain_get(format!("{base}/ok"))).await {
            Err(SendError::Denied(denial)) => {
                assert!(own && denial.message.contains("this host's own address"), "{denial:?}");
            }
            // Nobody answers there, or nothing leads there.
            other => assert!(!own, "{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_route_has_bounds_of_its_own() {
    let case = Case::answering(|request| match request.target.as_str() {
        "/items/long" => Answer::json(&json!("x".repeat(200))),
        _ => Answer::json(&json!({"ok": true})),
    })
    .await;
    let base = case.upstream.origin();
    let own = "limits = { requests = 2, request_bytes = 5, response_bytes = 100 }\n";
    let routes = everything(&base).replace("[[routes]]\n", &format!("[[routes]]\n{own}"));
    let probe = case.probe_with(&base, &routes, &[case.upstream.address]).await;
    let item = |id: &str| get(&format!("{base}/items/{id}"));
    let post = |body: &str| {
        let mut step = send("POST", &format!("{base}/echo"), Some("token"), json!([["content-type", "text/plain"]]));
        step["body"] = json!(body);
        step
    };
    let steps = json!([item("long"), item("1"), item("2"), post("short"), post("longer")]);
    let outcome = case.steps(&probe, steps).await;
    let output = outcome.result.as_ref().unwrap();
    let bound = |step: usize| output["results"][step]["error"]["name"].as_str();
    let bounds: Vec<_> = (0..5).map(bound).collect();
    let expected = [Some("response_bytes"), None, Some("requests"), None, Some("request_bytes")];
    assert_eq!(bounds, expected, "{output}");
    case.holds(&outcome).await;
}
