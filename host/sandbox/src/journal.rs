//! What a guest says: its log, its standard output and its standard error.
//!
//! Bounded, so that a flood costs nothing, and clean of control characters, so that what is shown on a terminal or in a log
//! viewer is text and nothing else.

use serde::Serialize;

use crate::wit::Level;

/// Most text of one call, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Longest line, in bytes.
const MAX_LINE: usize = 4 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `trace` to `error`, or `stdout`, `stderr`.
    pub source: &'static str,
    /// The text, control characters escaped.
    pub text: String,
}

/// The lines of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Journal {
    /// In order.
    pub lines: Vec<Line>,
    /// Bytes that were dropped because the bounds were reached.
    pub dropped_bytes: u64,
    #[serde(skip)]
    bytes: usize,
}

impl Journal {
    /// Takes a log line.
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        let source = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.take(source, message);
    }

    /// Takes a piece of standard output or error. A piece that goes on where the last one of the same stream ended
    /// without a newline joins it.
    pub(crate) fn print(&mut self, source: &'static str, bytes: &[u8]) {
        for piece in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            self.take(source, piece.strip_suffix('\n').unwrap_or(piece));
        }
    }

    fn take(&mut self, source: &'static str, message: &str) {
        let room = MAX_BYTES.saturating_sub(self.bytes).min(MAX_LINE);
        let mut text = String::new();
        let mut taken = 0;
        for c in message.chars() {
            let before = text.len();
            if c == '\t' {
                text.push(c)
            } else {
                portcullis_gate::escape(c, &mut text)
            }
            if text.len() > room {
                text.truncate(before);
                break;
            }
            taken += c.len_utf8();
        }
        self.dropped_bytes += (message.len() - taken) as u64;
        // An empty line counts too, or a flood of them would be free.
        if room == 0 {
            return;
        }
        self.bytes += text.len() + 1;
        self.lines.push(Line { source, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_come_out_as_text() {
        let mut journal = Journal::default();
        journal.log(Level::Info, "\x1b[2J\x1b]0;owned\x07 done\r\u{9b}31m");
        assert!(!journal.lines[0].text.chars().any(char::is_control), "{:?}", journal.lines);
        journal.print("stdout", b"a\nb\xff\n\nc");
        let texts: Vec<&str> = journal.lines[1..].iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["a", "b\u{fffd}", "", "c"]);
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let mut journal = Journal::default();
        for _ in 0..100_000 {
            journal.print("stdout", b"\n");
        }
        for _ in 0..100 {
            journal.log(Level::Warn, &"x".repeat(10_000));
        }
        let kept: usize = journal.lines.iter().map(|line| line.text.len() + 1).sum();
        assert!(kept <= MAX_BYTES + 1, "{kept}");
        assert!(journal.lines.iter().all(|line| line.text.len() <= MAX_LINE));
        assert_eq!(journal.dropped_bytes, 1_000_000);
    }
}
