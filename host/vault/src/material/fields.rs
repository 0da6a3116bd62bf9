//! What an operator gives for each kind of credential. The names are those of the RFCs, with hyphens.

use super::{Field, Kind};

const fn shown(name: &'static str, required: bool, about: &'static str) -> Field {
    Field { name, secret: false, required, about }
}

const fn secret(name: &'static str, required: bool, about: &'static str) -> Field {
    Field { name, secret: true, required, about }
}

const CLIENT_ID: Field = shown("client-id", true, "the client's id at the authorization server");
const AUTHENTICATION: Field = shown(
    "client-authentication",
    false,
    "client_secret_basic, client_secret_post, private_key_jwt or none; else by what is given",
);
const CLIENT_SECRET: Field = secret("client-secret", false, "the client's secret");
const CLIENT_KEY: Field = secret("private-key", false, "the client's private key, PEM, for private_key_jwt");
const PRIVATE_KEY: Field = secret("private-key", true, "the private key, PEM");
const KEY_ID: Field = shown("key-id", false, "the key's id (`kid`), as the server knows it");
const ALGORITHM: Field = shown("algorithm", false, "RS256, RS384, PS256, ES256, ES384, EdDSA, ...; else by the key");
const ASSERTION_AUDIENCE: Field =
    shown("assertion-audience", false, "`aud` of the client's assertion; else the token endpoint");
const TOKEN_URL: Field = shown("token-url", false, "the token endpoint; else the adapter's, else from the metadata");
const AUTHORIZE_URL: Field = shown("authorize-url", false, "the authorization endpoint, where a person agrees");
const REVOKE_URL: Field = shown("revoke-url", false, "the revocation endpoint");
const METADATA_URL: Field = shown("metadata-url", false, "the server's metadata, below `/.well-known/`");
const SCOPE: Field = shown("scope", false, "scopes, with spaces between; else the adapter's");
const AUDIENCE: Field = shown("audience", false, "`audience` of the token request, where the server wants one");
const RESOURCE: Field = shown("resource", false, "`resource` of the token request (RFC 8707)");
const PARAMETERS: Field = shown("parameters", false, "more of the token request: `name=value&name=value`");
const AUTHORIZE_PARAMETERS: Field =
    shown("authorize-parameters", false, "more of the authorization request: `access_type=offline`");
const TOKEN_TYPE: Field = shown(
    "token-type",
    false,
    "what the server calls its bearer tokens, such as `Application Access Token`; else Bearer",
);
const GRANT_TYPE: Field =
    shown("grant-type", false, "another name of the grant, such as `account_credentials`; else client_credentials");
const SUBJECT: Field = shown("subject", false, "`sub`: in whose name; else the issuer's own");
const LIFETIME: Field = shown("lifetime", false, "seconds that the assertion is valid, 30 to 3600; else 240");

const SECRET: &[Field] = &[secret("secret", true, "the secret")];
const PAIR: &[Field] = &[
    shown("id", true, "the key's name, for AWS the access key id"),
    secret("secret", true, "the key"),
    secret("session-token", false, "of AWS's temporary credentials"),
];
const CERTIFICATE: &[Field] =
    &[secret("certificates", true, "PEM, the client's own first"), secret("key", true, "the private key, PEM")];
const CLIENT_CREDENTIALS: &[Field] = &[
    CLIENT_ID,
    CLIENT_SECRET,
    CLIENT_KEY,
    AUTHENTICATION,
    KEY_ID,
    ALGORITHM,
    ASSERTION_AUDIENCE,
    TOKEN_URL,
    REVOKE_URL,
    METADATA_URL,
    SCOPE,
    AUDIENCE,
    RESOURCE,
    TOKEN_TYPE,
    GRANT_TYPE,
    PARAMETERS,
];
const REFRESH_TOKEN: &[Field] = &[
    CLIENT_ID,
    secret("refresh-token", true, "the refresh token"),
    CLIENT_SECRET,
    CLIENT_KEY,
    AUTHENTICATION,
    KEY_ID,
    ALGORITHM,
    ASSERTION_AUDIENCE,
    TOKEN_URL,
    REVOKE_URL,
    METADATA_URL,
    RESOURCE,
    TOKEN_TYPE,
    PARAMETERS,
];
const AUTHORIZATION_CODE: &[Field] = &[
    CLIENT_ID,
    CLIENT_SECRET,
    CLIENT_KEY,
    AUTHENTICATION,
    KEY_ID,
    ALGORITHM,
    ASSERTION_AUDIENCE,
    AUTHORIZE_URL,
    TOKEN_URL,
    REVOKE_URL,
    METADATA_URL,
    SCOPE,
    AUDIENCE,
    RESOURCE,
    TOKEN_TYPE,
    PARAMETERS,
    AUTHORIZE_PARAMETERS,
];
const JWT_BEARER: &[Field] = &[
    shown("issuer", true, "`iss`: for Salesforce the consumer key"),
    PRIVATE_KEY,
    SUBJECT,
    shown("audience", false, "`aud` of the JWT: for Salesforce the login host; else the token endpoint"),
    ALGORITHM,
    KEY_ID,
    LIFETIME,
    shown("claims", false, "more claims, a JSON object"),
    shown("client-id", false, "where the server wants a client beside the JWT"),
    CLIENT_SECRET,
    TOKEN_URL,
    REVOKE_URL,
    METADATA_URL,
    SCOPE,
    RESOURCE,
    TOKEN_TYPE,
    PARAMETERS,
];
const GOOGLE: &[Field] = &[
    secret("key-file", true, "the service account's key, JSON as Google gives it"),
    SUBJECT,
    SCOPE,
    TOKEN_URL,
    REVOKE_URL,
    LIFETIME,
];
const GITHUB: &[Field] = &[
    shown("app-id", true, "the App's id or its client id"),
    shown("installation-id", true, "the installation's id, digits"),
    PRIVATE_KEY,
    shown("token-url", false, "with GitHub Enterprise; else GitHub's own"),
];
const SMART: &[Field] = &[
    CLIENT_ID,
    PRIVATE_KEY,
    shown("key-id", true, "the key's id (`kid`), as in the key set that the server has"),
    shown("algorithm", false, "RS384 or ES384; else by the key"),
    METADATA_URL,
    TOKEN_URL,
    ASSERTION_AUDIENCE,
    SCOPE,
    RESOURCE,
    TOKEN_TYPE,
    PARAMETERS,
];

impl Kind {
    /// Its fields, those that an operator must give first.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Secret => SECRET,
            Self::KeyPair => PAIR,
            Self::ClientCertificate => CERTIFICATE,
            Self::OauthClientCredentials => CLIENT_CREDENTIALS,
            Self::OauthRefreshToken => REFRESH_TOKEN,
            Self::OauthAuthorizationCode => AUTHORIZATION_CODE,
            Self::JwtBearer => JWT_BEARER,
            Self::GoogleServiceAccount => GOOGLE,
            Self::GithubApp => GITHUB,
            Self::SmartBackendServices => SMART,
        }
    }
}
