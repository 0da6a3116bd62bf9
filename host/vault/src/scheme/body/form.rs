//! A field of a form (`application/x-www-form-urlencoded`), behind those of the guest.

use portcullis_gate::is_read_as;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::scheme::{Problem, percent_encode};

/// The form with `name=secret` at its end.
pub(super) fn with(body: &[u8], name: &str, secret: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
    // As some server reads them, which would take the guest's for the host's; `;` parts fields, too, for old ones.
    // Names alone are decoded: a value may be the secret of another slot, and its copy would not be wiped.
    let fields = body.split(|byte| matches!(byte, b'&' | b';'));
    let mut names = fields.filter_map(|pair| pair.split(|byte| *byte == b'=').next());
    if names.any(|own| form_urlencoded::parse(own).any(|(own, _)| is_read_as(name, own.bytes()))) {
        return Err(format!("the form has a field `{name}` already; the host writes it").into());
    }
    let mut field = Zeroizing::new(String::with_capacity(2 + 3 * (name.len() + secret.len())));
    if !body.is_empty() && !body.ends_with(b"&") {
        field.push('&');
    }
    percent_encode(name.as_bytes(), b"", &mut field);
    field.push('=');
    percent_encode(secret.as_bytes(), b"", &mut field);
    let mut made = Zeroizing::new(Vec::with_capacity(body.len() + field.len()));
    made.extend_from_slice(body);
    made.extend_from_slice(field.as_bytes());
    Ok(made)
}
