//! One schema out of several that all apply: `$ref`, `allOf`, and the branch chosen of an `anyOf`.
//!
//! Merging keeps the stricter rule where two meet and says so when they cannot meet. It is allowed to be wrong in
//! rare cases (two patterns: the first wins), because the validator has the last word.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::MockError;
use crate::node;

/// Most schemas merged into one.
const MAX_MEMBERS: usize = 256;

/// A schema without `$ref` and `allOf`, and the choices that are still to be made.
pub(crate) struct Flat<'s> {
    pub(crate) map: Cow<'s, Map<String, Value>>,
    /// The lists of each `anyOf` and `oneOf`.
    pub(crate) choices: Vec<Vec<Value>>,
    /// Each `if`, `then`, `else`.
    pub(crate) conditions: Vec<[Value; 3]>,
    /// `false` somewhere: nothing is allowed.
    pub(crate) nothing: bool,
}

/// Keywords that make a schema more than its own map.
const OTHERS: [&str; 6] = ["$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"];

/// Merges `first` (which stands at `pointer`), `also`, and everything they refer to. Copies only if it must; what was
/// copied is taken off `steps`.
pub(crate) fn flatten<'s>(
    root: &'s Value,
    first: &'s Value,
    pointer: &str,
    also: &[Value],
    steps: &mut usize,
) -> Result<Flat<'s>, MockError> {
    let mut flat = Flat { map: Cow::Owned(Map::new()), choices: Vec::new(), conditions: Vec::new(), nothing: false };
    if also.is_empty()
        && let Some(map) = alone(root, first)
    {
        flat.map = Cow::Borrowed(map);
        return Ok(flat);
    }
    let mut members = 0;
    // Last in, first out: a schema's own annotations come before those of what it refers to.
    let mut queue: Vec<(&Value, bool)> = also.iter().rev().map(|schema| (schema, false)).collect();
    queue.push((first, true));
    while let Some((schema, annotates)) = queue.pop() {
        members += 1;
        if members > MAX_MEMBERS {
            return Err(MockError {
                pointer: pointer.into(),
                why: format!("it merges more than {MAX_MEMBERS} schemas"),
            });
        }
        if *steps == 0 {
            return Err(MockError { pointer: pointer.into(), why: "too many ways have to be tried".into() });
        }
        match schema {
            Value::Bool(false) => flat.nothing = true,
            Value::Object(map) => {
                let all: &[Value] = map.get("allOf").and_then(Value::as_array).map_or(&[], Vec::as_slice);
                let target = node::reference(map).and_then(|reference| node::follow(root, reference));
                // An example of one member of several is not an example of the whole.
                let inherits = annotates
                    && all.len() + usize::from(target.is_some()) == 1
                    && also.is_empty()
                    && !map.contains_key("properties");
                queue.extend(all.iter().rev().map(|member| (member, inherits)));
                queue.extend(target.map(|(_, target)| (target, inherits)));
                flat.add(map, annotates, steps).map_err(|why| MockError { pointer: pointer.into(), why })?;
            }
            _ => {}
        }
    }
    Ok(flat)
}

/// The map of a schema that is complete in itself, directly or at the end of plain references.
fn alone<'s>(root: &'s Value, mut schema: &'s Value) -> Option<&'s Map<String, Value>> {
    for _ in 0..MAX_MEMBERS {
        let map = schema.as_object()?;
        match node::reference(map) {
            Some(reference) if map.len() == 1 => schema = node::follow(root, reference)?.1,
            _ => return OTHERS.iter().all(|key| !map.contains_key(*key)).then_some(map),
        }
    }
    None
}

impl Flat<'_> {
    /// Whether a branch has to be chosen before there is one schema.
    pub(crate) fn is_open(&self) -> bool {
        !self.choices.is_empty() || !self.conditions.is_empty() || self.map.contains_key("dependentSchemas")
    }

    fn add(&mut self, from: &Map<String, Value>, annotates: bool, steps: &mut usize) -> Result<(), String> {
        self.close(from, steps);
        for (key, new) in from {
            match key.as_str() {
                "$ref" | "allOf" | "$defs" | "definitions" | "then" | "else" | "description" | "title" => continue,
                "examples" | "default" if !annotates => continue,
                "anyOf" | "oneOf" => {
                    *steps = steps.saturating_sub(weight(new));
                    self.choices.extend(new.as_array().cloned());
                    continue;
                }
                "if" => {
                    let part = |key| from.get(key).cloned().unwrap_or(Value::Bool(true));
                    self.conditions.push([new.clone(), part("then"), part("else")]);
                    continue;
                }
                _ => {}
            }
            *steps = steps.saturating_sub(weight(new));
            let merged = match self.map.to_mut().remove(key) {
                None => new.clone(),
                Some(old) => {
                    // Lists are held against each other.
                    let of = |list: &Value| list.as_array().map_or(1, Vec::len);
                    *steps = steps.saturating_sub(weight(&old) + of(&old).saturating_mul(of(new)) / 8);
                    if *steps == 0 {
                        return Err("too many ways have to be tried".into());
                    }
                    meet(key, old, new)?
                }
            };
            self.map.to_mut().insert(key.clone(), merged);
        }
        Ok(())
    }

    /// A side that closes its object with `additionalProperties: false` closes it to the other side's properties too.
    fn close(&mut self, from: &Map<String, Value>, steps: &mut usize) {
        let closed = |map: &Map<String, Value>| {
            map.get("additionalProperties") == Some(&Value::Bool(false)) && !map.contains_key("patternProperties")
        };
        let names = |map: &Map<String, Value>| map.get("properties").and_then(Value::as_object).cloned();
        if closed(from) || closed(&self.map) {
            let copied = |map: &Map<String, Value>| map.get("properties").map_or(0, weight);
            *steps = steps.saturating_sub(2 * (copied(from) + copied(&self.map)));
        }
        if closed(from)
            && let Some(Value::Object(mine)) = self.map.to_mut().get_mut("properties")
        {
            let theirs = names(from).unwrap_or_default();
            mine.retain(|name, _| theirs.contains_key(name));
        }
        if closed(&self.map) {
            // Present but forbidden, so that the merge below does not bring them back.
            let mine = names(&self.map).unwrap_or_default();
            let theirs = names(from).unwrap_or_default();
            let shut = theirs.keys().filter(|name| !mine.contains_key(*name)).map(|n| (n.clone(), json!(false)));
            let entry = self.map.to_mut().entry("properties").or_insert_with(|| json!({}));
            if let Value::Object(properties) = entry {
                properties.extend(shut);
            }
        }
    }
}

fn meet(key: &str, old: Value, new: &Value) -> Result<Value, String> {
    if &old == new {
        return Ok(old);
    }
    let none = || format!("no value meets every `{key}` that applies");
    Ok(match (key, old, new) {
        (
            "properties" | "patternProperties" | "dependentRequired" | "dependentSchemas",
            Value::Object(mut a),
            Value::Object(b),
        ) => {
            for (name, schema) in b {
                let merged = match a.remove(name) {
                    Some(old) if key != "dependentRequired" => both(old, schema),
                    Some(Value::Array(mut list)) => {
                        list.extend(schema.as_array().cloned().unwrap_or_default());
                        Value::Array(list)
                    }
                    _ => schema.clone(),
                };
                a.insert(name.clone(), merged);
            }
            Value::Object(a)
        }
        ("required", Value::Array(mut a), Value::Array(b)) => {
            for name in b {
                if !a.contains(name) {
                    a.push(name.clone());
                }
            }
            Value::Array(a)
        }
        ("type", a, b) => {
            let (a, b) = (types(&a), types(b));
            let mut shared: Vec<&str> = a.iter().copied().filter(|t| b.contains(t)).collect();
            let integer =
                a.contains(&"integer") && b.contains(&"number") || a.contains(&"number") && b.contains(&"integer");
            if integer && !shared.contains(&"number") && !shared.contains(&"integer") {
                shared.push("integer");
            }
            if shared.is_empty() {
                return Err(none());
            }
            json!(shared)
        }
        ("enum", Value::Array(mut a), Value::Array(b)) => {
            a.retain(|value| b.contains(value));
            if a.is_empty() {
                return Err(none());
            }
            Value::Array(a)
        }
        ("const", ..) => return Err(none()),
        ("minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" | "minContains", a, b) => {
            if a.as_f64() >= b.as_f64() { a } else { b.clone() }
        }
        ("maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" | "maxContains", a, b) => {
            if a.as_f64() <= b.as_f64() { a } else { b.clone() }
        }
        ("multipleOf", a, b) => match (a.as_u64(), b.as_u64()) {
            (Some(x), Some(y)) => common_multiple(x, y).map_or(a, Value::from),
            _ => {
                if a.as_f64() >= b.as_f64() {
                    a
                } else {
                    b.clone()
                }
            }
        },
        ("uniqueItems", a, b) => json!(a == json!(true) || b == &json!(true)),
        ("items" | "additionalProperties" | "propertyNames" | "contains", a, b) => both(a, b),
        (_, old, _) => old,
    })
}

fn both(a: Value, b: &Value) -> Value {
    match (&a, b) {
        (Value::Bool(false), _) | (_, Value::Bool(true)) => a,
        (Value::Bool(true), _) | (_, Value::Bool(false)) => b.clone(),
        _ if &a == b => a,
        _ => json!({"allOf": [a, b]}),
    }
}

/// Values in a value.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(weight).sum::<usize>(),
        _ => 1,
    }
}

/// The names in a `type` keyword, one or several.
pub(crate) fn types(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn common_multiple(a: u64, b: u64) -> Option<u64> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x.checked_rem(y)?);
    }
    a.checked_div(x)?.checked_mul(b)
}
