//! Case 41: an export is cut, shortened, hashed anew, wholly or with the genuine signed head left in it. The public key and the
//! signed heads that are kept elsewhere say so; without one signature nobody says that it holds and is vouched for. The library's
//! verifier is tried here; `host/ledger/tests/verify_both.rs` holds it and `verify.py` to the same verdicts on ninety files.

use std::{sync::Arc, time::Duration};

use super::disk::{rehash, with};
use jiff::Timestamp;
use portcullis_ledger::{
    Caller, Change, Entry, ExportEnd, Exporter, Format, Hash, Kind, Ledger, LedgerOptions, Query, Wanted,
    heads::{FileSigner, FileSink, HeadOptions, PublicKey, SignedHeads, Signer, covering},
    verify::{ExportOptions, Outside, Verdict, verify_export},
};
use portcullis_store::MemoryStore;

use super::stores::Folder;

const RECORDS: usize = 20;

struct Case {
    key: PublicKey,
    /// The header, the records, a signed head, the last line; each with its end.
    lines: Vec<String>,
    /// What the sink has: more than there was when it was exported.
    heads: Vec<u8>,
}

impl Case {
    async fn new() -> Self {
        let folder = Folder::new("case-41");
        let ledger = Ledger::open(Arc::new(MemoryStore::new()), LedgerOptions::default()).await.unwrap();
        let signer = Arc::new(FileSigner::open_or_create(&folder.path().join("heads.pem")).unwrap());
        let file = folder.path().join("heads.jsonl");
        let sinks: Vec<Arc<dyn portcullis_ledger::heads::HeadSink>> = vec![Arc::new(FileSink::new(&file))];
        let options = HeadOptions { interval: Duration::from_secs(3600), sinks, ..HeadOptions::default() };
        let heads = SignedHeads::open(ledger.store().clone(), signer.clone(), options).await.unwrap();
        let entry = |number: usize| {
            let change = Change { action: "replaced".to_owned(), of: format!("setting-{number}"), ..Change::default() };
            Entry::change("acme", Kind::Configuration, &Caller::principal("user:ada"), change)
        };
        ledger.append((0..RECORDS / 2).map(entry).collect()).await.unwrap();
        heads.sign_now().await.unwrap();
        ledger.append((RECORDS / 2..RECORDS).map(entry).collect()).await.unwrap();
        heads.sign_now().await.unwrap();
        let wanted = Wanted::new(Query::new("acme"), Format::JsonLines);
        let exporter = Exporter::new(ledger.reader(), wanted, Timestamp::now()).await.unwrap();
        let head = covering(ledger.store().as_ref(), "acme", 1, RECORDS as u64).await.unwrap();
        let (key, newest) = heads.for_export().await;
        let mut exporter = exporter.heads(head).signed_by(key, newest);
        let mut text = Vec::new();
        while let Some(piece) = exporter.next().await.unwrap() {
            text.extend(piece);
        }
        // The host goes on.
        ledger.append(vec![entry(RECORDS)]).await.unwrap();
        heads.close(Duration::from_secs(60)).await.unwrap();
        let lines = String::from_utf8(text).unwrap().split_inclusive('\n').map(str::to_owned).collect();
        Self { key: signer.public_key(), lines, heads: std::fs::read(file).unwrap() }
    }

    fn verify(&self, lines: &[String], with_heads: bool) -> Verdict {
        let (text, keys) = (lines.concat(), [self.key]);
        let mut heads = self.heads.as_slice();
        let outside =
            with_heads.then(|| Outside { place: "heads.jsonl".to_owned(), lines: &mut heads }).into_iter().collect();
        verify_export(text.as_bytes(), ExportOptions { keys: &keys, outside, ..ExportOptions::default() }).unwrap()
    }

    /// With a header and a last line that fit, which take no key to make.
    fn fitting(&self, records: &[String], head: bool) -> Vec<String> {
        let header = self.lines[0].replace(&format!("\"to\":{RECORDS}"), &format!("\"to\":{}", records.len()));
        let mut lines = vec![header];
        lines.extend_from_slice(records);
        lines.extend(head.then(|| self.lines[RECORDS + 1].clone()));
        let end = ExportEnd::unsigned(records.len() as u64, Hash::of(lines.concat().as_bytes()));
        lines.push(end.line() + "\n");
        lines
    }

    /// The records with one that was changed, hashed anew from there on.
    fn anew(&self) -> Vec<String> {
        let mut records: Vec<String> = self.lines[1..=RECORDS].iter().map(|line| line.trim_end().to_owned()).collect();
        records[4] = with(&records[4], "grantor", "user:eve");
        rehash("acme", &records).into_iter().map(|line| line + "\n").collect()
    }
}

#[tokio::test]
async fn an_export_holds_against_heads_that_were_signed_after_it() {
    let case = Case::new().await;
    for with_heads in [false, true] {
        let verdict = case.verify(&case.lines, with_heads);
        assert!(verdict.holds() && verdict.is_signed() && verdict.unsigned() == 0, "{verdict:?}");
    }
}

#[tokio::test]
async fn an_export_that_was_cut_or_shortened_does_not_hold_against_signed_heads() {
    let case = Case::new().await;
    for cut in 1..RECORDS {
        let lines = case.fitting(&case.lines[1..=cut], false);
        assert!(!case.verify(&lines, true).holds(), "cut after {cut}");
        let alone = case.verify(&lines, false);
        assert!(alone.holds() && !alone.is_signed(), "nobody vouches for what is left after {cut}");
        assert!(!case.verify(&case.fitting(&case.lines[1..=cut], true), false).holds(), "its own head says otherwise");
    }
}

#[tokio::test]
async fn an_export_that_was_hashed_anew_does_not_hold_against_a_signed_head_in_it_or_elsewhere() {
    let case = Case::new().await;
    let anew = case.anew();
    assert!(!case.verify(&case.fitting(&anew, false), true).holds());
    assert!(!case.verify(&case.fitting(&anew, true), false).holds());
    let shorter = case.fitting(&anew[..RECORDS - 5], true);
    assert!(!case.verify(&shorter, false).holds(), "shorter than its own head says");
    let alone = case.verify(&case.fitting(&anew, false), false);
    assert!(alone.holds() && !alone.is_signed(), "no signature vouches for it");
}
