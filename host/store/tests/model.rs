//! Each engine against a `BTreeMap`: random batches, ranges and restarts, which must come out the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeMap, ops::Bound};

use portcullis_store::{Batch, Embedded, EngineKind, Options, Scan, Store, StoreError};
use proptest::{collection::vec, option, prelude::*};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    /// Keys and what becomes of them; keys that are checked, and whether for what they are.
    Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>, Vec<(Vec<u8>, bool)>),
    Scan(Bound<Vec<u8>>, Bound<Vec<u8>>, bool, usize),
    Reopen,
    Crash,
}

/// Few and short, so that they meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), Just(1), Just(b'a'), Just(0xfe), Just(0xff)], 0..4)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    (prop_oneof![8 => 0..40_usize, 1 => 1000..4000_usize], any::<u8>()).prop_map(|(length, byte)| vec![byte; length])
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (vec((key(), option::weighted(0.7, value())), 0..8), vec((key(), prop::bool::weighted(0.8)), 0..3))
            .prop_map(|(writes, checks)| Step::Commit(writes, checks)),
        6 => (bound(), bound(), any::<bool>(), 1..6_usize).prop_map(|(from, to, down, most)| Step::Scan(from, to, down, most)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

async fn open(folder: &std::path::Path, kind: EngineKind) -> Embedded {
    Embedded::open(folder, Options { floor_bytes: 0, ..Options::default() }.engine(kind)).await.unwrap()
}

async fn run(kind: EngineKind, steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (mut store, mut model) = (open(&path, kind).await, Model::new());
    for step in steps {
        match step {
            Step::Commit(writes, checks) => commit(&store, &mut model, writes, checks).await,
            Step::Scan(from, to, descending, most) => scan(&store, &model, (from, to), descending, most).await,
            Step::Reopen => {
                store.close().await.unwrap();
                store = open(&path, kind).await;
            }
            Step::Crash => {
                // Without the seal, as after a crash.
                store.close().await.unwrap();
                std::fs::remove_file(path.join("seal")).unwrap();
                store = open(&path, kind).await;
            }
        }
        for key in model.keys() {
            assert_eq!(store.get(key).await.unwrap().as_ref(), model.get(key));
        }
    }
    let done = store.verify(|_| {}).await.unwrap();
    assert_eq!(done.entries, model.len() as u64);
}

async fn commit(
    store: &Embedded,
    model: &mut Model,
    writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    checks: Vec<(Vec<u8>, bool)>,
) {
    let mut batch = Batch::new();
    for (key, right) in &checks {
        let is = model.get(key).cloned();
        let told = if *right { is } else { is.map_or(Some(b"another".to_vec()), |_| None) };
        batch = batch.check(key.clone(), told);
    }
    for (key, value) in &writes {
        batch = match value {
            Some(value) => batch.put(key.clone(), value.clone()),
            None => batch.delete(key.clone()),
        };
    }
    // The last check of a key counts.
    let last: BTreeMap<_, _> = checks.into_iter().collect();
    match store.commit(batch).await {
        Ok(()) => {
            assert!(last.values().all(|right| *right));
            for (key, value) in writes {
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
        }
        Err(StoreError::Conflict { .. }) => assert!(last.values().any(|right| !*right)),
        Err(error) => panic!("{error}"),
    }
}

async fn scan(
    store: &Embedded,
    model: &Model,
    (from, to): (Bound<Vec<u8>>, Bound<Vec<u8>>),
    descending: bool,
    most: usize,
) {
    let mut scan = Scan::range(from.clone(), to.clone()).entries(most);
    scan.descending = descending;
    let mut found = Vec::new();
    loop {
        let page = store.scan(&scan).await.unwrap();
        found.extend(page.entries);
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => break,
        }
    }
    use std::ops::RangeBounds;
    let within = |key: &Vec<u8>| (from.as_ref(), to.as_ref()).contains(&key);
    let mut expected: Vec<_> =
        model.iter().filter(|(key, _)| within(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    if descending {
        expected.reverse();
    }
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sled_does_what_a_map_does(steps in vec(step(), 1..30)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(EngineKind::Sled, steps));
    }

    #[test]
    fn redb_does_what_a_map_does(steps in vec(step(), 1..30)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(EngineKind::Redb, steps));
    }
}
