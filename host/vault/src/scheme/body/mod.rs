//! A member of the body, where an API insists. What kind of body it is says its Content-Type, for that is what the server
//! goes by.

mod form;
mod json;

use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_LENGTH, header::CONTENT_TYPE};
use zeroize::Zeroizing;

use super::Problem;
use crate::{outgoing::Outgoing, secret::Secret};

/// Whether a secret could be written into this body; the error says what stands in the way. Asks for no secret: sandbox mode
/// refuses what live mode would.
pub(crate) fn try_attach(name: &str, outgoing: &mut Outgoing) -> Result<(), Problem> {
    attach(name, &Secret::stored(b"-"), outgoing)
}

/// Adds the member or field `name`.
pub(super) fn attach(name: &str, secret: &Secret, outgoing: &mut Outgoing) -> Result<(), Problem> {
    let secret = std::str::from_utf8(secret.expose()).map_err(|_| "in a body it is UTF-8 text")?;
    let body = outgoing.body.as_deref().unwrap_or_default();
    let mut types = outgoing.headers.get_all(CONTENT_TYPE).iter();
    let (first, second) = (types.next(), types.next());
    let kind = first.filter(|_| second.is_none()).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let made: Zeroizing<Vec<u8>> = if kind == "application/x-www-form-urlencoded" {
        form::with(body, name, secret)?
    } else if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        json::with(body, name, secret)?
    } else {
        return Err("the request's one Content-Type is application/json, or ends with +json, or is \
             application/x-www-form-urlencoded; into no other body can it be written"
            .into());
    };
    if outgoing.headers.contains_key(CONTENT_LENGTH) {
        outgoing.headers.insert(CONTENT_LENGTH, HeaderValue::from(made.len()));
    }
    outgoing.body = Some(Bytes::from_owner(made));
    Ok(())
}
