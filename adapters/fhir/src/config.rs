//! What an operator decides.

use portcullis_sdk::prelude::*;

/// Which FHIR server.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// The server's base URL (FHIR calls it `[base]`), without a query: what stands before `/metadata` and `/Patient`.
    #[schema(
        pattern = r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        length(min = 8, max = 2048),
        example = "https://fhir.example.org/r4"
    )]
    pub(crate) base_url: String,
}

impl Config {
    /// Without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        self.base_url.trim_end_matches('/')
    }
}
