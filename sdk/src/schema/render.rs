//! From a tree of constants to a JSON Schema: draft 2020-12, each type where it is used. Only a type that contains
//! itself is referred to.

mod object;
mod variants;

use std::ptr;

use crate::Value;

use self::object::{
    Object, loosen, merge, nullable, one_of, parsed, push, put, put_inside, put_text, say, text, typed, whole,
};
use super::{Field, Get, Keyword, Kind, Presence, Said, Schema, Shape, Tag, Variant};

/// Which way a value goes, seen from the adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Inputs, config, responses: what has a default may be missing.
    Received,
    /// Outputs, requests: what is always written is required.
    Sent,
}

/// The JSON Schema of what goes this way.
pub(crate) fn render(schema: &'static Schema, direction: Direction) -> Value {
    let mut rendering = Rendering { direction, types: Vec::new(), parts: Vec::new() };
    let mut root = rendering.type_(schema);
    if !schema.name.is_empty() && !root.contains_key("title") {
        put_text(&mut root, "title", schema.name);
    }
    let definitions: Object =
        rendering.types.into_iter().filter_map(|known| Some((known.name, Value::Object(known.definition?)))).collect();
    if !definitions.is_empty() {
        put(&mut root, "$defs", Value::Object(definitions));
    }
    whole(root)
}

struct Rendering {
    direction: Direction,
    types: Vec<Known>,
    /// What is being flattened just now: a type can be a part of itself.
    parts: Vec<&'static Schema>,
}

/// A type that is being rendered, or one that was and contains itself.
struct Known {
    schema: &'static Schema,
    direction: Direction,
    name: String,
    refers: bool,
    definition: Option<Object>,
}

impl Rendering {
    fn received(&self) -> bool {
        self.direction == Direction::Received
    }

    fn of(&mut self, get: Get) -> Value {
        whole(self.type_(get()))
    }

    fn type_(&mut self, schema: &'static Schema) -> Object {
        // Of `Option<Box<Tree>>` and `Tree` it is the latter that contains itself.
        if schema.name.is_empty() {
            return self.body(schema);
        }
        let direction = self.direction;
        let found = |known: &Known| ptr::eq(known.schema, schema) && known.direction == direction;
        if let Some(index) = self.types.iter().position(found) {
            return self.refer(index);
        }
        let index = self.types.len();
        let name = self.unique(schema.name);
        self.types.push(Known { schema, direction, name, refers: false, definition: None });
        let body = self.body(schema);
        // What came after it has stayed only where it is referred to, so the position is still right.
        match self.types.get_mut(index) {
            Some(known) if known.refers && index > 0 => {
                known.definition = Some(body);
                self.refer(index)
            }
            Some(known) if !known.refers => {
                self.types.remove(index);
                body
            }
            _ => body,
        }
    }

    fn refer(&mut self, index: usize) -> Object {
        let mut object = Object::new();
        if let Some(known) = self.types.get_mut(index) {
            known.refers = true;
            let target = if index == 0 { "#".to_owned() } else { ["#/$defs/", &known.name].concat() };
            put(&mut object, "$ref", Value::String(target));
        }
        object
    }

    fn unique(&self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.types.iter().any(|known| known.name == unique) {
            unique.push('_');
        }
        unique
    }

    fn body(&mut self, schema: &'static Schema) -> Object {
        let mut object = match schema.shape {
            Shape::Any => Object::new(),
            Shape::Plain(kind) => typed(kind),
            Shape::OneOf(texts) => one_of(texts.iter().copied()),
            Shape::Array(items) => {
                let mut array = typed("array");
                put(&mut array, "items", self.of(items));
                array
            }
            Shape::Tuple(items) => self.tuple(items),
            Shape::Map(values) => {
                let mut map = typed("object");
                put(&mut map, "additionalProperties", self.of(values));
                map
            }
            Shape::Object { fields, strict } => self.fields(fields, strict),
            Shape::Nullable(inner) => nullable(self.type_(inner())),
            Shape::Same(inner) => self.type_(inner()),
            Shape::PassedOn(inner) => {
                let direction = std::mem::replace(&mut self.direction, Direction::Received);
                let object = self.type_(inner());
                self.direction = direction;
                object
            }
            Shape::Enum { tag, variants, strict } => self.variants(tag, variants, strict, false),
        };
        say(&mut object, schema.keywords);
        object
    }

    fn tuple(&mut self, items: &'static [Field]) -> Object {
        let mut tuple = typed("array");
        let items: Vec<Value> = items.iter().map(|item| whole(self.field(item))).collect();
        let length = Value::from(items.len());
        if !items.is_empty() {
            put(&mut tuple, "prefixItems", Value::Array(items));
            put(&mut tuple, "minItems", length.clone());
        }
        put(&mut tuple, "maxItems", length);
        tuple
    }

    fn field(&mut self, field: &Field) -> Object {
        let mut object = self.type_((field.schema)());
        say(&mut object, field.keywords);
        if let Some(default) = field.default.and_then(|default| default()) {
            put(&mut object, "default", parsed(&default));
        }
        object
    }

    fn fields(&mut self, fields: &'static [Field], strict: bool) -> Object {
        let mut object = typed("object");
        if strict {
            put(&mut object, "additionalProperties", Value::Bool(false));
        }
        for field in fields {
            let presence = if self.received() { field.received } else { field.sent };
            match presence {
                Presence::Absent => {}
                _ if field.flat => {
                    let part = self.flat(field);
                    merge(&mut object, part);
                }
                presence => {
                    let value = whole(self.field(field));
                    put_inside(&mut object, field.name, value);
                    if presence == Presence::Required && !(self.received() && allows_null((field.schema)())) {
                        push(&mut object, "required", text(field.name));
                    }
                }
            }
        }
        object
    }

    /// The schema of an object that becomes a part of another one, which alone says whether other fields are refused.
    fn flat(&mut self, field: &Field) -> Object {
        let (schema, optional) = without_null((field.schema)());
        let mut object = Object::new();
        if self.parts.iter().any(|part| ptr::eq(*part, schema)) {
            return object;
        }
        // Anything means any other field, which is said: of a query it is then known that its names are not.
        if matches!(schema.shape, Shape::Any) {
            put(&mut object, "additionalProperties", Value::Bool(true));
            return object;
        }
        self.parts.push(schema);
        object = match schema.shape {
            Shape::Enum { tag, variants, strict } => self.variants(tag, variants, strict, true),
            _ => self.body(schema),
        };
        self.parts.pop();
        object.remove("description");
        loosen(&mut object);
        if optional {
            object.remove("required");
            let choices = ["oneOf", "anyOf"].into_iter().find_map(|name| Some((name, object.remove(name)?)));
            if let Some((name, choices)) = choices {
                let mut inner = Object::new();
                put(&mut inner, name, choices);
                push(&mut object, "anyOf", Value::Object(inner));
                push(&mut object, "anyOf", Value::Object(Object::new()));
            }
        }
        object
    }
}

/// Whether null is such a value, so that serde takes a missing field for it.
fn allows_null(schema: &'static Schema) -> bool {
    without_null(schema).1
}

/// What is below `Option`s and types that are the same as another one, and whether there was an `Option`.
fn without_null(mut schema: &'static Schema) -> (&'static Schema, bool) {
    let mut null = false;
    loop {
        match schema.shape {
            Shape::Nullable(inner) => (schema, null) = (inner(), true),
            Shape::Same(inner) | Shape::PassedOn(inner) => schema = inner(),
            _ => return (schema, null),
        }
    }
}
