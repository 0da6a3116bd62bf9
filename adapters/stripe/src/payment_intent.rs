//! A PaymentIntent: one payment, from the wish to the money.

use portcullis_sdk::prelude::*;

use crate::common::{Expandable, KnownShipping};

/// A payment. `status` says how far it is and what it waits for: one that waits for the customer (`requires_action`) has
/// `next_action`, one whose last attempt failed has `last_payment_error`.
#[model]
#[derive(Debug)]
pub(crate) struct PaymentIntent {
    /// The id.
    #[schema(
        example = "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        example = "pi_3MrPBM2eZvKYlo2C1TEMacFD",
        example = "pi_3MmlLrLkdIwHu7ix0uke3Ezy"
    )]
    pub(crate) id: String,
    /// Always `payment_intent`.
    pub(crate) object: PaymentIntentObject,
    /// `requires_payment_method`, `requires_confirmation`, `requires_action`, `processing`, `requires_capture`, `canceled` or
    /// `succeeded`.
    #[schema(example = "succeeded")]
    pub(crate) status: String,
    /// How much, in the currency's minor unit.
    #[schema(example = 2000)]
    pub(crate) amount: i64,
    /// How much can be captured.
    #[schema(example = 0)]
    pub(crate) amount_capturable: Option<i64>,
    /// How much was received.
    #[schema(example = 2000)]
    pub(crate) amount_received: Option<i64>,
    /// Three lower-case letters (ISO 4217).
    pub(crate) currency: String,
    /// What the customer's browser completes the payment with. Whoever has it can do so: give it to nobody else.
    #[schema(sensitive)]
    pub(crate) client_secret: Option<String>,
    /// Who pays.
    #[schema(example = "cus_NffrFeUfNV2Hib")]
    pub(crate) customer: Option<Expandable>,
    /// With what.
    #[schema(example = "pm_1MtwBuLkdIwHu7ixVbVtY9uR")]
    pub(crate) payment_method: Option<Expandable>,
    /// With what the customer may pay.
    #[schema(example = ["card"])]
    pub(crate) payment_method_types: Option<Vec<String>>,
    /// What has to happen so that the payment goes on.
    #[schema(sensitive, example = null)]
    pub(crate) next_action: Option<NextAction>,
    /// Why the last attempt failed.
    #[schema(example = null)]
    pub(crate) last_payment_error: Option<PaymentError>,
    /// Whether money is taken at once (`automatic`) or when it is captured (`manual`).
    #[schema(example = "automatic")]
    pub(crate) capture_method: Option<String>,
    /// Who confirms: the customer's browser as well (`automatic`), or the server alone (`manual`).
    #[schema(example = "automatic")]
    pub(crate) confirmation_method: Option<String>,
    /// When it was created, in seconds since 1970.
    #[schema(example = 1_767_607_200, example = 1_769_421_600, example = 1_772_445_600)]
    pub(crate) created: Option<i64>,
    /// When it was canceled, in seconds since 1970.
    #[schema(example = null)]
    pub(crate) canceled_at: Option<i64>,
    /// Why it was canceled.
    #[schema(example = null)]
    pub(crate) cancellation_reason: Option<String>,
    /// Whether it is real, or for tests.
    #[schema(example = false)]
    pub(crate) livemode: Option<bool>,
    /// What was noted.
    pub(crate) description: Option<String>,
    /// Where Stripe sends a receipt.
    #[schema(sensitive)]
    pub(crate) receipt_email: Option<String>,
    /// Whether the payment method is kept for later payments.
    #[schema(example = null)]
    pub(crate) setup_future_usage: Option<String>,
    /// Where goods go.
    #[schema(sensitive)]
    pub(crate) shipping: Option<KnownShipping>,
    /// What stands on the customer's statement.
    #[schema(example = "ACME ORDER 6735")]
    pub(crate) statement_descriptor: Option<String>,
    /// Keys and values of the caller's own.
    #[schema(example = {"order_id": "6735"})]
    pub(crate) metadata: Option<Value>,
}

/// Always `payment_intent`.
#[model]
#[derive(Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PaymentIntentObject {
    PaymentIntent,
}

/// What has to happen so that a payment goes on. Other kinds have a field of their type's name.
#[model]
#[derive(Debug)]
pub(crate) struct NextAction {
    /// `redirect_to_url`, `use_stripe_sdk` or another one.
    pub(crate) r#type: String,
    /// The page that the customer has to see.
    pub(crate) redirect_to_url: Option<RedirectToUrl>,
}

/// A page that the customer has to see, and the one after it.
#[model]
#[derive(Debug)]
pub(crate) struct RedirectToUrl {
    /// The page.
    pub(crate) url: Option<String>,
    /// The page after it.
    pub(crate) return_url: Option<String>,
}

/// Why an attempt to pay failed.
#[model]
#[derive(Debug)]
pub(crate) struct PaymentError {
    /// The kind, such as `card_error`.
    pub(crate) r#type: Option<String>,
    /// The reason, such as `card_declined`.
    pub(crate) code: Option<String>,
    /// The card issuer's reason, such as `insufficient_funds`.
    pub(crate) decline_code: Option<String>,
    /// In words.
    pub(crate) message: Option<String>,
}
