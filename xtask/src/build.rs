//! `cargo xtask build`: the adapters, the test guests and the `portcullis` binary.

use std::process::ExitCode;

use anyhow::Result;

use crate::layout::Layout;
use crate::steps::Console;
use crate::{cargo, wasm};

/// The binary a user of Portcullis runs.
const PROGRAM: &str = "portcullis";

pub(crate) fn run(layout: &Layout, release: bool) -> Result<ExitCode> {
    let console = Console::every_step();
    let built = wasm::build(layout, &console)?;
    for adapter in &built.adapters {
        anstream::println!("{:<11} {}", "adapter", layout.short(adapter));
    }
    let guests = layout.guests_out();
    anstream::println!("{:<11} {} ({} for the tests)", "guests", layout.short(&guests), built.guests.len());

    let program = cargo::build_program(layout, &console, PROGRAM, release)?;
    anstream::println!("{:<11} {}", "program", layout.short(&program));
    Ok(ExitCode::SUCCESS)
}
