//! Panics with the input's `message`.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::panic, reason = "it is what this guest is for")]

use portcullis_guests::Error;
use portcullis_sdk::prelude::Value;

portcullis_guests::guest!("hostile-panic", "panic", |input: Value| -> Result<String, Error> {
    panic!("{}", input.get("message").and_then(Value::as_str).unwrap_or("a guest panicked"))
});
