//! Whether bytes are JSON in the one form in which records are written (RFC 8785), as far as records need it.
//!
//! It is no parser: nothing is built, and it costs about as much as hashing does. Records know no fractions, so a number is
//! an integer between -(2^53 - 1) and 2^53 - 1. A second way to write a record would be a second set of bytes that says the
//! same to people and something else to another program (a name that stands there twice), so there is none.

use std::{borrow::Cow, cmp::Ordering};

/// Deepest nesting, as `serde_json` reads it.
const MAX_DEPTH: usize = 127;
/// Largest integer that every JSON parser reads as it is.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// What is not canonical, and at which byte.
pub(super) fn check(bytes: &[u8]) -> Result<(), (usize, &'static str)> {
    let text = std::str::from_utf8(bytes).map_err(|error| (error.valid_up_to(), "it is not UTF-8"))?;
    let mut scan = Scan { text, bytes, at: 0 };
    if scan.peek() != Some(b'{') {
        return scan.fail("an object begins with `{`");
    }
    scan.value(0)?;
    if scan.at < bytes.len() { scan.fail("something stands after the object") } else { Ok(()) }
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

type Checked = Result<(), (usize, &'static str)>;

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, (usize, &'static str)> {
        Err((self.at, what))
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Checked {
        if self.peek() != Some(byte) {
            return self.fail(what);
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Checked {
        if depth > MAX_DEPTH {
            return self.fail("it nests too deeply");
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                let word = [b"true".as_slice(), b"false", b"null"].into_iter().find(|word| rest.starts_with(word));
                match word {
                    Some(word) => self.at += word.len(),
                    None => return self.fail("no value begins like that"),
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, depth: usize) -> Checked {
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut before: Option<&'a str> = None;
        loop {
            let start = self.at;
            let name = self.string()?;
            match before.map_or(Ordering::Less, |before| in_order(before, name)) {
                Ordering::Less => {}
                Ordering::Equal => return Err((start, "a name stands there twice")),
                Ordering::Greater => return Err((start, "the names are not in order")),
            }
            before = Some(name);
            self.expect(b':', "a name is followed by `:`")?;
            self.value(depth + 1)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("a member is followed by `,` or `}`"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Checked {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("an item is followed by `,` or `]`"),
            }
        }
    }

    /// What stands between the quotes, as it is written.
    fn string(&mut self) -> Result<&'a str, (usize, &'static str)> {
        self.expect(b'"', "a name or string begins with `\"`")?;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let inside = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(inside);
                }
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return self.fail("a control character is not escaped"),
                Some(_) => self.at += 1,
                None => return self.fail("a string has no end"),
            }
        }
    }

    /// An escape, where there is no shorter way to write what it stands for.
    fn escape(&mut self) -> Checked {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
            [b'u', b'0', b'0', high @ (b'0' | b'1'), low @ (b'0'..=b'9' | b'a'..=b'f'), ..]
                if *high == b'1' || !matches!(low, b'8' | b'9' | b'a' | b'c' | b'd') =>
            {
                self.at += 6;
            }
            _ => return self.fail("an escape that is not needed, or is written otherwise"),
        }
        Ok(())
    }

    fn number(&mut self) -> Checked {
        const WHAT: &str = "a number is an integer below 2^53, written as such";
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let digits = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        let written = self.text.get(digits..self.at).unwrap_or_default();
        let plain = match written.as_bytes() {
            [b'0'] => !negative,
            [b'1'..=b'9', ..] => written.parse().is_ok_and(|number: u64| number <= MAX_INTEGER),
            _ => false,
        };
        if !plain || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err((start, WHAT));
        }
        Ok(())
    }
}

/// Names as RFC 8785 compares them: by their UTF-16, without their escapes.
fn in_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() && !a.contains('\\') && !b.contains('\\') {
        return a.cmp(b);
    }
    let (a, b) = (unescaped(a), unescaped(b));
    a.encode_utf16().cmp(b.encode_utf16())
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    serde_json::from_str(&format!("\"{text}\"")).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::check;

    #[test]
    fn there_is_one_way_to_write_a_record() {
        let one = r#"{"a":[1,-2,0,{}],"b":"\u0001\n\"\\/é\u007f","c":{"":true,"x":null}}"#.replace("\\u007f", "\u{7f}");
        assert_eq!(check(one.as_bytes()), Ok(()));
        for (from, to) in [
            ("[1,", "[1, "),
            ("[1,", "[1.0,"),
            ("[1,", "[1e3,"),
            ("[1,", "[01,"),
            ("[1,", "[-0,"),
            ("[1,", "[9007199254740992,"),
            ("[1,", "[1,,"),
            ("\\n", "\\u000a"),
            ("\\u0001", "\\u0001\\u00e9"),
            ("\\u0001", "\u{1}"),
            ("\\u0001", "\\ud800"),
            ("/", "\\/"),
            ("\"b\":", "\"a\":"),
            ("\"c\":", "\"aa\":"),
            ("\"c\":", "\"\\u0063\":"),
            ("null", "nul"),
            ("null", "NaN"),
            ("null}}", "null}} "),
            ("null}}", "null}"),
            ("{\"a\"", " {\"a\""),
            ("{\"a\"", "\u{feff}{\"a\""),
        ] {
            assert!(one.contains(from), "{from}");
            assert!(check(one.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
        assert!(check(b"").is_err() && check(b"[]").is_err() && check(b"{\"a\":\"\xff\"}").is_err());
        let deep = |levels| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(check(deep(126).as_bytes()).is_ok() && check(deep(200_000).as_bytes()).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0_u64..1 << 53).prop_map(Value::from),
            "\\PC{0,6}|[\\x00-\\x7f]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,4}|[\\x00-\\x7f]{0,4}", inner, 0..6).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_another_implementation_writes_is_canonical_and_nothing_else_is(value in values()) {
            let value = json!({ "value": value });
            let canonical = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(check(canonical.as_bytes()), Ok(()));
            let other = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(check(other.as_bytes()).is_ok(), other == canonical, "{}", other);
        }
    }
}
