//! When a credential was last used, and by what. It is written at most once a minute for each slot, and stands in no ledger:
//! there each request stands anyway. What is lost in a crash is a minute.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use portcullis_store::Batch;
use serde::{Deserialize, Serialize};

use super::{CredentialError, CredentialId, Credentials};

/// How often it is written.
const EACH: Duration = Duration::from_mins(1);
/// Most names that are kept for a slot.
const MAX_NAMES: usize = 16;

/// What is known in this process, by credential.
pub(super) type Used = HashMap<CredentialId, Kept>;

/// As it stands in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    last: Option<Timestamp>,
    #[serde(default)]
    by: BTreeSet<String>,
}

impl Credentials {
    /// A credential is used by this: an operation, say. Cheap but for once a minute; may be asked for each request.
    pub async fn used(&self, id: &CredentialId, by: &str) -> Result<(), CredentialError> {
        let now = self.now();
        let known = self.used_here().get(id).cloned();
        let mut kept = match known {
            Some(kept) => kept,
            None => self.read_used(id).await?,
        };
        let recent = kept.last.is_some_and(|last| now.duration_since(last).unsigned_abs() < EACH);
        let new = kept.by.len() < MAX_NAMES && !kept.by.contains(by);
        if recent && !new {
            self.used_here().entry(id.clone()).or_insert(kept);
            return Ok(());
        }
        if !recent {
            kept.last = Some(now);
        }
        if new {
            kept.by.insert(by.to_owned());
        }
        // Before it is written, so that a hundred at once do not all write.
        self.used_here().insert(id.clone(), kept.clone());
        let bytes = serde_json::to_vec(&kept).unwrap_or_default();
        // Only beside a credential: one that was removed meanwhile leaves nothing behind.
        let credential = self.store().get(&id.credential()).await?;
        if credential.is_none() {
            self.forget_used(id);
            return Ok(());
        }
        match self.store().commit(Batch::new().check(id.credential(), credential).put(id.used(), bytes)).await {
            Ok(()) | Err(portcullis_store::StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// When it was used, and by what.
    pub(super) async fn used_of(
        &self,
        id: &CredentialId,
    ) -> Result<(Option<Timestamp>, BTreeSet<String>), CredentialError> {
        let kept = self.read_used(id).await?;
        Ok((kept.last, kept.by))
    }

    pub(super) fn forget_used(&self, id: &CredentialId) {
        self.used_here().remove(id);
    }

    /// What cannot be read is as good as nothing: it decides nothing.
    async fn read_used(&self, id: &CredentialId) -> Result<Kept, CredentialError> {
        let stored = self.store().get(&id.used()).await?;
        Ok(stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    fn used_here(&self) -> MutexGuard<'_, Used> {
        self.inner.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
