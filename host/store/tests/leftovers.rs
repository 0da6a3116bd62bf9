//! What a crash leaves in an engine's folder does not keep the store from opening.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path};

use portcullis_store::{Batch, Embedded, EngineKind, Options, Store};

fn options() -> Options {
    Options { floor_bytes: 0, ..Options::default() }.engine(EngineKind::Sled)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_a_crash_cut_off_does_not_keep_sled_from_opening() {
    let folder = tempfile::tempdir().unwrap();
    let (running, killed) = (folder.path().join("running"), folder.path().join("killed"));
    let store = Embedded::open(&running, options()).await.unwrap();
    store.commit(Batch::new().put("a", "1")).await.unwrap();
    // As it would be after `kill -9`.
    copy(&running, &killed);
    fs::write(killed.join("sled/snap.00000000FFFFFFFF.generating"), "half of a snapsh").unwrap();
    let found = Embedded::open(&killed, options()).await.unwrap();
    assert_eq!(found.get(b"a").await.unwrap().as_deref(), Some(&b"1"[..]));
    assert!(!killed.join("sled/snap.00000000FFFFFFFF.generating").exists());
}
