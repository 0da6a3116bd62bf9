//! `cargo xtask demo`, `bench`, `conformance` and `crash`: builds what they need, then becomes them.
//!
//! Their stdout is theirs alone. What the building says goes to stderr, and nothing where there was nothing to build.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::layout::Layout;
use crate::steps::Console;
use crate::{cargo, wasm};

/// A program that shows Portcullis at work, as a user of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Demo,
    Bench,
    Conformance,
    Crash,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Bench => "bench",
            Self::Conformance => "conformance",
            Self::Crash => "crash",
        }
    }

    /// Store and ledger are tried without adapters.
    fn needs_components(self) -> bool {
        self != Self::Crash
    }

    /// Figures from a debug build mislead; a demo should not take minutes to build.
    fn release(self) -> bool {
        self == Self::Bench
    }
}

pub(crate) fn run(layout: &Layout, program: Program, flags: &[String]) -> Result<ExitCode> {
    let console = Console::slow_steps();
    if program.needs_components() {
        wasm::build(layout, &console)?;
    }
    let path = cargo::build_program(layout, &console, program.name(), program.release())?;

    let mut command = Command::new(&path);
    command.env("PORTCULLIS_COMPONENTS", layout.adapters_out()).args(flags);
    if program == Program::Bench {
        // It makes every wasmtime error collect a backtrace, and the figures with it.
        command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    }
    become_program(command).with_context(|| format!("cannot run {}", layout.short(&path)))
}

/// Replaces this process, so that signals and the exit code are the program's own.
#[cfg(unix)]
fn become_program(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}
