//! What is wrong with a config, where, and what to write instead.

use portcullis_sdk::{Map, prelude::*};

use super::{example, fake, fields, with};

/// The place and the words of a refusal.
fn refused(config: Value) -> (String, String) {
    match fake(config.clone()).describe() {
        Err(Error::InvalidConfig { pointer, message }) => (pointer, message),
        other => panic!("{config}: {:?}", other.map(|descriptor| descriptor.routes)),
    }
}

/// The example with a value put at a pointer; null takes it away.
fn changed(pointer: &str, value: Value) -> Value {
    let mut config = example();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        Value::Object(members) if value.is_null() => drop(members.remove(name)),
        Value::Object(members) => drop(members.insert(name.to_owned(), value)),
        other => panic!("{other}"),
    }
    config
}

fn check(table: &[(&str, Value, &str, &str)]) {
    for (pointer, value, at, says) in table {
        let (found, message) = refused(changed(pointer, value.clone()));
        assert_eq!(found, *at, "{pointer} = {value}: {message}");
        assert!(message.contains(says), "{pointer} = {value}: {message}");
    }
}

#[test]
fn the_example_is_not_refused() {
    assert!(fake(example()).describe().is_ok());
}

#[test]
fn what_is_wrong_with_the_config_as_a_whole() {
    let control = json!({"type": "bearer", "description": "a\u{202e}b"});
    check(&[
        ("/provider", json!("http"), "/provider", "write whose API it is"),
        ("/baseUrl", json!("ftp://a.example"), "/baseUrl", "does not begin with https://"),
        ("/baseUrl", json!("https://a.example/v1?key=1"), "/baseUrl", "has a query"),
        ("/baseUrl", json!("https://a.example/v1#x"), "/baseUrl", "has a fragment"),
        ("/baseUrl", json!("https://a.example/{x}"), "/baseUrl", "has a parameter"),
        ("/baseUrl", json!("https://u:p@a.example"), "/baseUrl", "a user before the host"),
        ("/baseUrl", json!("https://a..example"), "/baseUrl", "is not a host"),
        ("/baseUrl", json!("https://bücher.example"), "/baseUrl", "is not a host"),
        ("/baseUrl", json!("https://a.example.:443/"), "/baseUrl", "is not a host"),
        ("/baseUrl", json!("https://[::1"), "/baseUrl", "is not a host"),
        ("/baseUrl", json!("https://a.example:99999"), "/baseUrl", "is not a port"),
        ("/baseUrl", json!("https://a.example:"), "/baseUrl", "is not a port"),
        ("/baseUrl", json!("https://a.example/a//b"), "/baseUrl", "in more than one way"),
        ("/baseUrl", json!("https://a.example/../b"), "/baseUrl", "in more than one way"),
        ("/auth", control, "/auth/description", "invisible characters"),
        ("/auth", json!({"type": "header", "name": "X Key"}), "/auth/name", "is not a header's name"),
        ("/auth", json!({"type": "header", "name": "Cookie"}), "/auth/name", "cannot go there"),
        (
            "/auth",
            json!({"type": "header", "name": "X-Key", "prefix": "a\nb"}),
            "/auth/prefix",
            "is not a header's value",
        ),
        ("/auth", json!({"type": "query", "name": "schlüssel"}), "/auth/name", "cannot name a query parameter"),
        ("/headers", json!({"Host": "b.example"}), "/headers/Host", "is the host's to write"),
        ("/headers", json!({"Authorization": "Bearer x"}), "/headers/Authorization", "say in `auth`"),
        ("/headers", json!({"X-Forwarded-For": "1.2.3.4"}), "/headers/X-Forwarded-For", "is the host's to write"),
        ("/headers", json!({"a/b": "c"}), "/headers/a~1b", "is not a header's name"),
        ("/headers", json!({"X-A": "a\r\nB: c"}), "/headers/X-A", "is not a header's value"),
        ("/headers", json!({"X-A": "1", "x_a": "2"}), "/headers/x_a", "keep one of the two"),
        ("/errors/codes/0", json!("error.code"), "/errors/codes/0", "is not a JSON Pointer"),
        ("/errors/message", json!("/a~2"), "/errors/message", "is not a JSON Pointer"),
        ("/success", json!({"statuses": ["2x"]}), "/success/statuses/0", "write `404` or `2xx`"),
        ("/success", json!({"statuses": ["200", "6xx"]}), "/success/statuses/1", "write `404` or `2xx`"),
        ("/success", json!({"body": [{"pointer": "/ok"}]}), "/success/body/0", "one of `equals`"),
        ("/success", json!({"body": [{"pointer": "ok", "exists": true}]}), "/success/body/0/pointer", "JSON Pointer"),
        ("/endpoints/1/name", json!("listTasks"), "/endpoints/1/name", "`/endpoints/0` has this name too"),
    ]);
    let typed = changed("/headers", json!({"content-type": "application/vnd.api+json"}));
    assert_eq!(
        refused(typed),
        (
            "/headers/content-type".to_owned(),
            "`/endpoints/2/body` says another kind of body; write the header at the endpoints that need it".to_owned()
        )
    );
    let mut key = changed("/auth", json!({"type": "header", "name": "X-Api-Key"}));
    key["headers"] = json!({"x-api-key": "mine"});
    assert_eq!(refused(key).0, "/headers/x-api-key");
}

#[test]
fn what_is_wrong_with_names_paths_and_methods() {
    let long = format!("a{}", "B".repeat(40));
    check(&[
        ("/endpoints/0/name", json!(long), "/endpoints/0/name", "shorten it"),
        ("/endpoints/2/description", json!("a\nb"), "/endpoints/2/description", "one line"),
        ("/endpoints/3/effect", json!("read"), "/endpoints/3/effect", "DELETE change something"),
        ("/endpoints/2/path", json!("tasks"), "/endpoints/2/path", "does not begin with `/`"),
        ("/endpoints/2/path", json!("/tasks/{id}"), "/endpoints/2/path", "{id} is no field of `input`"),
        ("/endpoints/2/path", json!("/tasks?x=1"), "/endpoints/2/path", "query parameters are fields of `input`"),
        ("/endpoints/2/path", json!("/tasks/{task}:close"), "/endpoints/2/path", "do not hold a whole segment"),
        ("/endpoints/2/path", json!("/tasks/{}"), "/endpoints/2/path", "does not name a field"),
        ("/endpoints/2/path", json!("/tasks/{{task}}"), "/endpoints/2/path", "does not name a field"),
        ("/endpoints/2/path", json!("/{task}/{task}"), "/endpoints/2/path", "stands there twice"),
        ("/endpoints/2/path", json!("/{task..}/x"), "/endpoints/2/path", "goes at the end"),
        ("/endpoints/2/path", json!("/{task:numbers}"), "/endpoints/2/path", "is not a shape"),
        ("/endpoints/2/path", json!("/{task:digits(9..1)}"), "/endpoints/2/path", "is not a shape"),
        ("/endpoints/2/path", json!("/{task:digits(0)}"), "/endpoints/2/path", "is not a shape"),
        ("/endpoints/2/path", json!("/{task:uuid(36)}"), "/endpoints/2/path", "is not a shape"),
        ("/endpoints/2/path", json!("/{task:text(1..9999)}"), "/endpoints/2/path", "is not a shape"),
        ("/endpoints/2/path", json!("/a/../b/{task}"), "/endpoints/2/path", "in more than one way"),
        ("/endpoints/2/path", json!("/a%2fb/{task}"), "/endpoints/2/path", "in more than one way"),
        ("/endpoints/2/path", json!("/a;b/{task}"), "/endpoints/2/path", "in more than one way"),
        ("/endpoints/2/path", json!("/ü/{task}"), "/endpoints/2/path", "in more than one way"),
        ("/endpoints/2/path", json!("/{task}".repeat(40)), "/endpoints/2/path", "40 segments"),
        ("/endpoints/2/input/required", json!(["file"]), "/endpoints/2/input", "add it to `required`"),
        ("/endpoints/2/input/properties/task/type", json!("array"), "/endpoints/2/path", "its type is string"),
        (
            "/endpoints/2/input/properties/task/type",
            json!(["string", "null"]),
            "/endpoints/2/path",
            "its type is string",
        ),
        ("/endpoints/0/body", json!({"type": "json"}), "/endpoints/0/body", "GET and HEAD have no body"),
        ("/endpoints/0/redirects", json!(["x"]), "/endpoints/0/redirects/0", "does not begin with `/`"),
        ("/endpoints/0/redirects", json!(["/a", "https://{host}/"]), "/endpoints/0/redirects/1", "has a parameter"),
        (
            "/endpoints/0/redirects",
            json!(["https://a.example/?b"]),
            "/endpoints/0/redirects/0",
            "a query or a fragment",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_where_fields_go() {
    let nested = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let list = json!({"type": "array", "items": nested});
    check(&[
        ("/endpoints/0/query", json!(["limit"]), "/endpoints/0/query/0", "all fields go in the query"),
        ("/endpoints/1/query", json!(["x"]), "/endpoints/1/query/0", "is no field of `input`"),
        ("/endpoints/1/query", json!(["due", "due"]), "/endpoints/1/query/1", "stands there twice"),
        ("/endpoints/1/query", json!(["project"]), "/endpoints/1/query", "goes in the path already"),
        ("/endpoints/1/body", json!({"type": "json", "field": "x"}), "/endpoints/1/body/field", "is no field"),
        ("/endpoints/1/body", json!({"type": "json", "field": "project"}), "/endpoints/1/body", "the path already"),
        ("/endpoints/1/body", json!({"type": "form", "field": "title"}), "/endpoints/1/body/field", "is an object"),
        (
            "/endpoints/1/body",
            json!({"type": "raw", "field": "title", "mediaTypes": ["csv"]}),
            "/endpoints/1/body/mediaTypes/0",
            "is not a media type",
        ),
        (
            "/endpoints/1/body",
            json!({"type": "raw", "field": "title", "mediaTypes": ["a/b; c=d"]}),
            "/endpoints/1/body/mediaTypes/0",
            "without parameters",
        ),
        ("/endpoints/1/headers", json!({"X-A": {"field": "x"}}), "/endpoints/1/headers/X-A/field", "is no field"),
        ("/endpoints/1/headers", json!({"X-A": {"field": "project"}}), "/endpoints/1/headers", "the path already"),
        (
            "/endpoints/2/headers",
            json!({"X-A": {"field": "file"}}),
            "/endpoints/2/headers/X-A/field",
            "goes in a header",
        ),
        (
            "/endpoints/1/headers",
            json!({"Content-Length": "1"}),
            "/endpoints/1/headers/Content-Length",
            "the host's to write",
        ),
        ("/endpoints/2/headers", json!({"Content-Type": "text/x"}), "/endpoints/2/headers/Content-Type", "says `body`"),
        ("/endpoints/1/repeat", json!({"key": "Cookie"}), "/endpoints/1/repeat/key", "the host's to write"),
        (
            "/endpoints/1/repeat",
            json!({"key": "acme_version"}),
            "/endpoints/1/repeat/key",
            "says something else already",
        ),
        ("/endpoints/1/repeat", json!({"key": "Accept"}), "/endpoints/1/repeat/key", "says something else already"),
        (
            "/endpoints/0/input/properties/größe",
            json!({"type": "string"}),
            "/endpoints/0/input/properties/größe",
            "cannot name",
        ),
        ("/endpoints/0/input/properties/a b", json!({}), "/endpoints/0/input/properties/a b", "cannot name"),
        (
            "/endpoints/0/input/properties/filter",
            nested.clone(),
            "/endpoints/0/input/properties/filter",
            "\"brackets\": true",
        ),
        ("/endpoints/0/input/properties/filters", list, "/endpoints/0/input/properties/filters", "send it in a body"),
    ]);
    let mut both = changed("/endpoints/1/body", json!({"type": "json", "field": "due"}));
    both["endpoints"][1]["query"] = json!(["due"]);
    assert_eq!(refused(both).0, "/endpoints/1/query/0");
    let mut form = changed("/endpoints/1/body", json!({"type": "form"}));
    form["endpoints"][1]["input"]["properties"]["more"] = nested.clone();
    assert_eq!(refused(form).0, "/endpoints/1/input/properties/more");
    let mut circle =
        changed("/endpoints/0/input/$defs", json!({"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}));
    circle["endpoints"][0]["input"]["properties"]["a"] = json!({"$ref": "#/$defs/A"});
    assert!(refused(circle).1.contains("refers to itself"));
    let mut secret = changed("/auth", json!({"type": "query", "name": "limit"}));
    assert_eq!(refused(secret.clone()).0, "/endpoints/0/input/properties/limit");
    secret["auth"]["name"] = json!("cursor");
    assert_eq!(refused(secret).0, "/endpoints/0/paging/next/field");
    let many: Map = (0..129).map(|n| (format!("f{n}"), json!({}))).collect();
    let many = with(json!({"input": {"type": "object", "properties": many}}));
    assert!(refused(many).1.contains("at most 128"));
}

#[test]
fn what_is_wrong_with_schemas() {
    let input = "/endpoints/1/input";
    for (key, value, at, says) in [
        ("type", json!("array"), "/type", "the input is an object"),
        ("type", json!("objekt"), "/type", "`type` is one of"),
        ("type", json!(["object", "object"]), "/type", "each once"),
        ("type", json!([]), "/type", "`type` is one of"),
        ("$ref", json!("#/$defs/A"), "/$ref", "is not there"),
        ("$ref", json!("https://b.example/s"), "/$ref", "leads where"),
        ("$ref", json!("#/properties/title"), "/$ref", "leads where"),
        ("$ref", json!(7), "/$ref", "is a text"),
        ("required", json!("title"), "/required", "a list of names"),
        ("required", json!(["project", "project"]), "/required", "each once"),
        ("properties", json!([]), "/properties", "an object whose members are schemas"),
        ("anyOf", json!([]), "/anyOf", "at least one schema"),
        ("anyOf", json!([3]), "/anyOf/0", "an object, true or false"),
        ("not", json!("x"), "/not", "an object, true or false"),
        ("minProperties", json!(-1), "/minProperties", "a whole number"),
        ("minimum", json!("1"), "/minimum", "a number"),
        ("multipleOf", json!(0), "/multipleOf", "above 0"),
        ("enum", json!([]), "/enum", "at least one value"),
        ("examples", json!({}), "/examples", "a list of values"),
        ("pattern", json!(1), "/pattern", "a text"),
        ("uniqueItems", json!("yes"), "/uniqueItems", "true or false"),
        ("dependentRequired", json!({"a": [1]}), "/dependentRequired", "lists of names"),
        ("definitions", json!({}), "/definitions", "name parts in `$defs`"),
        ("$dynamicRef", json!("#a"), "/$dynamicRef", "is not read here"),
        ("nullable", json!(true), "/nullable", "OpenAPI 3.0"),
        ("example", json!({}), "/example", "OpenAPI 3.0"),
        ("$schema", json!("http://json-schema.org/draft-07/schema#"), "/$schema", "2020-12"),
    ] {
        let (found, message) = refused(changed(&format!("{input}/{key}"), value.clone()));
        assert_eq!(found, format!("{input}{at}"), "{key} = {value}: {message}");
        assert!(message.contains(says), "{key} = {value}: {message}");
    }
    let at = "/endpoints/0/response/$defs/Task/properties/id/type";
    check(&[(at, json!("text"), at, "`type` is one of")]);
    let mut referred = changed("/endpoints/1/input/$defs", json!({"A": {"type": "object"}}));
    referred["endpoints"][1]["input"]["$ref"] = json!("#/$defs/A");
    assert!(refused(referred).1.contains("write its `properties`"));
}

#[test]
fn what_is_wrong_with_what_is_said_of_answers() {
    let paging = |next: Value| json!({"items": "/data", "next": next});
    let next = |at: &str| format!("/endpoints/0/paging/next/{at}");
    check(&[
        ("/endpoints/1/output/pointer", json!("/data/x"), "/endpoints/1/output/pointer", "says nothing of the place"),
        ("/endpoints/1/output/pointer", json!("data"), "/endpoints/1/output/pointer", "is not a JSON Pointer"),
        ("/endpoints/1/output/schema", json!({"type": 1}), "/endpoints/1/output/schema/type", "`type` is one of"),
        ("/endpoints/2/output", json!({"pointer": ""}), "/endpoints/2/output", "in JSON alone"),
        ("/endpoints/0/output", json!({"pointer": "/data"}), "/endpoints/0/output", "with `paging`"),
        ("/endpoints/2/response", json!({}), "/endpoints/2/response", "leave `response` out"),
        ("/endpoints/1/responseType", json!("text"), "/endpoints/1/response", "described as a string"),
        ("/endpoints/2/accept", json!("csv"), "/endpoints/2/accept", "is not a media type"),
        ("/endpoints/2/accept", json!("a/b\n"), "/endpoints/2/accept", "is not a header's value"),
        (
            "/endpoints/2/success",
            json!({"body": [{"pointer": "/ok", "equals": true}]}),
            "/endpoints/2/success/body",
            "in JSON",
        ),
        ("/endpoints/2/success", json!({"statuses": ["ok"]}), "/endpoints/2/success/statuses/0", "write `404`"),
        ("/endpoints/2/errors", json!({"codes": ["x"]}), "/endpoints/2/errors/codes/0", "is not a JSON Pointer"),
        ("/endpoints/0/response", Value::Null, "/endpoints/0/paging", "describe a page there"),
        ("/endpoints/0/paging/items", json!("/items"), "/endpoints/0/paging/items", "says nothing of the place"),
        ("/endpoints/0/paging/items", json!("/next"), "/endpoints/0/paging/items", "there is no array"),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "cursor", "cursor": "/x", "field": "c"})),
            &next("cursor"),
            "says nothing",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "cursor", "cursor": "/next", "field": "project"})),
            &next("field"),
            "in the path",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "cursor", "cursor": "/next", "field": "ü"})),
            &next("field"),
            "cannot name",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "lastId", "id": "id", "field": "after"})),
            &next("id"),
            "JSON Pointer",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "lastId", "id": "/id", "field": "after", "more": "m"})),
            &next("more"),
            "JSON Pointer",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "page", "field": "page", "size": "per_page"})),
            &next("size"),
            "no field of `input`",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "offset", "field": "skip", "total": "t"})),
            &next("total"),
            "JSON Pointer",
        ),
        ("/endpoints/0/paging", paging(json!({"kind": "url", "url": "/links/next"})), &next("url"), "says nothing"),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "linkHeader", "linkQuery": ["a b"]})),
            &next("linkQuery/0"),
            "cannot name",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "linkHeader", "linksBelow": "/x/{id}"})),
            &next("linksBelow"),
            "has a parameter",
        ),
        (
            "/endpoints/0/paging",
            paging(json!({"kind": "linkHeader", "linksBelow": "/x?y"})),
            &next("linksBelow"),
            "has a query",
        ),
    ]);
    let mut head = changed("/endpoints/0/method", json!("HEAD"));
    head["endpoints"][0]["responseType"] = json!("json");
    assert_eq!(refused(head).0, "/endpoints/0/responseType");
    let mut text = changed("/endpoints/0/responseType", json!("none"));
    text["endpoints"][0].as_object_mut().unwrap().remove("response");
    assert_eq!(refused(text).0, "/endpoints/0/paging");
    let mut post = changed("/endpoints/0/method", json!("POST"));
    post["endpoints"][0]["paging"]["next"] = json!({"kind": "url", "url": "/next"});
    assert_eq!(refused(post).0, "/endpoints/0/paging/next/kind");
    let mut whole = with(json!({
        "method": "POST", "input": fields(json!({"item": {}})), "body": {"type": "json", "field": "item"},
        "response": {"type": "array"},
        "paging": {"items": "", "next": {"kind": "page", "field": "item"}},
    }));
    assert!(refused(whole.clone()).1.contains("the whole body"));
    whole["endpoints"][0]["paging"]["next"]["field"] = json!("page");
    assert!(fake(whole).describe().is_ok());
}
