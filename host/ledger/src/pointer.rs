//! A place in JSON as an operator writes it: a JSON Pointer (RFC 6901) with `*` for each item and for each property.

use std::{fmt, str::FromStr};

use portcullis_schema::REDACTED;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest pointer, in bytes.
const MAX_BYTES: usize = 256;

/// A place, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Pointer {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A property of this name; or the item of this number, where it is one.
    One(String, Option<usize>),
    /// `*`
    Each,
}

/// What is wrong with a pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// It does not begin with `/`.
    #[error("`{0}` is no place; write `/{0}`, and \"\" for the whole")]
    NoSlash(String),
    /// A `~` that stands for nothing.
    #[error("`{0}` has a `~` that stands for nothing; write `~0` for `~` and `~1` for `/` in a name")]
    Tilde(String),
    /// Too long.
    #[error("a place has {0} bytes; at most {MAX_BYTES}")]
    TooLong(usize),
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        if text.len() > MAX_BYTES {
            return Err(PointerError::TooLong(text.len()));
        }
        let shown = || portcullis_gate::printable(text, MAX_BYTES);
        let steps = match text.strip_prefix('/') {
            None if text.is_empty() => Vec::new(),
            None => return Err(PointerError::NoSlash(shown())),
            Some(steps) => steps
                .split('/')
                .map(|step| read(step).ok_or_else(|| PointerError::Tilde(shown())))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { text: text.to_owned(), steps })
    }
}

fn read(step: &str) -> Option<Step> {
    if step == "*" {
        return Some(Step::Each);
    }
    let mut parts = step.split('~');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = part
            .strip_prefix('0')
            .map(|rest| ('~', rest))
            .or_else(|| part.strip_prefix('1').map(|rest| ('/', rest)))?;
        name.push(escaped);
        name.push_str(rest);
    }
    let index = name.parse().ok();
    Some(Step::One(name, index))
}

impl TryFrom<String> for Pointer {
    type Error = PointerError;

    fn try_from(text: String) -> Result<Self, PointerError> {
        text.parse()
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> String {
        pointer.text
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pointer {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Takes out what stands there. Whether there was anything.
    pub(crate) fn hide(&self, value: &mut Value) -> bool {
        hide(&self.steps, value)
    }
}

fn hide(steps: &[Step], value: &mut Value) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        *value = json!(REDACTED);
        return true;
    };
    match (step, value) {
        (Step::One(name, _), Value::Object(map)) => map.get_mut(name).is_some_and(|part| hide(rest, part)),
        (Step::One(_, index), Value::Array(items)) => {
            index.and_then(|index| items.get_mut(index)).is_some_and(|part| hide(rest, part))
        }
        // A name that nobody wrote down is hidden with what it names.
        (Step::Each, Value::Object(map)) if rest.is_empty() => {
            let any = !map.is_empty();
            if any {
                map.clear();
                map.insert(REDACTED.to_owned(), json!(REDACTED));
            }
            any
        }
        // All of them are counted: whoever stops at the first leaves the others as they are.
        (Step::Each, Value::Object(map)) => {
            map.values_mut().filter_map(|part| hide(rest, part).then_some(())).count() > 0
        }
        (Step::Each, Value::Array(items)) => {
            items.iter_mut().filter_map(|part| hide(rest, part).then_some(())).count() > 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_at_a_place_is_taken_out_and_nothing_else() {
        let value =
            json!({"To": "ada", "a/b": 1, "~": 2, "list": [{"x": 1, "y": 2}, {"x": 3}], "map": {"k": {"x": 1}}});
        for (pointer, place) in [
            ("/To", "/To"),
            ("/a~1b", "/a~1b"),
            ("/~0", "/~0"),
            ("/list/1/x", "/list/1/x"),
            ("/map/*/x", "/map/k/x"),
            ("/list", "/list"),
        ] {
            let (mut found, mut expected) = (value.clone(), value.clone());
            assert!(pointer.parse::<Pointer>().unwrap().hide(&mut found), "{pointer}");
            *expected.pointer_mut(place).unwrap() = json!(REDACTED);
            assert_eq!(found, expected, "{pointer}");
        }
        let mut found = value.clone();
        assert!("/list/*/x".parse::<Pointer>().unwrap().hide(&mut found));
        assert_eq!(found["list"], json!([{"x": REDACTED, "y": 2}, {"x": REDACTED}]));
        assert!("/map/*".parse::<Pointer>().unwrap().hide(&mut found));
        assert_eq!(found["map"], json!({REDACTED: REDACTED}));
        assert!("".parse::<Pointer>().unwrap().hide(&mut found));
        assert_eq!(found, json!(REDACTED));
        for nothing in ["/other", "/To/x", "/list/7", "/list/x", "/list/*/z", "/To/*"] {
            let mut found = value.clone();
            assert!(!nothing.parse::<Pointer>().unwrap().hide(&mut found) && found == value, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused_and_told_how_to_write_it() {
        for (text, says) in
            [("To", "write `/To`"), ("/a~2", "`~0` for `~`"), ("/a~", "`~0` for `~`"), (&"/a".repeat(200), "256")]
        {
            let error = text.parse::<Pointer>().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
