//! The config of an adapter, as `portcullis inspect` tells it: what it holds, and what can be said without one.

use std::path::Path;

use portcullis_runtime::{Adapter, Schema, printable};
use serde_json::{Value, json};

use crate::look;

/// What its schema says about each part of a config.
pub(crate) fn table(schema: &Schema) -> String {
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
                printable(description.lines().next().unwrap_or_default(), 400),
            ]
        })
        .collect();
    let heading = look::heading("Config: what an operator tells it");
    if rows.is_empty() {
        return format!("{heading}\n Nothing.");
    }
    if fields.more {
        let more = "there is more than is shown: --config-schema prints all of it".to_owned();
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
