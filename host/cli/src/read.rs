//! What the commands read before they do anything: adapters, grants, ceilings, JSON.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use portcullis_runtime::{
    Adapter, Ceiling, CompileLimits, Credentials, Grant, HostSettings, Json, JsonError, Ledger, MAX_UPLOAD, Runtime,
    SystemResolver,
    ledger::RetentionPolicy,
    strict::{self, MAX_RULES_BYTES},
};
use serde_json::Value;

use crate::{
    arguments::{Arguments, Compiling},
    exit::Usage,
    file::{self, MAX_JSON},
    ledger::master_key_to_look,
    progress::Spinner,
};

/// A runtime for commands that make no calls. It uses the cache of the data folder where there is one with a master key.
pub(crate) async fn start(
    arguments: &Arguments,
    ledger: Ledger,
    ceiling: Ceiling,
    compiling: &Compiling,
) -> anyhow::Result<Runtime> {
    let unless_said = CompileLimits::default();
    let limits = CompileLimits {
        cpu_seconds: compiling.compile_cpu.unwrap_or(unless_said.cpu_seconds),
        memory_bytes: compiling.compile_memory.unwrap_or(unless_said.memory_bytes),
    };
    let mut builder = Runtime::builder(ledger).calls_at_once(8).ceiling(ceiling).compile_limits(limits);
    if let Some(master) = master_key_to_look(arguments).await {
        builder = builder.cache_key(master);
        if arguments.data.exists() {
            builder = builder.cache(cache(arguments));
        }
    }
    Ok(builder.resolver(Arc::new(SystemResolver::default())).build()?)
}

/// Where compiled code is kept.
pub(crate) fn cache(arguments: &Arguments) -> PathBuf {
    arguments.data.join("cache")
}

/// One whose integrations have these credentials.
pub(crate) fn start_with(
    arguments: &Arguments,
    ledger: Ledger,
    ceiling: Ceiling,
    retention: RetentionPolicy,
    credentials: Credentials,
) -> anyhow::Result<Runtime> {
    let builder = Runtime::builder(ledger).cache(cache(arguments)).calls_at_once(8);
    let builder = builder.ceiling(ceiling).retention(retention).credentials(credentials);
    Ok(builder.resolver(Arc::new(SystemResolver::default())).build()?)
}

/// Reads and loads an adapter.
pub(crate) async fn load(runtime: &Runtime, path: &Path) -> anyhow::Result<Adapter> {
    let bytes = read_adapter(path)?;
    let _spinner = Spinner::start("loading the adapter");
    runtime.load(&bytes).await.with_context(|| path.display().to_string())
}

/// Reads an adapter's file. What is larger than an adapter may be is not read to its end.
pub(crate) fn read_adapter(path: &Path) -> Result<Vec<u8>, Usage> {
    file::bytes("the adapter", path, MAX_UPLOAD)
}

/// Reads a grant file.
pub(crate) fn read_grant(path: &Path) -> anyhow::Result<Grant> {
    let text = file::text("the grant", path, MAX_RULES_BYTES)?;
    Ok(Grant::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// Reads the ceiling's file; without one there is no ceiling.
pub(crate) fn read_ceiling(path: Option<&Path>) -> anyhow::Result<Ceiling> {
    let Some(path) = path else { return Ok(Ceiling::default()) };
    let text = file::text("the ceiling", path, MAX_RULES_BYTES)?;
    Ok(Ceiling::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// Reads the retention policy's file; without one what holds without rules.
pub(crate) fn read_retention(path: Option<&Path>) -> anyhow::Result<RetentionPolicy> {
    let Some(path) = path else { return Ok(RetentionPolicy::default()) };
    let text = file::text("the retention policy", path, MAX_RULES_BYTES)?;
    Ok(RetentionPolicy::parse(&text).map_err(|error| Usage(format!("{}: {error}", path.display())))?)
}

/// The retention policy that is said beside the host's: of two, nobody could tell which one keeps less.
pub(crate) fn retention_beside(settings: &HostSettings, path: Option<&Path>) -> anyhow::Result<RetentionPolicy> {
    let said = read_retention(path)?;
    match &settings.retention {
        Some(set) if path.is_some() && said != *set => Err(Usage(
            "--retention: what is kept of inputs and outputs is set for this host (`portcullis host show`); leave the option away, \
             or change it with `portcullis host set`"
                .to_owned(),
        )
        .into()),
        _ => Ok(said),
    }
}

/// The integration's name: as given, or the adapter's file name.
pub(crate) fn integration_name(given: Option<&String>, adapter: &Path) -> String {
    let stem = || adapter.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    given.cloned().or_else(stem).unwrap_or_else(|| "adapter".to_owned())
}

/// JSON as it was written after an option: itself, `@FILE`, or `-`. No object of it has two members of one name.
pub(crate) fn read_json(what: &str, text: &str) -> anyhow::Result<Value> {
    Ok(read_document(what, text)?.into_value())
}

/// The same, its numbers as they were written.
pub(crate) fn read_document(what: &str, text: &str) -> anyhow::Result<Json> {
    let text = match text.strip_prefix('@') {
        Some(path) => file::text(what, Path::new(path), MAX_JSON)?,
        None if text == "-" => file::standard_input(what, MAX_JSON)?,
        None => text.to_owned(),
    };
    strict::check_names(&text).map_err(|error| Usage(format!("{what}: {error}")))?;
    Ok(text.parse().map_err(|error: JsonError| match error {
        JsonError::Number { .. } => Usage(format!("{what}: {error}")),
        _ => Usage(format!("{what} is not JSON: {error}")),
    })?)
}
