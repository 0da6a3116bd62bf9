//! Changing a credential: adding, rotating, revoking and removing it. Each change and its record in the ledger are one batch.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use portcullis_ledger::{Caller, Change, Entry, Kind as RecordKind, LedgerError};
use portcullis_store::Batch;

use super::{
    CredentialChange, CredentialError, CredentialId, Credentials, Previous, TRIES, What,
    data_keys::{Sealing, busy},
    newest::Newest,
    record::{Header, KeptState, place},
};
use crate::{
    material::{Given, Kind},
    seal::{Purpose, encode, frame},
    state::StateError,
    weak_secrets,
};

/// Most bytes of a credential, as it is kept.
const MAX_BYTES: usize = 512 * 1024;

/// Most origins that a record names.
const MAX_TOLD: usize = 16;

/// What is said of a credential beside what it is.
#[derive(Clone, Debug)]
pub struct NewOptions<'a> {
    /// When it expires, where that is known.
    pub expires: Option<Timestamp>,
    /// Who hands it over.
    pub by: &'a Caller,
    /// The origins that it is given for, where that is known. One that is rotated stays bound to those that it was given for.
    pub origins: Option<BTreeSet<String>>,
}

impl<'a> NewOptions<'a> {
    /// Of one that does not expire.
    pub fn by(by: &'a Caller) -> Self {
        Self { expires: None, by, origins: None }
    }

    /// It is given to be sent to these origins, and to no others.
    #[must_use]
    pub fn origins(mut self, origins: BTreeSet<String>) -> Self {
        self.origins = Some(origins);
        self
    }

    /// It expires then.
    #[must_use]
    pub fn expires(mut self, expires: Timestamp) -> Self {
        self.expires = Some(expires);
        self
    }
}

/// What becomes of the credential before a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It is not used any more, and its secrets are gone.
    AtOnce,
    /// Both are good for so long.
    For(Duration),
}

/// A slot as it is before a change.
pub(super) struct Before {
    /// As it is in the store, whatever it is.
    pub(super) stored: Option<Vec<u8>>,
    /// Where it can be read.
    pub(super) header: Option<Header>,
    /// Whether the state vouches for what is in the store.
    pub(super) vouched: bool,
    pub(super) newest: Option<Newest>,
}

impl Before {
    /// Generation and revision. The ledger's, where the store has been put back: numbers are never given twice.
    fn numbers(&self) -> (u64, u64) {
        let header = self.header.as_ref().map_or((0, 0), |header| (header.generation, header.revision));
        let newest = self.newest.as_ref().map_or((0, 0), |newest| (newest.generation, newest.revision));
        (header.0.max(newest.0), header.1.max(newest.1))
    }

    fn kind(&self) -> Kind {
        let of_ledger = || self.newest.as_ref().and_then(|newest| newest.kind);
        self.header.as_ref().map(|header| header.kind).or_else(of_ledger).unwrap_or(Kind::Secret)
    }
}

impl Credentials {
    /// Keeps a credential in a slot that has none.
    pub async fn add(&self, id: &CredentialId, given: Given, new: NewOptions<'_>) -> Result<u64, CredentialError> {
        self.put(id, &given, &new, None).await
    }

    /// Keeps another one in a slot, whatever became of the one that was there. From the next request on, this one is used.
    pub async fn rotate(
        &self,
        id: &CredentialId,
        given: Given,
        overlap: Overlap,
        new: NewOptions<'_>,
    ) -> Result<u64, CredentialError> {
        self.put(id, &given, &new, Some(overlap)).await
    }

    /// Ends a credential: the next request does not use it, and those on their way with it are given up. Its secrets and its
    /// token are deleted; what it was is still told. Needs no master key.
    pub async fn revoke(&self, id: &CredentialId, by: &Caller, reason: &str) -> Result<(), CredentialError> {
        id.check()?;
        for _ in 0..TRIES {
            let before = self.before(id).await?;
            let stored = before.stored.as_ref().ok_or_else(|| CredentialError::None(id.clone()))?;
            if before.header.as_ref().is_some_and(|header| header.state == KeptState::Revoked) && !before.rolled_back()
            {
                return Ok(());
            }
            let (generation, revision) = before.numbers();
            let unreadable = || Header::new(id, before.kind(), self.now(), "");
            let mut header = before.header.clone().unwrap_or_else(unreadable);
            (header.generation, header.revision) = (generation, revision.saturating_add(1));
            header.state = KeptState::Revoked;
            header.why = Some(reason.to_owned());
            header.previous = None;
            header.weak = Vec::new();
            let mut batch = Batch::new().check(id.credential(), Some(stored.clone()));
            self.drop_all(id, &mut batch).await?;
            batch.insert(id.credential(), frame(&header.to_bytes(), &[]));
            let mut change = changed(What::Revoked, &header);
            change.details.insert("reason".to_owned(), reason.to_owned());
            if self.keep(&header, by, change, What::Revoked, batch).await? {
                return Ok(());
            }
        }
        Err(busy(&id.credential()))
    }

    /// Takes a credential out of its slot, with all that is known of it but for the ledger's records. Needs no master key.
    pub async fn remove(&self, id: &CredentialId, by: &Caller) -> Result<(), CredentialError> {
        id.check()?;
        for _ in 0..TRIES {
            let before = self.before(id).await?;
            // Of one that is missing, too: so that it is not missed any more.
            let known = before.newest.as_ref().is_some_and(|newest| !newest.removed());
            if before.stored.is_none() && !known {
                return Err(CredentialError::None(id.clone()));
            }
            let (generation, revision) = before.numbers();
            let mut header = Header::new(id, before.kind(), self.now(), "");
            (header.generation, header.revision) = (generation, revision.saturating_add(1));
            let mut batch = Batch::new().check(id.credential(), before.stored.clone());
            self.drop_all(id, &mut batch).await?;
            batch.remove(id.credential());
            batch.remove(id.used());
            let change = changed(What::Removed, &header);
            if self.keep(&header, by, change, What::Removed, batch).await? {
                self.forget_used(id);
                return Ok(());
            }
        }
        Err(busy(&id.credential()))
    }

    /// Adds, or rotates where an overlap is given.
    async fn put(
        &self,
        id: &CredentialId,
        given: &Given,
        new: &NewOptions<'_>,
        rotate: Option<Overlap>,
    ) -> Result<u64, CredentialError> {
        id.check()?;
        for _ in 0..TRIES {
            let before = self.vouched_before(id).await?;
            match (&before.stored, rotate) {
                (Some(_), None) => return Err(CredentialError::Exists(id.clone())),
                (None, Some(_)) => return Err(CredentialError::None(id.clone())),
                _ => {}
            }
            let sealing = self.sealing(&id.workspace).await?;
            let now = self.now();
            let mut header = Header::new(id, given.kind, now, &new.by.principal);
            let (generation, revision) = before.numbers();
            (header.generation, header.revision) = (generation.saturating_add(1), revision.saturating_add(1));
            header.fields = given.fields.clone();
            header.weak = weak_secrets(given).into_iter().map(str::to_owned).collect();
            header.expires = new.expires;
            let bound = before.header.as_ref().filter(|_| before.vouched && !before.rolled_back());
            header.origins = bound.and_then(|before| before.origins.clone()).or_else(|| new.origins.clone());
            let mut batch = Batch::new().check(id.credential(), before.stored.clone());
            self.drop_all(id, &mut batch).await?;
            if let Some((previous, record)) = before.overlaps(rotate, now) {
                batch.insert(id.generation(previous.generation), record);
                header.previous = Some(previous);
            }
            batch.insert(id.credential(), sealed(id, &mut header, given, &sealing)?);
            sealing.check(&id.workspace, &mut batch);
            let overlap_until = header.previous.map(|previous| previous.until);
            let what = if rotate.is_some() { What::Rotated { overlap_until } } else { What::Added };
            let mut change = changed(what, &header);
            if let Some(until) = overlap_until {
                change.details.insert("overlap-until".to_owned(), until.to_string());
            }
            if self.keep(&header, new.by, change, what, batch).await? {
                return Ok(header.generation);
            }
        }
        Err(busy(&id.credential()))
    }

    /// How a slot is, in the store and in the ledger.
    pub(super) async fn before(&self, id: &CredentialId) -> Result<Before, CredentialError> {
        let newest = self.newest(&id.workspace, &id.integration).await?.remove(&id.slot);
        let stored = self.store().get(&id.credential()).await?;
        let header = stored.as_deref().and_then(|record| Header::of(id, record).ok());
        Ok(Before { stored, header, vouched: false, newest })
    }

    /// The same, and whether the state vouches for it. Needs the master key.
    pub(super) async fn vouched_before(&self, id: &CredentialId) -> Result<Before, CredentialError> {
        let mut before = self.before(id).await?;
        before.vouched = match self.state().get(&id.credential()).await {
            Ok(stored) => stored == before.stored,
            Err(StateError::Record { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        Ok(before)
    }

    /// Lets a batch delete the token and the credentials before the one in the slot.
    async fn drop_all(&self, id: &CredentialId, batch: &mut Batch) -> Result<(), CredentialError> {
        let here = id.credential();
        for (key, _) in self.scan(here.clone()).await? {
            if key != here {
                batch.remove(key);
            }
        }
        batch.remove(id.token());
        Ok(())
    }

    /// Keeps a change and its record, and tells of it. Whether it was kept: no is that somebody else was quicker.
    pub(super) async fn keep(
        &self,
        header: &Header,
        by: &Caller,
        change: Change,
        what: What,
        batch: Batch,
    ) -> Result<bool, CredentialError> {
        let id = header.id();
        let entry = Entry::change(&id.workspace, RecordKind::Credential, by, change).integration(&id.integration, None);
        let told = CredentialChange { id, generation: header.generation, what };
        let (state, changes) = (self.state(), self.inner.changes.clone());
        // On its own: whoever asked may go away, and what is durable is told all the same.
        let kept = tokio::spawn(async move {
            let kept = match what {
                // The master key may be away.
                What::Revoked | What::Removed => state.restrict(vec![entry], batch).await,
                _ => state.commit(vec![entry], batch).await,
            };
            // After another error than a conflict nobody knows whether it was kept. Who looks once too often loses nothing.
            if !matches!(kept, Err(StateError::Ledger(LedgerError::Conflict { .. }))) {
                drop(changes.send(told));
            }
            kept
        });
        match kept.await.map_err(|_| LedgerError::Closed)? {
            Ok(()) => Ok(true),
            Err(StateError::Ledger(LedgerError::Conflict { .. })) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Before {
    /// Whether the ledger knows of a later change.
    pub(super) fn rolled_back(&self) -> bool {
        let revision = self.header.as_ref().map_or(0, |header| header.revision);
        self.newest.as_ref().is_some_and(|newest| newest.revision > revision)
    }

    /// What stays good beside the new one: only what is good now.
    fn overlaps(&self, rotate: Option<Overlap>, now: Timestamp) -> Option<(Previous, Vec<u8>)> {
        let Some(Overlap::For(long)) = rotate else { return None };
        let good = |header: &&Header| header.state == KeptState::Active && self.vouched && !self.rolled_back();
        let header = self.header.as_ref().filter(good)?;
        // What has no end in the calendar has the last one there is.
        let until = now.saturating_add(long).unwrap_or(Timestamp::MAX);
        Some((Previous { generation: header.generation, until }, self.stored.clone()?))
    }
}

/// What the ledger tells of a change.
pub(super) fn changed(what: What, header: &Header) -> Change {
    let mut change = Change { action: what.as_str().to_owned(), of: header.slot.clone(), ..Change::default() };
    let mut detail = |name: &str, value: String| drop(change.details.insert(name.to_owned(), value));
    detail("generation", header.generation.to_string());
    detail("revision", header.revision.to_string());
    detail("kind", header.kind.as_str().to_owned());
    if let Some(expires) = header.expires {
        detail("expires", expires.to_string());
    }
    if let Some(origins) = &header.origins {
        detail("origins", told_origins(origins));
    }
    change
}

/// Origins in a record: the first few, and how many there are.
fn told_origins(origins: &BTreeSet<String>) -> String {
    let named: Vec<&str> = origins.iter().take(MAX_TOLD).map(String::as_str).collect();
    let more = origins.len().saturating_sub(MAX_TOLD);
    if more > 0 { format!("{} and {more} more", named.join(" ")) } else { named.join(" ") }
}

/// The record of what was handed over.
fn sealed(
    id: &CredentialId,
    header: &mut Header,
    given: &Given,
    sealing: &Sealing,
) -> Result<Vec<u8>, CredentialError> {
    header.key = sealing.keys.current;
    let (clear, secret) = (header.to_bytes(), encode(&given.secrets));
    let bytes = clear.len() + secret.len();
    if bytes > MAX_BYTES {
        return Err(CredentialError::TooLarge { id: id.clone(), bytes, limit: MAX_BYTES });
    }
    Ok(sealing.keys.sealing()?.seal(&place(id, Purpose::Credential), &clear, secret)?)
}
