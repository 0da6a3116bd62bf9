//! Results: a line of JSON for each engine and kind, or tables for people; and progress on standard error.

use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
/// What takes longer than this is worth a line, and one more each time that passes again.
const OFTEN: Duration = Duration::from_secs(2);

/// What came of one kind of trial with one engine.
pub(crate) trait Trial: Serialize {
    /// Whether nothing went wrong.
    fn is_good(&self) -> bool;

    /// What went wrong, in words.
    fn problems(&self) -> &[String];
}

/// All results.
#[derive(Debug, Default)]
pub(crate) struct Report {
    json: bool,
    /// The columns of the table that is being told.
    columns: Vec<String>,
    failed: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, ..Self::default() }
    }

    /// Whether anything went wrong.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Tells one result.
    pub(crate) fn add(&mut self, title: &str, result: &impl Trial) -> serde_json::Result<()> {
        self.failed |= !result.is_good();
        if self.json {
            anstream::println!("{}", serde_json::to_string(result)?);
        } else {
            let Value::Object(fields) = serde_json::to_value(result)? else { return Ok(()) };
            // In the order of the struct, which the object has lost.
            let text = serde_json::to_string(result)?;
            let mut names: Vec<&String> = fields.keys().filter(|name| shown(name, fields.get(*name))).collect();
            names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
            let columns: Vec<String> = names.iter().map(|name| name.replace('_', " ")).collect();
            if columns != self.columns {
                anstream::println!("\n{BOLD}{title}{BOLD:#}");
                let head: Vec<String> =
                    columns.iter().map(|name| format!("{name:>width$}", width = width(name))).collect();
                anstream::println!("{DIM}{}{DIM:#}", head.join("  "));
                self.columns = columns;
            }
            let cell = |name: &String| match fields.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => "-".to_owned(),
                Some(other) => other.to_string(),
            };
            let cells: Vec<String> =
                names.iter().map(|name| format!("{:>width$}", cell(name), width = width(name))).collect();
            let maps = fields.iter().filter_map(|(name, value)| Some((name, value.as_object()?)));
            let maps = maps.filter(|(_, map)| !map.is_empty()).map(|(name, map)| {
                let parts: Vec<String> = map.iter().map(|(key, value)| format!("{key} {value}")).collect();
                format!("        {DIM}{name}: {}{DIM:#}", parts.join(", "))
            });
            let maps: Vec<String> = maps.collect();
            let (style, word) = if result.is_good() { (GOOD, "good") } else { (BAD, "bad") };
            anstream::println!("{}  {style}{word}{style:#}", cells.join("  "));
            maps.iter().for_each(|map| anstream::println!("{map}"));
        }
        for problem in result.problems() {
            anstream::eprintln!("{BAD}·{BAD:#} {problem}");
        }
        Ok(())
    }
}

/// Whether a field is a column. What has parts of its own stands below.
fn shown(name: &str, value: Option<&Value>) -> bool {
    name != "problems" && !matches!(value, None | Some(Value::Object(_) | Value::Null))
}

fn width(name: &str) -> usize {
    name.len().max(6)
}

/// Says on standard error how far a long trial is.
#[derive(Debug)]
pub(crate) struct Progress {
    label: String,
    of: usize,
    began: Instant,
    told: Instant,
}

impl Progress {
    pub(crate) fn new(label: String, of: usize) -> Self {
        Self { label, of, began: Instant::now(), told: Instant::now() }
    }

    /// So many are done.
    pub(crate) fn at(&mut self, done: usize) {
        if self.told.elapsed() >= OFTEN {
            anstream::eprintln!(
                "{DIM}… {} {done} of {}, {} s{DIM:#}",
                self.label,
                self.of,
                self.began.elapsed().as_secs()
            );
            self.told = Instant::now();
        }
    }

    /// How long it took, in seconds.
    pub(crate) fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }
}
