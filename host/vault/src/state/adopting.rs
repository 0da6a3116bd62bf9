//! Vouching for a store that nothing vouches for: one from before there was a state, or one whose state was lost.
//!
//! Nothing here can tell whether its grants are those that somebody gave. So it is never done in passing: an operator asks for
//! it, is shown each record, and the ledger keeps who adopted what.

use std::{collections::BTreeMap, sync::Arc};

use portcullis_ledger::{
    Caller, Change, Entry, HOST, Hash, Kind, LedgerError,
    heads::{HeadError, last_signed_state},
    state::{self, StateRecord},
};
use serde::Serialize;

use super::{AUTHORISING, HostState, Kept, Known, StateError, known::checked, reading::busy};

/// Most records that the ledger names one by one; of more it has the count and the hash of all.
const MAX_NAMED: usize = 200;

/// What was adopted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// How many changes the state tells of now.
    pub number: u64,
    /// Each record that it vouches for.
    pub records: Vec<AdoptedRecord>,
}

/// A record that is adopted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdoptedRecord {
    /// What it is, such as `the integration acme/mail`.
    pub record: String,
    /// SHA-256 of its value.
    pub hash: Hash,
}

impl HostState {
    /// What there is to adopt: everything in the store that authorises something, whoever wrote it.
    pub async fn to_adopt(&self) -> Result<Vec<AdoptedRecord>, StateError> {
        Ok(told(&self.everything().await?))
    }

    /// Vouches for all that [`HostState::to_adopt`] shows, and for nothing else.
    pub async fn adopt(&self, seen: &[AdoptedRecord], by: &Caller) -> Result<Adopted, StateError> {
        let _one_at_a_time = self.held().changing.lock().await;
        let key = self.key_to_change().await?;
        let records = self.everything().await?;
        let adopted = told(&records);
        if adopted != seen {
            return Err(busy());
        }
        let bytes = self.store().get(state::STATE).await?;
        // What counts is what was said with a key: a number that somebody wrote in would stand in the way for ever.
        let known = bytes.as_deref().and_then(|bytes| checked(bytes, key).ok()).map_or(0, |record| record.at().seq);
        let signed = last_signed_state(self.store().as_ref()).await.map_err(|error| match error {
            HeadError::Ledger(error) => error,
            error => LedgerError::State { what: error.to_string() },
        })?;
        let signed = signed.map_or(0, |at| at.seq);
        let number = known.max(signed).saturating_add(1);
        let mut next = Known::anew(bytes, number, &records, key)?;
        let entry = Entry::change(HOST, Kind::Configuration, by, change(next.known.record.as_ref(), &adopted));
        // Whoever writes a record meanwhile has not been looked at.
        records.into_iter().for_each(|(key, value)| next.batch.expect(key, Some(value)));
        self.credentials.ledger().commit(vec![entry], next.batch).await?;
        *self.held().known.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(next.known));
        Ok(Adopted { number, records: adopted })
    }

    async fn everything(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StateError> {
        let mut records = BTreeMap::new();
        for letter in AUTHORISING {
            records.extend(self.all(&[letter]).await?);
        }
        Ok(records)
    }
}

fn told(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<AdoptedRecord> {
    let told = |(key, value): (&Vec<u8>, &Vec<u8>)| AdoptedRecord {
        record: Kept::new(key).to_string(),
        hash: Hash::of(value),
    };
    records.iter().map(told).collect()
}

fn change(state: Option<&StateRecord>, adopted: &[AdoptedRecord]) -> Change {
    let mut change = Change { action: "adopted".to_owned(), of: "state".to_owned(), ..Change::default() };
    let mut detail = |name: &str, value: String| drop(change.details.insert(name.to_owned(), value));
    if let Some(state) = state {
        detail("number", state.number.to_string());
        detail("state", state.root().to_string());
    }
    detail("records", adopted.len().to_string());
    for (number, one) in adopted.iter().take(MAX_NAMED).enumerate() {
        detail(&format!("record-{number:03}"), format!("{} {}", one.hash, one.record));
    }
    change
}
