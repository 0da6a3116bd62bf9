//! Names and values of header fields, as the host takes them.

use std::collections::BTreeMap;

use portcullis_sdk::Slot;

use crate::{
    auth::Auths,
    check::{Checked, pointer, refuse, shown},
    route::folded,
};

/// Fields that only the host writes. A test holds that the host agrees.
pub(crate) const RESERVED: [&str; 24] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "if-range",
    "keep-alive",
    "max-forwards",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-host",
    "x-http-destinationurl",
    "x-method-override",
    "x-override-url",
    "x-real-ip",
];

/// Beginnings of more of them.
const RESERVED_PREFIXES: [&str; 5] = ["proxy", "x-forwarded", "x-http-method", "x-original-", "x-rewrite-"];

/// Longest value, in bytes.
const MAX_VALUE: usize = 1024;

/// The name of a field that requests carry.
pub(crate) fn name(at: &str, name: &str, auth: &Auths) -> Checked {
    token(at, name)?;
    let folded = folded(name);
    if is_reserved(&folded) {
        let hint = if folded == "authorization" { "; say in `auth` how the secret is sent" } else { "; leave it out" };
        return refuse(at, format!("{} is the host's to write{hint}", shown(name)));
    }
    let is_own = |slot: &Slot<'_>| (0..).map_while(|at| slot.writes_header(at)).any(|own| self::folded(own) == folded);
    if auth.slots().iter().any(is_own) {
        return refuse(at, format!("{} carries the secret, as `auth` says; leave it out here", shown(name)));
    }
    Ok(())
}

/// The name of the field that carries the secret.
pub(crate) fn credential(at: &str, name: &str) -> Checked {
    token(at, name)?;
    if is_reserved(&folded(name)) && !name.eq_ignore_ascii_case("authorization") {
        return refuse(at, format!("{} frames or routes the message; a secret cannot go there", shown(name)));
    }
    Ok(())
}

/// What a field says always.
pub(crate) fn value(at: &str, value: &str) -> Checked {
    let is_visible = value.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    if value.len() > MAX_VALUE || !is_visible || value.trim() != value {
        let message = "is not a header's value: write at most 1024 bytes of ASCII without control characters, and without \
                       spaces around it";
        return refuse(at, format!("{} {message}", shown(value)));
    }
    Ok(())
}

/// No two names are the same to some server.
pub(crate) fn once<'n>(at: &str, names: impl Iterator<Item = &'n str>) -> Checked {
    let mut seen = BTreeMap::new();
    for name in names {
        if let Some(before) = seen.insert(folded(name), name) {
            let message = format!("{} is the same header to servers; keep one of the two", shown(before));
            return refuse(pointer(at, name), message);
        }
    }
    Ok(())
}

fn token(at: &str, name: &str) -> Checked {
    if !is_token(name) {
        let message = "is not a header's name; write letters, digits and `-`, at most 128";
        return refuse(at, format!("{} {message}", shown(name)));
    }
    Ok(())
}

/// Whether it is a token (RFC 9110, section 5.6.2), as names of header fields and of cookies are.
pub(super) fn is_token(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(is_token)
}

fn is_reserved(folded: &str) -> bool {
    RESERVED.contains(&folded) || RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
}
