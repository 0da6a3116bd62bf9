//! What a schema says about the parts of a value, for people: a list of places with type, default and description, and
//! of those that hold data about a person.
//!
//! This is no judgement of values and no part of one: what a schema says in ways that no table shows (conditions,
//! dependencies) is left out. A schema that refers to itself is unrolled once.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::{
    Schema,
    node::{self, Edge, address},
};

/// Most places that are listed.
const MAX_FIELDS: usize = 1_000;
/// Most schemas that are visited for a list.
const MAX_VISITS: usize = 50_000;
/// Longest list of types of one place, in bytes.
const MAX_KIND: usize = 512;
/// Deepest nesting of visits.
const MAX_DEPTH: usize = 64;
/// Longest pointer of a place, in bytes: below a long one each place would copy it.
const MAX_POINTER: usize = 4 * 1024;

/// A place in a value, and what the schema says about it. All texts are the schema's author's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// JSON Pointer, with `*` for each item of an array and for each property of any name. The empty one is the whole.
    pub pointer: String,
    /// Its types in a few words, for example `string (uri)`.
    pub kind: String,
    /// Ranges and lengths in a few words, for example `1 to 100` or `at most 50 characters`; empty where there are none.
    pub bounds: String,
    /// Whether the object that it belongs to always has it.
    pub required: bool,
    /// What it is.
    pub description: Option<String>,
    /// What it is where nothing is written.
    pub default: Option<Value>,
    /// Whether it holds data about a person: `"x-sensitive": true`.
    pub sensitive: bool,
}

/// Places, in the schema's order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The places.
    pub list: Vec<Field>,
    /// Whether there are more than are listed.
    pub more: bool,
}

impl Schema {
    /// The places that it describes, the whole first.
    #[must_use]
    pub fn fields(&self) -> Fields {
        list(self.value(), None)
    }

    /// The places that it marks with `"x-sensitive": true`; not those within such a place.
    #[must_use]
    pub fn sensitive(&self) -> Fields {
        let marked = leading_to_sensitive(self.value());
        let mut fields = list(self.value(), Some(&marked));
        fields.list.retain(|field| field.sensitive);
        fields
    }
}

fn list(root: &Value, only: Option<&HashSet<usize>>) -> Fields {
    let mut walk =
        Walk { root, only, fields: Vec::new(), at: HashMap::new(), open: HashSet::new(), visits: 0, more: false };
    walk.visit(root, "", At { required: true, sure: true, depth: 0 });
    for field in &mut walk.fields {
        if field.kind.is_empty() {
            field.kind.push_str("any");
        }
    }
    Fields { list: walk.fields, more: walk.more }
}

struct Walk<'s> {
    root: &'s Value,
    /// The schemas that are visited; none for all.
    only: Option<&'s HashSet<usize>>,
    fields: Vec<Field>,
    /// Where in the list a pointer stands.
    at: HashMap<String, usize>,
    /// The schemas that are being visited.
    open: HashSet<usize>,
    visits: usize,
    more: bool,
}

/// How a schema is come by.
#[derive(Clone, Copy)]
struct At {
    required: bool,
    /// Whether it applies to every value, and not only to those of one branch.
    sure: bool,
    depth: usize,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schema: &'s Value, pointer: &str, at: At) {
        if self.only.is_some_and(|only| !only.contains(&address(schema))) || self.open.contains(&address(schema)) {
            return;
        }
        self.visits += 1;
        if self.visits > MAX_VISITS || at.depth > MAX_DEPTH || pointer.len() > MAX_POINTER {
            self.more = true;
            return;
        }
        let Some(sensitive) = self.note(schema, pointer, at.required) else {
            self.more = true;
            return;
        };
        if sensitive && self.only.is_some() {
            return;
        }
        self.open.insert(address(schema));
        let at = At { depth: at.depth + 1, ..at };
        if let Some(target) = target(self.root, schema) {
            self.visit(target, pointer, at);
        }
        let names = schema.get("required").and_then(Value::as_array);
        let always = |name: &str| names.is_some_and(|names| names.iter().any(|always| always.as_str() == Some(name)));
        for (edge, keyword, name, child) in parts(schema) {
            match (edge, name) {
                (Edge::Down, Some(name)) if keyword != "patternProperties" => {
                    let required = at.sure && always(&name);
                    self.visit(child, &node::join(pointer, &name), At { required, ..at });
                }
                (Edge::Down, _) if child.is_boolean() => {}
                (Edge::Down, _) => self.visit(child, &format!("{pointer}/*"), At { required: false, ..at }),
                (Edge::Same | Edge::Shelf, _) => {
                    let sure = at.sure && keyword == "allOf";
                    self.visit(child, pointer, At { required: at.required && sure, sure, ..at });
                }
            }
        }
        self.open.remove(&address(schema));
    }

    /// Adds what a schema says about a place. Whether the place is marked as sensitive; none where the list is full.
    fn note(&mut self, schema: &Value, pointer: &str, required: bool) -> Option<bool> {
        let sensitive = is_sensitive(schema);
        // Copied where they are kept, and not at each of thousands of visits: they can be large.
        let description = || schema.get("description").and_then(Value::as_str).map(str::to_owned);
        let default = || schema.get("default").cloned();
        let kind = kind(schema);
        if let Some(field) = self.at.get(pointer).and_then(|index| self.fields.get_mut(*index)) {
            // Branches often agree: what two of them allow is told once.
            for kind in kind.split(" or ").filter(|kind| !kind.is_empty()) {
                if field.kind.is_empty() {
                    field.kind.push_str(kind);
                } else if field.kind.len() < MAX_KIND && !field.kind.split(" or ").any(|known| known == kind) {
                    field.kind += " or ";
                    field.kind += kind;
                    if field.kind.len() >= MAX_KIND {
                        field.kind += " or …";
                    }
                }
            }
            if field.bounds.is_empty() {
                field.bounds = bounds(schema);
            }
            field.required |= required;
            field.sensitive |= sensitive;
            field.description = field.description.take().or_else(description);
            field.default = field.default.take().or_else(default);
            return Some(field.sensitive);
        }
        if self.fields.len() == MAX_FIELDS {
            return None;
        }
        self.at.insert(pointer.to_owned(), self.fields.len());
        let (bounds, description, default) = (bounds(schema), description(), default());
        let pointer = pointer.to_owned();
        self.fields.push(Field { pointer, kind, bounds, required, description, default, sensitive });
        Some(sensitive)
    }
}

/// The subschemas that say what a value, or a part of it, is.
fn parts(schema: &Value) -> impl Iterator<Item = node::Child<'_>> {
    let says =
        |(edge, keyword, ..): &node::Child<'_>| *edge != Edge::Shelf && !["not", "propertyNames"].contains(keyword);
    node::children(schema).into_iter().filter(says)
}

fn target<'s>(root: &'s Value, schema: &'s Value) -> Option<&'s Value> {
    let (_, target) = node::follow(root, node::reference(schema.as_object()?)?)?;
    Some(target)
}

/// Whether a schema is marked. What is no boolean was hardly written to say "no".
pub(crate) fn is_sensitive(schema: &Value) -> bool {
    schema.get("x-sensitive").is_some_and(|mark| mark != &Value::Bool(false))
}

/// The schemas by which a marked one is come to, itself among them.
fn leading_to_sensitive(root: &Value) -> HashSet<usize> {
    let mut parents: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut marked = Vec::new();
    let mut seen = HashSet::from([address(root)]);
    let mut queue = vec![root];
    while let Some(schema) = queue.pop() {
        if is_sensitive(schema) {
            marked.push(address(schema));
        }
        for child in parts(schema).map(|(.., child)| child).chain(target(root, schema)) {
            parents.entry(address(child)).or_default().push(address(schema));
            if seen.insert(address(child)) {
                queue.push(child);
            }
        }
    }
    let mut leading = HashSet::new();
    while let Some(address) = marked.pop() {
        if leading.insert(address) {
            marked.extend(parents.remove(&address).unwrap_or_default());
        }
    }
    leading
}

/// What a schema says about how large a value may be, how long, and of what form.
fn bounds(schema: &Value) -> String {
    let number = |keyword: &str| schema.get(keyword).filter(|value| value.is_number()).map(ToString::to_string);
    let range = |least: Option<String>, most: Option<String>, unit: &str| match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("{most}{unit}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) if least == "0" && !unit.is_empty() => None,
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    };
    let counted = |kind: &str, unit: &str| range(number(&format!("min{kind}")), number(&format!("max{kind}")), unit);
    let told = [
        range(number("minimum"), number("maximum"), ""),
        number("exclusiveMinimum").map(|least| format!("above {least}")),
        number("exclusiveMaximum").map(|most| format!("below {most}")),
        number("multipleOf").map(|of| format!("a multiple of {of}")),
        counted("Length", " characters"),
        counted("Items", " items"),
        counted("Properties", " members"),
        schema.get("uniqueItems").filter(|unique| **unique == Value::Bool(true)).map(|_| "no item twice".to_owned()),
        schema.get("pattern").and_then(Value::as_str).map(|pattern| format!("like {}", node::short(pattern))),
    ];
    told.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Most values of an `enum` that are told.
const MAX_TOLD: usize = 8;

/// A schema's types in a few words; empty where it names none.
fn kind(schema: &Value) -> String {
    if let Some(value) = schema.get("const") {
        return node::short(&value.to_string());
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let told = values.iter().take(MAX_TOLD).map(|value| node::short(&value.to_string()));
        let dots = (values.len() > MAX_TOLD).then(|| "…".to_owned());
        return told.chain(dots).collect::<Vec<_>>().join(" or ");
    }
    let kind = match schema.get("type") {
        Some(Value::String(name)) => node::short(name),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(node::short).collect::<Vec<_>>().join(" or ")
        }
        _ if schema.get("properties").is_some() => "object".to_owned(),
        _ if schema.get("items").is_some() => "array".to_owned(),
        _ => String::new(),
    };
    match schema.get("format").and_then(Value::as_str) {
        Some(format) => format!("{kind} ({})", node::short(format)).trim_start().to_owned(),
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(value: &Value) -> Schema {
        Schema::compile(&value.to_string()).unwrap()
    }

    fn rows(value: &Value) -> Vec<String> {
        let fields = schema(value).fields().list;
        fields.iter().map(|f| format!("{} {}{}", f.pointer, f.kind, if f.required { "!" } else { "" })).collect()
    }

    fn sensitive(value: &Value) -> Vec<String> {
        schema(value).sensitive().list.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn ranges_lengths_and_forms_are_told() {
        for (schema, told) in [
            (serde_json::json!({"minimum": 1, "maximum": 100}), "1 to 100"),
            (serde_json::json!({"exclusiveMinimum": 0, "multipleOf": 0.5}), "above 0, a multiple of 0.5"),
            (serde_json::json!({"minLength": 0, "maxLength": 50, "pattern": "^a$"}), "0 to 50 characters, like ^a$"),
            (serde_json::json!({"minItems": 2, "maxItems": 2, "uniqueItems": true}), "2 items, no item twice"),
            (serde_json::json!({"minLength": 0, "minProperties": 1}), "at least 1 members"),
            (serde_json::json!({"maxItems": 500}), "at most 500 items"),
            (serde_json::json!({"minimum": "1", "pattern": 7}), ""),
        ] {
            assert_eq!(bounds(&schema), told);
        }
    }

    #[test]
    fn each_place_is_told_once_with_what_all_that_apply_say_of_it() {
        let config = json!({
            "type": "object",
            "required": ["baseUrl", "auth"],
            "properties": {
                "baseUrl": {"$ref": "#/$defs/url", "description": "Where it is."},
                "auth": {"oneOf": [
                    {"type": "object", "required": ["type"], "properties": {"type": {"const": "bearer"}, "note": {"type": ["string", "null"]}}},
                    {"type": "object", "required": ["type", "name"],
                     "properties": {"type": {"const": "header"}, "name": {"type": "string"}, "note": {"type": ["string", "null"]}}},
                ]},
                "tags": {"type": "array", "items": {"type": ["string", "null"]}},
                "endpoints": {"type": "object", "additionalProperties": {"required": ["path"], "properties": {"path": {}}}},
                "mode": {"enum": ["a", "b"]},
            },
            "additionalProperties": false,
            "$defs": {"url": {"type": "string", "format": "uri", "description": "A URL.", "default": "https://a.example"}},
        });
        assert_eq!(
            rows(&config),
            [
                " object!",
                "/auth object!",
                "/auth/note string or null",
                "/auth/type \"bearer\" or \"header\"",
                "/auth/name string",
                "/baseUrl string (uri)!",
                "/endpoints object",
                "/endpoints/* object",
                "/endpoints/*/path any!",
                "/mode \"a\" or \"b\"",
                "/tags array",
                "/tags/* string or null",
            ]
        );
        let fields = schema(&config).fields();
        assert!(!fields.more);
        let url = fields.list.iter().find(|field| field.pointer == "/baseUrl").unwrap();
        assert_eq!(url.description.as_deref(), Some("Where it is."), "the nearer description counts");
        assert_eq!(url.default, Some(json!("https://a.example")));
    }

    #[test]
    fn what_is_marked_is_found_wherever_it_stands() {
        let patient = json!({
            "properties": {
                "name": {"type": "array", "x-sensitive": true, "items": {"properties": {"family": {"x-sensitive": true}}}},
                "birthDate": {"type": "string", "x-sensitive": true},
                "active": {"type": "boolean", "x-sensitive": false},
                "contact": {"items": {"$ref": "#/$defs/contact"}},
                "note": {"anyOf": [{"type": "null"}, {"x-sensitive": true}]},
                "extra": {"additionalProperties": {"x-sensitive": true}},
                "a/b": {"x-sensitive": true},
            },
            "$defs": {
                "contact": {"properties": {"telecom": {"x-sensitive": true}, "gender": {}, "next": {"$ref": "#/$defs/contact"}}},
                "unused": {"x-sensitive": true},
            },
        });
        assert_eq!(sensitive(&patient), ["/a~1b", "/birthDate", "/contact/*/telecom", "/extra/*", "/name", "/note"]);
        assert_eq!(sensitive(&json!({"x-sensitive": true, "properties": {"a": {"x-sensitive": true}}})), [""]);
        assert!(sensitive(&json!(true)).is_empty());
    }

    #[test]
    fn what_is_said_of_one_place_again_and_again_costs_little() {
        let started = std::time::Instant::now();
        let choices: Vec<Value> = (0..40_000).map(|number| json!({ "const": number })).collect();
        let one_place = schema(&json!({"properties": {"a": {"anyOf": choices}}})).fields();
        assert!(one_place.list[1].kind.ends_with(" or …") && one_place.list[1].kind.len() < 600);
        // The same large default, come to by forty thousand ways.
        let mut defs = serde_json::Map::from_iter([("l15".to_owned(), json!({"default": vec![0; 100_000]}))]);
        for level in 0..15 {
            let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
            defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
        }
        let by_many_ways = schema(&json!({"$ref": "#/$defs/l0", "$defs": defs})).fields();
        assert_eq!(by_many_ways.list.len(), 1);
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    }

    #[test]
    fn a_schema_that_would_be_unrolled_for_ever_is_cut_and_says_so() {
        let mut defs = serde_json::Map::new();
        for level in 0..20 {
            let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
            defs.insert(format!("l{level}"), json!({"properties": {"a": next, "b": next}}));
        }
        defs.insert("l20".to_owned(), json!({"x-sensitive": true}));
        let schema = schema(&json!({"$ref": "#/$defs/l0", "$defs": defs}));
        for fields in [schema.fields(), schema.sensitive()] {
            assert!(fields.more && fields.list.len() <= MAX_FIELDS, "{}", fields.list.len());
        }
        // And where all of it is about one place.
        let mut defs = serde_json::Map::from_iter([("l20".to_owned(), json!({"x-sensitive": true}))]);
        for level in 0..20 {
            let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
            defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
        }
        let one_place = self::schema(&json!({"$ref": "#/$defs/l0", "$defs": defs})).fields();
        assert!(one_place.more && one_place.list.len() == 1, "{}", one_place.list.len());
        // What nobody marked costs nothing to say.
        assert!(!Schema::compile(r##"{"properties": {"a": {"$ref": "#"}}}"##).unwrap().sensitive().more);
    }
}
