//! Whether a JSON Schema can be one, as far as its own words go: keywords have values of their kind, and references stay
//! where they can be kept. The host compiles it and has the last word.

use std::collections::BTreeSet;

use portcullis_sdk::prelude::*;

use crate::check::{Checked, pattern, pointer, shown};

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
/// Deepest nesting. The host reads 128 levels, of which the config takes some.
const MAX_DEPTH: usize = 100;

/// Checks a schema that stands at this place of the config.
pub(crate) fn check(at: &str, schema: &Value) -> Checked {
    of(Place { above: None, name: Name::Root(at) }, schema, schema, 0)
}

/// Where a schema is. It is written as a pointer where something is wrong there, and not for each of a thousand places.
#[derive(Clone, Copy)]
struct Place<'p> {
    above: Option<&'p Place<'p>>,
    name: Name<'p>,
}

#[derive(Clone, Copy)]
enum Name<'p> {
    Root(&'p str),
    Member(&'p str),
    Item(usize),
}

impl<'p> Place<'p> {
    fn member(&'p self, name: &'p str) -> Self {
        Self { above: Some(self), name: Name::Member(name) }
    }

    fn item(&'p self, index: usize) -> Self {
        Self { above: Some(self), name: Name::Item(index) }
    }

    fn pointer(&self) -> String {
        let above = self.above.map(Self::pointer).unwrap_or_default();
        match self.name {
            Name::Root(at) => at.to_owned(),
            Name::Member(name) => pointer(&above, name),
            Name::Item(index) => format!("{above}/{index}"),
        }
    }
}

fn refuse(at: Place, message: impl Into<String>) -> Checked {
    super::refuse(at.pointer(), message)
}

fn of(at: Place, root: &Value, schema: &Value, depth: usize) -> Checked {
    let members = match schema {
        Value::Object(members) => members,
        Value::Bool(_) => return Ok(()),
        _ => return refuse(at, "a JSON Schema is an object, true or false"),
    };
    if depth > MAX_DEPTH {
        return refuse(at, "the schema nests too deeply; give parts of it names in `$defs`");
    }
    for (key, value) in members {
        keyword(at.member(key), root, key, value, depth)?;
    }
    Ok(())
}

fn keyword(at: Place, root: &Value, key: &str, value: &Value, depth: usize) -> Checked {
    let is_count = || value.as_u64().is_some();
    let must = |holds: bool, what: &str| if holds { Ok(()) } else { refuse(at, format!("`{key}` is {what}")) };
    match key {
        "$ref" => reference(at, root, value),
        "$defs" | "properties" | "patternProperties" | "dependentSchemas" => match value {
            Value::Object(parts) => parts.iter().try_for_each(|(name, part)| {
                let at = at.member(name);
                match pattern::wrong(name).filter(|_| key == "patternProperties") {
                    Some(why) => refuse(at, why),
                    None => of(at, root, part, depth + 1),
                }
            }),
            _ => refuse(at, format!("`{key}` is an object whose members are schemas")),
        },
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => match value {
            Value::Array(parts) if !parts.is_empty() => {
                parts.iter().enumerate().try_for_each(|(index, part)| of(at.item(index), root, part, depth + 1))
            }
            _ => refuse(at, format!("`{key}` is a list of at least one schema")),
        },
        "additionalProperties"
        | "contains"
        | "else"
        | "if"
        | "items"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => of(at, root, value, depth + 1),
        "type" => type_of(at, value),
        "required" => must(is_list_of_names(value), "a list of names, each once"),
        "dependentRequired" => {
            let lists = value.as_object().is_some_and(|members| members.values().all(is_list_of_names));
            must(lists, "an object whose members are lists of names")
        }
        "enum" => must(value.as_array().is_some_and(|listed| !listed.is_empty()), "a list of at least one value"),
        "examples" => must(value.is_array(), "a list of values; for one write `[value]`"),
        "maximum" | "minimum" | "exclusiveMaximum" | "exclusiveMinimum" => must(value.is_number(), "a number"),
        "multipleOf" => must(value.as_f64().is_some_and(|number| number > 0.0), "a number above 0"),
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties" | "maxContains"
        | "minContains" => must(is_count(), "a whole number from 0"),
        "$comment" | "contentEncoding" | "contentMediaType" | "description" | "format" | "title" => {
            must(value.is_string(), "a text")
        }
        "pattern" => match value.as_str().map(pattern::wrong) {
            Some(None) => Ok(()),
            Some(Some(why)) => refuse(at, why),
            None => refuse(at, "`pattern` is a text"),
        },
        "deprecated" | "readOnly" | "uniqueItems" | "writeOnly" => must(value.is_boolean(), "true or false"),
        "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$id" | "$recursiveRef" | "definitions" => {
            refuse(at, format!("`{key}` is not read here; name parts in `$defs` and refer to them with `#/$defs/NAME`"))
        }
        "nullable" => refuse(at, "`nullable` is OpenAPI 3.0's; write `\"type\": [\"string\", \"null\"]`"),
        "example" => refuse(at, "`example` is OpenAPI 3.0's; write `\"examples\": [value]`"),
        "$schema" => must(
            value
                .as_str()
                .is_some_and(|text| text.trim_end_matches('#') == "https://json-schema.org/draft/2020-12/schema"),
            "draft 2020-12, or left out",
        ),
        _ => Ok(()),
    }
}

fn reference(at: Place, root: &Value, value: &Value) -> Checked {
    let Some(text) = value.as_str() else { return refuse(at, "`$ref` is a text such as `#/$defs/NAME`") };
    let inside = text.strip_prefix('#').filter(|place| place.starts_with("/$defs/"));
    let Some(place) = inside else {
        let message =
            "leads where parts of schemas cannot follow: put it in this schema's `$defs` and write `#/$defs/NAME`";
        return refuse(at, format!("{} {message}", shown(text)));
    };
    if root.pointer(place).is_none_or(|found| !found.is_object() && !found.is_boolean()) {
        return refuse(at, format!("{} is not there; add it to this schema's `$defs`", shown(text)));
    }
    Ok(())
}

fn type_of(at: Place, value: &Value) -> Checked {
    let known = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    let fits = match value {
        Value::Array(names) => !names.is_empty() && names.iter().all(known) && is_list_of_names(value),
        one => known(one),
    };
    if fits {
        Ok(())
    } else {
        refuse(at, format!("`type` is one of {}, or a list of them, each once", TYPES.join(", ")))
    }
}

fn is_list_of_names(value: &Value) -> bool {
    let Some(names) = value.as_array() else { return false };
    let known: Option<BTreeSet<&str>> = names.iter().map(Value::as_str).collect();
    known.is_some_and(|known| known.len() == names.len())
}
