//! A keyed hash (RFC 2104) over a text made of the request, and the header fields that carry it.
//!
//! The key is the bytes of the secret as they were handed over: nothing is decoded, whatever they look like.

use std::fmt::Write;

use aws_lc_rs::hmac;
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::HeaderName;
use jiff::Timestamp;
use portcullis_gate::{HmacScheme, MacAlgorithm, MacEncoding};

use super::{
    Problem,
    canonical::{Facts, Template},
    header,
};
use crate::{outgoing::Outgoing, secret::Secret, usable::Usable};

/// Signs the request, and gives the signature.
pub(super) fn attach(
    scheme: &HmacScheme,
    usable: &Usable,
    now: Timestamp,
    outgoing: &mut Outgoing,
) -> Result<Secret, Problem> {
    let (id, secret) = match usable {
        Usable::Secret(secret) => (None, secret),
        Usable::KeyPair(pair) => (Some(pair.id.as_str()), &pair.secret),
        Usable::Certificate(_) | Usable::Token(_) => {
            return Err("give a credential of kind secret, or of kind key-pair where its key has a name".into());
        }
    };
    let message = Template::parse(&scheme.message)?;
    let mut fields = Vec::with_capacity(scheme.headers.len());
    for (name, template) in &scheme.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "one of its names is not a header name")?;
        fields.push((name, Template::parse(template)?));
    }
    let mut facts = Facts::new(now, id)?;
    // Those without a signature first: the message may hold them, a Date above all.
    for (name, template) in fields.iter().filter(|(_, template)| !template.is_signed()) {
        write_field(name, template, &facts, outgoing)?;
    }
    let mut context = hmac::Context::with_key(&key(scheme.algorithm, secret));
    message.render(&facts, Some(outgoing), &mut |bytes| context.update(bytes))?;
    let signature = encode(scheme.encoding, context.sign().as_ref());
    let made = Secret::stored(signature.as_bytes());
    facts.signature = Some(signature);
    for (name, template) in fields.iter().filter(|(_, template)| template.is_signed()) {
        write_field(name, template, &facts, outgoing)?;
    }
    Ok(made)
}

/// Writes a field, in place of what was there.
fn write_field(name: &HeaderName, template: &Template, facts: &Facts, outgoing: &mut Outgoing) -> Result<(), Problem> {
    let mut text = Vec::new();
    template.render(facts, None, &mut |bytes| text.extend_from_slice(bytes))?;
    outgoing.headers.insert(name.clone(), header::value(&[&text])?);
    Ok(())
}

/// The key of this algorithm.
fn key(algorithm: MacAlgorithm, secret: &Secret) -> hmac::Key {
    let algorithm = match algorithm {
        MacAlgorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        MacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(algorithm, secret.expose())
}

fn encode(encoding: MacEncoding, mac: &[u8]) -> String {
    match encoding {
        MacEncoding::Hex => hex(mac),
        MacEncoding::Base64 => BASE64_STANDARD.encode(mac),
        MacEncoding::Base64Url => BASE64_URL_SAFE_NO_PAD.encode(mac),
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
