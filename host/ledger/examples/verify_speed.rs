//! How fast a chain is verified, on one core: from a store in memory, and from an exported file.
//!
//! ```sh
//! cargo run --release -p portcullis-ledger --example verify_speed -- 1000000
//! ```
//!
//! With a folder after the number, the file and the public key stay there, for a verifier of one's own.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: it ends where something is not as it must be"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    fs::{File, read_to_string},
    io::{BufReader, BufWriter, Write},
    sync::Arc,
};

use portcullis_ledger::{
    heads::{FileSigner, HeadOptions, SignedHeads, Signer},
    verify::{ExportOptions, Verdict, VerifyOptions, verify_export, verify_store},
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let records: usize = std::env::args().nth(1).map_or(200_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let ledger = common::ledger().await;
    let store = ledger.store().clone();
    let signer = Arc::new(FileSigner::open_or_create(&folder.path().join("heads.pem")).unwrap());
    let key = [signer.public_key()];
    for _ in 0..records.div_ceil(1000) {
        ledger.append((0..500).flat_map(|_| common::one_call("acme")).collect()).await.unwrap();
    }
    let heads = SignedHeads::open(store.clone(), signer, HeadOptions::default()).await.unwrap();
    let signed = heads.sign_now().await.unwrap().unwrap();

    for _ in 0..3 {
        let start = cpu_seconds();
        let options = VerifyOptions { keys: &key, ..VerifyOptions::default() };
        let verdict = verify_store(store.as_ref(), options).await.unwrap();
        told("from a store", &verdict, start);
    }

    let path = folder.path().join("acme.jsonl");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    for line in common::export(&ledger, "acme", 1, &[signed]).await {
        file.write_all(line.as_bytes()).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    if let Some(folder) = std::env::args().nth(2) {
        std::fs::copy(&path, format!("{folder}/export.jsonl")).unwrap();
        std::fs::write(format!("{folder}/heads.pub"), key[0].to_pem()).unwrap();
    }
    println!("{} bytes a record", std::fs::metadata(&path).unwrap().len() / records as u64);
    for _ in 0..3 {
        let file = BufReader::with_capacity(1 << 18, File::open(&path).unwrap());
        let start = cpu_seconds();
        let verdict = verify_export(file, ExportOptions { keys: &key, ..ExportOptions::default() }).unwrap();
        told("from a file", &verdict, start);
    }
}

fn told(from: &str, verdict: &Verdict, start: f64) {
    let seconds = cpu_seconds() - start;
    assert!(verdict.holds() && verdict.unsigned() == 0, "{verdict:?}");
    println!("{from}: {} records, {:.0} a second of one core", verdict.records, verdict.records as f64 / seconds);
}

/// What this thread had of a core: others may use the machine, too.
fn cpu_seconds() -> f64 {
    let told = read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
