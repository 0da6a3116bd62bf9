//! The adapter against a host of functions: what it declares, what it sends, and what it makes of the answers.

mod answers;
mod auth;
mod descriptor;
mod refusals;
mod requests;

use portcullis_sdk::{prelude::*, serde_json::from_str, testing::Fake};

use crate::config::Config;

/// The example of the README.
fn example() -> Value {
    from_str(include_str!("../example.json")).unwrap()
}

fn config(config: Value) -> Config {
    from_str(&config.to_string()).unwrap()
}

fn fake(value: Value) -> Fake<Config> {
    Fake::new(config(value))
}

/// A config with one endpoint: what is given, with what all need.
fn with(endpoint: Value) -> Value {
    let mut all = json!({"name": "call", "description": "Calls it.", "effect": "read", "method": "GET", "path": "/x"});
    all.as_object_mut().unwrap().extend(endpoint.as_object().unwrap().clone());
    json!({"provider": "acme", "baseUrl": "https://a.example/v1", "endpoints": [all]})
}

/// An input with these fields, all required.
fn fields(fields: Value) -> Value {
    let required: Vec<&String> = fields.as_object().unwrap().keys().collect();
    json!({"type": "object", "required": required, "properties": fields})
}

fn failure(result: Result<Value, Error>) -> Failure {
    match result {
        Err(Error::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}
