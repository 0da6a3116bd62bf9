//! Every schema within a document, and whether each may stand where it does.
//!
//! This follows each reference and refuses what this host does not follow: other documents, other dialects, keywords that
//! change what references mean. It judges no cost; that is `plan.rs`.

use std::collections::HashMap;

use serde_json::Value;

use crate::SchemaError;
use crate::node::{self, Child};

/// Longest JSON pointer to a schema, in bytes. The validator writes one for each schema, so many below a long name would be
/// a product.
pub(crate) const MAX_POINTER_BYTES: usize = 4 * 1024;

/// A schema that can apply or be referred to.
pub(crate) struct Place<'s> {
    pub(crate) schema: &'s Value,
    /// The place that this one was come to by: its number, the keyword, and the name or index under it. The root, and what
    /// was come to by a reference alone, have none.
    from: Option<(usize, &'s str, Option<String>)>,
    /// Of what has no such place.
    own: String,
    /// Length of its pointer, in bytes.
    pub(crate) pointer_bytes: usize,
    /// The place that its `$ref` leads to.
    pub(crate) target: Option<usize>,
    /// Those that stand directly in it.
    pub(crate) children: Vec<(Child<'s>, usize)>,
}

/// All places of a document. The first is the root.
pub(crate) struct Places<'s>(pub(crate) Vec<Place<'s>>);

impl<'s> Places<'s> {
    /// Finds all of them.
    pub(crate) fn of(root: &'s Value) -> Result<Self, SchemaError> {
        let mut places = Self(Vec::new());
        let mut known = HashMap::new();
        places.number(&mut known, root, None, String::new(), 0);
        let mut next = 0;
        while let Some(schema) = places.0.get(next).map(|place| place.schema) {
            places.check(next)?;
            let length = places.0.get(next).map_or(0, |place| place.pointer_bytes);
            let target = match schema.as_object().and_then(node::reference) {
                Some(reference) => Some(places.follow(&mut known, root, next, reference)?),
                None => None,
            };
            let mut children = Vec::new();
            for child in node::children(schema) {
                let (_, keyword, name, below) = &child;
                let name = name.as_ref().map(ToString::to_string);
                let bytes = length + keyword.len() + 1 + name.as_ref().map_or(0, |name| name.len() + 1);
                let number = places.number(&mut known, below, Some((next, keyword, name)), String::new(), bytes);
                children.push((child, number));
            }
            if let Some(place) = places.0.get_mut(next) {
                (place.target, place.children) = (target, children);
            }
            next += 1;
        }
        Ok(places)
    }

    /// The JSON pointer of a place.
    pub(crate) fn pointer(&self, number: usize) -> String {
        let mut steps: Vec<&str> = Vec::new();
        let mut at = number;
        loop {
            let Some(place) = self.0.get(at) else { return String::new() };
            let Some((from, keyword, name)) = &place.from else {
                let pointer = steps.iter().rev().fold(place.own.clone(), |pointer, step| node::join(&pointer, step));
                return pointer.chars().take(MAX_POINTER_BYTES).collect();
            };
            steps.extend(name.as_deref());
            steps.push(keyword);
            at = *from;
        }
    }

    /// The number of a place, which it is given where it has none.
    fn number(
        &mut self,
        known: &mut HashMap<usize, usize>,
        schema: &'s Value,
        from: Option<(usize, &'s str, Option<String>)>,
        own: String,
        pointer_bytes: usize,
    ) -> usize {
        *known.entry(node::address(schema)).or_insert_with(|| {
            self.0.push(Place { schema, from, own, pointer_bytes, target: None, children: Vec::new() });
            self.0.len() - 1
        })
    }

    /// Where the reference of a place leads.
    fn follow(
        &mut self,
        known: &mut HashMap<usize, usize>,
        root: &'s Value,
        number: usize,
        reference: &str,
    ) -> Result<usize, SchemaError> {
        let Some((pointer, target)) = node::follow(root, reference) else {
            let pointer = self.pointer(number);
            let local = node::is_local(reference);
            let reference = node::short(reference);
            return Err(if local {
                SchemaError::MissingRef { pointer, reference }
            } else {
                SchemaError::RemoteRef { pointer, reference }
            });
        };
        let bytes = pointer.len();
        Ok(self.number(known, target, None, pointer, bytes))
    }

    fn check(&self, number: usize) -> Result<(), SchemaError> {
        let Some(place) = self.0.get(number) else { return Ok(()) };
        let pointer = || self.pointer(number);
        if place.pointer_bytes > MAX_POINTER_BYTES {
            return Err(SchemaError::LongPointer { pointer: node::short(&pointer()), limit: MAX_POINTER_BYTES });
        }
        let Value::Object(map) = place.schema else { return Ok(()) };
        for keyword in ["$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor"] {
            if map.contains_key(keyword) {
                return Err(SchemaError::Keyword { pointer: pointer(), keyword });
            }
        }
        if number != 0 && map.contains_key("$id") {
            return Err(SchemaError::Keyword { pointer: pointer(), keyword: "$id" });
        }
        if let Some(dialect) = map.get("$schema")
            && dialect.as_str().map(|d| d.trim_end_matches('#')) != Some(crate::DIALECT)
        {
            let found = node::short(dialect.as_str().unwrap_or("not a string"));
            return Err(SchemaError::Dialect { pointer: pointer(), found });
        }
        Ok(())
    }
}
