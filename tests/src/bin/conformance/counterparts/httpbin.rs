//! httpbin: echoes requests as JSON, and answers with whatever status, header or body it is asked for.

use super::Running;
use crate::{cache::Cache, guard::Task, report::Checked};

const PACKAGES: &[&str] = &["httpbin==0.10.4", "gunicorn==27.0.1"];

/// Starts it, with a few answers at once.
pub(crate) async fn start(cache: &Cache) -> Checked<Running> {
    let python = cache.python("httpbin", PACKAGES).await?;
    Running::start(cache, "httpbin", "/get", |port| {
        let bind = format!("127.0.0.1:{port}");
        let options = ["-m", "gunicorn", "--no-control-socket", "--threads", "4", "--bind", &bind, "httpbin:app"];
        Task::new(&python).args(options).folder(&cache.folder("logs"))
    })
    .await
}
