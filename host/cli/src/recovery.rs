//! A store that is damaged: what still holds of it, what does not, and what to write next.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::Timestamp;
use portcullis_runtime::printable;
use portcullis_store::{Looked, Note, Options, StoreError, look as look_into, salvage};
use serde_json::{Value, json};

use crate::{
    exit::{self, Code, DAMAGED},
    look,
    progress::Spinner,
    store::create,
};

/// Most entries that are named for people. `--json` names all that are kept.
const NAMED: usize = 10;
/// Most entries that are named at all.
const KEPT: usize = 1_000;

/// What was found, kind by kind.
#[derive(Default)]
pub(crate) struct Found {
    /// By kind and workspace: what holds, and what does not.
    counts: BTreeMap<(&'static str, String), (u64, u64)>,
    /// What does not hold: whose key, and what is wrong.
    wrong: Vec<(String, String)>,
}

impl Found {
    fn add(&mut self, key: &[u8], found: Result<&[u8], &str>) {
        let (holds, wrong) = self.counts.entry(kind_of(key)).or_default();
        match found {
            Ok(_) => *holds += 1,
            Err(what) => {
                *wrong += 1;
                if self.wrong.len() < KEPT {
                    self.wrong.push((printable(&key.escape_ascii().to_string(), 200), printable(what, 400)));
                }
            }
        }
    }

    fn table(&self) -> String {
        let rows = self.counts.iter().map(|((kind, workspace), (holds, wrong))| {
            vec![(*kind).to_owned(), workspace.clone(), holds.to_string(), wrong.to_string()]
        });
        look::table(&["kind", "workspace", "holds", "damaged"], rows)
    }

    fn json(&self) -> Value {
        let counts = self.counts.iter().map(|((kind, workspace), (holds, wrong))| {
            json!({ "kind": kind, "workspace": workspace, "holds": holds, "damaged": wrong })
        });
        let wrong = self.wrong.iter().map(|(key, what)| json!({ "key": key, "what": what }));
        json!({ "kinds": counts.collect::<Vec<_>>(), "damaged": wrong.collect::<Vec<_>>() })
    }
}

/// What an entry is and whose, by its key: a letter, then mostly the workspace and a zero byte. A letter that is not known here
/// is told as it is.
fn kind_of(key: &[u8]) -> (&'static str, String) {
    let (kind, of_a_workspace) = match key.first() {
        Some(b'A') => ("adapters", false),
        Some(b'B') => ("code of adapters", false),
        Some(b'C') => ("credentials", true),
        Some(b'E') => ("dates of expiry", false),
        Some(b'H') => ("heads of chains", true),
        Some(b'I') => ("integrations", true),
        Some(b'K') => ("data keys", true),
        Some(b'L') => ("records", true),
        Some(b'M') => ("the master key's name", false),
        Some(b'O' | b'U') => ("about credentials", true),
        Some(b'P') => ("inputs and outputs", true),
        Some(b'S') => ("signed heads", false),
        Some(b'T') => ("places of signed heads", true),
        Some(b'W') => ("sinks of signed heads", false),
        Some(b'X') => ("index of records", true),
        _ => ("others", false),
    };
    let rest = key.get(1..).unwrap_or_default();
    let workspace = rest.split(|byte| *byte == 0).next().unwrap_or_default();
    let workspace = if of_a_workspace { printable(&String::from_utf8_lossy(workspace), 128) } else { "-".to_owned() };
    (kind, workspace)
}

/// Reads a damaged store past what is wrong with it. `error` is why it was not opened, or did not verify.
pub(crate) async fn verify(folder: &Path, error: &StoreError, as_json: bool) -> anyhow::Result<Code> {
    let spinner = Spinner::start("reading past the damage");
    let (path, mut found) = (folder.to_owned(), Found::default());
    let (looked, found) = tokio::task::spawn_blocking(move || {
        let mut seen = 0_u64;
        let looked = look_into(&path, &Options::default(), &mut |key, value| {
            found.add(key, value);
            seen += 1;
            if seen.is_multiple_of(1000) {
                spinner.tell(format!("read {seen} entries"));
            }
        });
        looked.map(|looked| (looked, found))
    })
    .await??;
    if as_json {
        let mut value = json!({ "error": { "code": "damaged", "message": error.to_string() } });
        if let (Some(value), Value::Object(found)) = (value.as_object_mut(), found.json()) {
            value.insert("found".to_owned(), counts(&looked));
            value.extend(found);
        }
        look::print_json(&value);
        return Ok(DAMAGED);
    }
    let place = folder.display();
    exit::tell("damaged", &what_is_wrong(&format!("{place}"), &looked, error), None);
    anstream::eprintln!("\n{}", look::paragraph(&summary(&looked)));
    if !found.counts.is_empty() {
        anstream::eprintln!("{}", found.table());
    }
    for (_, what) in found.wrong.iter().take(NAMED) {
        anstream::eprintln!("{}", look::wrapped(&format!("· {what}"), 2));
    }
    if looked.damaged > NAMED as u64 {
        anstream::eprintln!("  and {} more; --json names them", looked.damaged - NAMED as u64);
    }
    anstream::eprintln!(
        "\n{}",
        look::paragraph(
            "Nothing was changed. What holds can be written to a file, and that file, or a backup, put in the store's place; \
             the old one is moved aside and kept:"
        )
    );
    anstream::eprintln!("  portcullis store salvage --to FILE\n  portcullis store import FILE --replace");
    Ok(DAMAGED)
}

fn what_is_wrong(place: &str, looked: &Looked, error: &StoreError) -> String {
    match looked.problems.as_slice() {
        [] => match error {
            StoreError::Corrupt { what, .. } => format!("{place}: {what}"),
            other => other.to_string(),
        },
        problems => format!("{place}: {}", problems.join("; ")),
    }
}

fn summary(looked: &Looked) -> String {
    let Looked { holds, damaged, .. } = looked;
    let missing = match looked.missing {
        Some(missing) => format!("{missing} are missing"),
        None => "nothing says how many are missing".to_owned(),
    };
    format!("{holds} entries ({}) hold, {damaged} are damaged, {missing}.", look::bytes(looked.bytes))
}

fn counts(looked: &Looked) -> Value {
    json!({
        "engine": looked.engine.map(|engine| engine.name()), "holds": looked.holds, "bytes": looked.bytes,
        "damaged": looked.damaged, "missing": looked.missing, "commits": looked.commits, "problems": looked.problems,
    })
}

/// Writes what still holds into a file.
pub(crate) async fn salvage_to(folder: &Path, file: &Path) -> anyhow::Result<(Value, String)> {
    let spinner = Spinner::start("reading what holds");
    let mut out = BufWriter::new(create(file)?);
    let (path, to): (PathBuf, PathBuf) = (folder.to_owned(), file.to_owned());
    let done = tokio::task::spawn_blocking(move || {
        let mut found = Found::default();
        let mut seen = 0_u64;
        let mut each = |key: &[u8], value: Result<&[u8], &str>| {
            found.add(key, value);
            seen += 1;
            if seen.is_multiple_of(1000) {
                spinner.tell(format!("read {seen} entries"));
            }
        };
        let salvaged = salvage(&path, &Options::default(), &mut out, &mut each).map_err(anyhow::Error::from);
        let written = salvaged.and_then(|(looked, _)| {
            let synced = out.flush().and_then(|()| out.get_ref().sync_all());
            synced.with_context(|| format!("writing {}", to.display()))?;
            Ok((looked, found))
        });
        if written.is_err() {
            // Half of it looks like all of it.
            let _ = fs::remove_file(&to);
        }
        written
    });
    let (looked, found) = done.await??;
    let shown = file.display();
    let mut text = vec![look::paragraph(&format!("{shown} has what holds. {}", summary(&looked)))];
    if !looked.problems.is_empty() {
        text.push(look::paragraph(&format!("Wrong with the store as a whole: {}.", looked.problems.join("; "))));
    }
    if !found.counts.is_empty() {
        text.push(found.table());
    }
    if !found.wrong.is_empty() {
        text.push("Left out:".to_owned());
        text.extend(found.wrong.iter().take(NAMED).map(|(_, what)| look::wrapped(&format!("· {what}"), 2)));
        if looked.damaged > NAMED as u64 {
            text.push(format!("  and {} more; --json names them", looked.damaged - NAMED as u64));
        }
    }
    text.push(format!(
        "\nTo put it in the store's place, which is moved aside and kept:\n  portcullis store import {shown} --replace"
    ));
    let mut value = found.json();
    if let Some(value) = value.as_object_mut() {
        value.insert("file".to_owned(), json!(file));
        value.insert("found".to_owned(), counts(&looked));
    }
    Ok((json!({ "salvaged": value }), text.join("\n")))
}

/// A store that was salvaged says so.
pub(crate) fn told_of(note: &Note) -> String {
    let left = match note.missing {
        Some(missing) => (note.damaged + missing).to_string(),
        None => format!("{} or more", note.damaged),
    };
    let second = i64::try_from(note.time).unwrap_or(i64::MAX);
    let when = Timestamp::from_second(second).map_or_else(|_| note.time.to_string(), |time| time.to_string());
    look::paragraph(&format!(
        "It was salvaged from a damaged store on {when}: {} entries were kept and {left} left out then. `portcullis audit verify` \
         says where chains have gaps.",
        note.kept
    ))
}
