//! Case 35: the disk is full while calls run. It is a real one, small and this test's own, in a mount namespace of its own:
//! the test starts itself again there. Read-only disks are among the crash tests.

use std::{
    env,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use portcullis_ledger::{CallId, Kind, Ledger, LedgerError, LedgerOptions, Status};
use portcullis_runtime::CallError;
use portcullis_store::{Embedded, EngineKind, Options, StoreError};
use serde_json::json;
use tokio::time::sleep;

use super::stores::{Folder, close, records};
use crate::harness::{Case, call, everything, get};

/// Where the small disk is, for the test that was started again.
const DISK: &str = "PORTCULLIS_TEST_SMALL_DISK";
const CALLERS: usize = 8;

/// Runs a test again on a small disk; or gives that disk, where that was done.
#[expect(clippy::print_stdout, reason = "whoever runs the tests should see what was not tried")]
fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(disk) = env::var_os(DISK) {
        return Some(disk.into());
    }
    let folder = Folder::new("case-35");
    let mount = "mount -t tmpfs -o size=48m tmpfs \"$1\" || exit 77; exec \"$2\" --exact \"$3\" --nocapture";
    let mut again = Command::new("unshare");
    again.args(["-m", "sh", "-c", mount, "sh"]).arg(folder.path()).arg(env::current_exe().unwrap()).arg(test);
    let Ok(said) = again.env(DISK, folder.path()).output() else {
        println!("skipped: there is no `unshare` here");
        return None;
    };
    let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
    if said.status.code() == Some(77) || text.contains("unshare failed") {
        println!("skipped: no small disk here: {text}");
        return None;
    }
    assert!(said.status.success() && text.contains("1 passed"), "{text}");
    None
}

fn fill(disk: &Path) {
    let mut filler = File::create(disk.join("filler")).unwrap();
    for piece in [vec![0; 1 << 20], vec![0; 4096]] {
        while filler.write_all(&piece).is_ok() {}
    }
}

/// What became of calls.
#[derive(Default)]
struct Seen {
    done: std::sync::Mutex<Vec<CallId>>,
    /// Refused, because they could not be recorded.
    refused: AtomicUsize,
    /// Carried out, and their end could not be recorded.
    unrecorded: AtomicUsize,
    end: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_closed_while_the_disk_is_full_reads_go_on_and_all_goes_on_when_there_is_space() {
    let name = "hostile::case_35_full_disks::\
                calls_fail_closed_while_the_disk_is_full_reads_go_on_and_all_goes_on_when_there_is_space";
    let Some(disk) = on_a_small_disk(name) else { return };
    for (kind, floor_bytes) in [(EngineKind::Sled, 0), (EngineKind::Sled, 4 << 20), (EngineKind::Redb, 0), (EngineKind::Redb, 4 << 20)] {
        let place = disk.join(format!("{kind}-{floor_bytes}"));
        one(&disk, &place, Options { floor_bytes, ..Options::default() }.engine(kind)).await;
        fs::remove_dir_all(place).unwrap();
    }
}

async fn one(disk: &Path, place: &Path, options: Options) {
    let case = Case::new().await;
    let store = Arc::new(Embedded::open(place, options.clone()).await.unwrap());
    let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
    let host = case.host_on(ledger.clone());
    let origin = case.upstream.origin();
    let probe = case.probe_on(&host, &origin, &everything(&origin), &[case.upstream.address]).await;
    let steps = json!({"steps": [get(&format!("{origin}/ok"))]});
    let seen = Arc::new(Seen::default());
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (probe, seen, steps) = (probe.clone(), seen.clone(), steps.clone());
            tokio::spawn(async move {
                while !seen.end.load(Ordering::Relaxed) {
                    let outcome = probe.call(call("probe", steps.clone()).live()).await;
                    match outcome.result {
                        Ok(_) => seen.done.lock().unwrap().push(outcome.call),
                        Err(CallError::Ledger(LedgerError::Store(StoreError::Full { .. } | StoreError::Io { .. }))) => {
                            seen.refused.fetch_add(1, Ordering::Relaxed);
                            sleep(Duration::from_millis(5)).await;
                        }
                        Err(CallError::Unrecorded(_)) => drop(seen.unrecorded.fetch_add(1, Ordering::Relaxed)),
                        Err(other) => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    let done = |seen: &Seen| seen.done.lock().unwrap().len();
    let until = async |what: &str, holds: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(15), "{options:?}: {what}");
            sleep(Duration::from_millis(2)).await;
        }
    };
    until("calls run", &|| done(&seen) >= 20).await;

    fill(disk);
    until("calls are refused", &|| seen.refused.load(Ordering::Relaxed) >= CALLERS).await;
    let first = seen.done.lock().unwrap()[0];
    let read = ledger.reader().call("acme", first).await.expect("reads go on");
    assert_eq!((read.len(), read[1].status), (2, Some(Status::Done)));

    fs::remove_file(disk.join("filler")).unwrap();
    let before = done(&seen);
    until("all goes on without a restart", &|| done(&seen) >= before + 20).await;
    seen.end.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let sent = case.upstream.received().len();
    assert_eq!(sent, done(&seen) + seen.unrecorded.load(Ordering::Relaxed), "what was refused was not sent");

    drop((probe, host, ledger));
    close(store).await;
    let store = Arc::new(Embedded::open(place, options.existing()).await.unwrap());
    let kept = records(store.clone(), "acme").await;
    for call in seen.done.lock().unwrap().iter() {
        let of_call: Vec<Kind> = kept.iter().filter(|record| record.call == Some(*call)).map(|record| record.kind).collect();
        assert_eq!(of_call, [Kind::Intent, Kind::Outcome], "what was acknowledged is there");
    }
    close(store).await;
    case.goes_on().await;
}
