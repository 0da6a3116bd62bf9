//! Exit codes, and how an error is told.

use std::{fmt, process::ExitCode};

use anstyle::{AnsiColor, Style};
use portcullis_runtime::{
    CallError, CredentialError, DescribeError, IntegrateError, LedgerError, LoadError, MasterKeyError, RegistryError,
    StartError, StoreError, VaultError,
    ledger::{
        ExportError,
        heads::{HeadError, KeyError},
    },
};
use serde_json::json;

use crate::look;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(u8);

pub(crate) const DONE: Code = Code(0);
pub(crate) const OTHER: Code = Code(1);
pub(crate) const USAGE: Code = Code(2);
pub(crate) const DENIED: Code = Code(3);
const ADAPTER_FAILED: Code = Code(4);
const BOUND_HIT: Code = Code(5);
const UPSTREAM_FAILED: Code = Code(6);
pub(crate) const DAMAGED: Code = Code(7);

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code.0)
    }
}

/// What the user wrote is not right.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The code of a call that has no output.
pub(crate) fn of_call(error: &CallError) -> Code {
    match error {
        CallError::Denied(_) => DENIED,
        CallError::Input(_) => USAGE,
        CallError::Adapter { .. } | CallError::Broken(_) => ADAPTER_FAILED,
        CallError::Bound { .. } => BOUND_HIT,
        CallError::Upstream { .. } | CallError::Unavailable(_) => UPSTREAM_FAILED,
        CallError::Credential(_) | CallError::Ledger(_) | CallError::Unrecorded(_) => OTHER,
    }
}

/// Tells that what was written is not what can be; or the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args().any(|argument| argument == "--json") {
        let message = error.render().to_string();
        look::print_json(&json!({ "error": { "code": "usage", "message": message.trim() } }));
        return USAGE.into();
    }
    let _ = error.print();
    if error.use_stderr() { USAGE.into() } else { DONE.into() }
}

/// Tells an error that came before any call.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> Code {
    let (code, word) = classify(error);
    if json {
        look::print_json(&json!({ "error": { "code": word, "message": format!("{error:#}") } }));
    } else {
        tell(word, &format!("{error:#}"), None);
        if word == "config" {
            anstream::eprintln!(
                "\n  `portcullis inspect ADAPTER` lists what its config holds; `--config @FILE` gives one."
            );
        }
    }
    code
}

/// Tells an error on standard error, and ends with what to write to allow it.
pub(crate) fn tell(code: &str, message: &str, allow_with: Option<&str>) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let bold = Style::new().bold();
    anstream::eprintln!("{red}error[{code}]{red:#}: {bold}{}{bold:#}", look::lines(message));
    if let Some(lines) = allow_with {
        anstream::eprintln!(
            "\n  If it should be allowed, the grant needs (in place of a line that says the same otherwise):\n"
        );
        for line in lines.lines() {
            anstream::eprintln!("    {line}");
        }
        anstream::eprintln!();
    }
}

fn classify(error: &anyhow::Error) -> (Code, &'static str) {
    for cause in error.chain() {
        if cause.is::<Usage>() {
            return (USAGE, "usage");
        }
        if let Some(error) = cause.downcast_ref::<LoadError>() {
            return match error {
                LoadError::Upload(_) | LoadError::Contract(_) | LoadError::Shape(_) => (USAGE, "not-an-adapter"),
                LoadError::Compile(portcullis_runtime::CompileError::Bound { .. }) => (BOUND_HIT, "compile-bound"),
                LoadError::Compile(portcullis_runtime::CompileError::Refused(_)) => (USAGE, "not-an-adapter"),
                LoadError::Compile(_) => (OTHER, "compiler"),
                LoadError::Cache(_) => (OTHER, "cache"),
            };
        }
        if let Some(error) = cause.downcast_ref::<IntegrateError>() {
            return match error {
                IntegrateError::Grant(_) => (USAGE, "grant"),
                IntegrateError::Describe(error) => classify_describe(error),
                IntegrateError::Ledger(_) => (OTHER, "ledger"),
                IntegrateError::Credentials(error) => classify_credential(error),
            };
        }
        if let Some(error) = cause.downcast_ref::<CredentialError>() {
            return classify_credential(error);
        }
        if let Some(error) = cause.downcast_ref::<VaultError>() {
            return match error {
                VaultError::Damaged { .. } => (DAMAGED, "damaged"),
                VaultError::Token { .. } => (UPSTREAM_FAILED, "token"),
                VaultError::Unfit { .. } => (USAGE, "credential"),
                _ => (OTHER, "credential"),
            };
        }
        if let Some(error) = cause.downcast_ref::<MasterKeyError>() {
            let code = if matches!(error, MasterKeyError::Source) { USAGE } else { OTHER };
            return (code, "master-key");
        }
        if let Some(error) = cause.downcast_ref::<RegistryError>() {
            match error {
                RegistryError::NoAdapter(_)
                | RegistryError::Ambiguous { .. }
                | RegistryError::NoIntegration { .. }
                | RegistryError::Name(_) => return (USAGE, "not-there"),
                RegistryError::Damaged(_) => return (DAMAGED, "damaged"),
                // The cause says more.
                _ => {}
            }
        }
        if let Some(error) = cause.downcast_ref::<DescribeError>() {
            return classify_describe(error);
        }
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return classify_store(error);
        }
        if let Some(error) = cause.downcast_ref::<LedgerError>() {
            return classify_ledger(error);
        }
        if let Some(error) = cause.downcast_ref::<HeadError>() {
            return match error {
                HeadError::Ledger(error) => classify_ledger(error),
                HeadError::RolledBack { .. } | HeadError::Rewritten { .. } | HeadError::Damaged { .. } => {
                    (DAMAGED, "damaged")
                }
                _ => (OTHER, "signed-heads"),
            };
        }
        if cause.is::<KeyError>() {
            return (USAGE, "signing-key");
        }
        if let Some(ExportError::Ledger(error)) = cause.downcast_ref::<ExportError>() {
            return classify_ledger(error);
        }
        if cause.is::<StartError>() {
            return (OTHER, "start");
        }
    }
    (OTHER, "other")
}

fn classify_credential(error: &CredentialError) -> (Code, &'static str) {
    match error {
        CredentialError::Name { .. }
        | CredentialError::Exists(_)
        | CredentialError::None(_)
        | CredentialError::TooLarge { .. } => (USAGE, "credential"),
        CredentialError::Unreadable(_) => (DAMAGED, "damaged"),
        CredentialError::Ledger(error) => classify_ledger(error),
        CredentialError::Key(_) | CredentialError::Rewrapping { .. } => (OTHER, "master-key"),
        _ => (OTHER, "credential"),
    }
}

fn classify_ledger(error: &LedgerError) -> (Code, &'static str) {
    match error {
        LedgerError::Store(error) => classify_store(error),
        LedgerError::Corrupt { .. } => (DAMAGED, "damaged"),
        _ => (OTHER, "ledger"),
    }
}

fn classify_store(error: &StoreError) -> (Code, &'static str) {
    match error {
        StoreError::Corrupt { .. } => (DAMAGED, "damaged"),
        StoreError::NotAStore { .. } => (USAGE, "not-a-store"),
        StoreError::Newer { .. } => (USAGE, "newer-store"),
        StoreError::Busy { .. } => (OTHER, "store-busy"),
        StoreError::Full { .. } => (OTHER, "disk-full"),
        StoreError::ReadOnly { .. } => (OTHER, "read-only"),
        _ => (OTHER, "store"),
    }
}

fn classify_describe(error: &DescribeError) -> (Code, &'static str) {
    match error {
        DescribeError::Config(_) => (USAGE, "config"),
        DescribeError::Descriptor(_)
        | DescribeError::ConfigSchema(_)
        | DescribeError::Schema { .. }
        | DescribeError::Patterns { .. } => (ADAPTER_FAILED, "descriptor"),
        DescribeError::Failed(error) if error.is_bound() => (BOUND_HIT, "describe-bound"),
        DescribeError::Failed(_) => (ADAPTER_FAILED, "describe"),
    }
}
