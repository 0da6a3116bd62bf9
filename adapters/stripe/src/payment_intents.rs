//! Payments: created, confirmed, captured, canceled, read.
//!
//! To confirm takes the customer's money, or blocks it where it is captured later, and to capture takes it; that can be paid
//! back with another payment, and not be undone. A canceled payment cannot be taken up again. So all three are
//! `destructive`. To create one is not: Stripe's `confirm`, which would do both at once, is left out on purpose, so that who
//! may create payments may not yet take money.

use portcullis_sdk::prelude::*;

use crate::{
    api,
    common::{Expansion, Metadata, PaymentShipping},
    config::Config,
    money,
    payment_intent::PaymentIntent,
};

pub(crate) const CREATE: Route<Json<NewPaymentIntent>, Json<PaymentIntent>> =
    api::post("create-payment-intent", "/v1/payment_intents")
        .describe("Creates a payment, without taking money.")
        .examples(&[("status", "requires_confirmation"), ("amount_received", "0")]);
pub(crate) const GET: Route<Json<GetPaymentIntent>, Json<PaymentIntent>> =
    api::get("get-payment-intent", "/v1/payment_intents/{intent:word(1..255)}").describe("Reads a payment.");
pub(crate) const CONFIRM: Route<Json<Confirmation>, Json<PaymentIntent>> =
    api::post("confirm-payment-intent", "/v1/payment_intents/{intent:word(1..255)}/confirm")
        .describe("Takes the money of a payment, or blocks it.");
pub(crate) const CAPTURE: Route<Json<Capture>, Json<PaymentIntent>> =
    api::post("capture-payment-intent", "/v1/payment_intents/{intent:word(1..255)}/capture")
        .describe("Takes money that was blocked.")
        .examples(&[("capture_method", "manual")]);
pub(crate) const CANCEL: Route<Json<Cancellation>, Json<PaymentIntent>> =
    api::post("cancel-payment-intent", "/v1/payment_intents/{intent:word(1..255)}/cancel")
        .describe("Cancels a payment for good.")
        .examples(&[
            ("status", "canceled"),
            ("amount_received", "0"),
            ("canceled_at", "1772449200"),
            ("cancellation_reason", "requested_by_customer"),
        ]);

/// Creates a payment, to be confirmed by the customer's browser or by `confirmPaymentIntent`. No money moves yet.
#[operation(write, uses(CREATE))]
pub(crate) fn create_payment_intent(
    cx: &Context<Config>,
    input: Json<NewPaymentIntent>,
) -> Result<Json<PaymentIntent>, Error> {
    let amount = money::amount(&input, "/amount")?.unwrap_or_default();
    money::check(input.value().get("currency").and_then(Value::as_str).unwrap_or_default(), amount)?;
    is_a_part(&input, "/application_fee_amount", amount)?;
    is_a_part(&input, "/transfer_data/amount", amount)?;
    Ok(cx.send(&CREATE, &input)?)
}

/// Reads a payment.
#[operation(read, uses(GET))]
pub(crate) fn get_payment_intent(
    cx: &Context<Config>,
    input: Json<GetPaymentIntent>,
) -> Result<Json<PaymentIntent>, Failure> {
    cx.send(&GET, &input)
}

/// Confirms a payment: the customer's money is taken, or blocked where `capture_method` is `manual`. An output whose status
/// is `requires_action` says in `next_action` what the customer has to do; a card that is declined is a failure.
#[operation(destructive, uses(CONFIRM))]
pub(crate) fn confirm_payment_intent(
    cx: &Context<Config>,
    input: Json<Confirmation>,
) -> Result<Json<PaymentIntent>, Failure> {
    cx.send(&CONFIRM, &input)
}

/// Takes money that a confirmed payment has blocked: all of it, or a part, and then the rest is free again.
#[operation(destructive, uses(CAPTURE))]
pub(crate) fn capture_payment_intent(cx: &Context<Config>, input: Json<Capture>) -> Result<Json<PaymentIntent>, Error> {
    let captured = money::amount(&input, "/amount_to_capture")?;
    money::check_amount("/amount_to_capture", captured)?;
    is_a_part(&input, "/application_fee_amount", captured.unwrap_or(u64::MAX))?;
    Ok(cx.send(&CAPTURE, &input)?)
}

/// Cancels a payment that has not succeeded, for good. What was blocked is free again.
#[operation(destructive, uses(CANCEL))]
pub(crate) fn cancel_payment_intent(
    cx: &Context<Config>,
    input: Json<Cancellation>,
) -> Result<Json<PaymentIntent>, Failure> {
    cx.send(&CANCEL, &input)
}

/// Nobody can have more of a payment than there is.
fn is_a_part<T>(input: &Json<T>, pointer: &str, whole: u64) -> Result<(), Error> {
    match money::amount(input, pointer)? {
        Some(part) if part > whole => {
            let message = format!("it is a part of the payment's {whole}, and {part} is more");
            Err(Error::invalid_input(pointer, message))
        }
        _ => Ok(()),
    }
}

/// A payment to be.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPaymentIntent {
    /// How much, as a whole number of the currency's minor unit: 2000 is 20.00 euros, and 2000 yen.
    #[schema(range(min = 1, max = 999_999_999_999), example = 2000)]
    pub(crate) amount: u64,
    /// Three lower-case letters (ISO 4217), as in `eur`.
    #[schema(pattern = r"^[A-Za-z]{3}$", example = "eur")]
    pub(crate) currency: String,
    /// Who pays: a customer's id.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$")]
    pub(crate) customer: Option<String>,
    /// With what: a payment method's id.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$")]
    pub(crate) payment_method: Option<String>,
    /// With what the customer may pay, as in `card`. By default what is set in Stripe's dashboard, or `card`.
    #[schema(length(max = 50))]
    pub(crate) payment_method_types: Option<Vec<String>>,
    /// To let the customer pay with whatever is set in Stripe's dashboard.
    pub(crate) automatic_payment_methods: Option<AutomaticPaymentMethods>,
    /// When money is taken. By default as soon as the payment is confirmed.
    pub(crate) capture_method: Option<CaptureMethod>,
    /// Who may confirm. By default the customer's browser as well.
    pub(crate) confirmation_method: Option<ConfirmationMethod>,
    /// Whether the payment method is kept, for payments with the customer there or without.
    pub(crate) setup_future_usage: Option<FutureUsage>,
    /// Anything, for yourself.
    #[schema(length(max = 1000))]
    pub(crate) description: Option<String>,
    /// Where Stripe sends a receipt.
    #[schema(email, length(max = 800), sensitive)]
    pub(crate) receipt_email: Option<String>,
    /// Where goods go.
    #[schema(sensitive)]
    pub(crate) shipping: Option<PaymentShipping>,
    /// What stands on the customer's statement, where it is no card's.
    #[schema(length(max = 22))]
    pub(crate) statement_descriptor: Option<String>,
    /// What stands on a card's statement behind the account's own text.
    #[schema(length(max = 22))]
    pub(crate) statement_descriptor_suffix: Option<String>,
    /// For platforms (Connect): what the platform keeps.
    pub(crate) application_fee_amount: Option<u64>,
    /// For platforms (Connect): the account that does the business.
    #[schema(pattern = r"^acct_[A-Za-z0-9]{1,250}$")]
    pub(crate) on_behalf_of: Option<String>,
    /// For platforms (Connect): the account that gets the money.
    pub(crate) transfer_data: Option<TransferData>,
    /// For platforms (Connect): a name for payments and transfers that belong together.
    #[schema(length(max = 5000))]
    pub(crate) transfer_group: Option<String>,
    /// Keys and values of your own.
    pub(crate) metadata: Option<Metadata>,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// Whether the customer may pay with whatever is set in Stripe's dashboard.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct AutomaticPaymentMethods {
    /// Whether.
    pub(crate) enabled: bool,
}

/// When money is taken.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CaptureMethod {
    Automatic,
    Manual,
}

/// Who may confirm.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ConfirmationMethod {
    Automatic,
    Manual,
}

/// What a payment method is kept for.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FutureUsage {
    OnSession,
    OffSession,
}

/// Which account gets the money, and how much of it.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferData {
    /// The account.
    #[schema(pattern = r"^acct_[A-Za-z0-9]{1,250}$")]
    pub(crate) destination: String,
    /// How much. By default all.
    pub(crate) amount: Option<u64>,
}

/// Which payment.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetPaymentIntent {
    /// The payment's id.
    #[schema(pattern = r"^pi_[A-Za-z0-9_]{1,252}$", example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    pub(crate) intent: String,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// Which payment to confirm, and how.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The payment's id.
    #[schema(pattern = r"^pi_[A-Za-z0-9_]{1,252}$", example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    pub(crate) intent: String,
    /// With what: a payment method's id, where the payment has none yet, or another one.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$")]
    pub(crate) payment_method: Option<String>,
    /// Whether the customer is not there to be asked.
    pub(crate) off_session: Option<bool>,
    /// Whether to fail where the customer would have to do something.
    pub(crate) error_on_requires_action: Option<bool>,
    /// Where the customer comes back to from another page.
    #[schema(url, length(max = 5000))]
    pub(crate) return_url: Option<String>,
    /// The mandate for a direct debit.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$")]
    pub(crate) mandate: Option<String>,
    /// Where Stripe sends a receipt.
    #[schema(email, length(max = 800), sensitive)]
    pub(crate) receipt_email: Option<String>,
    /// Whether the payment method is kept, for payments with the customer there or without.
    pub(crate) setup_future_usage: Option<FutureUsage>,
    /// Where goods go.
    #[schema(sensitive)]
    pub(crate) shipping: Option<PaymentShipping>,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// Which payment to take, and how much of it.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Capture {
    /// The payment's id.
    #[schema(pattern = r"^pi_[A-Za-z0-9_]{1,252}$", example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    pub(crate) intent: String,
    /// How much, in the currency's minor unit. By default all that was blocked.
    pub(crate) amount_to_capture: Option<u64>,
    /// For platforms (Connect): what the platform keeps.
    pub(crate) application_fee_amount: Option<u64>,
    /// What stands on the customer's statement, where it is no card's.
    #[schema(length(max = 22))]
    pub(crate) statement_descriptor: Option<String>,
    /// What stands on a card's statement behind the account's own text.
    #[schema(length(max = 22))]
    pub(crate) statement_descriptor_suffix: Option<String>,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// Which payment to cancel, and why.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancellation {
    /// The payment's id.
    #[schema(pattern = r"^pi_[A-Za-z0-9_]{1,252}$", example = "pi_3MtwBwLkdIwHu7ix28a3tqPa")]
    pub(crate) intent: String,
    /// Why.
    pub(crate) cancellation_reason: Option<CancellationReason>,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// Why a payment is canceled.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancellationReason {
    Duplicate,
    Fraudulent,
    RequestedByCustomer,
    Abandoned,
}
