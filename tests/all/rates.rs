//! Rate limits, the operator's and those an upstream tells; and circuits that open on those that fail.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use portcullis_runtime::{CallError, Grant, Integration, NewIntegration, Outcome, UnavailableReason};
use portcullis_tests::{
    folder,
    upstream::{Answer, Received, Upstream},
};
use serde_json::{Value, json};

use crate::{
    harness::{Case, call, everything, get},
    redirects::probe_elsewhere,
};

/// A case whose upstream writes down when each request came.
async fn timed(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> (Case, Arc<Mutex<Vec<Instant>>>) {
    let times = Arc::new(Mutex::new(Vec::new()));
    let log = times.clone();
    let case = Case::answering(move |request: &Received| {
        log.lock().unwrap().push(Instant::now());
        answer(request)
    })
    .await;
    (case, times)
}

fn ok(_: &Received) -> Answer {
    Answer::json(&json!({"ok": true}))
}

async fn limited(case: &Case, limits: &str) -> Integration {
    let base = case.upstream.origin();
    case.probe_with(&base, &format!("{}[limits]\n{limits}\n", everything(&base)), &[case.upstream.address]).await
}

fn items(case: &Case, count: usize) -> Value {
    let one = get(&format!("{}/items/1", case.upstream.origin()));
    json!([{"do": "sendAll", "requests": vec![one; count]}])
}

fn gaps(times: &Mutex<Vec<Instant>>) -> Vec<Duration> {
    times.lock().unwrap().windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn results(outcome: &Outcome) -> Vec<Value> {
    outcome.result.as_ref().unwrap()["results"][0]["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn requests_of_an_integration_leave_at_its_pace_over_all_calls() {
    let (case, times) = timed(ok).await;
    let probe = limited(&case, "requests_per_second = 10\nburst = 2").await;
    let started = Instant::now();
    let calls = [case.steps(&probe, items(&case, 3)), case.steps(&probe, items(&case, 3))];
    let [first, second] = calls;
    let (first, second) = tokio::join!(first, second);
    // Two at once, then one each 100 ms.
    assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
    assert_eq!(times.lock().unwrap().len(), 6);
    assert!(results(&first).iter().chain(&results(&second)).all(|one| one["ok"]["status"] == 200));
    case.holds(&first).await;
}

#[tokio::test]
async fn whose_turn_comes_too_late_is_told_at_once_when_to_come_back() {
    let (case, times) = timed(ok).await;
    for limit in ["requests_per_second = 1", "origin_requests_per_second = 1"] {
        times.lock().unwrap().clear();
        let probe = limited(&case, &format!("{limit}\nrequest_ms = 900")).await;
        let started = Instant::now();
        let outcome = case.steps(&probe, items(&case, 3)).await;
        assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
        let results = results(&outcome);
        assert_eq!(results[0]["ok"]["status"], 200, "{results:?}");
        for late in &results[1..] {
            assert_eq!(late["error"]["kind"], "unavailable", "{late}");
            assert_eq!(late["error"]["reason"], "rate-limited");
            assert_eq!(late["error"]["origin"], case.upstream.origin());
            let wait = late["error"]["retryAfterMs"].as_u64().unwrap();
            assert!((1..=2_000).contains(&wait), "{late}");
        }
        assert_eq!(times.lock().unwrap().len(), 1, "nothing was sent");
        let bounds = &case.ledger.of_kind("outcome").pop().unwrap()["bounds"];
        assert_eq!(bounds[limit.split(' ').next().unwrap()], 2, "{bounds}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn one_origins_pace_is_not_anothers() {
    let elsewhere = Upstream::start(ok).await.unwrap();
    let case = Case::new().await;
    let probe = probe_elsewhere(&case, &elsewhere, "origin_requests_per_second = 1\nrequest_ms = 500").await;
    let here = get(&format!("{}/ok", case.upstream.origin()));
    let there = get(&format!("{}/ok", elsewhere.origin()));
    let outcome = case.steps(&probe, json!([{"do": "sendAll", "requests": [here, there, here]}])).await;
    let kinds: Vec<bool> = results(&outcome).iter().map(|one| one["ok"].is_object()).collect();
    assert_eq!(kinds, [true, true, false], "{outcome:?}");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_upstream_that_says_when_is_not_asked_before() {
    let said: [(&str, &str, &str); 4] = [
        ("ratelimit-remaining", "ratelimit-reset", "1"),
        ("x-ratelimit-remaining", "x-ratelimit-reset", "1"),
        ("ratelimit", "x-nothing", "\"default\";r=0;t=1"),
        ("x-nothing", "ratelimit", "limit=9, remaining=0, reset=1"),
    ];
    for (remaining, reset, value) in said {
        let (case, times) = timed(move |_| {
            let first = if value.len() > 1 { value } else { "0" };
            Answer::json(&json!({})).header(remaining, first).header(reset, value)
        })
        .await;
        let origin = format!("{}/ok", case.upstream.origin());
        let outcome = case.steps(case.probe(), json!([get(&origin), get(&origin)])).await;
        assert_eq!(outcome.result.as_ref().unwrap()["results"][1]["ok"]["status"], 200);
        let gaps = gaps(&times);
        assert!(gaps.len() == 1 && gaps[0] >= Duration::from_millis(950), "{reset}: {gaps:?}");
    }
}

#[tokio::test]
async fn after_429_nobody_of_the_integration_asks_too_early_and_a_call_that_cannot_wait_fails_at_once() {
    let (case, times) = timed(|_| Answer::json(&json!({})).status(429).header("retry-after", "3600")).await;
    let probe = limited(&case, "request_ms = 1_000").await;
    let url = format!("{}/items/1", case.upstream.origin());
    let outcome = case.steps(&probe, json!([get(&url)])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 429, "the answer is the guest's");
    let outcome = case.steps(&probe, json!([get(&url)])).await;
    let error = &outcome.result.as_ref().unwrap()["results"][0]["error"];
    assert_eq!((&error["kind"], &error["reason"]), (&json!("unavailable"), &json!("rate-limited")), "{error}");
    // An upstream is believed for a minute at most.
    assert!((50_000..=60_000).contains(&error["retryAfterMs"].as_u64().unwrap()), "{error}");
    assert_eq!(times.lock().unwrap().len(), 1);
    assert_eq!(case.ledger.of_kind("outcome").pop().unwrap()["bounds"]["rate-limited"], 1);
    // Another integration has a limit of its own.
    let other = limited(&case, "retries = 0").await;
    case.steps(&other, json!([get(&url)])).await;
    assert_eq!(times.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_call_that_fails_for_want_of_a_turn_says_so_by_its_code() {
    let (case, times) = timed(|_| Answer::json(&json!({"To": "a@b.example", "ErrorCode": 0, "Message": "OK"}))).await;
    let adapter = case.runtime.load(&folder::adapter("postmark").unwrap()).await.unwrap();
    let grant = Grant::parse(&format!(
        "adapter = \"{}\"\noperations = [\"sendEmail\"]\ncarve_outs = [\"{}\"]\n\
         [[routes]]\nmethod = \"POST\"\nurl = \"{}/email\"\nslots = [\"server-token\"]\n\
         [limits]\nrequests_per_second = 1\nrequest_ms = 200\n",
        adapter.digest(),
        case.upstream.address,
        case.upstream.origin()
    ))
    .unwrap();
    let new = NewIntegration::new("acme", "mail", adapter, grant)
        .config(json!({ "baseUrl": case.upstream.origin() }))
        .vault(case.vault.clone());
    let mail = case.runtime.integrate(new).await.unwrap();
    let email = json!({"From": "a@acme.example", "To": "b@acme.example", "Subject": "Hello", "TextBody": "Hi"});
    mail.call(call("sendEmail", email.clone()).live()).await;
    let outcome = mail.call(call("sendEmail", email).live()).await;
    let error = outcome.result.as_ref().unwrap_err();
    let CallError::Unavailable(at) = error else { panic!("{error:?}") };
    assert_eq!((at.reason, at.limit), (UnavailableReason::RateLimited, Some("requests_per_second")));
    assert_eq!((error.code(), json!(error.status())), ("rate-limited", json!("upstream_failed")));
    assert!(error.to_string().contains("requests_per_second is used up; come back in "), "{error}");
    assert_eq!(times.lock().unwrap().len(), 1);
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_turn_that_is_given_up_is_not_lost() {
    let (case, times) = timed(ok).await;
    let probe = limited(&case, "requests_per_second = 2\nrequests_at_once = 6").await;
    let case = Arc::new(case);
    let (going, going_probe) = (case.clone(), probe.clone());
    let call = tokio::spawn(async move { going.steps(&going_probe, items(&going, 6)).await });
    while times.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    let _ = call.await;
    let started = Instant::now();
    let outcome = case.steps(&probe, items(&case, 1)).await;
    assert_eq!(results(&outcome)[0]["ok"]["status"], 200);
    assert!(started.elapsed() < Duration::from_millis(2_000), "five turns were lost: {:?}", started.elapsed());
    assert_eq!(times.lock().unwrap().len(), 2, "none of the others was sent");
}

#[tokio::test]
async fn an_origin_that_fails_in_a_row_is_not_dialled_and_others_are() {
    let elsewhere = Upstream::start(ok).await.unwrap();
    let (case, times) = timed(|request| match request.target.as_str() {
        "/ok" => Answer::json(&json!({"ok": true})),
        _ => Answer::json(&json!({})).status(503),
    })
    .await;
    let probe = probe_elsewhere(&case, &elsewhere, "retries = 0").await;
    let bad = get(&format!("{}/items/1", case.upstream.origin()));
    case.steps(&probe, json!(vec![bad.clone(); 5])).await;
    let before = times.lock().unwrap().len();
    let there = get(&format!("{}/ok", elsewhere.origin()));
    let outcome = case.steps(&probe, json!([bad, there])).await;
    let results = &outcome.result.as_ref().unwrap()["results"];
    let error = &results[0]["error"];
    assert_eq!((&error["kind"], &error["reason"]), (&json!("unavailable"), &json!("circuit-open")), "{results}");
    assert!((1..=10_000).contains(&error["retryAfterMs"].as_u64().unwrap()), "{error}");
    assert_eq!(results[1]["ok"]["status"], 200);
    assert_eq!(times.lock().unwrap().len(), before, "nothing was dialled");
    assert_eq!(outcome.exchanges.len(), 1, "what was not sent is no exchange");
    assert_eq!(case.ledger.of_kind("outcome").pop().unwrap()["bounds"]["circuit-open"], 1);
    // The benign call is another integration's, to the same origin: its circuit is its own.
    case.holds(&outcome).await;
}

#[tokio::test]
async fn tries_count_for_the_circuit_and_the_last_of_them_is_the_answer() {
    let (case, times) = timed(|_| Answer::json(&json!({})).status(502)).await;
    let probe = limited(&case, "retries = 10").await;
    let url = format!("{}/items/1", case.upstream.origin());
    let outcome = case.steps(&probe, json!([get(&url)])).await;
    assert_eq!(outcome.result.as_ref().unwrap()["results"][0]["ok"]["status"], 502, "{:?}", outcome.result);
    assert_eq!((times.lock().unwrap().len(), outcome.receipt.retries), (5, 4));
}
