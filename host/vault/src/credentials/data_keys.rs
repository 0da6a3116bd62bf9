//! Each workspace's data key: made with its first credential, unwrapped once, and then held in memory. While it is held,
//! nobody asks the master key for anything, so a master key can be changed, or be away, while calls run.

use std::sync::{Arc, PoisonError};

use portcullis_store::Batch;

use super::{CredentialError, Credentials, ReadError, ReadProblem, TRIES, places, purpose, rewrap::Master};
use crate::{
    keys::{KeyError, KeyProvider},
    seal::{DataKeys, NoKey, SealKey, Wrapped},
};

/// What seals, and what must still be in the store when the sealed record is kept: else it may be sealed by a key that is gone.
pub(super) struct Sealing {
    pub(super) keys: Arc<DataKeys>,
    kept: Vec<u8>,
}

impl Sealing {
    /// Lets a batch be kept only where the workspace's data keys are still these.
    pub(super) fn check(&self, workspace: &str, batch: &mut Batch) {
        batch.expect(places::data_keys(workspace), Some(self.kept.clone()));
    }
}

impl Credentials {
    /// The data key of this number, to read with. The outer error is the store's.
    pub(super) async fn data_key(
        &self,
        workspace: &str,
        number: u32,
    ) -> Result<Result<Arc<SealKey>, ReadProblem>, CredentialError> {
        if let Some(key) = self.opened(workspace).and_then(|keys| keys.get(number).cloned()) {
            return Ok(Ok(key));
        }
        let Some(kept) = self.store().get(&places::data_keys(workspace)).await? else {
            return Ok(Err(ReadProblem::DataKeyMissing));
        };
        Ok(match self.open_keys(workspace, &kept).await {
            // A number that is not there is a header that was edited.
            Ok(keys) => keys.get(number).cloned().ok_or(ReadProblem::Edited),
            Err(problem) => Err(problem),
        })
    }

    /// What seals in this workspace now. Made where there is none yet.
    pub(super) async fn sealing(&self, workspace: &str) -> Result<Sealing, CredentialError> {
        let kept = self.kept_keys(workspace).await?;
        let wrapped = Wrapped::read(&kept).ok_or_else(|| wrong(workspace, ReadProblem::DataKeyDamaged))?;
        let same = |keys: &Arc<DataKeys>| keys.current == wrapped.current;
        let keys = match self.opened(workspace).filter(same) {
            Some(keys) => keys,
            None => self.open_keys(workspace, &kept).await.map_err(|problem| wrong(workspace, problem))?,
        };
        Ok(Sealing { keys, kept })
    }

    /// A workspace's data keys as they stand in the store, wrapped. Made where there are none yet.
    pub(super) async fn kept_keys(&self, workspace: &str) -> Result<Vec<u8>, CredentialError> {
        let place = places::data_keys(workspace);
        for _ in 0..TRIES {
            if let Some(kept) = self.store().get(&place).await? {
                return Ok(kept);
            }
            // What is there already was sealed by a key that is not.
            let sealed = self.scan(places::credentials(workspace, None)).await?;
            if self.opened(workspace).is_some() || !sealed.is_empty() {
                return Err(wrong(workspace, ReadProblem::DataKeyMissing).into());
            }
            let stored = self.store().get(places::MASTER).await?;
            let master = Master::of(stored.as_deref())?;
            let providers = self.wrapping(master.as_ref())?;
            let id = providers.first().map(|provider| provider.id()).ok_or(KeyError::Absent)?;
            let wrapped = Wrapped::first(&providers, workspace).await?;
            let mut batch = Batch::new().check(place.clone(), None).put(place.clone(), wrapped.to_bytes());
            batch.expect(places::MASTER, stored);
            if master.is_none() {
                batch.insert(places::MASTER, Master::new(id).to_bytes());
            }
            match self.store().commit(batch).await {
                Ok(()) | Err(portcullis_store::StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy(&place))
    }

    /// Those of the master keys here that what is new is to be wrapped by.
    pub(super) fn wrapping(&self, master: Option<&Master>) -> Result<Vec<Arc<dyn KeyProvider>>, CredentialError> {
        let here = self.providers();
        let Some(master) = master else { return Ok(here.into_iter().take(1).collect()) };
        let wanted: Vec<_> = here.iter().filter(|provider| master.wraps(&provider.id())).cloned().collect();
        if !wanted.is_empty() {
            return Ok(wanted);
        }
        if here.is_empty() {
            return Err(KeyError::Absent.into());
        }
        let problem = ReadProblem::WrongKey { wrapped: master.master.clone(), here: self.ids() };
        Err(ReadError::new("the master key of this store".to_owned(), problem).into())
    }

    /// The master keys that are here, for people.
    fn ids(&self) -> String {
        let ids: Vec<String> = self.providers().iter().map(|provider| provider.id()).collect();
        if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
    }

    /// Unwraps a workspace's data keys and holds them.
    pub(super) async fn open_keys(&self, workspace: &str, kept: &[u8]) -> Result<Arc<DataKeys>, ReadProblem> {
        let wrapped = Wrapped::read(kept).ok_or(ReadProblem::DataKeyDamaged)?;
        let keys = Arc::new(self.told(wrapped.open(&self.providers(), workspace).await)?);
        let mut opened = self.inner.opened.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever read an older record than the one that is held must not put it in its place.
        match opened.get(workspace) {
            Some(held) if held.current > keys.current => {}
            _ => drop(opened.insert(workspace.to_owned(), keys.clone())),
        }
        Ok(keys)
    }

    pub(super) fn told<T>(&self, result: Result<T, NoKey>) -> Result<T, ReadProblem> {
        result.map_err(|error| match error {
            NoKey::Wrong(by) => ReadProblem::WrongKey { wrapped: by.join(" or "), here: self.ids() },
            NoKey::Damaged => ReadProblem::DataKeyDamaged,
            NoKey::Provider(error) => ReadProblem::Key(error.to_string()),
        })
    }

    fn opened(&self, workspace: &str) -> Option<Arc<DataKeys>> {
        self.inner.opened.read().unwrap_or_else(PoisonError::into_inner).get(workspace).cloned()
    }
}

/// It is the workspace's data key that is wrong, or the host's key for a purpose.
pub(super) fn wrong(workspace: &str, problem: ReadProblem) -> ReadError {
    let record = match purpose::of(workspace) {
        Some(purpose) => format!("the host's key for `{}`", portcullis_gate::printable(purpose, 128)),
        None => format!("the data key of the workspace {}", portcullis_gate::printable(workspace, 128)),
    };
    ReadError::new(record, problem)
}

/// Others changed it all the time.
pub(super) fn busy(key: &[u8]) -> CredentialError {
    let key = key.escape_ascii().to_string();
    portcullis_ledger::LedgerError::Conflict { key }.into()
}
