//! Text of a stranger, made fit to be shown: bounded, and without anything that a terminal or a log viewer would act on.

/// At most `most` characters of `text`; control characters, and the format characters by which text can pretend to be
/// other text (bidirectional overrides, zero-width characters, line and paragraph separators), are escaped.
pub fn printable(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        if is_plain(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    shown
}

/// Whether a character is only what it looks like.
pub fn is_plain(c: char) -> bool {
    let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_comes_out_as_text() {
        for text in ["\x1b]0;owned\x07", "a\r\nb", "\u{9b}31m", "\u{202e}gpj.exe", "a\u{200b}b", "a\u{2028}b"] {
            assert!(printable(text, 100).chars().all(is_plain), "{text:?}");
        }
        assert_eq!(printable("äöü", 2), "äö…");
        assert_eq!(printable("äöü", 3), "äöü");
    }
}
