//! From a route and a request to the HTTP request the host is asked to send.

use crate::{
    Failure, Header, Map, Request, Value, body,
    encode::{self, percent},
    json,
    route::{Encoding, PLACEHOLDER, Place, UntypedRoute, is_escaped, is_rest, parameter},
    shape::Shape,
};
use serde::Serialize;

/// Builds the request: path, query, headers and body, as [`Route`](crate::Route) says.
///
/// Fails with `adapter.request` where the request type does not fit the route (the author's mistake), and with
/// `adapter.path-segment` or `adapter.header` where a value cannot stand where it should.
pub(crate) fn build<T: Serialize>(route: &UntypedRoute, base: &str, request: &T) -> Result<Request, Failure> {
    build_from_json(route, base, json(route, request)?)
}

/// The request's fields.
pub(crate) fn fields<T: Serialize>(route: &UntypedRoute, request: &T) -> Result<Map, Failure> {
    fields_of(route, &json(route, request)?)
}

/// The one way in which requests are written: values made directly would need each type's code a second time.
fn json<T: Serialize>(route: &UntypedRoute, request: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(request).map_err(|error| unfit(route, &error.to_string()))
}

fn build_from_json(route: &UntypedRoute, base: &str, request: Vec<u8>) -> Result<Request, Failure> {
    // The usual case, a JSON body and a fixed path, is never taken apart.
    if route.encoding == Encoding::Json && route.is_all_body() {
        let body = Some(request).filter(|body| body != b"null").map(|body| (body, "application/json".to_owned()));
        let url = fill(route, &route.template(base), &mut Map::new())?;
        return Ok(assemble(route, url, Vec::new(), body));
    }
    let fields = fields_of(route, &request)?;
    // It may be large.
    drop(request);
    build_from_fields(route, base, fields)
}

fn fields_of(route: &UntypedRoute, request: &[u8]) -> Result<Map, Failure> {
    match serde_json::from_slice(request).map_err(|error| unfit(route, &error.to_string()))? {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        _ => Err(unfit(route, "its fields go to several places, so it has to be a struct")),
    }
}

/// Builds the request of these fields.
pub(crate) fn build_from_fields(route: &UntypedRoute, base: &str, mut fields: Map) -> Result<Request, Failure> {
    let mut url = fill(route, &route.template(base), &mut fields)?;
    let headers = take_headers(route, &mut fields)?;
    let whole = route.body_field.and_then(|name| fields.remove(name));
    let (query, rest) = fields.into_iter().partition(|(name, _)| route.place(name) == Place::Query);
    write_query(route, &query, &mut url)?;
    let body = body::write(route, whole, rest)?;
    Ok(assemble(route, url, headers, body))
}

/// A request of the route for a URL that the provider wrote: of the route it has the method, the headers and the slots.
pub(crate) fn follow(route: &UntypedRoute, base: &str, url: String) -> Request {
    assemble(route, without_secrets(route, base, url), Vec::new(), None)
}

/// The URL with the placeholder where the route's path slots put their secrets. The host took the secret itself out of the
/// answer, so what stands there is no secret any more.
fn without_secrets(route: &UntypedRoute, base: &str, url: String) -> String {
    if !route.slots.iter().flatten().any(|slot| slot.path_parameter().is_some()) {
        return url;
    }
    let template = route.template(base);
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (path, rest) = url.split_at(end);
    let mut of_template = template.split('/');
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| match of_template.next().and_then(parameter) {
            Some(name) if route.is_slots(name) => PLACEHOLDER,
            _ => segment,
        })
        .collect();
    [&segments.join("/"), rest].concat()
}

fn assemble(route: &UntypedRoute, url: String, from_fields: Vec<Header>, body: Option<(Vec<u8>, String)>) -> Request {
    let own = |wanted: &str| route.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let body = body.or_else(|| empty_body(route));
    let mut headers = Vec::with_capacity(2 + route.headers.len() + from_fields.len());
    if !own("accept") {
        headers.push(header("accept", "application/json"));
    }
    let body = body.map(|(bytes, media_type)| {
        if !own("content-type") {
            headers.push(header("content-type", &media_type));
        }
        bytes
    });
    let fixed = route.headers.iter().filter(|(name, _)| body.is_some() || !name.eq_ignore_ascii_case("content-type"));
    headers.extend(fixed.map(|(name, value)| header(name, value)));
    headers.extend(from_fields);
    Request { method: route.method, url, headers, body }
}

/// What a slot that goes into the body needs where there is nothing else to send.
fn empty_body(route: &UntypedRoute) -> Option<(Vec<u8>, String)> {
    match route.encoding {
        Encoding::Json if route.has_body_slot() => Some((b"{}".to_vec(), "application/json".to_owned())),
        Encoding::Form if route.has_body_slot() => Some((Vec::new(), "application/x-www-form-urlencoded".to_owned())),
        _ => None,
    }
}

pub(crate) fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.as_bytes().to_vec() }
}

fn take_headers(route: &UntypedRoute, fields: &mut Map) -> Result<Vec<Header>, Failure> {
    let mut headers = Vec::new();
    for (name, field) in route.header_fields {
        match fields.remove(*field) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let Some(text) = encode::text(&value) else {
                    return Err(unfit(route, &format!("the header `{name}` needs text, a number or a boolean")));
                };
                // What a header value is: RFC 9110, section 5.5.
                if text.bytes().any(|byte| byte != b'\t' && (byte < b' ' || byte == 127)) {
                    let message = format!("`{field}` goes in a header and cannot hold control characters");
                    return Err(misplaced("adapter.header", field, message));
                }
                headers.push(header(name, text.trim()));
            }
        }
    }
    Ok(headers)
}

/// The template with each `{name}` replaced by the field of that name, which is taken out of `fields`.
fn fill(route: &UntypedRoute, template: &str, fields: &mut Map) -> Result<String, Failure> {
    let mut url = String::with_capacity(template.len() + 32);
    for (index, segment) in template.split('/').enumerate() {
        if index > 0 {
            url.push('/');
        }
        let Some(name) = parameter(segment) else {
            url.push_str(segment);
            continue;
        };
        if route.is_slots(name) {
            url.push_str(PLACEHOLDER);
            continue;
        }
        let Some(text) = fields.remove(name).as_ref().and_then(encode::text) else {
            return Err(unfit(route, &format!("the path needs a field `{name}`: a string, a number or a boolean")));
        };
        if let Some(wanted) = Shape::of(segment).and_then(|shape| shape.wrong(&text)) {
            let message = format!("`{name}` is a part of the path that takes {wanted}");
            return Err(misplaced("adapter.path-segment", name, message));
        }
        let (several, escaped) = (is_rest(segment), is_escaped(segment));
        for (index, part) in text.split(|c| (several || escaped) && c == '/').enumerate() {
            // Encoded or not, URL parsers take these two for steps in the tree, and an empty one for nothing.
            if matches!(part, "" | "." | "..") {
                let message =
                    format!("`{name}` is a part of the path and cannot be `{text}`; give the id of one thing");
                return Err(misplaced("adapter.path-segment", name, message));
            }
            // Encoded, servers read these in more than one way, so the host refuses them.
            let is_slash = !several && !escaped && part.contains('/');
            if is_slash || part.contains(['\\', ';', '?', '#', '%']) || part.contains(char::is_control) {
                let slash = match is_slash {
                    true => "; where the API takes a / escaped as %2F, the route says `{NAME:escaped}`",
                    false => "",
                };
                let kinds = if escaped || several { "" } else { "/ " };
                let message = format!(
                    "`{name}` is a part of the path and cannot hold {kinds}\\ ; ? # % or control characters{slash}"
                );
                return Err(misplaced("adapter.path-segment", name, message));
            }
            if index > 0 {
                url.push_str(if escaped { "%2F" } else { "/" });
            }
            percent(part, &mut url);
        }
    }
    Ok(url)
}

fn write_query(route: &UntypedRoute, fields: &Map, url: &mut String) -> Result<(), Failure> {
    let mut separator = '?';
    for (name, value) in fields {
        let fits = encode::pairs(name, value, route.brackets, &mut |name, value| {
            url.push(separator);
            separator = '&';
            percent(name, url);
            url.push('=');
            percent(value, url);
        });
        if !fits {
            return Err(unfit(route, &flat(name)));
        }
    }
    Ok(())
}

/// A value that cannot stand where it goes; which field it is, is in the details.
fn misplaced(code: &'static str, field: &str, message: String) -> Failure {
    Failure::new(code, message).details(json!({ "field": field }))
}

/// What is said of a value that cannot be written as names and texts.
pub(crate) fn flat(name: &str) -> String {
    format!(
        "`{name}` is neither text, number, boolean nor a list of those; of nested values, whose keys have no [ and ], see `Route::brackets`"
    )
}

pub(crate) fn unfit(route: &UntypedRoute, problem: &str) -> Failure {
    Failure::new("adapter.request", format!("the request of route `{}` does not fit: {problem}", route.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Route, Slot};

    const BASE: &str = "https://api.example.com/v1";
    const GET: Route<Value, ()> = Route::get("get", "/items/{id}");
    const PUT: Route<Value, ()> = Route::put("put", "/items/{id}").headers(&[("X-Version", "2")]);
    const POST: Route<Value, ()> = Route::post("post", "/items");
    const CSV: Route<(), ()> = Route::get("csv", "/items").headers(&[("Accept", "text/csv")]);

    fn url(request: Value) -> Result<String, Failure> {
        build(&GET.untyped, BASE, &request).map(|request| request.url)
    }

    #[test]
    fn a_path_parameter_is_one_encoded_segment() {
        assert_eq!(url(json!({"id": "a+b c&"})).unwrap(), "https://api.example.com/v1/items/a%2Bb%20c%26");
        assert_eq!(url(json!({"id": 7})).unwrap(), "https://api.example.com/v1/items/7");
    }

    #[test]
    fn a_value_that_would_change_the_path_is_refused() {
        for id in ["", ".", "..", "a/b", "50%", "a;b", "a?b", "a#b", "a\\b", "a\n"] {
            assert_eq!(url(json!({"id": id})).unwrap_err().code, "adapter.path-segment", "{id}");
        }
    }

    #[test]
    fn an_escaped_parameter_is_one_segment_whatever_slashes_it_holds() {
        const PROJECT: Route<Value, ()> = Route::get("project", "/projects/{id:escaped(1..200)}/issues");
        let url = |id: &str| build(&PROJECT.untyped, BASE, &json!({ "id": id })).map(|request| request.url);
        assert_eq!(url("group/sub/a b").unwrap(), format!("{BASE}/projects/group%2Fsub%2Fa%20b/issues"));
        assert_eq!(url("7").unwrap(), format!("{BASE}/projects/7/issues"));
        for id in ["", "/", "a/", "/a", "a//b", "..", "a/../b", "./a", "a%2Fb", "a\\b", "a?b"] {
            assert_eq!(url(id).unwrap_err().code, "adapter.path-segment", "{id}");
        }
        let told = build(&GET.untyped, BASE, &json!({"id": "a/b"})).unwrap_err();
        assert!(told.message.contains("takes a / escaped as %2F, the route says `{NAME:escaped}`"), "{}", told.message);
        assert_eq!(told.details, Some(json!({"field": "id"})));
    }

    #[test]
    fn a_rest_is_several_encoded_segments_and_none_of_them_empty() {
        const FILE: Route<Value, ()> = Route::get("file", "/files/{path..}");
        let url = |path: &str| build(&FILE.untyped, BASE, &json!({ "path": path })).map(|request| request.url);
        assert_eq!(url("a/b c/d").unwrap(), "https://api.example.com/v1/files/a/b%20c/d");
        for path in ["", "/a", "a//b", "a/", "a/../b"] {
            assert_eq!(url(path).unwrap_err().code, "adapter.path-segment", "{path}");
        }
    }

    const BOT: Slot = Slot::path("bot", "token").prefix("bot");
    const SEND: Route<Value, ()> = Route::post("send", "/{token}/send").slot(&BOT);
    const LIST: Route<Value, ()> = Route::get("list", "/{token}/items/{id}").slot(&BOT);

    #[test]
    fn a_path_slots_segment_is_the_placeholder_whatever_else_goes_where() {
        let url = |route: &Route<Value, ()>, request| build(&route.untyped, BASE, &request).unwrap().url;
        assert_eq!(url(&SEND, json!({"text": "hi"})), "https://api.example.com/v1/-credential-/send");
        let list = url(&LIST, json!({"id": 7, "q": "x"}));
        assert_eq!(list, "https://api.example.com/v1/-credential-/items/7?q=x");
    }

    #[test]
    fn a_link_of_the_providers_own_has_the_placeholder_where_the_secret_was() {
        for (link, sent) in [
            (
                "https://api.example.com/v1/bot[x]/items/7?p=/2/3",
                "https://api.example.com/v1/-credential-/items/7?p=/2/3",
            ),
            ("https://api.example.com/v1/-credential-/items/8", "https://api.example.com/v1/-credential-/items/8"),
            ("https://api.example.com?next=/v1/x", "https://api.example.com?next=/v1/x"),
        ] {
            assert_eq!(follow(&LIST.untyped, BASE, link.to_owned()).url, sent);
        }
        let plain = "https://api.example.com/v1/items/7";
        assert_eq!(follow(&GET.untyped, BASE, plain.to_owned()).url, plain);
    }

    #[test]
    fn a_body_slot_has_a_body_to_go_into() {
        const KEY: Slot = Slot::body("key", "api_key");
        const JSON: Route<Value, ()> = Route::post("json", "/x").slot(&KEY);
        const PATH: Route<Value, ()> = Route::post("path", "/x/{id}").slot(&KEY);
        const FORM: Route<Value, ()> = Route::post("form", "/x").slot(&KEY).form();
        let built = |route: &Route<Value, ()>, request| {
            let built = build(&route.untyped, BASE, &request).unwrap();
            (
                String::from_utf8(built.body.unwrap()).unwrap(),
                String::from_utf8(built.headers[1].value.clone()).unwrap(),
            )
        };
        let form = "application/x-www-form-urlencoded".to_owned();
        assert_eq!(built(&JSON, json!({"a": 1})).0, r#"{"a":1}"#);
        assert_eq!(built(&JSON, json!(null)), ("{}".to_owned(), "application/json".to_owned()));
        assert_eq!(built(&PATH, json!({"id": 1})), ("{}".to_owned(), "application/json".to_owned()));
        assert_eq!(built(&FORM, json!({"a": 1})), ("a=1".to_owned(), form.clone()));
        assert_eq!(built(&FORM, json!({})), (String::new(), form));
    }

    #[test]
    fn a_missing_or_structured_path_parameter_names_the_field() {
        for request in [json!({}), json!({"id": null}), json!({"id": [1]})] {
            assert!(url(request).unwrap_err().message.contains("the path needs a field `id`"));
        }
        assert!(url(json!([1])).unwrap_err().message.contains("has to be a struct"));
    }

    #[test]
    fn get_sends_the_other_fields_as_query_without_nulls_and_with_repeats() {
        let request = json!({"id": 1, "b": null, "c": ["x&y", 2], "d": true, "e f": "ü"});
        assert_eq!(url(request).unwrap(), "https://api.example.com/v1/items/1?c=x%26y&c=2&d=true&e%20f=%C3%BC");
        assert!(url(json!({"id": 1, "q": {"x": 1}})).unwrap_err().message.contains("`q` is neither text"));
    }

    #[test]
    fn with_brackets_nested_values_are_spelled_out() {
        const FIND: Route<Value, ()> = Route::get("find", "/find").brackets();
        let request = json!({"created": {"gte": 5, "lt": null}, "expand": ["a", "b"], "items": [{"id": 1}]});
        let built = build(&FIND.untyped, BASE, &request).unwrap();
        let query = "created%5Bgte%5D=5&expand%5B%5D=a&expand%5B%5D=b&items%5B0%5D%5Bid%5D=1";
        assert_eq!(built.url, format!("https://api.example.com/v1/find?{query}"));
    }

    #[test]
    fn an_accept_of_the_routes_own_is_the_only_one() {
        assert_eq!(build(&CSV.untyped, BASE, &()).unwrap().headers, [header("Accept", "text/csv")]);
    }

    #[test]
    fn get_has_no_body_and_no_content_type() {
        let request = build(&GET.untyped, BASE, &json!({"id": 1})).unwrap();
        assert_eq!(request.body, None);
        assert_eq!(request.headers, [header("accept", "application/json")]);
    }

    #[test]
    fn put_sends_the_other_fields_as_a_json_body() {
        let request = build(&PUT.untyped, BASE, &json!({"id": 1, "name": "x", "note": null})).unwrap();
        assert_eq!(request.url, "https://api.example.com/v1/items/1");
        assert_eq!(request.body.unwrap(), br#"{"name":"x","note":null}"#);
        assert_eq!(
            request.headers,
            [
                header("accept", "application/json"),
                header("content-type", "application/json"),
                header("X-Version", "2")
            ]
        );
        assert_eq!(build(&PUT.untyped, BASE, &json!({"id": 1})).unwrap().body, None);
    }

    #[test]
    fn post_sends_any_json_value_as_it_is_and_null_as_nothing() {
        let body = |request: Value| build(&POST.untyped, BASE, &request).unwrap().body;
        assert_eq!(body(json!([{"a": 1}])).unwrap(), br#"[{"a":1}]"#);
        assert_eq!(body(Value::Null), None);
    }

    #[test]
    fn a_body_field_is_the_body_and_the_others_are_path_headers_and_query() {
        const UPDATE: Route<Value, ()> = Route::put("update", "/{type}/{id}")
            .header_fields(&[("If-Match", "version")])
            .headers(&[("Content-Type", "application/fhir+json")])
            .body_field("resource");
        let request = json!({"type": "Patient", "id": "7", "version": "W/\"3\"", "mode": "x", "resource": {"a": [1]}});
        let built = build(&UPDATE.untyped, BASE, &request).unwrap();
        assert_eq!(built.url, "https://api.example.com/v1/Patient/7?mode=x");
        assert_eq!(built.body.unwrap(), br#"{"a":[1]}"#);
        assert_eq!(
            built.headers,
            [
                header("accept", "application/json"),
                header("Content-Type", "application/fhir+json"),
                header("If-Match", "W/\"3\"")
            ]
        );
        let without = build(&UPDATE.untyped, BASE, &json!({"type": "Patient", "id": "7", "version": null})).unwrap();
        assert_eq!((without.headers.len(), without.body), (1, None));
    }

    #[test]
    fn a_header_field_cannot_hold_a_line_break() {
        const GET: Route<Value, ()> = Route::get("get", "/x").header_fields(&[("If-Match", "version")]);
        let failure = build(&GET.untyped, BASE, &json!({"version": "a\r\nX: 1"})).unwrap_err();
        assert_eq!(failure.code, "adapter.header");
        assert!(build(&GET.untyped, BASE, &json!({"version": {}})).unwrap_err().message.contains("header `If-Match`"));
    }
}
