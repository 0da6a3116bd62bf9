//! Reading JSON text into values: serde_json finds where the value ends and whether it is JSON, and here it is taken apart.
//!
//! What serde hands out itself has its numbers read already, so the text is asked for (as `RawValue` does). Where there is no text,
//! inside of `#[serde(flatten)]` and untagged enums, values are taken as serde has them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::{Map, Number, Value};
use crate::{document::string_end, misread};

/// What `RawValue` asks serde_json for.
pub(crate) const TEXT: &str = "$serde_json::private::RawValue";
/// Deepest nesting, as serde_json's.
pub(crate) const MAX_DEPTH: usize = 127;

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT, Any)
    }
}

/// Bytes whose levels are counted before a text is read.
const BEGINNING: usize = 16 * 1_024;

/// Reads JSON text of any type. serde_json finds the end of a text without counting levels, so they are counted here for its
/// beginning: a body without an end to its depth is refused at its first levels, and not when the fuel is gone.
pub(crate) fn from_text<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    if nests_too_deep(text.get(..BEGINNING).unwrap_or(text)) {
        return Err(serde_json::Error::custom("it nests deeper than 127 levels"));
    }
    serde_json::from_slice(text)
}

fn nests_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(text, at - 1),
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Takes a value, or the text of one.
pub(crate) struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Any)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        // As JSON writes it: 1.0 and not 1.
        let text = serde_json::to_string(&number).map_err(E::custom)?;
        Ok(Value::Number(Number::of_json(&text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == TEXT {
                return members.next_value_seed(Text);
            }
            map.insert(name, members.next_value()?);
        }
        Ok(Value::Object(map))
    }
}

/// Takes the text of a value.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        read_text(text).map_err(E::custom)
    }
}

/// Takes a text apart that is known to be JSON. Fails with what is wrong and where.
pub(crate) fn read_text(text: &str) -> Result<Value, impl fmt::Display> {
    Reader { text, at: 0 }.value(0)
}

/// Why a text is no value that can be used. The place is told by whoever reads on.
struct Wrong {
    what: String,
    /// The steps to it, last first.
    at: Vec<String>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
        let place: String = self.at.iter().rev().map(step).collect();
        write!(f, "{} at {}", self.what, if place.is_empty() { "the top" } else { &place })
    }
}

/// Walks over a text that is known to be JSON.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    /// The next byte that is no space, a comma or a colon, which only stand where they have to.
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r' | b',' | b':') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn take(&mut self, of: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|byte| of(*byte)).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Value, Wrong> {
        if depth > MAX_DEPTH {
            return Err(wrong("it nests deeper than 127 levels"));
        }
        Ok(match self.next() {
            Some(b'{') => {
                self.at += 1;
                let mut members = Map::new();
                while self.next().is_some_and(|byte| byte != b'}') {
                    let name = self.string()?;
                    match self.value(depth + 1) {
                        Ok(value) => drop(members.insert(name, value)),
                        Err(wrong) => return Err(wrong.below(name)),
                    }
                }
                self.at += 1;
                Value::Object(members)
            }
            Some(b'[') => {
                self.at += 1;
                let mut items = Vec::new();
                while self.next().is_some_and(|byte| byte != b']') {
                    items.push(self.value(depth + 1).map_err(|wrong| wrong.below(items.len().to_string()))?);
                }
                self.at += 1;
                Value::Array(items)
            }
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            _ => match self.take(|byte| byte.is_ascii_lowercase()) {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => return Err(wrong("no JSON")),
            },
        })
    }

    fn number(&mut self) -> Result<Number, Wrong> {
        let text = self.take(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
        let number = Number::of_json(text);
        // Whoever reads it on, and the host first of all, has no more than a float to judge it by.
        match number.as_f64().is_finite() {
            true => Ok(number),
            false => Err(wrong("a number that is beyond -1.7e308 to 1.7e308")),
        }
    }

    fn string(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        self.at += 1;
        let plain = self.take(|byte| byte != b'"' && byte != b'\\');
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(plain.to_owned());
        }
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).map_err(|error| {
            let told = error.to_string();
            let what = told.split(" at line ").next().unwrap_or_default();
            if misread::is_half(what) { wrong(misread::HALF) } else { wrong(&format!("a text that is none ({what})")) }
        })
    }
}

fn wrong(what: &str) -> Wrong {
    Wrong { what: what.to_owned(), at: Vec::new() }
}

impl Wrong {
    fn below(mut self, step: String) -> Self {
        self.at.push(step);
        self
    }
}
