//! Where built components are. `cargo xtask build` puts them there.

use std::{env, fs, io, path::PathBuf};

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
