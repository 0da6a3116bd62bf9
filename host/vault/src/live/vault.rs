//! One integration's vault, of a store.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_gate::{MacAlgorithm, OpenSlot, RequestUrl};
use tokio::sync::{
    broadcast::{self, error::TryRecvError},
    watch,
};
use zeroize::Zeroizing;

use crate::{
    TokenClient, TokenRequest, TokenResponse, TokenSendError, Vault, VaultError,
    credentials::{CredentialChange, CredentialError, CredentialId, State as Condition, What},
    live::{
        Happened,
        state::{Content, Declared, Slot, State, secret_of},
        tokens::Pending,
        vaults::Shared,
    },
    mac,
    ready::{Live, Ready},
    scrub::Scrubber,
    secret::Secret,
    token::Flights,
};

/// How often it is tried to see one moment, where credentials change all the time.
const LOOKS: usize = 8;
/// The code of a credential that is not sent where it was not given for.
pub const NOT_BOUND: &str = "credential-not-bound";
/// How often it is written that a credential is used, in seconds.
const USED_EACH: i64 = 60;

/// One integration's credentials, of a store. All who have the integration open share it.
pub struct IntegrationVault {
    pub(super) shared: Arc<Shared>,
    workspace: String,
    integration: String,
    state: RwLock<Arc<State>>,
    connected: RwLock<Connected>,
    changes: Mutex<broadcast::Receiver<CredentialChange>>,
    /// How many changes were heard of, and up to which of them the state is.
    heard: AtomicU64,
    installed: AtomicU64,
    /// The adapter declares other slots than those that were opened.
    declared_anew: AtomicBool,
    generation: watch::Sender<u64>,
    pub(super) flights: Flights,
    pending: Pending,
    /// By slot: what was told of its generation, so that it is told once.
    marks: Mutex<BTreeMap<String, Arc<Mark>>>,
    me: std::sync::Weak<Self>,
}

/// What is remembered of a slot's generation.
#[derive(Default)]
pub(super) struct Mark {
    generation: u64,
    told_expiring: AtomicBool,
    told_expired: AtomicBool,
    told_refused: AtomicBool,
    /// Refused, while the one before it is still good: that one is used.
    use_previous: AtomicBool,
    /// When it was last written that it is used, in seconds.
    used: AtomicI64,
    /// By what, the last time.
    used_by: Mutex<String>,
    /// When a token was last dropped because it was refused, in seconds.
    pub(super) dropped: AtomicI64,
}

/// Asks authorization servers that a slot's credential was given for, and no others.
struct BoundClient {
    client: Arc<dyn TokenClient>,
    vault: std::sync::Weak<IntegrationVault>,
}

#[async_trait]
impl TokenClient for BoundClient {
    async fn send(&self, request: TokenRequest) -> Result<TokenResponse, TokenSendError> {
        // The gate refuses what is no URL to it.
        let url = RequestUrl::parse(&request.url, request.url.len()).ok();
        if let (Some(vault), Some(url)) = (self.vault.upgrade(), url)
            && let Err(error) = vault.state().bound(&request.slot, url.origin())
        {
            let message = error.to_string();
            return Err(TokenSendError { code: NOT_BOUND.to_owned(), message, retryable: false });
        }
        self.client.send(request).await
    }
}

#[derive(Clone, Default)]
struct Connected {
    declared: Arc<Declared>,
    client: Option<Arc<dyn TokenClient>>,
}

impl IntegrationVault {
    pub(super) async fn load(
        shared: Arc<Shared>,
        workspace: &str,
        integration: &str,
    ) -> Result<Arc<Self>, CredentialError> {
        // Before it is read: what changes from here on is heard of.
        let changes = shared.credentials.changes();
        let stored = shared.credentials.load(workspace, integration).await?;
        let slots =
            stored.into_iter().map(|(name, stored)| (name.clone(), Arc::new(Slot::new(name, stored)))).collect();
        Ok(Arc::new_cyclic(|me| Self {
            shared,
            workspace: workspace.to_owned(),
            integration: integration.to_owned(),
            state: RwLock::new(Arc::new(State::new(slots, BTreeMap::new()))),
            connected: RwLock::default(),
            changes: Mutex::new(changes),
            heard: AtomicU64::new(0),
            installed: AtomicU64::new(0),
            declared_anew: AtomicBool::new(false),
            generation: watch::channel(1).0,
            flights: Flights::default(),
            pending: Mutex::default(),
            marks: Mutex::default(),
            me: me.clone(),
        }))
    }

    /// How many of its slots are decrypted now. Before the first live request that is none.
    pub fn opened(&self) -> usize {
        self.state().slots.values().filter(|slot| slot.is_open()).count()
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another state in place of this one, unless somebody else was quicker.
    pub(super) fn replace(&self, old: &Arc<State>, new: State) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let same = Arc::ptr_eq(&state, old);
        if same {
            *state = Arc::new(new);
        }
        same
    }

    pub(super) fn id(&self, slot: &str) -> CredentialId {
        CredentialId::new(&self.workspace, &self.integration, slot)
    }

    pub(super) fn me(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    /// Who asks authorization servers: only those that the slot's credential was given for.
    pub(super) fn client(&self) -> Option<Arc<dyn TokenClient>> {
        let client = self.connected.read().unwrap_or_else(PoisonError::into_inner).client.clone()?;
        Some(Arc::new(BoundClient { client, vault: self.me.clone() }))
    }

    pub(super) fn declared(&self) -> Arc<Declared> {
        self.connected.read().unwrap_or_else(PoisonError::into_inner).declared.clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.credentials.now()
    }

    pub(super) fn mark(&self, slot: &Slot) -> Arc<Mark> {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        match marks.get(&slot.name) {
            Some(mark) if mark.generation == slot.generation() => mark.clone(),
            _ => {
                let mark = Arc::new(Mark { generation: slot.generation(), ..Mark::default() });
                marks.insert(slot.name.clone(), mark.clone());
                mark
            }
        }
    }

    /// Hears of changes. What is ended is ended here, before anything is read: requests that are on their way with it.
    fn hear(&self) -> bool {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match changes.try_recv() {
                Ok(change) if change.id.workspace == self.workspace && change.id.integration == self.integration => {
                    let ends = match change.what {
                        What::Revoked | What::Removed => true,
                        What::Rotated { overlap_until } => overlap_until.is_none(),
                        _ => false,
                    };
                    if ends {
                        self.cut(&change.id.slot);
                    }
                }
                Ok(_) => continue,
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
            self.heard.fetch_add(1, Ordering::AcqRel);
        }
        self.heard.load(Ordering::Acquire) > self.installed.load(Ordering::Acquire)
    }

    fn cut(&self, slot: &str) {
        let state = self.state();
        if let Some(opened) = state.slots.get(slot).and_then(|slot| slot.opened_already()) {
            opened.now.cut();
            if let Some((previous, _)) = &opened.previous {
                previous.cut();
            }
        }
        if let Some(held) = state.tokens.get(slot) {
            held.cut();
        }
    }

    /// Reads what is stored, where something was changed since.
    pub(super) async fn take_in(&self) -> Result<(), VaultError> {
        if !self.hear() {
            return Ok(());
        }
        self.read_anew().await
    }

    /// Reads what is stored, whether or not a change was heard of.
    pub(super) async fn refresh_all(&self) {
        self.heard.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = self.read_anew().await {
            tracing::warn!(%error, "credentials could not be read anew");
        }
    }

    async fn read_anew(&self) -> Result<(), VaultError> {
        let heard = self.heard.load(Ordering::Acquire);
        let mut stored =
            self.shared.credentials.load(&self.workspace, &self.integration).await.map_err(|error| {
                VaultError::Damaged { slot: format!("{}/*", self.integration), why: error.to_string() }
            })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else read later than this.
        if self.installed.load(Ordering::Acquire) >= heard {
            return Ok(());
        }
        let anew = self.declared_anew.swap(false, Ordering::AcqRel);
        let mut slots = BTreeMap::new();
        while let Some((name, stored)) = stored.pop_first() {
            // What did not change stays open.
            let same = state.slots.get(&name).filter(|slot| !anew && slot.stored.is_as(&stored)).cloned();
            if same.is_none() {
                self.flights.forget_failures(&name);
            }
            slots.insert(name.clone(), same.unwrap_or_else(|| Arc::new(Slot::new(name, stored))));
        }
        let of_now = |(slot, held): (&String, &Arc<super::tokens::Held>)| {
            let now = slots.get(slot).is_some_and(|slot: &Arc<Slot>| {
                slot.generation() == held.generation && slot.stored.problem().is_none()
            });
            now.then(|| (slot.clone(), held.clone()))
        };
        let tokens = state.tokens.iter().filter_map(of_now).collect();
        *state = Arc::new(State::new(slots, tokens));
        self.installed.store(heard, Ordering::Release);
        drop(state);
        self.generation.send_modify(|generation| *generation += 1);
        Ok(())
    }

    /// What a slot holds now, ready to be used.
    async fn live(&self, state: &Arc<State>, name: &str, now: Timestamp) -> Result<Arc<Live>, VaultError> {
        let slot = state.slots.get(name).ok_or_else(|| VaultError::Empty(name.to_owned()))?;
        if let Err(error) = slot.usable(now) {
            if matches!(error, VaultError::Expired(_)) {
                self.tell_expired(slot);
            }
            return Err(error);
        }
        let declared = self.declared();
        let opened = slot.opened(&declared)?;
        match &opened.now {
            Content::Fixed(live) => {
                let mark = self.mark(slot);
                let previous = || opened.contents(now).nth(1).and_then(Content::fixed);
                if mark.use_previous.load(Ordering::Relaxed)
                    && let Some(previous) = previous()
                {
                    return Ok(previous.clone());
                }
                Ok(live.clone())
            }
            Content::Tokens(client) => Ok(self.token(state, slot, client, now).await?.live.clone()),
        }
    }

    fn note_use(&self, state: &State, slots: &[OpenSlot], by: &str, now: Timestamp) {
        for slot in slots {
            let Some(stored) = state.slots.get(&slot.name) else { continue };
            let mark = self.mark(stored);
            let same = *mark.used_by.lock().unwrap_or_else(PoisonError::into_inner) == by;
            let last = mark.used.load(Ordering::Relaxed);
            if same && now.as_second() - last < USED_EACH {
                continue;
            }
            mark.used.store(now.as_second(), Ordering::Relaxed);
            by.clone_into(&mut mark.used_by.lock().unwrap_or_else(PoisonError::into_inner));
            let (credentials, id, by) = (self.shared.credentials.clone(), self.id(&slot.name), by.to_owned());
            // Beside the request: it does not wait for a note.
            tokio::spawn(async move {
                if let Err(error) = credentials.used(&id, &by).await {
                    tracing::warn!(%error, "that a credential was used is not noted");
                }
            });
        }
    }

    /// Tells of what is about to expire or has expired, once for each generation.
    pub(super) fn tell_what_expires(&self) {
        let now = self.now();
        for slot in self.state().slots.values().filter(|slot| slot.stored.problem().is_none()) {
            let Some(info) = slot.stored.info() else { continue };
            let Some(expires) = info.expires else { continue };
            match self.shared.credentials.condition(info, now) {
                Condition::Expiring if !self.mark(slot).told_expiring.swap(true, Ordering::Relaxed) => {
                    self.shared.tell(info.id.clone(), info.generation, Happened::Expiring { expires });
                }
                Condition::Expired => self.tell_expired(slot),
                _ => {}
            }
        }
    }

    pub(super) fn tell_refused(&self, slot: &Slot, mark: &Mark) {
        if !mark.told_refused.swap(true, Ordering::Relaxed) {
            self.shared.tell(self.id(&slot.name), slot.generation(), Happened::Refused);
        }
    }

    pub(super) fn pending(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Zeroizing<Vec<u8>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_expired(&self, slot: &Slot) {
        if !self.mark(slot).told_expired.swap(true, Ordering::Relaxed) {
            self.shared.tell(self.id(&slot.name), slot.generation(), Happened::Expired);
        }
    }

    /// With the secrets of a signing slot, the newest first, until one of them says something.
    fn with_secrets<T>(
        &self,
        name: &str,
        mut use_it: impl FnMut(&Secret) -> Option<T>,
    ) -> Result<Option<T>, VaultError> {
        let (state, now, declared) = (self.state(), self.now(), self.declared());
        let slot = state.slots.get(name).ok_or_else(|| VaultError::Empty(name.to_owned()))?;
        slot.usable(now)?;
        let opened = slot.opened(&declared)?;
        let secrets = opened.contents(now).filter_map(Content::fixed).filter_map(|live| secret_of(&live.usable));
        let (mut last, mut some) = (None, false);
        for secret in secrets {
            some = true;
            last = use_it(secret);
            if last.is_some() {
                break;
            }
        }
        if some { Ok(last) } else { Err(VaultError::Empty(name.to_owned())) }
    }
}

#[async_trait]
impl Vault for IntegrationVault {
    fn holds(&self, slot: &str) -> bool {
        let stored = self.state().slots.get(slot).cloned();
        stored.is_some_and(|slot| !matches!(slot.usable(self.now()), Err(VaultError::Revoked(_))))
    }

    fn available(&self, slot: &str) -> Result<(), VaultError> {
        let stored = self.state().slots.get(slot).cloned();
        stored.ok_or_else(|| VaultError::Empty(slot.to_owned()))?.usable(self.now())
    }

    async fn ready(&self, slots: &[OpenSlot], origin: &str, by: &str) -> Result<Ready, VaultError> {
        let mut looks = 0;
        loop {
            self.take_in().await?;
            let now = self.now();
            let state = self.state();
            let generation = *self.generation.borrow();
            let mut lives = Vec::with_capacity(slots.len());
            for slot in slots {
                state.bound(&slot.name, origin)?;
                lives.push((slot.clone(), self.live(&state, &slot.name, now).await?));
            }
            // A token that was waited for is in a newer state, with what finds it in a response.
            let newest = self.state();
            looks += 1;
            if generation != *self.generation.borrow() && looks < LOOKS {
                continue;
            }
            if !slots.is_empty() {
                self.note_use(&newest, slots, by, now);
            }
            let scrubber = newest.scrubber(&self.declared());
            let mut ready = Ready::new(generation, scrubber, now);
            ready.slots = lives;
            return Ok(ready);
        }
    }

    async fn refused(&self, ready: &Ready) -> bool {
        let state = self.state();
        let mut another = false;
        for (slot, live) in &ready.slots {
            let Some(stored) = state.slots.get(&slot.name) else { continue };
            let mark = self.mark(stored);
            if let Some(held) = state.tokens.get(&slot.name) {
                another |= self.token_refused(stored, held, live, &mark).await;
                continue;
            }
            let Some(opened) = stored.opened_already() else { continue };
            let is_now = opened.now.fixed().is_some_and(|now| Arc::ptr_eq(now, live));
            if is_now && opened.contents(self.now()).nth(1).is_some() {
                // While both are good, the provider may not know the new one yet.
                another |= !mark.use_previous.swap(true, Ordering::Relaxed);
            }
            self.tell_refused(stored, &mark);
        }
        another
    }

    async fn refresh(&self) {
        if let Err(error) = self.take_in().await {
            tracing::warn!(%error, "credentials could not be read anew");
        }
    }

    fn sign(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, VaultError> {
        let made = self.with_secrets(slot, |secret| Some(mac::sign(algorithm, secret, message)))?;
        made.ok_or_else(|| VaultError::Empty(slot.to_owned()))
    }

    fn verify(&self, slot: &str, algorithm: MacAlgorithm, message: &[u8], given: &[u8]) -> Result<bool, VaultError> {
        let fits = self.with_secrets(slot, |secret| mac::verify(algorithm, secret, message, given).then_some(()))?;
        Ok(fits.is_some())
    }

    async fn value(&self, slot: &OpenSlot, name: &str) -> Result<String, VaultError> {
        self.take_in().await?;
        let (state, now) = (self.state(), self.now());
        let none = || VaultError::NoValue { slot: slot.name.clone(), name: name.to_owned() };
        let stored = state.slots.get(&slot.name).ok_or_else(|| VaultError::Empty(slot.name.clone()))?;
        stored.usable(now)?;
        let declared = self.declared();
        let Content::Tokens(client) = &stored.opened(&declared)?.now else { return Err(none()) };
        let held = self.token(&state, stored, client, now).await?;
        held.value(name).ok_or_else(none)
    }

    fn scrubber(&self) -> Arc<Scrubber> {
        self.state().scrubber(&self.declared())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    fn connect(&self, slots: &[portcullis_gate::Slot], client: Arc<dyn TokenClient>) {
        let declared =
            slots.iter().map(|slot| (slot.name.clone(), (slot.scheme.clone(), slot.oauth.clone()))).collect();
        let declared = Declared { slots: declared };
        let mut connected = self.connected.write().unwrap_or_else(PoisonError::into_inner);
        connected.client = Some(client);
        if connected.declared.slots != declared.slots {
            connected.declared = Arc::new(declared);
            drop(connected);
            // What was opened for other slots is opened anew.
            if self.state().slots.values().any(|slot| slot.is_open()) {
                self.declared_anew.store(true, Ordering::Release);
                self.heard.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}

impl fmt::Debug for IntegrationVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots: Vec<String> = self.state().slots.keys().cloned().collect();
        f.debug_struct("IntegrationVault")
            .field("workspace", &self.workspace)
            .field("integration", &self.integration)
            .field("slots", &slots)
            .finish_non_exhaustive()
    }
}
