//! What `Schema::compile` refuses, and that it comes back. A test that overflows a stack aborts the whole run.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;

use portcullis_schema::{MAX_SCHEMA_BYTES, Schema, SchemaError};
use serde_json::json;

fn refused(text: &str) -> SchemaError {
    Schema::compile(text).unwrap_err()
}

fn defs(count: usize, each: impl Fn(usize) -> String, last: &str) -> String {
    let mut text = String::from(r##"{"$ref": "#/$defs/0", "$defs": {"##);
    for i in 0..count {
        write!(text, r#""{i}": {}, "#, each(i + 1)).unwrap();
    }
    write!(text, r#""{count}": {last}}}}}"#).unwrap();
    text
}

#[test]
fn a_schema_is_shared_by_its_clones_and_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(value: T) -> T {
        value
    }
    let schema = shared(Schema::compile(r#"{"type": "null"}"#).unwrap());
    assert!(std::ptr::eq(schema.value(), schema.clone().value()));
    assert_eq!(schema.value(), &json!({"type": "null"}));
}

#[test]
fn numbers_are_not_read_with_arbitrary_precision() {
    let value: serde_json::Value = serde_json::from_str("1.000000000000000000000001").unwrap();
    assert_eq!(value.to_string(), "1.0");
}

#[test]
fn a_schema_nested_three_thousand_deep_is_not_json() {
    let text = format!("{}true{}", r#"{"not": "#.repeat(3_000), "}".repeat(3_000));
    assert!(matches!(refused(&text), SchemaError::NotJson { .. }));
}

#[test]
fn a_schema_over_one_mebibyte_is_not_even_parsed() {
    assert_eq!(refused(&" ".repeat(MAX_SCHEMA_BYTES + 1)), SchemaError::TooLarge { bytes: MAX_SCHEMA_BYTES + 1 });
}

#[test]
fn a_reference_out_of_the_document_is_refused_with_its_place() {
    let error = refused(r#"{"properties": {"a/b": {"$ref": "https://example.com/s.json"}}}"#);
    assert_eq!(
        error.to_string(),
        "`$ref` at /properties/a~1b points outside the schema, to \"https://example.com/s.json\", and nothing is ever \
         fetched: copy the target into `$defs` and write \"#/$defs/<name>\""
    );
    for reference in
        ["file:///etc/passwd", "other.json#/a", "#anchor", "//x/y", "https://json-schema.org/draft/2020-12/schema"]
    {
        let text = json!({"$defs": {"x": {"items": {"$ref": reference}}}}).to_string();
        assert!(matches!(refused(&text), SchemaError::RemoteRef { .. }), "{reference}");
    }
    // Reached only because a reference leads to a place that is no keyword.
    let hidden = r##"{"$ref": "#/x", "x": {"$ref": "http://example.com"}}"##;
    assert!(matches!(refused(hidden), SchemaError::RemoteRef { .. }));
    assert!(Schema::compile(r#"{"const": {"$ref": "https://example.com"}}"#).is_ok(), "data is not a reference");
    assert!(Schema::compile(r#"{"properties": {"$ref": {"type": "string"}}}"#).is_ok(), "nor is a property's name");
}

#[test]
fn a_reference_to_nothing_is_refused() {
    let error = refused(r##"{"$ref": "#/$defs/nobody"}"##);
    assert_eq!(error, SchemaError::MissingRef { pointer: String::new(), reference: "#/$defs/nobody".into() });
}

#[test]
fn another_dialect_and_keywords_that_move_references_are_refused() {
    let old = refused(r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#);
    assert!(matches!(old, SchemaError::Dialect { .. }));
    assert!(Schema::compile(r#"{"$schema": "https://json-schema.org/draft/2020-12/schema#"}"#).is_ok());
    for text in [r##"{"$dynamicRef": "#a"}"##, r#"{"items": {"$id": "https://example.com/other"}}"#] {
        assert!(matches!(refused(text), SchemaError::Keyword { .. }), "{text}");
    }
}

#[test]
fn a_schema_that_applies_itself_to_the_same_value_is_endless() {
    for text in [
        r##"{"$ref": "#"}"##,
        r##"{"allOf": [{"$ref": "#"}]}"##,
        r##"{"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}}"##,
    ] {
        assert!(matches!(refused(text), SchemaError::Endless { .. }), "{text}");
    }
    assert!(Schema::compile(r##"{"properties": {"next": {"$ref": "#"}}}"##).is_ok());
}

#[test]
fn long_chains_of_references_are_refused_before_they_reach_the_stack() {
    for count in [200, 15_000] {
        let text = defs(count, |next| format!(r##"{{"$ref": "#/$defs/{next}"}}"##), "{}");
        assert!(matches!(refused(&text), SchemaError::TooDeep { .. }), "{count}");
    }
    let below = defs(12_000, |next| format!(r##"{{"items": {{"$ref": "#/$defs/{next}"}}}}"##), "{}");
    assert!(Schema::compile(&below).unwrap().validate(&json!([[[1]]])).is_ok());
}

#[test]
fn patterns_must_be_linear_small_and_few() {
    for pattern in ["(?=a)b", r"(a)\1", "((a{1,100}){1,100}){1,100}", "("] {
        let text = json!({"properties": {"x": {"pattern": pattern}}}).to_string();
        let SchemaError::Invalid { pointer, .. } = refused(&text) else { panic!("{pattern}") };
        assert_eq!(pointer, "/properties/x/pattern");
    }
    let many: Vec<_> = (0..300).map(|i| json!({"pattern": format!("x{i}")})).collect();
    assert_eq!(refused(&json!({"anyOf": many}).to_string()), SchemaError::TooManyPatterns { found: 300 });
}

#[test]
fn a_schema_whose_compiling_would_not_end_is_refused() {
    // What is evaluated is found out anew for each level, and for each reference.
    let nested = (0..60).fold(json!({}), |below, _| json!({"allOf": [below], "unevaluatedProperties": false}));
    let text = nested.to_string();
    assert!(matches!(refused(&text), SchemaError::Work(_) | SchemaError::NotJson { .. }));
    let nested = (0..35).fold(json!({}), |below, _| json!({"allOf": [below], "unevaluatedProperties": false}));
    assert!(matches!(refused(&nested.to_string()), SchemaError::Work(_)));
    let twice = |next: usize| format!(r##"{{"allOf": [{{"$ref": "#/$defs/{next}"}}, {{"$ref": "#/$defs/{next}"}}]}}"##);
    let text = defs(60, twice, "{}").replacen('{', r#"{"unevaluatedProperties": false, "#, 1);
    assert!(matches!(refused(&text), SchemaError::Work(_)));
    // And one that goes deep by references that are followed on the spot.
    let deep = |next: usize| {
        format!(r##"{{"items": {{"allOf": [{{"$ref": "#/$defs/{next}"}}], "unevaluatedItems": false}}}}"##)
    };
    assert!(matches!(refused(&defs(8_000, deep, "{}")), SchemaError::TooDeep { .. }));
    for count in [10, 20, 40, 60, 80, 120] {
        drop(Schema::compile(&defs(count, deep, "{}")));
    }
}

#[test]
fn names_that_make_pointers_long_are_refused() {
    let below: serde_json::Map<_, _> = (0..20_000).map(|n| (format!("p{n}"), json!({}))).collect();
    let text = json!({"properties": {"n".repeat(500_000): {"properties": below}}}).to_string();
    let SchemaError::LongPointer { pointer, .. } = refused(&text) else { panic!() };
    assert!(pointer.len() < 1_000);
}

#[test]
fn what_is_no_schema_is_invalid_with_its_place() {
    let error = refused(r#"{"properties": {"a": {"type": "strnig"}}}"#);
    assert!(error.to_string().starts_with("the schema is not valid at /properties/a/type: "), "{error}");
    for text in ["", "[]", "1", r#"{"minItems": -1}"#, r#"{"required": "a"}"#] {
        Schema::compile(text).unwrap_err();
    }
}
