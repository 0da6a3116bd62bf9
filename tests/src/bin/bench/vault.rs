//! What a credential costs: `cargo xtask bench vault [--json] [--quick]`.
//!
//! Putting a cached bearer token on a request, decrypting a secret, and a hundred who wait for one refresh. The authorization
//! server is a function: the network's part is the network's.

use std::{
    collections::BTreeMap,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_gate::{OAuth, OpenSlot, Scheme, Slot};
use portcullis_runtime::{
    Caller, Clock, CredentialId, CredentialKind as Kind, Credentials, Given, Ledger, LedgerOptions, MemoryStore,
    NewOptions, Secret, Vault, Vaults,
};
use portcullis_vault::{
    IntegrationVault, LocalKey, Outgoing, TokenClient, TokenRequest, TokenResponse, TokenSendError,
};
use serde_json::json;

use crate::Failure;

/// Bytes of the secret that is decrypted: more than tokens and keys have, but for PEM.
const SECRET_BYTES: usize = 1_024;
const WAITERS: usize = 100;
/// What each may take, in nanoseconds.
const ATTACH_NS: f64 = 1_000.0;
const OPEN_NS: f64 = 5_000.0;

/// A clock that is put forward.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let ahead = jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        Timestamp::now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }
}

/// An authorization server that answers after a millisecond.
#[derive(Default)]
struct Server(AtomicU64);

#[async_trait]
impl TokenClient for Server {
    async fn send(&self, _: TokenRequest) -> Result<TokenResponse, TokenSendError> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let body = json!({"access_token": format!("{number:064}"), "token_type": "Bearer", "expires_in": 3600});
        Ok(TokenResponse { status: 200, body: body.to_string().into_bytes().into() })
    }
}

/// The figures, in nanoseconds.
struct Figures {
    ready: f64,
    attach: f64,
    load: f64,
    open: f64,
    waiters: f64,
    exchanges: u64,
}

/// Measures, tells, and ends.
pub(crate) async fn run(as_json: bool, quick: bool) -> Result<(), Failure> {
    let figures = measure(if quick { 2_000 } else { 50_000 }).await?;
    let Figures { ready, attach, load, open, waiters, exchanges } = figures;
    if as_json {
        let told = json!({
            "ready_ns": ready, "attach_ns": attach, "load_ns": load, "open_ns": open, "open_bytes": SECRET_BYTES,
            "waiters": WAITERS, "waiters_ns": waiters, "exchanges": exchanges,
            "within": {"attach": ready + attach <= ATTACH_NS, "open": open <= OPEN_NS},
        });
        anstream::println!("{told}");
        return Ok(());
    }
    let against = |figure: f64, bound: f64| if figure <= bound { "within" } else { "ABOVE" };
    anstream::println!(
        "a cached bearer token, made ready and attached   {:>9.0} ns  ({} {ATTACH_NS} ns; ready {ready:.0}, attach {attach:.0})",
        ready + attach,
        against(ready + attach, ATTACH_NS),
    );
    anstream::println!(
        "a secret of {SECRET_BYTES} bytes, decrypted                  {open:>9.0} ns  ({} {OPEN_NS} ns)",
        against(open, OPEN_NS),
    );
    anstream::println!("an integration's credentials, read from the store {load:>8.0} ns");
    anstream::println!(
        "{WAITERS} who wait for one refresh, the server takes 1 ms {:>6.2} ms  ({exchanges} exchange)",
        waiters / 1e6,
    );
    Ok(())
}

/// The shortest of some rounds, for each of so many.
async fn best<F: Future<Output = Result<(), Failure>>>(count: u32, round: impl Fn() -> F) -> Result<f64, Failure> {
    let mut best = f64::MAX;
    for _ in 0..7 {
        let since = Instant::now();
        for _ in 0..count {
            round().await?;
        }
        best = best.min(since.elapsed().as_nanos() as f64 / f64::from(count));
    }
    Ok(best)
}

async fn measure(count: u32) -> Result<Figures, Failure> {
    let clock = Arc::new(Hands::default());
    let options = LedgerOptions { clock: clock.clone(), ..LedgerOptions::default() };
    let ledger = Ledger::open(Arc::new(MemoryStore::new()), options).await?;
    let credentials = Credentials::open(ledger, Arc::new(LocalKey::new(vec![7; 32].into())?)).await?;
    let by = Caller::principal("host");
    let large = Given::secret(Secret::new(vec![b's'; SECRET_BYTES])?);
    let id = CredentialId::new("bench", "large", "secret");
    credentials.add(&id, large, NewOptions::by(&by)).await?;
    let client = Given {
        kind: Kind::OauthClientCredentials,
        fields: BTreeMap::from([("client-id".to_owned(), "client".to_owned())]),
        secrets: BTreeMap::from([("client-secret".to_owned(), Secret::try_from("the-clients-own-secret")?)]),
    };
    credentials.add(&CredentialId::new("bench", "mail", "access"), client, NewOptions::by(&by)).await?;

    let load = best(count / 50, || async {
        black_box(credentials.load("bench", "large").await?);
        Ok(())
    })
    .await?;
    let loaded = credentials.load("bench", "large").await?;
    let stored = loaded.get("secret").ok_or("no secret")?;
    let open = best(count, || async {
        black_box(stored.open()?);
        Ok(())
    })
    .await?;

    let vaults = Vaults::new(credentials);
    let vault = vaults.vault("bench", "mail").await?;
    let server = Arc::new(Server::default());
    let oauth = OAuth { token_url: Some("https://auth.example/token".to_owned()), ..OAuth::default() };
    let slot =
        Slot { name: "access".to_owned(), description: String::new(), scheme: Scheme::Bearer, oauth: Some(oauth) };
    vault.connect(&[slot], server.clone());
    let slots = [OpenSlot { name: "access".to_owned(), scheme: Scheme::Bearer, segment: None }];
    let token = vault.ready(&slots, "https://api.example", "bench").await?;
    let ready = best(count, || async {
        black_box(vault.ready(&slots, "https://api.example", "bench").await?);
        Ok(())
    })
    .await?;
    let attach = attaching(&token, count)?;

    let before = server.0.load(Ordering::Relaxed);
    let mut waiters = f64::MAX;
    let rounds = 20;
    for _ in 0..rounds {
        clock.0.fetch_add(4_000, Ordering::Relaxed);
        waiters = waiters.min(wait(&vault, &slots).await?);
    }
    let exchanges = (server.0.load(Ordering::Relaxed) - before) / rounds;
    Ok(Figures { ready, attach, load, open, waiters, exchanges })
}

fn attaching(token: &portcullis_vault::Ready, count: u32) -> Result<f64, Failure> {
    let url = url::Url::parse("https://api.example/")?;
    let mut outgoing =
        Outgoing { method: http::Method::GET, url, headers: http::HeaderMap::with_capacity(8), body: None };
    let mut best = f64::MAX;
    for _ in 0..7 {
        let since = Instant::now();
        for _ in 0..count {
            token.attach(black_box(&mut outgoing))?;
        }
        best = best.min(since.elapsed().as_nanos() as f64 / f64::from(count));
    }
    Ok(best)
}

/// A hundred who all want a token, from the first one's asking to the last one's having it.
async fn wait(vault: &Arc<IntegrationVault>, slots: &[OpenSlot; 1]) -> Result<f64, Failure> {
    let since = Instant::now();
    let waiting = (0..WAITERS).map(|_| {
        let (vault, slots) = (vault.clone(), slots.clone());
        tokio::spawn(async move { vault.ready(&slots, "https://api.example", "bench").await.map(drop) })
    });
    for one in waiting.collect::<Vec<_>>() {
        one.await??;
    }
    Ok(since.elapsed().as_nanos() as f64)
}
