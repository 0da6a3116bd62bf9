//! One endpoint, as the config says it. What each field does is told where it is declared; these texts are the published
//! schema's descriptions.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

/// One endpoint, which becomes one operation with one route.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Endpoint {
    /// The operation's name, in camelCase.
    #[schema(pattern = "^[a-z][a-zA-Z0-9]*$", length(min = 1, max = 64), example = "createPage")]
    pub(crate) name: String,
    /// What it does, in one sentence.
    #[schema(length(min = 1, max = 1000), example = "Creates a page.")]
    pub(crate) description: String,
    /// What it does to the world.
    pub(crate) effect: Effect,
    /// The method.
    pub(crate) method: Method,
    /// Relative to `baseUrl`. `{id}` stands for the input's field of that name as one segment; `{id:digits(1..9)}` for one
    /// of that shape (`text`, `word`, `hex`, `digits`, `uuid`, with a length); `{id:escaped}` for one that may hold `/`, sent as
    /// `%2F`; `{path..}`, at the end, for several segments.
    #[schema(length(max = 2048), example = "/pages/{page_id:uuid}")]
    pub(crate) path: String,
    /// JSON Schema of the input: an object whose fields go in path, headers, query and body. Without it there are no
    /// fields. Fields that it does not name are refused unless it says `"additionalProperties": true`. References are
    /// `#/$defs/NAME`.
    #[schema(extend("type" = "object"))]
    pub(crate) input: Option<Value>,
    /// Fields that go in the query although there is a body. Without a body all fields do that go nowhere else.
    #[serde(default)]
    #[schema(length(max = 128), example = ["filter_properties"])]
    pub(crate) query: Vec<String>,
    /// Headers of its own: a text, or the field of the input that says what to send.
    #[serde(default)]
    #[schema(example = {"Prefer": "return=minimal", "If-Match": {"field": "version"}})]
    pub(crate) headers: BTreeMap<String, HeaderValue>,
    /// How the fields that go nowhere else are sent. By default as JSON with POST, PUT and PATCH, and in the query with the
    /// other methods.
    pub(crate) body: Option<Body>,
    /// Whether nested objects and arrays are written with brackets in query and form: `a[b]=1`, `a[]=1&a[]=2`.
    #[serde(default)]
    pub(crate) brackets: bool,
    /// JSON Schema of a successful answer. Sandbox mode answers from it, so give it `examples`; the output is held to it. By
    /// default any JSON. References are `#/$defs/NAME`.
    #[schema(extend("type" = "object"))]
    pub(crate) response: Option<Value>,
    /// What a successful answer is. By default JSON, and with HEAD nothing.
    pub(crate) response_type: Option<ResponseType>,
    /// The media type that is asked for. If an answer that is text or bytes says another, that is an error.
    #[schema(length(min = 3, max = 128), example = "text/csv")]
    pub(crate) accept: Option<String>,
    /// Which part of a successful answer is the output. By default all of it.
    pub(crate) output: Option<Output>,
    /// Which answers are successes, instead of the config's `success`.
    pub(crate) success: Option<Success>,
    /// Where answers say what went wrong, instead of the config's `errors`.
    pub(crate) errors: Option<Errors>,
    /// The answer is a list that comes in pages. They are read up to a bound, and the output is `{"items": […], "more":
    /// true}`, where `more` says whether there are items that were not read.
    pub(crate) paging: Option<Paging>,
    /// Whether a request may be sent again where it is not known what became of it. By default `never` with POST and
    /// PATCH, and `idempotent` with the others.
    pub(crate) repeat: Option<Repeat>,
    /// Where the API may redirect the request to, with GET or HEAD: paths relative to `baseUrl`, or absolute URLs, to which no
    /// secret goes. `{name}`, with any name, stands for one segment, `{name..}` for several; any query may follow.
    #[serde(default)]
    #[schema(length(max = 16), example = ["/files/{id}", "https://files.acme.example/{path..}"])]
    pub(crate) redirects: Vec<String>,
}

/// What an operation does to the world.
#[model]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Effect {
    /// Changes nothing.
    Read,
    /// Creates or changes what can be changed back.
    Write,
    /// Deletes, pays out, sends what cannot be recalled, or otherwise cannot be undone.
    Destructive,
}

/// An HTTP method.
#[model]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// What a header says.
#[model]
#[derive(Debug)]
#[serde(untagged)]
pub(crate) enum HeaderValue {
    /// Always this.
    Constant(String),
    /// What the input says.
    Field(FromField),
}

/// A field of the input.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct FromField {
    /// Its name. Where the input has no such field the header is left out.
    pub(crate) field: String,
}

/// How a request's body is written.
#[model]
#[derive(Debug)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "camelCase")]
pub(crate) enum Body {
    /// There is none: fields go in the query.
    None,
    /// JSON.
    Json {
        /// The field that is the whole body. The others then go in the query.
        field: Option<String>,
    },
    /// `application/x-www-form-urlencoded`.
    Form {
        /// The field that is the whole body. The others then go in the query.
        field: Option<String>,
    },
    /// `multipart/form-data`. A field `{"filename", "contentType", "base64"}` becomes a file, any other text.
    Multipart {
        /// The field that is the whole body. The others then go in the query.
        field: Option<String>,
    },
    /// One field as it is: text, or the bytes of `{"filename", "contentType", "base64"}`. The others go in the query.
    #[serde(rename_all = "camelCase")]
    Raw {
        /// The field.
        field: String,
        /// What it may be: what the file says if it is one of these, else the first.
        #[schema(length(min = 1, max = 32), example = ["text/csv"])]
        media_types: Vec<String>,
    },
}

/// What a successful answer is.
#[model]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ResponseType {
    /// JSON; an empty body is `null`.
    Json,
    /// Text: the output is a string.
    Text,
    /// Bytes: the output is a string of base64.
    Bytes,
    /// Nothing that matters: the output is `null`.
    None,
}

/// Which part of an answer is the output.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Output {
    /// Where it is (JSON Pointer, RFC 6901).
    #[schema(length(max = 512), example = "/data")]
    pub(crate) pointer: String,
    /// Its JSON Schema. By default what `response` says of that place.
    #[schema(extend("type" = "object"))]
    pub(crate) schema: Option<Value>,
}

/// Which answers are successes: those with one of the statuses for which all conditions hold.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Success {
    /// Statuses, each one of `200` or all of `2xx`. By default `2xx`.
    #[schema(length(min = 1, max = 64), extend("items" = {"type": "string", "pattern": "^[1-5]([0-9][0-9]|xx)$"}, "examples" = [["2xx", "404"]]))]
    pub(crate) statuses: Option<Vec<String>>,
    /// What the body, which has to be JSON, must say.
    #[serde(default)]
    #[schema(length(max = 16))]
    pub(crate) body: Vec<Condition>,
}

/// What must hold at a place of an answer: one of `equals`, `notEquals` and `exists`.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Condition {
    /// Where (JSON Pointer, RFC 6901).
    #[schema(length(max = 512), example = "/ok")]
    pub(crate) pointer: String,
    /// This stands there. For null see `exists`.
    pub(crate) equals: Option<Value>,
    /// Anything but this stands there, or nothing.
    pub(crate) not_equals: Option<Value>,
    /// Whether something stands there that is not null.
    pub(crate) exists: Option<bool>,
}

/// Where an answer says what went wrong. The error's code is `PROVIDER.CODE`, else `http.STATUS`.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Errors {
    /// Where the code is (JSON Pointers, RFC 6901); the first that is there counts.
    #[serde(default)]
    #[schema(length(max = 16), example = ["/error/code", "/error/type"])]
    pub(crate) codes: Vec<String>,
    /// Where the message for a person is.
    #[schema(length(max = 512), example = "/error/message")]
    pub(crate) message: Option<String>,
    /// The API's codes, as it writes them, that say "not now". Statuses 408, 425, 429 and 5xx do anyway.
    #[serde(default)]
    #[schema(length(max = 64), example = ["rate_limited"])]
    pub(crate) retryable: Vec<String>,
}

/// How a list goes on.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Paging {
    /// Where in an answer the array of items is (JSON Pointer, RFC 6901).
    #[schema(length(max = 512), example = "/results")]
    pub(crate) items: String,
    /// Where the next page is.
    pub(crate) next: Next,
    /// Most pages that are read. Each is a request, of which a call has 16 unless its grant says otherwise.
    #[serde(default = "ten")]
    #[schema(range(min = 1, max = 1000))]
    pub(crate) max_pages: u32,
    /// Most items that are returned.
    #[serde(default = "thousand")]
    #[schema(range(min = 1, max = 100_000))]
    pub(crate) max_items: u32,
    /// Statuses that say of a page after the first that the list has ended. By default 404 with `page`, and none otherwise. An
    /// answer without a body says so anyway.
    #[schema(length(max = 16), extend("items" = {"type": "integer", "minimum": 200, "maximum": 499}, "examples" = [[404, 416]]))]
    pub(crate) ends: Option<Vec<u16>>,
}

fn ten() -> u32 {
    10
}

fn thousand() -> u32 {
    1000
}

/// Where the next page is.
#[model]
#[derive(Debug)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "camelCase")]
pub(crate) enum Next {
    /// The answer has a cursor, which the next request sends. Null, empty or missing: no more.
    Cursor {
        /// Where in the answer.
        #[schema(example = "/next_cursor")]
        cursor: String,
        /// The field that carries it, whether or not the input has it.
        #[schema(example = "start_cursor")]
        field: String,
    },
    /// The next request sends the id of the last item.
    LastId {
        /// Where in an item.
        #[schema(example = "/id")]
        id: String,
        /// The field that carries it, whether or not the input has it.
        #[schema(example = "starting_after")]
        field: String,
        /// Where in the answer it says, true or false, whether there is more. Without it pages are read until one is empty.
        #[schema(example = "/has_more")]
        more: Option<String>,
    },
    /// The next request asks for the page with the next number.
    Page {
        /// The field that carries it, whether or not the input has it.
        #[schema(example = "page")]
        field: String,
        /// The number of the first page.
        #[serde(default = "one")]
        first: u64,
        /// The input's field that says how many items a page has. A page with fewer is the last.
        size: Option<String>,
    },
    /// The next request skips as many items as were read.
    Offset {
        /// The field that carries it, whether or not the input has it.
        #[schema(example = "offset")]
        field: String,
        /// The input's field that says how many items a page has. A page with fewer is the last.
        size: Option<String>,
        /// Where in the answer it says how many items there are in all.
        total: Option<String>,
    },
    /// The header `Link` has the next page's URL, with `rel="next"` (RFC 8288).
    #[serde(rename_all = "camelCase")]
    LinkHeader {
        /// Below which path, relative to `baseUrl`, these URLs lead; by default below `baseUrl` itself. They are followed as the API
        /// wrote them, at its own origin and in the same call.
        #[schema(length(max = 2048), example = "/repositories")]
        links_below: Option<String>,
        /// The query parameters that these URLs carry, beside those of the input. By default any.
        link_query: Option<Vec<String>>,
    },
    /// The answer has the next page's URL.
    #[serde(rename_all = "camelCase")]
    Url {
        /// Where in the answer.
        #[schema(example = "/links/next")]
        url: String,
        /// Below which path, relative to `baseUrl`, these URLs lead; by default below `baseUrl` itself. They are followed as the API
        /// wrote them, at its own origin and in the same call.
        #[schema(length(max = 2048), example = "/repositories")]
        links_below: Option<String>,
        /// The query parameters that these URLs carry, beside those of the input. By default any.
        link_query: Option<Vec<String>>,
    },
}

fn one() -> u64 {
    1
}

/// Whether a request may be sent again where it is not known what became of it.
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Repeat {
    /// It is sent once, whatever happens.
    Never,
    /// Twice is the same as once.
    Idempotent,
    /// Twice is the same as once with a key in this header, such as `Idempotency-Key`: the caller's, or one made from the
    /// call's id.
    Key(String),
}
