//! The sorts of members that answers have, read without leaving copies of secrets and without showing them in errors.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use zeroize::Zeroizing;

/// Text that is wiped; none if it is null. The JSON parser undoes escapes in a buffer of its own, which is not wiped; tokens
/// have none.
pub(super) struct Hidden(pub(super) Option<Zeroizing<Vec<u8>>>);

/// A whole number, also as text or with a fraction; none if it is null or something else.
pub(super) struct Whole(pub(super) Option<i64>);

/// Text, or a number or a truth value as text; none if it is something else.
pub(super) struct Plain(pub(super) Option<String>);

/// A member's value, whatever it is.
enum Any<'a> {
    Text(&'a str),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Truth(bool),
    Nothing,
    Other,
}

/// Hands on what a value is.
struct Each<T>(fn(Any<'_>) -> Option<T>);

impl<'de, T> Visitor<'de> for Each<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.take(Any::Text(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.take(Any::Signed(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.take(Any::Unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.take(Any::Float(number))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<T, E> {
        self.take(Any::Truth(truth))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        self.take(Any::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.take(Any::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.take(Any::Other)
    }
}

impl<T> Each<T> {
    fn take<E: Error>(self, value: Any<'_>) -> Result<T, E> {
        (self.0)(value).ok_or_else(|| E::custom("another value is expected"))
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Each(|value| match value {
            Any::Text(text) => Some(Hidden(Some(Zeroizing::new(text.as_bytes().to_vec())))),
            Any::Nothing => Some(Hidden(None)),
            _ => None,
        }))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Each(|value| {
            Some(Whole(match value {
                Any::Text(text) => text.trim().parse().ok(),
                Any::Signed(number) => Some(number),
                Any::Unsigned(number) => Some(i64::try_from(number).unwrap_or(i64::MAX)),
                // Saturates, and makes 0 of what is no number.
                Any::Float(number) => Some(number as i64),
                _ => None,
            }))
        }))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Each(|value| {
            Some(Plain(match value {
                Any::Text(text) => Some(text.to_owned()),
                Any::Signed(number) => Some(number.to_string()),
                Any::Unsigned(number) => Some(number.to_string()),
                Any::Float(number) => Some(number.to_string()),
                Any::Truth(truth) => Some(truth.to_string()),
                Any::Nothing | Any::Other => None,
            }))
        }))
    }
}
