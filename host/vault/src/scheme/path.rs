//! A segment of the path: a prefix and the secret, where the guest wrote the placeholder. Telegram takes its keys like this:
//! `/bot123:abc/sendMessage`.

use portcullis_gate::PATH_PLACEHOLDER;
use url::{Position, Url};
use zeroize::Zeroizing;

use super::{Problem, percent_encode, query::replace};
use crate::secret::Secret;

/// What else a segment may hold as it is (RFC 3986, section 3.3), but for `;`, at which servers cut.
const PLAIN: &[u8] = b"!$&'()*+,=:@";

/// Writes it over the placeholder, which is segment number `segment`.
pub(super) fn attach(segment: Option<usize>, prefix: &str, secret: &Secret, url: &mut Url) -> Result<(), Problem> {
    let placeholder = || {
        format!("the path of the URL holds `{PATH_PLACEHOLDER}` where its route's template names the parameter").into()
    };
    let mut own = Zeroizing::new(String::with_capacity(3 * (prefix.len() + secret.expose().len())));
    percent_encode(prefix.as_bytes(), PLAIN, &mut own);
    percent_encode(secret.expose(), PLAIN, &mut own);
    if matches!(own.as_str(), "" | "." | "..") {
        return Err("a path segment is not empty, nor `.` or `..`".into());
    }
    let mut text = Zeroizing::new(String::with_capacity(url.as_str().len() + own.len()));
    text.push_str(&url[..Position::BeforePath]);
    let mut found = false;
    for (number, written) in url.path_segments().ok_or_else(placeholder)?.enumerate() {
        text.push('/');
        if Some(number) != segment {
            text.push_str(written);
        } else if written == PATH_PLACEHOLDER {
            text.push_str(&own);
            found = true;
        }
    }
    if !found {
        return Err(placeholder());
    }
    text.push_str(&url[Position::AfterPath..]);
    replace(url, &text)
}
