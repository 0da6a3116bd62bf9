//! What authorization servers gave: sealed bytes beside the credential that they were got with. They change often, so they are
//! records of their own and not the ledger's, each with a counter: who keeps one says which one it comes after.

use portcullis_store::{Batch, StoreError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    CredentialError, CredentialId, Credentials, ReadError, ReadProblem, TRIES,
    data_keys::busy,
    record::{Header, KeptState, place},
};
use crate::seal::{Frame, Purpose};

const VERSION: u8 = 1;

/// A token as it was kept.
pub struct KeptToken {
    /// Counts the tokens of this generation, from 1.
    pub counter: u64,
    /// The bytes that were kept.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for KeptToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptToken").field("counter", &self.counter).finish_non_exhaustive()
    }
}

/// What stands in clear before a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenHeader {
    v: u8,
    workspace: String,
    integration: String,
    slot: String,
    /// Of which generation of the credential.
    generation: u64,
    counter: u64,
    /// The number of the data key that sealed it.
    pub(super) key: u32,
}

impl TokenHeader {
    pub(super) fn of(id: &CredentialId, record: &[u8]) -> Result<Self, ReadError> {
        let wrong = |problem| ReadError::new(format!("the token of {}", id.named(None)), problem);
        let frame = Frame::read(record).ok_or_else(|| wrong(ReadProblem::Form("it is cut short".to_owned())))?;
        let header = serde_json::from_slice::<Self>(frame.header)
            .ok()
            .filter(|header| header.v == VERSION)
            .ok_or_else(|| wrong(ReadProblem::Form("its header cannot be read".to_owned())))?;
        let found = CredentialId::new(&header.workspace, &header.integration, &header.slot);
        if found != *id {
            let found = format!("the token of {}", found.named(Some(header.generation)));
            return Err(wrong(ReadProblem::Swapped { found }));
        }
        Ok(header)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Credentials {
    /// Keeps a token of this generation, after the one with this counter: none for the first. Says its counter.
    ///
    /// [`CredentialError::TokenMoved`] says that another one was kept meanwhile, [`CredentialError::Superseded`] or
    /// [`CredentialError::Revoked`] that the credential is another one by now: nothing was kept then.
    pub async fn save_token(
        &self,
        id: &CredentialId,
        generation: u64,
        after: Option<u64>,
        token: &Zeroizing<Vec<u8>>,
    ) -> Result<u64, CredentialError> {
        id.check()?;
        for _ in 0..TRIES {
            let credential = self.store().get(&id.credential()).await?;
            let record = credential.as_deref().ok_or_else(|| CredentialError::None(id.clone()))?;
            let header = Header::of(id, record)?;
            if header.generation != generation {
                return Err(CredentialError::Superseded { id: id.clone(), generation, now: header.generation });
            }
            if header.state == KeptState::Revoked {
                return Err(CredentialError::Revoked(id.clone()));
            }
            let before = self.store().get(&id.token()).await?;
            // One that cannot be read, or of another generation, is as good as none.
            let now = before.as_deref().and_then(|record| TokenHeader::of(id, record).ok());
            let now = now.filter(|now| now.generation == generation).map(|now| now.counter);
            if now != after {
                return Err(CredentialError::TokenMoved { id: id.clone() });
            }
            let sealing = self.sealing(&id.workspace).await?;
            let counter = after.unwrap_or(0).saturating_add(1);
            let header = TokenHeader {
                v: VERSION,
                workspace: id.workspace.clone(),
                integration: id.integration.clone(),
                slot: id.slot.clone(),
                generation,
                counter,
                key: sealing.keys.current,
            };
            let secret = Zeroizing::new(token.to_vec());
            let sealed = sealing.keys.sealing()?.seal(&place(id, Purpose::Token), &header.to_bytes(), secret)?;
            let mut batch = Batch::new().check(id.token(), before).put(id.token(), sealed);
            // A token of what was revoked or rotated meanwhile is not kept.
            batch.expect(id.credential(), credential);
            sealing.check(&id.workspace, &mut batch);
            match self.store().commit(batch).await {
                Ok(()) => return Ok(counter),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy(&id.token()))
    }

    /// The token of this generation; none where there is none, or one of another generation.
    pub async fn load_token(&self, id: &CredentialId, generation: u64) -> Result<Option<KeptToken>, CredentialError> {
        id.check()?;
        let Some(record) = self.store().get(&id.token()).await? else { return Ok(None) };
        let header = TokenHeader::of(id, &record)?;
        if header.generation != generation {
            return Ok(None);
        }
        let bytes = self.open_token(id, &header, &record).await?;
        Ok(Some(KeptToken { counter: header.counter, bytes }))
    }

    /// Forgets the token of this generation with this counter. Nothing is done where there is another one by now.
    pub async fn drop_token(&self, id: &CredentialId, generation: u64, counter: u64) -> Result<(), CredentialError> {
        id.check()?;
        let Some(record) = self.store().get(&id.token()).await? else { return Ok(()) };
        let header = TokenHeader::of(id, &record)?;
        if header.generation != generation || header.counter != counter {
            return Ok(());
        }
        match self.store().commit(Batch::new().check(id.token(), Some(record)).delete(id.token())).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn open_token(
        &self,
        id: &CredentialId,
        header: &TokenHeader,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
        let named = format!("the token of {}", id.named(Some(header.generation)));
        let wrong = |problem| ReadError::new(named.clone(), problem);
        let frame = Frame::read(record).ok_or_else(|| wrong(ReadProblem::Edited))?;
        let key = self.data_key(&id.workspace, header.key).await?.map_err(wrong)?;
        Ok(key.open(&place(id, Purpose::Token), &frame).map_err(|_| wrong(ReadProblem::Edited))?)
    }
}
