//! The adapters against software that nobody here wrote: `cargo xtask conformance [SUITE] [--json]`.
//!
//! | file | what it does |
//! | --- | --- |
//! | `arguments.rs` | which suites, and in which form to tell |
//! | `cache.rs`, `packages.rs` | what the suites need from npm and PyPI: pinned, installed once |
//! | `guard.rs` | child processes that cannot outlive this one |
//! | `counterparts.rs` | starts servers, and waits until they answer |
//! | `tap.rs` | a proxy before a counterpart, which shows what was sent to it |
//! | `bench.rs` | an adapter behind the real gate |
//! | `host.rs` | a host with a store on disk and sealed credentials |
//! | `expect.rs` | what to expect of a call, told so that a difference can be read |
//! | `report.rs` | checks, totals, and the JSON of them |
//! | `suites.rs` | the list of suites |
//!
//! It is no part of the tests: it needs package registries and a minute or two. It uses the runtime as any embedder does.

mod arguments;
mod bench;
mod cache;
mod costs;
mod counterparts;
mod expect;
mod guard;
mod host;
mod packages;
mod progress;
mod report;
mod suites;
mod tap;

use std::{
    any::Any,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use crate::{
    arguments::Arguments,
    cache::Cache,
    report::{Checks, Report, Stop},
    suites::SUITES,
};

fn main() -> ExitCode {
    if let Some(code) = portcullis_runtime::compile_if_asked() {
        return code;
    }
    if let Some(code) = guard::guard_if_asked() {
        return code;
    }
    let names: Vec<&str> = SUITES.iter().map(|suite| suite.name()).collect();
    let arguments = match Arguments::parse(env::args().skip(1), &names) {
        Ok(arguments) => arguments,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(report) => {
            report.tell(arguments.json);
            if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> std::io::Result<Report> {
    let cache = Cache::open()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::default();
    for suite in SUITES.iter().filter(|suite| arguments.wants(suite.name())) {
        let mut checks = Checks::new(suite.name(), arguments.json);
        // One suite that breaks must not take the others' results with it.
        let ended = catch_unwind(AssertUnwindSafe(|| tokio.block_on(suite.run(&cache, &mut checks))));
        checks.end(ended.unwrap_or_else(|panic| Err(Stop::Failed(format!("it panicked: {}", words(&*panic))))));
        report.add(checks);
    }
    Ok(report)
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied()).unwrap_or("no words")
}
