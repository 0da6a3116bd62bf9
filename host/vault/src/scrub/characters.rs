//! One escape at a time: what the characters behind a `%`, `\`, `&` or `=` stand for.
//!
//! Read as generously as the most generous decoder does. What is no escape stays what it is.

/// An escape that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// How many bytes the escape is long.
    pub(super) used: usize,
    pub(super) meant: Meant,
}

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    Nothing,
    Byte(u8),
    /// In UTF-8. Not ASCII.
    Character(char),
}

impl Decoded {
    fn byte(used: usize, byte: u8) -> Self {
        Self { used, meant: Meant::Byte(byte) }
    }

    fn nothing(used: usize) -> Self {
        Self { used, meant: Meant::Nothing }
    }

    fn character(used: usize, code: u32) -> Option<Self> {
        let character = char::from_u32(code)?;
        let ascii = u8::try_from(code).ok().filter(u8::is_ascii);
        Some(Self { used, meant: ascii.map_or(Meant::Character(character), Meant::Byte) })
    }

    /// The same as Latin-1, where it is a character that Latin-1 has.
    pub(super) fn narrow(self) -> Self {
        match self.meant {
            Meant::Character(c) => Self { meant: u8::try_from(c).map_or(self.meant, Meant::Byte), ..self },
            _ => self,
        }
    }
}

impl Meant {
    /// Its bytes, for `take`.
    #[inline(always)]
    pub(super) fn bytes<T>(self, take: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Nothing => take(&[]),
            Self::Byte(byte) => take(&[byte]),
            Self::Character(character) => take(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// `%41`, at the beginning of `text`.
#[inline(always)]
pub(super) fn percent(text: &[u8]) -> Option<Decoded> {
    match text {
        [b'%', high, low, ..] => Some(Decoded::byte(3, pair(*high, *low)?)),
        _ => None,
    }
}

/// `=41` of quoted-printable, or a line break that it put in (RFC 2045, 6.7).
#[inline(always)]
pub(super) fn quoted_printable(text: &[u8]) -> Option<Decoded> {
    match text {
        [b'=', b'\r', b'\n', ..] => Some(Decoded::nothing(3)),
        [b'=', b'\n', ..] => Some(Decoded::nothing(2)),
        [b'=', high, low, ..] => Some(Decoded::byte(3, pair(*high, *low)?)),
        _ => None,
    }
}

/// What a backslash begins in JSON, JavaScript, Python, PHP, C or a shell.
#[inline]
pub(super) fn backslash(text: &[u8]) -> Option<Decoded> {
    match text {
        [b'\\', b'u', b'{', rest @ ..] => {
            let (code, digits) = number(rest, 16, 6)?;
            (rest.get(digits) == Some(&b'}')).then(|| Decoded::character(digits + 4, code))?
        }
        [b'\\', b'u', rest @ ..] => {
            let (first, 4) = number(rest, 16, 4)? else { return None };
            if !(0xd800..0xdc00).contains(&first) {
                return Decoded::character(6, first);
            }
            let [b'\\', b'u', rest @ ..] = rest.get(4..)? else { return None };
            let (second @ 0xdc00..0xe000, 4) = number(rest, 16, 4)? else { return None };
            Decoded::character(12, 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        }
        [b'\\', b'U', rest @ ..] => match number(rest, 16, 8)? {
            (code, 8) => Decoded::character(10, code),
            _ => None,
        },
        [b'\\', b'x', high, low, ..] => Some(Decoded::byte(4, pair(*high, *low)?)),
        [b'\\', b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', ..] => {
            let (code, _) = number(text.get(1..)?, 8, 3)?;
            Some(Decoded::byte(4, u8::try_from(code).ok()?))
        }
        [b'\\', b'\r', b'\n', ..] => Some(Decoded::nothing(3)),
        [b'\\', b'\n', ..] => Some(Decoded::nothing(2)),
        [b'\\', short, ..] => {
            let byte = match short {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                b'v' => 11,
                b'a' => 7,
                b'e' => 27,
                b'0' => 0,
                b' ' => b' ',
                other if other.is_ascii_punctuation() => *other,
                _ => return None,
            };
            Some(Decoded::byte(2, byte))
        }
        _ => None,
    }
}

/// `&#65;`, `&#x41;`, with or without the semicolon, and the names of what is not a letter or is Latin-1.
pub(super) fn reference(text: &[u8]) -> Option<Decoded> {
    let rest = text.strip_prefix(b"&")?;
    if let Some(rest) = rest.strip_prefix(b"#") {
        let (before, radix, digits) = match rest {
            [b'x' | b'X', rest @ ..] => (3, 16, rest),
            _ => (2, 10, rest),
        };
        let (code, length) = number(digits, radix, 8)?;
        let semicolon = usize::from(digits.get(length) == Some(&b';'));
        return Decoded::character(before + length + semicolon, code);
    }
    let length = rest.iter().take(LONGEST_NAME + 1).position(|b| !b.is_ascii_alphanumeric())?;
    if rest.get(length) != Some(&b';') {
        return None;
    }
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    let code = match NAMED.iter().find(|(known, _)| *known == name) {
        Some((_, code)) => u32::from(*code),
        None => 0xa0 + u32::try_from(LATIN.split(' ').position(|known| known == name)?).ok()?,
    };
    Decoded::character(length + 2, code)
}

/// What each hexadecimal digit stands for.
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut slots: &mut [u8] = &mut digits;
    let mut byte = 0_u8;
    while let [slot, behind @ ..] = slots {
        *slot = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => NONE,
        };
        byte = byte.wrapping_add(1);
        slots = behind;
    }
    digits
};
const NONE: u8 = 0xff;

#[inline(always)]
fn digit(byte: u8) -> u8 {
    DIGITS.get(usize::from(byte)).copied().unwrap_or(NONE)
}

#[inline(always)]
fn pair(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (digit(high), digit(low));
    (high | low < 16).then_some(high << 4 | low)
}

/// A number, and its length: as many digits as there are, at least one, at most `most`.
#[inline]
fn number(text: &[u8], radix: u32, most: usize) -> Option<(u32, usize)> {
    let mut value = 0_u32;
    let mut length = 0;
    for digit in text.iter().take(most).map(|b| u32::from(digit(*b))).take_while(|digit| *digit < radix) {
        value = value.checked_mul(radix)?.checked_add(digit)?;
        length += 1;
    }
    (length > 0).then_some((value, length))
}

const LONGEST_NAME: usize = 8;

/// The HTML standard's names for ASCII.
const NAMED: &[(&str, u8)] = &[
    ("amp", b'&'),
    ("lt", b'<'),
    ("gt", b'>'),
    ("quot", b'"'),
    ("apos", b'\''),
    ("AMP", b'&'),
    ("LT", b'<'),
    ("GT", b'>'),
    ("QUOT", b'"'),
    ("Tab", b'\t'),
    ("NewLine", b'\n'),
    ("excl", b'!'),
    ("num", b'#'),
    ("dollar", b'$'),
    ("percnt", b'%'),
    ("lpar", b'('),
    ("rpar", b')'),
    ("ast", b'*'),
    ("midast", b'*'),
    ("plus", b'+'),
    ("comma", b','),
    ("period", b'.'),
    ("sol", b'/'),
    ("colon", b':'),
    ("semi", b';'),
    ("equals", b'='),
    ("quest", b'?'),
    ("commat", b'@'),
    ("lsqb", b'['),
    ("lbrack", b'['),
    ("bsol", b'\\'),
    ("rsqb", b']'),
    ("rbrack", b']'),
    ("Hat", b'^'),
    ("lowbar", b'_'),
    ("UnderBar", b'_'),
    ("grave", b'`'),
    ("lcub", b'{'),
    ("lbrace", b'{'),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("VerticalLine", b'|'),
    ("rcub", b'}'),
    ("rbrace", b'}'),
];

/// The names of U+00A0 to U+00FF, in this order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 \
    acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring \
    AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times \
    Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute \
    ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml \
    yacute thorn yuml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_stands_for_what_its_encoder_had() {
        let cases: &[(&str, &[u8])] = &[
            ("%4a", b"J"),
            ("%FC", b"\xfc"),
            ("=3D", b"="),
            ("=\r\n", b""),
            ("=\n", b""),
            ("\\n", b"\n"),
            ("\\/", b"/"),
            ("\\\"", b"\""),
            ("\\\\", b"\\"),
            ("\\u002B", b"+"),
            ("\\u00fc", "ü".as_bytes()),
            ("\\ud83d\\ude00", "😀".as_bytes()),
            ("\\u{1f600}", "😀".as_bytes()),
            ("\\U0001F600", "😀".as_bytes()),
            ("\\xfC", b"\xfc"),
            ("\\053", b"+"),
            ("\\\n", b""),
            ("&amp;", b"&"),
            ("&#43;", b"+"),
            ("&#43", b"+"),
            ("&#x2B;", b"+"),
            ("&#X2b;", b"+"),
            ("&nbsp;", "\u{a0}".as_bytes()),
            ("&uuml;", "ü".as_bytes()),
            ("&yuml;", "ÿ".as_bytes()),
        ];
        for (text, bytes) in cases {
            let text = text.as_bytes();
            let decoded = [percent, quoted_printable, backslash, reference].iter().find_map(|decode| decode(text));
            let decoded = decoded.unwrap_or_else(|| panic!("{}", text.escape_ascii()));
            assert_eq!(decoded.meant.bytes(<[u8]>::to_vec), *bytes, "{}", text.escape_ascii());
            assert_eq!(decoded.used, text.len(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_escape_is_left_alone() {
        for text in
            ["%", "%4", "%4g", "=", "=4", "\\", "\\q", "\\u12", "\\ud83d", "\\ud83d\\n", "&", "&amp", "&#;", "&no;"]
        {
            let text = text.as_bytes();
            let decoded = [percent, quoted_printable, backslash, reference].iter().find_map(|decode| decode(text));
            assert_eq!(decoded, None, "{}", text.escape_ascii());
        }
    }
}
