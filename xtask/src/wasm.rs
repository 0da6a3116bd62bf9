//! Building for wasm32-wasip2, on machines whose rustup has that target and on those where it cannot be had.
//!
//! [`choice`] decides which toolchain, asking the machine through [`probe`]. [`debian`] makes the second one out of
//! packages, which it finds with [`apt`]. [`artifacts`] puts what was built in one stable place. This file joins them.

mod apt;
mod artifacts;
mod choice;
mod debian;
mod probe;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

pub(crate) use artifacts::Built;
use choice::{Forced, Toolchain};
use probe::Machine;

use crate::cargo::{self, Artifact};
use crate::layout::Layout;
use crate::steps::Console;

/// The target of all adapters.
const TARGET: &str = "wasm32-wasip2";

/// Builds all adapters and test guests and puts them below `target/adapters/out`. Quick where nothing changed.
pub(crate) fn build(layout: &Layout, console: &Console) -> Result<Built> {
    let machine = Machine::new(layout, console);
    let (toolchain, _) = choice::choose(Forced::from_env()?, &machine)?;

    // One after the other and not in one go: building examples takes dev-dependencies into account, and no adapter that
    // somebody runs may differ for what a test needs.
    let adapters = layout.adapters_manifest();
    let mut artifacts = build_wasm(layout, console, &toolchain, "build adapters", &adapters, &["--workspace"])?;
    let guests = layout.guests_manifest();
    if guests.exists() {
        artifacts.extend(build_wasm(layout, console, &toolchain, "build test guests", &guests, &["--examples"])?);
    }
    artifacts::collect(layout, &artifacts)
}

fn build_wasm(
    layout: &Layout,
    console: &Console,
    toolchain: &Toolchain,
    label: &str,
    manifest: &Path,
    selection: &[&str],
) -> Result<Vec<Artifact>> {
    let mut command = cargo::cargo(layout, console, "build");
    cargo::of_workspace(&mut command, manifest, &layout.adapters_manifest());
    command.args(["--release", "--target", TARGET]).args(selection);
    match toolchain {
        Toolchain::Rustup(_) => command.arg("--target-dir").arg(layout.adapters_target()),
        Toolchain::Debian(unpacked) => {
            unpacked.apply(&mut command)?;
            command.arg("--target-dir").arg(layout.adapters_target_debian())
        }
    };
    cargo::build(console, label, command)
}

/// `cargo xtask wasm-toolchain`: says which way is in use and why, and changes nothing.
pub(crate) fn report(layout: &Layout) -> Result<ExitCode> {
    let console = Console::slow_steps();
    let machine = Machine::new(layout, &console);
    for line in choice::report(Forced::from_env()?, &machine) {
        anstream::println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}
