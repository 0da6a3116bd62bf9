//! For random schemas and values that are made together: nothing marked is in what is left, nor in the places; and what is
//! described and not marked is.

// clippy.toml lifts these in tests, but does not see helpers outside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use portcullis_schema::Schema;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A schema, a value that it describes, and what must or must not be left of the value.
#[derive(Clone, Debug)]
struct Made {
    schema: Value,
    value: Value,
}

/// Texts that begin like this must be gone, and those that begin with `o` must be left.
fn leaf() -> impl Strategy<Value = Made> {
    (any::<bool>(), any::<u64>()).prop_map(|(marked, number)| {
        let text = format!("{}{number:020}", if marked { "x" } else { "o" });
        let schema = if marked { json!({"type": "string", "x-sensitive": true}) } else { json!({"type": "string"}) };
        Made { schema, value: json!(text) }
    })
}

/// All texts of a value are of the kind that must be gone.
fn all_gone(value: Value) -> Value {
    match value {
        Value::String(text) => json!(format!("x{}", &text[1..])),
        Value::Array(items) => items.into_iter().map(all_gone).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(name, value)| (name, all_gone(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// The same schema, said in another way. What branches add says nothing of texts.
fn said(schema: Value, way: u8) -> Value {
    match way {
        0 => schema,
        1 => json!({"allOf": [schema]}),
        2 => json!({"anyOf": [{"type": "null"}, schema]}),
        3 => json!({"oneOf": [schema, {"type": "boolean"}], "description": "One of two."}),
        4 => json!({"if": {"type": "null"}, "then": {"type": "null"}, "else": schema}),
        5 => json!({"if": schema, "then": true, "else": false}),
        6 => json!({"allOf": [{"anyOf": [{"allOf": [schema]}]}]}),
        _ => json!({"x-sensitive": false, "allOf": [schema, true]}),
    }
}

fn made() -> impl Strategy<Value = Made> {
    leaf().prop_recursive(5, 48, 5, |inner| {
        let several = prop::collection::vec((inner.clone(), 0_u8..5), 0..5);
        let shaped = prop_oneof![
            // Properties that are named, or known by a pattern, or all alike, or not known.
            several.prop_map(|parts| {
                let (mut properties, mut patterns, mut value) = (Map::new(), Map::new(), Map::new());
                for (index, (part, how)) in parts.into_iter().enumerate() {
                    let name = format!("n{index}");
                    match how {
                        0 => {
                            patterns.insert(format!("^{name}$"), part.schema);
                            value.insert(name, part.value);
                        }
                        1 => {
                            // The name is not known, and must be gone with what it names.
                            let name = format!("x{:020}", index);
                            value.insert(name, all_gone(part.value));
                        }
                        _ => {
                            properties.insert(name.clone(), part.schema);
                            value.insert(name, part.value);
                        }
                    }
                }
                let schema = json!({"type": "object", "properties": properties, "patternProperties": patterns});
                Made { schema, value: value.into() }
            }),
            (inner.clone(), any::<bool>()).prop_map(|(part, open)| {
                let schema = if open {
                    json!({"type": "object", "additionalProperties": part.schema})
                } else {
                    json!({"unevaluatedProperties": part.schema})
                };
                Made { schema, value: json!({"free": part.value}) }
            }),
            (inner.clone(), 0_usize..3).prop_map(|(part, count)| Made {
                schema: json!({"type": "array", "items": part.schema}),
                value: json!(vec![part.value; count]),
            }),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| {
                let (schemas, values): (Vec<_>, Vec<_>) =
                    parts.into_iter().map(|part| (part.schema, part.value)).unzip();
                Made { schema: json!({"prefixItems": schemas, "items": false}), value: values.into() }
            }),
            // All of it is marked, whatever is said below.
            inner.prop_map(|part| Made {
                schema: json!({"allOf": [part.schema], "x-sensitive": true}),
                value: all_gone(part.value),
            }),
        ];
        (shaped, 0_u8..8).prop_map(|(made, way)| Made { schema: said(made.schema, way), value: made.value })
    })
}

/// The words of a text that are one letter and twenty digits.
fn tokens(text: &str, letter: char) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 21 && word.starts_with(letter)).map(str::to_owned).collect()
}

/// A document that always marks something, and comes to the schema by a reference.
fn document(schema: &Value) -> Value {
    json!({
        "properties": {"never": {"type": "string", "x-sensitive": true}, "it": {"$ref": "#/$defs/it"}},
        "$defs": {"it": schema},
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_marked_is_left_and_what_is_described_is(made in made()) {
        let schema = Schema::compile(&document(&made.schema).to_string()).unwrap();
        let value = json!({"it": made.value});
        let redacted = schema.redact(&value);
        let told = format!("{} {:?}", redacted.value, redacted.places);
        prop_assert_eq!(tokens(&told, 'x'), Vec::<String>::new(), "{} of {}", told, document(&made.schema));
        prop_assert_eq!(tokens(&told, 'o'), tokens(&value.to_string(), 'o'), "{} of {}", told, document(&made.schema));
    }

    #[test]
    fn places_hold_nothing_of_a_value_that_its_schema_is_not_about(made in made(), other in made()) {
        let schema = Schema::compile(&document(&made.schema).to_string()).unwrap();
        let value = json!({"it": all_gone(other.value)});
        prop_assert_eq!(tokens(&format!("{:?}", schema.redact(&value).places), 'x'), Vec::<String>::new());
    }
}
