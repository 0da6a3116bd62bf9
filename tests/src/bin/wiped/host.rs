//! The host: every scheme, every way to get a token, rotation, another master key, revocation; and its end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_runtime::{
    Call, Caller, CertificateDer, Clock, CredentialId, CredentialKind as Kind, Credentials, DnsResolver, Given, Grant,
    Integration, KeyProvider, Ledger, LedgerOptions, MemoryStore, NewIntegration, NewOptions, Overlap, RootCertStore,
    Runtime, Secret,
};
use portcullis_tests::{folder, guests};
use portcullis_vault::{DataKey, KeyError, LocalKey};
use serde_json::{Value, json};

use crate::{
    Task, allocator,
    needle::{MASK, Needle, unhex},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A clock that is put forward.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let ahead = jiff::SignedDuration::from_secs(self.0.load(Ordering::SeqCst));
        Timestamp::now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }
}

/// A master key, through which it becomes known which data keys are not to be found either.
struct Telling(LocalKey, Arc<Mutex<Vec<String>>>);

#[async_trait]
impl KeyProvider for Telling {
    fn id(&self) -> String {
        self.0.id()
    }

    async fn wrap(&self, key: &DataKey, aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        allocator::look_for(Needle::of("data key", key.expose()));
        let masked = key.expose().iter().map(|byte| format!("{:02x}", byte ^ MASK)).collect();
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(masked);
        self.0.wrap(key, aad).await
    }

    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<DataKey, KeyError> {
        self.0.unwrap(wrapped, aad).await
    }
}

/// What was told of steps that did not go well, and the data keys, masked.
type Done = (Vec<String>, Vec<String>);

pub(crate) async fn use_everything(task: &Task) -> Result<Done, Failure> {
    let clock = Arc::new(Hands::default());
    let options = LedgerOptions { clock: clock.clone(), ..LedgerOptions::default() };
    let ledger = Ledger::open(Arc::new(MemoryStore::new()), options).await?;
    let keys: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(task.root.clone()))?;
    // The master keys are secrets, too.
    allocator::arm();
    let master = Telling(LocalKey::new(unmasked(task, "master")?.into())?, keys.clone());
    let credentials = Credentials::open(ledger.clone(), Arc::new(master)).await?;
    let runtime = Runtime::builder(ledger.clone())
        .cache(folder::cache())
        .cache_key(folder::cache_key())
        .resolver(Arc::new(DnsResolver::with_servers(&[])?))
        .trust(roots)
        .calls_at_once(4)
        .credentials(credentials.clone())
        .build()?;
    let mut failed = Vec::new();
    add(task, &credentials).await?;
    let probe = integrate(&runtime, task, "probe", &task.origin).await?;
    let secure = integrate(&runtime, task, "secure", &task.tls.0).await?;
    for round in 0..3 {
        call(&probe, each_slot(&task.origin), &mut failed).await;
        call(&secure, each_slot(&task.tls.0), &mut failed).await;
        // All tokens have expired.
        clock.0.fetch_add(4_000, Ordering::SeqCst);
        if round == 0 {
            rotate(task, &credentials).await?;
            let second = Telling(LocalKey::new(unmasked(task, "second-master")?.into())?, keys.clone());
            credentials.rewrap(Arc::new(second), &by(), &mut |_, _| {}).await?;
            credentials.rotate_data_key("acme", &by()).await?;
        }
    }
    // A request that no credential is taken for, and a server that says no.
    call(&probe, json!([get(&task.origin, "/refused", "free")]), &mut Vec::new()).await;
    let listing = credentials.list("acme", None).await?;
    for info in &listing.credentials {
        runtime.revoke(&info.id, &by(), "leaked").await?;
    }
    call(&probe, json!([get(&task.origin, "/free", "free")]), &mut Vec::new()).await;
    for info in &listing.credentials {
        credentials.remove(&info.id, &by()).await?;
    }
    drop((probe, secure, runtime, credentials));
    ledger.close().await;
    // Connections and what their tasks hold end a moment later.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let keys = keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((failed, keys))
}

fn by() -> Caller {
    Caller::principal("user:ada")
}

/// A secret in a buffer of its own, which is handed on.
fn unmasked(task: &Task, name: &str) -> Result<Vec<u8>, Failure> {
    let masked = task.secrets.get(name).ok_or_else(|| format!("there is no secret `{name}`"))?;
    let mut bytes = unhex(masked);
    for byte in &mut bytes {
        *byte ^= MASK;
    }
    Ok(bytes)
}

fn given(task: &Task, kind: Kind, fields: &[(&str, &str)], secrets: &[(&str, &str)]) -> Result<Given, Failure> {
    let own = |text: &&str| (*text).to_owned();
    let mut given = Given {
        kind,
        fields: fields.iter().map(|(name, value)| (own(name), own(value))).collect(),
        secrets: BTreeMap::new(),
    };
    for (field, name) in secrets {
        let bytes = unmasked(task, name)?;
        let document = ["private-key", "certificates", "key"].contains(field);
        let secret = if document { Secret::document(bytes)? } else { Secret::new(bytes)? };
        given.secrets.insert(own(field), secret);
    }
    Ok(given)
}

/// What goes into each slot; of `free` in turns what gets tokens in another way.
fn for_slot(task: &Task, slot: &str, turn: usize) -> Result<Given, Failure> {
    let token = format!("{}/oauth/token", task.origin);
    let revoke = format!("{}/oauth/revoke", task.origin);
    let server = [("token-url", token.as_str()), ("revoke-url", revoke.as_str())];
    let with = |more: &[(&'static str, &'static str)]| {
        let mut fields = server.to_vec();
        fields.extend_from_slice(more);
        fields
    };
    match (slot, turn) {
        ("token", 0) => {
            let fields = [("client-id", "client-1"), ("revoke-url", revoke.as_str())];
            given(task, Kind::OauthClientCredentials, &fields, &[("client-secret", "client")])
        }
        ("token", _) => {
            let fields = [("client-id", "client-1"), ("client-authentication", "private_key_jwt")];
            given(task, Kind::OauthClientCredentials, &fields, &[("private-key", "private-key")])
        }
        ("free", 0) => {
            let fields = with(&[("client-id", "client-2"), ("client-authentication", "client_secret_post")]);
            given(task, Kind::OauthRefreshToken, &fields, &[("refresh-token", "refresh"), ("client-secret", "post")])
        }
        ("free", _) => {
            let fields = with(&[("issuer", "client-3"), ("algorithm", "ES256")]);
            given(task, Kind::JwtBearer, &fields, &[("private-key", "private-key")])
        }
        ("aws" | "mac", _) => given(task, Kind::KeyPair, &[("id", "AKIA123")], &[("secret", slot)]),
        ("certificate", _) => {
            given(task, Kind::ClientCertificate, &[], &[("certificates", "certificate"), ("key", "private-key")])
        }
        _ => given(task, Kind::Secret, &[], &[("secret", slot)]),
    }
}

const SLOTS: [&str; 12] =
    ["basic", "key", "query-key", "cookie", "bot", "signing", "member", "aws", "mac", "token", "free", "certificate"];

async fn add(task: &Task, credentials: &Credentials) -> Result<(), Failure> {
    for integration in ["probe", "secure"] {
        for slot in SLOTS {
            let id = CredentialId::new("acme", integration, slot);
            credentials.add(&id, for_slot(task, slot, 0)?, NewOptions::by(&by())).await?;
        }
    }
    Ok(())
}

async fn rotate(task: &Task, credentials: &Credentials) -> Result<(), Failure> {
    for (integration, overlap) in [("probe", Overlap::AtOnce), ("secure", Overlap::For(Duration::from_secs(60)))] {
        for slot in SLOTS {
            let id = CredentialId::new("acme", integration, slot);
            credentials.rotate(&id, for_slot(task, slot, 1)?, overlap, NewOptions::by(&by())).await?;
        }
    }
    Ok(())
}

async fn integrate(runtime: &Runtime, task: &Task, name: &str, base: &str) -> Result<Integration, Failure> {
    let probe = runtime.load(&folder::guest(guests::PUPPET_PROBE)?).await?;
    let mut routes = String::new();
    for (method, path, slots) in [
        ("GET", "/basic", "basic"),
        ("GET", "/header", "key"),
        ("GET", "/query", "query-key"),
        ("GET", "/several", "token\", \"key\", \"query-key\", \"cookie"),
        ("GET", "/bot/{bot}/send/{to}", "bot"),
        ("GET", "/free", "free"),
        ("POST", "/echo", "token"),
        ("POST", "/member", "member"),
        ("POST", "/aws", "aws"),
        ("POST", "/mac", "mac"),
        ("GET", "/certificate", "certificate"),
    ] {
        routes += &format!("[[routes]]\nmethod = \"{method}\"\nurl = \"{base}{path}\"\nslots = [\"{slots}\"]\n");
    }
    let origin = &task.origin;
    for (url, slot) in [
        (format!("{base}/oauth/token"), "token"),
        (format!("{origin}/oauth/revoke"), "token"),
        (format!("{origin}/oauth/token"), "free"),
        (format!("{origin}/oauth/revoke"), "free"),
    ] {
        routes += &format!("[[routes]]\nmethod = \"POST\"\nurl = \"{url}\"\ntoken_for = \"{slot}\"\n");
    }
    let grant = format!(
        "adapter = \"{}\"\noperations = [\"probe\"]\nsigning = [\"signing\"]\ncarve_outs = {}\n{routes}",
        probe.digest(),
        json!([task.address, task.tls.1]),
    );
    let new = NewIntegration::new("acme", name, probe, Grant::parse(&grant)?).config(json!({ "baseUrl": base }));
    Ok(runtime.integrate(new).await?)
}

fn get(base: &str, path: &str, slot: &str) -> Value {
    json!({"do": "send", "method": "GET", "url": format!("{base}{path}"), "headers": [], "body": null, "slot": slot})
}

/// Uses each slot once.
fn each_slot(base: &str) -> Value {
    let post = |path: &str, slot: &str, kind: &str, body: &str| {
        json!({
            "do": "send", "method": "POST", "url": format!("{base}{path}"), "headers": [["content-type", kind]],
            "body": body, "slot": slot,
        })
    };
    let mut several = get(base, "/several", "token");
    if let Some(several) = several.as_object_mut() {
        several.insert("slots".to_owned(), json!(["key", "query-key", "cookie"]));
    }
    let mut steps = vec![
        get(base, "/basic", "basic"),
        get(base, "/header", "key"),
        get(base, "/query", "query-key"),
        get(base, "/bot/-credential-/send/7", "bot"),
        get(base, "/free", "free"),
        post("/echo", "token", "text/plain", "of the guest"),
        post("/member", "member", "application/json", "{\"of\": \"the guest\"}"),
        post("/aws", "aws", "text/plain", "of the guest"),
        post("/mac", "mac", "text/plain", "of the guest"),
        several,
        json!({"do": "sign", "slot": "signing", "algorithm": "hmac-sha256", "message": "m"}),
        json!({"do": "value", "slot": "token", "name": "id"}),
    ];
    if base.starts_with("https:") {
        steps.push(get(base, "/certificate", "certificate"));
    }
    json!(steps)
}

async fn call(integration: &Integration, steps: Value, failed: &mut Vec<String>) {
    let call = Call::new(Caller::principal("user:ada"), "probe", json!({ "steps": steps })).live();
    match integration.call(call).await.result {
        Ok(output) => {
            let results = output.get("results").and_then(Value::as_array).cloned().unwrap_or_default();
            failed.extend(results.iter().filter(|result| result.get("ok").is_none()).map(Value::to_string));
        }
        Err(error) => failed.push(error.to_string()),
    }
}
