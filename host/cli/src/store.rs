//! `portcullis store`: what operators do with the store as a whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use portcullis_store::{Embedded, Options, StoreError, compact, export, import};
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, Store},
    exit::{self, Code, Usage},
    look,
    progress::Spinner,
};

/// The store's folder below the data folder.
const FOLDER: &str = "store";

pub(crate) async fn run(arguments: &Arguments, command: &Store) -> anyhow::Result<Code> {
    let folder = arguments.data.join(FOLDER);
    let (value, text) = match command {
        Store::Verify => verify(&folder).await?,
        Store::Export { file } => export_to(&folder, file).await?,
        Store::Import { file, engine } => {
            let options = Options { engine: engine.map(Into::into), ..Options::default() };
            import_from(&folder, file.clone(), options).await?
        }
        Store::Compact => compact_in(folder.clone()).await?,
    };
    if arguments.json {
        look::print_json(&value);
    } else {
        anstream::println!("{text}");
    }
    Ok(exit::DONE)
}

async fn open(folder: &Path) -> Result<Embedded, StoreError> {
    // All of its files are compared with their seal, however long that takes.
    Embedded::open(folder, Options { seal_bytes: u64::MAX, ..Options::default() }.existing()).await
}

async fn verify(folder: &Path) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("opening the store");
    let store = open(folder).await?;
    let engine = store.engine();
    let done = store.verify(move |entries| spinner.tell(format!("verified {entries} entries"))).await?;
    store.close().await?;
    let (entries, bytes, commits) = (done.entries, done.bytes, done.commits);
    Ok((
        json!({ "verified": { "engine": engine.name(), "entries": entries, "bytes": bytes, "commits": commits } }),
        format!("All {entries} entries ({}) of {commits} commits are there, as they were written.", look::bytes(bytes)),
    ))
}

async fn export_to(folder: &Path, file: &Path) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("opening the store");
    let store = open(folder).await?;
    let mut out = BufWriter::new(create(file)?);
    let exported = export(&store, &mut out, &mut |entries| spinner.tell(format!("exported {entries} entries"))).await;
    let written = exported.map_err(anyhow::Error::from).and_then(|done| {
        let synced = out.flush().and_then(|()| out.get_ref().sync_all());
        synced.with_context(|| format!("writing {}", file.display()))?;
        Ok(done)
    });
    drop(out);
    store.close().await?;
    if written.is_err() {
        // Half of an export looks like one.
        let _ = fs::remove_file(file);
    }
    let (entries, bytes) = written.map(|done| (done.entries, done.bytes))?;
    Ok((
        json!({ "exported": { "file": file, "entries": entries, "bytes": bytes } }),
        format!("{} has all {entries} entries ({}).", file.display(), look::bytes(bytes)),
    ))
}

fn create(file: &Path) -> anyhow::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Usage(format!("{} is there already; name another file, or remove it", file.display())).into()
        }
        _ => anyhow::Error::from(error).context(format!("making {}", file.display())),
    })
}

async fn import_from(folder: &Path, file: PathBuf, options: Options) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("importing");
    let input = File::open(&file).map_err(|error| Usage(format!("{} cannot be read: {error}", file.display())))?;
    let (into, shown) = (folder.to_owned(), folder.display());
    let done = tokio::task::spawn_blocking(move || {
        let mut tell = |entries| spinner.tell(format!("imported {entries} entries"));
        import(&into, &options, BufReader::new(input), &mut tell)
    })
    .await??;
    let (entries, bytes) = (done.entries, done.bytes);
    Ok((
        json!({ "imported": { "folder": folder, "entries": entries, "bytes": bytes } }),
        format!("{shown} has all {entries} entries ({}).", look::bytes(bytes)),
    ))
}

async fn compact_in(folder: PathBuf) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("opening the store");
    let done = tokio::task::spawn_blocking(move || {
        let mut tell = |entries| spinner.tell(format!("copied {entries} entries"));
        compact(&folder, &Options { seal_bytes: u64::MAX, ..Options::default() }, &mut tell)
    })
    .await??;
    let (entries, before, after) = (done.entries, done.before_bytes, done.after_bytes);
    Ok((
        json!({ "compacted": { "entries": entries, "before_bytes": before, "after_bytes": after } }),
        format!("{entries} entries took {} and take {} now.", look::bytes(before), look::bytes(after)),
    ))
}
