//! JSON Schemas (2020-12) as data: what a part of a value must be, found by its place, and a schema made of a part.
//!
//! Not a compiler of schemas, which the host has: it only walks them. References are `#/$defs/NAME`; the config's check
//! sees to that, so that a part of a schema can be used by itself with its `$defs`.

use std::cell::Cell;

use portcullis_sdk::prelude::*;

/// Most references that are followed for one place. A circle of references ends here.
const MAX_HOPS: usize = 32;
/// Most levels of objects that are written out for a query.
const MAX_LEVELS: usize = 8;
/// Most schemas that are looked at for one place.
const MAX_STEPS: u32 = 2_000;

/// The schema itself, with a reference followed.
pub(crate) fn resolved<'s>(root: &'s Value, schema: &'s Value) -> Option<&'s Value> {
    let mut schema = schema;
    for _ in 0..MAX_HOPS {
        match schema.get("$ref").and_then(Value::as_str) {
            None => return Some(schema),
            Some(reference) => schema = root.pointer(reference.strip_prefix('#')?)?,
        }
    }
    None
}

/// What a schema says of the place `pointer` of a value: none if it allows nothing there, or does not say.
pub(crate) fn at<'s>(root: &'s Value, schema: &'s Value, pointer: &str) -> Option<&'s Value> {
    Search { root, left: Cell::new(MAX_STEPS) }.at(schema, pointer)
}

struct Search<'s> {
    root: &'s Value,
    /// Steps that are left: branches that refer to each other are endless.
    left: Cell<u32>,
}

impl<'s> Search<'s> {
    fn at(&self, schema: &'s Value, pointer: &str) -> Option<&'s Value> {
        let Some(rest) = pointer.strip_prefix('/') else { return pointer.is_empty().then_some(schema) };
        let (token, rest) = rest.find('/').map_or((rest, ""), |end| rest.split_at(end));
        self.below(schema, &token.replace("~1", "/").replace("~0", "~"), rest, 0)
    }

    /// The first that is at `rest` below the member or item `name`, in the schema or in those that it is made of.
    fn below(&self, schema: &'s Value, name: &str, rest: &str, hops: usize) -> Option<&'s Value> {
        self.left.set(self.left.get().checked_sub(1)?);
        let schema = resolved(self.root, schema)?;
        let has = |key: &str| schema.get(key).filter(|found| found.is_object());
        let item = || {
            let index: usize = name.parse().ok()?;
            schema.get("prefixItems").and_then(|items| items.as_array()?.get(index)).or_else(|| has("items"))
        };
        let here = schema.get("properties").and_then(|fields| fields.get(name)).or_else(item);
        let found = here.or_else(|| has("additionalProperties")).and_then(|found| self.at(found, rest));
        if found.is_some() || hops == MAX_HOPS {
            return found;
        }
        let parts = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
        parts.into_iter().find_map(|part| self.below(part, name, rest, hops + 1))
    }
}

/// A schema of its own: the part, with the definitions that it may refer to.
pub(crate) fn alone(root: &Value, part: &Value) -> Value {
    let mut part = part.clone();
    if let (Value::Object(members), Some(definitions)) = (&mut part, root.get("$defs")) {
        members.entry("$defs".to_owned()).or_insert_with(|| definitions.clone());
    }
    part
}

/// The names of the types a schema allows; none where it does not say.
pub(crate) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a value of this schema may be of one of these types.
pub(crate) fn may_be(root: &Value, schema: &Value, wanted: &[&str]) -> bool {
    let types = resolved(root, schema).map(types).unwrap_or_default();
    types.is_empty() || types.iter().any(|found| wanted.contains(found))
}

/// The schema without references, for the fields of a query; none where it never ends.
pub(crate) fn written_out(root: &Value, schema: &Value) -> Option<Value> {
    fn write(root: &Value, schema: &Value, level: usize, left: &mut u32) -> Option<Value> {
        *left = left.checked_sub(1)?;
        if level > MAX_LEVELS {
            return None;
        }
        let mut schema = resolved(root, schema)?.clone();
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            for property in properties.values_mut() {
                *property = write(root, property, level + 1, left)?;
            }
        }
        if let Some(items) = schema.get_mut("items") {
            *items = write(root, items, level + 1, left)?;
        }
        Some(schema)
    }
    write(root, schema, 0, &mut MAX_STEPS.clone())
}

/// The same schema with `value` as the only one at `pointer`, where its `properties` lead there.
pub(crate) fn with_constant(schema: &mut Value, pointer: &str, value: &Value) {
    let mut place = schema;
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        let Some(members) = place.as_object_mut().filter(|members| !members.contains_key("$ref")) else { return };
        if !members.get("properties").is_some_and(|fields| fields.get(&name).is_some_and(Value::is_object)) {
            return;
        }
        match members.entry("required".to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(required) if !required.iter().any(|known| *known == name) => required.push(json!(name)),
            _ => {}
        }
        let Some(found) = members.get_mut("properties").and_then(|fields| fields.get_mut(&name)) else { return };
        place = found;
    }
    if !pointer.is_empty() {
        *place = json!({ "const": value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Value {
        json!({
            "type": "object",
            "properties": {
                "data": {"anyOf": [{"$ref": "#/$defs/Page"}, {"type": "null"}]},
                "a/b~": {"type": "boolean"},
                "map": {"additionalProperties": {"type": "integer"}},
                "tuple": {"prefixItems": [{"type": "string"}], "items": {"type": "null"}},
            },
            "$defs": {
                "Page": {"allOf": [{"properties": {"items": {"items": {"$ref": "#/$defs/Item"}}}}]},
                "Item": {"properties": {"id": {"type": "integer"}, "next": {"$ref": "#/$defs/Item"}}},
                "Loop": {"$ref": "#/$defs/Loop"},
            },
        })
    }

    #[test]
    fn a_place_is_found_through_references_branches_items_and_maps() {
        let root = root();
        let of = |pointer: &str| at(&root, &root, pointer).map(types);
        assert_eq!(of("/data/items/0/next/next/id"), Some(vec!["integer"]));
        assert_eq!(of("/a~1b~0"), Some(vec!["boolean"]));
        assert_eq!(of("/map/anything"), Some(vec!["integer"]));
        assert_eq!((of("/tuple/0"), of("/tuple/1")), (Some(vec!["string"]), Some(vec!["null"])));
        assert_eq!(of(""), Some(vec!["object"]));
        for nowhere in ["/x", "/data/x", "/a~1b~0/x", "/map/a/b", "x"] {
            assert_eq!(of(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn circles_of_references_end() {
        let root = root();
        let circle = json!({"$ref": "#/$defs/Loop"});
        assert_eq!((resolved(&root, &circle), at(&root, &circle, "/x")), (None, None));
        assert_eq!(written_out(&root, &json!({"$ref": "#/$defs/Item"})), None);
        let endless =
            json!({"anyOf": [{"$ref": "#/$defs/Any"}], "$defs": {"Any": {"anyOf": [{"$ref": "#/$defs/Any"}]}}});
        assert_eq!(at(&endless, &endless, "/x"), None);
    }

    #[test]
    fn what_branches_without_end_is_given_up() {
        let branches: Vec<Value> = (0..60).map(|n| json!({"$ref": format!("#/$defs/D{}", n % 6)})).collect();
        let definitions: Value = (0..6).map(|n| (format!("D{n}"), json!({ "anyOf": branches }))).collect();
        let root = json!({"anyOf": branches, "$defs": definitions});
        assert_eq!(at(&root, &root, "/a/b"), None);
        let list = |levels: usize| (0..levels).fold(json!({"type": "string"}), |schema, _| json!({ "items": schema }));
        assert!(written_out(&Value::Null, &list(MAX_LEVELS)).is_some());
        assert_eq!(written_out(&Value::Null, &list(MAX_LEVELS + 1)), None);
    }

    #[test]
    fn a_constant_is_written_where_properties_lead() {
        let mut schema = json!({"properties": {"a": {"properties": {"ok": {"type": "boolean"}}}}, "required": ["b"]});
        with_constant(&mut schema, "/a/ok", &json!(true));
        let expected = json!({
            "properties": {"a": {"properties": {"ok": {"const": true}}, "required": ["ok"]}},
            "required": ["b", "a"],
        });
        assert_eq!(schema, expected);
        for nowhere in ["", "/x", "/a/x", "/a/ok/x"] {
            with_constant(&mut schema, nowhere, &json!(1));
        }
        assert_eq!(schema["properties"]["a"]["properties"], expected["properties"]["a"]["properties"]);
    }
}
