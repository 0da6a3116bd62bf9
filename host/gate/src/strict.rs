//! Reads the files that decide something: grants, ceilings, retention policies, configs and inputs, in JSON or TOML.
//!
//! JSON lets an object have two members of one name, and parsers disagree about which one counts (RFC 8259, section 4).
//! Whoever reviews `{"fuel": 10000, …, "fuel": 1000000000}` may read the first one while the host obeys the last one. So a
//! text in which any object, at any depth, has two members of one name is refused, with the name and its place. TOML
//! forbids it by itself.
//!
//! This module looks at names only. What the members may be is for the type to say that the text is read into.

use std::{borrow::Cow, collections::HashSet, fmt::Write};

use serde::de::DeserializeOwned;

use crate::printable::printable;

/// Largest file of an operator's rules (a grant, a ceiling, a retention policy), in bytes.
pub const MAX_RULES_BYTES: usize = 1024 * 1024;

/// Longest name that is repeated in an error, in characters.
const SHOWN: usize = 80;
/// Longest place that is repeated in an error, in bytes.
const MAX_PLACE: usize = 400;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrictError {
    /// An object has two members of one name.
    #[error(
        "{} has `{name}` twice (line {line}, column {column}); keep one of them",
        if .place.is_empty() { "the outermost object".to_owned() } else { format!("`{}`", .place) }
    )]
    Twice {
        /// The name, fit to be shown.
        name: String,
        /// A JSON Pointer to the object; empty for the outermost one.
        place: String,
        /// Where the second one is, from 1.
        line: usize,
        /// Where the second one is, from 1.
        column: usize,
    },
    /// Not JSON or TOML, or not of the right shape.
    #[error("{0}")]
    Syntax(String),
}

/// Reads JSON where the text starts with `{`, and TOML otherwise.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, StrictError> {
    if text.trim_start().starts_with('{') {
        return parse_json(text);
    }
    toml::from_str(text).map_err(|error| StrictError::Syntax(error.to_string()))
}

/// Reads JSON.
pub fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, StrictError> {
    check_names(text)?;
    serde_json::from_str(text).map_err(|error| StrictError::Syntax(error.to_string()))
}

/// Refuses JSON in which an object has two members of one name. Whether the rest of it is JSON is for its parser to say, which
/// may read numbers as it likes.
pub fn check_names(text: &str) -> Result<(), StrictError> {
    let bytes = text.as_bytes();
    let mut open: Vec<Level<'_>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = end_of_string(bytes, at);
                let written = text.get(at + 1..end).unwrap_or_default();
                if let Some(Level::Object { names, name, is_name_next: is_name_next @ true }) = open.last_mut() {
                    *is_name_next = false;
                    *name = unescaped(written);
                    if !names.insert(name.clone()) {
                        return Err(twice(text, at, &open));
                    }
                }
                at = end;
            }
            b'{' | b'[' if open.len() == MAX_DEPTH => {
                return Err(StrictError::Syntax(format!("it nests deeper than {MAX_DEPTH} levels")));
            }
            b'{' => {
                open.push(Level::Object { names: HashSet::new(), name: Cow::Borrowed(""), is_name_next: true });
            }
            b'[' => open.push(Level::Array { item: 0 }),
            b'}' | b']' => drop(open.pop()),
            b',' => match open.last_mut() {
                Some(Level::Object { is_name_next, .. }) => *is_name_next = true,
                Some(Level::Array { item }) => *item += 1,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Deepest nesting that is looked at. What reads values takes less.
const MAX_DEPTH: usize = 512;

/// An object or an array that is not closed yet.
enum Level<'t> {
    Object {
        /// The names so far, as they are read.
        names: HashSet<Cow<'t, str>>,
        /// The last of them.
        name: Cow<'t, str>,
        /// Whether a string that comes now is a name.
        is_name_next: bool,
    },
    Array {
        /// Which item it is at, from 0.
        item: usize,
    },
}

/// Where a string ends that begins here: the place of its closing quote.
fn end_of_string(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A name as it is read. One that cannot be read is no JSON, which its parser says.
fn unescaped(written: &str) -> Cow<'_, str> {
    if !written.contains('\\') {
        return Cow::Borrowed(written);
    }
    serde_json::from_str(&format!("\"{written}\"")).map_or(Cow::Borrowed(written), Cow::Owned)
}

/// Says which name stands twice, and where.
fn twice(text: &str, at: usize, open: &[Level<'_>]) -> StrictError {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let (own, around) = match open.split_last() {
        Some((Level::Object { name, .. }, around)) => (printable(name, SHOWN), around),
        _ => (String::new(), open),
    };
    let mut place = String::new();
    for level in around {
        if place.len() > MAX_PLACE {
            place.push('…');
            break;
        }
        let _ = match level {
            Level::Object { name, .. } => {
                write!(place, "/{}", printable(name, SHOWN).replace('~', "~0").replace('/', "~1"))
            }
            Level::Array { item } => write!(place, "/{item}"),
        };
    }
    let (line, column) = (1 + before.matches('\n').count(), 1 + line.chars().count());
    StrictError::Twice { name: own, place, line, column }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn refused(text: &str) -> String {
        parse::<Value>(text).unwrap_err().to_string()
    }

    #[test]
    fn a_name_that_stands_twice_is_told_with_its_place_at_every_depth() {
        assert_eq!(
            refused("{\"a\": 1,\n \"a\": 2}"),
            "the outermost object has `a` twice (line 2, column 2); keep one of them"
        );
        for (text, place, name) in [
            (r#"{"limits": {"fuel": 1, "fuel": 1}}"#, "/limits", "fuel"),
            (r#"{"a": [0, {"b": {"c": 1, "d": {}, "c": 2}}]}"#, "/a/1/b", "c"),
            (r#"{"a/b": {"~": {"x": null, "x": null}}}"#, "/a~1b/~0", "x"),
            // The same name, written in another way.
            (r#"{"x": {"fuel": 1, "\u0066uel": 2}}"#, "/x", "fuel"),
            // Shown, and not acted on.
            (r#"{"x": {"\u202ea": 1, "\u202ea": 2}}"#, "/x", "\\u{202e}a"),
        ] {
            let told = refused(text);
            assert!(told.starts_with(&format!("`{place}` has `{name}` twice (line 1, column ")), "{told}");
        }
        let toml = refused("[limits]\nfuel = 1\nfuel = 2\n");
        assert!(toml.contains("duplicate key") && toml.contains("fuel"), "{toml}");
        assert!(refused("a = { b = 1, b = 2 }").contains("duplicate key"));
    }

    #[test]
    fn equal_names_in_different_objects_and_other_cases_are_different_names() {
        for text in [r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}"#, r#"{"a": 1, "A": 2}"#, r#"{"": 1, " ": 2}"#] {
            assert!(parse::<Value>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_as_before_and_depth_is_bounded() {
        assert!(refused("{\"a\": }").contains("line 1 column 7"));
        assert!(refused("{} x").contains("trailing characters"));
        for text in ["{\"a", "{\"a\\", "{\"a\": \"\\\"}", "}]{,", "{\"\\ud800\": 1}", "\""] {
            assert!(check_names(text).is_ok() && parse_json::<Value>(text).is_err(), "{text}");
        }
        // Whatever a parser makes of the number, there are two names.
        assert!(refused("{\"n\": 1e999, \"a\": 1, \"a\": 2}").contains("has `a` twice"));
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(refused(&deep).contains("it nests deeper than 512 levels"));
        assert!(refused(&format!("{{\"a\": {}{}}}", "[".repeat(200), "]".repeat(200))).contains("recursion limit"));
        let deep = format!("{}1, \"a\": 2{}", "{\"a\": ".repeat(100), "}".repeat(100));
        let StrictError::Twice { place, .. } = parse::<Value>(&deep).unwrap_err() else { panic!("{deep}") };
        assert_eq!(place, "/a".repeat(99));
    }

    /// A value, written with its members in order.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[a-c\"\\\\/~]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"\\\\/~]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Writes a value; the object of this number, counted from 0, has its first member twice.
    fn write_twice(value: &Value, at: &mut i64, out: &mut String) -> bool {
        let mut done = false;
        match value {
            Value::Object(members) => {
                let here = *at == 0 && !members.is_empty();
                *at -= 1;
                out.push('{');
                for (number, (name, member)) in members.iter().enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    *out += &format!("{}:", Value::from(name.as_str()));
                    done |= write_twice(member, at, out);
                }
                if here && let Some(name) = members.keys().next() {
                    *out += &format!(",{}:0", Value::from(name.as_str()));
                    done = true;
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    done |= write_twice(item, at, out);
                }
                out.push(']');
            }
            leaf => *out += &leaf.to_string(),
        }
        done
    }

    proptest! {
        #[test]
        fn what_has_each_name_once_is_read_as_it_is_and_a_doubled_member_anywhere_is_refused(
            value in values(), at in 0_i64..6
        ) {
            prop_assert_eq!(parse_json::<Value>(&value.to_string()).unwrap(), value.clone());
            let (mut text, mut at) = (String::new(), at);
            let doubled = write_twice(&value, &mut at, &mut text);
            prop_assert_eq!(parse_json::<Value>(&text).is_err(), doubled, "{}", text);
        }
    }
}
