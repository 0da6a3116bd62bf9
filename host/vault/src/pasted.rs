//! A secret as people paste it: with a byte order mark in front, line ends behind, quotes around, and characters in it that
//! are not to be seen. What can only be an accident is taken off; what may be one is refused, with its name and its place,
//! before anything is stored. A provider's 401 would say nothing of it.

use zeroize::Zeroizing;

use crate::secret::SecretError;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Pairs of quotes that stand around a text that was copied with them.
const QUOTES: [(char, char); 9] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{2018}', '\u{2019}'),
    ('\u{ab}', '\u{bb}'),
    ('\u{bb}', '\u{ab}'),
    ('\u{ff02}', '\u{ff02}'),
];

/// Takes off a byte order mark, as Windows writes it before UTF-8. UTF-16 is refused: as bytes it is another secret.
pub(crate) fn without_mark(bytes: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let bytes = Zeroizing::new(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(SecretError::Utf16);
    }
    Ok(match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => Zeroizing::new(rest.to_vec()),
        None => bytes,
    })
}

/// One secret without the line ends behind it, if it can be one.
pub(crate) fn one_line(bytes: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut bytes = without_mark(bytes)?;
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        // Of another character set: only what is the same in all of them can be judged.
        return match bytes.iter().position(u8::is_ascii_control) {
            Some(at) => Err(refused(char::from(bytes.get(at).copied().unwrap_or_default()), at)),
            None => Ok(bytes),
        };
    };
    let mut ends = text.chars();
    if let (Some(first), Some(last)) = (ends.next(), ends.next_back())
        && QUOTES.contains(&(first, last))
    {
        return Err(SecretError::Quoted(first));
    }
    let last = text.chars().count().saturating_sub(1);
    let wrong = |(at, c): &(usize, char)| name(*c).is_some() || (*c == ' ' && (*at == 0 || *at == last));
    match text.chars().enumerate().find(wrong) {
        Some((at, c)) => Err(refused(c, at)),
        None => Ok(bytes),
    }
}

/// A document's characters: any but control characters that are no white space.
pub(crate) fn document(bytes: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let bytes = without_mark(bytes)?;
    let odd = |byte: &u8| byte.is_ascii_control() && !b"\n\r\t".contains(byte);
    match bytes.iter().position(odd) {
        Some(at) => Err(refused(char::from(bytes.get(at).copied().unwrap_or_default()), at)),
        None => Ok(bytes),
    }
}

/// The first character that is not printable ASCII, and its number, from 1.
pub(crate) fn not_ascii(bytes: &[u8]) -> Option<(String, usize)> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let at = bytes.iter().position(|byte| !byte.is_ascii())?;
        return Some(("a byte that is not ASCII".to_owned(), at + 1));
    };
    let (at, c) = text.chars().enumerate().find(|(_, c)| !c.is_ascii())?;
    Some((format!("{} (U+{:04X})", name(c).or(punctuation(c)).unwrap_or("a character"), u32::from(c)), at + 1))
}

fn refused(c: char, at: usize) -> SecretError {
    SecretError::Character { what: name(c).unwrap_or("a space"), code: u32::from(c), at: at + 1 }
}

/// What a character is called that no secret has: one of control, or one that is not to be seen.
fn name(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "a zero byte",
        '\t' => "a tab",
        '\n' => "a line feed",
        '\r' => "a carriage return",
        '\u{1b}' => "an escape character",
        '\u{a0}' | '\u{202f}' => "a no-break space",
        '\u{ad}' => "a soft hyphen",
        '\u{200b}' => "a zero-width space",
        '\u{200c}' | '\u{200d}' => "a zero-width joiner",
        '\u{2028}' | '\u{2029}' => "a line separator",
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a mark of the direction of writing"
        }
        '\u{2060}'..='\u{2065}' | '\u{180e}' | '\u{206a}'..='\u{206f}' => "a character that is not to be seen",
        '\u{feff}' => "a byte order mark",
        '\u{fffd}' => "a replacement character, which stands for what somebody could not read",
        c if c.is_control() => "a control character",
        c if c.is_whitespace() && c != ' ' => "a space that is none of ASCII",
        _ => return None,
    })
}

/// What word processors put in place of what was typed.
fn punctuation(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201c}'..='\u{201e}' | '\u{ab}' | '\u{bb}' => "a typographic quote",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "a typographic dash",
        '\u{2026}' => "an ellipsis",
        _ => return None,
    })
}
