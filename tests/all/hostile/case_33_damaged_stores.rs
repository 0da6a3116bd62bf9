//! Case 33: files of a store that are truncated, or not as they were written. The wrong master key: `tests/all/secrets/life.rs`.

use std::{fs, path::Path, sync::Arc};

use portcullis_ledger::{Caller, Change, Entry, Kind, Ledger, LedgerOptions};
use portcullis_store::{Embedded, EngineKind, Options, StoreError};

use super::stores::{Folder, copy, files, records};

const RECORDS: usize = 200;

/// A closed store with records.
async fn store(folder: &Path, kind: EngineKind) {
    let store = Arc::new(Embedded::open(folder, Options { floor_bytes: 0, ..Options::default() }.engine(kind)).await.unwrap());
    let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
    for number in 0..RECORDS {
        let change = Change { action: "replaced".to_owned(), of: number.to_string(), ..Change::default() };
        let entry = Entry::change("acme", Kind::Configuration, &Caller::principal("user:ada"), change);
        ledger.append(vec![entry]).await.unwrap();
    }
    drop(ledger);
    super::stores::close(store).await;
}

/// How many records a store answers with; or what it says instead.
async fn answer(folder: &Path, kind: EngineKind) -> Result<usize, StoreError> {
    let options = Options { floor_bytes: 0, ..Options::default() }.engine(kind).existing();
    let store = Arc::new(Embedded::open(folder, options).await?);
    store.verify(|_| {}).await?;
    let found = records(store.clone(), "acme").await.len();
    super::stores::close(store).await;
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_of_a_store_cut_off_or_with_a_byte_flipped_is_named_or_harmless() {
    for kind in EngineKind::ALL {
        let folder = Folder::new("case-33");
        let whole = folder.path().join("whole");
        store(&whole, kind).await;
        assert_eq!(answer(&whole, kind).await, Ok(RECORDS));
        let mut named = 0;
        for file in files(&whole) {
            let bytes = fs::read(whole.join(&file)).unwrap();
            let mut flipped = bytes.clone();
            if let Some(byte) = flipped.get_mut(bytes.len() / 3) {
                *byte ^= 0x10;
            }
            for damaged in [bytes[..bytes.len() / 2].to_vec(), flipped] {
                if damaged == bytes {
                    continue;
                }
                let copied = folder.path().join("damaged");
                copy(&whole, &copied);
                fs::write(copied.join(&file), damaged).unwrap();
                match answer(&copied, kind).await {
                    Ok(found) => assert_eq!(found, RECORDS, "{kind}, {file}: silently fewer"),
                    Err(error @ (StoreError::Corrupt { .. } | StoreError::NotAStore { .. })) => {
                        let text = error.to_string();
                        assert!(text.contains(&copied.display().to_string()) && text.contains(&file), "{file}: {text}");
                        named += 1;
                    }
                    Err(error) => panic!("{kind}, {file}: {error:?}"),
                }
                fs::remove_dir_all(&copied).unwrap();
            }
        }
        assert!(named >= 4, "{kind}: {named}");
    }
}
