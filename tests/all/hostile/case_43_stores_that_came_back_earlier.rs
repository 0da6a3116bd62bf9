//! Case 43: somebody puts an earlier copy of the store back, whole or a part of it, taken in order or in the middle. What is left
//! elsewhere says that there was more: the signed heads, or the store's own anchor and last commits. It is refused by name, with
//! both numbers, and nothing is called on it; the newest copy goes on.

use std::{fs, path::Path, sync::Arc, time::Duration};

use portcullis_ledger::heads::HeadError;
use portcullis_runtime::Credentials;
use portcullis_store::{Embedded, EngineKind, Options, StoreError};
use portcullis_tests::folder;

use super::stores::{Folder, close, copy};
use crate::{
    guests,
    harness::{Case, call, load},
    state::history::{builder, by, config, grant, heads, ledger, master},
};

const ORIGIN: &str = "https://api.example.com";

fn options(engine: EngineKind) -> Options {
    Options { floor_bytes: 0, ..Options::default() }.engine(engine)
}

/// A host on the store in this folder, with its signed heads elsewhere: so many calls, and what `kill -9` would leave after each.
async fn day(path: &Path, elsewhere: &Folder, engine: EngineKind, calls: usize, killed: &Path) {
    let store = Arc::new(Embedded::open(path, options(engine)).await.unwrap());
    let signed = heads(store.clone(), elsewhere).await.unwrap();
    let ledger = ledger(store.clone()).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), master()).await.unwrap();
    let runtime = builder(ledger.clone(), credentials.clone()).build().unwrap();
    let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
    let digest = load(&runtime, &probe).await.unwrap().digest().to_owned();
    if runtime.integration_info("acme", "mail").await.is_err() {
        runtime.keep_adapter(&probe, "probe", &by()).await.unwrap();
        let (grant, by) = (grant(&digest, ORIGIN), by());
        runtime.keep_integration(["acme", "mail"], &digest, config(ORIGIN), grant, &by).await.unwrap();
    }
    let mail = runtime.open("acme", "mail").await.unwrap();
    for number in 0..calls {
        mail.call(call("probe", serde_json::json!({ "steps": [] }))).await.result.unwrap();
        copy(path, &killed.join(number.to_string()));
    }
    drop((mail, runtime, credentials));
    ledger.close().await;
    signed.close(Duration::from_secs(60)).await.unwrap();
    close(store).await;
}

/// The newest copy, with this part of an earlier one.
fn with_part(newest: &Path, earlier: &Path, part: &str, to: &Path) {
    copy(newest, to);
    let target = to.join(part);
    if target.is_dir() {
        fs::remove_dir_all(&target).unwrap();
        copy(&earlier.join(part), &target);
    } else {
        fs::copy(earlier.join(part), target).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_came_back_whole_is_less_than_the_signed_heads_say() {
    let case = Case::new().await;
    for engine in EngineKind::ALL {
        let (folder, elsewhere) = (Folder::new("case-43"), Folder::new("case-43"));
        let at = |name: &str| folder.path().join(name);
        day(&at("store"), &elsewhere, engine, 2, &at("first")).await;
        copy(&at("store"), &at("backup"));
        day(&at("store"), &elsewhere, engine, 2, &at("second")).await;
        // Closed in order; killed while it ran.
        for earlier in ["backup", "first/0", "first/1", "second/0"] {
            let store = Arc::new(Embedded::open(&at(earlier), options(engine)).await.unwrap());
            let error = heads(store.clone(), &elsewhere).await.unwrap_err();
            let HeadError::RolledBack { found, signed, .. } = &error else { panic!("{engine}, {earlier}: {error}") };
            assert!(found < signed, "{error}");
            let told = error.to_string();
            let names = [found.to_string(), signed.to_string(), "heads.jsonl".to_owned()];
            assert!(names.iter().all(|name| told.contains(name)), "{told}");
            close(store).await;
        }
        // What the newest has is what the heads say, killed or closed.
        for newest in ["store", "second/1"] {
            let store = Arc::new(Embedded::open(&at(newest), options(engine)).await.unwrap());
            let signed = heads(store.clone(), &elsewhere).await;
            // The end of the last command is signed as it is closed.
            assert_eq!(signed.is_ok(), newest == "store", "{engine}, {newest}: {signed:?}");
            drop(signed);
            close(store).await;
        }
        day(&at("store"), &elsewhere, engine, 1, &at("third")).await;
    }
    case.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_came_back_earlier_than_its_anchor_is_refused_by_name_before_anything_reads_it() {
    let case = Case::new().await;
    for engine in EngineKind::ALL {
        let (folder, elsewhere) = (Folder::new("case-43"), Folder::new("case-43"));
        let at = |name: &str| folder.path().join(name);
        day(&at("store"), &elsewhere, engine, 4, &at("killed")).await;
        // Each call is more than two commits: the last two would be made good from the files beside the engine.
        with_part(&at("killed/3"), &at("killed/0"), engine.name(), &at("part"));
        let error = Embedded::open(&at("part"), options(engine)).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{engine}: {error}");
        let told = error.to_string();
        assert!(told.contains("silently short: the engine has ") && told.contains("were made durable"), "{told}");
        // It is as it was: who puts the right engine back has everything.
        fs::remove_dir_all(at("part").join(engine.name())).unwrap();
        copy(&at("killed/3").join(engine.name()), &at("part").join(engine.name()));
        let store = Embedded::open(&at("part"), options(engine)).await.unwrap();
        store.verify(|_| {}).await.unwrap();
        store.close().await.unwrap();
    }
    case.goes_on().await;
}
