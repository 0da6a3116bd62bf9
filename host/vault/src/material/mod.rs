//! What an operator hands over for a slot, by kind: its fields, which of them are secret, and whether they are right.
//!
//! | file | what it does |
//! | --- | --- |
//! | `fields.rs` | the fields of each kind |
//! | `reader.rs` | reads the fields that were given |
//! | `oauth.rs` | the kinds that get tokens, taken apart |
//! | `google.rs` | the key file of a Google service account |
//! | `key.rs` | keys that sign JWTs |
//! | `pasted.rs` | what was pasted with a secret that the host writes itself |

mod expiry;
mod fields;
mod google;
mod key;
mod oauth;
mod pasted;
mod reader;

#[cfg(test)]
pub(crate) mod tests;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use portcullis_gate::{OAuth, Scheme};
use serde::{Deserialize, Serialize};

pub(crate) use self::pasted::judge_pasted;
use self::reader::Reader;
pub(crate) use self::{
    key::JwtKey,
    oauth::{Assertion, Authentication, Grant, OAuthClient},
    reader::{url, url_with_query},
};
use crate::{
    client::Purpose,
    identity::Identity,
    secret::Secret,
    usable::{KeyPair, Usable},
};

/// What kind of thing an operator hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One secret.
    Secret,
    /// A key that has a name: AWS access keys, keys for HMAC signatures.
    KeyPair,
    /// A client certificate and its key.
    ClientCertificate,
    /// OAuth 2.0 client credentials (RFC 6749, section 4.4).
    OauthClientCredentials,
    /// An OAuth 2.0 refresh token (RFC 6749, section 6).
    OauthRefreshToken,
    /// OAuth 2.0 authorization code with PKCE (RFC 6749, section 4.1; RFC 7636).
    OauthAuthorizationCode,
    /// A signed JWT in exchange for a token (RFC 7523, section 2.1): Salesforce and others.
    JwtBearer,
    /// A key file of a Google service account.
    GoogleServiceAccount,
    /// An installation of a GitHub App.
    GithubApp,
    /// SMART Backend Services (HL7 FHIR SMART App Launch 2.2).
    SmartBackendServices,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Secret,
        Self::KeyPair,
        Self::ClientCertificate,
        Self::OauthClientCredentials,
        Self::OauthRefreshToken,
        Self::OauthAuthorizationCode,
        Self::JwtBearer,
        Self::GoogleServiceAccount,
        Self::GithubApp,
        Self::SmartBackendServices,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::KeyPair => "key-pair",
            Self::ClientCertificate => "client-certificate",
            Self::OauthClientCredentials => "oauth-client-credentials",
            Self::OauthRefreshToken => "oauth-refresh-token",
            Self::OauthAuthorizationCode => "oauth-authorization-code",
            Self::JwtBearer => "jwt-bearer",
            Self::GoogleServiceAccount => "google-service-account",
            Self::GithubApp => "github-app",
            Self::SmartBackendServices => "smart-backend-services",
        }
    }

    /// Whether it gets tokens from an authorization server.
    pub fn gets_tokens(self) -> bool {
        !matches!(self, Self::Secret | Self::KeyPair | Self::ClientCertificate)
    }
}

/// One thing that an operator gives for a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, as it is written on the command line and in JSON.
    pub name: &'static str,
    /// Whether it is a secret, which is never shown and never taken from an argument.
    pub secret: bool,
    /// Whether it must be given.
    pub required: bool,
    /// What it is, for people.
    pub about: &'static str,
}

impl Field {
    /// Whether it has several lines, as PEM and key files have, and is read from a file as it is.
    pub fn is_document(&self) -> bool {
        matches!(self.name, "certificates" | "key" | "private-key" | "key-file")
    }
}

/// What an operator handed over: the form in which it is kept.
#[derive(Debug)]
pub struct Given {
    /// What it is.
    pub kind: Kind,
    /// What may be shown.
    pub fields: BTreeMap<String, String>,
    /// What may not.
    pub secrets: BTreeMap<String, Secret>,
}

impl Given {
    /// One secret.
    pub fn secret(secret: Secret) -> Self {
        Self { kind: Kind::Secret, fields: BTreeMap::new(), secrets: BTreeMap::from([("secret".to_owned(), secret)]) }
    }
}

/// What was handed over, checked and taken apart.
#[derive(Debug)]
pub struct Material(pub(crate) Inside);

#[derive(Debug)]
pub(crate) enum Inside {
    /// It is used as it is.
    Usable(Usable),
    /// It gets tokens.
    OAuth(Arc<OAuthClient>),
}

impl Material {
    /// Checks what was handed over for a slot with this scheme and, where it takes tokens, this authorization server. Keys
    /// are tried.
    pub fn new(given: &Given, scheme: &Scheme, oauth: Option<&OAuth>) -> Result<Self, MaterialError> {
        let read = Reader::new(given)?;
        fits(given.kind, scheme, oauth)?;
        let usable = match (given.kind, oauth) {
            (Kind::Secret, _) => Usable::Secret(read.need_secret("secret")?.duplicate()),
            (Kind::KeyPair, _) => Usable::KeyPair(KeyPair {
                id: read.need("id")?.to_owned(),
                secret: read.need_secret("secret")?.duplicate(),
                session_token: read.secret("session-token").map(Secret::duplicate),
            }),
            (Kind::ClientCertificate, _) => {
                let identity = Identity::new(read.need_secret("certificates")?, read.need_secret("key")?)?;
                Usable::Certificate(Arc::new(identity))
            }
            (_, oauth) => {
                let client = OAuthClient::new(&read, oauth.unwrap_or(&OAuth::default()))?;
                return Ok(Self(Inside::OAuth(Arc::new(client))));
            }
        };
        Ok(Self(Inside::Usable(usable)))
    }

    /// Where it asks for tokens, and what for, as far as that is known before the first time: the routes that a grant must open
    /// for the slot. Of a server that is found by its metadata, the token endpoint is named there.
    pub fn token_urls(&self) -> Vec<(Purpose, &str)> {
        let Inside::OAuth(client) = &self.0 else { return Vec::new() };
        let endpoints = &client.endpoints;
        let urls = [
            (Purpose::Metadata, &endpoints.metadata),
            (Purpose::Token, &endpoints.token),
            (Purpose::Revocation, &endpoints.revoke),
        ];
        urls.into_iter().filter_map(|(purpose, url)| Some((purpose, url.as_deref()?))).collect()
    }

    /// When it stops working, where it says so itself: certificates and JWTs do.
    pub fn expires(&self) -> Option<Timestamp> {
        match &self.0 {
            Inside::Usable(Usable::Certificate(identity)) => Some(identity.expires()),
            Inside::Usable(Usable::Secret(secret)) => expiry::of(secret),
            _ => None,
        }
    }
}

/// Whether the slot takes a credential of this kind.
fn fits(kind: Kind, scheme: &Scheme, oauth: Option<&OAuth>) -> Result<(), MaterialError> {
    let refuse = |problem: String| Err(MaterialError::Slot { kind: kind.as_str(), problem });
    let name = scheme.as_str();
    let wanted = match scheme {
        Scheme::ClientCertificate => "client-certificate",
        Scheme::Sigv4 { .. } => "key-pair",
        _ => "secret",
    };
    let one_secret = matches!(
        scheme,
        Scheme::Bearer
            | Scheme::Header { .. }
            | Scheme::Query { .. }
            | Scheme::Path { .. }
            | Scheme::Cookie { .. }
            | Scheme::Body { .. }
    );
    match kind {
        _ if kind.gets_tokens() && !one_secret => {
            refuse(format!("its scheme is {name}, which carries no token; give one of kind {wanted}"))
        }
        _ if kind.gets_tokens() && oauth.is_none() => {
            refuse(format!("the adapter declares no authorization server for it; give one of kind {wanted}"))
        }
        Kind::KeyPair if !matches!(scheme, Scheme::Sigv4 { .. } | Scheme::Hmac(_)) => {
            refuse(format!("its scheme is {name}, which has no key id; give one of kind {wanted}"))
        }
        Kind::ClientCertificate if !matches!(scheme, Scheme::ClientCertificate) => {
            refuse(format!("its scheme is {name}; give one of kind {wanted}"))
        }
        Kind::Secret if matches!(scheme, Scheme::ClientCertificate | Scheme::Sigv4 { .. }) => {
            refuse(format!("its scheme is {name}; give one of kind {wanted}"))
        }
        _ => Ok(()),
    }
}

/// What is wrong with what was handed over. Says nothing about its secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaterialError {
    /// A field that is missing.
    #[error("a credential of kind {kind} needs `{field}`")]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field that the kind has not.
    #[error("a credential of kind {kind} has no `{field}`; it has {fields}")]
    Unknown {
        /// The kind.
        kind: &'static str,
        /// As it was written.
        field: String,
        /// Those that it has.
        fields: String,
    },
    /// A field that is not right.
    #[error("`{field}`: {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The slot takes something else.
    #[error("the slot takes no credential of kind {kind}: {problem}")]
    Slot {
        /// The kind.
        kind: &'static str,
        /// Why.
        problem: String,
    },
}
