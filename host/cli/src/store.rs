//! `portcullis store`: what operators do with the store as a whole.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use portcullis_files::FileError;
use portcullis_store::{Embedded, Options, Replaced, Store as _, StoreError, compact, export, import, replace};
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, Store},
    exit::{self, Code, Usage},
    file,
    interrupt::{Held, or_left},
    ledger::close_data,
    look,
    progress::Spinner,
    recovery,
};

/// The store's folder below the data folder.
const FOLDER: &str = "store";

pub(crate) async fn run(arguments: &Arguments, command: &Store) -> anyhow::Result<Code> {
    close_data(arguments)?;
    let folder = arguments.data.join(FOLDER);
    let (value, text) = match command {
        Store::Verify => match verify(&folder).await {
            Err(error) => match error.downcast::<StoreError>() {
                Ok(error @ StoreError::Corrupt { .. }) => {
                    return recovery::verify(&folder, &error, arguments.json).await;
                }
                Ok(error) => return Err(error.into()),
                Err(error) => return Err(error),
            },
            Ok(done) => done,
        },
        Store::Salvage { to } => recovery::salvage_to(&folder, to).await?,
        Store::Export { file } => export_to(&folder, file).await?,
        Store::Import { file, replace, engine } => {
            let options = Options { engine: engine.map(Into::into), ..Options::default() };
            import_from(&folder, file.clone(), options, *replace).await?
        }
        Store::Adopt { yes, principal } => return crate::host::adopt(arguments, *yes, principal.as_deref()).await,
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
    let _held = Held::new();
    let left = "verifying only reads; the store is as it was, and nothing is known of what was not reached";
    let store = or_left(left, async { Ok(open(folder).await?) }).await?;
    let engine = store.engine();
    let done = or_left(left, async {
        let done = store.verify(move |entries| spinner.tell(format!("verified {entries} entries"))).await?;
        Ok((done, store.salvaged().await?))
    })
    .await;
    store.close().await?;
    let (done, salvaged) = done?;
    let (entries, bytes, commits) = (done.entries, done.bytes, done.commits);
    let bytes_shown = look::bytes(bytes);
    let mut text =
        format!("All {entries} entries ({bytes_shown}) of {commits} commits are there, as they were written.");
    if let Some(note) = &salvaged {
        text.push('\n');
        text.push_str(&recovery::told_of(note));
    }
    let engine = engine.name();
    Ok((
        json!({ "verified": {
            "engine": engine, "entries": entries, "bytes": bytes, "commits": commits, "salvaged": salvaged,
        } }),
        text,
    ))
}

async fn export_to(folder: &Path, file: &Path) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("opening the store");
    let _held = Held::new();
    let left = format!("{} is not there: half of an export looks like one; the store is as it was", file.display());
    let store = or_left(&left, async { Ok(open(folder).await?) }).await?;
    let mut out = BufWriter::new(create(file)?);
    let exported = or_left(&left, async {
        Ok(export(&store, &mut out, &mut |entries| spinner.tell(format!("exported {entries} entries"))).await?)
    })
    .await;
    let written = exported.and_then(|done| {
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

pub(crate) fn create(file: &Path) -> anyhow::Result<File> {
    portcullis_files::create_new(file).map_err(|error| match error {
        FileError::Io { error, .. } if error.kind() == io::ErrorKind::AlreadyExists => {
            Usage(format!("{} is there already; name another file, or remove it", file.display())).into()
        }
        other => anyhow::Error::from(other),
    })
}

async fn import_from(
    folder: &Path,
    file: PathBuf,
    options: Options,
    in_place: bool,
) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("importing");
    let input = file::open("the export", &file)?;
    let into = folder.to_owned();
    let _held = Held::new();
    let shown = folder.display();
    let left = if in_place {
        format!(
            "{shown} is as it was, or has all that was imported; if it is as it was, the newest `before` folder beside it has a part of \
             what was to be imported, and can be removed"
        )
    } else {
        format!(
            "{shown} is as it was, or has all that was imported; what was copied so far is removed when it is opened next"
        )
    };
    let importing = tokio::task::spawn_blocking(move || {
        let mut tell = |entries| spinner.tell(format!("imported {entries} entries"));
        let input = BufReader::new(input);
        match in_place {
            true => replace(&into, &options, input, &mut tell),
            false => import(&into, &options, input, &mut tell).map(|imported| Replaced { imported, aside: None }),
        }
    });
    let done = or_left(&left, async { Ok(importing.await??) }).await?;
    let (entries, bytes) = (done.imported.entries, done.imported.bytes);
    let mut text = format!("{shown} has all {entries} entries ({}).", look::bytes(bytes));
    if let Some(aside) = &done.aside {
        text.push_str(&format!("\nThe store that was there is now {}.", aside.display()));
    }
    Ok((json!({ "imported": { "folder": folder, "entries": entries, "bytes": bytes, "aside": done.aside } }), text))
}

async fn compact_in(folder: PathBuf) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("opening the store");
    let _held = Held::new();
    let left = "compacting was given up before it was done: every entry is there, and what was copied is removed when the store is opened next";
    let compacting = tokio::task::spawn_blocking(move || {
        let mut tell = |entries| spinner.tell(format!("copied {entries} entries"));
        compact(&folder, &Options { seal_bytes: u64::MAX, ..Options::default() }, &mut tell)
    });
    let done = or_left(left, async { Ok(compacting.await??) }).await?;
    let (entries, before, after) = (done.entries, done.before_bytes, done.after_bytes);
    Ok((
        json!({ "compacted": { "entries": entries, "before_bytes": before, "after_bytes": after } }),
        format!("{entries} entries took {} and take {} now.", look::bytes(before), look::bytes(after)),
    ))
}
