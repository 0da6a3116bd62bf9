//! Tools that are not part of the Rust toolchain: built once, below `target/tools`, and never installed for the whole
//! machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;
use crate::layout::Layout;
use crate::steps::{Console, Step};

/// A program from crates.io.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// Which versions will do.
    pub(crate) version: &'static str,
}

pub(crate) const FUZZ: Tool = Tool { name: "cargo-fuzz", version: "^0.13" };
pub(crate) const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "^27" };

/// Installs the tool where it is missing.
pub(crate) fn install(layout: &Layout, console: &Console, tool: &Tool) -> Result<()> {
    if layout.tools().join("bin").join(tool.name).exists() {
        return Ok(());
    }
    let mut command = cargo::cargo(layout, console, "install");
    command.args(["--locked", "--version", tool.version, "--root"]).arg(layout.tools()).arg(tool.name);
    Step::new(format!("install {}, once", tool.name), command).require(console).map(drop)
}

/// Lets a command find the tools.
pub(crate) fn on_path(layout: &Layout, command: &mut Command) -> Result<()> {
    command.env("PATH", path_with(&layout.tools().join("bin"), std::env::var_os("PATH"))?);
    Ok(())
}

fn path_with(first: &Path, path: Option<OsString>) -> Result<OsString> {
    let known = path.iter().flat_map(std::env::split_paths).collect::<Vec<PathBuf>>();
    std::env::join_paths(std::iter::once(first.to_owned()).chain(known))
        .context("PATH holds a name that cannot be kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_are_found_before_anything_else() {
        let path = path_with(Path::new("/tools"), Some("/usr/bin:/bin".into())).unwrap();
        assert_eq!(path, "/tools:/usr/bin:/bin");
        assert_eq!(path_with(Path::new("/tools"), None).unwrap(), "/tools");
    }
}
