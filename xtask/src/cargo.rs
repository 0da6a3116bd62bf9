//! Cargo as a child process: started from a clean environment, and asked in JSON what it made and where.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::layout::Layout;
use crate::steps::{Console, Step};

/// What `cargo run` sets for us and must not reach a cargo that we start: build scripts that ask to be run again when
/// one of these changes would run at every turn between `cargo build` and `cargo xtask`.
const SET_BY_CARGO_RUN: &[&str] = &["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_BIN_NAME", "CARGO_CRATE_NAME"];

/// `cargo <subcommand>` in the checkout.
pub(crate) fn cargo(layout: &Layout, console: &Console, subcommand: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(layout.root()).arg(subcommand);
    for name in SET_BY_CARGO_RUN {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        command.env_remove(name);
    }
    if console.colours() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// `--manifest-path`, and `--locked` where a lock file is there to be kept.
pub(crate) fn of_workspace(command: &mut Command, manifest: &Path, workspace_manifest: &Path) {
    command.arg("--manifest-path").arg(manifest);
    if workspace_manifest.with_file_name("Cargo.lock").exists() {
        command.arg("--locked");
    }
}

/// Something cargo made, now or earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// The `Cargo.toml` of the package it is from.
    pub(crate) manifest: PathBuf,
    /// Whether it is an example.
    pub(crate) example: bool,
    /// Whether it is a program of tests, one that is not of a library or a binary.
    pub(crate) test: bool,
    pub(crate) files: Vec<PathBuf>,
    /// The program, where it is one.
    pub(crate) executable: Option<PathBuf>,
}

/// One line of `--message-format=json-render-diagnostics`, if it reports an artifact.
pub(crate) fn parse_artifact(line: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message.get("reason")?.as_str()? != "compiler-artifact" {
        return None;
    }
    let kinds = message.get("target")?.get("kind")?.as_array()?;
    let is = |wanted: &str| kinds.iter().any(|kind| kind.as_str() == Some(wanted));
    let files = message.get("filenames")?.as_array()?;
    Some(Artifact {
        manifest: message.get("manifest_path")?.as_str()?.into(),
        example: is("example"),
        test: is("test"),
        files: files.iter().filter_map(Value::as_str).map(PathBuf::from).collect(),
        executable: message.get("executable").and_then(Value::as_str).map(PathBuf::from),
    })
}

/// Runs a `cargo build` and returns all artifacts it reports.
pub(crate) fn build(console: &Console, label: &str, mut command: Command) -> Result<Vec<Artifact>> {
    command.arg("--message-format=json-render-diagnostics");
    let mut artifacts = Vec::new();
    let step = Step::new(label, command).on_stdout(|line| {
        artifacts.extend(parse_artifact(line));
        line.starts_with('{')
    });
    let outcome = step.run(console)?;
    if outcome.success() {
        return Ok(artifacts);
    }
    if outcome.tail().iter().any(|line| line.contains("--locked")) {
        bail!(
            "{label} failed: a Cargo.lock is behind its Cargo.toml; run `cargo update --workspace` in that workspace and \
             commit the lock file"
        );
    }
    bail!("{label} failed; cargo's messages are above")
}

/// Builds one program of the host's workspace and returns where it is.
///
/// The whole workspace is selected, and one binary of it: cargo gives dependencies the features that all selected
/// packages ask for, and with another selection than the tests' it would build wasmtime once more, differently.
pub(crate) fn build_program(layout: &Layout, console: &Console, program: &str, release: bool) -> Result<PathBuf> {
    let mut command = cargo(layout, console, "build");
    of_workspace(&mut command, &layout.host_manifest(), &layout.host_manifest());
    command.args(["--workspace", "--bin", program]);
    if release {
        command.arg("--release");
    }
    let artifacts = build(console, &format!("build `{program}`"), command)?;
    let path = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
    path.with_context(|| format!("cargo built `{program}` and did not say where"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_told_from_a_library() {
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///r/tests/guests#0.1.0","manifest_path":
            "/r/tests/guests/Cargo.toml","target":{"kind":["example"],"crate_types":["cdylib"],"name":"gate_probe"},
            "filenames":["/r/t/gate_probe.wasm"],"executable":null,"fresh":true}"#;
        let artifact = parse_artifact(&line.replace('\n', "")).unwrap();
        assert!(artifact.example);
        assert_eq!(artifact.files, [PathBuf::from("/r/t/gate_probe.wasm")]);
        assert_eq!((artifact.executable, artifact.test), (None, false));
        assert!(!parse_artifact(&line.replace('\n', "").replace(r#"["example"]"#, r#"["cdylib"]"#)).unwrap().example);
    }

    #[test]
    fn other_messages_and_plain_text_are_no_artifacts() {
        assert_eq!(parse_artifact(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(parse_artifact("warning: something"), None);
    }
}
