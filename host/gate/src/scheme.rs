//! How the host puts a slot's secret on the wire, and where the tokens of a slot may come from.

use serde::{Deserialize, Serialize};

use crate::{header::is_same, read_as::is_read_as};

/// What a guest writes for the path segment that a credential of scheme `path` takes. The host puts the secret there after
/// the gate has judged the rest.
pub const PATH_PLACEHOLDER: &str = "-credential-";

/// The fields that a signature of AWS's version 4 writes.
const SIGV4_HEADERS: [&str; 4] = ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// Keyed hashes (RFC 2104).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum MacAlgorithm {
    HmacSha1,
    HmacSha256,
    HmacSha512,
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacEncoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Base64 with padding (RFC 4648, section 4).
    Base64,
    /// Base64 for URLs, without padding (RFC 4648, section 5).
    Base64Url,
}

/// How the host puts a slot's secret on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Scheme {
    /// `Authorization: Bearer SECRET`.
    Bearer,
    /// `Authorization: Basic base64(SECRET)`; the secret is `user:password`.
    Basic,
    /// A header of the provider's own: prefix and secret.
    Header {
        /// Field name.
        name: String,
        /// Put before the secret.
        prefix: String,
    },
    /// A query parameter.
    Query {
        /// Parameter name.
        name: String,
    },
    /// The path segment that the URL of its routes writes as `{NAME}`: prefix and secret. A guest writes
    /// [`PATH_PLACEHOLDER`] there.
    Path {
        /// The parameter's name in the URL templates of its routes.
        name: String,
        /// Put before the secret.
        prefix: String,
    },
    /// A cookie (RFC 6265, section 4.2): `Cookie: NAME=SECRET`.
    Cookie {
        /// The cookie's name.
        name: String,
    },
    /// A member of a JSON object, or a field of a form, that the guest leaves out of the body.
    Body {
        /// The member's or the field's name.
        name: String,
    },
    /// AWS Signature Version 4.
    Sigv4 {
        /// Service, such as `s3`.
        service: String,
        /// Region, such as `eu-central-1`.
        region: String,
    },
    /// A keyed hash over parts of the request.
    Hmac(HmacScheme),
    /// A client certificate (mutual TLS, RFC 8446, section 4.4.2).
    ClientCertificate,
    /// Never sent: a key for `sign` and `verify`.
    SigningKey,
}

/// A keyed hash over parts of the request, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacScheme {
    /// The hash.
    pub algorithm: MacAlgorithm,
    /// What is hashed: text with `{method}`, `{host}`, `{path}`, `{query}`, `{target}` (path and query), `{url}`, `{body}`,
    /// `{body-sha256}` (hex), `{timestamp}` (seconds), `{timestamp-ms}`, `{date}` (RFC 9110, section 5.6.7), `{nonce}`,
    /// `{key-id}`, `{header:NAME}`, and `\n` for a new line.
    pub message: String,
    /// How the signature is written.
    pub encoding: MacEncoding,
    /// Fields that are written: name, and text with `{signature}` and those of the above that say nothing of the request.
    pub headers: Vec<(String, String)>,
}

impl Scheme {
    /// The query parameter that it writes, if it writes one.
    pub fn query_name(&self) -> Option<&str> {
        match self {
            Scheme::Query { name } => Some(name),
            _ => None,
        }
    }

    /// Whether it writes the header field of this name.
    pub fn writes_header(&self, name: &str) -> bool {
        match self {
            Scheme::Bearer | Scheme::Basic => is_same("authorization", name),
            Scheme::Cookie { .. } => is_same("cookie", name),
            Scheme::Header { name: own, .. } => is_read_as(own, name.bytes()),
            Scheme::Sigv4 { .. } => SIGV4_HEADERS.iter().any(|own| is_same(own, name)),
            Scheme::Hmac(hmac) => hmac.headers.iter().any(|(own, _)| is_read_as(own, name.bytes())),
            Scheme::Query { .. }
            | Scheme::Path { .. }
            | Scheme::Body { .. }
            | Scheme::ClientCertificate
            | Scheme::SigningKey => false,
        }
    }

    /// The header fields that it writes.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        match self {
            Scheme::Bearer | Scheme::Basic => vec!["Authorization"],
            Scheme::Cookie { .. } => vec!["Cookie"],
            Scheme::Header { name, .. } => vec![name],
            Scheme::Sigv4 { .. } => SIGV4_HEADERS.to_vec(),
            Scheme::Hmac(hmac) => hmac.headers.iter().map(|(name, _)| name.as_str()).collect(),
            Scheme::Query { .. }
            | Scheme::Path { .. }
            | Scheme::Body { .. }
            | Scheme::ClientCertificate
            | Scheme::SigningKey => Vec::new(),
        }
    }

    /// The bytes of text in it.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Scheme::Bearer | Scheme::Basic | Scheme::ClientCertificate | Scheme::SigningKey => 0,
            Scheme::Query { name } | Scheme::Cookie { name } | Scheme::Body { name } => name.len(),
            Scheme::Header { name, prefix } | Scheme::Path { name, prefix } => name.len() + prefix.len(),
            Scheme::Sigv4 { service, region } => service.len() + region.len(),
            Scheme::Hmac(hmac) => {
                hmac.message.len() + hmac.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
            }
        }
    }

    /// Its name, as descriptors and documents write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Scheme::Bearer => "bearer",
            Scheme::Basic => "basic",
            Scheme::Header { .. } => "header",
            Scheme::Query { .. } => "query",
            Scheme::Path { .. } => "path",
            Scheme::Cookie { .. } => "cookie",
            Scheme::Body { .. } => "body",
            Scheme::Sigv4 { .. } => "sigv4",
            Scheme::Hmac(_) => "hmac",
            Scheme::ClientCertificate => "client-certificate",
            Scheme::SigningKey => "signing-key",
        }
    }
}

/// An authorization server (OAuth 2.0, RFC 6749) that issues tokens for a slot. What is none here is the operator's to name,
/// in the credential and in the grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuth {
    /// Where tokens are asked for.
    pub token_url: Option<String>,
    /// Where a person agrees, in a browser.
    pub authorize_url: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revoke_url: Option<String>,
    /// What the server says about itself (RFC 8414; SMART's `.well-known/smart-configuration`).
    pub metadata_url: Option<String>,
    /// Scopes that the adapter needs, unless the operator names others.
    pub scopes: Vec<String>,
    /// Members of the token's answer that the adapter may read, beside the token: `instance_url`.
    pub values: Vec<String>,
}

impl OAuth {
    /// Its URLs, each with where it stands.
    pub(crate) fn urls(&self) -> [(&'static str, Option<&str>); 4] {
        [
            (".token_url", self.token_url.as_deref()),
            (".authorize_url", self.authorize_url.as_deref()),
            (".revoke_url", self.revoke_url.as_deref()),
            (".metadata_url", self.metadata_url.as_deref()),
        ]
    }

    /// The bytes of text in it.
    pub(crate) fn text_bytes(&self) -> usize {
        let urls = self.urls().into_iter().filter_map(|(_, url)| url).map(str::len).sum::<usize>();
        urls + self.scopes.iter().chain(&self.values).map(String::len).sum::<usize>()
    }
}

/// A slot of an open route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSlot {
    /// Its name.
    pub name: String,
    /// How its secret goes on the wire.
    pub scheme: Scheme,
    /// Of the scheme `path`: which segment it is, from 0.
    pub segment: Option<usize>,
}
