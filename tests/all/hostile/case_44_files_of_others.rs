//! Case 44: another user of the machine looks for a file of the host's that they can open, and for a folder of its in which they can
//! put something. A host lives a whole day under the widest umask there is, and everything that it leaves, while it runs and after,
//! is 0600 in folders of 0700; a folder that others may write to is refused, with the command that mends it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use portcullis_ledger::heads::{FileSigner, FileSink, HeadOptions, HeadSink, SignedHeads};
use portcullis_runtime::{Credentials, Given, NewOptions, Runtime, Secret, SystemResolver};
use portcullis_store::{Embedded, EngineKind, Options, Store, compact, export, replace};
use portcullis_tests::folder;
use portcullis_vault::FileKey;
use serde_json::json;

use super::stores::{Folder, close, files};
use crate::{
    guests,
    harness::{Case, call, compiler, load},
    state::history::{builder, by, config, grant, id, ledger},
};

/// Where the host of this process is to live, if this is the process in which it does.
const PLACE: &str = "PORTCULLIS_TEST_CASE_44";
const ORIGIN: &str = "https://api.example.com";

fn options(engine: EngineKind) -> Options {
    Options { floor_bytes: 0, ..Options::default() }.engine(engine)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Everything below a folder that others may open, with its mode.
fn open_to_others(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let wanted = if entry.is_dir() { 0o700 } else { 0o600 };
        if mode(&entry) != wanted {
            found.push((entry.clone(), format!("{:o}", mode(&entry))));
        }
        if entry.is_dir() {
            found.extend(open_to_others(&entry));
        }
    }
    found
}

/// A day on one engine: keys, heads, an adapter's code, an integration, a credential, a call; compacting; another store in its place.
async fn day(place: &Path, engine: EngineKind) {
    let path = place.join(engine.name());
    let store = Arc::new(Embedded::open(&path, options(engine)).await.unwrap());
    let signer = Arc::new(FileSigner::open_or_create(&place.join("keys/ledger.key")).unwrap());
    let master = Arc::new(FileKey::open_or_create(&place.join("keys/master.key")).unwrap());
    let sinks: Vec<Arc<dyn HeadSink>> = vec![Arc::new(FileSink::new(place.join(format!("{engine}-heads.jsonl"))))];
    let heads = HeadOptions { interval: Duration::from_secs(3600), sinks, ..HeadOptions::default() };
    let heads = SignedHeads::open(store.clone(), signer, heads).await.unwrap();
    let ledger = ledger(store.clone()).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), master).await.unwrap();
    let runtime = builder(ledger.clone(), credentials.clone()).build().unwrap();
    let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
    let digest = load(&runtime, &probe).await.unwrap().digest().to_owned();
    runtime.keep_adapter(&probe, "probe", &by()).await.unwrap();
    let (granted, by) = (grant(&digest, ORIGIN), by());
    let mail = runtime.keep_integration(["acme", "mail"], &digest, config(ORIGIN), granted, &by).await.unwrap();
    let given = Given::secret(Secret::try_from("the-token-of-case-44").unwrap());
    credentials.add(&id("mail", "token"), given, NewOptions::by(&by)).await.unwrap();
    for _ in 0..3 {
        mail.call(call("probe", json!({ "steps": [] }))).await.result.unwrap();
    }
    heads.sign_now().await.unwrap();
    assert_eq!(open_to_others(place), [], "{engine}, while it runs");

    let mut exported = Vec::new();
    export(store.as_ref(), &mut exported, &mut |_| {}).await.unwrap();
    drop((mail, runtime, credentials));
    ledger.close().await;
    heads.close(Duration::from_secs(60)).await.unwrap();
    close(store).await;
    assert_eq!(open_to_others(place), [], "{engine}, after it was closed");
    compact(&path, &options(engine), &mut |_| {}).unwrap();
    assert_eq!(open_to_others(place), [], "{engine}, after it was compacted");
    let aside = replace(&path, &options(engine), exported.as_slice(), &mut |_| {}).unwrap().aside.unwrap();
    assert!(aside.starts_with(place));
    assert_eq!(open_to_others(place), [], "{engine}, after another one was put in its place");
}

/// A cache of compiled code, for which the master key vouches.
async fn cached(place: &Path) {
    let store: Arc<dyn Store> = Arc::new(portcullis_store::MemoryStore::new());
    let builder = Runtime::builder(ledger(store).await.unwrap()).cache(place.join("cache")).compiler(compiler());
    let builder = builder.cache_key(folder::cache_key());
    let runtime = builder.resolver(Arc::new(SystemResolver::default())).build().unwrap();
    load(&runtime, &folder::guest(guests::HOSTILE_PANIC).unwrap()).await.unwrap();
    let cached = files(&place.join("cache"));
    assert!(!cached.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_host_writes_in_a_whole_day_can_be_opened_by_others() {
    if let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) {
        // The umask is as wide as it can be, or this shows nothing.
        fs::write(place.join("probe"), "").unwrap();
        assert_eq!(mode(&place.join("probe")), 0o666);
        fs::remove_file(place.join("probe")).unwrap();
        cached(&place).await;
        for engine in EngineKind::ALL {
            day(&place, engine).await;
        }
        return;
    }
    let case = Case::new().await;
    let place = Folder::new("case-44");
    // The umask is the whole process's, so it is another process's: this program again.
    let test = "hostile::case_44_files_of_others::nothing_that_a_host_writes_in_a_whole_day_can_be_opened_by_others";
    let mut child = Command::new("sh");
    child.args(["-c", "umask 000; exec \"$0\" --exact \"$1\""]).arg(std::env::current_exe().unwrap()).arg(test);
    let ended = child.env(PLACE, place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    // Everything there was to write was written.
    let written = files(place.path());
    for name in ["keys/master.key", "keys/ledger.key", "heads.jsonl", "cache/", "/lock", "/anchor", "/redo.0", "/seal"] {
        assert!(written.iter().any(|file| file.contains(name)), "{name} is not in {written:?}");
    }
    assert_eq!(open_to_others(place.path()), []);
    case.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_others_may_write_to_is_refused_with_what_mends_it() {
    let case = Case::new().await;
    let place = Folder::new("case-44");
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for engine in EngineKind::ALL {
        let path = place.path().join(engine.name());
        Embedded::open(&path, options(engine)).await.unwrap().close().await.unwrap();
        let wide = [path.clone(), path.join(engine.name())].into_iter().filter(|path| path.is_dir());
        for wide in wide {
            for bits in [0o777, 0o720, 0o702, 0o1777] {
                set(&wide, bits);
                let told = Embedded::open(&path, options(engine)).await.unwrap_err().to_string();
                assert!(told.contains(&format!("chmod 700 {}", wide.display())), "{bits:o}: {told}");
                assert_eq!(mode(&wide), bits, "nothing was changed");
            }
            set(&wide, 0o700);
        }
        Embedded::open(&path, options(engine)).await.unwrap().close().await.unwrap();
    }
    // Others' code could lie in the cache.
    let cache = place.path().join("cache");
    fs::create_dir(&cache).unwrap();
    set(&cache, 0o777);
    let store: Arc<dyn Store> = Arc::new(portcullis_store::MemoryStore::new());
    let builder = Runtime::builder(ledger(store).await.unwrap()).cache(&cache).compiler(compiler());
    let builder = builder.cache_key(folder::cache_key());
    let told = match builder.resolver(Arc::new(SystemResolver::default())).build() {
        Err(error) => error.to_string(),
        Ok(runtime) => {
            let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
            load(&runtime, &probe).await.unwrap_err().to_string()
        }
    };
    assert!(told.contains(&format!("chmod 700 {}", cache.display())), "{told}");
    assert_eq!(files(&cache), Vec::<String>::new(), "nothing was put there");
    case.goes_on().await;
}
