//! Authorization servers: where the host asks for a slot's tokens.

use super::text::{Reading, contains, is_one_of, nth};
use crate::{bindings::portcullis::adapter::descriptor, route};

/// An authorization server (OAuth 2.0, RFC 6749) that issues tokens for a slot: what of it is the same for everybody. The
/// rest is the operator's to name with the credential. The adapter sees no token; the host asks for them.
///
/// A URL that starts with `/` is relative to the adapter's base URL. What depends on the config otherwise is said by `oauth:`
/// in [`register!`](crate::register).
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// const SERVER: OAuth = OAuth::server()
///     .token_url("https://login.example.com/services/oauth2/token")
///     .revoke_url("https://login.example.com/services/oauth2/revoke")
///     .scopes(&["api"])
///     .values(&["instance_url"]);
/// const TOKEN: Slot = Slot::bearer("token").oauth(SERVER).describe("An OAuth client of the organisation.");
/// ```
///
/// A URL with a query or with parameters does not compile, and neither does a token among the values:
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const SERVER: OAuth = OAuth::server().token_url("https://a.example/{tenant}/token");
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const SERVER: OAuth = OAuth::server().scopes(&["read write"]);
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const SERVER: OAuth = OAuth::server().values(&["refresh_token"]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct OAuth<'a> {
    token_url: Option<&'a str>,
    authorize_url: Option<&'a str>,
    revoke_url: Option<&'a str>,
    metadata_url: Option<&'a str>,
    scopes: &'a [&'a str],
    values: &'a [&'a str],
}

/// Members of a token's answer that are no adapter's to read, however they are spelled.
const TOKENS: [&str; 4] = ["access_token", "refresh_token", "id_token", "token"];

impl<'a> OAuth<'a> {
    /// A server of which nothing is known: all of it is the operator's to name.
    #[must_use]
    pub const fn server() -> Self {
        Self { token_url: None, authorize_url: None, revoke_url: None, metadata_url: None, scopes: &[], values: &[] }
    }

    /// Where tokens are asked for.
    #[must_use]
    pub const fn token_url(mut self, url: &'a str) -> Self {
        self.token_url = Some(checked(url));
        self
    }

    /// Where a person agrees, in a browser.
    #[must_use]
    pub const fn authorize_url(mut self, url: &'a str) -> Self {
        self.authorize_url = Some(checked(url));
        self
    }

    /// Where tokens are revoked (RFC 7009).
    #[must_use]
    pub const fn revoke_url(mut self, url: &'a str) -> Self {
        self.revoke_url = Some(checked(url));
        self
    }

    /// What the server says about itself (RFC 8414; of SMART servers `.well-known/smart-configuration`).
    #[must_use]
    pub const fn metadata_url(mut self, url: &'a str) -> Self {
        self.metadata_url = Some(checked(url));
        self
    }

    /// Scopes that the adapter needs, unless the operator names others: `.scopes(&["api", "offline_access"])`.
    #[must_use]
    pub const fn scopes(mut self, scopes: &'a [&'a str]) -> Self {
        assert!(scopes.len() <= 64, "there are at most 64 scopes");
        let mut at = 0;
        while let Some(scope) = nth(scopes, at) {
            assert!(
                Self::is_scope(scope),
                "a scope is 1 to 256 printable ASCII characters without spaces, \" and \\; list several one by one"
            );
            at += 1;
        }
        self.scopes = scopes;
        self
    }

    /// Members of the token's answer that the adapter reads with [`Context::value`](crate::Context::value): `instance_url`.
    #[must_use]
    pub const fn values(mut self, values: &'a [&'a str]) -> Self {
        assert!(values.len() <= 8, "there are at most 8 values");
        let mut at = 0;
        while let Some(value) = nth(values, at) {
            assert!(
                Self::is_value(value),
                "a value is named by letters, digits, `_` and `-`, and is neither a token nor a secret"
            );
            at += 1;
        }
        self.values = values;
        self
    }

    /// Whether this can be a scope (RFC 6749, section 3.3).
    #[must_use]
    pub const fn is_scope(scope: &str) -> bool {
        let mut rest = scope.as_bytes();
        if rest.is_empty() || rest.len() > 256 {
            return false;
        }
        while let [first, others @ ..] = rest {
            if !matches!(first, b'!' | b'#'..=b'[' | b']'..=b'~') {
                return false;
            }
            rest = others;
        }
        true
    }

    /// Whether an adapter may ask for the member of this name.
    #[must_use]
    pub const fn is_value(name: &str) -> bool {
        let mut rest = name.as_bytes();
        if rest.is_empty() || rest.len() > 64 || is_one_of(name, &TOKENS, Reading::Field) || contains(name, "secret") {
            return false;
        }
        while let [first, others @ ..] = rest {
            if !matches!(first, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-') {
                return false;
            }
            rest = others;
        }
        true
    }

    pub(super) fn declared(&self, base: &str) -> descriptor::Oauth {
        let url = |url: Option<&str>| url.map(|url| route::absolute(base, url));
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        descriptor::Oauth {
            token_url: url(self.token_url),
            authorize_url: url(self.authorize_url),
            revoke_url: url(self.revoke_url),
            metadata_url: url(self.metadata_url),
            scopes: texts(self.scopes),
            values: texts(self.values),
        }
    }
}

const fn checked(url: &str) -> &str {
    assert!(
        route::is_url(url) && !url.is_empty() && !contains(url, "{"),
        "a server's URL is `https://host/path`, or `/path` (relative to the base), without parameters, ? and #"
    );
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_and_values_are_what_can_be_asked_for() {
        for (scope, good) in
            [("system/*.rs", true), ("https://a.example/auth/x", true), ("a b", false), ("", false), ("\"", false)]
        {
            assert_eq!(OAuth::is_scope(scope), good, "{scope}");
        }
        for (value, good) in [
            ("instance_url", true),
            ("patient", true),
            ("ID-Token", false),
            ("Client-Secret", false),
            ("a.b", false),
            ("", false),
        ] {
            assert_eq!(OAuth::is_value(value), good, "{value}");
        }
    }

    #[test]
    fn a_url_of_its_own_is_relative_to_the_base() {
        let server =
            OAuth::server().metadata_url("/.well-known/smart-configuration").token_url("https://b.example/token");
        let declared = server.declared("https://a.example/r4/");
        assert_eq!(declared.metadata_url.as_deref(), Some("https://a.example/r4/.well-known/smart-configuration"));
        assert_eq!((declared.token_url.as_deref(), declared.revoke_url), (Some("https://b.example/token"), None));
    }
}
