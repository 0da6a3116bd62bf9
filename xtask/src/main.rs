//! `cargo xtask <command>`: everything a contributor runs, and nothing a user of Portcullis needs.
//!
//! This file knows the commands and their flags. What they do is one file each; the one hard part, building for
//! wasm32-wasip2 on machines whose rustup may not have that target, is [`wasm`].
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool: printing is its output")]

mod arguments;
mod build;
mod cargo;
mod counts;
mod deny;
mod fuzz;
mod hostile;
mod layout;
mod mutants;
mod programs;
mod steps;
mod test;
mod tools;
mod wasm;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;

use crate::layout::Layout;
use crate::programs::Program;

const BOLD: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// A command as the help shows it and as [`main`] finds it.
struct Command {
    name: &'static str,
    flags: &'static [&'static str],
    about: &'static str,
    run: fn(&Layout, &Flags) -> Result<ExitCode>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "build",
        flags: &["--release"],
        about: "build the adapters, the test guests and the `portcullis` binary, and say where they are",
        run: |layout, flags| build::run(layout, flags.has("--release")),
    },
    Command {
        name: "demo",
        flags: &["--json"],
        about: "show what Portcullis does, on this machine, without any account",
        run: |layout, flags| programs::run(layout, Program::Demo, &flags.0),
    },
    Command {
        name: "bench",
        flags: &["ledger", "vault", "--json", "--quick"],
        about: "measure what a governed call costs, or a durable record, or a credential (release profile)",
        run: |layout, flags| programs::run(layout, Program::Bench, &flags.0),
    },
    Command {
        name: "conformance",
        flags: &["SUITE", "--json"],
        about: "hold the adapters against servers and clients of other people (needs npm and PyPI; `test` never does)",
        run: |layout, flags| programs::run(layout, Program::Conformance, &flags.0),
    },
    Command {
        name: "languages",
        flags: &["--json"],
        about: "the same adapter in Rust, JavaScript and Python: built, held to the same checks, measured (`conformance languages`)",
        run: |layout, flags| {
            let flags: Vec<String> = std::iter::once("languages".to_owned()).chain(flags.0.iter().cloned()).collect();
            programs::run(layout, Program::Conformance, &flags)
        },
    },
    Command {
        name: "test",
        flags: &[],
        about: "formatting, lints and all tests of all workspaces; ends with the counts (what .ci/run runs)",
        run: |layout, _| test::run(layout),
    },
    Command {
        name: "hostile",
        flags: &["--json"],
        about: "run the hostile cases and say of each whether it held (`test` runs them too)",
        run: |layout, flags| hostile::run(layout, flags.has("--json")),
    },
    Command {
        name: "crash",
        flags: &[
            "--kills N",
            "--power-loss N",
            "--disk-full N",
            "--damage N",
            "--engine sled|redb",
            "--only kill|power|full|damage",
            "--seed N",
            "--replay FOLDER",
            "--json",
        ],
        about: "store and ledger under kill -9, power cuts, full disks and damaged files (`test` runs a short form)",
        run: |layout, flags| programs::run(layout, Program::Crash, &flags.0),
    },
    Command {
        name: "fuzz",
        flags: &["TARGET", "--seconds N", "--json"],
        about: "fuzz the gate, each target for 60 s (needs a nightly compiler)",
        run: |layout, flags| fuzz::run(layout, &flags.0),
    },
    Command {
        name: "mutants",
        flags: &["FILE"],
        about: "which changes of the gate would no test see (an hour or two)",
        run: |layout, flags| mutants::run(layout, &flags.0),
    },
    Command {
        name: "deny",
        flags: &[],
        about: "check the dependencies against deny.toml (needs cargo-deny)",
        run: |layout, _| deny::run(layout),
    },
    Command {
        name: "wasm-toolchain",
        flags: &[],
        about: "which way of building for wasm32-wasip2 is in use here, and why (for bug reports)",
        run: |layout, _| wasm::report(layout),
    },
    Command {
        name: "help",
        flags: &[],
        about: "this list",
        run: |_, _| {
            anstream::println!("{}", help());
            Ok(ExitCode::SUCCESS)
        },
    },
];

/// The flags a command was given, already checked against those it knows.
struct Flags(Vec<String>);

impl Flags {
    fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|given| given == flag)
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "help".to_owned());
    let flags: Vec<String> = arguments.collect();
    let asks_for_help = matches!(name.as_str(), "-h" | "--help") || flags.iter().any(|flag| flag == "--help");
    let name = if asks_for_help { "help" } else { name.as_str() };

    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return usage_error(&format!("there is no command `{name}`"));
    };
    if !asks_for_help && let Some(unknown) = arguments::unknown(command.flags, &flags) {
        return usage_error(&format!("`{name}` does not take `{unknown}`"));
    }

    match Layout::find().and_then(|layout| (command.run)(&layout, &Flags(flags))) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{ERROR}error:{ERROR:#} {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage_error(what: &str) -> ExitCode {
    anstream::eprintln!("{ERROR}error:{ERROR:#} {what}\n\n{}", help());
    ExitCode::from(2)
}

fn help() -> String {
    let usages: Vec<String> = COMMANDS.iter().map(usage).collect();
    let width = usages.iter().map(String::len).max().unwrap_or(0);
    let mut text = format!("{BOLD}cargo xtask <command>{BOLD:#}\n");
    for (command, usage) in COMMANDS.iter().zip(&usages) {
        text.push_str(&format!("\n  {BOLD}{usage:width$}{BOLD:#}  {}", command.about));
    }
    text.push_str(
        "\n\nPORTCULLIS_WASM_TOOLCHAIN=rustup|debian forces one way of building for wasm32-wasip2; without it the first\n\
         that works is used: the rustup target (added if it can be), then Debian's packages, unpacked below target/.",
    );
    text
}

fn usage(command: &Command) -> String {
    command.flags.iter().fold(command.name.to_owned(), |text, flag| format!("{text} [{flag}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_command_and_every_flag() {
        let help = help();
        for command in COMMANDS {
            assert!(help.contains(command.name) && help.contains(command.about), "{} is missing", command.name);
            assert!(command.flags.iter().all(|flag| help.contains(flag)), "a flag of {} is missing", command.name);
        }
    }

    #[test]
    fn no_two_commands_share_a_name() {
        let mut names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
    }
}
