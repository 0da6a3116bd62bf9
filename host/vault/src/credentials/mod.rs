//! Credentials at rest, and their life: what operators hand over, change, revoke and look at. Nobody reads them again.
//!
//! | file | what it does |
//! | --- | --- |
//! | `places.rs` | what a credential is called, and where it stands in the store |
//! | `record.rs` | a credential's record: the header that `list` shows, and what is sealed under it |
//! | `info.rs` | what is told of one: its state, its generation, when it was used |
//! | `change.rs`, `reseal.rs` | adding, rotating, revoking, removing; needing a person again; binding to origins |
//! | `load.rs`, `newest.rs` | an integration's credentials, held against the ledger |
//! | `tokens.rs` | what authorization servers gave, sealed beside them |
//! | `used.rs` | when and by what they were used |
//! | `data_keys.rs`, `purpose.rs` | each workspace's data key; the host's own keys, one for each purpose |
//! | `rewrap.rs`, `rotate_data_key.rs` | another master key, another data key |
//! | `error.rs` | what can go wrong, naming the record |
//!
//! ```no_run
//! # async fn example(ledger: portcullis_ledger::Ledger) -> Result<(), Box<dyn std::error::Error>> {
//! use portcullis_ledger::Caller;
//! use portcullis_vault::{CredentialId, Credentials, Given, KeySource, NewOptions, Overlap, Secret};
//!
//! let master = "file:/etc/portcullis/master.key".parse::<KeySource>()?.open().await?;
//! let credentials = Credentials::open(ledger, master).await?;
//!
//! let id = CredentialId::new("acme", "mail", "server-token");
//! let by = Caller::principal("user:ada");
//! let given = Given::secret(Secret::try_from("the token")?);
//! credentials.add(&id, given, NewOptions::by(&by)).await?;
//!
//! let another = Given::secret(Secret::try_from("another token")?);
//! credentials.rotate(&id, another, Overlap::AtOnce, NewOptions::by(&by)).await?;
//! credentials.revoke(&id, &by, "it was in a log").await?;
//! for credential in credentials.list("acme", None).await?.credentials {
//!     println!("{} {} {}", credential.id, credential.state.as_str(), credential.generation);
//! }
//! # Ok(()) }
//! ```
//!
//! A change and its record in the ledger are one batch: there is no change without a record. An unreadable record is told by
//! name and leaves the others usable.

mod change;
mod data_keys;
mod error;
mod info;
mod load;
mod newest;
mod places;
mod purpose;
mod record;
mod reseal;
mod rewrap;
mod rotate_data_key;
#[cfg(test)]
pub(crate) mod tests;
mod tokens;
mod used;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use jiff::Timestamp;
use portcullis_ledger::{Caller, Ledger};
use portcullis_store::{Scan, Store};
use tokio::sync::broadcast;

pub use change::{NewOptions, Overlap};
pub use error::{CredentialError, ReadError, ReadProblem};
pub use info::{CredentialInfo, Expiring, Listing, Previous, State};
pub use load::Stored;
pub use places::CredentialId;
pub use purpose::PurposeKey;
pub use rewrap::{Rewrapped, Rewrapping};
pub use rotate_data_key::RotatedDataKey;
pub use tokens::KeptToken;

pub use record::credential_numbers;
pub(crate) use record::gives_nothing;

use crate::{
    keys::KeyProvider,
    seal::DataKeys,
    state::{Held, HostState},
};

/// How often a change is tried again where somebody else changes the same record.
const TRIES: usize = 16;
/// Changes that are kept for who is slow to hear of them.
const CHANGES: usize = 256;

/// The credentials of a store, for those who run the host. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
    expiring: Expiring,
}

struct Inner {
    ledger: Ledger,
    /// The first one wraps what is new. Others are here while the master key is changed.
    providers: RwLock<Vec<Arc<dyn KeyProvider>>>,
    /// By workspace.
    opened: RwLock<HashMap<String, Arc<DataKeys>>>,
    used: Mutex<used::Used>,
    changes: broadcast::Sender<CredentialChange>,
    /// What vouches for what authorises.
    held: Held,
}

/// A credential was changed. Vaults that use it take notice before their next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialChange {
    /// Which one.
    pub id: CredentialId,
    /// Its generation, after the change.
    pub generation: u64,
    /// What was done.
    pub what: What,
}

/// What was done to a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// It is new.
    Added,
    /// Another one is in its place.
    Rotated {
        /// Until when the one before it is good, too; none where it is not.
        overlap_until: Option<Timestamp>,
    },
    /// It is not to be used any more, not even by requests on their way.
    Revoked,
    /// It is gone.
    Removed,
    /// A person has to agree again.
    NeedsReconnect,
    /// A person has.
    Reconnected,
    /// It was bound to the origins that it may be sent to.
    Bound,
}

impl What {
    /// As it is written in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Rotated { .. } => "rotated",
            Self::Revoked => "revoked",
            Self::Removed => "removed",
            Self::NeedsReconnect => "needs-reconnect",
            Self::Reconnected => "reconnected",
            Self::Bound => "bound",
        }
    }
}

impl Credentials {
    /// Those of the ledger's store, under this master key. Another key than the one they were wrapped by is told when it is
    /// needed, not here: `list`, `revoke` and `remove` go without.
    pub async fn open(ledger: Ledger, master: Arc<dyn KeyProvider>) -> Result<Self, CredentialError> {
        let credentials = Self::with(ledger, vec![master]);
        if let Some(Rewrapping { from, to }) = credentials.rewrapping().await? {
            tracing::warn!(from, to, "a change of the master key was not finished; run it again with both keys");
        }
        Ok(credentials)
    }

    /// Without a master key: to list, revoke and remove.
    pub fn without_key(ledger: Ledger) -> Self {
        Self::with(ledger, Vec::new())
    }

    fn with(ledger: Ledger, providers: Vec<Arc<dyn KeyProvider>>) -> Self {
        let inner = Inner {
            ledger,
            providers: RwLock::new(providers),
            opened: RwLock::default(),
            used: Mutex::default(),
            changes: broadcast::channel(CHANGES).0,
            held: Held::default(),
        };
        Self { inner: Arc::new(inner), expiring: Expiring::default() }
    }

    /// The state of the store, which vouches for these and for all else that authorises.
    pub fn state(&self) -> HostState {
        HostState::new(self.clone())
    }

    pub(crate) fn held(&self) -> &Held {
        &self.inner.held
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// Another master key beside the one in use: the old one, to go on with a [`Credentials::rewrap`] that was cut off.
    pub fn also(&self, master: Arc<dyn KeyProvider>) {
        self.inner.providers.write().unwrap_or_else(PoisonError::into_inner).push(master);
    }

    /// When a credential counts as about to expire.
    #[must_use]
    pub fn with_expiring(mut self, expiring: Expiring) -> Self {
        self.expiring = expiring;
        self
    }

    /// Hears of each change that is made through this or a clone of it, once it is durable. Who falls behind is told that
    /// changes were missed, and should load anew.
    pub fn changes(&self) -> broadcast::Receiver<CredentialChange> {
        self.inner.changes.subscribe()
    }

    /// What there is in a workspace, or of one of its integrations, by name. Decrypts nothing and needs no master key: what
    /// it tells is as it is written, and held against its seal when it is used.
    pub async fn list(&self, workspace: &str, integration: Option<&str>) -> Result<Listing, CredentialError> {
        let mut listing = Listing::default();
        let now = self.now();
        for (key, value) in self.scan(places::credentials(workspace, integration)).await? {
            let Some((id, None)) = places::read(&key) else { continue };
            match record::Header::of(&id, &value) {
                Ok(header) => {
                    let used = self.used_of(&id).await?;
                    listing.credentials.push(header.info(now, &self.expiring, used));
                }
                Err(error) => listing.unreadable.push(error),
            }
        }
        Ok(listing)
    }

    /// How a credential is at this time: what was told of one earlier may have expired since.
    pub fn condition(&self, info: &CredentialInfo, now: Timestamp) -> State {
        match info.state {
            State::Revoked | State::NeedsReconnect => info.state,
            _ => self.expiring.state(info.created, info.expires, now),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.ledger.clock().now()
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.inner.ledger.store()
    }

    /// The master keys that are here. The first one wraps what is new.
    pub fn master_keys(&self) -> Vec<Arc<dyn KeyProvider>> {
        self.providers()
    }

    fn providers(&self) -> Vec<Arc<dyn KeyProvider>> {
        self.inner.providers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All keys and values that begin with this.
    async fn scan(&self, prefix: Vec<u8>) -> Result<Vec<(Vec<u8>, Vec<u8>)>, CredentialError> {
        let mut scan = Scan::prefix(prefix);
        let mut found = Vec::new();
        loop {
            let page = self.store().scan(&scan).await?;
            found.extend(page.entries);
            match page.next {
                Some(next) => scan = scan.after(next),
                None => return Ok(found),
            }
        }
    }
}

/// The host itself, where nobody asked it.
fn host() -> Caller {
    Caller::principal("host")
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masters: Vec<String> = self.providers().iter().map(|provider| provider.id()).collect();
        f.debug_struct("Credentials").field("ledger", &self.inner.ledger).field("master_keys", &masters).finish()
    }
}
