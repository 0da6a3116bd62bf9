//! Case 37: sixty-four writers on one workspace, some of them by another ledger on the same store.

use std::{collections::BTreeSet, sync::Arc};

use portcullis_ledger::{CallId, Caller, Change, Entry, Kind, Ledger, LedgerError, LedgerOptions};
use portcullis_store::{Batch, Embedded, EngineKind, MemoryStore, Options, Store};

use super::stores::{Folder, records};

const WRITERS: usize = 64;
const EACH: usize = 12;
const COUNTER: &[u8] = b"case-37/counter";

fn entry(call: CallId) -> Entry {
    let change = Change { action: "replaced".to_owned(), ..Change::default() };
    Entry::change("acme", Kind::Configuration, &Caller::principal("user:ada"), change).call(call)
}

fn number(value: Option<Vec<u8>>) -> u64 {
    value.map_or(0, |value| String::from_utf8(value).unwrap().parse().unwrap())
}

/// Adds one to the counter together with a record of it, as often as it takes. How often somebody else was first.
async fn count(ledger: &Ledger) -> usize {
    for conflicts in 0.. {
        let before = ledger.store().get(COUNTER).await.unwrap();
        let next = (number(before.clone()) + 1).to_string();
        let batch = Batch::new().check(COUNTER, before).put(COUNTER, next);
        match ledger.commit(vec![entry(CallId::generate())], batch).await {
            Ok(()) => return conflicts,
            Err(LedgerError::Conflict { key }) => assert!(key.contains("counter"), "{key}"),
            Err(error) => panic!("{error}"),
        }
    }
    0
}

async fn no_update_is_lost_and_no_chain_is_forked(store: Arc<dyn Store>) {
    let mut ledgers = Vec::new();
    for _ in 0..2 {
        // As two hosts would have it: neither may close the other's calls.
        let options = LedgerOptions { recover: false, ..LedgerOptions::default() };
        ledgers.push(Ledger::open(store.clone(), options).await.unwrap());
    }
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let ledger = ledgers[writer % 2].clone();
        writers.push(tokio::spawn(async move {
            let mut calls = Vec::new();
            for _ in 0..EACH {
                let call = CallId::generate();
                ledger.append(vec![entry(call)]).await.unwrap();
                calls.push(call);
            }
            let conflicts = count(&ledger).await;
            (calls, conflicts)
        }));
    }
    let (mut acknowledged, mut conflicts) = (Vec::new(), 0);
    for writer in writers {
        let (calls, met) = writer.await.unwrap();
        acknowledged.extend(calls);
        conflicts += met;
    }
    assert_eq!(number(store.get(COUNTER).await.unwrap()), WRITERS as u64, "no update is lost");
    assert!(conflicts > 0, "they did get in each other's way");
    let kept = records(store, "acme").await;
    assert_eq!(kept.len(), WRITERS * EACH + WRITERS, "a record for each append and each update, and none twice");
    let kept: Vec<CallId> = kept.iter().filter_map(|record| record.call).collect();
    let once: BTreeSet<CallId> = kept.iter().copied().collect();
    assert_eq!(once.len(), kept.len());
    assert!(acknowledged.iter().all(|call| once.contains(call)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_and_two_ledgers_on_one_store_in_memory() {
    no_update_is_lost_and_no_chain_is_forked(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_and_two_ledgers_on_one_store_in_a_folder() {
    for kind in EngineKind::ALL {
        let folder = Folder::new("case-37");
        let options = Options { floor_bytes: 0, ..Options::default() }.engine(kind);
        let store = Embedded::open(folder.path().join("store"), options).await.unwrap();
        no_update_is_lost_and_no_chain_is_forked(Arc::new(store)).await;
    }
}
