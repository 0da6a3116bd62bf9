//! Asks for the folders it was given, and so imports `wasi:filesystem`.
#![cfg(target_arch = "wasm32")]

use portcullis_sdk::prelude::Value;
use wasip2::filesystem::preopens::get_directories;

portcullis_guests::guest!("hostile-imports-files", "readFile", |_input: Value| {
    Ok(format!(r#"{{"read": {}}}"#, !get_directories().is_empty()))
});
