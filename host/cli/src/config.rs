//! The config of an adapter, as `portcullis inspect` tells it: what it holds, and what can be said without one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use portcullis_runtime::{Adapter, Field, Schema, printable};
use serde::Serialize;
use serde_json::{Value, json};

use crate::look;

/// What its schema says about each part of a config.
pub(crate) fn table(schema: &Schema) -> String {
    places("Config: what an operator tells it", schema, "--config-schema prints all of it")
}

/// What a schema says about each place in its values, under a heading; `all` says what shows more.
pub(crate) fn places(heading: &str, schema: &Schema, all: &str) -> String {
    let fields = schema.fields();
    let mut text = look::heading(heading);
    for field in fields.list.iter().filter(|field| !field.pointer.is_empty()) {
        let required = if field.required { "; required" } else { "" };
        let default = field.default.as_ref().map(|value| format!("; default {}", printable(&value.to_string(), 80)));
        let (place, kind) = (printable(&field.pointer, 200), kind(field));
        let about = format!("{place}: {kind}{required}{}", default.unwrap_or_default());
        text += &format!("\n{}", look::wrapped(&about, 2));
        let description = look::paragraph(field.description.as_deref().unwrap_or_default());
        if !description.is_empty() {
            text += &format!("\n{}", look::wrapped(&printable(&description, 400), 4));
        }
    }
    if fields.list.iter().all(|field| field.pointer.is_empty()) {
        text += "\n  Nothing.";
    }
    if fields.more {
        text += &format!("\n{}", look::wrapped(&format!("… there is more than is shown: {all}"), 2));
    }
    text
}

/// A place's types, and how large or long its values may be.
fn kind(field: &Field) -> String {
    let kind = printable(&field.kind, 400);
    if field.bounds.is_empty() { kind } else { format!("{kind}, {}", printable(&field.bounds, 80)) }
}

/// Says what is known of an adapter that needs a config before it describes itself.
pub(crate) fn print_without(path: &Path, adapter: &Adapter, schema: &Schema, why: &str) {
    let path = path.display();
    let mut text = look::heading("What it asks for depends on its config").trim_start().to_owned();
    let none = look::wrapped(&format!("None was given: {}", printable(why, 600)), 2);
    text += &format!("\n{none}\n\n{}", look::facts(adapter));
    text += &format!("{}\n{}", table(schema), look::imports(adapter));
    anstream::println!("{text}");
    anstream::println!("\nWith a config it says the rest; the schema of the config is for editors:");
    anstream::println!("  portcullis inspect {path} --config @config.json");
    anstream::println!("  portcullis inspect {path} --config-schema");
}

/// The same for machines: no descriptor, and why there is none.
pub(crate) fn json_without(adapter: &Adapter, schema: &Schema, why: &str) -> Value {
    json!({
        "upload": adapter.upload(), "config_schema": schema.value(), "descriptor": null, "grant": null, "needs_config": why,
    })
}

/// A place in the config that is not as it was.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) place: String,
    /// As it was; none if it was not there.
    pub(crate) before: Option<String>,
    /// As it is; none if it is no longer there.
    pub(crate) after: Option<String>,
}

/// What a new version takes for its config that the old one did not, and the other way.
pub(crate) fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let told = |field: &Field| {
        let default = field.default.as_ref().map(|value| format!(", default {}", printable(&value.to_string(), 40)));
        let required = if field.required { ", required" } else { "" };
        format!("{}{required}{}", kind(field), default.unwrap_or_default())
    };
    let places = |schema: &Schema| -> BTreeMap<String, String> {
        let fields = schema.fields().list.into_iter().filter(|field| !field.pointer.is_empty());
        fields.map(|field| (printable(&field.pointer, 200), told(&field))).collect()
    };
    let (old, new) = (places(old), places(new));
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |place: &String| Change {
        place: place.clone(),
        before: old.get(place).cloned(),
        after: new.get(place).cloned(),
    };
    all.into_iter().map(change).filter(|change| change.before != change.after).collect()
}
