//! What one vault holds at one moment. It is replaced as a whole: who looks at it sees one moment and takes no lock for long.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use portcullis_gate::{OAuth, Scheme};

use crate::{
    VaultError,
    credentials::{ReadProblem, State as Condition, Stored},
    live::tokens::Held,
    material::{Given, Inside, Kind, Material, OAuthClient},
    ready::Live,
    scrub::Scrubber,
    usable::Usable,
};

/// What is stored and what was made of it.
pub(super) struct State {
    /// By slot.
    pub(super) slots: BTreeMap<String, Arc<Slot>>,
    /// Tokens, by slot: of the generation that is in the slot.
    pub(super) tokens: BTreeMap<String, Arc<Held>>,
    /// Made when somebody first asks.
    scrubber: OnceLock<Arc<Scrubber>>,
}

/// One slot.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) stored: Stored,
    /// Decrypted when somebody first asks.
    opened: OnceLock<Result<Opened, VaultError>>,
}

/// What a slot holds, decrypted.
pub(super) struct Opened {
    pub(super) now: Content,
    /// The one before it, and until when it is good, too.
    pub(super) previous: Option<(Content, Timestamp)>,
    /// What is looked for in responses.
    secrets: Vec<Given>,
}

/// One credential.
pub(super) enum Content {
    /// It is used as it is.
    Fixed(Arc<Live>),
    /// It is used to get tokens.
    Tokens(Arc<OAuthClient>),
}

impl State {
    /// Whether what is in a slot was given to be sent there.
    pub(super) fn bound(&self, slot: &str, origin: &str) -> Result<(), VaultError> {
        let info = self.slots.get(slot).and_then(|slot| slot.stored.info());
        match info.filter(|info| !info.is_for(origin)) {
            None => Ok(()),
            Some(info) => {
                let bound: Vec<&str> = info.origins.iter().flatten().map(String::as_str).collect();
                let bound = if bound.is_empty() { "none".to_owned() } else { bound.join(", ") };
                Err(VaultError::NotBound { slot: slot.to_owned(), origin: origin.to_owned(), bound })
            }
        }
    }

    pub(super) fn new(slots: BTreeMap<String, Arc<Slot>>, tokens: BTreeMap<String, Arc<Held>>) -> Self {
        Self { slots, tokens, scrubber: OnceLock::new() }
    }

    /// The same, with another token in a slot; none where there is to be none.
    pub(super) fn with_token(&self, slot: &str, held: Option<Arc<Held>>) -> Self {
        let mut tokens = self.tokens.clone();
        match held {
            Some(held) => drop(tokens.insert(slot.to_owned(), held)),
            None => drop(tokens.remove(slot)),
        }
        Self::new(self.slots.clone(), tokens)
    }

    /// Finds every secret that is live: those of all slots, those before them while both are good, and all tokens.
    pub(super) fn scrubber(&self, declared: &Declared) -> Arc<Scrubber> {
        let make = || {
            let mut all = Vec::new();
            for slot in self.slots.values() {
                let Ok(opened) = slot.opened(declared) else { continue };
                for given in &opened.secrets {
                    all.extend(given.secrets.values().map(|secret| (slot.name.as_str(), secret)));
                }
            }
            for (slot, held) in &self.tokens {
                all.extend(held.secrets().map(|secret| (slot.as_str(), secret)));
            }
            Arc::new(Scrubber::new(all.into_iter()))
        };
        self.scrubber.get_or_init(make).clone()
    }
}

/// What the adapter declares of its slots.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) slots: BTreeMap<String, (Scheme, Option<OAuth>)>,
}

impl Slot {
    pub(super) fn new(name: String, stored: Stored) -> Self {
        Self { name, stored, opened: OnceLock::new() }
    }

    pub(super) fn generation(&self) -> u64 {
        self.stored.info().map_or(0, |info| info.generation)
    }

    /// What it holds. Decrypts it the first time, and remembers what came of it.
    pub(super) fn opened(&self, declared: &Declared) -> Result<&Opened, VaultError> {
        let opened = self.opened.get_or_init(|| self.open(declared));
        opened.as_ref().map_err(Clone::clone)
    }

    /// Whether it was decrypted.
    pub(super) fn is_open(&self) -> bool {
        self.opened.get().is_some()
    }

    /// What it holds, if it was decrypted.
    pub(super) fn opened_already(&self) -> Option<&Opened> {
        self.opened.get()?.as_ref().ok()
    }

    /// Whether it can be used at all, as of now.
    pub(super) fn usable(&self, now: Timestamp) -> Result<(), VaultError> {
        if let Some(error) = self.stored.problem() {
            return Err(match error.problem {
                ReadProblem::Revoked => VaultError::Revoked(self.name.clone()),
                _ => VaultError::Damaged { slot: self.name.clone(), why: error.to_string() },
            });
        }
        let Some(info) = self.stored.info() else { return Ok(()) };
        if info.state == Condition::NeedsReconnect {
            let why = info.why.clone().unwrap_or_else(|| "a person has to agree again".to_owned());
            return Err(VaultError::Reconnect { slot: self.name.clone(), why });
        }
        if info.expires.is_some_and(|expires| expires <= now) {
            return Err(VaultError::Expired(self.name.clone()));
        }
        Ok(())
    }

    fn open(&self, declared: &Declared) -> Result<Opened, VaultError> {
        let damaged =
            |error: &dyn std::fmt::Display| VaultError::Damaged { slot: self.name.clone(), why: error.to_string() };
        let given = self.stored.open().map_err(|error| damaged(&error))?;
        let now = self.content(&given, declared)?;
        let mut secrets = vec![given];
        let mut previous = None;
        // One before it that cannot be read is no reason not to use this one.
        let until = self.stored.info().and_then(|info| info.previous).map(|previous| previous.until);
        if let (Some(Ok(given)), Some(until)) = (self.stored.open_previous(), until)
            && let Ok(content) = self.content(&given, declared)
        {
            previous = Some((content, until));
            secrets.push(given);
        }
        Ok(Opened { now, previous, secrets })
    }

    fn content(&self, given: &Given, declared: &Declared) -> Result<Content, VaultError> {
        let unfit =
            |scheme: &'static str, problem: String| VaultError::Unfit { slot: self.name.clone(), scheme, problem };
        let (scheme, oauth) = match declared.slots.get(&self.name) {
            Some((scheme, oauth)) => (scheme, oauth.as_ref()),
            // A vault that was not told of the slots, of an embedder: a secret is a secret.
            None if given.kind == Kind::Secret => (&Scheme::Bearer, None),
            None => return Err(unfit("unknown", "the adapter declares no such slot".to_owned())),
        };
        let material =
            Material::new(given, scheme, oauth).map_err(|error| unfit(scheme.as_str(), error.to_string()))?;
        Ok(match material.0 {
            Inside::Usable(usable) => Content::Fixed(Arc::new(Live::new(usable))),
            Inside::OAuth(client) => Content::Tokens(client),
        })
    }
}

impl Opened {
    /// The credentials, the newest first.
    pub(super) fn contents(&self, now: Timestamp) -> impl Iterator<Item = &Content> {
        let previous = self.previous.as_ref().filter(move |(_, until)| now < *until).map(|(content, _)| content);
        std::iter::once(&self.now).chain(previous)
    }
}

impl Content {
    /// What is used as it is.
    pub(super) fn fixed(&self) -> Option<&Arc<Live>> {
        match self {
            Content::Fixed(live) => Some(live),
            Content::Tokens(_) => None,
        }
    }

    /// Ends requests that are on their way with it.
    pub(super) fn cut(&self) {
        if let Content::Fixed(live) = self {
            live.cut.send_replace(true);
        }
    }
}

/// The one secret of what is used as it is, for signing.
pub(super) fn secret_of(usable: &Usable) -> Option<&crate::secret::Secret> {
    match usable {
        Usable::Secret(secret) => Some(secret),
        _ => None,
    }
}
