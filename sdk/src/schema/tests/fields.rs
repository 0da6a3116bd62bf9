//! Objects: which fields there are, what they are named, what is said about them.

use std::collections::BTreeMap;

use crate::{Value, json};

use super::{both, received, sent};
use crate::model;

#[test]
fn fields_are_required_where_they_must_be_given_and_where_they_are_always_written() {
    #[model]
    struct Fields {
        plain: bool,
        option: Option<bool>,
        #[serde(default)]
        defaulted: bool,
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        defaulted_and_left_out: bool,
        #[serde(skip_serializing_if = "is_true")]
        left_out: bool,
        #[serde(skip_deserializing)]
        only_sent: bool,
        #[serde(skip_serializing)]
        only_received: bool,
        #[serde(skip)]
        nowhere: bool,
        null: (),
        anything: Value,
    }
    fn yes() -> bool {
        true
    }
    fn is_true(value: &bool) -> bool {
        *value
    }
    let (received, sent) = (received::<Fields>(), sent::<Fields>());
    assert_eq!(received["required"], json!(["plain", "left_out", "only_received", "null", "anything"]));
    assert_eq!(sent["required"], json!(["plain", "defaulted", "only_sent", "null", "anything"]));
    assert_eq!(received["properties"]["defaulted"], json!({"type": "boolean", "default": false}));
    for schema in [&received, &sent] {
        assert_eq!(schema["properties"]["defaulted_and_left_out"], json!({"type": "boolean"}));
        assert_eq!(schema["title"], "Fields");
        assert!(schema.get("additionalProperties").is_none() && schema["properties"].get("nowhere").is_none());
    }
    assert!(received["properties"].get("only_sent").is_none() && received["properties"].get("only_received").is_some());
    assert!(sent["properties"].get("only_sent").is_some() && sent["properties"].get("only_received").is_none());
}

#[test]
fn a_types_default_is_told_field_by_field() {
    #[model]
    #[serde(default, deny_unknown_fields, rename_all = "camelCase")]
    struct Config {
        base_url: String,
        #[serde(default = "seven")]
        max_tries: u32,
        note: Option<String>,
    }
    impl Default for Config {
        fn default() -> Self {
            Self { base_url: "https://a.example".to_owned(), max_tries: 1, note: None }
        }
    }
    fn seven() -> u32 {
        7
    }
    let expected = json!({
        "title": "Config",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "baseUrl": {"type": "string", "default": "https://a.example"},
            "maxTries": {"type": "integer", "format": "uint32", "minimum": 0, "default": 7},
            "note": {"type": ["string", "null"]}
        }
    });
    assert_eq!(received::<Config>(), expected);
    assert_eq!(sent::<Config>()["required"], json!(["baseUrl", "maxTries"]));
}

#[test]
fn names_are_those_of_serde_in_each_direction() {
    #[model]
    #[serde(rename_all(serialize = "PascalCase", deserialize = "kebab-case"))]
    struct Names {
        two_words: bool,
        #[serde(rename = "fixed", alias = "old")]
        renamed: bool,
        #[serde(rename(serialize = "out"))]
        in_and_out: bool,
        r#type: bool,
    }
    assert_eq!(received::<Names>()["required"], json!(["two-words", "fixed", "in-and-out", "type"]));
    assert_eq!(sent::<Names>()["required"], json!(["TwoWords", "fixed", "out", "Type"]));

    #[model]
    #[serde(rename_all = "SCREAMING-KEBAB-CASE", rename_all_fields = "camelCase")]
    enum Named {
        OneTwo {
            three_four: bool,
        },
        #[serde(rename_all = "UPPERCASE", rename = "x")]
        Other {
            five_six: bool,
        },
    }
    let names = both::<Named>();
    assert_eq!(names["oneOf"][0]["properties"]["ONE-TWO"]["required"], json!(["threeFour"]));
    assert_eq!(names["oneOf"][1]["properties"]["x"]["required"], json!(["FIVE_SIX"]));
}

#[test]
fn what_is_said_about_a_field_stands_beside_what_its_type_says() {
    const MOST: u32 = 9;
    /// A pair.
    ///
    /// Of two.
    #[model]
    #[schema(extend("anyOf" = [{"required": ["a"]}]))]
    struct Pair {
        /// The first.
        #[schema(range(min = 1, max = 500), example = 50, example = -1)]
        a: u32,
        #[schema(length(min = 1, max = MOST), pattern = "^a", email, sensitive)]
        b: Option<String>,
        #[schema(length(min = 2), url)]
        c: Vec<String>,
        #[schema(length(max = 3), description = "Said.", extend("x-a" = null, "format" = "date"))]
        d: BTreeMap<String, bool>,
        /// Not this.
        #[schema(with = Vec<Inner>)]
        e: Opaque,
        /// Instead.
        f: Inner,
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Opaque;
    /// Inside.
    #[model]
    struct Inner {}
    let pair = received::<Pair>();
    assert_eq!((&pair["description"], &pair["anyOf"]), (&json!("A pair.\n\nOf two."), &json!([{"required": ["a"]}])));
    assert_eq!(
        pair["properties"]["a"],
        json!({
            "type": "integer", "format": "uint32", "minimum": 1, "maximum": 500, "description": "The first.",
            "examples": [50, -1]
        })
    );
    assert_eq!(
        pair["properties"]["b"],
        json!({
            "type": ["string", "null"], "minLength": 1, "maxLength": 9, "pattern": "^a", "format": "email",
            "x-sensitive": true
        })
    );
    assert_eq!(
        pair["properties"]["c"],
        json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "format": "uri"})
    );
    assert_eq!(
        pair["properties"]["d"],
        json!({
            "type": "object", "additionalProperties": {"type": "boolean"}, "maxProperties": 3, "description": "Said.",
            "x-a": null, "format": "date"
        })
    );
    let inner = json!({"type": "object", "description": "Inside."});
    assert_eq!(pair["properties"]["e"], json!({"type": "array", "items": inner, "description": "Not this."}));
    assert_eq!(pair["properties"]["f"], json!({"type": "object", "description": "Instead."}));
}

#[test]
fn flattened_fields_are_among_the_others() {
    #[model]
    struct Whole {
        id: u64,
        #[serde(flatten)]
        part: Part,
        #[serde(flatten)]
        maybe: Option<Maybe>,
        #[serde(flatten)]
        rest: BTreeMap<String, bool>,
    }
    /// Not told.
    #[model]
    #[serde(deny_unknown_fields)]
    struct Part {
        name: String,
    }
    #[model]
    struct Maybe {
        size: bool,
    }
    assert_eq!(
        received::<Whole>(),
        json!({
            "title": "Whole", "type": "object", "required": ["id", "name"],
            "properties": {
                "id": {"type": "integer", "format": "uint64", "minimum": 0}, "name": {"type": "string"},
                "size": {"type": "boolean"}
            },
            "additionalProperties": {"type": "boolean"}
        })
    );
    assert_eq!(sent::<Whole>(), received::<Whole>());

    #[model]
    struct Open {
        #[serde(flatten)]
        rest: Value,
    }
    assert_eq!(both::<Open>(), json!({"title": "Open", "type": "object", "additionalProperties": true}));
}
