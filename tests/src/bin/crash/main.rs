//! Crash tests of store and ledger: `cargo xtask crash [--kills N] [--json]`, `cargo xtask crash --replay FOLDER`.
//!
//! | file | what it does |
//! | --- | --- |
//! | `arguments.rs`, `report.rs` | what to try, and how it is told |
//! | `random.rs`, `files.rs` | numbers from a seed; folders |
//! | `subject.rs` | opens what is tried: a store, and the ledger in it |
//! | `journal.rs` | the test's own log, outside the store |
//! | `load.rs` | callers that write |
//! | `check.rs` | holds a store against the log |
//! | `child.rs` | this program started again, to be killed or to break |
//! | `kill.rs` | `kill -9` at random instants |
//! | `recording.rs`, `trace.rs`, `model.rs`, `power.rs` | power cuts |
//! | `replay.rs` | one of them, made again |
//! | `full.rs` | a disk that is full or read-only |
//! | `damage.rs` | files that are truncated or changed |
//!
//! An error of an engine is an error of the engine's user, so all of it is tried through the ledger, as the host uses it, and
//! judged by a log that neither knows of. What the power-loss model covers is said in `model.rs`; not covered is a disk that
//! lies about flushes, and file systems that show bytes that nobody wrote.
//!
//! The seed of a run is printed. What a child does when it is killed depends on timing too, so a seed repeats what was tried,
//! not what came of it. A power cut of which something bad came is kept with its trace, named, and can be made again.

mod arguments;
mod check;
mod child;
mod damage;
mod files;
mod full;
mod journal;
mod kill;
mod load;
mod model;
mod power;
mod random;
mod recording;
mod replay;
mod report;
mod subject;
mod trace;

use std::{env, error::Error, path::PathBuf, process::ExitCode, time::SystemTime};

use crate::{
    arguments::{Arguments, Kind},
    files::Scratch,
    report::Report,
};

fn main() -> ExitCode {
    if let Some(code) = child::run_if_asked() {
        return code;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.subsec_nanos());
    let arguments = match Arguments::parse(env::args().skip(1), u64::from(now)) {
        Ok(arguments) => arguments,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(report) if !report.failed() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where stores are made: on a disk, because flushes cost something there.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/crash")
}

fn run(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let mut folder = Scratch::new(&scratch(), "run")?;
    let scratch = folder.path().to_owned();
    let scratch = scratch.as_path();
    let seed = arguments.seed;
    anstream::eprintln!("seed {seed}");
    let mut report = Report::new(arguments.json);
    if let Some(kept) = &arguments.replay {
        report.add("a power cut, made again", &replay::run(scratch, kept)?)?;
        return Ok(report);
    }
    let engines = arguments.engines.clone();
    for (kind, title) in [
        (Kind::Kill, "killed at random instants"),
        (Kind::Power, "power cuts"),
        (Kind::Full, "disks full or read-only"),
        (Kind::Damage, "damaged files"),
    ] {
        for engine in engines.iter().copied().filter(|_| arguments.wants(kind)) {
            match kind {
                Kind::Kill => report.add(title, &kill::run(scratch, engine, arguments)?)?,
                Kind::Power => report.add(title, &power::run(scratch, engine, arguments)?)?,
                Kind::Full => report.add(title, &full::run(scratch, engine, arguments.disk_full, seed)?)?,
                Kind::Damage => {
                    for result in damage::run(scratch, engine, arguments.damage, seed)? {
                        report.add(title, &result)?;
                    }
                }
            }
        }
    }
    if report.failed() && !arguments.meant_to_fail() {
        folder.keep();
    }
    Ok(report)
}
