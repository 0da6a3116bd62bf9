//! Files that are named on the command line: within bounds, without waiting, and with no name twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(dead_code, reason = "the place is shared with other test programs")]

mod place;

use std::{fs::File, os::unix::fs::PermissionsExt, process::Command};

use serde_json::json;

use crate::place::{Place, SECRET, built};

/// Every command that reads a file, with `FILE` where it stands.
fn commands(adapter: &str, grant: &str) -> Vec<Vec<String>> {
    let with = |arguments: &[&str]| arguments.iter().map(|text| (*text).to_owned()).collect();
    let invoke =
        |more: &[&str]| with(&[&["invoke", adapter, "--grant", grant, "--operation", "sendEmail"], more].concat());
    vec![
        with(&["inspect", "FILE"]),
        with(&["inspect", adapter, "--config", "@FILE"]),
        with(&["inspect", adapter, "--under", "FILE"]),
        with(&["inspect", adapter, "--ceiling", "FILE"]),
        with(&["explain", adapter, "--grant", "FILE"]),
        with(&["explain", adapter, "--grant", grant, "--ceiling", "FILE"]),
        with(&["explain", adapter, "--grant", grant, "--config", "@FILE"]),
        with(&["diff", adapter, "FILE"]),
        with(&["diff", adapter, adapter, "--config", "@FILE"]),
        with(&["invoke", adapter, "--grant", "FILE", "--operation", "sendEmail"]),
        invoke(&["--input", "@FILE"]),
        invoke(&["--config", "@FILE"]),
        invoke(&["--ceiling", "FILE"]),
        invoke(&["--retention", "FILE"]),
        with(&["adapter", "add", "FILE"]),
        with(&["integration", "add", "mail", "--adapter", "postmark", "--grant", "FILE"]),
        with(&["audit", "verify", "--key", "FILE"]),
        with(&["audit", "verify", "--file", "FILE"]),
        with(&["audit", "key", "--signing-key", "FILE"]),
        with(&["store", "import", "FILE"]),
    ]
}

#[test]
fn what_is_no_regular_file_is_refused_by_every_command_and_nobody_waits() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    let folder = place.folder.path();
    let fifo = folder.join("fifo").display().to_string();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let folder = folder.display().to_string();
    let devices = [(fifo.as_str(), "pipe"), (folder.as_str(), "folder"), ("/dev/zero", "device")];
    for arguments in commands(&postmark, &grant) {
        for (file, kind) in devices {
            let arguments: Vec<String> = arguments.iter().map(|text| text.replace("FILE", file)).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let ran = place.run(&arguments);
            assert_eq!(ran.code, 2, "{arguments:?}: {}{}", ran.out, ran.err);
            let told = ran.err.contains(&format!("is a {kind}")) || ran.err.contains("no regular file");
            assert!(told && ran.err.contains(file), "{arguments:?}: {}", ran.err);
        }
    }
}

#[test]
fn what_is_too_large_is_refused_with_its_bound_before_it_is_read() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    // A terabyte that takes no space.
    let large = place.folder.path().join("large");
    File::create(&large).unwrap().set_len(1 << 40).unwrap();
    let large = large.display().to_string();
    for arguments in commands(&postmark, &grant) {
        // These are read piece by piece, or have a bound that their own errors tell.
        if ["--file", "--signing-key", "import"].iter().any(|own| arguments.contains(&(*own).to_owned())) {
            continue;
        }
        let arguments: Vec<String> = arguments.iter().map(|text| text.replace("FILE", &large)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = place.run(&arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("has more than ") && ran.err.contains(" bytes"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_name_that_stands_twice_is_refused_in_every_json_that_a_command_takes() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    let digest = place.run(&["inspect", &postmark, "--json"]).json()["upload"]["digest"].clone();
    let grants =
        place.write("twice.json", &format!(r#"{{"adapter": {digest}, "limits": {{"requests": 1, "requests": 99}}}}"#));
    let ceiling = place.write("ceiling.json", r#"{"limits": {"requests": 1, "requests": 99}}"#);
    let retention = place.write("retention.json", r#"{"keep": [{"what": "nothing", "what": "whole"}]}"#);
    let invoke = ["invoke", &postmark, "--operation", "sendEmail"];
    for (more, told) in [
        (vec!["--grant", &grants], "`/limits` has `requests` twice"),
        (vec!["--grant", &grant, "--ceiling", &ceiling], "`/limits` has `requests` twice"),
        (vec!["--grant", &grant, "--retention", &retention], "`/keep/0` has `what` twice"),
        (
            vec!["--grant", &grant, "--config", r#"{"baseUrl": "https://a.example", "baseUrl": "https://b.example"}"#],
            "config: the outermost object has `baseUrl` twice",
        ),
        (
            vec!["--grant", &grant, "--input", r#"{"To": "a@a.example", "Headers": [{"Name": "a", "Name": "b"}]}"#],
            "input: `/Headers/0` has `Name` twice",
        ),
    ] {
        let ran = place.run(&[&invoke[..], &more].concat());
        assert_eq!(ran.code, 2, "{more:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(told) && ran.err.contains("(line 1, column "), "{more:?}: {}", ran.err);
    }
    let told = place.run(&[&invoke[..], &["--grant", &grant, "--ceiling", &ceiling, "--json"]].concat()).json();
    assert_eq!(told["error"]["code"], json!("usage"));
}

#[test]
fn who_asked_is_the_systems_user_or_a_name_that_is_recorded_as_stated() {
    let place = Place::new();
    let by = |adapter: &str, more: &[&str]| {
        let ran = place.run(&[&["adapter", "add", &built(adapter)], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let list = ["audit", "list", "--workspace", "@host", "--json", "--limit", "1"];
        place.run(&list).json()["records"][0]["caller"].clone()
    };
    let own = by("postmark", &[]);
    assert_eq!(own["known_by"], "os-user");
    assert!(own["principal"].as_str().unwrap().starts_with("os:"), "{own}");
    let stated = by("stripe", &["--principal", "user:ceo"]);
    assert_eq!((&stated["known_by"], &stated["principal"]), (&json!("stated"), &json!("user:ceo")));
    assert!(place.run(&["audit", "list", "--workspace", "@host"]).out.contains("user:ceo?"));
    let forged = place.run(&["adapter", "add", &built("stripe"), "--principal", "os:root(0)"]);
    assert!(forged.code == 2 && forged.err.contains("the system's users"), "{}", forged.err);
}

#[test]
fn every_file_that_commands_write_is_its_owners_alone() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    let file = |name: &str| place.folder.path().join(name).display().to_string();
    let (export, records, saved) = (file("export"), file("records.jsonl"), file("saved"));
    for arguments in [
        &["adapter", "add", &postmark][..],
        &["integration", "add", "mail", "--adapter", "postmark", "--grant", &grant],
        &["credential", "add", "mail", "server-token"],
        &["audit", "export", "--format", "jsonl", "--out", &records],
        &["store", "export", &export],
        &["store", "salvage", "--to", &saved],
        &["store", "compact"],
        &["store", "import", &export, "--replace"],
    ] {
        let ran = place.run_with(arguments, if arguments[0] == "credential" { SECRET } else { "" });
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
    }
    let mut todo = vec![place.folder.path().to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = todo.pop() {
        let about = std::fs::symlink_metadata(&path).unwrap();
        let wanted = if about.is_dir() { 0o700 } else { 0o600 };
        // What this test made itself is not the commands'.
        if !path.ends_with("grant.toml") && path != place.folder.path() {
            assert_eq!(about.permissions().mode() & 0o7777, wanted, "{}", path.display());
        }
        if about.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        seen.push(path.display().to_string());
    }
    for name in ["/records.jsonl", "/export", "/saved", "/master.key", "/store/lock", "/store.before-1", "/cache/"] {
        assert!(seen.iter().any(|path| path.contains(name)), "{name} is not in {seen:?}");
    }
}
