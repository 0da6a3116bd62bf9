//! Whether a value has the shape that a schema says, for what an adapter passes on without decoding it.
//!
//! One function for all types, where a decoder would be one for each. It looks at what a decoder would look at: types,
//! required members, names of variants; and at bounds of lengths and numbers. Patterns and formats are the host's to check.

use serde_json::Value;

use super::{Field, Keyword, Kind, Presence, Said, Schema, Shape, Tag, Variant};

/// Checks a value that was received. The error says where it is wrong (a JSON Pointer) and what should be there, and
/// never what is there: that may be nobody's to read.
pub(crate) fn check(schema: &'static Schema, value: &Value) -> Result<(), String> {
    let mut at = Vec::new();
    match shape(schema, value, &mut at, 0) {
        Ok(()) => Ok(()),
        Err(expected) => {
            at.reverse();
            let place = if at.is_empty() { "the top".to_owned() } else { format!("`/{}`", at.join("/")) };
            Err(format!("at {place} it is no {expected}"))
        }
    }
}

/// What should be there. Where it is, is pushed to `at` on the way back, last first.
type Expected = String;

/// Types that are the same as others, or parts of themselves, end here.
const MAX_STEPS: u32 = 64;

fn shape(schema: &'static Schema, value: &Value, at: &mut Vec<String>, steps: u32) -> Result<(), Expected> {
    if steps > MAX_STEPS {
        return Ok(());
    }
    let wrong = |expected: &str| Err(expected.to_owned());
    match schema.shape {
        Shape::Any => {}
        Shape::Plain(kind) if is(kind, value) => {}
        Shape::Plain(kind) => return wrong(kind),
        Shape::OneOf(texts) if value.as_str().is_some_and(|text| texts.contains(&text)) => {}
        Shape::OneOf(_) => return wrong("value of the list in the schema"),
        Shape::Array(items) => {
            let Value::Array(values) = value else { return wrong("array") };
            for (index, value) in values.iter().enumerate() {
                shape(items(), value, at, 0).inspect_err(|_| at.push(index.to_string()))?;
            }
        }
        Shape::Tuple(items) => {
            let Value::Array(values) = value else { return wrong("array") };
            if values.len() != items.len() {
                return wrong(&format!("array of {} items", items.len()));
            }
            for (index, (item, value)) in items.iter().zip(values).enumerate() {
                shape((item.schema)(), value, at, 0)
                    .and_then(|()| said(item.keywords, value))
                    .inspect_err(|_| at.push(index.to_string()))?;
            }
        }
        Shape::Map(values) => {
            let Value::Object(members) = value else { return wrong("object") };
            for (name, value) in members {
                shape(values(), value, at, 0).inspect_err(|_| at.push(escaped(name)))?;
            }
        }
        Shape::Object { fields, strict } => object(fields, strict, value, at, steps)?,
        Shape::Nullable(_) if value.is_null() => return Ok(()),
        Shape::Nullable(inner) | Shape::Same(inner) | Shape::PassedOn(inner) => shape(inner(), value, at, steps + 1)?,
        Shape::Enum { tag, variants, .. } => {
            if !variants.iter().any(|one| one.received && variant(tag, one, value, steps)) {
                return wrong("variant that the schema knows");
            }
        }
    }
    said(schema.keywords, value)
}

fn object(
    fields: &'static [Field],
    strict: bool,
    value: &Value,
    at: &mut Vec<String>,
    steps: u32,
) -> Result<(), Expected> {
    let Value::Object(members) = value else { return Err("object".to_owned()) };
    for field in fields.iter().filter(|field| field.received != Presence::Absent) {
        let schema = (field.schema)();
        if field.flat {
            // A part that may be missing as a whole says nothing about what is there.
            if !may_be_null(schema) {
                shape(schema, value, at, steps + 1)?;
            }
            continue;
        }
        match members.get(field.name) {
            Some(value) => shape(schema, value, at, 0)
                .and_then(|()| said(field.keywords, value))
                .inspect_err(|_| at.push(escaped(field.name)))?,
            None if field.received == Presence::Required && !may_be_null(schema) => {
                return Err(format!("object with a member `{}`", field.name));
            }
            None => {}
        }
    }
    let known = |name: &str| fields.iter().any(|field| field.name == name || field.flat);
    if strict && !members.keys().all(|name| known(name)) {
        return Err("object without other members than the schema names".to_owned());
    }
    Ok(())
}

fn variant(tag: Tag, variant: &Variant, value: &Value, steps: u32) -> bool {
    let named = |value: &Value| match variant.kind {
        Kind::Other => value.is_string(),
        _ => value.as_str() == Some(variant.name),
    };
    let holds =
        |value: &Value| variant.content.is_none_or(|content| shape(content, value, &mut Vec::new(), steps + 1).is_ok());
    match tag {
        _ if variant.kind == Kind::Untagged => holds(value),
        Tag::Untagged => {
            if variant.content.is_some() {
                holds(value)
            } else {
                value.is_null()
            }
        }
        Tag::External => match (value, variant.content) {
            (value, None) => named(value),
            (Value::Object(members), Some(_)) => members.len() == 1 && members.get(variant.name).is_some_and(holds),
            _ => false,
        },
        Tag::Internal(name) => value.get(name).is_some_and(named) && holds(value),
        Tag::Adjacent(name, holder) => {
            value.get(name).is_some_and(named) && (variant.content.is_none() || value.get(holder).is_some_and(holds))
        }
    }
}

fn said(keywords: &[Keyword], value: &Value) -> Result<(), Expected> {
    let length = || match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    };
    for Keyword(keyword) in keywords {
        let bound = |json: &str| json.parse::<f64>().ok().zip(value.as_f64());
        let (holds, expected) = match *keyword {
            Said::AtLeast(least) => (length().is_none_or(|length| length >= least as usize), "long enough"),
            Said::AtMost(most) => (length().is_none_or(|length| length <= most as usize), "short enough"),
            Said::Json("minimum", json) => (bound(json).is_none_or(|(least, value)| value >= least), "large enough"),
            Said::Json("maximum", json) => (bound(json).is_none_or(|(most, value)| value <= most), "small enough"),
            _ => continue,
        };
        if !holds {
            return Err(format!("value that is {expected}"));
        }
    }
    Ok(())
}

fn is(kind: &str, value: &Value) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
        // As JSON Schema counts, 1.0 is an integer.
        Value::Number(number) => {
            kind == "number" || (kind == "integer" && number.as_f64().is_none_or(|number| number % 1.0 == 0.0))
        }
    }
}

fn may_be_null(mut schema: &'static Schema) -> bool {
    for _ in 0..MAX_STEPS {
        match schema.shape {
            Shape::Nullable(_) => return true,
            Shape::Same(inner) | Shape::PassedOn(inner) => schema = inner(),
            _ => return false,
        }
    }
    false
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{prelude::*, schema::Model};

    #[model]
    #[derive(Debug)]
    struct Order {
        id: u32,
        note: Option<String>,
        #[serde(default)]
        tags: Vec<String>,
        #[serde(rename = "type")]
        kind: Kind_,
        #[schema(length(max = 3))]
        lines: Vec<Line>,
        parent: Option<Box<Order>>,
    }

    #[model]
    #[derive(Debug)]
    enum Kind_ {
        Plain,
        Gift { to: String },
    }

    #[model]
    #[derive(Debug)]
    #[serde(deny_unknown_fields)]
    struct Line(#[schema(range(max = 9))] f64, bool);

    fn of(change: impl FnOnce(&mut Value)) -> Result<(), String> {
        let mut value = json!({"id": 7, "type": "Plain", "lines": [[1, true]], "more": {"x": 1}});
        change(&mut value);
        let agreed = serde_json::from_value::<Order>(value.clone()).is_ok();
        let checked = check(Order::SCHEMA, &value);
        assert!(agreed || checked.is_err(), "a decoder refuses what the check lets through: {value}");
        checked
    }

    #[test]
    fn what_a_decoder_takes_passes() {
        of(|_| ()).unwrap();
        of(|value| value["note"] = json!("x")).unwrap();
        of(|value| value["note"] = Value::Null).unwrap();
        of(|value| value["type"] = json!({"Gift": {"to": "Ada"}})).unwrap();
        of(|value| value["parent"] = json!({"id": 1, "type": "Plain", "lines": []})).unwrap();
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_itself() {
        for (change, told) in [
            (json!({"id": "secret"}), "at `/id` it is no integer"),
            (json!({"id": -1}), "at `/id` it is no value that is large enough"),
            (json!({"id": 1.5}), "at `/id` it is no integer"),
            (json!({"note": 1}), "at `/note` it is no string"),
            (json!({"type": "Secret"}), "at `/type` it is no variant that the schema knows"),
            (json!({"type": {"Gift": {}}}), "at `/type` it is no variant that the schema knows"),
            (json!({"lines": {}}), "at `/lines` it is no array"),
            (json!({"lines": [[1, true], [1]]}), "at `/lines/1` it is no array of 2 items"),
            (json!({"lines": [[10, true]]}), "at `/lines/0/0` it is no value that is small enough"),
            (
                json!({"lines": [[1, true], [1, true], [1, true], [1, true]]}),
                "at `/lines` it is no value that is short enough",
            ),
            (json!({"parent": {"id": 1}}), "at `/parent` it is no object with a member `type`"),
        ] {
            let found = of(|value| {
                for (name, member) in change.as_object().unwrap() {
                    value[name] = member.clone();
                }
            });
            assert_eq!(found.unwrap_err(), told);
        }
        assert_eq!(check(Order::SCHEMA, &json!([])).unwrap_err(), "at the top it is no object");
        let list = json!({"a/b~": "x"});
        assert_eq!(
            check(<std::collections::BTreeMap<String, u8>>::SCHEMA, &list).unwrap_err(),
            "at `/a~1b~0` it is no integer"
        );
    }

    #[test]
    fn parts_variants_and_strict_objects_are_looked_into() {
        #[model]
        #[serde(tag = "kind")]
        enum Shape {
            Circle {
                radius: f64,
            },
            #[serde(other)]
            Unknown,
        }

        #[model]
        struct Part {
            size: u8,
        }

        #[model]
        struct Whole {
            #[serde(flatten)]
            part: Part,
            shape: Option<Shape>,
        }

        #[model]
        #[serde(deny_unknown_fields)]
        struct Strict {
            a: Option<u8>,
        }

        let whole = |value: Value| check(Whole::SCHEMA, &value);
        whole(json!({"size": 1, "shape": {"kind": "Circle", "radius": 2}})).unwrap();
        whole(json!({"size": 1, "shape": {"kind": "Square"}})).unwrap();
        assert_eq!(whole(json!({})).unwrap_err(), "at the top it is no object with a member `size`");
        assert!(whole(json!({"size": 1, "shape": {"radius": 2}})).unwrap_err().starts_with("at `/shape`"));
        assert!(check(Strict::SCHEMA, &json!({"a": 1, "b": 2})).unwrap_err().contains("without other members"));
        check(Strict::SCHEMA, &json!({"a": 1})).unwrap();
    }
}
