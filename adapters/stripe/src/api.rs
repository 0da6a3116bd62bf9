//! What all of Stripe's endpoints have in common.

use portcullis_sdk::prelude::*;

use crate::slots::SECRET_KEY;

/// The version that requests ask for and types follow, whatever the account is set to. It is that of the description
/// which the types are checked against (Stripe's own OpenAPI description, `info.version`).
pub(crate) const VERSION: &str = "2020-08-27";

const HEADERS: &[(&str, &str)] = &[("Stripe-Version", VERSION)];

/// A route that reads.
pub(crate) const fn get<Request, Answer>(id: &'static str, path: &'static str) -> Route<Request, Answer> {
    Route::get(id, path).slot(&SECRET_KEY).headers(HEADERS).brackets()
}

/// A route that changes something: once for each key, for as long as Stripe remembers it (at least a day).
pub(crate) const fn post<Request, Answer>(id: &'static str, path: &'static str) -> Route<Request, Answer> {
    let route = Route::post(id, path).slot(&SECRET_KEY).headers(HEADERS);
    route.form().brackets().idempotency_key("Idempotency-Key")
}
