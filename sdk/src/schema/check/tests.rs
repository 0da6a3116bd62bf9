//! What passes the check and what does not, held against what a decoder takes.

use crate::json;

use super::check as check_part;
use crate::{Value, document::Document, schema::Schema};
use crate::{prelude::*, schema::Model};

fn check(schema: &'static Schema, value: &Value) -> Result<(), String> {
    check_part(schema, Document::of_value(value).root())
}

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
    let agreed = serde_json::from_str::<Order>(&value.to_string()).is_ok();
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
                value[name.as_str()] = member.clone();
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
fn members_of_parts_and_variants_are_not_taken_for_one_anothers() {
    #[model]
    #[serde(deny_unknown_fields)]
    struct Part {
        size: u8,
    }

    #[model]
    enum Kind {
        Plain,
        Gift { to: String },
    }

    #[model]
    struct Maybe {
        weight: u8,
    }

    #[model]
    struct Whole {
        id: String,
        #[serde(flatten)]
        part: Part,
        #[serde(flatten)]
        kind: Kind,
        #[serde(flatten)]
        maybe: Option<Maybe>,
        #[serde(flatten)]
        rest: std::collections::BTreeMap<String, bool>,
    }

    #[model]
    #[serde(tag = "kind", deny_unknown_fields)]
    enum Tagged {
        None,
        Circle { radius: f64 },
        Counts(std::collections::BTreeMap<String, u8>),
    }

    #[model]
    #[serde(tag = "kind", content = "is", deny_unknown_fields)]
    enum Beside {
        Circle { radius: f64 },
    }

    for kind in [json!({"Plain": null}), json!({"Gift": {"to": "Ada"}})] {
        let mut value = json!({"id": "x", "size": 1, "more": true});
        value.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
        check(Whole::SCHEMA, &value).unwrap();
        value["weight"] = json!(3);
        check(Whole::SCHEMA, &value).unwrap();
        for (name, wrong) in [("size", json!("x")), ("weight", json!("x")), ("more", json!(1)), ("id", json!(true))] {
            let mut value = value.clone();
            value[name] = wrong;
            check(Whole::SCHEMA, &value).unwrap_err();
        }
    }
    check(Whole::SCHEMA, &json!({"id": "x", "size": 1})).unwrap_err();
    for (value, fits) in [
        (json!({"kind": "Circle", "radius": 1}), true),
        (json!({"kind": "Circle", "radius": 1, "more": 1}), false),
        (json!({"kind": "None"}), true),
        (json!({"kind": "None", "radius": 1}), false),
        (json!({"kind": "Counts", "a": 1}), true),
        (json!({"kind": "Counts", "a": "x"}), false),
    ] {
        assert_eq!(check(Tagged::SCHEMA, &value).is_ok(), fits, "{value}");
    }
    check(Beside::SCHEMA, &json!({"kind": "Circle", "is": {"radius": 1}})).unwrap();
    check(Beside::SCHEMA, &json!({"kind": "Circle", "is": {"radius": 1}, "more": 1})).unwrap_err();
    check(<std::collections::BTreeSet<u8>>::SCHEMA, &json!([1, 2])).unwrap();
    check(<std::collections::BTreeSet<u8>>::SCHEMA, &json!([1, 1])).unwrap_err();
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
