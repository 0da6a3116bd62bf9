//! Cost against price: `host/gate/tests/cost/mod.rs` says how.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "these are measurements")]

#[path = "../../gate/tests/cost/mod.rs"]
mod cost;

use cost::{ENDLESS, UNIT, check, doubling, least};
use portcullis_gate::Work;
use portcullis_schema::{Json, Schema};
use serde_json::{Map, Value, json};

fn compiled(schema: &Value) -> Schema {
    Schema::compile_within(&schema.to_string(), &Work::new(ENDLESS)).unwrap()
}

/// Judges the value; it may be valid or not.
fn judged(name: &str, sizes: &[usize], make: impl Fn(usize) -> (Value, Value)) {
    let made = |size| {
        let (schema, value) = make(size);
        (compiled(&schema), value)
    };
    check(name, sizes, made, |(schema, value), work| drop(schema.validate_within(value, work)));
}

/// Ones and zeros that no small automaton foresees.
fn bits(count: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state & 1 == 1 { '1' } else { '0' }
    };
    (0..count).map(|_| next()).collect()
}

fn named(count: usize, mut value: impl FnMut(usize) -> Value) -> Map<String, Value> {
    (0..count).map(|n| (format!("p{n:06}"), value(n))).collect()
}

#[test]
fn patterns_over_texts() {
    let long = doubling(4_096, 9);
    judged("nested quantifiers", &long, |n| (json!({"pattern": "^(x+x+)+y$"}), json!("x".repeat(n))));
    judged("all of a text", &long, |n| (json!({"pattern": r"^[\s\S]*$"}), json!("ab ".repeat(n / 3))));
    judged("unicode classes", &long, |n| (json!({"pattern": r"^(\p{L}|\p{N})+$"}), json!("äЖ९".repeat(n / 8))));
    judged("many ways back", &long, |n| (json!({"pattern": "(.*a){40}[^ab]"}), json!("ab".repeat(n / 2))));
    judged("more states than fit", &long, |n| (json!({"pattern": "[01]*1[01]{400}[^01]"}), json!(bits(n))));
    judged("larger patterns", &doubling(25, 6), |n| {
        (json!({"pattern": format!("[01]*1[01]{{{n}}}[^01]")}), json!(bits(40_000)))
    });
    judged("larger counts", &doubling(8, 6), |n| {
        (json!({"pattern": format!("(a|ab|b){{{n}}}[^ab]")}), json!("ab".repeat(20_000)))
    });
    judged("alternations", &doubling(8, 5), |n| {
        let words: Vec<String> = (0..n).map(|n| format!("a{n}b+c*")).collect();
        (json!({"pattern": format!("({})+$", words.join("|"))}), json!("a1bba2bc".repeat(4_000)))
    });
    judged("many patterns", &doubling(2, 7), |n| {
        let all: Vec<Value> = (0..n).map(|n| json!({"pattern": format!("[01]*1[01]{{30}}[^01]{n}?")})).collect();
        (json!({"not": {"anyOf": all}}), json!(bits(10_000)))
    });
}

#[test]
fn items_of_lists() {
    let sizes = doubling(64, 8);
    let unique = json!({"uniqueItems": true});
    judged("unique numbers", &doubling(64, 14), |n| (unique.clone(), json!((0..n).collect::<Vec<_>>())));
    judged("unique texts", &sizes, |n| {
        (unique.clone(), (0..n).map(|at| json!(format!("{}{at}", "x".repeat(n)))).collect())
    });
    judged("unique lists in unique lists", &sizes, |n| {
        let schema = json!({"uniqueItems": true, "items": {"uniqueItems": true, "items": {"uniqueItems": true}}});
        (schema, (0..n).map(|at| json!([[at, 1, 2], [at, 3], [at]])).collect())
    });
    judged("unique, all of one hash", &sizes, |n| {
        let ones = |count: usize| vec![1; count];
        // One after another, their leaves are the same.
        (unique.clone(), (0..n).map(|at| json!([ones(at), ones(n - at)])).collect())
    });
    judged("unique numbers of one hash", &sizes, |n| {
        (unique.clone(), (0..n).map(|at| json!((1_u64 << 63) + at as u64)).collect())
    });
    judged("unique, long beginnings in common", &sizes, |n| {
        let begin = "x".repeat(2_000);
        (unique.clone(), (0..n).map(|at| json!({"a": [begin.clone(), at]})).collect())
    });
    judged("contains", &sizes, |n| {
        let inner = json!({"contains": {"const": n}, "minContains": 1});
        (json!({"items": inner}), json!(vec![json!((0..n).collect::<Vec<_>>()); 40]))
    });
    judged("fractions", &sizes, |n| {
        let huge = |at: usize| 1.797_693_134_862_315_7e308_f64 - at as f64 * 1e292;
        (json!({"items": {"multipleOf": 1e-300}}), (0..n).map(|at| json!(huge(at))).collect())
    });
    judged("branches for each item", &sizes, |n| {
        let branches: Vec<Value> = (0..n).map(|n| json!({"required": [format!("k{n}")]})).collect();
        (json!({"items": {"oneOf": branches}}), json!(vec![json!({"k": 1}); 100]))
    });
    judged("listed values for each item", &sizes, |n| {
        let list: Vec<Value> = (0..n).map(|n| json!({"a": [n, "x".repeat(100)]})).collect();
        (json!({"items": {"enum": list}}), json!(vec![json!({"a": [n, "x".repeat(100)]}); 100]))
    });
    judged("a large constant for each item", &sizes, |n| {
        let large = json!((0..n).map(|n| json!({"a": n})).collect::<Vec<_>>());
        let like = json!((0..n).map(|at| json!({"a": if at + 1 == n { 0 } else { at }})).collect::<Vec<_>>());
        (json!({"items": {"const": large}}), json!(vec![like; 100]))
    });
    judged("texts that are counted", &sizes, |n| {
        (json!({"items": {"minLength": 1, "maxLength": 1_000_000}}), json!(vec!["ä".repeat(n); 1_000]))
    });
}

#[test]
fn properties_of_objects() {
    let sizes = doubling(16, 8);
    judged("patterns for each name", &doubling(4, 6), |n| {
        let patterns: Map<String, Value> = (0..n).map(|n| (format!("^p[0-9]*{n}x"), json!({}))).collect();
        (json!({"patternProperties": patterns}), named(n * 100, |_| json!(1)).into())
    });
    judged("long names, and a pattern for names", &sizes, |n| {
        let value: Map<String, Value> = (0..20).map(|at| (bits(n * 100) + &at.to_string(), json!(1))).collect();
        (json!({"propertyNames": {"not": {"pattern": "[01]*1[01]{200}[^01]"}}}), value.into())
    });
    judged("dependent schemas", &sizes, |n| {
        (
            json!({"dependentSchemas": named(n, |n| json!({"required": [format!("p{n:06}")]}))}),
            named(n, |_| json!(1)).into(),
        )
    });
    judged("required names", &sizes, |n| {
        let names: Vec<String> = (0..n).map(|at| "x".repeat(200) + &at.to_string()).collect();
        let value: Map<String, Value> = names.iter().map(|name| (name.clone(), json!(1))).collect();
        (json!({"items": {"required": names}}), json!(vec![Value::from(value); 30]))
    });
    judged("known properties of small objects", &sizes, |n| {
        (
            json!({"items": {"properties": named(n, |_| json!({"type": "integer"}))}}),
            json!(vec![json!({"p000001": 1}); 500]),
        )
    });
    judged("unknown properties", &sizes, |n| {
        let known = named(n, |_| json!({}));
        (json!({"properties": known, "additionalProperties": {"type": "integer"}}), named(n * 20, |_| json!(1)).into())
    });
    judged("unevaluated properties", &sizes, |n| {
        let branches: Vec<Value> =
            (0..n).map(|n| json!({"properties": {format!("p{n:06}"): {"type": "integer"}}})).collect();
        let schema = json!({"anyOf": branches, "unevaluatedProperties": {"type": "integer"}});
        (schema, named(n, |_| json!(1)).into())
    });
    judged("unevaluated items", &sizes, |n| {
        let contains = json!({"contains": {"type": "integer"}});
        (json!({"allOf": vec![contains; 8], "unevaluatedItems": {"type": "string"}}), json!(vec![1; n]))
    });
}

#[test]
fn schemas_in_schemas() {
    let levels: Vec<usize> = (1..=13).collect();
    judged("nested unevaluated", &levels, |n| {
        let nest = |schema, _| json!({"allOf": [schema], "unevaluatedProperties": {"type": "integer"}});
        ((0..n).fold(json!({"type": "object"}), nest), json!({"a": 1}))
    });
    judged("references that double", &levels, |n| (doubled(n, json!({"type": "integer"})), json!(1)));
    judged("what is wrong in nested branches", &doubling(2, 6), |n| {
        let schema = json!({"anyOf": [{"properties": {"x": {"$ref": "#"}}}, {"type": "integer"}], "not": {"const": 0}});
        (schema, (0..n).fold(json!(0), |below, _| json!({"x": below})))
    });
    judged("a schema that refers to itself", &doubling(64, 8), |n| {
        (json!({"type": "array", "items": {"$ref": "#"}}), (0..n).map(|_| json!([[], [[]], [[], []]])).collect())
    });
}

fn doubled(levels: usize, last: Value) -> Value {
    let mut defs = Map::from_iter([(format!("l{levels}"), last)]);
    for level in 0..levels {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    json!({"$ref": "#/$defs/l0", "$defs": defs})
}

#[test]
fn compiling() {
    let compile = |name: &str, sizes: &[usize], make: &dyn Fn(usize) -> Value| {
        check(name, sizes, |n| make(n).to_string(), |text, work| drop(Schema::compile_within(text, work)));
    };
    let sizes = doubling(64, 8);
    compile("properties", &sizes, &|n| json!({"properties": named(n, |_| json!({"type": "string", "minLength": 1}))}));
    compile(
        "below a long name",
        &sizes,
        &|n| json!({"properties": {"n".repeat(3_000): {"properties": named(n, |_| json!({"type": "string"}))}}}),
    );
    compile("references", &sizes, &|n| {
        let defs = named(n, |_| json!({"type": "string"}));
        let names: Map<String, Value> =
            defs.keys().map(|k| (k.clone(), json!({"$ref": format!("#/$defs/{k}")}))).collect();
        json!({"properties": names, "$defs": defs})
    });
    compile("chains of references", &sizes, &|n| {
        json!({"$ref": "#/$defs/p000000", "$defs": named(n, |at| {
            if at + 1 == n { json!({}) } else { json!({"items": {"$ref": format!("#/$defs/p{:06}", at + 1)}}) }
        })})
    });
    compile("large patterns", &doubling(16, 7), &|n| json!({"pattern": format!("[01]*1[01]{{{n}}}$")}));
    compile(
        "many patterns",
        &doubling(4, 6),
        &|n| json!({"properties": named(n, |n| json!({"pattern": format!("^([a-z]+[0-9]){{3,40}}{n}$")}))}),
    );
    compile(
        "enumerations",
        &sizes,
        &|n| json!({"enum": (0..n * 10).map(|n| format!("value {n}")).collect::<Vec<_>>()}),
    );
    let levels: Vec<usize> = (2..=13).collect();
    compile("nested unevaluated", &levels, &|n| {
        (0..n).fold(json!({"type": "object"}), |below, _| json!({"allOf": [below], "unevaluatedProperties": false}))
    });
    compile("references that double, unevaluated", &levels, &|n| {
        let mut schema = doubled(n, json!({"type": "object"}));
        schema["unevaluatedProperties"] = json!(false);
        schema
    });
}

#[test]
fn making_up() {
    let made = |name: &str, sizes: &[usize], make: &dyn Fn(usize) -> Value| {
        check(name, sizes, |n| compiled(&make(n)), |schema, work| drop(schema.mock_within(7, work)));
    };
    let sizes = doubling(16, 8);
    made("properties", &sizes, &|n| json!({"properties": named(n, |_| json!({"type": "string"}))}));
    made("items", &sizes, &|n| json!({"type": "array", "minItems": n, "items": {"type": "integer"}}));
    made(
        "unique items",
        &sizes,
        &|n| json!({"type": "array", "minItems": n, "uniqueItems": true, "items": {"minimum": 0}}),
    );
    made(
        "large examples",
        &sizes,
        &|n| json!({"items": {"examples": [vec!["x"; n]]}, "minItems": 40, "type": "array"}),
    );
    made(
        "enumerations for each item",
        &sizes,
        &|n| json!({"type": "array", "minItems": 50, "items": {"enum": (0..n * 4).collect::<Vec<_>>(), "type": "integer"}}),
    );
    made(
        "long patterns",
        &doubling(8, 6),
        &|n| json!({"type": "array", "minItems": 20, "items": {"pattern": format!("^[a-z0-9_]{{{n}}}$")}}),
    );
    made(
        "patterns that end in nothing",
        &doubling(8, 6),
        &|n| json!({"items": {"type": "string", "pattern": format!("^[ab]*a[ab]{{{n}}}$"), "maxLength": 3}, "minItems": 3, "type": "array"}),
    );
    made(
        "branches that do not work out",
        &sizes,
        &|n| json!({"anyOf": (0..n).map(|n| json!({"type": "integer", "minimum": n, "maximum": 0, "not": {}})).collect::<Vec<_>>()}),
    );
    made("what applies together", &sizes, &|n| {
        let all: Vec<Value> =
            (0..n.min(200)).map(|n| json!({"properties": {format!("a{n}"): {"type": "string"}}})).collect();
        json!({"allOf": all})
    });
}

#[test]
fn redacting() {
    let redacted = |name: &str, sizes: &[usize], make: &dyn Fn(usize) -> (Value, Value)| {
        let made = |n| {
            let (mut schema, value) = make(n);
            schema["properties"]["secret"] = json!({"x-sensitive": true});
            (compiled(&schema), value)
        };
        check(name, sizes, made, |(schema, value), work| drop(schema.redact_within(value, work)));
    };
    let sizes = doubling(64, 8);
    redacted("properties", &sizes, &|n| {
        (json!({"additionalProperties": {"type": "string"}}), named(n, |_| json!("Ada")).into())
    });
    redacted("what nobody described", &sizes, &|n| (json!({"properties": {}}), named(n, |_| json!({"a": 1})).into()));
    redacted("branches for each item", &sizes, &|n| {
        let branches: Vec<Value> = (0..n).map(|n| json!({"maxLength": n})).collect();
        (json!({"items": {"anyOf": branches}}), json!(vec!["Ada"; 30]))
    });
    redacted("long texts", &sizes, &|n| (json!({"items": {"type": "string"}}), json!(vec!["x".repeat(n * 20); 100])));
    redacted("patterns for each name", &doubling(4, 6), &|n| {
        let patterns: Map<String, Value> = (0..n).map(|n| (format!("[01]*1[01]{{40}}[^01]{n}?"), json!({}))).collect();
        let names: Map<String, Value> = (0..10).map(|at| (bits(n * 20) + &at.to_string(), json!(1))).collect();
        (json!({"patternProperties": patterns}), names.into())
    });
    redacted("sensitive places", &sizes, &|n| {
        let known = named(n, |_| json!({"x-sensitive": true}));
        (json!({"properties": known}), named(n, |_| json!("Ada")).into())
    });
}

#[test]
fn a_hundred_thousand_small_items_that_must_be_unique_are_cheap() {
    let list = compiled(&json!({"type": "array", "uniqueItems": true}));
    let unique: Vec<usize> = (0..100_000).collect();
    let work = Work::new(1_000_000);
    list.validate_within(&json!(unique), &work).unwrap();
    let twice: Vec<f64> = unique.iter().map(|n| *n as f64).chain([77.0]).collect();
    let told = list.validate_within(&json!(twice), &Work::new(1_000_000)).unwrap_err().to_string();
    assert!(told.contains("does not match the schema") || told.contains("has non-unique elements"), "{told}");
    let few = list.validate_within(&json!([1, 2, 1.0]), &Work::new(1_000)).unwrap_err().to_string();
    assert_eq!(few, "at the top level: has non-unique elements");
}

#[test]
fn numbers_of_many_digits() {
    let exact = |name: &str, sizes: &[usize], make: &dyn Fn(usize) -> (Value, String)| {
        let made = |n| {
            let (schema, text) = make(n);
            (compiled(&schema), text.parse::<Json>().unwrap())
        };
        check(name, sizes, made, |(schema, json), work| drop(schema.validate_json_within(json, work)));
    };
    let sizes = doubling(16, 7);
    let long = "1.00000000000000000000000000000001";
    exact("many of them", &sizes, &|n| {
        (json!({"items": {"type": "number"}}), format!("[{}1]", format!("{long},").repeat(n * 8)))
    });
    exact("many properties beside", &sizes, &|n| {
        (
            json!({"properties": named(n, |_| json!({"type": "number"}))}),
            format!("{{\"p000001\":{long},\"p000002\":{long}}}"),
        )
    });
    exact("listed values", &sizes, &|n| {
        let list: Vec<f64> = (0..n).map(|n| n as f64 + 0.5).chain([1.0]).collect();
        (json!({"items": {"enum": list}}), format!("[{}1]", format!("{long},").repeat(50)))
    });
    exact("deep ones", &sizes, &|n| {
        let depth = n.min(100);
        let schema = json!({"items": {"$ref": "#"}});
        (schema, format!("{}{long}{}", "[".repeat(depth), "]".repeat(depth)))
    });
    exact("long ones", &sizes, &|n| {
        (json!({"minimum": 0, "maximum": 9, "multipleOf": 1e-7}), format!("1.{}1", "0".repeat(n * 100)))
    });
}

#[test]
fn what_is_too_much_is_refused_by_the_name_of_the_bound_and_costs_no_more_than_the_budget() {
    let pattern = compiled(&json!({"pattern": "[01]*1[01]{600}[^01]"}));
    let text = json!(bits(1_000_000));
    let list = compiled(&json!({"items": {"enum": (0..20_000).collect::<Vec<_>>()}}));
    let items: Value = (0..60_000).map(|at| json!([vec![1; at % 50], at])).collect();
    for (schema, value) in [(pattern, text), (list, items)] {
        let work = Work::new(1_000_000);
        let refused = schema.validate_within(&value, &work).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the bound `work` was hit: at most 1000000 units of the host's work on this data"
        );
        assert!(work.is_spent() && work.used() == 1_000_000);
        let most = 1_000_000.0 * UNIT;
        let again = || drop(schema.validate_within(&value, &Work::new(1_000_000)));
        assert!(least(|cost| cost < most, again) < most);
        // Nothing is done for nothing.
        schema.validate_within(&json!(1), &work).unwrap_err();
    }
}
