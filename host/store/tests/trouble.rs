//! Disks that are full, read-only or failing, under a store that is in use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use portcullis_store::{Batch, Embedded, EngineKind, Options, Scan, Step, Store, StoreError};

const TMPFS: &str = "PORTCULLIS_STORE_ON";

fn options(kind: EngineKind) -> Options {
    Options { floor_bytes: 0, ..Options::default() }.engine(kind)
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

async fn all(store: &Embedded) -> Entries {
    let (mut found, mut scan) = (Entries::new(), Scan::prefix(""));
    loop {
        let page = store.scan(&scan).await.unwrap();
        found.extend(page.entries);
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => return found,
        }
    }
}

/// Everything acknowledged is there, whichever way it is read, and nothing else.
async fn has_exactly(store: &Embedded, expected: &Entries, when: &str) {
    let found = all(store).await;
    let (found, expected_keys): (Vec<_>, Vec<_>) = (found.iter().collect(), expected.iter().collect());
    assert!(found == expected_keys, "{when}: {} entries, and {} were acknowledged", found.len(), expected.len());
    for (key, value) in expected.iter().step_by(7) {
        assert_eq!(store.get(key).await.unwrap().as_ref(), Some(value), "{when}");
    }
    let backwards = store.scan(&Scan::prefix("").descending().entries(5)).await.unwrap();
    let last: Vec<_> = expected.iter().rev().take(5).map(|(key, value)| (key.clone(), value.clone())).collect();
    assert_eq!(backwards.entries, last, "{when}");
}

/// Makes steps of an engine fail while it is told to.
#[derive(Default)]
struct Faults {
    writes: AtomicU64,
    syncs: AtomicU64,
    fails: AtomicUsize,
}

impl Faults {
    fn set(&self, step: Step, error: i32) {
        let step = if step == Step::Write { 1000 } else { 2000 };
        self.fails.store(step + usize::try_from(error).unwrap(), Ordering::SeqCst);
    }

    fn clear(&self) {
        self.fails.store(0, Ordering::SeqCst);
    }

    fn under(self: &Arc<Self>, mut options: Options) -> Options {
        let faults = Arc::clone(self);
        options.hook = Some(Arc::new(move |step| {
            let (counter, kind) = match step {
                Step::Write => (&faults.writes, 1),
                Step::Sync => (&faults.syncs, 2),
            };
            counter.fetch_add(1, Ordering::SeqCst);
            let fails = faults.fails.load(Ordering::SeqCst);
            if fails / 1000 == kind {
                return Err(io::Error::from_raw_os_error(i32::try_from(fails % 1000).unwrap()));
            }
            Ok(())
        }));
        options
    }
}

const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EIO: i32 = 5;

async fn put(store: &Embedded, acknowledged: &mut Entries, key: &str, value: &str) -> Result<(), StoreError> {
    let done = store.commit(Batch::new().put(key, value)).await;
    if done.is_ok() {
        acknowledged.insert(key.into(), value.into());
    }
    done
}

async fn goes_on_after(kind: EngineKind, error: i32, is_right: fn(&StoreError) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let store = Embedded::open(folder.path(), faults.under(options(kind))).await.unwrap();
    let mut acknowledged = Entries::new();
    for number in 0..50 {
        put(&store, &mut acknowledged, &format!("key{number}"), "before").await.unwrap();
    }
    for trouble in 0..3 {
        faults.set(Step::Write, error);
        for number in 0..4 {
            // New keys, and others that are overwritten: none of it must show.
            let key = format!("key{}", 48 + number);
            let told = put(&store, &mut acknowledged, &key, "during").await.unwrap_err();
            assert!(is_right(&told), "{told}");
            has_exactly(&store, &acknowledged, "while nothing can be written").await;
        }
        faults.clear();
        put(&store, &mut acknowledged, &format!("after{trouble}"), "after").await.unwrap();
        has_exactly(&store, &acknowledged, "when it can be written again").await;
    }
    store.verify(|_| {}).await.unwrap();
    store.close().await.unwrap();
    let store = Embedded::open(folder.path(), options(kind)).await.unwrap();
    has_exactly(&store, &acknowledged, "after a restart").await;
}

async fn stops_after_a_failed_flush(kind: EngineKind) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let store = Embedded::open(folder.path(), faults.under(options(kind))).await.unwrap();
    let mut acknowledged = Entries::new();
    put(&store, &mut acknowledged, "first", "1").await.unwrap();
    faults.set(Step::Sync, EIO);
    let told = put(&store, &mut acknowledged, "second", "2").await.unwrap_err();
    assert!(matches!(told, StoreError::Stopped { .. }), "{told}");
    has_exactly(&store, &acknowledged, "what may not be on the disk is not shown").await;
    faults.clear();
    let syncs = faults.syncs.load(Ordering::SeqCst);
    for _ in 0..3 {
        let told = put(&store, &mut acknowledged, "third", "3").await.unwrap_err();
        assert!(matches!(told, StoreError::Stopped { .. }), "{told}");
    }
    assert_eq!(faults.syncs.load(Ordering::SeqCst), syncs, "a failed flush is not tried again");
    has_exactly(&store, &acknowledged, "reads go on").await;
    drop(store);
    let store = Embedded::open(folder.path(), options(kind)).await.unwrap();
    assert_eq!(store.get(b"first").await.unwrap(), Some(b"1".to_vec()));
    assert_eq!(store.get(b"third").await.unwrap(), None);
    store.commit(Batch::new().put("fourth", "4")).await.unwrap();
}

async fn nothing_is_written_below_the_floor(kind: EngineKind) {
    let folder = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let faults = Arc::new(Faults::default());
    let mut options = faults.under(options(kind));
    options.floor_bytes = 1 << 20;
    let asked = Arc::clone(&free);
    options.free_space = Arc::new(move |_| Ok(asked.load(Ordering::SeqCst)));
    let store = Embedded::open(folder.path(), options).await.unwrap();
    let mut acknowledged = Entries::new();
    put(&store, &mut acknowledged, "before", "1").await.unwrap();
    free.store((1 << 20) - 1, Ordering::SeqCst);
    let before = (faults.writes.load(Ordering::SeqCst), faults.syncs.load(Ordering::SeqCst));
    let told = put(&store, &mut acknowledged, "during", "2").await.unwrap_err();
    let place = folder.path().display().to_string();
    assert_eq!(told, StoreError::Full { place, free_bytes: (1 << 20) - 1, floor_bytes: 1 << 20 });
    let after = (faults.writes.load(Ordering::SeqCst), faults.syncs.load(Ordering::SeqCst));
    assert_eq!(before, after, "the engine was not asked");
    has_exactly(&store, &acknowledged, "reads go on").await;
    free.store(2 << 20, Ordering::SeqCst);
    put(&store, &mut acknowledged, "after", "3").await.unwrap();
}

async fn concurrent_commits_share_a_flush(kind: EngineKind) {
    const COMMITS: u64 = 64 * 10;
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let store = Arc::new(Embedded::open(folder.path(), faults.under(options(kind))).await.unwrap());
    let before = faults.syncs.load(Ordering::SeqCst);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for turn in 0..10 {
                store.commit(Batch::new().put(format!("{writer}/{turn}"), "x")).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let syncs = faults.syncs.load(Ordering::SeqCst) - before;
    let rounds = store.verify(|_| {}).await.unwrap().commits;
    // redb flushes once more when its file grows.
    assert!((rounds..=rounds + rounds / 4 + 2).contains(&syncs), "{syncs} flushes for {rounds} rounds");
    assert!(syncs * 8 < COMMITS, "{syncs} flushes for {COMMITS} commits");
}

async fn nobody_is_shown_what_is_not_durable(kind: EngineKind) {
    let folder = tempfile::tempdir().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (reached, at_the_flush) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new((wait, reached));
    let armed = Arc::new(AtomicUsize::new(0));
    let is_armed = Arc::clone(&armed);
    let mut options = options(kind);
    options.hook = Some(Arc::new(move |step| {
        if step == Step::Sync && is_armed.swap(0, Ordering::SeqCst) == 1 {
            let wait = wait.lock().unwrap();
            wait.1.send(()).unwrap();
            let _ = wait.0.recv();
        }
        Ok(())
    }));
    let store = Arc::new(Embedded::open(folder.path(), options).await.unwrap());
    armed.store(1, Ordering::SeqCst);
    let writer = Arc::clone(&store);
    let commit = tokio::spawn(async move { writer.commit(Batch::new().put("key", "value")).await });
    tokio::task::spawn_blocking(move || at_the_flush.recv().unwrap()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), store.get(b"key")).await;
    assert!(matches!(early, Err(_) | Ok(Ok(None))), "{early:?}");
    drop(go);
    commit.await.unwrap().unwrap();
    assert_eq!(store.get(b"key").await.unwrap(), Some(b"value".to_vec()));
}

async fn the_queue_is_bounded(kind: EngineKind) {
    const LARGE: usize = 4 << 20;
    let folder = tempfile::tempdir().unwrap();
    let (held, hold) = std::sync::mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let mut options = options(kind);
    options.queue_bytes = 0;
    let armed = Arc::new(AtomicUsize::new(0));
    let is_armed = Arc::clone(&armed);
    options.hook = Some(Arc::new(move |step| {
        if step == Step::Sync && is_armed.load(Ordering::SeqCst) == 1 {
            let _ = hold.lock().unwrap().recv();
        }
        Ok(())
    }));
    let store = Arc::new(Embedded::open(folder.path(), options).await.unwrap());
    armed.store(1, Ordering::SeqCst);
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        waiting.spawn(async move { store.commit(Batch::new().put(format!("{number}"), vec![7; LARGE])).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let queued = store.queued_bytes();
    // As much as the largest batch is: seven of these, and not all twenty.
    assert!((4 * LARGE..=33 << 20).contains(&queued), "{queued} bytes are queued");
    armed.store(0, Ordering::SeqCst);
    drop(held);
    for done in waiting.join_all().await {
        done.unwrap();
    }
    assert_eq!(store.queued_bytes(), 0);
}

macro_rules! each {
    ($($name:ident: $test:ident($($argument:expr),*);)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sled() {
                $test(EngineKind::Sled $(, $argument)*).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn redb() {
                $test(EngineKind::Redb $(, $argument)*).await;
            }
        }
    )*};
}

each! {
    a_full_disk_is_told_and_all_goes_on: goes_on_after(ENOSPC, |told| matches!(told, StoreError::Full { .. }));
    a_read_only_disk_is_told_and_all_goes_on: goes_on_after(EROFS, |told| matches!(told, StoreError::ReadOnly { .. }));
    a_failing_write_is_told_and_all_goes_on: goes_on_after(EIO, |told| matches!(told, StoreError::Io { .. }));
    after_a_failed_flush_nothing_is_written: stops_after_a_failed_flush();
    below_the_floor_the_engine_is_not_asked: nothing_is_written_below_the_floor();
    before_it_is_durable: nobody_is_shown_what_is_not_durable();
    group_commit: concurrent_commits_share_a_flush();
    back_pressure: the_queue_is_bounded();
    a_disk_that_is_really_full: on_a_small_disk();
}

/// Runs the test below on a small file system of its own, several times.
async fn on_a_small_disk(kind: EngineKind) {
    let folder = tempfile::tempdir().unwrap();
    let seeds = std::env::var("PORTCULLIS_FULL").map_or(3, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let script = "mount -t tmpfs -o size=24m none \"$1\" || exit 77; shift; exec \"$@\"";
        let done = Command::new("unshare")
            .args(["-rm", "sh", "-c", script, "sh"])
            .arg(folder.path())
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "the_child_fills_its_disk", "--ignored", "--nocapture"])
            .env(TMPFS, format!("{kind} {seed} {}", folder.path().display()))
            .output();
        let done = match done {
            Ok(done) => done,
            Err(error) => return println!("skipped: unshare cannot be run: {error}"),
        };
        let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        if done.status.code() == Some(77) || errors.contains("unshare failed") {
            return println!("skipped: no file system may be mounted here: {errors}");
        }
        assert!(done.status.success(), "{kind}, seed {seed}: {out}{errors}");
        assert!(out.contains("filled and emptied"), "{out}{errors}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, on a small file system"]
async fn the_child_fills_its_disk() {
    let Ok(told) = std::env::var(TMPFS) else { return };
    let mut told = told.splitn(3, ' ');
    let kind: EngineKind = told.next().unwrap().parse().unwrap();
    let mut seed: u64 = told.next().unwrap().parse().unwrap();
    let disk = PathBuf::from(told.next().unwrap());
    let mut random = move |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % end
    };
    let store = Embedded::open(disk.join("store"), options(kind)).await.unwrap();
    let mut acknowledged = Entries::new();
    for round in 0..2 {
        // What is removed later, to make space.
        let ballast = disk.join("ballast");
        // As much of it as fits.
        let _ = std::fs::write(&ballast, vec![7; (6 << 20) + usize::try_from(random(2 << 20)).unwrap()]);
        if std::fs::metadata(&ballast).unwrap().len() < 5 << 20 {
            // Too little to go on with when it is gone.
            std::fs::remove_file(&ballast).unwrap();
            break;
        }
        let (mut full, mut number) = (0, 0);
        while full < 3 {
            let batch: Entries = (0..random(40) + 1)
                .map(|part| {
                    let length = usize::try_from(random(3000)).unwrap();
                    (format!("{round}/{number:05}/{part}").into_bytes(), vec![round as u8; length])
                })
                .collect();
            number += 1;
            let written =
                batch.iter().fold(Batch::new(), |writing, (key, value)| writing.put(key.clone(), value.clone()));
            match store.commit(written).await {
                Ok(()) => acknowledged.extend(batch),
                Err(StoreError::Full { .. }) => {
                    full += 1;
                    has_exactly(&store, &acknowledged, "while the disk is full").await;
                }
                Err(other) => panic!("{other}"),
            }
            assert!(number < 5_000, "the disk is never full");
        }
        std::fs::remove_file(&ballast).unwrap();
        let key = format!("{round}/after");
        store.commit(Batch::new().put(key.clone(), "space again")).await.unwrap();
        acknowledged.insert(key.into_bytes(), b"space again".to_vec());
        let found = all(&store).await;
        let lost = acknowledged.iter().filter(|(key, value)| found.get(*key) != Some(value)).count();
        assert_eq!(lost, 0, "when there is space");
        // A batch whose commit failed may have reached the disk; as a whole, which the next check sees.
        store.verify(|_| {}).await.unwrap();
        acknowledged = found;
        if round == 0 {
            // Less, so that the second round has something to fill.
            for key in acknowledged.keys().cloned().collect::<Vec<_>>().chunks(500) {
                let removed = key.iter().fold(Batch::new(), |batch, key| batch.delete(key.clone()));
                store.commit(removed).await.unwrap();
            }
            acknowledged.clear();
        }
    }
    store.close().await.unwrap();
    let store = Embedded::open(disk.join("store"), options(kind)).await.unwrap();
    has_exactly(&store, &acknowledged, "after a restart").await;
    println!("filled and emptied, {} entries", acknowledged.len());
}
