//! An integration's credentials, held against the ledger, to be opened when they are needed. Reading the store and unwrapping
//! the data key happen when they are loaded; opening one is AES alone.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    CredentialError, CredentialId, CredentialInfo, Credentials, ReadError, ReadProblem,
    newest::Newest,
    places,
    record::{Header, KeptState, place},
};
use crate::{
    material::Given,
    seal::{Frame, Purpose, SealKey, decode},
};

/// How often an integration is read anew where something seems wrong: it may have been changed in between.
const READS: usize = 3;

/// What is in a slot, or why that cannot be told.
#[derive(Debug)]
pub struct Stored {
    info: Option<CredentialInfo>,
    current: Result<Sealed, ReadError>,
    previous: Option<Result<Sealed, ReadError>>,
}

/// A record and the key to it.
struct Sealed {
    id: CredentialId,
    header: Header,
    record: Vec<u8>,
    key: Arc<SealKey>,
}

impl Stored {
    /// What is told of it; none where its record is missing or its header cannot be read. It is as it is written, and held
    /// against its seal when it is opened.
    pub fn info(&self) -> Option<&CredentialInfo> {
        self.info.as_ref()
    }

    /// Decrypts it. Not to be asked for one that was revoked: there is nothing left of it.
    pub fn open(&self) -> Result<Given, ReadError> {
        self.current.as_ref().map_err(Clone::clone)?.open()
    }

    /// Decrypts the one before it, where both are good.
    pub fn open_previous(&self) -> Option<Result<Given, ReadError>> {
        Some(self.previous.as_ref()?.as_ref().map_err(Clone::clone).and_then(Sealed::open))
    }

    /// Whether the same records are behind both: then what one opened to is what the other would.
    pub fn is_as(&self, other: &Self) -> bool {
        fn record(of: &Result<Sealed, ReadError>) -> Result<&[u8], &ReadError> {
            of.as_ref().map(|sealed| sealed.record.as_slice())
        }
        record(&self.current) == record(&other.current)
            && self.previous.as_ref().map(record) == other.previous.as_ref().map(record)
    }

    /// Why it cannot be opened, where that is known already.
    pub fn problem(&self) -> Option<&ReadError> {
        self.current.as_ref().err()
    }
}

impl Sealed {
    fn open(&self) -> Result<Given, ReadError> {
        let edited = || ReadError::new(self.header.named(), ReadProblem::Edited);
        let frame = Frame::read(&self.record).ok_or_else(edited)?;
        let secret = self.key.open(&place(&self.id, Purpose::Credential), &frame).map_err(|_| edited())?;
        let secrets = decode(&secret).ok_or_else(edited)?;
        Ok(Given { kind: self.header.kind, fields: self.header.fields.clone(), secrets })
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sealed").field(&self.header.named()).finish()
    }
}

impl Credentials {
    /// What an integration has, by slot. A slot whose record is missing, edited, swapped, rolled back, or under another key,
    /// is there and says so when it is opened; the others are not touched by that.
    pub async fn load(&self, workspace: &str, integration: &str) -> Result<BTreeMap<String, Stored>, CredentialError> {
        CredentialId::new(workspace, integration, "-").check()?;
        let mut reads = 0;
        loop {
            // The ledger first: what the store has is then as new, or newer.
            let newest = self.newest(workspace, integration).await?;
            let slots = self.read(workspace, integration, &newest).await?;
            reads += 1;
            let wrong = |stored: &Stored| stored.problem().is_some_and(|error| error.problem != ReadProblem::Revoked);
            if reads == READS || !slots.values().any(wrong) {
                return Ok(slots);
            }
        }
    }

    async fn read(
        &self,
        workspace: &str,
        integration: &str,
        newest: &BTreeMap<String, Newest>,
    ) -> Result<BTreeMap<String, Stored>, CredentialError> {
        let mut slots = BTreeMap::new();
        let mut before = BTreeMap::new();
        for (key, record) in self.scan(places::credentials(workspace, Some(integration))).await? {
            match places::read(&key) {
                Some((id, None)) => drop(slots.insert(id.slot.clone(), (id, record))),
                Some((id, Some(generation))) => drop(before.insert((id.slot, generation), record)),
                None => {}
            }
        }
        let mut loaded = BTreeMap::new();
        for (slot, (id, record)) in slots {
            let newest = newest.get(&slot);
            let mut stored = match Header::of(&id, &record) {
                Ok(header) => self.current(id.clone(), header, record, newest).await?,
                Err(mut error) => {
                    error.record = id.named(newest.map(|newest| newest.generation));
                    Stored { info: None, current: Err(error), previous: None }
                }
            };
            if let (Ok(_), Some(overlap)) = (&stored.current, stored.info.as_ref().and_then(|info| info.previous)) {
                let record = before.remove(&(slot.clone(), overlap.generation));
                stored.previous = Some(self.previous(&id, overlap.generation, record).await?);
            }
            loaded.insert(slot, stored);
        }
        for (slot, newest) in newest {
            if newest.removed() || loaded.contains_key(slot) {
                continue;
            }
            let id = CredentialId::new(workspace, integration, slot);
            let problem = ReadProblem::Missing { action: newest.action.clone() };
            let error = ReadError::new(id.named(Some(newest.generation)), problem);
            loaded.insert(slot.clone(), Stored { info: None, current: Err(error), previous: None });
        }
        Ok(loaded)
    }

    async fn current(
        &self,
        id: CredentialId,
        header: Header,
        record: Vec<u8>,
        newest: Option<&Newest>,
    ) -> Result<Stored, CredentialError> {
        let used = self.used_of(&id).await?;
        let info = Some(header.info(self.now(), &self.expiring, used));
        let problem = match newest {
            None => Some(ReadProblem::Unrecorded),
            Some(newest) if header.revision < newest.revision => Some(ReadProblem::RolledBack {
                here: header.revision,
                ledger: newest.revision,
                action: newest.action.clone(),
                generation: newest.generation,
            }),
            Some(_) if header.state == KeptState::Revoked => Some(ReadProblem::Revoked),
            Some(_) => None,
        };
        let current = match problem {
            Some(problem) => Err(ReadError::new(header.named(), problem)),
            None => self.sealed(id, header, record).await?,
        };
        Ok(Stored { info, current, previous: None })
    }

    async fn previous(
        &self,
        id: &CredentialId,
        generation: u64,
        record: Option<Vec<u8>>,
    ) -> Result<Result<Sealed, ReadError>, CredentialError> {
        let wrong = |problem| Ok(Err(ReadError::new(id.named(Some(generation)), problem)));
        let Some(record) = record else { return wrong(ReadProblem::Missing { action: "rotated".to_owned() }) };
        match Header::of(id, &record) {
            Ok(header) if header.generation != generation => wrong(ReadProblem::Swapped { found: header.named() }),
            Ok(header) => self.sealed(id.clone(), header, record).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn sealed(
        &self,
        id: CredentialId,
        header: Header,
        record: Vec<u8>,
    ) -> Result<Result<Sealed, ReadError>, CredentialError> {
        let key = self.data_key(&id.workspace, header.key).await?;
        let named = header.named();
        Ok(match key {
            Ok(key) => Ok(Sealed { id, header, record, key }),
            Err(problem) => Err(ReadError::new(named, problem)),
        })
    }
}
