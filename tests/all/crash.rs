//! A short form of the crash tests of store and ledger; `cargo xtask crash` is the long one.
//!
//! They run as that program does, in processes of their own; a test that kills must not be what is killed.

use std::{path::Path, process::Command};

use serde_json::Value;

/// Runs the program, and gives what it printed, a line of JSON for each engine and kind; and whether it was content.
pub(crate) fn crash(flags: &str) -> (Vec<Value>, bool, String) {
    let mut program = Command::new(Path::new(env!("CARGO_BIN_EXE_crash")));
    let said = program.args(flags.split_whitespace()).arg("--json").env_remove("RUST_BACKTRACE").output().unwrap();
    let complaints = String::from_utf8_lossy(&said.stderr).into_owned();
    let lines = String::from_utf8(said.stdout).unwrap();
    let results = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (results, said.status.success(), complaints)
}

/// Runs it for both engines; nothing may go wrong.
fn holds(flags: &str) -> Vec<Value> {
    let (results, good, complaints) = crash(flags);
    assert!(good, "{flags}: {results:?}\n{complaints}");
    for engine in ["sled", "redb"] {
        assert!(results.iter().any(|result| result["engine"] == engine), "{engine} was not tried: {results:?}");
    }
    results
}

fn count(result: &Value, name: &str) -> u64 {
    result[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {result}"))
}

#[test]
pub(crate) fn what_was_acknowledged_before_kill_9_is_there_after_a_restart() {
    for result in holds("--only kill --kills 10") {
        assert_eq!(
            (count(&result, "kills"), count(&result, "lost"), count(&result, "phantom")),
            (10, 0, 0),
            "{result}"
        );
        assert!(count(&result, "acknowledged") > 100, "the writer was under load: {result}");
    }
}

#[test]
fn a_record_that_is_acknowledged_too_early_would_be_found_missing() {
    let (results, good, _) = crash("--only kill --kills 10 --engine redb --acknowledge-early");
    assert!(!good && count(&results[0], "lost") > 0, "{results:?}");
}

#[test]
pub(crate) fn what_was_acknowledged_before_a_power_cut_is_there_after_it() {
    for result in holds("--only power --power-loss 10") {
        if let Some(why) = result["skipped"].as_str() {
            println!("skipped: {why}");
            continue;
        }
        assert_eq!(
            (count(&result, "power_cuts"), count(&result, "lost"), count(&result, "phantom")),
            (10, 0, 0),
            "{result}"
        );
    }
}

#[test]
fn an_engine_that_did_not_flush_would_be_found_out_by_the_model() {
    for (engine, file) in [("sled", "db"), ("redb", "data")] {
        let (results, good, complaints) =
            crash(&format!("--only power --power-loss 20 --engine {engine} --deaf-to {file}"));
        if results[0]["skipped"].is_string() {
            continue;
        }
        assert!(!good && count(&results[0], "lost") + count(&results[0], "refused") > 0, "{results:?}\n{complaints}");
    }
}

#[test]
pub(crate) fn on_a_disk_that_is_full_or_read_only_nothing_is_lost_reads_go_on_and_so_does_everything_later() {
    for result in holds("--only full --disk-full 3") {
        if let Some(why) = result["skipped"].as_str() {
            println!("some were skipped: {why}");
        }
        assert_eq!((count(&result, "lost"), count(&result, "phantom"), count(&result, "hung")), (0, 0, 0), "{result}");
        assert!(
            result["runs"] == 0 || count(&result, "refused") > 0 && count(&result, "reads_meanwhile") > 0,
            "{result}"
        );
    }
}

#[test]
pub(crate) fn damaged_files_are_told_and_never_answered_as_if_there_had_been_fewer_records() {
    for result in holds("--only damage --damage 8") {
        assert_eq!(count(&result, "detected") + count(&result, "unharmed"), 8, "{result}");
        assert!(count(&result, "detected") > 0 && count(&result, "silent") == 0, "{result}");
    }
}
