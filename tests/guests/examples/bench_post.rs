//! What is measured: one POST with a credential, and nothing at all.
#![cfg(target_arch = "wasm32")]

use portcullis_sdk::prelude::*;

#[model]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Config {
    base_url: String,
}

const TOKEN: Slot = Slot::bearer("token").describe("A token.");
const POST: Route<Message, Posted> = Route::post("post", "/post").slot(&TOKEN).describe("Posts one message.");

#[model]
struct Message {
    to: String,
    subject: String,
    body: String,
}

#[model]
struct Posted {
    #[schema(example = "m-1")]
    id: String,
}

#[model]
struct Number {
    n: i64,
}

/// Posts one message.
#[operation(write, uses(POST))]
fn post(cx: &Context<Config>, message: Message) -> Result<Posted, Failure> {
    cx.send(&POST, &message)
}

/// Returns what it was given.
#[operation(read, uses())]
fn noop(_cx: &Context<Config>, number: Number) -> Result<Number, Failure> {
    Ok(number)
}

register!(name: "bench-post", config: Config, base: |config| &config.base_url, operations: [post, noop]);
