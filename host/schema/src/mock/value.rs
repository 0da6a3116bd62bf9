//! A value for a schema: preferences first, then choices, then the type.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::merge::{self, Flat};
use super::pattern::Patterns;
use super::rng::Rng;
use super::{MAX_MOCK_BYTES, MAX_MOCK_NODES, MockError, number, text};
use crate::node;

/// Deepest nesting of choices and values in one answer; keeps the stack small.
const MAX_DEPTH: usize = 64;
const TYPES: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];

/// One try at a value.
pub(crate) struct Maker<'s, 'p> {
    root: &'s Value,
    /// Places in the value where `examples` and `default` led to an invalid answer.
    unhelpful: &'s BTreeSet<String>,
    /// Depth to which optional properties and items are filled in.
    pub(super) fill: usize,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    steps: &'s mut usize,
    pub(super) patterns: &'s mut Patterns<'p>,
}

/// Where in the schema, where in the value, and how deep.
#[derive(Clone)]
pub(super) struct At {
    pointer: String,
    place: String,
    pub(super) name: String,
    pub(super) level: usize,
    depth: usize,
    pub(super) rng: Rng,
}

impl At {
    pub(super) fn fail(&self, why: impl Into<String>) -> MockError {
        MockError { pointer: self.pointer.clone(), why: why.into() }
    }

    /// The same place, a choice further.
    pub(super) fn inside(&self, keyword: &str, step: &str) -> Self {
        let pointer = node::join(&node::join(&self.pointer, keyword), step);
        Self { pointer, depth: self.depth + 1, rng: self.rng.child(step), ..self.clone() }
    }

    /// A property or item of the value.
    pub(super) fn below(&self, keyword: &str, step: &str) -> Self {
        let mut at = self.inside(keyword, step);
        at.place = node::join(&self.place, step);
        at.level += 1;
        at
    }
}

impl<'s, 'p> Maker<'s, 'p> {
    pub(crate) fn new(
        root: &'s Value,
        unhelpful: &'s BTreeSet<String>,
        fill: usize,
        steps: &'s mut usize,
        patterns: &'s mut Patterns<'p>,
    ) -> Self {
        Self { root, unhelpful, fill, nodes: MAX_MOCK_NODES, bytes: MAX_MOCK_BYTES, steps, patterns }
    }

    pub(crate) fn make_root(mut self, rng: Rng) -> Result<Value, MockError> {
        let at = At { pointer: String::new(), place: String::new(), name: String::new(), level: 0, depth: 0, rng };
        self.make(self.root, &[], at)
    }

    /// Takes steps off the budget.
    pub(super) fn pay(&mut self, steps: usize) {
        *self.steps = self.steps.saturating_sub(steps);
    }

    pub(super) fn spent(&self) -> bool {
        self.nodes == 0 || self.bytes == 0 || *self.steps == 0
    }

    fn overspent(&self) -> String {
        if *self.steps == 0 {
            return "too many ways have to be tried".into();
        }
        format!("it needs more than {MAX_MOCK_NODES} values or {MAX_MOCK_BYTES} bytes")
    }

    /// A value for `schema` that also meets `also`.
    pub(super) fn make(&mut self, schema: &Value, also: &[Value], mut at: At) -> Result<Value, MockError> {
        if at.depth > MAX_DEPTH {
            return Err(at.fail(format!("what is required nests more than {MAX_DEPTH} levels, perhaps without end")));
        }
        self.pay(1 + (at.pointer.len() + at.place.len()) / 32);
        if self.spent() {
            return Err(at.fail(self.overspent()));
        }
        if let Some((pointer, _)) =
            schema.as_object().and_then(node::reference).and_then(|r| node::follow(self.root, r))
        {
            at.pointer = pointer;
        }
        let flat = merge::flatten(self.root, schema, &at.pointer, also, self.steps)?;
        // What is gone through below, whether or not anything comes of it.
        let listed = |keyword: &str| match flat.map.get(keyword) {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(map)) => map.len(),
            _ => 0,
        };
        self.pay(["enum", "required", "properties", "examples"].into_iter().map(listed).sum::<usize>() / 4);
        if self.spent() {
            return Err(at.fail(self.overspent()));
        }
        if flat.nothing {
            return Err(at.fail("nothing is allowed there"));
        }
        if let Some(value) = self.preferred(&flat, &mut at) {
            return value;
        }
        if flat.is_open() {
            return self.choose(flat, &at);
        }
        let mut last = at.fail("no `type` is possible");
        for kind in kinds(&flat.map, self.is_deep(&at), &mut at.rng) {
            let made = match kind {
                "object" => self.object(&flat.map, &at),
                "array" => self.array(&flat.map, &at),
                "string" => self.string(&flat.map, &mut at),
                "integer" => number::integer(&flat.map, &at.name, &mut at.rng).map_err(|e| at.fail(e)),
                "number" => number::number(&flat.map, &at.name, &mut at.rng).map_err(|e| at.fail(e)),
                "boolean" => Ok(Value::Bool(at.rng.below(2) == 0)),
                _ => Ok(Value::Null),
            };
            match made {
                Ok(value) => return self.charged(value, &at),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// `examples`, `default`, `const`, `enum`, in this order.
    fn preferred(&mut self, flat: &Flat<'_>, at: &mut At) -> Option<Result<Value, MockError>> {
        let map = &flat.map;
        if !self.unhelpful.contains(&at.place) {
            let examples: &[Value] = map.get("examples").and_then(Value::as_array).map_or(&[], Vec::as_slice);
            if let Some(value) = at.rng.pick(examples).or_else(|| map.get("default")) {
                return Some(self.charged_whole(value.clone(), at));
            }
        }
        if let Some(value) = map.get("const") {
            let listed = map.get("enum").and_then(Value::as_array).is_none_or(|list| list.contains(value));
            return Some(if listed && is_one_of(value, map) {
                self.charged_whole(value.clone(), at)
            } else {
                Err(at.fail("`const` is not allowed by `enum` or `type`"))
            });
        }
        let list = map.get("enum").and_then(Value::as_array)?;
        let fitting: Vec<&Value> = list.iter().filter(|value| is_one_of(value, map)).collect();
        let (null, real): (Vec<&Value>, Vec<&Value>) = fitting.into_iter().partition(|value| value.is_null());
        let value = at.rng.pick(&real).or_else(|| null.first()).map(|value| (*value).clone());
        Some(value.map_or_else(|| Err(at.fail("`enum` lists nothing of its `type`")), |v| self.charged_whole(v, at)))
    }

    /// Decides one `anyOf`, `oneOf`, `if` or `dependentSchemas` and goes on with the rest.
    fn choose(&mut self, mut rest: Flat<'_>, at: &At) -> Result<Value, MockError> {
        let mut rng = at.rng.child("choose");
        let branches: Vec<Vec<Value>> = if let Some(branches) = rest.choices.pop() {
            // A branch that is only null says "optional"; the other branches say what there is to see.
            let (null, real): (Vec<_>, Vec<_>) =
                rng.rotated(&branches).cloned().partition(|branch| branch.get("type") == Some(&json!("null")));
            null_last(real, null, self.is_deep(at)).into_iter().map(|branch| vec![branch]).collect()
        } else if let Some([when, then, otherwise]) = rest.conditions.pop() {
            let mut ways = vec![vec![when, then], vec![otherwise]];
            if rng.below(2) == 1 {
                ways.reverse();
            }
            ways
        } else if let Some(Value::Object(by_name)) = rest.map.to_mut().remove("dependentSchemas") {
            vec![by_name.values().cloned().collect(), Vec::new()]
        } else {
            Vec::new()
        };
        let base = whole(rest);
        let mut last = at.fail("no branch is possible");
        for (i, branch) in branches.iter().enumerate() {
            match self.make(&base, branch, At { rng: rng.child(&i.to_string()), depth: at.depth + 1, ..at.clone() }) {
                Ok(value) => return Ok(value),
                Err(error) => last = error,
            }
            if self.spent() {
                break;
            }
        }
        Err(last)
    }

    /// Whether this is below what is filled in: a list whose links may be null ends there.
    fn is_deep(&self, at: &At) -> bool {
        at.level > self.fill
    }

    fn string(&mut self, map: &Map<String, Value>, at: &mut At) -> Result<Value, MockError> {
        let text = text::string(map, &at.name, &mut at.rng, self.patterns, self.steps);
        text.map(Value::String).map_err(|why| at.fail(why))
    }

    /// Takes a leaf's or container's own cost off the budget.
    fn charged(&mut self, value: Value, at: &At) -> Result<Value, MockError> {
        let bytes = value.as_str().map_or(0, str::len);
        self.charge(1, bytes, at).map(|()| value)
    }

    /// The same for a value that came whole from the schema.
    fn charged_whole(&mut self, value: Value, at: &At) -> Result<Value, MockError> {
        let (mut nodes, mut bytes) = (0, 0);
        let mut queue = vec![&value];
        while let Some(next) = queue.pop() {
            nodes += 1;
            match next {
                Value::String(text) => bytes += text.len(),
                Value::Array(items) => queue.extend(items),
                Value::Object(map) => {
                    bytes += map.keys().map(String::len).sum::<usize>();
                    queue.extend(map.values());
                }
                _ => {}
            }
        }
        self.charge(nodes, bytes, at).map(|()| value)
    }

    fn charge(&mut self, nodes: usize, bytes: usize, at: &At) -> Result<(), MockError> {
        // A copy was made, whether or not there is room for it.
        self.pay(nodes / 4 + bytes / 512);
        match (self.nodes.checked_sub(nodes), self.bytes.checked_sub(bytes)) {
            (Some(nodes), Some(bytes)) => (self.nodes, self.bytes) = (nodes, bytes),
            _ => {
                self.nodes = 0;
                return Err(at.fail(self.overspent()));
            }
        }
        Ok(())
    }
}

/// A flat schema written as one again, for the branch to be merged in.
fn whole(flat: Flat<'_>) -> Value {
    let mut all: Vec<Value> = flat.choices.into_iter().map(|branches| json!({"anyOf": branches})).collect();
    all.extend(
        flat.conditions.into_iter().map(|[when, then, otherwise]| json!({"if": when, "then": then, "else": otherwise})),
    );
    let mut map = flat.map.into_owned();
    if !all.is_empty() {
        map.insert("allOf".into(), Value::Array(all));
    }
    Value::Object(map)
}

/// The types to try, `null` last. Without `type`, what the other keywords are about.
/// What there is to see before null, which says "optional"; deep down the other way round.
fn null_last<T>(mut real: Vec<T>, mut null: Vec<T>, deep: bool) -> Vec<T> {
    if deep {
        null.extend(real);
        return null;
    }
    real.extend(null);
    real
}

fn kinds(map: &Map<String, Value>, deep: bool, rng: &mut Rng) -> Vec<&'static str> {
    if let Some(named) = map.get("type") {
        let named = merge::types(named);
        let listed: Vec<&'static str> = TYPES.into_iter().filter(|t| named.contains(t)).collect();
        let (null, real): (Vec<_>, Vec<_>) = rng.rotated(&listed).copied().partition(|t| *t == "null");
        let holds_more = real.iter().any(|t| matches!(*t, "object" | "array"));
        return null_last(real, null, deep && holds_more);
    }
    let has = |keys: &[&str]| keys.iter().any(|key| map.contains_key(*key));
    let guess = if has(&[
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "propertyNames",
    ]) {
        "object"
    } else if has(&["items", "prefixItems", "minItems", "contains", "uniqueItems"]) {
        "array"
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        "number"
    } else {
        "string"
    };
    vec![guess]
}

fn is_one_of(value: &Value, map: &Map<String, Value>) -> bool {
    let Some(named) = map.get("type") else { return true };
    merge::types(named).into_iter().any(|name| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|x| x.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    })
}
