//! Named parameters with the values they may have: what a query may hold, and what headers a guest may write.
//!
//! One rule for both. A parameter is a name and the values allowed with it: any, those of a shape, or a short list. In a
//! grant it is a string where any value will do, else a table:
//!
//! ```toml
//! query = ["cursor", { name = "limit", shape = "digits(1..3)" }, { name = "status", one_of = ["open", "closed"] }]
//! ```
//!
//! In a query the name `*` stands for every name that is not listed: `"*"`, or `{ name = "*", shape = "word" }`. `query.rs`
//! has what follows from it. Header fields know no `*`: among those that nobody listed are those that say on whose behalf.

use std::{collections::HashSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    printable::{is_plain, printable},
    shape::Shape,
};

/// Most values of one list.
const MAX_VALUES: usize = 256;
/// Longest value of a list, in bytes.
const MAX_VALUE: usize = 1_024;

/// So many values are compared one by one.
const FEW: usize = 8;

/// A name, and the values it may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parameter {
    /// The name, decoded.
    pub name: String,
    /// What may come with it.
    pub values: Values,
}

/// Which values a parameter may have. They are judged decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Values {
    /// Any of at most 8 KiB, the empty one among them.
    Any,
    /// Those of a shape.
    Shape(Shape),
    /// These and no others.
    OneOf(Vec<String>),
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The list of values cannot be used.
    #[error("`one_of` of `{0}` has {1} values; write 1 to {MAX_VALUES}")]
    Count(String, usize),
    /// A value that could not be sent.
    #[error("`one_of` of `{name}`: `{value}` is not at most {MAX_VALUE} bytes of printable text")]
    Value {
        /// The parameter.
        name: String,
        /// The value, fit to be shown.
        value: String,
    },
    /// A shape that stands in paths alone.
    #[error("`{0}`: the shape `escaped` is for segments of a path; write `text`")]
    Escaped(String),
    /// `*` among header fields.
    #[error("`*` stands for query parameters only; list each header field by its name")]
    AnyHeader,
}

impl Parameter {
    /// With any value.
    pub fn any(name: impl Into<String>) -> Self {
        Self { name: name.into(), values: Values::Any }
    }

    /// Whether every value that `other` may have is one that this may have. Names are for the caller to compare.
    pub fn covers(&self, other: &Parameter) -> bool {
        match (&self.values, &other.values) {
            (Values::Any, _) => true,
            (Values::Shape(wide), Values::Shape(narrow)) => wide.covers(narrow),
            (Values::OneOf(wide), Values::OneOf(narrow)) if wide.len() > FEW => {
                let wide: HashSet<&String> = wide.iter().collect();
                narrow.iter().all(|value| wide.contains(value))
            }
            (_, Values::OneOf(narrow)) => narrow.iter().all(|value| self.allows(value.bytes())),
            (Values::Shape(_) | Values::OneOf(_), Values::Any) | (Values::OneOf(_), Values::Shape(_)) => false,
        }
    }

    /// Whether this value may come with the name. Allocates nothing.
    pub fn allows(&self, value: impl Iterator<Item = u8> + Clone) -> bool {
        match &self.values {
            Values::Any => Shape::ANY.fits(value),
            Values::Shape(shape) => shape.fits(value),
            Values::OneOf(values) => values.iter().any(|allowed| value.clone().eq(allowed.bytes())),
        }
    }

    /// What it costs to look at the parameter once, in units of work: what [`Parameter::covers`] costs is the sum of two.
    pub(crate) fn weight(&self) -> u64 {
        let (count, bytes) = match &self.values {
            Values::Any | Values::Shape(_) => (0, 0),
            Values::OneOf(values) => (values.len(), values.iter().map(String::len).sum()),
        };
        2 + 2 * count as u64 + (self.name.len() + bytes) as u64 / 8
    }

    /// Checks the values. The name is for the caller to check.
    pub(crate) fn check_values(&self) -> Result<(), ParameterError> {
        let values = match &self.values {
            Values::Any => return Ok(()),
            Values::Shape(shape) if shape.is_escaped() => {
                return Err(ParameterError::Escaped(printable(&self.name, 80)));
            }
            Values::Shape(_) => return Ok(()),
            Values::OneOf(values) => values,
        };
        if values.is_empty() || values.len() > MAX_VALUES {
            return Err(ParameterError::Count(printable(&self.name, 80), values.len()));
        }
        match values.iter().find(|value| value.len() > MAX_VALUE || !value.chars().all(is_plain)) {
            Some(value) => Err(ParameterError::Value { name: printable(&self.name, 80), value: printable(value, 80) }),
            None => Ok(()),
        }
    }

    /// The parameter as TOML, in one line.
    pub(crate) fn to_toml(&self) -> String {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let name = quote(&self.name);
        match &self.values {
            Values::Any => name,
            Values::Shape(shape) => format!("{{ name = {name}, shape = \"{shape}\" }}"),
            Values::OneOf(values) => {
                let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
                format!("{{ name = {name}, one_of = [{}] }}", values.join(", "))
            }
        }
    }
}

impl fmt::Display for Parameter {
    /// `cursor`, `limit:digits(1..3)`, `status=open|closed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.name, 128))?;
        match &self.values {
            Values::Any => Ok(()),
            Values::Shape(shape) => write!(f, ":{shape}"),
            Values::OneOf(values) => {
                let shown: Vec<String> = values.iter().take(8).map(|value| printable(value, 40)).collect();
                write!(f, "={}{}", shown.join("|"), if values.len() > 8 { "|…" } else { "" })
            }
        }
    }
}

/// Parameters as they are told in a table or a sentence.
pub(crate) fn told(parameters: &[Parameter]) -> String {
    parameters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The written form of a parameter whose values are limited.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Limited {
    /// The name; in a query, `*` stands for every name that is not listed.
    name: String,
    /// The values' shape: `text`, `word`, `hex`, `digits` or `uuid`, and a length, as in `digits(1..3)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<String>,
    /// The values there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<String>>,
}

/// For the JSON Schema alone: a name, or a table.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "its schema is what is used")]
enum Written {
    Name(String),
    Limited(Limited),
}

impl JsonSchema for Parameter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameter".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl Serialize for Parameter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let limited = |shape, one_of| Limited { name: self.name.clone(), shape, one_of };
        match &self.values {
            Values::Any => serializer.serialize_str(&self.name),
            Values::Shape(shape) => limited(Some(shape.to_string()), None).serialize(serializer),
            Values::OneOf(values) => limited(None, Some(values.clone())).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Parameter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a table such as { name = \"limit\", shape = \"digits(1..3)\" }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Parameter, E> {
                Ok(Parameter::any(name))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Parameter, A::Error> {
                let Limited { name, shape, one_of } = Limited::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let values = match (shape, one_of) {
                    (None, None) => Values::Any,
                    (Some(shape), None) => Values::Shape(shape.parse().map_err(de::Error::custom)?),
                    (None, Some(values)) => Values::OneOf(values),
                    (Some(_), Some(_)) => {
                        return Err(de::Error::custom("write `shape` or `one_of`, not both"));
                    }
                };
                Ok(Parameter { name, values })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Parameter {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_parameter_is_written_as_it_is_read() {
        for json in [r#""a""#, r#"{"name":"a","shape":"digits(1..3)"}"#, r#"{"name":"a","one_of":["x","y"]}"#] {
            assert_eq!(serde_json::to_string(&read(json)).unwrap(), json);
        }
        let toml: toml::Table =
            format!("q = [{}]", read(r#"{"name":"a\"b","one_of":["x y"]}"#).to_toml()).parse().unwrap();
        assert_eq!(toml["q"][0]["name"].as_str(), Some("a\"b"));
        assert_eq!(read(r#"{"name":"a"}"#), Parameter::any("a"));
    }

    #[test]
    fn a_parameter_covers_what_is_narrower_and_nothing_else() {
        let any = read(r#""a""#);
        let digits = read(r#"{"name":"a","shape":"digits(1..3)"}"#);
        let both = read(r#"{"name":"a","one_of":["1","22"]}"#);
        let one = read(r#"{"name":"a","one_of":["1"]}"#);
        for narrow in [&any, &digits, &both, &one] {
            assert!(any.covers(narrow));
        }
        assert!(digits.covers(&both) && both.covers(&one) && digits.covers(&digits));
        assert!(!digits.covers(&any) && !both.covers(&any) && !both.covers(&digits) && !one.covers(&both));
        assert!(!digits.covers(&read(r#"{"name":"a","one_of":["1","x"]}"#)));
    }

    #[test]
    fn values_are_what_the_rule_says() {
        let digits = read(r#"{"name":"a","shape":"digits(1..3)"}"#);
        assert!(digits.allows(b"123".iter().copied()) && !digits.allows(b"".iter().copied()));
        let both = read(r#"{"name":"a","one_of":["1","22"]}"#);
        assert!(both.allows(b"22".iter().copied()) && !both.allows(b"2".iter().copied()));
        assert!(Parameter::any("a").allows(b"".iter().copied()));
        assert!(!Parameter::any("a").allows(std::iter::repeat_n(b'x', 8_193)));
    }

    #[test]
    fn the_longest_lists_and_values_are_accepted_and_longer_ones_are_not() {
        let check = |values: Vec<String>| Parameter { name: "a".into(), values: Values::OneOf(values) }.check_values();
        let many = |count: usize| (0..count).map(|i| i.to_string()).collect::<Vec<String>>();
        assert_eq!(check(many(256)), Ok(()));
        assert_eq!(check(many(257)), Err(ParameterError::Count("a".into(), 257)));
        assert_eq!(check(vec!["x".repeat(1_024)]), Ok(()));
        assert!(check(vec![String::new(), "x".repeat(1_025)]).is_err());
    }

    #[test]
    fn a_parameter_is_told_in_a_few_words() {
        let many: Vec<String> = (1..=9).map(|i| format!("\"{i}\"")).collect();
        let cases = [
            (r#""a""#.to_owned(), "a"),
            (r#"{"name":"a","shape":"digits(1..3)"}"#.to_owned(), "a:digits(1..3)"),
            (format!(r#"{{"name":"a","one_of":[{}]}}"#, many[..8].join(",")), "a=1|2|3|4|5|6|7|8"),
            (format!(r#"{{"name":"a","one_of":[{}]}}"#, many.join(",")), "a=1|2|3|4|5|6|7|8|…"),
        ];
        for (json, shown) in &cases {
            assert_eq!(read(json).to_string(), *shown);
        }
        assert_eq!(told(&[read(r#""a""#), read(r#"{"name":"b","shape":"word"}"#)]), "a b:word");
    }

    #[test]
    fn the_schema_of_files_has_both_ways_of_writing_one() {
        let schema = crate::Grant::json_schema();
        let parameter = &schema["$defs"]["Parameter"];
        assert_eq!(parameter["anyOf"][0]["type"], "string", "{schema}");
        let limited = parameter["anyOf"][1].to_string();
        assert!(limited.contains("Limited") || limited.contains("one_of"), "{limited}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, names) in [
            (r#"{"name":"a","shape":"int"}"#, "`int`"),
            (r#"{"name":"a","shape":"word","one_of":[]}"#, "not both"),
            (r#"{"name":"a","values":[]}"#, "values"),
            ("7", "a name, or a table"),
        ] {
            let error = serde_json::from_str::<Parameter>(json).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
        assert!(read(r#"{"name":"a","one_of":[]}"#).check_values().is_err());
        for value in ["x\n", "\u{202e}x", &"x".repeat(1_025)] {
            let values = Values::OneOf(vec![value.to_owned()]);
            assert!(Parameter { name: "a".into(), values }.check_values().is_err(), "{value}");
        }
    }
}
