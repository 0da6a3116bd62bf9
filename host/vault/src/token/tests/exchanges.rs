use std::sync::Arc;

use super::super::{TokenError, obtain, revoke};
use super::*;
use crate::material::{
    Kind, OAuthClient,
    tests::{P384, PKCS1, RSA, client, given},
};

const GOOD: &str = r#"{"access_token":"access-1","token_type":"Bearer","expires_in":300}"#;

#[tokio::test]
async fn each_client_authentication_writes_its_own_place() {
    let id = ("client-id", "my client:1");
    let of = async |more: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let fields = [&[id, ("scope", "read write"), ("audience", "api")], more].concat();
        let client = client(&given(Kind::OauthClientCredentials, &fields, secrets), &declared()).unwrap();
        let server = Server::answering(&[(200, GOOD)]);
        obtain(&server, "key", &client, None, now()).await.unwrap();
        let asked = server.asked().remove(0);
        assert_eq!((asked.url.as_str(), asked.purpose), ("https://id.example/token", Purpose::Token));
        assert_eq!(asked.field("grant_type"), Some("client_credentials"));
        assert_eq!((asked.field("scope"), asked.field("audience")), (Some("read write"), Some("api")));
        asked
    };
    let secret = [("client-secret", "s3cr:t+ä ")];
    let secret_trimmed = [("client-secret", secret[0].1.trim_end())];
    let basic = of(&[], &secret_trimmed).await;
    // `my+client%3A1:s3cr%3At%2B%C3%A4`: both halves as in a form first.
    assert_eq!(basic.authorization.as_deref(), Some("Basic bXkrY2xpZW50JTNBMTpzM2NyJTNBdCUyQiVDMyVBNA=="));
    assert_eq!((basic.field("client_id"), basic.field("client_secret")), (None, None));
    let post = of(&[("client-authentication", "client_secret_post")], &secret_trimmed).await;
    assert_eq!((post.field("client_id"), post.field("client_secret")), (Some(id.1), Some("s3cr:t+ä")));
    assert_eq!(post.authorization, None);
    let jwt = of(&[], &[("private-key", P384)]).await;
    assert_eq!(jwt.field("client_assertion_type"), Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    assert_eq!(jwt.field("client_assertion").unwrap().split('.').count(), 3);
    assert_eq!(jwt.authorization, None);
}

#[tokio::test]
async fn the_operator_says_what_a_server_calls_its_grant_and_its_bearer_tokens() {
    let fields = [("client-id", "me"), ("grant-type", "account_credentials"), ("parameters", "account_id=abc")];
    let fields = [&fields[..], &[("token-type", "Application Access Token")]].concat();
    let secrets = [("client-secret", "s3cr:t")];
    let zoom = client(&given(Kind::OauthClientCredentials, &fields, &secrets), &declared()).unwrap();
    let server = Server::answering(&[(200, &GOOD.replace("Bearer", "application access token"))]);
    obtain(&server, "key", &zoom, None, now()).await.unwrap();
    let asked = server.asked().remove(0);
    assert_eq!((asked.field("grant_type"), asked.field("account_id")), (Some("account_credentials"), Some("abc")));
    for own in ["password", "refresh_token", "a b", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        let fields = [("client-id", "me"), ("grant-type", own)];
        let error = client(&given(Kind::OauthClientCredentials, &fields, &secrets), &declared()).unwrap_err();
        assert!(error.to_string().starts_with("`grant-type`"), "{error}");
    }
}

#[tokio::test]
async fn a_signed_jwt_is_exchanged_and_github_gets_it_as_a_bearer() {
    let server =
        Server::answering(&[(200, GOOD), (201, r#"{"token":"ghs_1234","expires_at":"2026-11-21T13:00:00Z"}"#)]);
    let fields = [("issuer", "me"), ("scope", "api")];
    let bearer = client(&given(Kind::JwtBearer, &fields, &[("private-key", RSA)]), &declared()).unwrap();
    obtain(&server, "key", &bearer, None, now()).await.unwrap();
    let fields = [("app-id", "1"), ("installation-id", "2")];
    let app = client(&given(Kind::GithubApp, &fields, &[("private-key", PKCS1)]), &OAuth::default()).unwrap();
    let token = obtain(&server, "key", &app, None, now()).await.unwrap();
    assert_eq!(token.access.expose(), b"ghs_1234");
    let [jwt, github] = &server.asked()[..] else { panic!() };
    // RFC 7523, section 2.1.
    assert_eq!(jwt.field("grant_type"), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    assert_eq!((jwt.field("scope"), jwt.field("client_id")), (Some("api"), None));
    assert!(jwt.field("assertion").is_some());
    assert!(github.authorization.as_deref().unwrap().starts_with("Bearer eyJ"));
    assert!(github.form.is_empty());
}

#[tokio::test]
async fn a_rotated_refresh_token_takes_the_old_ones_place_and_without_one_the_old_one_stays() {
    let server = Server::answering(&[
        (200, r#"{"access_token":"access-1","refresh_token":"refresh-2","instance_url":"https://a.example"}"#),
        (200, r#"{"access_token":"access-2"}"#),
        (400, r#"{"error":"invalid_grant","error_description":"token revoked: refresh-2"}"#),
    ]);
    let secrets = [("refresh-token", "refresh-1")];
    let declared = OAuth { values: vec!["instance_url".into()], ..declared() };
    let client = client(&given(Kind::OauthRefreshToken, &[("client-id", "me")], &secrets), &declared).unwrap();
    let first = obtain(&server, "key", &client, None, now()).await.unwrap();
    assert_eq!(first.refresh.as_ref().unwrap().expose(), b"refresh-2");
    let second = obtain(&server, "key", &client, Some(&first), now()).await.unwrap();
    assert_eq!(second.refresh.as_ref().unwrap().expose(), b"refresh-2");
    assert_eq!(second.values["instance_url"], "https://a.example", "it is not said again with each token");
    let error = obtain(&server, "key", &client, Some(&second), now()).await.unwrap_err();
    assert!(matches!(&error, TokenError::Reconnect(_)) && !error.to_string().contains("refresh-2"), "{error}");
    assert!(matches!(error.at("key"), crate::VaultError::Reconnect { .. }));
    let sent: Vec<_> = server.asked().iter().map(|asked| asked.field("refresh_token").unwrap().to_owned()).collect();
    assert_eq!(sent, ["refresh-1", "refresh-2", "refresh-2"]);
}

#[tokio::test]
async fn what_did_not_come_through_is_told_as_it_is_and_no_secret_with_it() {
    let denied = TokenSendError { code: "denied".into(), message: "not granted".into(), retryable: false };
    let server = Server::default();
    server.answers.lock().unwrap().push_back(Err(denied.clone()));
    let secrets = [("client-secret", "hunter22")];
    let client = client(&given(Kind::OauthClientCredentials, &[("client-id", "me")], &secrets), &declared()).unwrap();
    let error = obtain(&server, "key", &client, None, now()).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("denied", false));
    assert!(!format!("{client:?}").contains("hunter22"));
}

const METADATA: &str = r#"{"issuer":"https://id.example","token_endpoint":"https://id.example/t",
    "revocation_endpoint":"https://id.example/r","authorization_endpoint":"https://id.example/a?x=1",
    "grant_types_supported":["client_credentials"],"token_endpoint_auth_methods_supported":["private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported":["ES384"]}"#;

async fn smart(metadata: &str, key: &str, url: &str) -> Result<Vec<Asked>, TokenError> {
    let fields = [("client-id", "me"), ("key-id", "k1"), ("metadata-url", url)];
    let smart =
        client(&given(Kind::SmartBackendServices, &fields, &[("private-key", key)]), &OAuth::default()).unwrap();
    let server = Server::answering(&[(200, metadata), (200, GOOD), (200, GOOD)]);
    obtain(&server, "key", &smart, None, now()).await?;
    obtain(&server, "key", &smart, None, now()).await?;
    Ok(server.asked())
}

#[tokio::test]
async fn the_token_endpoint_is_the_one_of_the_metadata_which_is_asked_for_once() {
    let url = "https://fhir.example/r4/.well-known/smart-configuration";
    let asked = smart(METADATA, P384, url).await.unwrap();
    let urls: Vec<_> = asked.iter().map(|asked| asked.url.as_str()).collect();
    assert_eq!(urls, [url, "https://id.example/t", "https://id.example/t"]);
    assert_eq!((asked[0].purpose, asked[0].form.len()), (Purpose::Metadata, 0));
}

#[tokio::test]
async fn metadata_that_does_not_fit_is_refused_before_anything_secret_is_sent() {
    let smart_url = "https://fhir.example/r4/.well-known/smart-configuration";
    let openid = "https://id.example/.well-known/openid-configuration";
    let rfc8414 = "https://id.example/.well-known/oauth-authorization-server/tenant";
    let tenant = METADATA.replace(r#""https://id.example","#, r#""https://id.example/tenant","#);
    assert!(smart(METADATA, P384, openid).await.is_ok());
    assert!(smart(&tenant, P384, rfc8414).await.is_ok());
    let refused = [
        (METADATA.to_owned(), RSA, smart_url, "signed with RS384"),
        (METADATA.replace("private_key_jwt", "none"), P384, smart_url, "does not take private_key_jwt"),
        (METADATA.replace("client_credentials", "implicit"), P384, smart_url, "no grant of type client_credentials"),
        (METADATA.replace("https://id.example/t", "http://id.example/t"), P384, smart_url, "`token_endpoint`"),
        (METADATA.replace("https://id.example/t", "https://u:p@id.example/t"), P384, smart_url, "`token_endpoint`"),
        (METADATA.replace("token_endpoint\"", "x\""), P384, smart_url, "names no `token_endpoint`"),
        (METADATA.to_owned(), P384, rfc8414, "`issuer` is not the one"),
        (tenant, P384, openid, "`issuer` is not the one"),
        (METADATA.replace("issuer", "x"), P384, openid, "no `issuer`"),
        ("[]".to_owned(), P384, smart_url, "no JSON object"),
    ];
    for (metadata, key, url, problem) in refused {
        let error = smart(&metadata, key, url).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn both_tokens_are_revoked_and_a_server_that_knows_one_kind_is_enough() {
    let secrets = [("client-secret", "hunter22")];
    let declared = OAuth { revoke_url: Some("https://id.example/revoke".into()), ..declared() };
    let client = client(
        &given(
            Kind::OauthAuthorizationCode,
            &[("client-id", "me"), ("authorize-url", "https://id.example/a")],
            &secrets,
        ),
        &declared,
    )
    .unwrap();
    let server = Server::answering(&[(200, ""), (400, r#"{"error":"unsupported_token_type"}"#)]);
    assert!(revoke(&server, "key", &client, &token("access-1", Some("refresh-1")), now()).await.unwrap());
    let sent: Vec<_> = server
        .asked()
        .iter()
        .map(|a| (a.field("token").unwrap().to_owned(), a.field("token_type_hint").unwrap().to_owned()))
        .collect();
    assert_eq!(sent, [("refresh-1".into(), "refresh_token".into()), ("access-1".into(), "access_token".into())]);
    assert!(server.asked().iter().all(|asked| asked.purpose == Purpose::Revocation && asked.authorization.is_some()));
    let server = Server::answering(&[(503, "")]);
    assert!(revoke(&server, "key", &client, &token("access-1", None), now()).await.unwrap_err().retryable());
}

#[tokio::test]
async fn a_clients_assertion_is_for_the_token_endpoint_also_where_a_token_is_revoked() {
    let fields = [("client-id", "me"), ("key-id", "k1"), ("metadata-url", "https://id.example/.well-known/x")];
    let client =
        client(&given(Kind::SmartBackendServices, &fields, &[("private-key", P384)]), &OAuth::default()).unwrap();
    let server = Server::answering(&[(200, METADATA), (200, "")]);
    assert!(revoke(&server, "key", &client, &token("access-1", None), now()).await.unwrap());
    let asked = &server.asked()[1];
    assert_eq!(asked.url, "https://id.example/r");
    let claims = asked.field("client_assertion").unwrap().split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, claims).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&claims).unwrap()["aud"], "https://id.example/t");
    let none = Server::answering(&[(200, r#"{"token_endpoint":"https://id.example/t"}"#)]);
    let fresh = OAuthClient { known: Mutex::default(), ..Arc::into_inner(client).unwrap() };
    assert!(!revoke(&none, "key", &fresh, &token("access-1", None), now()).await.unwrap(), "it has no place to ask at");
}
