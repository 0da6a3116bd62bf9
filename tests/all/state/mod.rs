//! A store with a rich history, and somebody who can write all of it.
//!
//! | file | what it does |
//! | --- | --- |
//! | `history.rs` | makes a store with something of every kind, and keeps what stood in it earlier |
//! | `outcome.rs` | what a host does with a store: all that it decides, as text |
//! | `kinds.rs` | every kind of key that there is, with what becomes of one that was attacked |
//!
//! The attacker knows the format: what they write goes through a store, or through an export and an import, so that every
//! checksum, count and seal is right.

pub(crate) mod history;
pub(crate) mod kinds;
pub(crate) mod outcome;

use std::{collections::BTreeMap, sync::Arc};

use portcullis_store::{Batch, Embedded, EngineKind, MemoryStore, Options, Scan, Store, export, import};

use crate::hostile::stores::Folder;

/// Everything that a store holds.
pub(crate) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) async fn entries(store: &dyn Store) -> Entries {
    let mut scan = Scan::prefix("");
    let mut all = Entries::new();
    loop {
        let page = store.scan(&scan).await.unwrap();
        all.extend(page.entries);
        match page.next {
            Some(next) => scan = scan.after(next),
            None => return all,
        }
    }
}

/// Makes a store hold this, and nothing else.
pub(crate) async fn write(store: &dyn Store, wanted: &Entries) {
    let before = entries(store).await;
    let mut batch = Batch::new();
    for key in before.keys().filter(|key| !wanted.contains_key(*key)) {
        batch.remove(key.clone());
    }
    for (key, value) in wanted.iter().filter(|(key, value)| before.get(*key) != Some(value)) {
        batch.insert(key.clone(), value.clone());
        if batch.bytes() > 8 * 1024 * 1024 {
            store.commit(std::mem::take(&mut batch)).await.unwrap();
        }
    }
    store.commit(batch).await.unwrap();
}

pub(crate) async fn in_memory(wanted: &Entries) -> Arc<dyn Store> {
    let store = MemoryStore::new();
    write(&store, wanted).await;
    Arc::new(store)
}

/// A store of an engine, made by an export and an import.
pub(crate) async fn imported(wanted: &Entries, kind: EngineKind) -> (Folder, Arc<Embedded>) {
    let mut file = Vec::new();
    export(in_memory(wanted).await.as_ref(), &mut file, &mut |_| {}).await.unwrap();
    let folder = Folder::new("state");
    let options = Options { floor_bytes: 0, ..Options::default() }.engine(kind);
    import(folder.path(), &options, file.as_slice(), &mut |_| {}).unwrap();
    let store = Arc::new(Embedded::open(folder.path(), options.existing()).await.unwrap());
    (folder, store)
}
