//! Needs a config before it can describe itself, and holds data about people, marked as such.
//!
//! `readPatient` reads one patient; `fail` fails, retryable after the input's `retryAfterMs`.
#![cfg(target_arch = "wasm32")]

use portcullis_guests::{Call, Error, Failure, Guest, Invalid, base_url, credentials, http, number, parse, route};
use portcullis_sdk::{
    Descriptor, Effect, Method,
    bindings::{
        self,
        portcullis::adapter::descriptor::{Operation, Route, Scheme, Slot},
    },
    prelude::{Value, json},
};

struct Component;

impl Guest for Component {
    fn config_schema() -> String {
        json!({
            "type": "object",
            "required": ["baseUrl", "auth"],
            "properties": {
                "baseUrl": {"type": "string", "format": "uri", "description": "Where the server's resources are."},
                "auth": {"enum": ["bearer", "none"], "description": "How it knows who asks."},
                "pageSize": {"type": "integer", "default": 50, "description": "Most entries on one page."},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "additionalProperties": false,
        })
        .to_string()
    }

    fn describe(config: String) -> Result<Descriptor, Error> {
        let read = Method::Get;
        if parse(&config).get("pageSize").and_then(Value::as_u64) == Some(0) {
            let message = "a page has at least one entry; write 1 to 1000".to_owned();
            return Err(Error::InvalidConfig(Invalid { pointer: "/pageSize".to_owned(), message }));
        }
        let patient = json!({
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string", "x-sensitive": true},
                "birthDate": {"type": "string", "format": "date", "x-sensitive": true},
                "contact": {"type": "array", "items": {"properties": {"telecom": {"type": "string", "x-sensitive": true}}}},
            },
        });
        let operation = |name: &str, input: Value, output: &Value, routes: &[&str]| Operation {
            name: name.to_owned(),
            description: format!("What `{name}` does."),
            effect: Effect::Read,
            input: input.to_string(),
            output: output.to_string(),
            routes: routes.iter().map(|id| (*id).to_owned()).collect(),
        };
        let identifier = json!({"type": "object", "properties": {"id": {"type": "string", "x-sensitive": true}}});
        Ok(Descriptor {
            name: "puppet-clinic".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "A guest for tests that knows patients.".to_owned(),
            slots: vec![Slot {
                name: "clinic-token".to_owned(),
                description: "A token.".to_owned(),
                scheme: Scheme::Bearer,
                oauth: None,
            }],
            routes: vec![Route {
                slots: vec!["clinic-token".to_owned()],
                response: patient.to_string(),
                ..route("read-patient", read, &format!("{}/Patient/{{id}}", base_url(&config)))
            }],
            operations: vec![
                operation("readPatient", identifier, &patient, &["read-patient"]),
                operation("fail", json!({"type": "object"}), &Value::Bool(true), &[]),
            ],
        })
    }

    fn invoke(call: Call) -> Result<String, Error> {
        let input = parse(&call.input);
        let failed = |code: &str, message: String, retryable, retry_after_ms| {
            let code = code.to_owned();
            Err(Error::Failed(Failure { code, message, retryable, retry_after_ms, details: None }))
        };
        if call.operation == "fail" {
            let after = input.get("retryAfterMs").and_then(Value::as_u64);
            return failed("clinic.busy", "The clinic is busy.".to_owned(), number(&input, "retryable", 1) == 1, after);
        }
        let id = input.get("id").and_then(Value::as_str).unwrap_or("1");
        let url = format!("{}/Patient/{id}", base_url(&call.config));
        let token = credentials::open("clinic-token").ok();
        let token: Vec<_> = token.iter().collect();
        let request = http::Request { method: Method::Get, url, headers: Vec::new(), body: None };
        match http::send(&request, &token) {
            Ok(response) => Ok(String::from_utf8_lossy(&response.body).into_owned()),
            Err(error) => failed("clinic.unreachable", format!("{error:?}"), false, None),
        }
    }
}

bindings::export!(Component with_types_in bindings);
