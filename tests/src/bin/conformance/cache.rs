//! The folder `target/conformance`: packages, logs, and a lock, so that two runs do not install over each other.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use portcullis_tests::folder;
use serde_json::Value;

use crate::{
    guard::Task,
    packages,
    report::{Checked, Stop},
};

/// Lines of a log that are shown where something went wrong.
const TAIL: usize = 15;

/// What the suites share on disk.
#[derive(Debug)]
pub(crate) struct Cache {
    root: PathBuf,
    specs: PathBuf,
    _lock: File,
}

impl Cache {
    /// Opens the cache, and waits for its turn where another run has it.
    pub(crate) fn open() -> io::Result<Self> {
        let root = folder::conformance();
        fs::create_dir_all(root.join("logs"))?;
        let root = root.canonicalize()?;
        let lock = File::create(root.join("lock"))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            anstream::eprintln!("another run has {}; waiting for its end", root.display());
            lock.lock()?;
        }
        Ok(Self { root, specs: folder::specs(), _lock: lock })
    }

    /// A file of the folder with other people's API descriptions, such as `postmark/postmark-server.json`.
    pub(crate) fn spec(&self, name: &str) -> Checked<PathBuf> {
        spec(&self.specs, name)
    }

    /// The same, read.
    pub(crate) fn spec_json(&self, name: &str) -> Checked<Value> {
        serde_json::from_str(&fs::read_to_string(self.spec(name)?)?)
            .map_err(|error| Stop::Failed(format!("{name}: {error}")))
    }

    /// A folder of this name for packages.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where what a child says is kept.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// A script of `tests/conformance`, put where Node.js finds the packages it imports.
    pub(crate) fn script(&self, name: &str, beside: &Path) -> io::Result<PathBuf> {
        let copy = beside.join(name);
        fs::copy(folder::conformance_scripts().join(name), &copy)?;
        Ok(copy)
    }

    /// A Python that has these packages, as `NAME==VERSION`.
    pub(crate) async fn python(&self, name: &str, wanted: &[&str]) -> Checked<PathBuf> {
        packages::python(self, name, wanted).await
    }

    /// A Node.js of at least this major version, and a folder in which it finds these packages, as `NAME@VERSION`.
    pub(crate) async fn node(&self, name: &str, wanted: &[&str], least: u32) -> Checked<packages::Node> {
        packages::node(self, name, wanted, least).await
    }

    /// Runs a Python script of `tests/conformance`. Its first argument is a file with `input`; it answers in JSON on stdout.
    pub(crate) async fn ask(&self, python: &Path, script: &str, input: &Value, arguments: &[&str]) -> Checked<Value> {
        let given = self.root.join("logs").join(format!("{script}-input.json"));
        fs::write(&given, input.to_string())?;
        let task = Task::new(python).args([&folder::conformance_scripts().join(script), &given]);
        let task = task.args(arguments.iter().copied()).env("PYTHONDONTWRITEBYTECODE", "1");
        let answer = self.root.join("logs").join(format!("{script}-answer.json"));
        self.answer(script, &task, &answer).await
    }

    /// Runs something that answers in JSON on stdout, which is kept in a file.
    pub(crate) async fn answer(&self, script: &str, task: &Task, answer: &Path) -> Checked<Value> {
        let mut child = task.start_into(File::create(answer)?, &self.log(script))?;
        let status = crate::progress::step(script, child.wait()).await?;
        if !status.success() {
            return Err(Stop::Failed(format!("{script}: {status}; {}", tail(&self.log(script)))));
        }
        let text = fs::read_to_string(answer)?;
        serde_json::from_str(&text).map_err(|error| Stop::Failed(format!("{script}: no JSON: {error}: {text}")))
    }

    /// Runs something to its end and keeps what it says. Whether it went well, and what it said.
    pub(crate) async fn run(&self, label: &str, log: &str, task: &Task) -> io::Result<(bool, String)> {
        let log = self.log(log);
        let mut child = task.start(&log)?;
        let status = crate::progress::step(label, child.wait()).await?;
        Ok((status.success(), String::from_utf8_lossy(&fs::read(&log)?).into_owned()))
    }
}

fn spec(specs: &Path, name: &str) -> Checked<PathBuf> {
    let path = specs.join(name);
    if path.exists() {
        return Ok(path.canonicalize()?);
    }
    Err(Stop::Skipped(format!("the API description {name} is not there; PORTCULLIS_SPECS says in which folder it is")))
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(TAIL)).copied().collect::<Vec<_>>().join("\n");
    format!("the end of {}:\n{last}", log.file_name().unwrap_or_default().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_that_is_not_there_is_a_reason_to_skip_that_says_what_to_set() {
        let nowhere = spec(Path::new("/nowhere/at/all"), "postmark/postmark-server.json");
        let Err(Stop::Skipped(why)) = nowhere else { panic!("{nowhere:?}") };
        assert!(why.contains("postmark-server.json") && why.contains("PORTCULLIS_SPECS"), "{why}");
        assert!(spec(&folder::conformance_scripts(), ".").is_ok());
    }
}
