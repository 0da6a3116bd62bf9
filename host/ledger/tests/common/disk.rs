//! What somebody with the disk can do: read and write every key, without the key that signs.

#![allow(dead_code, reason = "each test needs another part of it")]

use portcullis_ledger::Hash;
use portcullis_store::{Batch, MemoryStore, Scan, Store};
use serde_json::Value;

pub(crate) fn key(letter: u8, workspace: &str, seq: Option<u64>) -> Vec<u8> {
    let mut key = vec![letter];
    key.extend_from_slice(workspace.as_bytes());
    key.push(0);
    key.extend(seq.into_iter().flat_map(u64::to_be_bytes));
    key
}

pub(crate) fn signed(seq: u64) -> Vec<u8> {
    [b"S".as_slice(), &seq.to_be_bytes()].concat()
}

async fn all(store: &dyn Store, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut scan = Scan::prefix(prefix);
    let mut found = Vec::new();
    loop {
        let page = store.scan(&scan).await.unwrap();
        found.extend(page.entries);
        match page.next {
            Some(next) => scan = scan.after(next),
            None => return found,
        }
    }
}

/// A copy of all there is.
pub(crate) async fn copy(store: &dyn Store) -> MemoryStore {
    let copy = MemoryStore::new();
    for (key, value) in all(store, b"").await {
        copy.commit(Batch::new().put(key, value)).await.unwrap();
    }
    copy
}

/// The records of a chain.
pub(crate) async fn lines(store: &dyn Store, workspace: &str) -> Vec<String> {
    let blocks = all(store, &key(b'L', workspace, None)).await;
    let text: Vec<u8> = blocks.into_iter().flat_map(|(_, block)| block).collect();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

/// Puts others in their place, some in each block. The head stays as it is.
pub(crate) async fn put_lines(store: &dyn Store, workspace: &str, lines: &[String]) {
    let mut batch = Batch::new();
    for (key, _) in all(store, &key(b'L', workspace, None)).await {
        batch.remove(key);
    }
    for (i, some) in lines.chunks(7).enumerate() {
        batch.insert(key(b'L', workspace, Some(i as u64 * 7 + 1)), some.join("\n") + "\n");
    }
    store.commit(batch).await.unwrap();
}

/// Makes the chain's head fit these records.
pub(crate) async fn put_head(store: &dyn Store, workspace: &str, lines: &[String]) {
    let last = lines.last().unwrap();
    let record: Value = serde_json::from_str(last).unwrap();
    let (hash, seq, time) = (Hash::of(last.as_bytes()), lines.len(), record["time"].as_str().unwrap());
    let head = format!(r#"{{"hash":"{hash}","open_from":{},"seq":{seq},"time":"{time}"}}"#, seq + 1);
    store.commit(Batch::new().put(key(b'H', workspace, None), head)).await.unwrap();
}

/// With another value for a field, and nothing else.
pub(crate) fn with(line: &str, field: &str, value: impl Into<Value>) -> String {
    let mut record: Value = serde_json::from_str(line).unwrap();
    record[field] = value.into();
    record.to_string()
}

/// Hashes all anew: what only signed heads can tell from what was.
pub(crate) fn rehash(workspace: &str, lines: &[String]) -> Vec<String> {
    let mut prev = Hash::genesis(workspace);
    let again = |(i, line): (usize, &String)| {
        let line = with(&with(line, "prev", prev.to_string()), "seq", i as u64 + 1);
        prev = Hash::of(line.as_bytes());
        line
    };
    lines.iter().enumerate().map(again).collect()
}
