//! Where things are in the checkout. The only file that spells a path, so that no two commands disagree about one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The checkout this xtask belongs to.
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The checkout whose `xtask` this is: cargo says which when it runs us; a bare binary knows where it was built.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let manifest_dir = manifest_dir.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let root = manifest_dir.parent().context("the xtask folder has no parent folder")?;
        Ok(Self { root: root.to_owned() })
    }

    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The workspace of the host: `host/*`, `tests`, `xtask`.
    pub(crate) fn host_manifest(&self) -> PathBuf {
        self.root.join("Cargo.toml")
    }

    /// The workspace of the adapters, built for wasm32-wasip2.
    pub(crate) fn adapters_manifest(&self) -> PathBuf {
        self.root.join("adapters/Cargo.toml")
    }

    /// The guests of the tests, as examples of one package in the adapters' workspace.
    pub(crate) fn guests_manifest(&self) -> PathBuf {
        self.root.join("tests/guests/Cargo.toml")
    }

    /// The folder of the SDK, whose crates may form workspaces of their own.
    pub(crate) fn sdk(&self) -> PathBuf {
        self.root.join("sdk")
    }

    /// The fuzz targets, a workspace of their own.
    pub(crate) fn fuzz(&self) -> PathBuf {
        self.root.join("tests/fuzz")
    }

    /// What fuzzing builds, learns and finds.
    pub(crate) fn fuzz_out(&self) -> PathBuf {
        self.root.join("target/fuzz")
    }

    /// Where mutants leave their logs.
    pub(crate) fn mutants_out(&self) -> PathBuf {
        self.root.join("target/mutants")
    }

    /// Tools from crates.io.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    pub(crate) fn deny_config(&self) -> PathBuf {
        self.root.join("deny.toml")
    }

    /// Cargo's target folder for the adapters, as rustup's toolchain builds them.
    pub(crate) fn adapters_target(&self) -> PathBuf {
        self.root.join("target/adapters")
    }

    /// The same for Debian's toolchain: its compiler builds the proc macros too, and must not share a folder with
    /// another compiler.
    pub(crate) fn adapters_target_debian(&self) -> PathBuf {
        self.root.join("target/adapters-debian")
    }

    /// The one stable place of built adapters, `<name>.wasm`, whichever toolchain built them.
    pub(crate) fn adapters_out(&self) -> PathBuf {
        self.root.join("target/adapters/out")
    }

    /// The one stable place of built test guests, `<suite>_<case>.wasm`.
    pub(crate) fn guests_out(&self) -> PathBuf {
        self.root.join("target/adapters/out/guests")
    }

    /// Where Debian's packages are unpacked.
    pub(crate) fn wasm_toolchain_cache(&self) -> PathBuf {
        self.root.join("target/wasm-toolchain")
    }

    /// A path as a person in the checkout would type it.
    pub(crate) fn short<'p>(&self, path: &'p Path) -> std::path::Display<'p> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
