//! What an operation takes and gives that is data about a person: the parts of its schemas with `"x-sensitive": true`.

use portcullis_runtime::{Operation, Schema, printable};
use serde_json::{Value, json};

use crate::look;

/// Most places of one schema that the table names.
const MAX_NAMED: usize = 40;

/// What an operation takes, and what it gives: places, or what is wrong with the schema.
fn of(operation: &Operation) -> [(&'static str, Result<Vec<String>, String>); 2] {
    let places = |text: &str| {
        let fields = Schema::compile(text).map_err(|error| error.to_string())?.sensitive();
        let mut places: Vec<String> = fields.list.into_iter().map(|field| field.pointer).collect();
        if fields.more {
            places.push("…".to_owned());
        }
        Ok(places)
    };
    [("input", places(&operation.input)), ("output", places(&operation.output))]
}

/// Whether anything that an operation takes or gives is marked; also where nobody can say.
pub(crate) fn is_marked(operation: &Operation) -> bool {
    of(operation).iter().any(|(_, places)| places.as_ref().map_or(true, |places| !places.is_empty()))
}

/// A section for all operations; empty where nothing is marked.
pub(crate) fn section(operations: &[Operation]) -> String {
    let mut rows = Vec::new();
    for operation in operations {
        for (side, places) in of(operation) {
            let told = match places {
                Ok(places) if places.is_empty() => continue,
                Ok(places) => told(&places),
                Err(error) => format!("not known: {}", printable(&error, 400)),
            };
            rows.push(vec![operation.name.clone(), side.to_owned(), told]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let heading = look::heading("Sensitive: data about people in what it takes and gives");
    format!("{heading}\n{}", look::table(&["operation", "in its", "sensitive"], rows))
}

fn told(places: &[String]) -> String {
    let name = |place: &String| if place.is_empty() { "all of it".to_owned() } else { printable(place, 200) };
    let mut named: Vec<String> = places.iter().take(MAX_NAMED).map(name).collect();
    if places.len() > MAX_NAMED {
        named.push(format!("and {} more", places.len() - MAX_NAMED));
    }
    named.join(", ")
}

/// For machines: `{"input": […], "output": […]}`; null where the schema cannot be read.
pub(crate) fn as_json(operation: &Operation) -> Value {
    let [(_, input), (_, output)] = of(operation);
    json!({ "input": input.ok(), "output": output.ok() })
}
