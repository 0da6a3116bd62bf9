//! Reads a file with std, and so imports `wasi:filesystem`.
#![cfg(target_arch = "wasm32")]

use std::fs;

use portcullis_sdk::prelude::Value;

portcullis_guests::guest!("hostile-imports-files", "readFile", |input: Value| {
    let path = input.get("path").and_then(Value::as_str).unwrap_or("/etc/passwd");
    Ok(format!(r#"{{"read": {}}}"#, fs::read(path).is_ok()))
});
