//! What holds of a live vault, each test on a store, a ledger and an authorization server of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use http::{HeaderMap, Method};
use portcullis_gate::{MacAlgorithm, OAuth, OpenSlot, Scheme, Slot};
use portcullis_ledger::Caller;
use tokio::{sync::broadcast::Receiver, time::timeout};
use url::Url;
use zeroize::Zeroizing;

use super::*;
use crate::{
    Outgoing, Ready, TokenClient, TokenRequest, TokenResponse, TokenSendError, Vault, VaultError,
    credentials::{CredentialId, Credentials, NewOptions, Overlap, tests::Host},
    material::{Given, Kind},
    secret::Secret,
};

/// An authorization server: answers what it was told to, then tokens with numbers.
#[derive(Default)]
struct Server {
    asked: AtomicUsize,
    answers: Mutex<VecDeque<(u16, String)>>,
    delay: Mutex<Duration>,
    expires_in: Mutex<u32>,
}

#[async_trait]
impl TokenClient for Server {
    async fn send(&self, _request: TokenRequest) -> Result<TokenResponse, TokenSendError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        let told = self.answers.lock().unwrap().pop_front();
        let (status, body) = told.unwrap_or_else(|| {
            let expires = *self.expires_in.lock().unwrap();
            (200, format!(r#"{{"access_token":"token-{number}-of-the-server","token_type":"Bearer","expires_in":{expires},"refresh_token":"refresh-{number}-of-the-server","instance_url":"https://one.example"}}"#))
        });
        Ok(TokenResponse { status, body: Zeroizing::new(body.into_bytes()) })
    }
}

/// A host with an integration `acme/mail`: a token slot, a slot for one secret, one that signs.
struct Bench {
    host: Host,
    credentials: Credentials,
    vaults: Vaults,
    vault: Arc<IntegrationVault>,
    server: Arc<Server>,
    events: Receiver<CredentialEvent>,
}

fn slots() -> Vec<Slot> {
    let slot = |name: &str, scheme, oauth| Slot { name: name.into(), description: String::new(), scheme, oauth };
    let oauth = OAuth {
        token_url: Some("https://auth.example/token".into()),
        revoke_url: Some("https://auth.example/revoke".into()),
        values: vec!["instance_url".into()],
        ..OAuth::default()
    };
    vec![
        slot("access", Scheme::Bearer, Some(oauth)),
        slot("key", Scheme::Bearer, None),
        slot("mac", Scheme::SigningKey, None),
    ]
}

fn open(name: &str) -> [OpenSlot; 1] {
    [OpenSlot { name: name.into(), scheme: Scheme::Bearer, segment: None }]
}

fn id(slot: &str) -> CredentialId {
    CredentialId::new("acme", "mail", slot)
}

fn secret(text: &str) -> Given {
    Given::secret(Secret::try_from(text).unwrap())
}

fn oauth(kind: Kind, secrets: &[(&str, &str)]) -> Given {
    let secrets = secrets.iter().map(|(name, text)| ((*name).to_owned(), Secret::try_from(*text).unwrap())).collect();
    Given { kind, fields: BTreeMap::from([("client-id".to_owned(), "client".to_owned())]), secrets }
}

fn client_credentials() -> Given {
    oauth(Kind::OauthClientCredentials, &[("client-secret", "the-clients-own-secret")])
}

impl Bench {
    async fn new() -> Self {
        let host = Host::new().await;
        let credentials = host.open(1).await;
        let server = Arc::new(Server { expires_in: Mutex::new(3600), ..Server::default() });
        Self::on(host, credentials, server).await
    }

    async fn on(host: Host, credentials: Credentials, server: Arc<Server>) -> Self {
        let vaults = Vaults::new(credentials.clone());
        let events = vaults.events();
        let vault = vaults.vault("acme", "mail").await.unwrap();
        vault.connect(&slots(), server.clone());
        Self { host, credentials, vaults, vault, server, events }
    }

    /// As after a new start.
    async fn started_again(self) -> Self {
        let (host, server) = (self.host, self.server);
        drop((self.vault, self.vaults, self.credentials));
        let credentials = host.open(1).await;
        Self::on(host, credentials, server).await
    }

    async fn add(&self, slot: &str, given: Given) {
        self.credentials.add(&id(slot), given, NewOptions::by(&by())).await.unwrap();
    }

    async fn rotate(&self, slot: &str, given: Given, overlap: Overlap) {
        self.credentials.rotate(&id(slot), given, overlap, NewOptions::by(&by())).await.unwrap();
    }

    async fn ready(&self, slot: &str) -> Result<Ready, VaultError> {
        self.vault.ready(&open(slot), "https://api.example", "sendEmail").await
    }

    async fn sent(&self, slot: &str) -> String {
        header(&self.ready(slot).await.unwrap())
    }

    async fn happened(&mut self, what: impl Fn(&Happened) -> bool) -> CredentialEvent {
        let wait = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if what(&event.what) {
                    return event;
                }
            }
        };
        timeout(Duration::from_secs(5), wait).await.unwrap()
    }

    fn asked(&self) -> usize {
        self.server.asked.load(Ordering::SeqCst)
    }

    fn answers(&self, status: u16, body: &str) {
        self.server.answers.lock().unwrap().push_back((status, body.to_owned()));
    }
}

fn by() -> Caller {
    Caller::principal("user:ada")
}

fn header(ready: &Ready) -> String {
    let url = Url::parse("https://api.example/").unwrap();
    let mut outgoing = Outgoing { method: Method::GET, url, headers: HeaderMap::new(), body: None };
    ready.attach(&mut outgoing).unwrap();
    outgoing.headers["authorization"].to_str().unwrap().to_owned()
}

async fn is_cut(ready: &Ready) -> bool {
    timeout(Duration::from_millis(200), ready.cut()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_who_want_a_token_at_once_cause_one_exchange() {
    let bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    *bench.server.delay.lock().unwrap() = Duration::from_millis(50);
    let calls = (0..100).map(|_| {
        let vault = bench.vault.clone();
        tokio::spawn(async move { header(&vault.ready(&open("access"), "https://api.example", "x").await.unwrap()) })
    });
    for call in futures::future::join_all(calls).await {
        assert_eq!(call.unwrap(), "Bearer token-1-of-the-server");
    }
    assert_eq!(bench.asked(), 1);
    // And again when it has expired.
    bench.host.clock.pass(Duration::from_secs(3601));
    let calls = (0..100).map(|_| {
        let vault = bench.vault.clone();
        tokio::spawn(async move { header(&vault.ready(&open("access"), "https://api.example", "x").await.unwrap()) })
    });
    for call in futures::future::join_all(calls).await {
        assert_eq!(call.unwrap(), "Bearer token-2-of-the-server");
    }
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn a_token_is_kept_for_the_next_start_and_refreshed_before_it_expires() {
    let bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    assert_eq!(bench.sent("access").await, "Bearer token-1-of-the-server");
    let bench = bench.started_again().await;
    assert_eq!(bench.sent("access").await, "Bearer token-1-of-the-server");
    assert_eq!(bench.asked(), 1);
    bench.host.clock.pass(Duration::from_secs(3600 - 30));
    // It still works, so nobody waits.
    assert_eq!(bench.sent("access").await, "Bearer token-1-of-the-server");
    let refreshed = async {
        while bench.sent("access").await != "Bearer token-2-of-the-server" {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(5), refreshed).await.unwrap();
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn a_refused_token_is_dropped_once_and_not_again_and_again() {
    let mut bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    let first = bench.ready("access").await.unwrap();
    assert!(bench.vault.refused(&first).await);
    let second = bench.ready("access").await.unwrap();
    assert_eq!(header(&second), "Bearer token-2-of-the-server");
    // Who still has the first one is told to try with the second.
    assert!(bench.vault.refused(&first).await);
    assert!(!bench.vault.refused(&second).await, "a new token was refused, too: another one would be");
    assert_eq!(bench.sent("access").await, "Bearer token-2-of-the-server");
    bench.happened(|what| *what == Happened::Refused).await;
    assert_eq!(bench.asked(), 2);
    // Not even the next start takes the refused one up again.
    let bench = bench.started_again().await;
    assert_eq!(bench.sent("access").await, "Bearer token-2-of-the-server");
}

#[tokio::test]
async fn what_a_refused_token_was_refreshed_with_stays() {
    let bench = Bench::new().await;
    let given = oauth(Kind::OauthRefreshToken, &[("refresh-token", "the-first-refresh-token")]);
    bench.add("access", given).await;
    let first = bench.ready("access").await.unwrap();
    assert!(bench.vault.refused(&first).await);
    let bench = bench.started_again().await;
    assert_eq!(bench.sent("access").await, "Bearer token-2-of-the-server");
}

#[tokio::test]
async fn another_credential_is_used_by_the_next_request_and_ends_those_on_their_way() {
    let bench = Bench::new().await;
    bench.add("key", secret("the-first-key")).await;
    let before = bench.ready("key").await.unwrap();
    let generation = *bench.vault.changes().borrow();
    bench.rotate("key", secret("the-second-key"), Overlap::AtOnce).await;
    assert_eq!(bench.sent("key").await, "Bearer the-second-key");
    assert!(is_cut(&before).await);
    assert!(*bench.vault.changes().borrow() > generation, "connections of the old one are closed");
    assert!(!is_cut(&bench.ready("key").await.unwrap()).await);
}

#[tokio::test]
async fn in_an_overlap_both_are_good() {
    let bench = Bench::new().await;
    bench.add("key", secret("the-first-key")).await;
    bench.add("mac", secret("the-first-mac-key")).await;
    let before = bench.ready("key").await.unwrap();
    bench.vault.refresh().await;
    let mac = bench.vault.sign("mac", MacAlgorithm::HmacSha256, b"x").unwrap();
    let overlap = Overlap::For(Duration::from_secs(600));
    bench.rotate("key", secret("the-second-key"), overlap).await;
    bench.rotate("mac", secret("the-second-mac-key"), overlap).await;
    let after = bench.ready("key").await.unwrap();
    assert_eq!(header(&after), "Bearer the-second-key");
    assert!(!is_cut(&before).await);
    // The provider does not know the new one yet.
    assert!(bench.vault.refused(&after).await);
    let previous = bench.ready("key").await.unwrap();
    assert_eq!(header(&previous), "Bearer the-first-key");
    assert!(!bench.vault.refused(&previous).await, "there is no third one");
    let verify = |mac: &[u8]| bench.vault.verify("mac", MacAlgorithm::HmacSha256, b"x", mac).unwrap();
    let new = bench.vault.sign("mac", MacAlgorithm::HmacSha256, b"x").unwrap();
    assert!(verify(&mac) && verify(&new) && new != mac && !verify(b"other"));
    bench.host.clock.pass(Duration::from_secs(601));
    assert_eq!(bench.sent("key").await, "Bearer the-second-key");
    assert!(!bench.vault.verify("mac", MacAlgorithm::HmacSha256, b"x", &mac).unwrap());
}

#[tokio::test]
async fn while_both_clients_are_good_a_token_is_got_with_the_one_before_where_the_server_refuses_the_new_one() {
    let refusal = || (401, r#"{"error":"invalid_client"}"#.to_owned());
    let another = || oauth(Kind::OauthClientCredentials, &[("client-secret", "another-secret-of-the-client")]);
    for (overlap, works) in [(Overlap::For(Duration::from_secs(600)), true), (Overlap::AtOnce, false)] {
        let bench = Bench::new().await;
        bench.add("access", client_credentials()).await;
        bench.rotate("access", another(), overlap).await;
        bench.server.answers.lock().unwrap().push_back(refusal());
        let ready = bench.ready("access").await;
        assert_eq!(ready.is_ok(), works, "{ready:?}");
        assert_eq!(bench.server.asked.load(Ordering::SeqCst), if works { 2 } else { 1 });
    }
    // When the time of the one before is over, it is not tried any more.
    let bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    bench.rotate("access", another(), Overlap::For(Duration::from_secs(600))).await;
    bench.host.clock.pass(Duration::from_secs(601));
    bench.server.answers.lock().unwrap().push_back(refusal());
    assert!(bench.ready("access").await.is_err());
}

#[tokio::test]
async fn a_revoked_credential_ends_what_is_on_its_way_and_is_not_used_again() {
    let mut bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    bench.add("key", secret("the-first-key")).await;
    let (token, key) = (bench.ready("access").await.unwrap(), bench.ready("key").await.unwrap());
    let since = Instant::now();
    bench.vaults.revoke(&id("access"), &by(), "leaked").await.unwrap();
    assert!(is_cut(&token).await);
    assert!(since.elapsed() < Duration::from_secs(1), "on a busy machine, too");
    assert_eq!(bench.ready("access").await.unwrap_err(), VaultError::Revoked("access".into()));
    assert!(!bench.vault.holds("access") && bench.vault.holds("key"));
    assert!(!is_cut(&key).await, "another slot's requests go on");
    bench.happened(|what| *what == Happened::Revoked).await;
    // The refresh token and the access token were handed back.
    assert_eq!(bench.asked(), 3);
}

#[tokio::test]
async fn a_token_that_comes_while_its_credential_is_revoked_is_not_used() {
    let bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    *bench.server.delay.lock().unwrap() = Duration::from_millis(200);
    let vault = bench.vault.clone();
    let waiting =
        tokio::spawn(async move { vault.ready(&open("access"), "https://api.example", "x").await.map(|_| ()) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.vaults.revoke(&id("access"), &by(), "leaked").await.unwrap();
    assert!(waiting.await.unwrap().is_err());
    assert_eq!(bench.ready("access").await.unwrap_err(), VaultError::Revoked("access".into()));
}

#[tokio::test]
async fn everything_that_is_secret_is_found_in_responses() {
    let bench = Bench::new().await;
    bench
        .add(
            "access",
            oauth(
                Kind::OauthRefreshToken,
                &[("refresh-token", "the-first-refresh-token"), ("client-secret", "the-clients-own-secret")],
            ),
        )
        .await;
    bench.add("key", secret("the-first-key")).await;
    bench.rotate("key", secret("the-second-key"), Overlap::For(Duration::from_secs(60))).await;
    let first = bench.ready("access").await.unwrap();
    bench.vault.refused(&first).await;
    let ready = bench.ready("access").await.unwrap();
    for text in [
        "the-first-refresh-token",
        "the-clients-own-secret",
        "the-first-key",
        "the-second-key",
        "token-1-of-the-server",
        "token-2-of-the-server",
        "refresh-1-of-the-server",
        "refresh-2-of-the-server",
    ] {
        let found = ready.scrubber().scrub(format!("<{text}>").as_bytes());
        assert!(found.is_some_and(|found| !String::from_utf8_lossy(&found.bytes).contains(text)), "{text}");
        assert!(bench.vault.scrubber().scrub(text.as_bytes()).is_some(), "{text}");
    }
}

#[tokio::test]
async fn what_a_server_says_no_to_for_good_needs_a_person_and_is_told() {
    let mut bench = Bench::new().await;
    bench.add("access", oauth(Kind::OauthRefreshToken, &[("refresh-token", "the-first-refresh-token")])).await;
    bench.answers(400, r#"{"error":"invalid_grant","error_description":"reuse of the-first-refresh-token"}"#);
    let error = bench.ready("access").await.unwrap_err();
    assert!(matches!(&error, VaultError::Reconnect { why, .. } if !why.contains("the-first")), "{error}");
    bench.happened(|what| matches!(what, Happened::NeedsReconnect { .. })).await;
    // The server is not asked again for each request.
    assert!(matches!(bench.ready("access").await, Err(VaultError::Reconnect { .. })));
    assert_eq!(bench.asked(), 1);
    bench.vault.reconnect("access", &by()).await.unwrap();
    assert_eq!(bench.sent("access").await, "Bearer token-2-of-the-server");
}

#[tokio::test]
async fn a_server_that_fails_is_told_and_not_hammered() {
    let mut bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    bench.answers(503, "later");
    for _ in 0..20 {
        let error = bench.ready("access").await.unwrap_err();
        assert!(matches!(error, VaultError::Token { retryable: true, .. }), "{error}");
    }
    assert_eq!(bench.asked(), 1);
    bench.happened(|what| matches!(what, Happened::NoToken { .. })).await;
    bench.host.clock.pass(Duration::from_secs(2));
    assert_eq!(bench.sent("access").await, "Bearer token-2-of-the-server");
}

#[tokio::test]
async fn what_came_beside_the_token_is_told_by_the_names_that_are_declared() {
    let bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    let value = bench.vault.value(&open("access")[0], "instance_url").await.unwrap();
    assert_eq!(value, "https://one.example");
    for name in ["refresh_token", "access_token", "token_type", "x"] {
        let error = bench.vault.value(&open("access")[0], name).await.unwrap_err();
        assert!(matches!(error, VaultError::NoValue { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn what_is_about_to_expire_and_what_has_is_told_once() {
    let mut bench = Bench::new().await;
    let expires = "2026-12-21T12:00:00Z".parse().unwrap();
    let by = by();
    bench.credentials.add(&id("key"), secret("the-first-key"), NewOptions::by(&by).expires(expires)).await.unwrap();
    assert_eq!(bench.sent("key").await, "Bearer the-first-key");
    bench.host.clock.pass(Duration::from_hours(24 * 28));
    bench.vault.tell_what_expires();
    bench.vault.tell_what_expires();
    let event = bench.happened(|what| matches!(what, Happened::Expiring { .. })).await;
    assert_eq!((event.id, event.generation), (id("key"), 1));
    bench.host.clock.pass(Duration::from_hours(24 * 3));
    assert_eq!(bench.ready("key").await.unwrap_err(), VaultError::Expired("key".into()));
    bench.happened(|what| *what == Happened::Expired).await;
    bench.vault.tell_what_expires();
    assert!(bench.events.try_recv().is_err(), "nothing is told twice");
}

#[tokio::test]
async fn nothing_is_decrypted_before_the_first_request() {
    let bench = Bench::new().await;
    bench.add("key", secret("the-first-key")).await;
    bench.vault.refresh().await;
    assert!(bench.vault.holds("key"));
    assert!(!bench.vault.state().slots["key"].is_open());
    bench.sent("key").await;
    assert!(bench.vault.state().slots["key"].is_open());
}

#[tokio::test]
async fn of_a_kind_that_the_slot_does_not_take_nothing_is_sent() {
    let bench = Bench::new().await;
    bench.add("key", client_credentials()).await;
    let error = bench.ready("key").await.unwrap_err();
    assert!(matches!(&error, VaultError::Unfit { .. }), "{error}");
    assert_eq!(bench.asked(), 0);
}

#[tokio::test]
async fn when_and_by_what_it_was_used_is_noted() {
    let bench = Bench::new().await;
    bench.add("key", secret("the-first-key")).await;
    bench.sent("key").await;
    let noted = async {
        loop {
            let listing = bench.credentials.list("acme", Some("mail")).await.unwrap();
            let info = listing.credentials.into_iter().next().unwrap();
            if info.last_used.is_some() {
                return info;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let info = timeout(Duration::from_secs(5), noted).await.unwrap();
    assert_eq!(info.used_by.into_iter().collect::<Vec<_>>(), ["sendEmail"]);
}

/// `cargo test -p portcullis-vault --release --lib -- --ignored bench_attaching_a_cached_token --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout, reason = "it is what it is for")]
async fn bench_attaching_a_cached_token() {
    let bench = Bench::new().await;
    bench.add("access", client_credentials()).await;
    bench.sent("access").await;
    let slots = open("access");
    let url = Url::parse("https://api.example/").unwrap();
    let mut outgoing = Outgoing { method: Method::GET, url, headers: HeaderMap::with_capacity(8), body: None };
    let rounds = 200_000;
    let (mut ready_ns, mut attach_ns) = (u128::MAX, u128::MAX);
    for _ in 0..5 {
        let since = Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(bench.vault.ready(&slots, "https://api.example", "sendEmail").await.unwrap());
        }
        ready_ns = ready_ns.min(since.elapsed().as_nanos() / rounds);
        let ready = bench.vault.ready(&slots, "https://api.example", "sendEmail").await.unwrap();
        let since = Instant::now();
        for _ in 0..rounds {
            ready.attach(std::hint::black_box(&mut outgoing)).unwrap();
        }
        attach_ns = attach_ns.min(since.elapsed().as_nanos() / rounds);
    }
    println!("ready: {ready_ns} ns, attach: {attach_ns} ns");
}
