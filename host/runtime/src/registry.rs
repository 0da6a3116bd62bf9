//! Adapters and integrations that are kept in the store, so that a platform, or a command, can name them.
//!
//! An adapter is kept by its digest, whole: what runs tomorrow on another host is what was reviewed today. An integration is
//! kept when it is made ([`Runtime::integrate`]), and opened again by its name.
//!
//! In the store: `A` digest → JSON of [`AdapterInfo`]; `B` digest 0 part:2 → a part of its bytes.

use jiff::Timestamp;
use portcullis_gate::{Grant, printable};
use portcullis_ledger::{Caller, Change, Entry, HOST, Kind, LedgerError};
use portcullis_sandbox::LoadError;
use portcullis_store::{Batch, Scan, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    adapter::Adapter,
    error::IntegrateError,
    integration::{Integration, NewIntegration, sha256},
    runtime::Runtime,
    version::{self, Version},
};

/// Bytes of an adapter under one key.
const PART: usize = 1024 * 1024;
/// Longest name of an adapter or an integration, in bytes.
const MAX_NAME: usize = 64;

/// An adapter that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// What people call it. Several versions of one adapter have the same name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Version of the contract that it was built against.
    pub contract: String,
    /// When it was added.
    pub added: Timestamp,
    /// By whom.
    pub added_by: String,
}

/// An integration that is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntegrationInfo {
    /// Its workspace.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// Digest of its adapter.
    pub adapter: String,
    /// Its config.
    pub config: Value,
    /// Its grant.
    pub grant: Grant,
    /// Who gave the grant.
    pub grantor: String,
    /// Which version of it this is, from 1.
    pub version: u64,
}

/// What is kept cannot be had, or cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such adapter.
    #[error("no adapter `{0}` is kept here; `portcullis adapter add FILE` keeps one")]
    NoAdapter(String),
    /// Several have the name.
    #[error("several adapters are called `{name}`: {digests}; name one by its digest")]
    Ambiguous {
        /// The name.
        name: String,
        /// Their digests.
        digests: String,
    },
    /// There is no such integration.
    #[error("no integration `{name}` is kept in the workspace `{workspace}`; `portcullis integration add` makes one")]
    NoIntegration {
        /// The workspace.
        workspace: String,
        /// The name.
        name: String,
    },
    /// A name that cannot be kept.
    #[error("`{0}` is no name: write 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// What is kept of an adapter is not what was kept.
    #[error("the adapter {0} in the store is damaged: its bytes do not have its digest; add it again")]
    Damaged(String),
    /// The file is no adapter, or cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The integration cannot be made.
    #[error(transparent)]
    Integrate(#[from] IntegrateError),
    /// The ledger, or what is kept in its store.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether something can be kept under this name.
fn check_name(name: &str) -> Result<(), RegistryError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
        return Err(RegistryError::Name(printable(name, 100)));
    }
    Ok(())
}

fn info_key(digest: &str) -> Vec<u8> {
    [b"A", digest.as_bytes()].concat()
}

fn part_key(digest: &str, part: u16) -> Vec<u8> {
    [b"B", digest.as_bytes(), &[0], &part.to_be_bytes()].concat()
}

impl Runtime {
    /// Loads an adapter and keeps it. One that is kept already stays as it is, with its name.
    pub async fn keep_adapter(&self, component: &[u8], name: &str, by: &Caller) -> Result<AdapterInfo, RegistryError> {
        check_name(name)?;
        let adapter = self.load(component).await?;
        let store = self.shared.ledger.store();
        let key = info_key(adapter.digest());
        if let Some(known) = store.get(&key).await? {
            return read_info(&known, adapter.digest());
        }
        for (part, bytes) in (0..).zip(component.chunks(PART)) {
            store.commit(Batch::new().put(part_key(adapter.digest(), part), bytes)).await?;
        }
        let upload = adapter.upload();
        let info = AdapterInfo {
            digest: upload.digest.clone(),
            name: name.to_owned(),
            bytes: upload.bytes as u64,
            contract: upload.contract.clone(),
            added: self.shared.ledger.clock().now(),
            added_by: by.principal.clone(),
        };
        let mut change = Change { action: "added".to_owned(), of: format!("adapter {name}"), ..Change::default() };
        change.details.insert("bytes".to_owned(), info.bytes.to_string());
        let entry = Entry::change(HOST, Kind::Configuration, by, change).adapter(&info.digest);
        let text = serde_json::to_vec(&info).map_err(|error| LedgerError::Entry(error.to_string()))?;
        match self.shared.ledger.commit(vec![entry], Batch::new().check(key.clone(), None).put(key, text)).await {
            // Somebody else added the same bytes meanwhile.
            Ok(()) | Err(LedgerError::Conflict { .. }) => Ok(info),
            Err(error) => Err(error.into()),
        }
    }

    /// The adapters that are kept, by name.
    pub async fn adapters(&self) -> Result<Vec<AdapterInfo>, RegistryError> {
        let mut all = Vec::new();
        for (key, value) in self.all_of(b"A".to_vec()).await? {
            all.push(read_info(&value, &String::from_utf8_lossy(key.get(1..).unwrap_or_default()))?);
        }
        all.sort_by(|a, b| (&a.name, a.added).cmp(&(&b.name, b.added)));
        Ok(all)
    }

    /// What is kept of the adapter of this digest, or, where only one has it, of this name.
    pub async fn adapter_info(&self, named: &str) -> Result<AdapterInfo, RegistryError> {
        if let Some(known) = self.shared.ledger.store().get(&info_key(named)).await? {
            return read_info(&known, named);
        }
        let mut all: Vec<_> = self.adapters().await?.into_iter().filter(|info| info.name == named).collect();
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            (None, _) => Err(RegistryError::NoAdapter(printable(named, 100))),
            (Some(last), false) => {
                let digests: Vec<String> = all.into_iter().chain([last]).map(|info| info.digest).collect();
                Err(RegistryError::Ambiguous { name: printable(named, 100), digests: digests.join(", ") })
            }
        }
    }

    /// Loads an adapter that is kept, by its digest or its name.
    pub async fn kept_adapter(&self, named: &str) -> Result<Adapter, RegistryError> {
        let info = self.adapter_info(named).await?;
        let mut bytes = Vec::new();
        for (_, part) in self.all_of([b"B", info.digest.as_bytes(), &[0]].concat()).await? {
            bytes.extend_from_slice(&part);
        }
        if sha256(&bytes) != info.digest {
            return Err(RegistryError::Damaged(info.digest));
        }
        Ok(self.load(&bytes).await?)
    }

    /// The integrations of a workspace, by name.
    pub async fn integrations(&self, workspace: &str) -> Result<Vec<IntegrationInfo>, RegistryError> {
        let prefix = version::key(workspace, "");
        let mut all = Vec::new();
        for (key, value) in self.all_of(prefix.clone()).await? {
            let name = String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default()).into_owned();
            let version = version::read(workspace, &name, &value)?;
            all.push(info(workspace, &name, version));
        }
        Ok(all)
    }

    /// What is kept of an integration.
    pub async fn integration_info(&self, workspace: &str, name: &str) -> Result<IntegrationInfo, RegistryError> {
        let none = || RegistryError::NoIntegration { workspace: printable(workspace, 100), name: printable(name, 100) };
        let kept = self.shared.ledger.store().get(&version::key(workspace, name)).await?.ok_or_else(none)?;
        Ok(info(workspace, name, version::read(workspace, name, &kept)?))
    }

    /// Makes an integration of an adapter that is kept, and keeps it. In place of one of that name, as a new version.
    pub async fn keep_integration(
        &self,
        [workspace, name]: [&str; 2],
        adapter: &str,
        config: Value,
        grant: Grant,
        by: &Caller,
    ) -> Result<Integration, RegistryError> {
        check_name(name)?;
        let adapter = self.kept_adapter(adapter).await?;
        let new = NewIntegration::new(workspace, name, adapter, grant).config(config).granted_by(by.clone());
        Ok(self.integrate(new).await?)
    }

    /// Opens an integration that is kept, with the credentials that are.
    pub async fn open(&self, workspace: &str, name: &str) -> Result<Integration, RegistryError> {
        let info = self.integration_info(workspace, name).await?;
        let adapter = self.kept_adapter(&info.adapter).await?;
        let by = Caller::principal(info.grantor);
        let new = NewIntegration::new(workspace, name, adapter, info.grant).config(info.config).granted_by(by);
        Ok(self.integrate(new).await?)
    }

    /// All keys that begin like this, with their values.
    async fn all_of(&self, prefix: Vec<u8>) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let mut scan = Scan::prefix(prefix);
        let mut all = Vec::new();
        loop {
            let page = self.shared.ledger.store().scan(&scan).await?;
            all.extend(page.entries);
            match page.next {
                Some(next) => scan = scan.after(next),
                None => return Ok(all),
            }
        }
    }
}

fn info(workspace: &str, name: &str, kept: Version) -> IntegrationInfo {
    IntegrationInfo {
        workspace: workspace.to_owned(),
        name: name.to_owned(),
        adapter: kept.adapter,
        config: kept.config,
        grant: kept.grant,
        grantor: kept.grantor,
        version: kept.number,
    }
}

fn read_info(bytes: &[u8], digest: &str) -> Result<AdapterInfo, RegistryError> {
    serde_json::from_slice(bytes).map_err(|_| RegistryError::Damaged(printable(digest, 100)))
}
