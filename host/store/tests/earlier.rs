//! A store whose engine came back earlier than what was acknowledged: it gets the last commits again, or is refused by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path};

use portcullis_store::{Batch, Embedded, EngineKind, Options, Store, StoreError, testing};

const COMMITS: u64 = 6;

fn options(kind: EngineKind) -> Options {
    Options { floor_bytes: 0, ..Options::default() }.engine(kind)
}

fn key(number: u64) -> String {
    format!("key{number}")
}

/// A store as it was after each commit, as `kill -9` would leave it, in `0`, `1` and so on below a folder.
async fn lives(folder: &Path, kind: EngineKind) {
    let open = folder.join("open");
    let store = Embedded::open(&open, options(kind)).await.unwrap();
    testing::copy(&open, &folder.join("0")).unwrap();
    for number in 1..=COMMITS {
        let batch = Batch::new().put(key(number), format!("value{number}")).delete(key(number - 1));
        store.commit(batch).await.unwrap();
        testing::copy(&open, &folder.join(number.to_string())).unwrap();
    }
}

/// The newest life, with the engine of an earlier one.
fn set_back(folder: &Path, kind: EngineKind, to: u64) -> std::path::PathBuf {
    let here = folder.join(format!("back{to}"));
    testing::copy(&folder.join(COMMITS.to_string()), &here).unwrap();
    fs::remove_dir_all(here.join(kind.name())).unwrap();
    testing::copy(&folder.join(to.to_string()).join(kind.name()), &here.join(kind.name())).unwrap();
    here
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_came_back_earlier_gets_the_last_two_commits_again_and_is_refused_before() {
    for kind in EngineKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        lives(folder.path(), kind).await;
        for to in 0..=COMMITS {
            let here = set_back(folder.path(), kind, to);
            let opened = Embedded::open(&here, options(kind)).await;
            if to + 2 < COMMITS {
                let error = opened.err().unwrap_or_else(|| panic!("{kind}, set back to {to}: it was opened"));
                let says = format!("silently short: the engine has {to} commits, and {COMMITS} were made durable");
                assert!(matches!(&error, StoreError::Corrupt { what, .. } if what.contains(&says)), "{error}");
                continue;
            }
            let store = opened.unwrap_or_else(|error| panic!("{kind}, set back to {to}: {error}"));
            let newest = store.get(key(COMMITS).as_bytes()).await.unwrap();
            assert_eq!(newest.as_deref(), Some(format!("value{COMMITS}").as_bytes()), "{kind}, set back to {to}");
            assert_eq!(store.get(key(COMMITS - 1).as_bytes()).await.unwrap(), None, "{kind}, set back to {to}");
            assert_eq!(store.verify(|_| {}).await.unwrap().commits, COMMITS);
            store.close().await.unwrap();
            let lengths = ["redo.0", "redo.1"].map(|name| here.join(name).metadata().unwrap().len());
            assert_eq!(lengths, [0, 0], "what is erased later must not stand there");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_files_of_the_last_commits_an_open_store_is_refused_and_a_closed_one_is_not() {
    for kind in EngineKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        lives(folder.path(), kind).await;
        for name in ["redo.0", "redo.1"] {
            let here = folder.path().join(format!("without-{name}"));
            testing::copy(&folder.path().join("5"), &here).unwrap();
            fs::remove_file(here.join(name)).unwrap();
            let error = Embedded::open(&here, options(kind)).await.unwrap_err();
            assert!(error.to_string().contains("`redo.0` or `redo.1` is missing"), "{error}");
        }
        let closed = folder.path().join("6");
        Embedded::open(&closed, options(kind)).await.unwrap().close().await.unwrap();
        fs::remove_file(closed.join("redo.0")).unwrap();
        let store = Embedded::open(&closed, options(kind)).await.unwrap();
        assert_eq!(store.verify(|_| {}).await.unwrap().commits, COMMITS);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_the_format_without_these_files_gets_them() {
    for kind in EngineKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("store");
        let store = Embedded::open(&here, options(kind)).await.unwrap();
        store.commit(Batch::new().put("key", "value")).await.unwrap();
        store.close().await.unwrap();
        ["redo.0", "redo.1"].iter().for_each(|name| fs::remove_file(here.join(name)).unwrap());
        testing::write_format(&here, 1, kind).unwrap();
        // Closed in order, and not.
        for seal in [true, false] {
            let old = folder.path().join(format!("old-{seal}"));
            testing::copy(&here, &old).unwrap();
            if !seal {
                fs::remove_file(old.join("seal")).unwrap();
            }
            let store = Embedded::open(&old, options(kind)).await.unwrap();
            assert_eq!(store.get(b"key").await.unwrap().as_deref(), Some(&b"value"[..]));
            assert!(old.join("redo.1").exists());
        }
    }
}
