//! Debian packages by name: which ones are needed, in which version, and how to download them without being root.
//!
//! Nothing is installed. `apt-get download` needs no rights but package lists; where the system has none (a fresh
//! container), lists of our own are fetched into the cache folder. apt checks signatures either way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::steps::{Console, Step};

/// Taken for granted: whoever compiles Rust has a C compiler and a linker, from whatever package.
const BUILD_ESSENTIALS: &[&str] = &["binutils", "gcc", "libc-dev", "libc6-dev"];

/// A package somebody depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// The version it must have exactly; none where any (or any recent) one will do.
    pub(super) exactly: Option<String>,
}

impl Dependency {
    pub(super) fn any(name: &str) -> Self {
        Self { name: name.to_owned(), exactly: None }
    }

    /// `name` or `name=version`, as apt takes it.
    fn spelled(&self) -> String {
        self.exactly.as_ref().map_or_else(|| self.name.clone(), |version| format!("{}={version}", self.name))
    }
}

/// What `apt-cache show` says about one version of a package, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// Download size in bytes.
    pub(super) size: u64,
    /// Each is satisfied by any one of its alternatives.
    depends: Vec<Vec<Dependency>>,
}

/// Reads `apt-cache show`: paragraphs of `Field: value` (Debian Policy, section 5.1).
pub(super) fn parse_packages(text: &str) -> Vec<Package> {
    let mut packages = Vec::new();
    for paragraph in text.split("\n\n") {
        let mut package = Package::default();
        for (field, value) in paragraph.lines().filter_map(|line| line.split_once(": ")) {
            match field {
                "Package" => value.trim().clone_into(&mut package.name),
                "Version" => value.trim().clone_into(&mut package.version),
                "Size" => package.size = value.trim().parse().unwrap_or(0),
                "Depends" | "Pre-Depends" => package.depends.extend(parse_depends(value)),
                _ => {}
            }
        }
        if !package.name.is_empty() && !package.version.is_empty() {
            packages.push(package);
        }
    }
    packages
}

/// Reads a dependency field (Debian Policy, section 7.1): `a (= 1) | b, c:any (>= 2) [amd64]`.
fn parse_depends(field: &str) -> Vec<Vec<Dependency>> {
    let alternatives = |group: &str| group.split('|').filter_map(parse_dependency).collect::<Vec<_>>();
    field.split(',').map(alternatives).filter(|group| !group.is_empty()).collect()
}

fn parse_dependency(text: &str) -> Option<Dependency> {
    let name = text.trim().split([' ', '(', '[', '<']).next()?.split(':').next()?;
    if name.is_empty() {
        return None;
    }
    let constraint = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside.trim());
    let exactly = constraint.and_then(|inside| inside.strip_prefix('=')).map(|version| version.trim().to_owned());
    Some(Dependency { name: name.to_owned(), exactly })
}

/// The packages wanted and what they need beyond what this machine has installed.
///
/// A dependency on an exact version belongs to the same toolchain and is taken even where it is installed: compiler and
/// libraries must lie in one folder. `show` looks packages up, `installed` are the names dpkg knows.
pub(super) fn closure(
    wanted: Vec<Dependency>,
    installed: &BTreeSet<String>,
    mut show: impl FnMut(&[Dependency]) -> Result<Vec<Package>>,
) -> Result<Vec<Package>> {
    let mut chosen: BTreeMap<String, Package> = BTreeMap::new();
    let mut next = wanted;
    while !next.is_empty() {
        let packages = show(&next)?;
        let mut found = BTreeSet::new();
        for dependency in std::mem::take(&mut next) {
            let fits = |package: &&Package| {
                package.name == dependency.name
                    && dependency.exactly.as_ref().is_none_or(|version| *version == package.version)
            };
            let Some(package) = packages.iter().find(fits) else {
                bail!("apt knows no package `{}`", dependency.spelled());
            };
            chosen.entry(package.name.clone()).or_insert_with(|| package.clone());
            found.extend(package.depends.iter().filter_map(|group| missing(group, installed)).cloned());
        }
        next.extend(found.into_iter().filter(|dependency| !chosen.contains_key(&dependency.name)));
    }
    Ok(chosen.into_values().collect())
}

/// The alternative to take, if the machine has none of them yet.
fn missing<'a>(alternatives: &'a [Dependency], installed: &BTreeSet<String>) -> Option<&'a Dependency> {
    if let Some(exact) = alternatives.iter().find(|dependency| dependency.exactly.is_some()) {
        return Some(exact);
    }
    let there = |dependency: &Dependency| {
        installed.contains(&dependency.name) || BUILD_ESSENTIALS.contains(&dependency.name.as_str())
    };
    if alternatives.iter().any(there) { None } else { alternatives.first() }
}

/// Where apt gets its package lists from. Tried in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// The system's, as they are.
    System,
    /// Fetched into the cache folder: needs no rights.
    Private,
    /// The system's after `apt-get update`: needs rights, and helps where apt cannot work on lists elsewhere.
    SystemUpdated,
}

impl Lists {
    pub(super) const ALL: [Self; 3] = [Self::System, Self::Private, Self::SystemUpdated];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::System => "with the system's package lists",
            Self::Private => "with package lists of its own",
            Self::SystemUpdated => "after `apt-get update`",
        }
    }
}

/// apt with one choice of package lists.
pub(super) struct Apt<'a> {
    lists: Lists,
    /// apt's state and caches where the lists are our own.
    state: PathBuf,
    console: &'a Console,
}

impl<'a> Apt<'a> {
    /// Makes the lists ready. A source that cannot be fetched is no error yet: the packages may be in another.
    pub(super) fn new(lists: Lists, state: &Path, console: &'a Console) -> Result<Self> {
        let apt = Self { lists, state: state.to_owned(), console };
        if lists == Lists::Private {
            for folder in ["lists/partial", "cache/archives/partial"] {
                std::fs::create_dir_all(apt.state.join(folder)).context("cannot make a folder for package lists")?;
            }
        }
        if lists != Lists::System {
            let mut update = apt.command("apt-get");
            update.arg("update");
            let outcome = Step::new("fetch package lists", update).failure_untold().run(console)?;
            ensure!(lists == Lists::Private || outcome.success(), "apt-get update {}", outcome.explain());
        }
        Ok(apt)
    }

    /// What apt would install of these, or exactly the versions asked for.
    pub(super) fn show(&self, dependencies: &[Dependency]) -> Result<Vec<Package>> {
        let mut command = self.command("apt-cache");
        command.args(["show", "--no-all-versions"]).args(dependencies.iter().map(Dependency::spelled));
        // It fails when one of several names is unknown, and still shows the others; whoever needs that one will say so.
        let output = command.output().context("cannot run apt-cache")?;
        Ok(parse_packages(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Downloads these into `folder`.
    pub(super) fn download(&self, packages: &[Package], folder: &Path) -> Result<()> {
        let megabytes = packages.iter().map(|package| package.size).sum::<u64>() / 1_000_000;
        let mut command = self.command("apt-get");
        command.current_dir(folder).arg("download");
        command.args(packages.iter().map(|package| format!("{}={}", package.name, package.version)));
        let label = format!("download {} Debian packages, {megabytes} MB", packages.len());
        Step::new(label, command).failure_untold().require(self.console).map(drop)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        // Without its own user for downloads, which may not write into a checkout. Signatures are checked all the same.
        command.args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]);
        command.args(["-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30"]);
        if self.lists == Lists::Private {
            let option = |name: &str, folder: &str| format!("{name}={}", self.state.join(folder).display());
            command.args(["-o", &option("Dir::State::lists", "lists"), "-o", &option("Dir::Cache", "cache")]);
        }
        command
    }
}

/// The names of all packages installed on this machine.
pub(super) fn installed() -> Result<BTreeSet<String>> {
    let output = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status} ${Package}\n"]).output();
    let output = output.context("cannot run dpkg-query")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_prefix("installed ")).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "\
Package: rustc-web
Version: 1.96.0+dfsg1-1~deb12u2
Depends: libc6 (>= 2.34), libstd-rust-web-dev (= 1.96.0+dfsg1-1~deb12u2), gcc, libc-dev, binutils (>= 2.26)
Description: Rust systems programming language
 Rust is a curly-brace language.
 .
 Depends: nothing, this line is text
Size: 4450500

Package: libstd-rust-web-dev
Version: 1.96.0+dfsg1-1~deb12u2
Depends: libstd-rust-web-1.96 (= 1.96.0+dfsg1-1~deb12u2)
Size: 35890200

Package: libstd-rust-web-1.96
Version: 1.96.0+dfsg1-1~deb12u2
Depends: libc6 (>= 2.34), libllvm22
Size: 21977620

Package: libllvm22
Version: 1:22.1.8-1~deb12u1
Depends: libedit2 (>= 2.11-20080614-0), libz3-4 (>= 4.8.12) | libz3-5
Size: 29378692

Package: libedit2
Version: 3.1
Size: 93000
";

    fn resolve(installed: &[&str]) -> Vec<String> {
        let installed = installed.iter().map(|name| (*name).to_owned()).collect();
        let packages = closure(vec![Dependency::any("rustc-web")], &installed, |_| Ok(parse_packages(SHOWN))).unwrap();
        packages.into_iter().map(|package| package.name).collect()
    }

    #[test]
    fn a_paragraph_gives_name_version_size_and_dependencies() {
        let packages = parse_packages(SHOWN);
        assert_eq!(packages.len(), 5);
        assert_eq!((packages[0].name.as_str(), packages[0].size), ("rustc-web", 4_450_500));
        assert_eq!(packages[3].version, "1:22.1.8-1~deb12u1");
        let names: Vec<&str> = packages[0].depends.iter().map(|group| group[0].name.as_str()).collect();
        assert_eq!(names, ["libc6", "libstd-rust-web-dev", "gcc", "libc-dev", "binutils"]);
    }

    #[test]
    fn only_an_equals_sign_asks_for_one_version() {
        let groups = parse_depends("a (= 1:2-3), b (>= 2) [amd64] | c:any, d <!nocheck>, ");
        let exact = Dependency { name: "a".to_owned(), exactly: Some("1:2-3".to_owned()) };
        assert_eq!(
            groups,
            [vec![exact], vec![Dependency::any("b"), Dependency::any("c")], vec![Dependency::any("d")],]
        );
    }

    #[test]
    fn versioned_packages_are_followed_and_what_is_installed_is_not() {
        let names = resolve(&["libc6", "libedit2", "libz3-5"]);
        assert_eq!(names, ["libllvm22", "libstd-rust-web-1.96", "libstd-rust-web-dev", "rustc-web"]);
    }

    #[test]
    fn a_library_the_machine_does_not_have_comes_along() {
        assert!(resolve(&["libc6", "libz3-4"]).contains(&"libedit2".to_owned()));
    }

    #[test]
    fn parts_of_the_same_toolchain_are_taken_even_where_they_are_installed() {
        let names = resolve(&["libc6", "libedit2", "libz3-4", "libstd-rust-web-dev", "libllvm22"]);
        assert_eq!(names, ["libstd-rust-web-1.96", "libstd-rust-web-dev", "rustc-web"]);
    }

    #[test]
    fn a_package_nobody_has_is_an_error_with_its_name() {
        let installed = BTreeSet::from(["libc6".to_owned()]);
        let wanted = vec![Dependency::any("rustc-web")];
        let error = closure(wanted, &installed, |_| Ok(parse_packages(SHOWN))).unwrap_err().to_string();
        assert!(error.contains("libz3-4"), "{error}");
    }
}
