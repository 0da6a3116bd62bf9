//! Why something was not done. Each error says what was refused, by which rule, and what would help.

use portcullis_egress::Unavailable;
use portcullis_gate::{Denial, DescriptorError, GrantMismatch, Limits, NameError};
use portcullis_ledger::{LedgerError, Status};
use portcullis_sandbox as sandbox;
use portcullis_schema::{Json, SchemaError, Violations};
use portcullis_vault::{CredentialError, NOT_BOUND, VaultError};

use crate::settings::SettingsError;

/// A runtime cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] sandbox::LoadError),
    /// TLS.
    #[error("{0}")]
    Tls(String),
}

/// An adapter cannot describe itself.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The config is not one it accepts.
    #[error("the config is not one that the adapter accepts: {0}")]
    Config(String),
    /// The schema that it gives for its config.
    #[error("the adapter's config schema: {0}")]
    ConfigSchema(SchemaError),
    /// It broke, hit a bound, or said no.
    #[error("the adapter cannot describe itself: {0}")]
    Failed(sandbox::CallError),
    /// What it says is not well formed.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// Too many patterns in its schemas.
    #[error("the descriptor's schemas hold more than {limit} patterns, counted up to `{at}`; share or drop some")]
    Patterns {
        /// Where the count went over.
        at: String,
        /// Most there may be.
        limit: usize,
    },
    /// One of its schemas.
    #[error("the descriptor's `{at}`: {error}")]
    Schema {
        /// Where.
        at: String,
        /// What is wrong.
        error: SchemaError,
    },
}

/// An integration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum IntegrateError {
    /// Nothing can be called that.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Its adapter cannot describe itself for this config.
    #[error(transparent)]
    Describe(#[from] DescribeError),
    /// Its grant does not fit.
    #[error(transparent)]
    Grant(#[from] GrantMismatch),
    /// What was granted cannot be recorded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What is set for the host cannot be had.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Its credentials cannot be had.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// A credential would go where it was not given for.
    #[error(
        "the credential in the slot `{slot}` is not bound to {origin}: it was given for {bound}, and the new version would send it \
         there, too. If it should go there, say so with the change (`portcullis integration add … --rebind {slot}`)"
    )]
    NotBound {
        /// The slot.
        slot: String,
        /// Where it would go.
        origin: String,
        /// What it was given for.
        bound: String,
    },
}

/// A credential that cannot be used, and what an operator does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialProblem {
    /// Its slot.
    pub slot: String,
    /// What helps; none where nothing that is stored would.
    pub helps: Option<CredentialHelp>,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// What helps a credential that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialHelp {
    /// Storing one: there is none.
    Add,
    /// Putting another one in its place.
    Rotate,
    /// A person's agreement.
    Reconnect,
    /// An operator's word that it may go there, too.
    Rebind,
}

impl CredentialHelp {
    /// The command's word.
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialHelp::Add => "add",
            CredentialHelp::Rotate => "rotate",
            CredentialHelp::Reconnect => "reconnect",
            CredentialHelp::Rebind => "rebind",
        }
    }
}

impl std::fmt::Display for CredentialProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<&VaultError> for CredentialProblem {
    fn from(error: &VaultError) -> Self {
        let helps = match error {
            VaultError::Empty(_) => Some(CredentialHelp::Add),
            VaultError::Revoked(_) | VaultError::Expired(_) | VaultError::Unfit { .. } | VaultError::Damaged { .. } => {
                Some(CredentialHelp::Rotate)
            }
            VaultError::Reconnect { .. } => Some(CredentialHelp::Reconnect),
            VaultError::NotBound { .. } => Some(CredentialHelp::Rebind),
            VaultError::Token { code, .. } if code == NOT_BOUND => Some(CredentialHelp::Rebind),
            VaultError::Token { .. } | VaultError::NoValue { .. } => None,
        };
        Self { slot: error.slot().to_owned(), helps, message: error.to_string() }
    }
}

/// A call has no output.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Refused, by the grant or by the gate.
    #[error("denied by the rule `{}`: {}", .0.rule, .0.message)]
    Denied(Denial),
    /// The input is not valid.
    #[error("the input is not valid: {0}")]
    Input(String),
    /// A credential is missing or does not fit.
    #[error("{0}")]
    Credential(CredentialProblem),
    /// The adapter reported a failure.
    #[error("the adapter failed with `{code}`: {message}")]
    Adapter {
        /// Stable and machine-readable.
        code: String,
        /// For a person.
        message: String,
        /// Whether the same call may succeed later.
        retryable: bool,
        /// After how many milliseconds, where the provider said so.
        retry_after_ms: Option<u64>,
        /// What the provider said.
        details: Option<Json>,
    },
    /// The adapter broke the contract: a trap, or an output that its own schema does not allow.
    #[error("the adapter broke: {0}")]
    Broken(String),
    /// A bound was hit.
    #[error("the bound `{name}` was hit: at most {limit}{}", unit_hint(.name))]
    Bound {
        /// Its name, as in a grant's `[limits]`.
        name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The upstream could not be reached, broke off, or was too slow.
    #[error("the upstream failed (`{code}`): {message}")]
    Upstream {
        /// `dns`, `connect`, `tls`, `timeout` or `protocol`.
        code: &'static str,
        /// For a person.
        message: String,
    },
    /// The upstream is not asked now: a rate limit is used up, or it failed too often in a row. Nothing was sent.
    #[error(transparent)]
    Unavailable(Unavailable),
    /// The ledger cannot be written, so nothing is done.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The call was carried out, and its end is not recorded.
    #[error("the call was carried out, but its end is not recorded yet ({0}); ask the upstream before you repeat it")]
    Unrecorded(LedgerError),
}

impl CallError {
    /// How the ledger names this end.
    pub fn status(&self) -> Status {
        match self {
            CallError::Denied(_) => Status::Denied,
            CallError::Input(_) | CallError::Credential(_) | CallError::Ledger(_) => Status::Refused,
            CallError::Adapter { .. } | CallError::Broken(_) => Status::AdapterFailed,
            CallError::Bound { .. } => Status::BoundHit,
            CallError::Upstream { .. } | CallError::Unavailable(_) => Status::UpstreamFailed,
            CallError::Unrecorded(_) => Status::Unknown,
        }
    }

    /// A stable, machine-readable code.
    pub fn code(&self) -> &str {
        match self {
            CallError::Denied(denial) => &denial.rule,
            CallError::Input(_) => "invalid-input",
            CallError::Credential(problem) if problem.helps == Some(CredentialHelp::Rebind) => NOT_BOUND,
            CallError::Credential(_) => "credential-unavailable",
            CallError::Adapter { code, .. } => code,
            CallError::Broken(_) => "adapter-broken",
            CallError::Bound { name, .. } => name,
            CallError::Upstream { code, .. } => code,
            CallError::Unavailable(at) => at.reason.code(),
            CallError::Ledger(_) => "ledger-unavailable",
            CallError::Unrecorded(_) => "outcome-unrecorded",
        }
    }

    /// The least lines to add to the grant that allow the request which was refused, where they are less than
    /// [`Self::allow_with`].
    pub fn allow_request(&self) -> Option<&str> {
        match self {
            CallError::Denied(denial) => denial.allow_request.as_deref(),
            _ => None,
        }
    }

    /// The lines to add to the grant, where that would help.
    pub fn allow_with(&self) -> Option<String> {
        match self {
            CallError::Denied(denial) => denial.allow_with.clone(),
            CallError::Bound { name, limit } => match Limits::range(name) {
                Some((_, most)) if *limit < most => {
                    Some(format!("[limits]\n{name} = {}\n", limit.saturating_mul(2).min(most)))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<Violations> for CallError {
    fn from(violations: Violations) -> Self {
        CallError::Input(violations.to_string())
    }
}

fn unit_hint(name: &str) -> &'static str {
    if name.ends_with("_ms") {
        " ms"
    } else if name.ends_with("_bytes") || name == "bytes_in" {
        " bytes"
    } else if name == "work" {
        " units of the host's work on this call's data"
    } else {
        ""
    }
}
