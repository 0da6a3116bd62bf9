//! `cargo xtask fuzz`: runs the fuzz targets of `tests/fuzz`, each for a while, and says what they found.
//!
//! They start from the committed corpus, which they leave as it is; what they learn is kept below `target/fuzz`, so that the
//! next run goes on where this one ended. No sanitizer: the gate has no `unsafe`, and without one they are three times as
//! fast. Overflows and the laws themselves panic all the same.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::layout::Layout;
use crate::steps::{Console, Step};
use crate::{arguments, tools};

/// How long a target runs where nobody says.
const SECONDS: u64 = 60;

/// What became of one target.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ran {
    target: String,
    runs: u64,
    per_second: u64,
    /// Edges of the program that some input reached.
    coverage: u64,
    /// The input that broke a law.
    found: Option<String>,
}

pub(crate) fn run(layout: &Layout, given: &[String]) -> Result<ExitCode> {
    let console = Console::every_step();
    let known = targets(layout)?;
    let targets: Vec<&String> = match arguments::words(given).as_slice() {
        [] => known.iter().collect(),
        words => {
            let find = |word: &&str| known.iter().find(|target| *target == word).context(word.to_string());
            let found: Result<Vec<&String>> = words.iter().map(find).collect();
            found.with_context(|| format!("there is no such fuzz target; there are {}", known.join(", ")))?
        }
    };
    let seconds = arguments::number(given, "--seconds").unwrap_or(SECONDS);
    nightly(layout)?;
    tools::install(layout, &console, &tools::FUZZ)?;
    Step::new("build the fuzz targets", fuzz(layout, "build", None)?).require(&console)?;
    let mut all = Vec::new();
    for target in targets {
        all.push(one(layout, &console, target, seconds)?);
    }
    if given.iter().any(|flag| flag == "--json") {
        let rows = all.iter().map(|ran| {
            json!({ "target": ran.target, "runs": ran.runs, "runs_per_second": ran.per_second, "coverage": ran.coverage, "found": ran.found })
        });
        println!("{}", serde_json::Value::Array(rows.collect()));
    } else {
        print!("{}", table(&all));
    }
    Ok(if all.iter().all(|ran| ran.found.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The targets, by their files.
fn targets(layout: &Layout) -> Result<Vec<String>> {
    let folder = layout.fuzz().join("fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot read {}", layout.short(&folder)))?;
    let stem = |file: fs::DirEntry| file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut targets: Vec<String> = files.flatten().filter_map(stem).collect();
    targets.sort_unstable();
    Ok(targets)
}

/// Coverage is what only a nightly compiler records.
fn nightly(layout: &Layout) -> Result<()> {
    let mut command = Command::new("rustup");
    command.current_dir(layout.root()).args(["run", "nightly", "cargo", "--version"]);
    if command.output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    bail!("fuzzing needs a nightly compiler: run `rustup toolchain install nightly --profile minimal`")
}

/// `cargo fuzz <subcommand>` by the nightly compiler.
fn fuzz(layout: &Layout, subcommand: &str, target: Option<&str>) -> Result<Command> {
    let mut command = Command::new("rustup");
    command.current_dir(layout.root()).args(["run", "nightly", "cargo", "fuzz", subcommand, "--sanitizer", "none"]);
    command.arg("--fuzz-dir").arg(layout.fuzz()).arg("--target-dir").arg(layout.fuzz_out().join("build"));
    command.args(target);
    // This process was started by the stable cargo, whose settings are not for the other one.
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "RUSTC", "RUSTUP_TOOLCHAIN", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    tools::on_path(layout, &mut command)?;
    Ok(command)
}

fn one(layout: &Layout, console: &Console, target: &str, seconds: u64) -> Result<Ran> {
    let (learnt, found) = (layout.fuzz_out().join("corpus").join(target), layout.fuzz_out().join("found"));
    for folder in [&learnt, &found] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", layout.short(folder)))?;
    }
    let mut command = fuzz(layout, "run", Some(target))?;
    command.arg(&learnt).arg(layout.fuzz().join("corpus").join(target)).arg("--");
    command.arg(format!("-max_total_time={seconds}")).args(["-timeout=10", "-max_len=4096", "-print_final_stats=1"]);
    command.arg(format!("-dict={}", layout.fuzz().join("dictionaries").join(format!("{target}.dict")).display()));
    command.arg(format!("-artifact_prefix={}/{target}-", found.display()));
    let outcome = Step::new(format!("fuzz {target}"), command).failure_untold().run(console)?;
    let mut ran = read(outcome.tail());
    ran.target = target.to_owned();
    if !outcome.success() && ran.found.is_none() {
        bail!("fuzz {target}: {}", outcome.explain());
    }
    if let Some(input) = &mut ran.found {
        *input = layout.short(Path::new(&*input)).to_string();
        let why = outcome.tail().iter().skip_while(|line| !line.contains("panicked at")).take(4);
        why.for_each(|line| anstream::eprintln!("  {line}"));
        let tool = layout.tools().join("bin/cargo-fuzz");
        anstream::eprintln!(
            "  again: rustup run nightly {} fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz/build --sanitizer none \
             {target} {input}",
            layout.short(&tool)
        );
    }
    Ok(ran)
}

/// What libFuzzer says at its end.
fn read(lines: &[String]) -> Ran {
    let mut ran = Ran::default();
    let number = |text: &str| text.trim().parse().unwrap_or(0);
    for line in lines {
        if let Some(runs) = line.strip_prefix("stat::number_of_executed_units:") {
            ran.runs = number(runs);
        } else if let Some(rate) = line.strip_prefix("stat::average_exec_per_sec:") {
            ran.per_second = number(rate);
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            ran.found = Some(path.trim().to_owned());
        } else if let Some((_, rest)) = line.split_once(" cov: ")
            && line.starts_with('#')
        {
            ran.coverage = number(rest.split(' ').next().unwrap_or_default());
        }
    }
    ran
}

fn table(all: &[Ran]) -> String {
    let mut text = format!("{:<14}{:>14}{:>10}{:>10}  found\n", "target", "runs", "runs/s", "coverage");
    for ran in all {
        let found = ran.found.as_deref().unwrap_or("nothing");
        let Ran { target, runs, per_second, coverage, .. } = ran;
        let _ = writeln!(text, "{target:<14}{runs:>14}{per_second:>10}{coverage:>10}  {found}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn the_end_of_a_quiet_run_is_read() {
        let ran = read(&lines(
            "#9851	DONE   cov: 4957 ft: 15099 corp: 775/104Kb lim: 588 exec/s: 246 rss: 86Mb
             stat::number_of_executed_units: 9851
             stat::average_exec_per_sec:     246",
        ));
        assert_eq!(ran, Ran { runs: 9_851, per_second: 246, coverage: 4_957, ..Ran::default() });
        assert!(table(&[ran]).contains("nothing"));
    }

    #[test]
    fn what_was_found_is_told_by_its_path() {
        let ran = read(&lines(
            "artifact_prefix='x/'; Test unit written to x/header-crash-1\nstat::number_of_executed_units: 7",
        ));
        assert_eq!(ran.found.as_deref(), Some("x/header-crash-1"));
        assert!(table(&[ran]).contains("x/header-crash-1"));
    }
}
