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
        "/baseUrl    string (uri)        yes       none     Where the server's resources are.",
        "/pageSize   integer             no        50 ",
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
    for part in ["createPaymentIntent (write)", "Input:", "/amount ", "Output:", "/client_secret ", line] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    let told = place.run(&["inspect", &stripe, "--operation", "createRefund", "--json"]).json();
    assert_eq!((&told["effect"], &told["output"]["type"]), (&json!("destructive"), &json!("object")));
    let unknown = place.run(&["inspect", &stripe, "--operation", "refund"]);
    assert!(unknown.code == 2 && unknown.err.contains("createRefund"), "{}", unknown.err);
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
    assert!(ran.err.contains("is for adapter sha256:"), "{}", ran.err);
}
