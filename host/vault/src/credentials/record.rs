//! A credential's record: a header in clear, which is what `list` shows, and what is sealed under it. The whole header is
//! bound by the seal. A revoked credential is a header alone: its secrets are gone, and no key is needed to revoke one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CredentialId, CredentialInfo, Expiring, Previous, ReadError, ReadProblem, State, places};
use crate::{
    material::Kind,
    seal::{Frame, Place, Purpose},
};

const VERSION: u8 = 1;

/// What is kept of a credential's state: the rest follows from the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeptState {
    Active,
    Revoked,
    NeedsReconnect,
}

/// What stands in clear before what is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) v: u8,
    pub(super) workspace: String,
    pub(super) integration: String,
    pub(super) slot: String,
    pub(super) kind: Kind,
    /// Counts what was handed over for this slot.
    pub(super) generation: u64,
    /// Counts all changes of this slot: what the ledger is compared with.
    pub(super) revision: u64,
    /// The number of the data key that sealed it.
    pub(super) key: u32,
    pub(super) state: KeptState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) fields: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    pub(super) created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Previous>,
    /// Which of its secrets can be guessed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) weak: Vec<String>,
    /// The origins that it was given for; none where that was not said yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origins: Option<BTreeSet<String>>,
}

impl Header {
    pub(super) fn new(id: &CredentialId, kind: Kind, created: Timestamp, created_by: &str) -> Self {
        Self {
            v: VERSION,
            workspace: id.workspace.clone(),
            integration: id.integration.clone(),
            slot: id.slot.clone(),
            kind,
            generation: 1,
            revision: 1,
            key: 0,
            state: KeptState::Active,
            why: None,
            fields: BTreeMap::new(),
            created,
            created_by: created_by.to_owned(),
            expires: None,
            previous: None,
            weak: Vec::new(),
            origins: None,
        }
    }

    /// The header of a record that should be this credential's.
    pub(super) fn of(id: &CredentialId, record: &[u8]) -> Result<Self, ReadError> {
        let wrong = |problem| ReadError::new(id.named(None), problem);
        let frame = Frame::read(record).ok_or_else(|| wrong(ReadProblem::Form("it is cut short".to_owned())))?;
        let header = serde_json::from_slice::<Self>(frame.header)
            .map_err(|_| wrong(ReadProblem::Form("its header cannot be read".to_owned())))?;
        if header.v != VERSION {
            return Err(wrong(ReadProblem::Form(format!("it has version {}, which is not known here", header.v))));
        }
        let found = header.id();
        if found != *id {
            let found = found.named(Some(header.generation));
            return Err(wrong(ReadProblem::Swapped { found }));
        }
        Ok(header)
    }

    pub(super) fn id(&self) -> CredentialId {
        CredentialId::new(&self.workspace, &self.integration, &self.slot)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn named(&self) -> String {
        self.id().named(Some(self.generation))
    }

    pub(super) fn info(
        &self,
        now: Timestamp,
        expiring: &Expiring,
        (last_used, used_by): (Option<Timestamp>, BTreeSet<String>),
    ) -> CredentialInfo {
        let state = match self.state {
            KeptState::Revoked => State::Revoked,
            KeptState::NeedsReconnect => State::NeedsReconnect,
            KeptState::Active => expiring.state(self.created, self.expires, now),
        };
        CredentialInfo {
            id: self.id(),
            kind: self.kind,
            state,
            why: self.why.clone(),
            generation: self.generation,
            fields: self.fields.clone(),
            created: self.created,
            created_by: self.created_by.clone(),
            expires: self.expires,
            previous: self.previous.filter(|previous| previous.until > now),
            weak: self.weak.clone(),
            origins: self.origins.clone(),
            last_used,
            used_by,
        }
    }
}

/// Which credential a record is, with its generation and its revision, as its header says: to be compared with what the ledger
/// tells. None for one that is no credential's, or cannot be read; and for one before the one in the slot.
pub fn credential_numbers(key: &[u8], record: &[u8]) -> Option<(CredentialId, u64, u64)> {
    let (id, None) = places::read(key).filter(|_| key.starts_with(b"C"))? else { return None };
    let header = Header::of(&id, record).ok()?;
    Some((id, header.generation, header.revision))
}

/// Whether a record gives nothing to anybody: a revoked credential's, which has no secret. No key is needed to make one.
pub(crate) fn gives_nothing(key: &[u8], record: &[u8]) -> bool {
    let Some((id, None)) = places::read(key).filter(|_| key.starts_with(b"C")) else { return false };
    let revoked = Header::of(&id, record).is_ok_and(|header| header.state == KeptState::Revoked);
    revoked && Frame::read(record).is_some_and(|frame| frame.sealed.is_empty())
}

/// What a credential is sealed for.
pub(super) fn place(id: &CredentialId, purpose: Purpose) -> Place<'_> {
    Place { purpose, workspace: &id.workspace, integration: &id.integration, slot: &id.slot }
}
