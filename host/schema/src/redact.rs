//! What of a value may be kept to be read later: a copy without the parts that a schema marks with `"x-sensitive": true`.
//!
//! Here a schema is not asked whether a value is right, but what is known to be harmless, and in doubt a part is hidden:
//!
//! - A mark counts in whatever branch it stands (`allOf`, `anyOf`, `oneOf`, `if`, `then`, `else`, `dependentSchemas`, behind
//!   `$ref`), whether or not the branch applies to this value. Only what stands under `not` is no part of a value.
//! - In a schema that marks anything, what it does not describe is hidden as well: properties it does not name, items it
//!   says nothing of, a text where it knows an object. Its author has sorted the parts of the value, and has not seen these.
//!   Providers add fields to their answers, and callers make mistakes.
//! - A schema that marks nothing has sorted nothing. Its values are left as they are, because to hide what it does not
//!   describe would protect nothing that stands beside it; an operator's own rules are for these.
//! - A name that the schema does not write is part of the value: it is hidden with what it names, and never stands in a place
//!   that is told. Places go where nothing can be erased.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value, json};

use crate::{
    Schema,
    bounds::address,
    fields::is_sensitive,
    node::{self, Edge},
};

/// What stands in place of what was hidden, as a text and as a name.
pub const REDACTED: &str = "[redacted]";
/// Most places that are told.
pub const MAX_PLACES: usize = 64;
/// Longest place that is told, in bytes.
const MAX_PLACE_BYTES: usize = 256;
/// Most visits of a schema to a part of a value: some milliseconds. What was not visited by then is hidden.
const MAX_VISITS: usize = 200_000;
/// Deepest nesting of a value. What is deeper is hidden.
const MAX_DEPTH: usize = 128;
/// A name of this many bytes costs as much as one more visit where a pattern reads it.
const BYTES_PER_VISIT: usize = 64;

/// A value without what is sensitive.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted<'v> {
    /// The value, with [`REDACTED`] in place of what was hidden; the very one that was given, where its schema marks nothing.
    pub value: Cow<'v, Value>,
    /// What was hidden: JSON Pointers as the schema writes them, with `*` for each item and for each property of any name.
    /// Each once, at most [`MAX_PLACES`]. They hold nothing of the value.
    pub places: Vec<String>,
    /// Whether more was hidden than is told.
    pub more: bool,
}

impl Schema {
    /// A copy of `value` without what this schema marks as sensitive. The value need not be valid. Total and bounded; where the
    /// schema marks nothing it costs nothing.
    #[must_use]
    pub fn redact<'v>(&self, value: &'v Value) -> Redacted<'v> {
        let Some(marks) = self.inner.marks.get_or_init(|| Marks::of(self.value())) else {
            return Redacted { value: Cow::Borrowed(value), places: Vec::new(), more: false };
        };
        let mut walk = Walk {
            nodes: &marks.nodes,
            seen: vec![0; marks.nodes.len()],
            round: 0,
            visits: MAX_VISITS,
            path: Vec::new(),
            places: Vec::new(),
            more: false,
        };
        let kept = walk.visit(&[0], value, true).unwrap_or_else(|| {
            walk.note();
            json!(REDACTED)
        });
        Redacted { value: Cow::Owned(kept), places: walk.places, more: walk.more }
    }
}

/// A schema that marks something, in the form that values are walked with. The first node is the root.
pub(crate) struct Marks {
    nodes: Vec<Node>,
}

/// One schema of the document. Others are named by their index.
#[derive(Default)]
struct Node {
    marked: bool,
    /// The types of values that it describes, one bit each; none where it says nothing about values.
    types: u8,
    /// Schemas that apply to the same value.
    same: Vec<usize>,
    properties: HashMap<String, usize>,
    /// Names by pattern. None where the pattern cannot be read, which then fits any name.
    patterns: Vec<(Option<Validator>, usize)>,
    /// What `additionalProperties` and `unevaluatedProperties` say.
    others: Vec<usize>,
    prefix: Vec<usize>,
    /// What `items` says, for those after `prefix`.
    rest: Option<usize>,
    /// What `contains` and `unevaluatedItems` say, of any item.
    any: Vec<usize>,
    /// What is said of names, and of what a text holds: a mark in there is one of the whole.
    within: Vec<usize>,
}

const BOOLEAN: u8 = 1;
const NUMBER: u8 = 2;
const STRING: u8 = 4;
const ARRAY: u8 = 8;
const OBJECT: u8 = 16;
const NULL: u8 = 32;

impl Marks {
    /// None where nothing is marked.
    pub(crate) fn of(root: &Value) -> Option<Self> {
        let mut found: HashMap<usize, usize> = HashMap::from([(address(root), 0)]);
        let mut schemas = vec![root];
        let mut nodes: Vec<Node> = Vec::new();
        // The list grows while it is walked.
        while let Some(schema) = schemas.get(nodes.len()).copied() {
            let mut index = |child| {
                *found.entry(address(child)).or_insert_with(|| {
                    schemas.push(child);
                    schemas.len() - 1
                })
            };
            let mut node = Node { marked: is_sensitive(schema), types: types(schema), ..Node::default() };
            let target = schema.as_object().and_then(node::reference).and_then(|to| node::follow(root, to));
            node.same.extend(target.map(|(_, target)| index(target)));
            for (edge, keyword, name, child) in node::children(schema) {
                match (edge, keyword, name) {
                    (_, "not", _) => {}
                    (Edge::Same, ..) => node.same.push(index(child)),
                    (_, "propertyNames" | "contentSchema", _) => node.within.push(index(child)),
                    (_, "properties", Some(name)) => {
                        node.properties.insert(name.into_owned(), index(child));
                    }
                    (_, "patternProperties", Some(pattern)) => node.patterns.push((matcher(&pattern), index(child))),
                    (_, "additionalProperties" | "unevaluatedProperties", _) => node.others.push(index(child)),
                    (_, "prefixItems", _) => node.prefix.push(index(child)),
                    (_, "items", _) => node.rest = Some(index(child)),
                    (_, "contains" | "unevaluatedItems", _) => node.any.push(index(child)),
                    _ => {}
                }
            }
            nodes.push(node);
        }
        let leading = leading_to_marks(&nodes);
        for node in &mut nodes {
            node.marked |= node.within.iter().any(|within| leading.contains(within));
        }
        nodes.iter().any(|node| node.marked).then_some(Self { nodes })
    }
}

/// The nodes by which a marked one is come to, itself among them.
fn leading_to_marks(nodes: &[Node]) -> HashSet<usize> {
    let mut parents: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for child in node.children() {
            parents.entry(child).or_default().push(index);
        }
    }
    let mut leading = HashSet::new();
    let mut queue: Vec<usize> =
        nodes.iter().enumerate().filter(|(_, node)| node.marked).map(|(index, _)| index).collect();
    while let Some(index) = queue.pop() {
        if leading.insert(index) {
            queue.extend(parents.remove(&index).unwrap_or_default());
        }
    }
    leading
}

/// What judges a name as the validator does, which reads patterns in a way of its own.
fn matcher(pattern: &str) -> Option<Validator> {
    let options = PatternOptions::regex().size_limit(crate::PATTERN_BYTES);
    jsonschema::options().with_pattern_options(options).build(&json!({ "pattern": pattern })).ok()
}

/// The types that a schema names, or else those that its other words are about.
fn types(schema: &Value) -> u8 {
    let Value::Object(map) = schema else { return 0 };
    let named = |name: &Value| match name.as_str() {
        Some("boolean") => BOOLEAN,
        Some("integer" | "number") => NUMBER,
        Some("string") => STRING,
        Some("array") => ARRAY,
        Some("object") => OBJECT,
        Some("null") => NULL,
        _ => 0,
    };
    match (map.get("type"), map.get("const"), map.get("enum")) {
        (Some(Value::Array(names)), ..) => names.iter().map(named).fold(0, |all, one| all | one),
        (Some(name), ..) => named(name),
        (_, Some(value), _) => type_of(value),
        (.., Some(Value::Array(values))) => values.iter().map(type_of).fold(0, |all, one| all | one),
        _ => map.keys().map(|keyword| about(keyword)).fold(0, |all, one| all | one),
    }
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::Number(_) => NUMBER,
        Value::String(_) => STRING,
        Value::Array(_) => ARRAY,
        Value::Object(_) => OBJECT,
    }
}

/// The type that a keyword is about.
fn about(keyword: &str) -> u8 {
    match keyword {
        "properties"
        | "patternProperties"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "propertyNames"
        | "required"
        | "dependentRequired"
        | "dependentSchemas"
        | "dependencies"
        | "minProperties"
        | "maxProperties" => OBJECT,
        "items" | "prefixItems" | "contains" | "unevaluatedItems" | "minItems" | "maxItems" | "uniqueItems" => ARRAY,
        "pattern" | "format" | "minLength" | "maxLength" | "contentEncoding" | "contentMediaType" => STRING,
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => NUMBER,
        _ => 0,
    }
}

impl Node {
    fn children(&self) -> impl Iterator<Item = usize> {
        let lists = [&self.same, &self.others, &self.prefix, &self.any, &self.within];
        let named = self.properties.values().copied().chain(self.patterns.iter().map(|(_, child)| *child));
        lists.into_iter().flatten().copied().chain(named).chain(self.rest)
    }
}

struct Walk<'s> {
    nodes: &'s [Node],
    /// In which round a node was last seen, so that none is listed twice.
    seen: Vec<usize>,
    round: usize,
    visits: usize,
    /// The way to where it is, as the schema writes it.
    path: Vec<&'s str>,
    places: Vec<String>,
    more: bool,
}

impl<'s> Walk<'s> {
    /// What is kept of a part of the value that these schemas are about, `named` if one of them gives it its name; none where it
    /// is hidden.
    fn visit(&mut self, schemas: &[usize], value: &Value, named: bool) -> Option<Value> {
        if self.path.len() > MAX_DEPTH {
            return None;
        }
        let all = self.applying(schemas)?;
        if all.iter().any(|node| node.marked) {
            return None;
        }
        let known = all.iter().fold(0, |known, node| known | node.types);
        // A name alone says what a number is, and not what an object holds.
        let described = if known == 0 { named } else { known & type_of(value) != 0 };
        if !described && !value.is_null() {
            return None;
        }
        match value {
            Value::Object(map) => self.object(&all, map).map(Value::Object),
            Value::Array(items) => self.array(&all, items).map(Value::Array),
            scalar => Some(scalar.clone()),
        }
    }

    /// The schemas that apply to the same value; none where too much work has been done.
    fn applying(&mut self, schemas: &[usize]) -> Option<Vec<&'s Node>> {
        self.round += 1;
        let mut all = Vec::with_capacity(schemas.len() + 2);
        let mut queue = schemas.to_vec();
        while let Some(index) = queue.pop() {
            let (Some(node), Some(seen)) = (self.nodes.get(index), self.seen.get_mut(index)) else { continue };
            if *seen != self.round {
                *seen = self.round;
                self.visits = self.visits.checked_sub(1)?;
                queue.extend(&node.same);
                all.push(node);
            }
        }
        Some(all)
    }

    fn object(&mut self, all: &[&'s Node], map: &Map<String, Value>) -> Option<Map<String, Value>> {
        let mut kept = Map::new();
        for (name, value) in map {
            let (schemas, own) = self.of_property(all, name)?;
            self.path.push(own.unwrap_or("*"));
            let part = if schemas.is_empty() { None } else { self.visit(&schemas, value, own.is_some()) };
            if part.is_none() {
                self.note();
            }
            self.path.pop();
            match (part, own) {
                (Some(part), _) => kept.insert(name.clone(), part),
                (None, Some(own)) => kept.insert(own.to_owned(), json!(REDACTED)),
                (None, None) => kept.insert(REDACTED.to_owned(), json!(REDACTED)),
            };
        }
        Some(kept)
    }

    /// The schemas of a property, and its name where a schema writes it; none where too much work has been done.
    fn of_property(&mut self, all: &[&'s Node], name: &str) -> Option<(Vec<usize>, Option<&'s str>)> {
        let mut schemas = Vec::new();
        let mut own = None;
        for node in all {
            let price = 1 + node.patterns.len() * (1 + name.len() / BYTES_PER_VISIT);
            self.visits = self.visits.checked_sub(price)?;
            let before = schemas.len();
            if let Some((name, schema)) = node.properties.get_key_value(name) {
                own = Some(name.as_str());
                schemas.push(*schema);
            }
            if !node.patterns.is_empty() {
                let name = Value::from(name);
                let fits = |matcher: &Option<Validator>| matcher.as_ref().is_none_or(|matcher| matcher.is_valid(&name));
                schemas.extend(node.patterns.iter().filter(|(matcher, _)| fits(matcher)).map(|(_, schema)| *schema));
            }
            if schemas.len() == before {
                schemas.extend(&node.others);
            }
        }
        Some((schemas, own))
    }

    fn array(&mut self, all: &[&'s Node], items: &[Value]) -> Option<Vec<Value>> {
        let mut kept = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let of_item =
                |node: &&'s Node| node.any.iter().copied().chain(node.prefix.get(index).copied().or(node.rest));
            let schemas: Vec<usize> = all.iter().flat_map(of_item).collect();
            // Nothing is said of the items.
            if schemas.is_empty() {
                return None;
            }
            self.visits = self.visits.checked_sub(all.len())?;
            self.path.push("*");
            kept.push(self.visit(&schemas, item, false).unwrap_or_else(|| {
                self.note();
                json!(REDACTED)
            }));
            self.path.pop();
        }
        Some(kept)
    }

    /// Tells the place.
    fn note(&mut self) {
        let mut place = String::new();
        for step in &self.path {
            if place.len() + step.len() > MAX_PLACE_BYTES {
                self.more = true;
                return;
            }
            place = node::join(&place, step);
        }
        if self.places.contains(&place) {
            return;
        }
        if self.places.len() < MAX_PLACES {
            self.places.push(place);
        } else {
            self.more = true;
        }
    }
}
