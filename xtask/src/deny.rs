//! `cargo xtask deny`: the rules of deny.toml over the dependencies of all workspaces. Needs no network once the
//! dependencies are there.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, bail};

use crate::cargo;
use crate::layout::Layout;
use crate::steps::{Console, Step};

const HOW_TO_INSTALL: &str = "cargo-deny is not installed: run `cargo install --locked cargo-deny` (several minutes, \
                              once), then `cargo xtask deny` again";

pub(crate) fn run(layout: &Layout) -> Result<ExitCode> {
    let found = Command::new("cargo-deny").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        bail!(HOW_TO_INSTALL);
    }
    let console = Console::every_step();
    let mut clean = true;
    for (name, manifest) in [("host", layout.host_manifest()), ("adapters", layout.adapters_manifest())] {
        let mut command = cargo::cargo(layout, &console, "deny");
        command.arg("--manifest-path").arg(manifest).arg("--config").arg(layout.deny_config());
        command.args(["check", "bans", "licenses", "sources"]);
        clean &= Step::new(format!("deny, {name}"), command).run(&console)?.success();
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
