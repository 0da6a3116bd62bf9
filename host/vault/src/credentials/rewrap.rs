//! Changing the master key while calls run. Only the data keys are wrapped anew, one for each workspace; no credential is
//! touched, and who reads one uses the data key that is in memory.
//!
//! It goes in two passes, so that a host that ends in the middle can be started again with either key:
//!
//! 1. Each data key is wrapped by the new master key, too. Until all are, the old key opens everything.
//! 2. What the old key wrapped is deleted. From its beginning on, the new key opens everything.
//!
//! Where it stands is kept, so it goes on where it was cut off. At its end the old key opens nothing.

use std::sync::{Arc, PoisonError};

use portcullis_ledger::{Caller, Change, Entry, HOST, Kind as RecordKind, LedgerError};
use portcullis_store::{Batch, StoreError};
use serde::{Deserialize, Serialize};

use super::{
    CredentialError, Credentials, ReadError, ReadProblem, TRIES,
    data_keys::{busy, wrong},
    places, purpose,
};
use crate::{keys::KeyProvider, seal::Wrapped};

const VERSION: u8 = 1;

/// Which master key is in use, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Master {
    v: u8,
    /// The one in use: it opens everything.
    pub(super) master: String,
    /// In the first pass: which one is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// In the second pass: which one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

impl Master {
    pub(super) fn new(id: String) -> Self {
        Self { v: VERSION, master: id, to: None, from: None }
    }

    /// As it is in the store.
    pub(super) fn of(stored: Option<&[u8]>) -> Result<Option<Self>, ReadError> {
        let Some(bytes) = stored else { return Ok(None) };
        let read = serde_json::from_slice::<Self>(bytes).ok().filter(|master| master.v == VERSION);
        read.map(Some).ok_or_else(|| {
            let problem = ReadProblem::Form("which master key is in use cannot be read".to_owned());
            ReadError::new("the master key of this store".to_owned(), problem)
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether what is new is to be wrapped by this one.
    pub(super) fn wraps(&self, id: &str) -> bool {
        self.master == id || self.to.as_deref() == Some(id)
    }
}

/// A change of the master key that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrapping {
    /// From which.
    pub from: String,
    /// To which.
    pub to: String,
}

/// The master key was changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rewrapped {
    /// From which; none where there was nothing to change.
    pub from: Option<String>,
    /// To which.
    pub to: String,
    /// How many workspaces' data keys this one wraps now.
    pub workspaces: usize,
}

impl Credentials {
    /// The id of the master key that data keys are wrapped by; none where there is none yet.
    pub async fn master_key(&self) -> Result<Option<String>, CredentialError> {
        let stored = self.store().get(places::MASTER).await?;
        Ok(Master::of(stored.as_deref())?.map(|master| master.master))
    }

    /// Whether a change of the master key is under way, or was cut off.
    pub async fn rewrapping(&self) -> Result<Option<Rewrapping>, CredentialError> {
        let stored = self.store().get(places::MASTER).await?;
        Ok(Master::of(stored.as_deref())?.and_then(|master| match (master.to, master.from) {
            (Some(to), _) => Some(Rewrapping { from: master.master, to }),
            (None, Some(from)) => Some(Rewrapping { from, to: master.master }),
            (None, None) => None,
        }))
    }

    /// Changes the master key to another one, or goes on with that where it was cut off: then the old one must be here, too
    /// ([`Credentials::also`]). Tells `progress` how many workspaces are done, and of how many. Dropping the future leaves off
    /// where it is; ask again to go on.
    pub async fn rewrap(
        &self,
        to: Arc<dyn KeyProvider>,
        by: &Caller,
        progress: &mut (dyn FnMut(usize, usize) + Send),
    ) -> Result<Rewrapped, CredentialError> {
        let id = to.id();
        let mut from = None;
        for _ in 0..TRIES {
            let stored = self.store().get(places::MASTER).await?;
            // Where that was lost, the key that was given is the one.
            let given = || self.providers().first().map(|provider| Master::new(provider.id()));
            let wrapped = !self.scan(places::DATA_KEYS.to_vec()).await?.is_empty();
            let Some(master) = Master::of(stored.as_deref())?.or_else(|| given().filter(|_| wrapped)) else {
                // Nothing is wrapped yet.
                self.use_first(&to, false);
                return Ok(Rewrapped { from: None, to: id, workspaces: 0 });
            };
            if let Some(other) = master.to.as_ref().filter(|other| **other != id) {
                return Err(CredentialError::Rewrapping { to: other.clone() });
            }
            if master.master != id && master.from.is_some() {
                return Err(CredentialError::Rewrapping { to: master.master });
            }
            let next = match &master {
                Master { master, to: None, from: None, .. } if *master == id => {
                    self.use_first(&to, true);
                    let all = self.scan(places::DATA_KEYS.to_vec()).await?;
                    let of_workspace =
                        |key: &[u8]| places::workspace_of(key).is_some_and(|of| purpose::of(of).is_none());
                    let workspaces = all.iter().filter(|(key, _)| of_workspace(key)).count();
                    return Ok(Rewrapped { from, to: id, workspaces });
                }
                Master { master, from: Some(was), .. } if *master == id => {
                    from = Some(was.clone());
                    self.use_first(&to, false);
                    self.forget_others(&id, progress).await?;
                    Master::new(id.clone())
                }
                Master { to: Some(_), .. } => {
                    self.use_first(&to, false);
                    self.wrap_all(&to, progress).await?;
                    Master { from: Some(master.master.clone()), ..Master::new(id.clone()) }
                }
                _ => Master { to: Some(id.clone()), ..master.clone() },
            };
            self.step(stored, &next, &master, by).await?;
        }
        Err(busy(places::MASTER))
    }

    /// Keeps how far it is, with a record. Where somebody else was quicker, that is read anew.
    async fn step(
        &self,
        stored: Option<Vec<u8>>,
        next: &Master,
        now: &Master,
        by: &Caller,
    ) -> Result<(), CredentialError> {
        let action = match next {
            Master { to: Some(_), .. } => "rewrap-started",
            Master { from: Some(_), .. } => "rewrapped",
            _ => "rewrap-ended",
        };
        let mut change = Change { action: action.to_owned(), of: "master-key".to_owned(), ..Change::default() };
        let from = next.from.as_ref().or(now.from.as_ref()).unwrap_or(&now.master);
        change.details.insert("from".to_owned(), from.clone());
        change.details.insert("to".to_owned(), next.to.as_ref().unwrap_or(&next.master).clone());
        let entry = Entry::change(HOST, RecordKind::Credential, by, change);
        let batch = Batch::new().check(places::MASTER, stored).put(places::MASTER, next.to_bytes());
        match self.inner.ledger.commit(vec![entry], batch).await {
            Ok(()) | Err(LedgerError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The first pass. Goes over them until there is none left: what is new meanwhile is wrapped by both, or is seen here.
    async fn wrap_all(
        &self,
        to: &Arc<dyn KeyProvider>,
        progress: &mut (dyn FnMut(usize, usize) + Send),
    ) -> Result<(), CredentialError> {
        let id = to.id();
        loop {
            let all = self.scan(places::DATA_KEYS.to_vec()).await?;
            let (mut changed, count) = (false, all.len());
            for (done, (key, kept)) in all.into_iter().enumerate() {
                let Some(workspace) = places::workspace_of(&key) else { continue };
                let mut wrapped = Wrapped::read(&kept).ok_or_else(|| wrong(workspace, ReadProblem::DataKeyDamaged))?;
                if !wrapped.all_by(&id) {
                    changed = true;
                    let done = wrapped.wrap_by(to.as_ref(), &self.providers(), workspace).await;
                    self.told(done).map_err(|problem| wrong(workspace, problem))?;
                    self.replace(key.clone(), kept, &wrapped).await?;
                }
                progress(done + 1, count);
            }
            if !changed {
                return Ok(());
            }
        }
    }

    /// The second pass.
    async fn forget_others(
        &self,
        id: &str,
        progress: &mut (dyn FnMut(usize, usize) + Send),
    ) -> Result<(), CredentialError> {
        loop {
            let all = self.scan(places::DATA_KEYS.to_vec()).await?;
            let (mut changed, count) = (false, all.len());
            for (done, (key, kept)) in all.into_iter().enumerate() {
                let Some(workspace) = places::workspace_of(&key) else { continue };
                let mut wrapped = Wrapped::read(&kept).ok_or_else(|| wrong(workspace, ReadProblem::DataKeyDamaged))?;
                // A key that this one never wrapped came from a backup, and stays for its own master key.
                if wrapped.all_by(id) && !wrapped.only_by(id) {
                    changed = true;
                    wrapped.keep_only(id);
                    self.replace(key.clone(), kept, &wrapped).await?;
                }
                progress(done + 1, count);
            }
            if !changed {
                return Ok(());
            }
        }
    }

    /// Where somebody else was quicker, the next round sees it.
    pub(super) async fn replace(
        &self,
        key: Vec<u8>,
        before: Vec<u8>,
        wrapped: &Wrapped,
    ) -> Result<(), CredentialError> {
        match self.store().commit(Batch::new().check(key.clone(), Some(before)).put(key, wrapped.to_bytes())).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What is new is wrapped by this one from now on; alone where the others are not needed any more.
    fn use_first(&self, to: &Arc<dyn KeyProvider>, alone: bool) {
        let mut providers = self.inner.providers.write().unwrap_or_else(PoisonError::into_inner);
        providers.retain(|provider| !alone && provider.id() != to.id());
        providers.insert(0, to.clone());
    }
}
