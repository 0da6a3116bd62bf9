//! Write a Portcullis adapter.
//!
//! An adapter is a WASI component that reads its call, asks the host to send the HTTP requests it was granted, and
//! returns a result. It never sees a secret, a socket or a file. This crate is its side of the contract
//! (`portcullis:adapter@0.1.0`): types, routes and functions are written once, and the JSON Schemas, the descriptor an
//! operator reviews, the capability request, the answers of sandbox mode and the reference all come from those lines.
//!
//! # A complete adapter
//!
//! ```
//! use portcullis_sdk::prelude::*;
//!
//! #[model]
//! #[serde(rename_all = "camelCase")]
//! struct Config {
//!     /// The server's base URL.
//!     base_url: String,
//! }
//!
//! const TOKEN: Slot = Slot::bearer("token").describe("An API token, from Settings, API.");
//! const GET_TASK: Route<GetTask, Task> = Route::get("get-task", "/tasks/{id}").slot(&TOKEN).describe("Reads one task.");
//! const ADD_TASK: Route<NewTask, Task> = Route::post("add-task", "/tasks").slot(&TOKEN).describe("Adds one task.");
//!
//! #[model]
//! struct GetTask {
//!     id: u64,
//! }
//!
//! #[model]
//! struct NewTask {
//!     title: String,
//! }
//!
//! #[model]
//! struct Task {
//!     id: u64,
//!     #[schema(example = "Water the plants")] title: String,
//! }
//!
//! /// Reads one task.
//! #[operation(read, uses(GET_TASK))]
//! fn get_task(cx: &Context<Config>, input: GetTask) -> Result<Task, Failure> {
//!     cx.send(&GET_TASK, &input)
//! }
//!
//! /// Adds a task.
//! #[operation(write, uses(ADD_TASK))]
//! fn add_task(cx: &Context<Config>, input: NewTask) -> Result<Task, Failure> {
//!     cx.send(&ADD_TASK, &input)
//! }
//!
//! register!(config: Config, base: |config| &config.base_url, operations: [get_task, add_task]);
//! # fn main() {}
//! ```
//!
//! Name, version and description come from the package:
//!
//! ```toml
//! [package]
//! name = "tasks"
//! version = "0.1.0"
//! edition = "2024"
//! description = "Reads and adds tasks."
//!
//! [lib]
//! crate-type = ["cdylib", "rlib"] # the component, and a library for tests
//!
//! [dependencies]
//! portcullis-sdk = { path = "../portcullis/sdk" }
//!
//! [profile.release] # small beats fast: an adapter is loaded and started far more often than it is busy
//! opt-level = "s"
//! lto = true
//! codegen-units = 1
//! panic = "abort"
//! strip = true
//! ```
//!
//! Build it with `rustup target add wasm32-wasip2`, then
//! `RUSTFLAGS=-Clink-arg=-zstack-size=65536 cargo build --release --target wasm32-wasip2`: a small stack is a small memory
//! to set up for each call ([`limits`] says where the flag stands for good). Look at what you have built with `portcullis inspect target/wasm32-wasip2/release/tasks.wasm`.
//!
//! # Where to look
//!
//! | you want to | see |
//! | --- | --- |
//! | describe a request and its answer | [`Route`]: what goes in the path, the query and the body |
//! | name a secret, in a header, the query, the path, a cookie or the body | [`Slot`] |
//! | send several secrets with one request | [`Route::slot`], once for each |
//! | have requests signed, or sent with a client certificate | [`Slot::sigv4`], [`Slot::hmac`], [`Slot::client_certificate`] |
//! | take tokens of an authorization server | [`Slot::oauth`], [`OAuth`]; `oauth:` in [`register!`] for what the config says |
//! | read what came beside a token | [`Context::value`] |
//! | sign and verify messages with a key that is never sent | [`SigningKey`], [`Context::sign`], [`Context::verify`] |
//! | send, log | [`Context`] |
//! | send forms, files, bytes, headers that vary | [`Route::form`], [`Route::multipart`], [`Route::raw`], [`Route::header_fields`] |
//! | pass on an answer without decoding it | [`Json`] |
//! | follow links that the provider writes | [`Route::links`] |
//! | read a list that comes in pages | [`Context::collect`], [`Context::pages`], [`paging::Paging`] |
//! | send many items, so many at a time | [`Context::send_in_batches`] |
//! | have something done once | [`Route::idempotency_key`] |
//! | fail well | [`Failure`], [`Error`]; codes of host errors in [`Failure::from_http`] |
//! | turn a provider's error form into stable codes | [`Errors`] |
//! | tell success from failure by the body | [`Route::success`], `success:` in [`register!`] |
//! | make routes and operations from a config | [`UntypedRoute`], [`Judge`], `describe:` and `run:` in [`register!`] |
//! | give all of a provider's errors stable codes | `error:` in [`register!`], or [`Route::error`] |
//! | test without a network | `testing::Fake` (not built for WebAssembly) |
//! | say what sandbox mode answers | `example` in [`model`](macro@model), [`Route::examples`] |
//! | know what bounds a call, and what they are by default | [`limits`] |
//! | know which types a model takes, null, shapes, default headers | [`types`] |
//! | write a type's schema by hand | [`schema`] |
//! | see the contract | [`bindings`] |
//!
//! # What a call costs
//!
//! `invoke` finds the operation by name, parses config and input once each, and runs the function. Schemas are made by
//! `config-schema` and `describe` only. Nothing here uses hash maps, clocks or random numbers, so an adapter imports none of them.

// The macros write `::portcullis_sdk::…`, in this crate too.
extern crate self as portcullis_sdk;

pub mod bindings;

mod adapter;
mod body;
mod context;
mod date;
mod describe;
mod document;
mod encode;
mod errors;
mod failure;
mod host;
mod json;
#[doc = include_str!("../docs/limits.md")]
pub mod limits {}
mod misread;
mod operation;
pub mod paging;
mod request;
mod response;
mod retry;
mod route;
pub mod schema;
mod shape;
mod slot;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(test)]
mod tests;
#[doc = include_str!("../docs/types.md")]
pub mod types {}
mod value;

pub use adapter::{Adapter, check, describe_entries, run_entry};
pub use bindings::portcullis::adapter::credentials::MacAlgorithm;
pub use bindings::portcullis::adapter::descriptor::{
    Descriptor, Effect, Oauth as DeclaredOAuth, Operation as DescribedOperation,
};
pub use bindings::portcullis::adapter::http::{Header, Request, Response};
pub use bindings::portcullis::adapter::log::Level;
pub use bindings::portcullis::adapter::types::Method;
pub use context::Context;
pub use describe::{Declare, Declared};
pub use errors::Errors;
pub use failure::{Error, Failure};
pub use json::{File, Json};
pub use operation::{Entry, Operation};
pub use portcullis_sdk_macros::{model, operation, register};
pub use route::{Encoding, Judge, Link, Place, Repeat, Route, UntypedRoute};
pub use slot::{Hmac, OAuth, SigningKey, Slot};
pub use value::{Map, Number, Value};

#[doc(hidden)]
pub use {serde, serde_json};

/// What an adapter imports: `use portcullis_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Context, Error, Errors, Failure, File, Hmac, Json, Level, MacAlgorithm, Number, OAuth, Response, Route,
        SigningKey, Slot, Value, json, model, operation, register,
    };
}

/// What the component exports, for the lines that [`register!`] writes.
#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
pub mod export {
    pub use crate::adapter::{config_schema, describe, invoke};
}
