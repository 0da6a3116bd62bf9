//! The machine this runs on, as [`super::choice`] asks about it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::TARGET;
use super::choice::Probe;
use super::debian::{self, Unpacked};
use crate::layout::Layout;
use crate::steps::{Console, Step};

/// A target is 20 MB; a machine that cannot fetch it in this time has another way.
const ADD_LIMIT: Duration = Duration::from_secs(120);

/// The real thing.
pub(super) struct Machine<'a> {
    layout: &'a Layout,
    console: &'a Console,
}

impl<'a> Machine<'a> {
    pub(super) fn new(layout: &'a Layout, console: &'a Console) -> Self {
        Self { layout, console }
    }

    /// What rustc says, in the checkout, where rust-toolchain.toml picks which rustc that is.
    fn rustc(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let output = command.args(arguments).current_dir(self.layout.root()).output().context("cannot run rustc")?;
        anyhow::ensure!(output.status.success(), "rustc failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The folder of the linkers that come with rustup's toolchain.
    fn linkers(&self) -> Result<PathBuf> {
        let libraries = PathBuf::from(self.rustc(&["--print", "target-libdir"])?);
        Ok(libraries.with_file_name("bin"))
    }
}

impl Probe for Machine<'_> {
    fn rustup_target(&self) -> Option<PathBuf> {
        let folder = PathBuf::from(self.rustc(&["--print", "target-libdir", "--target", TARGET]).ok()?);
        let is_std = |name: &OsStr| name.to_string_lossy().starts_with("libstd-");
        let there = std::fs::read_dir(&folder).ok()?.flatten().any(|entry| is_std(&entry.file_name()));
        there.then_some(folder)
    }

    fn add_rustup_target(&self) -> Result<()> {
        let mut command = Command::new("rustup");
        command.args(["target", "add", TARGET]).current_dir(self.layout.root());
        let step = Step::new(format!("rustup target add {TARGET}"), command).limit(ADD_LIMIT).failure_untold();
        step.require(self.console).map(drop)
    }

    fn unpacked(&self) -> Option<Unpacked> {
        debian::from_cache(self.layout, &self.linkers().ok()?)
    }

    fn unpack(&self) -> Result<Unpacked> {
        debian::fetch(self.layout, self.console, &self.linkers()?)
    }

    fn describe(&self) -> String {
        let version = self.rustc(&["--version"]).unwrap_or_else(|error| format!("{error:#}"));
        format!("{version}, {} {}", std::env::consts::ARCH, std::env::consts::OS)
    }
}
