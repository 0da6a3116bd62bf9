//! Routes: the HTTP exchanges an adapter needs, as typed constants or as data.

#[cfg(test)]
mod tests;
mod url;

use std::{fmt, marker::PhantomData};

use crate::{
    Failure, Method, Response, Slot,
    describe::{Declare, Declared},
    schema::Model,
    slot::is_name,
};

pub(crate) use url::{PLACEHOLDER, absolute, is_escaped, is_rest, is_url, parameter};
use url::{has_known_shapes, names_fields_of, stands_once};

/// One HTTP exchange the adapter needs: method, URL, credential slots, and the types of request and response. A constant.
///
/// **URL.** A path that starts with `/` is relative to the adapter's base URL (`base:` in
/// [`register!`](crate::register)), which is a function of its config, and an empty one is the base URL itself; an absolute
/// URL stays as it is. `{name}` stands for one segment of 1 to 512 bytes, `{name:digits(1..9)}` for one of that shape
/// (`text`, `word`, `hex`, `digits`, `uuid`, with a length in bytes), and `{name..}`, at the end, for one or more segments.
/// `{name:escaped}` is one segment that may hold `/`, which is sent as `%2F`: GitLab's `group%2Fproject`.
/// No query and no fragment. The host refuses what is not of the shape, so say what an id looks like where you know it.
///
/// **Request.** Each field of the request goes to one place:
///
/// | place | which fields |
/// | --- | --- |
/// | path | those that `{name}` names: a string, a number or a boolean, percent-encoded as one segment; without `/`, `\`, `;`, `?`, `#`, `%` and control characters, which servers read in more than one way. The one of a [`Slot::path`] is no field |
/// | header | those of [`Route::header_fields`] |
/// | query | of GET, HEAD and DELETE all others; else those of [`Route::query`], or all others where [`Route::body_field`] names the body |
/// | body | what is left, as JSON, or as [`Route::form`], [`Route::multipart`] or [`Route::raw`] say; what a [`Slot::body`] adds is no field |
///
/// Null is left out of everything but JSON bodies. In a query and a form an array repeats its name; of nested objects see
/// [`Route::brackets`]. A request type that serialises to null, such as `()`, sends nothing. Of a boolean, an unsigned
/// number or an `enum` in the query or a header the operator sees what values there are, and the host lets no others out.
///
/// **Repeats.** The host may send a GET, HEAD, PUT or DELETE again where it is not known what became of it; a POST or PATCH
/// only after [`Route::idempotent`] or [`Route::idempotency_key`].
///
/// **Response.** By default success is a status of 2xx whose body is JSON of the response type; an empty body is read as
/// `null`, which suits `()` and `Option`. Everything else is an error: the route's own [`Route::error`], else the
/// adapter's, else `http.STATUS`. Where the body tells success from failure, see [`Route::success`]. Use
/// [`Json<T>`](crate::Json) as the type of what is only passed on. Sandbox mode answers from the response type's schema, so
/// give it examples.
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
    pub(crate) untyped: UntypedRoute<'static>,
    types: PhantomData<fn(&Request) -> Response>,
}

/// A [`Route`] without types: for adapters whose routes are data, such as a config. Its requests are JSON objects, and its
/// schemas are given to [`Declared::route`]. What each field means is told at the method of [`Route`] with its name.
#[derive(Debug, Clone, Copy)]
pub struct UntypedRoute<'a> {
    /// Lower-case letters, digits and `-`, 1 to 64 bytes, unique in the adapter.
    pub id: &'a str,
    /// One sentence for the operator.
    pub description: &'a str,
    /// The method.
    pub method: Method,
    /// `/path`, relative to the base, or `https://host/path`.
    pub url: &'a str,
    /// The slots whose secrets the host adds.
    pub slots: [Option<&'a Slot<'a>>; MAX_SLOTS],
    /// Header fields with the same value in each request.
    pub headers: &'a [(&'a str, &'a str)],
    /// Header fields and the request's fields that they are filled with.
    pub header_fields: &'a [(&'a str, &'a str)],
    /// Which of the request's fields go in the query although there is a body.
    pub query: &'a [&'a str],
    /// Whether query parameters are sent that no field names.
    pub any_query: bool,
    /// Where a provider writes the URLs that it stands for; empty for any other route.
    pub links: &'a [Link<'a>],
    /// How the body is written.
    pub encoding: Encoding<'a>,
    /// The field that is the whole body.
    pub body_field: Option<&'a str>,
    /// Whether nested objects and arrays are written with brackets.
    pub brackets: bool,
    /// Whether an answer is a success.
    pub success: Option<fn(&Response) -> bool>,
    /// What an answer means that is none.
    pub error: Option<fn(&Response) -> Failure>,
    /// Instead of both: rules that are data.
    pub judge: Option<&'a dyn Judge>,
    /// Whether the host may send a request again.
    pub repeat: Repeat<'a>,
    /// Fields of the answer, and what sandbox mode says there.
    pub examples: &'a [(&'a str, &'a str)],
}

/// Tells answers that are successes from others by rules that are data, for an [`UntypedRoute`].
pub trait Judge: fmt::Debug + Sync {
    /// Nothing, or what an answer means that is no success.
    fn judge(&self, response: &Response) -> Result<(), Failure>;
}

/// Where in an answer a provider writes a link, for [`Route::links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link<'a> {
    /// In a `Link` header field (RFC 8288), with this relation type, in lower case: `next`.
    Header(&'a str),
    /// In the JSON, at this pointer (RFC 6901), in which `*` stands for every item of an array: `/links/next`, `/link/*/url`.
    Body(&'a str),
}

/// How a request's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding<'a> {
    /// There is none: fields go in the query.
    Query,
    /// `application/json`, or the `Content-Type` of the route's headers.
    Json,
    /// `application/x-www-form-urlencoded` (WHATWG URL, section 5.2).
    Form,
    /// `multipart/form-data` (RFC 7578).
    Multipart,
    /// As it is, with one of these media types: the request's field `contentType`, or the first.
    Raw(&'a [&'a str]),
}

/// Whether the host may send a request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat<'a> {
    /// Once, whatever happens.
    Never,
    /// Twice is the same as once.
    Idempotent,
    /// Twice is the same as once, with a key in this header field.
    WithKey(&'a str),
}

impl<Request, Answer> Route<Request, Answer> {
    /// GET: fields go in the query.
    ///
    /// What cannot be right is found when it is compiled: a shape that nobody knows, and a parameter that the request lacks.
    ///
    /// ```compile_fail
    /// use portcullis_sdk::prelude::*;
    ///
    /// const GET: Route<(), Value> = Route::get("get", "/items/{number:number}"); // `digits`
    /// ```
    ///
    /// ```compile_fail
    /// use portcullis_sdk::prelude::*;
    ///
    /// #[model]
    /// struct Get {
    ///     number: u32,
    /// }
    ///
    /// const GET: Route<Get, Value> = Route::get("get", "/items/{id}");
    /// const _: () = GET.check(); // `#[operation]` does so for what it uses
    /// ```
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
        assert!(
            has_known_shapes(url),
            "a parameter's shape is `text`, `word`, `hex`, `digits`, `uuid` or `escaped`, with a length if need be: `{{id:digits(1..9)}}`"
        );
        assert!(is_url(url), "a route's URL is `/path` (relative to the base) or `https://host/path`, without ? and #");
        Self { untyped: UntypedRoute::new(method, id, url), types: PhantomData }
    }

    /// A slot whose secret the host adds. Up to four, of which no two write the same place; each request carries all of them.
    ///
    /// ```
    /// use portcullis_sdk::prelude::*;
    ///
    /// const KEY: Slot = Slot::header("key", "X-Api-Key");
    /// const APP: Slot = Slot::query("app", "app_id");
    /// const GET: Route<(), Value> = Route::get("get", "/items").slot(&KEY).slot(&APP);
    /// ```
    ///
    /// ```compile_fail
    /// use portcullis_sdk::prelude::*;
    ///
    /// const TOKEN: Slot = Slot::bearer("token");
    /// const USER: Slot = Slot::basic("user");
    /// const GET: Route<(), Value> = Route::get("get", "/items").slot(&TOKEN).slot(&USER); // both are `Authorization`
    /// ```
    ///
    /// ```compile_fail
    /// use portcullis_sdk::prelude::*;
    ///
    /// const BOT: Slot = Slot::path("bot", "token");
    /// const GET: Route<(), Value> = Route::get("get", "/items").slot(&BOT); // where is `{token}`?
    /// ```
    ///
    /// ```compile_fail
    /// use portcullis_sdk::prelude::*;
    ///
    /// const KEY: Slot = Slot::body("key", "api_key");
    /// const GET: Route<(), Value> = Route::get("get", "/items").slot(&KEY); // GET has no body
    /// ```
    #[must_use]
    pub const fn slot(mut self, slot: &'static Slot) -> Self {
        let [first, second, third, fourth] = self.untyped.slots;
        assert!(fourth.is_none(), "a route has at most four slots");
        assert!(
            !clash(first, slot) && !clash(second, slot) && !clash(third, slot),
            "two slots of the route write the same place, such as `Authorization`, or both sign; keep one of them"
        );
        if let Some(parameter) = slot.path_parameter() {
            assert!(
                stands_once(self.untyped.url, parameter),
                "the URL of a path slot's route has the slot's parameter once, as a whole segment: `/{{token}}/send`"
            );
        }
        if slot.body_member().is_some() {
            let has_body = !matches!(self.untyped.method, Method::Get | Method::Head);
            assert!(has_body && takes_members(self.untyped.encoding), "a body slot goes into a JSON object or a form");
        }
        self.untyped.slots = match (first, second, third) {
            (None, ..) => [Some(slot), None, None, None],
            (_, None, _) => [first, Some(slot), None, None],
            (_, _, None) => [first, second, Some(slot), None],
            _ => [first, second, third, Some(slot)],
        };
        self
    }

    /// One sentence for the operator.
    #[must_use]
    pub const fn describe(mut self, description: &'static str) -> Self {
        self.untyped.description = description;
        self
    }

    /// Headers sent with each request, beside `Accept: application/json` and a body's `Content-Type`:
    /// `.headers(&[("Notion-Version", "2025-09-03")])`. For those that depend on the config see `headers:` in
    /// [`register!`](crate::register).
    #[must_use]
    pub const fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.untyped.headers = headers;
        self
    }

    /// Header fields that are filled with fields of the request, and left out where those are null:
    /// `.header_fields(&[("If-Match", "ifMatch")])`.
    #[must_use]
    pub const fn header_fields(mut self, fields: &'static [(&'static str, &'static str)]) -> Self {
        self.untyped.header_fields = fields;
        self
    }

    /// Fields that go in the query although there is a body: `.query(&["valueInputOption"])`.
    #[must_use]
    pub const fn query(mut self, fields: &'static [&'static str]) -> Self {
        self.untyped.query = fields;
        self
    }

    /// Query parameters are sent that no field names, because their names are open-ended, or because URLs of the
    /// provider's own are followed. The operator reads this as `*`.
    #[must_use]
    pub const fn any_query(mut self) -> Self {
        self.untyped.any_query = true;
        self
    }

    /// Makes it a route of links: by it go URLs that the provider wrote in the same call, and no others. The host checks that
    /// it found the very URL at one of these places, in an answer of the same origin. So a list goes on wherever the provider
    /// says, and the operator grants an origin and a path below which that may be, and not a template that stands for all.
    /// Such a route's URL may end with `{name*}`, which stands for whatever follows, and for nothing. Any query may stand in
    /// it. Name it as [`Paging::follow`](crate::paging::Paging::follow), or use [`Context::follow`](crate::Context::follow).
    ///
    /// ```
    /// use portcullis_sdk::{Link, paging::{Next, Paging}, prelude::*};
    ///
    /// # const TOKEN: Slot = Slot::bearer("token");
    /// // Link: <https://api.github.com/repositories/1296269/issues?after=Y3Vyc29y>; rel="next"
    /// const NEXT_ISSUES: Route<(), Value> = Route::get("next-issues", "/repositories/{link*}")
    ///     .links(&[Link::Header("next")])
    ///     .slot(&TOKEN)
    ///     .describe("Reads a further page of issues.");
    /// const PAGING: Paging = Paging::new("", Next::LinkHeader).follow(&NEXT_ISSUES);
    /// ```
    ///
    /// An operator grants it with these lines:
    ///
    /// ```toml
    /// [[routes]]
    /// method = "GET"
    /// url = "https://api.github.com/repositories/{link*}"
    /// query = ["*"]
    /// slots = ["token"]
    /// links = ["rel=next"]
    /// ```
    ///
    /// ```compile_fail
    /// use portcullis_sdk::{Link, prelude::*};
    ///
    /// const NEXT: Route<(), Value> = Route::post("next", "/{link*}").links(&[Link::Header("next")]); // links are read
    /// ```
    #[must_use]
    pub const fn links(mut self, places: &'static [Link<'static>]) -> Self {
        assert!(
            !places.is_empty() && places.len() <= 8,
            "say at which places the links stand, as in `&[Link::Header(\"next\")]`"
        );
        assert!(matches!(self.untyped.method, Method::Get | Method::Head), "a link is followed with GET or HEAD");
        self.untyped.links = places;
        self.untyped.any_query = true;
        self
    }

    /// The body is a JSON object of the fields that go nowhere else: for a DELETE with a body.
    #[must_use]
    pub const fn json(mut self) -> Self {
        self.untyped.encoding = Encoding::Json;
        self
    }

    /// The body is a form (`application/x-www-form-urlencoded`); a space is `%20` in it.
    #[must_use]
    pub const fn form(mut self) -> Self {
        self.untyped.encoding = Encoding::Form;
        self
    }

    /// The body is `multipart/form-data`: a field of type [`File`](crate::File) becomes a file, any other text.
    #[must_use]
    pub const fn multipart(mut self) -> Self {
        assert!(!self.untyped.has_body_slot(), "a body slot goes into a JSON object or a form");
        self.untyped.encoding = Encoding::Multipart;
        self
    }

    /// The body is the field `field` as it is, text or a [`File`](crate::File)'s bytes, with one of these media types: what
    /// the file says, else the first. The other fields go in the query.
    #[must_use]
    pub const fn raw(mut self, field: &'static str, media_types: &'static [&'static str]) -> Self {
        assert!(!media_types.is_empty(), "say which media types there are, as in `&[\"text/csv\"]`");
        assert!(!self.untyped.has_body_slot(), "a body slot goes into a JSON object or a form");
        self.untyped.encoding = Encoding::Raw(media_types);
        self.untyped.body_field = Some(field);
        self
    }

    /// The body is this field's value alone; fields that go nowhere else go in the query.
    #[must_use]
    pub const fn body_field(mut self, field: &'static str) -> Self {
        self.untyped.body_field = Some(field);
        self
    }

    /// Nested objects and arrays are written with brackets in queries and forms, as Stripe, PHP and Rails read them:
    /// `a[b]=1`, `a[]=1&a[]=2`, and `a[0][b]=1` for an array of objects.
    #[must_use]
    pub const fn brackets(mut self) -> Self {
        self.untyped.brackets = true;
        self
    }

    /// Sending it twice is the same as sending it once, though its method does not say so: the host may try again.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.untyped.repeat = Repeat::Idempotent;
        self
    }

    /// The provider does a request once for each value of this header field, such as `Idempotency-Key`. Each request
    /// carries one: the caller's key where there is one, else the call's id, with a number and a check sum behind it
    /// from the second request of a call on. The host may then try again.
    #[must_use]
    pub const fn idempotency_key(mut self, header: &'static str) -> Self {
        self.untyped.repeat = Repeat::WithKey(header);
        self
    }

    /// What answers are successes, where the status alone does not tell, for this route instead of the adapter's `success:`.
    #[must_use]
    pub const fn success(mut self, success: fn(&Response) -> bool) -> Self {
        self.untyped.success = Some(success);
        self
    }

    /// What an answer that is no success means, for this route instead of the adapter's `error:`.
    #[must_use]
    pub const fn error(mut self, error: fn(&Response) -> Failure) -> Self {
        self.untyped.error = Some(error);
        self
    }

    /// What sandbox mode answers in these fields, where the examples of the response type do not fit this route:
    /// `.examples(&[("status", "canceled"), ("amount", "2000")])`. Values are JSON; what is none is a text.
    #[must_use]
    pub const fn examples(mut self, examples: &'static [(&'static str, &'static str)]) -> Self {
        self.untyped.examples = examples;
        self
    }

    /// The route's id.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.untyped.id
    }

    /// The route without its types.
    #[must_use]
    pub const fn untyped(&self) -> &UntypedRoute<'static> {
        &self.untyped
    }
}

impl<Request: Model, Answer: Model> Route<Request, Answer> {
    /// What can be wrong with a route, found when an operation that uses it is compiled.
    #[doc(hidden)]
    pub const fn check(&self) {
        assert!(
            !self.untyped.links.is_empty() || names_fields_of(self.untyped.url, Request::SCHEMA, &self.untyped.slots),
            "the route's URL has a `{{parameter}}` that is no field of its request type; add the field, or correct its name"
        );
    }
}

impl<Request: Model, Answer: Model> Declare for Route<Request, Answer> {
    fn declare(&self, declared: &mut Declared) -> Option<String> {
        declared.add_route(
            &self.untyped,
            &Declared::schema_of_sent::<Request>,
            &Declared::schema_of_received::<Answer>,
        );
        Some(self.untyped.id.to_owned())
    }
}

impl<Request, Answer> fmt::Debug for Route<Request, Answer> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.untyped.fmt(formatter)
    }
}

impl<'a> UntypedRoute<'a> {
    /// A route with nothing but its method and URL. Fields go in the query of GET, HEAD and DELETE and in a JSON body of the
    /// others.
    #[must_use]
    pub const fn new(method: Method, id: &'a str, url: &'a str) -> Self {
        let repeat = match method {
            Method::Post | Method::Patch => Repeat::Never,
            _ => Repeat::Idempotent,
        };
        let encoding = match method {
            Method::Get | Method::Head | Method::Delete => Encoding::Query,
            _ => Encoding::Json,
        };
        Self {
            id,
            description: "",
            method,
            url,
            slots: [None; MAX_SLOTS],
            headers: &[],
            header_fields: &[],
            query: &[],
            any_query: false,
            links: &[],
            encoding,
            body_field: None,
            brackets: false,
            success: None,
            error: None,
            judge: None,
            repeat,
            examples: &[],
        }
    }

    /// The absolute URL template for this base.
    pub(crate) fn template(&self, base: &str) -> String {
        absolute(base, self.url)
    }

    /// The names in `{…}`, in the order of the path, but for those of path slots.
    pub fn parameters(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let route = *self;
        self.url.split('/').filter_map(parameter).filter(move |name| !route.is_slots(name))
    }

    /// Whether a slot puts its secret into the segment `{name}`.
    pub(crate) fn is_slots(&self, name: &str) -> bool {
        self.slots.iter().flatten().any(|slot| slot.path_parameter() == Some(name))
    }

    /// Whether a slot adds a member to the body, so that there has to be one.
    pub(crate) const fn has_body_slot(&self) -> bool {
        let mut slots = self.slots.as_slice();
        while let [Some(slot), rest @ ..] = slots {
            if slot.body_member().is_some() {
                return true;
            }
            slots = rest;
        }
        false
    }

    /// Where a field of the request goes.
    #[must_use]
    pub fn place(&self, field: &str) -> Place {
        if self.parameters().any(|name| name == field) {
            Place::Path
        } else if self.header_fields.iter().any(|(_, name)| *name == field) {
            Place::Header
        } else if self.body_field == Some(field) {
            Place::Body
        } else if self.encoding == Encoding::Query || self.body_field.is_some() || self.query.contains(&field) {
            Place::Query
        } else {
            Place::Body
        }
    }

    /// Whether every field goes in the body, so that a request need not be taken apart.
    pub(crate) fn is_all_body(&self) -> bool {
        self.encoding != Encoding::Query
            && self.body_field.is_none()
            && self.header_fields.is_empty()
            && self.query.is_empty()
            && self.parameters().next().is_none()
    }
}

/// Where a field of a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path, as `{name}` says.
    Path,
    /// In a header field.
    Header,
    /// In the query.
    Query,
    /// In the body.
    Body,
}

/// Most slots of one route.
const MAX_SLOTS: usize = 4;

const fn clash(known: Option<&Slot>, slot: &Slot) -> bool {
    match known {
        Some(known) => known.clashes(slot),
        None => false,
    }
}

const fn takes_members(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Query | Encoding::Json | Encoding::Form)
}
