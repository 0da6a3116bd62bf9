//! A JSON document whose numbers keep their text.
//!
//! `1.10` and `1.1` are one number to a [`Value`], and not to whoever wrote them: a FHIR decimal says with its zeros how exactly
//! something was measured, and an id of twenty digits is another one once a float held it. So a document is a [`Value`], by which
//! it is judged, and beside it the texts of those numbers that the value would write in another way.

use std::{collections::BTreeMap, fmt, ops::Deref, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser::SerializeMap};
use serde_json::{Number, Value, value::RawValue};

/// A JSON document: what it says as a [`Value`], and its numbers as they were written.
///
/// ```
/// let text = r#"{"dose":1.10,"id":18446744073709551617}"#;
/// let json: portcullis_schema::Json = text.parse()?;
/// assert_eq!(json["dose"], 1.1);
/// assert_eq!(json.to_string(), text);
/// # Ok::<(), portcullis_schema::JsonError>(())
/// ```
///
/// As text it has no spaces, its members in the order of their names, and of members with one name the last, so that all who
/// read it read the same.
#[derive(Clone, Default, PartialEq)]
pub struct Json {
    value: Value,
    texts: Option<Arc<Texts>>,
}

/// Why a text is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is not JSON, or nests deeper than 128 levels.
    #[error("{0}")]
    Syntax(String),
    /// A number is beyond what any float holds.
    #[error(
        "the number at line {line} column {column} is beyond what can be judged: write one between -1.7e308 and 1.7e308, or a string"
    )]
    Number {
        /// The line, from 1.
        line: usize,
        /// The column at which the number ends, from 1.
        column: usize,
    },
}

/// The numbers whose text a [`Value`] does not keep, by where they are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Texts {
    Number(Box<str>),
    Object(BTreeMap<String, Texts>),
    Array(BTreeMap<usize, Texts>),
}

impl Json {
    /// What it says, its numbers as near as a [`Value`] holds them.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The same.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Another value, made of this one by taking parts out: the numbers that are left keep their text.
    #[must_use]
    pub fn with_value(&self, value: Value) -> Self {
        Self { value, texts: self.texts.clone() }
    }

    pub(crate) fn texts(&self) -> Option<&Texts> {
        self.texts.as_deref()
    }
}

impl FromStr for Json {
    type Err = JsonError;

    /// Reads a document of at most 128 levels. Costs one pass more over the text than a [`Value`] does.
    fn from_str(text: &str) -> Result<Self, JsonError> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let told = error.to_string();
            if told.starts_with("number out of range") {
                JsonError::Number { line, column }
            } else {
                JsonError::Syntax(told)
            }
        })?;
        let texts = Reader { text, at: 0 }.value().map(Arc::new);
        Ok(Self { value, texts })
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self { value, texts: None }
    }
}

impl Deref for Json {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        self.value == *other
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.texts.is_none() {
            return self.value.fmt(f);
        }
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Part { value: &self.value, texts: self.texts() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer)?.get().parse().map_err(D::Error::custom)
    }
}

/// A part of a document.
struct Part<'j> {
    value: &'j Value,
    texts: Option<&'j Texts>,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.texts) {
            (Value::Number(number), Some(Texts::Number(text))) if is_read_as(text, number) => {
                match serde_json::from_str::<&RawValue>(text) {
                    Ok(raw) => raw.serialize(serializer),
                    Err(_) => number.serialize(serializer),
                }
            }
            (Value::Object(members), Some(Texts::Object(texts))) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, &Part { value, texts: texts.get(name) })?;
                }
                map.end()
            }
            (Value::Array(items), Some(Texts::Array(texts))) => {
                let numbered = items.iter().enumerate();
                serializer.collect_seq(numbered.map(|(index, value)| Part { value, texts: texts.get(&index) }))
            }
            (value, _) => value.serialize(serializer),
        }
    }
}

/// Whether a number is what is read of this text: what was put in its place has a text of its own.
fn is_read_as(text: &str, number: &Number) -> bool {
    serde_json::from_str::<Number>(text).is_ok_and(|read| read == *number)
}

/// Whether a [`Value`] writes this number as it is.
fn is_kept(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() <= 18 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text != "-0";
    }
    serde_json::from_str::<Number>(text).is_ok_and(|number| number.to_string() == text)
}

/// Walks over a text that was read already, so that nothing has to be checked again.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Goes on to the end of what these bytes make up.
    fn take(&mut self, of: impl Fn(u8) -> bool) -> &'t str {
        let start = self.at;
        while self.peek().is_some_and(&of) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A string with its quotes.
    fn string(&mut self) -> &'t str {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The texts to be kept of the next value; none where there are none.
    fn value(&mut self) -> Option<Texts> {
        self.skip_space();
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => {
                self.string();
                None
            }
            b'-' | b'0'..=b'9' => {
                let number =
                    self.take(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
                (!is_kept(number)).then(|| Texts::Number(number.into()))
            }
            _ => {
                self.take(|byte| byte.is_ascii_lowercase());
                None
            }
        }
    }

    fn object(&mut self) -> Option<Texts> {
        let mut texts = BTreeMap::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek()? {
                b'"' => {}
                b'}' => break,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            let name = self.string();
            self.skip_space();
            self.at += 1;
            let found = self.value();
            // Of members with one name the last counts, as it does in the value.
            if found.is_some() || !texts.is_empty() {
                let name: String = serde_json::from_str(name).unwrap_or_default();
                match found {
                    Some(found) => texts.insert(name, found),
                    None => texts.remove(&name),
                };
            }
        }
        self.at += 1;
        (!texts.is_empty()).then_some(Texts::Object(texts))
    }

    fn array(&mut self) -> Option<Texts> {
        let mut texts = BTreeMap::new();
        self.at += 1;
        for index in 0.. {
            self.skip_space();
            if self.peek()? == b']' {
                break;
            }
            if let Some(found) = self.value() {
                texts.insert(index, found);
            }
            self.skip_space();
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        (!texts.is_empty()).then_some(Texts::Array(texts))
    }
}
