//! That a token is not to work any more (RFC 7009).

use jiff::Timestamp;

use super::{authentication, discovery, error::TokenError, obtain::send, request::Draft};
use crate::{
    client::{Purpose, TokenClient},
    material::OAuthClient,
    usable::Token,
};

/// Asks the server to revoke a token: its refresh token, where there is one, as most servers then revoke all that came of it;
/// and the access token. False if the server has no place to ask at.
pub(crate) async fn revoke(
    sender: &dyn TokenClient,
    slot: &str,
    client: &OAuthClient,
    token: &Token,
    now: Timestamp,
) -> Result<bool, TokenError> {
    let endpoints = &client.endpoints;
    let known = match (&endpoints.revoke, &endpoints.token) {
        (Some(_), Some(_)) => None,
        _ => discovery::metadata(sender, slot, client, now).await?,
    };
    let (known_url, known_token) =
        known.map_or((None, None), |known| (known.revocation_endpoint, known.token_endpoint));
    let Some(url) = endpoints.revoke.clone().or(known_url) else { return Ok(false) };
    // An assertion is for the token endpoint, also here: all servers take that.
    let token_url = endpoints.token.clone().or(known_token).unwrap_or_else(|| url.clone());
    let tokens = [("refresh_token", token.refresh.as_ref()), ("access_token", Some(&token.access))];
    let mut done = Ok(true);
    for (hint, secret) in tokens.into_iter().filter_map(|(hint, secret)| Some((hint, secret?))) {
        let mut draft = Draft::new(slot, Purpose::Revocation);
        draft.secret_field("token", secret.expose());
        draft.field("token_type_hint", hint);
        authentication::write(client, &token_url, now, &mut draft)?;
        let request = draft.form(&url);
        let scrubber = request.scrubber.clone();
        let answer = send(sender, request).await?;
        // Section 2.2: 200 also where there was no such token.
        if !(200..300).contains(&answer.status) {
            let code = error_code(&answer.body);
            // The other one is tried all the same: some servers revoke refresh tokens alone.
            let failed = TokenError::refused(answer.status, &code, None, &scrubber);
            if code != "unsupported_token_type" {
                done = Err(failed);
            }
        }
    }
    done
}

fn error_code(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        error: String,
    }
    serde_json::from_slice(body).map(|Refusal { error }| error).unwrap_or_default()
}
