//! What is handed to the ledger: a record that has no place in a chain yet.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use portcullis_gate::Denial;

use crate::{
    hash::Hash,
    receipt::Receipt,
    record::{CallId, Caller, Change, Exchange, Kind, Mode, Payload, RECORD_VERSION, Record, Status, Step},
};

/// The chain of what belongs to no workspace. No workspace may be named like it.
pub const HOST: &str = "@host";

/// What a record is about. The same for all records of one call.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The call.
    pub call: CallId,
    /// The workspace.
    pub workspace: &'a str,
    /// The integration.
    pub integration: &'a str,
    /// Which version of it.
    pub integration_version: u64,
    /// Digest of the adapter.
    pub adapter: &'a str,
    /// Digest of the grant.
    pub grant: &'a str,
    /// Who gave it.
    pub grantor: &'a str,
    /// The operation asked for.
    pub operation: &'a str,
    /// Live or sandbox.
    pub mode: Mode,
    /// Who asks.
    pub caller: &'a Caller,
    /// Whom the cost is told to.
    pub cost: &'a BTreeMap<String, String>,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// How.
    pub status: Status,
    /// The error's code.
    pub error: Option<Cow<'static, str>>,
    /// The requests that passed the gate.
    pub exchanges: Vec<Exchange>,
    /// Bounds that requests were refused by.
    pub bounds: BTreeMap<&'static str, u32>,
    /// What it gave.
    pub output: Option<Payload>,
    /// The words of strangers in its records.
    pub words: Option<Payload>,
    /// What it used.
    pub receipt: Receipt,
}

/// A record that has no place in a chain yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry(pub(crate) Record);

impl Entry {
    /// Of this kind, in this workspace's chain, and empty.
    pub fn new(workspace: &str, kind: Kind) -> Self {
        Self(Record {
            adapter: None,
            bounds: BTreeMap::new(),
            call: None,
            caller: None,
            change: None,
            cost: BTreeMap::new(),
            denial: None,
            error: None,
            exchanges: Vec::new(),
            grant: None,
            grantor: None,
            input: None,
            integration: None,
            integration_version: None,
            kind,
            message: None,
            mode: None,
            operation: None,
            output: None,
            outside_words: None,
            prev: Hash::genesis(workspace),
            receipt: None,
            seq: 0,
            status: None,
            step: None,
            time: Timestamp::UNIX_EPOCH,
            v: RECORD_VERSION,
            workspace: workspace.to_owned(),
        })
    }

    /// About a call.
    fn about(subject: &Subject<'_>, kind: Kind) -> Self {
        let mut entry = Self::new(subject.workspace, kind);
        let record = &mut entry.0;
        record.adapter = Some(subject.adapter.to_owned());
        record.call = Some(subject.call);
        record.caller = Some(subject.caller.clone());
        record.cost = subject.cost.clone();
        record.grant = Some(subject.grant.to_owned());
        record.grantor = Some(subject.grantor.to_owned());
        record.integration = Some(subject.integration.to_owned());
        record.integration_version = Some(subject.integration_version);
        record.mode = Some(subject.mode);
        record.operation = Some(subject.operation.to_owned());
        entry
    }

    /// A call is about to run.
    pub fn intent(subject: &Subject<'_>, input: Payload) -> Self {
        let mut entry = Self::about(subject, Kind::Intent);
        entry.0.input = Some(input);
        entry
    }

    /// A call was refused something. What it holds of the words of strangers cannot be erased: see [`Words`](crate::Words).
    pub fn denial(subject: &Subject<'_>, denial: Denial) -> Self {
        let mut entry = Self::about(subject, Kind::Denial);
        entry.0.denial = Some(denial);
        entry
    }

    /// A call has ended.
    pub fn outcome(subject: &Subject<'_>, ending: Ending) -> Self {
        let mut entry = Self::about(subject, Kind::Outcome);
        let record = &mut entry.0;
        record.status = Some(ending.status);
        record.error = ending.error;
        record.exchanges = ending.exchanges;
        record.bounds = ending.bounds.into_iter().map(|(name, count)| (Cow::Borrowed(name), count)).collect();
        record.output = ending.output;
        record.outside_words = ending.words;
        record.receipt = Some(ending.receipt);
        entry
    }

    /// The end of a call of which only its intent is known.
    pub(crate) fn unknown(intent: &Record) -> Self {
        let mut record = intent.clone();
        record.kind = Kind::Outcome;
        record.input = None;
        record.status = Some(Status::Unknown);
        record.error = Some(Cow::Borrowed("unknown"));
        Self(record)
    }

    /// Something was refused before there was a call.
    pub fn refusal(workspace: &str, step: Step, adapter: &str, message: &str) -> Self {
        let mut entry = Self::new(workspace, Kind::Refusal);
        entry.0.step = Some(step);
        entry.0.adapter = Some(adapter.to_owned());
        entry.0.message = Some(message.to_owned());
        entry
    }

    /// Somebody changed something.
    pub fn change(workspace: &str, kind: Kind, caller: &Caller, change: Change) -> Self {
        let mut entry = Self::new(workspace, kind);
        entry.0.caller = Some(caller.clone());
        entry.0.change = Some(change);
        entry
    }

    /// About this integration, in this version of it.
    #[must_use]
    pub fn integration(mut self, name: &str, version: Option<u64>) -> Self {
        self.0.integration = Some(name.to_owned());
        self.0.integration_version = version;
        self
    }

    /// About this adapter.
    #[must_use]
    pub fn adapter(mut self, digest: &str) -> Self {
        self.0.adapter = Some(digest.to_owned());
        self
    }

    /// About this grant, and who gave it.
    #[must_use]
    pub fn grant(mut self, digest: &str, grantor: &str) -> Self {
        self.0.grant = Some(digest.to_owned());
        self.0.grantor = Some(grantor.to_owned());
        self
    }

    /// About this call.
    #[must_use]
    pub fn call(mut self, call: CallId) -> Self {
        self.0.call = Some(call);
        self
    }

    /// With the requests that were sent for it, and the error's code where it did not end well.
    #[must_use]
    pub fn sent(mut self, exchanges: Vec<Exchange>, error: Option<String>) -> Self {
        self.0.exchanges = exchanges;
        self.0.error = error.map(Cow::Owned);
        self
    }

    /// What was refused.
    #[must_use]
    pub fn denied(mut self, denial: Denial) -> Self {
        self.0.denial = Some(denial);
        self
    }

    /// What it says.
    pub fn record(&self) -> &Record {
        &self.0
    }
}
