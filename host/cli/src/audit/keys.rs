//! Keys: the one that signs heads, and those by which signatures are checked; and `portcullis audit key`.

use std::{fs, path::Path};

use portcullis_runtime::ledger::heads::{FileSigner, PublicKey, Signer};
use serde_json::json;

use crate::{
    arguments::Arguments,
    exit::{Code, DONE, Usage},
    ledger::key_file,
    look,
};

/// Prints the public key, to be given to whoever verifies.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Code> {
    let key = FileSigner::open_or_create(&key_file(arguments))?.public_key();
    if arguments.json {
        look::print_json(&json!({ "key": key.id(), "public": key.to_pem() }));
    } else {
        anstream::print!("{}", key.to_pem());
    }
    Ok(DONE)
}

/// Reads public keys, all that are in these files.
pub(super) fn read_public(files: &[impl AsRef<Path>]) -> anyhow::Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for file in files {
        let path = file.as_ref().display();
        let text = fs::read_to_string(file).map_err(|error| Usage(format!("--key: {path} cannot be read: {error}")))?;
        keys.extend(PublicKey::all_from_pem(&text).map_err(|error| Usage(format!("--key: {path}: {error}")))?);
    }
    Ok(keys)
}

/// This host's own, where it has one.
pub(super) fn own(arguments: &Arguments) -> anyhow::Result<Vec<PublicKey>> {
    let path = key_file(arguments);
    if path.exists() { Ok(vec![FileSigner::open(&path)?.public_key()]) } else { Ok(Vec::new()) }
}
