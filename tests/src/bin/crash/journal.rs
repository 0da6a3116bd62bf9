//! The test's own log, outside the store: what was submitted, before it is, and what was acknowledged, after it was. A line
//! is one `write`; one that was cut off by a kill does not count.
//!
//! A call has two groups of records, each handed to the ledger as a whole: `i` with its intent, `o` with its outcome. A
//! group can come with a key of the store, which is written or removed together with the records or not at all.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::Mutex,
};

use portcullis_ledger::Entry;
use serde_json::Value;

use crate::random::Random;

/// What a group does to the key of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    None,
    /// Writes so many bytes.
    Put(usize),
    Delete,
}

/// Records that were submitted as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) key: KeyChange,
    /// As they were submitted: without a place in a chain.
    pub(crate) records: Vec<Value>,
    pub(crate) acknowledged: bool,
}

/// What was submitted of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) workspace: String,
    pub(crate) intent: Option<Group>,
    pub(crate) outcome: Option<Group>,
}

/// A log that was read.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) calls: BTreeMap<String, Call>,
    /// Times a store was opened.
    pub(crate) opened: usize,
    /// Appends that were answered with an error.
    pub(crate) errors: Vec<String>,
}

/// The value that a call's key gets.
pub(crate) fn value_of(call: &str, length: usize) -> Vec<u8> {
    let seed = call.bytes().fold(length as u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = Random::new(seed, 0);
    let mut value: Vec<u8> = Vec::with_capacity(length + 8);
    while value.len() < length {
        value.extend(random.next().to_le_bytes());
    }
    value.truncate(length);
    value
}

/// The key of a call, in the store.
pub(crate) fn key_of(call: &str) -> Vec<u8> {
    format!("{KEYS}{call}").into_bytes()
}

/// What all keys of calls begin with.
pub(crate) const KEYS: &str = "crash/";

/// A record without what the ledger writes: its place and its time.
pub(crate) fn submitted(record: &mut Value) {
    if let Some(fields) = record.as_object_mut() {
        ["prev", "seq", "time"].iter().for_each(|name| drop(fields.remove(*name)));
    }
}

/// Writes the log.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    /// Goes on with a log, or begins one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    fn line(&self, line: &str) -> io::Result<()> {
        self.0.lock().map_err(|_| io::Error::other("the log was left half written"))?.write_all(line.as_bytes())
    }

    /// The store is open, and calls that were under way are closed.
    pub(crate) fn opened(&self) -> io::Result<()> {
        self.line("O\n")
    }

    /// A group is about to be submitted.
    pub(crate) fn submit(&self, call: &str, group: char, key: KeyChange, entries: &[Entry]) -> io::Result<()> {
        let mut records = Vec::new();
        for entry in entries {
            let mut record = serde_json::to_value(entry.record())?;
            submitted(&mut record);
            records.push(record);
        }
        let key = match key {
            KeyChange::None => "-".to_owned(),
            KeyChange::Put(length) => length.to_string(),
            KeyChange::Delete => "x".to_owned(),
        };
        self.line(&format!("S\t{call}\t{group}\t{key}\t{}\n", Value::Array(records)))
    }

    /// A group was acknowledged.
    pub(crate) fn acknowledge(&self, call: &str, group: char) -> io::Result<()> {
        self.line(&format!("A\t{call}\t{group}\n"))
    }

    /// A group was answered with an error.
    pub(crate) fn refused(&self, error: &str) -> io::Result<()> {
        self.line(&format!("E\t{}\n", error.replace('\n', " ")))
    }
}

/// Takes off what a kill left of a line, so that the next process begins a new one.
pub(crate) fn mend(path: &Path) -> io::Result<()> {
    let text = fs::read(path)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) })?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < text.len() {
        OpenOptions::new().write(true).open(path)?.set_len(whole as u64)?;
    }
    Ok(())
}

impl Log {
    /// Reads a log. What stands behind its last line break was cut off.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read(path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut log = Self::default();
        for line in String::from_utf8_lossy(text.get(..whole).unwrap_or_default()).lines() {
            log.take(line)
                .ok_or_else(|| io::Error::other(format!("the test's own log has a line that is none: {line}")))?;
        }
        Ok(log)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let mut fields = line.split('\t');
        let kind = fields.next()?;
        match kind {
            "O" => self.opened += 1,
            "E" => self.errors.push(fields.next()?.to_owned()),
            "S" | "A" => {
                let (call, group) = (fields.next()?, fields.next()?);
                let call = self.calls.entry(call.to_owned()).or_default();
                let place = match group {
                    "i" => &mut call.intent,
                    "o" => &mut call.outcome,
                    _ => return None,
                };
                if kind == "A" {
                    place.as_mut()?.acknowledged = true;
                    return fields.next().is_none().then_some(());
                }
                let key = match fields.next()? {
                    "-" => KeyChange::None,
                    "x" => KeyChange::Delete,
                    length => KeyChange::Put(length.parse().ok()?),
                };
                let records: Vec<Value> = serde_json::from_str(fields.next()?).ok()?;
                let workspace = records.first()?.get("workspace")?.as_str()?.to_owned();
                *place = Some(Group { key, records, acknowledged: false });
                call.workspace = workspace;
            }
            _ => return None,
        }
        Some(())
    }

    /// How many records were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        let groups = self.calls.values().flat_map(|call| [&call.intent, &call.outcome]).flatten();
        groups.filter(|group| group.acknowledged).map(|group| group.records.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Scratch;

    const WHOLE: &str =
        "O\nS\tc1\ti\t5\t[{\"workspace\":\"acme\"}]\nA\tc1\ti\nS\tc1\to\tx\t[{\"workspace\":\"acme\"},{}]\n";

    #[test]
    fn a_line_that_a_kill_cut_off_does_not_count_and_the_next_one_begins_anew() {
        let folder = Scratch::new(&std::env::temp_dir(), "portcullis-journal").unwrap();
        let path = folder.path().join("journal");
        fs::write(&path, format!("{WHOLE}A\tc1\to")).unwrap();
        let log = Log::read(&path).unwrap();
        let call = log.calls.get("c1").unwrap();
        assert_eq!((log.opened, log.acknowledged(), call.workspace.as_str()), (1, 1, "acme"));
        assert_eq!(call.intent.as_ref().unwrap().key, KeyChange::Put(5));
        let outcome = call.outcome.as_ref().unwrap();
        assert_eq!((outcome.key, outcome.acknowledged), (KeyChange::Delete, false));
        mend(&path).unwrap();
        Journal::open(&path).unwrap().acknowledge("c1", 'o').unwrap();
        assert_eq!(Log::read(&path).unwrap().acknowledged(), 3);
    }

    #[test]
    fn a_line_that_nobody_writes_is_an_error_and_not_left_out() {
        let folder = Scratch::new(&std::env::temp_dir(), "portcullis-journal").unwrap();
        let path = folder.path().join("journal");
        for wrong in ["A\tc9\ti\n", "A\tc1\toA\tc1\to\n", "S\tc9\ti\tmany\t[]\n", "X\n"] {
            fs::write(&path, format!("{WHOLE}{wrong}")).unwrap();
            assert!(Log::read(&path).is_err(), "{wrong}");
        }
    }
}
