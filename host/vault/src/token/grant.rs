//! What a token is asked for with: the requests of each grant.

use http::{Method, header::AUTHORIZATION};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{assertion, authentication, error::TokenError, request::Draft};
use crate::{
    client::{Purpose, TokenRequest},
    material::{Assertion, OAuthClient},
    secret::Secret,
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a token is asked for with, now.
pub(super) enum With<'a> {
    /// RFC 6749, section 4.4.
    ClientCredentials,
    /// RFC 6749, section 6.
    RefreshToken(&'a Secret),
    /// RFC 6749, section 4.1.3, with PKCE (RFC 7636, section 4.5).
    Code { code: &'a Secret, verifier: &'a [u8], redirect: &'a str },
    /// RFC 7523, section 2.1.
    JwtBearer(&'a Assertion),
    /// GitHub's own: the JWT is a bearer, and the URL says for which installation.
    Github(&'a Assertion),
}

impl With<'_> {
    /// Its name in a server's metadata (RFC 8414, section 2).
    pub(super) fn grant_type(&self) -> &'static str {
        match self {
            With::ClientCredentials => "client_credentials",
            With::RefreshToken(_) => "refresh_token",
            With::Code { .. } => "authorization_code",
            With::JwtBearer(_) => JWT_BEARER,
            With::Github(_) => "",
        }
    }
}

/// The grant's name in a request: where the operator gives another for client credentials (Zoom's `account_credentials`), that.
pub(super) fn grant_type<'a>(client: &'a OAuthClient, with: &With<'a>) -> &'a str {
    match (with, &client.grant_type) {
        (With::ClientCredentials, Some(own)) => own.as_str(),
        _ => with.grant_type(),
    }
}

/// The request for a token.
pub(super) fn request(
    slot: &str,
    client: &OAuthClient,
    with: &With<'_>,
    url: &str,
    now: Timestamp,
) -> Result<TokenRequest, TokenError> {
    let mut draft = Draft::new(slot, Purpose::Token);
    if let With::Github(assertion) = with {
        let jwt = assertion::github(assertion, now)?;
        draft.hide(&jwt);
        let mut value = Zeroizing::new(Vec::with_capacity(7 + jwt.len()));
        value.extend_from_slice(b"Bearer ");
        value.extend_from_slice(&jwt);
        draft.header(AUTHORIZATION, value)?;
        return Ok(draft.without_body(Method::POST, url));
    }
    draft.field("grant_type", grant_type(client, with));
    let mut scopes = client.scopes.as_slice();
    match with {
        With::RefreshToken(token) => {
            draft.secret_field("refresh_token", token.expose());
            // None means those that were agreed to.
            scopes = &[];
        }
        With::Code { code, verifier, redirect } => {
            draft.secret_field("code", code.expose());
            draft.field("redirect_uri", redirect);
            draft.secret_field("code_verifier", verifier);
            scopes = &[];
        }
        With::JwtBearer(assertion) => {
            let jwt = assertion::grant(assertion, url, scopes, now)?;
            draft.secret_field("assertion", &jwt);
            if assertion.scope_is_a_claim {
                scopes = &[];
            }
        }
        With::ClientCredentials | With::Github(_) => {}
    }
    if !scopes.is_empty() {
        draft.field("scope", &scopes.join(" "));
    }
    authentication::write(client, url, now, &mut draft)?;
    for (name, value) in &client.parameters {
        draft.field(name, value);
    }
    Ok(draft.form(url))
}
