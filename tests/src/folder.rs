//! Where built components are. `cargo xtask build` puts them there.

use std::{env, fs, io, path::PathBuf, sync::Arc};

use portcullis_vault::{KeyProvider, LocalKey};

use crate::guests::Guest;

/// The folder with `postmark.wasm` and `guests/`.
pub fn components() -> PathBuf {
    match env::var_os("PORTCULLIS_COMPONENTS") {
        Some(folder) => folder.into(),
        None => workspace().join("target/adapters/out"),
    }
}

/// The folder in which tests, demo and bench keep compiled adapters.
pub fn cache() -> PathBuf {
    workspace().join("target/portcullis-cache")
}

/// The master key under which they are kept, whatever the host's own is: everybody knows it.
pub fn cache_key() -> Arc<dyn KeyProvider> {
    let key = LocalKey::new(vec![b'c'; 32].into());
    Arc::new(key.unwrap_or_else(|error| unreachable!("32 bytes are a key: {error}")))
}

/// The folder in which the conformance suites keep packages, logs and what else they need.
pub fn conformance() -> PathBuf {
    workspace().join("target/conformance")
}

/// The scripts by which the conformance suites start counterparts and ask second opinions.
pub fn conformance_scripts() -> PathBuf {
    workspace().join("tests/conformance")
}

/// The example that is written in three languages.
pub fn languages() -> PathBuf {
    workspace().join("adapters/languages")
}

/// The contract.
pub fn wit() -> PathBuf {
    workspace().join("wit/0.1.0")
}

/// The folder with descriptions of other people's APIs, beside the checkout unless `PORTCULLIS_SPECS` says where. It is no
/// part of the project and may not be there.
pub fn specs() -> PathBuf {
    match env::var_os("PORTCULLIS_SPECS") {
        Some(folder) => folder.into(),
        None => workspace().join("../shared/specs"),
    }
}

/// A built adapter.
pub fn adapter(name: &str) -> io::Result<Vec<u8>> {
    read(components().join(format!("{name}.wasm")))
}

/// A guest of the tests, as a component.
pub fn guest(guest: Guest) -> io::Result<Vec<u8>> {
    guest.wasm()
}

pub(crate) fn read(path: PathBuf) -> io::Result<Vec<u8>> {
    fs::read(&path).map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}; run `cargo xtask build` first", path.display()))
    })
}

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
