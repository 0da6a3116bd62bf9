//! Where schemas stand inside a schema: which keywords hold subschemas, and where a `$ref` leads.
//!
//! One table for `places` and `mock`, because a keyword known to one and not the other would be work that nobody
//! counted.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// How a subschema is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// To the same value.
    Same,
    /// To a property or an item of the value.
    Down,
    /// Not at all; it is only a place for others to refer to.
    Shelf,
}

enum Holds {
    One,
    List,
    Named,
}

/// The keywords that hold subschemas. (A `match` and not a table: this is asked at each visit of a costly validation.)
fn holds(keyword: &str) -> Option<(Edge, Holds)> {
    Some(match keyword {
        "allOf" | "anyOf" | "oneOf" => (Edge::Same, Holds::List),
        "not" | "if" | "then" | "else" => (Edge::Same, Holds::One),
        "dependentSchemas" | "dependencies" => (Edge::Same, Holds::Named),
        "properties" | "patternProperties" => (Edge::Down, Holds::Named),
        "additionalProperties"
        | "unevaluatedProperties"
        | "propertyNames"
        | "items"
        | "contains"
        | "unevaluatedItems" => (Edge::Down, Holds::One),
        "prefixItems" => (Edge::Down, Holds::List),
        "contentSchema" => (Edge::Shelf, Holds::One),
        "$defs" | "definitions" => (Edge::Shelf, Holds::Named),
        _ => return None,
    })
}

/// A subschema: how it applies, its keyword, its name or index under the keyword, and itself.
pub(crate) type Child<'s> = (Edge, &'s str, Option<Cow<'s, str>>, &'s Value);

/// The subschemas that stand directly in `schema`, without following `$ref`.
pub(crate) fn children(schema: &Value) -> Vec<Child<'_>> {
    let mut found = Vec::new();
    let Value::Object(map) = schema else { return found };
    for (keyword, child) in map {
        match (holds(keyword), child) {
            (Some((edge, Holds::One)), child) => found.push((edge, keyword.as_str(), None, child)),
            (Some((edge, Holds::List)), Value::Array(list)) => {
                let numbered = list.iter().enumerate();
                found.extend(numbered.map(|(i, child)| (edge, keyword.as_str(), Some(i.to_string().into()), child)));
            }
            (Some((edge, Holds::Named)), Value::Object(named)) => {
                found.extend(named.iter().map(|(name, c)| (edge, keyword.as_str(), Some(name.as_str().into()), c)));
            }
            _ => {}
        }
    }
    found
}

/// The JSON pointer inside a reference to the same document; `None` for any other reference, anchors included.
fn fragment(reference: &str) -> Option<&str> {
    reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'))
}

/// Whether `reference` is `#` or `#/…`.
pub(crate) fn is_local(reference: &str) -> bool {
    fragment(reference).is_some()
}

/// Where a local reference leads: the JSON pointer, and the schema there.
pub(crate) fn follow<'s>(root: &'s Value, reference: &str) -> Option<(String, &'s Value)> {
    let pointer = percent_decoded(fragment(reference)?)?;
    let target = root.pointer(&pointer)?;
    Some((pointer, target))
}

/// `schema`'s `$ref`, if it has one.
pub(crate) fn reference(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)
}

/// Identity of a subschema: its place in memory, for as long as the document is borrowed.
pub(crate) fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema).addr()
}

pub(crate) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A JSON pointer one step further.
pub(crate) fn join(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}

/// At most 200 characters of a text that a stranger wrote, fit to be shown, for use in an error.
pub(crate) fn short(text: &str) -> String {
    portcullis_gate::printable(text, 200)
}

fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_followed_through_escapes_and_percent_signs() {
        let root = json!({"$defs": {"a/b c": {"type": "null"}}});
        assert_eq!(follow(&root, "#/$defs/a~1b%20c").unwrap().1, &json!({"type": "null"}));
        assert!(follow(&root, "#").is_some());
        assert!(follow(&root, "#/$defs/a%2").is_none());
        assert!(!is_local("#anchor") && !is_local("other.json") && !is_local(""));
    }

    #[test]
    fn texts_of_strangers_are_shortened_and_cannot_move_the_cursor() {
        assert_eq!(short("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(short(&"x".repeat(1000)).chars().count(), 201);
    }
}
