//! The one credential: a bearer token.
//!
//! The host asks for it by SMART Backend Services or another way of OAuth, as the operator set the credential up; where
//! the server's metadata is depends on where the server is.

use portcullis_sdk::{DeclaredOAuth, prelude::*};

use crate::config::Config;

pub(crate) const ACCESS_TOKEN: Slot = Slot::bearer("access-token")
    .oauth(OAuth::server().metadata_url("/.well-known/smart-configuration").scopes(&["system/*.rs"]))
    .describe("Access to the FHIR server, for instance by SMART Backend Services, with scopes for what is granted.");

/// Says of the authorization server what the config says.
pub(crate) fn server(config: &Config, _: &str, server: &mut DeclaredOAuth) {
    if let Some(scopes) = &config.scopes {
        server.scopes.clone_from(scopes);
    }
    if let Some(url) = &config.token_url {
        // Who names it does so because there is no metadata.
        server.metadata_url = None;
        server.token_url = Some(url.clone());
    }
}
