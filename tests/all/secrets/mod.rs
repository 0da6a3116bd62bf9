//! Credentials that are kept in a store, and tokens that are got with them, seen from outside: who gets to see them, and who
//! does not.
//!
//! | file | what it tries |
//! | --- | --- |
//! | `binding.rs` | versions that would take a credential elsewhere |
//! | `echoes.rs` | upstreams that send back whatever they know, in every writing |
//! | `servers.rs` | authorization servers that echo, flood, wait, redirect, or are not who they should be |
//! | `routes.rs` | guests that reach for the authorization server |
//! | `life.rs` | a hundred calls with an expired token; revocation under load; sandbox mode; another master key |
//! | `scan.rs` | files, logs, exports, events, receipts |
//! | `memory.rs` | a host's memory, after everything was revoked |
//!
//! [`Kept`] is a host with all of it: a store, master key and clock of its own, and an upstream that is its own authorization
//! server.

pub(crate) mod binding;
pub(crate) mod echoes;
pub(crate) mod life;
pub(crate) mod memory;
pub(crate) mod routes;
pub(crate) mod scan;
pub(crate) mod servers;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_ledger::{Caller, Clock, LedgerOptions};
use portcullis_runtime::{
    CredentialId, CredentialKind as Kind, Credentials, Given, IntegrateError, Integration, KeyProvider, NewIntegration,
    NewOptions, RuntimeBuilder, Secret,
};
use portcullis_tests::{
    ledger::ReadableLedger,
    upstream::{Answer, Received},
};
use portcullis_vault::{DataKey, KeyError, LocalKey};
use serde_json::json;

use crate::{
    guests,
    harness::{self, Case, SECRET, everything, tenant},
};

/// The workspace of everything that is kept.
pub(crate) const WORKSPACE: &str = "vaulted";

/// A secret of the tests, with what tells it from the others; of letters and digits alone where it goes into cookies and paths.
pub(crate) fn secret(name: &str) -> String {
    match name {
        "cookie" | "bot" => harness::secret(name),
        _ => format!("{SECRET}{name}"),
    }
}

pub(crate) fn id(slot: &str) -> CredentialId {
    CredentialId::new(WORKSPACE, "probe", slot)
}

pub(crate) fn by() -> Caller {
    Caller::principal("user:ada")
}

/// A clock that can be put forward.
#[derive(Default)]
pub(crate) struct Hands(AtomicI64);

impl Hands {
    pub(crate) fn pass(&self, long: Duration) {
        self.0.fetch_add(i64::try_from(long.as_secs()).unwrap(), Ordering::SeqCst);
    }
}

impl Hands {
    pub(crate) fn back(&self, long: Duration) {
        self.0.fetch_sub(i64::try_from(long.as_secs()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// A master key that counts how often it is asked to unwrap a data key: without that nothing can be decrypted.
pub(crate) struct CountedKey {
    key: LocalKey,
    unwrapped: AtomicUsize,
}

impl CountedKey {
    pub(crate) fn new(byte: u8) -> Arc<Self> {
        let key = LocalKey::new(vec![byte; 32].into()).unwrap();
        Arc::new(Self { key, unwrapped: AtomicUsize::new(0) })
    }

    pub(crate) fn unwrapped(&self) -> usize {
        self.unwrapped.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeyProvider for CountedKey {
    fn id(&self) -> String {
        self.key.id()
    }

    async fn wrap(&self, key: &DataKey, aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.key.wrap(key, aad).await
    }

    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<DataKey, KeyError> {
        self.unwrapped.fetch_add(1, Ordering::SeqCst);
        self.key.unwrap(wrapped, aad).await
    }
}

/// An authorization server: answers its token endpoint as it was told to, then with tokens that have numbers.
#[derive(Default)]
pub(crate) struct Server {
    answers: Mutex<VecDeque<Answer>>,
    wait: Mutex<Duration>,
    given: AtomicUsize,
}

impl Server {
    /// Answers the next request for a token with this.
    pub(crate) fn next(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// Each answer comes only after a while.
    pub(crate) fn slow(&self, wait: Duration) {
        *self.wait.lock().unwrap() = wait;
    }

    pub(crate) fn answer(&self, request: &Received) -> Answer {
        let told = self.answers.lock().unwrap().pop_front();
        let wait = *self.wait.lock().unwrap();
        if request.target == "/oauth/revoke" {
            return Answer::json(&json!({})).after(wait);
        }
        told.unwrap_or_else(|| {
            let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
            Answer::json(&json!({
                "access_token": secret(&format!("access-{number}")),
                "refresh_token": secret(&format!("refresh-{number}")),
                "token_type": "Bearer",
                "expires_in": 3600,
                "id": "00D-1",
            }))
        })
        .after(wait)
    }
}

/// A host whose credentials are kept in its store.
pub(crate) struct Kept {
    pub(crate) case: Case,
    pub(crate) credentials: Credentials,
    pub(crate) clock: Arc<Hands>,
    pub(crate) server: Arc<Server>,
}

impl Kept {
    /// Whose upstream echoes everything.
    pub(crate) async fn new() -> Self {
        Self::answering(|_| None).await
    }

    /// Whose upstream answers some requests in a way of its own.
    pub(crate) async fn answering(own: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::with(own, |builder| builder).await
    }

    pub(crate) async fn with(
        own: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static,
        set_up: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Self {
        let clock = Arc::new(Hands::default());
        let options = LedgerOptions { clock: clock.clone(), ..LedgerOptions::default() };
        let ledger = Arc::new(ReadableLedger::with(options).await);
        let credentials = Credentials::open(ledger.ledger(), CountedKey::new(7)).await.unwrap();
        let server = Arc::new(Server::default());
        let (asked, kept) = (server.clone(), credentials.clone());
        let answer = move |request: &Received| {
            let own = own(request);
            own.unwrap_or_else(|| match request.target.as_str() {
                "/ok" => Answer::json(&json!({"ok": true})),
                target if target.starts_with("/oauth/") => asked.answer(request),
                _ => echoes::everything(request),
            })
        };
        let case = Case::on(ledger, answer, |builder| set_up(builder.credentials(kept).calls_at_once(128))).await;
        Self { case, credentials, clock, server }
    }

    /// Keeps a credential.
    pub(crate) async fn give(&self, slot: &str, given: Given) {
        self.credentials.add(&id(slot), given, NewOptions::by(&by())).await.unwrap();
    }

    /// Keeps one in each slot.
    pub(crate) async fn fill(&self) {
        fill(&self.credentials, &self.case.upstream.origin()).await;
    }

    /// A refresh token for `free`, of this authorization server.
    pub(crate) fn refresh_token_at(&self, url: &str) -> Given {
        refresh_token(url)
    }

    /// The probe with all its routes and those of the authorization server.
    pub(crate) async fn probe(&self) -> Integration {
        self.probe_with(&self.token_routes(), "").await
    }

    pub(crate) fn token_routes(&self) -> String {
        let base = self.case.upstream.origin();
        token_route(&format!("{base}/oauth/token"), "token")
            + &token_route(&format!("{base}/oauth/revoke"), "token")
            + &token_route(&format!("{base}/oauth/token"), "free")
    }

    /// The probe with all its routes, these token routes, and these limits.
    pub(crate) async fn probe_with(&self, token_routes: &str, limits: &str) -> Integration {
        self.probe_at(token_routes, limits, &[]).await
    }

    /// The same, where an authorization server is carved out, too.
    pub(crate) async fn probe_at(&self, token_routes: &str, limits: &str, servers: &[SocketAddr]) -> Integration {
        let new = self.new_probe(token_routes, limits, servers).await;
        self.case.runtime.integrate(new).await.unwrap()
    }

    /// The same; or why not.
    pub(crate) async fn try_probe(&self, token_routes: &str) -> Result<Integration, IntegrateError> {
        self.case.runtime.integrate(self.new_probe(token_routes, "", &[]).await).await
    }

    async fn new_probe(&self, token_routes: &str, limits: &str, servers: &[SocketAddr]) -> NewIntegration {
        let base = self.case.upstream.origin();
        let routes = format!("{}{}{token_routes}[limits]\n{limits}\n", everything(&base), kept_routes(&base));
        let probe = self.case.load(guests::PUPPET_PROBE).await;
        let carve_outs = [&[self.case.upstream.address], servers].concat();
        tenant(WORKSPACE, probe, &base, &routes, &carve_outs)
    }

    /// What the authorization server received.
    pub(crate) fn asked(&self) -> Vec<Received> {
        let all = self.case.upstream.received();
        all.into_iter().filter(|request| request.target.starts_with("/oauth/")).collect()
    }
}

/// Grant lines for a token route.
pub(crate) fn token_route(url: &str, slot: &str) -> String {
    format!("[[routes]]\nmethod = \"POST\"\nurl = \"{url}\"\ntoken_for = \"{slot}\"\n")
}

/// Grant lines for what the probe declares beside [`everything`].
fn kept_routes(base: &str) -> String {
    [("GET", "free"), ("POST", "member"), ("POST", "aws"), ("POST", "mac")]
        .map(|(method, slot)| {
            format!("[[routes]]\nmethod = \"{method}\"\nurl = \"{base}/{slot}\"\nslots = [\"{slot}\"]\n")
        })
        .concat()
}

pub(crate) fn given(kind: Kind, fields: &[(&str, &str)], secrets: &[(&str, &str)]) -> Given {
    let own = |text: &&str| (*text).to_owned();
    Given {
        kind,
        fields: fields.iter().map(|(name, value)| (own(name), own(value))).collect(),
        secrets: secrets
            .iter()
            .map(|(name, value)| (own(name), Secret::try_from(*value).unwrap()))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// Keeps one in each slot: one secret or key where that is what it takes, client credentials in `token`, a refresh token in
/// `free`.
pub(crate) async fn fill(credentials: &Credentials, origin: &str) {
    let give = async |slot: &str, given: Given| {
        credentials.add(&id(slot), given, NewOptions::by(&by())).await.unwrap();
    };
    for slot in ["key", "query-key", "cookie", "bot", "signing", "member"] {
        give(slot, Given::secret(Secret::try_from(secret(slot)).unwrap())).await;
    }
    give("basic", Given::secret(Secret::try_from(format!("user:{}", secret("basic"))).unwrap())).await;
    for slot in ["aws", "mac"] {
        give(slot, given(Kind::KeyPair, &[("id", "AKIA123")], &[("secret", &secret(slot))])).await;
    }
    let revoke = format!("{origin}/oauth/revoke");
    let fields = [("client-id", "client-1"), ("revoke-url", revoke.as_str())];
    give("token", given(Kind::OauthClientCredentials, &fields, &[("client-secret", &secret("client"))])).await;
    give("free", refresh_token(&format!("{origin}/oauth/token"))).await;
}

/// A refresh token, and a client secret that goes into the request's body.
fn refresh_token(url: &str) -> Given {
    let fields = [("client-id", "client-2"), ("token-url", url), ("client-authentication", "client_secret_post")];
    let secrets = [("refresh-token", &*secret("refresh")), ("client-secret", &secret("post"))];
    given(Kind::OauthRefreshToken, &fields, &secrets)
}
