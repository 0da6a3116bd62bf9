//! What an authorization server says about itself: RFC 8414, OpenID Connect Discovery, SMART App Launch 2.2. It is believed
//! only as far as the gate opens what it names.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::Url;

use super::{authentication, error::TokenError, obtain::send, request::Draft};
use crate::{
    client::{Purpose, TokenClient},
    material::{self, Authentication, OAuthClient},
};

/// Largest metadata, in bytes.
const MAX_METADATA: usize = 256 * 1024;
/// How long it is believed.
const BELIEVED: SignedDuration = SignedDuration::from_hours(1);

/// What a server said, and when.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    at: Timestamp,
    metadata: Metadata,
}

/// The members that are read (RFC 8414, section 2; RFC 9207, section 3). None of them is a secret.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    grant_types_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// What the server says, asked for once an hour. None where the client has no URL for it.
pub(super) async fn metadata(
    sender: &dyn TokenClient,
    slot: &str,
    client: &OAuthClient,
    now: Timestamp,
) -> Result<Option<Metadata>, TokenError> {
    let Some(url) = &client.endpoints.metadata else { return Ok(None) };
    let known = lock(client).clone();
    if let Some(known) = known.filter(|known| now.duration_since(known.at) < BELIEVED) {
        return Ok(Some(known.metadata));
    }
    let answer = send(sender, Draft::new(slot, Purpose::Metadata).without_body(Method::GET, url)).await?;
    if answer.status != 200 {
        return Err(TokenError::refused(answer.status, "", None, &crate::Scrubber::default()));
    }
    let metadata = read(url, &answer.body)?;
    *lock(client) = Some(Known { at: now, metadata: metadata.clone() });
    Ok(Some(metadata))
}

fn lock(client: &OAuthClient) -> std::sync::MutexGuard<'_, Option<Known>> {
    client.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Reads and checks metadata that came from `url`.
pub(super) fn read(url: &str, body: &[u8]) -> Result<Metadata, TokenError> {
    let wrong = |problem: &str| TokenError::Metadata(problem.to_owned());
    if body.len() > MAX_METADATA {
        return Err(wrong("it is larger than 256 KiB"));
    }
    let metadata: Metadata =
        serde_json::from_slice(body).map_err(|_| wrong("it is no JSON object with the members of RFC 8414"))?;
    let from = Url::parse(url).map_err(|_| wrong("its URL is none"))?;
    issuer(&from, &metadata).map_err(wrong)?;
    let endpoints = [
        ("token_endpoint", &metadata.token_endpoint),
        ("authorization_endpoint", &metadata.authorization_endpoint),
        ("revocation_endpoint", &metadata.revocation_endpoint),
    ];
    for (name, endpoint) in endpoints {
        let Some(text) = endpoint else { continue };
        let fits = match name {
            "authorization_endpoint" | "token_endpoint" => material::url_with_query(text),
            _ => material::url(text),
        };
        let endpoint = fits.and_then(|text| Url::parse(&text).ok());
        let safe = endpoint.is_some_and(|endpoint| endpoint.scheme() == "https" || endpoint.origin() == from.origin());
        if !safe {
            return Err(wrong(&format!("its `{name}` is neither an https URL nor one of the same origin")));
        }
    }
    Ok(metadata)
}

/// The issuer is who the URL says it is (RFC 8414, section 3.3; OpenID Connect Discovery 1.0, section 4.3). SMART's metadata
/// stands with the FHIR server, which may have another issuer, and many have none.
fn issuer(from: &Url, metadata: &Metadata) -> Result<(), &'static str> {
    const OPENID: &str = "/.well-known/openid-configuration";
    const RFC8414: &str = "/.well-known/oauth-authorization-server";
    let (path, origin) = (from.path(), from.origin().ascii_serialization());
    let expected = if let Some(before) = path.strip_suffix(OPENID) {
        format!("{origin}{before}")
    } else if let Some(after) = path.strip_prefix(RFC8414) {
        format!("{origin}{after}")
    } else {
        return Ok(());
    };
    match &metadata.issuer {
        None => Err("it has no `issuer`"),
        // A path of `/` and none are the same.
        Some(issuer) if issuer.trim_end_matches('/') == expected.trim_end_matches('/') => Ok(()),
        Some(_) => Err("its `issuer` is not the one that its URL belongs to"),
    }
}

/// Whether the server takes what the client is about to send, as far as it says.
pub(super) fn fits(metadata: &Metadata, client: &OAuthClient, grant_type: &str) -> Result<(), TokenError> {
    let lacks = |list: &Option<Vec<String>>, wanted: &str| {
        list.as_ref().is_some_and(|list| !list.iter().any(|one| one == wanted))
    };
    if lacks(&metadata.grant_types_supported, grant_type) {
        return Err(TokenError::Metadata(format!("the server has no grant of type {grant_type}")));
    }
    let method = authentication::method(&client.authentication);
    // Without a client there is no method, and some servers leave `none` out.
    if method != "none" && lacks(&metadata.token_endpoint_auth_methods_supported, method) {
        return Err(TokenError::Metadata(format!("the server does not take {method} from clients")));
    }
    if let Authentication::PrivateKeyJwt { key, .. } = &client.authentication {
        let algorithm = key.algorithm_name();
        if lacks(&metadata.token_endpoint_auth_signing_alg_values_supported, &algorithm) {
            return Err(TokenError::Metadata(format!("the server does not take assertions signed with {algorithm}")));
        }
    }
    if grant_type == "authorization_code" && lacks(&metadata.code_challenge_methods_supported, "S256") {
        return Err(TokenError::Metadata("the server does not know PKCE with S256".to_owned()));
    }
    Ok(())
}
