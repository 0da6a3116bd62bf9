//! A header field: a prefix and the secret. `Authorization: Bearer …` is the best known.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::Problem;
use crate::secret::Secret;

/// The field of this name with prefix and secret.
pub(super) fn field(name: &str, prefix: &str, secret: &Secret) -> Result<(HeaderName, HeaderValue), Problem> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "its name is not a header name")?;
    Ok((name, value(&[prefix.as_bytes(), secret.expose()])?))
}

/// A header value of these parts, which does not print, and is wiped when the last of its clones is dropped.
pub(super) fn value(parts: &[&[u8]]) -> Result<HeaderValue, Problem> {
    // One allocation of the right size: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        bytes.extend_from_slice(part);
    }
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes))
        .map_err(|_| "a header value has no control characters")?;
    value.set_sensitive(true);
    Ok(value)
}
