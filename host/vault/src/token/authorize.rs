//! A person's agreement, in a browser: authorization code with PKCE (RFC 6749, section 4.1; RFC 7636; RFC 9207; RFC 9700).
//!
//! What lies between start and callback is `pending`: it holds PKCE's verifier and is to be sealed. It is used once: whoever
//! keeps it takes it away before `finish`.

use aws_lc_rs::{constant_time, digest};
use jiff::{SignedDuration, Timestamp};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{
    assertion::{base64url, random},
    discovery::{self, Metadata},
    error::{TokenError, shown},
    grant::With,
    life::{pack, text, time, unpack},
    obtain::exchange,
};
use crate::{
    Scrubber,
    client::TokenClient,
    material::{Grant, OAuthClient},
    secret::Secret,
    usable::Token,
};

/// How long a person may take.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// Longest callback, in bytes.
const MAX_CALLBACK: usize = 16 * 1024;

/// Where a person is sent, and what is kept until they come back.
pub(crate) struct Started {
    /// The URL to open.
    pub(crate) url: String,
    /// Comes back in the callback, and says which `pending` it belongs to.
    #[allow(dead_code, reason = "for who keeps more than one start of a slot")]
    pub(crate) state: String,
    /// To be sealed, and given to `finish`.
    pub(crate) pending: Zeroizing<Vec<u8>>,
}

/// Begins: a URL to open. `redirect` is where the server sends the person back to.
pub(crate) async fn start(
    sender: &dyn TokenClient,
    slot: &str,
    client: &OAuthClient,
    redirect: &str,
    now: Timestamp,
) -> Result<Started, TokenError> {
    let request = |problem: &str| TokenError::Request(problem.to_owned());
    if !matches!(client.grant, Grant::AuthorizationCode) {
        return Err(request("only a credential of kind oauth-authorization-code is connected in a browser"));
    }
    let fits = Url::parse(redirect).is_ok_and(|url| url.fragment().is_none() && url.has_authority());
    if !fits {
        return Err(request("the redirect URL is an absolute URL without a fragment"));
    }
    let known = discovery::metadata(sender, slot, client, now).await?;
    if let Some(known) = &known {
        discovery::fits(known, client, "authorization_code")?;
    }
    let Metadata { issuer, authorization_endpoint, authorization_response_iss_parameter_supported: says, .. } =
        known.unwrap_or_default();
    let endpoint = client.endpoints.authorize.clone().or(authorization_endpoint);
    let endpoint = endpoint.ok_or_else(|| TokenError::Metadata("it names no `authorization_endpoint`".to_owned()))?;
    let mut url = Url::parse(&endpoint).map_err(|_| request("the authorization endpoint is no URL"))?;

    let (verifier, state) = (random()?, random()?);
    let mut query = url.query_pairs_mut();
    query.append_pair("response_type", "code");
    query.append_pair("client_id", client.id.as_deref().unwrap_or_default());
    query.append_pair("redirect_uri", redirect);
    query.append_pair("state", &state);
    query.append_pair("code_challenge", &challenge(&verifier));
    query.append_pair("code_challenge_method", "S256");
    if !client.scopes.is_empty() {
        query.append_pair("scope", &client.scopes.join(" "));
    }
    if client.scopes.iter().any(|scope| scope == "openid") {
        // For servers that insist. No id token is read here: what binds the code to this start is PKCE.
        query.append_pair("nonce", &random()?);
    }
    for (name, value) in client.parameters.iter().chain(&client.authorize_parameters) {
        query.append_pair(name, value);
    }
    drop(query);

    let at = now.as_nanosecond().to_string();
    let issuer = issuer.unwrap_or_default();
    let says: &[u8] = if says { b"iss" } else { b"" };
    let pending =
        pack(&[verifier.as_bytes(), state.as_bytes(), redirect.as_bytes(), issuer.as_bytes(), says, at.as_bytes()]);
    Ok(Started { url: url.into(), state: state.to_string(), pending })
}

/// PKCE's S256 (RFC 7636, section 4.2).
pub(super) fn challenge(verifier: &str) -> String {
    base64url(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// Ends: the callback, as a URL or its query alone, is checked, and its code exchanged for a token.
pub(crate) async fn finish(
    sender: &dyn TokenClient,
    slot: &str,
    client: &OAuthClient,
    pending: &[u8],
    callback: &str,
    now: Timestamp,
) -> Result<Token, TokenError> {
    let damaged = || TokenError::Callback("what was kept since the start is damaged; start again".to_owned());
    let parts = unpack(pending).ok_or_else(damaged)?;
    let &[verifier, state, redirect, issuer, says, at] = parts.as_slice() else { return Err(damaged()) };
    let (redirect, at) = (text(redirect).ok_or_else(damaged)?, time(at).ok_or_else(damaged)?);
    if now.duration_since(at) > PATIENCE {
        return Err(TokenError::Callback("it came too late; start again".to_owned()));
    }
    let code = code(callback, state, issuer, !says.is_empty())?;
    exchange(sender, slot, client, &With::Code { code: &code, verifier, redirect }, now).await
}

/// The code in a callback that is an answer to the request with this `state`.
pub(super) fn code(callback: &str, state: &[u8], issuer: &[u8], says_issuer: bool) -> Result<Secret, TokenError> {
    let wrong = |problem: &str| Err(TokenError::Callback(problem.to_owned()));
    if callback.len() > MAX_CALLBACK {
        return wrong("it is longer than 16 KiB");
    }
    let query = callback.split_once('?').map_or(callback, |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let mut members: [(&str, Option<Zeroizing<String>>); 5] =
        [("state", None), ("iss", None), ("error", None), ("error_description", None), ("code", None)];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some((_, member)) = members.iter_mut().find(|(own, _)| *own == name) else { continue };
        if member.replace(Zeroizing::new(value.into_owned())).is_some() {
            return wrong("it says something twice");
        }
    }
    let [(_, own), (_, iss), (_, error), (_, description), (_, code)] = members;
    // First of all: only who has the state may say anything, not even an error.
    let own = own.map(|own| constant_time::verify_slices_are_equal(own.as_bytes(), state).is_ok());
    match own {
        Some(true) => {}
        Some(false) => return wrong("its `state` is not the one of this start; start again"),
        None => return wrong("it has no `state`"),
    }
    match iss {
        // RFC 9207, section 2.4: another server's answer, sent here to make us show the code to this one.
        Some(iss) if !issuer.is_empty() && iss.as_bytes() != issuer => {
            return wrong("it is from another authorization server (`iss`)");
        }
        None if says_issuer => return wrong("it does not say which authorization server it is from (`iss`)"),
        _ => {}
    }
    if let Some(error) = error {
        let hidden = code.iter().filter_map(|code| Secret::new(code.as_bytes().to_vec()).ok());
        let hidden: Vec<_> = hidden.map(|code| ("code".to_owned(), code)).collect();
        let scrubber = Scrubber::new(hidden.iter().map(|(name, code)| (name, code)));
        let told = description.map(|text| format!(": {}", shown(&text, 300, &scrubber))).unwrap_or_default();
        return wrong(&format!("the authorization server refused with {}{told}", shown(&error, 64, &scrubber)));
    }
    let Some(code) = code else { return wrong("it has no `code`") };
    Secret::new(code.as_bytes().to_vec()).or_else(|_| wrong("its `code` cannot be one"))
}
