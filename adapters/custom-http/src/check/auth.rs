//! How secrets are sent: names and texts as the host takes them, and no two secrets at one place.

use portcullis_sdk::prelude::*;

use crate::{
    auth::{Auth, Auths, Server, Signed},
    check::{Checked, header, parameter, plain, pointer, refuse, shown, url},
};

/// Most slots of one route.
const MAX_SLOTS: usize = 4;

/// Checks each, and then all of them together.
pub(super) fn check(auths: &Auths) -> Checked {
    let mut known: Vec<(String, Slot<'_>)> = Vec::new();
    for (at, auth) in auths.each() {
        one(&at, auth)?;
        let Some(slot) = auth.slot() else {
            let is_listed = at != "/auth";
            return if is_listed { refuse(at, "`none` is said by itself; take it out of the list") } else { Ok(()) };
        };
        if let Some((before, _)) = known.iter().find(|(_, before)| before.name() == slot.name()) {
            let message = format!("{} is the slot of `{before}` too; give this one another name", shown(slot.name()));
            return refuse(format!("{at}/slot"), message);
        }
        if let Some((before, _)) = known.iter().find(|(_, before)| before.clashes(&slot)) {
            return refuse(at, format!("it writes the same place of a request as `{before}`; keep one of the two"));
        }
        known.push((at, slot));
    }
    match known.len() {
        0 => refuse("/auth", "the list is empty; write how a secret is sent, or leave `auth` out"),
        1..=MAX_SLOTS => Ok(()),
        _ => refuse("/auth", format!("a request carries at most {MAX_SLOTS} secrets")),
    }
}

fn one(at: &str, auth: &Auth) -> Checked {
    let Some(said) = auth.said() else { return Ok(()) };
    if !is_word(said.slot) {
        let message = "is not a slot's name; write 1 to 64 lower-case letters, digits and `-`";
        return refuse(format!("{at}/slot"), format!("{} {message}", shown(said.slot)));
    }
    if let Some(text) = said.description {
        plain(&format!("{at}/description"), text)?;
    }
    if let Some(server) = said.oauth {
        oauth(&format!("{at}/oauth"), server)?;
    }
    let name_at = format!("{at}/name");
    match auth {
        Auth::Header(header) => {
            header::credential(&name_at, &header.name)?;
            header::value(&format!("{at}/prefix"), header.prefix.trim_end())
        }
        Auth::Query(query) => parameter(&name_at, &query.name),
        Auth::Path(path) => {
            if !url::is_parameter(&path.name) {
                let message = "does not name a segment; write at most 64 letters, digits, `_` and `-`";
                return refuse(name_at, format!("{} {message}", shown(&path.name)));
            }
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b);
            if !path.prefix.bytes().all(is_plain) {
                let message = "goes into the path; write letters, digits and `-._~!$&'()*+,=:@`";
                return refuse(format!("{at}/prefix"), format!("{} {message}", shown(&path.prefix)));
            }
            Ok(())
        }
        Auth::Cookie(cookie) if header::is_token(&cookie.name) => Ok(()),
        Auth::Cookie(cookie) => {
            let message = "is not a cookie's name; write letters, digits, `-` and `_`, at most 128";
            refuse(name_at, format!("{} {message}", shown(&cookie.name)))
        }
        Auth::Body(body) => {
            if body.name.is_empty() || body.name.len() > 128 || !body.name.bytes().all(|b| (b' '..0x7f).contains(&b)) {
                let message = "is not a member's name; write 1 to 128 printable ASCII characters";
                return refuse(name_at, format!("{} {message}", shown(&body.name)));
            }
            Ok(())
        }
        Auth::Sigv4(aws) => {
            for (what, text) in [("service", &aws.service), ("region", &aws.region)] {
                if !is_word(text) {
                    let message = "is 1 to 64 lower-case letters, digits and `-`, as in `s3` and `eu-central-1`";
                    return refuse(format!("{at}/{what}"), format!("{what} {message}"));
                }
            }
            Ok(())
        }
        Auth::Hmac(hmac) => signed(at, hmac),
        Auth::None | Auth::Bearer(_) | Auth::Basic(_) | Auth::ClientCertificate(_) => Ok(()),
    }
}

fn signed(at: &str, signed: &Signed) -> Checked {
    if !Hmac::is_message(&signed.message) {
        let message = "is not what can be hashed: write at most 1024 bytes, with braces only around what the config's \
                       schema lists, as in `{timestamp}.{body}`";
        return refuse(format!("{at}/message"), format!("{} {message}", shown(&signed.message)));
    }
    let headers = format!("{at}/headers");
    for (name, value) in &signed.headers {
        let at = pointer(&headers, name);
        header::credential(&at, name)?;
        header::value(&at, value)?;
        if !Hmac::is_value(value) {
            let message = "names what a header cannot say; write `{signature}`, `{timestamp}`, `{timestamp-ms}`, `{date}`, \
                           `{nonce}` and `{key-id}`";
            return refuse(at, format!("{} {message}", shown(value)));
        }
    }
    header::once(&headers, signed.headers.keys().map(String::as_str))?;
    if signed.headers.len() > 8 || !signed.headers.values().any(|value| value.contains("{signature}")) {
        return refuse(headers, "there are 1 to 8 headers, and one of them says `{signature}`");
    }
    Ok(())
}

fn oauth(at: &str, server: &Server) -> Checked {
    for (what, url) in [
        ("tokenUrl", &server.token_url),
        ("authorizeUrl", &server.authorize_url),
        ("revokeUrl", &server.revoke_url),
        ("metadataUrl", &server.metadata_url),
    ] {
        url.iter().try_for_each(|url| url::base(&format!("{at}/{what}"), url))?;
    }
    for (index, scope) in server.scopes.iter().enumerate() {
        if !OAuth::is_scope(scope) {
            let message = "is not a scope; write 1 to 256 printable characters without spaces, and several one by one";
            return refuse(format!("{at}/scopes/{index}"), format!("{} {message}", shown(scope)));
        }
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
