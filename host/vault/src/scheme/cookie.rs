//! A cookie (RFC 6265, section 4.2). Two slots may write one each; they share a field.

use http::{HeaderMap, header::COOKIE};

use super::{Problem, header};
use crate::secret::Secret;

/// Adds `NAME=SECRET` to the cookies of the request.
pub(super) fn attach(name: &str, secret: &Secret, headers: &mut HeaderMap) -> Result<(), Problem> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err("a cookie's name is made of letters, digits and any of !#$%&'*+-.^_`|~".into());
    }
    if !secret.expose().iter().all(|byte| is_cookie_octet(*byte)) {
        return Err("a cookie holds printable ASCII without space, `\"`, `,`, `;` and `\\`".into());
    }
    // One field for all: RFC 6265, section 5.4 allows no second.
    let before = headers.remove(COOKIE);
    let value = match &before {
        None => header::value(&[name.as_bytes(), b"=", secret.expose()]),
        Some(before) => header::value(&[before.as_bytes(), b"; ", name.as_bytes(), b"=", secret.expose()]),
    };
    headers.insert(COOKIE, value?);
    Ok(())
}

/// RFC 6265, section 4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
