//! What the pure parts cost: a decision, an address, a search for echoes. Time and allocations, counted, not read off.

#![allow(unsafe_code, reason = "an allocator that counts, in front of the system's")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    net::IpAddr,
    time::Instant,
};

use portcullis_gate::{
    CarveOuts, Ceiling, Decision, Descriptor, Effect, Grant, GrantedRoute, Method, Operation, Parameter, Powers,
    Repeat, Request, RequestUrl, Route, decide, judge_address,
};
use portcullis_vault::{Scrubber, Secret};
use serde_json::{Value, json};

use super::{Failure, quantile};

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator as it is; counting neither allocates nor touches the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// One figure: its name, its value, its unit, and how often memory was allocated in all of its 900,000 times.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) allocations: Option<u64>,
}

/// All of them.
pub(crate) fn figures() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for (name, routes, origins) in [
        ("decide, 1 route", 1, 1),
        ("decide, 64 routes of one origin", 64, 1),
        ("decide, 1,000 routes of one origin", 1_000, 1),
        ("decide, 1,000 origins", 1_000, 1_000),
    ] {
        figures.push(decision(name, routes, origins)?);
    }
    for (name, address) in [
        ("address, public IPv4", "93.184.215.14"),
        ("address, private IPv4", "192.168.1.1"),
        ("address, public IPv6", "2606:4700::1111"),
        ("address, IPv4 in NAT64", "64:ff9b::a00:1"),
    ] {
        let address: IpAddr = address.parse()?;
        let carve_outs = CarveOuts::default();
        figures.push(timed(name, || judge_address(black_box(address), 443, true, &carve_outs).is_ok()));
    }
    for (name, secrets, escapes) in [
        ("search for echoes, 1 secret", 1, false),
        ("search for echoes, 8 secrets", 8, false),
        ("the same, a body full of escapes", 8, true),
    ] {
        figures.push(scrubbing(name, secrets, escapes)?);
    }
    Ok(figures)
}

pub(crate) fn as_json(figures: &[Figure]) -> Value {
    figures
        .iter()
        .map(|figure| {
            let value = (figure.value * 1e3).round() / 1e3;
            json!({"name": figure.name, "value": value, "unit": figure.unit, "allocations": figure.allocations})
        })
        .collect()
}

/// Nanoseconds of one time, the median of nine runs, and the allocations of all of them together.
fn timed(name: &'static str, mut work: impl FnMut() -> bool) -> Figure {
    const TIMES: u32 = 100_000;
    let mut runs = Vec::new();
    let mut allocations = 0;
    for _ in 0..9 {
        let before = ALLOCATIONS.get();
        let start = Instant::now();
        for _ in 0..TIMES {
            black_box(work());
        }
        let elapsed = start.elapsed();
        allocations += ALLOCATIONS.get() - before;
        runs.push(elapsed.as_secs_f64() * 1e9 / f64::from(TIMES));
    }
    runs.sort_by(f64::total_cmp);
    Figure { name, value: quantile(&runs, 0.5), unit: "ns", allocations: Some(allocations) }
}

/// A decision with so many routes open at so many origins; the last of them allows.
fn decision(name: &'static str, routes: usize, origins: usize) -> Result<Figure, Failure> {
    let url = |i: usize| format!("https://api{}.example.com/v1/things{i}/{{id}}/parts", i % origins);
    let route = |i: usize| Route {
        id: format!("r{i}"),
        description: String::new(),
        method: Method::Get,
        url: url(i),
        query: vec![Parameter::any("limit")],
        headers: Vec::new(),
        slots: Vec::new(),
        links: Vec::new(),
        request: None,
        repeat: Repeat::Idempotent,
        response: "{}".to_owned(),
    };
    let descriptor = Descriptor {
        name: "bench".to_owned(),
        version: "1.0.0".to_owned(),
        description: String::new(),
        slots: Vec::new(),
        routes: (0..routes).map(route).collect(),
        operations: vec![Operation {
            name: "read".to_owned(),
            description: String::new(),
            effect: Effect::Read,
            input: "{}".to_owned(),
            output: "{}".to_owned(),
            routes: (0..routes).map(|i| format!("r{i}")).collect(),
        }],
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    let lines: String = descriptor.routes.iter().map(|r| GrantedRoute::to_toml_lines(&r.as_granted())).collect();
    let grant = Grant::parse(&format!("adapter = \"{digest}\"\noperations = [\"read\"]\n{lines}"))?;
    let powers = Powers::new(&digest, "bench", &descriptor, &grant, &Ceiling::default())?;
    let powers = powers.operation("read").ok_or("no powers")?;
    let last = routes - 1;
    let url = RequestUrl::parse(&format!("{}?limit=3", url(last).replace("{id}", "cus_123")), 8192)?;
    let headers = [portcullis_gate::Header { name: "accept".to_owned(), value: b"application/json".to_vec() }];
    let request = Request { method: Method::Get, url: &url, headers: &headers, body: false, slots: &[], written: &[] };
    match decide(&request, powers) {
        Decision::Allow(id) if powers.route(id).is_some_and(|route| route.id == format!("r{last}")) => {}
        other => return Err(format!("the gate said {other:?}").into()),
    }
    Ok(timed(name, || matches!(decide(black_box(&request), powers), Decision::Allow(_))))
}

/// Gigabytes a second over clean JSON, the median of nine runs.
fn scrubbing(name: &'static str, secrets: usize, escapes: bool) -> Result<Figure, Failure> {
    let stored: Vec<(String, Secret)> = (0..secrets)
        .map(|i| Ok((format!("slot-{i}"), Secret::try_from(format!("sk_live_{i}51H8x/kQ+9zTr=Vb2Nw").as_str())?)))
        .collect::<Result<_, Failure>>()?;
    let scrubber = Scrubber::new(stored.iter().map(|(slot, secret)| (slot, secret)));
    let (name_of, url) = match escapes {
        true => ("Ada \"Countess\" Lovelace", "https://example.com/a/b?c=d%20e&f=g"),
        false => ("Ada Countess Lovelace", "https://example.com/a/b?c=de"),
    };
    let item = |i: usize| {
        json!({
            "id": format!("cus_{i:012x}"), "name": name_of, "email": "ada@example.com",
            "url": url, "balance": i, "tags": ["one", "two"], "note": "Grüße aus Köln",
        })
    };
    let body = Value::Array((0..30_000).map(item).collect()).to_string().into_bytes();
    let mut runs = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        if scrubber.scrub(black_box(&body)).is_some() {
            return Err("something was found in a clean body".into());
        }
        runs.push(body.len() as f64 / start.elapsed().as_secs_f64() / 1e9);
    }
    runs.sort_by(f64::total_cmp);
    Ok(Figure { name, value: quantile(&runs, 0.5), unit: "GB/s", allocations: None })
}
