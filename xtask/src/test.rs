//! `cargo xtask test`: everything that must hold before a change goes in, and the counts as its last line.
//!
//! A failure does not stop the rest, so that one run shows all there is to mend. Formatting and lints count as one test
//! for each workspace; a test program that does not build or that crashes counts as one failure.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::counts::Counts;
use crate::layout::Layout;
use crate::steps::{Console, Step};
use crate::{cargo, wasm};

/// A workspace to check. The host's is built where a bare `cargo build` would build it; the others, native here, beside
/// their wasm.
struct Workspace {
    name: String,
    manifest: PathBuf,
    target: Option<PathBuf>,
}

struct Run<'a> {
    layout: &'a Layout,
    console: Console,
    counts: Counts,
}

pub(crate) fn run(layout: &Layout) -> Result<ExitCode> {
    let mut run = Run { layout, console: Console::every_step(), counts: Counts::default() };
    let workspaces = workspaces(layout);

    if run.component("fmt", "rustfmt", workspaces.len()) {
        for workspace in &workspaces {
            let mut command = cargo::cargo(layout, &run.console, "fmt");
            command.args(["--all", "--check", "--manifest-path"]).arg(&workspace.manifest);
            run.one_test(&format!("format, {}", workspace.name), command)?;
        }
    }
    if run.component("clippy", "clippy", workspaces.len()) {
        for workspace in &workspaces {
            let mut command = run.in_workspace("clippy", workspace);
            command.args(["--workspace", "--all-targets", "--", "-D", "warnings"]);
            run.one_test(&format!("lints, {}", workspace.name), command)?;
        }
    }
    run.wasm();
    for workspace in &workspaces {
        let mut command = run.in_workspace("test", workspace);
        command.args(["--workspace", "--no-fail-fast"]);
        run.tests(&format!("tests, {}", workspace.name), command)?;
    }

    println!("{}", run.counts);
    Ok(if run.counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Run<'_> {
    fn in_workspace(&self, subcommand: &str, workspace: &Workspace) -> Command {
        let mut command = cargo::cargo(self.layout, &self.console, subcommand);
        cargo::of_workspace(&mut command, &workspace.manifest, &workspace.manifest);
        if let Some(target) = &workspace.target {
            command.arg("--target-dir").arg(target);
        }
        command
    }

    /// Whether this part of the Rust toolchain is there or could be added; where not, its checks count as skipped.
    fn component(&mut self, subcommand: &str, component: &str, checks: usize) -> bool {
        let there = || {
            let mut command = cargo::cargo(self.layout, &self.console, subcommand);
            command.arg("--version").output().is_ok_and(|output| output.status.success())
        };
        if there() {
            return true;
        }
        let mut command = Command::new("rustup");
        command.args(["component", "add", component]);
        let added = Step::new(format!("add {component}"), command).failure_untold().require(&self.console);
        if added.is_ok() && there() {
            return true;
        }
        let why = added.err().map_or_else(|| "added, and still not found".to_owned(), |error| format!("{error:#}"));
        self.console.skipped(subcommand, &format!("there is no {component}: {why}"));
        (0..checks).for_each(|_| self.counts += Counts::SKIPPED);
        false
    }

    /// A check that counts as one test.
    fn one_test(&mut self, label: &str, command: Command) -> Result<()> {
        let passed = Step::new(label, command).run(&self.console)?.success();
        self.counts += if passed { Counts::PASSED } else { Counts::FAILED };
        Ok(())
    }

    /// Builds what the tests run in the sandbox. Not a test; not being able to is a failure.
    fn wasm(&mut self) {
        if let Err(error) = wasm::build(self.layout, &self.console) {
            anstream::eprintln!("  {error:#}");
            self.counts += Counts::FAILED;
        }
    }

    /// A `cargo test`, shown while it runs and counted by what its test programs say.
    fn tests(&mut self, label: &str, command: Command) -> Result<()> {
        let mut counts = Counts::default();
        anstream::eprintln!("… {label}");
        let step = Step::new(label, command).live().on_stdout(|line| {
            if let Some(more) = Counts::parse(line) {
                counts += more;
            }
            false
        });
        let outcome = step.run(&self.console)?;
        if !outcome.success() && counts.failed == 0 {
            counts += Counts::FAILED;
        }
        self.counts += counts;
        Ok(())
    }
}

/// The host's workspace, the adapters' and those of the SDK and the guests where they are not part of it.
fn workspaces(layout: &Layout) -> Vec<Workspace> {
    let mut found = vec![Workspace { name: "host".to_owned(), manifest: layout.host_manifest(), target: None }];
    let mut candidates = vec![layout.adapters_manifest(), layout.guests_manifest()];
    candidates.extend(manifests_of(&layout.sdk()));
    for candidate in candidates.iter().filter(|candidate| candidate.exists()) {
        let manifest = root_manifest(layout, candidate);
        if found.iter().any(|known| known.manifest == manifest) {
            continue;
        }
        let folder = manifest.parent().unwrap_or(&manifest);
        let name = layout.short(folder).to_string();
        found.push(Workspace { name, manifest, target: Some(layout.adapters_target()) });
    }
    found
}

/// The `Cargo.toml` of a folder and of the folders in it. Deeper ones are templates and fixtures.
fn manifests_of(folder: &Path) -> Vec<PathBuf> {
    let inner = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = inner.filter(|path| path.is_dir()).collect();
    folders.sort_unstable();
    folders.insert(0, folder.to_owned());
    folders.iter().map(|folder| folder.join("Cargo.toml")).collect()
}

/// The workspace's manifest a package belongs to; its own where cargo cannot say, so that cargo's error shows later.
fn root_manifest(layout: &Layout, manifest: &Path) -> PathBuf {
    let mut command = cargo::cargo(layout, &Console::slow_steps(), "locate-project");
    command.args(["--workspace", "--message-format", "plain", "--manifest-path"]).arg(manifest);
    let output = command.output().ok().filter(|output| output.status.success());
    let path = output.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    path.unwrap_or_else(|| manifest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sdk_folder_and_those_right_in_it_are_looked_at() {
        let folder = std::env::temp_dir().join(format!("xtask-manifests-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("macros/src")).unwrap();
        std::fs::create_dir_all(folder.join("templates/rust")).unwrap();
        let found = manifests_of(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let expected = ["Cargo.toml", "macros/Cargo.toml", "templates/Cargo.toml"].map(|path| folder.join(path));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_hosts_workspace_comes_first_and_alone_where_nothing_else_is_there() {
        let layout = Layout::at(Path::new("/nowhere/at/all"));
        let names: Vec<String> = workspaces(&layout).into_iter().map(|workspace| workspace.name).collect();
        assert_eq!(names, ["host"]);
    }
}
