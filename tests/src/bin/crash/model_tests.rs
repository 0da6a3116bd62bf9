//! What the model must be able to say, told on traces of a few lines; and the recorder, held against a real process.

use std::{path::PathBuf, process::Command};

use super::*;
use crate::{files::Scratch, recording::Recorder};

const TRIES: u64 = 300;

fn scratch() -> Scratch {
    Scratch::new(&std::env::temp_dir(), "portcullis-model").unwrap()
}

/// A file `a` in the root: named before the trace, so that only its content is in doubt.
fn file(before: &[u8], changes: Vec<(Time, Change)>, flushes: Vec<(Time, Time)>) -> Trace {
    let inode = Inode { before: before.to_vec(), changes, flushes, ..Inode::default() };
    let root = Inode { folder: true, ..Inode::default() };
    let names_before = BTreeMap::from([((0, "a".to_owned()), 1)]);
    Trace { inodes: vec![root, inode], names_before, events: 100, ..Trace::default() }
}

/// What a file is after a cut, in all the ways that many tries find.
fn outcomes(trace: &Trace, cut: Time, name: &str, deaf_to: &[String]) -> BTreeSet<Option<Vec<u8>>> {
    let mut outcomes = BTreeSet::new();
    for seed in 0..TRIES {
        let folder = scratch();
        image(trace, cut, deaf_to, &mut Random::new(seed, 9), folder.path()).unwrap();
        outcomes.insert(fs::read(folder.path().join(name)).ok());
    }
    outcomes
}

fn some(text: &[u8]) -> Option<Vec<u8>> {
    Some(text.to_vec())
}

#[test]
fn what_was_not_flushed_is_there_or_not_and_what_was_is_there() {
    let write = |at: usize, text: &str| Change::Write(at, text.as_bytes().to_vec());
    let trace = file(b"old", vec![(1, write(0, "new")), (5, write(3, "er"))], vec![(2, 4)]);
    assert_eq!(outcomes(&trace, 2, "a", &[]), BTreeSet::from([some(b"old"), some(b"new")]));
    assert_eq!(outcomes(&trace, 4, "a", &[]), BTreeSet::from([some(b"old"), some(b"new")]), "the flush has not ended");
    assert_eq!(outcomes(&trace, 5, "a", &[]), BTreeSet::from([some(b"new")]));
    let after = outcomes(&trace, 6, "a", &[]);
    assert!(after.contains(&some(b"new")) && after.contains(&some(b"newer")), "{after:?}");
    assert!(after.iter().flatten().all(|text| text.starts_with(b"new")), "{after:?}");
    // Deaf to the flush, the model loses what was flushed.
    assert!(outcomes(&trace, 5, "a", &["a".to_owned()]).contains(&some(b"old")));
}

#[test]
fn what_was_written_while_a_flush_was_under_way_is_not_covered_by_it() {
    let trace = file(b"", vec![(3, Change::Write(0, b"late".to_vec()))], vec![(2, 4)]);
    assert!(outcomes(&trace, 9, "a", &[]).contains(&some(b"")));
}

#[test]
fn a_write_is_torn_between_sectors_in_any_order_and_never_within_one() {
    let (old, new) = (vec![b'o'; 3 * SECTOR], vec![b'n'; 3 * SECTOR]);
    let trace = file(&old, vec![(1, Change::Write(0, new))], Vec::new());
    let found = outcomes(&trace, 9, "a", &[]);
    let sectors = |text: &[u8]| -> String {
        text.chunks(SECTOR)
            .map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a torn sector");
                char::from(sector[0])
            })
            .collect()
    };
    let found: BTreeSet<String> = found.iter().flatten().map(|text| sectors(text)).collect();
    let all = ["ooo", "oon", "ono", "onn", "noo", "non", "nno", "nnn"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(all));
}

#[test]
fn a_sector_is_never_newer_in_one_half_than_in_the_other() {
    let write = |at: usize, byte: u8| Change::Write(at, vec![byte; SECTOR / 2]);
    let trace = file(&[b'o'; SECTOR], vec![(1, write(0, b'1')), (2, write(SECTOR / 2, b'2'))], Vec::new());
    let halves = |text: &Vec<u8>| (text[0], text[SECTOR / 2]);
    let found: BTreeSet<(u8, u8)> = outcomes(&trace, 9, "a", &[]).iter().flatten().map(halves).collect();
    assert_eq!(found, BTreeSet::from([(b'o', b'o'), (b'1', b'o'), (b'1', b'2')]));
}

#[test]
fn a_file_that_was_cut_off_and_grew_again_holds_no_old_bytes() {
    let changes = vec![(1, Change::Resize(2)), (2, Change::Resize(6))];
    let zeros = some(b"se\0\0\0\0");
    let found = outcomes(&file(b"secret", changes.clone(), vec![(3, 4)]), 9, "a", &[]);
    assert_eq!(found, BTreeSet::from([zeros.clone()]));
    let found = outcomes(&file(b"secret", changes, Vec::new()), 9, "a", &[]);
    assert!(found.contains(&zeros) && found.contains(&some(b"se")) && found.contains(&some(b"secret")), "{found:?}");
}

#[test]
fn a_name_needs_a_flush_of_its_folder_and_a_move_is_one_step() {
    let mut trace = file(b"text", Vec::new(), Vec::new());
    trace.names = vec![(1, vec![(0, "a".to_owned(), None), (0, "b".to_owned(), Some(1))])];
    let both = |trace: &Trace| -> BTreeSet<(bool, bool)> {
        (0..TRIES)
            .map(|seed| {
                let folder = scratch();
                image(trace, 9, &[], &mut Random::new(seed, 9), folder.path()).unwrap();
                (folder.path().join("a").exists(), folder.path().join("b").exists())
            })
            .collect()
    };
    assert_eq!(both(&trace), BTreeSet::from([(true, false), (false, true)]));
    trace.inodes[0].flushes.push((2, 3));
    assert_eq!(both(&trace), BTreeSet::from([(false, true)]));
}

/// A process that uses its files in every way that a shell can reach, recorded.
fn recorded(script: &str) -> Option<(Scratch, Trace)> {
    let folder = scratch();
    let recorder = match Recorder::build(folder.path()).unwrap() {
        Ok(recorder) => recorder,
        Err(why) => {
            println!("skipped: {why}");
            return None;
        }
    };
    let [root, before, marks] = ["root", "before", "marks"].map(|name| folder.path().join(name));
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(&before).unwrap();
    let trace: PathBuf = folder.path().join("trace");
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(&root);
    recorder.record(&mut shell, &root, &trace, &marks, None);
    let said = shell.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let trace = Trace::read(&trace, &root, &before).unwrap();
    assert_eq!(differences(&trace, &root).unwrap(), Vec::<String>::new());
    Some((folder, trace))
}

#[test]
fn the_recorder_sees_what_a_process_does_to_its_files_and_to_their_names() {
    let script = "mkdir f; dd if=/dev/zero of=f/a bs=700 count=3 conv=fsync; dd if=/dev/zero of=b bs=10 count=1; \
                  mv b f/b; truncate -s 300 f/a; rm -r f; mkdir g; cp ../recorder.c g/c; truncate -s 9 g/c";
    let Some((folder, mut trace)) = recorded(script) else { return };
    assert_eq!(trace.inodes.iter().filter(|inode| !inode.flushes.is_empty()).count(), 1, "dd flushed one file");
    // And its own check would see it if the recorder had missed something.
    fs::write(folder.path().join("root/unseen"), "").unwrap();
    assert_eq!(differences(&trace, &folder.path().join("root")).unwrap(), ["unseen is new"]);
    fs::remove_file(folder.path().join("root/unseen")).unwrap();
    for inode in &mut trace.inodes {
        inode.changes.pop();
    }
    assert!(!differences(&trace, &folder.path().join("root")).unwrap().is_empty());
}

#[test]
fn a_flush_is_read_from_when_it_began_to_when_it_ended_and_only_if_it_succeeded() {
    let folder = scratch();
    let (root, trace) = (folder.path().join("root"), folder.path().join("trace"));
    fs::create_dir_all(&root).unwrap();
    let path = root.canonicalize().unwrap().join("a").display().to_string();
    let event = |op: u32, extra: i64, ok: u32, data: &[u8]| {
        let head: [&[u8]; 6] = [
            &op.to_le_bytes(),
            &3_i32.to_le_bytes(),
            &0_i64.to_le_bytes(),
            &extra.to_le_bytes(),
            &(data.len() as u32).to_le_bytes(),
            &ok.to_le_bytes(),
        ];
        [&head.concat(), data].concat()
    };
    let (open, write) = (event(2, 0, 1, path.as_bytes()), event(5, 0, 1, b"text"));
    let failed = [event(7, 1, 1, b""), event(8, 1, 0, b"")].concat();
    let flushed = [event(7, 2, 1, b""), write.clone(), event(8, 2, 1, b"")].concat();
    fs::write(&trace, [open, write, failed, flushed, vec![1; 9]].concat()).unwrap();
    let read = Trace::read(&trace, &root, &root).unwrap();
    assert_eq!((read.events, read.inodes[1].flushes.as_slice()), (7, &[(4, 6)][..]));
}

#[test]
fn a_trace_with_something_that_cannot_be_recorded_is_refused() {
    let folder = scratch();
    let Ok(recorder) = Recorder::build(folder.path()).unwrap() else { return };
    let root = folder.path().join("root");
    fs::create_dir_all(&root).unwrap();
    let trace = folder.path().join("trace");
    let mut shell = Command::new("sh");
    shell.args(["-ec", "echo x > a; ln a b"]).current_dir(&root);
    recorder.record(&mut shell, &root, &trace, &folder.path().join("marks"), None);
    assert!(shell.output().unwrap().status.success());
    let error = Trace::read(&trace, &root, &root.join("..")).unwrap_err().to_string();
    assert!(error.contains("a second name for a file"), "{error}");
}
