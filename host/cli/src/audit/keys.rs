//! Keys: the one that signs heads, and those by which signatures are checked; and `portcullis audit key`.

use std::path::Path;

use portcullis_runtime::ledger::heads::{FileSigner, PublicKey, Signer};
use serde_json::json;

use crate::{
    arguments::Arguments,
    exit::{Code, DONE, Usage},
    file::{self, MAX_KEYS},
    ledger::Places,
    look,
};

/// Prints the public key, to be given to whoever verifies.
pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<Code> {
    let key = FileSigner::open_or_create(&Places::looked_at(arguments).await?.key)?.public_key();
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
    for name in files {
        let path = name.as_ref().display();
        let text = file::text("--key", name.as_ref(), MAX_KEYS)?;
        keys.extend(PublicKey::all_from_pem(&text).map_err(|error| Usage(format!("--key: {path}: {error}")))?);
    }
    Ok(keys)
}

/// This host's own, where it has one.
pub(super) fn own(places: &Places) -> anyhow::Result<Vec<PublicKey>> {
    let path = &places.key;
    if path.exists() { Ok(vec![FileSigner::open(path)?.public_key()]) } else { Ok(Vec::new()) }
}
