//! A store in which something of every kind was kept, changed and taken away again.

use std::{path::PathBuf, sync::Arc, time::Duration};

use portcullis_gate::Grant;
use portcullis_ledger::{
    Caller, Change, Entry, Kind, Ledger, LedgerOptions, RetentionPolicy,
    heads::{FileSigner, FileSink, HeadError, HeadOptions, SignedHeads},
};
use portcullis_runtime::{
    CredentialId, CredentialKind, Credentials, NewOptions, Overlap, Runtime, RuntimeBuilder, SystemResolver,
};
use portcullis_store::{MemoryStore, Store};
use portcullis_tests::folder;
use portcullis_vault::{KeyProvider, LocalKey};
use serde_json::{Value, json};

use super::{Entries, entries};
use crate::{
    guests,
    harness::{call, compiler, load, tenant},
    hostile::stores::Folder,
    secrets::given,
};

/// Where the credentials go.
pub(crate) const ORIGIN: &str = "https://api.example.com";
/// Records of a range of the index, and a few.
const MANY: usize = 1_100;

/// The store of a host whose keys and signed heads are elsewhere.
pub(crate) struct History {
    /// The signing key and the signed heads.
    pub(crate) elsewhere: Folder,
    /// What the store holds.
    pub(crate) now: Entries,
    /// What it held before, oldest first.
    pub(crate) before: Vec<Entries>,
}

pub(crate) fn master() -> Arc<dyn KeyProvider> {
    Arc::new(LocalKey::new(vec![7; 32].into()).unwrap())
}

pub(crate) fn by() -> Caller {
    Caller::principal("user:ada")
}

pub(crate) fn id(integration: &str, slot: &str) -> CredentialId {
    CredentialId::new("acme", integration, slot)
}

/// Signed heads of a store, into a file elsewhere.
pub(crate) async fn heads(store: Arc<dyn Store>, elsewhere: &Folder) -> Result<SignedHeads, HeadError> {
    let path = |name: &str| -> PathBuf { elsewhere.path().join(name) };
    let signer = FileSigner::open_or_create(&path("ledger.key")).unwrap();
    let sinks: Vec<Arc<dyn portcullis_ledger::heads::HeadSink>> = vec![Arc::new(FileSink::new(path("heads.jsonl")))];
    let options = HeadOptions { interval: Duration::from_secs(3600), sinks, ..HeadOptions::default() };
    SignedHeads::open(store, Arc::new(signer), options).await
}

pub(crate) async fn ledger(store: Arc<dyn Store>) -> Result<Ledger, portcullis_ledger::LedgerError> {
    Ledger::open(store, LedgerOptions { recover: false, ..LedgerOptions::default() }).await
}

pub(crate) fn builder(ledger: Ledger, credentials: Credentials) -> RuntimeBuilder {
    let builder = Runtime::builder(ledger).cache(folder::cache()).cache_key(folder::cache_key()).compiler(compiler());
    builder.resolver(Arc::new(SystemResolver::default())).credentials(credentials)
}

/// A grant for the probe, that sends the token there.
pub(crate) fn grant(digest: &str, origin: &str) -> Grant {
    let grant = format!(
        "adapter = \"{digest}\"\noperations = [\"probe\"]\n[[routes]]\nmethod = \"POST\"\nurl = \"{origin}/echo\"\n\
         slots = [\"token\"]\n"
    );
    Grant::parse(&grant).unwrap()
}

pub(crate) fn config(origin: &str) -> Value {
    json!({ "baseUrl": origin })
}

impl History {
    pub(crate) async fn new() -> Self {
        let elsewhere = Folder::new("elsewhere");
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let mut history = Self { elsewhere, now: Entries::new(), before: Vec::new() };
        let heads = heads(store.clone(), &history.elsewhere).await.unwrap();
        let ledger = ledger(store.clone()).await.unwrap();
        let credentials = Credentials::open(ledger.clone(), master()).await.unwrap();
        let policy = RetentionPolicy::parse("[[keep]]\nwhat = \"whole\"\ndays = 30").unwrap();
        let runtime = builder(ledger.clone(), credentials.clone()).retention(policy).build().unwrap();
        let by = by();

        let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
        let clinic = folder::guest(guests::PUPPET_CLINIC).unwrap();
        let digest = load(&runtime, &probe).await.unwrap().digest().to_owned();
        load(&runtime, &clinic).await.unwrap();
        runtime.keep_adapter(&probe, "probe", &by).await.unwrap();
        runtime.keep_adapter(&clinic, "clinic", &by).await.unwrap();
        let keep = async |workspace: &str, name: &str, origin: &str| {
            let grant = grant(&digest, origin);
            runtime.keep_integration([workspace, name], "probe", config(origin), grant, &by).await.unwrap()
        };
        keep("acme", "mail", "https://old.example.com").await;
        keep("acme", "crm", ORIGIN).await;
        keep("globex", "mail", ORIGIN).await;
        let give = async |integration: &str, slot: &str, secret: &str| {
            let given = given(CredentialKind::Secret, &[], &[("secret", secret)]);
            // It was given for where the first version sends it, and for where the second one does.
            let origins = ["https://old.example.com", ORIGIN].map(str::to_owned).into();
            credentials.add(&id(integration, slot), given, NewOptions::by(&by).origins(origins)).await.unwrap();
        };
        for slot in ["token", "key", "query-key", "cookie", "bot"] {
            give("mail", slot, &format!("the first {slot}")).await;
        }
        give("crm", "token", "the other token").await;
        let fields = [("client-id", "client-1"), ("token-url", "https://login.example.com/token")];
        let secrets = [("client-secret", "the client's secret")];
        let client = given(CredentialKind::OauthClientCredentials, &fields, &secrets);
        credentials.add(&id("mail", "free"), client, NewOptions::by(&by)).await.unwrap();
        let token = |text: &str| text.as_bytes().to_vec().into();
        credentials.save_token(&id("mail", "free"), 1, None, &token("the first access token")).await.unwrap();
        heads.sign_now().await.unwrap();
        history.remember(store.as_ref()).await;

        let mail = keep("acme", "mail", ORIGIN).await;
        mail.call(call("probe", json!({ "steps": [] }))).await.result.unwrap();
        let ad_hoc = load(&runtime, &probe).await.unwrap();
        runtime.integrate(tenant("acme", ad_hoc, ORIGIN, "", &[])).await.unwrap();
        let second = |slot: &str| given(CredentialKind::Secret, &[], &[("secret", &format!("the second {slot}"))]);
        for (slot, overlap) in [("token", Overlap::For(Duration::from_hours(24))), ("key", Overlap::AtOnce)] {
            credentials.rotate(&id("mail", slot), second(slot), overlap, NewOptions::by(&by)).await.unwrap();
        }
        credentials.save_token(&id("mail", "free"), 1, Some(1), &token("the second access token")).await.unwrap();
        credentials.used(&id("mail", "token"), "probe").await.unwrap();
        credentials.needs_reconnect(&id("mail", "bot"), 1, "refused").await.unwrap();
        history.remember(store.as_ref()).await;

        // Without the master key, and not taken into the pages since.
        let keyless = Credentials::without_key(ledger.clone());
        keyless.revoke(&id("mail", "query-key"), &by, "leaked").await.unwrap();
        keyless.remove(&id("mail", "cookie"), &by).await.unwrap();
        let note = |number: usize| {
            let change = Change { action: "noted".to_owned(), of: format!("note-{number}"), ..Change::default() };
            Entry::change("acme", Kind::Configuration, &by, change)
        };
        ledger.append((0..MANY).map(note).collect()).await.unwrap();
        heads.close(Duration::from_secs(10)).await.unwrap();
        history.now = entries(store.as_ref()).await;
        history
    }

    async fn remember(&mut self, store: &dyn Store) {
        self.before.push(entries(store).await);
    }
}
