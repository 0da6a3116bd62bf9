//! Lists that come in pages.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Adapter, Context, Failure, Json, Level, Response, Route, UntypedRoute,
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
    /// The next request skips as many items as were read. No more where the page is empty, has fewer items than were asked
    /// for, or where as many were read as the answer says at `total` that there are.
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
        Self { items, next, max_pages: 10 }
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
        let mut walk = Walk { paging, request, items: Vec::new(), pages: 0 };
        let base = self.base_url();
        let mut outgoing = build_from_fields(route, &base, walk.request.clone())?;
        let mut seen = vec![outgoing.url.clone()];
        let mut more = true;
        while more && walk.items.len() < at_most && walk.pages < paging.max_pages {
            let asked = outgoing.url.clone();
            let response = self.exchange_request(route, outgoing)?;
            self.accept(route, &response)?;
            outgoing = match walk.read(&response)? {
                Step::End => {
                    more = false;
                    break;
                }
                Step::Again => build_from_fields(route, &base, walk.request.clone())?,
                Step::Url(url) => follow(route, resolve(&asked, &url)?),
            };
            // A cursor in a body leaves the URL as it is; then the pages are bounded by their number alone.
            if matches!(paging.next, Next::LinkHeader | Next::Url(_) | Next::UrlIn(_)) || outgoing.body.is_none() {
                if seen.contains(&outgoing.url) {
                    self.log(Level::Warn, "the provider's next page is one that was read already; the list ends here");
                    break;
                }
                seen.push(outgoing.url.clone());
            }
        }
        let is_cut = walk.items.len() > at_most;
        let next = paging.next.field().filter(|_| more && !is_cut);
        let next = next.and_then(|field| walk.request.remove(field));
        walk.items.truncate(at_most);
        for item in &walk.items {
            check(T::SCHEMA, item).map_err(|wrong| {
                Failure::new("http.unexpected-body", format!("an item of the list is not as described: {wrong}"))
            })?;
        }
        let items = walk.items.into_iter().map(Json::new).collect();
        Ok(Items { items, more: more || is_cut, pages: walk.pages, next })
    }
}

struct Walk<'w, 'a> {
    paging: &'w Paging<'a>,
    request: Map<String, Value>,
    items: Vec<Value>,
    pages: u32,
}

enum Step {
    End,
    Again,
    Url(String),
}

impl Walk<'_, '_> {
    /// Takes the items out of an answer, and says what comes next.
    fn read(&mut self, response: &Response) -> Result<Step, Failure> {
        let mut answer: Value = response.json()?;
        self.pages += 1;
        let found = match answer.pointer_mut(self.paging.items) {
            Some(Value::Array(items)) => std::mem::take(items),
            _ => {
                let place = self.paging.items;
                return Err(Failure::new(
                    "http.unexpected-body",
                    format!("the answer has no list of items at `{place}`"),
                ));
            }
        };
        let count = found.len();
        let last = found.last().cloned();
        self.items.extend(found);
        Ok(match self.paging.next {
            Next::Cursor { cursor, field } => match answer.pointer(cursor) {
                Some(Value::String(text)) if text.is_empty() => Step::End,
                Some(next @ (Value::String(_) | Value::Number(_))) => self.again(field, next.clone()),
                _ => Step::End,
            },
            Next::LastId { id, field, more } => {
                let ended = more.is_some_and(|more| answer.pointer(more) != Some(&Value::Bool(true)));
                match last.as_ref().and_then(|last| last.pointer(id)) {
                    Some(id) if !ended => self.again(field, id.clone()),
                    _ => Step::End,
                }
            }
            Next::Page { field, first, size } => {
                if count == 0 || self.is_short(size, count) {
                    return Ok(Step::End);
                }
                let number = self.request.get(field).and_then(Value::as_u64).unwrap_or(first);
                self.again(field, Value::from(number.saturating_add(1)))
            }
            Next::Offset { field, size, total } => {
                let skipped = self.request.get(field).and_then(Value::as_u64).unwrap_or(0).saturating_add(count as u64);
                let all = total.and_then(|total| answer.pointer(total)).and_then(Value::as_u64);
                if count == 0 || self.is_short(size, count) || all.is_some_and(|all| skipped >= all) {
                    return Ok(Step::End);
                }
                self.again(field, Value::from(skipped))
            }
            Next::LinkHeader => link(response, "next").map_or(Step::End, Step::Url),
            Next::Url(place) => match answer.pointer(place) {
                Some(Value::String(url)) if !url.is_empty() => Step::Url(url.clone()),
                _ => Step::End,
            },
            Next::UrlIn(find) => find(&answer).filter(|url| !url.is_empty()).map_or(Step::End, Step::Url),
        })
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

/// The target of the first link with this relation in the `Link` header fields (RFC 8288, section 3).
#[must_use]
pub fn link(response: &Response, relation: &str) -> Option<String> {
    let fields = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("link"));
    for field in fields {
        let mut rest = std::str::from_utf8(&field.value).ok()?;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>')?;
            let (parameters, remaining) = split_at_comma(after);
            let is_wanted =
                parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                    name.trim().eq_ignore_ascii_case("rel") && relations.any(|one| one.eq_ignore_ascii_case(relation))
                });
            if is_wanted {
                return Some(target.trim().to_owned());
            }
            rest = remaining;
        }
    }
    None
}

/// What stands before and after the first comma that is not in quotes.
fn split_at_comma(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
            _ => {}
        }
    }
    (text, "")
}

/// The provider's URL: absolute, or relative to the URL that was asked, as `/path`, `//host/path` or `?query`. What else
/// a URL may be (RFC 3986, section 4.2) is not guessed at.
fn resolve(asked: &str, url: &str) -> Result<String, Failure> {
    let scheme = asked.find("://").map_or(0, |at| at + 3);
    let end = |stop: &[char], from: usize| {
        asked.get(from..).and_then(|rest| rest.find(stop)).map_or(asked.len(), |at| from + at)
    };
    let up_to = |end: usize| asked.get(..end).unwrap_or_default();
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(url.to_owned())
    } else if url.starts_with("//") {
        Ok([up_to(scheme.saturating_sub(2)), url].concat())
    } else if url.starts_with('/') {
        Ok([up_to(end(&['/', '?', '#'], scheme)), url].concat())
    } else if url.starts_with('?') {
        Ok([up_to(end(&['?', '#'], scheme)), url].concat())
    } else {
        let message = "the provider's next page is neither an absolute URL nor one that starts with / or ?";
        Err(Failure::new("adapter.next-url", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;

    #[test]
    fn a_link_is_found_by_its_relation() {
        let of = |values: &[&str], relation: &str| {
            let header = |value: &&str| Header { name: "Link".to_owned(), value: value.as_bytes().to_vec() };
            link(&Response { status: 200, headers: values.iter().map(header).collect(), body: Vec::new() }, relation)
        };
        let both = "<https://a/?p=1>; rel=\"prev\", <https://a/?p=3,4>; title=\"a, b; rel=x\"; rel=\"next last\"";
        assert_eq!(of(&[both], "next").unwrap(), "https://a/?p=3,4");
        assert_eq!(of(&[both], "prev").unwrap(), "https://a/?p=1");
        assert_eq!(of(&["<a>; rel=first", "<b>; REL=Next"], "next").unwrap(), "b");
        for none in ["", "<a", "<a>; rel=nextish", "a; rel=next", "<a>"] {
            assert_eq!(of(&[none], "next"), None, "{none}");
        }
    }

    #[test]
    fn a_relative_url_is_resolved_and_another_is_not_guessed() {
        let asked = "https://a.example:8443/fhir/Patient?x=/y";
        for (url, resolved) in [
            ("https://b.example/z", "https://b.example/z"),
            ("//c.example/z", "https://c.example/z"),
            ("/z?p=2", "https://a.example:8443/z?p=2"),
            ("?p=2", "https://a.example:8443/fhir/Patient?p=2"),
        ] {
            assert_eq!(resolve(asked, url).unwrap(), resolved);
        }
        assert_eq!(resolve("https://a.example", "/z").unwrap(), "https://a.example/z");
        for wrong in ["", "z", "../z", "ftp://x/", "javascript:x"] {
            assert_eq!(resolve(asked, wrong).unwrap_err().code, "adapter.next-url", "{wrong}");
        }
    }
}
