//! Case 34: somebody with the disk edits a record, takes one out, moves two, brings one in from another workspace. On every
//! store the first wrong record is named, and all before it holds; with everything hashed anew, what a sink has says so.

use std::{fs::File, io::BufReader, sync::Arc, time::Duration};

use super::disk::{lines, put_head, put_lines, rehash, with};
use portcullis_ledger::{
    Caller, Change, Entry, Kind, Ledger, LedgerOptions,
    heads::{FileSigner, FileSink, HeadError, HeadOptions, SignedHeads, Signer},
    verify::{Outside, VerifyOptions, Why, verify_store},
};
use portcullis_store::{Embedded, EngineKind, MemoryStore, Options, Store};

use super::stores::Folder;

const RECORDS: usize = 40;

fn entry(workspace: &str, number: usize) -> Entry {
    let change = Change { action: "replaced".to_owned(), of: format!("setting-{number}"), ..Change::default() };
    Entry::change(workspace, Kind::Configuration, &Caller::principal("user:ada"), change)
}

/// Two workspaces of forty records, signed after the twentieth and at the end, into a file beside the store.
struct Case {
    store: Arc<dyn Store>,
    folder: Folder,
}

impl Case {
    async fn new(kind: Option<EngineKind>) -> Self {
        let folder = Folder::new("case-34");
        let store: Arc<dyn Store> = match kind {
            None => Arc::new(MemoryStore::new()),
            Some(kind) => {
                let options = Options { floor_bytes: 0, ..Options::default() }.engine(kind);
                Arc::new(Embedded::open(folder.path().join("store"), options).await.unwrap())
            }
        };
        let case = Self { store, folder };
        let ledger = Ledger::open(case.store.clone(), LedgerOptions::default()).await.unwrap();
        let heads = case.heads().await.unwrap();
        for half in [0..RECORDS / 2, RECORDS / 2..RECORDS] {
            ledger.append(half.clone().map(|number| entry("acme", number)).collect()).await.unwrap();
            ledger.append(half.map(|number| entry("other", number)).collect()).await.unwrap();
            heads.sign_now().await.unwrap();
        }
        heads.close(Duration::from_secs(10)).await.unwrap();
        case
    }

    fn signer(&self) -> FileSigner {
        FileSigner::open_or_create(&self.folder.path().join("heads.pem")).unwrap()
    }

    async fn heads(&self) -> Result<SignedHeads, HeadError> {
        let sink = Arc::new(FileSink::new(self.folder.path().join("heads.jsonl")));
        let options =
            HeadOptions { interval: Duration::from_secs(3600), sinks: vec![sink], ..HeadOptions::default() };
        SignedHeads::open(self.store.clone(), Arc::new(self.signer()), options).await
    }

    /// Changes the records of `acme` and makes the chain's head fit; what verifying says then: the last record that holds, the
    /// first that does not, and why. The store is as it was afterwards.
    async fn changed(&self, change: impl FnOnce(&mut Vec<String>)) -> (u64, u64, Why) {
        let before = lines(self.store.as_ref(), "acme").await;
        let mut after = before.clone();
        change(&mut after);
        put_lines(self.store.as_ref(), "acme", &after).await;
        put_head(self.store.as_ref(), "acme", &after).await;
        let mut file = BufReader::new(File::open(self.folder.path().join("heads.jsonl")).unwrap());
        let outside = vec![Outside { place: "heads.jsonl".to_owned(), lines: &mut file }];
        let keys = [self.signer().public_key()];
        let options = VerifyOptions { keys: &keys, outside, ..VerifyOptions::default() };
        let verdict = verify_store(self.store.as_ref(), options).await.unwrap();
        assert!(!verdict.holds());
        let other = verdict.chains.iter().find(|chain| chain.workspace == "other").unwrap();
        assert!(other.wrong.is_none() && other.holds == RECORDS as u64, "{other:?}");
        put_lines(self.store.as_ref(), "acme", &before).await;
        put_head(self.store.as_ref(), "acme", &before).await;
        let acme = verdict.chains.into_iter().find(|chain| chain.workspace == "acme").unwrap();
        let wrong = acme.wrong.unwrap();
        (acme.holds, wrong.seq, wrong.why)
    }
}

async fn every_store() -> Vec<Case> {
    let mut cases = vec![Case::new(None).await];
    for kind in EngineKind::ALL {
        cases.push(Case::new(Some(kind)).await);
    }
    cases
}

#[tokio::test]
async fn a_record_that_was_edited_is_named_and_all_before_it_holds() {
    for case in every_store().await {
        for at in [0, 6, 19, 30] {
            let found = case.changed(|all| all[at] = all[at].replace("user:ada", "user:eve")).await;
            assert_eq!(found, (at as u64, at as u64 + 1, Why::Edited));
        }
    }
}

#[tokio::test]
async fn a_record_removed_from_the_middle_is_named_and_all_before_it_holds() {
    for case in every_store().await {
        let found = case.changed(|all| drop(all.remove(24))).await;
        assert_eq!(found, (24, 25, Why::Missing));
    }
}

#[tokio::test]
async fn records_that_were_reordered_are_named_by_the_first_and_all_before_it_holds() {
    for case in every_store().await {
        let found = case.changed(|all| all.swap(4, 11)).await;
        assert_eq!(found, (4, 5, Why::OutOfOrder { found: 12 }));
    }
}

#[tokio::test]
async fn a_record_copied_from_another_workspace_is_named_even_with_its_name_changed() {
    for case in every_store().await {
        let other = lines(case.store.as_ref(), "other").await;
        let found = case.changed(|all| all[8] = other[8].clone()).await;
        assert_eq!(found, (8, 9, Why::Foreign { workspace: "other".to_owned() }));
        // Nobody vouches for record 8 then: the one after it is not the one that was.
        let found = case.changed(|all| all[8] = with(&other[8], "workspace", "acme")).await;
        assert_eq!(found, (7, 9, Why::Edited));
    }
}

#[tokio::test]
async fn a_chain_hashed_anew_after_an_edit_is_not_the_signed_one_and_no_host_starts_on_it() {
    for case in every_store().await {
        let forge = |all: &mut Vec<String>| {
            all[24] = all[24].replace("user:ada", "user:eve");
            *all = rehash("acme", all);
        };
        // Up to record 20 the first signed head vouches for all.
        assert_eq!(case.changed(forge).await, (20, 21, Why::Rehashed { head: 2, at: 40 }));
        let mut forged = lines(case.store.as_ref(), "acme").await;
        forge(&mut forged);
        put_lines(case.store.as_ref(), "acme", &forged).await;
        put_head(case.store.as_ref(), "acme", &forged).await;
        let error = case.heads().await.unwrap_err();
        assert!(matches!(&error, HeadError::Rewritten { workspace, signed: 40, .. } if workspace == "acme"), "{error}");
    }
}
