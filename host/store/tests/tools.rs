//! Exporting, importing, compacting; folders that are no stores; older and newer formats.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeMap, fs, path::Path};

use portcullis_store::{
    Batch, Embedded, EngineKind, MemoryStore, Options, Scan, Store, StoreError, compact, export, import, testing,
};
use tempfile::tempdir;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

fn options(kind: EngineKind) -> Options {
    Options { floor_bytes: 0, ..Options::default() }.engine(kind)
}

fn other(kind: EngineKind) -> EngineKind {
    if kind == EngineKind::Sled { EngineKind::Redb } else { EngineKind::Sled }
}

async fn all(store: &dyn Store) -> Entries {
    let (mut found, mut scan) = (Entries::new(), Scan::prefix("").entries(17));
    loop {
        let page = store.scan(&scan).await.unwrap();
        found.extend(page.entries);
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => return found,
        }
    }
}

async fn filled(folder: &Path, kind: EngineKind) -> Entries {
    let store = Embedded::open(folder, options(kind)).await.unwrap();
    let mut entries = Entries::from([(b"".to_vec(), b"".to_vec()), (b"\xff\xff".to_vec(), vec![0; 100_000])]);
    for number in 0..300_u32 {
        entries.insert(number.to_be_bytes().to_vec(), vec![number as u8; number as usize]);
    }
    let batch = entries.iter().fold(Batch::new(), |batch, (key, value)| batch.put(key.clone(), value.clone()));
    store.commit(batch).await.unwrap();
    store.close().await.unwrap();
    entries
}

async fn exported(folder: &Path, kind: EngineKind) -> Vec<u8> {
    let store = Embedded::open(folder, options(kind).existing()).await.unwrap();
    let mut file = Vec::new();
    let done = export(&store, &mut file, &mut |_| {}).await.unwrap();
    assert_eq!(done.entries, 302);
    store.close().await.unwrap();
    file
}

#[tokio::test]
async fn an_export_becomes_the_same_store_on_the_other_engine() {
    for kind in EngineKind::ALL {
        let folder = tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let entries = filled(&here, kind).await;
        let file = exported(&here, kind).await;
        let done = import(&there, &options(other(kind)), file.as_slice(), &mut |_| {}).unwrap();
        assert_eq!(done.entries, 302);
        let store = Embedded::open(&there, Options::default().existing()).await.unwrap();
        assert_eq!(store.engine(), other(kind));
        assert_eq!(all(&store).await, entries);
        store.commit(Batch::new().put("and", "on")).await.unwrap();
        store.verify(|_| {}).await.unwrap();
    }
}

#[tokio::test]
async fn an_export_of_any_store_is_the_same_file() {
    let folder = tempdir().unwrap();
    let entries = filled(folder.path(), EngineKind::Redb).await;
    let memory = MemoryStore::new();
    for (key, value) in entries {
        memory.commit(Batch::new().put(key, value)).await.unwrap();
    }
    let mut file = Vec::new();
    export(&memory, &mut file, &mut |_| {}).await.unwrap();
    assert_eq!(file, exported(folder.path(), EngineKind::Redb).await);
}

#[tokio::test]
async fn a_damaged_export_is_refused_and_leaves_nothing() {
    let folder = tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    filled(&here, EngineKind::Redb).await;
    let file = exported(&here, EngineKind::Redb).await;
    let refused = |file: &[u8]| {
        let told = import(&there, &options(EngineKind::Redb), file, &mut |_| {}).unwrap_err();
        assert!(matches!(&told, StoreError::NotAStore { .. }), "{told}");
        let left: Vec<_> = fs::read_dir(&there).into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty() || left == ["lock"], "{left:?}");
        told.to_string()
    };
    for at in (0..file.len()).step_by(9001).chain(0..60).chain(file.len() - 60..file.len()) {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped);
        refused(&file[..at]);
    }
    assert!(refused(&file[..5000]).contains("cut off (after byte "));
    assert!(refused(&[file.as_slice(), b"x"].concat()).contains("something follows"));
    assert!(refused(b"PK\x03\x04 something else entirely, but long").contains("no export of a store"));
    let newer = [b"portcullis store export 3\n", &file[26..]].concat();
    assert!(refused(&newer).contains("version 3"));
    // What an older version wrote is read.
    let older = [b"portcullis store export 1\n", &file[26..]].concat();
    let old = folder.path().join("older");
    assert_eq!(import(&old, &options(EngineKind::Redb), older.as_slice(), &mut |_| {}).unwrap().entries, 302);
    // An entry that is left out with all of its bytes.
    let first = 26 + 25;
    let without = [&file[..26], &file[first..]].concat();
    assert!(refused(&without).contains("entries are missing"));
}

#[tokio::test]
async fn nothing_is_imported_over_something() {
    for kind in EngineKind::ALL {
        let folder = tempdir().unwrap();
        let here = folder.path().join("here");
        let entries = filled(&here, kind).await;
        let file = exported(&here, kind).await;
        let told = import(&here, &options(kind), file.as_slice(), &mut |_| {}).unwrap_err();
        assert!(told.to_string().contains("it has 302 entries already"), "{told}");
        // Into one that is there and empty it may be.
        let empty = folder.path().join("empty");
        let store = Embedded::open(&empty, options(kind)).await.unwrap();
        store.commit(Batch::new().put("a", "b")).await.unwrap();
        store.commit(Batch::new().delete("a")).await.unwrap();
        store.close().await.unwrap();
        import(&empty, &options(kind), file.as_slice(), &mut |_| {}).unwrap();
        for folder in [&here, &empty] {
            let store = Embedded::open(folder, options(kind)).await.unwrap();
            assert_eq!(all(&store).await, entries);
        }
    }
}

#[tokio::test]
async fn compacting_keeps_what_is_live_and_gives_back_the_rest() {
    for kind in EngineKind::ALL {
        let folder = tempdir().unwrap();
        let store = Embedded::open(folder.path(), options(kind)).await.unwrap();
        for round in 0..10 {
            let batch = (0..400).fold(Batch::new(), |batch, number| batch.put(format!("{number}"), vec![round; 3000]));
            store.commit(batch).await.unwrap();
        }
        let removed = (20..400).fold(Batch::new(), |batch, number| batch.delete(format!("{number}")));
        store.commit(removed).await.unwrap();
        let entries = all(&store).await;
        let commits = store.verify(|_| {}).await.unwrap().commits;
        store.close().await.unwrap();
        let done = compact(folder.path(), &options(kind), &mut |_| {}).unwrap();
        assert_eq!(done.entries, 20);
        // sled sometimes gives all back by itself; then what is left is the space that is taken ahead of it.
        let ahead = if kind == EngineKind::Sled { 5 << 20 } else { 0 };
        assert!(done.after_bytes < done.before_bytes.max(ahead), "{kind}: {done:?}");
        let store = Embedded::open(folder.path(), options(kind)).await.unwrap();
        assert_eq!(all(&store).await, entries);
        assert_eq!(store.verify(|_| {}).await.unwrap().commits, commits);
        store.close().await.unwrap();
    }
}

/// Compacting and making a store, cut off between any two of their steps.
#[tokio::test]
async fn what_was_cut_off_is_put_right() {
    for kind in EngineKind::ALL {
        let folder = tempdir().unwrap();
        let (whole, here) = (folder.path().join("whole"), folder.path().join("here"));
        let entries = filled(&whole, kind).await;
        let engine = kind.name();
        let cases: [&[(&str, &str)]; 4] = [
            // A new engine that is not ready.
            &[("make", "engine.new")],
            // Between the renames.
            &[("copy", "engine.new"), ("rename", "engine.old")],
            // Before the last removal.
            &[("copy", "engine.old")],
            // An import, before its only rename.
            &[("rename", "engine.new")],
        ];
        for case in cases {
            testing::copy(&whole, &here).unwrap();
            fs::remove_file(here.join("seal")).unwrap();
            for (step, name) in case {
                match *step {
                    "make" => {
                        fs::create_dir(here.join(name)).unwrap();
                        fs::write(here.join(name).join("data"), "half of it").unwrap();
                    }
                    "copy" => testing::copy(&here.join(engine), &here.join(name)).unwrap(),
                    _ => fs::rename(here.join(engine), here.join(name)).unwrap(),
                }
            }
            let store = Embedded::open(&here, options(kind)).await.unwrap();
            assert_eq!(all(&store).await, entries, "{case:?}");
            store.close().await.unwrap();
            assert!(!here.join("engine.new").exists() && !here.join("engine.old").exists(), "{case:?}");
            fs::remove_dir_all(&here).unwrap();
        }
        // While it was made: nothing was committed yet.
        fs::create_dir_all(here.join("engine.new")).unwrap();
        fs::write(here.join("lock"), "").unwrap();
        let store = Embedded::open(&here, options(kind)).await.unwrap();
        assert_eq!(all(&store).await, Entries::new());
    }
}

async fn told(folder: &Path) -> StoreError {
    match Embedded::open(folder, Options { floor_bytes: 0, ..Options::default() }).await {
        Ok(_) => panic!("{} was opened", folder.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_is_no_store_is_told() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "x").unwrap();
    assert!(matches!(told(&at("file")).await, StoreError::NotAStore { .. }));
    fs::create_dir(at("pictures")).unwrap();
    fs::write(at("pictures").join("cat.jpg"), "x").unwrap();
    assert!(told(&at("pictures")).await.to_string().contains("`cat.jpg` is not a store's"));
    assert_eq!(fs::read_dir(at("pictures")).unwrap().count(), 1, "nothing was put into it");
    let missing = Embedded::open(at("missing"), Options::default().existing()).await.unwrap_err();
    assert!(matches!(missing, StoreError::NotAStore { .. }));
    assert!(!at("missing").exists());
    fs::create_dir(at("empty")).unwrap();
    let empty = Embedded::open(at("empty"), Options::default().existing()).await.unwrap_err();
    assert!(matches!(empty, StoreError::NotAStore { .. }));
    filled(&at("redb"), EngineKind::Redb).await;
    let wrong = Embedded::open(at("redb"), options(EngineKind::Sled)).await.unwrap_err();
    assert!(wrong.to_string().contains("it is kept by redb, not by sled"), "{wrong}");
}

#[tokio::test]
async fn what_is_missing_or_there_twice_is_told() {
    for kind in EngineKind::ALL {
        for (gone, says) in [
            ("format", "the file `format` is missing"),
            ("anchor", "the file `anchor` is missing"),
            (kind.name(), "are missing"),
        ] {
            let folder = tempdir().unwrap();
            filled(folder.path(), kind).await;
            let path = folder.path().join(gone);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap()
            } else {
                fs::remove_file(path).unwrap()
            }
            let told = told(folder.path()).await;
            assert!(matches!(&told, StoreError::Corrupt { what, .. } if what.contains(says)), "{told}");
        }
        let folder = tempdir().unwrap();
        filled(folder.path(), kind).await;
        fs::create_dir(folder.path().join(other(kind).name())).unwrap();
        assert!(told(folder.path()).await.to_string().contains("files of two engines"));
    }
}

#[tokio::test]
async fn of_files_too_large_to_read_at_open_the_lengths_are_compared() {
    for (kind, file) in [(EngineKind::Sled, "sled/db"), (EngineKind::Redb, "redb/data")] {
        let folder = tempdir().unwrap();
        filled(folder.path(), kind).await;
        let open = fs::OpenOptions::new().write(true).open(folder.path().join(file)).unwrap();
        open.set_len(open.metadata().unwrap().len() - 1).unwrap();
        let told = Embedded::open(folder.path(), Options { seal_bytes: 0, ..options(kind) }).await.unwrap_err();
        assert!(told.to_string().contains(&format!("`{file}` has ")), "{told}");
    }
}

/// The engine's files of an earlier day under the anchor of today: everything in it is whole, and commits are missing.
#[tokio::test]
async fn an_engine_that_was_put_back_is_told() {
    for kind in EngineKind::ALL {
        let folder = tempdir().unwrap();
        let (here, earlier) = (folder.path().join("here"), folder.path().join("earlier"));
        filled(&here, kind).await;
        testing::copy(&here, &earlier).unwrap();
        let store = Embedded::open(&here, options(kind)).await.unwrap();
        store.commit(Batch::new().put("one", "more")).await.unwrap();
        store.close().await.unwrap();
        for name in [kind.name(), "seal"] {
            let (from, to) = (earlier.join(name), here.join(name));
            if from.is_dir() {
                fs::remove_dir_all(&to).unwrap();
                testing::copy(&from, &to).unwrap();
            } else {
                fs::copy(from, to).unwrap();
            }
        }
        let told = told(&here).await;
        assert!(
            told.to_string().contains("silently short: the engine has 1 commits, and 2 were made durable"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn two_processes_do_not_share_a_store() {
    let folder = tempdir().unwrap();
    let store = Embedded::open(folder.path(), options(EngineKind::Redb)).await.unwrap();
    assert!(matches!(told(folder.path()).await, StoreError::Busy { .. }));
    // Who is about to end is waited for.
    let (again, ()) = tokio::join!(Embedded::open(folder.path(), options(EngineKind::Redb)), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        store.close().await.unwrap();
    });
    again.unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused_and_an_older_one_is_migrated() {
    for kind in EngineKind::ALL {
        let folder = tempdir().unwrap();
        let entries = filled(folder.path(), kind).await;
        testing::write_format(folder.path(), 3, kind).unwrap();
        let newer = told(folder.path()).await;
        assert!(matches!(newer, StoreError::Newer { found: 3, known: 2, .. }), "{newer}");

        let old = tempdir().unwrap();
        testing::make_format_0(old.path(), kind, &entries).unwrap();
        for _ in 0..2 {
            let store = Embedded::open(old.path(), options(kind)).await.unwrap();
            assert_eq!(all(&store).await, entries);
            store.verify(|_| {}).await.unwrap();
            store.close().await.unwrap();
        }
        // Cut off after the new engine took its place, and before `format` said so.
        testing::write_format(old.path(), 0, kind).unwrap();
        let store = Embedded::open(old.path(), options(kind)).await.unwrap();
        assert_eq!(all(&store).await, entries);
    }
}
