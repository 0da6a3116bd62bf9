//! For schemas that can be met, whatever they look like: a mock validates, and the same seed gives the same bytes.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use portcullis_schema::Schema;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Random schemas, each of which some value meets.
fn satisfiable() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!({"type": ["null", "boolean"]})),
        (-1000_i64..1000, 0_i64..50)
            .prop_map(|(low, width)| json!({"type": "integer", "minimum": low, "maximum": low + width})),
        (1_u32..50, -100_i64..100)
            .prop_map(|(step, low)| json!({"type": "integer", "multipleOf": step, "minimum": low})),
        (-100_i32..100, 1_i32..9)
            .prop_map(|(low, width)| json!({"type": "number", "exclusiveMinimum": low, "maximum": low + width})),
        (0_usize..30, 0_usize..30)
            .prop_map(|(min, more)| json!({"type": "string", "minLength": min, "maxLength": min + more})),
        prop::sample::select(vec!["date", "uuid", "email", "ipv6", "uri", "time"])
            .prop_map(|f| json!({"type": "string", "format": f})),
        prop::sample::select(vec![r"^\d{3}-[A-F]+$", "^(a|bc)*d?$", "x+", r"^\w{2,5}\s\w$"])
            .prop_map(|p| json!({"type": "string", "pattern": p})),
        prop::collection::vec(any::<i16>(), 1..5).prop_map(|values| json!({"enum": values})),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let named = prop::collection::btree_map("[a-e]{1,2}", inner.clone(), 0..5);
        prop_oneof![
            (named, any::<bool>(), any::<bool>()).prop_map(|(properties, all, closed)| {
                let required: Vec<_> = properties.keys().filter(|_| all).cloned().collect();
                json!({"type": "object", "properties": properties, "required": required,
                    "additionalProperties": !closed})
            }),
            (inner.clone(), 0_usize..4, 0_usize..3).prop_map(|(items, min, more)| {
                json!({"type": "array", "items": items, "minItems": min, "maxItems": min + more})
            }),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|items| json!({"type": "array", "prefixItems": items, "items": false})),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|branches| json!({"anyOf": branches})),
            inner.clone().prop_map(|one| json!({"allOf": [one, true]})),
            inner.prop_map(|one| json!({"$defs": {"d": true}, "if": {"type": "string"}, "then": true, "allOf": [one]})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mock_of_a_satisfiable_schema_validates_and_repeats(value in satisfiable(), seed: u64) {
        let text = value.to_string();
        let schema = Schema::compile(&text).unwrap();
        let made = schema.mock(seed).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert!(schema.validate(&made).is_ok());
        let again = Schema::compile(&text).unwrap().mock(seed).unwrap();
        prop_assert_eq!(made.to_string(), again.to_string());
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in r#"[\{\}\[\]",:$a-z0-9 #/\\]{0,80}"#) {
        let _ = Schema::compile(&text);
    }
}
