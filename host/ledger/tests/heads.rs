//! Signed heads: what they name, where they go, and what a host does when its store is not the one that was signed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod common;
#[path = "common/disk.rs"]
mod disk;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use common::{calls, ledger, one_call};
use disk::{lines, put_head, put_lines, rehash, signed, with};
use portcullis_ledger::{
    Entry, Hash, Kind, Ledger, LedgerOptions,
    heads::{
        FileSigner, FileSink, HeadBody, HeadError, HeadOptions, HeadSink, KeyError, PublicKey, SignedHead, SignedHeads,
        Signer, SinkError, WriterSink, covering, signed_up_to,
    },
};
use portcullis_store::{Batch, Store};

const RARELY: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_secs(10);

fn signer() -> Arc<dyn Signer> {
    let folder = tempfile::tempdir().unwrap();
    Arc::new(FileSigner::open_or_create(&folder.path().join("key.pem")).unwrap())
}

fn options(sinks: Vec<Arc<dyn HeadSink>>) -> HeadOptions {
    HeadOptions { interval: RARELY, sinks, ..HeadOptions::default() }
}

/// Opened, and the first tick over.
async fn open(store: &Arc<dyn Store>, signer: &Arc<dyn Signer>, sinks: Vec<Arc<dyn HeadSink>>) -> SignedHeads {
    let heads = SignedHeads::open(store.clone(), signer.clone(), options(sinks)).await.unwrap();
    heads.sign_now().await.unwrap();
    heads
}

fn names(head: &SignedHead) -> Vec<(&str, u64)> {
    head.head.heads.iter().map(|(name, at)| (name.as_str(), at.seq)).collect()
}

async fn stored(store: &dyn Store, seq: u64) -> Option<SignedHead> {
    store.get(&signed(seq)).await.unwrap().map(|value| SignedHead::parse(&value).unwrap())
}

#[tokio::test]
async fn the_first_names_all_chains_and_each_later_one_those_that_grew() {
    let ledger = ledger().await;
    let signer = signer();
    calls(&ledger, "acme", 1).await;
    calls(&ledger, "other", 2).await;
    let heads = SignedHeads::open(ledger.store().clone(), signer.clone(), options(Vec::new())).await.unwrap();
    let first = heads.sign_now().await.unwrap().unwrap();
    assert_eq!(names(&first), [("acme", 2), ("other", 4)]);
    assert_eq!((first.head.seq, first.head.prev), (1, HeadBody::genesis()));
    assert_eq!(first.head.heads["acme"].hash, ledger.reader().chain("acme").await.unwrap().unwrap().hash);
    assert!(first.is_signed_by(&signer.public_key()));
    assert_eq!(heads.sign_now().await.unwrap().unwrap(), first, "nothing grew");
    calls(&ledger, "acme", 1).await;
    let second = heads.sign_now().await.unwrap().unwrap();
    assert_eq!(names(&second), [("acme", 4)]);
    assert_eq!((second.head.seq, second.head.prev), (2, first.hash()));
    assert!(second.head.time >= first.head.time);
    // Another host, or this one started again, goes on from there.
    let again = open(ledger.store(), &signer, Vec::new()).await;
    calls(&ledger, "other", 1).await;
    assert_eq!(names(&again.sign_now().await.unwrap().unwrap()), [("other", 6)]);
    assert_eq!(stored(ledger.store().as_ref(), 4).await, None);
}

#[tokio::test]
async fn a_signed_head_is_canonical_json_whatever_workspaces_are_called() {
    let ledger = ledger().await;
    // In UTF-16 the second comes before the first; in UTF-8 it is the other way round.
    for workspace in ["\u{fb33}", "\u{10400}", "with-a.dot_and-dash", "ünïcode", "acme"] {
        ledger.append(vec![one_call(workspace)[0].clone()]).await.unwrap();
    }
    let head = open(ledger.store(), &signer(), Vec::new()).await.sign_now().await.unwrap().unwrap();
    let value: serde_json::Value = serde_json::from_str(&head.line()).unwrap();
    assert_eq!(head.line(), serde_json_canonicalizer::to_string(&value).unwrap());
    assert_eq!(head.head.bytes().unwrap(), serde_json_canonicalizer::to_vec(&value["head"]).unwrap());
    assert_eq!(SignedHead::parse(head.line().as_bytes()).unwrap(), head);
    let loose = head.line().replace("\"v\":1", "\"v\": 1");
    assert!(SignedHead::parse(loose.as_bytes()).unwrap_err().contains("RFC 8785"));
}

#[tokio::test]
async fn more_chains_than_one_signed_head_names_are_in_several() {
    let ledger = ledger().await;
    let entry = |i: usize| Entry::new(&format!("w{i:05}"), Kind::SignIn);
    ledger.append((0..5000).map(entry).collect()).await.unwrap();
    let heads = open(ledger.store(), &signer(), Vec::new()).await;
    assert_eq!(heads.status().signed, 2);
    let first = stored(ledger.store().as_ref(), 1).await.unwrap();
    let second = stored(ledger.store().as_ref(), 2).await.unwrap();
    assert_eq!((first.head.heads.len(), second.head.heads.len()), (4096, 904));
}

#[tokio::test]
async fn what_was_recorded_is_signed_at_the_interval_and_at_the_end() {
    let ledger = ledger().await;
    let fast = HeadOptions { interval: Duration::from_millis(20), ..HeadOptions::default() };
    let heads = SignedHeads::open(ledger.store().clone(), signer(), fast).await.unwrap();
    calls(&ledger, "acme", 1).await;
    let signed = async {
        while heads.status().signed == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, signed).await.unwrap();
    drop(heads);
    let heads = open(ledger.store(), &signer(), Vec::new()).await;
    calls(&ledger, "acme", 1).await;
    heads.close(SOON).await.unwrap();
    assert_eq!(signed_up_to(ledger.store().as_ref(), "acme").await.unwrap(), Some(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_on_one_store_do_not_fork_the_chain_of_signed_heads() {
    let ledger = ledger().await;
    let mut hosts = Vec::new();
    for _ in 0..4 {
        hosts.push(Arc::new(open(ledger.store(), &signer(), Vec::new()).await));
    }
    let mut tasks = Vec::new();
    for (i, host) in hosts.into_iter().enumerate() {
        let ledger = ledger.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..25 {
                calls(&ledger, &format!("w{i}"), 1).await;
                host.sign_now().await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut prev = HeadBody::genesis();
    let mut seq = 0;
    while let Some(head) = stored(ledger.store().as_ref(), seq + 1).await {
        assert_eq!((head.head.seq, head.head.prev), (seq + 1, prev));
        (seq, prev) = (head.head.seq, head.hash());
    }
    assert!(seq >= 25, "{seq}");
}

/// Takes nothing while it is broken.
#[derive(Default)]
struct Broken {
    broken: AtomicBool,
    taken: Mutex<Vec<u64>>,
}

#[async_trait]
impl HeadSink for Broken {
    fn name(&self) -> String {
        "broken".to_owned()
    }

    async fn write(&self, heads: &[Arc<SignedHead>]) -> Result<(), SinkError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(SinkError::Write { name: self.name(), problem: "it is broken".to_owned() });
        }
        self.taken.lock().unwrap().extend(heads.iter().map(|head| head.head.seq));
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_that_fails_is_told_holds_nobody_up_and_gets_all_that_it_missed_in_order() {
    let ledger = ledger().await;
    let signer = signer();
    let sink = Arc::new(Broken::default());
    let heads = open(ledger.store(), &signer, vec![sink.clone()]).await;
    calls(&ledger, "acme", 1).await;
    heads.sign_now().await.unwrap();
    assert!(heads.delivered(SOON).await);
    sink.broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        calls(&ledger, "acme", 1).await;
        heads.sign_now().await.unwrap();
    }
    assert!(!heads.delivered(Duration::from_millis(50)).await);
    let status = heads.status();
    assert_eq!((status.signed, status.sinks[0].written, status.sinks[0].waiting), (4, 1, 3));
    assert_eq!(status.sinks[0].error.as_deref(), Some("broken: it is broken"));
    // Also after a start: it cannot be read back, so the store knows how far it was.
    drop(heads);
    sink.broken.store(false, Ordering::SeqCst);
    let heads = open(ledger.store(), &signer, vec![sink.clone()]).await;
    assert!(heads.delivered(SOON).await);
    assert_eq!(*sink.taken.lock().unwrap(), [1, 2, 3, 4]);
    let status = heads.status();
    assert_eq!((status.sinks[0].written, status.sinks[0].waiting, status.sinks[0].error.clone()), (4, 0, None));
    let twice: Vec<Arc<dyn HeadSink>> = vec![sink.clone(), sink];
    let error = SignedHeads::open(ledger.store().clone(), signer, options(twice)).await.unwrap_err();
    assert_eq!(error, HeadError::SameName("broken".to_owned()));
}

#[tokio::test]
async fn a_writer_gets_one_line_for_each() {
    let (reader, writer) = std::io::pipe().unwrap();
    let ledger = ledger().await;
    calls(&ledger, "acme", 1).await;
    let heads = open(ledger.store(), &signer(), vec![Arc::new(WriterSink::new("pipe", writer))]).await;
    assert!(heads.delivered(SOON).await);
    let head = heads.sign_now().await.unwrap().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(reader), &mut line).unwrap();
    assert_eq!(line, head.line() + "\n");
}

#[tokio::test]
async fn a_file_goes_on_where_it_ended_even_in_the_middle_of_a_line() {
    let ledger = ledger().await;
    let signer = signer();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heads.jsonl");
    let file = || -> Vec<Arc<dyn HeadSink>> { vec![Arc::new(FileSink::new(&path))] };
    for _ in 0..3 {
        calls(&ledger, "acme", 1).await;
        let heads = open(ledger.store(), &signer, file()).await;
        assert!(heads.delivered(SOON).await);
    }
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap()) & 0o777, 0o600);
    let whole = std::fs::read_to_string(&path).unwrap();
    let seqs = |text: &str| -> Vec<u64> {
        text.lines().map(|line| SignedHead::parse(line.as_bytes()).unwrap().head.seq).collect()
    };
    assert_eq!(seqs(&whole), [1, 2, 3]);
    std::fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    assert!(open(ledger.store(), &signer, file()).await.delivered(SOON).await);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    // Moved away: begun anew with what comes then.
    std::fs::rename(&path, folder.path().join("heads.1.jsonl")).unwrap();
    calls(&ledger, "acme", 1).await;
    assert!(open(ledger.store(), &signer, file()).await.delivered(SOON).await);
    assert_eq!(seqs(&std::fs::read_to_string(&path).unwrap()), [4]);
    // Somebody else's file is not written to.
    std::fs::write(&path, "something else\n").unwrap();
    let error = SignedHeads::open(ledger.store().clone(), signer, options(file())).await.unwrap_err();
    assert!(matches!(error, HeadError::Sink(SinkError::NotHeads { .. })), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "something else\n");
}

/// A ledger with 10 records in `acme` and 4 in `other`, signed into a file.
async fn signed_into_a_file() -> (Ledger, Arc<dyn Signer>, tempfile::TempDir) {
    let (ledger, signer, folder) = (ledger().await, signer(), tempfile::tempdir().unwrap());
    calls(&ledger, "acme", 5).await;
    calls(&ledger, "other", 2).await;
    let heads = open(ledger.store(), &signer, vec![Arc::new(FileSink::new(folder.path().join("heads")))]).await;
    assert!(heads.delivered(SOON).await);
    (ledger, signer, folder)
}

async fn refused(store: Arc<dyn Store>, signer: &Arc<dyn Signer>, folder: &tempfile::TempDir) -> HeadError {
    let file = Arc::new(FileSink::new(folder.path().join("heads")));
    SignedHeads::open(store, signer.clone(), options(vec![file])).await.unwrap_err()
}

#[tokio::test]
async fn a_host_does_not_start_on_an_older_store_and_says_whose_records_are_gone() {
    let (ledger, signer, folder) = signed_into_a_file().await;
    let old: Arc<dyn Store> = Arc::new(disk::copy(ledger.store().as_ref()).await);
    let heads = open(ledger.store(), &signer, vec![Arc::new(FileSink::new(folder.path().join("heads")))]).await;
    calls(&ledger, "acme", 1).await;
    heads.close(SOON).await.unwrap();
    let error = refused(old.clone(), &signer, &folder).await;
    let place = format!("file {}", folder.path().join("heads").display());
    let gone = HeadError::RolledBack { workspace: "acme".to_owned(), found: 10, signed: 12, place };
    assert_eq!(error, gone);
    assert!(
        error.to_string().contains("ends at record 10") && error.to_string().contains("names record 12"),
        "{error}"
    );
    // The store that goes on from there is another history, even when it is as long again.
    let other = Ledger::open(old.clone(), LedgerOptions::default()).await.unwrap();
    calls(&other, "acme", 3).await;
    let error = refused(old, &signer, &folder).await;
    assert!(matches!(error, HeadError::Rewritten { signed: 12, found: 16, head: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_host_does_not_start_on_a_store_that_was_hashed_anew_or_lost_its_signed_heads() {
    let (ledger, signer, folder) = signed_into_a_file().await;
    let store = ledger.store();
    let all = lines(store.as_ref(), "acme").await;
    let mut forged = all.clone();
    forged[3] = with(&forged[3], "operation", "nothing");
    let forged = rehash("acme", &forged);
    put_lines(store.as_ref(), "acme", &forged).await;
    put_head(store.as_ref(), "acme", &forged).await;
    let error = refused(store.clone(), &signer, &folder).await;
    assert!(matches!(error, HeadError::Rewritten { signed: 10, found: 10, .. }), "{error}");
    // Also without the file: the store's own signed heads say so.
    let error = SignedHeads::open(store.clone(), signer.clone(), options(Vec::new())).await.unwrap_err();
    assert!(matches!(error, HeadError::Rewritten { signed: 10, found: 10, .. }), "{error}");
    put_lines(store.as_ref(), "acme", &all).await;
    put_head(store.as_ref(), "acme", &all).await;
    store.commit(Batch::new().delete(signed(1))).await.unwrap();
    let error = refused(store.clone(), &signer, &folder).await;
    assert!(matches!(&error, HeadError::Damaged { seq: 1, what, .. } if what.contains("missing")), "{error}");
}

#[tokio::test]
async fn a_chain_that_grows_shorter_while_the_host_runs_is_not_signed() {
    let ledger = ledger().await;
    calls(&ledger, "acme", 5).await;
    let heads = open(ledger.store(), &signer(), Vec::new()).await;
    let all = lines(ledger.store().as_ref(), "acme").await;
    put_lines(ledger.store().as_ref(), "acme", &all[..8]).await;
    put_head(ledger.store().as_ref(), "acme", &all[..8]).await;
    let error = heads.sign_now().await.unwrap_err();
    assert!(matches!(error, HeadError::RolledBack { found: 8, signed: 10, .. }), "{error}");
    assert_eq!(heads.status().error, Some(error.to_string()));
    // As long as it was, and another.
    let other = rehash("acme", &[&all[..9], &[with(&all[9], "operation", "nothing")]].concat());
    put_lines(ledger.store().as_ref(), "acme", &other).await;
    put_head(ledger.store().as_ref(), "acme", &other).await;
    let error = heads.sign_now().await.unwrap_err();
    assert!(matches!(error, HeadError::Rewritten { found: 10, signed: 10, .. }), "{error}");
}

#[tokio::test]
async fn the_signed_head_that_covers_the_most_of_a_range_is_found() {
    let ledger = ledger().await;
    let heads = open(ledger.store(), &signer(), Vec::new()).await;
    for _ in 0..5 {
        calls(&ledger, "acme", 2).await;
        calls(&ledger, "other", 1).await;
        heads.sign_now().await.unwrap();
    }
    let store = ledger.store().as_ref();
    for (from, to, found) in [(1, 20, Some(20)), (1, 19, Some(16)), (9, 15, Some(12)), (9, 11, None), (1, 3, None)] {
        let head = covering(store, "acme", from, to).await.unwrap();
        assert_eq!(head.map(|head| head.head.heads["acme"].seq), found, "{from} to {to}");
    }
    assert_eq!(covering(store, "acm", 1, 20).await.unwrap(), None);
    assert_eq!(signed_up_to(store, "acme").await.unwrap(), Some(20));
}

#[tokio::test]
async fn a_key_is_made_once_for_its_owner_only_and_signs_the_same_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/heads.pem");
    let made = FileSigner::open_or_create(&path).unwrap();
    let read = FileSigner::open_or_create(&path).unwrap();
    assert_eq!(made.public_key(), read.public_key());
    let signature = made.sign(b"some bytes").await.unwrap();
    assert_eq!(signature, read.sign(b"some bytes").await.unwrap());
    assert!(made.public_key().verify(b"some bytes", &signature));
    assert!(!made.public_key().verify(b"other bytes", &signature));
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    let public = made.public_key();
    assert_eq!(PublicKey::all_from_pem(&(public.to_pem() + &public.to_pem())).unwrap(), [public, public]);
    assert_eq!(public.id().to_string(), Hash::of(&der_of(&public.to_pem())[12..]).to_string()[..16]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = FileSigner::open_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Permissions { mode: 0o640, .. }), "{error}");
    }
}

fn der_of(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::prelude::BASE64_STANDARD.decode(body).unwrap()
}

/// From RFC 8410, and what OpenSSL makes of an EC key that nobody uses.
const OF_THE_RFC: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const ITS_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
const EC: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUgUdhDAEFJVdvixv\nTaAnFA0QJBTUCradFQU4mYBAKGmhRANCAATPdmy4LkJGNcUS4qnJVJSXcS8pyG4H\nAjxcCDQszeD4VVq1D7Az3/InH17fXB/KdXKUtfkkV5AggBnAZDxEjbdw\n-----END PRIVATE KEY-----\n";

#[test]
fn keys_are_read_as_others_write_them_and_what_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let put = |text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        FileSigner::open_or_create(&path)
    };
    assert_eq!(put(OF_THE_RFC.as_bytes()).unwrap().public_key().to_pem(), ITS_PUBLIC_KEY);
    let encrypted = OF_THE_RFC.replace("PRIVATE", "ENCRYPTED PRIVATE");
    for (text, told) in [
        (&b""[..], "no line `-----BEGIN PRIVATE KEY-----`"),
        (b"\xff\xfe\x00", "not text"),
        (b"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", "not base64"),
        (b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n", "`-----END`"),
        (b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n", "no key"),
        (EC.as_bytes(), "none of Ed25519"),
        (encrypted.as_bytes(), "ENCRYPTED PRIVATE KEY"),
        (ITS_PUBLIC_KEY.as_bytes(), "PUBLIC KEY"),
    ] {
        let error = put(text).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("key.pem"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), text, "it is not written over");
    }
    assert!(PublicKey::all_from_pem(OF_THE_RFC).unwrap_err().to_string().contains("public key is wanted"));
    assert!(PublicKey::all_from_pem("").is_err());
    let other = ITS_PUBLIC_KEY.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu");
    assert!(PublicKey::all_from_pem(&other).unwrap_err().to_string().contains("none of Ed25519"));
}
