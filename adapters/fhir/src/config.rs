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
    /// The scopes to ask tokens for. By default `system/*.rs`, which reads and searches; writing needs `system/*.cud`.
    #[schema(length(min = 1, max = 64), example = ["system/Patient.rs", "system/Observation.cruds"])]
    pub(crate) scopes: Option<Vec<String>>,
    /// Where tokens are asked for, if the server does not say it itself at `[base]/.well-known/smart-configuration`.
    #[schema(
        pattern = r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        length(min = 8, max = 2048),
        example = "https://auth.example.org/token"
    )]
    pub(crate) token_url: Option<String>,
}

impl Config {
    /// Without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        self.base_url.trim_end_matches('/')
    }
}
