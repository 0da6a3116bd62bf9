//! Customers: created, read, updated, listed.

use portcullis_sdk::{
    paging::{Next, Paging, Reason},
    prelude::*,
};

use crate::{
    api,
    common::{
        Address, Expandable, Expansion, KnownAddress, KnownShipping, Metadata, Period, Shipping, paged, usual_limit,
    },
    config::Config,
};

pub(crate) const CREATE: Route<Json<NewCustomer>, Json<Customer>> =
    api::post("create-customer", "/v1/customers").describe("Creates a customer.");
pub(crate) const GET: Route<Json<GetCustomer>, Json<Customer>> =
    api::get("get-customer", "/v1/customers/{customer:word(1..255)}").describe("Reads a customer.");
pub(crate) const UPDATE: Route<Json<CustomerUpdate>, Json<Customer>> =
    api::post("update-customer", "/v1/customers/{customer:word(1..255)}").describe("Changes a customer.");
pub(crate) const LIST: Route<Json<ListCustomers>, CustomerPage> =
    api::get("list-customers", "/v1/customers").describe("Lists customers, newest first, a page at a time.");

const PAGES: Paging =
    Paging::new("/data", Next::LastId { id: "/id", field: "starting_after", more: Some("/has_more") });

/// Creates a customer.
#[operation(write, uses(CREATE))]
pub(crate) fn create_customer(cx: &Context<Config>, input: Json<NewCustomer>) -> Result<Json<Customer>, Failure> {
    cx.send(&CREATE, &input)
}

/// Reads a customer. Of one that was deleted there are the id, and `deleted`, which is true.
#[operation(read, uses(GET))]
pub(crate) fn get_customer(cx: &Context<Config>, input: Json<GetCustomer>) -> Result<Json<Customer>, Failure> {
    cx.send(&GET, &input)
}

/// Changes what is given of a customer and leaves the rest as it is. An empty text unsets a field.
#[operation(write, uses(UPDATE))]
pub(crate) fn update_customer(cx: &Context<Config>, input: Json<CustomerUpdate>) -> Result<Json<Customer>, Failure> {
    cx.send(&UPDATE, &input)
}

/// Lists customers, newest first: up to `limit` of them, from as many pages of 100 as that takes.
#[operation(read, uses(LIST))]
pub(crate) fn list_customers(cx: &Context<Config>, mut input: Json<ListCustomers>) -> Result<Customers, Failure> {
    let limit = paged(input.value_mut());
    let found = cx.collect(&LIST, &input, &PAGES, limit)?;
    Ok(Customers { data: found.items, has_more: found.more, reason: found.reason })
}

/// A customer to be.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCustomer {
    /// The email address.
    #[schema(email, length(max = 512), sensitive)]
    pub(crate) email: Option<String>,
    /// The full name, or the business's.
    #[schema(length(max = 256), sensitive)]
    pub(crate) name: Option<String>,
    /// The telephone number.
    #[schema(length(max = 20), sensitive)]
    pub(crate) phone: Option<String>,
    /// Anything, for yourself.
    #[schema(length(max = 5000))]
    pub(crate) description: Option<String>,
    /// The address.
    #[schema(sensitive)]
    pub(crate) address: Option<Address>,
    /// Where goods go. Shown on invoices.
    #[schema(sensitive)]
    pub(crate) shipping: Option<Shipping>,
    /// What is owed at the start, in the smallest unit of the customer's currency; below zero, what is credited.
    pub(crate) balance: Option<i64>,
    /// A payment method to attach, as in `pm_card_visa`.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$")]
    pub(crate) payment_method: Option<String>,
    /// What invoices are like.
    pub(crate) invoice_settings: Option<InvoiceSettings>,
    /// Up to 12 letters and digits that invoice numbers start with.
    #[schema(pattern = r"^[A-Z0-9]{3,12}$")]
    pub(crate) invoice_prefix: Option<String>,
    /// Languages, the preferred one first, as in `de`.
    #[schema(length(max = 20))]
    pub(crate) preferred_locales: Option<Vec<String>>,
    /// Whether taxes are asked for.
    pub(crate) tax_exempt: Option<TaxExempt>,
    /// Keys and values of your own.
    pub(crate) metadata: Option<Metadata>,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// Which customer.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetCustomer {
    /// The customer's id.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$", example = "cus_NffrFeUfNV2Hib")]
    pub(crate) customer: String,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// What to change of a customer.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomerUpdate {
    /// The customer's id.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$", example = "cus_NffrFeUfNV2Hib")]
    pub(crate) customer: String,
    /// The email address.
    #[schema(length(max = 512), sensitive)]
    pub(crate) email: Option<String>,
    /// The full name, or the business's.
    #[schema(length(max = 256), sensitive)]
    pub(crate) name: Option<String>,
    /// The telephone number.
    #[schema(length(max = 20), sensitive)]
    pub(crate) phone: Option<String>,
    /// Anything, for yourself.
    #[schema(length(max = 5000))]
    pub(crate) description: Option<String>,
    /// The address.
    #[schema(sensitive)]
    pub(crate) address: Option<Address>,
    /// Where goods go.
    #[schema(sensitive)]
    pub(crate) shipping: Option<Shipping>,
    /// What is owed, in the smallest unit of the customer's currency; below zero, what is credited.
    pub(crate) balance: Option<i64>,
    /// The source to be charged by default, one of the customer's.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$")]
    pub(crate) default_source: Option<String>,
    /// What invoices are like.
    pub(crate) invoice_settings: Option<InvoiceSettings>,
    /// Up to 12 letters and digits that invoice numbers start with.
    #[schema(pattern = r"^[A-Z0-9]{3,12}$")]
    pub(crate) invoice_prefix: Option<String>,
    /// Languages, the preferred one first, as in `de`.
    #[schema(length(max = 20))]
    pub(crate) preferred_locales: Option<Vec<String>>,
    /// Whether taxes are asked for.
    pub(crate) tax_exempt: Option<TaxExempt>,
    /// Keys and values of your own: those that are given change, the others stay.
    pub(crate) metadata: Option<Metadata>,
    /// What to return as an object instead of its id.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// What a customer's invoices are like.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvoiceSettings {
    /// The payment method that invoices are charged to, one of the customer's.
    #[schema(length(max = 255))]
    pub(crate) default_payment_method: Option<String>,
    /// What stands at the foot of invoices.
    #[schema(length(max = 5000))]
    pub(crate) footer: Option<String>,
}

/// Whether taxes are asked for.
#[model]
#[derive(Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaxExempt {
    None,
    Exempt,
    Reverse,
}

/// Which customers.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListCustomers {
    /// How many at most, in all. More than about 500 need more `fuel` and `output_bytes` than operators usually allow.
    #[schema(range(min = 1, max = 1000))]
    #[serde(default = "usual_limit")]
    pub(crate) limit: u64,
    /// Those with this email address, in upper and lower case as Stripe has it.
    #[schema(length(min = 1, max = 512), sensitive)]
    pub(crate) email: Option<String>,
    /// Those that were created in this time.
    pub(crate) created: Option<Period>,
    /// Those that come after the one with this id: the last id of the list before.
    #[schema(pattern = r"^[A-Za-z0-9_-]{1,255}$")]
    pub(crate) starting_after: Option<String>,
    /// What to return as an object instead of its id, as in `data.default_source`.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// A page of customers.
#[model]
#[derive(Debug)]
pub(crate) struct CustomerPage {
    data: Vec<Json<Customer>>,
    #[schema(example = false)]
    has_more: bool,
}

/// Customers that were found.
#[model]
#[derive(Debug)]
pub(crate) struct Customers {
    /// The customers.
    pub(crate) data: Vec<Json<Customer>>,
    /// Whether there are more: list again, with the last id as `starting_after`.
    pub(crate) has_more: bool,
    /// Why not all of them were read, where a later page failed.
    pub(crate) reason: Option<Reason>,
}

/// A customer.
#[model]
#[derive(Debug)]
pub(crate) struct Customer {
    /// The id.
    #[schema(example = "cus_NffrFeUfNV2Hib", example = "cus_9s6XKzkNRiz8i3", example = "cus_Na6dX7aXxi11N4")]
    pub(crate) id: String,
    /// Always `customer`.
    pub(crate) object: CustomerObject,
    /// When it was created, in seconds since 1970.
    #[schema(example = 1_767_607_200, example = 1_769_421_600, example = 1_772_445_600)]
    pub(crate) created: Option<i64>,
    /// Whether it is real, or for tests.
    #[schema(example = false)]
    pub(crate) livemode: Option<bool>,
    /// The email address.
    #[schema(sensitive)]
    pub(crate) email: Option<String>,
    /// The full name, or the business's.
    #[schema(sensitive)]
    pub(crate) name: Option<String>,
    /// The telephone number.
    #[schema(sensitive)]
    pub(crate) phone: Option<String>,
    /// What was noted.
    pub(crate) description: Option<String>,
    /// The address.
    #[schema(sensitive)]
    pub(crate) address: Option<KnownAddress>,
    /// Where goods go.
    #[schema(sensitive)]
    pub(crate) shipping: Option<KnownShipping>,
    /// What is owed, in the smallest unit of the currency; below zero, what is credited.
    #[schema(example = 0)]
    pub(crate) balance: Option<i64>,
    /// Three lower-case letters (ISO 4217): what the customer is invoiced in.
    pub(crate) currency: Option<String>,
    /// The source that is charged by default.
    #[schema(example = "card_1MtwBuLkdIwHu7ixG1AVQ8fE")]
    pub(crate) default_source: Option<Expandable>,
    /// Whether the last invoice could not be paid.
    #[schema(example = false)]
    pub(crate) delinquent: Option<bool>,
    /// What invoice numbers start with.
    #[schema(example = "0759376C")]
    pub(crate) invoice_prefix: Option<String>,
    /// Languages, the preferred one first.
    #[schema(example = ["de", "en"])]
    pub(crate) preferred_locales: Option<Vec<String>>,
    /// Whether taxes are asked for: `none`, `exempt` or `reverse`.
    #[schema(example = "none")]
    pub(crate) tax_exempt: Option<String>,
    /// Keys and values of the caller's own.
    #[schema(example = {"order_id": "6735"})]
    pub(crate) metadata: Option<Value>,
}

/// Always `customer`.
#[model]
#[derive(Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CustomerObject {
    Customer,
}
