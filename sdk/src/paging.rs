//! Lists that come in pages.

mod link;

use serde::Serialize;
use serde_json::{Map, Value};

pub use link::link;
use link::resolve;

use crate::{
    Adapter, Context, Failure, Json, Level, Request, Response, Route, UntypedRoute,
    request::{build_from_fields, fields, follow},
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
    UrlIn(fn(&Value) -> Option<String>),
}

/// The items of several pages.
#[derive(Debug, Clone)]
pub struct Items<T> {
    /// The items, in order.
    pub items: Vec<Json<T>>,
    /// Whether the provider has more than were asked for or than `max_pages` brought.
    pub more: bool,
    /// Pages that were read.
    pub pages: u32,
    /// What the first request has to send as the field that goes on, to go on behind these items: a cursor, an id or a
    /// number. None where there are no more, where a page was cut off in its middle, and where pages are found by URL.
    pub next: Option<Value>,
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
        Self { items, next, max_pages: 10, follow: None }
    }

    /// URLs that the provider writes are asked for like requests of this route: where a list that starts with a POST goes
    /// on with GETs.
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
    /// URLs that the provider writes are judged by the host like any other: declare what they look like, with
    /// [`Route::any_query`](Route::any_query) where their parameters are the provider's own. A list that leads back to a
    /// page that was read ends there, with a warning in the call's log and [`Items::more`].
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
    /// Fails as [`Context::send`] does, with `http.unexpected-body` where an answer has no array at `items`, and with
    /// `adapter.next-url` where the provider's URL cannot be one.
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
        self.collect_untyped(&route.untyped, fields(&route.untyped, request)?, paging, at_most)
    }

    /// The same for a route that is data.
    pub fn collect_untyped<T: Model>(
        &self,
        route: &UntypedRoute,
        request: Map<String, Value>,
        paging: &Paging,
        at_most: usize,
    ) -> Result<Items<T>, Failure> {
        let mut pages = self.pages_untyped(route, request, paging)?;
        let mut items = Vec::new();
        while items.len() < at_most {
            let Some(mut page) = pages.read()? else { break };
            match page.pointer_mut(paging.items) {
                Some(Value::Array(found)) => items.append(found),
                _ => {
                    let message = format!("the answer has no list of items at `{}`", paging.items);
                    return Err(Failure::new("http.unexpected-body", message));
                }
            }
        }
        let is_cut = items.len() > at_most;
        let next = paging.next.field().filter(|_| pages.more() && !is_cut);
        let next = next.and_then(|field| pages.request.remove(field));
        items.truncate(at_most);
        for item in &items {
            check(T::SCHEMA, item).map_err(|wrong| {
                Failure::new("http.unexpected-body", format!("an item of the list is not as described: {wrong}"))
            })?;
        }
        let items = items.into_iter().map(Json::new).collect();
        Ok(Items { items, more: pages.more() || is_cut, pages: pages.count(), next })
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
        request: Map<String, Value>,
        paging: &'p Paging<'p>,
    ) -> Result<Pages<'p, C>, Failure> {
        let first = build_from_fields(route, &self.base_url(), request.clone())?;
        Ok(Pages { cx: self, paging, request, first: route, next: Some((route, first)), seen: Vec::new(), count: 0 })
    }
}

/// The pages of a list, of [`Context::pages`].
pub struct Pages<'p, C> {
    cx: &'p Context<C>,
    paging: &'p Paging<'p>,
    request: Map<String, Value>,
    first: &'p UntypedRoute<'p>,
    /// The request for the next page and the route it is sent by; none at the end.
    next: Option<(&'p UntypedRoute<'p>, Request)>,
    seen: Vec<String>,
    count: u32,
}

enum Step {
    End,
    Again,
    Url(String),
}

impl<C: Adapter> Pages<'_, C> {
    /// The next page, as the provider wrote it. None at the list's end, after `max_pages`, and where the list leads back to a
    /// page that was read.
    ///
    /// Fails as [`Context::send`] does, and with `adapter.next-url` where the provider's URL cannot be one. A page without
    /// items where `items` says is handed out as well; it is for the caller to judge.
    pub fn read(&mut self) -> Result<Option<Value>, Failure> {
        if self.count >= self.paging.max_pages {
            return Ok(None);
        }
        // A cursor in a body leaves the URL as it is; then the pages are bounded by their number alone.
        if let Some((_, request)) = self.next.as_ref().filter(|(_, request)| request.body.is_none()) {
            if self.seen.contains(&request.url) {
                self.cx.log(Level::Warn, "the provider's next page is one that was read already; the list ends here");
                return Ok(None);
            }
            self.seen.push(request.url.clone());
        }
        let Some((route, request)) = self.next.take() else { return Ok(None) };
        let asked = request.url.clone();
        let response = self.cx.exchange_request(route, request)?;
        self.cx.accept(route, &response)?;
        let answer: Value = response.json()?;
        self.count += 1;
        self.next = match self.step(&response, &answer) {
            Step::End => None,
            Step::Again => {
                Some((self.first, build_from_fields(self.first, &self.cx.base_url(), self.request.clone())?))
            }
            Step::Url(url) => {
                let route = self.paging.follow.unwrap_or(self.first);
                Some((route, follow(route, &self.cx.base_url(), resolve(&asked, &url)?)))
            }
        };
        Ok(Some(answer))
    }

    /// Whether the provider has pages that were not read.
    #[must_use]
    pub fn more(&self) -> bool {
        self.next.is_some()
    }

    /// How many were read.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What comes after this page.
    fn step(&mut self, response: &Response, answer: &Value) -> Step {
        let found = answer.pointer(self.paging.items).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let count = found.len();
        match self.paging.next {
            Next::Cursor { cursor, field } => match answer.pointer(cursor) {
                Some(Value::String(text)) if text.is_empty() => Step::End,
                Some(next @ (Value::String(_) | Value::Number(_))) => self.again(field, next.clone()),
                _ => Step::End,
            },
            Next::LastId { id, field, more } => {
                let ended = more.is_some_and(|more| answer.pointer(more) != Some(&Value::Bool(true)));
                match found.last().and_then(|last| last.pointer(id)) {
                    Some(id) if !ended => self.again(field, id.clone()),
                    _ => Step::End,
                }
            }
            Next::Page { field, first, size } => {
                if count == 0 || self.is_short(size, count) {
                    return Step::End;
                }
                let number = self.request.get(field).and_then(Value::as_u64).unwrap_or(first);
                self.again(field, Value::from(number.saturating_add(1)))
            }
            Next::Offset { field, size, total } => {
                let skipped = self.request.get(field).and_then(Value::as_u64).unwrap_or(0).saturating_add(count as u64);
                let all = total.and_then(|total| answer.pointer(total)).and_then(Value::as_u64);
                // Who says how many there are may give fewer at a time than were asked for.
                if count == 0 || all.map_or_else(|| self.is_short(size, count), |all| skipped >= all) {
                    return Step::End;
                }
                self.again(field, Value::from(skipped))
            }
            Next::LinkHeader => link(response, "next").map_or(Step::End, Step::Url),
            Next::Url(place) => match answer.pointer(place) {
                Some(Value::String(url)) if !url.is_empty() => Step::Url(url.clone()),
                _ => Step::End,
            },
            Next::UrlIn(find) => find(answer).filter(|url| !url.is_empty()).map_or(Step::End, Step::Url),
        }
    }

    fn again(&mut self, field: &str, value: Value) -> Step {
        self.request.insert(field.to_owned(), value);
        Step::Again
    }

    /// Whether a page has fewer items than were asked for.
    fn is_short(&self, size: Option<&str>, count: usize) -> bool {
        let asked = size.and_then(|size| self.request.get(size)).and_then(Value::as_u64);
        asked.is_some_and(|asked| (count as u64) < asked)
    }
}
