//! Prism: any API, from its OpenAPI description. It answers valid requests in the description's shape, and others with the
//! description's 422 or another 4xx.
//!
//! It ignores the path of the description's servers: `/mail/send`, not `/v3/mail/send`.

use std::{fs, path::Path};

use serde_json::Value;

use super::Running;
use crate::{cache::Cache, report::Checked, tap::Passed};

const PACKAGES: &[&str] = &["@stoplight/prism-cli@5.14.2"];

/// Starts it with one of the descriptions beside the checkout, such as `postmark/postmark-server.json`.
pub(crate) async fn start(cache: &Cache, spec: &str) -> Checked<Running> {
    let path = cache.spec(spec)?;
    started(cache, spec, &path).await
}

/// The same, with a description that is mended first: some say what is not so.
pub(crate) async fn start_mended(cache: &Cache, spec: &str, mend: impl FnOnce(&mut Value)) -> Checked<Running> {
    let mut description = cache.spec_json(spec)?;
    mend(&mut description);
    let path = cache.folder("logs").join(format!("mended-{}", flat(spec)));
    fs::write(&path, description.to_string())?;
    started(cache, spec, &path).await
}

async fn started(cache: &Cache, spec: &str, path: &Path) -> Checked<Running> {
    let node = cache.node("prism", PACKAGES, 18).await?;
    Running::start(cache, &format!("prism-{}", flat(spec)), "/", |port| {
        let port = port.to_string();
        node.task(&node.bin("prism")).args(["mock", "-h", "127.0.0.1", "-p", &port]).args([path])
    })
    .await
}

/// What Prism found wrong with a request, in its own words. It tells so beside whatever it answers.
pub(crate) fn violations(passed: &Passed) -> Option<&str> {
    passed.headers.get("sl-violations")?.to_str().ok()
}

/// A name for files.
fn flat(spec: &str) -> String {
    spec.replace('/', "-")
}
