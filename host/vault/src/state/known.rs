//! The state as it was read: for each record the hash of the value that it vouches for. Says of one value whether it is that,
//! and makes the next state after a change. Reads and writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use portcullis_ledger::{
    Hash, LedgerError,
    state::{self, StatePage, StateRecord, from_hex, page_of},
};
use portcullis_store::Batch;

use super::{Kept, StateError, Unvouched, authorises};
use crate::credentials::{PurposeKey, gives_nothing};

/// The state, with its pages.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// As it stands in the store; none before the first change.
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) record: Option<StateRecord>,
    /// By number; none for one that is not what the state record names.
    pages: BTreeMap<u8, Option<Arc<StatePage>>>,
    /// What was restricted since: the hash of the value, or none where it is gone.
    restricted: BTreeMap<Vec<u8>, Option<Hash>>,
}

/// A change of the state, to be committed with what it is about.
pub(super) struct Next {
    pub(super) known: Known,
    pub(super) batch: Batch,
}

impl Known {
    pub(super) fn new(bytes: Vec<u8>, record: StateRecord, pages: BTreeMap<u8, Option<Arc<StatePage>>>) -> Self {
        // Nobody restricts anything but a credential without the master key: a ceiling that is gone would give more.
        let restrictions = record.restrictions.iter().filter_map(|of| Some((from_hex(&of.key)?, of.value)));
        let restricted = restrictions.filter(|(key, _)| key.starts_with(b"C")).collect();
        Self { bytes: Some(bytes), record: Some(record), pages, restricted }
    }

    /// How many changes there were.
    pub(super) fn number(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.at().seq)
    }

    /// Whether it is the same as another one, or came later.
    pub(super) fn follows(&self, before: &Self) -> bool {
        match (&self.record, &before.record) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(now), Some(before)) => now.follows(before),
        }
    }

    /// A page that was read already.
    pub(super) fn page(&self, page: u8, hash: Hash) -> Option<Arc<StatePage>> {
        let same = self.record.as_ref().and_then(|record| record.pages.get(&page)) == Some(&hash);
        self.pages.get(&page).filter(|_| same).cloned().flatten()
    }

    /// Whether this value of a record, or that there is none, is what is vouched for.
    pub(super) fn judge(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), Unvouched> {
        if let Some(restricted) = self.restricted.get(key) {
            return match (restricted, value) {
                (None, None) => Ok(()),
                (None, Some(_)) => Err(Unvouched::Unknown),
                (Some(_), None) => Err(Unvouched::Missing),
                // No MAC is over a restriction, so it counts only for what gives nothing.
                (Some(hash), Some(value)) if Hash::of(value) == *hash && gives_nothing(key, value) => Ok(()),
                (Some(_), Some(_)) => Err(Unvouched::Changed),
            };
        }
        let hash = match self.pages.get(&page_of(key)) {
            None => None,
            Some(None) => return Err(Unvouched::Page),
            Some(Some(page)) => page.0.get(key),
        };
        match (hash, value) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Unvouched::Unknown),
            (Some(_), None) => Err(Unvouched::Missing),
            (Some(hash), Some(value)) if Hash::of(value) == *hash => Ok(()),
            (Some(_), Some(_)) => Err(Unvouched::Changed),
        }
    }

    /// The keys of all records with this prefix that there must be.
    pub(super) fn keys(&self, prefix: &[u8]) -> BTreeSet<&[u8]> {
        let pages = self.pages.values().flatten().flat_map(|page| page.0.keys());
        let all = pages
            .filter(|key| self.restricted.get(*key) != Some(&None))
            .chain(self.restricted.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key));
        all.map(Vec::as_slice).filter(|key| key.starts_with(prefix)).collect()
    }

    /// Pages that are not what the state record names.
    pub(super) fn bad_pages(&self) -> impl Iterator<Item = u8> {
        self.pages.iter().filter(|(_, page)| page.is_none()).map(|(number, _)| *number)
    }

    /// What was restricted since the state record was made.
    pub(super) fn restricted(&self) -> &BTreeMap<Vec<u8>, Option<Hash>> {
        &self.restricted
    }

    /// The state after this batch, and the batch with it. Takes in what was restricted, where that was found to be true.
    pub(super) fn after(
        &self,
        batch: Batch,
        restricted: BTreeMap<Vec<u8>, Option<Hash>>,
        key: &PurposeKey,
    ) -> Result<Next, StateError> {
        let mut changes = restricted;
        let writes = batch.writes().iter().filter(|(key, _)| authorises(key));
        changes.extend(writes.map(|(key, value)| (key.clone(), value.as_deref().map(Hash::of))));
        let mut touched: BTreeMap<u8, StatePage> = BTreeMap::new();
        for (key, hash) in changes {
            let number = page_of(&key);
            let page = match touched.entry(number) {
                std::collections::btree_map::Entry::Occupied(page) => page.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => match self.pages.get(&number) {
                    Some(None) => return Err(StateError::Page { record: Kept::new(&key), page: number }),
                    Some(Some(page)) => place.insert(StatePage::clone(page)),
                    None => place.insert(StatePage::default()),
                },
            };
            match hash {
                Some(hash) => page.0.insert(key, hash),
                None => page.0.remove(&key),
            };
        }
        let pages = self.record.as_ref().map(|record| record.pages.clone()).unwrap_or_default();
        let number = self.number().saturating_add(1);
        self.made(batch, key, number, pages, touched)
    }

    /// A state of these records and no others, in the place of whatever is stored.
    pub(super) fn anew(
        stored: Option<Vec<u8>>,
        number: u64,
        records: &BTreeMap<Vec<u8>, Vec<u8>>,
        key: &PurposeKey,
    ) -> Result<Next, StateError> {
        let mut touched: BTreeMap<u8, StatePage> = BTreeMap::new();
        for (key, value) in records {
            touched.entry(page_of(key)).or_default().0.insert(key.clone(), Hash::of(value));
        }
        let before = Self { bytes: stored, ..Self::default() };
        before.made(Batch::new(), key, number, BTreeMap::new(), touched)
    }

    fn made(
        &self,
        mut batch: Batch,
        key: &PurposeKey,
        number: u64,
        mut hashes: BTreeMap<u8, Hash>,
        touched: BTreeMap<u8, StatePage>,
    ) -> Result<Next, StateError> {
        let mut pages = self.pages.clone();
        for (number, page) in touched {
            if page.0.is_empty() {
                batch.remove(state::page_key(number));
                hashes.remove(&number);
                pages.remove(&number);
                continue;
            }
            let bytes = page.to_bytes()?;
            hashes.insert(number, Hash::of(&bytes));
            batch.insert(state::page_key(number), bytes);
            pages.insert(number, Some(Arc::new(page)));
        }
        let mut record = StateRecord::new(number, hashes);
        record.mac = mac(key, &record);
        let bytes = record.to_bytes()?;
        batch.expect(state::STATE, self.bytes.clone());
        batch.insert(state::STATE, bytes.clone());
        Ok(Next { known: Self::new(bytes, record, pages), batch })
    }
}

/// The MAC of a state record.
fn mac(key: &PurposeKey, record: &StateRecord) -> Hash {
    Hash::from(key.mac(&message(record)))
}

fn message(record: &StateRecord) -> Vec<u8> {
    [b"portcullis state 1\0".as_slice(), record.root().as_bytes()].concat()
}

/// A state record that was made with this key.
pub(super) fn checked(bytes: &[u8], key: &PurposeKey) -> Result<StateRecord, StateError> {
    let record = StateRecord::parse(bytes).map_err(|what| StateError::Forged { what })?;
    if !key.verify(&message(&record), record.mac.as_bytes()) {
        return Err(StateError::Forged { what: "its MAC is another".to_owned() });
    }
    Ok(record)
}

/// A restriction, as it stands in the state record.
pub(super) fn restricted(bytes: &[u8], batch: &Batch) -> Result<Vec<u8>, LedgerError> {
    let mut record = StateRecord::parse(bytes).map_err(|what| LedgerError::State { what })?;
    for (key, value) in batch.writes().iter().filter(|(key, _)| authorises(key)) {
        let value = value.as_deref().map(Hash::of);
        record.restrictions.push(state::Restriction { key: state::to_hex(key), value });
    }
    record.to_bytes()
}
