//! What somebody does to an exported file, and what verifying it says, with the public key alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod common;
#[path = "common/disk.rs"]
mod disk;

use std::sync::{Arc, OnceLock};

use common::{calls, end, export, ledger};
use disk::{rehash, with};
use portcullis_ledger::{
    heads::{FileSigner, HeadOptions, PublicKey, SignedHead, SignedHeads, Signer, covering},
    verify::{ExportOptions, HeadWhy, Progress, Verdict, Why, verify_export},
};
use proptest::prelude::*;

/// An export of `acme`, 20 records, of which the signed head names the 16th; and one of `other` with 6.
struct Exports {
    key: PublicKey,
    acme: Vec<String>,
    other: Vec<String>,
    /// The last four of `acme`.
    last: Vec<String>,
}

async fn exports() -> Exports {
    let ledger = ledger().await;
    let folder = tempfile::tempdir().unwrap();
    let signer = Arc::new(FileSigner::open_or_create(&folder.path().join("key.pem")).unwrap());
    let key = signer.public_key();
    calls(&ledger, "acme", 8).await;
    calls(&ledger, "other", 3).await;
    let options = HeadOptions { interval: std::time::Duration::from_secs(3600), ..HeadOptions::default() };
    let heads = SignedHeads::open(ledger.store().clone(), signer, options).await.unwrap();
    heads.sign_now().await.unwrap();
    calls(&ledger, "acme", 2).await;
    let covers: Vec<SignedHead> = covering(ledger.store().as_ref(), "acme", 1, 20).await.unwrap().into_iter().collect();
    assert_eq!(covers[0].head.heads["acme"].seq, 16);
    Exports {
        key,
        acme: export(&ledger, "acme", 1, &covers).await,
        other: export(&ledger, "other", 1, &[]).await,
        last: export(&ledger, "acme", 17, &[]).await,
    }
}

fn verify(lines: &[String], key: PublicKey) -> Verdict {
    verified(lines.concat().as_bytes(), key)
}

fn verified(bytes: &[u8], key: PublicKey) -> Verdict {
    verify_export(bytes, ExportOptions { keys: &[key], ..ExportOptions::default() }).unwrap()
}

fn wrong(verdict: &Verdict) -> (u64, Option<u64>, Why) {
    let wrong = verdict.chains[0].wrong.clone().unwrap_or_else(|| panic!("{verdict:?}"));
    (wrong.seq, wrong.line, wrong.why)
}

#[tokio::test]
async fn an_export_holds_by_itself_and_says_how_far_it_is_signed() {
    let exports = exports().await;
    let verdict = verify(&exports.acme, exports.key);
    assert!(verdict.holds(), "{verdict:?}");
    assert_eq!((verdict.records, verdict.unsigned(), verdict.chains[0].signed.unwrap().seq), (20, 4, 16));
    // A part of a chain, and several one after the other.
    let verdict = verify(&exports.last, exports.key);
    assert!(verdict.holds() && verdict.unsigned() == 4, "{verdict:?}");
    let verdict = verify(&[exports.acme.clone(), exports.other].concat(), exports.key);
    assert!(verdict.holds() && verdict.chains.len() == 2 && verdict.records == 26, "{verdict:?}");
    // Signed heads may stand before the records.
    let mut before = exports.acme;
    let head = before.remove(21);
    before.insert(1, head);
    let verdict = verify(&end(before), exports.key);
    assert!(verdict.holds() && verdict.unsigned() == 4, "{verdict:?}");
}

#[tokio::test]
async fn a_file_that_was_cut_off_anywhere_is_named() {
    let exports = exports().await;
    for lines in 0..exports.acme.len() {
        let verdict = verify(&exports.acme[..lines], exports.key);
        assert_eq!(verdict.file.unwrap().line, lines as u64 + 1);
    }
    let text = exports.acme.concat();
    for bytes in 0..text.len() {
        let verdict = verify_export(
            &text.as_bytes()[..bytes],
            ExportOptions { keys: &[exports.key], ..ExportOptions::default() },
        )
        .unwrap();
        assert!(!verdict.holds(), "{bytes} bytes of {}", text.len());
    }
    // With an end that fits.
    let mut cut = exports.acme.clone();
    cut.truncate(19);
    assert_eq!(wrong(&verify(&end(cut), exports.key)), (19, None, Why::Missing));
}

#[tokio::test]
async fn a_record_edited_removed_moved_or_brought_in_is_named_by_number_and_line() {
    let exports = exports().await;
    let key = exports.key;
    let changed = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = exports.acme.clone();
        change(&mut lines);
        wrong(&verify(&end(lines), key))
    };
    assert_eq!(changed(&|lines| lines[9] = with(&lines[9], "operation", "nothing") + "\n"), (9, Some(10), Why::Edited));
    assert_eq!(changed(&|lines| drop(lines.remove(9))), (9, Some(10), Why::Missing));
    assert_eq!(changed(&|lines| lines.swap(9, 12)), (9, Some(10), Why::OutOfOrder { found: 12 }));
    let why = Why::Foreign { workspace: "other".to_owned() };
    assert_eq!(changed(&|lines| lines[3] = exports.other[3].clone()), (3, Some(4), why));
    assert!(matches!(changed(&|lines| lines[3] = "{}\n".to_owned()), (3, Some(4), Why::Unreadable(_))));
}

#[tokio::test]
async fn files_that_were_merged_are_named_where_the_second_begins() {
    let exports = exports().await;
    let mut merged = exports.acme[..8].to_vec();
    merged.extend_from_slice(&exports.other);
    let verdict = verify(&merged, exports.key);
    assert_eq!(verdict.file.clone().unwrap().line, 9);
    assert_eq!(wrong(&verdict), (8, Some(10), Why::Foreign { workspace: "other".to_owned() }));
    // Without the second's header, and with an end that fits.
    let mut merged = exports.acme.clone();
    merged.splice(15..15, exports.other[1..5].iter().cloned());
    assert_eq!(wrong(&verify(&end(merged), exports.key)).0, 15);
}

#[tokio::test]
async fn a_file_that_was_hashed_anew_is_not_the_signed_one() {
    let exports = exports().await;
    let mut lines = exports.acme.clone();
    lines[5] = with(&lines[5], "operation", "nothing");
    let head = lines[21].clone();
    let records: Vec<String> = lines[1..21].iter().map(|line| line.trim_end().to_owned()).collect();
    let records = rehash("acme", &records).into_iter().map(|line| line + "\n");
    let mut forged = vec![lines[0].clone()];
    forged.extend(records);
    let unsigned = verify(&end(forged.clone()), exports.key);
    assert!(unsigned.holds() && unsigned.unsigned() == 20, "without its signed head a file shows nothing by itself");
    forged.push(head.clone());
    let (seq, _, why) = wrong(&verify(&end(forged.clone()), exports.key));
    assert!(seq == 1 && matches!(why, Why::Rehashed { at: 16, .. }), "{why:?}");
    // Signed by somebody else.
    let folder = tempfile::tempdir().unwrap();
    let other = FileSigner::open_or_create(&folder.path().join("other.pem")).unwrap();
    let verdict = verify(&exports.acme, other.public_key());
    assert!(matches!(verdict.heads[0].wrong.as_ref().unwrap().why, HeadWhy::UnknownKey { .. }), "{verdict:?}");
    assert_eq!(verdict.unsigned(), 20);
    // A signed head that was changed, or is of other workspaces.
    let mut signed = SignedHead::parse(head.trim_end().as_bytes()).unwrap();
    signed.head.heads.get_mut("acme").unwrap().seq = 15;
    let mut changed = exports.acme.clone();
    changed[21] = signed.line() + "\n";
    let verdict = verify(&end(changed), exports.key);
    assert_eq!(verdict.heads[0].wrong.as_ref().unwrap().why, HeadWhy::Signature);
    let mut of_others = exports.last.clone();
    of_others.insert(1, head.replace("acme", "acne"));
    assert!(!verify(&end(of_others), exports.key).holds());
}

#[tokio::test]
async fn progress_is_told_while_a_file_is_read() {
    let ledger = ledger().await;
    ledger.append((0..10_000).flat_map(|_| common::one_call("acme")).collect()).await.unwrap();
    let text = export(&ledger, "acme", 1, &[]).await.concat();
    let mut told = Vec::new();
    let mut progress = |progress: Progress| told.push(progress);
    assert!(
        verify_export(text.as_bytes(), ExportOptions { progress: Some(&mut progress), ..ExportOptions::default() })
            .unwrap()
            .holds()
    );
    assert_eq!(told, [Progress { done: 16_384, of: 20_000 }, Progress { done: 20_000, of: 20_000 }]);
}

fn small() -> &'static (PublicKey, Vec<u8>) {
    static SMALL: OnceLock<(PublicKey, Vec<u8>)> = OnceLock::new();
    SMALL.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let exports = runtime.block_on(exports());
        (exports.key, exports.acme.concat().into_bytes())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_byte_is_seen(at in any::<prop::sample::Index>(), change in 1_u8..) {
        let (key, text) = small();
        let mut changed = text.clone();
        changed[at.index(text.len())] ^= change;
        prop_assert!(!verified(&changed, *key).holds());
    }

    #[test]
    fn nothing_makes_the_verifier_panic(lines in prop::collection::vec(0_usize..23, 0..40), cut in any::<prop::sample::Index>()) {
        let (key, text) = small();
        let all: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let mut mixed: Vec<u8> = lines.iter().flat_map(|line| all[*line].to_vec()).collect();
        mixed.truncate(cut.index(mixed.len() + 1));
        let whole = lines == (0..23).collect::<Vec<usize>>();
        prop_assert_eq!(verified(&mixed, *key).holds(), whole && mixed.len() == text.len());
    }
}
