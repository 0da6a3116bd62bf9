//! What is made up: valid, plausible, the same every time; and typed errors for what cannot be.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use portcullis_schema::{MAX_MOCK_BYTES, MockError, Schema};
use serde_json::{Value, json};

fn mock(schema: &Value, seed: u64) -> Result<Value, MockError> {
    let schema = Schema::compile(&schema.to_string()).unwrap();
    let made = schema.mock(seed);
    assert_eq!(made, schema.mock(seed), "the same seed gives the same value");
    if let Ok(value) = &made {
        schema.validate(value).unwrap();
    }
    made
}

/// Valid for many seeds; returns the value of the first.
fn made(schema: Value) -> Value {
    for seed in 1..20 {
        mock(&schema, seed).unwrap_or_else(|error| panic!("{schema}: {error}"));
    }
    mock(&schema, 0).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

#[test]
fn examples_come_before_default_before_const_before_enum() {
    assert_eq!(made(json!({"examples": ["e"], "default": "d", "enum": ["e", "d"]})), json!("e"));
    assert_eq!(made(json!({"default": "d", "enum": ["x", "d"]})), json!("d"));
    assert_eq!(made(json!({"const": 7, "enum": [7, 8]})), json!(7));
    assert_eq!(made(json!({"enum": [null, "only"]})), json!("only"));
    let several = json!({"examples": [1, 2, 3]});
    let seen: std::collections::BTreeSet<String> = (0..40).map(|s| mock(&several, s).unwrap().to_string()).collect();
    assert_eq!(seen.len(), 3);
}

#[test]
fn an_example_that_breaks_its_own_schema_is_not_used() {
    let value =
        made(json!({"properties": {"n": {"type": "integer", "examples": ["seven"]}, "m": {"examples": ["kept"]}}}));
    assert!(value["n"].is_i64());
    assert_eq!(value["m"], "kept");
}

#[test]
fn references_and_all_of_are_merged() {
    let value = made(json!({
        "allOf": [{"$ref": "#/$defs/base"},
            {"properties": {"b": {"type": "integer", "minimum": 5}}, "required": ["b"]}],
        "properties": {"b": {"maximum": 6}},
        "$defs": {"base": {"type": "object", "properties": {"a": {"$ref": "#/definitions/x"}}, "required": ["a"]}},
        "definitions": {"x": {"const": "x"}}
    }));
    assert_eq!(value["a"], "x");
    assert!((5..=6).contains(&value["b"].as_i64().unwrap()));
}

#[test]
fn branches_are_tried_until_one_works_and_null_comes_last() {
    assert_eq!(
        made(json!({"oneOf": [false, {"type": "string", "minLength": 3, "maxLength": 2}, {"const": 4}]})),
        json!(4)
    );
    assert!(made(json!({"anyOf": [{"type": "null"}, {"type": "integer"}]})).is_i64());
    assert!(made(json!({"anyOf": [{"type": "null"}, false]})).is_null());
    assert!(made(json!({"type": ["null", "string"]})).is_string());
    made(json!({"oneOf": [{"type": "number", "multipleOf": 3}, {"type": "number", "multipleOf": 5}]}));
    made(json!({"type": "object", "required": ["k"], "properties": {"k": {"enum": ["a", "b"]}},
        "if": {"properties": {"k": {"const": "a"}}}, "then": {"required": ["x"]}, "else": {"required": ["y"]}}));
}

#[test]
fn a_recursive_schema_ends() {
    let node = json!({"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string"}, "next": {"$ref": "#"}, "children": {"type": "array", "items": {"$ref": "#"}}}});
    assert!(made(node)["next"]["id"].is_string());
}

#[test]
fn a_linked_list_ends_where_optional_values_do() {
    let depth = |link: Value| {
        let node = json!({"type": "object", "properties": {"id": {"type": "integer"}, "next": link}, "required": ["id", "next"]});
        let list = made(json!({"$ref": "#/$defs/node", "$defs": {"node": node}}));
        let (mut at, mut depth) = (&list, 0);
        while let Some(next) = at.get("next") {
            (at, depth) = (next, depth + 1);
        }
        depth
    };
    let node = || json!({"$ref": "#/$defs/node"});
    assert!((1..=7).contains(&depth(json!({"anyOf": [node(), {"type": "null"}]}))));
    assert!((1..=7).contains(&depth(json!({"oneOf": [{"type": "null"}, node()]}))));
    let inner = json!({"type": ["object", "null"], "properties": {"next": node()}, "required": ["next"]});
    assert!((1..=14).contains(&depth(inner)));
}

#[test]
fn strings_follow_format_name_length_and_pattern() {
    let formats = [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "uuid",
        "uri",
        "hostname",
        "ipv4",
        "ipv6",
        "regex",
        "uri-reference",
        "uri-template",
        "json-pointer",
    ];
    for format in formats {
        let value = made(json!({"type": "string", "format": format}));
        let asserted = jsonschema::options().should_validate_formats(true).build(&json!({"format": format})).unwrap();
        assert!(asserted.is_valid(&value), "{format}: {value}");
    }
    for format in ["byte", "password", "binary", "unheard-of"] {
        made(json!({"type": "string", "format": format, "minLength": 4, "maxLength": 40}));
    }
    let named = made(json!({"properties": {"email": {"type": "string"}, "created": {"type": "integer"},
            "website_url": {"type": "string"}}}));
    assert!(named["email"].as_str().unwrap().ends_with("@example.com"));
    assert!(named["website_url"].as_str().unwrap().starts_with("https://example.com/"));
    assert!(named["created"].as_i64().unwrap() > 1_700_000_000);
    made(json!({"type": "string", "minLength": 100, "maxLength": 100}));
    made(json!({"type": "string", "maxLength": 0}));
    made(json!({"type": "string", "pattern": "^cus_[A-Za-z0-9]{14}$"}));
    made(json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 300}));
}

#[test]
fn numbers_stay_within_their_bounds_and_on_their_grid() {
    for schema in [
        json!({"type": "integer", "minimum": 1000, "maximum": 1001}),
        json!({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3}),
        json!({"type": "integer", "multipleOf": 7, "minimum": 100}),
        json!({"type": "integer", "multipleOf": 0.5, "maximum": -10}),
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001}),
        json!({"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 1}),
        json!({"type": "number", "maximum": -5.5}),
        json!({"type": "integer", "minimum": 9_223_372_036_854_775_000_i64}),
        json!({"type": "integer", "minimum": 18_446_744_073_709_551_000_u64}),
        json!({"type": "integer", "maximum": i64::MIN}),
        json!({"multipleOf": 1000}),
    ] {
        made(schema);
    }
}

#[test]
fn arrays_and_objects_meet_their_counts() {
    assert_eq!(
        made(json!({"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": true}))
            .as_array()
            .unwrap()
            .len(),
        3
    );
    made(json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}],
            "items": false, "minItems": 2}));
    made(json!({"type": "array", "contains": {"const": "x"}, "minContains": 2, "items": {"type": "string"}}));
    made(
        json!({"type": "object", "minProperties": 3, "maxProperties": 3, "additionalProperties": {"type": "integer"}}),
    );
    made(json!({"type": "object", "minProperties": 2, "additionalProperties": false,
            "patternProperties": {"^x-[a-z]{3,9}$": {"type": "integer"}}}));
    made(json!({"type": "object", "minProperties": 2, "propertyNames": {"pattern": "^[a-z]{5,9}$"}}));
    made(json!({"properties": {"card": {"type": "string"}}, "dependentRequired": {"card": ["zip"]}}));
    made(json!({"properties": {"never": false, "a": {"const": 1}}, "additionalProperties": false}));
    made(json!({"allOf": [{"properties": {"a": {}, "b": {}}, "additionalProperties": false},
            {"properties": {"a": {}, "c": {}}}]}));
    let closed = json!({"properties": {"a": {}, "b": {}}, "additionalProperties": false, "required": ["a"]});
    let open = json!({"properties": {"a": {}, "c": {}}});
    for both in [[closed.clone(), open.clone()], [open, closed]] {
        let value = made(json!({"type": "object", "allOf": both}));
        assert!(value.get("b").is_some() && value.get("c").is_none(), "{value}");
    }
    for anything in [json!(true), json!({})] {
        made(anything);
    }
}

#[test]
fn what_cannot_be_made_up_is_a_typed_error_that_says_where() {
    let error =
        mock(&json!({"properties": {"x": {"type": "string", "minLength": 3, "maxLength": 2}}, "required": ["x"]}), 1);
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot make up a value for the schema at /properties/x: `minLength` is above `maxLength`; \
         add \"examples\": [ … ] there"
    );
    let huge = mock(&json!({"type": "array", "minItems": 20_000}), 1).unwrap_err();
    assert!(huge.why.contains("`minItems`"), "{huge}");
    for schema in [
        json!(false),
        json!({"allOf": [{"type": "string"}, {"type": "integer"}]}),
        json!({"enum": ["a"], "type": "integer"}),
        json!({"type": "array", "minItems": 1_000_000_000_000_u64}),
        json!({"type": "array", "minItems": 9_000, "items": {"type": "array", "minItems": 9_000}}),
        json!({"type": "object", "minProperties": 1_000_000}),
        json!({"type": "string", "minLength": MAX_MOCK_BYTES + 1}),
        json!({"type": "array", "minItems": 100, "items": {"type": "string", "minLength": 10_000}}),
        json!({"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#"}}}),
        json!({"type": "integer", "minimum": 5, "maximum": 4}),
        json!({"not": {}}),
        json!({"type": "array", "items": {"enum": [1]}, "minItems": 2, "uniqueItems": true}),
        json!({"type": "array", "minItems": 5000, "items": {"type": "string", "pattern": "^(a|b)+c^"}}),
    ] {
        let start = Instant::now();
        assert!(mock(&schema, 3).is_err(), "{schema}");
        assert!(start.elapsed() < Duration::from_secs(10), "{schema}");
    }
}

#[test]
fn dead_ends_that_multiply_are_given_up() {
    let mut schema = json!({"type": "string", "minLength": 3, "maxLength": 2});
    for _ in 0..25 {
        let dead = json!({"type": "object", "required": ["b"], "properties": {"b": false}});
        schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"anyOf": [schema, dead]}}});
    }
    let choice = json!({"anyOf": vec![json!({"maxLength": 4}); 12]});
    let wide = json!({"allOf": vec![choice; 40], "type": "string", "minLength": 5});
    let start = Instant::now();
    mock(&schema, 0).unwrap_err();
    mock(&wide, 0).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
