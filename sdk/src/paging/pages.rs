//! Reading a list page by page: which request comes next, and what ends the list.

use portcullis_reference::resolve;

use super::{Next, Paging, Reason, link};
use crate::{
    Adapter, Context, Failure, Json, Level, Map, Request, Response, UntypedRoute, Value,
    document::{Document, Kind, Part},
    request::{build_from_fields, follow},
};

/// The pages of a list, of [`Context::pages`].
pub struct Pages<'p, C> {
    cx: &'p Context<C>,
    paging: &'p Paging<'p>,
    request: Map,
    first: &'p UntypedRoute<'p>,
    /// None at the end.
    next: Option<Ahead>,
    /// The URLs that were asked for.
    seen: Vec<String>,
    /// Where the page that was read last began: the value of the field that goes on.
    here: Option<Value>,
    count: u32,
    reason: Option<Reason>,
}

enum Step {
    End,
    Again,
    Url(String),
}

/// The request for the next page.
enum Ahead {
    /// The first, made already.
    First(Request),
    /// The first route's once more, with the fields as they are now.
    Again,
    /// The provider's own URL.
    Url(String),
}

impl<'p, C: Adapter> Pages<'p, C> {
    pub(super) fn new(
        cx: &'p Context<C>,
        first: &'p UntypedRoute<'p>,
        request: Map,
        paging: &'p Paging<'p>,
    ) -> Result<Self, Failure> {
        let made = build_from_fields(first, &cx.base_url(), request.clone())?;
        let next = Some(Ahead::First(made));
        Ok(Self { cx, paging, request, first, next, seen: Vec::new(), here: None, count: 0, reason: None })
    }

    /// The next page, as the provider wrote it. None at the list's end, and where it cannot be read further: then
    /// [`Pages::more`] is true, and [`Pages::reason`] says why.
    ///
    /// Fails as [`Context::send`] does where it is the first. A page without items where `items` says is handed out as well;
    /// it is for the caller to judge, who may [`stop`](Pages::stop) there.
    pub fn read(&mut self) -> Result<Option<Json<Value>>, Failure> {
        if self.reason.is_some() || self.next.is_none() {
            return Ok(None);
        }
        if self.count >= self.paging.max_pages {
            let message = format!("the list has more than the {} pages that are read at most", self.paging.max_pages);
            return self.break_off(Failure::new("adapter.max-pages", message), self.count + 1).map(|()| None);
        }
        match self.fetch() {
            Ok(page) => Ok(page),
            Err(failure) => self.break_off(failure, self.count + 1).map(|()| None),
        }
    }

    /// Ends the list at the page that was read last, which cannot be used: what was read before it stays, and
    /// [`Pages::reason`] says why. At the first page nothing would stay, so there it fails.
    pub fn stop(&mut self, failure: Failure) -> Result<(), Failure> {
        // To go on is to read this page again.
        if let Some(field) = self.paging.next.field() {
            match self.here.take() {
                Some(here) => drop(self.request.insert(field.to_owned(), here)),
                None => drop(self.request.remove(field)),
            }
        }
        self.break_off(failure, self.count)
    }

    /// Whether the provider has pages that were not read, or may have.
    #[must_use]
    pub fn more(&self) -> bool {
        self.next.is_some() || self.reason.is_some()
    }

    /// Why the list was not read to its end, if that is not because the caller stopped asking.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// How many were read.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What the first request has to send to go on from here, and why the list was not read to its end.
    pub(super) fn end(mut self) -> (Option<Value>, Option<Reason>) {
        (self.paging.next.field().and_then(|field| self.request.remove(field)), self.reason)
    }

    /// Ends the list before the page of this number.
    fn break_off(&mut self, failure: Failure, page: u32) -> Result<(), Failure> {
        if page <= 1 {
            return Err(failure);
        }
        let message = format!("page {page}: {}", failure.message);
        self.cx.log(Level::Warn, &format!("the list was not read to its end; {message}"));
        self.reason = Some(Reason { code: failure.code.into_owned(), message, retryable: failure.retryable });
        Ok(())
    }

    /// Asks for the next page. None where the answer says that there is none.
    fn fetch(&mut self) -> Result<Option<Json<Value>>, Failure> {
        let (route, request) = match self.next.take() {
            None => return Ok(None),
            Some(Ahead::First(request)) => (self.first, request),
            Some(Ahead::Again) => {
                (self.first, build_from_fields(self.first, &self.cx.base_url(), self.request.clone())?)
            }
            Some(Ahead::Url(url)) => {
                let route = self.paging.follow.unwrap_or(self.first);
                (route, follow(route, &self.cx.base_url(), url))
            }
        };
        // A cursor in a body leaves the URL as it is; then the pages are bounded by their number alone.
        if request.body.is_none() {
            if self.seen.contains(&request.url) {
                if let Some(field) = self.paging.next.field() {
                    self.request.remove(field);
                }
                let message = "the provider's next page is one that was read already";
                return Err(Failure::new("http.next-page-repeats", message));
            }
            self.seen.push(request.url.clone());
        }
        let asked = request.url.clone();
        let mut response = self.cx.exchange_request(route, request)?;
        let is_first = self.count == 0;
        if !is_first && self.paging.ends.contains(&response.status) {
            return Ok(None);
        }
        self.cx.accept(route, &response)?;
        // Without a body there are no items, and so no page. A first page without one is for the caller to judge.
        if !is_first && (matches!(response.status, 204 | 205) || response.body.trim_ascii().is_empty()) {
            return Ok(None);
        }
        if response.url.is_empty() {
            response.url = asked;
        }
        let answer: Json<Value> = response.json()?;
        self.count += 1;
        self.here = self.paging.next.field().and_then(|field| self.request.get(field).cloned());
        self.next = match self.step(&response, &answer) {
            Step::End => None,
            Step::Again => Some(Ahead::Again),
            Step::Url(reference) => Some(Ahead::Url(resolve(&response.url, &reference))),
        };
        Ok(Some(answer))
    }

    /// What comes after this page.
    fn step(&mut self, response: &Response, page: &Json<Value>) -> Step {
        let Some(answer) = page.document().map(Document::root) else { return Step::End };
        let list = answer.pointer(self.paging.items).filter(|list| list.kind() == Kind::Array);
        let count = list.map_or(0, |list| list.items().count());
        match self.paging.next {
            Next::Cursor { cursor, field } => match answer.pointer(cursor).map(Part::to_value) {
                Some(Value::String(text)) if text.is_empty() => Step::End,
                Some(next @ (Value::String(_) | Value::Number(_))) => self.again(field, next),
                _ => Step::End,
            },
            Next::LastId { id, field, more } => {
                let says_more = |more| answer.pointer(more).is_some_and(|more| more.text() == "true");
                match list.and_then(|list| list.items().last()?.pointer(id)) {
                    Some(id) if more.is_none_or(says_more) => self.again(field, id.to_value()),
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
                let all = total.and_then(|total| answer.pointer(total)?.as_number()?.as_u64());
                // Who says how many there are may give fewer at a time than were asked for.
                if count == 0 || all.map_or_else(|| self.is_short(size, count), |all| skipped >= all) {
                    return Step::End;
                }
                self.again(field, Value::from(skipped))
            }
            Next::LinkHeader => link(response, "next").map_or(Step::End, Step::Url),
            Next::Url(place) => match answer.pointer(place).and_then(Part::as_str) {
                Some(url) if !url.trim().is_empty() => Step::Url(url.into_owned()),
                _ => Step::End,
            },
            Next::UrlIn(find) => find(page).filter(|url| !url.trim().is_empty()).map_or(Step::End, Step::Url),
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
