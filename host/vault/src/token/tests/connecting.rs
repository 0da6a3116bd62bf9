use std::{collections::BTreeMap, sync::Arc};

use jiff::ToSpan;
use proptest::{prelude::*, test_runner::Config};
use url::Url;

use super::super::{TokenError, authorize, finish, obtain, start};
use super::*;
use crate::material::{
    Kind, OAuthClient,
    tests::{client, given},
};

const REDIRECT: &str = "https://portcullis.example/callback";
const GOOD: &str = r#"{"access_token":"access-1","refresh_token":"refresh-1","expires_in":60}"#;

fn person(scope: &str) -> Arc<OAuthClient> {
    let fields = [
        ("client-id", "me"),
        ("authorize-url", "https://id.example/authorize?tenant=1"),
        ("scope", scope),
        ("authorize-parameters", "access_type=offline"),
    ];
    client(&given(Kind::OauthAuthorizationCode, &fields, &[("client-secret", "hunter22")]), &declared()).unwrap()
}

fn query(url: &str) -> BTreeMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

#[tokio::test]
async fn a_person_agrees_and_the_code_is_exchanged_with_the_verifier_of_its_challenge() {
    let (client, server) = (person("read openid"), Server::answering(&[(200, GOOD)]));
    let started = start(&server, "key", &client, REDIRECT, now()).await.unwrap();
    let sent = query(&started.url);
    assert!(started.url.starts_with("https://id.example/authorize?tenant=1&"));
    let of = |name: &str| sent.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!((of("response_type"), of("client_id"), of("redirect_uri")), ("code", "me", REDIRECT));
    assert_eq!((of("code_challenge_method"), of("scope"), of("access_type")), ("S256", "read openid", "offline"));
    assert_eq!((of("state"), of("nonce").len()), (started.state.as_str(), 43));
    assert!(!started.url.contains("hunter22"));

    let callback = format!("{REDIRECT}?code=c0de-1&state={}#_=_", started.state);
    let token = finish(&server, "key", &client, &started.pending, &callback, now() + 1.minute()).await.unwrap();
    assert_eq!(token.refresh.as_ref().unwrap().expose(), b"refresh-1");
    let asked = &server.asked()[0];
    assert_eq!((asked.field("grant_type"), asked.field("code")), (Some("authorization_code"), Some("c0de-1")));
    assert_eq!((asked.field("redirect_uri"), asked.field("scope")), (Some(REDIRECT), None));
    assert_eq!(authorize::challenge(asked.field("code_verifier").unwrap()), of("code_challenge"));
}

#[tokio::test]
async fn two_starts_share_neither_state_nor_verifier() {
    let (client, server) = (person("read"), Server::default());
    let one = start(&server, "key", &client, REDIRECT, now()).await.unwrap();
    let two = start(&server, "key", &client, REDIRECT, now()).await.unwrap();
    assert_ne!(one.state, two.state);
    assert_ne!(query(&one.url)["code_challenge"], query(&two.url)["code_challenge"]);
    assert!(start(&server, "key", &client, "https://x.example/#f", now()).await.is_err());
}

#[tokio::test]
async fn a_callback_of_another_start_or_too_late_or_damaged_sends_nothing() {
    let (client, server) = (person("read"), Server::default());
    let started = start(&server, "key", &client, REDIRECT, now()).await.unwrap();
    let other = start(&server, "key", &client, REDIRECT, now()).await.unwrap();
    let end = async |pending: &[u8], callback: &str, now| match finish(&server, "key", &client, pending, callback, now)
        .await
    {
        Err(TokenError::Callback(problem)) => problem,
        other => panic!("{other:?}"),
    };
    let good = format!("code=c0de-1&state={}", started.state);
    assert!(end(&other.pending, &good, now()).await.contains("`state` is not the one"));
    assert!(end(&started.pending, &good, now() + 16.minutes()).await.contains("too late"));
    assert!(end(&started.pending[1..], &good, now()).await.contains("damaged"));
    assert!(end(&started.pending, "code=c0de-1", now()).await.contains("no `state`"));
    assert!(end(&started.pending, &format!("{good}&code=c0de-2"), now()).await.contains("twice"));
    assert!(end(&started.pending, &format!("state={}", started.state), now()).await.contains("no `code`"));
    let refused =
        format!("state={}&error=access_denied&error_description=No%0Athanks%20c0de-1&code=c0de-1", started.state);
    let told = end(&started.pending, &refused, now()).await;
    assert_eq!(told, "the authorization server refused with access_denied: No?thanks [redacted:code]");
}

#[test]
fn an_answer_of_another_server_is_not_taken() {
    let code = |callback: &str, says| authorize::code(callback, b"s", b"https://id.example", says).map(drop);
    assert!(code("state=s&code=abcdef&iss=https%3A%2F%2Fid.example", true).is_ok());
    assert!(code("state=s&code=abcdef", false).is_ok());
    let error = code("state=s&code=abcdef&iss=https%3A%2F%2Fevil.example", false).unwrap_err().to_string();
    assert!(error.contains("another authorization server"), "{error}");
    assert!(code("state=s&code=abcdef", true).unwrap_err().to_string().contains("does not say which"));
}

#[tokio::test]
async fn before_a_person_agreed_and_after_a_token_without_refresh_it_is_to_be_connected() {
    let (client, server) = (person("read"), Server::default());
    for current in [None, Some(token("access-1", None))] {
        let error = obtain(&server, "key", &client, current.as_ref(), now()).await.unwrap_err();
        assert!(matches!(error, TokenError::Reconnect(_)), "{error}");
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_callback_makes_it_panic_or_shows_a_code(before in "[a-z=&%?#+]{0,30}", name in "(code|iss|error|state|error_description)", after in ".{0,20}") {
        for callback in [format!("{before}&{name}=hunter22hunter22&{after}"), format!("state=s&{name}=x&code=hunter22hunter22&{before}")] {
            if let Err(error) = authorize::code(&callback, b"s", b"", false) {
                let foreign = matches!(name.as_str(), "error" | "error_description");
                prop_assert!(foreign || !error.to_string().contains("hunter22"), "{error}");
            }
        }
    }
}
