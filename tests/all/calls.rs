//! Calls from end to end: what goes out, what comes back, what is written down.

use std::sync::Arc;

use portcullis_runtime::{
    Call, CallError, Caller, DescribeError, Grant, IntegrateError, MemoryVault, NewIntegration, Secret, Status,
};
use portcullis_tests::{
    folder,
    upstream::{Answer, Received},
};
use serde_json::{Value, json};

use crate::{
    guests,
    harness::{Case, SECRET, call, everything, get, secret, send},
};

fn postmark(request: &Received) -> Answer {
    let ok = json!({
        "To": "ada@example.com", "SubmittedAt": "2026-01-05T10:00:00Z", "ErrorCode": 0, "Message": "OK",
        "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d",
    });
    match request.target.as_str() {
        "/email" if String::from_utf8_lossy(&request.body).contains("inactive@") => {
            Answer::json(&json!({"ErrorCode": 406, "Message": "You tried to send to an inactive recipient."}))
                .status(422)
        }
        "/email" => Answer::json(&ok),
        _ => Answer::json(&json!({"ok": true})),
    }
}

async fn mail(case: &Case) -> portcullis_runtime::Integration {
    let adapter = case.runtime.load(&folder::adapter("postmark").unwrap()).await.unwrap();
    let grant = Grant::parse(&format!(
        "adapter = \"{}\"\noperations = [\"sendEmail\"]\ncarve_outs = [\"{}\"]\n\
         [[routes]]\nmethod = \"POST\"\nurl = \"{}/email\"\nslots = [\"server-token\"]\n",
        adapter.digest(),
        case.upstream.address,
        case.upstream.origin()
    ))
    .unwrap();
    let new = NewIntegration::new("acme", "mail", adapter, grant)
        .config(json!({ "baseUrl": case.upstream.origin() }))
        .vault(case.vault.clone());
    case.runtime.integrate(new).await.unwrap()
}

fn email(to: &str) -> Value {
    json!({"From": "orders@acme.example", "To": to, "Subject": "Hello", "TextBody": "Hi"})
}

#[tokio::test]
async fn a_live_call_sends_the_credential_that_the_adapter_never_had() {
    let case = Case::answering(postmark).await;
    let outcome = mail(&case).await.call(call("sendEmail", email("ada@example.com")).live()).await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!(output["MessageID"], "0a129aee-e1cd-480d-b08d-4f48548ff48d");
    let received = case.upstream.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("x-postmark-server-token"), Some(secret("server-token").as_str()));
    assert_eq!(serde_json::from_slice::<Value>(&received[0].body).unwrap()["To"], "ada@example.com");
    let receipt = outcome.receipt;
    assert!(receipt.fuel > 0 && receipt.wall_us > 0 && receipt.peak_memory_bytes >= 65_536);
    assert!(receipt.guest_cpu_us > 0 && receipt.host_cpu_us > 0);
    assert!(receipt.bytes_out > received[0].body.len() as u64 && receipt.bytes_in > 0);
    assert_eq!((receipt.requests, receipt.denials), (1, 0));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_providers_error_is_a_typed_error_with_its_code() {
    let case = Case::answering(postmark).await;
    let outcome = mail(&case).await.call(call("sendEmail", email("inactive@example.com")).live()).await;
    match outcome.result.as_ref().unwrap_err() {
        CallError::Adapter { code, retryable, details, .. } => {
            assert_eq!(code, "postmark.inactive-recipient");
            assert!(!retryable);
            assert_eq!(details.as_ref().unwrap()["errorCode"], 406);
        }
        other => panic!("{other:?}"),
    }
    case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn sandbox_mode_says_what_would_be_sent_and_nothing_leaves() {
    let case = Case::answering(postmark).await;
    let mail = mail(&case).await;
    let asked = case.vault.asked();
    let outcome = mail.call(call("sendEmail", email("ada@example.com"))).await;
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    assert_eq!(case.vault.asked(), asked, "the vault is not even asked");
    assert_eq!(case.names.queries(), 0, "no name is looked up");
    assert_eq!(case.upstream.received().len(), 0, "nothing arrives");
    let would = &outcome.would_send[0];
    assert_eq!((would.method.as_str(), would.url.clone()), ("POST", format!("{}/email", case.upstream.origin())));
    assert!(would.headers.contains(&("X-Postmark-Server-Token".to_owned(), "{server-token}".to_owned())), "{would:?}");
    case.holds(&outcome).await;
    // The same seed, the same answer.
    let again = |seed| mail.call(call("sendEmail", email("ada@example.com")).seed(seed));
    assert_eq!(again(7).await.result.unwrap(), again(7).await.result.unwrap());
}

#[tokio::test]
async fn the_curl_line_of_sandbox_mode_sends_what_live_mode_sends() {
    let case = Case::answering(postmark).await;
    let mail = mail(&case).await;
    let mut input = email("ada@example.com");
    input["Subject"] = json!("It's $(id) `id` \"!\" \\ größe");
    let would = mail.call(call("sendEmail", input.clone())).await.would_send.remove(0);
    mail.call(call("sendEmail", input).live()).await.result.unwrap();
    let sent = case.upstream.received().remove(0);
    let curl = "curl() { printf '%s\\n' \"$@\"; }";
    let mut shell = std::process::Command::new("sh");
    let pasted = shell
        .args(["-c", &format!("{curl}\n{}", would.curl)])
        .env("SLOT_SERVER_TOKEN", secret("server-token"))
        .output()
        .unwrap();
    let pasted = String::from_utf8(pasted.stdout).unwrap();
    let arguments: Vec<&str> = pasted.lines().collect();
    assert_eq!(arguments[..3], ["-X", sent.method.as_str(), &format!("{}{}", case.upstream.origin(), sent.target)]);
    assert_eq!(arguments.last().unwrap().as_bytes(), sent.body, "{}", would.curl);
    for (name, value) in sent.headers.iter().filter(|(name, _)| name.starts_with("x-") || name == "content-type") {
        let field = format!("{name}: {value}");
        assert!(arguments.iter().any(|argument| argument.eq_ignore_ascii_case(&field)), "{field} is not in {pasted}");
    }
}

#[tokio::test]
pub(crate) async fn an_operation_that_is_not_granted_does_not_start() {
    let case = Case::answering(postmark).await;
    let outcome = mail(&case).await.call(call("getBounces", json!({"count": 1, "offset": 0})).live()).await;
    match outcome.result.as_ref().unwrap_err() {
        CallError::Denied(denial) => {
            assert_eq!(denial.rule, "operation-not-granted");
            assert!(denial.allow_with.as_ref().unwrap().contains("getBounces"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome.receipt.fuel, 0);
    case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn an_input_that_its_schema_does_not_allow_does_not_start_and_is_not_repeated() {
    let case = Case::answering(postmark).await;
    let outcome = mail(&case).await.call(call("sendEmail", json!({"From": SECRET})).live()).await;
    let error = outcome.result.as_ref().unwrap_err();
    assert_eq!(error.status(), Status::Refused);
    assert!(error.to_string().contains("To"), "{error}");
    assert_eq!(outcome.receipt.fuel, 0);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn without_a_record_there_is_no_call() {
    let case = Case::new().await;
    case.ledger.set_broken(true);
    let url = format!("{}/ok", case.upstream.origin());
    let outcome = case.steps(case.probe(), json!([get(&url)])).await;
    assert!(matches!(outcome.result, Err(CallError::Ledger(_))), "{:?}", outcome.result);
    assert_eq!(case.upstream.received().len(), 0);
    case.ledger.set_broken(false);
    case.goes_on().await;
}

#[tokio::test]
pub(crate) async fn a_missing_credential_is_named_and_nothing_is_sent() {
    let case = Case::new().await;
    case.vault.inner.remove("token");
    let url = format!("{}/echo", case.upstream.origin());
    let outcome = case.steps(case.probe(), json!([send("POST", &url, Some("token"), json!([]))])).await;
    assert!(outcome.result.as_ref().unwrap().to_string().contains("token"), "{:?}", outcome.result);
    assert_eq!(case.upstream.received().len(), 0);
    case.holds(&outcome).await;
}

#[tokio::test]
pub(crate) async fn a_grant_holds_for_one_adapter_and_for_what_it_declares() {
    let case = Case::new().await;
    let adapter = case.load(guests::PUPPET_PROBE).await;
    let try_grant = async |text: String| {
        let grant = Grant::parse(&text).unwrap();
        let new = NewIntegration::new("acme", "probe", adapter.clone(), grant)
            .config(json!({"baseUrl": "https://a.example"}));
        match case.runtime.integrate(new).await {
            Err(IntegrateError::Grant(mismatch)) => {
                case.refusal_is_recorded("integrate", &mismatch.to_string());
                mismatch.to_string()
            }
            other => panic!("{other:?}"),
        }
    };
    let zeros = format!("adapter = \"sha256:{}\"\n", "0".repeat(64));
    assert!(try_grant(zeros).await.contains("the grant is for adapter"));
    let wide = format!(
        "adapter = \"{}\"\noperations = [\"probe\"]\n[[routes]]\nmethod = \"GET\"\nurl = \"https://b.example/ok\"\n",
        adapter.digest()
    );
    assert!(try_grant(wide).await.contains("not covered by a route that the adapter declares"));
}

#[tokio::test]
pub(crate) async fn calls_of_one_integration_run_side_by_side_and_see_nothing_of_each_other() {
    let case = Case::new().await;
    let counter = case.guest(guests::HOSTILE_GLOBAL_STATE, "count", "").await;
    let mut running = Vec::new();
    for _ in 0..24 {
        let counter = counter.clone();
        running.push(tokio::spawn(async move { counter.call(call("count", json!({}))).await.result.unwrap() }));
    }
    for one in running {
        assert_eq!(one.await.unwrap(), json!({"count": 1}), "state of one call is visible in another");
    }
}

#[tokio::test]
async fn a_call_whose_caller_goes_away_is_recorded_as_abandoned() {
    let case = Case::new().await;
    let sleeper = case.guest(guests::HOSTILE_SLEEP, "sleep", "").await;
    let running = tokio::spawn(async move { sleeper.call(call("sleep", json!({"milliseconds": 60_000}))).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    running.abort();
    let _ = running.await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let ends = case.ledger.of_kind("outcome");
    assert_eq!(ends.last().unwrap()["status"], "abandoned", "{ends:?}");
    case.goes_on().await;
}

#[tokio::test]
async fn what_an_abandoned_call_had_sent_is_recorded() {
    let case = Case::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let base = format!("http://{address}");
    let probe = case.probe_with(&base, &everything(&base), &[address]).await;
    let steps = json!({"steps": [get(&format!("{base}/admin")), get(&format!("{base}/ok"))]});
    let running = tokio::spawn(async move { probe.call(call("probe", steps).live()).await });
    let (_stream, _) = silent.accept().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    running.abort();
    let _ = running.await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let end = case.ledger.of_kind("outcome").pop().unwrap();
    assert_eq!(end["status"], "abandoned");
    assert_eq!(end["exchanges"][0]["route"], "ok", "{end}");
    assert_eq!(case.ledger.of_kind("denial")[0]["denial"]["rule"], "path-not-granted");
}

#[tokio::test]
async fn a_config_that_the_adapter_does_not_know_is_refused_with_its_place() {
    let case = Case::new().await;
    let adapter = case.runtime.load(&folder::adapter("postmark").unwrap()).await.unwrap();
    let error = case.runtime.describe(&adapter, &json!({"baseUrl": 7})).await.unwrap_err().to_string();
    assert!(error.contains("at /baseUrl: "), "{error}");
    let error =
        case.runtime.describe(&adapter, &json!({"baseURL": "https://a.example"})).await.unwrap_err().to_string();
    assert!(error.contains("at /baseURL: is not a known property"), "{error}");
}

#[tokio::test]
async fn a_config_is_judged_before_the_adapter_sees_it() {
    let case = Case::new().await;
    // This one would never answer.
    let adapter = case.load(guests::HOSTILE_ENDLESS_DESCRIBE).await;
    let error = case.runtime.describe(&adapter, &json!({"baseUrl": 7})).await.unwrap_err();
    assert!(matches!(&error, DescribeError::Config(_)), "{error:?}");
    case.refusal_is_recorded("describe", &error.to_string());
}

#[tokio::test]
async fn an_adapter_that_needs_a_config_says_which_before_it_has_one() {
    let case = Case::new().await;
    let adapter = case.load(guests::PUPPET_CLINIC).await;
    let schema = case.runtime.config_schema(&adapter).await.unwrap();
    assert_eq!(schema.value()["required"], json!(["baseUrl", "auth"]));
    let error = case.runtime.describe(&adapter, &json!({"auth": "none"})).await.unwrap_err().to_string();
    assert!(error.contains("at /baseUrl: is required"), "{error}");
    let config = json!({"baseUrl": "https://ehr.example/r4", "auth": "none", "pageSize": 0});
    let error = case.runtime.describe(&adapter, &config).await.unwrap_err().to_string();
    assert!(error.contains("at /pageSize: a page has at least one entry"), "the adapter has the last word: {error}");
    let config = json!({"baseUrl": "https://ehr.example/r4", "auth": "none"});
    let descriptor = case.runtime.describe(&adapter, &config).await.unwrap();
    assert_eq!(descriptor.routes[0].url, "https://ehr.example/r4/Patient/{id}", "origins follow the config");
}

#[tokio::test]
async fn an_adapter_is_asked_once_which_configs_it_takes() {
    let case = Case::new().await;
    let adapter = case.load(guests::PUPPET_PROBE).await;
    let first = case.runtime.config_schema(&adapter).await.unwrap();
    assert_eq!(first.value()["properties"]["elsewhere"], json!({"type": "string"}));
    let again = case.runtime.config_schema(&adapter.clone()).await.unwrap();
    assert!(std::ptr::eq(first.value(), again.value()), "one compiled schema for all");
}

#[tokio::test]
pub(crate) async fn rotation_takes_effect_on_the_next_request() {
    let case = Case::new().await;
    let vault = Arc::new(MemoryVault::new());
    let adapter = case.load(guests::PUPPET_PROBE).await;
    let origin = case.upstream.origin();
    let grant = format!(
        "adapter = \"{}\"\noperations = [\"probe\"]\ncarve_outs = [\"{}\"]\n{}",
        adapter.digest(),
        case.upstream.address,
        everything(&origin)
    );
    let new = NewIntegration::new("acme", "probe", adapter, Grant::parse(&grant).unwrap());
    let probe = case.runtime.integrate(new.config(json!({ "baseUrl": origin })).vault(vault.clone())).await.unwrap();
    for secret in ["first-secret", "second-secret"] {
        vault.put("token", Secret::try_from(secret).unwrap());
        let step = send("POST", &format!("{origin}/echo"), Some("token"), json!([]));
        let call = Call::new(Caller::principal("user:test"), "probe", json!({"steps": [step]})).live();
        probe.call(call).await.result.unwrap();
        let received = case.upstream.received();
        assert_eq!(received.last().unwrap().header("authorization"), Some(format!("Bearer {secret}").as_str()));
    }
}

#[tokio::test]
async fn the_guest_that_the_bench_measures_posts_one_message_with_its_token() {
    let case = Case::answering(|request| match request.target.as_str() {
        "/post" => Answer::json(&json!({"id": "m-7"})),
        _ => Answer::json(&json!({"ok": true})),
    })
    .await;
    let adapter = case.load(guests::BENCH_POST).await;
    let origin = case.upstream.origin();
    let grant = format!(
        "adapter = \"{}\"\noperations = [\"post\"]\ncarve_outs = [\"{}\"]\n\
         [[routes]]\nmethod = \"POST\"\nurl = \"{origin}/post\"\nslots = [\"token\"]\n",
        adapter.digest(),
        case.upstream.address
    );
    let new = NewIntegration::new("acme", "bench", adapter, Grant::parse(&grant).unwrap())
        .config(json!({ "baseUrl": origin }))
        .vault(case.vault.clone());
    let poster = case.runtime.integrate(new).await.unwrap();
    let outcome = poster.call(call("post", json!({"to": "a", "subject": "b", "body": "c"})).live()).await;
    assert_eq!(outcome.result.as_ref().unwrap(), &json!({"id": "m-7"}));
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_call_whose_end_cannot_be_recorded_says_that_it_was_carried_out_and_the_end_is_recorded_later() {
    let case = Case::new().await;
    let breaks = case.ledger.clone();
    // The disk is full from the moment on at which the request arrives.
    let upstream = portcullis_tests::upstream::Upstream::start(move |_| {
        breaks.set_broken(true);
        portcullis_tests::upstream::Answer::json(&json!({"ok": true}))
    });
    let upstream = upstream.await.unwrap();
    let probe = case.probe_with(&upstream.origin(), &everything(&upstream.origin()), &[upstream.address]).await;
    let outcome = case.steps(&probe, json!([get(&format!("{}/ok", upstream.origin()))])).await;
    assert!(matches!(outcome.result, Err(CallError::Unrecorded(_))), "{:?}", outcome.result);
    assert_eq!(case.ledger.of_kind("outcome").len(), 0);
    case.ledger.set_broken(false);
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if let [end] = &case.ledger.of_kind("outcome")[..] {
            assert_eq!((&end["status"], &end["call"]), (&json!("done"), &json!(outcome.call)));
            return;
        }
    }
    panic!("the end is lost");
}
