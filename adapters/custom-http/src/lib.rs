//! Custom HTTP: an adapter whose operations are data.
//!
//! Its config names the endpoints of an API: where each is, what goes in and what comes out, and how to tell a success.
//! What it describes is a descriptor like any other's, with routes as narrow as the config says; what is wrong with a
//! config is refused with the JSON Pointer to it.

mod auth;
mod call;
mod check;
mod config;
mod describe;
mod endpoint;
mod integers;
mod route;
mod rules;
mod schema;
mod shape;

#[cfg(test)]
mod tests;

use config::Config;

portcullis_sdk::register!(
    config: Config,
    base: |config| config.base_url.as_str(),
    check: check::config,
    oauth: auth::server,
    describe: describe::operations,
    run: call::run,
);
