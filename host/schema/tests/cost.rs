//! Cost against price: whatever the shape, what work costs grows no faster than what is charged for it.
//!
//! Each shape is made in sizes that double. The cost is the CPU time of this thread, the least of a few tries, so that a
//! busy or slow machine does not matter; the price is what was charged. Where cost grew by more than the price did, with
//! room for what is measured badly, a shape was found whose price is wrong, and larger sizes of it cost as much as one likes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "these are measurements")]

use portcullis_gate::Work;
use portcullis_schema::Schema;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

/// So much CPU time at least is worth comparing, in nanoseconds.
const MEASURABLE: f64 = 200_000.0;
/// A size that costs so much is the last one.
const ENOUGH: f64 = 100_000_000.0;
/// By how much the cost of a unit may grow from the smallest measurable size to any larger one.
const GROWTH: f64 = 4.0;
/// What a unit may cost at most, in nanoseconds. Fifty, in a build that is optimised.
const UNIT: f64 = if cfg!(debug_assertions) { 1_500.0 } else { 150.0 };
const ENDLESS: u64 = 1 << 50;

fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Holds what is done with each size against what is charged for it.
fn check<T>(name: &str, sizes: &[usize], make: impl Fn(usize) -> T, run: impl Fn(&T, &Work)) {
    let mut first: Option<f64> = None;
    let (mut last, mut counted) = (0.0, false);
    let mut told = String::new();
    for size in sizes {
        let made = make(*size);
        let mut cost = f64::MAX;
        let mut price = 0.0;
        for _ in 0..3 {
            let work = Work::new(ENDLESS);
            let before = cpu_ns();
            run(&made, &work);
            cost = cost.min(cpu_ns() - before);
            price = work.used() as f64;
            if cost > ENOUGH {
                break;
            }
        }
        let unit = cost / price.max(1.0);
        told += &format!("\n  {size:>8}: {:>12.0} ns {price:>14.0} units {unit:>8.2} ns a unit", cost);
        // Small sizes are charged a bound, larger ones a count, which is less: from there on units are others. That happens once.
        if price < last && !counted {
            (first, counted) = (None, true);
        }
        last = price;
        if cost > MEASURABLE {
            assert!(unit < UNIT, "{name}: a unit costs too much{told}");
            let first = *first.get_or_insert(unit.max(UNIT / 15.0));
            assert!(unit < first * GROWTH, "{name}: cost grows faster than price{told}");
        }
        if cost > ENOUGH {
            break;
        }
    }
    println!("{name}{told}");
}

fn doubling(from: usize, times: u32) -> Vec<usize> {
    (0..times).map(|n| from << n).collect()
}

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
    judged("unique numbers", &doubling(64, 12), |n| (unique.clone(), json!((0..n).collect::<Vec<_>>())));
    judged("unique, all of one hash", &sizes, |n| {
        let ones = |count: usize| vec![1; count];
        // One after another, their leaves are the same.
        (unique.clone(), (0..n).map(|at| json!([ones(at), ones(n - at)])).collect())
    });
    judged("unique numbers of one hash", &doubling(64, 5), |n| {
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
fn what_is_too_much_is_refused_by_the_name_of_the_bound_and_costs_no_more_than_the_budget() {
    let pattern = compiled(&json!({"pattern": "[01]*1[01]{600}[^01]"}));
    let text = json!(bits(1_000_000));
    let list = compiled(&json!({"uniqueItems": true}));
    let items: Value = (0..60_000).map(|at| json!([vec![1; at % 50], at])).collect();
    for (schema, value) in [(pattern, text), (list, items)] {
        let work = Work::new(1_000_000);
        let before = cpu_ns();
        let refused = schema.validate_within(&value, &work).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the bound `work` was hit: at most 1000000 units of the host's work on this data"
        );
        assert!(work.is_spent() && work.used() == 1_000_000);
        assert!(cpu_ns() - before < 1_000_000.0 * UNIT);
        // Nothing is done for nothing.
        schema.validate_within(&json!(1), &work).unwrap_err();
    }
}
