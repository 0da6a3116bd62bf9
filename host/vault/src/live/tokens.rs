//! Tokens: asked for once for all who wait, kept sealed, refreshed before they expire, and dropped when they are refused.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use portcullis_ledger::Caller;
use zeroize::Zeroizing;

use crate::{
    VaultError,
    credentials::CredentialError,
    live::{
        Happened, IntegrationVault,
        state::{Content, Slot, State},
        vault::Mark,
    },
    material::OAuthClient,
    ready::Live,
    secret::Secret,
    token::{self, Flight, Freshness, TokenError},
    usable::{Token, Usable},
};

/// A token that was asked for because one had been refused is not dropped again before so many seconds.
const PATIENCE: i64 = 30;
/// Tokens before the one in use that are looked for in responses, too.
const OLDER: usize = 4;

/// What was kept since people were sent to authorization servers, by slot.
pub(super) type Pending = Mutex<BTreeMap<String, Zeroizing<Vec<u8>>>>;

/// A token in use.
pub(super) struct Held {
    pub(super) token: Arc<Token>,
    pub(super) live: Arc<Live>,
    /// Of which generation of the credential.
    pub(super) generation: u64,
    /// As it is kept in the store; none where it could not be kept.
    counter: Option<u64>,
    /// Those before it: they may still work, and upstreams may still name them.
    older: Vec<Arc<Token>>,
    /// An upstream answered 401 to it.
    refused: AtomicBool,
}

impl Held {
    fn new(token: Token, generation: u64, counter: Option<u64>, before: Option<&Held>) -> Self {
        let token = Arc::new(token);
        let older = before.into_iter().flat_map(|held| std::iter::once(&held.token).chain(&held.older));
        Self {
            live: Arc::new(Live::new(Usable::Token(token.clone()))),
            token,
            generation,
            counter,
            older: older.take(OLDER).cloned().collect(),
            refused: AtomicBool::new(false),
        }
    }

    fn freshness(&self, now: Timestamp) -> Freshness {
        match self.refused.load(Ordering::Acquire) {
            true => Freshness::Expired,
            false => self.token.freshness(now),
        }
    }

    /// What is looked for in responses.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let tokens = std::iter::once(&self.token).chain(&self.older);
        tokens.flat_map(|token| std::iter::once(&token.access).chain(&token.refresh))
    }

    /// What came with it.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.token.values.get(name).cloned()
    }

    /// Ends requests that are on their way with it.
    pub(super) fn cut(&self) {
        self.live.cut.send_replace(true);
    }
}

impl IntegrationVault {
    /// The token that is in use, if there is one.
    fn held(&self, slot: &Slot) -> Option<Arc<Held>> {
        self.state().tokens.get(&slot.name).filter(|held| held.generation == slot.generation()).cloned()
    }

    /// A token that works, as far as is known. Waits for one where there is none.
    pub(super) async fn token(
        &self,
        state: &State,
        slot: &Arc<Slot>,
        client: &Arc<OAuthClient>,
        now: Timestamp,
    ) -> Result<Arc<Held>, VaultError> {
        let held = state.tokens.get(&slot.name).filter(|held| held.generation == slot.generation()).cloned();
        let held = match held {
            Some(held) => Some(held),
            None => self.kept(slot).await?,
        };
        if let Some(held) = held {
            match held.freshness(now) {
                Freshness::Fresh => return Ok(held),
                Freshness::Stale => {
                    // One refreshes ahead; nobody waits for that.
                    drop(self.fly(slot, client, now));
                    return Ok(held);
                }
                Freshness::Expired => {}
            }
        }
        self.fly(slot, client, now).landed().await.map_err(|error| error.at(&slot.name))?;
        let gone = || VaultError::Token {
            slot: slot.name.clone(),
            code: "changed".to_owned(),
            why: "the credential was changed while its token was asked for".to_owned(),
            retryable: true,
        };
        self.held(slot).ok_or_else(gone)
    }

    /// The token that is kept in the store, put in use.
    async fn kept(&self, slot: &Slot) -> Result<Option<Arc<Held>>, VaultError> {
        let (id, generation) = (self.id(&slot.name), slot.generation());
        let kept = match self.shared.credentials.load_token(&id, generation).await {
            Ok(kept) => kept,
            // What cannot be read is as good as none, where another one can be asked for.
            Err(error) => {
                tracing::warn!(%error, "a token that was kept cannot be read");
                None
            }
        };
        let token = kept.and_then(|kept| Some((Token::from_bytes(&kept.bytes)?, kept.counter)));
        let Some((token, counter)) = token else { return Ok(None) };
        Ok(Some(self.install(slot, Held::new(token, generation, Some(counter), None), false)))
    }

    /// Puts a token in use. Where there is one already, it stays unless it is to be replaced.
    fn install(&self, slot: &Slot, held: Held, replace: bool) -> Arc<Held> {
        let held = Arc::new(held);
        loop {
            let state = self.state();
            let known = state.tokens.get(&slot.name).filter(|known| known.generation == held.generation);
            if let (Some(known), false) = (known, replace) {
                return known.clone();
            }
            // What was revoked or rotated meanwhile gets no token any more.
            if state.slots.get(&slot.name).is_none_or(|now| now.generation() != held.generation) {
                return held;
            }
            if self.replace(&state, state.with_token(&slot.name, Some(held.clone()))) {
                return held;
            }
        }
    }

    /// Joins the exchange that is on its way, or begins one.
    fn fly(&self, slot: &Arc<Slot>, client: &Arc<OAuthClient>, now: Timestamp) -> Flight {
        let Some(me) = self.me() else {
            return Flight::Landed(Err(TokenError::Request("the vault is being closed".to_owned())));
        };
        let fresh = || {
            let held = self.held(slot)?;
            (held.freshness(now) == Freshness::Fresh).then(|| held.token.clone())
        };
        let exchange = || {
            let (slot, client) = (slot.clone(), client.clone());
            async move { me.exchange(&slot, &client).await }
        };
        self.flights.join(&slot.name, slot.generation(), now, fresh, exchange)
    }

    async fn exchange(&self, slot: &Slot, client: &OAuthClient) -> Result<Arc<Token>, TokenError> {
        let unable = || TokenError::Request("nobody here can ask an authorization server".to_owned());
        let sender = self.client().ok_or_else(unable)?;
        let (held, now) = (self.held(slot), self.now());
        let current = held.as_ref().map(|held| &*held.token);
        let mut obtained = token::obtain(&*sender, &slot.name, client, current, now).await;
        // While both are good, the server may not know the new secret or key yet.
        if let Err(error) = &obtained
            && error.is_of_client()
            && let Some(before) = self.client_before(slot, now)
            && let Ok(token) = token::obtain(&*sender, &slot.name, &before, current, now).await
        {
            obtained = Ok(token);
        }
        match obtained {
            Ok(token) => Ok(self.keep(slot, held.as_deref(), token).await?.token.clone()),
            Err(error) => {
                // The server may know more secrets than those of this request: the tokens before, say.
                let error = error.scrubbed(&self.state().scrubber(&self.declared()));
                self.failed(slot, &error).await;
                Err(error)
            }
        }
    }

    /// What tokens were got with before the credential was rotated, while that is still good.
    fn client_before(&self, slot: &Slot, now: Timestamp) -> Option<Arc<OAuthClient>> {
        let declared = self.declared();
        match slot.opened(&declared).ok()?.contents(now).nth(1)? {
            Content::Tokens(client) => Some(client.clone()),
            Content::Fixed(_) => None,
        }
    }

    /// Keeps a token, sealed, and puts it in use.
    async fn keep(&self, slot: &Slot, before: Option<&Held>, token: Token) -> Result<Arc<Held>, TokenError> {
        let (id, generation) = (self.id(&slot.name), slot.generation());
        let changed = || TokenError::Request("the credential was changed while its token was asked for".to_owned());
        let mut after = before.and_then(|held| held.counter);
        for _ in 0..2 {
            match self.shared.credentials.save_token(&id, generation, after, &token.to_bytes()).await {
                Ok(counter) => {
                    return Ok(self.install(slot, Held::new(token, generation, Some(counter), before), true));
                }
                // Of a host beside this one, or of a start before it: this one is newer.
                Err(CredentialError::TokenMoved { .. }) => {
                    let kept = self.shared.credentials.load_token(&id, generation).await;
                    after = kept.ok().flatten().map(|kept| kept.counter);
                }
                Err(CredentialError::Superseded { .. } | CredentialError::Revoked(_) | CredentialError::None(_)) => {
                    return Err(changed());
                }
                Err(error) => {
                    tracing::warn!(%error, "a token is used, and could not be kept");
                    break;
                }
            }
        }
        Ok(self.install(slot, Held::new(token, generation, after, before), true))
    }

    /// Tells why there is no token; where a person has to agree again, that is kept.
    async fn failed(&self, slot: &Slot, error: &TokenError) {
        let id = self.id(&slot.name);
        let what = match error {
            TokenError::Reconnect(why) => {
                let kept = self.shared.credentials.needs_reconnect(&id, slot.generation(), why).await;
                if let Err(error) = kept {
                    tracing::warn!(%error, "that a person has to agree again is not kept");
                }
                Happened::NeedsReconnect { why: why.clone() }
            }
            error => Happened::NoToken { why: error.to_string() },
        };
        self.shared.tell(id, slot.generation(), what);
    }

    /// An upstream answered 401 to a request with this token. Whether it is to be tried with another.
    pub(super) async fn token_refused(&self, slot: &Slot, held: &Held, used: &Arc<Live>, mark: &Mark) -> bool {
        if !Arc::ptr_eq(&held.live, used) {
            // There is a newer one already.
            return true;
        }
        let now = self.now();
        let dropped = mark.dropped.swap(now.as_second(), Ordering::AcqRel);
        if now.as_second() - dropped < PATIENCE {
            // It was asked for because the one before it was refused: another one would be refused, too.
            mark.dropped.store(dropped, Ordering::Release);
            if !held.refused.load(Ordering::Acquire) {
                self.tell_refused(slot, mark);
                return false;
            }
            return true;
        }
        held.refused.store(true, Ordering::Release);
        if let Err(error) = self.forget(slot, held, now).await {
            tracing::warn!(%error, "a token that was refused is still kept");
        }
        true
    }

    /// Takes a refused token out of the store, and keeps what another one can be got with.
    async fn forget(&self, slot: &Slot, held: &Held, now: Timestamp) -> Result<(), CredentialError> {
        let (id, credentials) = (self.id(&slot.name), &self.shared.credentials);
        let Some(counter) = held.counter else { return Ok(()) };
        if held.token.refresh.is_none() {
            return credentials.drop_token(&id, held.generation, counter).await;
        }
        let bytes = held.token.expired_at(now).to_bytes();
        let counter = credentials.save_token(&id, held.generation, Some(counter), &bytes).await?;
        let expired = Held::new(held.token.expired_at(now), held.generation, Some(counter), Some(held));
        expired.refused.store(true, Ordering::Release);
        self.install(slot, expired, true);
        Ok(())
    }

    /// Asks the authorization server to take back what it gave for a slot, later. None where there is nothing to take back.
    pub(super) async fn revocation(&self, name: &str) -> Option<impl Future<Output = ()> + Send + 'static> {
        let (slot, client) = self.taker(name).await.ok()?;
        let held = match self.held(&slot) {
            Some(held) => held,
            None => self.kept(&slot).await.ok()??,
        };
        let (sender, name, now) = (self.client()?, name.to_owned(), self.now());
        Some(async move {
            if let Err(error) = token::revoke(&*sender, &name, &client, &held.token, now).await {
                tracing::warn!(%error, "the authorization server did not take a token back");
            }
        })
    }

    /// The slot and what it gets tokens with, whether or not a person has to agree again.
    async fn taker(&self, name: &str) -> Result<(Arc<Slot>, Arc<OAuthClient>), VaultError> {
        self.take_in().await?;
        let slot = self.state().slots.get(name).cloned().ok_or_else(|| VaultError::Empty(name.to_owned()))?;
        match slot.usable(self.now()) {
            Ok(()) | Err(VaultError::Reconnect { .. }) => {}
            Err(error) => return Err(error),
        }
        match &slot.opened(&self.declared())?.now {
            Content::Tokens(client) => Ok((slot.clone(), client.clone())),
            Content::Fixed(_) => Err(VaultError::Unfit {
                slot: name.to_owned(),
                scheme: "oauth",
                problem: "it is no credential that tokens are got with; rotate it".to_owned(),
            }),
        }
    }

    /// Begins to ask a person: the address to open in a browser.
    pub async fn authorize(&self, name: &str, redirect_uri: &str) -> Result<String, VaultError> {
        let (slot, client) = self.taker(name).await?;
        let unable = || TokenError::Request("nobody here can ask an authorization server".to_owned());
        let sender = self.client().ok_or_else(unable).map_err(|error| error.at(name))?;
        let started = token::start(&*sender, &slot.name, &client, redirect_uri, self.now()).await;
        let started = started.map_err(|error| error.at(name))?;
        self.pending().insert(name.to_owned(), started.pending);
        Ok(started.url)
    }

    /// Goes on with the address that the authorization server sent the browser back to.
    pub async fn authorized(&self, name: &str, callback: &str, by: &Caller) -> Result<(), VaultError> {
        let (slot, client) = self.taker(name).await?;
        let not_begun = || {
            TokenError::Callback("nobody was sent there from here, or they came back already; start again".to_owned())
        };
        // It is good once.
        let pending = self.pending().remove(name).ok_or_else(not_begun).map_err(|error| error.at(name))?;
        let unable = || TokenError::Request("nobody here can ask an authorization server".to_owned());
        let sender = self.client().ok_or_else(unable).map_err(|error| error.at(name))?;
        let token = token::finish(&*sender, &slot.name, &client, &pending, callback, self.now()).await;
        let token = token.map_err(|error| error.at(name))?;
        let before = match self.held(&slot) {
            Some(held) => Some(held),
            None => self.kept(&slot).await?,
        };
        self.keep(&slot, before.as_deref(), token).await.map_err(|error| error.at(name))?;
        self.connected_again(&slot, by).await
    }

    /// Forgets the token and asks for another one.
    pub async fn reconnect(&self, name: &str, by: &Caller) -> Result<(), VaultError> {
        let (slot, client) = self.taker(name).await?;
        if self.held(&slot).is_none() {
            self.kept(&slot).await?;
        }
        if let Some(held) = self.held(&slot) {
            held.refused.store(true, Ordering::Release);
        }
        self.flights.forget(name);
        self.fly(&slot, &client, self.now()).landed().await.map_err(|error| error.at(name))?;
        self.connected_again(&slot, by).await
    }

    async fn connected_again(&self, slot: &Slot, by: &Caller) -> Result<(), VaultError> {
        self.flights.forget(&slot.name);
        let kept = self.shared.credentials.reconnected(&self.id(&slot.name), by).await;
        kept.map_err(|error| VaultError::Damaged { slot: slot.name.clone(), why: error.to_string() })?;
        self.take_in().await
    }
}
