//! Routes: the HTTP exchanges an adapter needs, as typed constants.

use std::{fmt, marker::PhantomData};

use schemars::JsonSchema;

use crate::{
    Failure, Method, Response, Slot,
    describe::{Declare, Declared},
    slot::is_name,
};

/// One HTTP exchange the adapter needs: method, URL, credential slot, and the types of request and response. A constant.
///
/// **URL.** A path that starts with `/` is relative to the adapter's base URL (`base:` in
/// [`register!`](crate::register)), which is a function of its config; an absolute URL stays as it is. `{name}` stands
/// for one segment of 1 to 512 bytes, `{name:digits(1..9)}` for one of that shape (`text`, `word`, `hex`, `digits`, `uuid`,
/// with a length in bytes), and `{name..}`, at the end, for one or more segments. No query and no fragment. The host refuses
/// what is not of the shape, so say what an id looks like where you know it.
///
/// **Request.** `{name}` is filled with the request's field of that name (a string, a number or a boolean), percent-encoded
/// as one segment; it cannot hold `/`, `\`, `;`, `?`, `#`, `%` or control characters, which servers read in more than one
/// way. Of the other fields, GET, HEAD and DELETE send query parameters (null is left out, an array repeats
/// its name); the other methods send a JSON body. A request type that serialises to null, such as `()`, sends nothing. Of a
/// boolean, an unsigned number or an `enum` in the query the operator sees what values there are, and the host lets no
/// others out.
///
/// **Repeats.** The host may send a GET, HEAD, PUT or DELETE again where it is not known what became of it; a POST or PATCH
/// only after [`Route::idempotent`] or [`Route::idempotency_key`].
///
/// **Response.** By default success is a status of 2xx whose body is JSON of the response type; an empty body is read as
/// `null`, which suits `()` and `Option`. Everything else is an error: the route's own [`Route::error`], else the
/// adapter's, else `http.STATUS`. Sandbox mode answers from the response type's schema, so give it examples:
/// `#[schemars(example = &"OK")]`.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// #[model]
/// struct Find {
///     list: String,
///     limit: Option<u16>,
/// }
///
/// // Find { list: "a b", limit: Some(5) } becomes GET {base}/lists/a%20b/tasks?limit=5
/// const FIND: Route<Find, Vec<String>> = Route::get("find-tasks", "/lists/{list}/tasks").describe("Finds tasks.");
/// ```
pub struct Route<Request, Response> {
    pub(crate) parts: Parts,
    types: PhantomData<fn(&Request) -> Response>,
}

/// What of a route does not depend on its types, so that the code that works on it exists once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) id: &'static str,
    pub(crate) description: &'static str,
    pub(crate) method: Method,
    pub(crate) url: &'static str,
    pub(crate) slot: Option<&'static Slot>,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) error: Option<fn(&Response) -> Failure>,
    pub(crate) repeat: Repeat,
}

/// Whether the host may send a request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Never,
    Idempotent,
    /// With this header field, which holds the call's idempotency key.
    WithKey(&'static str),
}

impl<Request, Answer> Route<Request, Answer> {
    /// GET: fields go in the query.
    #[must_use]
    pub const fn get(id: &'static str, url: &'static str) -> Self {
        Self::new(Method::Get, id, url)
    }

    /// HEAD: fields go in the query.
    #[must_use]
    pub const fn head(id: &'static str, url: &'static str) -> Self {
        Self::new(Method::Head, id, url)
    }

    /// DELETE: fields go in the query.
    #[must_use]
    pub const fn delete(id: &'static str, url: &'static str) -> Self {
        Self::new(Method::Delete, id, url)
    }

    /// POST: fields go in a JSON body.
    #[must_use]
    pub const fn post(id: &'static str, url: &'static str) -> Self {
        Self::new(Method::Post, id, url)
    }

    /// PUT: fields go in a JSON body.
    #[must_use]
    pub const fn put(id: &'static str, url: &'static str) -> Self {
        Self::new(Method::Put, id, url)
    }

    /// PATCH: fields go in a JSON body.
    #[must_use]
    pub const fn patch(id: &'static str, url: &'static str) -> Self {
        Self::new(Method::Patch, id, url)
    }

    const fn new(method: Method, id: &'static str, url: &'static str) -> Self {
        assert!(is_name(id), "a route's id is 1 to 64 lower-case letters, digits and `-`, as in `send-email`");
        assert!(is_url(url), "a route's URL is `/path` (relative to the base) or `https://host/path`, without ? and #");
        let repeat = match method {
            Method::Post | Method::Patch => Repeat::Never,
            _ => Repeat::Idempotent,
        };
        let parts = Parts { id, description: "", method, url, slot: None, headers: &[], error: None, repeat };
        Self { parts, types: PhantomData }
    }

    /// The slot whose secret the host adds.
    #[must_use]
    pub const fn slot(mut self, slot: &'static Slot) -> Self {
        self.parts.slot = Some(slot);
        self
    }

    /// One sentence for the operator.
    #[must_use]
    pub const fn describe(mut self, description: &'static str) -> Self {
        self.parts.description = description;
        self
    }

    /// Headers sent with each request, beside `Accept: application/json` and a body's `Content-Type`:
    /// `.headers(&[("Notion-Version", "2025-09-03")])`.
    #[must_use]
    pub const fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.parts.headers = headers;
        self
    }

    /// Sending it twice is the same as sending it once, though its method does not say so: the host may try again.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.parts.repeat = Repeat::Idempotent;
        self
    }

    /// The provider does a request once for each value of this header field, such as `Idempotency-Key`. Where the caller
    /// gave an idempotency key it is sent in this field, and the host may try again.
    #[must_use]
    pub const fn idempotency_key(mut self, header: &'static str) -> Self {
        self.parts.repeat = Repeat::WithKey(header);
        self
    }

    /// What an answer that is no success means, for this route instead of the adapter's `error:`.
    #[must_use]
    pub const fn error(mut self, error: fn(&Response) -> Failure) -> Self {
        self.parts.error = Some(error);
        self
    }

    /// The route's id.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.parts.id
    }
}

impl<Request: JsonSchema, Answer: JsonSchema> Declare for Route<Request, Answer> {
    fn declare(&self, declared: &mut Declared) -> Option<&'static str> {
        declared.add_route(&self.parts, Declared::schema_of_sent::<Request>, Declared::schema_of_received::<Answer>);
        Some(self.parts.id)
    }
}

impl<Request, Answer> fmt::Debug for Route<Request, Answer> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.fmt(formatter)
    }
}

impl Parts {
    /// Whether fields go in a JSON body rather than in the query.
    pub(crate) const fn has_body(&self) -> bool {
        !matches!(self.method, Method::Get | Method::Head | Method::Delete)
    }

    /// Whether doing it twice is the same as doing it once (RFC 9110, section 9.2.2).
    pub(crate) const fn is_idempotent(&self) -> bool {
        matches!(self.repeat, Repeat::Idempotent)
    }

    /// The absolute URL template for this base.
    pub(crate) fn template(&self, base: &str) -> String {
        if self.url.starts_with('/') { [base.trim_end_matches('/'), self.url].concat() } else { self.url.to_owned() }
    }

    /// The names in `{…}`, in the order of the path.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.url.split('/').filter_map(parameter)
    }
}

/// `name`, if this segment is `{name}`, `{name:SHAPE}` or `{name..}`.
pub(crate) fn parameter(segment: &str) -> Option<&str> {
    let inside = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(inside.strip_suffix("..").or_else(|| inside.split_once(':').map(|(name, _)| name)).unwrap_or(inside))
}

/// Whether this segment is `{name..}`, which stands for several.
pub(crate) fn is_rest(segment: &str) -> bool {
    segment.ends_with("..}")
}

const fn is_url(url: &str) -> bool {
    let mut rest = url.as_bytes();
    if !matches!(rest, [b'/', ..] | [b'h', b't', b't', b'p', b's', b':', b'/', b'/', _, ..]) {
        // Plain http is for tests on one machine; the host refuses it elsewhere.
        if !matches!(rest, [b'h', b't', b't', b'p', b':', b'/', b'/', _, ..]) {
            return false;
        }
    }
    while let [first, others @ ..] = rest {
        if matches!(first, b'?' | b'#' | b' ') {
            return false;
        }
        rest = others;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELATIVE: Route<(), ()> = Route::get("one", "/items/{id}/parts/{part}");
    const ABSOLUTE: Route<(), ()> = Route::post("two", "https://other.example/x");

    #[test]
    fn a_path_is_relative_to_the_base_and_an_absolute_url_stays() {
        assert_eq!(RELATIVE.parts.template("https://a.example/v1"), "https://a.example/v1/items/{id}/parts/{part}");
        assert_eq!(RELATIVE.parts.template("https://a.example/v1/"), "https://a.example/v1/items/{id}/parts/{part}");
        assert_eq!(ABSOLUTE.parts.template("https://a.example"), "https://other.example/x");
    }

    #[test]
    fn parameters_are_whole_segments() {
        assert_eq!(RELATIVE.parts.parameters().collect::<Vec<_>>(), ["id", "part"]);
        assert_eq!(ABSOLUTE.parts.parameters().count(), 0);
        assert_eq!(
            [parameter("{id:digits(1..9)}"), parameter("{path..}"), parameter("id")],
            [Some("id"), Some("path"), None]
        );
        assert!(is_rest("{path..}") && !is_rest("{id:digits(1..9)}"));
    }

    #[test]
    fn urls_without_scheme_or_with_a_query_are_refused() {
        for good in ["/", "/a/{b}", "https://a.example", "http://127.0.0.1:8080/x"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["", "a/b", "ftp://a", "https://", "/a?b=c", "/a#b", "/a b"] {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
