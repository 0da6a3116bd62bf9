//! `cargo xtask mutants`: changes the gate in a thousand small ways, one at a time, and says which of them no test sees.
//!
//! `.cargo/mutants.toml` says in which files; `host/gate/MUTANTS.md` says which changes nothing can tell apart, and why. Takes
//! an hour or two; a file's name, such as `decide.rs`, restricts it to that file.

use std::process::ExitCode;

use anyhow::Result;

use crate::layout::Layout;
use crate::steps::{Console, Step};
use crate::{arguments, cargo, tools};

pub(crate) fn run(layout: &Layout, given: &[String]) -> Result<ExitCode> {
    let console = Console::every_step();
    tools::install(layout, &console, &tools::MUTANTS)?;
    let mut command = cargo::cargo(layout, &console, "mutants");
    command.args(["--package", "portcullis-gate", "--jobs", "1", "--no-shuffle", "--output"]).arg(layout.mutants_out());
    for file in arguments::words(given) {
        // A pattern, since `--file` adds to the files of the configuration.
        command.arg("--re").arg(format!("^host/gate/src/{}", file.replace('.', "\\.")));
    }
    // A tenth of the made-up worlds, and no search for a smaller one: only whether a test fails matters here.
    command.env("PROPTEST_CASES", "24").env("PROPTEST_MAX_SHRINK_ITERS", "0").env_remove("RUST_BACKTRACE");
    tools::on_path(layout, &mut command)?;
    let passed = Step::new("mutants of the gate", command).live().run(&console)?.success();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
