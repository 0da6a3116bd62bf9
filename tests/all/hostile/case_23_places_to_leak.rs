//! Case 23: all the places in which a secret could turn up although nobody meant it to. The oracle looks into them after every
//! case; here each is made to have something to say.

use std::{fs, path::PathBuf, sync::Arc};

use portcullis_runtime::{Ledger, LedgerOptions, Secret, store::{Embedded, Options}};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use super::case_17_framing::raw;
use crate::{
    guests,
    harness::{Case, WatchedVault, call, everything, secret, send, told},
    needles, traces,
};

/// A request with each scheme of a credential.
fn with_every_scheme(base: &str) -> Value {
    json!([
        send("POST", &format!("{base}/echo"), Some("token"), json!([])),
        send("GET", &format!("{base}/basic"), Some("basic"), json!([])),
        send("GET", &format!("{base}/header"), Some("key"), json!([])),
        send("GET", &format!("{base}/query"), Some("query-key"), json!([])),
    ])
}

#[tokio::test]
async fn errors_of_every_kind_say_what_failed_and_not_with_what() {
    let case = Case::new().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let echoed = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\nx-echo: {}\r\n\r\n{0}", secret("query-key"));
    let upstreams = [
        (closed, "connect"),
        (raw("nonsense\r\n\r\n", false).await, "protocol"),
        (raw(&format!("{}\r\n\r\n", secret("token")), false).await, "protocol"),
        (raw(&echoed.replace("{0}", &secret("key")), false).await, "protocol"),
        (raw("", true).await, "timeout"),
    ];
    for (address, kind) in upstreams {
        let base = format!("http://{address}");
        let routes = format!("{}[limits]\nconnect_ms = 100\nfirst_byte_ms = 100\nretries = 0\n", everything(&base));
        let probe = case.probe_with(&base, &routes, &[address]).await;
        let outcome = case.steps(&probe, with_every_scheme(&base)).await;
        for step in 0..4 {
            assert_eq!(told(&outcome, step, "/error/kind"), kind);
        }
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_secret_that_does_not_fit_its_scheme_is_not_shown_in_the_refusal() {
    let case = Case::new().await;
    // Without a colon it cannot be a user and a password.
    case.vault.inner.put("basic", Secret::try_from(secret("token")).unwrap());
    let step = send("GET", &format!("{}/basic", case.upstream.origin()), Some("basic"), json!([]));
    let outcome = case.steps(case.probe(), json!([step])).await;
    assert_eq!(told(&outcome, 0, "/error/error/kind"), "wrong-use");
    assert!(told(&outcome, 0, "/error/error/message").contains("user:password"));
    case.holds(&outcome).await;
    // Nor is one that cannot be a secret at all.
    for bytes in [format!("{}\r\nHost: x", secret("token")), format!(" {}", secret("token")), secret("k").repeat(2_000)] {
        let error = Secret::new(bytes.into_bytes()).unwrap_err();
        assert_eq!(needles::found_in(&format!("{error} {error:?}")), None);
    }
}

#[tokio::test]
async fn a_debug_print_of_whatever_holds_a_secret_does_not_show_it() {
    use portcullis_vault::Vault;
    let case = Case::new().await;
    let vault = WatchedVault::full();
    let one = Secret::try_from(secret("token")).unwrap();
    for shown in [
        format!("{one:?} {one:#?}"),
        format!("{:?} {:#?}", vault.inner, vault.inner),
        format!("{:?}", vault.scrubber()),
        format!("{:?}", case.probe()),
    ] {
        assert_eq!(needles::found_in(&shown), None, "{shown}");
        assert!(shown.len() > 5, "{shown}");
    }
    let outcome = case.steps(case.probe(), with_every_scheme(&case.upstream.origin())).await;
    case.holds(&outcome).await;
}

#[tokio::test]
async fn a_guest_that_panics_with_what_an_upstream_echoed_has_nothing_to_tell() {
    let case = Case::answering(|request: &Received| {
        if request.target == "/ok" { Answer::json(&json!({"ok": true})) } else { super::case_21_echoes::echo(request) }
    })
    .await;
    let outcome = case.steps(case.probe(), with_every_scheme(&case.upstream.origin())).await;
    // It takes all it was told into its last words.
    let message = outcome.result.as_ref().unwrap().to_string();
    assert!(message.contains("[redacted:token]"));
    let panicker = case.guest(guests::HOSTILE_PANIC, "panic", "").await;
    let last = panicker.call(call("panic", json!({ "message": message })).live()).await;
    assert!(last.journal.lines.iter().any(|line| line.text.contains("panicked")), "{:?}", last.journal);
    case.holds(&outcome).await;
    case.holds(&last).await;
}

#[tokio::test]
async fn logs_at_every_level_say_much_and_no_secret() {
    let case = Case::new().await;
    let before = traces::lines();
    let outcome = case.steps(case.probe(), with_every_scheme(&case.upstream.origin())).await;
    // The libraries below do log: connections, requests, responses.
    assert!(traces::lines() > before + 10, "{} lines", traces::lines() - before);
    traces::are_clean();
    case.holds(&outcome).await;
}

#[tokio::test]
async fn an_exported_ledger_and_an_answer_hold_no_secret() {
    let folder = tempfile();
    let store = Arc::new(Embedded::open(folder.join("store"), Options::default()).await.unwrap());
    let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
    let case = Case::new().await;
    let runtime = portcullis_runtime::Runtime::builder(ledger.clone())
        .cache(portcullis_tests::folder::cache()).cache_key(portcullis_tests::folder::cache_key())
        .compiler(crate::harness::compiler())
        .calls_at_once(1)
        .build()
        .unwrap();
    let probe = portcullis_tests::folder::guest(guests::PUPPET_PROBE).unwrap();
    let probe = crate::harness::load(&runtime, &probe).await.unwrap();
    let base = case.upstream.origin();
    let new = crate::harness::tenant("acme", probe, &base, &everything(&base), &[case.upstream.address]);
    let integration = runtime.integrate(new.vault(case.vault.clone())).await.unwrap();
    let mut steps = with_every_scheme(&base);
    steps.as_array_mut().unwrap().push(send("GET", &format!("{base}/admin?key={}", secret("key")), None, json!([])));
    for mode in [portcullis_runtime::Mode::Live, portcullis_runtime::Mode::Sandbox] {
        let outcome = integration.call(call("probe", json!({ "steps": steps })).mode(mode)).await;
        let answer = json!([outcome.exchanges, outcome.would_send, outcome.denials, outcome.receipt, outcome.journal]);
        assert_eq!(needles::found_in(&answer.to_string()), None);
    }
    let lines = ledger.reader().lines("acme", 1).await.unwrap();
    let exported: String = lines.into_iter().map(|line| line.text + "\n").collect();
    assert_eq!(exported.lines().count(), 8, "grant and configuration, and intent, denial and outcome, twice");
    // Nor is it anywhere in the store's files.
    drop((integration, runtime));
    ledger.close().await;
    Arc::into_inner(store).unwrap().close().await.unwrap();
    for file in fs::read_dir(folder.join("store")).unwrap().map(|entry| entry.unwrap().path()) {
        let files = if file.is_dir() {
            fs::read_dir(&file).unwrap().map(|entry| entry.unwrap().path()).collect()
        } else {
            vec![file]
        };
        for file in files.into_iter().filter(|file| file.is_file()) {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            assert_eq!(needles::found_in(&text), None, "{}", file.display());
        }
    }
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(needles::found_in(&exported), None, "{exported}");
    case.goes_on().await;
}

fn tempfile() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("portcullis-case-23-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}
