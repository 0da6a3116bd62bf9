//! `cargo xtask hostile`: the hostile cases of `tests/all/hostile`, by number: which hold, and which do not.
//!
//! The tests are those that `cargo xtask test` runs as well. Their program says itself which case has which tests, so that
//! there is one list; this file runs them and counts. A case without a test that ran does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::layout::Layout;
use crate::steps::{Console, Step};
use crate::{cargo, wasm};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The test that prints the list.
const LIST: &str = "hostile::the_list_of_cases";
/// Longest message of a failure, in characters.
const MESSAGE: usize = 400;

/// A case and its tests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Case {
    number: u64,
    sentence: String,
    /// In the order in which they run; those that wait for a feature are not among them.
    tests: BTreeSet<String>,
    waiting: usize,
}

/// What became of the tests.
#[derive(Debug, Default)]
struct Results {
    passed: BTreeSet<String>,
    /// With what each said.
    failed: BTreeMap<String, String>,
    /// The test whose last words are being read.
    speaking: Option<String>,
}

pub(crate) fn run(layout: &Layout, as_json: bool) -> Result<ExitCode> {
    let console = Console::every_step();
    wasm::build(layout, &console)?;
    let program = build(layout, &console)?;
    let cases = cases(layout, &program)?;

    let mut results = Results::default();
    let mut command = tests(layout, &program);
    let all: BTreeSet<&String> = cases.iter().flat_map(|case| &case.tests).collect();
    command.arg("--exact").args(&all);
    let label = format!("{} tests of {} hostile cases", all.len(), cases.len());
    let outcome = Step::new(label, command)
        .on_stdout(|line| {
            results.read(line);
            true
        })
        .failure_untold()
        .run(&console)?;
    // One that neither passed nor failed was running, or had yet to, when the program ended.
    for test in all {
        if !results.passed.contains(test) && !results.failed.contains_key(test) {
            results.failed.insert(test.clone(), format!("it did not end: the program {}", outcome.explain()));
        }
    }

    let failed = failures(&cases, &results);
    let broken: BTreeSet<u64> = failed.iter().map(|(case, ..)| *case).collect();
    let held = cases.iter().filter(|case| !broken.contains(&case.number)).count();
    if as_json {
        let failed: Vec<Value> = failed
            .iter()
            .map(|(case, test, message)| json!({"case": case, "test": test, "message": message}))
            .collect();
        println!("{}", json!({"cases": cases.len(), "held": held, "failed": failed}));
    } else {
        show(&cases, &broken, &failed);
        println!("{held} of {} cases held", cases.len());
    }
    Ok(if failed.is_empty() && held > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the program of the end-to-end tests and says where it is.
fn build(layout: &Layout, console: &Console) -> Result<PathBuf> {
    let mut command = cargo::cargo(layout, console, "test");
    cargo::of_workspace(&mut command, &layout.host_manifest(), &layout.host_manifest());
    // The whole workspace, as everywhere: with other features it would be another build.
    command.args(["--workspace", "--test", "all", "--no-run"]);
    let artifacts = cargo::build(console, "build the tests", command)?;
    let program = artifacts.into_iter().filter(|artifact| artifact.test).find_map(|artifact| artifact.executable);
    program.context("cargo built the tests and did not say where")
}

fn tests(layout: &Layout, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(layout.root()).env("PORTCULLIS_COMPONENTS", layout.adapters_out());
    // It makes every wasmtime error collect a backtrace, and the tests slow.
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    command
}

/// Asks the program for its list of cases and its tests.
fn cases(layout: &Layout, program: &Path) -> Result<Vec<Case>> {
    let ask = |arguments: &[&str]| -> Result<String> {
        let output = tests(layout, program).args(arguments).output().context("cannot start the tests")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() { Ok(said) } else { bail!("the list of hostile cases is broken: {said}") }
    };
    let list = ask(&["--exact", LIST, "--nocapture", "--test-threads=1"])?;
    let names = |said: &str| -> BTreeSet<String> {
        said.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
    };
    let all = names(&ask(&["--list", "--format", "terse"])?);
    let ignored = names(&ask(&["--list", "--format", "terse", "--ignored"])?);
    read_list(&list, &all, &ignored)
}

/// `case`, number, the beginning of its tests' names, sentence; `also`, number, name of a test.
fn read_list(list: &str, all: &BTreeSet<String>, ignored: &BTreeSet<String>) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    for line in list.lines() {
        let mut fields = line.split('\t');
        match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some("case"), Some(number), Some(prefix), Some(sentence)) => {
                let (waiting, tests): (Vec<&String>, Vec<&String>) =
                    all.iter().filter(|test| test.starts_with(prefix)).partition(|test| ignored.contains(*test));
                cases.push(Case {
                    number: number.parse().context("a case's number is none")?,
                    sentence: sentence.to_owned(),
                    tests: tests.into_iter().cloned().collect(),
                    waiting: waiting.len(),
                });
            }
            (Some("also"), Some(number), Some(test), None) => {
                let case = cases.last_mut().filter(|case| case.number.to_string() == number);
                let case = case.with_context(|| format!("`{test}` stands below another case than {number}"))?;
                if ignored.contains(test) {
                    case.waiting += 1;
                } else if all.contains(test) {
                    case.tests.insert(test.to_owned());
                } else {
                    bail!("case {number} names `{test}`, which is no test");
                }
            }
            _ => {}
        }
    }
    if cases.is_empty() {
        bail!("`{LIST}` printed no cases");
    }
    Ok(cases)
}

impl Results {
    /// A line of libtest: `test NAME ... ok`, `test NAME ... FAILED`, and at the end what each failed one had said.
    fn read(&mut self, line: &str) {
        if let Some((name, result)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            match result {
                "ok" => drop(self.passed.insert(name.to_owned())),
                "FAILED" => drop(self.failed.insert(name.to_owned(), String::new())),
                _ => {}
            }
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.speaking = Some(name.to_owned());
        } else if line == "failures:" {
            self.speaking = None;
        } else if let Some(words) = self.speaking.as_ref().and_then(|name| self.failed.get_mut(name)) {
            let noise = line.is_empty() || line.starts_with("thread '") || line.starts_with("note: ");
            if !noise && words.chars().count() < MESSAGE {
                let gap = if words.is_empty() { "" } else { " " };
                *words = format!("{words}{gap}{}", line.trim()).chars().take(MESSAGE).collect();
            }
        }
    }
}

/// Case, test and message of everything that failed. A test can belong to several cases.
fn failures(cases: &[Case], results: &Results) -> Vec<(u64, String, String)> {
    let mut failed = Vec::new();
    for case in cases {
        if case.tests.is_empty() {
            failed.push((case.number, String::new(), format!("case {} has no test", case.number)));
        }
        for test in &case.tests {
            if let Some(message) = results.failed.get(test) {
                failed.push((case.number, test.clone(), message.clone()));
            }
        }
    }
    failed
}

fn show(cases: &[Case], broken: &BTreeSet<u64>, failed: &[(u64, String, String)]) {
    anstream::println!("case  tests  result  what");
    for case in cases {
        let (style, result) = if broken.contains(&case.number) { (BAD, "failed") } else { (GOOD, "held") };
        let waiting = match case.waiting {
            0 => String::new(),
            waiting => format!(" [{waiting} more not run]"),
        };
        let (number, tests) = (case.number, case.tests.len());
        anstream::println!("{number:>4}  {tests:>5}  {style}{result:<6}{style:#}  {}{waiting}", case.sentence);
    }
    for (case, test, message) in failed {
        anstream::println!("{BAD}case {case}{BAD:#} {test}\n  {message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    const TESTS: [&str; 4] = ["calls::b", "hostile::case_01::a", "hostile::case_01::later", "hostile::case_02::c"];

    fn two() -> Vec<Case> {
        let list = "running 1 test\ncase\t1\thostile::case_01::\tloops\nalso\t1\tcalls::b\ncase\t2\thostile::case_02::\tfloods\n";
        read_list(list, &names(&TESTS), &names(&["hostile::case_01::later"])).unwrap()
    }

    #[test]
    fn a_case_has_its_own_tests_and_those_it_names_elsewhere() {
        let cases = two();
        assert_eq!(cases[0].tests, names(&["calls::b", "hostile::case_01::a"]));
        assert_eq!((cases[0].waiting, cases[1].tests.len()), (1, 1));
        let gone = "case\t1\thostile::case_01::\tloops\nalso\t1\tcalls::gone\n";
        let error = read_list(gone, &names(&TESTS), &names(&[])).unwrap_err().to_string();
        assert!(error.contains("calls::gone"), "{error}");
    }

    #[test]
    fn a_case_without_a_test_that_ran_fails() {
        let cases = read_list("case\t13\thostile::case_13::\tredirects\n", &names(&TESTS), &names(&[])).unwrap();
        let failed = failures(&cases, &Results::default());
        assert_eq!(failed, [(13, String::new(), "case 13 has no test".to_owned())]);
    }

    #[test]
    fn a_failure_is_told_with_what_the_test_said() {
        let mut results = Results::default();
        for line in [
            "test hostile::case_01::a ... FAILED",
            "test calls::b ... ok",
            "failures:",
            "",
            "---- hostile::case_01::a stdout ----",
            "",
            "thread 'hostile::case_01::a' (7) panicked at tests/all/x.rs:1:1:",
            "assertion `left == right` failed",
            "  left: 1",
            "note: run with `RUST_BACKTRACE=1`",
            "failures:",
            "    hostile::case_01::a",
        ] {
            results.read(line);
        }
        let failed = failures(&two(), &results);
        let message = "assertion `left == right` failed left: 1".to_owned();
        assert_eq!(failed, [(1, "hostile::case_01::a".to_owned(), message)]);
        assert!(results.passed.contains("calls::b"));
    }
}
