//! How a secret goes on the wire, by scheme. Called after the gate has decided, never before.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use portcullis_gate::Scheme;
use url::Url;
use zeroize::Zeroizing;

use crate::{VaultError, secret::Secret};

/// Puts `secret` on a request.
pub(crate) fn attach(
    slot: &str,
    secret: &Secret,
    scheme: &Scheme,
    headers: &mut HeaderMap,
    url: &mut Url,
) -> Result<(), VaultError> {
    let unfit = |scheme, problem| VaultError::Unfit { slot: slot.to_owned(), scheme, problem };
    let not_a_value = "a header value has no control characters";
    match scheme {
        Scheme::Bearer => {
            headers.insert(AUTHORIZATION, value("Bearer ", secret.expose()).ok_or(unfit("bearer", not_a_value))?);
        }
        Scheme::Basic => {
            if !secret.expose().contains(&b':') {
                return Err(unfit("basic", "write `user:password`; either may be empty"));
            }
            let encoded = Zeroizing::new(BASE64_STANDARD.encode(secret.expose()));
            headers.insert(AUTHORIZATION, value("Basic ", encoded.as_bytes()).ok_or(unfit("basic", not_a_value))?);
        }
        Scheme::Header { name, prefix } => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| unfit("header", "its name is not a header name"))?;
            headers.insert(name, value(prefix, secret.expose()).ok_or(unfit("header", not_a_value))?);
        }
        Scheme::Query { name } => {
            let text =
                std::str::from_utf8(secret.expose()).map_err(|_| unfit("query", "a query parameter is UTF-8 text"))?;
            url.query_pairs_mut().append_pair(name, text);
        }
        Scheme::SigningKey => return Err(unfit("signing-key", "a signing key is never sent")),
    }
    Ok(())
}

/// A header value that does not print.
fn value(prefix: &str, secret: &[u8]) -> Option<HeaderValue> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(prefix.len() + secret.len()));
    bytes.extend_from_slice(prefix.as_bytes());
    bytes.extend_from_slice(secret);
    let mut value = HeaderValue::from_bytes(&bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(secret: &str, scheme: Scheme) -> Result<(HeaderMap, String), VaultError> {
        let mut headers = HeaderMap::new();
        let mut url = Url::parse("https://a.example/x?q=1").unwrap();
        attach("key", &Secret::try_from(secret).unwrap(), &scheme, &mut headers, &mut url)?;
        Ok((headers, url.to_string()))
    }

    #[test]
    fn each_scheme_writes_its_own_place() {
        let (headers, _) = attached("s3cret", Scheme::Bearer).unwrap();
        assert_eq!(headers["authorization"], "Bearer s3cret");
        let (headers, _) = attached("Aladdin:open sesame", Scheme::Basic).unwrap();
        assert_eq!(headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let scheme = Scheme::Header { name: "X-Key".into(), prefix: "Token ".into() };
        assert_eq!(attached("s3cret", scheme).unwrap().0["x-key"], "Token s3cret");
        let (_, url) = attached("a&b=c", Scheme::Query { name: "key".into() }).unwrap();
        assert_eq!(url, "https://a.example/x?q=1&key=a%26b%3Dc");
    }

    #[test]
    fn what_does_not_fit_is_refused_without_showing_it() {
        let error = attached("no-colon", Scheme::Basic).unwrap_err().to_string();
        assert!(error.contains("user:password") && !error.contains("no-colon"), "{error}");
        assert!(attached("s3cret", Scheme::SigningKey).is_err());
    }

    #[test]
    fn an_attached_header_does_not_print() {
        let (headers, _) = attached("s3cret", Scheme::Bearer).unwrap();
        assert!(!format!("{headers:?}").contains("s3cret"));
    }
}
