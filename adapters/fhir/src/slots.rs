//! The one credential: a bearer token that was made elsewhere.
//!
//! SMART Backend Services, where the host itself asks for a token with a signed assertion, comes with OAuth in the vault;
//! until then somebody else gets the token, and rotates it.

use portcullis_sdk::prelude::*;

pub(crate) const ACCESS_TOKEN: Slot = Slot::bearer("access-token")
    .describe("An access token of the FHIR server, with scopes for what is granted, such as `system/Patient.rs`.");
