//! `Authorization: Basic base64(user:password)` (RFC 7617). Either may be empty, as many APIs want it.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use zeroize::Zeroizing;

use super::{Problem, header};
use crate::secret::Secret;

/// The field, from `user:password`.
pub(super) fn field(secret: &Secret) -> Result<(HeaderName, HeaderValue), Problem> {
    if !secret.expose().contains(&b':') {
        return Err("write `user:password`; either may be empty".into());
    }
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(secret.expose()));
    Ok((AUTHORIZATION, header::value(&[b"Basic ", encoded.as_bytes()])?))
}
