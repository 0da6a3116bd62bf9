//! Has the host work outside of its fuel: the schemas of its operation and of its route are those in its config.
//!
//! Config: `{"baseUrl": …, "input": SCHEMA, "output": SCHEMA, "response": SCHEMA}`. Input: `{"sends": how many requests,
//! "text": what a text is made of, "times": how often, "items": how many items}`. The output is that text, or a list of numbers.
#![cfg(target_arch = "wasm32")]

use portcullis_guests::{Call, Error, Guest, base_url, descriptor, http, number, only, parse};
use portcullis_sdk::{
    Descriptor, Method,
    bindings::{self},
    prelude::{Value, json},
};

struct Component;

impl Guest for Component {
    fn config_schema() -> String {
        json!({"type": "object"}).to_string()
    }

    fn describe(config: String) -> Result<Descriptor, Error> {
        let mut described = descriptor("hostile-work", "work", &config);
        let config = parse(&config);
        let schema = |name: &str| config.get(name).map(Value::to_string);
        for operation in &mut described.operations {
            operation.input = schema("input").unwrap_or_else(|| "true".to_owned());
            operation.output = schema("output").unwrap_or_else(|| "true".to_owned());
        }
        for route in &mut described.routes {
            route.response = schema("response").unwrap_or_else(|| "true".to_owned());
        }
        Ok(described)
    }

    fn invoke(call: Call) -> Result<String, Error> {
        only("work", &call)?;
        let input = parse(&call.input);
        let url = format!("{}/allowed", base_url(&call.config));
        for _ in 0..number(&input, "sends", 0) {
            let request = http::Request { method: Method::Get, url: url.clone(), headers: Vec::new(), body: None };
            // Whatever it is told, it goes on.
            drop(http::send(&request, &[]));
        }
        let times = usize::try_from(number(&input, "times", 0)).unwrap_or(0);
        let text = input.get("text").and_then(Value::as_str).unwrap_or_default().repeat(times);
        Ok(match number(&input, "items", 0) {
            0 => json!(text).to_string(),
            items => json!((0..items).collect::<Vec<_>>()).to_string(),
        })
    }
}

bindings::export!(Component with_types_in bindings);
