//! Stripe: customers, payments and refunds.
//!
//! Field names and values are Stripe's own, so that its documentation applies (<https://docs.stripe.com/api>). Amounts are
//! whole numbers of a currency's minor unit, and are checked before anything is sent. What takes or gives back money is
//! `destructive`. Requests are forms with brackets; each POST carries an `Idempotency-Key`, the caller's or else the call's id.

mod api;
mod common;
mod config;
mod customers;
mod errors;
mod money;
mod payment_intent;
mod payment_intents;
mod refunds;
mod search;
mod slots;

#[cfg(test)]
mod tests;

use config::Config;
use customers::{create_customer, get_customer, list_customers, update_customer};
use payment_intents::{
    cancel_payment_intent, capture_payment_intent, confirm_payment_intent, create_payment_intent, get_payment_intent,
};
use refunds::{create_refund, get_refund};
use search::search_customers;

portcullis_sdk::register!(
    config: Config,
    base: |config| &config.base_url,
    headers: |config| config.account.iter().map(|account| ("Stripe-Account", account.clone())).collect(),
    success: errors::is_success,
    error: errors::failure,
    operations: [
        create_customer,
        get_customer,
        update_customer,
        list_customers,
        search_customers,
        create_payment_intent,
        get_payment_intent,
        confirm_payment_intent,
        capture_payment_intent,
        cancel_payment_intent,
        create_refund,
        get_refund,
    ],
);
