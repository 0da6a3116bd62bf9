//! Another data key for a workspace: what it has is sealed anew under it, a record at a time, while calls run.
//!
//! Both keys are kept until that is done, so it can be cut off and gone on with. Where a record cannot be opened the old key
//! stays: a backup may bring the record back.

use std::sync::{Arc, PoisonError};

use portcullis_gate::Named;
use portcullis_ledger::{Caller, Change, Entry, Kind as RecordKind, LedgerError};
use portcullis_store::{Batch, StoreError};

use super::{
    CredentialError, Credentials, ReadError, ReadProblem, TRIES,
    data_keys::{Sealing, busy, wrong},
    places,
    record::{Header, KeptState, place},
    rewrap::Master,
    tokens::TokenHeader,
};
use crate::{
    seal::{Purpose, Wrapped},
    state::StateError,
};

/// A workspace's data key was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RotatedDataKey {
    /// How many records were sealed anew.
    pub records: usize,
    /// Those that cannot be opened. The old key was kept for them.
    pub unreadable: Vec<ReadError>,
}

impl Credentials {
    /// Seals all that a workspace has under another data key, or goes on with that where it was cut off.
    pub async fn rotate_data_key(&self, workspace: &str, by: &Caller) -> Result<RotatedDataKey, CredentialError> {
        Named::Workspace.check(workspace)?;
        let place = places::data_keys(workspace);
        self.begin(workspace, by).await?;
        let mut rotated = RotatedDataKey::default();
        for _ in 0..TRIES {
            let sealing = self.sealing(workspace).await?;
            rotated.unreadable.clear();
            let conflicts = self.reseal_all(workspace, &sealing, &mut rotated).await?;
            if conflicts {
                continue;
            }
            if !rotated.unreadable.is_empty() {
                return Ok(rotated);
            }
            let Some(kept) = self.store().get(&place).await? else {
                return Err(wrong(workspace, ReadProblem::DataKeyMissing).into());
            };
            let mut wrapped = Wrapped::read(&kept).ok_or_else(|| wrong(workspace, ReadProblem::DataKeyDamaged))?;
            let current = wrapped.current;
            wrapped.keys.retain(|number, _| *number == current);
            let batch = Batch::new().check(place.clone(), Some(kept)).put(place.clone(), wrapped.to_bytes());
            match self.store().commit(batch).await {
                Ok(()) => {
                    self.inner.opened.write().unwrap_or_else(PoisonError::into_inner).remove(workspace);
                    return Ok(rotated);
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy(&place))
    }

    /// Adds the new data key, where none was added before.
    async fn begin(&self, workspace: &str, by: &Caller) -> Result<(), CredentialError> {
        let place = places::data_keys(workspace);
        for _ in 0..TRIES {
            let Some(kept) = self.store().get(&place).await? else {
                return Err(wrong(workspace, ReadProblem::DataKeyMissing).into());
            };
            let mut wrapped = Wrapped::read(&kept).ok_or_else(|| wrong(workspace, ReadProblem::DataKeyDamaged))?;
            if wrapped.keys.len() > 1 {
                return Ok(());
            }
            let stored = self.store().get(places::MASTER).await?;
            let providers = self.wrapping(Master::of(stored.as_deref())?.as_ref())?;
            // Whoever cannot open the old one must not begin.
            self.told(wrapped.open(&providers, workspace).await).map_err(|problem| wrong(workspace, problem))?;
            wrapped.add(&providers, workspace).await?;
            let mut change = Change { of: "data-key".to_owned(), ..Change::default() };
            change.action = "data-key-rotated".to_owned();
            change.details.insert("number".to_owned(), wrapped.current.to_string());
            let entry = Entry::change(workspace, RecordKind::Credential, by, change);
            let mut batch = Batch::new().check(place.clone(), Some(kept)).put(place.clone(), wrapped.to_bytes());
            batch.expect(places::MASTER, stored);
            match self.inner.ledger.commit(vec![entry], batch).await {
                Ok(()) => return Ok(()),
                Err(LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy(&place))
    }

    /// Whether somebody else changed something meanwhile, so that it has to be looked through again.
    async fn reseal_all(
        &self,
        workspace: &str,
        sealing: &Sealing,
        rotated: &mut RotatedDataKey,
    ) -> Result<bool, CredentialError> {
        let mut records = self.scan(places::tokens(workspace)).await?;
        for (key, record) in self.state().scan(&places::credentials(workspace, None)).await? {
            match record {
                Ok(record) => records.push((key, record)),
                // Sealed anew, it would be vouched for.
                Err(why) => {
                    let record = places::read(&key).map_or_else(String::new, |(id, number)| id.named(number));
                    rotated.unreadable.push(ReadError::new(record, ReadProblem::Unvouched(why)));
                }
            }
        }
        let mut conflicts = false;
        for (key, record) in records {
            let sealed = match self.under(sealing, &key, &record).await {
                Ok(Some(sealed)) => sealed,
                Ok(None) => continue,
                Err(CredentialError::Unreadable(error)) => {
                    rotated.unreadable.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut batch = Batch::new().check(key.clone(), Some(record)).put(key, sealed);
            sealing.check(workspace, &mut batch);
            match self.state().commit(Vec::new(), batch).await {
                Ok(()) => rotated.records += 1,
                Err(StateError::Ledger(LedgerError::Conflict { .. })) => conflicts = true,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(conflicts)
    }

    /// A record sealed anew; none where it need not be.
    async fn under(&self, sealing: &Sealing, key: &[u8], record: &[u8]) -> Result<Option<Vec<u8>>, CredentialError> {
        let Some((id, _)) = places::read(key) else { return Ok(None) };
        let current = sealing.keys.current;
        if key.starts_with(b"C") {
            let header = Header::of(&id, record)?;
            if header.key == current || header.state == KeptState::Revoked {
                return Ok(None);
            }
            return Ok(Some(self.resealed(&id, record, header, sealing).await?));
        }
        let mut header = TokenHeader::of(&id, record)?;
        if header.key == current {
            return Ok(None);
        }
        let token = self.open_token(&id, &header, record).await?;
        header.key = current;
        let key = Arc::clone(sealing.keys.sealing()?);
        Ok(Some(key.seal(&place(&id, Purpose::Token), &header.to_bytes(), token)?))
    }
}
