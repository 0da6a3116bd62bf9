//! A FHIR vendor who makes it hard: bare arrays for bundles, empty bodies, a 500 for bad JSON. All of it is the library's own
//! (`tests/conformance/awkward.cjs`).

use super::Running;
use crate::{cache::Cache, report::Checked};

const PACKAGES: &[&str] = &["@asymmetrik/node-fhir-server-core@2.2.5"];

/// The path of the base URL.
pub(crate) const BASE: &str = "/4_0_1";

/// Starts it, empty.
pub(crate) async fn start(cache: &Cache) -> Checked<Running> {
    let node = cache.node("awkward", PACKAGES, 18).await?;
    let script = cache.script("awkward.cjs", &node.folder)?;
    Running::start(cache, "awkward", &format!("{BASE}/metadata"), |port| node.task(&script).args([port.to_string()]))
        .await
}
