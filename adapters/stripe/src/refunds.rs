//! Refunds: money that is paid back, and cannot be asked for again. So creating one is `destructive`.

use portcullis_sdk::prelude::*;

use crate::{
    api,
    common::{Expandable, Expansion, Metadata},
    config::Config,
    money,
};

pub(crate) const CREATE: Route<Json<NewRefund>, Json<Refund>> =
    api::post("create-refund", "/v1/refunds").describe("Pays back a payment or a part of it.");
pub(crate) const GET: Route<Json<GetRefund>, Json<Refund>> =
    api::get("get-refund", "/v1/refunds/{refund:word(1..255)}").describe("Reads a refund.");

/// Pays back a payment, or a part of it, to where it came from. Stripe never pays back more than was paid.
#[operation(destructive, uses(CREATE))]
pub(crate) fn create_refund(cx: &Context<Config>, input: Json<NewRefund>) -> Result<Json<Refund>, Error> {
    money::check_amount("/amount", money::amount(&input, "/amount")?)?;
    Ok(cx.send(&CREATE, &input)?)
}

/// Reads a refund.
#[operation(read, uses(GET))]
pub(crate) fn get_refund(cx: &Context<Config>, input: Json<GetRefund>) -> Result<Json<Refund>, Failure> {
    cx.send(&GET, &input)
}

/// What to pay back: a payment, named by payment_intent or by charge.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
#[schema(extend("oneOf" = [{"required": ["payment_intent"]}, {"required": ["charge"]}]))]
pub(crate) struct NewRefund {
    /// The payment's id. Required if charge is not given.
    #[schema(pattern = r"^pi_[A-Za-z0-9_]{1,252}$", example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    pub(crate) payment_intent: Option<String>,
    /// The charge's id. Required if payment_intent is not given.
    #[schema(pattern = r"^(ch|py)_[A-Za-z0-9_]{1,252}$")]
    pub(crate) charge: Option<String>,
    /// How much, in the currency's minor unit. By default all that was not paid back yet.
    pub(crate) amount: Option<u64>,
    /// Why. Stripe learns from those that are fraudulent.
    pub(crate) reason: Option<RefundReason>,
    /// For platforms (Connect): whether what the platform kept is paid back as well.
    pub(crate) refund_application_fee: Option<bool>,
    /// For platforms (Connect): whether the account that got the money pays.
    pub(crate) reverse_transfer: Option<bool>,
    /// Keys and values of your own.
    pub(crate) metadata: Option<Metadata>,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// Why money is paid back.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundReason {
    Duplicate,
    Fraudulent,
    RequestedByCustomer,
}

/// Which refund.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetRefund {
    /// The refund's id.
    #[schema(pattern = r"^(re|pyr)_[A-Za-z0-9_]{1,251}$", example = "re_1Nispe2eZvKYlo2Cd31jOCgZ")]
    pub(crate) refund: String,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// A refund. `status` says how far it is; one that `failed` says why.
#[model]
#[derive(Debug)]
pub(crate) struct Refund {
    /// The id.
    #[schema(
        example = "re_1Nispe2eZvKYlo2Cd31jOCgZ",
        example = "re_3MmlLrLkdIwHu7ix0Lbl3PTW",
        example = "re_1Pgc72B7WZ01zgkWqPvrRrPE"
    )]
    pub(crate) id: String,
    /// Always `refund`.
    pub(crate) object: RefundObject,
    /// How much, in the currency's minor unit.
    #[schema(example = 2000)]
    pub(crate) amount: i64,
    /// Three lower-case letters (ISO 4217).
    pub(crate) currency: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    #[schema(example = "succeeded")]
    pub(crate) status: Option<String>,
    /// The payment.
    #[schema(example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    pub(crate) payment_intent: Option<Expandable>,
    /// The charge.
    #[schema(example = "ch_3MtwBwLkdIwHu7ix2p1t8sZj")]
    pub(crate) charge: Option<Expandable>,
    /// Why: `duplicate`, `fraudulent`, `requested_by_customer` or, from Stripe itself, `expired_uncaptured_charge`.
    #[schema(example = "requested_by_customer")]
    pub(crate) reason: Option<String>,
    /// Why it failed.
    #[schema(example = null)]
    pub(crate) failure_reason: Option<String>,
    /// When it was created, in seconds since 1970.
    #[schema(example = 1_767_607_200, example = 1_769_421_600, example = 1_772_445_600)]
    pub(crate) created: Option<i64>,
    /// The entry in the account's books.
    #[schema(example = "txn_1Nispe2eZvKYlo2CYezqFhEx")]
    pub(crate) balance_transaction: Option<Expandable>,
    /// What stands on the receipt.
    #[schema(example = "2427-3519")]
    pub(crate) receipt_number: Option<String>,
    /// Keys and values of the caller's own.
    #[schema(example = {"order_id": "6735"})]
    pub(crate) metadata: Option<Value>,
}

/// Always `refund`.
#[model]
#[derive(Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RefundObject {
    Refund,
}
