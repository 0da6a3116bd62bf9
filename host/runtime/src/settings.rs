//! What an operator sets once for the whole host: the ceiling that no grant goes beyond, what is kept of inputs and outputs, where
//! signed heads go, and what compiling an adapter may take.
//!
//! The store's state vouches for it ([`HostState`]), so a host that has a ceiling has it in each process, whoever starts it
//! and whatever they forget to say. What is said beside it, in code or on a command line, only narrows it.
//!
//! In the store: `G` → JSON of [`HostSettings`]. Each change is recorded.

use std::{ops::RangeInclusive, path::PathBuf};

use portcullis_gate::{Ceiling, CeilingError};
use portcullis_ledger::{Caller, Change, Entry, HOST, Hash, Kind, LedgerError, PolicyError, RetentionPolicy};
use portcullis_sandbox::CompileLimits;
use portcullis_store::Batch;
use portcullis_vault::{HostState, StateError};
use serde::{Deserialize, Serialize};

/// Where they stand in the store.
const KEY: &[u8] = b"G";
const VERSION: u8 = 1;

/// What is set for the whole host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSettings {
    v: u8,
    /// What no grant goes beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
    /// What is kept of inputs and outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionPolicy>,
    /// Where signed heads go: a file, a URL, or `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<String>,
    /// Addresses that they may be sent to although these are not public.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads_carve_outs: Vec<String>,
    /// The file of the key that signs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<PathBuf>,
    /// CPU time that compiling one adapter may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compile_cpu: Option<u64>,
    /// Address space that it may take, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compile_memory: Option<u64>,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            v: VERSION,
            ceiling: None,
            retention: None,
            heads: None,
            heads_carve_outs: Vec::new(),
            signing_key: None,
            compile_cpu: None,
            compile_memory: None,
        }
    }
}

/// The settings cannot be had, or cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Nothing vouches for them.
    #[error(transparent)]
    State(#[from] StateError),
    /// They cannot be read.
    #[error("the settings of the host cannot be read: {0}; take the store back from a backup, or set them anew")]
    Form(String),
    /// The ceiling.
    #[error(transparent)]
    Ceiling(#[from] CeilingError),
    /// The retention policy.
    #[error(transparent)]
    Retention(#[from] PolicyError),
    /// What compiling may take.
    #[error("`{name}` is {value}, and can be from {} to {}", .range.start(), .range.end())]
    Range {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: u64,
        /// What it can be.
        range: RangeInclusive<u64>,
    },
    /// Somebody else set them meanwhile.
    #[error("the settings of the host were changed by somebody else meanwhile; look at them and set them anew")]
    Changed,
}

impl HostSettings {
    /// Those of a host; the default where none were set.
    pub async fn of(state: &HostState) -> Result<Self, SettingsError> {
        match state.get(KEY).await? {
            Some(bytes) => Self::read(&bytes),
            None => Ok(Self::default()),
        }
    }

    /// As they stand in the store, whoever wrote them: for who has no master key at hand, and decides nothing by them.
    pub async fn unchecked(store: &dyn portcullis_store::Store) -> Result<Self, SettingsError> {
        let bytes = store.get(KEY).await.map_err(StateError::from)?;
        bytes.map_or_else(|| Ok(Self::default()), |bytes| Self::read(&bytes))
    }

    fn read(bytes: &[u8]) -> Result<Self, SettingsError> {
        let read: Self = serde_json::from_slice(bytes).map_err(|error| SettingsError::Form(error.to_string()))?;
        if read.v != VERSION {
            return Err(SettingsError::Form(format!("they have version {}, which is not known here", read.v)));
        }
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), SettingsError> {
        self.ceiling.as_ref().map_or(Ok(()), Ceiling::check)?;
        self.retention.as_ref().map_or(Ok(()), RetentionPolicy::check)?;
        for (name, value, range) in [
            ("compile_cpu", self.compile_cpu, CompileLimits::CPU_SECONDS),
            ("compile_memory", self.compile_memory, CompileLimits::MEMORY_BYTES),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                return Err(SettingsError::Range { name, value, range });
            }
        }
        Ok(())
    }

    /// What compiling one adapter may take, where these do not say it.
    pub fn compile_limits(&self, unless_set: CompileLimits) -> CompileLimits {
        CompileLimits {
            cpu_seconds: self.compile_cpu.unwrap_or(unless_set.cpu_seconds),
            memory_bytes: self.compile_memory.unwrap_or(unless_set.memory_bytes),
        }
    }

    /// Keeps these in the place of others, with a record of it.
    pub async fn keep(&self, before: &Self, state: &HostState, by: &Caller) -> Result<(), SettingsError> {
        self.check()?;
        let stored = match state.get(KEY).await {
            Ok(stored) => stored,
            // Whatever is there, it is set anew.
            Err(StateError::Record { .. }) => state.unchecked(KEY).await?,
            Err(error) => return Err(error.into()),
        };
        let bytes = serde_json::to_vec(self).map_err(|error| SettingsError::Form(error.to_string()))?;
        let entry = Entry::change(HOST, Kind::Configuration, by, self.change(before));
        let batch = Batch::new().check(KEY, stored).put(KEY, bytes);
        match state.commit(vec![entry], batch).await {
            Err(StateError::Ledger(LedgerError::Conflict { .. })) => Err(SettingsError::Changed),
            done => Ok(done?),
        }
    }

    fn change(&self, before: &Self) -> Change {
        let mut change = Change { action: "set".to_owned(), of: "host".to_owned(), ..Change::default() };
        for (suffix, settings) in [("", self), ("-before", before)] {
            let mut detail = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    change.details.insert(format!("{name}{suffix}"), value);
                }
            };
            let hash = |text: Option<String>| text.map(|text| Hash::of(text.as_bytes()).to_string());
            detail("ceiling", hash(settings.ceiling.as_ref().and_then(|of| serde_json::to_string(of).ok())));
            detail("retention", hash(settings.retention.as_ref().and_then(|of| serde_json::to_string(of).ok())));
            detail("heads", settings.heads.clone());
            detail("compile-cpu", settings.compile_cpu.map(|seconds| seconds.to_string()));
            detail("compile-memory", settings.compile_memory.map(|bytes| bytes.to_string()));
            detail("signing-key", settings.signing_key.as_ref().map(|path| path.display().to_string()));
        }
        change
    }
}
