//! Objects and arrays: what is required always, what is optional down to a depth, what is only possible not at all.

use serde_json::{Map, Value, json};

use super::value::{At, Maker};
use super::{MAX_MOCK_NODES, MockError, merge};

impl Maker<'_, '_> {
    pub(super) fn object(&mut self, map: &Map<String, Value>, at: &At) -> Result<Value, MockError> {
        let none = Map::new();
        let known = map.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let most = count(map, "maxProperties").unwrap_or(usize::MAX);
        let fewest = count(map, "minProperties").unwrap_or(0);
        let mut out = self.properties(map, strings(map.get("required")), &Map::new(), at)?;
        for name in known.keys() {
            let wanted = at.level < self.fill || out.len() < fewest;
            if !wanted || out.len() >= most || out.contains_key(name) || self.spent() {
                continue;
            }
            // What is optional and cannot be made, or would bring in what cannot be made, is left out.
            if let Ok(more) = self.properties(map, vec![name.clone()], &out, at)
                && out.len() + more.len() <= most
            {
                out.extend(more);
            }
        }
        let mut spare = 0;
        while out.len() < fewest {
            spare += 1;
            let name = self.spare_name(map, spare, at)?;
            if spare > fewest.saturating_mul(4) + 16 {
                return Err(at.fail("`minProperties` asks for more properties than names were found"));
            }
            if !out.contains_key(&name) {
                let value = self.property(map, &name, at)?;
                out.insert(name, value);
            }
        }
        if out.len() > most {
            return Err(at.fail("more properties are required than `maxProperties` allows"));
        }
        Ok(Value::Object(out))
    }

    /// The properties in `queue` and those they require in turn, without those there already.
    fn properties(
        &mut self,
        map: &Map<String, Value>,
        mut queue: Vec<String>,
        there: &Map<String, Value>,
        at: &At,
    ) -> Result<Map<String, Value>, MockError> {
        let dependent = map.get("dependentRequired").and_then(Value::as_object);
        let mut out = Map::new();
        while let Some(name) = queue.pop() {
            if !out.contains_key(&name) && !there.contains_key(&name) {
                let value = self.property(map, &name, at)?;
                queue.extend(strings(dependent.and_then(|d| d.get(&name))));
                out.insert(name, value);
            }
        }
        Ok(out)
    }

    fn property(&mut self, map: &Map<String, Value>, name: &str, at: &At) -> Result<Value, MockError> {
        self.bytes = self.bytes.saturating_sub(name.len());
        let patterned = map.get("patternProperties").and_then(Value::as_object);
        let mut matching = Vec::new();
        self.pay(name.len() / 16);
        for (pattern, schema) in patterned.into_iter().flatten() {
            let steps = self.patterns.steps(pattern, name.len());
            self.pay(steps);
            if self.spent() {
                return Err(at.fail("too many ways have to be tried"));
            }
            if self.patterns.is_match(pattern, name) {
                matching.push(schema.clone());
            }
        }
        let known = map.get("properties").and_then(|properties| properties.get(name));
        let (keyword, schema) = match (known, map.get("additionalProperties")) {
            (Some(schema), _) => ("properties", schema),
            (None, Some(schema)) if matching.is_empty() => ("additionalProperties", schema),
            _ => ("patternProperties", &Value::Bool(true)),
        };
        let mut below = at.below(keyword, name);
        name.clone_into(&mut below.name);
        self.make(schema, &matching, below)
    }

    /// A property name for `minProperties`.
    fn spare_name(&mut self, map: &Map<String, Value>, n: usize, at: &At) -> Result<String, MockError> {
        let step = n.to_string();
        if let Some(names) = map.get("propertyNames") {
            let string = [json!({"type": "string"})];
            let made = self.make(names, &string, at.inside("propertyNames", &step))?;
            return Ok(made.as_str().unwrap_or_default().to_owned());
        }
        let patterned = map.get("patternProperties").and_then(Value::as_object).and_then(|p| p.keys().next());
        if let Some(pattern) = patterned
            && map.get("additionalProperties").is_some()
        {
            let schema = json!({"type": "string", "pattern": pattern});
            let made = self.make(&schema, &[], at.inside("patternProperties", &step))?;
            return Ok(made.as_str().unwrap_or_default().to_owned());
        }
        Ok(format!("property{n}"))
    }

    pub(super) fn array(&mut self, map: &Map<String, Value>, at: &At) -> Result<Value, MockError> {
        let always = Value::Bool(true);
        let prefix: &[Value] = map.get("prefixItems").and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let items = map.get("items").unwrap_or(&always);
        let contains = map.get("contains");
        let contained = contains.map_or(0, |_| count(map, "minContains").unwrap_or(1));
        let unique = map.get("uniqueItems") == Some(&Value::Bool(true));
        let most = count(map, "maxItems").unwrap_or(usize::MAX);
        let fewest = count(map, "minItems").unwrap_or(0).max(contained);
        if fewest > most {
            return Err(at.fail("`minItems` is above `maxItems`"));
        }
        if fewest > self.nodes {
            return Err(at.fail(format!("`minItems` asks for more than the {MAX_MOCK_NODES} values that are made up")));
        }
        let usual = if at.level < self.fill { prefix.len().max(1) } else { 0 };
        let wanted = fewest.max(usual).min(most);
        let mut out: Vec<Value> = Vec::new();
        for i in 0..wanted {
            let (keyword, schema) = prefix.get(i).map_or(("items", items), |schema| ("prefixItems", schema));
            let also: Vec<Value> = contains.filter(|_| i < contained).cloned().into_iter().collect();
            let mut made = Err(at.fail("its items cannot be made different from each other"));
            for try_ in 0..if unique { 24 } else { 1 } {
                let mut below = at.below(keyword, &i.to_string());
                below.name.clone_from(&at.name);
                below.rng = below.rng.child(&try_.to_string());
                made = self.make(schema, &also, below).and_then(|value| {
                    if unique {
                        self.pay(out.len() * merge::weight(&value) / 16);
                    }
                    let taken = unique && out.contains(&value);
                    if taken { Err(at.fail("its items cannot be made different from each other")) } else { Ok(value) }
                });
                if made.is_ok() || self.spent() {
                    break;
                }
            }
            match made {
                Ok(value) => out.push(value),
                Err(_) if i >= fewest && !self.spent() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Value::Array(out))
    }
}

fn count(map: &Map<String, Value>, key: &str) -> Option<usize> {
    let number = map.get(key)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    number.as_f64().map(|n| n as usize)
}

fn strings(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
