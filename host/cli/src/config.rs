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
    let mut rows: Vec<Vec<String>> = fields
        .list
        .iter()
        .filter(|field| !field.pointer.is_empty())
        .map(|field| {
            let description = field.description.as_deref().unwrap_or_default();
            let default = field.default.as_ref().map(|value| printable(&value.to_string(), 40));
            vec![
                printable(&field.pointer, 200),
                printable(&field.kind, 60),
                if field.required { "yes" } else { "no" }.to_owned(),
                default.unwrap_or_else(|| "none".to_owned()),
                printable(&look::paragraph(description), 400),
            ]
        })
        .collect();
    let heading = look::heading(heading);
    if rows.is_empty() {
        return format!("{heading}\n Nothing.");
    }
    if fields.more {
        let more = format!("there is more than is shown: {all}");
        rows.push(vec!["…".to_owned(), String::new(), String::new(), String::new(), more]);
    }
    let header = ["place", "type", "required", "default", "what it is"];
    format!("{heading}\n{}", look::table(&header, rows))
}

/// Says what is known of an adapter that needs a config before it describes itself.
pub(crate) fn print_without(path: &Path, adapter: &Adapter, schema: &Schema, why: &str) {
    let path = path.display();
    let mut text = look::heading("What it asks for depends on its config").trim_start().to_owned();
    text += &format!("\n  None was given: {}\n\n{}", printable(why, 600), look::facts(adapter));
    text += &format!("{}\n{}", table(schema), look::imports(adapter));
    anstream::println!("{text}");
    anstream::println!("\nWith a config it says the rest:  portcullis inspect {path} --config @config.json");
    anstream::println!("The schema, for editors:         portcullis inspect {path} --config-schema");
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
        format!("{}{required}{}", printable(&field.kind, 60), default.unwrap_or_default())
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
