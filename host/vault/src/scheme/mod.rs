//! How a secret goes on the wire, by scheme. Called after the gate has decided, never before.
//!
//! | file | what it writes |
//! | --- | --- |
//! | `header.rs`, `basic.rs`, `cookie.rs` | a header field |
//! | `query.rs`, `path.rs` | the URL |
//! | `body/` | a member of a JSON object, a field of a form |
//! | `sigv4.rs` | the signature of AWS |
//! | `hmac.rs`, `canonical.rs` | a keyed hash, and what is hashed |
//!
//! A client certificate is the connection's, not the request's. A signing key is never sent.

mod basic;
mod body;
mod canonical;
mod cookie;
mod header;
mod hmac;
mod path;
mod query;
mod sigv4;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use portcullis_gate::{OpenSlot, Scheme};
use zeroize::Zeroizing;

use crate::{VaultError, outgoing::Outgoing, ready::Live, secret::Secret, usable::Usable};

/// Why something cannot go on the wire, and what would. Never tells the secret.
type Problem = Cow<'static, str>;

/// A header field that is the same for each request: made once, and cloned without copying what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// What it was made for. A slot has one scheme, so another is not expected, and never served.
    scheme: Scheme,
    name: HeaderName,
    value: HeaderValue,
}

/// Whether it signs what the others have written, and so comes last.
pub(crate) fn signs(scheme: &Scheme) -> bool {
    matches!(scheme, Scheme::Sigv4 { .. } | Scheme::Hmac(_))
}

/// Puts what a slot holds on a request.
///
/// Gives the signature that was made with it, where its scheme makes one: it is looked for in answers like a secret.
pub(crate) fn attach(
    slot: &OpenSlot,
    live: &Live,
    now: Timestamp,
    outgoing: &mut Outgoing,
) -> Result<Option<Secret>, VaultError> {
    put(slot, live, now, outgoing).map_err(|problem| VaultError::Unfit {
        slot: slot.name.clone(),
        scheme: slot.scheme.as_str(),
        problem: problem.into_owned(),
    })
}

/// Whether what slots hold could be written into the body of this request. Asks for no secret.
pub fn body_fits(slots: &[OpenSlot], outgoing: &mut Outgoing) -> Result<(), VaultError> {
    for slot in slots {
        let Scheme::Body { name } = &slot.scheme else { continue };
        body::try_attach(name, outgoing).map_err(|problem| VaultError::Unfit {
            slot: slot.name.clone(),
            scheme: slot.scheme.as_str(),
            problem: problem.into_owned(),
        })?;
    }
    Ok(())
}

fn put(slot: &OpenSlot, live: &Live, now: Timestamp, outgoing: &mut Outgoing) -> Result<Option<Secret>, Problem> {
    let usable = &live.usable;
    match &slot.scheme {
        Scheme::Bearer | Scheme::Basic | Scheme::Header { .. } => {
            if let Some(field) = live.field.get()
                && field.scheme == slot.scheme
            {
                outgoing.headers.insert(field.name.clone(), field.value.clone());
                return Ok(None);
            }
            let (name, value) = field(&slot.scheme, secret(usable)?)?;
            outgoing.headers.insert(name.clone(), value.clone());
            // Another request may have been first: what it made is the same.
            let _ = live.field.set(Field { scheme: slot.scheme.clone(), name, value });
        }
        Scheme::Cookie { name } => cookie::attach(name, secret(usable)?, &mut outgoing.headers)?,
        Scheme::Query { name } => query::attach(name, secret(usable)?, &mut outgoing.url)?,
        Scheme::Path { prefix, .. } => path::attach(slot.segment, prefix, secret(usable)?, &mut outgoing.url)?,
        Scheme::Body { name } => body::attach(name, secret(usable)?, outgoing)?,
        Scheme::Sigv4 { service, region } => {
            return sigv4::attach(service, region, usable, now, outgoing).map(Some);
        }
        Scheme::Hmac(scheme) => return hmac::attach(scheme, usable, now, outgoing).map(Some),
        Scheme::ClientCertificate => match usable {
            Usable::Certificate(_) => {}
            _ => return Err("give a credential of kind client-certificate".into()),
        },
        Scheme::SigningKey => return Err("a signing key is never sent".into()),
    }
    Ok(None)
}

/// The header field of a scheme that writes the same one on each request.
fn field(scheme: &Scheme, secret: &Secret) -> Result<(HeaderName, HeaderValue), Problem> {
    match scheme {
        Scheme::Basic => basic::field(secret),
        Scheme::Header { name, prefix } => header::field(name, prefix, secret),
        _ => header::field("authorization", "Bearer ", secret),
    }
}

/// The one secret that most schemes write.
fn secret(usable: &Usable) -> Result<&Secret, Problem> {
    usable.secret().ok_or_else(|| {
        let found = match usable {
            Usable::KeyPair(_) => "a key with a name, which signs and is not sent",
            _ => "a client certificate",
        };
        format!("it is {found}; give one secret (kind secret), or a kind that gets tokens").into()
    })
}

/// Writes `bytes` with everything escaped but unreserved characters (RFC 3986, section 2.3) and those in `also`.
fn percent_encode(bytes: &[u8], also: &[u8], to: &mut Zeroizing<String>) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || also.contains(byte) {
            to.push(char::from(*byte));
        } else {
            to.push('%');
            for digit in [byte >> 4, byte & 15] {
                to.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}
