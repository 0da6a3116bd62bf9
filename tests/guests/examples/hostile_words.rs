//! Writes what its input says where a host records it: opens the slot `slot`, asks for the URL `url`, logs `log`, and fails with
//! the code `code` and the message `message` where there is a code.
#![cfg(target_arch = "wasm32")]

use portcullis_guests::{Error, Failure, credentials, http, log};
use portcullis_sdk::bindings::portcullis::adapter::types::Method;
use portcullis_sdk::prelude::Value;

portcullis_guests::guest!("hostile-words", "speak", |input: Value| -> Result<String, Error> {
    let text = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(slot) = text("slot") {
        drop(credentials::open(&slot));
    }
    if let Some(url) = text("url") {
        drop(http::send(&http::Request { method: Method::Get, url, headers: Vec::new(), body: None }, &[]));
    }
    if let Some(words) = text("log") {
        log::write(log::Level::Info, &words);
    }
    match text("code") {
        Some(code) => {
            let message = text("message").unwrap_or_default();
            Err(Error::Failed(Failure { code, message, retryable: false, retry_after_ms: None, details: None }))
        }
        None => Ok("true".to_owned()),
    }
});
