//! A request to an authorization server: a form, its header fields, and what finds its secrets. Every buffer that holds a
//! secret is made in its full size, so that it does not move while it grows, and is wiped.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE},
};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::error::TokenError;
use crate::{
    client::{Purpose, TokenRequest},
    scrub::Scrubber,
    secret::Secret,
};

/// A request that is being written.
pub(super) struct Draft<'a> {
    slot: &'a str,
    purpose: Purpose,
    headers: HeaderMap,
    fields: Vec<(String, Zeroizing<Vec<u8>>)>,
    secrets: Vec<Secret>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(slot: &'a str, purpose: Purpose) -> Self {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        Self { slot, purpose, headers, fields: Vec::new(), secrets: Vec::new() }
    }

    /// A field of the form.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), Zeroizing::new(value.as_bytes().to_vec())));
    }

    /// A field that is a secret, and is not to be told in an error.
    pub(super) fn secret_field(&mut self, name: &str, value: &[u8]) {
        self.fields.push((name.to_owned(), Zeroizing::new(value.to_vec())));
        self.hide(value);
    }

    /// A header field of which only `secret` is to be hidden.
    pub(super) fn header(&mut self, name: HeaderName, value: Zeroizing<Vec<u8>>) -> Result<(), TokenError> {
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value))
            .map_err(|_| TokenError::Request("a secret holds what no header field can".to_owned()))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// What is not to be told in an error.
    pub(super) fn hide(&mut self, secret: &[u8]) {
        // What is no secret, too short for one, is not looked for: it would be found everywhere.
        self.secrets.extend(Secret::new(secret.to_vec()));
    }

    /// Without a body.
    pub(super) fn without_body(self, method: Method, url: &str) -> TokenRequest {
        self.request(method, url, None)
    }

    /// As a form.
    pub(super) fn form(mut self, url: &str) -> TokenRequest {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        // A byte becomes three at most.
        let size = self.fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut body = Zeroizing::new(Vec::with_capacity(size));
        for (name, value) in &self.fields {
            if !body.is_empty() {
                body.push(b'&');
            }
            encode(name.as_bytes(), &mut body);
            body.push(b'=');
            encode(value, &mut body);
        }
        self.request(Method::POST, url, Some(Bytes::from_owner(body)))
    }

    fn request(self, method: Method, url: &str, body: Option<Bytes>) -> TokenRequest {
        let slot = self.slot.to_owned();
        let scrubber = Arc::new(Scrubber::new(self.secrets.iter().map(|secret| (&slot, secret))));
        TokenRequest { slot, purpose: self.purpose, method, url: url.to_owned(), headers: self.headers, body, scrubber }
    }
}

/// As a form writes it (RFC 6749, appendix B). `out` must have three bytes of space for each byte.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in byte_serialize(bytes) {
        out.extend_from_slice(piece.as_bytes());
    }
}
