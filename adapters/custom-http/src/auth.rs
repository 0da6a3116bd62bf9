//! How secrets are sent: what the config says under `auth`, as the slots of the SDK.

use std::{collections::BTreeMap, slice};

use portcullis_sdk::{DeclaredOAuth, Place, prelude::*};

use crate::config::Config;

/// How the API is told who asks: one secret, or a list of up to four that go with each request.
#[model]
#[derive(Debug)]
#[serde(untagged)]
pub(crate) enum Auths {
    /// One secret.
    One(Auth),
    /// Several secrets, each with a `slot` of its own.
    Several(Vec<Auth>),
}

/// How one secret is sent.
#[model]
#[derive(Debug)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Auth {
    /// There is none.
    None,
    /// `Authorization: Bearer SECRET`.
    Bearer(Token),
    /// `Authorization: Basic …`; the secret is `user:password`.
    Basic(Plain),
    /// A header of the API's own.
    Header(Prefixed),
    /// A query parameter. Only where the API offers nothing better: URLs end up in logs.
    Query(Named),
    /// A segment of the path: `{name}` in the `path` of each endpoint.
    Path(Prefixed),
    /// A cookie.
    Cookie(Named),
    /// A member of the JSON object, or a field of the form, that each endpoint sends.
    Body(Named),
    /// The request is signed with AWS Signature Version 4; the secret is an access key.
    Sigv4(Aws),
    /// The request is signed with a keyed hash over parts of it.
    Hmac(Signed),
    /// The connection is made with a client certificate.
    ClientCertificate(Plain),
}

/// What all kinds say.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    /// The slot's name, in lower-case letters, digits and `-`. By default `credential`.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64))]
    pub(crate) slot: Option<String>,
    /// Which secret, and where to find it: one sentence for whoever stores it.
    pub(crate) description: Option<String>,
}

/// A token.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    /// The slot's name, in lower-case letters, digits and `-`. By default `credential`.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64))]
    pub(crate) slot: Option<String>,
    /// Which secret, and where to find it: one sentence for whoever stores it.
    pub(crate) description: Option<String>,
    /// Who issues tokens, where the host is to ask for them.
    pub(crate) oauth: Option<Server>,
}

/// A secret at a place with a name.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// The place's name.
    #[schema(example = "key")]
    pub(crate) name: String,
    /// The slot's name, in lower-case letters, digits and `-`. By default `credential`.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64))]
    pub(crate) slot: Option<String>,
    /// Which secret, and where to find it: one sentence for whoever stores it.
    pub(crate) description: Option<String>,
    /// Who issues tokens, where the host is to ask for them.
    pub(crate) oauth: Option<Server>,
}

/// A secret at a place with a name, with text before it.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prefixed {
    /// The place's name.
    #[schema(example = "X-Api-Key")]
    pub(crate) name: String,
    /// Put before the secret as it is.
    #[serde(default)]
    #[schema(length(max = 64), example = "Token ")]
    pub(crate) prefix: String,
    /// The slot's name, in lower-case letters, digits and `-`. By default `credential`.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64))]
    pub(crate) slot: Option<String>,
    /// Which secret, and where to find it: one sentence for whoever stores it.
    pub(crate) description: Option<String>,
    /// Who issues tokens, where the host is to ask for them.
    pub(crate) oauth: Option<Server>,
}

/// What AWS Signature Version 4 is told.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aws {
    /// The service.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64), example = "execute-api")]
    pub(crate) service: String,
    /// The region.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64), example = "eu-central-1")]
    pub(crate) region: String,
    /// The slot's name, in lower-case letters, digits and `-`. By default `credential`.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64))]
    pub(crate) slot: Option<String>,
    /// Which secret, and where to find it: one sentence for whoever stores it.
    pub(crate) description: Option<String>,
}

/// What is hashed with the secret, and where it is written.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    /// The hash.
    pub(crate) algorithm: Algorithm,
    /// What is hashed: text with `{method}`, `{host}`, `{path}`, `{query}`, `{target}` (path and query), `{url}`, `{body}`,
    /// `{body-sha256}`, `{timestamp}`, `{timestamp-ms}`, `{date}`, `{nonce}`, `{key-id}` and `{header:NAME}`.
    #[schema(length(min = 1, max = 1024), example = "{timestamp}.{body}")]
    pub(crate) message: String,
    /// How the signature is written. By default in hexadecimal.
    #[serde(default)]
    pub(crate) encoding: MacEncoding,
    /// The headers that say it: text with `{signature}`, `{timestamp}`, `{timestamp-ms}`, `{date}`, `{nonce}` and `{key-id}`.
    #[schema(length(min = 1, max = 8), example = {"X-Signature": "t={timestamp},v1={signature}"})]
    pub(crate) headers: BTreeMap<String, String>,
    /// The slot's name, in lower-case letters, digits and `-`. By default `credential`.
    #[schema(pattern = "^[a-z0-9-]+$", length(min = 1, max = 64))]
    pub(crate) slot: Option<String>,
    /// Which secret, and where to find it: one sentence for whoever stores it.
    pub(crate) description: Option<String>,
}

/// A keyed hash.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Algorithm {
    /// HMAC-SHA-1.
    HmacSha1,
    /// HMAC-SHA-256.
    HmacSha256,
    /// HMAC-SHA-512.
    HmacSha512,
}

/// How the bytes of a signature are written.
#[model]
#[derive(Debug, Clone, Copy, Default)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MacEncoding {
    /// Lower-case hexadecimal.
    #[default]
    Hex,
    /// Base64 with padding.
    Base64,
    /// Base64 for URLs, without padding.
    Base64Url,
}

/// An authorization server (OAuth 2.0). What is left out is the operator's to say with the credential.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Server {
    /// Where tokens are asked for.
    #[schema(url, length(max = 2048), example = "https://login.acme.example/oauth/token")]
    pub(crate) token_url: Option<String>,
    /// Where a person agrees, in a browser.
    #[schema(url, length(max = 2048))]
    pub(crate) authorize_url: Option<String>,
    /// Where tokens are revoked.
    #[schema(url, length(max = 2048))]
    pub(crate) revoke_url: Option<String>,
    /// What the server says about itself (RFC 8414).
    #[schema(url, length(max = 2048))]
    pub(crate) metadata_url: Option<String>,
    /// The scopes that the endpoints need.
    #[serde(default)]
    #[schema(length(max = 64), example = ["tasks.read"])]
    pub(crate) scopes: Vec<String>,
}

/// The slot's name where the config gives it none.
const CREDENTIAL: &str = "credential";

impl Default for Auths {
    fn default() -> Self {
        Self::One(Auth::None)
    }
}

impl Auths {
    /// Each of them, with its place in the config.
    pub(crate) fn each(&self) -> impl Iterator<Item = (String, &Auth)> {
        let (all, is_list) = match self {
            Self::One(one) => (slice::from_ref(one), false),
            Self::Several(all) => (all.as_slice(), true),
        };
        let place = move |index| if is_list { format!("/auth/{index}") } else { "/auth".to_owned() };
        all.iter().enumerate().map(move |(index, auth)| (place(index), auth))
    }

    /// The slots.
    pub(crate) fn slots(&self) -> Vec<Slot<'_>> {
        self.each().filter_map(|(_, auth)| auth.slot()).collect()
    }

    /// Whether it writes a field of requests that would go to this place.
    pub(crate) fn writes(&self, place: Place, field: &str) -> bool {
        self.each().any(|(_, auth)| match auth {
            Auth::Query(query) => place == Place::Query && query.name == field,
            Auth::Body(body) => place == Place::Body && body.name == field,
            Auth::Path(path) => path.name == field,
            _ => false,
        })
    }
}

impl Auth {
    /// The slot, if there is one.
    pub(crate) fn slot(&self) -> Option<Slot<'_>> {
        let said = self.said()?;
        let slot = match self {
            Self::None => return None,
            Self::Bearer(_) => Slot::bearer(said.slot),
            Self::Basic(_) => Slot::basic(said.slot),
            Self::Header(header) => Slot::header(said.slot, &header.name).prefix(&header.prefix),
            Self::Query(query) => Slot::query(said.slot, &query.name),
            Self::Path(path) => Slot::path(said.slot, &path.name).prefix(&path.prefix),
            Self::Cookie(cookie) => Slot::cookie(said.slot, &cookie.name),
            Self::Body(body) => Slot::body(said.slot, &body.name),
            Self::Sigv4(aws) => Slot::sigv4(said.slot, &aws.service, &aws.region),
            Self::Hmac(signed) => Slot::hmac(said.slot, signed.hmac()),
            Self::ClientCertificate(_) => Slot::client_certificate(said.slot),
        };
        let otherwise = match self {
            Self::Basic(_) => "The API's user name and password, as `user:password`.",
            Self::Sigv4(_) => "An AWS access key.",
            Self::Hmac(_) => "The API's signing key.",
            Self::ClientCertificate(_) => "A client certificate and its key.",
            _ => "The API's key or token.",
        };
        let slot = slot.describe(said.description.unwrap_or(otherwise));
        Some(if said.oauth.is_some() { slot.oauth(OAuth::server()) } else { slot })
    }

    /// What all kinds say.
    pub(crate) fn said(&self) -> Option<Said<'_>> {
        let (slot, description, oauth) = match self {
            Self::None => return None,
            Self::Basic(Plain { slot, description })
            | Self::ClientCertificate(Plain { slot, description })
            | Self::Sigv4(Aws { slot, description, .. })
            | Self::Hmac(Signed { slot, description, .. }) => (slot, description, None),
            Self::Bearer(Token { slot, description, oauth })
            | Self::Header(Prefixed { slot, description, oauth, .. })
            | Self::Path(Prefixed { slot, description, oauth, .. })
            | Self::Query(Named { slot, description, oauth, .. })
            | Self::Cookie(Named { slot, description, oauth, .. })
            | Self::Body(Named { slot, description, oauth, .. }) => (slot, description, oauth.as_ref()),
        };
        let slot = slot.as_deref().unwrap_or(CREDENTIAL);
        Some(Said { slot, description: description.as_deref(), oauth })
    }
}

/// What all kinds say.
pub(crate) struct Said<'c> {
    pub(crate) slot: &'c str,
    pub(crate) description: Option<&'c str>,
    pub(crate) oauth: Option<&'c Server>,
}

impl Signed {
    fn hmac(&self) -> Hmac<'_> {
        let hmac = match self.algorithm {
            Algorithm::HmacSha1 => Hmac::sha1(&self.message),
            Algorithm::HmacSha256 => Hmac::sha256(&self.message),
            Algorithm::HmacSha512 => Hmac::sha512(&self.message),
        };
        let hmac = match self.encoding {
            MacEncoding::Hex => hmac,
            MacEncoding::Base64 => hmac.base64(),
            MacEncoding::Base64Url => hmac.base64_url(),
        };
        self.headers.iter().fold(hmac, |hmac, (name, value)| hmac.header(name, value))
    }
}

/// Says of a slot's authorization server what the config says.
pub(crate) fn server(config: &Config, slot: &str, declared: &mut DeclaredOAuth) {
    let said = config.auth.each().filter_map(|(_, auth)| auth.said()).find(|said| said.slot == slot);
    let Some(server) = said.and_then(|said| said.oauth) else { return };
    *declared = DeclaredOAuth {
        token_url: server.token_url.clone(),
        authorize_url: server.authorize_url.clone(),
        revoke_url: server.revoke_url.clone(),
        metadata_url: server.metadata_url.clone(),
        scopes: server.scopes.clone(),
        values: Vec::new(),
    };
}
