//! What judging one value costs, counted before the validator is asked.
//!
//! This follows every schema that the validator might visit, along the very value, and adds up their prices. It is an
//! upper bound: of several branches all are counted. It costs about as much as a validation, so where a bound that is
//! known from the schema and the size of the value is low, that bound is the price.

use serde_json::Value;

use crate::{
    node::as_u64,
    plan::{BYTES_PER_UNIT, MAX_STATIC_DEPTH, Node, Plan, UNIQUE},
};

/// Up to this many units a bound is as good as a count.
pub(crate) const QUICK: u64 = 50_000;
/// Deepest nesting of visits: far below what a 2 MiB thread stack holds (7,000 were fine, 12,000 were not).
const MAX_VISIT_DEPTH: u64 = 1_000;

/// So many bytes that are hashed cost a unit.
const BYTES_PER_HASHED_UNIT: u64 = 16;

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// More than there may be.
    Units,
    /// Visits nest too deep.
    Depth,
}

impl Plan {
    /// A bound that is known without looking at what stands where; none where there is none, or where it is not low.
    pub(crate) fn quick(&self, value: &Value) -> Option<u64> {
        if self.shape.depth > MAX_STATIC_DEPTH {
            return None;
        }
        let mut size = Size { places: 0, bytes: 0, most: QUICK / self.shape.visits.max(1) };
        size.add(value)?;
        let texts = self.shape.text.saturating_mul(size.bytes) / 16;
        let bound = self.shape.visits.saturating_mul(size.places).saturating_add(texts);
        (bound <= QUICK).then_some(bound)
    }

    /// The price of one yes or no, at most `most`.
    pub(crate) fn price(&self, value: &Value, most: u64) -> Result<u64, TooMuch> {
        self.count(value, most, false)
    }

    /// The price of collecting what is wrong: the validator asks the schemas of a branch again at each level above it.
    pub(crate) fn price_of_reasons(&self, value: &Value, most: u64) -> Result<u64, TooMuch> {
        self.count(value, most, true)
    }

    fn count(&self, value: &Value, most: u64, reasons: bool) -> Result<u64, TooMuch> {
        let mut walk = Walk { nodes: &self.nodes, left: most, reasons };
        walk.visit(0, Part::Value(value), At { depth: 0, times: 1 })?;
        Ok(most - walk.left)
    }
}

struct Size {
    /// Values and names.
    places: u64,
    /// Of texts and names.
    bytes: u64,
    /// As many places as are gone through.
    most: u64,
}

impl Size {
    /// None where there are more.
    fn add(&mut self, value: &Value) -> Option<()> {
        self.place()?;
        match value {
            Value::String(text) => self.bytes += as_u64(text.len()),
            Value::Array(items) => items.iter().try_for_each(|item| self.add(item))?,
            Value::Object(map) => {
                for (name, value) in map {
                    self.place()?;
                    self.bytes += as_u64(name.len());
                    self.add(value)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn place(&mut self) -> Option<()> {
        self.places += 1;
        (self.places <= self.most).then_some(())
    }
}

/// What a schema visits.
#[derive(Clone, Copy)]
enum Part<'v> {
    Value(&'v Value),
    /// A property's name, as a text.
    Name(&'v str),
}

#[derive(Clone, Copy)]
struct At {
    depth: u64,
    /// How often the validator comes here.
    times: u64,
}

impl At {
    fn below(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

struct Walk<'s> {
    nodes: &'s [Node],
    left: u64,
    reasons: bool,
}

impl<'s> Walk<'s> {
    fn spend(&mut self, units: u64, at: At) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(units.saturating_mul(at.times)).ok_or(TooMuch::Units)?;
        Ok(())
    }

    fn visit(&mut self, number: usize, part: Part<'_>, at: At) -> Result<(), TooMuch> {
        if at.depth > MAX_VISIT_DEPTH {
            return Err(TooMuch::Depth);
        }
        let nodes: &'s [Node] = self.nodes;
        let Some(node) = nodes.get(number) else { return Ok(()) };
        self.spend(node.own, at)?;
        match part {
            Part::Name(text) => self.text(node, text, at)?,
            Part::Value(Value::String(text)) => self.text(node, text, at)?,
            Part::Value(Value::Object(map)) => self.object(node, map, at)?,
            Part::Value(Value::Array(items)) => self.array(node, items, at)?,
            Part::Value(_) => {}
        }
        for (child, again) in &node.same {
            let times = if self.reasons && *again { at.times + 1 } else { at.times };
            self.visit(*child, part, At { times, ..at.below() })?;
        }
        let is_container = matches!(part, Part::Value(Value::Object(_) | Value::Array(_)));
        if is_container && (node.unevaluated_properties.is_some() || node.unevaluated_items.is_some()) {
            self.mark(node, part, at.below())?;
        }
        Ok(())
    }

    fn text(&mut self, node: &Node, text: &str, at: At) -> Result<(), TooMuch> {
        let patterns: u64 = node.text.iter().map(|price| price.of(text.len())).sum();
        self.spend(patterns.saturating_add(as_u64(text.len()) / BYTES_PER_UNIT), at)
    }

    fn object(&mut self, node: &Node, map: &serde_json::Map<String, Value>, at: At) -> Result<(), TooMuch> {
        for (name, child) in &node.properties {
            if let Some(value) = map.get(name) {
                self.visit(*child, Part::Value(value), at.below())?;
            }
        }
        // Whoever looks at all names at all pays for them.
        let others = !node.others.is_empty() || node.unevaluated_properties.is_some();
        if !others && node.patterns.is_empty() && node.names.is_none() {
            return Ok(());
        }
        for (name, value) in map {
            self.spend(1 + as_u64(name.len()) / BYTES_PER_UNIT, at)?;
            for (price, child) in &node.patterns {
                self.spend(price.of(name.len()), at)?;
                self.visit(*child, Part::Value(value), at.below())?;
            }
            if let Some(names) = node.names {
                self.visit(names, Part::Name(name), at.below())?;
            }
            for child in node.others.iter().chain(&node.unevaluated_properties) {
                self.visit(*child, Part::Value(value), at.below())?;
            }
        }
        Ok(())
    }

    fn array(&mut self, node: &Node, items: &[Value], at: At) -> Result<(), TooMuch> {
        if node.unique {
            // Each is hashed once, and held against another one where that has the same hash.
            let mut size = Size { places: 0, bytes: 0, most: u64::MAX };
            items.iter().try_for_each(|item| size.add(item)).ok_or(TooMuch::Units)?;
            self.spend(UNIQUE * size.places + size.bytes / BYTES_PER_HASHED_UNIT, at)?;
        }
        for (child, item) in node.prefix.iter().zip(items) {
            self.visit(*child, Part::Value(item), at.below())?;
        }
        for child in node.items.iter().chain(&node.contains).chain(&node.unevaluated_items) {
            for item in items {
                self.visit(*child, Part::Value(item), at.below())?;
            }
        }
        Ok(())
    }

    /// What is asked again to find out what of a value was evaluated.
    fn mark(&mut self, node: &'s Node, part: Part<'_>, at: At) -> Result<(), TooMuch> {
        if at.depth > MAX_VISIT_DEPTH {
            return Err(TooMuch::Depth);
        }
        let nodes: &'s [Node] = self.nodes;
        self.spend(1, at)?;
        match part {
            Part::Value(Value::Object(map)) => {
                for (name, value) in map {
                    self.spend(2 + as_u64(name.len()) / BYTES_PER_UNIT, at)?;
                    for (price, _) in &node.patterns {
                        self.spend(price.of(name.len()), at)?;
                    }
                    if let Some(child) = node.unevaluated_properties {
                        self.visit(child, Part::Value(value), at.below())?;
                    }
                }
            }
            Part::Value(Value::Array(items)) => {
                for item in items {
                    self.spend(1, at)?;
                    for child in node.contains.iter().chain(&node.unevaluated_items) {
                        self.visit(*child, Part::Value(item), at.below())?;
                    }
                }
            }
            _ => {}
        }
        for (child, _) in &node.same {
            self.visit(*child, part, at.below())?;
            if let Some(node) = nodes.get(*child) {
                self.mark(node, part, at.below())?;
            }
        }
        Ok(())
    }
}
