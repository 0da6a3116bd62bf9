//! The config as a whole: whose API it is, where it is, and what goes with every request.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

use crate::endpoint::{Endpoint, Errors, Success};

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
    /// How the secret in the slot `credential` is sent. By default there is none.
    #[serde(default)]
    pub(crate) auth: Auth,
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

/// How the secret in the slot `credential` is sent.
#[model]
#[derive(Debug, Default)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "camelCase")]
pub(crate) enum Auth {
    /// There is none.
    #[default]
    None,
    /// `Authorization: Bearer SECRET`.
    Bearer {
        /// Which secret, and where to find it: one sentence for whoever stores it.
        description: Option<String>,
    },
    /// `Authorization: Basic …`; the secret is `user:password`.
    Basic {
        /// Which secret, and where to find it: one sentence for whoever stores it.
        description: Option<String>,
    },
    /// A header of the API's own.
    Header {
        /// The header's name.
        #[schema(example = "X-Api-Key")]
        name: String,
        /// Put before the secret as it is.
        #[serde(default)]
        #[schema(length(max = 64), example = "Token ")]
        prefix: String,
        /// Which secret, and where to find it: one sentence for whoever stores it.
        description: Option<String>,
    },
    /// A query parameter. Only where the API offers nothing better: URLs end up in logs.
    Query {
        /// The parameter's name.
        #[schema(example = "key")]
        name: String,
        /// Which secret, and where to find it: one sentence for whoever stores it.
        description: Option<String>,
    },
}

/// The slot's name.
const CREDENTIAL: &str = "credential";

impl Auth {
    /// The slot, if there is one.
    pub(crate) fn slot(&self) -> Option<Slot<'_>> {
        let slot = match self {
            Self::None => return None,
            Self::Bearer { .. } => Slot::bearer(CREDENTIAL),
            Self::Basic { .. } => Slot::basic(CREDENTIAL),
            Self::Header { name, prefix, .. } => Slot::header(CREDENTIAL, name).prefix(prefix),
            Self::Query { name, .. } => Slot::query(CREDENTIAL, name),
        };
        let otherwise = match self {
            Self::Basic { .. } => "The API's user name and password, as `user:password`.",
            _ => "The API's key or token.",
        };
        Some(slot.describe(self.description().unwrap_or(otherwise)))
    }

    /// What the config says of the secret.
    pub(crate) fn description(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Bearer { description }
            | Self::Basic { description }
            | Self::Header { description, .. }
            | Self::Query { description, .. } => description.as_deref(),
        }
    }
}
