//! Enums, in each of serde's ways to tell variants apart.

use std::collections::BTreeMap;

use crate::{Value, json};

use super::{both, received, sent};
use crate::model;

#[test]
fn an_externally_tagged_enum_is_a_name_or_an_object_with_one() {
    #[model]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum Shape {
        Point,
        #[serde(skip_deserializing)]
        Line,
        /// Round.
        Circle,
        Square(f64),
        Box(bool, bool),
        Label {
            text: String,
        },
        #[serde(skip)]
        Never(Secret),
    }
    struct Secret;
    let tagged = |name: &str, content: Value| {
        json!({
            "type": "object", "properties": {name: content}, "required": [name], "additionalProperties": false
        })
    };
    let mut expected = json!({"title": "Shape", "oneOf": [
        {"type": "string", "enum": ["point"]},
        {"type": "string", "const": "circle", "description": "Round."},
        tagged("square", both::<f64>()),
        tagged("box", both::<(bool, bool)>()),
        tagged("label", json!({
            "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"],
            "additionalProperties": false
        })),
    ]});
    assert_eq!(received::<Shape>(), expected);
    *expected.pointer_mut("/oneOf/0/enum").unwrap() = json!(["point", "line"]);
    assert_eq!(sent::<Shape>(), expected);
}

#[test]
fn a_list_of_names_is_open_where_another_variant_takes_the_unknown_ones() {
    #[model]
    #[serde(rename_all = "lowercase")]
    enum Status {
        Open,
        Closed,
        #[serde(other)]
        Unknown,
    }
    assert_eq!(received::<Status>(), json!({"title": "Status", "type": "string", "examples": ["open", "closed"]}));
    assert_eq!(sent::<Status>(), json!({"title": "Status", "type": "string", "enum": ["open", "closed", "unknown"]}));

    #[model]
    #[serde(tag = "kind")]
    enum Event {
        Open {
            at: String,
        },
        #[serde(other)]
        Unknown,
    }
    assert_eq!(received::<Event>()["anyOf"][1]["properties"]["kind"], json!({"type": "string"}));
    assert_eq!(sent::<Event>()["oneOf"][1]["properties"]["kind"], json!({"type": "string", "const": "Unknown"}));
}

#[test]
fn an_internally_tagged_enum_has_its_tag_among_the_fields() {
    #[model]
    #[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
    enum Payment {
        Cash,
        Card { number: String },
        Other(Account),
    }
    #[model]
    #[serde(deny_unknown_fields)]
    struct Account {
        iban: String,
        note: Option<String>,
    }
    let tag = |name: &str| json!({"type": "string", "const": name});
    assert_eq!(
        received::<Payment>(),
        json!({"title": "Payment", "oneOf": [
            {"type": "object", "properties": {"type": tag("cash")}, "required": ["type"], "additionalProperties": false},
            {
                "type": "object", "properties": {"type": tag("card"), "number": {"type": "string"}},
                "required": ["type", "number"], "additionalProperties": false
            },
            {
                "type": "object", "required": ["type", "iban"], "additionalProperties": false,
                "properties": {"type": tag("other"), "iban": {"type": "string"}, "note": {"type": ["string", "null"]}}
            },
        ]})
    );
}

#[test]
fn adjacently_tagged_and_untagged_enums_are_written_as_serde_writes_them() {
    #[model]
    #[serde(tag = "t", content = "c", deny_unknown_fields)]
    enum Adjacent {
        A,
        B(bool),
    }
    #[model]
    #[serde(untagged)]
    enum Untagged {
        Nothing,
        /// Yes or no.
        Truth(bool),
        Named {
            name: String,
        },
    }
    #[model]
    enum Mixed {
        A,
        #[serde(untagged)]
        Any(f64),
    }
    let tag = |name: &str| json!({"type": "string", "const": name});
    assert_eq!(
        both::<Adjacent>(),
        json!({"title": "Adjacent", "oneOf": [
            {"type": "object", "properties": {"t": tag("A")}, "required": ["t"], "additionalProperties": false},
            {
                "type": "object", "properties": {"t": tag("B"), "c": {"type": "boolean"}}, "required": ["t", "c"],
                "additionalProperties": false
            },
        ]})
    );
    assert_eq!(
        both::<Untagged>(),
        json!({"title": "Untagged", "anyOf": [
            {"type": "null"},
            {"type": "boolean", "description": "Yes or no."},
            {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        ]})
    );
    assert_eq!(
        both::<Mixed>(),
        json!({"title": "Mixed", "anyOf": [
            {"type": "string", "enum": ["A"]},
            {"type": "number", "format": "double"},
        ]})
    );
}

#[test]
fn a_flattened_choice_is_a_choice_of_the_whole() {
    #[model]
    struct Message {
        id: bool,
        #[serde(flatten)]
        to: To,
        #[serde(flatten)]
        kind: Option<Kind>,
        #[serde(flatten)]
        rest: BTreeMap<String, bool>,
    }
    #[model]
    enum To {
        Everyone,
        User(String),
    }
    #[model]
    #[serde(tag = "kind")]
    enum Kind {
        Text,
    }
    let message = both::<Message>();
    assert_eq!(
        message["oneOf"],
        json!([
            {"type": "object", "properties": {"Everyone": {"type": "null"}}, "required": ["Everyone"]},
            {"type": "object", "properties": {"User": {"type": "string"}}, "required": ["User"]},
        ])
    );
    let kind = json!({
        "type": "object", "properties": {"kind": {"type": "string", "const": "Text"}}, "required": ["kind"]
    });
    assert_eq!(message["anyOf"], json!([{"oneOf": [kind]}, {}]));
    // Only this one sees the fields that the choices name.
    assert_eq!(message["unevaluatedProperties"], json!({"type": "boolean"}));
    assert!(message.get("additionalProperties").is_none());
    assert_eq!(message["required"], json!(["id"]));
}
