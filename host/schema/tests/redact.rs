//! What is hidden of a value, what is left of it, and what is told about it.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{borrow::Cow, time::Instant};

use portcullis_schema::{MAX_PLACES, REDACTED, Schema};
use serde_json::{Map, Value, json};

fn compiled(schema: &Value) -> Schema {
    Schema::compile(&schema.to_string()).unwrap()
}

/// What is left of a value, and the places that were hidden.
fn redacted(schema: &Value, value: &Value) -> (Value, Vec<String>) {
    let schema = compiled(schema);
    let redacted = schema.redact(value);
    assert!(!redacted.more);
    (redacted.value.into_owned(), redacted.places)
}

#[test]
fn what_is_marked_is_hidden_wherever_the_mark_stands() {
    let plain = json!({"type": "string"});
    let marked = json!({"type": "string", "x-sensitive": true});
    let named = json!({"type": "object", "properties": {"name": marked, "id": plain}});
    let given = json!({"name": "Ada", "id": "7"});
    let left = json!({"name": REDACTED, "id": "7"});
    for schema in [
        named.clone(),
        json!({"allOf": [{"required": ["id"]}, named]}),
        json!({"anyOf": [{"type": "null"}, named]}),
        json!({"oneOf": [{"type": "null"}, {"$ref": "#/$defs/n"}], "$defs": {"n": named}}),
        json!({"if": {"required": ["other"]}, "then": named, "properties": {"name": plain, "id": plain}}),
        json!({"if": named, "else": {"type": "object"}}),
        json!({"dependentSchemas": {"other": named}}),
        json!({"properties": {"name": plain, "id": plain}, "allOf": [{"properties": {"name": marked}}]}),
    ] {
        assert_eq!(redacted(&schema, &given), (left.clone(), vec!["/name".to_owned()]), "{schema}");
    }
    for (schema, value, expected, place) in [
        (json!({"x-sensitive": true}), given.clone(), json!(REDACTED), ""),
        (json!({"x-sensitive": "true"}), given.clone(), json!(REDACTED), ""),
        (json!({"items": named}), json!([given, given]), json!([left, left]), "/*/name"),
        (json!({"prefixItems": [plain, marked]}), json!(["a", "b"]), json!(["a", REDACTED]), "/*"),
        (json!({"prefixItems": [plain], "items": marked}), json!(["a", "b"]), json!(["a", REDACTED]), "/*"),
        (json!({"items": plain, "contains": marked}), json!(["a"]), json!([REDACTED]), "/*"),
        (json!({"items": plain, "unevaluatedItems": marked}), json!(["a"]), json!([REDACTED]), "/*"),
        // What a text holds, and what names are.
        (json!({"properties": {"a": {"contentSchema": named}}}), json!({"a": "{}"}), json!({"a": REDACTED}), "/a"),
        (
            json!({"properties": {"a": {"propertyNames": marked, "additionalProperties": plain}}}),
            json!({"a": {"Ada": "x"}}),
            json!({"a": REDACTED}),
            "/a",
        ),
        // A circle.
        (
            json!({"properties": {"id": plain, "of": {"$ref": "#"}, "name": marked}}),
            json!({"id": "1", "of": {"id": "2", "of": {"name": "Ada"}}}),
            json!({"id": "1", "of": {"id": "2", "of": {"name": REDACTED}}}),
            "/of/of/name",
        ),
    ] {
        assert_eq!(redacted(&schema, &value), (expected, vec![place.to_owned()]), "{schema}");
    }
    // Marks of what a value is not, or that nothing refers to, say nothing of it.
    let schema = json!({"properties": {"id": plain}, "not": {"properties": {"id": marked}}, "$defs": {"n": marked}});
    let value = json!({"id": "7", "other": 1});
    assert_eq!(redacted(&schema, &value), (value, vec![]));
}

#[test]
fn beside_marks_what_is_not_described_is_hidden_too() {
    let schema = json!({
        "type": "object",
        "properties": {
            "email": {"type": "string", "x-sensitive": true},
            "id": {"type": "string"},
            "count": {"type": "integer"},
            "named": {},
            "customer": {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": true}]},
            "list": {"type": "array"},
            "any": {"items": true},
            "tags": {"additionalProperties": {"type": "string"}},
            "map": {"additionalProperties": {"description": "Whatever."}},
            "shipping": {"properties": {"name": {"type": "string", "x-sensitive": true}}},
        },
    });
    for (value, expected) in [
        // Not named, and so neither is its name shown.
        (json!({"id": "7", "ada@example.com": "new", "phone": 1}), json!({"id": "7", REDACTED: REDACTED})),
        // Not of a type that is described.
        (json!({"id": {"email": "ada@example.com"}}), json!({"id": REDACTED})),
        (json!({"shipping": "Ada, 1 Some Street"}), json!({"shipping": REDACTED})),
        (json!({"count": "ada@example.com"}), json!({"count": REDACTED})),
        (json!({"count": null, "id": null}), json!({"count": null, "id": null})),
        // Named, with nothing said of what is in it.
        (json!({"named": "x"}), json!({"named": "x"})),
        (json!({"named": {"email": "a"}}), json!({"named": {REDACTED: REDACTED}})),
        (json!({"customer": "cus_1"}), json!({"customer": "cus_1"})),
        (json!({"customer": {"name": "Ada"}}), json!({"customer": {REDACTED: REDACTED}})),
        (json!({"list": ["Ada"]}), json!({"list": REDACTED})),
        (json!({"any": ["Ada"]}), json!({"any": [REDACTED]})),
        (json!({"map": {"a": "Ada"}}), json!({"map": {REDACTED: REDACTED}})),
        // Described without names.
        (json!({"tags": {"a": "x"}}), json!({"tags": {"a": "x"}})),
    ] {
        let (left, _) = redacted(&schema, &value);
        assert_eq!(left, expected, "{value}");
    }
    assert_eq!(redacted(&schema, &json!([1])).0, json!(REDACTED), "the whole is no object");
}

#[test]
fn names_by_pattern_are_read_as_the_validator_reads_them() {
    let schema = json!({
        "patternProperties": {r"^id_\d$": {"type": "string"}, "^p": {"type": "string", "x-sensitive": true}},
        "additionalProperties": {"type": "integer"},
    });
    let value = json!({"id_1": "a", "id_٣": 3, "phone": "b", "other": "c", "n": 4});
    let expected = json!({"id_1": "a", "id_٣": 3, REDACTED: REDACTED, "n": 4});
    assert_eq!(redacted(&schema, &value), (expected, vec!["/*".to_owned()]));
    // Those that a pattern knows are not among the others.
    let schema =
        json!({"patternProperties": {"^id": {"type": "string"}}, "additionalProperties": {"x-sensitive": true}});
    let (left, _) = redacted(&schema, &json!({"id_1": "a", "other": "b"}));
    assert_eq!(left, json!({"id_1": "a", REDACTED: REDACTED}));
}

#[test]
fn places_hold_nothing_of_the_value() {
    let schema = json!({"additionalProperties": {"properties": {"a/b": {"x-sensitive": true}}}});
    let (left, places) = redacted(&schema, &json!({"ada@example.com": {"a/b": 1, "bob@example.com": 2}}));
    assert_eq!(left, json!({"ada@example.com": {"a/b": REDACTED, REDACTED: REDACTED}}), "described without its name");
    assert_eq!(places, ["/*/a~1b", "/*/*"]);
}

#[test]
fn where_nothing_is_marked_the_value_itself_is_given_back() {
    let value = json!({"a": 1});
    for schema in [json!(true), json!({}), json!({"properties": {"b": {"x-sensitive": false}}})] {
        let schema = compiled(&schema);
        assert!(matches!(schema.redact(&value).value, Cow::Borrowed(same) if std::ptr::eq(same, &value)));
    }
}

#[test]
fn places_are_bounded_in_number_and_length() {
    let of_each = |value: Value| -> Map<String, Value> { (0..200).map(|i| (format!("p{i}"), value.clone())).collect() };
    let schema = compiled(&json!({"properties": of_each(json!({"x-sensitive": true}))}));
    let value = of_each(json!("Ada")).into();
    let redacted = schema.redact(&value);
    assert!(redacted.more && redacted.places.len() == MAX_PLACES && !redacted.value.to_string().contains("Ada"));
    let long = "x".repeat(300);
    let schema = compiled(&json!({"properties": {long.clone(): {"x-sensitive": true}}}));
    let value = json!({long: "Ada"});
    let redacted = schema.redact(&value);
    assert!(redacted.more && redacted.places.is_empty() && !redacted.value.to_string().contains("Ada"));
}

#[test]
fn what_would_take_too_long_or_is_too_deep_is_hidden() {
    let started = Instant::now();
    // Twenty thousand branches for each of twenty thousand items.
    let branches: Vec<Value> = (0..20_000).map(|n| json!({"maxLength": n})).collect();
    let schema = compiled(&json!({"items": {"anyOf": branches}, "properties": {"x": {"x-sensitive": true}}}));
    let value = json!(vec!["Ada"; 20_000]);
    let text = schema.redact(&value).value.to_string();
    assert!(text.len() < 100, "{}", text.len());
    // A name that each of many patterns would read.
    let patterns: Map<String, Value> = (0..200).map(|n| (format!("^a+$|{n}"), json!({"type": "string"}))).collect();
    let schema = compiled(&json!({"patternProperties": patterns, "properties": {"x": {"x-sensitive": true}}}));
    let value = json!({"a".repeat(4 << 20): "Ada"});
    assert!(schema.redact(&value).value.to_string().len() < 100);
    // A list of lists, deeper than any parser reads.
    let schema = compiled(&json!({"items": {"$ref": "#"}, "properties": {"x": {"x-sensitive": true}}}));
    let mut value = json!([]);
    for _ in 0..2_000 {
        value = json!([value]);
    }
    assert!(schema.redact(&value).value.to_string().contains(REDACTED));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    // Taken apart by hand: dropping it would take as many frames.
    while let Value::Array(mut items) = value {
        value = items.pop().unwrap_or_default();
    }
}
