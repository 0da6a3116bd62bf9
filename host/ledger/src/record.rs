//! What a record says.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use jiff::Timestamp;
use portcullis_gate::{Denial, Method};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::receipt::Receipt;

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

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The authenticated person or service, for example `user:ada`.
    pub principal: String,
    /// The workflow on whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The agent on whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The run of either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl Caller {
    /// A caller known by principal alone.
    pub fn principal(principal: impl Into<String>) -> Self {
        Self { principal: principal.into(), ..Self::default() }
    }
}

/// What a record is about. The same for all records of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject<'a> {
    /// The call.
    pub call: CallId,
    /// The workspace.
    pub workspace: &'a str,
    /// The integration.
    pub integration: &'a str,
    /// Digest of the adapter.
    pub adapter: &'a str,
    /// Digest of the grant.
    pub grant: &'a str,
    /// The operation asked for.
    pub operation: &'a str,
    /// Live or sandbox.
    pub mode: Mode,
    /// Who asks.
    pub caller: &'a Caller,
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

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// One try of a request that passed the gate. Each hop of a redirect is a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Id of the declared route.
    pub route: String,
    /// The method.
    pub method: Method,
    /// Where it went.
    pub origin: String,
    /// The granted template, not the path itself: paths can name people.
    pub template: String,
    /// The slot whose secret was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Which try it was, from 1.
    pub attempt: u32,
    /// The response's status; none if there was no response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no response: `dns`, `connect`, `tls`, `timeout`, `closed`, `protocol`, `credential`, a bound's name, or
    /// `cut-off` where the call ended first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'static, str>>,
    /// From the decision to the response's last byte, in microseconds.
    pub duration_us: u64,
    /// Times a secret was found in the response and replaced.
    #[serde(skip_serializing_if = "is_zero")]
    pub redactions: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A call is about to run. Kept before anything leaves.
    Intent {
        /// Size of the input, in bytes.
        input_bytes: usize,
    },
    /// Something was refused.
    Denial {
        /// What and why.
        denial: &'a Denial,
    },
    /// Something was refused before there was a call: a file that is no adapter, a descriptor that is not well formed, a
    /// grant that does not fit.
    Refusal {
        /// What was being done.
        step: Step,
        /// The integration that was to be made: its workspace and its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        integration: Option<[&'a str; 2]>,
        /// Digest of the file or adapter.
        adapter: &'a str,
        /// Why, in a sentence.
        error: &'a str,
    },
    /// A call has ended.
    Outcome {
        /// How.
        status: Status,
        /// The error's code, where it did not end well.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        /// The requests that passed the gate, in order.
        exchanges: &'a [Exchange],
        /// Bounds that requests were refused by, and how often; `rate-limited` and `circuit-open` where it was no limit of
        /// ours.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        bounds: &'a BTreeMap<&'static str, u32>,
        /// What it used.
        receipt: Receipt,
    },
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record<'a> {
    /// When it was made (RFC 3339, UTC).
    pub time: Timestamp,
    /// The call it is about; none for what comes before any call.
    #[serde(flatten)]
    pub subject: Option<&'a Subject<'a>>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event<'a>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
