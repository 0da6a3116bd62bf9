//! The three adapters behind the real gate, and an upstream that answers all of them alike.

use std::{
    collections::VecDeque,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use portcullis_runtime::{
    Adapter, CallError, Descriptor, Grant, Integration, Limits, MemoryVault, NewIntegration, Outcome, Route, Runtime,
    Secret,
};
use portcullis_tests::{
    folder,
    ledger::ReadableLedger,
    upstream::{Answer, Received, Upstream},
};
use serde_json::{Value, json};

use super::cases::{Case, Expected};
use crate::{
    bench::call,
    expect::{holds, same},
    progress::step,
    report::{Checked, Checks, Stop},
};

/// What stands in the slot. The answers that are no success repeat it.
pub(super) const TOKEN: &str = "tk-9f27c1d84be350a6";
/// How messages about bodies begin; what follows is the parser's.
const UNEXPECTED: &str = "http.unexpected-body";

/// One of the three.
pub(super) struct Twin {
    pub(super) language: &'static str,
    pub(super) wasm: Vec<u8>,
    pub(super) adapter: Adapter,
}

/// All of them.
pub(super) struct Twins {
    pub(super) runtime: Runtime,
    pub(super) upstream: Upstream,
    pub(super) all: Vec<Twin>,
    ledger: Arc<ReadableLedger>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    /// All that can be read of the calls.
    seen: Mutex<String>,
}

impl Twins {
    /// Compiles and links them. The first is what the others are held against.
    pub(super) async fn load(components: [(&'static str, Vec<u8>); 3]) -> Checked<Self> {
        let ledger = Arc::new(ReadableLedger::start().await);
        let runtime =
            Runtime::builder(ledger.ledger()).cache(compiled()).cache_key(folder::cache_key()).calls_at_once(4).build();
        let runtime = runtime.map_err(Stop::failed)?;
        let mut all = Vec::new();
        for (language, wasm) in components {
            let adapter = step(&format!("compile tasks, {language}"), runtime.load(&wasm)).await;
            all.push(Twin { language, adapter: adapter.map_err(Stop::failed)?, wasm });
        }
        let answers: Arc<Mutex<VecDeque<Answer>>> = Arc::default();
        let script = answers.clone();
        let upstream = Upstream::start(move |_| next(&script)).await?;
        Ok(Self { runtime, upstream, all, ledger, answers, seen: Mutex::default() })
    }

    fn config(&self) -> Value {
        config_at(self.upstream.address)
    }

    /// The answers that each twin gets from now on; the last one again and again.
    pub(super) fn answer(&self, answers: &[Answer]) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.iter().cloned().collect();
    }

    /// A fresh integration with everything granted: its pace and its circuits are its own.
    pub(super) async fn integrate(
        &self,
        twin: &Twin,
        at: SocketAddr,
        change: impl FnOnce(&mut Grant),
    ) -> Checked<Integration> {
        let config = config_at(at);
        let descriptor = self.runtime.describe(&twin.adapter, &config).await.map_err(Stop::failed)?;
        let carve_out = at.to_string().parse().map_err(Stop::failed)?;
        let mut grant = Grant {
            adapter: twin.adapter.digest().to_owned(),
            operations: descriptor.operations.iter().map(|operation| operation.name.clone()).collect(),
            carve_outs: vec![carve_out],
            signing: Vec::new(),
            routes: descriptor.routes.iter().map(Route::as_granted).collect(),
            limits: Limits { retries: 0, ..Limits::default() },
        };
        change(&mut grant);
        grant.check().map_err(Stop::failed)?;
        let vault = MemoryVault::new();
        vault.put("token", Secret::try_from(TOKEN).map_err(Stop::failed)?);
        let new = NewIntegration::new("conformance", twin.language, twin.adapter.clone(), grant);
        self.runtime.integrate(new.config(config).vault(Arc::new(vault))).await.map_err(Stop::failed)
    }

    async fn describe(&self, twin: &Twin) -> Checked<Descriptor> {
        self.runtime.describe(&twin.adapter, &self.config()).await.map_err(Stop::failed)
    }

    /// Descriptors and config schemas are equal, schemas as JSON.
    pub(super) async fn declare_the_same(&self, checks: &mut Checks) -> Checked {
        let mut said = Vec::new();
        for twin in &self.all {
            let schema = self.runtime.config_schema(&twin.adapter).await.map_err(Stop::failed)?;
            let descriptor = serde_json::to_value(self.describe(twin).await?).map_err(Stop::failed)?;
            let again = serde_json::to_value(self.describe(twin).await?).map_err(Stop::failed)?;
            checks.check(&format!("{}: it always describes itself alike", twin.language), same(&descriptor, &again));
            said.push(json!({ "config": schema.value(), "descriptor": parsed(descriptor) }));
        }
        self.compare(&said, |twin, result| checks.check(&format!("{}: it declares what Rust declares", twin), result));
        Ok(())
    }

    /// A live call comes to what is expected, and for all twins to the same, on the wire and for the caller.
    pub(super) async fn answer_the_same(&self, case: &Case) -> Checked {
        let mut told = Vec::new();
        let at = if case.closed { nowhere()? } else { self.upstream.address };
        for twin in &self.all {
            let integration = self.integrate(twin, at, |grant| (case.change)(grant)).await?;
            self.answer(&case.answers);
            let mut call = call(case.operation, case.input.clone()).live();
            if let Some(key) = case.key {
                call = call.idempotency_key(key);
            }
            let before = self.upstream.received().len();
            let outcome = integration.call(call).await;
            let wire: Vec<Received> = self.upstream.received().into_iter().skip(before).collect();
            self.see(&outcome);
            let story = story(&outcome, &wire, case.key);
            meets(case, &story).map_err(|stop| of(twin.language, stop))?;
            told.push(story);
        }
        self.all_same(&told)
    }

    /// A call in sandbox mode has an output, says what it would send, and sends nothing; for all twins the same.
    pub(super) async fn pretend_the_same(&self, operation: &str, input: &Value, seed: u64) -> Checked {
        let mut told = Vec::new();
        for twin in &self.all {
            let integration = self.integrate(twin, self.upstream.address, |_| {}).await?;
            let before = self.upstream.received().len();
            let outcome = integration.call(call(operation, input.clone()).seed(seed)).await;
            self.see(&outcome);
            let sent = self.upstream.received().len() - before;
            holds(sent == 0, || format!("{}: {sent} requests were sent", twin.language))?;
            holds(!outcome.would_send.is_empty(), || format!("{}: it would send nothing", twin.language))?;
            told.push(json!({ "result": result(&outcome), "would_send": outcome.would_send }));
        }
        let output = told.first().and_then(|story| story.pointer("/result/output"));
        holds(output.is_some(), || format!("no output: {:?}", told.first().and_then(|story| story.get("result"))))?;
        self.all_same(&told)
    }

    /// What must hold after all calls.
    pub(super) fn end(&self, checks: &mut Checks) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shown = seen + &Value::Array(self.ledger.records()).to_string();
        let quiet = holds(!shown.contains(TOKEN), || "a secret is there to be read".to_owned());
        checks.check("no secret is seen in outcomes and records", quiet);
    }

    fn see(&self, outcome: &Outcome) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) += &format!("{outcome:?}");
    }

    fn compare(&self, said: &[Value], mut tell: impl FnMut(&str, Checked)) {
        let Some((first, others)) = said.split_first() else { return };
        for (twin, other) in self.all.iter().skip(1).zip(others) {
            tell(twin.language, same(first, other));
        }
    }

    fn all_same(&self, told: &[Value]) -> Checked {
        let mut all = Ok(());
        self.compare(told, |language, result| {
            if all.is_ok() {
                all = result.map_err(|stop| of(&format!("{language} is not as rust"), stop));
            }
        });
        all
    }
}

/// Compiled code, in a folder of its own: what tests keep is small, and theirs to count on.
pub(super) fn compiled() -> PathBuf {
    folder::conformance().join("compiled")
}

fn config_at(upstream: SocketAddr) -> Value {
    json!({ "baseUrl": format!("http://{upstream}/v1") })
}

/// An address where nobody listens: a port that was given out and is free again.
fn nowhere() -> Checked<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn next(script: &Mutex<VecDeque<Answer>>) -> Answer {
    let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
    answer.unwrap_or_else(|| Answer::json(&Value::Null).status(418))
}

fn of(who: &str, stop: Stop) -> Stop {
    match stop {
        Stop::Failed(why) => Stop::Failed(format!("{who}: {why}")),
        skipped => skipped,
    }
}

/// What a call came to and what was sent, with what differs from call to call taken out.
fn story(outcome: &Outcome, wire: &[Received], key: Option<&str>) -> Value {
    let id = outcome.call.to_string();
    let wire: Vec<Value> = wire
        .iter()
        .map(|request| {
            let line = format!("{} {}", request.method, request.target);
            json!({ "line": line, "headers": request.headers, "body": String::from_utf8_lossy(&request.body) })
        })
        .collect();
    let story = json!({ "result": result(outcome), "wire": wire }).to_string();
    // Without a key of the caller's it is made from the call's id.
    let story = if key.is_none() { story.replace(&id, "CALL") } else { story };
    serde_json::from_str(&story).unwrap_or_default()
}

fn result(outcome: &Outcome) -> Value {
    match &outcome.result {
        Ok(output) => json!({ "output": output }),
        Err(CallError::Adapter { code, message, retryable, retry_after_ms, details }) => {
            let message = if code == UNEXPECTED { message.split(": ").next().unwrap_or(message) } else { message };
            json!({
                "code": code, "message": message, "retryable": retryable, "after": retry_after_ms, "details": details,
            })
        }
        Err(error) => json!({ "code": error.code(), "message": error.to_string() }),
    }
}

/// What the case expects is there.
fn meets(case: &Case, story: &Value) -> Checked {
    let result = story.get("result").unwrap_or(&Value::Null);
    match &case.expected {
        Expected::Output(output) => same(&json!({ "output": output }), result)?,
        Expected::Failure { code, retryable, after, details } => {
            let found =
                json!([result.get("code"), result.get("retryable"), result.get("after"), result.get("details")]);
            same(&json!([code, retryable, after, details]), &found)?;
        }
        Expected::Error(code) => same(&json!(code), result.get("code").unwrap_or(result))?,
    }
    let wire = story.get("wire").and_then(Value::as_array).cloned().unwrap_or_default();
    let lines: Vec<&Value> = wire.iter().filter_map(|request| request.get("line")).collect();
    same(&json!(case.lines), &json!(lines))?;
    for (name, value) in &case.headers {
        let all = wire.first().and_then(|request| request.get("headers")).and_then(Value::as_array);
        let found = all.into_iter().flatten().any(|header| *header == json!([name, value]));
        holds(found, || format!("there is no header {name}: {value} in {all:?}"))?;
    }
    if let Some(body) = case.body {
        let found = wire.first().and_then(|request| request.get("body")).and_then(Value::as_str);
        same(&json!(body), &json!(found))?;
    }
    Ok(())
}

/// A descriptor with its schemas as JSON rather than as text.
fn parsed(mut descriptor: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    let schema = ["input", "output", "schema", "response"].contains(&name.as_str());
                    match field.as_str().filter(|_| schema).and_then(|text| serde_json::from_str(text).ok()) {
                        Some(parsed) => *field = parsed,
                        None => walk(field),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut descriptor);
    descriptor
}
