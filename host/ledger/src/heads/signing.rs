//! Making the next signed head: what grew since the last one, signed, and kept only if nobody else did so meanwhile.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use portcullis_store::{Batch, Scan, Store, StoreError};

use super::{
    At, HeadError, Signer,
    signed::{HEAD_VERSION, HeadBody, MAX_HEADS, SignedHead},
};
use crate::{
    Clock,
    chain::{read_head, read_line},
    error::LedgerError,
    hash::Hash,
    keys, state,
};

/// How often it is made anew because another host signed at the same moment.
const TRIES: usize = 100;

pub(super) struct Signing {
    pub(super) store: Arc<dyn Store>,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) clock: Arc<dyn Clock>,
    /// The last signed head, as far as is known here.
    last: Option<SignedHead>,
    /// What was signed last of each chain.
    signed: HashMap<String, At>,
}

impl Signing {
    /// Reads what was signed last.
    pub(super) async fn load(
        store: Arc<dyn Store>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HeadError> {
        let last = last_signed(store.as_ref()).await?;
        Ok(Self { store, signer, clock, last, signed: HashMap::new() })
    }

    pub(super) fn last(&self) -> Option<&SignedHead> {
        self.last.as_ref()
    }

    /// Signs what grew; none where nothing did. Where more chains grew than one signed head names, there are several.
    pub(super) async fn sign(&mut self) -> Result<Vec<Arc<SignedHead>>, HeadError> {
        let mut made = Vec::new();
        loop {
            let state = self.state().await?;
            let grown = self.grown().await?;
            if grown.is_empty() && state == self.signed_state() {
                return Ok(made);
            }
            made.push(Arc::new(self.sign_these(grown, state).await?));
        }
    }

    /// What the last signed head says of what authorises.
    fn signed_state(&self) -> Option<At> {
        self.last.as_ref().and_then(|last| last.head.state)
    }

    /// How far what authorises is, which is never less than was signed.
    async fn state(&self) -> Result<Option<At>, HeadError> {
        if let Some(last) = &self.last {
            state_reached(self.store.as_ref(), last, &self.store.place()).await?;
        }
        Ok(state::stored(self.store.as_ref()).await?.map(|state| state.at()))
    }

    async fn sign_these(
        &mut self,
        mut grown: BTreeMap<String, At>,
        mut state: Option<At>,
    ) -> Result<SignedHead, HeadError> {
        for _ in 0..TRIES {
            let next = self.make(std::mem::take(&mut grown), state).await?;
            let mut batch = Batch::new();
            if let Some(last) = &self.last {
                batch.expect(keys::signed(last.head.seq), Some(last.line().into_bytes()));
            }
            batch.expect(keys::signed(next.head.seq), None);
            batch.insert(keys::signed(next.head.seq), next.line());
            for (workspace, at) in &next.head.heads {
                let value = [next.head.seq.to_be_bytes().as_slice(), at.hash.as_bytes()].concat();
                batch.insert(keys::covering(workspace, at.seq), value);
            }
            match self.store.commit(batch).await {
                Ok(()) => {
                    self.signed.extend(next.head.heads.iter().map(|(name, at)| (name.clone(), *at)));
                    self.last = Some(next.clone());
                    return Ok(next);
                }
                // Another host was quicker. Or, after an error that told nothing, it was this one.
                Err(StoreError::Conflict { .. }) => {
                    self.reload().await?;
                    state = self.state().await?;
                    grown = self.grown().await?;
                    if grown.is_empty()
                        && state == self.signed_state()
                        && let Some(last) = &self.last
                    {
                        return Ok(last.clone());
                    }
                }
                Err(error) => {
                    // Whether it was kept is not known.
                    self.reload().await?;
                    return Err(error.into());
                }
            }
        }
        Err(LedgerError::Conflict { key: "the last signed head".to_owned() }.into())
    }

    async fn reload(&mut self) -> Result<(), HeadError> {
        self.signed.clear();
        self.last = last_signed(self.store.as_ref()).await?;
        Ok(())
    }

    async fn make(&self, heads: BTreeMap<String, At>, state: Option<At>) -> Result<SignedHead, HeadError> {
        let now = self.clock.now();
        let head = HeadBody {
            heads,
            key: self.signer.public_key().id(),
            prev: self.last.as_ref().map_or_else(HeadBody::genesis, SignedHead::hash),
            seq: self.last.as_ref().map_or(1, |last| last.head.seq + 1),
            state,
            time: self.last.as_ref().map_or(now, |last| now.max(last.head.time)),
            v: if state.is_some() { HEAD_VERSION } else { 1 },
        };
        let bytes = head.bytes().map_err(LedgerError::Entry)?;
        Ok(SignedHead { signature: self.signer.sign(&bytes).await?, head })
    }

    /// The chains that grew since they were last signed, as many as one signed head names.
    async fn grown(&mut self) -> Result<BTreeMap<String, At>, HeadError> {
        let mut grown = BTreeMap::new();
        let mut scan = Scan::prefix(keys::HEADS);
        loop {
            let page = self.store.scan(&scan).await?;
            for (key, value) in &page.entries {
                let Some(workspace) = keys::workspace_of_head(key) else { continue };
                let head = read_head(workspace, value)?;
                let now = At { hash: head.hash, seq: head.seq };
                let signed = match self.signed.get(workspace) {
                    Some(at) => Some(*at),
                    None => last_of(self.store.as_ref(), workspace).await?.map(|(at, _)| at),
                };
                if let Some(signed) = signed {
                    if !self.signed.contains_key(workspace) {
                        self.signed.insert(workspace.to_owned(), signed);
                    }
                    let place = self.store.place();
                    if now.seq < signed.seq {
                        // Unless another host wrote and signed since this page was read.
                        still_there(self.store.as_ref(), workspace, signed, 0, &place).await?;
                        continue;
                    }
                    if now.seq == signed.seq && now.hash != signed.hash {
                        return Err(rewritten(workspace, now.seq, signed.seq, self.last.as_ref(), place));
                    }
                }
                if signed.is_none_or(|signed| now.seq > signed.seq) {
                    grown.insert(workspace.to_owned(), now);
                    if grown.len() == MAX_HEADS {
                        return Ok(grown);
                    }
                }
            }
            match page.next {
                Some(next) => scan = scan.after(next),
                None => return Ok(grown),
            }
        }
    }
}

fn rewritten(workspace: &str, found: u64, signed: u64, head: Option<&SignedHead>, place: String) -> HeadError {
    let head = head.map_or(0, |head| head.head.seq);
    HeadError::Rewritten { workspace: workspace.to_owned(), found, signed, head, place }
}

/// The last signed head of a store.
pub(super) async fn last_signed(store: &dyn Store) -> Result<Option<SignedHead>, HeadError> {
    let page = store.scan(&keys::all_signed().descending().entries(1)).await?;
    let Some((key, value)) = page.entries.first() else { return Ok(None) };
    read_signed(store, keys::seq_of_signed(key).unwrap_or(0), value).map(Some)
}

/// A signed head as it was read from a store.
pub(super) fn read_signed(store: &dyn Store, seq: u64, value: &[u8]) -> Result<SignedHead, HeadError> {
    let damaged = |what| HeadError::Damaged { seq, place: store.place(), what };
    let signed = SignedHead::parse(value).map_err(damaged)?;
    if signed.head.seq != seq {
        return Err(damaged(format!("it says of itself that it is number {}", signed.head.seq)));
    }
    Ok(signed)
}

/// What was signed last of a chain, and by which signed head.
pub(super) async fn last_of(store: &dyn Store, workspace: &str) -> Result<Option<(At, u64)>, HeadError> {
    named(store, workspace, 1, u64::MAX).await
}

/// The last record from one number to another that a signed head names, and that signed head.
pub(super) async fn named(
    store: &dyn Store,
    workspace: &str,
    from: u64,
    to: u64,
) -> Result<Option<(At, u64)>, HeadError> {
    let bound = |seq| std::ops::Bound::Included(keys::covering(workspace, seq));
    let page = store.scan(&Scan::range(bound(from), bound(to)).descending().entries(1)).await?;
    let Some((key, value)) = page.entries.first() else { return Ok(None) };
    let read = keys::seq_of_block(key).zip(value.split_first_chunk::<8>());
    let read = read.and_then(|(seq, (head, hash))| {
        Some((At { seq, hash: Hash::from_bytes(hash.try_into().ok()?) }, u64::from_be_bytes(*head)))
    });
    let what =
        || format!("what it says of the workspace `{}` cannot be read", portcullis_gate::printable(workspace, 128));
    read.map(Some).ok_or_else(|| HeadError::Damaged { seq: 0, place: store.place(), what: what() })
}

/// Whether a chain in the store still has the record that a signed head names.
pub(super) async fn still_there(
    store: &dyn Store,
    workspace: &str,
    at: At,
    head: u64,
    place: &str,
) -> Result<(), HeadError> {
    let found = store.get(&keys::head(workspace)).await?.map(|value| read_head(workspace, &value)).transpose()?;
    let found = found.map_or(0, |head| head.seq);
    if found < at.seq {
        let workspace = workspace.to_owned();
        return Err(HeadError::RolledBack { workspace, found, signed: at.seq, place: place.to_owned() });
    }
    match read_line(store, workspace, at.seq).await? {
        Some(line) if line.hash() == at.hash => Ok(()),
        _ => Err(HeadError::Rewritten {
            workspace: workspace.to_owned(),
            found,
            signed: at.seq,
            head,
            place: place.to_owned(),
        }),
    }
}

/// Whether what authorises is at least as far in the store as a signed head says, and led to the same there.
pub(super) async fn state_reached(store: &dyn Store, signed: &SignedHead, place: &str) -> Result<(), HeadError> {
    let Some(named) = signed.head.state else { return Ok(()) };
    let (place, head) = (place.to_owned(), signed.head.seq);
    let state = state::stored(store).await?;
    let found = state.as_ref().map_or(0, |state| state.at().seq);
    let Some(state) = state.filter(|_| found >= named.seq) else {
        return Err(HeadError::StateRolledBack { found, signed: named.seq, head, place });
    };
    match state.hash_at(named.seq) {
        // Where that change was taken into a later one, the later one's MAC says whether it is true.
        None => Ok(()),
        Some(hash) if hash == named.hash => Ok(()),
        Some(_) => Err(HeadError::StateRewritten { signed: named.seq, head, place }),
    }
}
