//! A toolchain for wasm32-wasip2 out of Debian packages, for machines whose rustup cannot add the target.
//!
//! Debian's rustc for browsers (`rustc-web`) comes with the source of its own standard library, and cargo can build that
//! for any target (`-Zbuild-std`). It must be its own: a compiler cannot build the standard library of another version.
//! The packages are unpacked into `target/wasm-toolchain/debian`; nothing is installed, and removing the folder undoes it.
//! The linker is rustup's, which is there for every host.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::apt::{self, Apt, Dependency, Lists, Package};
use crate::layout::Layout;
use crate::steps::{Console, Step};

const COMPILER: &str = "rustc-web";
const LIBRARY_SOURCE: &str = "rust-web-src";
const C_LIBRARY: &str = "wasi-libc";

/// Written last: a folder with this file is whole. It names the packages.
const STAMP: &str = "packages.txt";

/// Packages that were unpacked, and the linkers that go with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// What would be `/` if they were installed.
    root: PathBuf,
    /// The folder of rustup's `wasm-component-ld`.
    linkers: PathBuf,
    packages: String,
}

impl Unpacked {
    #[cfg(test)]
    pub(super) fn fake() -> Self {
        Self { root: "/unpacked".into(), linkers: "/linkers".into(), packages: "rustc-web 1.96.0".to_owned() }
    }

    pub(super) fn describe(&self) -> String {
        format!("{} in {}", self.packages, self.root.display())
    }

    /// Makes a cargo command build with it.
    pub(super) fn apply(&self, command: &mut Command) -> Result<()> {
        let mut libraries = OsString::from(self.shared_libraries()?);
        if let Some(others) = std::env::var_os("LD_LIBRARY_PATH") {
            libraries.push(":");
            libraries.push(others);
        }
        command.env("RUSTC", self.root.join("usr/bin/rustc")).env("LD_LIBRARY_PATH", libraries);
        command.env("CARGO_TARGET_WASM32_WASIP2_LINKER", self.linkers.join("wasm-component-ld"));
        // Stronger than every other place flags can come from, and safe for paths with blanks. With `--target` it does
        // not reach proc macros and build scripts.
        command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", self.flags().join("\x1f"));
        // `-Zbuild-std` is unstable; this is what lets a stable compiler take it.
        command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        Ok(())
    }

    /// What rustc and its linker are told for the target.
    fn flags(&self) -> Vec<String> {
        let c_library = self.root.join("usr/lib/wasm32-wasi");
        let wasm_ld = self.linkers.join("gcc-ld/wasm-ld");
        vec![
            "-Clink-self-contained=no".to_owned(),
            format!("-Lnative={}", c_library.display()),
            "-Clink-arg=--wasm-ld-path".to_owned(),
            format!("-Clink-arg={}", wasm_ld.display()),
            // Debian's wasi-libc speaks WASI 0.1, so the linker adds a bridge to 0.2. The usual one imports
            // wasi:filesystem, which no adapter gets and the sandbox refuses; this one has no files.
            "-Clink-arg=--wasi-adapter=proxy".to_owned(),
        ]
    }

    /// The folder of the compiler's own shared libraries, whatever this architecture calls it.
    fn shared_libraries(&self) -> Result<PathBuf> {
        let is_driver = |name: OsString| name.to_string_lossy().starts_with("librustc_driver-");
        let folders = std::fs::read_dir(self.root.join("usr/lib")).context("the unpacked packages are damaged")?;
        let mut folders = folders.flatten().map(|entry| entry.path());
        let has_driver = |folder: &PathBuf| {
            std::fs::read_dir(folder)
                .is_ok_and(|mut files| files.any(|file| file.is_ok_and(|file| is_driver(file.file_name()))))
        };
        let found = folders.find(has_driver);
        found.with_context(|| format!("no compiler in {}: remove that folder", self.root.display()))
    }

    /// Asks the compiler for its version, which needs all of its libraries.
    fn check(&self) -> Result<()> {
        let mut command = Command::new(self.root.join("usr/bin/rustc"));
        command.arg("--version").env("LD_LIBRARY_PATH", self.shared_libraries()?);
        let output = command.output().context("the unpacked rustc does not start")?;
        ensure!(
            output.status.success(),
            "the unpacked rustc does not run: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}

/// What an earlier run unpacked, if it got to the end.
pub(super) fn from_cache(layout: &Layout, linkers: &Path) -> Option<Unpacked> {
    let root = layout.wasm_toolchain_cache().join("debian");
    let packages = std::fs::read_to_string(root.join(STAMP)).ok()?;
    Some(Unpacked { root, linkers: linkers.to_owned(), packages: packages.trim().replace('\n', ", ") })
}

/// Downloads and unpacks the packages. A second one started meanwhile waits and uses what the first one made.
pub(super) fn fetch(layout: &Layout, console: &Console, linkers: &Path) -> Result<Unpacked> {
    for program in ["apt-get", "apt-cache", "dpkg", "dpkg-query"] {
        ensure!(in_path(program), "this needs a Debian machine: there is no `{program}`");
    }
    for linker in ["wasm-component-ld", "gcc-ld/wasm-ld"] {
        let path = linkers.join(linker);
        ensure!(
            path.exists(),
            "the Rust toolchain has no {}: one from rustup (https://rustup.rs) does",
            path.display()
        );
    }
    let cache = layout.wasm_toolchain_cache();
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock = std::fs::File::create(cache.join("lock"))?;
    lock.lock().context("cannot lock the toolchain's folder")?;
    if let Some(unpacked) = from_cache(layout, linkers) {
        return Ok(unpacked);
    }

    let partial = cache.join("partial");
    let mut failures = Vec::new();
    for lists in Lists::ALL {
        remove(&partial)?;
        match download(lists, &cache, &partial.join("packages"), console) {
            Ok(packages) => {
                unpack(&partial, &packages, linkers, console)?;
                remove(&cache.join("debian"))?;
                std::fs::rename(partial.join("root"), cache.join("debian"))?;
                remove(&partial)?;
                return from_cache(layout, linkers).context("the unpacked packages vanished");
            }
            Err(error) => failures.push(format!("{}: {error:#}", lists.name())),
        }
    }
    bail!("cannot get them; {}", failures.join("; "))
}

/// Finds and downloads the packages with these package lists.
fn download(lists: Lists, cache: &Path, folder: &Path, console: &Console) -> Result<Vec<Package>> {
    let apt = Apt::new(lists, &cache.join("apt"), console)?;
    let compilers = apt.show(&[Dependency::any(COMPILER)])?;
    let compiler = compilers.first().with_context(|| format!("apt knows no package `{COMPILER}`"))?;
    check_version(&compiler.version, env!("CARGO_PKG_RUST_VERSION"))?;

    let version = Some(compiler.version.clone());
    let same_version = |name: &str| Dependency { name: name.to_owned(), exactly: version.clone() };
    let wanted = vec![same_version(COMPILER), same_version(LIBRARY_SOURCE), Dependency::any(C_LIBRARY)];
    let packages = apt::closure(wanted, &apt::installed()?, |dependencies| apt.show(dependencies))?;

    std::fs::create_dir_all(folder)?;
    apt.download(&packages, folder)?;
    Ok(packages)
}

/// Whether a Debian version of rustc (`1.96.0+dfsg1-1~deb12u2`) is new enough for this project (`1.95`).
fn check_version(debian: &str, needed: &str) -> Result<()> {
    let numbers = |version: &str| {
        let mut parts = version.split(['.', '+', '-', '~']).map_while(|part| part.parse::<u32>().ok());
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    ensure!(numbers(debian) >= numbers(needed), "{COMPILER} is {debian}, and this project needs {needed}");
    Ok(())
}

/// Unpacks all downloaded packages into `partial/root`, tries the compiler, and writes the stamp.
fn unpack(partial: &Path, packages: &[Package], linkers: &Path, console: &Console) -> Result<()> {
    let root = partial.join("root");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(partial.join("packages"))?.flatten().map(|entry| entry.path()).collect();
    files.sort_unstable();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "deb")) {
        let mut command = Command::new("dpkg");
        command.arg("-x").arg(file).arg(&root);
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.split('_').next().unwrap_or_default();
        Step::new(format!("unpack {name}"), command).require(console)?;
    }
    prune(&root)?;
    let mut names = packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect::<Vec<_>>();
    names.sort_by_key(|name| !name.starts_with(COMPILER));
    let unpacked = Unpacked { root: root.clone(), linkers: linkers.to_owned(), packages: String::new() };
    unpacked.check()?;
    std::fs::write(root.join(STAMP), names.join("\n"))?;
    Ok(())
}

/// Removes the compiler's source, 365 MB; the standard library's is what a build needs.
fn prune(root: &Path) -> Result<()> {
    for source in std::fs::read_dir(root.join("usr/src")).context("no Rust source among the packages")?.flatten() {
        ensure!(source.path().join("library/std").exists(), "{LIBRARY_SOURCE} has no source of the standard library");
        for entry in std::fs::read_dir(source.path())?.flatten().filter(|entry| entry.file_name() != "library") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file or folder, which need not be there.
fn remove(path: &Path) -> Result<()> {
    let removed =
        if path.is_dir() && !path.is_symlink() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn in_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).exists()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_older_than_the_project_is_refused_by_its_version() {
        assert!(check_version("1.96.0+dfsg1-1~deb12u2", "1.95").is_ok());
        assert!(check_version("2.0.0-1", "1.95").is_ok());
        assert!(check_version("1.85.0+dfsg3-1~deb12u3", "1.95").unwrap_err().to_string().contains("1.85.0"));
        assert!(check_version("", "1.95").is_err());
    }

    #[test]
    fn a_cargo_command_gets_the_unpacked_compiler_the_linkers_and_no_flags_from_elsewhere() {
        let root = std::env::temp_dir().join(format!("xtask-debian-{}", std::process::id()));
        std::fs::create_dir_all(root.join("usr/lib/any-linux-gnu")).unwrap();
        std::fs::write(root.join("usr/lib/any-linux-gnu/librustc_driver-1.so"), "").unwrap();
        let mut command = Command::new("cargo");
        let applied = Unpacked { root: root.clone(), ..Unpacked::fake() }.apply(&mut command);
        std::fs::remove_dir_all(&root).unwrap();
        applied.unwrap();

        let value = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(value("RUSTC").unwrap(), root.join("usr/bin/rustc").as_os_str());
        assert_eq!(value("CARGO_TARGET_WASM32_WASIP2_LINKER").unwrap(), "/linkers/wasm-component-ld");
        assert!(value("LD_LIBRARY_PATH").unwrap().to_string_lossy().starts_with(&*root.to_string_lossy()));
        assert!(
            value("CARGO_ENCODED_RUSTFLAGS")
                .unwrap()
                .to_string_lossy()
                .contains("\x1f-Clink-arg=/linkers/gcc-ld/wasm-ld")
        );
        assert!(command.get_envs().any(|(key, value)| key == "RUSTFLAGS" && value.is_none()));
    }

    #[test]
    fn the_bridge_to_wasi_0_2_is_the_one_without_files() {
        let flags = Unpacked::fake().flags();
        assert!(flags.contains(&"-Clink-arg=--wasi-adapter=proxy".to_owned()), "{flags:?}");
    }

    #[test]
    fn a_folder_without_its_stamp_is_not_used() {
        assert_eq!(from_cache(&Layout::at(Path::new("/nowhere/at/all")), Path::new("/linkers")), None);
    }

    #[test]
    fn the_target_of_the_linker_variable_is_the_target_that_is_built() {
        assert_eq!(super::super::TARGET.to_uppercase().replace('-', "_"), "WASM32_WASIP2");
    }
}
