//! Case 39: somebody who can read and write the cache of compiled code puts code of their own under a granted digest, swaps two
//! files, or puts back what an older version or engine took. It is compiled again, an operator is warned, and the call runs the
//! adapter that was granted. The master key is elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use portcullis_gate::MacAlgorithm;
use portcullis_runtime::{
    Compiler, Credentials, Grant, KeyProvider, MemoryStore, MemoryVault, NewIntegration, Runtime, Secret, Vault,
};
use portcullis_tests::{folder, guests::Guest};
use portcullis_vault::{DataKey, LocalKey};
use serde_json::json;

use super::stores::Folder;
use crate::{
    guests,
    harness::{call, compiler, load},
    state::history::{ledger, master},
    traces,
};

/// Bytes of a MAC.
const MAC: usize = 32;

/// A host on an empty store, with this cache.
async fn host(cache: &Path, master: Arc<dyn KeyProvider>, compiler: Compiler) -> Runtime {
    let ledger = ledger(Arc::new(MemoryStore::new())).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), master).await.unwrap();
    let builder = Runtime::builder(ledger).cache(cache).credentials(credentials);
    builder.calls_at_once(2).compiler(compiler).build().unwrap()
}

fn wasm(guest: Guest) -> Vec<u8> {
    folder::guest(guest).unwrap()
}

/// The one file of compiled code of this adapter.
fn file(cache: &Path, digest: &str) -> PathBuf {
    let digest = digest.trim_start_matches("sha256:");
    let mut found = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    let found = found.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(digest));
    found.unwrap_or_else(|| panic!("no code of {digest}"))
}

/// The head and the code of a file, without its MAC.
fn parts(file: &[u8]) -> (String, Vec<u8>) {
    let end = file.windows(2).position(|bytes| bytes == b"\n\n").unwrap() + 2;
    (String::from_utf8(file[..end].to_vec()).unwrap(), file[end + MAC..].to_vec())
}

fn line<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim()
}

/// HMAC-SHA256 under a key that the attacker has.
fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let vault = MemoryVault::new();
    let text: String = key.iter().map(|byte| char::from(*byte)).collect();
    vault.put("key", Secret::try_from(text.as_str()).unwrap());
    vault.sign("key", MacAlgorithm::HmacSha256, message).unwrap()
}

fn with_length(head: &[u8], code: &[u8]) -> Vec<u8> {
    [&(head.len() as u64).to_le_bytes(), head, code].concat()
}

/// Two adapters, their code in a cache, and an attacker who has the same two and a Portcullis of their own.
struct Scene {
    cache: Folder,
    /// Of the probe, which is granted.
    digest: String,
    probe: PathBuf,
    good: Vec<u8>,
    /// Of the other adapter, whose code is to run under the probe's name.
    other: Vec<u8>,
    /// The same, made by the attacker.
    theirs: Vec<u8>,
}

impl Scene {
    async fn new() -> Self {
        traces::watch();
        let (cache, elsewhere) = (Folder::new("code"), Folder::new("code-of-an-attacker"));
        let runtime = host(cache.path(), master(), compiler()).await;
        let digest = load(&runtime, &wasm(guests::PUPPET_PROBE)).await.unwrap().digest().to_owned();
        let clinic = load(&runtime, &wasm(guests::PUPPET_CLINIC)).await.unwrap().digest().to_owned();
        let another: Arc<dyn KeyProvider> = Arc::new(LocalKey::new(vec![13; 32].into()).unwrap());
        load(&host(elsewhere.path(), another, compiler()).await, &wasm(guests::PUPPET_CLINIC)).await.unwrap();
        let probe = file(cache.path(), &digest);
        let good = fs::read(&probe).unwrap();
        let other = fs::read(file(cache.path(), &clinic)).unwrap();
        let theirs = fs::read(file(elsewhere.path(), &clinic)).unwrap();
        Self { digest, probe, good, other, theirs, cache }
    }

    /// The probe is what runs, as only it answers; whether it was taken from the cache.
    async fn runs_the_probe(&self) -> bool {
        let nobody = Compiler::Program(PathBuf::from("/nonexistent/compiler"));
        let kept = host(self.cache.path(), master(), nobody).await;
        let (from_cache, runtime, adapter) = match load(&kept, &wasm(guests::PUPPET_PROBE)).await {
            Ok(adapter) => (true, kept, adapter),
            Err(_) => {
                let compiles = host(self.cache.path(), master(), compiler()).await;
                let adapter = load(&compiles, &wasm(guests::PUPPET_PROBE)).await.unwrap();
                (false, compiles, adapter)
            }
        };
        assert_eq!(adapter.digest(), self.digest);
        let grant = Grant::parse(&format!("adapter = \"{}\"\noperations = [\"probe\"]", self.digest)).unwrap();
        let new = NewIntegration::new("acme", "probe", adapter, grant).config(json!({"baseUrl": "https://a.example"}));
        let probe = runtime.integrate(new.vault(Arc::new(MemoryVault::new()))).await.unwrap();
        let outcome = probe.call(call("probe", json!({ "steps": [] }))).await;
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        from_cache
    }

    fn warned(&self) -> usize {
        traces::warnings("compiled code in the cache is not used")
            .iter()
            .filter(|line| line.contains(self.probe.to_str().unwrap()))
            .count()
    }

    /// What lies there is not taken: it is told, compiled again, and what is written then is good.
    async fn refuses(&self, what: &str, file: &[u8]) {
        let before = self.warned();
        fs::write(&self.probe, file).unwrap();
        assert!(!self.runs_the_probe().await, "{what}: it was taken");
        assert!(self.warned() > before, "{what}: nobody was warned");
        assert!(self.runs_the_probe().await, "{what}: it was not written anew");
    }
}

#[tokio::test]
async fn code_that_was_put_in_swapped_or_made_with_another_master_key_is_compiled_again_and_told() {
    let scene = Scene::new().await;
    assert!(scene.runs_the_probe().await, "the host's own code is taken");
    let ((ours, _), (other, their_code)) = (parts(&scene.good), parts(&scene.other));
    let mac_of = |file: &[u8]| parts_mac(file);
    scene.refuses("another adapter's file", &scene.other).await;
    scene.refuses("an attacker's file", &scene.theirs).await;
    scene.refuses("other code under the probe's head", &[ours.as_bytes(), &mac_of(&scene.good), &their_code].concat()).await;
    scene.refuses("the same with its own MAC", &[ours.as_bytes(), &mac_of(&scene.other), &their_code].concat()).await;
    let renamed = other.replace(line(&other, "adapter "), &scene.digest);
    scene.refuses("another's file that says it is the probe's", &[renamed.as_bytes(), &mac_of(&scene.other), &their_code].concat()).await;
    let (their_head, their_code) = parts(&scene.theirs);
    let claims = their_head
        .replace(line(&their_head, "adapter "), &scene.digest)
        .replace(line(&their_head, "master-key "), line(&ours, "master-key "));
    scene.refuses("an attacker's that claims this master key", &[claims.as_bytes(), &mac_of(&scene.theirs), &their_code].concat()).await;
    scene.refuses("nothing", b"").await;
}

/// The MAC of a file.
fn parts_mac(file: &[u8]) -> Vec<u8> {
    let end = parts(file).0.len();
    file[end..end + MAC].to_vec()
}

#[tokio::test]
async fn code_that_an_older_engine_or_an_older_version_took_is_compiled_again_and_told() {
    let scene = Scene::new().await;
    let ((head, code), (_, other_code)) = (parts(&scene.good), parts(&scene.other));
    // As a host with an older engine made it, with the same master key: it is genuine, and not for here.
    let engine = line(&head, "engine ");
    let older = format!("{} 0123456789abcdef", engine.rsplit_once(' ').unwrap().0);
    let key = DataKey::new(vec![b'k'; 32].into()).unwrap();
    let purpose = format!("portcullis compiled code 1\0{}\0{older}", scene.digest);
    let wrapped: String =
        master().wrap(&key, purpose.as_bytes()).await.unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let genuine = |engine: &str| {
        let head = head
            .replace(line(&head, "engine "), engine)
            .replace(line(&head, "wrapped-key "), &wrapped);
        let mac = mac(key.expose(), &with_length(head.as_bytes(), &code));
        [head.as_bytes(), &mac, &code].concat()
    };
    scene.refuses("code of an older engine", &genuine(&older)).await;
    scene.refuses("code of an older engine that says it is for this one", &genuine(engine)).await;

    // What the version before this one took: a key that lies in the folder, and a MAC under it.
    let hash = engine.rsplit(' ').next().unwrap();
    let context = format!("portcullis compiled code\n{}\n{hash}\n", scene.digest);
    fs::write(scene.cache.path().join("key"), vec![b'k'; 32]).unwrap();
    let sealed = [mac(&[b'k'; 32], &with_length(context.as_bytes(), &other_code)), other_code].concat();
    fs::write(&scene.probe, &sealed).unwrap();
    assert!(!scene.runs_the_probe().await, "it was taken");
    let key = scene.cache.path().join("key");
    assert!(!key.exists(), "the old key is still there");
    assert!(!traces::warnings("removed a key of an older version").is_empty());
    // The file alone, without a key beside it.
    scene.refuses("a file of the version before", &sealed).await;
}

#[tokio::test]
async fn without_a_master_key_nothing_in_the_folder_is_taken_or_written() {
    let scene = Scene::new().await;
    let ledger = ledger(Arc::new(MemoryStore::new())).await.unwrap();
    let without = Credentials::without_key(ledger.clone());
    for credentials in [None, Some(without)] {
        let mut builder = Runtime::builder(ledger.clone()).cache(scene.cache.path()).calls_at_once(2);
        if let Some(credentials) = credentials {
            builder = builder.credentials(credentials);
        }
        let before = fs::read(&scene.probe).unwrap();
        let nobody = Compiler::Program(PathBuf::from("/nonexistent/compiler"));
        let runtime = builder.compiler(nobody).build().unwrap();
        assert!(load(&runtime, &wasm(guests::PUPPET_PROBE)).await.is_err(), "it was taken from the cache");
        assert_eq!(fs::read(&scene.probe).unwrap(), before);
    }
}
