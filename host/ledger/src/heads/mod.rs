//! Signed heads: from time to time, where all chains end is signed and written to places that are not the store.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `signed.rs` | a signed head, and the one form in which it is written |
//! | `key.rs` | keys: in a file, or wherever a [`Signer`] has them |
//! | `signing.rs` | making the next one |
//! | `sink.rs` | where they go: files, writers, and whatever implements [`HeadSink`] |
//! | `delivery.rs` | bringing each sink what it has not got |
//! | `error.rs` | why heads are not signed |
//!
//! Signed heads are a chain of their own, over all workspaces. A signed head names the chains that grew since the one before
//! it, so that a host with thousands of workspaces does not write all of them again and again; the first names all.
//!
//! **What it shows.** Somebody with the disk can cut records off, put an older copy back, or change one and hash all after
//! it anew. What a sink has then names records that are not there, or other ones. When a host starts, what its sinks show
//! last must be in the store, or it does not start ([`HeadError::RolledBack`], [`HeadError::Rewritten`]). They name how far
//! what authorises was as well ([`crate::state`]): an old grant that is put back with all that vouched for it then is an older
//! state than was signed ([`HeadError::StateRolledBack`], [`HeadError::StateRewritten`]).
//!
//! **What it does not show.** Records since the last signed head, some seconds of them, have only the chain; and whoever
//! has the key can sign what they like, so it belongs neither beside the store nor beside the sinks.
//!
//! **A new key** needs no ceremony: each signed head names its key, and who verifies says which keys count.

mod delivery;
mod error;
mod key;
mod signed;
mod signing;
mod sink;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use portcullis_store::Store;
use tokio::{sync::watch, task::JoinHandle, time::MissedTickBehavior};

use self::{
    delivery::Delivery,
    signing::{Signing, last_of, named, read_signed, state_reached, still_there},
};
use crate::{Clock, SystemClock, hash::Hash, keys};

pub use error::HeadError;
pub use key::{FileSigner, KeyError, KeyId, PublicKey, SignError, Signer};
pub(crate) use signed::HEAD;
pub use signed::{At, HEAD_VERSION, HeadBody, Signature, SignedHead};
pub use sink::{FileSink, HeadSink, SinkError, WriterSink};

/// How heads are signed.
#[derive(Clone)]
pub struct HeadOptions {
    /// How often, if anything was recorded. 10 s unless set.
    pub interval: Duration,
    /// Where signed heads go.
    pub sinks: Vec<Arc<dyn HeadSink>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Whether the state of the store, which vouches for what authorises, is about to be made anew by somebody who has looked
    /// at it: then it need not be what was signed. What was recorded must be all the same.
    pub adopting: bool,
}

impl Default for HeadOptions {
    fn default() -> Self {
        let clock = Arc::new(SystemClock);
        Self { interval: Duration::from_secs(10), sinks: Vec::new(), clock, adopting: false }
    }
}

/// How signing and each sink are doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadsStatus {
    /// The last signed head.
    pub signed: u64,
    /// Why the last attempt to sign failed, if it did.
    pub error: Option<String>,
    /// Each sink.
    pub sinks: Vec<SinkStatus>,
}

/// How a sink is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// The last signed head that it took.
    pub written: u64,
    /// How many it has not got yet.
    pub waiting: u64,
    /// Why it took none at the last attempt, if it did not.
    pub error: Option<String>,
}

/// Signs heads while it lives. Calls never wait for it.
pub struct SignedHeads {
    inner: Arc<Inner>,
    tasks: Vec<JoinHandle<()>>,
}

struct Inner {
    signing: tokio::sync::Mutex<Signing>,
    last: watch::Sender<u64>,
    error: Mutex<Option<String>>,
    deliveries: Vec<Arc<Delivery>>,
}

impl SignedHeads {
    /// Begins to sign. What the sinks show last must be in the store; if not, the store is an older one or was changed.
    ///
    /// Must be called within a tokio runtime.
    pub async fn open(store: Arc<dyn Store>, signer: Arc<dyn Signer>, options: HeadOptions) -> Result<Self, HeadError> {
        let mut names = BTreeSet::new();
        if let Some(twice) = options.sinks.iter().map(|sink| sink.name()).find(|name| !names.insert(name.clone())) {
            return Err(HeadError::SameName(twice));
        }
        let signing = Signing::load(store.clone(), signer, options.clock).await?;
        if let Some(last) = signing.last() {
            all_there(store.as_ref(), std::slice::from_ref(last), &store.place()).await?;
            if !options.adopting {
                state_reached(store.as_ref(), last, &store.place()).await?;
            }
        }
        let last = signing.last().map_or(0, |last| last.head.seq);
        let (sender, receiver) = watch::channel(last);
        let mut deliveries = Vec::new();
        for sink in options.sinks {
            let shown = sink.last().await?;
            as_in_the_store(store.as_ref(), &shown, &sink.name()).await?;
            let naming = shown.iter().rev().find(|head| head.head.state.is_some());
            if let Some(naming) = naming.filter(|_| !options.adopting) {
                state_reached(store.as_ref(), naming, &sink.name()).await?;
            }
            let shown = shown.last().map(|head| head.head.seq);
            deliveries.push(Arc::new(Delivery::new(store.clone(), sink, receiver.clone(), shown).await?));
        }
        let inner = Arc::new(Inner {
            signing: tokio::sync::Mutex::new(signing),
            last: sender,
            error: Mutex::default(),
            deliveries,
        });
        let mut tasks: Vec<JoinHandle<()>> =
            inner.deliveries.iter().map(|delivery| tokio::spawn(delivery.clone().run())).collect();
        tasks.push(tokio::spawn(every(inner.clone(), options.interval)));
        Ok(Self { inner, tasks })
    }

    /// Signs what was recorded so far, now; the last signed head. None where nothing was ever recorded. Sinks get it as soon
    /// as they take it ([`SignedHeads::delivered`]).
    pub async fn sign_now(&self) -> Result<Option<SignedHead>, HeadError> {
        self.inner.sign().await
    }

    /// The key that signs, and the number of the newest signed head: what an export is signed with.
    pub async fn for_export(&self) -> (Arc<dyn Signer>, u64) {
        let signing = self.inner.signing.lock().await;
        (signing.signer.clone(), signing.last().map_or(0, |last| last.head.seq))
    }

    /// Waits until every sink has what is signed by now; whether that was so in time.
    pub async fn delivered(&self, most: Duration) -> bool {
        let last = *self.inner.last.borrow();
        let all = async {
            for delivery in &self.inner.deliveries {
                delivery.has(last).await;
            }
        };
        tokio::time::timeout(most, all).await.is_ok()
    }

    /// How it is going.
    pub fn status(&self) -> HeadsStatus {
        let signed = *self.inner.last.borrow();
        let error = self.inner.error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        HeadsStatus { signed, error, sinks: self.inner.deliveries.iter().map(|one| one.status(signed)).collect() }
    }

    /// Signs once more and gives the sinks some time to take it. What they do not take they get at the next start.
    pub async fn close(self, most: Duration) -> Result<(), HeadError> {
        let signed = self.sign_now().await;
        if !self.delivered(most).await {
            tracing::warn!("not all sinks have all signed heads; they get them at the next start");
        }
        signed.map(drop)
    }
}

impl Drop for SignedHeads {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl std::fmt::Debug for SignedHeads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SignedHeads").field(&self.status()).finish()
    }
}

impl Inner {
    async fn sign(&self) -> Result<Option<SignedHead>, HeadError> {
        let mut signing = self.signing.lock().await;
        let result = signing.sign().await;
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = result.as_ref().err().map(ToString::to_string);
        let last = signing.last().cloned();
        if let Some(last) = &last {
            // Never backwards: sinks have what they have.
            self.last.send_if_modified(|seq| std::mem::replace(seq, last.head.seq.max(*seq)) < last.head.seq);
        }
        result.map(|_| last)
    }
}

async fn every(inner: Arc<Inner>, interval: Duration) {
    let interval = interval.max(Duration::from_millis(10));
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = inner.sign().await {
            tracing::error!(%error, "heads are not signed; it is tried again");
        }
    }
}

/// What a sink shows last must be what the store has.
async fn as_in_the_store(store: &dyn Store, shown: &[SignedHead], place: &str) -> Result<(), HeadError> {
    // First the chains: they say by name what is gone.
    all_there(store, shown, place).await?;
    let Some(last) = shown.last() else { return Ok(()) };
    let seq = last.head.seq;
    let damaged = |what: &str| HeadError::Damaged { seq, place: store.place(), what: what.to_owned() };
    match store.get(&keys::signed(seq)).await? {
        Some(value) if Hash::of(&value) == last.hash() => Ok(()),
        Some(value) => {
            read_signed(store, seq, &value)?;
            Err(damaged(&format!("another one is in {place}")))
        }
        None => Err(damaged(&format!("it is missing, and stands in {place}"))),
    }
}

/// The records that these signed heads name last, of each chain, must be in the store.
async fn all_there(store: &dyn Store, heads: &[SignedHead], place: &str) -> Result<(), HeadError> {
    let mut seen = BTreeSet::new();
    for head in heads.iter().rev() {
        for (workspace, at) in &head.head.heads {
            if seen.insert(workspace) {
                still_there(store, workspace, *at, head.head.seq, place).await?;
            }
        }
    }
    Ok(())
}

/// The signed head that shows the most of a range of records: the one that names the last of them that any names. It goes
/// into an export of that range.
pub async fn covering(store: &dyn Store, workspace: &str, from: u64, to: u64) -> Result<Option<SignedHead>, HeadError> {
    let Some((_, seq)) = named(store, workspace, from, to).await? else { return Ok(None) };
    let missing = || HeadError::Damaged { seq, place: store.place(), what: "it is missing".to_owned() };
    let value = store.get(&keys::signed(seq)).await?.ok_or_else(missing)?;
    read_signed(store, seq, &value).map(Some)
}

/// How far the last signed head of a store says that what authorises is; none where there is none, or it does not say.
pub async fn last_signed_state(store: &dyn Store) -> Result<Option<At>, HeadError> {
    Ok(signing::last_signed(store).await?.and_then(|last| last.head.state))
}

/// The last record of a chain that is signed; none where none is.
pub async fn signed_up_to(store: &dyn Store, workspace: &str) -> Result<Option<u64>, HeadError> {
    Ok(last_of(store, workspace).await?.map(|(at, _)| at.seq))
}
