//! Hostile case 6: files that are not adapters, and adapters that the contract does not fit.

use std::fs;

use portcullis_runtime::{LoadError, UploadError};
use portcullis_tests::folder;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::harness::{Case, load};

/// A guest that no compiler would produce: a core module in text, wrapped as a component of the contract's world.
pub(crate) fn handwritten(name: &str) -> Vec<u8> {
    wrap(name, "../wit/0.1.0", "adapter")
}

fn wrap(name: &str, wit: &str, world: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(folder.join("guests").join(format!("{name}.wat"))).unwrap();
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(folder.join(wit)).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

async fn refused(case: &Case, bytes: &[u8]) -> UploadError {
    match load(&case.runtime, bytes).await {
        Err(LoadError::Upload(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_not_an_adapter_is_refused_for_what_it_is() {
    let case = Case::new().await;
    let good = folder::guest("puppet_probe").unwrap();
    assert!(matches!(refused(&case, b"hello").await, UploadError::NotWasm(_)));
    assert!(matches!(refused(&case, b"\x7fELF\x02\x01\x01").await, UploadError::NotWasm(_)));
    assert_eq!(refused(&case, &wat::parse_str("(module)").unwrap()).await, UploadError::CoreModule);
    assert!(matches!(refused(&case, &wat::parse_str("(component)").unwrap()).await, UploadError::NotAnAdapter(_)));
    assert!(matches!(refused(&case, &good[..good.len() / 2]).await, UploadError::Invalid { .. }));
    // A compiled artifact, as the cache keeps them.
    let artifact = fs::read_dir(folder::cache())
        .unwrap()
        .filter_map(Result::ok)
        .find(|entry| entry.path().extension().is_some_and(|extension| extension == "code"))
        .unwrap();
    assert!(matches!(refused(&case, &fs::read(artifact.path()).unwrap()).await, UploadError::NotWasm(_)));
    case.goes_on().await;
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_refused_or_harmless() {
    let case = Case::new().await;
    let good = folder::guest("hostile_panic").unwrap();
    // Every 211th byte keeps this short; what still loads is compiled and then another adapter, by its digest.
    let mut loaded = 0;
    for at in (0..good.len()).step_by(good.len() / 97) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        if portcullis_runtime::Upload::inspect(&flipped).is_ok() {
            loaded += 1;
        }
    }
    assert!(loaded < 97);
    case.goes_on().await;
}

#[tokio::test]
async fn imports_that_nobody_links_are_named() {
    let case = Case::new().await;
    for (guest, import) in [("hostile_imports_sockets", "wasi:sockets"), ("hostile_imports_files", "wasi:filesystem")] {
        match refused(&case, &folder::guest(guest).unwrap()).await {
            UploadError::Imports(names) => assert!(names.iter().any(|name| name.contains(import)), "{names:?}"),
            other => panic!("{other:?}"),
        }
    }
    case.goes_on().await;
}

#[tokio::test]
async fn another_version_of_the_contract_is_named() {
    let case = Case::new().await;
    let next = String::from_utf8_lossy(&folder::guest("hostile_panic").unwrap())
        .contains("portcullis:adapter/operations@0.1.0");
    assert!(next, "the name stands in the file as it is");
    let bytes = folder::guest("hostile_panic").unwrap();
    let renamed = replace(&bytes, b"portcullis:adapter/operations@0.1.0", b"portcullis:adapter/operations@0.9.0");
    match load(&case.runtime, &renamed).await {
        Err(LoadError::Upload(UploadError::Version(version))) => assert_eq!(version, "0.9.0"),
        other => panic!("{other:?}"),
    }
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
