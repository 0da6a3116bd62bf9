//! The Custom HTTP adapter: its endpoints are data, in `tests/conformance/configs`. httpbin shows each way to send and each
//! kind of answer; Slack, SendGrid and Asana, by their own descriptions, show that a config can say what real APIs need.

mod cases;

use std::fs;

use async_trait::async_trait;
use portcullis_runtime::{CallError, Outcome};
use portcullis_tests::folder;
use serde_json::{Value, json};

use self::cases::{
    Case, Described,
    Expected::{self, Denied, Failure, Late, Output},
    asana, of_httpbin, sendgrid, slack,
};
use super::Suite;
use crate::{
    bench::{Bench, Setup, call},
    cache::Cache,
    counterparts::{httpbin, prism},
    expect::{done, failed, holds, same, statuses, within},
    report::{Checked, Checks, Stop},
    tap::Tap,
};

const ADAPTER: &str = "custom_http";
const TOKEN: &str = "custom-6f0a2d1e94b7";
const PASSWORD: &str = "pw-83d5c1f70a26";

pub(crate) struct CustomHttp;

#[async_trait(?Send)]
impl Suite for CustomHttp {
    fn name(&self) -> &'static str {
        "custom-http"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        checks.part("httpbin", async |checks| httpbin(cache, checks).await).await;
        checks.part("httpbin, with secrets", async |checks| secrets(cache, checks).await).await;
        // Slack's description is from the time when its token had a header of its own, and wants both.
        for (name, spec, always, cases) in [
            ("slack", "slack/slack.com-oas3.json", Some(("token", Some("xoxb"))), slack()),
            ("sendgrid", "sendgrid/oai_v3_stoplight.json", None, sendgrid()),
            ("asana", "asana/asana_oas.yaml", None, asana()),
        ] {
            let run = async |checks: &mut Checks| {
                let prism = prism::start(cache, spec).await?;
                described(checks, name, prism.address, always, &cases).await
            };
            checks.part(name, run).await;
        }
        Ok(())
    }
}

/// One of the configs, for a counterpart.
fn config(name: &str, origin: &str) -> Checked<Value> {
    let text = fs::read_to_string(folder::conformance_scripts().join("configs").join(format!("{name}.json")))?;
    let mut config: Value = serde_json::from_str(&text).map_err(Stop::failed)?;
    put(&mut config, "baseUrl", json!(origin));
    Ok(config)
}

fn put(config: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = config {
        members.insert(name.to_owned(), value);
    }
}

async fn httpbin(cache: &Cache, checks: &mut Checks) -> Checked {
    let httpbin = httpbin::start(cache).await?;
    let origin = httpbin.origin();
    let setup = Setup::config(config("httpbin", &origin)?).carve_out(httpbin.address);
    let wasm = folder::adapter(ADAPTER)?;
    let bench = Bench::of(ADAPTER, &wasm, setup, |grant| grant.limits.first_byte_ms = 1_500).await?;
    for Case { operation, input, expected } in of_httpbin(&origin) {
        let outcome = bench.call(operation, input.clone()).await;
        checks.check(&format!("{operation} {}", shown(&input)), came(&outcome, &expected));
    }
    let key = bench.run(call("postJson", json!({"title": "x"})).idempotency_key("mine").live()).await;
    checks.check("postJson: a caller's key does no harm", done(&key).map(drop));
    let config = config("httpbin", &origin)?;
    for endpoint in config.get("endpoints").and_then(Value::as_array).into_iter().flatten() {
        let name = endpoint.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(Case { input, .. }) = of_httpbin(&origin).into_iter().find(|case| case.operation == name) else {
            checks.check(&format!("{name} is called"), Err(Stop::Failed("no case".to_owned())));
            continue;
        };
        checks.check(&format!("{name}: sandbox mode"), pretended(&bench, name, input).await);
    }
    bench.end(checks);
    Ok(())
}

/// What came of a call is what was expected.
fn came(outcome: &Outcome, expected: &Expected) -> Checked {
    match expected {
        // Where anything may come, it is base64 of an image.
        Output(Value::Null) if outcome.result.as_ref().is_ok_and(|output| output.is_string()) => {
            let text = done(outcome)?.as_str().unwrap_or_default();
            holds(text.starts_with("iVBORw0KGgo"), || "it is no PNG".to_owned())
        }
        Output(output) => within(output, done(outcome)?),
        Failure(code) => match failed(outcome, code)? {
            CallError::Adapter { .. } | CallError::Input(_) => Ok(()),
            other => Err(Stop::failed(other)),
        },
        Late => match &outcome.result {
            Err(CallError::Upstream { code: "timeout", .. }) => Ok(()),
            other => Err(Stop::Failed(format!("{other:?}"))),
        },
        Denied(rule) => match &outcome.result {
            Err(CallError::Denied(denial)) if denial.rule == *rule => Ok(()),
            other => Err(Stop::Failed(format!("{other:?}"))),
        },
    }
}

/// Sandbox mode has an answer for each operation, the same for the same seed, and asks for what would be sent.
async fn pretended(bench: &Bench, operation: &str, input: Value) -> Checked {
    let [first, again, other] = [1, 1, 2].map(|seed| call(operation, input.clone()).seed(seed));
    let (first, again, other) = (bench.run(first).await, bench.run(again).await, bench.run(other).await);
    same(done(&first)?, done(&again)?)?;
    done(&other)?;
    holds(!first.would_send.is_empty(), || "it would send nothing".to_owned())
}

async fn secrets(cache: &Cache, checks: &mut Checks) -> Checked {
    let httpbin = httpbin::start(cache).await?;
    let basic = format!("ada:{PASSWORD}");
    for (auth, secret, operation, input, expected) in [
        (
            json!({"type": "basic"}),
            basic.as_str(),
            "basic",
            json!({"user": "ada", "password": PASSWORD}),
            Output(json!({"authenticated": true, "user": "ada"})),
        ),
        (
            json!({"type": "basic"}),
            basic.as_str(),
            "basic",
            json!({"user": "ada", "password": "other"}),
            Failure("http.401"),
        ),
        (
            json!({"type": "bearer"}),
            TOKEN,
            "bearer",
            json!({}),
            Output(json!({"authenticated": true, "token": "[redacted:credential]"})),
        ),
        (json!({"type": "none"}), TOKEN, "bearer", json!({}), Failure("http.401")),
        (
            json!({"type": "header", "name": "X-Key", "prefix": "Key "}),
            TOKEN,
            "args",
            json!({"q": "x"}),
            Output(json!({"headers": {"X-Key": "Key [redacted:credential]"}})),
        ),
        (
            json!({"type": "query", "name": "key"}),
            TOKEN,
            "args",
            json!({"q": "x"}),
            Output(json!({"args": {"q": "x", "key": "[redacted:credential]"}})),
        ),
    ] {
        let mut config = config("httpbin-auth", &httpbin.origin())?;
        put(&mut config, "auth", auth.clone());
        let setup = Setup::config(config).carve_out(httpbin.address).secret("credential", secret);
        let bench = Bench::new(ADAPTER, setup).await?;
        let outcome = bench.call(operation, input).await;
        let kind = auth.get("type").and_then(Value::as_str).unwrap_or_default();
        checks.check(&format!("{operation} with the scheme {kind}"), came(&outcome, &expected));
        // The password is in the path here, so records hold what a real API would never be told.
        if operation != "basic" {
            bench.end(checks);
        }
    }
    Ok(())
}

async fn described(
    checks: &mut Checks,
    name: &str,
    prism: std::net::SocketAddr,
    always: Option<(&'static str, Option<&'static str>)>,
    cases: &[Described],
) -> Checked {
    let tap = Tap::before(prism).await?;
    let change = |prefer: Option<&'static str>| {
        let prefer = prefer.map(|prefer| ("prefer", Some(prefer)));
        tap.change(&always.into_iter().chain(prefer).collect::<Vec<_>>());
    };
    let setup = Setup::config(config(name, &tap.origin())?).carve_out(tap.address).secret("credential", TOKEN);
    let bench = Bench::new(ADAPTER, setup).await?;
    for case in cases {
        let Described { operation, input, .. } = case;
        change(None);
        let live = bench.call(operation, input.clone()).await;
        checks.check(&format!("{operation}: what arrives is what was meant, and is valid"), arrived(&tap, case));
        checks.check(&format!("{operation}: the answer that is described is an output"), answered(&live, &case.output));

        change(Some("dynamic=true"));
        let made_up = bench.call(operation, input.clone()).await;
        checks
            .check(&format!("{operation}: whatever answer fits the description does not break it"), unbroken(&made_up));

        let prefer: &'static str = match case.error {
            400 => "code=400",
            401 => "code=401",
            403 => "code=403",
            _ => "code=404",
        };
        change(Some(prefer));
        let refused = bench.call(operation, input.clone()).await;
        checks.check(
            &format!("{operation}: the error that is described is a failure with a code"),
            typed(&refused, name, case.error),
        );

        change(None);
        tap.take();
        let sandbox = pretended(&bench, operation, input.clone()).await;
        let quiet = sandbox.and_then(|()| holds(tap.take().is_empty(), || "something was sent".to_owned()));
        checks.check(&format!("{operation}: sandbox mode answers, and sends nothing"), quiet);
    }
    bench.end(checks);
    Ok(())
}

/// What reached the counterpart is what the case says, and Prism finds nothing wrong with it.
fn arrived(tap: &Tap, case: &Described) -> Checked {
    let passed = tap.take();
    let sent: Vec<Value> = passed.iter().map(|one| json!([one.request.method, one.request.target])).collect();
    same(&json!(case.sent), &Value::Array(sent))?;
    for one in &passed {
        if let Some(violations) = prism::violations(one) {
            return Err(Stop::Failed(format!("Prism finds {violations}")));
        }
        same(&json!(format!("Bearer {TOKEN}")), &json!(one.request.header("authorization")))?;
    }
    Ok(())
}

fn answered(outcome: &Outcome, expected: &Value) -> Checked {
    let output = done(outcome)?;
    if expected == &json!([]) {
        return holds(output.is_array(), || format!("no list: {output}"));
    }
    within(expected, output)
}

/// Made-up answers are in shape: each ends as an output, or as a failure of the adapter's own.
fn unbroken(outcome: &Outcome) -> Checked {
    match &outcome.result {
        // A link that is made up leads to where nothing was granted.
        Ok(_) | Err(CallError::Adapter { .. } | CallError::Denied(_)) => Ok(()),
        Err(error) => Err(Stop::failed(error)),
    }
}

/// A failure that the adapter made of this status.
fn typed(outcome: &Outcome, provider: &str, status: u16) -> Checked {
    statuses(outcome, &[status])?;
    let error = outcome.result.as_ref().err().ok_or_else(|| Stop::Failed("there is an output".to_owned()))?;
    let CallError::Adapter { code, .. } = error else {
        return Err(Stop::Failed(format!("not the adapter's own failure: {error}")));
    };
    let known = code.starts_with(&format!("{provider}.")) || code == &format!("http.{status}");
    holds(known, || format!("the code is `{code}`"))
}

fn shown(input: &Value) -> String {
    input.to_string().chars().take(60).collect()
}
