//! How a client proves who it is to an authorization server (RFC 6749, section 2.3; RFC 7523, section 2.2).

use base64::{Engine, prelude::BASE64_STANDARD};
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{
    assertion,
    error::TokenError,
    request::{Draft, encode},
};
use crate::material::{Authentication, OAuthClient};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Writes it on a request. `token_url` is the server's token endpoint, which stands for the server in assertions.
pub(super) fn write(
    client: &OAuthClient,
    token_url: &str,
    now: Timestamp,
    draft: &mut Draft<'_>,
) -> Result<(), TokenError> {
    let id = client.id.as_deref();
    let need = || id.ok_or_else(|| TokenError::Request("the credential has no `client-id`".to_owned()));
    match &client.authentication {
        Authentication::None => {
            // Without an id there is no client: a JWT says who asks.
            if let Some(id) = id {
                draft.field("client_id", id);
            }
        }
        Authentication::SecretBasic(secret) => {
            draft.hide(secret.expose());
            let pair = basic(need()?.as_bytes(), secret.expose());
            draft.hide(&pair);
            let size = 6 + pair.len().div_ceil(3) * 4;
            let mut value = Zeroizing::new(Vec::with_capacity(size));
            value.extend_from_slice(b"Basic ");
            value.resize(size, 0);
            let room = value.get_mut(6..).unwrap_or_default();
            let length = BASE64_STANDARD
                .encode_slice(pair.as_slice(), room)
                .map_err(|_| TokenError::Request("the client's secret is too long".to_owned()))?;
            value.truncate(6 + length);
            draft.header(AUTHORIZATION, value)?;
        }
        Authentication::SecretPost(secret) => {
            draft.field("client_id", need()?);
            draft.secret_field("client_secret", secret.expose());
        }
        Authentication::PrivateKeyJwt { key, audience } => {
            let jwt = assertion::client(key, need()?, audience.as_deref().unwrap_or(token_url), now)?;
            draft.field("client_assertion_type", ASSERTION_TYPE);
            draft.secret_field("client_assertion", &jwt);
        }
    }
    Ok(())
}

/// Id and secret, each written as in a form first (RFC 6749, section 2.3.1): a colon in the id would else end it.
fn basic(id: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut pair = Zeroizing::new(Vec::with_capacity(3 * (id.len() + secret.len()) + 1));
    encode(id, &mut pair);
    pair.push(b':');
    encode(secret, &mut pair);
    pair
}

/// Its name in a server's metadata (RFC 8414, section 2).
pub(super) fn method(authentication: &Authentication) -> &'static str {
    match authentication {
        Authentication::None => "none",
        Authentication::SecretBasic(_) => "client_secret_basic",
        Authentication::SecretPost(_) => "client_secret_post",
        Authentication::PrivateKeyJwt { .. } => "private_key_jwt",
    }
}
