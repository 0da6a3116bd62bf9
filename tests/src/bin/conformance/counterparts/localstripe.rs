//! localstripe: Stripe in memory, with an older shape of its API and no idempotency keys. Any key that starts with `sk_` will
//! do. Its licence is the GPL: it is fetched when it is needed, and no part of this project.

use super::Running;
use crate::{cache::Cache, guard::Task, report::Checked};

const PACKAGES: &[&str] = &["localstripe==1.15.10"];

/// Starts it, empty.
pub(crate) async fn start(cache: &Cache) -> Checked<Running> {
    let python = cache.python("localstripe", PACKAGES).await?;
    let script = cache.script("localstripe_server.py", &cache.folder("python").join("localstripe"))?;
    Running::start(cache, "localstripe", "/v1/customers", |port| {
        Task::new(&python).args([&script]).args([port.to_string()]).folder(&cache.folder("logs"))
    })
    .await
}
