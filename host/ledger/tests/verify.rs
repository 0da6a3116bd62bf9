//! What somebody with the disk does to a store, and what verifying says of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod common;
#[path = "common/disk.rs"]
mod disk;

use std::{
    io::{BufReader, Cursor},
    sync::{Arc, Mutex},
};

use common::{calls, ledger, one_call};
use disk::{key, lines, put_head, put_lines, rehash, signed, with};
use portcullis_ledger::{
    Ledger,
    heads::{FileSigner, HeadOptions, PublicKey, SignedHead, SignedHeads, Signer},
    verify::{HeadWhy, HeadWrong, Outside, Progress, Verdict, VerifyOptions, Why, Wrong, verify_store},
};
use portcullis_store::{Batch, Store};

/// A ledger whose heads were signed after 10, 20 and 30 records of `acme`; `other` has 6. 34 records in `acme` at the end.
struct Case {
    ledger: Ledger,
    key: PublicKey,
    signed: Vec<SignedHead>,
    folder: tempfile::TempDir,
}

impl Case {
    async fn new() -> Self {
        let ledger = ledger().await;
        let folder = tempfile::tempdir().unwrap();
        let signer = Arc::new(FileSigner::open_or_create(&folder.path().join("key.pem")).unwrap());
        let key = signer.public_key();
        let options = HeadOptions { interval: std::time::Duration::from_secs(3600), ..HeadOptions::default() };
        calls(&ledger, "other", 3).await;
        let heads = SignedHeads::open(ledger.store().clone(), signer, options).await.unwrap();
        let mut signed = Vec::new();
        for _ in 0..3 {
            calls(&ledger, "acme", 5).await;
            signed.push(heads.sign_now().await.unwrap().unwrap());
        }
        drop(heads);
        calls(&ledger, "acme", 2).await;
        // The first tick may have signed `other` alone.
        let mut all = Vec::new();
        for seq in 1.. {
            let Some(value) = ledger.store().get(&signed_key(seq)).await.unwrap() else { break };
            all.push(SignedHead::parse(&value).unwrap());
        }
        assert!(all.ends_with(&signed));
        Self { ledger, key, signed: all, folder }
    }

    fn store(&self) -> &dyn Store {
        self.ledger.store().as_ref()
    }

    async fn verdict(&self) -> Verdict {
        verify(self.store(), &[self.key], None).await
    }

    /// Against what a sink has.
    async fn against(&self, heads: &[SignedHead]) -> Verdict {
        let text: String = heads.iter().map(|head| head.line() + "\n").collect();
        verify(self.store(), &[self.key], Some(text)).await
    }

    /// The lines of `acme`, changed; the head made to fit.
    async fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut all = lines(self.store(), "acme").await;
        change(&mut all);
        put_lines(self.store(), "acme", &all).await;
        put_head(self.store(), "acme", &all).await;
    }
}

fn signed_key(seq: u64) -> Vec<u8> {
    signed(seq)
}

async fn verify(store: &dyn Store, keys: &[PublicKey], outside: Option<String>) -> Verdict {
    let mut file = outside.map(|text| BufReader::new(Cursor::new(text)));
    let outside = file.as_mut().map(|lines| Outside { place: "heads.jsonl".to_owned(), lines });
    let options = VerifyOptions { keys, outside: outside.into_iter().collect(), ..VerifyOptions::default() };
    verify_store(store, options).await.unwrap()
}

fn acme(verdict: &Verdict) -> (u64, Option<(u64, Why)>) {
    let chain = verdict.chains.iter().find(|chain| chain.workspace == "acme").unwrap();
    (chain.holds, chain.wrong.clone().map(|Wrong { seq, why, .. }| (seq, why)))
}

#[tokio::test]
async fn what_was_kept_holds_and_what_is_not_signed_yet_is_counted() {
    let case = Case::new().await;
    let verdict = case.against(&case.signed).await;
    assert!(verdict.holds(), "{verdict:?}");
    assert_eq!(verdict.records, 40);
    assert_eq!(verdict.unsigned(), 4);
    let signed = verdict.chains[0].signed.unwrap();
    assert_eq!((signed.seq, signed.head), (30, case.signed.last().unwrap().head.seq));
    let one = VerifyOptions { keys: &[case.key], workspace: Some("other"), ..VerifyOptions::default() };
    let one = verify_store(case.store(), one).await.unwrap();
    assert_eq!((one.records, one.chains.len(), one.holds()), (6, 1, true));
}

#[tokio::test]
async fn a_record_that_was_edited_is_named_and_all_before_it_holds() {
    for seq in [1_u64, 2, 9, 10, 11, 20, 30, 33] {
        let case = Case::new().await;
        let mut all = lines(case.store(), "acme").await;
        all[seq as usize - 1] = with(&all[seq as usize - 1], "operation", "send-nothing");
        put_lines(case.store(), "acme", &all).await;
        assert_eq!(acme(&case.verdict().await), (seq - 1, Some((seq, Why::Edited))));
    }
    // The last one: only the head vouches for it.
    let case = Case::new().await;
    let mut all = lines(case.store(), "acme").await;
    all[33] = with(&all[33], "operation", "send-nothing");
    put_lines(case.store(), "acme", &all).await;
    assert_eq!(acme(&case.verdict().await), (33, Some((34, Why::HeadDiffers))));
}

#[tokio::test]
async fn what_a_record_says_of_its_own_place_is_not_believed() {
    for (field, value) in [("seq", 7.into()), ("prev", serde_json::Value::from("0".repeat(64)))] {
        let case = Case::new().await;
        case.change(|all| all[14] = with(&all[14], field, value)).await;
        let (holds, wrong) = acme(&case.verdict().await);
        // Of record 14 nobody says any more whether it is as it was.
        assert_eq!((holds, wrong), (if field == "seq" { 14 } else { 13 }, Some((15, Why::Edited))), "{field}");
    }
}

#[tokio::test]
async fn a_record_that_was_taken_out_is_missing_and_all_before_it_holds() {
    for seq in [1_usize, 2, 15, 33] {
        let case = Case::new().await;
        case.change(|all| drop(all.remove(seq - 1))).await;
        assert_eq!(acme(&case.verdict().await), (seq as u64 - 1, Some((seq as u64, Why::Missing))));
    }
    let case = Case::new().await;
    case.change(|all| drop(all.drain(11..19))).await;
    assert_eq!(acme(&case.verdict().await), (11, Some((12, Why::Missing))));
}

#[tokio::test]
async fn records_that_changed_places_are_named_by_the_first_of_them() {
    for (a, b) in [(3_usize, 4_usize), (12, 25), (33, 34)] {
        let case = Case::new().await;
        case.change(|all| all.swap(a - 1, b - 1)).await;
        let why = Why::OutOfOrder { found: b as u64 };
        assert_eq!(acme(&case.verdict().await), (a as u64 - 1, Some((a as u64, why))));
    }
}

#[tokio::test]
async fn a_record_of_another_workspace_is_named_even_where_it_was_relabelled() {
    let case = Case::new().await;
    let of_other = lines(case.store(), "other").await;
    case.change(|all| all[4] = of_other[4].clone()).await;
    let why = Why::Foreign { workspace: "other".to_owned() };
    assert_eq!(acme(&case.verdict().await), (4, Some((5, why))));
    let case = Case::new().await;
    case.change(|all| all[4] = with(&of_other[4], "workspace", "acme")).await;
    assert_eq!(acme(&case.verdict().await), (3, Some((5, Why::Edited))));
}

#[tokio::test]
async fn chains_that_were_swapped_are_named_both() {
    let case = Case::new().await;
    let (acme_lines, other) = (lines(case.store(), "acme").await, lines(case.store(), "other").await);
    put_lines(case.store(), "acme", &other).await;
    put_head(case.store(), "acme", &other).await;
    put_lines(case.store(), "other", &acme_lines).await;
    put_head(case.store(), "other", &acme_lines).await;
    let verdict = case.verdict().await;
    let wrong: Vec<_> = verdict.chains.iter().map(|chain| chain.wrong.clone().unwrap()).collect();
    assert_eq!(wrong[0].why, Why::Foreign { workspace: "other".to_owned() });
    assert_eq!(wrong[1].why, Why::Foreign { workspace: "acme".to_owned() });
}

#[tokio::test]
async fn what_does_not_fit_the_chains_head_is_named() {
    let case = Case::new().await;
    let all = lines(case.store(), "acme").await;
    put_lines(case.store(), "acme", &all[..32]).await;
    assert_eq!(acme(&case.verdict().await), (32, Some((33, Why::Missing))));
    put_lines(case.store(), "acme", &all).await;
    put_head(case.store(), "acme", &all[..32]).await;
    assert_eq!(acme(&case.verdict().await), (32, Some((33, Why::BeyondHead))));
    case.store().commit(Batch::new().delete(key(b'H', "acme", None))).await.unwrap();
    assert_eq!(acme(&case.verdict().await).1.unwrap().1, Why::NoHead);
    case.store().commit(Batch::new().put(key(b'H', "acme", None), "{}")).await.unwrap();
    assert_eq!(acme(&case.verdict().await).1.unwrap().1, Why::HeadDiffers);
}

#[tokio::test]
async fn half_a_record_is_torn_and_what_is_none_cannot_be_read() {
    let case = Case::new().await;
    let all = lines(case.store(), "acme").await;
    put_lines(case.store(), "acme", &all[..28]).await;
    let half = all[28..].join("\n");
    case.store().commit(Batch::new().put(key(b'L', "acme", Some(29)), half.as_bytes())).await.unwrap();
    assert_eq!(acme(&case.verdict().await), (33, Some((34, Why::Torn))));
    case.store().commit(Batch::new().put(key(b'L', "acme", Some(29)), "{\"seq\":29\n")).await.unwrap();
    let (holds, wrong) = acme(&case.verdict().await);
    assert!(holds == 28 && matches!(wrong, Some((29, Why::Unreadable(_)))), "{wrong:?}");
    // A block under another number is read by nobody.
    case.store().commit(Batch::new().delete(key(b'L', "acme", Some(29)))).await.unwrap();
    case.store().commit(Batch::new().put(key(b'L', "acme", Some(30)), all[28..].join("\n") + "\n")).await.unwrap();
    assert_eq!(acme(&case.verdict().await), (28, Some((29, Why::Missing))));
}

#[tokio::test]
async fn time_does_not_go_back_and_a_newer_form_is_not_guessed_at() {
    let case = Case::new().await;
    let early = |all: &mut Vec<String>| all[31] = with(&all[31], "time", "2001-01-01T00:00:00Z");
    case.change(|all| {
        early(all);
        *all = rehash("acme", all);
    })
    .await;
    assert_eq!(acme(&case.verdict().await), (31, Some((32, Why::TimeBack))));
    let case = Case::new().await;
    case.change(|all| {
        all[31] = with(&all[31], "v", 2);
        *all = rehash("acme", all);
    })
    .await;
    assert_eq!(acme(&case.verdict().await), (31, Some((32, Why::Newer { version: 2 }))));
}

#[tokio::test]
async fn a_tail_that_was_cut_off_cleanly_is_seen_by_the_signed_heads() {
    let case = Case::new().await;
    case.change(|all| all.truncate(22)).await;
    let head = case.signed.last().unwrap().head.seq;
    assert_eq!(acme(&case.verdict().await), (22, Some((23, Why::CutOff { head, at: 30 }))));
    // All of a workspace.
    let all = lines(case.store(), "other").await.len();
    let mut batch = Batch::new();
    batch.remove(key(b'H', "other", None));
    for seq in 1..=all as u64 {
        batch.remove(key(b'L', "other", Some(seq)));
    }
    case.store().commit(batch).await.unwrap();
    let verdict = case.verdict().await;
    let other = verdict.chains.iter().find(|chain| chain.workspace == "other").unwrap();
    assert!(matches!(other.wrong, Some(Wrong { seq: 1, why: Why::CutOff { at: 6, .. }, .. })), "{other:?}");
}

#[tokio::test]
async fn hashing_all_anew_is_seen_where_the_key_is_not() {
    let case = Case::new().await;
    case.change(|all| {
        all[14] = with(&all[14], "operation", "send-nothing");
        *all = rehash("acme", all);
    })
    .await;
    let before = case.signed.iter().rev().nth(1).unwrap().head.seq;
    // Up to record 10 a signed head says that all is as it was.
    let why = Why::Rehashed { head: before, at: 20 };
    assert_eq!(acme(&case.verdict().await), (10, Some((11, why.clone()))));

    // The store's signed heads are made anew, too, with another key, or taken out: then those elsewhere say so.
    let folder = tempfile::tempdir().unwrap();
    let other = Arc::new(FileSigner::open_or_create(&folder.path().join("other.pem")).unwrap());
    for head in &case.signed {
        let mut batch = Batch::new();
        batch.remove(signed(head.head.seq));
        for (workspace, at) in &head.head.heads {
            batch.remove(key(b'T', workspace, Some(at.seq)));
        }
        case.store().commit(batch).await.unwrap();
    }
    assert!(case.verdict().await.holds(), "without a copy elsewhere nothing is left to see it by");
    assert_eq!(case.verdict().await.unsigned(), 40);
    let verdict = case.against(&case.signed).await;
    assert_eq!(acme(&verdict), (10, Some((11, why.clone()))));
    assert!(matches!(verdict.heads[0].wrong, Some(HeadWrong { seq: 1, why: HeadWhy::RolledBack { .. }, .. })));

    let key_of_other = other.public_key().id();
    let forged = SignedHeads::open(case.ledger.store().clone(), other, HeadOptions::default()).await.unwrap();
    forged.sign_now().await.unwrap();
    let verdict = case.against(&case.signed).await;
    assert_eq!(acme(&verdict), (10, Some((11, why))));
    assert_eq!(verdict.heads[0].wrong.as_ref().unwrap().why, HeadWhy::UnknownKey { key: key_of_other });
}

#[tokio::test]
async fn an_older_copy_put_back_is_seen_by_what_a_sink_has() {
    let case = Case::new().await;
    let old = disk::copy(case.store()).await;
    let signer = Arc::new(FileSigner::open(&case.folder.path().join("key.pem")).unwrap());
    let heads = SignedHeads::open(case.ledger.store().clone(), signer, HeadOptions::default()).await.unwrap();
    calls(&case.ledger, "acme", 4).await;
    let last = heads.sign_now().await.unwrap().unwrap();
    assert!(verify(&old, &[case.key], None).await.holds(), "by itself an older copy is whole");
    let mut all = case.signed.clone();
    // The first tick may have signed what was left.
    let first = disk::signed(all.last().unwrap().head.seq + 1);
    let first = SignedHead::parse(&case.store().get(&first).await.unwrap().unwrap()).unwrap();
    all.extend([first.clone(), last.clone()]);
    all.dedup();
    let text: String = all.iter().map(|head| head.line() + "\n").collect();
    let verdict = verify(&old, &[case.key], Some(text)).await;
    assert_eq!(acme(&verdict), (34, Some((35, Why::CutOff { head: last.head.seq, at: 42 }))));
    let wrong = verdict.heads[0].wrong.clone().unwrap();
    assert_eq!((wrong.seq, wrong.why), (first.head.seq, HeadWhy::RolledBack { place: "heads.jsonl".to_owned() }));
}

#[tokio::test]
async fn a_signed_head_that_was_changed_or_taken_out_is_named() {
    let case = Case::new().await;
    let second = case.signed[1].clone();
    let put = |head: &SignedHead| Batch::new().put(signed(second.head.seq), head.line());
    let mut edited = second.clone();
    edited.head.heads.get_mut("acme").unwrap().seq += 1;
    case.store().commit(put(&edited)).await.unwrap();
    let wrong = |verdict: &Verdict| verdict.heads[0].wrong.clone().map(|wrong| (wrong.seq, wrong.why));
    assert_eq!(wrong(&case.verdict().await), Some((2, HeadWhy::Signature)));
    case.store().commit(Batch::new().delete(signed(second.head.seq))).await.unwrap();
    assert_eq!(wrong(&case.verdict().await), Some((2, HeadWhy::Missing)));
    case.store().commit(Batch::new().put(signed(second.head.seq), "{}")).await.unwrap();
    assert!(matches!(wrong(&case.verdict().await), Some((2, HeadWhy::Unreadable(_)))));
    // Signed by the key, and in the wrong place.
    case.store().commit(put(&case.signed[0])).await.unwrap();
    assert_eq!(wrong(&case.verdict().await), Some((2, HeadWhy::OutOfOrder { found: 1 })));
    // Signed by the key, and not after the one before it: two histories.
    let signer = FileSigner::open(&case.folder.path().join("key.pem")).unwrap();
    let mut forked = second.head.clone();
    forked.prev = portcullis_ledger::Hash::of(b"another");
    let signature = signer.sign(&forked.bytes().unwrap()).await.unwrap();
    case.store().commit(put(&SignedHead { head: forked, signature })).await.unwrap();
    assert_eq!(wrong(&case.verdict().await), Some((2, HeadWhy::NotNext)));
    let verdict = case.against(&case.signed).await;
    assert_eq!(wrong(&verdict), Some((2, HeadWhy::NotNext)));
    assert_eq!(verdict.heads[1].wrong, None);
}

#[tokio::test]
async fn progress_and_each_record_are_told() {
    let ledger = ledger().await;
    ledger.append((0..4000).flat_map(|_| one_call("acme")).collect()).await.unwrap();
    let (told, seen) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let mut progress = |progress: Progress| told.lock().unwrap().push(progress);
    let mut each = |workspace: &str, seq: u64, bytes: &[u8]| {
        assert!(workspace == "acme" && bytes.starts_with(b"{") && bytes.ends_with(b"}"));
        seen.lock().unwrap().push(seq);
    };
    let options = VerifyOptions { progress: Some(&mut progress), each: Some(&mut each), ..VerifyOptions::default() };
    assert!(verify_store(ledger.store().as_ref(), options).await.unwrap().holds());
    let told = told.into_inner().unwrap();
    assert!(told.len() > 2 && told.iter().all(|progress| progress.of == 8000), "{told:?}");
    assert_eq!(told.last().unwrap().done, 8000);
    assert_eq!(seen.into_inner().unwrap(), (1..=8000).collect::<Vec<u64>>());
}
