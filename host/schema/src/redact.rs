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

use portcullis_gate::{Spent, Work};
use serde_json::{Map, Value, json};

use crate::{
    Schema,
    fields::is_sensitive,
    node::{self, Edge, address, as_u64},
    patterns::{Pattern, Patterns},
    plan::BYTES_PER_UNIT,
};

/// What stands in place of what was hidden, as a text and as a name.
pub const REDACTED: &str = "[redacted]";
/// Most places that are told.
pub const MAX_PLACES: usize = 64;
/// Longest place that is told, in bytes.
const MAX_PLACE_BYTES: usize = 256;
/// Most units of work in one redaction: some milliseconds. What was not visited by then is hidden.
const MAX_UNITS: u64 = 200_000;
/// Deepest nesting of a value. What is deeper is hidden.
const MAX_DEPTH: usize = 128;
/// Of the places that are told, so many are compared with another one for a unit.
const PLACES_PER_UNIT: usize = 4;

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
        let all_hidden = |_| Redacted { value: Cow::Owned(json!(REDACTED)), places: vec![String::new()], more: false };
        self.redact_within(value, &Work::new(crate::VALUE_WORK)).unwrap_or_else(all_hidden)
    }

    /// The same, with the work charged to this budget.
    ///
    /// # Errors
    /// [`Spent`] when the budget does not suffice.
    pub fn redact_within<'v>(&self, value: &'v Value, work: &Work) -> Result<Redacted<'v>, Spent> {
        let Some(marks) = &self.inner.marks else {
            return Ok(Redacted { value: Cow::Borrowed(value), places: Vec::new(), more: false });
        };
        let units = MAX_UNITS.min(work.left());
        let mut walk = Walk {
            nodes: &marks.nodes,
            seen: vec![0; marks.nodes.len()],
            round: 0,
            units,
            path: Vec::new(),
            places: Vec::new(),
            more: false,
            short: false,
        };
        // What it keeps a note of is as large as the schema.
        let kept = walk.spend(as_u64(marks.nodes.len()) / BYTES_PER_UNIT).and_then(|()| walk.visit(&[0], value, true));
        let kept = kept.unwrap_or_else(|| {
            walk.note();
            json!(REDACTED)
        });
        let (short, spent, places, more) = (walk.short, units - walk.units, walk.places, walk.more);
        // How much is hidden must not depend on what else was done with the budget.
        work.charge(if short && units < MAX_UNITS { u64::MAX } else { spent })?;
        Ok(Redacted { value: Cow::Owned(kept), places, more })
    }

    /// Whether it marks anything as sensitive.
    #[must_use]
    pub fn marks_anything(&self) -> bool {
        self.inner.marks.is_some()
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
    /// Names by pattern. None where the pattern was not read, which then fits any name.
    patterns: Vec<(Option<Pattern>, usize)>,
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
    pub(crate) fn of(root: &Value, patterns: &Patterns) -> Option<Self> {
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
                    (_, "patternProperties", Some(pattern)) => {
                        node.patterns.push((patterns.get(&pattern).cloned(), index(child)))
                    }
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
    /// Units of work that are left.
    units: u64,
    /// The way to where it is, as the schema writes it.
    path: Vec<&'s str>,
    places: Vec<String>,
    more: bool,
    /// Whether more units were needed than there were.
    short: bool,
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
            Value::String(text) => {
                self.spend(as_u64(text.len()) / BYTES_PER_UNIT)?;
                Some(value.clone())
            }
            scalar => Some(scalar.clone()),
        }
    }

    /// None where there is not so much left.
    fn spend(&mut self, units: u64) -> Option<()> {
        let left = self.units.checked_sub(units);
        self.short |= left.is_none();
        self.units = left?;
        Some(())
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
                self.spend(1 + as_u64(node.same.len()))?;
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
            let price =
                |(pattern, _): &(Option<Pattern>, usize)| pattern.as_ref().map_or(1, |p| p.price.of(name.len()));
            let patterns = node.patterns.iter().map(price).sum::<u64>();
            self.spend(1 + as_u64(name.len()) / BYTES_PER_UNIT + as_u64(node.others.len()) + patterns)?;
            let before = schemas.len();
            if let Some((name, schema)) = node.properties.get_key_value(name) {
                own = Some(name.as_str());
                schemas.push(*schema);
            }
            if !node.patterns.is_empty() {
                let fits = |pattern: &Option<Pattern>| pattern.as_ref().is_none_or(|pattern| pattern.fits(name));
                schemas.extend(node.patterns.iter().filter(|(pattern, _)| fits(pattern)).map(|(_, schema)| *schema));
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
            self.spend(as_u64(all.len()))?;
            self.path.push("*");
            kept.push(self.visit(&schemas, item, false).unwrap_or_else(|| {
                self.note();
                json!(REDACTED)
            }));
            self.path.pop();
        }
        Some(kept)
    }

    /// Tells the place. What could not be paid for is not told.
    fn note(&mut self) {
        if self.spend(1 + as_u64((self.places.len() + self.path.len()) / PLACES_PER_UNIT)).is_none() {
            self.units = 0;
            self.more = true;
            return;
        }
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
