//! Ctrl-C and SIGTERM: what was under way is recorded, the store is closed, and what is known is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(dead_code, reason = "the place is shared with other test programs")]

mod place;

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use portcullis_store::{Batch, Embedded, Options, Store as _};
use serde_json::{Value, json};

use crate::place::{Place, SECRET, built};

const EMAIL: &str = r#"{"From": "a@acme.example", "To": "ada@example.com", "Subject": "Hello", "TextBody": "Hi"}"#;

/// Starts the command; what it prints is taken.
fn start(place: &Place, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(arguments)
        .env("PORTCULLIS_DATA", place.folder.path().join("data"))
        .env("PM_TOKEN", SECRET)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

/// Its end, and what it printed.
fn end(child: Child) -> (Option<i32>, String, String) {
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

/// Sends an email by an upstream that takes the request and never answers; gives the signal once it has it.
fn interrupted(place: &Place, name: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let postmark = built("postmark");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let config = json!({"baseUrl": format!("http://{address}")}).to_string();
    let grant = place.grant(&postmark, &config, |grant| grant);
    let invoke = ["invoke", &postmark, "--config", &config, "--grant", &grant, "--operation", "sendEmail"];
    let live = ["--input", EMAIL, "--mode", "live", "--credential", "server-token=env:PM_TOKEN"];
    let child = start(place, &[&invoke[..], &live, more].concat());
    let (mut stream, _) = listener.accept().unwrap();
    let mut begun = [0; 16];
    stream.read_exact(&mut begun).unwrap();
    signal(&child, name);
    end(child)
}

#[test]
fn a_call_that_is_given_up_is_recorded_as_abandoned_and_says_what_may_have_been_carried_out() {
    let place = Place::new();
    for (name, code, more) in [("INT", 130, &[][..]), ("TERM", 143, &[]), ("INT", 130, &["--json"])] {
        let (ended, out, err) = interrupted(&place, name, more);
        assert_eq!(ended, Some(code), "{out}{err}");
        let newest = place.run(&["audit", "list", "--json", "--limit", "1"]).json()["records"][0].clone();
        assert_eq!((&newest["kind"], &newest["status"]), (&json!("outcome"), &json!("abandoned")), "{newest}");
        assert_eq!(newest["exchanges"][0]["error"], "cut-off");
        let call = newest["call"].as_str().unwrap().to_owned();
        if more.is_empty() {
            let words = err.split_whitespace().collect::<Vec<_>>().join(" ");
            for told in [
                "error[interrupted]",
                "recorded as abandoned",
                "one may have been carried out",
                "POST http://",
                "Look at the upstream",
            ] {
                assert!(words.contains(told), "`{told}` is not in {err}");
            }
            assert!(err.contains(&format!("portcullis audit why {}", &call[call.len() - 8..])), "{err}");
            assert_eq!(out, "");
        } else {
            let value: Value = serde_json::from_str(&out).unwrap();
            assert_eq!((&value["error"]["code"], &value["call"]), (&json!("interrupted"), &json!(call)));
            assert_eq!(value["error"]["may_have_been_carried_out"].as_array().unwrap().len(), 1, "{value}");
        }
        let why = place.run(&["audit", "why", &call]).out;
        assert!(why.contains("may have been carried out") && !why.contains("under way"), "{why}");
    }
    // The store was closed in order: it is not looked through, and all of it is signed.
    let verified = place.run(&["audit", "verify"]);
    assert!(verified.code == 0 && verified.out.contains("All of it is signed."), "{}{}", verified.out, verified.err);
}

#[test]
fn a_command_that_waits_for_a_secret_lets_go_of_the_store_and_keeps_nothing() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    assert_eq!(place.run(&["adapter", "add", &postmark]).code, 0);
    let add = ["integration", "add", "mail", "--adapter", "postmark", "--grant", &grant];
    assert_eq!(place.run(&add).code, 0);
    let mut child = start(&place, &["credential", "add", "mail", "server-token"]);
    child.stdin.as_mut().unwrap().write_all(b"half-of-a-").unwrap();
    // It has the store once nobody else can have it.
    while std::fs::metadata(place.folder.path().join("data/master.key")).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    let input = child.stdin.take();
    let (code, out, err) = end(child);
    drop(input);
    assert_eq!((code, out.as_str()), (Some(130), ""), "{err}");
    assert!(err.contains("error[interrupted]"), "{err}");
    let listed = place.run(&["credential", "list", "--json"]).json();
    assert_eq!(listed["credentials"], json!([]));
}

#[test]
fn where_nothing_is_held_the_first_signal_ends_the_command_and_nothing_is_made() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    let data = place.folder.path().join("data/store");
    assert!(!data.exists());
    let mut child =
        start(&place, &["invoke", &postmark, "--grant", &grant, "--operation", "sendEmail", "--input", "-"]);
    std::thread::sleep(Duration::from_millis(1_000));
    signal(&child, "INT");
    // Its input does not end: that would end the command as well.
    let input = child.stdin.take();
    let (code, ..) = end(child);
    drop(input);
    assert_eq!(code, Some(130));
    assert!(!data.exists(), "no store was made");
}

/// Entries of a store that takes a while to be read.
const MANY: u64 = 60_000;

/// A store of so many entries; `killed` leaves it as `kill -9` would, so that it is looked through when it is opened.
fn large(place: &Place, killed: bool) {
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let (folder, elsewhere) = (place.folder.path().join("data/store"), place.folder.path().join("elsewhere"));
    portcullis_files::folder(folder.parent().unwrap()).unwrap();
    tokio.block_on(async {
        let store = Embedded::open(&elsewhere, Options::default()).await.unwrap();
        for begin in (0..MANY).step_by(2_000) {
            let batch =
                (begin..begin + 2_000).fold(Batch::new(), |batch, n| batch.put(format!("key{n:08}"), "x".repeat(500)));
            store.commit(batch).await.unwrap();
        }
        if killed {
            portcullis_store::testing::copy(&elsewhere, &folder).unwrap();
        }
        store.close().await.unwrap();
    });
    if !killed {
        std::fs::rename(&elsewhere, &folder).unwrap();
    }
}

/// Gives the signal once the command has the store.
fn once_it_has_the_store(child: &Child, name: &str) {
    let open = format!("/proc/{}/fd", child.id());
    let has_it = || {
        let open = std::fs::read_dir(&open).unwrap().filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        open.into_iter().any(|path| path.ends_with("store/lock"))
    };
    while !has_it() {
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(child, name);
}

#[test]
fn a_command_of_the_store_that_is_given_up_says_what_is_left_and_leaves_that() {
    let place = Place::new();
    large(&place, false);
    let folder = place.folder.path();
    let (whole, half) = (folder.join("whole").display().to_string(), folder.join("half").display().to_string());
    assert_eq!(place.run(&["store", "export", &whole]).code, 0);
    for (arguments, told) in [
        (&["store", "verify"][..], "the store is as it was"),
        (&["store", "export", &half], "is not there: half of an export looks like one"),
        (&["store", "compact"], "every entry is there"),
        (&["store", "import", &whole, "--replace"], "is as it was, or has all that was imported"),
    ] {
        for (name, code, as_json) in [("INT", 130, false), ("TERM", 143, true)] {
            let more: &[&str] = if as_json { &["--json"] } else { &[] };
            let child = start(&place, &[arguments, more].concat());
            once_it_has_the_store(&child, name);
            let (ended, out, err) = end(child);
            assert_eq!(ended, Some(code), "{arguments:?}: {out}{err}");
            let said = if as_json { &out } else { &err };
            let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("interrupted") && words.contains(told), "{arguments:?}: {said}");
            assert!(!std::path::Path::new(&half).exists(), "half of an export looks like one");
            let verified = place.run(&["store", "verify", "--json"]).json();
            assert_eq!(verified["verified"]["entries"], json!(MANY), "{arguments:?}: {verified}");
        }
    }
    // It was closed in order: nothing has to be looked through.
    let child = start(&place, &["store", "verify"]);
    once_it_has_the_store(&child, "INT");
    assert_eq!(end(child).0, Some(130));
    assert!(folder.join("data/store/seal").exists());
}

#[test]
fn a_command_that_only_reads_says_so_when_it_is_given_up() {
    for arguments in [
        &["audit", "list"][..],
        &["audit", "show", "1"],
        &["audit", "why", "1"],
        &["audit", "payload", "1"],
        &["audit", "workspaces"],
        &["audit", "verify"],
    ] {
        let place = Place::new();
        // Opening it takes a while.
        large(&place, true);
        let child = start(&place, arguments);
        once_it_has_the_store(&child, "INT");
        let (ended, out, err) = end(child);
        assert_eq!(ended, Some(130), "{arguments:?}: {out}{err}");
        let words = err.split_whitespace().collect::<Vec<_>>().join(" ");
        // `verify` looks first where the signed heads are.
        let told = ["the command only reads", "given up before it did anything"];
        let begins = "error[interrupted]: interrupted (SIGINT): ";
        assert!(words.contains(begins) && told.iter().any(|told| words.contains(told)), "{arguments:?}: {err}");
        assert_eq!(out, "", "{arguments:?}");
    }
}
