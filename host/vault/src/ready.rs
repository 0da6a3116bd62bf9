//! A request's secrets, all as they were at one moment, ready to be put on it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use portcullis_gate::OpenSlot;
use tokio::sync::watch;

use crate::{
    VaultError, identity::Identity, outgoing::Outgoing, scheme, scrub::Scrubber, secret::Secret, usable::Usable,
};

/// What one slot holds now. Another credential in the slot is another of these.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) usable: Usable,
    /// Tells those who use it that it is not to be used any more, not even by requests on their way.
    pub(crate) cut: watch::Sender<bool>,
    /// The header field that its scheme writes, once made: wiped with this, and with the last request that has it.
    pub(crate) field: OnceLock<scheme::Field>,
}

impl Live {
    pub(crate) fn new(usable: Usable) -> Self {
        Self { usable, cut: watch::channel(false).0, field: OnceLock::new() }
    }
}

/// A request's secrets, all as they were at one moment.
pub struct Ready {
    pub(crate) generation: u64,
    pub(crate) slots: Vec<(OpenSlot, Arc<Live>)>,
    pub(crate) scrubber: Arc<Scrubber>,
    pub(crate) now: Timestamp,
    /// Of a request to an authorization server: what the vault itself wrote.
    pub(crate) written: Option<Written>,
}

/// The header fields and the body of a request to an authorization server.
pub(crate) struct Written {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

impl Ready {
    /// Without any, for a request that takes none: it has the scrubber all the same, for its answer may name others.
    pub fn new(generation: u64, scrubber: Arc<Scrubber>, now: Timestamp) -> Self {
        Self { generation, slots: Vec::new(), scrubber, now, written: None }
    }

    /// Counts the changes of this vault. Connections made under another generation are not used again.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What finds the vault's secrets in the response.
    pub fn scrubber(&self) -> &Arc<Scrubber> {
        &self.scrubber
    }

    /// Puts the secrets on: those that sign the request last. Gives the signatures that were made, each with its slot: who has
    /// one can send the same request again, so they are looked for in answers.
    pub fn attach(&self, outgoing: &mut Outgoing) -> Result<Vec<(String, Secret)>, VaultError> {
        let mut made = Vec::new();
        for signing in [false, true] {
            for (slot, live) in self.slots.iter().filter(|(slot, _)| scheme::signs(&slot.scheme) == signing) {
                let signature = scheme::attach(slot, live, self.now, outgoing)?;
                made.extend(signature.map(|signature| (slot.name.clone(), signature)));
            }
        }
        if let Some(written) = &self.written {
            for (name, value) in &written.headers {
                outgoing.headers.insert(name, value.clone());
            }
            outgoing.body = written.body.clone();
        }
        Ok(made)
    }

    /// The client certificate for the connection, and the slot that it is from.
    pub fn identity(&self) -> Option<(&str, &Arc<Identity>)> {
        self.slots.iter().find_map(|(slot, live)| match &live.usable {
            Usable::Certificate(identity) => Some((slot.name.as_str(), identity)),
            _ => None,
        })
    }

    /// Ends when one of them is not to be used any more, with its slot. The request is then given up, wherever it is.
    pub async fn cut(&self) -> String {
        let waiting = self.slots.iter().map(|(slot, live)| {
            let mut cut = live.cut.subscribe();
            Box::pin(async move {
                // An error says that nobody is left who could cut it.
                let is_cut = cut.wait_for(|cut| *cut).await.is_ok();
                if is_cut { slot.name.clone() } else { std::future::pending().await }
            })
        });
        let waiting: Vec<_> = waiting.collect();
        if waiting.is_empty() {
            return std::future::pending().await;
        }
        futures::future::select_all(waiting).await.0
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("generation", &self.generation).finish_non_exhaustive()
    }
}
