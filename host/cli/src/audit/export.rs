//! `portcullis audit export`: records in a file, for others; and a record of that.
//!
//! A file appears in full or not at all: it is written beside its place, the export is recorded, and only then it gets its
//! name. What goes to standard output cannot be taken back, so it is recorded with what has left, however it ended.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::Timestamp;
use portcullis_runtime::{
    Ledger,
    ledger::{Change, Entry, Exported, Exporter, Format, Kind, Wanted, heads::covering},
    printable,
};
use serde_json::json;

use crate::{
    arguments::Arguments,
    audit::{
        arguments::{Choice, Export},
        choice,
    },
    exit::{Code, DONE, Usage},
    interrupt::or_given_up,
    ledger::Kept,
    look,
    progress::Bar,
    who,
};

pub(super) async fn run(arguments: &Arguments, wanted: &Export) -> anyhow::Result<Code> {
    let to_stdout = wanted.out.as_os_str() == "-";
    if to_stdout && arguments.json {
        return Err(Usage(
            "--json says what was exported on standard output, where the export itself goes; take a file".to_owned(),
        )
        .into());
    }
    let query = choice::query(&wanted.workspace, &wanted.choice, Timestamp::now())?;
    let format = Format::from(wanted.format);
    if format == Format::JsonLines && !wanted.choice.fields.is_empty() {
        let why = "--where: JSON Lines are the chain, which can be verified because it has no gaps";
        return Err(
            Usage(format!("{why}; narrow it with --since, --until, --from, --to, or export ocsf or cef")).into()
        );
    }
    if !to_stdout && !wanted.force && wanted.out.symlink_metadata().is_ok() {
        return Err(Usage(format!("--out: {} is there already; --force writes over it", wanted.out.display())).into());
    }
    let mut ask = Wanted::new(query, format);
    if let Some(seq) = wanted.from {
        ask = ask.from(seq);
    }
    if let Some(seq) = wanted.to {
        ask = ask.to(seq);
    }
    let kept = Kept::existing(arguments).await?;
    let done = or_given_up(export(&kept, wanted, ask, format, to_stdout)).await;
    kept.close().await;
    let exported = done?;
    if arguments.json {
        look::print_json(&told(wanted, format, &exported));
    } else {
        let Exported { records, first, last, heads, bytes, sha256 } = exported;
        let name = if to_stdout { "standard output".to_owned() } else { wanted.out.display().to_string() };
        let heads = if heads == 0 { "not signed" } else { "with its signed head" };
        let workspace = printable(&wanted.workspace.workspace, 128);
        let size = look::bytes(bytes);
        let told = format!("{name}: {records} records of `{workspace}` ({first} to {last}), {heads}, {size}");
        anstream::eprintln!("{}", look::wrapped(&told, 0));
        anstream::eprintln!("sha256 {sha256}");
        if exported.heads == 0 {
            let told = "No signed head names a record of it, so nobody can tell it from one that was made anew.";
            anstream::eprintln!("{}", look::wrapped(told, 0));
        }
    }
    Ok(DONE)
}

async fn export(
    kept: &Kept,
    wanted: &Export,
    ask: Wanted,
    format: Format,
    to_stdout: bool,
) -> anyhow::Result<Exported> {
    // Before the range is settled, so that all of it is signed.
    kept.sign().await?;
    let exporter = Exporter::new(kept.ledger.reader(), ask, Timestamp::now()).await?;
    let (first, last) = exporter.range();
    let head = covering(kept.ledger.store().as_ref(), &wanted.workspace.workspace, first, last).await?;
    let (signer, newest) = kept.signer().await;
    let mut exporter = exporter.heads(head).signed_by(signer, newest);
    write(&kept.ledger, &mut exporter, wanted, format, to_stdout).await?;
    Ok(exporter.exported())
}

async fn write(
    ledger: &Ledger,
    exporter: &mut Exporter,
    wanted: &Export,
    format: Format,
    to_stdout: bool,
) -> anyhow::Result<()> {
    if to_stdout {
        let written = copy(exporter, &mut io::stdout()).await;
        record(ledger, wanted, format, &exporter.exported(), written.is_ok()).await?;
        return written;
    }
    let mut file = Draft::beside(&wanted.out)?;
    copy(exporter, &mut file.file).await?;
    file.file.sync_all().with_context(|| file.name.display().to_string())?;
    record(ledger, wanted, format, &exporter.exported(), true).await?;
    file.take_place(&wanted.out, wanted.force)
}

/// Writes all of it. Nothing is held but a piece.
async fn copy(exporter: &mut Exporter, out: &mut (impl Write + ?Sized)) -> anyhow::Result<()> {
    let (_, of) = exporter.progress();
    let bar = Bar::start("exporting", of);
    while let Some(piece) = exporter.next().await? {
        out.write_all(&piece).context("the export cannot be written")?;
        bar.at(exporter.progress().0);
    }
    out.flush().context("the export cannot be written")?;
    Ok(())
}

/// Who took what out of the ledger.
async fn record(
    ledger: &Ledger,
    wanted: &Export,
    format: Format,
    exported: &Exported,
    complete: bool,
) -> anyhow::Result<()> {
    let Choice { fields, since, until } = &wanted.choice;
    let mut details = BTreeMap::from([
        ("format".to_owned(), format.as_str().to_owned()),
        ("records".to_owned(), exported.records.to_string()),
        ("from".to_owned(), exported.first.to_string()),
        ("to".to_owned(), exported.last.to_string()),
        ("sha256".to_owned(), exported.sha256.to_string()),
    ]);
    if !fields.is_empty() {
        details.insert("where".to_owned(), fields.join(" "));
    }
    for (name, time) in [("since", since), ("until", until)] {
        if let Some(time) = time {
            details.insert(name.to_owned(), time.clone());
        }
    }
    let action = if complete { "exported" } else { "exported-in-part" };
    let of = format!("records {} to {}", exported.first, exported.last);
    let change = Change { action: action.to_owned(), details, of };
    let caller = who::caller(wanted.principal.as_deref())?;
    let entry = Entry::change(&wanted.workspace.workspace, Kind::Export, &caller, change);
    ledger.append(vec![entry]).await.context("the export is not recorded, so there is none")?;
    Ok(())
}

fn told(wanted: &Export, format: Format, exported: &Exported) -> serde_json::Value {
    json!({
        "file": wanted.out.display().to_string(), "format": format.as_str(), "workspace": wanted.workspace.workspace,
        "records": exported.records, "from": exported.first, "to": exported.last, "heads": exported.heads,
        "bytes": exported.bytes, "sha256": exported.sha256,
    })
}

/// A file that has not got its name yet. Gone when dropped.
struct Draft {
    file: File,
    name: PathBuf,
}

impl Draft {
    fn beside(out: &Path) -> anyhow::Result<Self> {
        let file_name = out.file_name().ok_or_else(|| Usage(format!("--out: {} is no file's name", out.display())))?;
        let mut draft = std::ffi::OsString::from(".");
        draft.push(file_name);
        draft.push(format!(".{}.part", std::process::id()));
        let name = out.with_file_name(draft);
        let file = portcullis_files::create_new(&name);
        let file = file.map_err(|error| Usage(format!("--out: it cannot be written: {error}")))?;
        Ok(Self { file, name })
    }

    /// Gives it its name, and makes that durable.
    fn take_place(self, out: &Path, over: bool) -> anyhow::Result<()> {
        let context = || format!("{} cannot get its name", out.display());
        if over {
            fs::rename(&self.name, out).with_context(context)?;
        } else {
            // Unlike a rename, a link does not write over what came meanwhile.
            fs::hard_link(&self.name, out).with_context(context)?;
        }
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).with_context(context)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = fs::remove_file(&self.name);
    }
}
