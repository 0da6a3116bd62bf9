//! Puts built components in one stable place, `target/adapters/out/<name>.wasm` and `out/guests/<suite>_<case>.wasm`,
//! whichever toolchain built them and wherever cargo left them.
//!
//! A file whose bytes did not change is not touched: its time stays, and so does what depends on it. A component that is
//! no longer built is removed, so that nobody tests yesterday's.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cargo::Artifact;
use crate::layout::Layout;

/// The components of the last build, in their stable place.
pub(crate) struct Built {
    pub(crate) adapters: Vec<PathBuf>,
    pub(crate) guests: Vec<PathBuf>,
}

pub(super) fn collect(layout: &Layout, artifacts: &[Artifact]) -> Result<Built> {
    let guests_package = layout.guests_manifest();
    let is_guest = |artifact: &&Artifact| artifact.example || same_file(&artifact.manifest, &guests_package);
    let (guests, adapters): (Vec<&Artifact>, Vec<&Artifact>) = artifacts.iter().partition(is_guest);
    Ok(Built { adapters: mirror(&adapters, &layout.adapters_out())?, guests: mirror(&guests, &layout.guests_out())? })
}

/// Whether two paths are one file; cargo tells the real path of what we may have reached through a link.
fn same_file(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// Makes the `.wasm` files of `folder` those of `artifacts`.
fn mirror(artifacts: &[&Artifact], folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut names: BTreeSet<OsString> = BTreeSet::new();
    for source in artifacts.iter().flat_map(|artifact| &artifact.files).filter(|file| is_wasm(file)) {
        let Some(name) = source.file_name() else { continue };
        if !names.insert(name.to_owned()) {
            bail!("two packages build `{}`: give one another name", name.display());
        }
        copy_if_changed(source, &folder.join(name))?;
    }
    for entry in std::fs::read_dir(folder)?.flatten() {
        if is_wasm(&entry.path()) && !names.contains(&entry.file_name()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

fn is_wasm(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("wasm"))
}

/// Whole or not at all: a reader never sees half a component.
fn copy_if_changed(source: &Path, target: &Path) -> Result<()> {
    let bytes = std::fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
    if std::fs::read(target).is_ok_and(|existing| existing == bytes) {
        return Ok(());
    }
    let partial = target.with_extension(format!("partial-{}", std::process::id()));
    std::fs::write(&partial, &bytes).with_context(|| format!("cannot write {}", partial.display()))?;
    std::fs::rename(&partial, target).with_context(|| format!("cannot write {}", target.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-artifacts-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn artifact(&self, name: &str, bytes: &[u8], example: bool) -> Artifact {
            let file = self.0.join("cargo").join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, bytes).unwrap();
            Artifact {
                manifest: "/elsewhere/Cargo.toml".into(),
                example,
                test: false,
                files: vec![file],
                executable: None,
            }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn adapters_and_guests_go_to_their_own_places() {
        let folder = Folder::new("places");
        let layout = Layout::at(&folder.0);
        let artifacts = [folder.artifact("postmark.wasm", b"p", false), folder.artifact("gate_probe.wasm", b"g", true)];
        let built = collect(&layout, &artifacts).unwrap();
        assert_eq!(built.adapters, [folder.0.join("target/adapters/out/postmark.wasm")]);
        assert_eq!(built.guests, [folder.0.join("target/adapters/out/guests/gate_probe.wasm")]);
        assert_eq!(std::fs::read(&built.guests[0]).unwrap(), b"g");
    }

    #[test]
    fn an_unchanged_file_keeps_its_time_and_a_changed_one_is_replaced() {
        let folder = Folder::new("times");
        let layout = Layout::at(&folder.0);
        let time = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
        let path = collect(&layout, &[folder.artifact("a.wasm", b"1", false)]).unwrap().adapters[0].clone();
        let first = time(&path);
        std::thread::sleep(std::time::Duration::from_millis(20));
        collect(&layout, &[folder.artifact("a.wasm", b"1", false)]).unwrap();
        assert_eq!(time(&path), first);
        collect(&layout, &[folder.artifact("a.wasm", b"2", false)]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
    }

    #[test]
    fn what_is_no_longer_built_is_removed() {
        let folder = Folder::new("removed");
        let layout = Layout::at(&folder.0);
        let old = collect(&layout, &[folder.artifact("old.wasm", b"1", false)]).unwrap().adapters[0].clone();
        collect(&layout, &[folder.artifact("new.wasm", b"1", false)]).unwrap();
        assert!(!old.exists());
    }

    #[test]
    fn two_components_of_one_name_are_refused() {
        let folder = Folder::new("twice");
        let artifact = folder.artifact("a.wasm", b"1", false);
        let error = collect(&Layout::at(&folder.0), &[artifact.clone(), artifact]).err().unwrap().to_string();
        assert!(error.contains("`a.wasm`"), "{error}");
    }
}
