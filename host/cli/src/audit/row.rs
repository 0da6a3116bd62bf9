//! A record as a line of a table.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};
use portcullis_runtime::{CallId, KnownBy, Record, Status, ledger::Kind, printable};

use crate::look;

/// Below this width the table leaves out what the rest can be known without.
const NARROW: usize = 100;
/// How much of a call's id is shown: its end, for ids of the same minute begin alike.
const SHORT: usize = 8;

/// What the table calls a call whose end is not known: somebody has to look at it.
pub(super) const UNKNOWN: &str = "UNKNOWN";

/// Tells a call by the end of its id.
pub(crate) fn short(call: CallId) -> String {
    let id = call.to_string();
    id.get(id.len().saturating_sub(SHORT)..).unwrap_or_default().to_owned()
}

/// `2026-11-21 10:00:00`
pub(super) fn second(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn time_of_day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string()
}

fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// How the table's columns are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    narrow: bool,
    with_day: bool,
}

impl Layout {
    /// For these records, on this terminal.
    pub(super) fn of<'a>(records: impl Iterator<Item = &'a Record>) -> Self {
        let days: BTreeSet<String> = records.map(|record| day(record.time)).collect();
        Self { narrow: look::width() < NARROW, with_day: days.len() > 1 }
    }

    /// For records as they come.
    pub(super) fn following() -> Self {
        Self { narrow: look::width() < NARROW, with_day: false }
    }

    pub(super) fn header(self) -> Vec<&'static str> {
        if self.narrow {
            vec!["time", "seq", "who", "result", "call", "what"]
        } else {
            vec!["time", "seq", "kind", "who", "result", "took", "call", "what"]
        }
    }

    pub(super) fn row(self, record: &Record) -> Vec<String> {
        let time = match (self.with_day, self.narrow) {
            (false, _) => time_of_day(record.time),
            (true, true) => second(record.time).get(5..16).unwrap_or_default().to_owned(),
            (true, false) => second(record.time),
        };
        let kind = record.kind.as_str().to_owned();
        let who = record.caller.as_ref().map_or_else(
            || "-".to_owned(),
            |caller| {
                // A stated name is not to be taken for one that somebody vouches for.
                let stated = if caller.known_by == Some(KnownBy::Stated) { "?" } else { "" };
                format!("{}{stated}", printable(&caller.principal, 40))
            },
        );
        let call = record.call.map_or_else(|| "-".to_owned(), short);
        let result = result(record);
        if self.narrow {
            // A kind says less than what was done: added, rotated, revoked.
            let result = match record.kind {
                Kind::Outcome if result != "-" => result,
                _ if record.change.is_some() && result != "-" => result,
                _ => kind,
            };
            return vec![time, record.seq.to_string(), who, result, call, what(record)];
        }
        let took = record.receipt.map_or_else(|| "-".to_owned(), |receipt| look::micros(receipt.wall_us));
        vec![time, record.seq.to_string(), kind, who, result, took, call, what(record)]
    }
}

/// The day of all records, where it is one.
pub(super) fn one_day<'a>(records: impl Iterator<Item = &'a Record>) -> Option<String> {
    let days: BTreeSet<String> = records.map(|record| day(record.time)).collect();
    if days.len() > 1 { None } else { days.into_iter().next() }
}

/// How it went, in a word.
fn result(record: &Record) -> String {
    let word = match record.kind {
        Kind::Outcome if record.status == Some(Status::Unknown) => UNKNOWN,
        Kind::Outcome => record.status.map_or("-", Status::as_str),
        Kind::Denial => record.denial.as_ref().map_or("-", |denial| denial.rule.as_str()),
        Kind::Refusal => "refused",
        Kind::Intent => "-",
        _ => record.change.as_ref().map_or("-", |change| change.action.as_str()),
    };
    printable(word, 40)
}

/// What it was about: the operation, or what was changed; and the error's code, or what was asked for.
fn what(record: &Record) -> String {
    let integration = record.integration.as_deref().map(|name| match record.integration_version {
        Some(version) => format!("{name}@{version}"),
        None => name.to_owned(),
    });
    let of_change = record.change.as_ref().map(|change| change.of.clone()).filter(|of| !of.is_empty());
    let mut parts: Vec<String> = [integration.clone(), record.operation.clone()].into_iter().flatten().collect();
    // Of a grant the integration is told already.
    if record.integration != of_change {
        parts.extend(of_change);
    }
    let mut told = parts.join(" ");
    if let Some(denial) = &record.denial {
        // The words of newer records stand beside the chain: `audit show` reads them.
        if !denial.asked.is_empty() {
            told += &format!(": {}", denial.asked);
        }
    } else if let Some(error) =
        record.error.as_deref().filter(|error| Some(*error) != record.status.map(Status::as_str))
    {
        told += &format!(": {error}");
    } else if let Some(message) = &record.message {
        told += &format!("{}{message}", if told.is_empty() { "" } else { ": " });
    }
    if record.mode == Some(portcullis_runtime::Mode::Sandbox) && record.kind != Kind::Denial {
        told += " (sandbox)";
    }
    if told.is_empty() { "-".to_owned() } else { printable(&told, 300) }
}
