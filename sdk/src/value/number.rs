//! A number as it was written.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;

use super::Value;
use crate::document::serialize_text;

/// Most digits that an integer is written out with.
const MAX_DIGITS: usize = 64;

/// A JSON number that keeps its text. Two are equal where they are the same number: `1.0`, `1` and `10e-1`.
///
/// For fields of a [`model`](macro@crate::model) whose digits count: a float holds fifteen of them, and no zeros at the end.
#[derive(Clone)]
pub struct Number(Written);

#[derive(Clone)]
enum Written {
    /// What an integer's text says by itself.
    Plain(i64),
    Text(Box<str>),
}

impl Number {
    /// The number that this text writes, which is one of JSON (RFC 8259, section 6).
    pub(crate) fn of_json(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = digits.len() <= 18 && text != "-0" && digits.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_plain => Self(Written::Plain(number)),
            _ => Self(Written::Text(text.into())),
        }
    }

    /// The number that a text writes; none where it is no number of JSON.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| Self::of_json(raw.get()))
    }

    /// The number, if it is an integer that fits, however it is written.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Written::Plain(number) => Some(*number),
            Written::Text(_) => self.integer()?.parse().ok(),
        }
    }

    /// The number, if it is an integer that fits, however it is written.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Written::Plain(number) => u64::try_from(*number).ok(),
            Written::Text(_) => self.integer()?.parse().ok(),
        }
    }

    /// The nearest float.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            Written::Plain(number) => *number as f64,
            Written::Text(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// Whether it is an integer, as JSON Schema counts (validation, 6.1.1): 3.0 is one.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Written::Plain(_) => true,
            Written::Text(text) => decimal(text).is_some_and(|decimal| decimal.is_integer()),
        }
    }

    /// The digits of an integer, without point and exponent: `3` for `3.0`. None where it is no integer, or one of more than 64
    /// digits.
    #[must_use]
    pub fn integer(&self) -> Option<String> {
        match &self.0 {
            Written::Plain(number) => Some(number.to_string()),
            Written::Text(text) => decimal(text)?.integer(),
        }
    }
}

/// A number taken apart: 0.DIGITS times ten to the power of `point`, without zeros at either end.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    point: i64,
}

/// None where the exponent is beyond all use.
fn decimal(text: &str) -> Option<Decimal> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    let leading = all.len() - digits.len();
    let digits = digits.trim_end_matches('0').to_owned();
    if digits.is_empty() {
        return Some(Decimal { negative: false, digits, point: 0 });
    }
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + i64::from(exponent);
    Some(Decimal { negative, digits, point })
}

impl Decimal {
    fn is_integer(&self) -> bool {
        self.digits.is_empty() || i64::try_from(self.digits.len()).is_ok_and(|digits| digits <= self.point)
    }

    fn integer(&self) -> Option<String> {
        let length = usize::try_from(self.point).ok().filter(|length| *length <= MAX_DIGITS && self.is_integer())?;
        let sign = if self.negative { "-" } else { "" };
        Some(if self.digits.is_empty() { "0".to_owned() } else { format!("{sign}{:0<length$}", self.digits) })
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl Eq for Number {}

/// By what they are worth. Of numbers that are beyond all use, by their text.
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Written::Plain(one), Written::Plain(other)) = (&self.0, &other.0) {
            return one.cmp(other);
        }
        let (text, text_of_other) = (self.to_string(), other.to_string());
        let (Some(one), Some(other)) = (decimal(&text), decimal(&text_of_other)) else {
            return text.cmp(&text_of_other);
        };
        let sign = |decimal: &Decimal| match (decimal.digits.is_empty(), decimal.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        };
        let size = || one.point.cmp(&other.point).then_with(|| one.digits.cmp(&other.digits));
        sign(&one).cmp(&sign(&other)).then_with(|| match sign(&one) {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Written::Plain(number) => number.fmt(f),
            Written::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Written::Plain(number) => serializer.serialize_i64(*number),
            // Written as it is.
            Written::Text(text) => serialize_text(text, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => Ok(number),
            _ => Err(D::Error::custom("expected a number")),
        }
    }
}

macro_rules! integers {
    ($($type:ty)+) => {
        $(impl From<$type> for Number {
            fn from(number: $type) -> Self {
                match i64::try_from(number) {
                    Ok(number) => Self(Written::Plain(number)),
                    Err(_) => Self(Written::Text(number.to_string().into())),
                }
            }
        })+
    };
}

integers! { i8 i16 i32 i64 u8 u16 u32 u64 usize }

/// JSON text with each integer that is written with a point or an exponent as its digits, for types that take digits alone; none
/// where there are no such integers.
pub(crate) fn with_integers(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut changed, mut at) = (Vec::with_capacity(text.len()), false, 0);
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match byte {
            b'"' => string(rest),
            b'-' | b'0'..=b'9' => number(rest),
            _ => 1,
        };
        let token = rest.get(..length).unwrap_or(rest);
        at += token.len().max(1);
        let pointed = || token.len() > 1 && token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        let digits = |token: &[u8]| decimal(std::str::from_utf8(token).ok()?)?.integer();
        match digits(token).filter(|_| matches!(byte, b'-' | b'0'..=b'9') && pointed()) {
            Some(digits) => {
                changed = true;
                out.extend_from_slice(digits.as_bytes());
            }
            None => out.extend_from_slice(token),
        }
    }
    changed.then_some(out)
}

fn number(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')).count()
}

/// The length of the string that a text begins with, its quotes included.
fn string(text: &[u8]) -> usize {
    let mut escaped = false;
    for (index, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}
