//! An integration's credentials, held against the ledger, to be opened when they are needed. Reading the store and unwrapping
//! the data key happen when they are loaded; opening one is AES alone.

use std::{collections::BTreeMap, sync::Arc};

use portcullis_gate::Named;

use super::{
    CredentialError, CredentialId, CredentialInfo, Credentials, ReadError, ReadProblem,
    newest::Newest,
    places,
    record::{Header, KeptState, place},
};
use crate::{
    material::Given,
    seal::{Frame, Purpose, SealKey, decode},
    state::{StateError, Unvouched},
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

/// What is wrong with records where the key of the state cannot be had.
fn key_problem(error: CredentialError) -> ReadProblem {
    match error {
        CredentialError::Unreadable(error) => error.problem,
        error => ReadProblem::Key(error.to_string()),
    }
}

/// What is wrong with a record that the state does not vouch for.
fn problem_of(refused: Unvouched) -> ReadProblem {
    match refused {
        Unvouched::Changed => ReadProblem::Edited,
        Unvouched::Unknown => ReadProblem::Unrecorded,
        other => ReadProblem::Unvouched(other),
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
        Named::Workspace.check(workspace)?;
        Named::Integration.check(integration)?;
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
        let prefix = places::credentials(workspace, Some(integration));
        // Where the state cannot be asked, that is what is wrong with each of them.
        let (judged, unasked) = match self.state().scan(&prefix).await {
            Ok(judged) => (judged, None),
            Err(StateError::Key(error)) => (BTreeMap::new(), Some(key_problem(*error))),
            Err(error) => return Err(error.into()),
        };
        let mut refused: BTreeMap<Vec<u8>, Unvouched> =
            judged.iter().filter_map(|(key, value)| Some((key.clone(), *value.as_ref().err()?))).collect();
        for (key, record) in self.scan(prefix).await? {
            // What was changed since it was judged is judged anew: `load` reads again.
            let same = judged.get(&key).is_some_and(|value| value.as_ref().map_or(true, |value| *value == record));
            if !same {
                refused.insert(key.clone(), Unvouched::Changed);
            }
            match places::read(&key) {
                Some((id, None)) => drop(slots.insert(id.slot.clone(), (id, record))),
                Some((id, Some(generation))) => drop(before.insert((id.slot, generation), record)),
                None => {}
            }
        }
        let mut loaded = BTreeMap::new();
        for (slot, (id, record)) in slots {
            let newest = newest.get(&slot);
            if let (Some(problem), Ok(header)) = (&unasked, Header::of(&id, &record)) {
                let used = self.used_of(&id).await?;
                let error = ReadError::new(header.named(), problem.clone());
                let info = Some(header.info(self.now(), &self.expiring, used));
                loaded.insert(slot, Stored { info, current: Err(error), previous: None });
                continue;
            }
            let refused_now = refused.get(&id.credential()).copied();
            let mut stored = match Header::of(&id, &record) {
                Ok(header) => self.current(id.clone(), header, record, newest, refused_now).await?,
                Err(mut error) => {
                    error.record = id.named(newest.map(|newest| newest.generation));
                    Stored { info: None, current: Err(error), previous: None }
                }
            };
            if let (Ok(_), Some(overlap)) = (&stored.current, stored.info.as_ref().and_then(|info| info.previous)) {
                let record = before.remove(&(slot.clone(), overlap.generation));
                let refused = refused.get(&id.generation(overlap.generation)).copied();
                stored.previous = Some(self.previous(&id, overlap.generation, record, refused).await?);
            }
            loaded.insert(slot, stored);
        }
        // The ledger may say more than the state, and never less.
        let gone = refused.iter().filter(|(_, why)| **why == Unvouched::Missing);
        let gone = gone.filter_map(|(key, _)| places::read(key).filter(|(_, generation)| generation.is_none()));
        let told = newest.iter().filter(|(_, newest)| !newest.removed()).map(|(slot, _)| slot.clone());
        for slot in told.chain(gone.map(|(id, _)| id.slot)) {
            if loaded.contains_key(&slot) {
                continue;
            }
            let id = CredentialId::new(workspace, integration, &slot);
            let newest = newest.get(&slot);
            let action = newest.map_or_else(|| "added".to_owned(), |newest| newest.action.clone());
            let record = id.named(newest.map(|newest| newest.generation));
            let error = ReadError::new(record, ReadProblem::Missing { action });
            loaded.insert(slot, Stored { info: None, current: Err(error), previous: None });
        }
        Ok(loaded)
    }

    async fn current(
        &self,
        id: CredentialId,
        header: Header,
        record: Vec<u8>,
        newest: Option<&Newest>,
        refused: Option<Unvouched>,
    ) -> Result<Stored, CredentialError> {
        let used = self.used_of(&id).await?;
        let info = Some(header.info(self.now(), &self.expiring, used));
        let problem = match newest {
            Some(newest) if header.revision < newest.revision => Some(ReadProblem::RolledBack {
                here: header.revision,
                ledger: newest.revision,
                action: newest.action.clone(),
                generation: newest.generation,
            }),
            _ if refused.is_some() => refused.map(problem_of),
            _ if header.state == KeptState::Revoked => Some(ReadProblem::Revoked),
            _ => None,
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
        refused: Option<Unvouched>,
    ) -> Result<Result<Sealed, ReadError>, CredentialError> {
        let wrong = |problem| Ok(Err(ReadError::new(id.named(Some(generation)), problem)));
        let Some(record) = record else { return wrong(ReadProblem::Missing { action: "rotated".to_owned() }) };
        match Header::of(id, &record) {
            Ok(header) if header.generation != generation => wrong(ReadProblem::Swapped { found: header.named() }),
            Ok(header) => match refused {
                Some(refused) => wrong(problem_of(refused)),
                None => self.sealed(id.clone(), header, record).await,
            },
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
