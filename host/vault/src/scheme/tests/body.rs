//! Members of JSON bodies and fields of forms.

use proptest::{prelude::*, test_runner::Config};

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

fn sent(kind: &str, body: Option<&str>, text: &str) -> Result<String, VaultError> {
    let mut outgoing = request("POST", "https://a.example/", &[("content-type", kind)], body);
    attach(Scheme::Body { name: "api_key".into() }, None, secret(text), &mut outgoing)?;
    Ok(String::from_utf8(outgoing.body.unwrap().to_vec()).unwrap())
}

fn json(body: &str) -> Result<String, VaultError> {
    sent("application/json", Some(body), "s3\"cret")
}

#[test]
fn a_member_is_put_before_those_of_the_guest_whose_bytes_stay() {
    for (body, made) in [
        ("{}", r#"{"api_key":"s3\"cret"}"#),
        (" \r\n\t{ \n }\n", " \r\n\t{\"api_key\":\"s3\\\"cret\" \n }\n"),
        (r#"{"a": 1.10, "a": 2}"#, r#"{"api_key":"s3\"cret","a": 1.10, "a": 2}"#),
        (
            r#"{"x":{"api_key":1},"y":["api_key","{"]}"#,
            r#"{"api_key":"s3\"cret","x":{"api_key":1},"y":["api_key","{"]}"#,
        ),
    ] {
        assert_eq!(json(body).unwrap(), made);
    }
    for kind in ["application/vnd.api+json", "Application/JSON; charset=utf-8"] {
        assert!(sent(kind, Some("{}"), "s3cret").is_ok(), "{kind}");
    }
}

#[test]
fn a_body_that_has_the_member_in_any_spelling_is_refused() {
    for name in [
        "api_key[]",
        "api.key",
        " api_key",
        "api_key\\u0000",
        "\\uff41pi_key",
        "api_key",
        "\\u0061pi_key",
        "api\\u005Fkey",
        "API_KEY",
        "api_\\u006bey",
    ] {
        let error = json(&format!(r#"{{"a":1,"{name}":"mine"}}"#)).unwrap_err().to_string();
        assert!(error.contains("already") && !error.contains("mine"), "{error}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in [
        "",
        "null",
        "[]",
        "[{}]",
        "\"{}\"",
        "{",
        "{}}",
        "{}{}",
        "{} x",
        "{\"a\":}",
        "{\"a\":1,}",
        "{'a':1}",
        "\u{feff}{}",
        "{\"\\ud800\":1}",
        "{a:1}",
        "{/**/}",
    ] {
        let error = json(body).unwrap_err().to_string();
        assert!(error.contains("JSON object"), "{body}: {error}");
    }
    assert!(sent("application/json", None, "s3cret").is_err());
}

#[test]
fn a_field_is_put_behind_those_of_the_form() {
    for (body, made) in [
        (None, "api_key=s3%26cret"),
        (Some(""), "api_key=s3%26cret"),
        (Some("a=1"), "a=1&api_key=s3%26cret"),
        (Some("a=1&"), "a=1&api_key=s3%26cret"),
    ] {
        assert_eq!(sent(FORM, body, "s3&cret").unwrap(), made);
    }
    assert!(sent(FORM, Some("a=api_key&b=api_key=1"), "s3cret").is_ok(), "a value is no name");
    for body in [
        "api_key[]=mine",
        "api.key=mine",
        "+api_key=mine",
        "a=1;api_key=mine",
        "api%255Fkey=mine",
        "api_key%00=mine",
        "api_key=mine",
        "a=1&api%5Fkey=mine",
        "API_KEY",
        "a=1&%61pi_key",
    ] {
        let error = sent(FORM, Some(body), "s3cret").unwrap_err().to_string();
        assert!(error.contains("already") && !error.contains("mine"), "{error}");
    }
}

#[test]
fn other_kinds_of_bodies_are_refused() {
    for kind in ["multipart/form-data; boundary=x", "text/plain", "application/jsonp", "text/json+json", ""] {
        assert!(sent(kind, Some("{}"), "s3cret").unwrap_err().to_string().contains("Content-Type"), "{kind}");
    }
    let two = [("content-type", "application/json"), ("content-type", FORM)];
    for headers in [&two[..], &[]] {
        let mut outgoing = request("POST", "https://a.example/", headers, Some("{}"));
        assert!(attach(Scheme::Body { name: "k".into() }, None, secret("s3cret"), &mut outgoing).is_err());
    }
}

#[test]
fn a_length_that_was_written_is_the_new_one() {
    let headers = [("content-type", FORM), ("content-length", "3")];
    let mut outgoing = request("POST", "https://a.example/", &headers, Some("a=1"));
    attach(Scheme::Body { name: "k".into() }, None, secret("s3cret"), &mut outgoing).unwrap();
    assert_eq!(outgoing.headers["content-length"], "12");
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_text_arrives_as_it_is_beside_any_members(
        text in "\\PC{4,40}",
        members in proptest::collection::btree_map("\\PC{0,6}", "\\PC{0,6}", 0..4),
    ) {
        prop_assume!(Secret::try_from(text.as_str()).is_ok());
        let body = serde_json::to_string(&members).unwrap();
        let made = sent("application/json", Some(&body), &text).unwrap();
        let read: std::collections::BTreeMap<String, String> = serde_json::from_str(&made).unwrap();
        prop_assert_eq!(&read["api_key"], &text);
        prop_assert_eq!(read.len(), members.len() + 1);
        let form = ::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&members).finish();
        let made = sent(FORM, Some(&form), &text).unwrap();
        let pairs: Vec<_> = ::url::form_urlencoded::parse(made.as_bytes()).collect();
        prop_assert_eq!(&pairs.last().unwrap().1, &text);
        prop_assert_eq!(pairs.len(), members.len() + 1);
    }
}
