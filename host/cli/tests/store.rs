//! `portcullis store` as an operator meets it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]
#![allow(dead_code, reason = "the place is shared with other test programs")]

mod place;

use std::fs;

use portcullis_store::{Batch, Embedded, Options, Store};

use crate::place::Place;

/// A store with a hundred entries, where the command looks for it.
fn filled() -> Place {
    let place = Place::new();
    let folder = place.folder.path().join("data/store");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Embedded::open(folder, Options { floor_bytes: 0, ..Options::default() }).await.unwrap();
        let batch = (0..100).fold(Batch::new(), |batch, number| batch.put(format!("key{number:03}"), vec![7; 1000]));
        store.commit(batch).await.unwrap();
        store.close().await.unwrap();
    });
    place
}

#[test]
fn a_store_is_verified_exported_imported_and_compacted() {
    let place = filled();
    let verified = place.run(&["store", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(verified.out.contains("All 100 entries"), "{}", verified.out);
    let backup = place.folder.path().join("backup").display().to_string();
    let exported = place.run(&["store", "export", &backup, "--json"]).json();
    assert_eq!(exported["exported"]["entries"], 100);
    let again = place.run(&["store", "export", &backup]);
    assert_eq!(again.code, 2, "{}", again.err);
    assert_eq!(place.run(&["store", "compact", "--json"]).json()["compacted"]["entries"], 100);
    // Not over what is there; elsewhere, and on the other engine.
    let over = place.run(&["store", "import", &backup]);
    assert_eq!(over.code, 2, "{}", over.err);
    assert!(over.err.contains("it has 100 entries already"), "{}", over.err);
    let other = place.folder.path().join("other").display().to_string();
    let imported = place.run(&["--data", &other, "store", "import", &backup, "--engine", "sled", "--json"]).json();
    assert_eq!(imported["imported"]["entries"], 100);
    let verified = place.run(&["--data", &other, "store", "verify", "--json"]).json();
    assert_eq!(verified["verified"]["engine"], "sled");
    assert_eq!(verified["verified"]["bytes"], 100 * 1006);
}

#[test]
fn a_damaged_store_is_told_by_name_with_a_code_of_its_own() {
    let place = filled();
    let log = place.folder.path().join("data/store/redb/data");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    for command in [&["store", "verify"][..], &["store", "compact"], &["store", "export", "/dev/null/x"]] {
        let told = place.run(command);
        assert_eq!(told.code, 7, "{command:?}: {}{}", told.out, told.err);
        assert!(told.err.contains("`redb/data` is not as it was"), "{}", told.err);
    }
    let told = place.run(&["store", "verify", "--json"]);
    assert_eq!((told.code, &told.json()["error"]["code"]), (7, &"damaged".into()));
}

#[test]
fn where_there_is_no_store_nothing_is_made() {
    let place = Place::new();
    for command in ["verify", "compact"] {
        let told = place.run(&["store", command]);
        assert_eq!(told.code, 2, "{}", told.err);
    }
    let mut broken = b"portcullis store export 1\n".to_vec();
    broken.push(b'E');
    let file = place.write("backup", &String::from_utf8(broken).unwrap());
    let told = place.run(&["store", "import", &file]);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("cut off (after byte 27)"), "{}", told.err);
    assert!(!place.folder.path().join("data/store/redb").exists());
}
