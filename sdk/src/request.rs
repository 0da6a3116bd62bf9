//! From a route and a typed request to the HTTP request the host is asked to send.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Failure, Header, Request,
    encode::percent,
    route::{Parts, is_rest, parameter},
};

/// Builds the request: path, query, headers and body, as [`Route`](crate::Route) says.
///
/// Fails with `adapter.request` where the request type does not fit the route (the author's mistake), and with
/// `adapter.path-segment` where a value cannot be a path segment.
pub(crate) fn build<T: Serialize>(route: &Parts, base: &str, request: &T) -> Result<Request, Failure> {
    // The usual case, a body and a fixed path, is serialised once and never taken apart.
    if route.has_body() && route.parameters().next().is_none() {
        let body = serde_json::to_vec(request).map_err(|error| unfit(route, &error.to_string()))?;
        return Ok(assemble(route, route.template(base), Some(body).filter(|body| body != b"null")));
    }
    let fields = match serde_json::to_value(request).map_err(|error| unfit(route, &error.to_string()))? {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        _ => return Err(unfit(route, "its fields go into the URL, so it has to be a struct")),
    };
    build_from_fields(route, base, fields)
}

fn build_from_fields(route: &Parts, base: &str, mut fields: Map<String, Value>) -> Result<Request, Failure> {
    let mut url = fill(route, &route.template(base), &mut fields)?;
    if !route.has_body() {
        write_query(route, &fields, &mut url)?;
        return Ok(assemble(route, url, None));
    }
    let body = if fields.is_empty() { None } else { Some(Value::Object(fields).to_string().into_bytes()) };
    Ok(assemble(route, url, body))
}

fn assemble(route: &Parts, url: String, body: Option<Vec<u8>>) -> Request {
    let mut headers = Vec::with_capacity(2 + route.headers.len());
    if !route.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        headers.push(header("accept", "application/json"));
    }
    if body.is_some() {
        headers.push(header("content-type", "application/json"));
    }
    headers.extend(route.headers.iter().map(|(name, value)| header(name, value)));
    Request { method: route.method, url, headers, body }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.as_bytes().to_vec() }
}

/// The template with each `{name}` replaced by the field of that name, which is taken out of `fields`.
fn fill(route: &Parts, template: &str, fields: &mut Map<String, Value>) -> Result<String, Failure> {
    let mut url = String::with_capacity(template.len() + 32);
    for (index, segment) in template.split('/').enumerate() {
        if index > 0 {
            url.push('/');
        }
        let Some(name) = parameter(segment) else {
            url.push_str(segment);
            continue;
        };
        let Some(text) = fields.remove(name).as_ref().and_then(text_of) else {
            return Err(unfit(route, &format!("the path needs a field `{name}`: a string, a number or a boolean")));
        };
        let several = is_rest(segment);
        for (index, part) in text.split(|c| several && c == '/').enumerate() {
            // Encoded or not, URL parsers take these two for steps in the tree, and an empty one for nothing.
            if matches!(part, "" | "." | "..") {
                let message =
                    format!("`{name}` is a part of the path and cannot be `{text}`; give the id of one thing");
                return Err(Failure::new("adapter.path-segment", message));
            }
            // Encoded, servers read these in more than one way, so the host refuses them.
            if part.contains(['/', '\\', ';', '?', '#', '%']) || part.contains(char::is_control) {
                let message =
                    format!("`{name}` is a part of the path and cannot hold / \\ ; ? # % or control characters");
                return Err(Failure::new("adapter.path-segment", message));
            }
            if index > 0 {
                url.push('/');
            }
            percent(part, &mut url);
        }
    }
    Ok(url)
}

fn write_query(route: &Parts, fields: &Map<String, Value>, url: &mut String) -> Result<(), Failure> {
    let mut separator = '?';
    let mut write = |name: &str, value: &Value| {
        let Some(text) = text_of(value) else {
            let problem = format!("the query parameter `{name}` is neither text, number, boolean nor a list of those");
            return Err(unfit(route, &problem));
        };
        url.push(separator);
        separator = '&';
        percent(name, url);
        url.push('=');
        percent(&text, url);
        Ok(())
    };
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::Array(values) => values.iter().try_for_each(|value| write(name, value))?,
            value => write(name, value)?,
        }
    }
    Ok(())
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn unfit(route: &Parts, problem: &str) -> Failure {
    Failure::new("adapter.request", format!("the request type of route `{}` does not fit: {problem}", route.id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Route;

    const BASE: &str = "https://api.example.com/v1";
    const GET: Route<Value, ()> = Route::get("get", "/items/{id}");
    const PUT: Route<Value, ()> = Route::put("put", "/items/{id}").headers(&[("X-Version", "2")]);
    const POST: Route<Value, ()> = Route::post("post", "/items");
    const CSV: Route<(), ()> = Route::get("csv", "/items").headers(&[("Accept", "text/csv")]);

    fn url(request: Value) -> Result<String, Failure> {
        build(&GET.parts, BASE, &request).map(|request| request.url)
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
    fn a_rest_is_several_encoded_segments_and_none_of_them_empty() {
        const FILE: Route<Value, ()> = Route::get("file", "/files/{path..}");
        let url = |path: &str| build(&FILE.parts, BASE, &json!({ "path": path })).map(|request| request.url);
        assert_eq!(url("a/b c/d").unwrap(), "https://api.example.com/v1/files/a/b%20c/d");
        for path in ["", "/a", "a//b", "a/", "a/../b"] {
            assert_eq!(url(path).unwrap_err().code, "adapter.path-segment", "{path}");
        }
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
        assert!(url(json!({"id": 1, "q": {"x": 1}})).unwrap_err().message.contains("query parameter `q`"));
    }

    #[test]
    fn an_accept_of_the_routes_own_is_the_only_one() {
        assert_eq!(build(&CSV.parts, BASE, &()).unwrap().headers, [header("Accept", "text/csv")]);
    }

    #[test]
    fn get_has_no_body_and_no_content_type() {
        let request = build(&GET.parts, BASE, &json!({"id": 1})).unwrap();
        assert_eq!(request.body, None);
        assert_eq!(request.headers, [header("accept", "application/json")]);
    }

    #[test]
    fn put_sends_the_other_fields_as_a_json_body() {
        let request = build(&PUT.parts, BASE, &json!({"id": 1, "name": "x", "note": null})).unwrap();
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
        assert_eq!(build(&PUT.parts, BASE, &json!({"id": 1})).unwrap().body, None);
    }

    #[test]
    fn post_sends_any_json_value_as_it_is_and_null_as_nothing() {
        let body = |request: Value| build(&POST.parts, BASE, &request).unwrap().body;
        assert_eq!(body(json!([{"a": 1}])).unwrap(), br#"[{"a":1}]"#);
        assert_eq!(body(Value::Null), None);
    }
}
