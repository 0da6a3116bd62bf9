use proptest::{prelude::*, test_runner::Config};

use super::*;

pub(crate) const RSA: &str = include_str!("../../tests/data/keys/rfc7515-a2.pem");
pub(crate) const P256: &str = include_str!("../../tests/data/keys/rfc7515-a3.pem");
pub(crate) const P384: &str = include_str!("../../tests/data/keys/p384.pem");
pub(crate) const ED25519: &str = include_str!("../../tests/data/keys/rfc8037-a1.pem");
pub(crate) const PKCS1: &str = include_str!("../../tests/data/keys/rfc7515-a2.pkcs1.pem");
const SEC1: &str = include_str!("../../tests/data/keys/rfc7515-a3.sec1.pem");
const PUBLIC: &str = include_str!("../../tests/data/keys/rfc7515-a2.public.pem");

/// What an operator would hand over.
pub(crate) fn given(kind: Kind, fields: &[(&str, &str)], secrets: &[(&str, &str)]) -> Given {
    let own = |name: &str| name.to_owned();
    Given {
        kind,
        fields: fields.iter().map(|(name, value)| (own(name), own(value))).collect(),
        secrets: secrets
            .iter()
            .map(|(name, value)| (own(name), Secret::document(value.as_bytes().to_vec()).unwrap()))
            .collect(),
    }
}

fn oauth() -> OAuth {
    OAuth { token_url: Some("https://id.example/token".into()), ..OAuth::default() }
}

pub(crate) fn client(given: &Given, oauth: &OAuth) -> Result<Arc<OAuthClient>, MaterialError> {
    match Material::new(given, &Scheme::Bearer, Some(oauth))?.0 {
        Inside::OAuth(client) => Ok(client),
        Inside::Usable(_) => panic!("it gets no tokens"),
    }
}

fn refusal(given: &Given) -> String {
    client(given, &oauth()).unwrap_err().to_string()
}

#[test]
fn a_field_that_is_missing_or_unknown_or_given_openly_is_named() {
    let kind = Kind::OauthClientCredentials;
    assert_eq!(refusal(&given(kind, &[], &[])), "a credential of kind oauth-client-credentials needs `client-id`");
    let error = refusal(&given(kind, &[("client-id", "a"), ("clientid", "b")], &[]));
    assert!(error.contains("has no `clientid`; it has client-id, client-secret"), "{error}");
    let error = refusal(&given(kind, &[("client-id", "a"), ("client-secret", "hunter22")], &[]));
    assert_eq!(error, "`client-secret`: it is a secret; give it as one");
    let error = refusal(&given(kind, &[], &[("client-id", "hunter22")]));
    assert_eq!(error, "`client-id`: it is no secret, and is shown");
}

#[test]
fn how_a_client_proves_itself_follows_from_what_was_given() {
    let of = |fields: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let fields = [&[("client-id", "me")], fields].concat();
        client(&given(Kind::OauthClientCredentials, &fields, secrets), &oauth())
    };
    let basic = of(&[], &[("client-secret", "hunter22")]).unwrap();
    assert!(matches!(basic.authentication, Authentication::SecretBasic(_)));
    let post = of(&[("client-authentication", "client_secret_post")], &[("client-secret", "hunter22")]).unwrap();
    assert!(matches!(post.authentication, Authentication::SecretPost(_)));
    let jwt = of(&[("key-id", "k1")], &[("private-key", P384)]).unwrap();
    let Authentication::PrivateKeyJwt { key, .. } = &jwt.authentication else { panic!() };
    assert_eq!((key.algorithm_name().as_str(), key.id.as_deref()), ("ES384", Some("k1")));
    let both = of(&[], &[("private-key", P384), ("client-secret", "hunter22")]).unwrap_err().to_string();
    assert!(both.contains("not used with private_key_jwt"), "{both}");
    let none = of(&[], &[]).unwrap_err().to_string();
    assert!(none.contains("public client"), "{none}");
    let other = of(&[("client-authentication", "client_secret_jwt")], &[]).unwrap_err().to_string();
    assert!(other.contains("one of client_secret_basic"), "{other}");
}

#[test]
fn a_key_of_the_wrong_sort_is_told_by_what_it_is_and_what_is_needed() {
    let smart = |key: &str, algorithm: &[(&str, &str)]| {
        let fields = [&[("client-id", "me"), ("key-id", "k")], algorithm].concat();
        client(&given(Kind::SmartBackendServices, &fields, &[("private-key", key)]), &oauth())
    };
    let algorithm = |client: Arc<OAuthClient>| match &client.authentication {
        Authentication::PrivateKeyJwt { key, .. } => key.algorithm_name(),
        _ => panic!(),
    };
    assert_eq!(algorithm(smart(RSA, &[]).unwrap()), "RS384");
    assert_eq!(algorithm(smart(PKCS1, &[]).unwrap()), "RS384");
    assert_eq!(algorithm(smart(P384, &[]).unwrap()), "ES384");
    let refused = [
        (P256, "it is a key on the curve P-256, and RS384 or ES384 is needed"),
        (SEC1, "SEC 1"),
        (PUBLIC, "it is a public key; the private key is needed"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----", "passphrase"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "it is a certificate"),
        ("-----BEGIN PRIVATE KEY-----\nAAA\n-----END PRIVATE KEY-----", "base64"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no PKCS #8"),
        ("hunter22", "it is no PEM"),
    ];
    for (key, problem) in refused {
        let error = smart(key, &[]).unwrap_err().to_string();
        assert!(error.starts_with("`private-key`: ") && error.contains(problem), "{error}");
    }
    let error = smart(RSA, &[("algorithm", "RS256")]).unwrap_err().to_string();
    assert_eq!(error, "`algorithm`: an RSA key signs with RS384");
    // A key that is cut, but whole as base64.
    let cut: String = P384.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, cut).unwrap();
    let mut broken = der.clone();
    broken[40] ^= 0xff;
    let broken = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, broken);
    let error = smart(&format!("-----BEGIN PRIVATE KEY-----\n{broken}\n-----END PRIVATE KEY-----"), &[]).unwrap_err();
    assert!(error.to_string().contains("it cannot sign"), "{error}");
}

#[test]
fn a_google_key_file_is_read_and_says_nothing_of_itself_in_errors() {
    let file = serde_json::json!({
        "type": "service_account", "client_email": "me@acme.iam.gserviceaccount.com", "private_key_id": "k1",
        "private_key": RSA, "token_uri": "https://oauth2.googleapis.com/token",
    });
    let of = |file: &str, fields: &[(&str, &str)]| {
        client(&given(Kind::GoogleServiceAccount, fields, &[("key-file", file)]), &OAuth::default())
    };
    let scope = [("scope", "https://www.googleapis.com/auth/documents"), ("subject", "someone@acme.example")];
    let google = of(&file.to_string(), &scope).unwrap();
    let Grant::JwtBearer(assertion) = &google.grant else { panic!() };
    assert_eq!(assertion.issuer, "me@acme.iam.gserviceaccount.com");
    assert_eq!((assertion.subject.as_deref(), assertion.key.id.as_deref()), (Some("someone@acme.example"), Some("k1")));
    assert_eq!(google.endpoints.token.as_deref(), Some("https://oauth2.googleapis.com/token"));
    assert!(of(&file.to_string(), &[]).unwrap_err().to_string().contains("scopes"));
    for (name, value) in [("type", "authorized_user"), ("token_uri", "ftp://x"), ("private_key", PUBLIC)] {
        let mut file = file.clone();
        file[name] = value.into();
        let error = of(&file.to_string(), &scope).unwrap_err().to_string();
        assert!(error.starts_with("`key-file`: ") && !error.contains("MII"), "{error}");
    }
    let error = of("{\"type\": hunter22}", &scope).unwrap_err().to_string();
    assert!(error.contains("JSON") && !error.contains("hunter22"), "{error}");
}

#[test]
fn a_github_app_asks_at_its_installation() {
    let of = |installation: &str| {
        let fields = [("app-id", "12345"), ("installation-id", installation)];
        client(&given(Kind::GithubApp, &fields, &[("private-key", PKCS1)]), &OAuth::default())
    };
    let url = of("678").unwrap().endpoints.token.clone();
    assert_eq!(url.as_deref(), Some("https://api.github.com/app/installations/678/access_tokens"));
    assert!(of("678/../../x").is_err());
}

#[test]
fn what_the_host_writes_cannot_be_written_by_a_field() {
    let fields = |name: &'static str, value: &'static str| [("issuer", "me"), (name, value)];
    let of = |fields: &[(&str, &str)]| client(&given(Kind::JwtBearer, fields, &[("private-key", RSA)]), &oauth());
    assert!(of(&fields("claims", r#"{"exp": 9999999999}"#)).unwrap_err().to_string().contains("`exp`"));
    assert!(of(&fields("claims", "[]")).is_err());
    assert!(of(&fields("parameters", "Grant_Type=password")).unwrap_err().to_string().contains("written by the host"));
    assert!(of(&fields("lifetime", "7200")).is_err());
    assert!(of(&fields("scope", "a\"b")).is_err());
    for url in ["/token", "https://u@id.example/", "https://:p@id.example/", "https://id.example/#x", "file:///x"] {
        let fields = [("issuer", "me"), ("token-url", url)];
        assert!(of(&fields).unwrap_err().to_string().starts_with("`token-url`"), "{url}");
    }
    // A token endpoint may have a query, which is kept (RFC 6749, section 3.2); the others may not.
    let url = "https://id.example/token?p=B2C_1_x";
    assert_eq!(of(&[("issuer", "me"), ("token-url", url)]).unwrap().endpoints.token.as_deref(), Some(url));
    assert!(of(&[("issuer", "me"), ("revoke-url", url)]).unwrap_err().to_string().starts_with("`revoke-url`"));
    let good = of(&fields("claims", r#"{"tenant": "acme"}"#)).unwrap();
    let Grant::JwtBearer(assertion) = &good.grant else { panic!() };
    assert_eq!((assertion.claims["tenant"].as_str(), assertion.subject.as_deref()), (Some("acme"), Some("me")));
}

#[test]
fn the_operators_endpoints_and_scopes_stand_before_the_descriptors() {
    let secrets = [("client-secret", "hunter22")];
    let mut declared = OAuth { scopes: vec!["read".into(), "write".into()], ..oauth() };
    let of = |fields: &[(&str, &str)], declared: &OAuth| {
        let fields = [&[("client-id", "me")], fields].concat();
        client(&given(Kind::OauthClientCredentials, &fields, &secrets), declared)
    };
    let theirs = of(&[], &declared).unwrap();
    let urls = Material::new(
        &given(Kind::OauthClientCredentials, &[("client-id", "me")], &secrets),
        &Scheme::Bearer,
        Some(&declared),
    );
    assert_eq!(urls.unwrap().token_urls(), [(Purpose::Token, "https://id.example/token")]);
    assert_eq!(
        (theirs.scopes.join(" "), theirs.endpoints.token.as_deref()),
        ("read write".into(), Some("https://id.example/token"))
    );
    let own = of(&[("scope", "read"), ("token-url", "https://own.example/t")], &declared).unwrap();
    assert_eq!((own.scopes.join(" "), own.endpoints.token.as_deref()), ("read".into(), Some("https://own.example/t")));
    declared.token_url = None;
    let missing = of(&[], &declared).unwrap_err();
    assert_eq!(missing, MaterialError::Missing { kind: "oauth-client-credentials", field: "token-url" });
}

#[test]
fn a_kind_that_does_not_fit_the_slot_is_refused_and_told_what_would() {
    let pair = given(Kind::KeyPair, &[("id", "AKIDEXAMPLE")], &[("secret", "hunter22")]);
    let secret = given(Kind::Secret, &[], &[("secret", "hunter22")]);
    let tokens = given(Kind::OauthClientCredentials, &[("client-id", "me")], &[("client-secret", "hunter22")]);
    let aws = Scheme::Sigv4 { service: "s3".into(), region: "eu-central-1".into() };
    let refuse = |given: &Given, scheme: &Scheme, oauth: Option<&OAuth>| match Material::new(given, scheme, oauth) {
        Err(MaterialError::Slot { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    assert!(refuse(&secret, &aws, None).contains("give one of kind key-pair"));
    assert!(refuse(&secret, &Scheme::ClientCertificate, None).contains("give one of kind client-certificate"));
    assert!(refuse(&pair, &Scheme::Bearer, None).contains("give one of kind secret"));
    assert!(refuse(&tokens, &Scheme::Bearer, None).contains("declares no authorization server"));
    assert!(refuse(&tokens, &Scheme::Basic, Some(&oauth())).contains("carries no token"));
    assert!(Material::new(&pair, &aws, None).is_ok());
    assert!(Material::new(&secret, &Scheme::Bearer, Some(&oauth())).is_ok());
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(64) })]

    #[test]
    fn no_key_makes_it_panic_or_is_shown(at in 0usize..400, flip in 1u8..) {
        let body: String = P384.lines().filter(|line| !line.starts_with("-----")).collect();
        let mut der = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, &body).unwrap();
        let at = at % der.len();
        der[at] ^= flip;
        let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        if let Err(error) = JwtKey::new("private-key", pem.as_bytes(), None, None, None) {
            prop_assert!(!error.to_string().contains(&text[60..80]));
        }
    }
}
