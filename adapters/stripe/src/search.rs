//! Customers by a query in Stripe's search language.

use portcullis_sdk::{
    paging::{Next, Paging, Reason},
    prelude::*,
};

use crate::{
    api,
    common::{Expansion, paged, usual_limit},
    config::Config,
    customers::Customer,
};

pub(crate) const SEARCH: Route<Json<SearchCustomers>, FoundPage> =
    api::get("search-customers", "/v1/customers/search").describe("Searches customers, a page at a time.");

const PAGES: Paging = Paging::new("/data", Next::Cursor { cursor: "/next_page", field: "page" });

/// Searches customers: up to `limit` of them, from as many pages of 100 as that takes. What was changed within the last
/// minute may not be found yet.
#[operation(read, uses(SEARCH))]
pub(crate) fn search_customers(
    cx: &Context<Config>,
    mut input: Json<SearchCustomers>,
) -> Result<FoundCustomers, Failure> {
    let limit = paged(input.value_mut());
    let found = cx.collect(&SEARCH, &input, &PAGES, limit)?;
    let next_page = found.next.as_ref().and_then(Value::as_str).map(str::to_owned);
    Ok(FoundCustomers { data: found.items, has_more: found.more, next_page, reason: found.reason })
}

/// Which customers.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchCustomers {
    /// Clauses such as `email:"ada@example.com"`, `name~"Ada"`, `created>1767607200` and `metadata["key"]:"value"`, joined
    /// by AND or by OR (<https://docs.stripe.com/search>).
    #[schema(length(min = 1, max = 5000), sensitive, example = "email:\"ada@example.com\"")]
    pub(crate) query: String,
    /// How many at most, in all. To go on with `next_page`, ask for up to 100, or for hundreds.
    #[schema(range(min = 1, max = 1000))]
    #[serde(default = "usual_limit")]
    pub(crate) limit: u64,
    /// Where to go on: the `next_page` of the search before, which has to be the same but for this.
    #[schema(length(min = 1, max = 5000))]
    pub(crate) page: Option<String>,
    /// What to return as an object instead of its id, as in `data.default_source`.
    #[schema(length(max = 20))]
    pub(crate) expand: Option<Vec<Expansion>>,
}

/// A page of customers.
#[model]
#[derive(Debug)]
pub(crate) struct FoundPage {
    data: Vec<Json<Customer>>,
    #[schema(example = false)]
    has_more: bool,
    #[schema(example = null)]
    next_page: Option<String>,
}

/// Customers that were found.
#[model]
#[derive(Debug)]
pub(crate) struct FoundCustomers {
    /// The customers.
    pub(crate) data: Vec<Json<Customer>>,
    /// Whether there are more.
    pub(crate) has_more: bool,
    /// Where the next search goes on. Missing where there are no more, or where a page was cut off in its middle.
    pub(crate) next_page: Option<String>,
    /// Why not all of them were read, where a later page failed.
    pub(crate) reason: Option<Reason>,
}
