//! Stores in folders, for the cases that are about them.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use portcullis_ledger::{Hash, Reader, Record};
use portcullis_store::{Embedded, Store};

/// A folder that goes when it goes.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("portcullis-{name}-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder; of a store that is open, this is what `kill -9` would leave.
pub(crate) fn copy(from: &Path, to: &Path) {
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

/// The files below a folder, as paths within it.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found
}

/// All records of a workspace. The chain must hold.
pub(crate) async fn records(store: Arc<dyn Store>, workspace: &str) -> Vec<Record> {
    let reader = Reader::new(store);
    let head = reader.chain(workspace).await.unwrap().expect("there are records");
    let (mut found, mut before) = (Vec::new(), Hash::genesis(workspace));
    while (found.len() as u64) < head.seq {
        let next = found.len() as u64 + 1;
        for line in reader.lines(workspace, next).await.unwrap() {
            let record = line.record(workspace).unwrap();
            assert_eq!((record.seq, record.prev), (found.len() as u64 + 1, before), "the chain holds");
            before = line.hash();
            found.push(record);
        }
        assert!(found.len() as u64 >= next, "record {next} is missing");
    }
    assert_eq!((found.len() as u64, before), (head.seq, head.hash), "it ends where its head says");
    found
}

/// Closes a store; the ledger's writer lets go of it a moment after the ledger is dropped.
pub(crate) async fn close(mut store: Arc<Embedded>) {
    loop {
        match Arc::try_unwrap(store) {
            Ok(alone) => return alone.close().await.unwrap(),
            Err(shared) => store = shared,
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
