//! What the commands read before they do anything: adapters, grants, ceilings, JSON.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use portcullis_runtime::{
    Adapter, Ceiling, Credentials, Grant, Ledger, Runtime, SystemResolver, ledger::RetentionPolicy,
};
use serde_json::Value;

use crate::{arguments::Arguments, exit::Usage, progress::Spinner};

/// A runtime with its cache in the data folder, for commands that make no calls.
pub(crate) fn start(arguments: &Arguments, ledger: Ledger, ceiling: Ceiling) -> anyhow::Result<Runtime> {
    start_keeping(arguments, ledger, ceiling, RetentionPolicy::default())
}

/// One that keeps of inputs and outputs what this policy says.
pub(crate) fn start_keeping(
    arguments: &Arguments,
    ledger: Ledger,
    ceiling: Ceiling,
    retention: RetentionPolicy,
) -> anyhow::Result<Runtime> {
    let builder = Runtime::builder(ledger).cache(arguments.data.join("cache")).calls_at_once(8);
    let builder = builder.ceiling(ceiling).retention(retention);
    Ok(builder.resolver(Arc::new(SystemResolver::default())).build()?)
}

/// One whose integrations have these credentials.
pub(crate) fn start_with(
    arguments: &Arguments,
    ledger: Ledger,
    ceiling: Ceiling,
    retention: RetentionPolicy,
    credentials: Credentials,
) -> anyhow::Result<Runtime> {
    let builder = Runtime::builder(ledger).cache(arguments.data.join("cache")).calls_at_once(8);
    let builder = builder.ceiling(ceiling).retention(retention).credentials(credentials);
    Ok(builder.resolver(Arc::new(SystemResolver::default())).build()?)
}

/// Reads and loads an adapter.
pub(crate) async fn load(runtime: &Runtime, path: &Path) -> anyhow::Result<Adapter> {
    let bytes = std::fs::read(path).map_err(|error| Usage(format!("{} cannot be read: {error}", path.display())))?;
    let _spinner = Spinner::start("loading the adapter");
    runtime.load(&bytes).await.with_context(|| path.display().to_string())
}

/// Reads a grant file.
pub(crate) fn read_grant(path: &Path) -> anyhow::Result<Grant> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("the grant {} cannot be read: {error}", path.display())))?;
    Ok(Grant::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// Reads the ceiling's file; without one there is no ceiling.
pub(crate) fn read_ceiling(path: Option<&Path>) -> anyhow::Result<Ceiling> {
    let Some(path) = path else { return Ok(Ceiling::default()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("the ceiling {} cannot be read: {error}", path.display())))?;
    Ok(Ceiling::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// Reads the retention policy's file; without one what holds without rules.
pub(crate) fn read_retention(path: Option<&Path>) -> anyhow::Result<RetentionPolicy> {
    let Some(path) = path else { return Ok(RetentionPolicy::default()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("the retention policy {} cannot be read: {error}", path.display())))?;
    Ok(RetentionPolicy::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// The integration's name: as given, or the adapter's file name.
pub(crate) fn integration_name(given: Option<&String>, adapter: &Path) -> String {
    let stem = || adapter.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    given.cloned().or_else(stem).unwrap_or_else(|| "adapter".to_owned())
}

/// JSON as it was written after an option: itself, `@FILE`, or `-`.
pub(crate) fn read_json(what: &str, text: &str) -> anyhow::Result<Value> {
    let text = match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| Usage(format!("{what}: {path} cannot be read: {error}")))?
        }
        None if text == "-" => std::io::read_to_string(std::io::stdin())
            .map_err(|error| Usage(format!("{what}: standard input cannot be read: {error}")))?,
        None => text.to_owned(),
    };
    Ok(serde_json::from_str(&text).map_err(|error| Usage(format!("{what} is not JSON: {error}")))?)
}
