//! The JSON of a schema while it is made: small functions, each of which exists once however many types there are.

use crate::{Map, Value};

use super::{Keyword, Said};

pub(super) type Object = Map;

pub(super) const CHOICES: [&str; 3] = ["oneOf", "anyOf", "allOf"];

pub(super) fn nullable(mut object: Object) -> Object {
    if CHOICES.iter().chain(&["$ref"]).any(|name| object.contains_key(*name)) {
        if object.len() == 1
            && let Some(Value::Array(choices)) = object.get("anyOf")
            && choices.iter().any(|choice| choice.get("type").and_then(Value::as_str) == Some("null"))
        {
            return object;
        }
        let mut either = Object::new();
        push(&mut either, "anyOf", Value::Object(object));
        push(&mut either, "anyOf", Value::Object(typed("null")));
        return either;
    }
    match object.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&text("null")) => types.push(text("null")),
        Some(one @ Value::String(_)) if one != "null" => *one = Value::Array(vec![one.take(), text("null")]),
        _ => {}
    }
    if let Some(Value::Array(values)) = object.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    object
}

/// Takes away what refuses other fields: of a part, the whole decides.
pub(super) fn loosen(object: &mut Object) {
    if object.get("additionalProperties") == Some(&Value::Bool(false)) {
        object.remove("additionalProperties");
    }
    for name in CHOICES {
        object.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().for_each(loosen_value);
    }
}

pub(super) fn loosen_value(value: &mut Value) {
    if let Value::Object(object) = value {
        loosen(object);
    }
}

/// Puts a flattened part's fields among the others.
pub(super) fn merge(object: &mut Object, part: Object) {
    for (name, value) in part {
        match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.into_iter().for_each(|(name, value)| put_inside(object, &name, value));
            }
            (list @ ("required" | "allOf"), Value::Array(items)) => {
                items.into_iter().for_each(|item| push(object, list, item));
            }
            // A second choice stands beside the first.
            (choice @ ("oneOf" | "anyOf"), value) if object.contains_key(choice) => {
                let mut other = Object::new();
                put(&mut other, choice, value);
                push(object, "allOf", Value::Object(other));
            }
            (_, value) => {
                object.entry(name.to_owned()).or_insert(value);
            }
        }
    }
    // `additionalProperties` does not see the fields that a choice names; this one does.
    if CHOICES.iter().any(|name| object.contains_key(*name))
        && let Some(values) = object.remove("additionalProperties")
    {
        put(object, "unevaluatedProperties", values);
    }
}

pub(super) fn say(object: &mut Object, keywords: &[Keyword]) {
    for Keyword(said) in keywords {
        match *said {
            Said::Text(name, value) => put_text(object, name, value),
            Said::Json(name, json) => put(object, name, parsed(json)),
            Said::AtLeast(length) => limit(object, ["minLength", "minItems", "minProperties"], length),
            Said::AtMost(length) => limit(object, ["maxLength", "maxItems", "maxProperties"], length),
        }
    }
}

/// A length counts characters, items or entries: whichever of them there can be.
pub(super) fn limit(object: &mut Object, [characters, items, entries]: [&str; 3], length: u32) {
    let may_be = |object: &Object, name: &str| match object.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    };
    for (kind, keyword) in [("string", characters), ("array", items), ("object", entries)] {
        if may_be(object, kind) {
            put(object, keyword, Value::from(length));
        }
    }
}

pub(super) fn parsed(json: &str) -> Value {
    // From bytes, as everything else is: the same parser twice would be a sixth of a guest.
    serde_json::from_slice(json.as_bytes()).unwrap_or_else(|_| text(json))
}

/// A schema that says nothing is `true`.
pub(super) fn whole(object: Object) -> Value {
    if object.is_empty() { Value::Bool(true) } else { Value::Object(object) }
}

pub(super) fn typed(kind: &str) -> Object {
    let mut object = Object::new();
    put_text(&mut object, "type", kind);
    object
}

pub(super) fn one_of<'a>(texts: impl Iterator<Item = &'a str>) -> Object {
    let mut object = typed("string");
    put(&mut object, "enum", Value::Array(texts.map(text).collect()));
    object
}

pub(super) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub(super) fn put(object: &mut Object, name: &str, value: Value) {
    object.insert(name.to_owned(), value);
}

pub(super) fn put_text(object: &mut Object, name: &str, value: &str) {
    put(object, name, text(value));
}

/// Adds to a list, which is made where there is none.
pub(super) fn push(object: &mut Object, name: &str, value: Value) {
    if let Value::Array(values) = object.entry(name.to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
        values.push(value);
    }
}

/// Adds a property.
pub(super) fn put_inside(object: &mut Object, name: &str, value: Value) {
    if let Value::Object(properties) =
        object.entry("properties".to_owned()).or_insert_with(|| Value::Object(Object::new()))
    {
        put(properties, name, value);
    }
}

/// Adds a property that must be there, to an object.
pub(super) fn require(object: &mut Object, name: &str, value: Value) {
    put_text(object, "type", "object");
    put_inside(object, name, value);
    push(object, "required", text(name));
}
