//! Changing what authorises: the records, the state that vouches for them and what the ledger tells of it are one batch, which
//! is committed only where the state is still the one that was read. So two processes cannot make two states of one.

use std::{collections::BTreeMap, sync::Arc};

use portcullis_ledger::{Entry, Hash, state};
use portcullis_store::Batch;

use super::{
    HostState, StateError, TRIES, authorises,
    error::state_moved,
    known::{self, Known, Next},
    reading::busy,
};

/// In the place of a value that is refused. No record has it: records that authorise are JSON, or begin with a header's length.
const REFUSED: &[u8] = b"refused";

impl HostState {
    /// Makes a change together with the records of it. [`LedgerError::Conflict`](portcullis_ledger::LedgerError) says that a
    /// check of the batch does not hold. Needs the master key where the batch writes what authorises.
    pub async fn commit(&self, entries: Vec<Entry>, batch: Batch) -> Result<(), StateError> {
        let ledger = self.credentials.ledger();
        if !batch.writes().keys().any(|key| authorises(key)) {
            return Ok(ledger.commit(entries, batch).await?);
        }
        let _one_at_a_time = self.held().changing.lock().await;
        for _ in 0..TRIES {
            let known = self.known().await?;
            let restricted = self.found_true(&known).await?;
            let Next { known, batch } = known.after(batch.clone(), restricted, self.key_to_change().await?)?;
            match ledger.commit(entries.clone(), batch).await {
                Ok(()) => {
                    self.held().know(&Arc::new(known));
                    return Ok(());
                }
                // Another process was quicker.
                Err(error) if state_moved(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy())
    }

    /// What was restricted without the master key, as a MAC may be made over it: what is there now gives nothing. A forged
    /// restriction stays one: its record is refused until somebody keeps another.
    async fn found_true(&self, known: &Known) -> Result<BTreeMap<Vec<u8>, Option<Hash>>, StateError> {
        let mut restricted = known.restricted().clone();
        for (key, hash) in restricted.iter_mut().filter(|(_, hash)| hash.is_some()) {
            let value = self.store().get(key).await?;
            if known.judge(key, value.as_deref()).is_err() {
                *hash = Some(Hash::of(REFUSED));
            }
        }
        Ok(restricted)
    }

    /// The same for a change that only takes power away, without the master key: it counts as a restriction until the next
    /// change with the key. Where nothing vouches for the store, or what does cannot be read, it is made all the same.
    pub async fn restrict(&self, entries: Vec<Entry>, batch: Batch) -> Result<(), StateError> {
        let ledger = self.credentials.ledger();
        let _one_at_a_time = self.held().changing.lock().await;
        for _ in 0..TRIES {
            let stored = self.store().get(state::STATE).await?;
            let mut batch = batch.clone();
            if let Some(stored) = stored
                && let Ok(next) = known::restricted(&stored, &batch)
            {
                batch.expect(state::STATE, Some(stored));
                batch.insert(state::STATE, next);
            }
            match ledger.commit(entries.clone(), batch).await {
                Err(error) if state_moved(&error) => {}
                done => return Ok(done?),
            }
        }
        Err(busy())
    }
}
