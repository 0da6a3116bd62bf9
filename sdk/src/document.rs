//! JSON as text that is looked into without being taken apart: what an adapter only hands on costs a pass over it, and no tree.
//!
//! serde_json says whether a text is JSON. Here it is copied without its spaces, and it is noted where each list and object ends, so
//! that whoever looks for one member steps over the others.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
    ser::SerializeStruct,
};

use crate::{
    Number, Value,
    value::{Any, MAX_DEPTH, TEXT, read_text, steps},
};

/// A number of fewer bytes that has no exponent is within what a float holds.
const SHORT: usize = 300;

/// A text of JSON without spaces.
#[derive(Clone)]
pub(crate) struct Document {
    text: String,
    /// Its lists and objects, in the order in which they begin.
    inner: Vec<Inner>,
}

/// A list or an object.
#[derive(Clone, Copy, Default)]
struct Inner {
    /// Where it ends: the place behind its bracket.
    end: usize,
    /// The first one that begins behind it.
    next: usize,
}

/// A part of a document.
#[derive(Clone, Copy)]
pub(crate) struct Part<'d> {
    document: &'d Document,
    at: usize,
    /// The first list or object that does not begin before this part.
    inner: usize,
}

/// What a part is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Document {
    /// A text that is known to be JSON. None where it nests too deep, or holds a number that no float holds or half of a character:
    /// these have to be told by their place.
    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut copy = String::with_capacity(text.len());
        let (mut inner, mut open): (Vec<Inner>, Vec<usize>) = (Vec::new(), Vec::new());
        // What was not copied begins at `from`.
        let (mut from, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at = sound_string_end(bytes, at)?,
                b' ' | b'\n' | b'\r' | b'\t' => {
                    copy.push_str(text.get(from..at)?);
                    at += bytes.iter().skip(at).take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
                    from = at;
                }
                b'{' | b'[' => {
                    if open.len() > MAX_DEPTH {
                        return None;
                    }
                    open.push(inner.len());
                    inner.push(Inner::default());
                    at += 1;
                }
                b'}' | b']' => {
                    at += 1;
                    let next = inner.len();
                    *inner.get_mut(open.pop()?)? = Inner { end: copy.len() + at - from, next };
                }
                b'-' | b'0'..=b'9' => {
                    let end = scalar_end(bytes, at);
                    let number = text.get(at..end)?;
                    let may_be_large = number.len() >= SHORT || number.contains(['e', 'E']);
                    if may_be_large && !number.parse::<f64>().is_ok_and(f64::is_finite) {
                        return None;
                    }
                    at = end;
                }
                _ => at += 1,
            }
        }
        copy.push_str(text.get(from..)?);
        Some(Self { text: copy, inner })
    }

    pub(crate) fn of_value(value: &Value) -> Self {
        let text = value.to_string();
        // What was made of a tree can only be too deep, which nobody looks into.
        Self::of(&text).unwrap_or_else(|| Self { text, inner: Vec::new() })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn root(&self) -> Part<'_> {
        Part { document: self, at: 0, inner: 0 }
    }
}

impl<'d> Part<'d> {
    fn bytes(self) -> &'d [u8] {
        self.document.text.as_bytes()
    }

    pub(crate) fn kind(self) -> Kind {
        match self.bytes().get(self.at) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Null,
        }
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    fn end(self) -> usize {
        match self.kind() {
            Kind::Object | Kind::Array => self.document.inner.get(self.inner).map_or(self.at + 1, |inner| inner.end),
            Kind::String => string_end(self.bytes(), self.at),
            _ => scalar_end(self.bytes(), self.at),
        }
    }

    /// The part as it is written.
    pub(crate) fn text(self) -> &'d str {
        self.document.text.get(self.at..self.end()).unwrap_or_default()
    }

    /// The part as a document of its own.
    pub(crate) fn to_document(self) -> Document {
        let inner = match self.kind() {
            Kind::Object | Kind::Array => self.document.inner.get(self.inner..self.behind()).unwrap_or_default(),
            _ => &[],
        };
        let moved = |part: &Inner| Inner { end: part.end - self.at, next: part.next - self.inner };
        Document { text: self.text().to_owned(), inner: inner.iter().map(moved).collect() }
    }

    /// The first list or object that begins behind this part.
    fn behind(self) -> usize {
        match self.kind() {
            Kind::Object | Kind::Array => {
                self.document.inner.get(self.inner).map_or(self.inner + 1, |inner| inner.next)
            }
            _ => self.inner,
        }
    }

    /// The part taken apart.
    pub(crate) fn to_value(self) -> Value {
        read_text(self.text()).unwrap_or_default()
    }

    /// What it says, if it is a text.
    pub(crate) fn as_str(self) -> Option<Cow<'d, str>> {
        (self.kind() == Kind::String).then(|| unquoted(self.text()))
    }

    pub(crate) fn as_number(self) -> Option<Number> {
        (self.kind() == Kind::Number).then(|| Number::of_json(self.text()))
    }

    /// Whether it is a number without a fraction: 3.0 is one.
    pub(crate) fn is_integer(self) -> bool {
        self.kind() == Kind::Number && {
            let text = self.text();
            !text.contains(['.', 'e', 'E']) || Number::of_json(text).is_integer()
        }
    }

    /// The items of a list; none where it is no list.
    pub(crate) fn items(self) -> impl Iterator<Item = Part<'d>> {
        self.inside(Kind::Array).map(|(_, part)| part)
    }

    /// The members of an object, in the order in which they stand; none where it is no object.
    pub(crate) fn members(self) -> impl Iterator<Item = (Cow<'d, str>, Part<'d>)> {
        self.inside(Kind::Object).map(|(name, part)| (unquoted(name), part))
    }

    /// The member of this name; of several the last.
    pub(crate) fn get(self, name: &str) -> Option<Part<'d>> {
        self.members().filter(|(known, _)| known == name).last().map(|(_, part)| part)
    }

    /// What a JSON Pointer (RFC 6901) names.
    pub(crate) fn pointer(self, pointer: &str) -> Option<Part<'d>> {
        steps(pointer)?.try_fold(self, |part, step| match part.kind() {
            Kind::Object => part.get(&step),
            Kind::Array => part.items().nth(crate::value::index(&step)?),
            _ => None,
        })
    }

    /// What stands inside, with the quoted names of members.
    fn inside(self, kind: Kind) -> Inside<'d> {
        let at = if self.kind() == kind { self.at + 1 } else { usize::MAX };
        Inside { document: self.document, named: kind == Kind::Object, at, inner: self.inner + 1 }
    }
}

struct Inside<'d> {
    document: &'d Document,
    named: bool,
    at: usize,
    inner: usize,
}

impl<'d> Iterator for Inside<'d> {
    type Item = (&'d str, Part<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.document.text.as_bytes();
        if bytes.get(self.at) == Some(&b',') {
            self.at += 1;
        }
        if matches!(bytes.get(self.at), None | Some(b']' | b'}')) {
            return None;
        }
        let start = self.at;
        if self.named {
            self.at = string_end(bytes, start);
        }
        let name = self.document.text.get(start..self.at)?;
        // The colon.
        self.at += usize::from(self.named);
        let part = Part { document: self.document, at: self.at, inner: self.inner };
        (self.at, self.inner) = (part.end(), part.behind());
        Some((name, part))
    }
}

/// Where the string that begins here ends: the place behind its quote.
pub(crate) fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = quote_or_escape(bytes, at + 1);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            _ => at = quote_or_escape(bytes, at + 2),
        }
    }
    at
}

/// The first quote or backslash from here on, else the end. Looks at eight bytes at a time: most of a text is in its strings.
fn quote_or_escape(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest bit that is set belongs to the first byte that is zero; higher ones may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
        let word = u64::from_le_bytes(eight);
        let found = zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_neither = |byte: &&u8| !matches!(byte, b'"' | b'\\');
    at + bytes.iter().skip(at).take_while(is_neither).count()
}

/// The same; none where half of a character stands in it (an unpaired surrogate, RFC 8259, section 8.2).
fn sound_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let unit = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = quote_or_escape(bytes, at + 1);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' {
            return Some(at + 1);
        }
        let escape = match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => return None,
            Some(_) => 6,
            None => 2,
        };
        at = quote_or_escape(bytes, at + escape);
    }
    Some(at)
}

/// Where the number or word that begins here ends.
fn scalar_end(bytes: &[u8], at: usize) -> usize {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    at + bytes.iter().skip(at).take_while(is_part).count()
}

/// What a quoted text says.
fn unquoted(quoted: &str) -> Cow<'_, str> {
    let plain = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    if plain.contains('\\') {
        Cow::Owned(serde_json::from_str(quoted).unwrap_or_default())
    } else {
        Cow::Borrowed(plain)
    }
}

/// Writes text that is JSON as it is, as `RawValue` does.
pub(crate) fn serialize_text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let mut raw = serializer.serialize_struct(TEXT, 1)?;
    raw.serialize_field(TEXT, text)?;
    raw.end()
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_text(&self.text, serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT, Taken)
    }
}

/// Takes the text of a value, or where there is none a value.
struct Taken;

impl<'de> Visitor<'de> for Taken {
    type Value = Document;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(Any).map(|value| Document::of_value(&value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Document, A::Error> {
        members.next_key::<String>()?;
        members.next_value_seed(Taken)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Document, E> {
        match Document::of(text) {
            Some(document) => Ok(document),
            None => read_text(text).map(|value| Document::of_value(&value)).map_err(E::custom),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Taken {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_text_stays_as_it_was_but_for_its_spaces() {
        for (text, kept) in [
            (r#" { "a" : [ 1.10 , { } , [ ] ] , "b c" : " x \" y " }"#, r#"{"a":[1.10,{},[]],"b c":" x \" y "}"#),
            ("\r\n[\t1e3,true , null]", "[1e3,true,null]"),
            (r#"  "\ud83d\ude00 \\" "#, r#""\ud83d\ude00 \\""#),
            (" 7 ", "7"),
        ] {
            assert_eq!(document(text).text(), kept);
            assert_eq!(serde_json::to_string(&document(text)).unwrap(), kept);
            assert_eq!(document(text).root().to_value(), serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn parts_are_found_and_of_equal_names_the_last() {
        let document =
            document(r#"{"a":{"x":[[1],[2,{"y":3}],"z"]},"a/b":1,"e\u0061":2,"a":{"x":[0,{"y":[4]}]},"l":5}"#);
        let at = |pointer: &str| document.root().pointer(pointer).map(|part| part.text().to_owned());
        assert_eq!(at("/a/x/1/y").unwrap(), "[4]");
        assert_eq!((at("/a~1b").unwrap(), at("/ea").unwrap(), at("/l").unwrap()), ("1".into(), "2".into(), "5".into()));
        assert_eq!((at("/a/x/2"), at("/l/0"), at("a"), at("/a/x/01")), (None, None, None, None));
        let part = document.root().pointer("/a").unwrap().to_document();
        assert_eq!(part.root().pointer("/x/1/y/0").unwrap().text(), "4");
    }

    #[test]
    fn what_cannot_be_handed_on_is_told_with_its_place() {
        for (text, told) in [
            (r#"{"a":[1,"\ud83d"]}"#, "unpaired surrogate"),
            (r#"["\ude00"]"#, "unpaired surrogate"),
            (r#"{"a":{"b":1e999}}"#, "beyond -1.7e308 to 1.7e308 at /a/b"),
            (&format!("[{}]", "9".repeat(400)), "beyond -1.7e308 to 1.7e308 at /0"),
            (&format!("{}{}", "[".repeat(129), "]".repeat(129)), "127 levels"),
        ] {
            let error = serde_json::from_str::<Document>(text).map(drop).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        document(&format!("{}{}", "[".repeat(127), "]".repeat(127)));
        for length in 0..40 {
            let text = format!(r#"["{}\\\"{}é",[{{"":1}}]]"#, "x".repeat(length), "y".repeat(length / 3));
            assert_eq!(document(&text).text(), text);
            assert_eq!(document(&text).root().items().last().unwrap().text(), r#"[{"":1}]"#);
        }
        document(r#"["\u0041\ud83d\ude00\u00e9",1e308,-0.5E-999]"#);
    }
}
