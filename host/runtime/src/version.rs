//! What an integration is made of, as it is kept: adapter, config and grant, which version of them this is, and who granted it.
//!
//! Each change of adapter, config or grant makes a new version. It is kept together with the record that tells of it, so
//! that there is no change without a record, and no record of a change that was not made. Credentials are kept apart, by
//! workspace, integration and slot: they change without a new version.
//!
//! In the store: `I` workspace 0 name → JSON. The store's state vouches for it: whoever opens an integration by its name has
//! adapter, config and grant as they were kept, or none.
//!
//! An integration that is not kept has adapter, config and grant from whoever makes it, each time. Which version they are is
//! counted at `J` workspace 0 name, which decides nothing else.

use portcullis_gate::Grant;
use portcullis_ledger::{Caller, Change, Entry, Hash, Kind, Ledger, LedgerError};
use portcullis_store::Batch;
use portcullis_vault::{CredentialError, HostState, StateError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::integration::sha256;

/// Highest version number that is taken over from a record that is refused: somebody wrote it.
const MOST_BELIEVED: u64 = 1 << 32;
/// A detail of records of what is kept, and not its caller's.
pub(crate) const KEPT: &str = "kept";
/// How often it is tried again where somebody else changes the same integration.
const TRIES: usize = 16;

/// What an integration is made of now, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Digest of its adapter.
    pub(crate) adapter: String,
    /// Its config.
    pub(crate) config: Value,
    /// Its grant.
    pub(crate) grant: Grant,
    /// Who gave it.
    pub(crate) grantor: String,
    /// From 1.
    pub(crate) number: u64,
}

/// What an integration is to be made of.
pub(crate) struct Asked<'a> {
    pub(crate) workspace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) adapter: &'a str,
    pub(crate) config: &'a Value,
    pub(crate) grant: &'a Grant,
    pub(crate) granted_by: &'a Caller,
}

impl Asked<'_> {
    /// The version that is like this: the one there is, or a new one, which is recorded.
    pub(crate) async fn settle(&self, ledger: &Ledger, state: Option<&HostState>) -> Result<Version, CredentialError> {
        let key = if state.is_some() { key(self.workspace, self.name) } else { counted(self.workspace, self.name) };
        let mut tries = 0;
        loop {
            let stored = ledger.store().get(&key).await?;
            let refused = match state {
                Some(state) => !vouched(state, &key, stored.as_deref()).await?,
                None => false,
            };
            let found = stored.as_deref().map(|bytes| read(self.workspace, self.name, bytes));
            let (before, numbered) = match found {
                // It is made of what was asked for, whatever was there.
                Some(found) if refused => (None, found.map_or(0, |found| found.number).min(MOST_BELIEVED)),
                Some(found) => (Some(found?), 0),
                None => (None, 0),
            };
            let now = self.version(before.as_ref(), numbered);
            if before.as_ref() == Some(&now) {
                return Ok(now);
            }
            let bytes = serde_json::to_vec(&now).map_err(|error| LedgerError::Entry(error.to_string()))?;
            let batch = Batch::new().check(key.clone(), stored).put(key.clone(), bytes);
            let entries = self.entries(before.as_ref(), &now, state.is_some());
            let kept = match state {
                Some(state) => state.commit(entries, batch).await,
                None => ledger.commit(entries, batch).await.map_err(StateError::from),
            };
            match kept {
                Ok(()) => return Ok(now),
                Err(StateError::Ledger(LedgerError::Conflict { .. })) if tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Who granted what is granted already stays who granted it.
    fn version(&self, before: Option<&Version>, numbered: u64) -> Version {
        let same_grant = before.filter(|before| before.grant == *self.grant && before.adapter == self.adapter);
        let same = same_grant.filter(|before| before.config == *self.config);
        Version {
            adapter: self.adapter.to_owned(),
            config: self.config.clone(),
            grant: self.grant.clone(),
            grantor: same_grant.map_or(&self.granted_by.principal, |before| &before.grantor).clone(),
            number: match (same, before) {
                (Some(same), _) => same.number,
                (None, before) => before.map_or(numbered, |before| before.number).saturating_add(1),
            },
        }
    }

    /// What is recorded of a new version: what was granted, where that is new, and what else was changed.
    fn entries(&self, before: Option<&Version>, now: &Version, kept: bool) -> Vec<Entry> {
        let entry = |kind, mut change: Change| {
            if kept {
                change.details.insert(KEPT.to_owned(), "yes".to_owned());
            }

            Entry::change(self.workspace, kind, self.granted_by, change)
                .integration(self.name, Some(now.number))
                .adapter(&now.adapter)
                .grant(&grant_digest(&now.grant), &now.grantor)
        };
        let mut entries = Vec::new();
        if before.is_none_or(|before| before.grant != now.grant || before.adapter != now.adapter) {
            let mut change = Change { action: "granted".to_owned(), of: self.name.to_owned(), ..Change::default() };
            change.details.insert("grant".to_owned(), self.grant.to_toml());
            entries.push(entry(Kind::Grant, change));
        }
        if before.is_none_or(|before| before.config != now.config || before.adapter != now.adapter) {
            let action = if before.is_some() { "replaced" } else { "created" };
            let mut change = Change { action: action.to_owned(), of: self.name.to_owned(), ..Change::default() };
            change.details.insert("config".to_owned(), config_hash(&now.config));
            if let Some(before) = before {
                change.details.insert("adapter-before".to_owned(), before.adapter.clone());
                change.details.insert("config-before".to_owned(), config_hash(&before.config));
            }
            entries.push(entry(Kind::Configuration, change));
        }
        entries
    }
}

/// Where what an integration is made of is kept.
pub(crate) fn key(workspace: &str, name: &str) -> Vec<u8> {
    [b"I", workspace.as_bytes(), &[0], name.as_bytes()].concat()
}

/// Where versions are counted by a host without a master key.
fn counted(workspace: &str, name: &str) -> Vec<u8> {
    [b"J", workspace.as_bytes(), &[0], name.as_bytes()].concat()
}

/// Whether the state vouches for what is in the store.
async fn vouched(state: &HostState, key: &[u8], stored: Option<&[u8]>) -> Result<bool, StateError> {
    match state.get(key).await {
        Ok(value) => Ok(value.as_deref() == stored),
        Err(error @ StateError::Record { .. }) => {
            tracing::error!(%error, "another one is kept in its place");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Reads what is kept.
pub(crate) fn read(workspace: &str, name: &str, bytes: &[u8]) -> Result<Version, LedgerError> {
    serde_json::from_slice(bytes).or_else(|error| {
        let corrupt = || LedgerError::Corrupt {
            workspace: workspace.to_owned(),
            seq: 0,
            what: format!("what the integration `{name}` is made of cannot be read: {error}"),
        };
        // Before integrations were kept whole, there were digests of config and grant: whatever it is made of next is new.
        let Numbered { adapter, grantor, number } = serde_json::from_slice(bytes).map_err(|_| corrupt())?;
        let grant = Grant::parse(&format!("adapter = \"{adapter}\"")).map_err(|_| corrupt())?;
        Ok(Version { adapter, config: Value::Null, grant, grantor, number })
    })
}

/// What was kept of an integration at first.
#[derive(Deserialize)]
struct Numbered {
    adapter: String,
    grantor: String,
    number: u64,
}

/// The digest by which records name a grant.
pub(crate) fn grant_digest(grant: &Grant) -> String {
    sha256(&serde_json::to_vec(grant).unwrap_or_default())
}

pub(crate) fn config_hash(config: &Value) -> String {
    Hash::of(config.to_string().as_bytes()).to_string()
}
