//! Adapters and integrations that are kept in the store, so that a platform, or a command, can name them.
//!
//! An adapter is kept by its digest, whole: what runs tomorrow on another host is what was reviewed today. An integration is
//! kept by [`Runtime::keep_integration`] and opened again by its name, which writes nothing. One that is made by
//! [`Runtime::integrate`] is its caller's: adapter, config and grant come from there each time, and nothing is opened by it.
//!
//! In the store: `A` digest → JSON of [`AdapterInfo`]; `B` digest 0 part:2 → a part of its bytes. The store's state vouches
//! for what `A` and integrations hold; the bytes are held against the digest. One that it does not vouch for is refused by
//! name, and the others are not touched.

use jiff::Timestamp;
use portcullis_gate::{Grant, NameError, Named, printable};
use portcullis_ledger::{Caller, Change, Entry, HOST, Kind, LedgerError};
use portcullis_sandbox::LoadError;
use portcullis_store::{Batch, Scan, StoreError};
use portcullis_vault::{HostState, StateError, Unvouched};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    adapter::Adapter,
    error::IntegrateError,
    integration::{Integration, Keeping, NewIntegration, sha256},
    runtime::Runtime,
    version::{self, Version},
};

/// Bytes of an adapter under one key.
const PART: usize = 1024 * 1024;

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

/// What is kept of one sort.
#[derive(Debug)]
pub struct Listed<T> {
    /// Those that can be used.
    pub kept: Vec<T>,
    /// Those that cannot, each with its name and why.
    pub refused: Vec<RegistryError>,
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
    #[error(transparent)]
    Name(#[from] NameError),
    /// What is kept of an adapter is not what was kept.
    #[error("the adapter {0} in the store is damaged: its bytes do not have its digest; add it again")]
    Damaged(String),
    /// There is no master key, so nothing could vouch for what is kept.
    #[error(
        "adapters and integrations are kept under a master key, and this runtime has none; set it up with `RuntimeBuilder::credentials`"
    )]
    NoMasterKey,
    /// What is kept is not what was kept, or nothing vouches for it.
    #[error(transparent)]
    State(#[from] StateError),
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

fn info_key(digest: &str) -> Vec<u8> {
    [b"A", digest.as_bytes()].concat()
}

fn part_key(digest: &str, part: u16) -> Vec<u8> {
    [b"B", digest.as_bytes(), &[0], &part.to_be_bytes()].concat()
}

impl Runtime {
    /// Loads an adapter and keeps it. One that is kept already stays as it is, with its name.
    pub async fn keep_adapter(&self, component: &[u8], name: &str, by: &Caller) -> Result<AdapterInfo, RegistryError> {
        Named::Adapter.check(name)?;
        let adapter = self.load(component).await?;
        let (state, store) = (self.state()?, self.shared.ledger.store());
        let key = info_key(adapter.digest());
        let before = store.get(&key).await?;
        match state.get(&key).await {
            Ok(Some(known)) => return read_info(&known, adapter.digest()),
            // The file is here: what it is called is said anew.
            Ok(None) | Err(StateError::Record { .. }) => {}
            Err(error) => return Err(error.into()),
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
        match state.commit(vec![entry], Batch::new().check(key.clone(), before).put(key, text)).await {
            // Somebody else added the same bytes meanwhile.
            Ok(()) | Err(StateError::Ledger(LedgerError::Conflict { .. })) => Ok(info),
            Err(error) => Err(error.into()),
        }
    }

    /// The adapters that are kept, by name.
    pub async fn adapters(&self) -> Result<Listed<AdapterInfo>, RegistryError> {
        let mut all = Listed { kept: Vec::new(), refused: Vec::new() };
        for (key, value) in self.state()?.scan(b"A").await? {
            let read = |value: Vec<u8>| read_info(&value, &String::from_utf8_lossy(key.get(1..).unwrap_or_default()));
            match value.map_err(|why| refused(&key, why).into()).and_then(read) {
                Ok(info) => all.kept.push(info),
                Err(error) => all.refused.push(error),
            }
        }
        all.kept.sort_by(|a, b| (&a.name, a.added).cmp(&(&b.name, b.added)));
        Ok(all)
    }

    /// What is kept of the adapter of this digest, or, where only one has it, of this name.
    pub async fn adapter_info(&self, named: &str) -> Result<AdapterInfo, RegistryError> {
        if let Some(known) = self.state()?.get(&info_key(named)).await? {
            return read_info(&known, named);
        }
        let Listed { kept, refused } = self.adapters().await?;
        // One of those that are refused may have the name: then nobody knows which one is meant.
        if let Some(error) = refused.into_iter().next() {
            return Err(error);
        }
        let mut all: Vec<_> = kept.into_iter().filter(|info| info.name == named).collect();
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
    pub async fn integrations(&self, workspace: &str) -> Result<Listed<IntegrationInfo>, RegistryError> {
        let prefix = version::key(workspace, "");
        let mut all = Listed { kept: Vec::new(), refused: Vec::new() };
        for (key, value) in self.state()?.scan(&prefix).await? {
            let name = String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default()).into_owned();
            let read = |value: Vec<u8>| Ok(info(workspace, &name, version::read(workspace, &name, &value)?));
            match value.map_err(|why| refused(&key, why).into()).and_then(read) {
                Ok(info) => all.kept.push(info),
                Err(error) => all.refused.push(error),
            }
        }
        Ok(all)
    }

    /// What is kept of an integration.
    pub async fn integration_info(&self, workspace: &str, name: &str) -> Result<IntegrationInfo, RegistryError> {
        Ok(info(workspace, name, self.kept(workspace, name).await?))
    }

    /// The version of an integration that is kept.
    async fn kept(&self, workspace: &str, name: &str) -> Result<Version, RegistryError> {
        let none = || RegistryError::NoIntegration { workspace: printable(workspace, 100), name: printable(name, 100) };
        let kept = self.state()?.get(&version::key(workspace, name)).await?.ok_or_else(none)?;
        Ok(version::read(workspace, name, &kept)?)
    }

    /// Makes an integration of an adapter that is kept, and keeps it. In place of one of that name, as a new version; not where
    /// that would send a credential to an origin that it was not given for ([`IntegrateError::NotBound`]).
    pub async fn keep_integration(
        &self,
        of: [&str; 2],
        adapter: &str,
        config: Value,
        grant: Grant,
        by: &Caller,
    ) -> Result<Integration, RegistryError> {
        self.keep_integration_and_rebind(of, adapter, config, grant, &[], by).await
    }

    /// The same, and the credentials in these slots may go wherever the new version sends them.
    pub async fn keep_integration_and_rebind(
        &self,
        [workspace, name]: [&str; 2],
        adapter: &str,
        config: Value,
        grant: Grant,
        rebind: &[String],
        by: &Caller,
    ) -> Result<Integration, RegistryError> {
        Named::Workspace.check(workspace)?;
        Named::Integration.check(name)?;
        let state = self.state()?;
        let adapter = self.kept_adapter(adapter).await?;
        let mut new = NewIntegration::new(workspace, name, adapter, grant).config(config).granted_by(by.clone());
        new.keeping = Keeping::Kept { state, rebind: rebind.to_vec() };
        Ok(self.integrate(new).await?)
    }

    /// Opens an integration that is kept, with the credentials that are.
    pub async fn open(&self, workspace: &str, name: &str) -> Result<Integration, RegistryError> {
        let kept = self.kept(workspace, name).await?;
        let adapter = self.kept_adapter(&kept.adapter).await?;
        let by = Caller::principal(&kept.grantor);
        let new = NewIntegration::new(workspace, name, adapter, kept.grant.clone());
        let mut new = new.config(kept.config.clone()).granted_by(by);
        new.keeping = Keeping::Opened(Box::new(kept));
        Ok(self.integrate(new).await?)
    }

    /// What vouches for what is kept.
    fn state(&self) -> Result<HostState, RegistryError> {
        self.shared.state().ok_or(RegistryError::NoMasterKey)
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

fn refused(key: &[u8], why: Unvouched) -> StateError {
    StateError::Record { record: portcullis_vault::Kept::new(key), why }
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
