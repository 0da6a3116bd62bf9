//! The base64 of a PEM section as people paste it: lines that end in `\n` written out, as in a variable or in JSON, with
//! spaces in place of line ends, moved in, or ended as on Windows.

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use crate::pasted;

/// What a section's text stands for; or what is wrong with it. Tells which character is odd, and nothing else of the text.
pub(crate) fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut characters = text.chars().enumerate().peekable();
    while let Some((at, c)) = characters.next() {
        let written_out = |next: Option<&(usize, char)>| matches!(next, Some((_, 'n' | 'r' | 't' | '\\')));
        match c {
            // `\n`, and `\\n` where it was escaped twice.
            '\\' if written_out(characters.peek()) => {
                while characters.next_if(|(_, c)| *c == '\\').is_some() {}
                characters.next_if(|(_, c)| matches!(c, 'n' | 'r' | 't'));
            }
            c if c.is_whitespace() || c == '\u{feff}' => {}
            c if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') => {
                packed.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            c => {
                let what = match pasted::not_ascii(c.encode_utf8(&mut [0; 4]).as_bytes()) {
                    Some((what, _)) => what,
                    None => format!(
                        "`{}` (U+{:04X})",
                        portcullis_gate::printable(c.encode_utf8(&mut [0; 4]), 1),
                        u32::from(c)
                    ),
                };
                return Err(format!("its base64 is damaged: character {} after the BEGIN line is {what}", at + 1));
            }
        }
    }
    let mut der = Zeroizing::new(vec![0; packed.len()]);
    let length = BASE64_STANDARD
        .decode_slice(packed.as_slice(), &mut der)
        .map_err(|_| "its base64 is damaged: it is cut short, or has `=` within it".to_owned())?;
    der.truncate(length);
    Ok(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_taken_however_they_were_written() {
        for text in [
            "\nAQID\nBAUG\n",
            "\\nAQID\\nBAUG\\n",
            "\\r\\nAQID\\r\\nBAUG\\r\\n",
            "\\\\nAQID\\\\nBAUG",
            " AQID BAUG ",
            "\r\n\tAQID\r\n\tBAUG\r\n",
            "\u{a0}AQID\u{feff}BAUG",
        ] {
            assert_eq!(decode(text).unwrap().as_slice(), [1, 2, 3, 4, 5, 6], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_base64_is_named_and_placed() {
        let error = |text: &str| decode(text).unwrap_err();
        assert!(error("\nAQ\u{2013}D").contains("character 4 after the BEGIN line is a typographic dash (U+2013)"));
        assert!(error("AQ*D").contains("character 3 after the BEGIN line is `*` (U+002A)"));
        assert!(error("AQIDB").contains("cut short"));
    }
}
