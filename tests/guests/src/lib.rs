//! What the guests share: an adapter on the raw contract in one macro call.
//!
//! Each guest is one file, `examples/<suite>_<case>.rs`, and becomes `<suite>_<case>.wasm`. Puppets do what a test
//! tells them, hostile ones attack in one way each, and `bench_post` is measured. They are written on the raw bindings
//! where the typed layer would not let them say what they have to say. Outside a component they are empty.

use portcullis_sdk::bindings::portcullis::adapter::{
    descriptor::{Descriptor, Effect, Operation, Repeat, Route},
    types::Method,
};
use portcullis_sdk::prelude::{Value, json};

pub use portcullis_sdk::bindings::exports::portcullis::adapter::operations::{Call, Error, Failure, Guest, Invalid};
pub use portcullis_sdk::bindings::portcullis::adapter::{credentials, http, log};

/// Exports an adapter: its name, its one operation, and a function from the call's parsed input to its output's text.
#[macro_export]
macro_rules! guest {
    ($name:literal, $operation:literal, $invoke:expr) => {
        struct Component;

        impl $crate::Guest for Component {
            fn config_schema() -> String {
                $crate::config_schema()
            }

            fn describe(config: String) -> Result<::portcullis_sdk::Descriptor, $crate::Error> {
                Ok($crate::descriptor($name, $operation, &config))
            }

            fn invoke(call: $crate::Call) -> Result<String, $crate::Error> {
                $crate::only($operation, &call)?;
                ($invoke)($crate::parse(&call.input))
            }
        }

        ::portcullis_sdk::bindings::export!(Component with_types_in ::portcullis_sdk::bindings);
    };
}

/// A descriptor of one operation that takes and returns anything, and of one route, `GET {baseUrl}/allowed`.
#[must_use]
pub fn descriptor(name: &str, operation: &str, config: &str) -> Descriptor {
    Descriptor {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: format!("A guest for tests: {name}."),
        slots: Vec::new(),
        routes: vec![route("allowed", Method::Get, &format!("{}/allowed", base_url(config)))],
        operations: vec![Operation {
            name: operation.to_owned(),
            description: format!("What {name} does."),
            effect: Effect::Read,
            input: json!({"type": "object"}).to_string(),
            output: "true".to_owned(),
            routes: vec!["allowed".to_owned()],
        }],
    }
}

/// A route without slots, query, headers and body, repeated where its method says that it may be.
#[must_use]
pub fn route(id: &str, method: Method, url: &str) -> Route {
    Route {
        id: id.to_owned(),
        description: format!("The route `{id}`."),
        method,
        url: url.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        slots: Vec::new(),
        links: Vec::new(),
        request: None,
        repeat: match method {
            Method::Post | Method::Patch => Repeat::Never,
            _ => Repeat::Idempotent,
        },
        response: "true".to_owned(),
    }
}

/// `{ "baseUrl": string }`, optional.
#[must_use]
pub fn config_schema() -> String {
    json!({"type": "object", "properties": {"baseUrl": {"type": "string"}}, "additionalProperties": false}).to_string()
}

/// The config's `baseUrl`, without a slash at its end; `https://api.example.com` where there is none.
#[must_use]
pub fn base_url(config: &str) -> String {
    let config = parse(config);
    let base = config.get("baseUrl").and_then(Value::as_str).unwrap_or("https://api.example.com");
    base.trim_end_matches('/').to_owned()
}

/// JSON text as a value; null where it is none.
#[must_use]
pub fn parse(text: &str) -> Value {
    text.parse().unwrap_or_default()
}

/// Fails unless the call is for this operation.
pub fn only(operation: &str, call: &Call) -> Result<(), Error> {
    if call.operation == operation { Ok(()) } else { Err(Error::UnknownOperation(call.operation.clone())) }
}

/// A whole number in the input, or this one.
#[must_use]
pub fn number(input: &Value, name: &str, otherwise: u64) -> u64 {
    input.get(name).and_then(Value::as_u64).unwrap_or(otherwise)
}
