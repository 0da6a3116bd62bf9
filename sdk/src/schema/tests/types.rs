//! Types that are no object of their own, types that contain themselves, and schemas written by hand.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{Map, Value, json};

use super::{both, received, sent};
use crate::{
    model,
    schema::{Field, Keyword, Model, Schema, Tag, Variant},
};

#[test]
fn rusts_own_types_are_what_serde_makes_of_them() {
    assert_eq!(both::<bool>(), json!({"type": "boolean"}));
    assert_eq!(both::<()>(), json!({"type": "null"}));
    assert_eq!(both::<Value>(), json!(true));
    assert_eq!(both::<char>(), json!({"type": "string", "minLength": 1, "maxLength": 1}));
    for text in [both::<String>(), both::<&str>(), both::<Cow<'_, str>>(), both::<Box<str>>(), both::<Rc<str>>()] {
        assert_eq!(text, json!({"type": "string"}));
    }
    assert_eq!(both::<i8>(), json!({"type": "integer", "format": "int8", "minimum": -128, "maximum": 127}));
    assert_eq!(both::<i16>(), json!({"type": "integer", "format": "int16", "minimum": -32768, "maximum": 32767}));
    assert_eq!(both::<i32>(), json!({"type": "integer", "format": "int32"}));
    assert_eq!(both::<i64>(), json!({"type": "integer", "format": "int64"}));
    assert_eq!(both::<u8>(), json!({"type": "integer", "format": "uint8", "minimum": 0, "maximum": 255}));
    assert_eq!(both::<u16>(), json!({"type": "integer", "format": "uint16", "minimum": 0, "maximum": 65535}));
    assert_eq!(both::<u32>(), json!({"type": "integer", "format": "uint32", "minimum": 0}));
    assert_eq!(both::<u64>(), json!({"type": "integer", "format": "uint64", "minimum": 0}));
    assert_eq!(both::<usize>(), json!({"type": "integer", "format": "uint", "minimum": 0}));
    assert_eq!(both::<f32>(), json!({"type": "number", "format": "float"}));
    assert_eq!(both::<f64>(), json!({"type": "number", "format": "double"}));
}

#[test]
fn collections_say_what_is_in_them() {
    let items = json!({"type": "boolean"});
    for array in [both::<Vec<bool>>(), both::<[bool]>(), both::<&[bool]>(), both::<Box<[bool]>>()] {
        assert_eq!(array, json!({"type": "array", "items": items}));
    }
    assert_eq!(both::<[bool; 2]>(), json!({"type": "array", "items": items, "minItems": 2, "maxItems": 2}));
    assert_eq!(both::<BTreeSet<bool>>(), json!({"type": "array", "items": items, "uniqueItems": true}));
    assert_eq!(both::<BTreeMap<String, bool>>(), json!({"type": "object", "additionalProperties": items}));
    assert_eq!(both::<Map<String, Value>>(), json!({"type": "object", "additionalProperties": true}));
    let tuple = json!({"type": "array", "prefixItems": [items, {"type": "null"}], "minItems": 2, "maxItems": 2});
    assert_eq!(both::<(bool, ())>(), tuple);
}

#[test]
fn an_option_may_be_null() {
    #[model]
    enum Letter {
        A,
        B,
    }
    #[model]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Truth(bool),
    }
    assert_eq!(both::<Option<bool>>(), json!({"type": ["boolean", "null"]}));
    assert_eq!(both::<Option<Option<bool>>>(), json!({"type": ["boolean", "null"]}));
    assert_eq!(both::<Option<()>>(), json!({"type": "null"}));
    assert_eq!(both::<Option<Value>>(), json!(true));
    assert_eq!(both::<Option<Letter>>(), json!({"type": ["string", "null"], "enum": ["A", "B", null]}));
    let either = json!({"anyOf": [{"type": "number", "format": "double"}, {"type": "boolean"}]});
    assert_eq!(both::<Option<Either>>(), json!({"anyOf": [either, {"type": "null"}]}));
    assert_eq!(both::<Option<Option<Either>>>(), both::<Option<Either>>());
}

#[test]
fn a_struct_of_one_is_what_is_in_it() {
    /// An id.
    #[model]
    struct Id(#[schema(length(min = 1))] String);
    #[model]
    #[serde(transparent)]
    struct Wrapped {
        #[schema(sensitive)]
        id: Option<Id>,
    }
    #[model]
    struct Two(bool, #[schema(example = 1)] u64);
    #[model]
    struct Nothing;
    #[model]
    struct Holder {
        wrapped: Wrapped,
    }
    assert_eq!(both::<Id>(), json!({"title": "Id", "type": "string", "minLength": 1, "description": "An id."}));
    let wrapped = json!({"type": ["string", "null"], "minLength": 1, "description": "An id.", "x-sensitive": true});
    assert_eq!(sent::<Holder>()["properties"]["wrapped"], wrapped);
    // serde takes a missing field for null here as well.
    assert_eq!((&received::<Holder>()["required"], &sent::<Holder>()["required"]), (&Value::Null, &json!(["wrapped"])));
    assert_eq!(both::<Two>()["prefixItems"][1]["examples"], json!([1]));
    assert_eq!(both::<Nothing>(), json!({"title": "Nothing", "type": "null"}));
}

#[test]
fn a_type_that_contains_itself_is_referred_to() {
    #[model]
    struct Tree {
        label: String,
        children: Vec<Tree>,
        parent: Option<Box<Self>>,
    }
    #[model]
    struct Forest {
        /// One.
        first: Tree,
        second: Tree,
    }
    #[model]
    struct Chain {
        #[serde(flatten)]
        next: Option<Box<Chain>>,
        last: bool,
    }
    let tree = |target: &str| {
        json!({
            "type": "object", "required": ["label", "children"],
            "properties": {
                "label": {"type": "string"}, "children": {"type": "array", "items": {"$ref": target}},
                "parent": {"anyOf": [{"$ref": target}, {"type": "null"}]}
            }
        })
    };
    let mut root = tree("#");
    root["title"] = json!("Tree");
    assert_eq!(received::<Tree>(), root);
    assert_eq!(
        received::<Forest>(),
        json!({
            "title": "Forest", "type": "object", "required": ["first", "second"],
            "properties": {
                "first": {"$ref": "#/$defs/Tree", "description": "One."}, "second": {"$ref": "#/$defs/Tree"}
            },
            "$defs": {"Tree": tree("#/$defs/Tree")}
        })
    );
    assert_eq!(received::<Chain>()["properties"], json!({"last": {"type": "boolean"}}));
}

#[test]
fn two_types_of_one_name_have_definitions_of_their_own() {
    mod other {
        use crate::model;

        #[model]
        pub(super) struct Node {
            pub(super) left: Option<Box<Node>>,
        }
    }
    #[model]
    struct Node {
        right: Option<Box<Node>>,
        other: Option<Box<other::Node>>,
    }
    #[model]
    struct Both {
        one: Node,
        two: other::Node,
    }
    let both = received::<Both>();
    let own = &both["$defs"]["Node"]["properties"];
    assert_eq!(own["right"]["anyOf"][0]["$ref"], "#/$defs/Node");
    let target = both["properties"]["two"]["$ref"].as_str().unwrap();
    assert_ne!(target, "#/$defs/Node");
    assert_eq!(own["other"]["anyOf"][0]["$ref"], target);
    assert!(both.pointer(target.strip_prefix('#').unwrap()).unwrap()["properties"].get("left").is_some());
}

#[test]
fn generic_and_borrowing_types_have_schemas() {
    #[model]
    struct Page<T> {
        items: Vec<T>,
        next: Option<String>,
    }
    #[model]
    struct Borrowed<'a> {
        #[serde(borrow)]
        text: Cow<'a, str>,
    }
    assert_eq!(received::<Page<bool>>()["properties"]["items"]["items"], json!({"type": "boolean"}));
    assert_eq!(both::<Borrowed<'_>>()["properties"]["text"], json!({"type": "string"}));
}

#[test]
fn what_serde_makes_in_its_own_way_is_described_by_another_type() {
    #[model]
    #[serde(try_from = "String", into = "String")]
    #[schema(with = String, format = "date")]
    #[derive(Clone)]
    struct Day(u16);
    impl TryFrom<String> for Day {
        type Error = &'static str;
        fn try_from(_: String) -> Result<Self, Self::Error> {
            Err("no")
        }
    }
    impl From<Day> for String {
        fn from(_: Day) -> Self {
            String::new()
        }
    }
    assert_eq!(both::<Day>(), json!({"title": "Day", "type": "string", "format": "date"}));
}

#[test]
fn schemas_are_written_by_hand_with_the_same_words() {
    struct Money;
    impl Model for Money {
        const SCHEMA: &'static Schema = &Schema::object(&[
            Field::required("amount", Schema::of::<i64>).with(&[Keyword::json("minimum", "0")]),
            Field::required("currency", Schema::of::<Currency>),
            Field::optional("note", Schema::of::<String>).with(&[Keyword::json("examples", "no JSON")]),
        ])
        .strict()
        .named("Money");
    }
    struct Currency;
    impl Model for Currency {
        const SCHEMA: &'static Schema = &Schema::one_of(&["eur", "usd"]);
    }
    struct Either;
    impl Model for Either {
        const SCHEMA: &'static Schema = &Schema::variants(
            Tag::Internal("kind"),
            &[Variant::unit("none"), Variant::holding("money", &Schema::same(Schema::of::<Money>))],
        );
    }
    assert_eq!(
        both::<Money>(),
        json!({
            "title": "Money", "type": "object", "required": ["amount", "currency"], "additionalProperties": false,
            "properties": {
                "amount": {"type": "integer", "format": "int64", "minimum": 0},
                "currency": {"type": "string", "enum": ["eur", "usd"]},
                "note": {"type": "string", "examples": "no JSON"}
            }
        })
    );
    assert_eq!(both::<Either>()["oneOf"][1]["required"], json!(["kind", "amount", "currency"]));
}
