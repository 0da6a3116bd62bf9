//! What an operator decides.

use portcullis_sdk::prelude::*;

/// Where Postmark is.
#[model]
#[derive(Debug)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// Origin of Postmark's API, without a path. Another one is for tests and for proxies.
    #[schema(url, length(min = 8, max = 2048))]
    pub(crate) base_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_url: "https://api.postmarkapp.com".to_owned() }
    }
}
