//! Stores whose files were cut off, or had a bit flipped, while nobody had them open; and the same after a crash, when
//! there is no seal. Each is opened by a process of its own, as it would be, which must end in time and print no panic.
//!
//! `PORTCULLIS_DAMAGE=80` does it 80 times each way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use portcullis_store::{
    Batch, Embedded, EngineKind, Options, Store,
    testing::{Harm, Verdict, copy, damage, judge},
};

const WITHIN: Duration = Duration::from_secs(30);
const CHILD: &str = "PORTCULLIS_DAMAGED_STORE";

fn options() -> Options {
    Options { floor_bytes: 0, ..Options::default() }
}

fn times() -> u64 {
    std::env::var("PORTCULLIS_DAMAGE").map_or(6, |times| times.parse().unwrap())
}

/// What is written: enough for several pages and segments, some of it again and some of it removed.
fn written() -> BTreeMap<Vec<u8>, Vec<u8>> {
    let value = |number: u32| vec![b'a' + (number % 26) as u8; 20 + (number as usize * 37) % 900];
    (0..1500)
        .filter(|number| number % 7 != 0)
        .map(|number| (format!("key/{number:06}").into_bytes(), value(number)))
        .collect()
}

async fn write(folder: &Path, kind: EngineKind) {
    let store = Embedded::open(folder, options().engine(kind)).await.unwrap();
    for number in (0..1500).step_by(7) {
        store.commit(Batch::new().put(format!("key/{number:06}"), "to be removed")).await.unwrap();
    }
    let entries: Vec<_> = written().into_iter().collect();
    for some in entries.chunks(40) {
        let batch = some.iter().fold(Batch::new(), |batch, (key, value)| batch.put(key.clone(), value.clone()));
        store.commit(batch).await.unwrap();
    }
    let removed = (0..1500).step_by(7).fold(Batch::new(), |batch, number| batch.delete(format!("key/{number:06}")));
    store.commit(removed).await.unwrap();
    store.close().await.unwrap();
}

#[derive(Debug, Default)]
struct Counts {
    detected: u64,
    unharmed: u64,
    bad: Vec<String>,
}

async fn damage_and_count(kind: EngineKind, harm: Harm, sealed: bool) -> Counts {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    write(&whole, kind).await;
    if !sealed {
        std::fs::remove_file(whole.join("seal")).unwrap();
    }
    assert_eq!(judge_in_a_child(&whole).0, "unharmed", "a store that nobody damaged");
    write_again(&folder, kind, &whole, sealed).await;
    let mut counts = Counts::default();
    for seed in 0..times() {
        let damaged = folder.path().join("damaged");
        copy(&whole, &damaged).unwrap();
        let what = damage(&damaged, harm, seed).unwrap().unwrap();
        let what = format!(
            "{kind}, seed {seed}: {harm:?} {} at {}",
            what.file.strip_prefix(&damaged).unwrap().display(),
            what.at
        );
        match judge_in_a_child(&damaged) {
            (told, errors) if errors.contains("panicked") => counts.bad.push(format!("{what}: {told}; {errors}")),
            (told, _) if told.starts_with("detected") => {
                if times() > 20 {
                    println!("{what}: {told}");
                }
                counts.detected += 1;
            }
            (told, _) if told == "unharmed" => counts.unharmed += 1,
            (told, errors) => counts.bad.push(format!("{what}: {told}; {errors}")),
        }
        std::fs::remove_dir_all(damaged).unwrap();
    }
    println!(
        "{kind}, {harm:?}, sealed: {sealed}: {} detected, {} unharmed, bad: {:#?}",
        counts.detected, counts.unharmed, counts.bad
    );
    counts
}

/// The child has opened it, and so the seal is another: made anew.
async fn write_again(folder: &tempfile::TempDir, kind: EngineKind, whole: &Path, sealed: bool) {
    std::fs::remove_dir_all(whole).unwrap();
    write(&folder.path().join("whole"), kind).await;
    if !sealed {
        std::fs::remove_file(whole.join("seal")).unwrap();
    }
}

/// What the child said, and what it wrote on standard error.
fn judge_in_a_child(store: &Path) -> (String, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_judges", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, store)
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if started.elapsed() > WITHIN => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let (mut out, mut errors) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    let Some(status) = status else { return ("it hangs".to_owned(), errors) };
    let told = out.lines().find_map(|line| line.split_once("verdict: ")).map(|(_, told)| told.to_owned());
    (told.unwrap_or_else(|| format!("it ended by {status}")), errors)
}

#[test]
#[ignore = "the tests below run it, each time in a process of its own"]
fn the_child_judges() {
    let Some(store) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let verdict = runtime.block_on(judge(&PathBuf::from(store), options(), &written()));
    println!(
        "verdict: {}",
        match verdict {
            Verdict::Detected(error) => format!("detected: {error}"),
            Verdict::Unharmed => "unharmed".to_owned(),
            Verdict::Silent(what) => format!("SILENT: {what}"),
        }
    );
    // As a host would be ended that has other things to do than to wait for an engine's threads.
    std::process::exit(0);
}

macro_rules! damaged {
    ($($name:ident: $kind:ident $harm:ident $sealed:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let counts = damage_and_count(EngineKind::$kind, Harm::$harm, $sealed).await;
            assert!(counts.bad.is_empty(), "{:#?}", counts.bad);
            assert!(!$sealed || counts.unharmed <= times() / 2, "a seal must find most of it");
        }
    )*};
}

damaged! {
    a_closed_sled_that_was_cut_off_is_told: Sled Truncate true;
    a_closed_sled_with_a_flipped_bit_is_told: Sled Flip true;
    a_closed_redb_that_was_cut_off_is_told: Redb Truncate true;
    a_closed_redb_with_a_flipped_bit_is_told: Redb Flip true;
    a_crashed_sled_that_was_cut_off_is_told: Sled Truncate false;
    a_crashed_sled_with_a_flipped_bit_is_told: Sled Flip false;
    a_crashed_redb_that_was_cut_off_is_told: Redb Truncate false;
    a_crashed_redb_with_a_flipped_bit_is_told: Redb Flip false;
}
