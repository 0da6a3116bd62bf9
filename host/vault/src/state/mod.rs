//! The store's state: what authorises is held against it whenever it is read.
//!
//! Whoever can write the store can write a grant that sends a credential to themselves, with every checksum right and with
//! records of it in the unsigned end of a chain. So a record that authorises something counts only where the state vouches
//! for exactly its value:
//!
//! | key | what it decides |
//! | --- | --- |
//! | `I` workspace 0 name | an integration: adapter, config, grant |
//! | `A` digest | an adapter, and what it is called |
//! | `C` … | a credential: its state, its expiry, which secret it is |
//! | `G` | the host's settings: ceiling, retention, places |
//!
//! | file | what it does |
//! | --- | --- |
//! | `known.rs` | the state as it was read, and its verdict on one record |
//! | `reading.rs` | reads records that the state vouches for, and tells those by name that it does not |
//! | `changing.rs` | changes records and state in one batch |
//! | `adopting.rs` | vouches for what somebody has looked at: for stores from before there was a state |
//! | `error.rs` | what is wrong, naming the record |
//!
//! How it is kept is told in [`portcullis_ledger::state`]. What is added here is the MAC, under the host's key for this
//! purpose ([`Credentials::key_for`](crate::Credentials::key_for)), so that without the master key nobody makes a state.
//!
//! **An old state put back whole** has a right MAC. Its number is too low: signed heads name the number, so that a host does
//! not start ([`HeadError::StateRolledBack`](portcullis_ledger::heads::HeadError)), and a running host does not go back. Who
//! runs without signed heads is not protected from that while the host is down.
//!
//! **A store without a state** is new, or from before there was one, or somebody took the state away: that cannot be told
//! apart. So it is only taken for new while nothing in it authorises anything.

mod adopting;
mod changing;
mod error;
mod known;
mod reading;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::{Mutex, OnceCell};

pub use adopting::{Adopted, AdoptedRecord};
pub use error::{Kept, StateError, Unvouched};
use known::Known;
pub use reading::compare_with_state;

use crate::credentials::{Credentials, PurposeKey};

/// What the key is for that the state is authenticated with.
const PURPOSE: &str = "state";
/// How often something is tried again where somebody else changes the state all the time.
const TRIES: usize = 32;
/// Keys of what authorises begin with one of these.
const AUTHORISING: [u8; 4] = [b'A', b'C', b'G', b'I'];

/// Whether a record decides what is allowed.
pub fn authorises(key: &[u8]) -> bool {
    key.first().is_some_and(|letter| AUTHORISING.contains(letter))
}

/// What is known of the state in this process.
#[derive(Default)]
pub(crate) struct Held {
    /// One change at a time: each comes after the one before.
    changing: Mutex<()>,
    known: RwLock<Option<Arc<Known>>>,
    key: OnceCell<PurposeKey>,
}

impl Held {
    fn known(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Never backwards: whoever read earlier comes later sometimes.
    fn know(&self, known: &Arc<Known>) {
        let mut held = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_none_or(|held| known.follows(held)) {
            *held = Some(known.clone());
        }
    }
}

/// The state of a store. Cheap to clone.
#[derive(Clone)]
pub struct HostState {
    credentials: Credentials,
}

impl HostState {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials }
    }

    fn held(&self) -> &Held {
        self.credentials.held()
    }
}

impl fmt::Debug for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostState").field(&self.credentials).finish()
    }
}
