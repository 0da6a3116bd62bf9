//! What an operator gives for the kinds that get tokens, taken apart: the client, how it proves who it is, the grant, and
//! where the authorization server is.

use std::sync::Mutex;

use portcullis_gate::OAuth;
use serde_json::{Map, Value};

use super::{
    Kind, MaterialError,
    google::KeyFile,
    key::JwtKey,
    reader::{self, Reader},
};
use crate::{secret::Secret, token::Known};

/// Where GitHub gives tokens for an installation; the installation's id stands between these.
const GITHUB: (&str, &str) = ("https://api.github.com/app/installations/", "/access_tokens");
/// How long an assertion is valid, in seconds, unless told otherwise. Servers of SMART take five minutes, and clocks differ.
const LIFETIME: i64 = 240;
/// The same for GitHub, which takes ten minutes.
const GITHUB_LIFETIME: i64 = 540;
/// And for Google, which takes an hour.
const LIFETIMES: std::ops::RangeInclusive<i64> = 30..=3600;
/// The algorithms of SMART Backend Services.
const SMART: &[&str] = &["RS384", "ES384"];

/// A client of an authorization server.
#[derive(Debug)]
pub(crate) struct OAuthClient {
    pub(crate) id: Option<String>,
    pub(crate) authentication: Authentication,
    pub(crate) grant: Grant,
    /// Another name for the grant of client credentials.
    pub(crate) grant_type: Option<String>,
    /// What the server calls its bearer tokens, where that is not `Bearer`.
    pub(crate) token_type: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) endpoints: Endpoints,
    /// Further parameters of token requests.
    pub(crate) parameters: Vec<(String, String)>,
    /// Further parameters of the authorization request.
    pub(crate) authorize_parameters: Vec<(String, String)>,
    /// What an answer may hold beside the token, for the adapter to read.
    pub(crate) values: Vec<String>,
    /// What the server said about itself.
    pub(crate) known: Mutex<Option<Known>>,
}

/// How a client proves who it is (RFC 6749, section 2.3; OpenID Connect Core, section 9).
#[derive(Debug)]
pub(crate) enum Authentication {
    /// A public client.
    None,
    /// In the header.
    SecretBasic(Secret),
    /// In the body.
    SecretPost(Secret),
    /// By a signature.
    PrivateKeyJwt {
        key: JwtKey,
        /// Where the server wants another audience than its token endpoint.
        audience: Option<String>,
    },
}

/// What a token is asked for with.
#[derive(Debug)]
pub(crate) enum Grant {
    ClientCredentials,
    RefreshToken(Secret),
    AuthorizationCode,
    JwtBearer(Assertion),
    Github(Assertion),
}

/// A JWT that stands for a user or a client (RFC 7523, section 3).
#[derive(Debug)]
pub(crate) struct Assertion {
    pub(crate) key: JwtKey,
    pub(crate) issuer: String,
    pub(crate) subject: Option<String>,
    /// Else the token endpoint.
    pub(crate) audience: Option<String>,
    pub(crate) lifetime: i64,
    pub(crate) claims: Map<String, Value>,
    /// Whether the scopes are one of the claims, as Google wants them.
    pub(crate) scope_is_a_claim: bool,
}

/// Where the server is. Each is the operator's, else the descriptor's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) token: Option<String>,
    pub(crate) authorize: Option<String>,
    pub(crate) revoke: Option<String>,
    pub(crate) metadata: Option<String>,
}

impl OAuthClient {
    pub(super) fn new(read: &Reader<'_>, oauth: &OAuth) -> Result<Self, MaterialError> {
        let or = |field, descriptor: &Option<String>| -> Result<_, MaterialError> {
            Ok(read.url(field)?.or_else(|| descriptor.clone()))
        };
        let endpoints = Endpoints {
            token: or("token-url", &oauth.token_url)?,
            authorize: or("authorize-url", &oauth.authorize_url)?,
            revoke: or("revoke-url", &oauth.revoke_url)?,
            metadata: or("metadata-url", &oauth.metadata_url)?,
        };
        let mut parameters = Vec::new();
        for name in ["audience", "resource"] {
            // Of a signed JWT, `audience` is a claim.
            if name == "resource" || read.kind != Kind::JwtBearer {
                parameters.extend(read.text(name)?.map(|value| (name.to_owned(), value.to_owned())));
            }
        }
        parameters.extend(read.parameters("parameters")?);
        let mut client = Self {
            id: read.text("client-id")?.map(str::to_owned),
            authentication: Authentication::None,
            grant: Grant::ClientCredentials,
            grant_type: read.grant_type()?,
            token_type: read.text("token-type")?.map(str::to_owned),
            scopes: read.scopes()?.unwrap_or_else(|| oauth.scopes.clone()),
            endpoints,
            parameters,
            authorize_parameters: read.parameters("authorize-parameters")?,
            values: oauth.values.clone(),
            known: Mutex::default(),
        };
        match read.kind {
            Kind::GoogleServiceAccount => client.google(read)?,
            Kind::GithubApp => client.github(read)?,
            Kind::SmartBackendServices => {
                let (key, algorithm) = (read.need_secret("private-key")?, read.text("algorithm")?);
                let key = JwtKey::of(key, algorithm, Some(read.need("key-id")?), Some(SMART))?;
                let audience = read.text("assertion-audience")?.map(str::to_owned);
                client.authentication = Authentication::PrivateKeyJwt { key, audience };
            }
            Kind::JwtBearer => {
                client.grant = Grant::JwtBearer(bearer(read)?);
                if let Some(secret) = read.secret("client-secret") {
                    read.need("client-id")?;
                    client.authentication = Authentication::SecretBasic(secret.duplicate());
                }
            }
            _ => {
                client.authentication = authentication(read)?;
                client.grant = match read.kind {
                    Kind::OauthRefreshToken => Grant::RefreshToken(read.need_secret("refresh-token")?.duplicate()),
                    Kind::OauthAuthorizationCode => Grant::AuthorizationCode,
                    _ => Grant::ClientCredentials,
                };
                if matches!((&client.grant, &client.authentication), (Grant::ClientCredentials, Authentication::None)) {
                    let problem = "client credentials are never given to a public client (RFC 6749, section 4.4): \
                                   give `client-secret` or `private-key`";
                    return Err(read.wrong("client-authentication", problem));
                }
            }
        }
        client.complete(read)?;
        Ok(client)
    }

    fn google(&mut self, read: &Reader<'_>) -> Result<(), MaterialError> {
        let file = KeyFile::read(read.need_secret("key-file")?)?;
        self.endpoints.token.get_or_insert(file.token_url);
        self.grant = Grant::JwtBearer(Assertion {
            key: file.key,
            issuer: file.email,
            subject: read.text("subject")?.map(str::to_owned),
            audience: None,
            lifetime: lifetime(read)?,
            claims: Map::new(),
            scope_is_a_claim: true,
        });
        if self.scopes.is_empty() {
            return Err(read.wrong("scope", "Google gives a token for scopes alone: name at least one"));
        }
        Ok(())
    }

    fn github(&mut self, read: &Reader<'_>) -> Result<(), MaterialError> {
        let installation = read.need("installation-id")?;
        if installation.len() > 20 || !installation.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(read.wrong("installation-id", "it is digits, as in the URL of the installation's settings"));
        }
        if self.endpoints.token.is_none() {
            self.endpoints.token = Some(format!("{}{installation}{}", GITHUB.0, GITHUB.1));
        }
        self.grant = Grant::Github(Assertion {
            key: JwtKey::of(read.need_secret("private-key")?, None, None, Some(&["RS256"]))?,
            issuer: read.need("app-id")?.to_owned(),
            subject: None,
            audience: None,
            lifetime: GITHUB_LIFETIME,
            claims: Map::new(),
            scope_is_a_claim: false,
        });
        Ok(())
    }

    /// Whether the server can be found.
    fn complete(&self, read: &Reader<'_>) -> Result<(), MaterialError> {
        let (kind, metadata) = (read.kind.as_str(), self.endpoints.metadata.is_some());
        if self.endpoints.token.is_none() && !metadata {
            return Err(MaterialError::Missing { kind, field: "token-url" });
        }
        if read.kind == Kind::OauthAuthorizationCode && self.endpoints.authorize.is_none() && !metadata {
            return Err(MaterialError::Missing { kind, field: "authorize-url" });
        }
        Ok(())
    }
}

fn authentication(read: &Reader<'_>) -> Result<Authentication, MaterialError> {
    let method = match read.text("client-authentication")? {
        Some(method) => method,
        None if read.secret("private-key").is_some() => "private_key_jwt",
        None if read.secret("client-secret").is_some() => "client_secret_basic",
        None => "none",
    };
    let (for_secret, for_key) = (method.starts_with("client_secret_"), method == "private_key_jwt");
    // What is given and not used was meant otherwise.
    for (field, used) in [("client-secret", for_secret), ("private-key", for_key)] {
        if read.secret(field).is_some() && !used {
            return Err(read.wrong(field, &format!("it is not used with {method}; leave one of both out")));
        }
    }
    Ok(match method {
        "client_secret_basic" => Authentication::SecretBasic(read.need_secret("client-secret")?.duplicate()),
        "client_secret_post" => Authentication::SecretPost(read.need_secret("client-secret")?.duplicate()),
        "private_key_jwt" => {
            let key = read.need_secret("private-key")?;
            Authentication::PrivateKeyJwt {
                key: JwtKey::of(key, read.text("algorithm")?, read.text("key-id")?, None)?,
                audience: read.text("assertion-audience")?.map(str::to_owned),
            }
        }
        "none" => Authentication::None,
        _ => {
            let problem = "it is one of client_secret_basic, client_secret_post, private_key_jwt, none";
            return Err(read.wrong("client-authentication", problem));
        }
    })
}

fn bearer(read: &Reader<'_>) -> Result<Assertion, MaterialError> {
    let claims = match read.text("claims")? {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(claims)) => claims,
            _ => return Err(read.wrong("claims", "it is a JSON object, such as `{\"tenant\": \"acme\"}`")),
        },
    };
    if let Some(name) = claims.keys().find(|name| reader::OWN_CLAIMS.contains(&name.as_str())) {
        return Err(read.wrong("claims", &format!("`{name}` is written from the other fields, or by the host")));
    }
    Ok(Assertion {
        key: JwtKey::of(read.need_secret("private-key")?, read.text("algorithm")?, read.text("key-id")?, None)?,
        issuer: read.need("issuer")?.to_owned(),
        subject: Some(read.text("subject")?.unwrap_or(read.need("issuer")?).to_owned()),
        audience: read.text("audience")?.map(str::to_owned),
        lifetime: lifetime(read)?,
        claims,
        scope_is_a_claim: false,
    })
}

fn lifetime(read: &Reader<'_>) -> Result<i64, MaterialError> {
    let Some(text) = read.text("lifetime")? else { return Ok(LIFETIME) };
    match text.parse() {
        Ok(seconds) if LIFETIMES.contains(&seconds) => Ok(seconds),
        _ => Err(read.wrong("lifetime", "it is seconds, 30 to 3600")),
    }
}
