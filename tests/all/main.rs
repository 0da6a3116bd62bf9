//! Everything that is seen from outside: calls, refusals, hostile guests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

mod calls;
mod client_certificates;
mod compiling;
mod crash;
mod egress;
mod guests;
mod harness;
mod hostile;
mod needles;
mod numbers;
mod rates;
mod redirects;
mod requests;
mod resolver;
mod retention;
mod retries;
mod sandbox;
mod secrets;
mod state;
mod traces;
mod upstreams;
mod upstreams_custom_http;
mod upstreams_fhir;
mod upstreams_postmark;
mod upstreams_stripe;
