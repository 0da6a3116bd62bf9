//! The `portcullis` command: says what an adapter can do, calls it under a grant, and tells what was done.

mod adapter;
mod arguments;
mod audit;
mod call;
mod config;
mod credential;
mod diff;
mod exit;
mod explain;
mod file;
mod host;
mod inspect;
mod integration;
mod interrupt;
mod invoke;
mod ledger;
mod look;
mod near;
mod operation;
mod outcome;
mod progress;
mod prompt;
mod read;
mod recovery;
mod sensitive;
mod sent;
mod store;
mod underway;
mod verdict;
mod who;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::arguments::{Arguments, Command, Document};

fn main() -> ExitCode {
    // Adapters are compiled in a child process, which is this program again.
    if let Some(code) = portcullis_runtime::compile_if_asked() {
        return code;
    }
    let parsed = Arguments::command().term_width(look::width().min(100)).try_get_matches();
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    // Each file has a mode of its own besides; this is for what libraries make.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    log_to_standard_error();
    let tokio = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => {
            anstream::eprintln!("error: no threads to run on: {error}");
            return exit::OTHER.into();
        }
    };
    let done = tokio.block_on(async {
        interrupt::listen()?;
        match &arguments.command {
            Command::Inspect(wanted) => inspect::run(&arguments, wanted).await,
            Command::Invoke(wanted) => invoke::run(&arguments, wanted).await,
            Command::Call(wanted) => call::run(&arguments, wanted).await,
            Command::Adapter { command } => adapter::run(&arguments, command).await,
            Command::Integration { command } => integration::run(&arguments, command).await,
            Command::Credential { command } => credential::run(&arguments, command).await,
            Command::Explain(wanted) => explain::run(&arguments, wanted).await,
            Command::Diff(wanted) => diff::run(&arguments, wanted).await,
            Command::Host { command } => host::run(&arguments, command).await,
            Command::Store { command } => store::run(&arguments, command).await,
            Command::Audit(wanted) => audit::run(&arguments, wanted).await,
            Command::Schema { document } => {
                look::print_json(&match document {
                    Document::Grant => portcullis_runtime::Grant::json_schema(),
                    Document::Ceiling => portcullis_runtime::Ceiling::json_schema(),
                    Document::Retention => portcullis_runtime::ledger::RetentionPolicy::json_schema(),
                });
                Ok(exit::DONE)
            }
        }
    });
    // A thread that waits for standard input is not waited for.
    tokio.shutdown_background();
    match done {
        Ok(code) => code.into(),
        Err(error) => exit::report(&error, &arguments).into(),
    }
}

/// `RUST_LOG` asks for logs; without it only what somebody should know is shown.
fn log_to_standard_error() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,portcullis=warn"));
    // Colours are escapes, and escapes are what strangers' words are searched for.
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| PlainLog).init();
}

/// Writes an event of the log to standard error as one line that holds nothing that a terminal would act on: errors repeat what
/// upstreams and adapters say.
struct PlainLog;

impl std::io::Write for PlainLog {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        std::io::stderr().write_all((portcullis_runtime::printable(line, usize::MAX) + "\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
