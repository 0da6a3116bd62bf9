//! Which toolchain builds for wasm32-wasip2. A decision only: what the machine has, and what could be added, it asks
//! through [`Probe`].
//!
//! In order: what is there already (rustup's target, then Debian's packages from an earlier run, both at once), then what
//! can be added (rustup's target, then Debian's packages), then an error that names both and what went wrong with each.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::debian::Unpacked;

/// The environment variable that forces one way.
const VARIABLE: &str = "PORTCULLIS_WASM_TOOLCHAIN";

/// A compiler, a linker and a standard library for wasm32-wasip2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// The toolchain in use, with rustup's wasm32-wasip2 target in this folder.
    Rustup(PathBuf),
    /// Debian's rustc and the source of its standard library, unpacked below `target/`.
    Debian(Unpacked),
}

/// The way somebody insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forced {
    No,
    Rustup,
    Debian,
}

impl Forced {
    pub(super) fn from_env() -> Result<Self> {
        Self::parse(std::env::var(VARIABLE).ok().as_deref())
    }

    fn parse(value: Option<&str>) -> Result<Self> {
        Ok(match value {
            None | Some("") => Self::No,
            Some("rustup") => Self::Rustup,
            Some("debian") => Self::Debian,
            Some(other) => bail!("{VARIABLE} is `{other}`; it takes `rustup` or `debian`, or is not set"),
        })
    }

    fn allows_rustup(self) -> bool {
        self != Self::Debian
    }

    fn allows_debian(self) -> bool {
        self != Self::Rustup
    }
}

/// What the choice needs to know of a machine, and the two things it may do to it.
pub(super) trait Probe {
    /// The folder of rustup's target, if its standard library is there.
    fn rustup_target(&self) -> Option<PathBuf>;
    /// `rustup target add`, in bounded time.
    fn add_rustup_target(&self) -> Result<()>;
    /// Debian's packages, if an earlier run unpacked all of them.
    fn unpacked(&self) -> Option<Unpacked>;
    /// Downloads and unpacks Debian's packages.
    fn unpack(&self) -> Result<Unpacked>;
    /// Compiler version and platform, for reports.
    fn describe(&self) -> String;
}

/// Picks a toolchain and says why.
pub(super) fn choose(forced: Forced, machine: &impl Probe) -> Result<(Toolchain, &'static str)> {
    if let Some(ready) = ready(forced, machine) {
        return Ok(ready);
    }
    let mut failures = Vec::new();
    if forced.allows_rustup() {
        let target = machine.add_rustup_target().map(|()| machine.rustup_target());
        match target {
            Ok(Some(target)) => return Ok((Toolchain::Rustup(target), "rustup could add its target")),
            Ok(None) => failures.push("rustup: added the target, and still rustc finds no standard library".to_owned()),
            Err(error) => failures.push(format!("rustup: {error:#}")),
        }
    }
    if forced.allows_debian() {
        match machine.unpack() {
            Ok(unpacked) => return Ok((Toolchain::Debian(unpacked), "Debian's packages could be unpacked")),
            Err(error) => failures.push(format!("Debian's packages: {error:#}")),
        }
    }
    bail!(no_toolchain(forced, &failures))
}

/// What is there without adding anything.
fn ready(forced: Forced, machine: &impl Probe) -> Option<(Toolchain, &'static str)> {
    if forced.allows_rustup()
        && let Some(target) = machine.rustup_target()
    {
        return Some((Toolchain::Rustup(target), "rustup's target is installed"));
    }
    if forced.allows_debian()
        && let Some(unpacked) = machine.unpacked()
    {
        let why = match forced {
            Forced::Debian => "unpacked by an earlier run",
            _ => "rustup's target is not installed; these were unpacked by an earlier run that could not add it",
        };
        return Some((Toolchain::Debian(unpacked), why));
    }
    None
}

fn no_toolchain(forced: Forced, failures: &[String]) -> String {
    let mut text = format!("cannot build for {}: no toolchain for it", super::TARGET);
    for failure in failures {
        text.push_str(&format!("\n  - {failure}"));
    }
    text.push_str("\nWhat to do, one of:");
    text.push_str(&format!(
        "\n  - let `rustup target add {}` succeed (https://rustup.rs; behind a proxy: HTTPS_PROXY)",
        super::TARGET
    ));
    text.push_str(
        "\n  - on Debian 12 or later: have apt sources with `rustc-web`, `rust-web-src` and `wasi-libc` (main and \
         security), then run again; no root is needed and nothing is installed",
    );
    if forced != Forced::No {
        text.push_str(&format!("\n  - unset {VARIABLE}, which forbids the other way"));
    }
    text
}

/// What is in use and why, for bug reports.
pub(super) fn report(forced: Forced, machine: &impl Probe) -> Vec<String> {
    let mut lines = match ready(forced, machine) {
        Some((Toolchain::Rustup(target), why)) => {
            vec!["in use    rustup".to_owned(), format!("why       {why}"), format!("library   {}", target.display())]
        }
        Some((Toolchain::Debian(unpacked), why)) => {
            vec![
                "in use    debian".to_owned(),
                format!("why       {why}"),
                format!("packages  {}", unpacked.describe()),
            ]
        }
        None => vec!["in use    none yet".to_owned(), format!("why       {}", nothing_ready(forced))],
    };
    let variable = match forced {
        Forced::No => "not set",
        Forced::Rustup => "rustup",
        Forced::Debian => "debian",
    };
    lines.push(format!("forced    {VARIABLE} is {variable}"));
    lines.push(format!("compiler  {}", machine.describe()));
    lines
}

fn nothing_ready(forced: Forced) -> &'static str {
    match forced {
        Forced::No => "neither is here; a build would try to add rustup's target, then to unpack Debian's packages",
        Forced::Rustup => "rustup's target is not here; a build would try to add it",
        Forced::Debian => "Debian's packages are not here; a build would try to unpack them",
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// A machine made of answers; it notes what was done to it.
    #[derive(Default)]
    struct Fake {
        target: Cell<bool>,
        target_can_be_added: bool,
        unpacked: bool,
        can_be_unpacked: bool,
        done: RefCell<Vec<&'static str>>,
    }

    impl Probe for Fake {
        fn rustup_target(&self) -> Option<PathBuf> {
            self.target.get().then(|| "/target".into())
        }
        fn add_rustup_target(&self) -> Result<()> {
            self.done.borrow_mut().push("add");
            self.target.set(self.target_can_be_added);
            if self.target_can_be_added { Ok(()) } else { bail!("no route to host") }
        }
        fn unpacked(&self) -> Option<Unpacked> {
            self.unpacked.then(Unpacked::fake)
        }
        fn unpack(&self) -> Result<Unpacked> {
            self.done.borrow_mut().push("unpack");
            if self.can_be_unpacked { Ok(Unpacked::fake()) } else { bail!("apt-get is not there") }
        }
        fn describe(&self) -> String {
            "rustc 1.95.0".to_owned()
        }
    }

    fn rustup() -> Toolchain {
        Toolchain::Rustup("/target".into())
    }

    #[test]
    fn an_installed_target_is_used_and_nothing_is_added() {
        let machine = Fake { target: true.into(), unpacked: true, ..Fake::default() };
        assert_eq!(choose(Forced::No, &machine).unwrap().0, rustup());
        assert!(machine.done.borrow().is_empty());
    }

    #[test]
    fn a_missing_target_is_added_before_packages_are_fetched() {
        let machine = Fake { target_can_be_added: true, can_be_unpacked: true, ..Fake::default() };
        assert_eq!(choose(Forced::No, &machine).unwrap().0, rustup());
        assert_eq!(*machine.done.borrow(), ["add"]);
    }

    #[test]
    fn packages_are_fetched_where_rustup_cannot_add_its_target() {
        let machine = Fake { can_be_unpacked: true, ..Fake::default() };
        assert_eq!(choose(Forced::No, &machine).unwrap().0, Toolchain::Debian(Unpacked::fake()));
        assert_eq!(*machine.done.borrow(), ["add", "unpack"]);
    }

    #[test]
    fn packages_of_an_earlier_run_are_used_without_asking_rustup_again() {
        let machine = Fake { unpacked: true, target_can_be_added: true, ..Fake::default() };
        assert_eq!(choose(Forced::No, &machine).unwrap().0, Toolchain::Debian(Unpacked::fake()));
        assert!(machine.done.borrow().is_empty());
    }

    #[test]
    fn a_forced_way_never_takes_the_other() {
        let machine = Fake { target: true.into(), can_be_unpacked: true, ..Fake::default() };
        assert_eq!(choose(Forced::Debian, &machine).unwrap().0, Toolchain::Debian(Unpacked::fake()));
        assert_eq!(*machine.done.borrow(), ["unpack"]);

        let machine = Fake { unpacked: true, can_be_unpacked: true, ..Fake::default() };
        let error = choose(Forced::Rustup, &machine).unwrap_err().to_string();
        assert!(error.contains("no route to host") && error.contains("unset PORTCULLIS_WASM_TOOLCHAIN"), "{error}");
        assert_eq!(*machine.done.borrow(), ["add"]);
    }

    #[test]
    fn where_neither_works_the_error_names_both_ways_and_both_failures() {
        let error = choose(Forced::No, &Fake::default()).unwrap_err().to_string();
        for part in ["no route to host", "apt-get is not there", "rustup target add wasm32-wasip2", "rustc-web"] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    #[test]
    fn a_report_changes_nothing() {
        let machine = Fake { target_can_be_added: true, can_be_unpacked: true, ..Fake::default() };
        assert_eq!(report(Forced::No, &machine)[0], "in use    none yet");
        assert!(machine.done.borrow().is_empty());
    }

    #[test]
    fn the_variable_takes_two_words_and_refuses_others_by_name() {
        assert_eq!(Forced::parse(None).unwrap(), Forced::No);
        assert_eq!(Forced::parse(Some("")).unwrap(), Forced::No);
        assert_eq!(Forced::parse(Some("rustup")).unwrap(), Forced::Rustup);
        assert_eq!(Forced::parse(Some("debian")).unwrap(), Forced::Debian);
        assert!(Forced::parse(Some("nix")).unwrap_err().to_string().contains("`nix`"));
    }
}
