//! An OAuth 2.0 and OpenID Connect server in memory: `oidc-provider`. `tests/conformance/oidc.mjs` says what is the library's own
//! and what is glue, and what the settings are; `oidc_control.mjs` lists what it can be asked for beside OAuth.

use std::{fs, net::SocketAddr, path::PathBuf};

use serde_json::Value;

use super::{Running, free};
use crate::{
    cache::Cache,
    packages::Node,
    report::{Checked, Stop},
};

const PACKAGES: &[&str] = &["oidc-provider@9.13.3", "jose@6.2.17"];
/// The last one imports the others.
const SCRIPTS: &[&str] = &["oidc_control.mjs", "oidc_grants.mjs", "oidc_resources.mjs", "oidc.mjs"];

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Oidc {
    running: Running,
    client: reqwest::Client,
}

impl Oidc {
    /// Starts it with these settings.
    pub(crate) async fn start(cache: &Cache, settings: &Value) -> Checked<Self> {
        let node = node(cache).await?;
        let script = scripts(cache, &node)?;
        let running = Running::start(cache, "oidc", "/jwks", |port| {
            node.task(&script).args([port.to_string(), settings.to_string()])
        })
        .await?;
        let client = reqwest::Client::builder().no_proxy().build().map_err(Stop::failed)?;
        Ok(Self { running, client })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// `http://127.0.0.1:PORT`, without a slash at its end. It is also its name as an issuer.
    pub(crate) fn origin(&self) -> String {
        self.running.origin()
    }

    /// Asks something of `/control`: `control("requests", None)`, `control("ttl", Some(json!({"access": 2})))`.
    pub(crate) async fn control(&self, name: &str, change: Option<Value>) -> Checked<Value> {
        let url = format!("{}/control/{name}", self.origin());
        let request = match change {
            Some(change) => self.client.post(url).body(change.to_string()),
            None => self.client.get(url),
        };
        let answer = request.send().await.map_err(Stop::failed)?;
        let status = answer.status();
        let body = answer.text().await.map_err(Stop::failed)?;
        if !status.is_success() {
            return Err(Stop::Failed(format!("/control/{name} answered {status}: {body}")));
        }
        serde_json::from_str(&body).map_err(Stop::failed)
    }
}

/// A Node.js that finds the server's packages.
pub(crate) async fn node(cache: &Cache) -> Checked<Node> {
    cache.node("oidc", PACKAGES, 20).await
}

/// New keys, by name: `{"kid", "kty", "pem", "public", "private"}` each. `tests/conformance/keys.mjs` says which there are.
pub(crate) async fn keys(cache: &Cache) -> Checked<Value> {
    let node = node(cache).await?;
    let script = cache.script("keys.mjs", &node.folder)?;
    let answer = cache.folder("logs").join("keys.mjs-answer.json");
    let keys = cache.answer("keys.mjs", &node.task(&script), &answer).await;
    // They are good for nothing but this run, and are not left behind all the same.
    fs::remove_file(&answer)?;
    keys
}

/// What it answers to a client that is none of ours: `{"check", "ok", "why"}` each.
pub(crate) async fn second_opinion(cache: &Cache) -> Checked<Vec<Value>> {
    let node = node(cache).await?;
    scripts(cache, &node)?;
    for script in ["keys.mjs", "oidc_client.mjs"] {
        cache.script(script, &node.folder)?;
    }
    let script = cache.script("oidc_check.mjs", &node.folder)?;
    let task = node.task(&script).args([free()?.port().to_string()]);
    let answer = cache.folder("logs").join("oidc_check.mjs-answer.json");
    match cache.answer("oidc_check.mjs", &task, &answer).await? {
        Value::Array(checks) if !checks.is_empty() => Ok(checks),
        other => Err(Stop::Failed(format!("it said {other}"))),
    }
}

/// Puts the server's scripts where they find its packages. The last of them is the one to run.
fn scripts(cache: &Cache, node: &Node) -> Checked<PathBuf> {
    let copies = SCRIPTS.iter().map(|script| cache.script(script, &node.folder)).collect::<Result<Vec<_>, _>>()?;
    copies.into_iter().next_back().ok_or_else(|| Stop::Failed("there is no script".to_owned()))
}
