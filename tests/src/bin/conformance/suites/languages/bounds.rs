//! Bounds: what a twin hits when it is given too little, and what a greedy adapter of each language hits or is refused.

use std::sync::Arc;

use portcullis_runtime::{Adapter, CallError, Descriptor, Grant, Limits, NewIntegration, Outcome};
use portcullis_tests::{canary::Canary, folder, guests, guests::Guest};
use serde_json::{Value, json};

use super::{build, twins::Twins};
use crate::{
    bench::call,
    cache::Cache,
    expect::{holds, same},
    progress::step,
    report::{Checked, Checks, Stop},
};

/// Largest memory of a call.
const MEMORY: u64 = 64 * 1024 * 1024;

/// What each language offers that could lead out of the sandbox.
const WAYS: [(&str, &[&str]); 2] = [
    ("javascript", &["fetch", "import", "process", "require", "socket"]),
    (
        "python",
        &[
            "read",
            "write",
            "list",
            "folder",
            "descriptor",
            "environment",
            "arguments",
            "process",
            "connect",
            "resolve",
            "udp",
            "listen",
        ],
    ),
];

pub(super) async fn check(cache: &Cache, twins: &Twins, checks: &mut Checks) -> Checked {
    for twin in &twins.all {
        for (name, limits) in [
            ("fuel", Limits { fuel: 10_000, ..Limits::default() }),
            ("memory_bytes", Limits { memory_bytes: 131_072, ..Limits::default() }),
        ] {
            let integration = twins.integrate(twin, twins.upstream.address, |grant| grant.limits = limits).await?;
            let outcome = integration.call(call("getTask", json!({ "id": 7 })).live()).await;
            // The SDK's adapters are happy with 128 KiB.
            let enough =
                twin.language == "rust" && name == "memory_bytes" && outcome.receipt.peak_memory_bytes <= 131_072;
            let result = if enough { Ok(()) } else { hit(&outcome, &[name]) };
            checks.check(&format!("{}: too little {name} is that bound", twin.language), result);
        }
    }

    let greedy = folder::conformance_scripts().join("languages");
    let javascript = build::javascript(cache, &greedy.join("greedy.js")).await?;
    let python = build::python(cache, &greedy.join("greedy.py")).await?;
    let [javascript, python] = [load(twins, "javascript", &javascript).await?, load(twins, "python", &python).await?];
    let guest = async |guest: Guest| load(twins, "rust", &folder::guest(guest)?).await;
    let [looping, growing] = [guest(guests::HOSTILE_ENDLESS_LOOP).await?, guest(guests::HOSTILE_GROW_MEMORY).await?];
    for (language, looping, growing) in
        [("rust", &looping, &growing), ("javascript", &javascript, &javascript), ("python", &python, &python)]
    {
        for (name, limits) in [
            ("fuel", Limits::default()),
            ("guest_ms", Limits { fuel: 1_000_000_000_000, guest_ms: 200, ..Limits::default() }),
            ("wall_ms", Limits { fuel: 1_000_000_000_000, guest_ms: 60_000, wall_ms: 200, ..Limits::default() }),
        ] {
            let outcome = run(twins, looping, "loop", json!({}), limits).await?;
            checks.check(&format!("{language}: an endless loop hits {name}"), hit(&outcome, &[name]));
        }
        let limits = Limits { fuel: 1_000_000_000_000, ..Limits::default() };
        let outcome = run(twins, growing, "grow", json!({}), limits).await?;
        let peak = outcome.receipt.peak_memory_bytes;
        // It ends when it asks for too much, however much that is; a runtime that gives up by itself goes on until its time
        // is up.
        let bounded = hit(&outcome, &["memory_bytes", "guest_ms"])
            .and_then(|()| holds(peak <= MEMORY, || format!("it had {peak} bytes")));
        checks.check(&format!("{language}: memory ends at its bound"), bounded);
    }
    for ((language, ways), adapter) in WAYS.iter().zip([&javascript, &python]) {
        powerless(twins, checks, language, ways, adapter).await?;
    }
    Ok(())
}

/// A greedy adapter reaches nothing, and its dice are real in calls alone.
async fn powerless(twins: &Twins, checks: &mut Checks, language: &str, ways: &[&str], adapter: &Adapter) -> Checked {
    let canary = Canary::start().await?;
    for way in ways {
        let input = json!({ "way": way, "url": format!("http://{}/", canary.address) });
        let outcome = run(twins, adapter, "reach", input, Limits::default()).await?;
        let refused = match &outcome.result {
            Ok(answer) => same(&json!("refused"), answer),
            // Or the runtime gave up.
            Err(CallError::Broken(_)) => Ok(()),
            Err(error) => Err(Stop::failed(error)),
        };
        let (touched, bytes) = (canary.touched(), canary.bytes());
        let untouched = holds((touched, bytes) == (0, 0), || format!("the canary was touched {touched} times"));
        checks.check(&format!("{language}: {way} leads nowhere"), refused.and(untouched));
    }
    let [first, second] = [describe(twins, adapter).await?.description, describe(twins, adapter).await?.description];
    checks.check(&format!("{language}: dice in `describe` never vary"), same(&json!(first), &json!(second)));
    let mut thrown = Vec::new();
    for _ in 0..2 {
        let outcome = run(twins, adapter, "dice", json!({}), Limits::default()).await?;
        thrown.push(outcome.result.map_err(Stop::failed)?);
    }
    for (index, name) in ["a UUID", "a random number", "the time"].iter().enumerate() {
        let of = |at: usize| thrown.get(at).and_then(|dice| dice.get(index)).cloned();
        let differ = of(0).is_some() && of(0) != of(1);
        checks.check(&format!("{language}: {name} differs from call to call"), holds(differ, || format!("{thrown:?}")));
    }
    let denied = adapter.upload().imports.iter().filter(|import| import.power == "none: a denied stub").count();
    let told = holds(denied > 0, || format!("{:?}", adapter.upload().imports));
    checks.check(&format!("{language}: what it imports of files and sockets is told to be a denied stub"), told);
    Ok(())
}

async fn load(twins: &Twins, language: &str, wasm: &[u8]) -> Checked<Adapter> {
    step(&format!("compile greedy, {language}"), twins.runtime.load(wasm)).await.map_err(Stop::failed)
}

async fn describe(twins: &Twins, adapter: &Adapter) -> Checked<Descriptor> {
    twins.runtime.describe(adapter, &json!({})).await.map_err(Stop::failed)
}

async fn run(twins: &Twins, adapter: &Adapter, operation: &str, input: Value, limits: Limits) -> Checked<Outcome> {
    let grant = Grant {
        adapter: adapter.digest().to_owned(),
        operations: vec![operation.to_owned()],
        carve_outs: Vec::new(),
        signing: Vec::new(),
        routes: Vec::new(),
        limits,
    };
    let vault = Arc::new(portcullis_runtime::MemoryVault::new());
    let new = NewIntegration::new("conformance", "greedy", adapter.clone(), grant).config(json!({})).vault(vault);
    let integration = twins.runtime.integrate(new).await.map_err(Stop::failed)?;
    Ok(integration.call(call(operation, input).live()).await)
}

/// The call ended at one of these bounds.
fn hit(outcome: &Outcome, bounds: &[&str]) -> Checked {
    match &outcome.result {
        Err(CallError::Bound { name, .. }) if bounds.contains(name) => Ok(()),
        other => Err(Stop::Failed(format!("expected the bound {}, found {other:?}", bounds.join(" or ")))),
    }
}
