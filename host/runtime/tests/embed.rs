//! The embedding example does what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

use std::{env, path::PathBuf, process::Command};

#[test]
fn the_embedding_example_loads_grants_calls_and_shows_the_receipt() {
    // Cargo builds a package's examples with its tests, beside them.
    let tests = env::current_exe().unwrap();
    let example = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/embed");
    let adapter = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/adapters/out/postmark.wasm");
    assert!(adapter.exists(), "{} is missing; run `cargo xtask build` first", adapter.display());
    let ran = Command::new(example).arg(adapter).output().unwrap();
    let told = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for part in ["https://api.postmarkapp.com/email", "{server-token}", "MessageID", "\"fuel\":"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!told.contains("POSTMARK_API_TEST"), "{told}");
}
