//! Signed JWTs (RFC 7515, RFC 7519): what a client proves itself with, and what it asks for a token with (RFC 7523).

use aws_lc_rs::rand;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::crypto;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::error::TokenError;
use crate::material::{Assertion, JwtKey};

/// How long a client's assertion is valid, in seconds: SMART takes five minutes, and clocks differ.
const CLIENT_LIFETIME: i64 = 240;
/// GitHub takes no `iat` that its own clock has not reached; so far back it is set, in seconds.
const GITHUB_BACK: i64 = 60;

/// The assertion by which a client proves who it is (RFC 7523, section 3).
pub(super) fn client(key: &JwtKey, id: &str, audience: &str, now: Timestamp) -> Result<Jwt, TokenError> {
    let now = now.as_second();
    let claims = json!({
        "iss": id, "sub": id, "aud": audience, "iat": now, "exp": now + CLIENT_LIFETIME, "jti": random()?.as_str(),
    });
    sign(key, &claims)
}

/// The JWT that a token is asked for with (RFC 7523, section 2.1).
pub(super) fn grant(
    assertion: &Assertion,
    token_url: &str,
    scopes: &[String],
    now: Timestamp,
) -> Result<Jwt, TokenError> {
    let now = now.as_second();
    let mut claims: Map<String, Value> = assertion.claims.clone();
    let own = json!({
        "iss": assertion.issuer,
        "aud": assertion.audience.as_deref().unwrap_or(token_url),
        "iat": now,
        "exp": now + assertion.lifetime,
        "jti": random()?.as_str(),
    });
    if let Value::Object(own) = own {
        claims.extend(own);
    }
    if let Some(subject) = &assertion.subject {
        claims.insert("sub".to_owned(), subject.as_str().into());
    }
    if assertion.scope_is_a_claim {
        claims.insert("scope".to_owned(), scopes.join(" ").into());
    }
    sign(&assertion.key, &Value::Object(claims))
}

/// The JWT that says which GitHub App asks.
pub(super) fn github(assertion: &Assertion, now: Timestamp) -> Result<Jwt, TokenError> {
    let now = now.as_second();
    let claims = json!({ "iss": assertion.issuer, "iat": now - GITHUB_BACK, "exp": now + assertion.lifetime });
    sign(&assertion.key, &claims)
}

/// A JWT, as it is sent.
pub(super) type Jwt = Zeroizing<Vec<u8>>;

/// In the compact form (RFC 7515, section 7.1).
pub(super) fn sign(key: &JwtKey, claims: &Value) -> Result<Jwt, TokenError> {
    let mut header = json!({ "alg": key.algorithm_name(), "typ": "JWT" });
    if let (Some(id), Some(header)) = (&key.id, header.as_object_mut()) {
        header.insert("kid".to_owned(), id.as_str().into());
    }
    let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    // The message is no secret. With its signature it is a credential, for a few minutes.
    let signature = crypto::sign(message.as_bytes(), &key.key, key.algorithm)
        .map(Zeroizing::new)
        .map_err(|_| TokenError::Request("the private key cannot sign".to_owned()))?;
    let mut jwt = Zeroizing::new(Vec::with_capacity(message.len() + 1 + signature.len()));
    jwt.extend_from_slice(message.as_bytes());
    jwt.push(b'.');
    jwt.extend_from_slice(signature.as_bytes());
    Ok(jwt)
}

/// 256 random bits as 43 characters: for `jti`, `state`, and PKCE's verifier (RFC 7636, section 4.1).
pub(super) fn random() -> Result<Zeroizing<String>, TokenError> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| TokenError::Request("this host has no random numbers".to_owned()))?;
    Ok(Zeroizing::new(base64url(bytes.as_slice())))
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
