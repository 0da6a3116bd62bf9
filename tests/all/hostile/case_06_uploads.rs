//! Case 6: files that are not adapters, and adapters that the contract does not fit.

use std::fs;

use portcullis_runtime::{LoadError, Runtime, Upload, UploadError};
use portcullis_tests::{folder, guests::Guest, ledger::ReadableLedger};
use serde_json::json;

use crate::{
    guests,
    harness::{Case, call, compiler, load},
};

async fn refused(case: &Case, bytes: &[u8]) -> UploadError {
    match load(&case.runtime, bytes).await {
        Err(LoadError::Upload(error)) => {
            case.refusal_is_recorded("load", &error.to_string());
            error
        }
        other => panic!("{other:?}"),
    }
}

async fn refused_guest(case: &Case, guest: Guest) -> UploadError {
    refused(case, &folder::guest(guest).unwrap()).await
}

/// As many numbers as are asked for, always the same (SplitMix64).
fn numbers(seed: u64) -> impl Iterator<Item = usize> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap()
    })
}

#[tokio::test]
async fn what_is_not_an_adapter_is_refused_for_what_it_is() {
    let case = Case::new().await;
    assert!(matches!(refused(&case, b"hello").await, UploadError::NotWasm(_)));
    assert!(matches!(refused(&case, b"\x7fELF\x02\x01\x01").await, UploadError::NotWasm(_)));
    assert_eq!(refused(&case, &wat::parse_str("(module)").unwrap()).await, UploadError::CoreModule);
    assert!(matches!(refused(&case, &wat::parse_str("(component)").unwrap()).await, UploadError::NotAnAdapter(_)));
    // A compiled artifact, as the cache keeps them, and the machine code in it.
    let artifact = fs::read_dir(folder::cache())
        .unwrap()
        .filter_map(Result::ok)
        .find(|entry| entry.path().extension().is_some_and(|extension| extension == "code"))
        .unwrap();
    let artifact = fs::read(artifact.path()).unwrap();
    assert!(matches!(refused(&case, &artifact).await, UploadError::NotWasm(_)));
    let code = artifact.windows(4).position(|bytes| bytes == b"\x7fELF").unwrap();
    match refused(&case, &artifact[code..]).await {
        UploadError::NotWasm(why) => assert!(why.contains("machine code"), "{why}"),
        other => panic!("{other:?}"),
    }
    case.goes_on().await;
}

#[tokio::test]
async fn a_component_that_was_cut_off_anywhere_is_refused() {
    let case = Case::new().await;
    let good = folder::guest(guests::HOSTILE_FORGED_LENGTH).unwrap();
    let whole = Upload::inspect(&good).unwrap();
    // Whole sections of names and of who made it stand at its end: without them it is another file, and complete.
    let mut complete = 0;
    for length in 0..good.len() {
        if let Ok(upload) = Upload::inspect(&good[..length]) {
            assert_ne!(upload.digest, whole.digest);
            complete += 1;
        }
    }
    assert!(complete <= 3, "{complete} of {} beginnings are adapters", good.len());
    let large = folder::guest(guests::PUPPET_PROBE).unwrap();
    assert!(matches!(refused(&case, &large[..large.len() / 2]).await, UploadError::Invalid { .. }));
    case.goes_on().await;
}

#[tokio::test]
async fn a_component_with_a_flipped_bit_is_refused_or_is_another_adapter() {
    let case = Case::new().await;
    // Without a cache: what loads here is of no use to anybody.
    let ledger = std::sync::Arc::new(ReadableLedger::start().await);
    let runtime = Runtime::builder(ledger.ledger()).compiler(compiler()).calls_at_once(2).build().unwrap();
    let good = folder::guest(guests::HOSTILE_FORGED_LENGTH).unwrap();
    let (mut refused, mut loaded) = (0, 0);
    for bit in numbers(6).take(200) {
        let mut flipped = good.clone();
        flipped[bit / 8 % good.len()] ^= 1 << (bit % 8);
        match runtime.load(&flipped).await {
            Ok(adapter) => {
                loaded += 1;
                // It describes itself, or says why not; either way it ends.
                let _ = runtime.describe(&adapter, &json!({})).await;
            }
            Err(LoadError::Upload(_) | LoadError::Contract(_) | LoadError::Shape(_)) => refused += 1,
            Err(other) => panic!("bit {bit}: {other:?}"),
        }
    }
    assert!(refused > 20 && loaded > 20, "{refused} refused, {loaded} loaded");
    case.goes_on().await;
}

#[tokio::test]
async fn imports_that_nobody_links_are_named() {
    let case = Case::new().await;
    match refused_guest(&case, guests::HOSTILE_IMPORTS_HTTP).await {
        UploadError::Imports(names) => assert_eq!(names, ["wasi:http/outgoing-handler@0.2.0"]),
        other => panic!("{other:?}"),
    }
    case.goes_on().await;
}

/// Languages' runtimes import files and sockets, used or not, so these load; and there is nothing behind them.
#[tokio::test]
async fn files_and_sockets_are_said_to_be_denied_and_always_say_no() {
    let case = Case::new().await;
    for (guest, import, operation, refused) in [
        (guests::HOSTILE_IMPORTS_SOCKETS, "wasi:sockets/tcp-create-socket@", "connect", json!({"connected": false})),
        (guests::HOSTILE_IMPORTS_FILES, "wasi:filesystem/preopens@", "readFile", json!({"read": false})),
    ] {
        let adapter = case.load(guest).await;
        let told = adapter.upload().imports.iter().find(|told| told.name.starts_with(import)).unwrap();
        assert_eq!(told.power, "none: a denied stub");
        let outcome = case.guest(guest, operation, "").await.call(call(operation, json!({})).live()).await;
        assert_eq!(outcome.result.as_ref().unwrap(), &refused);
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_handle_to_the_network_is_never_made() {
    let case = Case::new().await;
    let sockets = case.guest(guests::HOSTILE_IMPORTS_SOCKETS, "connect", "").await;
    let outcome = sockets.call(call("connect", json!({"network": true})).live()).await;
    let error = outcome.result.as_ref().unwrap_err().to_string();
    assert!(error.contains("wasi:sockets/instance-network@") && error.contains("no such power"), "{error}");
    case.holds(&outcome).await;
}

/// What is stubbed is what the file names, so the file does not say how much that is.
#[tokio::test]
async fn a_flood_of_things_to_deny_is_refused() {
    let case = Case::new().await;
    let functions: String = (0..3_000).map(|number| format!("(export \"f{number}\" (func))")).collect();
    let flood = format!(
        "(component (import \"wasi:sockets/tcp@0.2.0\" (instance {functions})) (instance $nothing)
           (export \"portcullis:adapter/operations@0.1.0\" (instance $nothing)))"
    );
    match load(&case.runtime, &wat::parse_str(&flood).unwrap()).await {
        Err(error @ LoadError::Contract(_)) => assert!(error.to_string().contains("more than 2048"), "{error}"),
        other => panic!("{other:?}"),
    }
    case.goes_on().await;
}

#[tokio::test]
async fn a_component_of_too_many_parts_is_refused() {
    let case = Case::new().await;
    let parts = "(core instance (instantiate $part))".repeat(49);
    let large = format!(
        "(component (core module $part) {parts} (instance $nothing)
           (export \"portcullis:adapter/operations@0.1.0\" (instance $nothing)))"
    );
    match load(&case.runtime, &wat::parse_str(&large).unwrap()).await {
        Err(error @ LoadError::Shape(_)) => assert!(error.to_string().contains("48 core instances"), "{error}"),
        other => panic!("{other:?}"),
    }
    case.goes_on().await;
}

#[tokio::test]
async fn a_component_of_another_world_is_told_which() {
    let case = Case::new().await;
    match refused_guest(&case, guests::HOSTILE_OTHER_WORLD).await {
        UploadError::NotAnAdapter(exports) => assert_eq!(exports, ["wasi:cli/run@0.2.0"]),
        other => panic!("{other:?}"),
    }
    // One that has the right name on the outside and nothing inside.
    match load(&case.runtime, &folder::guest(guests::HOSTILE_HOLLOW_ADAPTER).unwrap()).await {
        Err(error @ LoadError::Contract(_)) => assert!(error.to_string().contains("config-schema"), "{error}"),
        other => panic!("{other:?}"),
    }
    case.goes_on().await;
}

#[tokio::test]
async fn another_version_of_the_contract_is_named() {
    let case = Case::new().await;
    let bytes = folder::guest(guests::HOSTILE_PANIC).unwrap();
    let renamed = replace(&bytes, b"portcullis:adapter/operations@0.1.0", b"portcullis:adapter/operations@0.9.0");
    assert_ne!(renamed, bytes, "the name stands in the file as it is");
    assert_eq!(refused(&case, &renamed).await, UploadError::Version("0.9.0".to_owned()));
    case.goes_on().await;
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let places: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|at| &bytes[*at..*at + from.len()] == from).collect();
    for at in places {
        out[at..at + to.len()].copy_from_slice(to);
    }
    out
}
