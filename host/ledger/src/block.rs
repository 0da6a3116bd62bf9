//! Records as they stand in the store: some of them in a block, one a line.

use crate::{
    error::LedgerError,
    hash::Hash,
    keys,
    record::{RECORD_VERSION, Record},
};

/// A record in the form that is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its place in its chain.
    pub seq: u64,
    /// The record as JSON, without a line's end.
    pub text: String,
}

impl Line {
    /// What the next record has as `prev`.
    pub fn hash(&self) -> Hash {
        Hash::of(self.text.as_bytes())
    }

    /// What it says, if it is where it has to be: in the chain of `workspace`, at its place.
    pub fn record(&self, workspace: &str) -> Result<Record, LedgerError> {
        let corrupt = |what: String| LedgerError::Corrupt { workspace: workspace.to_owned(), seq: self.seq, what };
        let record: Record =
            serde_json::from_str(&self.text).map_err(|error| corrupt(format!("it cannot be read: {error}")))?;
        if record.v > RECORD_VERSION {
            return Err(corrupt(format!(
                "it has version {}, and this program reads up to {RECORD_VERSION}; use a newer Portcullis",
                record.v
            )));
        }
        if record.workspace != workspace {
            return Err(corrupt(format!(
                "it belongs to the workspace `{}`",
                portcullis_gate::printable(&record.workspace, 128)
            )));
        }
        if record.seq != self.seq {
            return Err(corrupt(format!("it says of itself that it is number {}", record.seq)));
        }
        Ok(record)
    }
}

/// The records of a block, numbered from the one that its key names.
pub(crate) fn lines<'a>(
    workspace: &str,
    key: &[u8],
    value: &'a [u8],
) -> Result<impl DoubleEndedIterator<Item = Line> + 'a, LedgerError> {
    let corrupt =
        |seq: u64, what: &str| LedgerError::Corrupt { workspace: workspace.to_owned(), seq, what: what.to_owned() };
    let first = keys::seq_of_block(key).ok_or_else(|| corrupt(0, "its block has a key that is none"))?;
    let text = std::str::from_utf8(value).map_err(|_| corrupt(first, "its block is not UTF-8"))?;
    let text = text.strip_suffix('\n').ok_or_else(|| corrupt(first, "its block is cut short"))?;
    let lines: Vec<&str> = text.split('\n').collect();
    Ok(lines.into_iter().enumerate().map(move |(i, text)| Line { seq: first + i as u64, text: text.to_owned() }))
}
