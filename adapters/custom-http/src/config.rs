//! The config as a whole: whose API it is, where it is, and what goes with every request.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

use crate::{
    auth::Auths,
    endpoint::{Endpoint, Errors, Success},
};

/// One HTTP API and those of its endpoints that are used.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// Whose API it is, in lower-case letters, digits and `-`. The first part of its error codes.
    #[schema(pattern = "^[a-z][a-z0-9-]*$", length(min = 1, max = 32), example = "notion")]
    pub(crate) provider: String,
    /// What the endpoints' paths are relative to: scheme, host, maybe port and path.
    #[schema(url, length(min = 8, max = 2048), example = "https://api.notion.com/v1")]
    pub(crate) base_url: String,
    /// How secrets are sent: one, or a list. By default there is none.
    #[serde(default)]
    pub(crate) auth: Auths,
    /// Headers of every request. An endpoint's own of the same name count instead.
    #[serde(default)]
    #[schema(example = {"Notion-Version": "2025-09-03"})]
    pub(crate) headers: BTreeMap<String, String>,
    /// Which answers are successes, where an endpoint does not say it. By default those with a status of 2xx.
    pub(crate) success: Option<Success>,
    /// Where answers say what went wrong, where an endpoint does not say it. By default the status is all that counts.
    pub(crate) errors: Option<Errors>,
    /// What can be called.
    #[schema(length(min = 1, max = 200))]
    pub(crate) endpoints: Vec<Endpoint>,
}
