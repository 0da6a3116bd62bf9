//! Exported files, which anybody may have written. No bytes make the verifier panic; what holds says how far, and does not
//! hold any more when a byte of it is missing or another; what does not hold says why.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_ledger::verify::{ExportOptions, Verdict, verify_export};

fn verify(bytes: &[u8]) -> Verdict {
    verify_export(bytes, ExportOptions::default()).expect("a slice can be read")
}

fuzz_target!(|bytes: &[u8]| {
    let verdict = verify(bytes);
    if verdict.holds() {
        assert!(verdict.chains.iter().all(|chain| chain.holds + 1 == chain.from + chain.records));
        assert!(!verify(&bytes[..bytes.len() - 1]).holds());
        let mut changed = bytes.to_vec();
        let at = bytes.len() / 2;
        changed[at] ^= 1;
        assert!(!verify(&changed).holds());
    } else {
        let told = verdict.file.iter().map(ToString::to_string);
        let told = told.chain(verdict.chains.iter().filter_map(|chain| chain.wrong.as_ref().map(ToString::to_string)));
        let mut told = told.chain(verdict.heads.iter().filter_map(|heads| heads.wrong.as_ref().map(ToString::to_string)));
        assert!(told.all(|text| !text.is_empty()));
    }
});
