//! The first and the last line of an export in JSON Lines.
//!
//! An export is one workspace's records from one number to another, byte for byte as they stand in the chain:
//!
//! ```text
//! {"export":{"from":1,"time":"2026-11-21T16:00:00Z","to":2,"v":1,"workspace":"acme"}}
//! {…record 1…}
//! {…record 2…}
//! {"head":{…},"signature":"…"}
//! {"end":{"records":2,"sha256":"…"}}
//! ```
//!
//! The signed heads may stand before the records or after them. Several exports may stand one after the other in a file.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hash::Hash;

/// The version of the form that is written.
pub const EXPORT_VERSION: u8 = 1;

/// What the first line of an export says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// The first record.
    pub from: u64,
    /// SHA-256 of the record before it, where it is not the chain's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Hash>,
    /// When it was exported.
    pub time: Timestamp,
    /// The last record.
    pub to: u64,
    /// The version of this form.
    pub v: u8,
    /// Whose records.
    pub workspace: String,
}

/// What the last line of an export says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportEnd {
    /// How many records there are.
    pub records: u64,
    /// SHA-256 of all bytes before this line, from the header on.
    pub sha256: Hash,
}

/// How such a line begins.
pub(crate) const HEADER: &[u8] = b"{\"export\":";
/// How such a line begins.
pub(crate) const END: &[u8] = b"{\"end\":";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine<'a> {
    export: Cow<'a, ExportHeader>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine<'a> {
    end: Cow<'a, ExportEnd>,
}

impl ExportHeader {
    /// As it is written, without the line's end.
    pub fn line(&self) -> String {
        serde_json::to_string(&HeaderLine { export: Cow::Borrowed(self) }).unwrap_or_default()
    }

    /// Reads it. The reason, where it is none.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let read: HeaderLine<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        canonical(&read.export.line(), line)?;
        Ok(read.export.into_owned())
    }
}

impl ExportEnd {
    /// As it is written, without the line's end.
    pub fn line(&self) -> String {
        serde_json::to_string(&EndLine { end: Cow::Borrowed(self) }).unwrap_or_default()
    }

    /// Reads it. The reason, where it is none.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let read: EndLine<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        canonical(&read.end.line(), line)?;
        Ok(read.end.into_owned())
    }
}

/// There is one way to write a thing, or a changed byte could go unseen.
pub(crate) fn canonical(written: &str, found: &[u8]) -> Result<(), String> {
    if written.as_bytes() == found {
        return Ok(());
    }
    Err("it is not written in the one form that there is (RFC 8785)".to_owned())
}
