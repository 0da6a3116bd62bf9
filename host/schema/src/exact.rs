//! Numbers with more digits than a float holds: whether what a schema says of them was judged rightly.
//!
//! The validator sees the nearest float. Where a rule would say something else of the number as it is written, nobody knows which
//! branch of the schema the rule stands in, so the value is refused, and the rule named: never passed as another number.

use std::collections::HashSet;

use portcullis_gate::Work;
use serde_json::{Number, Value};

use crate::{
    Schema, Violations,
    decimal::Decimal,
    json::{Json, Texts},
    node::{self, Edge, address, as_u64},
    plan::BYTES_PER_UNIT,
    validate::{Invalid, Violation, one_violation},
};

/// Going through one schema that stands in another one: it is listed with its name.
const CHILD: u64 = 4;

impl Schema {
    /// Checks a document: [`Schema::validate`], and its numbers by all of their digits.
    ///
    /// # Errors
    /// [`Violations`], as [`Schema::validate`] has them, and where a float is too coarse to judge a number by.
    pub fn validate_json(&self, json: &Json) -> Result<(), Violations> {
        self.validate_json_within(json, &Work::new(crate::VALUE_WORK)).map_err(Invalid::into_violations)
    }

    /// The same, with the work charged to this budget before it is done.
    ///
    /// # Errors
    /// [`Invalid::Violations`] as [`Schema::validate_json`], and [`Invalid::Work`] when the budget does not suffice.
    pub fn validate_json_within(&self, json: &Json, work: &Work) -> Result<(), Invalid> {
        self.validate_within(json.value(), work)?;
        let Some(texts) = json.texts() else { return Ok(()) };
        let mut walk = Walk { root: self.value(), work, at: String::new() };
        walk.visit(&[self.value()], json.value(), texts)
    }
}

struct Walk<'s, 'w> {
    root: &'s Value,
    work: &'w Work,
    /// The way to where it is, a JSON Pointer.
    at: String,
}

impl<'s> Walk<'s, '_> {
    fn visit(&mut self, schemas: &[&'s Value], value: &Value, texts: &Texts) -> Result<(), Invalid> {
        match (value, texts) {
            (Value::Number(number), Texts::Number(text)) => self.number(schemas, number, text),
            (Value::Object(members), Texts::Object(texts)) => {
                let all = self.applying(schemas)?;
                // For each member all that stands in the schemas is gone through.
                let width = all.iter().map(|schema| node::children(schema).len()).sum::<usize>();
                texts.iter().filter_map(|(name, texts)| Some((name, members.get(name)?, texts))).try_for_each(
                    |(name, value, texts)| {
                        self.pay(width, name.len())?;
                        let below = all.iter().flat_map(|schema| of_member(schema, name)).collect();
                        self.below(name, below, value, texts)
                    },
                )
            }
            (Value::Array(items), Texts::Array(texts)) => {
                let all = self.applying(schemas)?;
                let width = all.iter().map(|schema| node::children(schema).len()).sum::<usize>();
                texts.iter().filter_map(|(index, texts)| Some((*index, items.get(*index)?, texts))).try_for_each(
                    |(index, value, texts)| {
                        self.pay(width, 0)?;
                        let below = all.iter().flat_map(|schema| of_item(schema, index)).collect();
                        self.below(&index.to_string(), below, value, texts)
                    },
                )
            }
            _ => Ok(()),
        }
    }

    fn below(&mut self, step: &str, schemas: Vec<&'s Value>, value: &Value, texts: &Texts) -> Result<(), Invalid> {
        let here = self.at.len();
        // The way there is written anew for each step.
        self.pay(0, here)?;
        self.at = node::join(&self.at, step);
        self.visit(&schemas, value, texts)?;
        self.at.truncate(here);
        Ok(())
    }

    /// Charges going through so many schemas that stand in another one, and so many bytes.
    fn pay(&self, schemas: usize, bytes: usize) -> Result<(), Invalid> {
        let units = as_u64(schemas).saturating_mul(CHILD).saturating_add(as_u64(bytes) / BYTES_PER_UNIT + 1);
        Ok(self.work.charge(units)?)
    }

    /// The schemas that may apply to the same value, in whatever branch.
    fn applying(&mut self, schemas: &[&'s Value]) -> Result<Vec<&'s Value>, Invalid> {
        let (mut all, mut seen, mut queue) = (Vec::new(), HashSet::new(), schemas.to_vec());
        while let Some(schema) = queue.pop() {
            if !seen.insert(address(schema)) {
                continue;
            }
            let children = node::children(schema);
            // And whoever asks for them asks again for their number.
            self.pay(2 * children.len() + 1, 0)?;
            queue.extend(children.into_iter().filter(|child| child.0 == Edge::Same).map(|child| child.3));
            let reference = schema.as_object().and_then(node::reference);
            queue.extend(reference.and_then(|to| node::follow(self.root, to)).map(|(_, target)| target));
            all.push(schema);
        }
        Ok(all)
    }

    fn number(&mut self, schemas: &[&'s Value], number: &Number, text: &str) -> Result<(), Invalid> {
        self.pay(1, text.len())?;
        let (Some(exact), Some(judged)) = (Decimal::parse(text), Decimal::parse(&number.to_string())) else {
            return Err(self.violation("bound", "is a number that cannot be judged; write it without an exponent"));
        };
        if exact == judged {
            return Ok(());
        }
        for schema in self.applying(schemas)? {
            for (keyword, rule) in schema.as_object().into_iter().flatten() {
                // Held twice against each value that is listed, by the digits of all three.
                let listed = if keyword == "enum" { rule.as_array().map_or(1, Vec::len) } else { 1 };
                self.pay(2 * listed, listed.saturating_mul(text.len()))?;
                if holds(keyword, rule, &exact) != holds(keyword, rule, &judged) {
                    return Err(self.violation(
                        keyword,
                        &format!(
                            "has more digits than `{keyword}` can be judged by; write at most 15, or another number"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn violation(&self, keyword: &str, message: &str) -> Invalid {
        let violation = Violation {
            at: node::short(&self.at),
            rule: String::new(),
            keyword: node::short(keyword),
            message: message.to_owned(),
        };
        one_violation(violation).into()
    }
}

/// The schemas that a schema may have for a member: of several that exclude one another, all.
fn of_member<'s>(schema: &'s Value, name: &str) -> Vec<&'s Value> {
    let fits = |child: &node::Child<'s>| match (child.1, &child.2) {
        ("properties", Some(known)) => known.as_ref() == name,
        ("patternProperties" | "additionalProperties" | "unevaluatedProperties", _) => true,
        _ => false,
    };
    node::children(schema).into_iter().filter(fits).map(|child| child.3).collect()
}

/// The same for an item.
fn of_item(schema: &Value, index: usize) -> Vec<&Value> {
    let index = index.to_string();
    let fits = |child: &node::Child<'_>| match (child.1, &child.2) {
        ("prefixItems", Some(place)) => place.as_ref() == index,
        ("items" | "contains" | "unevaluatedItems", _) => true,
        _ => false,
    };
    node::children(schema).into_iter().filter(fits).map(|child| child.3).collect()
}

/// Whether a number is what a keyword asks for; none where that cannot be said, or the keyword is about something else.
fn holds(keyword: &str, rule: &Value, number: &Decimal) -> Option<bool> {
    let decimal = |rule: &Value| rule.as_number().and_then(|rule| Decimal::parse(&rule.to_string()));
    let bound = || decimal(rule);
    let names = |name: &str| match rule {
        Value::Array(all) => all.iter().any(|one| one == name),
        one => one == name,
    };
    match keyword {
        "type" => Some(names("number") || (names("integer") && number.is_integer())),
        "minimum" => Some(*number >= bound()?),
        "exclusiveMinimum" => Some(*number > bound()?),
        "maximum" => Some(*number <= bound()?),
        "exclusiveMaximum" => Some(*number < bound()?),
        "multipleOf" => number.is_multiple_of(&bound()?),
        "const" => Some(decimal(rule)? == *number),
        "enum" => Some(rule.as_array()?.iter().filter_map(decimal).any(|one| one == *number)),
        _ => None,
    }
}
