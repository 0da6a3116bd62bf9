//! How much work a schema is, counted before it is done.
//!
//! This is not a validator: it follows every subschema that the validator might visit and says how many visits there
//! are and how deep they nest. `jsonschema` has no budget of its own, and a thread that overflows its stack or never
//! comes back takes the host with it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::SchemaError;
use crate::node::{self, Edge};

/// Most schemas nested for one and the same value (`allOf` in `$ref` in `allOf` …).
const MAX_IN_PLACE: usize = 128;
/// Most visits of a schema to a value in one validation: a fraction of a second at worst.
const MAX_VISITS: u64 = 2_000_000;
/// Most visits when violations are collected, where the validator repeats itself and allocates.
const MAX_EXPLAINED_VISITS: u64 = 10_000;
/// Deepest nesting of visits: far below what a 2 MiB thread stack holds (7,000 were fine, 12,000 were not).
const MAX_VISIT_DEPTH: u64 = 1_000;
/// Beyond this nesting the static count gives up and says "unbounded"; then each value is counted for itself.
const MAX_STATIC_DEPTH: u64 = 400;
/// A string of this many bytes costs as much as one more visit (patterns read it).
const BYTES_PER_VISIT: usize = 64;
/// Comparing with this many values of `enum` or names of `required` costs as much as one more visit.
const NAMES_PER_VISIT: usize = 16;

/// An upper bound on the visits to any one place of a value, over the whole schema with its references unrolled.
/// `u64::MAX` where a schema refers to itself below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    visits: u64,
    depth: u64,
}

const UNBOUNDED: Shape = Shape { visits: u64::MAX, depth: u64::MAX };

/// What validating a value will cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Cheap enough to collect violations as well.
    Explainable,
    /// Cheap enough for yes or no.
    Checkable,
    /// Too much.
    Refused,
}

/// Checks what can be known from the schema alone, and measures it: its shape, and how many compiled patterns it takes.
pub(crate) fn inspect(root: &Value) -> Result<(Shape, usize), SchemaError> {
    let schemas = reachable(root)?;
    let found = schemas.iter().map(|(_, schema)| patterns(schema)).sum();
    if found > crate::MAX_PATTERNS {
        return Err(SchemaError::TooManyPatterns { found });
    }
    let mut chain = Chain { root, depth: HashMap::new(), open: HashSet::new() };
    for (pointer, schema) in &schemas {
        chain.length(schema, pointer, 0)?;
    }
    // Those of names are compiled once more where something is marked as sensitive.
    let of_names: usize = schemas.iter().map(|(_, schema)| named_patterns(schema)).sum();
    Ok((Unroll { root, done: HashMap::new(), open: HashSet::new() }.shape(root, 0), found + of_names))
}

/// Every schema in the document that can apply or be referred to, after checking its references.
fn reachable(root: &Value) -> Result<Vec<(String, &Value)>, SchemaError> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut queue = vec![(String::new(), root)];
    while let Some((pointer, schema)) = queue.pop() {
        if !seen.insert(address(schema)) {
            continue;
        }
        if let Value::Object(map) = schema {
            for keyword in ["$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor"] {
                if map.contains_key(keyword) {
                    return Err(SchemaError::Keyword { pointer, keyword });
                }
            }
            if !pointer.is_empty() && map.contains_key("$id") {
                return Err(SchemaError::Keyword { pointer, keyword: "$id" });
            }
            if let Some(dialect) = map.get("$schema")
                && dialect.as_str().map(|d| d.trim_end_matches('#')) != Some(crate::DIALECT)
            {
                let found = node::short(dialect.as_str().unwrap_or("not a string"));
                return Err(SchemaError::Dialect { pointer, found });
            }
            if let Some(reference) = node::reference(map) {
                let Some((target, schema)) = node::follow(root, reference) else {
                    let local = node::is_local(reference);
                    let reference = node::short(reference);
                    return Err(if local {
                        SchemaError::MissingRef { pointer, reference }
                    } else {
                        SchemaError::RemoteRef { pointer, reference }
                    });
                };
                queue.push((target, schema));
            }
        }
        for (_, keyword, name, child) in node::children(schema) {
            let mut at = node::join(&pointer, keyword);
            if let Some(name) = name {
                at = node::join(&at, &name);
            }
            queue.push((at, child));
        }
        found.push((pointer, schema));
    }
    Ok(found)
}

/// Longest chain of schemas that apply to the same value.
struct Chain<'s> {
    root: &'s Value,
    depth: HashMap<usize, usize>,
    open: HashSet<usize>,
}

impl<'s> Chain<'s> {
    fn length(&mut self, schema: &'s Value, pointer: &str, above: usize) -> Result<usize, SchemaError> {
        let key = address(schema);
        if let Some(below) = self.depth.get(&key) {
            return Ok(*below);
        }
        if above > MAX_IN_PLACE {
            return Err(SchemaError::TooDeep { pointer: pointer.to_owned(), limit: MAX_IN_PLACE });
        }
        if !self.open.insert(key) {
            return Err(SchemaError::Endless { pointer: pointer.to_owned() });
        }
        let mut longest = 0;
        for (edge, child) in applied(self.root, schema) {
            if edge == Edge::Same {
                longest = longest.max(1 + self.length(child, pointer, above + 1)?);
            }
        }
        self.open.remove(&key);
        if longest > MAX_IN_PLACE {
            return Err(SchemaError::TooDeep { pointer: pointer.to_owned(), limit: MAX_IN_PLACE });
        }
        self.depth.insert(key, longest);
        Ok(longest)
    }
}

struct Unroll<'s> {
    root: &'s Value,
    done: HashMap<usize, Shape>,
    open: HashSet<usize>,
}

impl<'s> Unroll<'s> {
    fn shape(&mut self, schema: &'s Value, above: u64) -> Shape {
        let key = address(schema);
        if let Some(shape) = self.done.get(&key) {
            return *shape;
        }
        if above > MAX_STATIC_DEPTH || !self.open.insert(key) {
            return UNBOUNDED;
        }
        let mut total = Shape { visits: price(schema), depth: 1 };
        for (_, child) in applied(self.root, schema) {
            let below = self.shape(child, above + 1);
            total.visits = total.visits.saturating_add(below.visits);
            total.depth = total.depth.max(below.depth.saturating_add(1));
        }
        self.open.remove(&key);
        self.done.insert(key, total);
        total
    }
}

/// What validating `value` would cost.
pub(crate) fn cost(root: &Value, shape: Shape, value: &Value) -> Cost {
    if shape.depth <= MAX_STATIC_DEPTH {
        let visits = shape.visits.saturating_mul(size(value));
        if visits <= MAX_EXPLAINED_VISITS {
            return Cost::Explainable;
        }
        if visits <= MAX_VISITS {
            return Cost::Checkable;
        }
    }
    match (Walk { root, left: MAX_VISITS }.spend(root, value, 0)) {
        Some(left) if MAX_VISITS - left <= MAX_EXPLAINED_VISITS => Cost::Explainable,
        Some(_) => Cost::Checkable,
        None => Cost::Refused,
    }
}

/// Like [`cost`], for a value already found to be checkable: whether its violations may be collected.
pub(crate) fn explainable(root: &Value, value: &Value) -> bool {
    Walk { root, left: MAX_EXPLAINED_VISITS }.spend(root, value, 0).is_some()
}

/// Follows the very value. `None` as soon as the budget or the depth is used up.
struct Walk<'s> {
    root: &'s Value,
    left: u64,
}

impl Walk<'_> {
    fn spend(&mut self, schema: &Value, value: &Value, depth: u64) -> Option<u64> {
        if depth > MAX_VISIT_DEPTH {
            return None;
        }
        self.left = self.left.checked_sub(price(schema).saturating_mul(own_size(value)))?;
        if let Value::Object(map) = schema
            && let Some((_, target)) = node::reference(map).and_then(|reference| node::follow(self.root, reference))
        {
            self.spend(target, value, depth + 1)?;
        }
        for (edge, keyword, name, child) in node::children(schema) {
            match (edge, value) {
                (Edge::Same, _) => {
                    self.spend(child, value, depth + 1)?;
                }
                (Edge::Down, Value::Object(object)) => match (keyword, name) {
                    ("properties", Some(name)) => {
                        self.left = self.left.checked_sub(1)?;
                        if let Some(property) = object.get(name.as_ref()) {
                            self.spend(child, property, depth + 1)?;
                        }
                    }
                    ("propertyNames", _) => {
                        for _ in object {
                            self.spend(child, &Value::Null, depth + 1)?;
                        }
                    }
                    ("patternProperties" | "additionalProperties" | "unevaluatedProperties", _) => {
                        for property in object.values() {
                            self.spend(child, property, depth + 1)?;
                        }
                    }
                    _ => {}
                },
                (Edge::Down, Value::Array(items)) => match (keyword, name) {
                    ("prefixItems", Some(index)) => {
                        self.left = self.left.checked_sub(1)?;
                        if let Some(item) = index.parse().ok().and_then(|index: usize| items.get(index)) {
                            self.spend(child, item, depth + 1)?;
                        }
                    }
                    ("items" | "contains" | "unevaluatedItems", _) => {
                        for item in items {
                            self.spend(child, item, depth + 1)?;
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Some(self.left)
    }
}

/// The schemas that `schema` applies, its `$ref` followed.
fn applied<'s>(root: &'s Value, schema: &'s Value) -> Vec<(Edge, &'s Value)> {
    let mut all: Vec<_> = node::children(schema)
        .into_iter()
        .filter(|(edge, ..)| *edge != Edge::Shelf)
        .map(|(edge, _, _, child)| (edge, child))
        .collect();
    let target = schema.as_object().and_then(node::reference).and_then(|reference| node::follow(root, reference));
    all.extend(target.map(|(_, target)| (Edge::Same, target)));
    all
}

fn patterns(schema: &Value) -> usize {
    named_patterns(schema) + usize::from(schema.get("pattern").is_some())
}

fn named_patterns(schema: &Value) -> usize {
    schema.get("patternProperties").and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

/// What one visit costs, by how much `enum` and `required` list.
fn price(schema: &Value) -> u64 {
    let length = |keyword| schema.get(keyword).and_then(Value::as_array).map_or(0, Vec::len);
    1 + as_u64((length("enum") + length("required")) / NAMES_PER_VISIT)
}

fn own_size(value: &Value) -> u64 {
    match value {
        Value::String(text) => 1 + as_u64(text.len() / BYTES_PER_VISIT),
        _ => 1,
    }
}

fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<u64>(),
        other => own_size(other),
    }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Identity of a subschema: its place in memory, for as long as the document is borrowed.
pub(crate) fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema).addr()
}
