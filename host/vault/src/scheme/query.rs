//! A query parameter, behind those of the guest.

use url::Url;
use zeroize::Zeroizing;

use super::{Problem, percent_encode};
use crate::secret::Secret;

/// Adds `NAME=SECRET`, escaped.
pub(super) fn attach(name: &str, secret: &Secret, url: &mut Url) -> Result<(), Problem> {
    let longest = url.as_str().len() + 3 * (name.len() + secret.expose().len()) + 2;
    let mut text = Zeroizing::new(String::with_capacity(longest));
    text.push_str(url.as_str());
    match url.query() {
        None => text.push('?'),
        Some("") => {}
        Some(_) => text.push('&'),
    }
    percent_encode(name.as_bytes(), b"", &mut text);
    text.push('=');
    percent_encode(secret.expose(), b"", &mut text);
    replace(url, &text)
}

/// The URL that `text` is, if it is written as it will be sent. Built anew and not changed in place: a text that grows leaves
/// pieces of secrets behind.
pub(super) fn replace(url: &mut Url, text: &str) -> Result<(), Problem> {
    let made = Url::parse(text).map_err(|_| "with it the URL would not be one")?;
    if made.as_str() != text {
        return Err("with it the URL would be read as another".into());
    }
    *url = made;
    Ok(())
}
