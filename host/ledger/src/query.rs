//! What is asked of the ledger: fields, a span of time, a direction, and a page at a time.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use crate::{block::Line, chain::as_in_records, index, record::Record};

/// Records of a page where no limit is set.
const DEFAULT_LIMIT: usize = 50;
/// Most records of a page.
const MAX_LIMIT: usize = 1_000;

/// A field that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// Digest of the adapter.
    Adapter,
    /// The agent on whose behalf.
    Agent,
    /// The call's id.
    Call,
    /// A cost tag, as `name=value`.
    Cost,
    /// The error's code.
    Error,
    /// Digest of the grant.
    Grant,
    /// Who gave the grant.
    Grantor,
    /// The integration's name.
    Integration,
    /// The integration and its version, as `name@version`.
    IntegrationVersion,
    /// The kind of record.
    Kind,
    /// The method of a request.
    Method,
    /// `live` or `sandbox`.
    Mode,
    /// The operation.
    Operation,
    /// Where a request went.
    Origin,
    /// Who asked.
    Principal,
    /// The route of a request.
    Route,
    /// The rule that said no.
    Rule,
    /// The run.
    Run,
    /// How a call ended.
    Status,
    /// The workflow's step.
    Step,
    /// The granted template of a request.
    Template,
    /// The workflow on whose behalf.
    Workflow,
}

impl Field {
    /// All of them, by name.
    pub const ALL: [Self; 22] = [
        Self::Adapter,
        Self::Agent,
        Self::Call,
        Self::Cost,
        Self::Error,
        Self::Grant,
        Self::Grantor,
        Self::Integration,
        Self::IntegrationVersion,
        Self::Kind,
        Self::Method,
        Self::Mode,
        Self::Operation,
        Self::Origin,
        Self::Principal,
        Self::Route,
        Self::Rule,
        Self::Run,
        Self::Status,
        Self::Step,
        Self::Template,
        Self::Workflow,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adapter => "adapter",
            Self::Agent => "agent",
            Self::Call => "call",
            Self::Cost => "cost",
            Self::Error => "error",
            Self::Grant => "grant",
            Self::Grantor => "grantor",
            Self::Integration => "integration",
            Self::IntegrationVersion => "integration_version",
            Self::Kind => "kind",
            Self::Method => "method",
            Self::Mode => "mode",
            Self::Operation => "operation",
            Self::Origin => "origin",
            Self::Principal => "principal",
            Self::Route => "route",
            Self::Rule => "rule",
            Self::Run => "run",
            Self::Status => "status",
            Self::Step => "step",
            Self::Template => "template",
            Self::Workflow => "workflow",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a question cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is no such field.
    #[error("records have no field `{0}` that can be asked for; there are {list}", list = names())]
    Field(String),
    /// A cursor is not one of this question.
    #[error("`{0}` is no cursor; take the one that came with the last page")]
    Cursor(String),
}

/// A loop over a slice on purpose: of `ALL.map(…)` the optimiser unrolls all 22, and thinks about it for a quarter of an hour.
fn names() -> String {
    let mut names = Vec::new();
    for field in &Field::ALL {
        names.push(field.as_str());
    }
    names.join(", ")
}

impl FromStr for Field {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::ALL.into_iter().find(|field| field.as_str() == text).ok_or_else(|| QueryError::Field(text.to_owned()))
    }
}

/// Where a page ended. As text, a record's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) u64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        text.parse().map(Self).map_err(|_| QueryError::Cursor(text.to_owned()))
    }
}

/// Which records, of one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(crate) workspace: String,
    pub(crate) fields: Vec<(Field, String)>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) oldest_first: bool,
    pub(crate) limit: usize,
    pub(crate) after: Option<Cursor>,
}

impl Query {
    /// All of them, newest first, 50 a page.
    pub fn new(workspace: impl Into<String>) -> Self {
        Self {
            workspace: workspace.into(),
            fields: Vec::new(),
            since: None,
            until: None,
            oldest_first: false,
            limit: DEFAULT_LIMIT,
            after: None,
        }
    }

    /// Only those where this field is this. All that is asked for must hold.
    #[must_use]
    pub fn field(mut self, field: Field, is: impl Into<String>) -> Self {
        self.fields.push((field, as_in_records(&is.into())));
        self
    }

    /// Only those at this time or later.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Only those before this time.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    /// The oldest first.
    #[must_use]
    pub fn oldest_first(mut self) -> Self {
        self.oldest_first = true;
        self
    }

    /// At most this many a page; 1 to 1,000.
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = most.clamp(1, MAX_LIMIT);
        self
    }

    /// Goes on where a page ended.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// Whose records.
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    pub(crate) fn terms(&self) -> Vec<u64> {
        let mut terms: Vec<u64> = self.fields.iter().map(|(field, is)| index::term(field.as_str(), is)).collect();
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// What stands in the text of every record that is one of those, as it is written there.
    pub(crate) fn words(&self) -> Vec<String> {
        let whole = |field: &Field| !matches!(field, Field::Cost | Field::IntegrationVersion);
        let fields = self.fields.iter().filter(|(field, _)| whole(field));
        let written = fields.filter_map(|(_, is)| serde_json::to_string(is).ok());
        written.map(|word| word.trim_matches('"').to_owned()).collect()
    }

    /// Whether a record is one of those.
    pub fn matches(&self, record: &Record) -> bool {
        let in_time =
            self.since.is_none_or(|since| record.time >= since) && self.until.is_none_or(|until| record.time < until);
        if !in_time {
            return false;
        }
        let mut missing: Vec<&(Field, String)> = self.fields.iter().collect();
        if !missing.is_empty() {
            index::fields(record, |name, value| missing.retain(|(field, is)| field.as_str() != name || is != value));
        }
        missing.is_empty()
    }
}

/// Some of the records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryPage {
    /// The records, as they stand in the chain and as they are read.
    pub records: Vec<(Line, Record)>,
    /// Where to go on; none where there are no more. A page may have fewer records than were asked for and still not be the
    /// last: it ends when much was looked at, too.
    pub next: Option<Cursor>,
    /// The last record that was looked at; 0 for none.
    pub(crate) seen: u64,
}
