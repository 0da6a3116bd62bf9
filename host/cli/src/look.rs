//! How things look: tables that line up, JSON that is one object, colour only on a terminal.

use anstyle::{AnsiColor, Style};
use portcullis_runtime::{Adapter, Receipt, plain_json, printable_lines};
use serde::Serialize;

/// Prints a value as one JSON document.
pub(crate) fn print_json(value: &impl Serialize) {
    use std::io::Write;
    // A reader that has gone away is no reason to panic.
    let _ = writeln!(anstream::stdout(), "{}", json_text(value));
}

/// Prints a value as JSON on one line.
pub(crate) fn print_json_line(value: &impl Serialize) {
    use std::io::Write;
    let _ = writeln!(anstream::stdout(), "{}", plain_json(&serde_json::to_string(value).unwrap_or_default()));
}

/// A value as JSON. What a terminal would act on is escaped, and the value stays the same.
pub(crate) fn json_text(value: &impl Serialize) -> String {
    plain_json(&serde_json::to_string_pretty(value).unwrap_or_default()).into_owned()
}

/// A text of several lines, fit to be shown.
pub(crate) fn lines(text: &str) -> String {
    printable_lines(text)
}

/// Widest that running text is set: longer lines are hard to read.
const MOST_TEXT: usize = 100;
/// Narrowest that anything is set.
const LEAST: usize = 40;
/// Narrowest that the last column of a table is set; below that a table is set as cards.
pub(crate) const LEAST_COLUMN: usize = 24;

/// A text as lines that fit the terminal, and no longer than is good to read; each moved in. Lines are broken between words
/// alone: a URL or a digest that is longer than a line stays whole, for it is copied.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let most = text_width().saturating_sub(indent);
    fill(text, most)
        .iter()
        .map(|line| format!("{:indent$}{line}", "").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The lines of a text, each of at most so many characters where its words allow that. Lines of its own stay.
pub(crate) fn fill(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for own in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in own.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > most {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        lines.push(line);
    }
    lines
}

/// Names and values, one below the other. A value is broken between words, never within one: digests are copied.
pub(crate) fn pairs(rows: &[(String, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        let indent = widest + 4;
        let own = || value.lines().map(|line| format!("{:indent$}{line}", "")).collect::<Vec<_>>().join("\n");
        // Lines of their own stay as they are. Beside a long name a value would be a ribbon of words.
        let broken = if value.contains('\n') { own() } else { wrapped(value, indent) };
        if indent > width() / 2 || (broken.lines().any(|line| line.chars().count() > width()) && indent > 8) {
            text += &format!("  {name}\n{}\n", wrapped(value, 6));
        } else {
            text += &format!("  {name:<widest$}  {}\n", broken.get(indent..).unwrap_or_default());
        }
    }
    text.trim_end().to_owned()
}

/// A heading over a table.
pub(crate) fn heading(text: &str) -> String {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    let lines = fill(text, text_width());
    let lines: Vec<String> = lines.iter().map(|line| format!("{style}{line}{style:#}")).collect();
    format!("\n{}", lines.join("\n"))
}

/// A table without lines, where it fits the terminal; cards where it does not. Only its last column is broken, between words:
/// what stands in the others is copied.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let names: Vec<String> = header.iter().map(|name| name.to_uppercase()).collect();
    let columns = rows.iter().map(Vec::len).chain([names.len()]).max().unwrap_or(0);
    let length = |row: &Vec<String>, at: usize| row.get(at).map_or(0, |cell| cell.chars().count());
    let widest = |at: usize| rows.iter().chain([&names]).map(|row| length(row, at)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let before: usize = 2 + widths.iter().rev().skip(1).map(|width| width + 2).sum::<usize>();
    let last = widths.last().copied().unwrap_or(0);
    let word = |row: &Vec<String>| {
        let cell = row.get(columns.saturating_sub(1)).filter(|_| row.len() == columns);
        cell.map_or(0, |cell| cell.split([' ', '\n']).map(|word| word.chars().count()).max().unwrap_or(0))
    };
    let longest_word = rows.iter().map(word).max().unwrap_or(0);
    let room = width().saturating_sub(before);
    if room < last.min(longest_word.max(LEAST_COLUMN)) {
        return cards(header, &rows);
    }
    let line = |row: &Vec<String>| {
        let mut text = " ".to_owned();
        for (at, cell) in row.iter().enumerate() {
            if at + 1 < columns {
                let width = widths.get(at).copied().unwrap_or(0);
                text += &format!(" {cell:<width$} ");
                continue;
            }
            let broken = fill(cell, room);
            text += &format!(" {}", broken.join(&format!("\n{:before$}", "")));
        }
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let head = names.iter().any(|name| !name.is_empty()).then_some(&names);
    head.into_iter().chain(&rows).map(line).collect::<Vec<_>>().join("\n")
}

/// Rows one below the other, each with its first cell as its name.
fn cards(header: &[&str], rows: &[Vec<String>]) -> String {
    let card = |row: &Vec<String>| {
        let mut cells = row.iter().enumerate();
        let title = cells.next().map(|(_, title)| wrapped(title, 2)).unwrap_or_default();
        let facts: Vec<(String, String)> = cells
            .filter(|(_, cell)| !["", "-", "none"].contains(&cell.as_str()))
            .map(|(at, cell)| (header.get(at).map_or("", |name| *name).to_owned(), cell.clone()))
            .collect();
        let facts = pairs(&facts);
        let facts: Vec<String> = facts.lines().map(|line| format!("  {line}")).collect();
        [vec![title], facts].concat().join("\n")
    };
    rows.iter().map(card).collect::<Vec<_>>().join("\n")
}

/// The first paragraph of a description on one line: authors break their lines anywhere, also within a sentence.
pub(crate) fn paragraph(text: &str) -> String {
    let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// What an adapter's file is. Never broken to fit, for the digest is copied.
pub(crate) fn facts(adapter: &Adapter) -> String {
    let upload = adapter.upload();
    let size = bytes(upload.bytes as u64);
    let rows = [
        ("digest", upload.digest.clone()),
        ("size", size),
        ("contract", format!("portcullis:adapter@{}", upload.contract)),
    ];
    pairs(&rows.map(|(name, value)| (name.to_owned(), value))) + "\n"
}

/// What an adapter's file imports, by what it can do with it.
pub(crate) fn imports(adapter: &Adapter) -> String {
    let mut powers: Vec<(&str, Vec<&str>)> = Vec::new();
    for import in &adapter.upload().imports {
        match powers.iter_mut().find(|(power, _)| *power == import.power) {
            Some((_, names)) => names.push(&import.name),
            None => powers.push((import.power, vec![&import.name])),
        }
    }
    let mut text = heading("Imports: what it can call at all");
    for (power, names) in powers {
        text += &format!("\n{}\n{}", wrapped(power, 2), wrapped(&names.join(" "), 4));
    }
    text
}

/// The width that running text is set in.
pub(crate) fn text_width() -> usize {
    let width = width();
    if width == usize::MAX { width } else { width.min(MOST_TEXT) }
}

/// The width that output is made for: COLUMNS where it is set, the terminal's, or 80. With `COLUMNS=0` no line is broken.
pub(crate) fn width() -> usize {
    let columns: Option<usize> = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        let size = rustix::termios::tcgetwinsize(std::io::stdout())
            .or_else(|_| rustix::termios::tcgetwinsize(std::io::stderr()));
        size.ok().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0)
    };
    match columns {
        Some(0) => usize::MAX,
        columns => columns.or_else(terminal).unwrap_or(80).max(LEAST),
    }
}

/// What a call used; `passed` says what became of its requests.
pub(crate) fn receipt(receipt: &Receipt, passed: &str) -> String {
    table(&[], receipt_rows(receipt, passed))
}

/// The rows of that table.
pub(crate) fn receipt_rows(receipt: &Receipt, passed: &str) -> Vec<Vec<String>> {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    vec![
        row("fuel", receipt.fuel.to_string()),
        row("guest CPU", micros(receipt.guest_cpu_us)),
        row("host CPU", micros(receipt.host_cpu_us)),
        row("host work", format!("{} units", receipt.work)),
        row("wall", micros(receipt.wall_us)),
        row("peak memory", bytes(receipt.peak_memory_bytes)),
        row("requests", format!("{} {}, {} denied", receipt.requests, passed, receipt.denials)),
        row("bytes", format!("{} out, {} in", bytes(receipt.bytes_out), bytes(receipt.bytes_in))),
    ]
}

/// `1.2 MB`, `34 KB`, `5 B`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} KB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// `1.2 s`, `3.4 ms`, `56 µs`.
pub(crate) fn micros(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} µs"),
        1_000..1_000_000 => format!("{:.1} ms", count as f64 / 1e3),
        _ => format!("{:.1} s", count as f64 / 1e6),
    }
}

/// How long to wait, never told shorter than it is: `3 s`, `5 min`, `2 h`.
pub(crate) fn wait(milliseconds: u64) -> String {
    match milliseconds.div_ceil(1_000) {
        seconds @ 0..=120 => format!("{seconds} s"),
        seconds @ 121..=7_200 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3_600)),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_runtime::is_plain;

    use super::*;

    #[test]
    fn json_stays_what_it_is_and_holds_nothing_that_a_terminal_acts_on() {
        let value = serde_json::json!({"a\u{9b}31m": ["\u{7f}\u{202e}\u{e0041}\u{1b}[2J", "größe 日本 🦀\n"]});
        let text = json_text(&value);
        assert!(text.chars().all(|c| is_plain(c) || c == '\n'), "{text:?}");
        assert!(text.contains("größe 日本 🦀\\n"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert_eq!(lines("a\u{202e}\n\u{9b}"), "a\\u{202e}\n\\u{9b}");
    }

    #[test]
    fn a_sentence_that_goes_on_in_the_next_line_is_told_to_its_end() {
        assert_eq!(
            paragraph("Relative to `baseUrl`,\n and no more.\n\nThe rest."),
            "Relative to `baseUrl`, and no more."
        );
        assert_eq!(paragraph(""), "");
    }

    #[test]
    fn a_wait_is_never_told_shorter_than_it_is() {
        assert_eq!([0, 1, 2_400, 120_000].map(wait), ["0 s", "1 s", "3 s", "120 s"]);
        assert_eq!([120_001, 7_200_000, 7_200_001, u64::MAX].map(wait)[..3], ["3 min", "120 min", "3 h"]);
    }
}
