//! Text of a stranger, made fit to be shown: bounded, and without anything that a terminal or a log viewer would act on.
//!
//! This is the one place that decides which characters are shown as they are ([`is_plain`]) and how others are written: as
//! text, `\u{202e}` ([`escape`]), or where JSON is written as an escape of JSON, `\u202e`, so that the value stays the same
//! ([`plain_json`]). Whatever shows strangers' text on a terminal, in a log, in an error or in an export goes through here.

use std::borrow::Cow;

/// At most `most` characters of `text`, and an ellipsis where there were more; what is not plain is escaped.
pub fn printable(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        escape(c, &mut shown);
    }
    shown
}

/// A text of several lines, fit to be shown: its line ends and tabs stay.
pub fn printable_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\t') { shown.push(c) } else { escape(c, &mut shown) }
    }
    shown
}

/// Adds a character as it is shown.
pub fn escape(c: char, shown: &mut String) {
    if is_plain(c) {
        shown.push(c);
    } else {
        shown.extend(c.escape_default());
    }
}

/// Whether a character is only what it looks like: no control character (C0, DEL, C1), and none of the characters without a
/// shape of their own by which text can pretend to be other text or hide some (bidirectional controls, zero-width and filling
/// characters, line and paragraph separators, byte order marks, tags and what is reserved beside them).
pub fn is_plain(c: char) -> bool {
    let hidden = matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_control() && !hidden
}

/// The same JSON in plain characters. JSON itself leaves DEL, the control characters from U+0080 and bidirectional overrides
/// as they are; only strings hold these, and in strings there is an escape for each. Line ends between values stay.
pub fn plain_json(json: &str) -> Cow<'_, str> {
    let shown = |c: char| is_plain(c) || c == '\n';
    if json.chars().all(shown) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if shown(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped += &format!("\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What must never reach a terminal as it is, one of each sort.
    const HIDDEN: &str = "\0\x07\x1b\x7f\u{80}\u{85}\u{9b}\u{9f}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{e0041}\u{e007f}";

    #[test]
    fn what_a_terminal_would_act_on_comes_out_as_text() {
        for text in ["\x1b]0;owned\x07", "a\r\nb", "\u{9b}31m", "\u{202e}gpj.exe", "a\u{200b}b", "a\u{2028}b", HIDDEN] {
            assert!(printable(text, 100).chars().all(is_plain), "{text:?}");
        }
        assert_eq!(printable("äöü", 2), "äö…");
        assert_eq!(printable("äöü", 3), "äöü");
        assert!(HIDDEN.chars().all(|c| !is_plain(c)) && "aä漢🙂 ⚠\u{fe0f}".chars().all(is_plain));
        assert_eq!(printable_lines("a\n\tb\x1b[2J\r\n"), "a\n\tb\\u{1b}[2J\\r\n");
    }

    #[test]
    fn json_in_plain_characters_has_the_same_value() {
        let value = serde_json::json!({ HIDDEN: HIDDEN, "plain": ["ä", "\n"] });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let plain = plain_json(&text);
        assert!(plain.chars().all(|c| is_plain(c) || c == '\n'), "{plain}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).unwrap(), value);
        assert!(matches!(plain_json("{\"a\": \"ä\"}"), Cow::Borrowed(_)));
    }
}
