//! What a config becomes: operations, routes, a slot.

use portcullis_sdk::{
    Descriptor, Effect, Method,
    bindings::portcullis::adapter::descriptor::{Body, LinkPlace, Repeat, Route, Scheme, Values},
    prelude::*,
    testing::Fake,
};

use super::{example, fake, fields, with};
use crate::config::Config;

fn route(endpoint: Value) -> Route {
    fake(with(endpoint)).describe().unwrap().routes.remove(0)
}

fn names(route: &Route) -> Vec<&str> {
    route.query.iter().map(|parameter| parameter.name.as_str()).collect()
}

fn parsed(text: &str) -> Value {
    text.parse().unwrap()
}

#[test]
fn the_example_is_described_like_any_other_adapter() {
    let descriptor = fake(example()).describe().unwrap();
    let told: Vec<(&str, Effect, &str)> = descriptor
        .operations
        .iter()
        .map(|operation| (operation.name.as_str(), operation.effect, operation.routes[0].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("listTasks", Effect::Read, "list-tasks"),
            ("createTask", Effect::Write, "create-task"),
            ("attachFile", Effect::Write, "attach-file"),
            ("deleteTask", Effect::Destructive, "delete-task"),
        ]
    );
    let [slot] = descriptor.slots.as_slice() else { panic!("one slot") };
    assert_eq!((slot.name.as_str(), &slot.scheme), ("credential", &Scheme::Bearer));
    assert_eq!(slot.description, "An API token: Settings, API, New token.");
    let list = &descriptor.routes[0];
    assert_eq!(list.url, "https://tasks.acme.example/v2/projects/{project:digits(1..9)}/tasks");
    assert_eq!(names(list), ["cursor", "limit", "state"]);
    assert_eq!(list.query[2].values, Values::OneOf(vec!["open".to_owned(), "done".to_owned()]));
    assert!(descriptor.routes.iter().all(|route| route.slots == ["credential"]));
    assert!(descriptor.routes.iter().all(|route| route.headers[0].name == "Acme-Version"));
    assert_eq!(descriptor.routes[1].repeat, Repeat::WithKey("Idempotency-Key".to_owned()));
    let output = parsed(&descriptor.operations[0].output);
    assert_eq!(output["required"], json!(["items", "more"]));
    assert_eq!(output["properties"]["items"]["items"], json!({"$ref": "#/$defs/Task"}));
    assert_eq!(output["$defs"]["Task"]["required"], json!(["id", "title", "state"]));
    assert_eq!(parsed(&descriptor.operations[1].output)["required"], json!(["id"]));
    assert_eq!(parsed(&descriptor.operations[3].output), json!({"type": "null"}));
}

#[test]
fn the_configs_schema_is_published_with_descriptions() {
    let schema = Fake::<Config>::config_schema();
    assert_eq!(schema["required"], json!(["provider", "baseUrl", "endpoints"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let endpoint = &schema["properties"]["endpoints"]["items"]["properties"];
    for (name, field) in endpoint.as_object().unwrap() {
        assert!(field["description"].as_str().is_some_and(|text| text.len() > 5), "{name}: {field}");
    }
    assert_eq!(endpoint["input"]["type"], json!("object"));
}

#[test]
fn an_input_is_closed_unless_the_config_opens_it() {
    let input = |endpoint: Value| parsed(&fake(with(endpoint)).describe().unwrap().operations[0].input);
    assert_eq!(input(json!({})), json!({"type": "object", "additionalProperties": false}));
    let open = json!({"input": {"additionalProperties": {"type": "string"}}});
    assert_eq!(input(open.clone())["additionalProperties"], json!({"type": "string"}));
    assert_eq!(names(&route(open)), ["*"]);
}

#[test]
fn references_are_written_out_where_powers_are_told_and_kept_in_bodies() {
    let input = json!({
        "type": "object",
        "properties": {
            "kind": {"$ref": "#/$defs/Kind"},
            "filter": {"$ref": "#/$defs/Filter"},
            "item": {"$ref": "#/$defs/Item"},
        },
        "$defs": {
            "Kind": {"type": "string", "enum": ["a", "b"]},
            "Filter": {"type": "object", "properties": {"kind": {"$ref": "#/$defs/Kind"}}},
            "Item": {"type": "object", "properties": {"parts": {"type": "array", "items": {"$ref": "#/$defs/Item"}}}},
        },
    });
    let body = json!({"type": "json", "field": "item"});
    let put = route(json!({"method": "PUT", "effect": "write", "input": input, "body": body, "brackets": true}));
    assert_eq!(names(&put), ["filter[kind]", "kind"]);
    assert_eq!(put.query[0].values, Values::OneOf(vec!["a".to_owned(), "b".to_owned()]));
    let Some(Body::Json(schema)) = &put.request else { panic!("a JSON body") };
    assert_eq!(parsed(schema)["$ref"], json!("#/$defs/Item"));
    assert!(parsed(schema)["$defs"].get("Item").is_some());
}

#[test]
fn bodies_query_and_headers_are_what_the_config_says() {
    let input = fields(json!({"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "string"}}));
    let raw = json!({"type": "raw", "field": "a", "mediaTypes": ["text/csv"]});
    let headers = json!({"If-Match": {"field": "c"}, "X-Fixed": "1"});
    let raw = route(json!({"method": "POST", "input": input, "body": raw, "headers": headers}));
    assert_eq!((raw.request.as_ref(), names(&raw)), (Some(&Body::Raw(vec!["text/csv".to_owned()])), vec!["b"]));
    let told: Vec<&str> = raw.headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!(told, ["X-Fixed", "If-Match"]);
    let form = route(json!({"method": "POST", "input": input, "body": {"type": "form"}, "query": ["b"]}));
    assert!(matches!(form.request, Some(Body::Form(_))) && names(&form) == ["b"]);
    let none = route(json!({"method": "POST", "input": input, "body": {"type": "none"}, "repeat": "idempotent"}));
    assert!(none.request.is_none() && none.query.len() == 3 && none.repeat == Repeat::Idempotent);
    let delete = route(json!({"method": "DELETE", "effect": "write", "input": input, "body": {"type": "json"}}));
    assert!(matches!(delete.request, Some(Body::Json(_))) && delete.method == Method::Delete);
    assert_eq!(delete.repeat, Repeat::Idempotent);
}

#[test]
fn further_pages_are_read_by_a_route_of_links_alone() {
    let page = json!({"type": "object", "properties": {"data": {"type": "array"}, "@odata.nextLink": {}}});
    let list = |auth: Value, next: Value| {
        let mut config = with(json!({
            "response": page, "paging": {"items": "/data", "next": next}, "input": {"properties": {"q": {}}},
        }));
        config["auth"] = auth;
        fake(config).describe().unwrap()
    };
    let told = |descriptor: &Descriptor| {
        let route = &descriptor.routes[1];
        assert_eq!(descriptor.operations[0].routes, ["call", "call-2"]);
        assert_eq!((names(&descriptor.routes[0]), route.method), (vec!["q"], Method::Get));
        assert_eq!(route.slots, descriptor.routes[0].slots);
        (route.url.clone(), names(route).join(" "), route.links.clone())
    };
    let bearer = || json!({"type": "bearer"});
    let header = || vec![LinkPlace::Header("next".to_owned())];
    let next = json!({"kind": "linkHeader"});
    assert_eq!(told(&list(bearer(), next)), ("https://a.example/v1/{link*}".to_owned(), "*".to_owned(), header()));
    let next = json!({"kind": "linkHeader", "linksBelow": "/repositories/", "linkQuery": ["page"]});
    let below = "https://a.example/v1/repositories/{link*}".to_owned();
    assert_eq!(told(&list(bearer(), next)), (below, "page q".to_owned(), header()));
    let graph = LinkPlace::Body("/@odata.nextLink".to_owned());
    let next = json!({"kind": "url", "url": "/@odata.nextLink"});
    assert_eq!(told(&list(bearer(), next)).2, [graph]);
}

#[test]
fn where_a_secret_goes_into_the_path_further_pages_are_read_by_the_endpoints_own_route() {
    let page = json!({"type": "object", "properties": {"data": {"type": "array"}}});
    let mut config = with(json!({
        "path": "/{token}/x", "response": page, "paging": {"items": "/data", "next": {"kind": "linkHeader"}},
    }));
    config["auth"] = json!({"type": "path", "name": "token"});
    let descriptor = fake(config).describe().unwrap();
    assert_eq!((descriptor.routes.len(), names(&descriptor.routes[0])), (1, vec!["*"]));
}

#[test]
fn sandbox_mode_answers_with_what_the_config_takes_for_a_success() {
    let response = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}});
    let success = json!({"body": [{"pointer": "/ok", "equals": true}]});
    let described = fake(with(json!({"response": response, "success": success}))).describe().unwrap();
    let told = parsed(&described.routes[0].response);
    assert_eq!((&told["properties"]["ok"], &told["required"]), (&json!({"const": true}), &json!(["ok"])));
    assert_eq!(parsed(&described.operations[0].output), response);
    let status = |statuses: Value| {
        let endpoint = json!({"responseType": "none", "success": {"statuses": statuses}});
        parsed(&route(endpoint).response).get("x-status").cloned()
    };
    assert_eq!((status(json!(["202", "2xx"])), status(json!(["4xx"]))), (Some(json!(202)), Some(json!(400))));
    assert_eq!((status(json!(["2xx"])), status(json!(["200"]))), (None, None));
    let text = parsed(&route(json!({"responseType": "text", "accept": "text/csv"})).response);
    assert_eq!((&text["type"], &text["contentMediaType"]), (&json!("string"), &json!("text/csv")));
    let bytes = parsed(&route(json!({"responseType": "bytes"})).response);
    assert_eq!(bytes["contentEncoding"], json!("base64"));
    assert_eq!(parsed(&route(json!({"method": "HEAD"})).response), json!({"type": "null"}));
}

#[test]
fn redirects_are_routes_of_the_operation_and_the_secret_stays_at_home() {
    let redirects = json!(["/files/{id:digits(1..9)}", "https://files.example/{path..}"]);
    let mut config = with(json!({"redirects": redirects, "method": "POST", "headers": {"X-A": "1"}}));
    config["auth"] = json!({"type": "bearer"});
    let descriptor = fake(config).describe().unwrap();
    assert_eq!(descriptor.operations[0].routes, ["call", "call-to-0", "call-to-1"]);
    let told: Vec<_> =
        descriptor.routes.iter().map(|r| (r.method, r.url.as_str(), !r.slots.is_empty(), names(r))).collect();
    assert_eq!(told[1], (Method::Get, "https://a.example/v1/files/{id:digits(1..9)}", true, vec!["*"]));
    assert_eq!(told[2], (Method::Get, "https://files.example/{path..}", false, vec!["*"]));
    assert_eq!((descriptor.routes[1].headers.len(), descriptor.routes[2].headers.len()), (1, 0));
}

#[test]
fn large_configs_are_described() {
    let mut config = example();
    let endpoint = config["endpoints"][0].clone();
    let endpoints = (0..100).map(|n| {
        let mut endpoint = endpoint.clone();
        endpoint["name"] = json!(format!("list{n}"));
        endpoint
    });
    config["endpoints"] = endpoints.collect();
    assert_eq!(fake(config).describe().unwrap().operations.len(), 100);
}
