//! Whether a value has the shape that a schema says, for what an adapter passes on without decoding it.
//!
//! One function for all types, where a decoder would be one for each. It looks at what a decoder would look at: types,
//! required members, names of variants; and at bounds of lengths and numbers. Patterns and formats are the host's to check.

use std::borrow::Cow;

use crate::{
    Number, Value,
    document::{Kind as Is, Part},
};

use super::{Field, Keyword, Kind, Presence, Said, Schema, Shape, Tag, Variant};

/// Checks a value that was received. The error says where it is wrong (a JSON Pointer) and what should be there, and
/// never what is there: that may be nobody's to read.
pub(crate) fn check(schema: &'static Schema, value: Part<'_>) -> Result<(), String> {
    let mut at = Vec::new();
    match shape(schema, value, &mut at, 0) {
        Ok(()) => Ok(()),
        Err(expected) => {
            at.reverse();
            let place = if at.is_empty() { "the top".to_owned() } else { format!("`/{}`", at.join("/")) };
            Err(format!("at {place} it is no {expected}"))
        }
    }
}

/// What should be there. Where it is, is pushed to `at` on the way back, last first.
type Expected = String;

/// Types that are the same as others, or parts of themselves, end here.
const MAX_STEPS: u32 = 64;

fn shape(schema: &'static Schema, value: Part<'_>, at: &mut Vec<String>, steps: u32) -> Result<(), Expected> {
    if steps > MAX_STEPS {
        return Ok(());
    }
    let wrong = |expected: &str| Err(expected.to_owned());
    match schema.shape {
        Shape::Any => {}
        Shape::Plain(kind) if is(kind, value) => {}
        Shape::Plain(kind) => return wrong(kind),
        Shape::OneOf(texts) if value.as_str().is_some_and(|text| texts.contains(&&*text)) => {}
        Shape::OneOf(_) => return wrong("value of the list in the schema"),
        Shape::Array(items) => {
            if value.kind() != Is::Array {
                return wrong("array");
            }
            for (index, value) in value.items().enumerate() {
                shape(items(), value, at, 0).inspect_err(|_| at.push(index.to_string()))?;
            }
        }
        Shape::Tuple(items) => {
            if value.kind() != Is::Array {
                return wrong("array");
            }
            if value.items().count() != items.len() {
                return wrong(&format!("array of {} items", items.len()));
            }
            for (index, (item, value)) in items.iter().zip(value.items()).enumerate() {
                shape((item.schema)(), value, at, 0)
                    .and_then(|()| said(item.keywords, value))
                    .inspect_err(|_| at.push(index.to_string()))?;
            }
        }
        Shape::Map(values) => {
            if value.kind() != Is::Object {
                return wrong("object");
            }
            for (name, value) in &members(value) {
                shape(values(), *value, at, 0).inspect_err(|_| at.push(escaped(name)))?;
            }
        }
        Shape::Object { .. } => object(schema, value, at, steps, Whole::ITSELF)?,
        Shape::Nullable(_) if value.is_null() => return Ok(()),
        Shape::Nullable(inner) | Shape::Same(inner) | Shape::PassedOn(inner) => shape(inner(), value, at, steps + 1)?,
        Shape::Enum { tag, variants, strict } => {
            one_of(tag, variants, value, steps, Whole { strict, ..Whole::ITSELF })?
        }
    }
    said(schema.keywords, value)
}

/// What an object is a part of: its members are among those of the whole.
#[derive(Clone, Copy)]
struct Whole<'a> {
    /// Whether this is only a part. Then it does not say whether there are other members.
    is_part: bool,
    /// Whether the part may be missing.
    optional: bool,
    /// Whether a variant refuses other members.
    strict: bool,
    /// Which members the whole names, or other parts of it.
    names: &'a dyn Fn(&str) -> bool,
}

impl Whole<'_> {
    const ITSELF: Self = Self { is_part: false, optional: false, strict: false, names: &|_| false };
}

/// An object, or the part of one.
fn object(
    schema: &'static Schema,
    value: Part<'_>,
    at: &mut Vec<String>,
    steps: u32,
    whole: Whole<'_>,
) -> Result<(), Expected> {
    if steps > MAX_STEPS {
        return Ok(());
    }
    if value.kind() != Is::Object {
        return Err("object".to_owned());
    }
    match schema.shape {
        Shape::Object { fields, strict } => {
            let members = members(value);
            let names = |name: &str| (whole.names)(name) || names(fields, name, steps);
            let here = Whole { is_part: true, names: &names, ..whole };
            for field in fields.iter().filter(|field| field.received != Presence::Absent) {
                let schema = (field.schema)();
                match member(&members, field.name) {
                    _ if field.flat => {
                        let optional = whole.optional || may_be_null(schema) || field.received == Presence::Optional;
                        object(schema, value, at, steps + 1, Whole { optional, ..here })?;
                    }
                    Some(value) => shape(schema, value, at, 0)
                        .and_then(|()| said(field.keywords, value))
                        .inspect_err(|_| at.push(escaped(field.name)))?,
                    None if field.received == Presence::Required && !may_be_null(schema) && !whole.optional => {
                        return Err(format!("object with a member `{}`", field.name));
                    }
                    None => {}
                }
            }
            if strict && !whole.is_part && !members.iter().all(|(name, _)| names(name)) {
                return Err("object without other members than the schema names".to_owned());
            }
        }
        Shape::Map(values) => {
            for (name, value) in members(value).iter().filter(|(name, _)| !(whole.names)(name)) {
                shape(values(), *value, at, 0).inspect_err(|_| at.push(escaped(name)))?;
            }
        }
        Shape::Nullable(inner) | Shape::Same(inner) | Shape::PassedOn(inner) => {
            object(inner(), value, at, steps + 1, whole)?;
        }
        Shape::Enum { .. } if whole.optional => {}
        Shape::Enum { tag, variants, .. } => one_of(tag, variants, value, steps, Whole { is_part: true, ..whole })?,
        _ => shape(schema, value, at, steps + 1)?,
    }
    said(schema.keywords, value)
}

/// Whether one of these fields has this name, or a part of the object does.
fn names(fields: &'static [Field], name: &str, steps: u32) -> bool {
    let names =
        |field: &Field| if field.flat { part_names((field.schema)(), name, steps + 1) } else { field.name == name };
    fields.iter().any(|field| field.received != Presence::Absent && names(field))
}

fn part_names(schema: &'static Schema, name: &str, steps: u32) -> bool {
    match schema.shape {
        _ if steps > MAX_STEPS => false,
        Shape::Object { fields, .. } => names(fields, name, steps),
        Shape::Nullable(inner) | Shape::Same(inner) | Shape::PassedOn(inner) => part_names(inner(), name, steps + 1),
        Shape::Enum { tag, variants, .. } => variants.iter().any(|variant| {
            let inside = || variant.content.is_some_and(|content| part_names(content, name, steps + 1));
            match tag {
                _ if variant.kind == Kind::Untagged => inside(),
                Tag::External => variant.name == name,
                Tag::Adjacent(tag, holder) => tag == name || holder == name,
                Tag::Internal(tag) => tag == name || inside(),
                Tag::Untagged => inside(),
            }
        }),
        _ => false,
    }
}

fn one_of(
    tag: Tag,
    variants: &'static [Variant],
    value: Part<'_>,
    steps: u32,
    whole: Whole<'_>,
) -> Result<(), Expected> {
    if variants.iter().any(|one| one.received && variant(tag, one, value, steps, whole)) {
        return Ok(());
    }
    Err("variant that the schema knows".to_owned())
}

fn variant(tag: Tag, variant: &'static Variant, value: Part<'_>, steps: u32, whole: Whole<'_>) -> bool {
    let named = |value: Part<'_>| match variant.kind {
        Kind::Other => value.kind() == Is::String,
        _ => value.as_str().is_some_and(|text| text == variant.name),
    };
    let is = |value: Part<'_>| {
        variant.content.is_none_or(|content| shape(content, value, &mut Vec::new(), steps + 1).is_ok())
    };
    // The content's members are among the variant's own.
    let among = |value: Part<'_>, whole: Whole<'_>| {
        variant.content.is_none_or(|content| object(content, value, &mut Vec::new(), steps + 1, whole).is_ok())
    };
    let no_others = |known: &dyn Fn(&str) -> bool| {
        let is_open = whole.is_part || !whole.strict;
        is_open || (value.kind() == Is::Object && members(value).iter().all(|(name, _)| known(name)))
    };
    let holds = match tag {
        _ if variant.kind == Kind::Untagged && !whole.is_part => is(value),
        _ if variant.kind == Kind::Untagged => among(value, whole),
        Tag::Untagged if variant.content.is_none() => value.is_null() || whole.is_part,
        Tag::Untagged if whole.is_part => among(value, whole),
        Tag::Untagged => is(value),
        Tag::External if whole.is_part => value
            .get(variant.name)
            .is_some_and(|value| if variant.content.is_some() { is(value) } else { value.is_null() }),
        Tag::External if variant.content.is_none() => named(value),
        Tag::External => {
            members(value).iter().all(|(name, _)| name == variant.name) && value.get(variant.name).is_some_and(is)
        }
        Tag::Internal(tag) => {
            let names = |name: &str| name == tag || (whole.names)(name);
            value.get(tag).is_some_and(named)
                && among(value, Whole { names: &names, ..whole })
                && (variant.content.is_some() || no_others(&|name| name == tag))
        }
        Tag::Adjacent(tag, holder) => {
            value.get(tag).is_some_and(named)
                && (variant.content.is_none() || value.get(holder).is_some_and(is))
                && no_others(&|name| name == tag || (name == holder && variant.content.is_some()))
        }
    };
    holds && said(variant.keywords, value).is_ok()
}

fn said(keywords: &[Keyword], value: Part<'_>) -> Result<(), Expected> {
    let length = || match value.kind() {
        Is::String => value.as_str().map(|text| text.chars().count()),
        Is::Array => Some(value.items().count()),
        Is::Object => Some(members(value).len()),
        _ => None,
    };
    for Keyword(keyword) in keywords {
        let bound = |json: &str| Number::parse(json).zip(value.as_number());
        let (holds, expected) = match *keyword {
            Said::AtLeast(least) => (length().is_none_or(|length| length >= least as usize), "long enough"),
            Said::AtMost(most) => (length().is_none_or(|length| length <= most as usize), "short enough"),
            Said::Json("uniqueItems", "true") => (are_unique(value), "without repeats"),
            Said::Json("minimum", json) => (bound(json).is_none_or(|(least, value)| value >= least), "large enough"),
            Said::Json("maximum", json) => (bound(json).is_none_or(|(most, value)| value <= most), "small enough"),
            _ => continue,
        };
        if !holds {
            return Err(format!("value that is {expected}"));
        }
    }
    Ok(())
}

fn are_unique(list: Part<'_>) -> bool {
    let items: Vec<Value> = list.items().map(Part::to_value).collect();
    items.iter().enumerate().all(|(index, item)| items.iter().take(index).all(|other| other != item))
}

/// Names and members, of equal names the last.
type Members<'d> = Vec<(Cow<'d, str>, Part<'d>)>;

/// Up to this many members are compared in pairs.
const FEW: usize = 32;

fn members(object: Part<'_>) -> Members<'_> {
    let mut members: Members<'_> = object.members().collect();
    let differs = |(index, (name, _)): (usize, &(Cow<'_, str>, Part<'_>))| {
        members.iter().take(index).all(|(known, _)| known != name)
    };
    if members.len() > FEW || !members.iter().enumerate().all(differs) {
        members.reverse();
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members.dedup_by(|(one, _), (other, _)| one == other);
    }
    members
}

fn member<'d>(members: &Members<'d>, name: &str) -> Option<Part<'d>> {
    members.iter().find(|(known, _)| known == name).map(|(_, part)| *part)
}

fn is(kind: &str, value: Part<'_>) -> bool {
    match value.kind() {
        Is::Null => kind == "null",
        Is::Bool => kind == "boolean",
        Is::String => kind == "string",
        Is::Array => kind == "array",
        Is::Object => kind == "object",
        // As JSON Schema counts, 1.0 is an integer.
        Is::Number => kind == "number" || (kind == "integer" && value.is_integer()),
    }
}

fn may_be_null(mut schema: &'static Schema) -> bool {
    for _ in 0..MAX_STEPS {
        match schema.shape {
            Shape::Nullable(_) => return true,
            Shape::Same(inner) | Shape::PassedOn(inner) => schema = inner(),
            _ => return false,
        }
    }
    false
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
