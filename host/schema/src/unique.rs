//! `uniqueItems`: whether the items of a list are all different, in time that grows with the list alone.
//!
//! The library hashes items with keys that are known, and hashes several of them alike (`[[1], []]` and `[[], [1]]`; integers
//! beyond 2^53), so that a list can be written in which each item is held against each. Here each item is hashed once with
//! keys of this process, and what its parts are goes into the hash. Numbers are equal where their values are: `1` and `1.0`.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
};

use jsonschema::{Keyword, ValidationError};
use serde_json::{Number, Value};

/// What is told of a list in which something stands twice: the library's own words.
const TWICE: &str = "has non-unique elements";

/// The keyword, as the validator asks it.
pub(crate) struct Unique {
    /// Whether the schema asks for it.
    pub(crate) asked: bool,
}

impl<'i> Keyword<'i> for Unique {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom(TWICE)) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        !self.asked || instance.as_array().is_none_or(|items| are_unique(items))
    }
}

fn are_unique(items: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(items.len());
    items.iter().all(|item| seen.insert(Item(item)))
}

/// A value that equals another one where JSON Schema says so.
struct Item<'v>(&'v Value);

impl PartialEq for Item<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Value::Number(one), Value::Number(other)) => Exact::of(one) == Exact::of(other),
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Item(one) == Item(other))
            }
            (Value::Object(one), Value::Object(other)) => {
                let same = |((name, one), (other_name, other))| name == other_name && Item(one) == Item(other);
                one.len() == other.len() && one.iter().zip(other).all(same)
            }
            (one, other) => one == other,
        }
    }
}

impl Eq for Item<'_> {}

impl Hash for Item<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            Value::Null => {}
            Value::Bool(value) => value.hash(state),
            Value::Number(number) => Exact::of(number).hash(state),
            Value::String(text) => text.hash(state),
            Value::Array(items) => {
                items.len().hash(state);
                items.iter().for_each(|item| Item(item).hash(state));
            }
            // Members stand in the order of their names.
            Value::Object(members) => {
                members.len().hash(state);
                for (name, value) in members {
                    name.hash(state);
                    Item(value).hash(state);
                }
            }
        }
    }
}

/// A number by its value: one that is whole is an integer, however it was written.
#[derive(PartialEq, Eq, Hash)]
enum Exact {
    Whole(i128),
    Float(u64),
}

impl Exact {
    fn of(number: &Number) -> Self {
        if let Some(whole) = number.as_i128() {
            return Exact::Whole(whole);
        }
        let float = number.as_f64().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "only where it is whole and within the range")]
        let whole = float as i128;
        #[expect(clippy::cast_precision_loss, reason = "it was a float")]
        let is_whole = whole as f64 == float && float.abs() < 1e30;
        if is_whole { Exact::Whole(whole) } else { Exact::Float(float.to_bits()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_equal_as_json_schema_says() {
        let pairs = [
            (json!(1), json!(1.0)),
            (json!(0), json!(-0.0)),
            (json!([2, {"a": 3.0}]), json!([2.0, {"a": 3}])),
            (json!(18_446_744_073_709_551_615_u64), json!(18_446_744_073_709_551_615_u64)),
            (json!(1e40), json!(1e40)),
            (json!("a"), json!("a")),
            (json!(null), json!(null)),
        ];
        for (one, other) in pairs {
            assert!(!are_unique(&[one.clone(), json!("between"), other.clone()]), "{one} {other}");
        }
        let different = json!([
            1, 1.5, "1", true, false, null, [], {}, [1], [[1], []], [[], [1]], [1, 2], [2, 1], {"a": 1}, {"a": 2}, {"b": 1},
            {"1": []}, "", "a", 0, -1, 9_007_199_254_740_993_u64, 9_007_199_254_740_992_u64, 1e40, 1e41, [null], [[]], [false]
        ]);
        assert!(are_unique(different.as_array().unwrap()));
    }

    #[test]
    fn it_agrees_with_the_library_on_small_lists() {
        let parts = [
            json!(1),
            json!(1.0),
            json!(1.5),
            json!("1"),
            json!([1]),
            json!([1.0]),
            json!({"a": 1}),
            json!({"a": 1.0}),
        ];
        let library = jsonschema::options().build(&json!({"uniqueItems": true})).unwrap();
        for a in &parts {
            for b in &parts {
                let list = json!([a, b]);
                assert_eq!(are_unique(list.as_array().unwrap()), library.is_valid(&list), "{list}");
            }
        }
    }
}
