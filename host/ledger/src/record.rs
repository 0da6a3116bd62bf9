//! What a record says, and the one form in which it is written.
//!
//! A record is a JSON object in the form of RFC 8785 (JCS): names in order, no white space, integers below 2^53. The fields
//! of every struct in here stand in the order of their names for that reason; a test holds them against another
//! implementation of the RFC. The bytes of that object are what is hashed, kept and exported.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use jiff::Timestamp;
use portcullis_gate::{Denial, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{hash::Hash, receipt::Receipt};

/// The version of the form that is written. A record of a higher one is told, and not guessed at.
pub const RECORD_VERSION: u8 = 1;

/// The id of one call: a UUID of version 7, so that ids sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(Uuid);

impl CallId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id that an adapter is told in sandbox mode: always the same for a seed, and of the same form as any other.
    pub fn of_seed(seed: u64) -> Self {
        // Some time in 2026, and the seed where other ids have random bits.
        Self(
            uuid::Builder::from_unix_timestamp_millis(1_780_000_000_000 + (seed >> 54), &random_bytes(seed))
                .into_uuid(),
        )
    }

    /// Its sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

fn random_bytes(seed: u64) -> [u8; 10] {
    let mut bytes = [0x5a; 10];
    for (byte, of_seed) in bytes.iter_mut().rev().zip(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()) {
        *byte = of_seed;
    }
    bytes
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Whether anything leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing leaves; answers come from declared schemas.
    #[default]
    Sandbox,
    /// Requests are sent.
    Live,
}

/// How the host knows who a principal is: what the name is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// The operating system says which user runs the command.
    OsUser,
    /// Whoever ran the command wrote the name, and nothing vouches for it.
    Stated,
}

impl KnownBy {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OsUser => "os-user",
            Self::Stated => "stated",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The agent on whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How the principal is known. None where the program that embeds the host names it: then its authentication is what the
    /// name is worth. Records from before there was this field have none either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_by: Option<KnownBy>,
    /// The person or service, for example `user:ada`; for the command `os:ada(1000)`, name and number of the system's user.
    pub principal: String,
    /// The run of workflow or agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The workflow's step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The workflow on whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
}

impl Caller {
    /// A caller known by principal alone.
    pub fn principal(principal: impl Into<String>) -> Self {
        Self { principal: principal.into(), ..Self::default() }
    }

    /// The same caller, known in this way.
    #[must_use]
    pub fn known_by(mut self, how: KnownBy) -> Self {
        self.known_by = Some(how);
        self
    }
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A call is about to run. Kept before anything leaves.
    Intent,
    /// A call has ended.
    Outcome,
    /// A call was refused something.
    Denial,
    /// Something was refused before there was a call: a file that is no adapter, a descriptor that is not well formed, a
    /// grant that does not fit.
    Refusal,
    /// Somebody approved or rejected a call.
    Approval,
    /// Somebody granted an integration powers, or took them away.
    Grant,
    /// A credential was stored, replaced or removed.
    Credential,
    /// An authorization server was asked for a token, or about one.
    Token,
    /// A config, an integration or a setting was changed.
    Configuration,
    /// Somebody signed in, or failed to.
    SignIn,
    /// Records were exported.
    Export,
    /// Inputs and outputs were erased.
    Erasure,
    /// The machine's clock jumped, or somebody said that it is right.
    Clock,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Intent,
        Self::Outcome,
        Self::Denial,
        Self::Refusal,
        Self::Approval,
        Self::Grant,
        Self::Credential,
        Self::Token,
        Self::Configuration,
        Self::SignIn,
        Self::Export,
        Self::Erasure,
        Self::Clock,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Denial => "denial",
            Self::Refusal => "refusal",
            Self::Approval => "approval",
            Self::Grant => "grant",
            Self::Credential => "credential",
            Self::Token => "token",
            Self::Configuration => "configuration",
            Self::SignIn => "sign_in",
            Self::Export => "export",
            Self::Erasure => "erasure",
            Self::Clock => "clock",
        }
    }
}

/// What is done before there is a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A file is inspected, compiled and linked.
    Load,
    /// An adapter is asked what it needs and offers.
    Describe,
    /// Adapter, config and grant are made an integration.
    Integrate,
}

impl Step {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Describe => "describe",
            Self::Integrate => "integrate",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// With an output.
    Done,
    /// Refused by the gate or by the grant.
    Denied,
    /// The input, or a host's part that the caller can mend, was not right.
    Refused,
    /// The adapter reported a failure or broke.
    AdapterFailed,
    /// A bound was hit.
    BoundHit,
    /// The upstream could not be reached or did not answer properly.
    UpstreamFailed,
    /// The caller went away before the end.
    Abandoned,
    /// The host ended in the middle of it: whether its requests were carried out is not known.
    Unknown,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Denied,
        Self::Refused,
        Self::AdapterFailed,
        Self::BoundHit,
        Self::UpstreamFailed,
        Self::Abandoned,
        Self::Unknown,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::AdapterFailed => "adapter_failed",
            Self::BoundHit => "bound_hit",
            Self::UpstreamFailed => "upstream_failed",
            Self::Abandoned => "abandoned",
            Self::Unknown => "unknown",
        }
    }
}

/// One try of a request that passed the gate. Each hop of a redirect is a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Which try it was, from 1.
    pub attempt: u32,
    /// From the decision to the response's last byte, in microseconds.
    pub duration_us: u64,
    /// Why there was no response: `dns`, `connect`, `tls`, `timeout`, `closed`, `protocol`, `credential`, a bound's name, or
    /// `cut-off` where the call ended first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'static, str>>,
    /// The method.
    pub method: Method,
    /// Where it went.
    pub origin: String,
    /// SHA-256 of the call's salt (`Salts::input`) and the request's body; none where it had no body. The salt is kept with
    /// the call's input and is erased with it, so that nobody can guess what a short body was. Where nothing is kept of the
    /// input, the salt is gone from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Hash>,
    /// Times a secret was found in the response and replaced.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redactions: u32,
    /// Id of the declared route.
    pub route: String,
    /// The slots whose secrets were added, in the order in which the adapter declares them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<String>,
    /// The response's status; none if there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The granted template, not the path itself: paths can name people.
    pub template: String,
}

/// How much of an input or output is kept beside the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Nothing but what is said here.
    #[default]
    Nothing,
    /// With what is sensitive taken out.
    Redacted,
    /// All of it.
    Whole,
}

/// What a record says of an input or output. The text itself is kept beside the chain, where it can be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Its size as JSON, in bytes.
    pub bytes: u64,
    /// SHA-256 of the salt that is kept with it and the whole text; none where nothing is kept: without the salt it proves
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// How much of it was kept.
    pub kept: Kept,
    /// Places whose values were taken out: JSON Pointers with `*` for what stands for several, which hold nothing of the value
    /// itself. At most 64, the last one `…` where there were more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
    /// SHA-256 of what was kept, by which it is known to be unchanged; none where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Hash>,
}

/// What was changed, for the kinds that are no calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What was done: `granted`, `revoked`, `created`, `replaced`, `removed`, `approved`, `rejected`, `exported`, `erased`, …
    pub action: String,
    /// More about it, by name. Never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// To what: a slot, a setting, a call.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
}

/// One record. `prev`, `seq` and `time` are the ledger's to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Digest of the adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Bounds that requests were refused by, and how often; `rate-limited` and `circuit-open` where it was no limit of ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: BTreeMap<Cow<'static, str>, u32>,
    /// The call it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// What was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Whom the call's cost is told to: tags that the caller gave.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cost: BTreeMap<String, String>,
    /// What was refused, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
    /// The error's code, where a call did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'static, str>>,
    /// The requests that passed the gate, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
    /// Digest of the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grantor: Option<String>,
    /// The input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Payload>,
    /// The integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Which version of it: each change of adapter, config or grant makes a new one, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration_version: Option<u64>,
    /// What kind of thing happened.
    pub kind: Kind,
    /// Why, in a sentence, where something was refused before there was a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Live or sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The operation asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Payload>,
    /// What the adapter and the upstream wrote into the call's refusals and into its failure: of an outcome, for all records of
    /// its call. The words themselves are kept beside the chain, where they can be erased ([`Words`](crate::Words)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_words: Option<Payload>,
    /// SHA-256 of the record before it; of the chain's name for the first.
    pub prev: Hash,
    /// What the call used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Its place in the workspace's chain, from 1.
    pub seq: u64,
    /// How a call ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What was being done before there was a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// When it was kept (RFC 3339, UTC). Never before the time of the record before it.
    pub time: Timestamp,
    /// The version of this form.
    pub v: u8,
    /// The workspace whose chain it stands in; `@host` for what belongs to none.
    pub workspace: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
