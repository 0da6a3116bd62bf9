//! What an operator decides.

use portcullis_sdk::prelude::*;

/// Where Stripe is, and on whose behalf it is asked.
#[model]
#[derive(Debug)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// Origin of Stripe's API, without a path. Another one is for tests and for proxies.
    #[schema(url, length(min = 8, max = 2048))]
    pub(crate) base_url: String,
    /// For platforms (Connect): the connected account that everything is done for. By default the key's own account.
    #[schema(pattern = r"^acct_[A-Za-z0-9]{1,250}$", example = "acct_1032D82eZvKYlo2C")]
    pub(crate) account: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_url: "https://api.stripe.com".to_owned(), account: None }
    }
}
