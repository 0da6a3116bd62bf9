//! The Postmark adapter against Prism, which answers by Postmark's own description of its API and refuses what it does not
//! describe.

use async_trait::async_trait;
use portcullis_runtime::{Body, CallError, Outcome};
use serde_json::{Value, json};

use super::Suite;
use crate::{
    bench::{Bench, Setup},
    cache::Cache,
    counterparts::prism,
    expect::{done, failed, holds, same, statuses, within},
    report::{Checked, Checks, Stop},
    tap::{Passed, Tap},
};

const SERVER_TOKEN: &str = "pm-server-5d2c7a90";
const ACCOUNT_TOKEN: &str = "pm-account-81f3e64b";

pub(crate) struct Postmark;

/// An operation, a good input, and what must arrive for it.
struct Case {
    operation: &'static str,
    input: Value,
    method: &'static str,
    /// Path and query.
    target: &'static str,
}

#[async_trait(?Send)]
impl Suite for Postmark {
    fn name(&self) -> &'static str {
        "postmark"
    }

    async fn run(&self, cache: &Cache, checks: &mut Checks) -> Checked {
        checks
            .part("server", async |checks| {
                let prism = prism::start_mended(cache, "postmark/postmark-server.json", id_or_alias).await?;
                against(checks, prism.address, "x-postmark-server-token", SERVER_TOKEN, &of_a_server()).await
            })
            .await;
        checks
            .part("account", async |checks| {
                let prism = prism::start(cache, "postmark/postmark-account.json").await?;
                against(checks, prism.address, "x-postmark-account-token", ACCOUNT_TOKEN, &of_the_account()).await
            })
            .await;
        Ok(())
    }
}

/// The description demands both of a template's names, and says of each that it is "required if" the other "is not specified".
fn id_or_alias(description: &mut Value) {
    let required = description.pointer_mut("/components/schemas/EmailWithTemplateRequest/required");
    if let Some(required) = required.and_then(Value::as_array_mut) {
        required.retain(|name| name != "TemplateId" && name != "TemplateAlias");
    }
}

fn of_a_server() -> Vec<Case> {
    let case = |operation, input, method, target| Case { operation, input, method, target };
    let email = json!({
        "From": "orders@acme.example",
        "To": "ada@example.com",
        "Cc": "Bob <bob@example.com>",
        "Subject": "Your order",
        "Tag": "order",
        "HtmlBody": "<b>It is on its way.</b>",
        "TextBody": "It is on its way.",
        "ReplyTo": "help@acme.example",
        "Headers": [{"Name": "X-Order", "Value": "7"}],
        "TrackOpens": true,
        "TrackLinks": "HtmlOnly",
        "Attachments": [{"Name": "a.txt", "Content": "dGVzdA==", "ContentType": "text/plain", "ContentID": "cid:a"}],
    });
    let template = json!({
        "TemplateId": 1234,
        "TemplateModel": {"name": "Ada", "items": [{"n": 1}]},
        "InlineCss": false,
        "From": "orders@acme.example",
        "To": "ada@example.com",
        "Tag": "order",
    });
    vec![
        case("sendEmail", email.clone(), "POST", "/email"),
        case("sendEmailBatch", json!([email, email]), "POST", "/email/batch"),
        case("sendEmailWithTemplate", template, "POST", "/email/withTemplate"),
        case(
            "getBounces",
            json!({"count": 5, "offset": 10, "type": "HardBounce", "inactive": true, "emailFilter": "a+b@example.com"}),
            "GET",
            "/bounces?count=5&emailFilter=a%2Bb%40example.com&inactive=true&offset=10&type=HardBounce",
        ),
        case(
            "searchOutboundMessages",
            json!({"count": 5, "offset": 0, "recipient": "ada@example.com", "status": "sent"}),
            "GET",
            "/messages/outbound?count=5&offset=0&recipient=ada%40example.com&status=sent",
        ),
    ]
}

fn of_the_account() -> Vec<Case> {
    let input = json!({"count": 50, "offset": 0, "name": "Staging"});
    vec![Case { operation: "listServers", input, method: "GET", target: "/servers?count=50&name=Staging&offset=0" }]
}

async fn against(
    checks: &mut Checks,
    prism: std::net::SocketAddr,
    field: &'static str,
    token: &str,
    cases: &[Case],
) -> Checked {
    let tap = Tap::before(prism).await?;
    let setup = Setup::config(json!({ "baseUrl": tap.origin() })).carve_out(tap.address);
    let bench =
        Bench::new("postmark", setup.secret("server-token", SERVER_TOKEN).secret("account-token", ACCOUNT_TOKEN));
    let bench = bench.await?;
    for case in cases {
        let Case { operation, input, .. } = case;
        tap.change(&[]);
        let live = bench.call(operation, input.clone()).await;
        let passed = tap.take();
        let sent = arrived(&passed, case, field, token);
        checks.check(&format!("{operation}: what arrives is what was meant, has its token, and is valid"), sent);
        checks.check(&format!("{operation}: the answer that is described is the output"), answered(&live, &passed));

        tap.change(&[("prefer", Some("dynamic=true"))]);
        let made_up = bench.call(operation, input.clone()).await;
        checks
            .check(&format!("{operation}: whatever answer fits the description does not break it"), unbroken(&made_up));

        tap.change(&[("prefer", Some("code=422"))]);
        let refused = bench.call(operation, input.clone()).await;
        checks
            .check(&format!("{operation}: the error that is described is a failure with a code"), typed(&refused, 422));

        // Prism's validator, not its wish to please: the header that it demands is missing.
        tap.change(&[(field, None)]);
        let invalid = bench.call(operation, input.clone()).await;
        checks.check(&format!("{operation}: what Prism finds invalid is a failure with a code"), typed(&invalid, 422));

        tap.take();
        let sandbox = bench.sandbox(operation, input.clone()).await;
        let pretended = pretended(&sandbox, case, &tap)
            .and_then(|()| holds(tap.take().is_empty(), || "something was sent".to_owned()));
        checks.check(&format!("{operation}: sandbox mode would send the same, and sends nothing"), pretended);
    }
    bench.end(checks);
    Ok(())
}

/// What reached the counterpart is what the case says.
fn arrived(passed: &[Passed], case: &Case, field: &str, token: &str) -> Checked {
    let [passed] = passed else {
        return Err(Stop::Failed(format!("{} requests arrived instead of one", passed.len())));
    };
    if let Some(violations) = prism::violations(passed) {
        return Err(Stop::Failed(format!("Prism finds {violations}")));
    }
    let request = &passed.request;
    let expected = json!([case.method, case.target, token]);
    same(&expected, &json!([request.method, request.target, request.header(field)]))?;
    if case.method == "GET" {
        holds(request.body.is_empty(), || "there is a body".to_owned())
    } else {
        same(&case.input, &passed.sent_json())
    }
}

/// The output is the answer, with nothing made up; an answer may have more than an output.
fn answered(outcome: &Outcome, passed: &[Passed]) -> Checked {
    statuses(outcome, &[200])?;
    let answer = passed.last().filter(|passed| passed.status == 200).map(Passed::answered_json);
    within(done(outcome)?, &answer.unwrap_or_default())
}

/// Made-up answers are in shape and make little sense: minus seven servers, a success with an error's code. Each ends as an
/// output or as a failure of the adapter's own.
fn unbroken(outcome: &Outcome) -> Checked {
    statuses(outcome, &[200])?;
    match &outcome.result {
        Ok(_) | Err(CallError::Adapter { .. }) => Ok(()),
        Err(error) => Err(Stop::failed(error)),
    }
}

/// A failure that the adapter made of this status.
fn typed(outcome: &Outcome, status: u16) -> Checked {
    statuses(outcome, &[status])?;
    let error = outcome.result.as_ref().err().ok_or_else(|| Stop::Failed("there is an output".to_owned()))?;
    let CallError::Adapter { code, retryable, .. } = error else {
        return Err(Stop::Failed(format!("not the adapter's own failure: {error}")));
    };
    let known = code.starts_with("postmark.") || code == &format!("http.{status}");
    holds(known && !retryable, || format!("`{code}`, retryable: {retryable}"))?;
    failed(outcome, code).map(drop)
}

/// What sandbox mode would have sent is what the case says.
fn pretended(outcome: &Outcome, case: &Case, tap: &Tap) -> Checked {
    done(outcome)?;
    let [would] = outcome.would_send.as_slice() else {
        return Err(Stop::Failed(format!("it would send {} requests instead of one", outcome.would_send.len())));
    };
    let body = match &would.body {
        Some(Body::Json(body)) => body.value().clone(),
        Some(other) => return Err(Stop::Failed(format!("a body that is no JSON: {other:?}"))),
        None => Value::Null,
    };
    let input = if case.method == "GET" { &Value::Null } else { &case.input };
    let expected = json!([case.method, format!("{}{}", tap.origin(), case.target), input]);
    same(&expected, &json!([would.method.to_string(), would.url, body]))
}
