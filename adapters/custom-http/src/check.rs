//! Whether a config can be right, beyond what its schema says: refused with the JSON Pointer (RFC 6901) to what is wrong,
//! and with what to write instead.
//!
//! The host would refuse most of it too, but it only knows the descriptor, not the config that made it.

mod answer;
mod auth;
mod endpoint;
mod header;
mod pattern;
mod schema;
mod url;

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

use crate::{config::Config, route::id};

/// What is wrong, and where: a pointer below the thing that was checked.
pub(crate) type Checked<T = ()> = Result<T, Error>;

/// Provider names by which the SDK's own errors begin.
const TAKEN: [&str; 3] = ["adapter", "host", "http"];

/// Checks a config.
pub(crate) fn config(config: &Config) -> Checked {
    if TAKEN.contains(&config.provider.as_str()) {
        let message =
            format!("errors that begin with `{}` are not the API's own; write whose API it is", config.provider);
        return refuse("/provider", message);
    }
    url::base("/baseUrl", &config.base_url)?;
    auth::check(&config.auth)?;
    for (name, value) in &config.headers {
        let at = pointer("/headers", name);
        header::name(&at, name, &config.auth)?;
        header::value(&at, value)?;
    }
    header::once("/headers", config.headers.keys().map(String::as_str))?;
    if let Some(rule) = &config.success {
        answer::success("/success", rule)?;
    }
    if let Some(form) = &config.errors {
        answer::errors("/errors", form)?;
    }
    let mut names = BTreeMap::new();
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        let at = format!("/endpoints/{index}");
        if let Some(before) = names.insert(id(&endpoint.name), index) {
            let message = format!("`/endpoints/{before}` has this name too; give one of them another");
            return refuse(format!("{at}/name"), message);
        }
        endpoint::check(&at, config, endpoint)?;
    }
    Ok(())
}

/// The name of a query parameter, as the host takes it.
fn parameter(at: &str, name: &str) -> Checked {
    if name.is_empty() || name.len() > 128 || !name.bytes().all(|byte| (b'!'..0x7f).contains(&byte)) || name == "*" {
        let problem = "cannot name a query parameter: write 1 to 128 printable ASCII characters without spaces";
        return refuse(at, format!("{} {problem}", shown(name)));
    }
    Ok(())
}

/// Text that people read: without what a terminal acts on, or what makes it look like other text.
fn plain(at: &str, text: &str) -> Checked {
    let hidden = |c: char| {
        matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    if text.len() > 4096 || text.chars().any(|c| c.is_control() || hidden(c)) {
        return refuse(
            at,
            "it is one line of at most 4096 bytes of visible text; take out control and invisible characters",
        );
    }
    Ok(())
}

/// A JSON Pointer (RFC 6901).
fn place(at: &str, pointer: &str) -> Checked {
    let escaped = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !(pointer.is_empty() || pointer.starts_with('/')) || !escaped {
        let message = "is not a JSON Pointer; write `/data/items`, `/errors/0/code`, or an empty text for the whole";
        return refuse(at, format!("{} {message}", shown(pointer)));
    }
    Ok(())
}

fn refuse<T>(at: impl Into<String>, message: impl Into<String>) -> Checked<T> {
    Err(Error::invalid_config(at, message))
}

/// The pointer to a member.
pub(crate) fn pointer(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A text of the config's, fit for a message.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
