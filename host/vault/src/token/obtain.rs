//! A token for a client, or why there is none.

use jiff::Timestamp;

use super::{
    answer::{self, Expected},
    discovery,
    error::TokenError,
    grant::{self, With},
};
use crate::{
    client::{TokenClient, TokenRequest, TokenResponse},
    material::{Grant, OAuthClient},
    usable::Token,
};

/// Asks for a token. `current` is the one that there is, for its refresh token. `now` is from before the request, so that a
/// token is never taken for younger than it is.
pub(crate) async fn obtain(
    sender: &dyn TokenClient,
    slot: &str,
    client: &OAuthClient,
    current: Option<&Token>,
    now: Timestamp,
) -> Result<Token, TokenError> {
    let refresh = current.and_then(|token| token.refresh.as_ref());
    let with = match &client.grant {
        Grant::ClientCredentials => With::ClientCredentials,
        Grant::JwtBearer(assertion) => With::JwtBearer(assertion),
        Grant::Github(assertion) => With::Github(assertion),
        // A rotated one is newer than the one that was handed over.
        Grant::RefreshToken(given) => With::RefreshToken(refresh.unwrap_or(given)),
        Grant::AuthorizationCode => match refresh {
            Some(refresh) => With::RefreshToken(refresh),
            None if current.is_some() => {
                let why = "its token has expired, and the authorization server gave none to refresh it with";
                return Err(TokenError::Reconnect(why.to_owned()));
            }
            None => return Err(TokenError::Reconnect("nobody has agreed to it yet".to_owned())),
        },
    };
    let mut token = match exchange(sender, slot, client, &with, now).await {
        Err(TokenError::Refused { error, description, .. })
            if error == "invalid_grant" && matches!(with, With::RefreshToken(_)) =>
        {
            let told = description.map(|text| format!(" ({text})")).unwrap_or_default();
            let why = format!("the authorization server does not take its refresh token any more{told}");
            return Err(TokenError::Reconnect(why));
        }
        other => other?,
    };
    if let (With::RefreshToken(used), None) = (&with, &token.refresh) {
        token.refresh = Some(used.duplicate());
    }
    // A server says such things when a token is first given, and not always when it is refreshed.
    for (name, value) in current.iter().flat_map(|current| &current.values) {
        token.values.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Ok(token)
}

/// One exchange at the token endpoint.
pub(super) async fn exchange(
    sender: &dyn TokenClient,
    slot: &str,
    client: &OAuthClient,
    with: &With<'_>,
    now: Timestamp,
) -> Result<Token, TokenError> {
    let url = match &client.endpoints.token {
        Some(url) => url.clone(),
        None => {
            let missing = || TokenError::Metadata("it names no `token_endpoint`".to_owned());
            let metadata = discovery::metadata(sender, slot, client, now).await?.ok_or_else(missing)?;
            discovery::fits(&metadata, client, grant::grant_type(client, with))?;
            metadata.token_endpoint.ok_or_else(missing)?
        }
    };
    let request = grant::request(slot, client, with, &url, now)?;
    let scrubber = request.scrubber.clone();
    let response = send(sender, request).await?;
    let expected = Expected { values: &client.values, token_type: client.token_type.as_deref() };
    answer::read(&response, expected, &scrubber, now)
}

pub(super) async fn send(sender: &dyn TokenClient, request: TokenRequest) -> Result<TokenResponse, TokenError> {
    Ok(sender.send(request).await?)
}
