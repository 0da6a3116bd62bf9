//! Reading what authorises: each record is held against the state as it is at that moment.

use std::{collections::BTreeMap, sync::Arc};

use portcullis_ledger::{Hash, state};
use portcullis_store::{Scan, Store};

use super::{AUTHORISING, HostState, Kept, Known, PURPOSE, StateError, TRIES, Unvouched, known::checked};
use crate::credentials::PurposeKey;

/// Holds every record that authorises against the hashes of the state, for who has no master key: so whether the state itself
/// was made with one is not checked. What does not fit; none where there is no state.
pub async fn compare_with_state(store: &dyn Store) -> Result<Option<Vec<StateError>>, StateError> {
    let Some(bytes) = store.get(state::STATE).await? else { return Ok(None) };
    let record = state::StateRecord::parse(&bytes).map_err(|what| StateError::Forged { what })?;
    let mut pages = BTreeMap::new();
    for (page, hash) in &record.pages {
        let stored = store.get(&state::page_key(*page)).await?.filter(|stored| Hash::of(stored) == *hash);
        pages.insert(*page, stored.and_then(|stored| state::StatePage::parse(&stored)).map(Arc::new));
    }
    let known = Known::new(bytes, record, pages);
    let mut wrong = Vec::new();
    for letter in AUTHORISING {
        let there = all_of(store, &[letter]).await?;
        for (key, value) in &there {
            let refused = known.judge(key, Some(value)).err();
            wrong.extend(refused.map(|why| StateError::Record { record: Kept::new(key), why }));
        }
        for key in known.keys(&[letter]).into_iter().filter(|key| !there.contains_key(*key)) {
            wrong.push(StateError::Record { record: Kept::new(key), why: Unvouched::Missing });
        }
    }
    Ok(Some(wrong))
}

async fn all_of(store: &dyn Store, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StateError> {
    let mut scan = Scan::prefix(prefix);
    let mut all = BTreeMap::new();
    loop {
        let page = store.scan(&scan).await?;
        all.extend(page.entries);
        match page.next {
            Some(next) => scan = scan.after(next),
            None => return Ok(all),
        }
    }
}

impl HostState {
    /// A record that the state vouches for; none where there is none, and there is to be none.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        for _ in 0..TRIES {
            let known = self.known().await?;
            let value = self.store().get(key).await?;
            match known.judge(key, value.as_deref()) {
                Ok(()) => return Ok(value),
                // Somebody may have changed both in between.
                Err(_) if self.moved(&known).await? => {}
                Err(why) => return Err(StateError::Record { record: Kept::new(key), why }),
            }
        }
        Err(busy())
    }

    /// What stands there, whoever wrote it: to put something else in its place.
    pub async fn unchecked(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.store().get(key).await?)
    }

    /// All records with this prefix, each with its value or why it is refused. One that is gone is refused.
    pub async fn scan(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Result<Vec<u8>, Unvouched>>, StateError> {
        for _ in 0..TRIES {
            let known = self.known().await?;
            let mut records = BTreeMap::new();
            for (key, value) in self.all(prefix).await? {
                let judged = known.judge(&key, Some(&value));
                records.insert(key, judged.map(|()| value));
            }
            for key in known.keys(prefix) {
                records.entry(key.to_vec()).or_insert(Err(Unvouched::Missing));
            }
            if records.values().all(Result::is_ok) || !self.moved(&known).await? {
                return Ok(records);
            }
        }
        Err(busy())
    }

    /// Holds every record that authorises against the state: those that are refused.
    pub async fn check(&self) -> Result<Vec<StateError>, StateError> {
        let mut refused = Vec::new();
        for letter in AUTHORISING {
            let records = self.scan(&[letter]).await?;
            let wrong = records.into_iter().filter_map(|(key, value)| Some((Kept::new(&key), value.err()?)));
            refused.extend(wrong.map(|(record, why)| StateError::Record { record, why }));
        }
        for page in self.known().await?.bad_pages() {
            refused.push(StateError::Page { record: Kept::new(&state::page_key(page)), page });
        }
        Ok(refused)
    }

    /// How many changes were made to what authorises.
    pub async fn number(&self) -> Result<u64, StateError> {
        Ok(self.known().await?.number())
    }

    /// The state as it is in the store now.
    pub(super) async fn known(&self) -> Result<Arc<Known>, StateError> {
        for _ in 0..TRIES {
            let before = self.held().known();
            let bytes = self.store().get(state::STATE).await?;
            if let Some(before) = before.as_ref().filter(|before| before.bytes == bytes) {
                return Ok(before.clone());
            }
            let known = match bytes {
                None => self.none_yet(before.as_deref()).await?,
                Some(bytes) => self.read(bytes, before.as_deref()).await?,
            };
            // Pages are read after the state record: somebody may have changed them since.
            if known.bad_pages().next().is_some() && self.moved(&known).await? {
                continue;
            }
            let known = Arc::new(known);
            if let Some(before) = &before
                && !known.follows(before)
            {
                if self.held().known().is_some_and(|held| !Arc::ptr_eq(&held, before)) {
                    continue;
                }
                return Err(StateError::PutBack { found: known.number(), known: before.number() });
            }
            self.held().know(&known);
            return Ok(known);
        }
        Err(busy())
    }

    /// There is no state: right for a store in which nothing authorises anything.
    async fn none_yet(&self, before: Option<&Known>) -> Result<Known, StateError> {
        if before.is_some_and(|before| before.record.is_some()) {
            return Err(StateError::Gone);
        }
        let mut found = Vec::new();
        for letter in AUTHORISING {
            found.extend(self.all(&[letter]).await?.into_keys());
        }
        match found.first() {
            // Unless somebody made the first just now.
            Some(first) if self.store().get(state::STATE).await?.is_none() => {
                Err(StateError::Unadopted { records: found.len(), example: Kept::new(first) })
            }
            _ => Ok(Known::default()),
        }
    }

    async fn read(&self, bytes: Vec<u8>, before: Option<&Known>) -> Result<Known, StateError> {
        let record = checked(&bytes, self.key().await?)?;
        let mut pages = BTreeMap::new();
        for (page, hash) in &record.pages {
            let read = match before.and_then(|before| before.page(*page, *hash)) {
                Some(known) => Some(known),
                None => {
                    let stored = self.store().get(&state::page_key(*page)).await?;
                    let stored = stored.filter(|stored| Hash::of(stored) == *hash);
                    stored.and_then(|stored| state::StatePage::parse(&stored)).map(Arc::new)
                }
            };
            pages.insert(*page, read);
        }
        Ok(Known::new(bytes, record, pages))
    }

    /// Whether the state record is another one by now.
    pub(super) async fn moved(&self, known: &Known) -> Result<bool, StateError> {
        Ok(self.store().get(state::STATE).await? != known.bytes)
    }

    /// The key of the state that there is.
    async fn key(&self) -> Result<&PurposeKey, StateError> {
        let key = self.held().key.get_or_try_init(|| async {
            let known = self.credentials.known_key_for(PURPOSE).await?;
            known.ok_or_else(|| StateError::Forged { what: "the key that it was made with is gone".to_owned() })
        });
        key.await
    }

    /// The same, made where there is none yet.
    pub(super) async fn key_to_change(&self) -> Result<&PurposeKey, StateError> {
        self.held().key.get_or_try_init(|| async { Ok(self.credentials.key_for(PURPOSE).await?) }).await
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.credentials.ledger().store()
    }

    /// All that stands under a prefix, whoever wrote it.
    pub(super) async fn all(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StateError> {
        all_of(self.store().as_ref(), prefix).await
    }
}

/// Others changed it all the time.
pub(super) fn busy() -> StateError {
    portcullis_ledger::LedgerError::Conflict { key: state::STATE.escape_ascii().to_string() }.into()
}
