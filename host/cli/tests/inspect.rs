//! What `portcullis inspect` tells of an adapter that needs a config, before and after it has one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod place;

use serde_json::{Value, json};

use crate::place::{Place, built};

const CONFIG: &str = r#"{"baseUrl": "https://ehr.example/r4", "auth": "bearer"}"#;

#[test]
fn what_is_known_without_a_config_is_told_and_what_to_run_next() {
    let (place, clinic) = (Place::new(), built("guests/puppet_clinic"));
    let ran = place.run(&["inspect", &clinic]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in [
        "at /baseUrl: is required",
        "sha256:",
        "portcullis:adapter@0.1.0",
        "portcullis:adapter/http@0.1.0",
        "/baseUrl: string (uri); required",
        "    Where the server's resources are.",
        "/pageSize: integer",
        "; default 50",
        &format!("portcullis inspect {clinic} --config @config.json"),
    ] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    let value = place.run(&["inspect", &clinic, "--json"]).json();
    assert_eq!(value["descriptor"], Value::Null);
    assert_eq!(value["config_schema"]["required"], json!(["baseUrl", "auth"]));
    assert!(value["needs_config"].as_str().unwrap().contains("/auth"), "{value}");
}

#[test]
fn a_config_that_is_wrong_is_a_usage_error_with_its_place() {
    let (place, clinic) = (Place::new(), built("guests/puppet_clinic"));
    let late = r#"{"baseUrl": "https://ehr.example", "auth": "none", "pageSize": 0}"#;
    // By its schema, by the adapter itself, and where somebody said that nothing is the config.
    for (config, place_of_it) in [(r#"{"baseUrl": 7}"#, "/baseUrl"), (late, "/pageSize"), ("{}", "/auth")] {
        let ran = place.run(&["inspect", &clinic, "--config", config]);
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(ran.err.contains(&format!("at {place_of_it}: ")) && ran.err.contains("--config @FILE"), "{}", ran.err);
        let error = place.run(&["inspect", &clinic, "--config", config, "--json"]);
        assert_eq!((error.code, error.json()["error"]["code"].clone()), (2, json!("config")));
    }
    assert_eq!(place.run(&["inspect", &clinic, "--grant"]).code, 2, "without a config there is nothing to grant");
}

#[test]
fn the_schema_of_the_config_is_printed_for_editors() {
    let (place, clinic) = (Place::new(), built("guests/puppet_clinic"));
    let schema = place.run(&["inspect", &clinic, "--config-schema"]).json();
    assert_eq!(schema["properties"]["pageSize"]["default"], 50);
    let whole = place.run(&["inspect", &built("postmark"), "--json"]).json();
    assert_eq!(whole["config_schema"]["properties"]["baseUrl"]["default"], "https://api.postmarkapp.com");
}

#[test]
fn what_an_operation_takes_and_gives_is_told_with_a_line_to_run() {
    let (place, stripe) = (Place::new(), built("stripe"));
    let ran = place.run(&["inspect", &stripe, "--operation", "createPaymentIntent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = r#"--operation createPaymentIntent --input '{"amount":2000,"currency":"eur"}'"#;
    for part in ["createPaymentIntent (write)", "Input:", "/amount: ", "Output:", "/client_secret: ", line] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    let told = place.run(&["inspect", &stripe, "--operation", "createRefund", "--json"]).json();
    assert_eq!((&told["effect"], &told["output"]["type"]), (&json!("destructive"), &json!("object")));
    let unknown = place.run(&["inspect", &stripe, "--operation", "refund"]);
    assert!(unknown.code == 2 && unknown.err.contains("did you mean `createRefund`?"), "{}", unknown.err);
}

#[test]
fn what_is_sensitive_is_named_for_each_operation() {
    let (place, clinic) = (Place::new(), built("guests/puppet_clinic"));
    let ran = place.run(&["inspect", &clinic, "--config", CONFIG]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("readPatient  output  /birthDate, /contact/*/telecom, /name"), "{}", ran.out);
    assert!(ran.out.contains("readPatient  input   /id\n") && !ran.out.contains("fail         input"), "{}", ran.out);
    let value = place.run(&["inspect", &clinic, "--config", CONFIG, "--json"]).json();
    let of = |operation: usize| value["descriptor"]["operations"][operation]["sensitive"].clone();
    assert_eq!(of(0), json!({"input": ["/id"], "output": ["/birthDate", "/contact/*/telecom", "/name"]}));
    assert_eq!(of(1), json!({"input": [], "output": []}));
}

#[test]
fn what_holds_for_a_config_is_told_under_a_grant_and_a_ceiling() {
    let (place, clinic) = (Place::new(), built("guests/puppet_clinic"));
    let ceiling = place.write("ceiling.toml", "methods = [\"POST\"]\n");
    let inspect = |more: &[&str]| place.run(&[&["inspect", &clinic, "--config", CONFIG], more].concat());
    assert!(!inspect(&[]).out.contains("What holds"));
    let below = inspect(&["--ceiling", &ceiling]);
    assert!(below.out.contains("What holds") && below.out.contains("ceiling: `methods` leaves out"), "{}", below.out);
    let grant = place.grant(&clinic, CONFIG, |text| text.replace("    \"fail\", ", "    # "));
    let value = inspect(&["--under", &grant, "--json"]).json();
    let effective: Vec<_> = value["holds"]["operations"].as_array().unwrap().iter().map(|o| &o["effective"]).collect();
    assert_eq!(effective, [true, false]);
    let other = place.grant(&built("postmark"), "{}", |text| text);
    let ran = inspect(&["--under", &other]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("is another adapter's grant: it is for adapter sha256:"), "{}", ran.err);
}

#[test]
fn five_lines_say_what_an_adapter_can_do() {
    let (place, postmark) = (Place::new(), built("postmark"));
    let ran = place.run_at("80", &["inspect", &postmark], "");
    let verdict: Vec<&str> =
        ran.out.split("\n\n").nth(1).unwrap().lines().filter(|line| !line.starts_with("      ")).collect();
    assert_eq!(verdict.len(), 5, "{verdict:?}");
    for (line, told) in verdict.iter().zip([
        "reaches       https://api.postmarkapp.com (GET POST)",
        "with secrets  usable, never readable: server-token, account-token",
        "can change    CANNOT BE UNDONE: sendEmail, sendEmailBatch",
        "about people  in 5 of 6 operations: sendEmail,",
        "imports       6 of 18 have a power: credentials, http, log and 3 more",
    ]) {
        assert!(line.trim_start().starts_with(told), "{line} does not begin with {told}");
        assert!(line.chars().count() <= 80, "{line}");
    }
    for words in ["read changes nothing", "destructive cannot be undone"] {
        assert!(place.run(&["inspect", &postmark]).out.contains(words), "{words}");
    }
}

#[test]
fn a_grant_can_be_printed_for_some_operations_alone_and_the_digest_alone() {
    let (place, postmark) = (Place::new(), built("postmark"));
    let some = place.run(&["inspect", &postmark, "--grant", "--operation", "sendEmail", "--operation", "listServers"]);
    assert_eq!(some.code, 0, "{}", some.err);
    assert!(some.out.contains("/email\"\n") && some.out.contains("/servers\"\n"), "{}", some.out);
    assert!(!some.out.contains("getBounces") && !some.out.contains("/bounces"), "{}", some.out);
    // It is a grant, and holds for what it names.
    let grant = place.write("some.toml", &some.out);
    let explained = place.run(&["explain", &postmark, "--grant", &grant, "--json"]).json();
    let holds = explained["operations"].as_array().unwrap().iter().filter(|line| line["effective"] == true).count();
    assert_eq!(holds, 2, "{explained}");
    let none = place.run(&["inspect", &postmark, "--grant", "--operation", "sendMail"]);
    assert!(none.code == 2 && none.err.contains("did you mean `sendEmail`?"), "{}", none.err);
    let digest = place.run(&["inspect", &postmark, "--digest"]).out;
    assert_eq!(digest.trim_end(), place.run(&["inspect", &postmark, "--json"]).json()["upload"]["digest"]);
}

#[test]
fn ranges_and_lengths_of_what_an_operation_takes_are_told() {
    let (place, stripe) = (Place::new(), built("stripe"));
    let out = place.run(&["inspect", &stripe, "--operation", "createRefund"]).out;
    for told in ["at most 20 items", "at most 500 characters", "like ^pi_", "at least 0"] {
        assert!(out.contains(told), "{told} is not in {out}");
    }
}
