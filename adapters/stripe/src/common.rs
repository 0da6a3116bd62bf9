//! Parts of several requests and answers.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

/// A field of the answer to return as a whole object instead of its id, as in `customer` or, in lists, `data.customer`.
#[model]
#[derive(Debug, Clone)]
#[serde(transparent)]
pub(crate) struct Expansion(#[schema(pattern = r"^[a-z0-9_]{1,64}(\.[a-z0-9_]{1,64}){0,4}$")] pub(crate) String);

/// The id of an object, or, where the request asked to expand it, the object.
#[model]
#[derive(Debug)]
#[serde(untagged)]
pub(crate) enum Expandable {
    Id(String),
    Object(BTreeMap<String, Value>),
}

/// Keys and values of the caller's own. An empty value unsets its key.
#[model]
#[derive(Debug, Clone, Default)]
#[serde(transparent)]
pub(crate) struct Metadata(
    #[schema(extend(
        "maxProperties" = 50,
        "propertyNames" = {"pattern": r"^[^\[\]]{1,40}$"},
        "additionalProperties" = {"type": "string", "maxLength": 500},
        "examples" = [{"order_id": "6735"}],
    ))]
    pub(crate) BTreeMap<String, String>,
);

/// Where somebody lives. In an update, an empty text unsets a part.
#[model]
#[derive(Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    /// City, district, suburb, town or village.
    pub(crate) city: Option<String>,
    /// Two letters (ISO 3166-1).
    #[schema(pattern = r"^([A-Z]{2})?$")]
    pub(crate) country: Option<String>,
    /// Street, post box or company.
    pub(crate) line1: Option<String>,
    /// Apartment, suite, unit or building.
    pub(crate) line2: Option<String>,
    /// Postal code.
    pub(crate) postal_code: Option<String>,
    /// State, county, province or region.
    pub(crate) state: Option<String>,
}

/// Where goods go, and to whom.
#[model]
#[derive(Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shipping {
    /// The address.
    pub(crate) address: Address,
    /// The recipient.
    #[schema(length(min = 1, max = 5000))]
    pub(crate) name: String,
    /// The recipient's telephone number.
    pub(crate) phone: Option<String>,
}

/// Where goods of a payment go, to whom, and who brings them.
#[model]
#[derive(Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentShipping {
    /// The address.
    pub(crate) address: Address,
    /// The recipient.
    #[schema(length(min = 1, max = 5000))]
    pub(crate) name: String,
    /// The recipient's telephone number.
    pub(crate) phone: Option<String>,
    /// The delivery service, such as DHL.
    pub(crate) carrier: Option<String>,
    /// The parcel's number.
    pub(crate) tracking_number: Option<String>,
}

/// Where somebody lives, as Stripe has it.
#[model]
#[derive(Debug)]
pub(crate) struct KnownAddress {
    /// City, district, suburb, town or village.
    #[schema(example = "Berlin")]
    pub(crate) city: Option<String>,
    /// Two letters (ISO 3166-1).
    #[schema(example = "DE")]
    pub(crate) country: Option<String>,
    /// Street, post box or company.
    #[schema(example = "Unter den Linden 1")]
    pub(crate) line1: Option<String>,
    /// Apartment, suite, unit or building.
    #[schema(example = "2nd floor")]
    pub(crate) line2: Option<String>,
    /// Postal code.
    #[schema(example = "10117")]
    pub(crate) postal_code: Option<String>,
    /// State, county, province or region.
    #[schema(example = "BE")]
    pub(crate) state: Option<String>,
}

/// Where goods go, as Stripe has it.
#[model]
#[derive(Debug)]
pub(crate) struct KnownShipping {
    /// The address.
    pub(crate) address: Option<KnownAddress>,
    /// The recipient.
    pub(crate) name: Option<String>,
    /// The recipient's telephone number.
    pub(crate) phone: Option<String>,
    /// The delivery service.
    #[schema(example = "DHL")]
    pub(crate) carrier: Option<String>,
    /// The parcel's number.
    #[schema(example = "00340434161094042557")]
    pub(crate) tracking_number: Option<String>,
}

/// Which moments, in seconds since 1970.
#[model]
#[derive(Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    /// After this one.
    pub(crate) gt: Option<u64>,
    /// From this one on.
    pub(crate) gte: Option<u64>,
    /// Before this one.
    pub(crate) lt: Option<u64>,
    /// Up to this one.
    pub(crate) lte: Option<u64>,
}

/// Most items of a page.
const PAGE: u64 = 100;

/// How many items a list has, if nobody says so.
pub(crate) fn usual_limit() -> u64 {
    10
}

/// Of a list's input: how many items are wanted in all, and instead of that how many of a page. Pages are as few as can be,
/// and equal, so that the last one brings no more than is wanted.
pub(crate) fn paged(input: &mut Value) -> usize {
    let limit = input.get("limit").and_then(Value::as_f64).map_or_else(usual_limit, |limit| limit as u64);
    if let Some(fields) = input.as_object_mut() {
        fields.insert("limit".to_owned(), limit.div_ceil(limit.div_ceil(PAGE).max(1)).into());
    }
    usize::try_from(limit).unwrap_or(usize::MAX)
}
