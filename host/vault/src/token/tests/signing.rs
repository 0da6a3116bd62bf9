use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Value, json};

use super::super::{assertion, authorize};
use super::*;
use crate::material::{
    Authentication, Grant, JwtKey, Kind,
    tests::{ED25519, P256, P384, PKCS1, RSA, client, given},
};

const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const P256_PUBLIC: (&str, &str) =
    ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
const P384_PUBLIC: (&str, &str) = (
    "NnV066KFHOCT2K_dOWshBsW_Zs6D6tDu5RvCVm17KswKtaUTDjQ91vRc6un6V48i",
    "fkINBEUXQRq8p5Lmc7fJHwa78uZUKkpc6FCJpZ15Qk0rcnD84wHjvFENHXHYQ1Xx",
);

fn part(jwt: &str, number: usize) -> Value {
    let part = jwt.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn the_signature_of_rfc_7515_appendix_a_2_is_ours() {
    let message = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let expected = include_str!("../../../tests/data/keys/rfc7515-a2.signature");
    for pem in [RSA, PKCS1] {
        let key = JwtKey::new("private-key", pem.as_bytes(), Some("RS256"), None, None).unwrap();
        assert_eq!(crypto::sign(message.as_bytes(), &key.key, key.algorithm).unwrap(), expected);
    }
}

#[test]
fn what_is_signed_verifies_with_the_public_key_of_the_rfc() {
    let rsa = DecodingKey::from_rsa_components(N, "AQAB").unwrap();
    let p256 = DecodingKey::from_ec_components(P256_PUBLIC.0, P256_PUBLIC.1).unwrap();
    let p384 = DecodingKey::from_ec_components(P384_PUBLIC.0, P384_PUBLIC.1).unwrap();
    let ed25519 = DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let all = [
        (RSA, "RS256", Algorithm::RS256, &rsa),
        (PKCS1, "RS384", Algorithm::RS384, &rsa),
        (RSA, "RS512", Algorithm::RS512, &rsa),
        (RSA, "PS256", Algorithm::PS256, &rsa),
        (P256, "ES256", Algorithm::ES256, &p256),
        (P384, "ES384", Algorithm::ES384, &p384),
        (ED25519, "EdDSA", Algorithm::EdDSA, &ed25519),
    ];
    for (pem, name, algorithm, public) in all {
        let key = JwtKey::new("private-key", pem.as_bytes(), Some(name), Some("k1"), None).unwrap();
        let jwt = assertion::sign(&key, &json!({"iss": "me"})).unwrap();
        let jwt = std::str::from_utf8(&jwt).unwrap();
        assert_eq!(part(jwt, 0), json!({"alg": name, "typ": "JWT", "kid": "k1"}));
        let (message, signature) = jwt.rsplit_once('.').unwrap();
        assert!(crypto::verify(signature, message.as_bytes(), public, algorithm).unwrap(), "{name}");
        assert!(!crypto::verify(signature, b"another", public, algorithm).unwrap(), "{name}");
    }
}

#[test]
fn a_clients_assertion_has_the_claims_of_rfc_7523_and_is_never_the_same() {
    let fields = [("client-id", "me"), ("key-id", "k1")];
    let smart = client(&given(Kind::SmartBackendServices, &fields, &[("private-key", P384)]), &declared()).unwrap();
    let Authentication::PrivateKeyJwt { key, .. } = &smart.authentication else { panic!() };
    let sign = || {
        let jwt = assertion::client(key, "me", "https://id.example/token", now()).unwrap();
        part(std::str::from_utf8(&jwt).unwrap(), 1)
    };
    let (one, two) = (sign(), sign());
    assert_eq!(
        (&one["iss"], &one["sub"], &one["aud"]),
        (&json!("me"), &json!("me"), &json!("https://id.example/token"))
    );
    let life = one["exp"].as_i64().unwrap() - now().as_second();
    assert!((60..=300).contains(&life), "SMART takes five minutes at most: {life}");
    assert_ne!(one["jti"], two["jti"]);
    assert!(one["jti"].as_str().unwrap().len() >= 32);
}

#[test]
fn a_grants_assertion_names_issuer_subject_audience_and_more_claims() {
    let fields = [
        ("issuer", "consumer"),
        ("subject", "me@acme.example"),
        ("audience", "https://login.example"),
        ("claims", r#"{"tenant":"acme"}"#),
    ];
    let bearer = client(&given(Kind::JwtBearer, &fields, &[("private-key", RSA)]), &declared()).unwrap();
    let Grant::JwtBearer(grant) = &bearer.grant else { panic!() };
    let jwt = assertion::grant(grant, "https://id.example/token", &[], now()).unwrap();
    let claims = part(std::str::from_utf8(&jwt).unwrap(), 1);
    assert_eq!(claims["iss"], "consumer");
    assert_eq!(claims["sub"], "me@acme.example");
    assert_eq!(claims["aud"], "https://login.example");
    assert_eq!(claims["tenant"], "acme");
    assert_eq!(claims["iat"], now().as_second());
}

#[test]
fn the_challenge_is_the_one_of_rfc_7636_appendix_b() {
    let challenge = authorize::challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}
