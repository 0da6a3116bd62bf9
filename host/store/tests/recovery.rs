//! What still holds of a damaged store is found, written and put in its place; what does not is named; nothing else is changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use portcullis_store::{
    Batch, Embedded, EngineKind, Options, Scan, Store, StoreError, import, look, replace, salvage,
    testing::{Harm, copy, damage},
};

const CHILD: &str = "PORTCULLIS_SALVAGED_STORE";
const WITHIN: Duration = Duration::from_secs(60);
const ENTRIES: usize = 1_200;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

fn options() -> Options {
    Options { floor_bytes: 0, ..Options::default() }
}

fn written() -> Entries {
    (0..ENTRIES)
        .map(|number| {
            (format!("key/{number:06}").into_bytes(), vec![b'a' + (number % 26) as u8; 20 + number * 37 % 900])
        })
        .collect()
}

async fn write(folder: &Path, kind: EngineKind) -> Embedded {
    let store = Embedded::open(folder, options().engine(kind)).await.unwrap();
    let entries: Vec<_> = written().into_iter().collect();
    for some in entries.chunks(40) {
        let batch = some.iter().fold(Batch::new(), |batch, (key, value)| batch.put(key.clone(), value.clone()));
        store.commit(batch).await.unwrap();
    }
    store
}

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

fn files(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            files(&entry.path(), found);
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(folder, &mut found);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_damaged_what_is_salvaged_was_written_and_the_damaged_store_stays_as_it_is() {
    for kind in EngineKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        write(&whole, kind).await.close().await.unwrap();
        let (mut kept, mut damaged_stores) = (0, 0);
        for (harm, seed) in
            [Harm::Flip, Harm::Truncate].into_iter().flat_map(|harm| (0..6).map(move |seed| (harm, seed)))
        {
            let damaged = folder.path().join("damaged");
            copy(&whole, &damaged).unwrap();
            let what = damage(&damaged, harm, seed).unwrap().unwrap();
            let what = format!("{kind}, {harm:?}, seed {seed}: {} at {}", what.file.display(), what.at);
            let before = contents(&damaged);
            let told = in_a_child(&damaged, &what);
            let mut after = contents(&damaged);
            after.retain(|path, _| !path.ends_with("lock") || before.contains_key(path));
            assert!(after == before, "{what}: the damaged store was changed");
            println!("{what}: {told}");
            let mut told = told.split(' ');
            let mut number = || told.next().unwrap().parse::<u64>().unwrap();
            kept += number();
            damaged_stores += u64::from(number() == 0);
            fs::remove_dir_all(&damaged).unwrap();
        }
        assert!(damaged_stores > 0, "{kind}: nothing was damaged");
        assert!(kept > 6 * ENTRIES as u64, "{kind}: {kept} entries of twelve damaged stores");
    }
}

/// Salvages a store in a process of its own, which must end in time and say no panic. What it says: entries that were kept, and
/// whether the store is whole.
fn in_a_child(store: &Path, what: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_salvages", "--ignored", "--nocapture"])
        .env(CHILD, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > WITHIN {
            child.kill().unwrap();
            panic!("{what}: it hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let done = child.wait_with_output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && !errors.contains("panicked"), "{what}: {out}{errors}");
    out.lines().find_map(|line| line.split_once("kept ")).unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, in a process of its own"]
async fn the_child_salvages() {
    let Ok(store) = std::env::var(CHILD) else { return };
    let store = PathBuf::from(store);
    let (mut file, mut holds, mut wrong) = (Vec::new(), 0_u64, 0_u64);
    let (looked, note) = salvage(&store, &options(), &mut file, &mut |_, found| match found {
        Ok(_) => holds += 1,
        Err(_) => wrong += 1,
    })
    .unwrap();
    assert_eq!((looked.holds, looked.damaged), (holds, wrong));
    assert_eq!((note.kept, note.damaged, note.missing), (holds, wrong, looked.missing));
    if let Some(missing) = looked.missing {
        assert_eq!(looked.holds + looked.damaged + missing, ENTRIES as u64, "{looked:?}");
    }
    let there = store.with_file_name(format!("salvaged-{}", std::process::id()));
    let imported = import(&there, &options(), file.as_slice(), &mut |_| {}).unwrap();
    assert_eq!(imported.entries, holds);
    let new = Embedded::open(&there, options().existing()).await.unwrap();
    let (found, written) = (all(&new).await, written());
    assert!(found.iter().all(|(key, value)| written.get(key) == Some(value)), "something that was never written");
    assert_eq!(new.salvaged().await.unwrap(), Some(note), "it says what it is");
    new.verify(|_| {}).await.unwrap();
    new.close().await.unwrap();
    fs::remove_dir_all(there).unwrap();
    println!("kept {holds} {} {:?}", u8::from(looked.is_whole()), looked.problems);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_not_as_it_was_written_is_named_and_the_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("store");
    write(&here, EngineKind::Redb).await.close().await.unwrap();
    let data = here.join("redb/data");
    let mut bytes = fs::read(&data).unwrap();
    // In the middle of one value, and not of a longer one that has as many of the same letter.
    let value = &written()[b"key/000451".as_slice()];
    let alone = |at: usize| bytes[at - 1] != value[0] && bytes.get(at + value.len()) != Some(&value[0]);
    let mut places = bytes.windows(value.len()).enumerate().filter(|(_, some)| some == value);
    let at = places.find(|(at, _)| alone(*at)).unwrap().0 + 100;
    bytes[at] ^= 1;
    fs::write(&data, bytes).unwrap();
    let mut wrong = Vec::new();
    let looked = look(&here, &options(), &mut |key, found| {
        if let Err(what) = found {
            wrong.push((key.to_vec(), what.to_owned()));
        }
    })
    .unwrap();
    assert_eq!((looked.holds, looked.damaged, looked.missing), (ENTRIES as u64 - 1, 1, Some(0)), "{looked:?}");
    assert_eq!(wrong[0].0, b"key/000451");
    assert!(wrong[0].1.contains("its checksum is wrong"), "{wrong:?}");
    assert!(looked.problems.iter().any(|what| what.contains("`redb/data` is not as it was")), "{looked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_commits_are_salvaged_where_the_engine_lost_them_and_a_loss_before_is_told() {
    for kind in EngineKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let (here, earlier) = (folder.path().join("open"), folder.path().join("earlier"));
        let store = Embedded::open(&here, options().engine(kind)).await.unwrap();
        for number in 0..9 {
            if number == 4 || number == 7 {
                copy(&here, &earlier.join(number.to_string())).unwrap();
            }
            store.commit(Batch::new().put(format!("key{number}"), "value")).await.unwrap();
        }
        let killed = folder.path().join("killed");
        copy(&here, &killed).unwrap();
        for (back, holds, problems) in [(7, 9, 0), (4, 6, 1)] {
            fs::remove_dir_all(killed.join(kind.name())).unwrap();
            copy(&earlier.join(back.to_string()).join(kind.name()), &killed.join(kind.name())).unwrap();
            let looked = look(&killed, &options(), &mut |_, _| {}).unwrap();
            assert_eq!((looked.holds, looked.missing, looked.commits), (holds, Some(9 - holds), 9), "{looked:?}");
            assert_eq!(looked.problems.len(), problems, "{looked:?}");
            assert_eq!(looked.is_whole(), problems == 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_replaced_is_kept_beside_it_and_a_damaged_export_changes_nothing() {
    for kind in EngineKind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("store");
        write(&here, kind).await.close().await.unwrap();
        let mut file = Vec::new();
        salvage(&here, &options(), &mut file, &mut |_, _| {}).unwrap();
        fs::remove_file(here.join("format")).unwrap();
        let before = contents(&here);
        let names = || -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        for cut in [10, 5000, file.len() - 1] {
            let error = replace(&here, &options(), &file[..cut], &mut |_| {}).unwrap_err();
            assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
            assert_eq!(names(), ["store"]);
            assert_eq!(contents(&here), before);
        }
        for number in 1..=2 {
            let done = replace(&here, &options(), file.as_slice(), &mut |_| {}).unwrap();
            assert_eq!(done.aside, Some(folder.path().join(format!("store.before-{number}"))));
            let store = Embedded::open(&here, options().existing()).await.unwrap();
            assert_eq!(all(&store).await, written());
            store.close().await.unwrap();
        }
        let moved: Vec<Vec<u8>> = contents(&folder.path().join("store.before-1")).into_values().collect();
        assert_eq!(moved, before.into_values().collect::<Vec<_>>(), "all of the old one");
        // Where somebody has it open it stays where it is.
        let open = Embedded::open(&here, options()).await.unwrap();
        let error = replace(&here, &options(), file.as_slice(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, StoreError::Busy { .. }), "{error}");
        drop(open);
        assert_eq!(names(), ["store", "store.before-1", "store.before-2"]);
    }
}

#[test]
fn a_strangers_export_is_bounded_in_each_of_its_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let begin = b"portcullis store export 2\n".as_slice();
    for (rest, says) in [
        ([b"E".as_slice(), &u32::MAX.to_le_bytes(), &[0; 20]].concat(), "longer than any can be"),
        ([b"E".as_slice(), &1_u32.to_le_bytes(), &u32::MAX.to_le_bytes(), &[0; 16]].concat(), "longer than any can be"),
        ([b"N".as_slice(), &u32::MAX.to_le_bytes()].concat(), "the limit is 1048576"),
        ([b"N".as_slice(), &4_u32.to_le_bytes(), b"{{{{"].concat(), "its note of what was left out"),
    ] {
        let file = [begin, &rest].concat();
        let error = import(&folder.path().join("new"), &options(), file.as_slice(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}
