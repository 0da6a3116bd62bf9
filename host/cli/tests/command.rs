//! The command as a person or a script meets it: what it prints and how it exits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod place;

use std::{net::TcpListener, path::Path};

use serde_json::{Value, json};

use crate::place::{Place, SECRET, built, upstream};

const EMAIL: &str = r#"{"From": "a@acme.example", "To": "ada@example.com", "Subject": "Hello", "TextBody": "Hi"}"#;
const SENT: &str = r#"{"To":"ada@example.com","SubmittedAt":"2026-01-05T10:00:00Z","MessageID":"0a129aee-e1cd-480d-b08d-4f48548ff48d","ErrorCode":0,"Message":"OK"}"#;

#[test]
fn inspect_says_what_an_adapter_can_do() {
    let place = Place::new();
    let postmark = built("postmark");
    let table = place.run(&["inspect", &postmark]);
    assert_eq!(table.code, 0, "{}", table.err);
    for part in [
        "postmark",
        "sha256:",
        "sendEmail",
        "destructive",
        "https://api.postmarkapp.com/email",
        "server-token",
        "portcullis:adapter/http@0.1.0",
    ] {
        assert!(table.out.contains(part), "{part} is not in {}", table.out);
    }
    let value = place.run(&["inspect", &postmark, "--json"]).json();
    assert_eq!(value["upload"]["contract"], "0.1.0");
    assert!(value["descriptor"]["operations"][0]["input"]["properties"].is_object(), "schemas are JSON, not text");
    assert_eq!(value["grant"]["adapter"], value["upload"]["digest"]);
}

#[test]
fn a_sandbox_call_needs_no_secret_and_says_what_would_be_sent() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    let ran =
        place.run(&["invoke", &postmark, "--grant", &grant, "--operation", "sendEmail", "--input", EMAIL, "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let value = ran.json();
    assert_eq!(value["would_send"][0]["url"], "https://api.postmarkapp.com/email");
    assert!(value["would_send"][0]["headers"].to_string().contains("{server-token}"));
    let curl = value["would_send"][0]["curl"].as_str().unwrap();
    assert!(curl.contains("-H \"X-Postmark-Server-Token: $SLOT_SERVER_TOKEN\""), "{curl}");
    assert!(value["output"]["MessageID"].is_string());
    // For people: the output alone on standard output.
    let ran =
        place.run_with(&["invoke", &postmark, "--grant", &grant, "--operation", "sendEmail", "--input", "-"], EMAIL);
    assert_eq!(ran.json()["ErrorCode"], 0);
    assert!(ran.err.contains("POST https://api.postmarkapp.com/email") && ran.err.contains("fuel"), "{}", ran.err);
    assert!(ran.err.contains(curl), "the same line for people, to be pasted: {}", ran.err);
}

#[test]
fn a_live_call_takes_its_secret_from_a_file_a_variable_or_standard_input() {
    let place = Place::new();
    let postmark = built("postmark");
    let (address, received) = upstream(200, SENT);
    let config = json!({"baseUrl": format!("http://{address}")}).to_string();
    let grant = place.grant(&postmark, &config, |grant| grant);
    let file = place.write("token", &format!("{SECRET}\n"));
    for (source, input) in [(format!("file:{file}"), ""), ("env:PM_TOKEN".to_owned(), ""), ("-".to_owned(), SECRET)] {
        let credential = format!("server-token={source}");
        let arguments = [
            "invoke",
            &postmark,
            "--config",
            &config,
            "--grant",
            &grant,
            "--operation",
            "sendEmail",
            "--input",
            EMAIL,
            "--mode",
            "live",
            "--credential",
            &credential,
            "--json",
        ];
        let ran = place.run_with(&arguments, input);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(ran.json()["output"]["Message"], "OK");
    }
    let received = received.lock().unwrap();
    assert_eq!(received.matches(&format!("x-postmark-server-token: {SECRET}")).count(), 3, "{received}");
    let ledger = std::fs::read(place.folder.path().join("data/store/redb/data")).unwrap();
    let ledger = String::from_utf8_lossy(&ledger);
    assert!(ledger.matches("\"kind\":\"intent\"").count() >= 3);
    assert!(!ledger.contains(SECRET));
}

#[test]
fn each_way_to_end_has_its_exit_code() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant.replace("    \"getBounces\",", "    #"));
    let invoke = |more: &[&str]| {
        let mut arguments = vec!["invoke", &postmark, "--grant", &grant];
        arguments.extend_from_slice(more);
        place.run(&arguments)
    };
    // 1: a credential that is not there.
    let ran = invoke(&["--operation", "sendEmail", "--input", EMAIL, "--mode", "live"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("server-token"), "{}", ran.err);
    // 2: usage, each with the place of the mistake.
    for (arguments, names) in [
        (vec!["--operation", "sendEmail", "--input", "{"], "input is not JSON"),
        (vec!["--operation", "sendEmail", "--input", "{}"], "/From"),
        (vec!["--operation", "sendEmail", "--config", r#"{"baseURL": 1}"#], "baseURL"),
        (vec!["--operation", "sendEmail", "--credential", "server-token=abc"], "command"),
        (vec!["--operation", "sendEmail", "--credential", "servertoken=env:PM_TOKEN"], "server-token, account-token"),
        (vec!["--operation"], "operation"),
    ] {
        let ran = invoke(&arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(names), "{names}: {}", ran.err);
    }
    let text = place.write("not.wasm", "hello");
    assert_eq!(place.run(&["inspect", &text]).code, 2);
    let bad = place.write("bad.toml", "adapter = 7");
    assert_eq!(place.run(&["invoke", &postmark, "--grant", &bad, "--operation", "x"]).code, 2);
    // 3: denied, with the lines that would allow it.
    let ran = invoke(&["--operation", "getBounces", "--input", r#"{"count": 1, "offset": 0}"#]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    for part in
        ["operation-not-granted", "\"sendEmail\", ", "\"getBounces\"]", "url = \"https://api.postmarkapp.com/bounces\""]
    {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    // 4: the adapter broke; 5: a bound.
    for (guest, operation, code) in [("hostile_panic", "panic", 4), ("hostile_endless_loop", "loop", 5)] {
        let guest = built(&format!("guests/{guest}"));
        let grant = place.grant(&guest, "{}", |grant| grant);
        let ran = place.run(&["invoke", &guest, "--grant", &grant, "--operation", operation]);
        assert_eq!(ran.code, code, "{}", ran.err);
    }
    // 6: nobody there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let config = json!({"baseUrl": format!("http://{closed}")}).to_string();
    let grant = place.grant(&postmark, &config, |grant| grant);
    let ran = place.run(&[
        "invoke",
        &postmark,
        "--config",
        &config,
        "--grant",
        &grant,
        "--operation",
        "sendEmail",
        "--input",
        EMAIL,
        "--mode",
        "live",
        "--credential",
        "server-token=env:PM_TOKEN",
    ]);
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("refused"), "{}", ran.err);
}

#[test]
fn a_failure_that_may_pass_says_when_to_try_again() {
    let (place, clinic) = (Place::new(), built("guests/puppet_clinic"));
    let config = r#"{"baseUrl": "https://ehr.example", "auth": "none"}"#;
    let grant = place.grant(&clinic, config, |grant| grant);
    for (input, told) in [
        (r#"{"retryAfterMs": 2400}"#, "\n  try again in 3 s\n"),
        ("{}", "\n  try again later\n"),
        (r#"{"retryable": 0, "retryAfterMs": 2400}"#, ""),
    ] {
        let fail = ["invoke", &clinic, "--grant", &grant, "--config", config, "--operation", "fail", "--input", input];
        let ran = place.run(&fail);
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert!(ran.err.contains("error[clinic.busy]") && ran.err.ends_with(told), "{}", ran.err);
        assert_eq!(ran.err.contains("try again"), !told.is_empty(), "{}", ran.err);
    }
}

#[test]
fn a_secret_on_the_command_line_is_not_repeated() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |grant| grant);
    for credential in ["server-token=HUNTER22", "HUNTER22", "server-token=literal:HUNTER22"] {
        for json in [&[][..], &["--json"]] {
            let mut arguments =
                vec!["invoke", &postmark, "--grant", &grant, "--operation", "sendEmail", "--credential", credential];
            arguments.extend_from_slice(json);
            let ran = place.run(&arguments);
            assert_eq!(ran.code, 2, "{}", ran.err);
            assert!(!ran.err.contains("HUNTER22") && !ran.out.contains("HUNTER22"), "{}{}", ran.err, ran.out);
        }
    }
}

#[test]
fn an_operation_without_its_route_is_denied_with_the_route_to_add() {
    let place = Place::new();
    let postmark = built("postmark");
    let whole = place.grant(&postmark, "{}", |grant| grant);
    let text = std::fs::read_to_string(whole).unwrap();
    let digest = text.lines().find(|line| line.starts_with("adapter")).unwrap();
    let grant = place.write("bare.toml", &format!("{digest}\noperations = [\"sendEmail\"]\n"));
    let invoke = |grant: &str| {
        place.run(&["invoke", &postmark, "--grant", grant, "--operation", "sendEmail", "--input", EMAIL, "--json"])
    };
    let ran = invoke(&grant);
    assert_eq!(ran.code, 3, "{}", ran.out);
    let lines = ran.json()["error"]["allow_with"].as_str().unwrap().to_owned();
    let grant = place.write("mended.toml", &format!("{digest}\noperations = [\"sendEmail\"]\n{lines}"));
    assert_eq!(invoke(&grant).code, 0, "the lines that it names do allow it");
}

#[test]
fn with_json_even_a_wrong_option_is_one_json_object() {
    let ran = Place::new().run(&["invoke", "--json", "--wat"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.json()["error"]["code"], "usage");
}

#[test]
fn a_guest_that_reaches_out_is_denied_and_told_why() {
    let place = Place::new();
    let greedy = built("guests/puppet_greedy");
    let grant = place.grant(&greedy, "{}", |grant| grant);
    let ran = place.run(&[
        "invoke",
        &greedy,
        "--grant",
        &grant,
        "--operation",
        "steal",
        "--input",
        r#"{"urls": ["https://evil.example/"]}"#,
        "--mode",
        "live",
        "--json",
    ]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert_eq!(ran.json()["error"]["code"], "origin-not-granted");
}

#[test]
fn the_published_schema_of_grants_is_json() {
    let schema = Place::new().run(&["schema", "grant"]).json();
    assert_eq!(schema["additionalProperties"], false);
    assert!(Path::new(&built("postmark")).exists());
}

#[test]
fn explain_says_which_of_the_three_took_what_away() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant =
        place.grant(&postmark, "{}", |text| text.replace("url = \"https://api.postmarkapp.com/servers\"\n", ""));
    // Without its URL the last route is no route: a grant that cannot be read is a usage error.
    assert_eq!(place.run(&["explain", &postmark, "--grant", &grant]).code, 2);
    let cut = |text: String| text.split("\n# list-servers").next().unwrap().to_owned();
    let grant = place.grant(&postmark, "{}", cut);
    let ceiling = place.write("ceiling.toml", "methods = [\"GET\"]\n[limits]\nrequests = 4\n");
    let arguments = ["explain", &postmark, "--grant", &grant, "--ceiling", &ceiling];
    let table = place.run(&arguments);
    assert_eq!(table.code, 0, "{}", table.err);
    for part in ["ceiling: `methods` leaves out", "grant: the grant leaves it out", "requests  16       4        4"] {
        assert!(table.out.contains(part), "{part} is not in {}", table.out);
    }
    let value = place.run(&[&arguments[..], &["--json"]].concat()).json();
    let by = |id: &str| {
        let routes = value["routes"].as_array().unwrap();
        routes.iter().find(|route| route["route"] == id).unwrap()["removed"]["by"].clone()
    };
    assert_eq!(
        [by("send-email"), by("get-bounces"), by("list-servers")],
        [json!("ceiling"), Value::Null, json!("grant")]
    );

    // And what it says is what holds.
    let refused = ["invoke", &postmark, "--grant", &grant, "--ceiling", &ceiling, "--operation", "sendEmail"];
    let ran = place.run(&[&refused[..], &["--input", EMAIL]].concat());
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("The host's ceiling is below"), "{}", ran.err);
}

#[test]
fn a_ceiling_that_cannot_be_read_stops_before_anything_runs() {
    let place = Place::new();
    let postmark = built("postmark");
    let grant = place.grant(&postmark, "{}", |text| text);
    for (text, names) in [("method = []", "method"), ("[limits]\nfule = 1", "`fule`"), ("origins = [\"x\"]", "`x`")] {
        let ceiling = place.write("ceiling.toml", text);
        let ran = place.run(&["explain", &postmark, "--grant", &grant, "--ceiling", &ceiling]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(names) && ran.err.contains("ceiling.toml"), "{}", ran.err);
    }
    assert_eq!(place.run(&["schema", "ceiling"]).json()["title"], "Portcullis ceiling");
}

#[test]
fn diff_says_what_a_new_version_asks_for_and_exits_with_it() {
    let place = Place::new();
    let (old, new) = (built("guests/hostile_panic"), built("guests/puppet_probe"));
    let same = place.run(&["diff", &old, &old]);
    assert_eq!((same.code, same.out.contains("Both ask for the same.")), (0, true));
    let more = place.run(&["diff", &old, &new]);
    assert_eq!(more.code, 3);
    assert!(
        more.out.contains("Asks for more\n  ") && more.out.contains("GET https://api.example.com/items/{id}"),
        "{}",
        more.out
    );
    let value = place.run(&["diff", &old, &new, "--json"]).json();
    assert_eq!(value["asks_more"], true);
    assert_eq!(value["config_changes"], json!([{"place": "/elsewhere", "before": null, "after": "string"}]));
    assert!(more.out.contains("/elsewhere\n    + string") && !same.out.contains("Config"), "{}", more.out);
    let change = |kind: &str| value["changes"].as_array().unwrap().iter().filter(|c| c["kind"] == kind).count();
    assert_eq!((change("slot"), change("origin")), (12, 0));
    assert_eq!(place.run(&["diff", &old, "/none"]).code, 2);
}
