//! What a schema costs, worked out once: each of its schemas as a node with prices, and what compiling all of it costs.
//!
//! This is not a validator. `jsonschema` has no budget of its own, and a thread that overflows its stack or never comes
//! back takes the host with it; so its work is counted before it is done. `price.rs` walks a value with these nodes.
//! A unit is that of `portcullis_gate::Work`: a visit of a schema to a part of a value, at most about 50 ns.

use std::collections::{HashMap, HashSet};

use portcullis_gate::{Spent, Work};
use serde_json::Value;

use crate::{
    SchemaError,
    node::{self, Edge, as_u64},
    patterns::{Patterns, Price},
    places::Places,
};

/// Most schemas nested for one and the same value (`allOf` in `$ref` in `allOf` …).
const MAX_IN_PLACE: usize = 128;
/// Beyond this nesting the static count gives up and says "unbounded"; then each value is counted for itself.
pub(crate) const MAX_STATIC_DEPTH: u64 = 400;
/// Comparing with this many values of `enum` or names of `required` costs a unit.
const NAMES_PER_UNIT: u64 = 16;
/// This many bytes that are only compared, copied or counted cost a unit.
pub(crate) const BYTES_PER_UNIT: u64 = 64;
/// A number held against a `multipleOf` that is no integer: a division of fractions of two thousand digits.
const FRACTION: u64 = 200;
/// Hashing one part of an item that must be unique.
pub(crate) const UNIQUE: u64 = 2;
/// Compiling one schema.
const COMPILE: u64 = 40;
/// Deepest nesting of schemas while they are compiled, by references too where those are compiled on the spot.
const MAX_COMPILE_DEPTH: usize = 256;

/// One schema of the document. Others are named by their number.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Of each visit.
    pub(crate) own: u64,
    /// For each byte of a text, in 1/16 units.
    pub(crate) text: Vec<Price>,
    /// Whether each item is held against each other.
    pub(crate) unique: bool,
    /// Schemas that apply to the same value, and whether the validator may ask them again to say what is wrong.
    pub(crate) same: Vec<(usize, bool)>,
    pub(crate) properties: Vec<(String, usize)>,
    pub(crate) patterns: Vec<(Price, usize)>,
    /// What `additionalProperties` says.
    pub(crate) others: Vec<usize>,
    pub(crate) names: Option<usize>,
    pub(crate) prefix: Vec<usize>,
    pub(crate) items: Vec<usize>,
    /// What `contains` says, which `unevaluatedItems` asks again.
    pub(crate) contains: Option<usize>,
    /// What `unevaluatedProperties` and `unevaluatedItems` say: for them what applies to the same value is asked again.
    pub(crate) unevaluated_properties: Option<usize>,
    pub(crate) unevaluated_items: Option<usize>,
}

/// The plan of a schema. The first node is the root.
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) shape: Shape,
    pub(crate) patterns: Patterns,
    /// How many patterns are compiled, those of names twice.
    pub(crate) pattern_count: usize,
}

/// An upper bound on the price of any one place of a value, over the whole schema with its references unrolled.
/// [`UNBOUNDED`] where a schema refers to itself below, or costs more than a sum over the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Units for each place and for each name.
    pub(crate) visits: u64,
    /// For each byte of a text or name, in 1/16 units.
    pub(crate) text: u64,
    pub(crate) depth: u64,
}

const UNBOUNDED: Shape = Shape { visits: u64::MAX, text: u64::MAX, depth: u64::MAX };

impl Node {
    /// Every node that it names.
    fn all(&self) -> impl Iterator<Item = usize> {
        let same = self.same.iter().map(|(child, _)| *child);
        let properties = self.properties.iter().map(|(_, child)| *child);
        let patterns = self.patterns.iter().map(|(_, child)| *child);
        let single = [self.names, self.contains, self.unevaluated_properties, self.unevaluated_items];
        let lists = [&self.others, &self.prefix, &self.items];
        same.chain(properties)
            .chain(patterns)
            .chain(lists.into_iter().flatten().copied())
            .chain(single.into_iter().flatten())
    }

    fn asks_again(&self) -> bool {
        self.unevaluated_properties.is_some() || self.unevaluated_items.is_some()
    }
}

impl Plan {
    /// Checks what can be known from the schema alone, and prices it. What compiling costs is charged.
    pub(crate) fn of(root: &Value, work: &Work) -> Result<Self, SchemaError> {
        let places = Places::of(root)?;
        let found = places.0.iter().map(|place| patterns_of(place.schema)).sum();
        if found > crate::MAX_PATTERNS {
            return Err(SchemaError::TooManyPatterns { found });
        }
        let mut patterns = Patterns::default();
        let mut nodes = Vec::with_capacity(places.0.len());
        for number in 0..places.0.len() {
            nodes.push(node(&places, number, &mut patterns, work)?);
        }
        in_place(&nodes, &places)?;
        let mut compiling = Compiling {
            nodes: &nodes,
            places: &places,
            plain: HashMap::new(),
            marking: HashMap::new(),
            depth: 0,
            too_deep: None,
        };
        // Each target of a reference is compiled once, and what stands in it with it.
        let targets: HashSet<usize> = places.0.iter().filter_map(|place| place.target).chain([0]).collect();
        for number in targets {
            let cost = compiling.plain(number);
            if let Some(number) = compiling.too_deep {
                return Err(SchemaError::TooDeep { pointer: places.pointer(number), limit: MAX_COMPILE_DEPTH });
            }
            charge(work, cost.units)?;
        }
        let of_names: usize = nodes.iter().map(|node| node.patterns.len()).sum();
        let mut unroll = Unroll { nodes: &nodes, done: vec![None; nodes.len()], open: vec![false; nodes.len()] };
        let shape = unroll.shape(0, 0);
        Ok(Self { nodes, shape, patterns, pattern_count: found + of_names })
    }
}

fn charge(work: &Work, units: u64) -> Result<(), SchemaError> {
    work.charge(units).map_err(SchemaError::Work)
}

fn node(places: &Places<'_>, number: usize, patterns: &mut Patterns, work: &Work) -> Result<Node, SchemaError> {
    let mut node = Node { own: 1, ..Node::default() };
    let Some(place) = places.0.get(number) else { return Ok(node) };
    let mut read = |pattern: &str, names: bool, at: &dyn Fn() -> String| {
        let pattern = patterns
            .read(pattern, names)
            .map_err(|reason| SchemaError::Invalid { pointer: at(), reason: node::short(&reason) })?;
        charge(work, pattern.price.compile)?;
        Ok::<Price, SchemaError>(pattern.price)
    };
    if let Value::Object(map) = place.schema {
        node.own += own_price(map);
        node.unique = map.get("uniqueItems") == Some(&Value::Bool(true));
        if let Some(pattern) = map.get("pattern").and_then(Value::as_str) {
            node.text.push(read(pattern, false, &|| node::join(&places.pointer(number), "pattern"))?);
        }
    }
    node.same.extend(place.target.map(|target| (target, false)));
    for ((edge, keyword, name, _), child) in &place.children {
        match (edge, *keyword, name) {
            (Edge::Same, "allOf" | "dependentSchemas" | "dependencies", _) => node.same.push((*child, false)),
            (Edge::Same, ..) => node.same.push((*child, true)),
            (_, "properties", Some(name)) => node.properties.push((name.to_string(), *child)),
            (_, "patternProperties", Some(pattern)) => {
                let at = || node::join(&node::join(&places.pointer(number), "patternProperties"), pattern);
                node.patterns.push((read(pattern, true, &at)?, *child));
            }
            (_, "additionalProperties", _) => node.others.push(*child),
            (_, "propertyNames", _) => node.names = Some(*child),
            (_, "prefixItems", _) => node.prefix.push(*child),
            (_, "items", _) => node.items.push(*child),
            (_, "contains", _) => node.contains = Some(*child),
            (_, "unevaluatedProperties", _) => node.unevaluated_properties = Some(*child),
            (_, "unevaluatedItems", _) => node.unevaluated_items = Some(*child),
            _ => {}
        }
    }
    node.own += node.properties.iter().map(|(name, _)| 1 + as_u64(name.len()) / BYTES_PER_UNIT).sum::<u64>();
    node.own += as_u64(node.prefix.len());
    Ok(node)
}

/// What one visit costs by what is listed in a schema, beside its subschemas.
fn own_price(map: &serde_json::Map<String, Value>) -> u64 {
    let listed = ["enum", "const", "required", "dependentRequired"].into_iter().filter_map(|keyword| map.get(keyword));
    let listed = listed.map(weight).fold(0, u64::saturating_add) / NAMES_PER_UNIT;
    let fraction = map.get("multipleOf").is_some_and(|divisor| divisor.as_u64().is_none());
    listed + if fraction { FRACTION } else { 0 }
}

/// The parts of a value, its texts and names by their length.
pub(crate) fn weight(value: &Value) -> u64 {
    let text = |text: &str| 1 + as_u64(text.len()) * NAMES_PER_UNIT / BYTES_PER_UNIT;
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => 1 + items.iter().map(weight).sum::<u64>(),
        Value::Object(map) => 1 + map.iter().map(|(name, value)| text(name) + weight(value)).sum::<u64>(),
        _ => 1,
    }
}

fn patterns_of(schema: &Value) -> usize {
    let named = schema.get("patternProperties").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    named + usize::from(schema.get("pattern").is_some())
}

/// Refuses chains of schemas for the same value that are endless or too long.
fn in_place(nodes: &[Node], places: &Places<'_>) -> Result<(), SchemaError> {
    /// Longest chain below, once it is known.
    #[derive(Clone, Copy)]
    enum Known {
        No,
        Open,
        Below(usize),
    }
    fn length(
        nodes: &[Node],
        places: &Places<'_>,
        known: &mut [Known],
        number: usize,
        above: usize,
    ) -> Result<usize, SchemaError> {
        let too_deep = || SchemaError::TooDeep { pointer: places.pointer(number), limit: MAX_IN_PLACE };
        match known.get(number) {
            Some(Known::Below(below)) => return Ok(*below),
            Some(Known::Open) => return Err(SchemaError::Endless { pointer: places.pointer(number) }),
            _ if above > MAX_IN_PLACE => return Err(too_deep()),
            _ => {}
        }
        let set = |known: &mut [Known], to| {
            if let Some(slot) = known.get_mut(number) {
                *slot = to;
            }
        };
        set(known, Known::Open);
        let mut longest = 0;
        for (child, _) in nodes.get(number).map_or(&[][..], |node| &node.same) {
            longest = longest.max(1 + length(nodes, places, known, *child, above + 1)?);
        }
        if longest > MAX_IN_PLACE {
            return Err(too_deep());
        }
        set(known, Known::Below(longest));
        Ok(longest)
    }
    let mut known = vec![Known::No; nodes.len()];
    for number in 0..nodes.len() {
        length(nodes, places, &mut known, number, 0)?;
    }
    Ok(())
}

/// What compiling costs. For `unevaluatedProperties` and `unevaluatedItems` the validator compiles all that applies to the
/// same value once more, and what that refers to, each time anew: nested, that doubles with each level.
struct Compiling<'a, 's> {
    nodes: &'a [Node],
    places: &'a Places<'s>,
    plain: HashMap<usize, Cost>,
    marking: HashMap<usize, Cost>,
    depth: usize,
    /// Where the nesting became too deep.
    too_deep: Option<usize>,
}

impl Compiling<'_, '_> {
    /// A schema and what stands in it. References are compiled once, elsewhere.
    fn plain(&mut self, number: usize) -> Cost {
        if let Some(known) = self.plain.get(&number) {
            return *known;
        }
        let (Some(node), Some(place)) = (self.nodes.get(number), self.places.0.get(number)) else {
            return Cost::default();
        };
        if !self.enter(number) {
            return Cost::default();
        }
        let mut total = Cost { units: COMPILE + as_u64(place.pointer_bytes) / BYTES_PER_UNIT, levels: 1 };
        for (_, child) in &place.children {
            total.add(self.plain(*child));
        }
        if node.asks_again() {
            total.add(self.marking(number));
        }
        self.leave(number, total);
        self.plain.insert(number, total);
        total
    }

    /// What is compiled once more.
    fn marking(&mut self, number: usize) -> Cost {
        if let Some(known) = self.marking.get(&number) {
            return *known;
        }
        let (Some(node), Some(place)) = (self.nodes.get(number), self.places.0.get(number)) else {
            return Cost::default();
        };
        if !self.enter(number) {
            return Cost::default();
        }
        // One that is come to again on its way is not compiled again.
        self.marking.insert(number, Cost::default());
        let mut total = Cost { units: COMPILE, levels: 1 };
        for (child, _) in &node.same {
            if Some(*child) != place.target {
                total.add(self.plain(*child));
            }
            total.add(self.marking(*child));
        }
        let single = [node.unevaluated_properties, node.unevaluated_items, node.contains];
        let patterns = node.patterns.iter().map(|(_, child)| child);
        for child in single.iter().flatten().chain(&node.others).chain(&node.items).chain(&node.prefix).chain(patterns)
        {
            total.add(self.plain(*child));
        }
        self.leave(number, total);
        self.marking.insert(number, total);
        total
    }

    /// Whether it may go one level deeper.
    fn enter(&mut self, number: usize) -> bool {
        if self.depth >= MAX_COMPILE_DEPTH {
            self.too_deep.get_or_insert(number);
            return false;
        }
        self.depth += 1;
        true
    }

    fn leave(&mut self, number: usize, total: Cost) {
        self.depth -= 1;
        if total.levels > MAX_COMPILE_DEPTH {
            self.too_deep.get_or_insert(number);
        }
    }
}

/// Of compiling a schema, with what is below it.
#[derive(Clone, Copy, Default)]
struct Cost {
    units: u64,
    /// How deep it nests.
    levels: usize,
}

impl Cost {
    fn add(&mut self, below: Cost) {
        self.units = self.units.saturating_add(below.units);
        self.levels = self.levels.max(below.levels + 1);
    }
}

struct Unroll<'a> {
    nodes: &'a [Node],
    done: Vec<Option<Shape>>,
    open: Vec<bool>,
}

impl Unroll<'_> {
    fn shape(&mut self, number: usize, above: u64) -> Shape {
        if let Some(Some(shape)) = self.done.get(number) {
            return *shape;
        }
        let Some(node) = self.nodes.get(number) else { return UNBOUNDED };
        let is_open = self.open.get(number).copied().unwrap_or(true);
        if above > MAX_STATIC_DEPTH || is_open || node.asks_again() {
            return UNBOUNDED;
        }
        self.set_open(number, true);
        let patterns = node.patterns.iter().map(|(price, _)| price);
        let text = node.text.iter().chain(patterns.clone()).map(|price| price.rate()).sum::<u64>();
        let text = text + 16_u64.div_ceil(BYTES_PER_UNIT);
        let unique = if node.unique { UNIQUE } else { 0 };
        let visits = node.own + unique + as_u64(node.text.len() + patterns.count());
        let mut total = Shape { visits, text, depth: 1 };
        for child in node.all() {
            let below = self.shape(child, above + 1);
            total.visits = total.visits.saturating_add(below.visits);
            total.text = total.text.saturating_add(below.text);
            total.depth = total.depth.max(below.depth.saturating_add(1));
        }
        self.set_open(number, false);
        if let Some(slot) = self.done.get_mut(number) {
            *slot = Some(total);
        }
        total
    }

    fn set_open(&mut self, number: usize, open: bool) {
        if let Some(slot) = self.open.get_mut(number) {
            *slot = open;
        }
    }
}

impl From<Spent> for SchemaError {
    fn from(spent: Spent) -> Self {
        SchemaError::Work(spent)
    }
}
