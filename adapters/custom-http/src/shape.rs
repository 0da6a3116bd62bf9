//! Whether a provider's answer is what the config says: checked here, so that a provider that answers something else is
//! a failure with a code and a place, and not an adapter that breaks its promise.
//!
//! The output's schema is made of the keywords that are checked here ([`checked`]) and of those that only describe. What is
//! not among them, such as `pattern`, guides sandbox mode and stays in the route's response schema.

use portcullis_sdk::{Map, prelude::*};

use crate::schema::{alone, resolved};

/// Keywords that are checked, or that check nothing. `oneOf` is read as `anyOf`.
const KEPT: [&str; 26] = [
    "$ref",
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
    "allOf",
    "anyOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "title",
    "description",
    "format",
    "examples",
    "default",
    "contentEncoding",
    "contentMediaType",
];

/// Deepest level that is looked at. Beyond it all is well, here and in the host, which reads 128 levels.
const MAX_DEPTH: usize = 256;

/// A schema that says what is checked here and no more: the part `part` of `root`, to be used by itself.
pub(crate) fn checked(root: &Value, part: &Value) -> Value {
    let mut schema = alone(root, part);
    let definitions = schema.as_object_mut().and_then(|members| members.remove("$defs"));
    let mut schema = reduced(&schema);
    if let (Value::Object(members), Some(Value::Object(definitions))) = (&mut schema, definitions) {
        members
            .insert("$defs".to_owned(), definitions.iter().map(|(name, part)| (name.clone(), reduced(part))).collect());
    }
    schema
}

fn reduced(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut kept = Map::new();
    for (key, value) in members {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(fields)) => {
                fields.iter().map(|(name, schema)| (name.clone(), reduced(schema))).collect()
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(parts)) => parts.iter().map(reduced).collect(),
            ("additionalProperties", _) if members.contains_key("patternProperties") => continue,
            ("additionalProperties" | "items", schema) => reduced(schema),
            (key, value) if KEPT.contains(&key) || key.starts_with("x-") => value.clone(),
            _ => continue,
        };
        // Both at once is all of the two.
        if key == "oneOf" && members.contains_key("anyOf") {
            match kept.entry("allOf".to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(all) => all.push(json!({ "anyOf": value })),
                other => *other = json!([{ "anyOf": value }]),
            }
            continue;
        }
        kept.insert(if key == "oneOf" { "anyOf" } else { key }.to_owned(), value);
    }
    Value::Object(kept)
}

/// Where a value is not what a schema of [`checked`] says, and what it should be. Does not show the value.
pub(crate) fn mismatch(schema: &Value, value: &Value) -> Option<String> {
    let walk = Walk { root: schema };
    let mut at = String::new();
    let wrong = walk.check(schema, value, &mut at, 0)?;
    Some(format!("at {}: {wrong}", if at.is_empty() { "the root" } else { &at }))
}

/// The same of one item of a list, whose place is told as it stands in the output: `list` is the schema of `{"items": […]}`.
pub(crate) fn item_mismatch(list: &Value, index: usize, item: &Value) -> Option<String> {
    let mut at = format!("/items/{index}");
    let wrong = Walk { root: list }.check(list.pointer("/properties/items/items")?, item, &mut at, 0)?;
    Some(format!("at {at}: {wrong}"))
}

struct Walk<'s> {
    root: &'s Value,
}

impl Walk<'_> {
    /// What is wrong; `at` is then where.
    fn check(&self, schema: &Value, value: &Value, at: &mut String, depth: usize) -> Option<String> {
        if *schema == Value::Bool(false) {
            return Some("nothing may stand here".to_owned());
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let says = |key: &str| schema.get(key);
        if says("$ref").is_some() {
            let target = resolved(self.root, schema)?;
            if let Some(wrong) = self.check(target, value, at, depth + 1) {
                return Some(wrong);
            }
        }
        let wrong = of_type(schema, value).or_else(|| of_scalar(schema, value));
        if wrong.is_some() {
            return wrong;
        }
        if let Value::Object(members) = value {
            let required = says("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            if let Some(missing) = required.into_iter().find(|name| !members.contains_key(*name)) {
                return Some(format!("`{missing}` is missing"));
            }
            let fields = says("properties");
            for (name, member) in members {
                let schema = fields.and_then(|fields| fields.get(name)).or_else(|| says("additionalProperties"));
                if let Some(wrong) = schema.and_then(|schema| self.below(schema, member, name, at, depth)) {
                    return Some(wrong);
                }
            }
        }
        if let Value::Array(items) = value {
            let first = says("prefixItems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for (index, item) in items.iter().enumerate() {
                let schema = first.get(index).or_else(|| says("items"));
                if let Some(wrong) = schema.and_then(|schema| self.below(schema, item, &index.to_string(), at, depth)) {
                    return Some(wrong);
                }
            }
        }
        for part in says("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Some(wrong) = self.check(part, value, at, depth + 1) {
                return Some(wrong);
            }
        }
        let here = at.len();
        match says("anyOf").and_then(Value::as_array)?.as_slice() {
            [only] => self.check(only, value, at, depth + 1),
            parts => {
                for part in parts {
                    self.check(part, value, at, depth + 1)?;
                    at.truncate(here);
                }
                Some("it is none of what may stand here".to_owned())
            }
        }
    }

    fn below(&self, schema: &Value, value: &Value, name: &str, at: &mut String, depth: usize) -> Option<String> {
        let here = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let wrong = self.check(schema, value, at, depth + 1);
        if wrong.is_none() {
            at.truncate(here);
        }
        wrong
    }
}

fn of_type(schema: &Value, value: &Value) -> Option<String> {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let whole = || value.as_number().is_some_and(Number::is_integer);
    let wanted = crate::schema::types(schema);
    let fits = wanted.iter().any(|name| *name == found || (*name == "integer" && found == "number" && whole()));
    (!wanted.is_empty() && !fits).then(|| format!("expected {}, found {found}", wanted.join(" or ")))
}

fn of_scalar(schema: &Value, value: &Value) -> Option<String> {
    let says = |key: &str| schema.get(key);
    if says("const").is_some_and(|only| only != value) {
        return Some("it is not the one value that may stand here".to_owned());
    }
    if says("enum").and_then(Value::as_array).is_some_and(|listed| !listed.contains(value)) {
        return Some("it is none of the listed values".to_owned());
    }
    if let Some(found) = value.as_number() {
        let number = |key: &str| says(key).and_then(Value::as_number);
        let out = number("minimum").is_some_and(|least| found < least)
            || number("maximum").is_some_and(|most| found > most)
            || number("exclusiveMinimum").is_some_and(|least| found <= least)
            || number("exclusiveMaximum").is_some_and(|most| found >= most);
        return out.then(|| "the number is out of bounds".to_owned());
    }
    let (length, least, most) = match value {
        Value::String(text) => (text.chars().count(), "minLength", "maxLength"),
        Value::Array(items) => (items.len(), "minItems", "maxItems"),
        _ => return None,
    };
    let number = |key: &str| says(key).and_then(Value::as_f64);
    let length = length as f64;
    let out = number(least).is_some_and(|least| length < least) || number(most).is_some_and(|most| length > most);
    out.then(|| format!("its length is not within `{least}` and `{most}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(schema: Value, value: Value) -> String {
        mismatch(&checked(&schema, &schema), &value).unwrap_or_default()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_the_value() {
        let schema = json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/Item"}},
                "kind": {"enum": ["a", "b"]},
                "pair": {"prefixItems": [{"const": 1}], "items": false},
            },
            "additionalProperties": false,
            "$defs": {"Item": {"type": ["object", "null"], "properties": {
                "n/m": {"type": "integer", "minimum": 1, "exclusiveMaximum": 9},
                "name": {"type": "string", "minLength": 2},
                "next": {"$ref": "#/$defs/Item"},
                "either": {"oneOf": [{"type": "string"}, {"type": "null"}]},
                "both": {"allOf": [{"type": "number"}, {"maximum": 3}]},
            }}},
        });
        let item = |item: Value| json!({ "items": [null, item] });
        for (value, expected) in [
            (json!([]), "at the root: expected object, found array"),
            (json!({}), "at the root: `items` is missing"),
            (json!({"items": [], "x": 1}), "at /x: nothing may stand here"),
            (json!({"items": [1]}), "at /items/0: expected object or null, found number"),
            (json!({"items": [null, null, null]}), "at /items: its length is not within `minItems` and `maxItems`"),
            (json!({"items": [], "kind": "c"}), "at /kind: it is none of the listed values"),
            (json!({"items": [], "pair": [2]}), "at /pair/0: it is not the one value that may stand here"),
            (json!({"items": [], "pair": [1, 2]}), "at /pair/1: nothing may stand here"),
            (item(json!({"n/m": 9})), "at /items/1/n~1m: the number is out of bounds"),
            (item(json!({"n/m": 1.5})), "at /items/1/n~1m: expected integer, found number"),
            (
                item(json!({"next": {"name": "é"}})),
                "at /items/1/next/name: its length is not within `minLength` and `maxLength`",
            ),
            (item(json!({"either": 1})), "at /items/1/either: it is none of what may stand here"),
            (item(json!({"both": 4})), "at /items/1/both: the number is out of bounds"),
            (item(json!({"n/m": 2.0, "either": null, "both": 3, "more": []})), ""),
        ] {
            assert_eq!(wrong(schema.clone(), value), expected);
        }
    }

    #[test]
    fn what_cannot_be_checked_here_is_not_promised() {
        let schema = json!({
            "type": "object",
            "properties": {"id": {"type": "string", "pattern": "^x", "x-sensitive": true}},
            "patternProperties": {"^a": true},
            "additionalProperties": false,
            "oneOf": [{"required": ["id"]}, {"minProperties": 1}],
            "anyOf": [{"uniqueItems": true}],
            "not": {},
        });
        let expected = json!({
            "type": "object",
            "properties": {"id": {"type": "string", "x-sensitive": true}},
            "allOf": [{"anyOf": [{"required": ["id"]}, {}]}],
            "anyOf": [{}],
        });
        assert_eq!(checked(&schema, &schema), expected);
    }

    #[test]
    fn deep_values_and_circles_end() {
        let schema = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(wrong(schema, json!(1)), "");
        let schema = json!({"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}]}}});
        assert_eq!(wrong(schema, json!(1)), "");
    }
}
