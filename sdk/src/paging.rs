//! Lists that come in pages.
//!
//! A list that cannot be read to its end gives what was read: [`Items::more`] is true and [`Items::reason`] says why. That is
//! so where a later page fails or is not as described, where the list leads back to a page that was read, and where there
//! are more pages than may be read. Only a first page that fails is a failure.
//!
//! URLs that a provider writes are resolved against the URL of the page they stand in (RFC 3986, section 5), in whatever form
//! they are written.

mod link;
mod pages;

use crate::{Map, Value};
use serde::Serialize;

pub use link::link;
pub use pages::Pages;

use crate::{
    Adapter, Context, Failure, Json, Route, UntypedRoute,
    document::{Kind, Part},
    model,
    request::fields,
    schema::{Model, check},
};

/// How a provider's list goes on. A constant; all of it is data, so a config can say it as well.
///
/// Places in an answer are JSON Pointers (RFC 6901).
///
/// ```
/// use portcullis_sdk::{paging::{Next, Paging}, prelude::*};
///
/// // {"data": [{"id": "a"}, {"id": "b"}], "has_more": true}, and then ?starting_after=b
/// const LAST_ID: Paging = Paging::new("/data", Next::LastId { id: "/id", field: "starting_after", more: Some("/has_more") });
///
/// // {"results": […], "next_cursor": "x"}, and then ?start_cursor=x
/// const CURSOR: Paging = Paging::new("/results", Next::Cursor { cursor: "/next_cursor", field: "start_cursor" });
///
/// // Link: <https://api.example.com/items?page=2>; rel="next"
/// const LINK: Paging = Paging::new("", Next::LinkHeader);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Paging<'a> {
    /// Where in an answer the array of items is.
    pub items: &'a str,
    /// Where the next page is.
    pub next: Next<'a>,
    /// Most pages that are read; each is a request, of which a call has 16 unless the operator set another limit.
    pub max_pages: u32,
    /// The route that gives URLs of the provider's own their method, headers and slots; none: the route of the first page.
    pub follow: Option<&'a UntypedRoute<'a>>,
    /// Statuses that say of a page after the first that the list has ended. By default 404 where pages have numbers. An
    /// answer without a body (204) to a later page says so anyway.
    pub ends: &'a [u16],
}

/// Where the next page is.
#[derive(Debug, Clone, Copy)]
pub enum Next<'a> {
    /// The answer has a cursor at `cursor`, a text or a number, which the next request sends as its field `field`. Null,
    /// empty or missing: no more.
    Cursor {
        /// Where in the answer.
        cursor: &'a str,
        /// The request's field.
        field: &'a str,
    },
    /// The next request sends the id of the last item as its field `field`. No more where the page is empty, or where the
    /// answer says at `more` that there is none.
    LastId {
        /// Where in an item.
        id: &'a str,
        /// The request's field.
        field: &'a str,
        /// Where in the answer it is said, true or false, whether there is more.
        more: Option<&'a str>,
    },
    /// The next request asks for the page with the next number. No more where the page is empty, or has fewer items than
    /// were asked for.
    Page {
        /// The request's field for the number.
        field: &'a str,
        /// The number of the first page, where the request does not say it.
        first: u64,
        /// The request's field that says how many items a page has.
        size: Option<&'a str>,
    },
    /// The next request skips as many items as were read. No more where the page is empty, or where as many were read as
    /// the answer says at `total` that there are; where it does not say it, where a page has fewer items than were asked for.
    Offset {
        /// The request's field for the number of items to skip.
        field: &'a str,
        /// The request's field that says how many items a page has.
        size: Option<&'a str>,
        /// Where in the answer it is said how many items there are in all.
        total: Option<&'a str>,
    },
    /// The header `Link` has the next page's URL, with `rel="next"` (RFC 8288).
    LinkHeader,
    /// The answer has the next page's URL at this place.
    Url(&'a str),
    /// A function finds the next page's URL in the answer.
    UrlIn(fn(&Json<Value>) -> Option<String>),
}

/// The items of several pages.
#[derive(Debug, Clone)]
pub struct Items<T> {
    /// The items, in order.
    pub items: Vec<Json<T>>,
    /// Whether the provider has more than were asked for, or may have because the list was not read to its end.
    pub more: bool,
    /// Why it was not read to its end, where that is not because enough was read.
    pub reason: Option<Reason>,
    /// Pages that were read.
    pub pages: u32,
    /// What the first request has to send as the field that goes on, to go on behind these items: a cursor, an id or a
    /// number. None where there are no more, where a page was cut off in its middle, and where pages are found by URL.
    pub next: Option<Value>,
}

/// Why a list was not read to its end.
#[model]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A failure's code, such as `http.500`.
    #[schema(example = "http.503")]
    pub code: String,
    /// What happened, in one sentence.
    #[schema(example = "page 3: the provider answered with status 503")]
    pub message: String,
    /// Whether the same call may bring more later.
    #[schema(example = true)]
    pub retryable: bool,
}

impl<'a> Next<'a> {
    /// The request's field that says where to go on.
    fn field(&self) -> Option<&'a str> {
        match *self {
            Self::Cursor { field, .. }
            | Self::LastId { field, .. }
            | Self::Page { field, .. }
            | Self::Offset { field, .. } => Some(field),
            Self::LinkHeader | Self::Url(_) | Self::UrlIn(_) => None,
        }
    }
}

impl<'a> Paging<'a> {
    /// At most 10 pages.
    #[must_use]
    pub const fn new(items: &'a str, next: Next<'a>) -> Self {
        let ends: &[u16] = match next {
            Next::Page { .. } => &[404],
            _ => &[],
        };
        Self { items, next, max_pages: 10, follow: None, ends }
    }

    /// These statuses say of a page after the first that the list has ended.
    #[must_use]
    pub const fn ends(mut self, statuses: &'a [u16]) -> Self {
        self.ends = statuses;
        self
    }

    /// URLs that the provider writes are asked for like requests of this route: one with [`Route::links`], or where a list that
    /// starts with a POST goes on with GETs.
    #[must_use]
    pub const fn follow<Request, Answer>(mut self, route: &'a Route<Request, Answer>) -> Self {
        self.follow = Some(route.untyped());
        self
    }

    /// At most this many pages.
    #[must_use]
    pub const fn max_pages(mut self, max_pages: u32) -> Self {
        self.max_pages = max_pages;
        self
    }
}

impl<C: Adapter> Context<C> {
    /// Reads pages of a list until there are `at_most` items, no more pages, or `max_pages` were read.
    ///
    /// URLs that the provider writes are judged by the host like any other. Declare them by a route with
    /// [`Route::links`](Route::links), named as [`Paging::follow`]: it allows what the provider wrote in this call and nothing else. A list that breaks at a later
    /// page, leads back to a page that was read or is longer than `max_pages` gives what was read, with [`Items::more`] and
    /// [`Items::reason`].
    ///
    /// The route's answer is a page, and has to say so: from its type sandbox mode makes up the list. The items are checked
    /// against `T`, and passed on.
    ///
    /// ```
    /// use portcullis_sdk::{paging::{Next, Paging}, prelude::*};
    ///
    /// const LIST: Route<List, Page> = Route::get("list-parcels", "/parcels").describe("Lists parcels, a page of them.");
    /// const PAGING: Paging = Paging::new("/parcels", Next::Cursor { cursor: "/next", field: "after" });
    /// # #[model]
    /// # struct Config {}
    ///
    /// #[model]
    /// struct List { after: Option<String> }
    ///
    /// #[model]
    /// struct Page { parcels: Vec<Json<Parcel>>, next: Option<String> }
    ///
    /// #[model]
    /// struct Parcel { id: String }
    ///
    /// /// Lists up to a hundred parcels.
    /// #[operation(read, uses(LIST))]
    /// fn list_parcels(cx: &Context<Config>, input: List) -> Result<Vec<Json<Parcel>>, Failure> {
    ///     Ok(cx.collect(&LIST, &input, &PAGING, 100)?.items)
    /// }
    /// # register!(config: Config, base: "https://api.example.com", operations: [list_parcels], description: "Lists.");
    /// # fn main() {}
    /// ```
    ///
    /// Where the first page fails, it fails as [`Context::send`] does, and with `http.unexpected-body` where that has no array
    /// at `items`.
    pub fn collect<Request, Answer, T>(
        &self,
        route: &Route<Request, Answer>,
        request: &Request,
        paging: &Paging,
        at_most: usize,
    ) -> Result<Items<T>, Failure>
    where
        Request: Serialize,
        T: Model,
    {
        let is_wrong = |_, item: Part<'_>| check(T::SCHEMA, item).err();
        self.collect_parts(&route.untyped, fields(&route.untyped, request)?, paging, at_most, &is_wrong)
    }

    /// The same for a route that is data. `is_wrong` says of an item, and of its number among all from 0, how it is not as
    /// described, if it is not.
    pub fn collect_untyped<T>(
        &self,
        route: &UntypedRoute,
        request: Map,
        paging: &Paging,
        at_most: usize,
        is_wrong: &dyn Fn(usize, &Value) -> Option<String>,
    ) -> Result<Items<T>, Failure> {
        let is_wrong = |number, item: Part<'_>| is_wrong(number, &item.to_value());
        self.collect_parts(route, request, paging, at_most, &is_wrong)
    }

    fn collect_parts<T>(
        &self,
        route: &UntypedRoute,
        request: Map,
        paging: &Paging,
        at_most: usize,
        is_wrong: &dyn Fn(usize, Part<'_>) -> Option<String>,
    ) -> Result<Items<T>, Failure> {
        let mut pages = self.pages_untyped(route, request, paging)?;
        let mut items: Vec<Json<T>> = Vec::new();
        while items.len() < at_most {
            let Some(page) = pages.read()? else { break };
            match items_of(&page, paging.items, items.len(), is_wrong) {
                Ok(mut found) => items.append(&mut found),
                Err(failure) => {
                    pages.stop(failure)?;
                    break;
                }
            }
        }
        let is_cut = items.len() > at_most;
        items.truncate(at_most);
        let (more, pages_read) = (pages.more() || is_cut, pages.count());
        let (next, reason) = pages.end();
        Ok(Items { items, more, reason, pages: pages_read, next: next.filter(|_| more && !is_cut) })
    }

    /// The pages of a list, to be read one by one: for what stands in a page beside its items.
    ///
    /// Fails with `adapter.request` and its like where the first request cannot be made.
    pub fn pages<'p, Request: Serialize, Answer>(
        &'p self,
        route: &'p Route<Request, Answer>,
        request: &Request,
        paging: &'p Paging<'p>,
    ) -> Result<Pages<'p, C>, Failure> {
        self.pages_untyped(&route.untyped, fields(&route.untyped, request)?, paging)
    }

    fn pages_untyped<'p>(
        &'p self,
        route: &'p UntypedRoute<'p>,
        request: Map,
        paging: &'p Paging<'p>,
    ) -> Result<Pages<'p, C>, Failure> {
        Pages::new(self, route, request, paging)
    }
}

/// The items of a page; each is as described.
fn items_of<T>(
    page: &Json<Value>,
    place: &str,
    before: usize,
    is_wrong: &dyn Fn(usize, Part<'_>) -> Option<String>,
) -> Result<Vec<Json<T>>, Failure> {
    let unexpected = |message: String| Failure::new("http.unexpected-body", message);
    let found = page.document().and_then(|page| page.root().pointer(place));
    let Some(list) = found.filter(|list| list.kind() == Kind::Array) else {
        return Err(unexpected(format!("the answer has no list of items at `{place}`")));
    };
    match list.items().enumerate().find_map(|(index, item)| is_wrong(before + index, item)) {
        Some(wrong) => Err(unexpected(format!("an item of the list is not as described: {wrong}"))),
        None => Ok(list.items().map(|item| Json::of(item.to_document())).collect()),
    }
}
