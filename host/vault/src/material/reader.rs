//! Reads the fields that an operator gave, and says of each what is wrong with it.

use url::Url;

use super::{Given, Kind, MaterialError};
use crate::secret::Secret;

/// Longest field, in bytes.
const MAX_FIELD: usize = 4096;
/// Most scopes, and most further parameters.
const MAX_LIST: usize = 64;
/// Parameters of requests that the host writes.
const OWN_PARAMETERS: [&str; 19] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "assertion",
    "refresh_token",
    "code",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "scope",
    "token",
    "token_type_hint",
];
/// Claims that the host writes.
pub(super) const OWN_CLAIMS: [&str; 7] = ["iss", "sub", "aud", "iat", "exp", "nbf", "jti"];

/// The fields of one credential.
pub(super) struct Reader<'a> {
    pub(super) kind: Kind,
    given: &'a Given,
}

impl<'a> Reader<'a> {
    /// Checks that all fields are the kind's own, and that those are there that must be.
    pub(super) fn new(given: &'a Given) -> Result<Self, MaterialError> {
        let kind = given.kind;
        let fields = kind.fields();
        let names = given.fields.keys().map(|name| (name, false)).chain(given.secrets.keys().map(|name| (name, true)));
        for (name, secret) in names {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                let names: Vec<_> = fields.iter().map(|field| field.name).collect();
                return Err(MaterialError::Unknown {
                    kind: kind.as_str(),
                    field: shorten(name),
                    fields: names.join(", "),
                });
            };
            if field.secret != secret {
                let problem = if secret { "it is no secret, and is shown" } else { "it is a secret; give it as one" };
                return Err(MaterialError::Field { field: field.name, problem: problem.to_owned() });
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            let there = match field.secret {
                true => given.secrets.contains_key(field.name),
                false => given.fields.contains_key(field.name),
            };
            if !there {
                return Err(MaterialError::Missing { kind: kind.as_str(), field: field.name });
            }
        }
        Ok(Self { kind, given })
    }

    pub(super) fn wrong(&self, field: &'static str, problem: &str) -> MaterialError {
        MaterialError::Field { field, problem: problem.to_owned() }
    }

    /// A field, where it was given. Printable ASCII, so that nothing of it is read otherwise on the way.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<&'a str>, MaterialError> {
        let Some(text) = self.given.fields.get(field) else { return Ok(None) };
        match plain(text, MAX_FIELD) {
            Some(text) => Ok(Some(text)),
            None => Err(self.wrong(field, &format!("it is 1 to {MAX_FIELD} printable characters of ASCII"))),
        }
    }

    pub(super) fn need(&self, field: &'static str) -> Result<&'a str, MaterialError> {
        self.text(field)?.ok_or(MaterialError::Missing { kind: self.kind.as_str(), field })
    }

    pub(super) fn secret(&self, field: &str) -> Option<&'a Secret> {
        self.given.secrets.get(field)
    }

    pub(super) fn need_secret(&self, field: &'static str) -> Result<&'a Secret, MaterialError> {
        self.secret(field).ok_or(MaterialError::Missing { kind: self.kind.as_str(), field })
    }

    pub(super) fn url(&self, field: &'static str) -> Result<Option<String>, MaterialError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let may_have_query = matches!(field, "authorize-url" | "token-url");
        let (fits, without) = match may_have_query {
            true => (url_with_query(text), "user and fragment"),
            false => (url(text), "user, query and fragment"),
        };
        let problem = format!("it is an absolute URL, https://HOST/PATH, without {without}");
        fits.map(Some).ok_or_else(|| self.wrong(field, &problem))
    }

    /// Scopes (RFC 6749, section 3.3).
    pub(super) fn scopes(&self) -> Result<Option<Vec<String>>, MaterialError> {
        let Some(text) = self.text("scope")? else { return Ok(None) };
        let scopes: Vec<_> = text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        if text.contains(['"', '\\']) || scopes.len() > MAX_LIST {
            let problem = format!("it is up to {MAX_LIST} scopes with spaces between, without quotes and backslashes");
            return Err(self.wrong("scope", &problem));
        }
        Ok(Some(scopes))
    }

    /// Another name for the grant of client credentials. Grants that take something else are kinds of their own.
    pub(super) fn grant_type(&self) -> Result<Option<String>, MaterialError> {
        let Some(text) = self.text("grant-type")? else { return Ok(None) };
        let own = ["authorization_code", "refresh_token", "password", "implicit"];
        let fits =
            text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
        if !fits || own.contains(&text) || text.starts_with("urn:ietf:params:oauth:grant-type:") {
            let problem = "it is a name of letters, digits and `_-.:` for a grant that takes the client's secret alone";
            return Err(self.wrong("grant-type", problem));
        }
        Ok(Some(text.to_owned()))
    }

    /// Further parameters of a request, as in a form.
    pub(super) fn parameters(&self, field: &'static str) -> Result<Vec<(String, String)>, MaterialError> {
        let Some(text) = self.text(field)? else { return Ok(Vec::new()) };
        let parameters: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        if parameters.len() > MAX_LIST || parameters.iter().any(|(name, _)| name.is_empty()) {
            return Err(self.wrong(field, "it is `name=value&name=value`, with escapes as in a form"));
        }
        match parameters.iter().find(|(name, _)| OWN_PARAMETERS.contains(&name.to_ascii_lowercase().as_str())) {
            Some((name, _)) => Err(self.wrong(field, &format!("`{name}` is written by the host"))),
            None => Ok(parameters),
        }
    }
}

/// Printable ASCII.
pub(super) fn plain(text: &str, max: usize) -> Option<&str> {
    let fits = (1..=max).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then_some(text)
}

/// A URL that an authorization server may have. Whether plain http is taken is the gate's to say.
pub(crate) fn url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let fits = matches!(url.scheme(), "https" | "http")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    fits.then(|| text.to_owned())
}

/// The same of the URL that a browser is sent to, and of the token endpoint: both may have a query, which is kept as it is
/// (RFC 6749, sections 3.1 and 3.2).
pub(crate) fn url_with_query(text: &str) -> Option<String> {
    let plain = text.split_once('?').map_or(text, |(plain, _)| plain);
    url(plain).filter(|_| !text.contains('#')).map(|_| text.to_owned())
}

/// What somebody wrote, as it can be shown in an error.
fn shorten(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
