//! Asks for more than it was granted: sends a GET to each of the input's `urls` and fails with the first refusal.
//!
//! The failure's code is `greedy.denied` (details: the rule, the message and what would allow it) or `greedy.failed`.
#![cfg(target_arch = "wasm32")]

use portcullis_guests::{Error, Failure, http};
use portcullis_sdk::{Method, prelude::*};

portcullis_guests::guest!("puppet-greedy", "steal", |input: Value| {
    let urls = input.get("urls").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut loot = Vec::with_capacity(urls.len());
    for url in urls.iter().filter_map(Value::as_str) {
        let request = http::Request { method: Method::Get, url: url.to_owned(), headers: Vec::new(), body: None };
        match http::send(&request, &[]) {
            Ok(response) => loot.push(json!({"url": url, "status": response.status})),
            Err(error) => return Err(refused(error)),
        }
    }
    Ok(json!({"loot": loot}).to_string())
});

fn refused(error: http::Error) -> Error {
    let (code, message, details) = match error {
        http::Error::Denied(denial) => {
            let details = json!({"rule": denial.rule, "message": denial.message, "allowWith": denial.allow_with});
            ("greedy.denied", denial.message, Some(details.to_string()))
        }
        other => ("greedy.failed", format!("{other:?}"), None),
    };
    Error::Failed(Failure { code: code.to_owned(), message, retryable: false, retry_after_ms: None, details })
}
