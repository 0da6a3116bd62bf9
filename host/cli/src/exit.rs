//! Exit codes, and how an error is told.

use std::{fmt, process::ExitCode};

use anstyle::{AnsiColor, Style};
use portcullis_files::FileError;
use portcullis_runtime::{
    CallError, CodeError, CredentialError, DescribeError, DiffError, GrantMismatch, IntegrateError, LedgerError,
    LoadError, MasterKeyError, NOT_BOUND, RegistryError, SettingsError, SourceError, StartError, StateError,
    StoreError, VaultError,
    ledger::{
        ExportError,
        heads::{HeadError, KeyError},
    },
};
use serde_json::json;

use crate::{
    arguments::Arguments,
    interrupt::{GivenUp, Interrupted},
    ledger::NoMasterKey,
    look,
};

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(u8);

impl Code {
    pub(crate) const fn of(number: u8) -> Self {
        Self(number)
    }

    /// As the process exits with it.
    pub(crate) fn number(self) -> i32 {
        self.0.into()
    }
}

pub(crate) const DONE: Code = Code(0);
pub(crate) const OTHER: Code = Code(1);
pub(crate) const USAGE: Code = Code(2);
pub(crate) const DENIED: Code = Code(3);
const ADAPTER_FAILED: Code = Code(4);
const BOUND_HIT: Code = Code(5);
const UPSTREAM_FAILED: Code = Code(6);
pub(crate) const DAMAGED: Code = Code(7);
/// Nothing is wrong with what was verified, and no signature vouches for it: of `audit verify` alone.
pub(crate) const UNSIGNED: Code = Code(8);

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
pub(crate) fn report(error: &anyhow::Error, arguments: &Arguments) -> Code {
    let (code, word) = classify(error);
    let mut message = format!("{error:#}");
    if word == "not-a-store" {
        // The message names a folder within it.
        message += &format!("; --data names the data folder, and is {} now", arguments.data.display());
    }
    if arguments.json {
        look::print_json(&json!({ "error": { "code": word, "message": message } }));
    } else {
        tell(word, &message, None);
        if word == "config" {
            let how = "`portcullis inspect ADAPTER` lists what its config holds; `--config @FILE` gives one.";
            anstream::eprintln!("\n{}", look::wrapped(how, 2));
        }
    }
    code
}

/// Tells what is refused among others that are not; each as it is told.
pub(crate) fn refused(errors: &[RegistryError], json: bool) -> Vec<String> {
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    if !json {
        told.iter().for_each(|error| tell("damaged", error, None));
    }
    told
}

/// Tells an error on standard error, and ends with what to write to allow it.
pub(crate) fn tell(code: &str, message: &str, allow_with: Option<&str>) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let bold = Style::new().bold();
    let broken = look::wrapped(&format!("error[{code}]: {}", look::lines(message)), 0);
    // Broken as a whole, and coloured then.
    let text = broken.strip_prefix(&format!("error[{code}]:")).unwrap_or(&broken);
    let text = text.split('\n').collect::<Vec<_>>().join("\n  ");
    anstream::eprintln!("{red}error[{code}]{red:#}:{bold}{text}{bold:#}");
    tell_lines(None, allow_with);
}

/// Tells which lines to add to the grant: those for the request alone, and those for all that is declared.
pub(crate) fn tell_lines(for_request: Option<&str>, for_all: Option<&str>) {
    // To be copied, so never broken to fit.
    let told = |how: &str, lines: &str| {
        anstream::eprintln!("\n{}\n", look::wrapped(how, 2));
        lines.lines().for_each(|line| anstream::eprintln!("{}", format!("    {}", look::lines(line)).trim_end()));
    };
    match (for_request, for_all) {
        (Some(least), all) => {
            told("To allow this request alone, add to the grant:", least);
            if let Some(all) = all {
                told("To allow all that the adapter declares there, add instead:", all);
            }
        }
        (None, Some(all)) => {
            told("If it should be allowed, the grant needs (in place of a line that says the same otherwise):", all);
        }
        (None, None) => return,
    }
    anstream::eprintln!();
}

fn classify(error: &anyhow::Error) -> (Code, &'static str) {
    for cause in error.chain() {
        if cause.is::<Usage>() {
            return (USAGE, "usage");
        }
        if let Some(interrupted) = cause.downcast_ref::<Interrupted>() {
            return (interrupted.code(), "interrupted");
        }
        if let Some(given_up) = cause.downcast_ref::<GivenUp>() {
            return (given_up.code(), "interrupted");
        }
        if let Some(error) = cause.downcast_ref::<LoadError>() {
            return classify_load(error);
        }
        if let Some(error) = cause.downcast_ref::<IntegrateError>() {
            return classify_integrate(error);
        }
        if let Some(error) = cause.downcast_ref::<DiffError>() {
            return match error {
                DiffError::Descriptor(_) => (ADAPTER_FAILED, "descriptor"),
                DiffError::Work(_) => (BOUND_HIT, "work-bound"),
            };
        }
        // A file that cannot be read is named by whoever wrote the command, whatever is to be in it.
        if cause.is::<SourceError>() {
            return (USAGE, "usage");
        }
        if let Some(error) = cause.downcast_ref::<CredentialError>() {
            return classify_credential(error);
        }
        if cause.is::<NoMasterKey>() {
            return (OTHER, "master-key");
        }
        if let Some(SettingsError::State(error)) = cause.downcast_ref::<SettingsError>() {
            return classify_state(error);
        }
        if let Some(error) = cause.downcast_ref::<StateError>() {
            return classify_state(error);
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
                RegistryError::State(error) => return classify_state(error),
                RegistryError::NoMasterKey => return (OTHER, "master-key"),
                // What is told in its own words has no cause.
                RegistryError::Load(error) => return classify_load(error),
                RegistryError::Integrate(error) => return classify_integrate(error),
                RegistryError::Ledger(error) => return classify_ledger(error),
                RegistryError::Store(error) => return classify_store(error),
            }
        }
        if let Some(error) = cause.downcast_ref::<DescribeError>() {
            return classify_describe(error);
        }
        if let Some(error) = cause.downcast_ref::<FileError>() {
            return if matches!(error, FileError::Io { .. }) { (OTHER, "files") } else { (USAGE, "open-to-others") };
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
                HeadError::RolledBack { .. }
                | HeadError::Rewritten { .. }
                | HeadError::StateRolledBack { .. }
                | HeadError::StateRewritten { .. }
                | HeadError::Damaged { .. } => (DAMAGED, "damaged"),
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

fn classify_load(error: &LoadError) -> (Code, &'static str) {
    match error {
        LoadError::Upload(_) | LoadError::Contract(_) | LoadError::Shape(_) => (USAGE, "not-an-adapter"),
        LoadError::Compile(portcullis_runtime::CompileError::Bound { .. }) => (BOUND_HIT, "compile-bound"),
        LoadError::Compile(portcullis_runtime::CompileError::Refused(_)) => (USAGE, "not-an-adapter"),
        LoadError::Compile(_) => (OTHER, "compiler"),
        LoadError::Code(CodeError::NoKey | CodeError::Service(_)) => (OTHER, "master-key"),
        LoadError::Code(_) => (USAGE, "compiled-code"),
        LoadError::Cache(_) => (OTHER, "cache"),
    }
}

fn classify_integrate(error: &IntegrateError) -> (Code, &'static str) {
    match error {
        IntegrateError::Name(_) => (USAGE, "name"),
        IntegrateError::Grant(GrantMismatch::Work(_)) => (BOUND_HIT, "work-bound"),
        IntegrateError::Grant(_) => (USAGE, "grant"),
        IntegrateError::Describe(error) => classify_describe(error),
        IntegrateError::Ledger(_) => (OTHER, "ledger"),
        IntegrateError::Settings(SettingsError::State(error)) => classify_state(error),
        IntegrateError::Settings(_) => (DAMAGED, "damaged"),
        IntegrateError::Credentials(error) => classify_credential(error),
        IntegrateError::NotBound { .. } => (DENIED, NOT_BOUND),
    }
}

fn classify_state(error: &StateError) -> (Code, &'static str) {
    match error {
        StateError::Unadopted { .. } => (DAMAGED, "unadopted"),
        StateError::Key(error) => classify_credential(error),
        StateError::Ledger(error) => classify_ledger(error),
        _ => (DAMAGED, "damaged"),
    }
}

fn classify_credential(error: &CredentialError) -> (Code, &'static str) {
    match error {
        CredentialError::State(error) => classify_state(error),
        CredentialError::Name(_)
        | CredentialError::Exists(_)
        | CredentialError::None(_)
        | CredentialError::TooLarge { .. } => (USAGE, "credential"),
        CredentialError::Unreadable(error) if error.needs_another_key() => (OTHER, "master-key"),
        CredentialError::Unreadable(_) => (DAMAGED, "damaged"),
        CredentialError::Ledger(error) => classify_ledger(error),
        CredentialError::Key(_) | CredentialError::Rewrapping { .. } => (OTHER, "master-key"),
        _ => (OTHER, "credential"),
    }
}

fn classify_ledger(error: &LedgerError) -> (Code, &'static str) {
    match error {
        LedgerError::Store(error) => classify_store(error),
        LedgerError::Corrupt { .. } | LedgerError::State { .. } => (DAMAGED, "damaged"),
        LedgerError::ClockInDoubt { .. } => (OTHER, "clock"),
        _ => (OTHER, "ledger"),
    }
}

fn classify_store(error: &StoreError) -> (Code, &'static str) {
    match error {
        StoreError::Corrupt { .. } => (DAMAGED, "damaged"),
        StoreError::NotAStore { .. } => (USAGE, "not-a-store"),
        StoreError::Newer { .. } => (USAGE, "newer-store"),
        StoreError::Open { .. } => (USAGE, "open-to-others"),
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
