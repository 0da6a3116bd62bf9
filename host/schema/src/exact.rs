//! Numbers with more digits than a float holds: whether what a schema says of them was judged rightly.
//!
//! The validator sees the nearest float. Where a rule would say something else of the number as it is written, nobody knows which
//! branch of the schema the rule stands in, so the value is refused, and the rule named: never passed as another number.

use std::collections::HashSet;

use serde_json::{Number, Value};

use crate::{
    Schema, Violations,
    decimal::Decimal,
    json::{Json, Texts},
    node::{self, Edge, address},
    validate::{Violation, one_violation},
};

/// Most visits of a schema to a part of a value on the way to such numbers.
const MAX_VISITS: usize = 100_000;
/// Going through so many schemas that stand in another one costs as much as a visit.
const CHILDREN_PER_VISIT: usize = 16;

impl Schema {
    /// Checks a document: [`Schema::validate`], and its numbers by all of their digits.
    ///
    /// # Errors
    /// [`Violations`], as [`Schema::validate`] has them, and where a float is too coarse to judge a number by.
    pub fn validate_json(&self, json: &Json) -> Result<(), Violations> {
        self.validate(json.value())?;
        let Some(texts) = json.texts() else { return Ok(()) };
        let mut walk = Walk { root: self.value(), visits: MAX_VISITS, at: String::new() };
        walk.visit(&[self.value()], json.value(), texts).map_err(one_violation)
    }
}

struct Walk<'s> {
    root: &'s Value,
    visits: usize,
    /// The way to where it is, a JSON Pointer.
    at: String,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schemas: &[&'s Value], value: &Value, texts: &Texts) -> Result<(), Violation> {
        match (value, texts) {
            (Value::Number(number), Texts::Number(text)) => self.number(schemas, number, text),
            (Value::Object(members), Texts::Object(texts)) => {
                let all = self.applying(schemas)?;
                // For each member all that stands in the schemas is gone through.
                let width = all.iter().map(|schema| node::children(schema).len()).sum::<usize>();
                texts.iter().filter_map(|(name, texts)| Some((name, members.get(name)?, texts))).try_for_each(
                    |(name, value, texts)| {
                        self.pay(width / CHILDREN_PER_VISIT)?;
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
                        self.pay(width / CHILDREN_PER_VISIT)?;
                        let below = all.iter().flat_map(|schema| of_item(schema, index)).collect();
                        self.below(&index.to_string(), below, value, texts)
                    },
                )
            }
            _ => Ok(()),
        }
    }

    fn below(&mut self, step: &str, schemas: Vec<&'s Value>, value: &Value, texts: &Texts) -> Result<(), Violation> {
        let here = self.at.len();
        self.at = node::join(&self.at, step);
        self.visit(&schemas, value, texts)?;
        self.at.truncate(here);
        Ok(())
    }

    /// Takes visits off those that are left.
    fn pay(&mut self, visits: usize) -> Result<(), Violation> {
        self.visits = self.visits.checked_sub(visits).ok_or_else(|| {
            self.violation("bound", "holds too many numbers of many digits to be checked against this schema")
        })?;
        Ok(())
    }

    /// The schemas that may apply to the same value, in whatever branch.
    fn applying(&mut self, schemas: &[&'s Value]) -> Result<Vec<&'s Value>, Violation> {
        let (mut all, mut seen, mut queue) = (Vec::new(), HashSet::new(), schemas.to_vec());
        while let Some(schema) = queue.pop() {
            if !seen.insert(address(schema)) {
                continue;
            }
            self.pay(1)?;
            queue.extend(node::children(schema).into_iter().filter(|child| child.0 == Edge::Same).map(|child| child.3));
            let reference = schema.as_object().and_then(node::reference);
            queue.extend(reference.and_then(|to| node::follow(self.root, to)).map(|(_, target)| target));
            all.push(schema);
        }
        Ok(all)
    }

    fn number(&mut self, schemas: &[&'s Value], number: &Number, text: &str) -> Result<(), Violation> {
        let (Some(exact), Some(judged)) = (Decimal::parse(text), Decimal::parse(&number.to_string())) else {
            return Err(self.violation("bound", "is a number that cannot be judged; write it without an exponent"));
        };
        if exact == judged {
            return Ok(());
        }
        for schema in self.applying(schemas)? {
            for (keyword, rule) in schema.as_object().into_iter().flatten() {
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

    fn violation(&self, keyword: &str, message: &str) -> Violation {
        Violation {
            at: node::short(&self.at),
            rule: String::new(),
            keyword: node::short(keyword),
            message: message.to_owned(),
        }
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
