use jiff::ToSpan;
use proptest::{prelude::*, test_runner::Config};

use super::super::{
    answer::{self, Expected},
    error::TokenError,
    life::Freshness,
};
use super::*;
use crate::scrub::Scrubber;

fn read(status: u16, body: &str) -> Result<Token, TokenError> {
    let values = ["instance_url".to_owned()];
    let expected = Expected { values: &values, token_type: Some("BearerToken") };
    answer::read(&super::answer(status, body), expected, &Scrubber::default(), now())
}

#[test]
fn the_answer_of_rfc_6749_section_5_1_is_read() {
    let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","expires_in":3600,
        "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","example_parameter":"example_value"}"#;
    let other = read(200, body).unwrap_err().to_string();
    assert!(
        other.contains("`token_type` is `example` and not bearer") && other.contains("token-type=example"),
        "{other}"
    );
    assert!(read(200, &body.replace(r#""example","exp"#, r#""bearertoken","exp"#)).is_ok(), "named by the operator");
    let token = read(200, &body.replace(r#""example","exp"#, r#""BEARER","exp"#)).unwrap();
    assert_eq!(token.access.expose(), b"2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(token.refresh.unwrap().expose(), b"tGzv3JOkF0XG5Qx2TlKWIA");
    assert_eq!(token.expires, Some(now() + 1.hour()));
}

#[test]
fn what_servers_make_of_it_is_read_too() {
    assert_eq!(read(200, r#"{"access_token":"abcdef"}"#).unwrap().expires, None);
    assert_eq!(read(200, r#"{"access_token":"abcdef","expires_in":"60"}"#).unwrap().expires, Some(now() + 1.minute()));
    assert_eq!(read(200, r#"{"access_token":"abcdef","expires_in":60.0}"#).unwrap().expires, Some(now() + 1.minute()));
    assert!(read(200, r#"{"access_token":"abcdef","refresh_token":null}"#).unwrap().refresh.is_none());
    assert!(read(200, r#"{"ok":true,"access_token":"xoxb-1","token_type":"bot"}"#).is_ok(), "Slack");
    let github = r#"{"token":"ghs_16C7e42F292c69","expires_at":"2026-11-21T13:00:00Z","permissions":{"a":["b"]}}"#;
    assert_eq!(read(201, github).unwrap().expires, Some(now() + 1.hour()));
    let salesforce = r#"{"access_token":"00Dx","instance_url":"https://acme.example","id":"https://x"}"#;
    let values = read(200, salesforce).unwrap().values;
    assert_eq!(values, [("instance_url".to_owned(), "https://acme.example".to_owned())].into(), "and no other");
}

#[test]
fn a_life_that_is_over_at_once_is_no_end_that_was_named() {
    for life in ["0", "-1", "\"0\"", "0.0", "\"-3600\""] {
        let body = format!(r#"{{"access_token":"abcdef","expires_in":{life}}}"#);
        let token = read(200, &body).unwrap();
        assert_eq!((token.expires, token.freshness(now())), (None, Freshness::Fresh), "{life}");
    }
}

#[test]
fn a_mark_before_the_json_is_read_over_and_what_is_no_json_is_named() {
    assert!(read(200, "\u{feff}{\"access_token\":\"abcdef\"}").is_ok());
    for (body, named) in [
        ("access_token=abc&token_type=bearer", "a form (application/x-www-form-urlencoded)"),
        ("<!DOCTYPE html><title>Sign in</title>", "a page of HTML"),
        ("<error/>", "XML or HTML"),
        ("{\"access_token\":", "malformed"),
        (" ", "empty"),
    ] {
        let error = read(200, body).unwrap_err().to_string();
        assert!(error.contains(named) && !error.contains("abc"), "{error}");
    }
}

#[test]
fn a_refusal_is_one_whatever_its_status_and_says_whether_to_try_again() {
    let refusal = |status, body: &str| read(status, body).unwrap_err();
    let client = refusal(401, r#"{"error":"invalid_client","error_description":"Unknown\u001b[31m client"}"#);
    assert_eq!(client.to_string(), "the authorization server refused with invalid_client: Unknown?[31m client");
    assert!(!client.retryable());
    assert!(
        matches!(refusal(200, r#"{"ok":false,"error":"bad_code"}"#), TokenError::Refused { error, .. } if error == "bad_code")
    );
    assert!(
        matches!(refusal(400, r#"{"error":{"message":"x"}}"#), TokenError::Refused { error, .. } if error == "status 400")
    );
    assert!(refusal(401, r#"{"message":"Bad credentials"}"#).to_string().ends_with("status 401: Bad credentials"));
    assert!(refusal(503, "<html>").retryable());
    assert!(refusal(429, "{}").retryable());
    assert!(refusal(400, r#"{"error":"temporarily_unavailable"}"#).retryable());
}

#[test]
fn what_could_be_read_in_two_ways_is_not_read() {
    let refused = [
        r#"{"access_token":"abcdef","access_token":"ghijkl"}"#,
        r#"{"access_token":"abcdef","token":"ghijkl"}"#,
        r#"{"access_token":"abcdef","refresh_token":"ghijkl","refresh_token":"mnopqr"}"#,
        r#"{"access_token":"abcdef"} {"access_token":"ghijkl"}"#,
        r#"{"access_token":"ab\r\ncdef"}"#,
        r#"{"access_token":["abcdef"]}"#,
        r#"{"access_token":"abcdef","token_type":"abcdef"}"#,
        r#"{"access_token":"abcdef","instance_url":"https://abcdef.example"}"#,
        r#"{"token_type":"bearer"}"#,
        r#"["abcdef"]"#,
        "access_token=abcdef",
    ];
    for body in refused {
        let error = read(200, body).unwrap_err();
        assert!(matches!(error, TokenError::Unreadable { .. }), "{body}: {error}");
        assert!(!error.to_string().contains("abcdef"), "{error}");
    }
}

#[test]
fn a_refusal_that_brings_a_token_along_is_told_without_its_words() {
    let body = r#"{"error":"odd","error_description":"your token is abcdef","access_token":"abcdef"}"#;
    assert_eq!(read(400, body).unwrap_err().to_string(), "the authorization server refused with status 400");
}

#[test]
fn an_echo_of_what_was_sent_is_taken_out_of_a_refusal() {
    let (slot, sent) = ("key".to_owned(), secret("refresh-token-hunter22"));
    let scrubber = Scrubber::new([(&slot, &sent)].into_iter());
    let body = r#"{"error":"invalid_request","error_description":"no such token refresh-token-hunter22"}"#;
    let error = answer::read(&super::answer(400, body), Expected { values: &[], token_type: None }, &scrubber, now())
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("no such token [redacted:key]"), "{error}");
}

#[test]
fn a_token_is_asked_for_anew_a_minute_or_a_tenth_of_its_life_before_its_end() {
    let freshness = |life: i64, passed: i64| {
        let mut token = token("abcdef", None);
        token.expires = Some(now() + life.seconds());
        token.freshness(now() + passed.seconds())
    };
    let states = [(3600, 3539), (3600, 3540), (3600, 3600), (100, 89), (100, 90), (2, 1)].map(|(l, p)| freshness(l, p));
    use Freshness::{Expired, Fresh, Stale};
    assert_eq!(states, [Fresh, Stale, Expired, Fresh, Stale, Fresh]);
    assert_eq!(token("abcdef", None).freshness(now() + 9000.hours()), Fresh);
}

#[test]
fn a_token_comes_back_from_its_bytes_and_from_no_others() {
    let mut token = token("abcdef", Some("ghijkl"));
    token.expires = Some(now() + 1.hour());
    token.values.insert("instance_url".into(), "https://a.example".into());
    let bytes = token.to_bytes();
    assert_eq!(bytes.len(), bytes.capacity(), "a buffer that grew left a copy");
    let back = Token::from_bytes(&bytes).unwrap();
    assert_eq!((back.access.expose(), back.refresh.as_ref().unwrap().expose()), (&b"abcdef"[..], &b"ghijkl"[..]));
    assert_eq!((back.received, back.expires, &back.values), (token.received, token.expires, &token.values));
    for length in 0..bytes.len() {
        // Only whole values may be missing at the end.
        if let Some(cut) = Token::from_bytes(&bytes[..length]) {
            assert!(cut.values.is_empty());
        }
    }
    assert!(Token::from_bytes(b"\x02").is_none() && Token::from_bytes(b"\x01").is_none());
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_answer_makes_it_panic_or_shows_a_token(status in 100u16..600, before in ".{0,20}", cut in 0usize..120) {
        let body = format!(r#"{{"access_token":"hunter22hunter22","expires_in":"{}","error":{before:?}}}"#, cut);
        let body: String = body.chars().take(cut.max(40)).collect();
        if let Err(error) = read(status, &body) {
            let told = format!("{error} {error:?}");
            prop_assert!(!told.contains("hunter22"));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let response = TokenResponse { status: 200, body: Zeroizing::new(body.clone()) };
        let _ = answer::read(&response, Expected { values: &[], token_type: None }, &Scrubber::default(), now());
        let _ = Token::from_bytes(&body);
    }
}
