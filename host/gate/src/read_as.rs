//! Whether some server reads one name as another: the name of a query parameter, of a form's field, of a JSON member, of a
//! header field or of a cookie.
//!
//! A slot writes such a name. A guest that could write another name which a server takes for the slot's would choose the
//! credential for that server. So a guest's name is compared as the most generous server reads it. Where this says that two
//! names are the same and no server does, a request is refused that could have been sent; the other way round is a hole.
//!
//! | what is read over | by whom |
//! | --- | --- |
//! | case, also of letters outside ASCII; letters of full width | IIS, ASP.NET; databases' collations |
//! | which of `_`, `-`, `.` and space joins words; white space at the ends; what is not to be seen | PHP (`.` and space are `_`), CGI (`-` is `_`) |
//! | what follows `[`, `:` or a zero byte | PHP and Rails (`key[]`, `key[0]`), Zope (`key:list`), C |
//! | brackets at all | PHP (`client[key` is `client_key`), qs (`[key]`) |
//! | further layers of percent-encoding | servers behind servers that decode |

use crate::query::Decoded;

/// Most layers of percent-encoding that are undone. Decoding ends earlier where nothing is left to decode.
const MAX_LAYERS: usize = 4;

/// Whether some server may read `name`, decoded once, as `own`. Allocates nothing for names of ASCII without `%`.
pub fn is_read_as(own: &str, name: impl Iterator<Item = u8> + Clone) -> bool {
    if name.clone().all(|byte| byte.is_ascii() && byte != b'%') && own.is_ascii() {
        return matches(|| own.bytes().map(char::from), || name.clone().map(char::from));
    }
    let mut text: Vec<u8> = name.collect();
    for _ in 0..MAX_LAYERS {
        let read = String::from_utf8_lossy(&text);
        // Bytes that are no UTF-8 may be Latin-1.
        let latin: String = text.iter().map(|byte| char::from(*byte)).collect();
        if matches(|| own.chars(), || read.chars()) || matches(|| own.chars(), || latin.chars()) {
            return true;
        }
        let next: Vec<u8> = Decoded(&text).collect();
        if next == text {
            return false;
        }
        text = next;
    }
    // What is still encoded after so many layers is nothing that an honest sender writes.
    true
}

/// Whether a name, in one of the ways to read it, is the other.
fn matches<O: Iterator<Item = char>, N: Iterator<Item = char>>(own: impl Fn() -> O, name: impl Fn() -> N) -> bool {
    let cut = |c: &char| !matches!(c, '[' | ']' | ':' | '\0');
    let own = || Folded::new(own());
    // The whole name; up to the first bracket; and behind brackets that it begins with, up to the next.
    own().eq(Folded::new(name()))
        || own().eq(Folded::new(name().take_while(cut)))
        || own().eq(Folded::new(name().skip_while(|c| *c == '[' || c.is_whitespace()).take_while(cut)))
}

/// A name's characters as they are compared: lower case, one `_` for what joins words, without white space at its ends and
/// without what is not to be seen.
struct Folded<I> {
    name: I,
    begun: bool,
    /// White space was read over, and nothing behind it yet.
    space: bool,
    /// Comes next.
    next: Option<char>,
    /// What else a letter became in lower case.
    lower: Option<std::char::ToLowercase>,
}

impl<I: Iterator<Item = char>> Folded<I> {
    fn new(name: I) -> Self {
        Self { name, begun: false, space: false, next: None, lower: None }
    }
}

impl<I: Iterator<Item = char>> Iterator for Folded<I> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if let Some(next) = self.next.take().or_else(|| self.lower.as_mut()?.next()) {
            return Some(next);
        }
        loop {
            let c = narrow(self.name.next()?);
            if c.is_whitespace() {
                self.space = true;
                continue;
            }
            if c.is_control() || is_unseen(c) || c == ']' {
                continue;
            }
            let mut lower = c.to_lowercase();
            let read = match lower.next()? {
                '-' | '.' | '[' | '+' => '_',
                read => read,
            };
            self.lower = Some(lower);
            let joined = std::mem::take(&mut self.space) && self.begun;
            self.begun = true;
            if joined {
                self.next = Some(read);
                return Some('_');
            }
            return Some(read);
        }
    }
}

/// A letter of full width as the plain one, and the letters outside ASCII that case folding makes ASCII.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{17f}' => 's',
        '\u{130}' | '\u{131}' => 'i',
        '\u{212a}' => 'k',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{203f}' => '_',
        _ => c,
    }
}

/// Characters without a width of their own: combining marks, joiners, marks of direction, the byte order mark.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select, test_runner::Config};

    use super::*;

    fn is(own: &str, name: &str) -> bool {
        is_read_as(own, name.bytes())
    }

    #[test]
    fn a_name_that_some_server_reads_as_the_slots_is_the_slots() {
        for name in [
            "client_key",
            "CLIENT_KEY",
            "client.key",
            "client key",
            " client_key",
            "client_key ",
            "\tclient_key",
            "client-key",
            "client_key[]",
            "client_key[0]",
            "client_key[a][b]",
            "client[key",
            "[client_key]",
            "[client_key][]",
            "client_key\0",
            "client_key\0x",
            "client_key:list",
            "client\u{a0}key",
            "client%5Fkey",
            "client%255Fkey",
            "%63lient_key",
            "ｃｌｉｅｎｔ_ｋｅｙ",
            "client_\u{212a}ey",
            "cl\u{131}ent_key",
            "client\u{200b}_key",
            "\u{feff}client_key",
            "client\u{2010}key",
            "clie\u{301}nt_key",
            "client_key\r\n",
            "client+key",
        ] {
            assert!(is("client_key", name), "{name:?}");
            assert!(is("Client-Key", name), "{name:?}");
        }
        assert!(is("api[key]", "api[key]") && is("api[key]", "API[KEY]") && is("key", "key[]"));
        assert!(is_read_as("schlüssel", b"schl\xfcssel".iter().copied()), "Latin-1");
    }

    #[test]
    fn other_names_are_others() {
        for name in [
            "",
            "client",
            "key",
            "client_keys",
            "a_client_key",
            "client_id",
            "client_key_",
            "_client_key",
            "x[client_key]",
            "%",
            "%zz",
        ] {
            assert!(!is("client_key", name), "{name:?}");
        }
    }

    /// What a generous server reads over.
    fn changes() -> impl Strategy<Value = Vec<(usize, &'static str)>> {
        const INSERTED: &[&str] = &["", "\u{200b}", "\u{feff}", "\u{ad}", "\u{301}", "%e2%80%8b", "%25e2%2580%258b"];
        proptest::collection::vec((0_usize..12, select(INSERTED)), 0..4)
    }

    proptest! {
        #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

        #[test]
        fn no_mix_of_what_servers_read_over_makes_another_name(
            changes in changes(), upper in any::<u16>(), wide in any::<u16>(),
            joint in select(&["_", "-", ".", " ", "\t", "\u{a0}", "\u{2010}", "%5f", "%2e", "%255f"][..]),
            end in select(&["", "[]", "[0]", "[x][y]", ":int", "\0", " "][..]),
        ) {
            let mut name: Vec<String> = "client_key".chars().enumerate().map(|(at, c)| {
                let c = if upper >> at & 1 == 1 { c.to_ascii_uppercase() } else { c };
                let c = match wide >> at & 1 { 1 => char::from_u32(u32::from(c) + 0xfee0).unwrap(), _ => c };
                if c == '_' || c == '\u{ff3f}' { joint.to_owned() } else { c.to_string() }
            }).collect();
            for (at, text) in changes {
                name.insert(at.min(name.len()), text.to_owned());
            }
            let name = name.concat() + end;
            prop_assert!(is("client_key", &name), "{name:?}");
        }
    }
}
