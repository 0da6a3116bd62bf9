//! What a violation says, what it never says, and that hostile pairs of schema and value come to an end.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use portcullis_schema::{MAX_VIOLATIONS, Schema};
use serde_json::{Value, json};

fn schema(value: &Value) -> Schema {
    Schema::compile(&value.to_string()).unwrap()
}

fn said(rules: &Value, value: &Value) -> String {
    schema(rules).validate(value).unwrap_err().to_string()
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!({"x": inner}))
}

#[test]
fn a_missing_property_is_named_where_it_is_missing() {
    let rules = json!({"properties": {"a": {"required": ["To", "b/c"]}}});
    assert_eq!(said(&rules, &json!({"a": {}})), "at /a/To: is required; at /a/b~1c: is required");
    let violations = schema(&rules).validate(&json!({"a": {"To": 1}})).unwrap_err();
    let only = &violations.as_slice()[0];
    assert_eq!((only.keyword.as_str(), only.rule.as_str()), ("required", "/properties/a/required"));
}

#[test]
fn an_unknown_property_is_named() {
    let rules = json!({"properties": {"To": {}}, "additionalProperties": false});
    assert_eq!(said(&rules, &json!({"Too": 1})), "at /Too: is not a known property; known are `To`");
    assert_eq!(
        said(&rules, &json!({"a": 1, "b": 1})),
        "at the top level: has unknown properties: a, b; known are `To`"
    );
}

#[test]
fn no_rule_repeats_the_value() {
    const SECRET: &str = "hunter2";
    let rules = [
        json!({"type": "integer"}),
        json!({"enum": ["a", 1]}),
        json!({"const": 3}),
        json!({"pattern": "^x"}),
        json!({"maxLength": 2}),
        json!({"minLength": 20}),
        json!({"not": {"type": "string"}}),
        json!(false),
        json!({"anyOf": [{"type": "null"}, {"const": 1}]}),
        json!({"oneOf": [{}, {}]}),
        json!({"oneOf": [false]}),
        json!({"items": {"type": "null"}}),
        json!({"contains": {"type": "null"}}),
        json!({"maxItems": 0}),
        json!({"uniqueItems": true}),
        json!({"prefixItems": [{}], "items": false}),
        json!({"unevaluatedItems": false}),
        json!({"additionalProperties": {"type": "null"}}),
        json!({"maxProperties": 0}),
        json!({"minProperties": 9}),
        json!({"if": {}, "then": {"maxLength": 1}}),
        json!({"properties": {"a": {"minimum": 7, "type": "number"}}}),
        json!({"dependentRequired": {"a": ["b"]}}),
        json!({"propertyNames": {"maxLength": 0}}),
    ];
    let values = [json!(SECRET), json!([SECRET, SECRET]), json!({"a": SECRET})];
    let mut failures = 0;
    for rule in &rules {
        for value in &values {
            if let Err(violations) = schema(rule).validate(value) {
                failures += 1;
                let all = format!("{violations} {violations:?}");
                assert!(!all.contains(SECRET), "{rule}: {all}");
            }
        }
    }
    assert!(failures > rules.len(), "{failures}");
}

#[test]
fn at_most_five_violations_are_listed_and_the_rest_is_mentioned() {
    let violations = schema(&json!({"items": {"type": "null"}})).validate(&json!([1, 2, 3, 4, 5, 6])).unwrap_err();
    assert_eq!(violations.as_slice().len(), MAX_VIOLATIONS);
    assert!(violations.more() && violations.to_string().ends_with("; and more"));
}

#[test]
fn long_and_odd_property_names_are_shortened_and_escaped() {
    let name = format!("\u{1b}[31m{}", "x".repeat(10_000));
    let text = said(&json!({"additionalProperties": false}), &json!({name.as_str(): 1}));
    assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
    let below = said(&json!({"additionalProperties": {"type": "null"}}), &json!({name.as_str(): 1}));
    assert!(below.len() < 400 && !below.contains('\u{1b}'), "{below}");
    assert_eq!(
        said(&json!({"propertyNames": {"maxLength": 3}}), &json!({name: 1})),
        "at the top level: has a property name that is not allowed"
    );
}

#[test]
fn definitions_that_double_sixty_times_are_refused_and_not_checked_for_ever() {
    let mut same = String::from(r##"{"$ref": "#/$defs/0", "$defs": {"##);
    let mut below = same.clone();
    for i in 0..60 {
        let next = format!(r##"{{"$ref": "#/$defs/{}"}}"##, i + 1);
        write!(same, r#""{i}": {{"allOf": [{next}, {next}]}}, "#).unwrap();
        let x = format!(r#"{{"properties": {{"x": {next}}}}}"#);
        write!(below, r#""{i}": {{"anyOf": [{x}, {{"not": {x}}}]}}, "#).unwrap();
    }
    let start = Instant::now();
    for text in [same, below] {
        // Either it is refused as a schema, or it refuses to check; it must not hang.
        match Schema::compile(&format!(r#"{text}"60": {{"type": "integer"}}}}}}"#)) {
            Ok(schema) => assert_eq!(schema.validate(&nested(59)).unwrap_err().as_slice()[0].keyword, "bound"),
            Err(error) => assert!(error.to_string().contains("nested"), "{error}"),
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_recursive_schema_that_fails_two_ways_at_each_level_is_explained_within_bounds() {
    let x = json!({"properties": {"x": {"$ref": "#"}}});
    let rules = json!({"type": "object", "anyOf": [x, {"minProperties": 1, "properties": {"x": {"$ref": "#"}}}]});
    let start = Instant::now();
    for levels in [3, 12, 120] {
        schema(&rules).validate(&nested(levels)).unwrap_err();
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_deep_value_against_long_chains_does_not_overflow_the_stack() {
    let mut chain = json!({"minimum": 3, "properties": {"x": {"$ref": "#"}}});
    for _ in 0..40 {
        chain = json!({"minimum": 3, "allOf": [chain]});
    }
    let rules = schema(&chain);
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || rules.validate(&nested(120)))
        .unwrap()
        .join()
        .unwrap()
        .unwrap_err();
}

#[test]
fn a_long_list_of_failures_is_not_collected_in_memory() {
    let list = Value::Array(vec![json!(0); 200_000]);
    let violations = schema(&json!({"items": {"type": "string"}})).validate(&list).unwrap_err();
    assert_eq!(violations.as_slice()[0].keyword, "bound");
    let many_rules = json!({"items": {"allOf": vec![json!({"type": "integer"}); 10_000]}});
    assert_eq!(schema(&many_rules).validate(&list).unwrap_err().as_slice()[0].keyword, "bound");
}

#[test]
fn where_none_of_several_schemas_fits_it_is_said_what_would() {
    let effect = json!({"oneOf": [{"const": "read", "type": "string"}, {"const": "write", "type": "string"}]});
    assert_eq!(said(&effect, &json!("reads")), "at the top level: is not one of \"read\", \"write\"");
    assert_eq!(
        said(&json!({"anyOf": [effect, {"type": "null"}]}), &json!("reads")),
        "at the top level: is not one of \"read\", \"write\""
    );

    let auth = json!({"oneOf": [
        {"properties": {"type": {"const": "bearer"}}, "required": ["type"], "type": "object"},
        {"properties": {"type": {"const": "header"}, "name": {}}, "required": ["type", "name"], "type": "object"},
    ]});
    let auth = json!({"properties": {"auth": auth}});
    assert_eq!(said(&auth, &json!({"auth": {"type": "heade"}})), "at /auth/type: is not one of \"bearer\", \"header\"");
    assert_eq!(said(&auth, &json!({"auth": {"type": "header"}})), "at /auth/name: is required");
    // Nothing tells which one was meant.
    assert!(said(&auth, &json!({"auth": {"name": "x"}})).starts_with("at /auth: "));
    assert!(said(&auth, &json!({"auth": 7})).starts_with("at /auth: "));
}
