//! Sends one request with `count` header fields (by default 32,769), none of which is worth anything.
#![cfg(target_arch = "wasm32")]

use portcullis_guests::{base_url, http, number};
use portcullis_sdk::{Method, prelude::Value};

portcullis_guests::guest!("hostile-header-flood", "flood", |input: Value| {
    let header = http::Header { name: "accept".to_owned(), value: b"a/b".to_vec() };
    let headers = vec![header; usize::try_from(number(&input, "count", 32_769)).unwrap_or(0)];
    let url = format!("{}/allowed", base_url(&input.to_string()));
    let request = http::Request { method: Method::Get, url, headers, body: None };
    match http::send(&request, &[]) {
        Ok(response) => Ok(format!(r#"{{"status": {}}}"#, response.status)),
        Err(http::Error::Bound(bound)) => Ok(format!(r#"{{"bound": "{}"}}"#, bound.name)),
        Err(_) => Ok(r#"{"bound": null}"#.to_owned()),
    }
});
