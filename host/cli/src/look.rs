//! How things look: tables that line up, JSON that is one object, colour only on a terminal.

use anstyle::{AnsiColor, Style};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets::NOTHING};
use portcullis_runtime::{Adapter, Receipt, is_plain, printable};
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
    let _ = writeln!(anstream::stdout(), "{}", escaped(serde_json::to_string(value).unwrap_or_default()));
}

/// A value as JSON. What a terminal would act on is escaped, and the value stays the same: JSON itself leaves DEL, the
/// control characters from U+0080 and bidirectional overrides as they are, and any upstream can write them.
pub(crate) fn json_text(value: &impl Serialize) -> String {
    escaped(serde_json::to_string_pretty(value).unwrap_or_default())
}

fn escaped(text: String) -> String {
    let shown = |c: char| is_plain(c) || c == '\n';
    if text.chars().all(shown) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if shown(c) {
            escaped.push(c);
        } else {
            // Only strings hold such characters, and in strings this is how they are written.
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped += &format!("\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// A text of several lines, fit to be shown.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(|line| printable(line, usize::MAX)).collect::<Vec<_>>().join("\n")
}

/// A text as lines that fit the terminal, and no longer than is good to read; each moved in.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let most = usize::from(width().min(100)).saturating_sub(indent).max(40);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{:indent$}{line}", "")).collect::<Vec<_>>().join("\n")
}

/// Names and values, one below the other. A value is broken between words, never within one: digests are copied.
pub(crate) fn pairs(rows: &[(String, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        let indent = widest + 4;
        let broken: Vec<String> = match value.contains('\n') {
            // Lines of their own stay as they are.
            true => value.lines().map(|line| format!("{:indent$}{line}", "")).collect(),
            false => vec![wrapped(value, indent)],
        };
        let broken = broken.join("\n");
        text += &format!("  {name:<widest$}  {}\n", broken.get(indent..).unwrap_or_default());
    }
    text.trim_end().to_owned()
}

/// A heading over a table.
pub(crate) fn heading(text: &str) -> String {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    format!("\n{style}{text}{style:#}")
}

/// A table without lines. Only its last column is broken to fit the terminal: what stands in the others is copied.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
    if !header.is_empty() {
        table.set_header(header.iter().map(|name| (*name).to_uppercase()));
    }
    for row in rows {
        table.add_row(row);
    }
    // Where the last column would be a ribbon of letters, a long line is the lesser evil.
    let others: u16 = table.column_max_content_widths().iter().rev().skip(1).map(|width| width + 2).sum();
    if width() < others + 24 {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    let last = table.column_count().saturating_sub(1);
    for column in table.column_iter_mut().take(last) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.lines().map(|line| format!(" {}", line.trim_end())).collect::<Vec<_>>().join("\n")
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
    format!("  digest    {}\n  size      {size}\n  contract  portcullis:adapter@{}\n", upload.digest, upload.contract)
}

/// What an adapter's file imports.
pub(crate) fn imports(adapter: &Adapter) -> String {
    let rows = adapter.upload().imports.iter().map(|import| vec![import.name.clone(), import.power.to_owned()]);
    format!("{}\n{}", heading("Imports: what it can call at all"), table(&["import", "power"], rows))
}

/// The terminal's width, or COLUMNS, or 120.
pub(crate) fn width() -> u16 {
    let terminal =
        rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col).filter(|width| *width > 0);
    let columns = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    terminal.or_else(columns).unwrap_or(120).max(60)
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
