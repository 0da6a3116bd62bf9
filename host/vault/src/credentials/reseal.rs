//! Changing what is said of a credential and not the credential: a person has to agree again, or has. The header is bound by
//! the seal, so what is sealed is opened and sealed anew.

use std::collections::BTreeSet;

use portcullis_ledger::Caller;
use portcullis_store::Batch;

use super::{
    CredentialError, CredentialId, Credentials, ReadError, ReadProblem, TRIES, What,
    change::changed,
    data_keys::{Sealing, busy},
    host,
    record::{Header, KeptState, place},
};
use crate::seal::{Frame, Purpose};

impl Credentials {
    /// An authorization server refused this generation for good: a person has to agree again. Nothing is changed where
    /// another one is in the slot by now.
    pub async fn needs_reconnect(&self, id: &CredentialId, generation: u64, why: &str) -> Result<(), CredentialError> {
        self.turn(id, Some(generation), KeptState::NeedsReconnect, Some(why), &host()).await
    }

    /// A person has agreed again, and what is in the slot can be used. Where they handed something over, it is rotated instead.
    pub async fn reconnected(&self, id: &CredentialId, by: &Caller) -> Result<(), CredentialError> {
        self.turn(id, None, KeptState::Active, None, by).await
    }

    /// Binds a credential to the origins that it may be sent to, in place of those that it was given for. An operator asks for
    /// it; or nobody had said yet what it was given for.
    pub async fn bind(
        &self,
        id: &CredentialId,
        origins: &BTreeSet<String>,
        by: &Caller,
    ) -> Result<(), CredentialError> {
        let bind = |header: &mut Header| {
            let change = header.origins.as_ref() != Some(origins);
            header.origins = Some(origins.clone());
            change
        };
        self.say(id, bind, What::Bound, None, by).await
    }

    async fn turn(
        &self,
        id: &CredentialId,
        generation: Option<u64>,
        state: KeptState,
        why: Option<&str>,
        by: &Caller,
    ) -> Result<(), CredentialError> {
        let turn = |header: &mut Header| {
            if generation.is_some_and(|generation| generation != header.generation) || header.state == state {
                return false;
            }
            header.state = state;
            header.why = why.map(str::to_owned);
            true
        };
        let what = if state == KeptState::Active { What::Reconnected } else { What::NeedsReconnect };
        self.say(id, turn, what, why, by).await
    }

    /// Changes a header, where `change` says that there is something to change.
    async fn say(
        &self,
        id: &CredentialId,
        change: impl Fn(&mut Header) -> bool,
        what: What,
        why: Option<&str>,
        by: &Caller,
    ) -> Result<(), CredentialError> {
        id.check()?;
        for _ in 0..TRIES {
            let before = self.vouched_before(id).await?;
            let Some(stored) = &before.stored else { return Err(CredentialError::None(id.clone())) };
            let mut header = Header::of(id, stored)?;
            if let Some(newest) = before.newest.as_ref().filter(|_| before.rolled_back()) {
                let problem = ReadProblem::RolledBack {
                    here: header.revision,
                    ledger: newest.revision,
                    action: newest.action.clone(),
                    generation: newest.generation,
                };
                return Err(ReadError::new(header.named(), problem).into());
            }
            if !before.vouched {
                return Err(ReadError::new(header.named(), ReadProblem::Edited).into());
            }
            let revoked = header.state == KeptState::Revoked;
            if !change(&mut header) {
                return Ok(());
            }
            if revoked {
                return Err(CredentialError::Revoked(id.clone()));
            }
            let sealing = self.sealing(&id.workspace).await?;
            header.revision = header.revision.saturating_add(1);
            let record = self.resealed(id, stored, header.clone(), &sealing).await?;
            let mut batch = Batch::new().check(id.credential(), Some(stored.clone())).put(id.credential(), record);
            sealing.check(&id.workspace, &mut batch);
            let mut told = changed(what, &header);
            if let Some(why) = why {
                told.details.insert("reason".to_owned(), why.to_owned());
            }
            if self.keep(&header, by, told, what, batch).await? {
                return Ok(());
            }
        }
        Err(busy(&id.credential()))
    }

    /// A record with another header, sealed by the key that seals now.
    pub(super) async fn resealed(
        &self,
        id: &CredentialId,
        record: &[u8],
        mut header: Header,
        sealing: &Sealing,
    ) -> Result<Vec<u8>, CredentialError> {
        let place = place(id, Purpose::Credential);
        let before = Header::of(id, record)?;
        let wrong = |problem| ReadError::new(before.named(), problem);
        let frame = Frame::read(record).ok_or_else(|| wrong(ReadProblem::Edited))?;
        let key = self.data_key(&id.workspace, before.key).await?.map_err(wrong)?;
        let secret = key.open(&place, &frame).map_err(|_| wrong(ReadProblem::Edited))?;
        header.key = sealing.keys.current;
        Ok(sealing.keys.sealing()?.seal(&place, &header.to_bytes(), secret)?)
    }
}
