//! What routes, slots and types are declared as.

use super::*;
use crate::{OAuth, Route as Typed, SigningKey, Slot as TypedSlot, model};

#[model]
struct Find {
    id: u32,
    q: Option<String>,
    #[serde(rename = "maxResults")]
    max_results: u32,
}

const TOKEN: TypedSlot = TypedSlot::bearer("token");
const GET: Typed<Find, ()> = Typed::get("get", "/items/{id}").slot(&TOKEN);
const PUT: Typed<Find, ()> = Typed::put("put", "/items/{id}").slot(&TOKEN);

fn declared(uses: &[&dyn Declare]) -> Declared {
    let mut declared = Declared::new("https://a.example/v1".to_owned(), vec![("X-Account", "7".to_owned())]);
    for used in uses {
        used.declare(&mut declared);
    }
    declared
}

#[test]
fn query_names_are_the_fields_that_are_not_in_the_path() {
    let declared = declared(&[&GET, &PUT]);
    let [get, put] = declared.routes.as_slice() else { panic!("two routes") };
    assert_eq!(get.url, "https://a.example/v1/items/{id}");
    let names: Vec<&str> = get.query.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["maxResults", "q"]);
    assert!(get.request.is_none() && put.query.is_empty());
    let Some(Body::Json(body)) = &put.request else { panic!("a JSON body") };
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(body["properties"].get("id").is_none() && body["properties"].get("q").is_some());
    assert_eq!(body["required"], json!(["maxResults"]));
}

#[test]
fn of_a_query_field_it_is_said_what_values_there_are() {
    #[model]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code, reason = "its schema is what is tested")]
    enum Status {
        Open,
        Closed,
    }

    #[model]
    struct List {
        archived: Option<bool>,
        limit: Option<u16>,
        offset: i32,
        status: Vec<Status>,
        text: String,
    }

    const LIST: Typed<List, ()> = Typed::get("list", "/items").headers(&[("X-Version", "2"), ("Accept", "a/b")]);
    let declared = declared(&[&LIST]);
    let route = declared.routes.first().unwrap();
    let told: Vec<String> = route.query.iter().map(|p| format!("{}: {:?}", p.name, p.values)).collect();
    assert_eq!(
        told,
        [
            r#"archived: Values::OneOf(["false", "true"])"#,
            r#"limit: Values::Shape("digits(1..20)")"#,
            "offset: Values::Any",
            r#"status: Values::OneOf(["open", "closed"])"#,
            "text: Values::Any",
        ]
    );
    let headers: Vec<String> = route.headers.iter().map(|p| format!("{}: {:?}", p.name, p.values)).collect();
    assert_eq!(headers, [r#"X-Version: Values::OneOf(["2"])"#, r#"X-Account: Values::OneOf(["7"])"#]);
}

#[test]
fn a_body_whose_fields_have_open_ended_names_is_declared() {
    #[model]
    struct Search {
        kind: String,
        #[serde(flatten)]
        parameters: std::collections::BTreeMap<String, String>,
    }

    const SEARCH: Typed<Search, ()> = Typed::post("search", "/{kind}/_search").form();
    let declared = declared(&[&SEARCH]);
    assert!(matches!(&declared.routes[0].request, Some(Body::Form(schema)) if schema.contains("additionalProperties")));
}

#[test]
fn slots_and_routes_are_declared_once() {
    const KEY: SigningKey = SigningKey::new("key");
    let declared = declared(&[&GET, &GET, &PUT, &KEY, &KEY]);
    assert_eq!((declared.slots.len(), declared.routes.len()), (2, 2));
    assert_eq!(declared.problem, None);
}

#[test]
fn two_meanings_of_one_name_are_refused() {
    const OTHER_GET: Typed<Find, ()> = Typed::get("get", "/other/{id}");
    const OTHER_TOKEN: SigningKey = SigningKey::new("token");
    assert!(declared(&[&GET, &OTHER_GET]).problem.unwrap().message.contains("two routes have the id `get`"));
    assert!(declared(&[&GET, &OTHER_TOKEN]).problem.unwrap().message.contains("two slots are named `token`"));
}

#[test]
fn a_routes_own_examples_replace_those_of_its_response_type() {
    const ONE: Typed<(), Find> = Typed::get("one", "/one").examples(&[("id", "7"), ("q", "canceled")]);
    const OTHER: Typed<(), Find> = Typed::get("other", "/other").examples(&[("status", "canceled")]);
    let response: Value = declared(&[&ONE]).routes.remove(0).response.parse().unwrap();
    assert_eq!(response["properties"]["id"]["examples"], json!([7]));
    assert_eq!(response["properties"]["q"]["examples"], json!(["canceled"]));
    assert!(declared(&[&OTHER]).problem.unwrap().message.contains("`status`, which is no field"));
}

#[test]
fn what_a_slot_writes_is_no_field_of_the_request() {
    #[model]
    struct Send {
        text: String,
        token: Option<String>,
    }

    const BOT: TypedSlot = TypedSlot::path("bot", "token").prefix("bot");
    const KEY: TypedSlot = TypedSlot::body("key", "token");
    const PATH: Typed<Send, ()> = Typed::post("path", "/{token}/send").slot(&BOT);
    const BODY: Typed<Send, ()> = Typed::post("body", "/send").slot(&KEY);
    const EMPTY: Typed<(), ()> = Typed::post("empty", "/{token}/send").slot(&BOT).slot(&TOKEN);
    const NOTHING: Typed<(), ()> = Typed::post("nothing", "/send").slot(&KEY);
    const DELETE: Typed<(), ()> = Typed::delete("delete", "/send").slot(&KEY);
    for route in [&PATH, &BODY] {
        assert!(declared(&[route]).problem.unwrap().message.contains("`token` in route"));
    }
    assert!(declared(&[&DELETE]).problem.unwrap().message.contains("add `.json()`"));
    let declared = declared(&[&EMPTY, &NOTHING]);
    assert_eq!(declared.problem, None);
    let [empty, nothing] = declared.routes.as_slice() else { panic!("two routes") };
    assert_eq!((empty.url.as_str(), empty.request.is_none()), ("https://a.example/v1/{token}/send", true));
    assert_eq!(empty.slots, ["bot", "token"]);
    assert_eq!(nothing.request, Some(Body::Json(r#"{"type":"object"}"#.to_owned())));
}

#[test]
fn each_slot_is_declared_with_its_scheme_and_its_server() {
    use crate::{Hmac, bindings::portcullis::adapter::descriptor::Scheme};
    const SERVER: OAuth = OAuth::server().token_url("/token").scopes(&["a", "b"]).values(&["instance_url"]);
    const SIGNED: Hmac =
        Hmac::sha512("{body}").base64_url().header("X-Sig", "v1={signature}").header("X-Id", "{key-id}");
    const ONE: TypedSlot = TypedSlot::cookie("one", "sid").oauth(SERVER).describe("A session.");
    const TWO: TypedSlot = TypedSlot::sigv4("two", "s3", "eu-central-1");
    const THREE: TypedSlot = TypedSlot::hmac("three", SIGNED);
    const FOUR: TypedSlot = TypedSlot::client_certificate("four");
    const ALL: Typed<(), ()> = Typed::get("all", "/x").slot(&ONE).slot(&TWO).slot(&FOUR);
    const SIGNS: Typed<(), ()> = Typed::get("signs", "/y").slot(&THREE);
    let [one, two, four, three] = declared(&[&ALL, &SIGNS]).slots.try_into().unwrap();
    let server = one.oauth.unwrap();
    assert_eq!((one.scheme, one.description.as_str()), (Scheme::Cookie("sid".to_owned()), "A session."));
    assert_eq!(server.token_url.as_deref(), Some("https://a.example/v1/token"));
    assert_eq!((server.scopes, server.values), (vec!["a".to_owned(), "b".to_owned()], vec!["instance_url".to_owned()]));
    let told = format!("{:?} {:?} {:?}", two.scheme, three.scheme, four.scheme);
    for part in ["s3", "eu-central-1", "Sha512", "{body}", "Base64Url", "v1={signature}", "X-Id", "ClientCertificate"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
}

#[test]
fn a_path_parameter_without_a_field_is_refused() {
    const WRONG: Typed<Find, ()> = Typed::get("wrong", "/items/{item}");
    assert!(declared(&[&WRONG]).problem.unwrap().message.contains("has {item} in its path"));
}

#[test]
fn nested_names_have_brackets_where_the_route_says_so() {
    #[model]
    struct Created {
        gte: Option<u64>,
    }

    #[model]
    struct List {
        created: Option<Created>,
        expand: Vec<String>,
    }

    const WITH: Typed<List, ()> = Typed::get("with", "/items").brackets();
    const WITHOUT: Typed<List, ()> = Typed::get("without", "/items");
    let route = declared(&[&WITH]).routes.remove(0);
    let names: Vec<&str> = route.query.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["created[gte]", "expand[]"]);
    assert!(declared(&[&WITHOUT]).problem.unwrap().message.contains("no `brackets()`"));
}

#[test]
fn names_that_nobody_can_list_are_declared_as_a_star() {
    #[model]
    struct Search {
        kind: String,
        #[serde(flatten)]
        others: std::collections::BTreeMap<String, String>,
    }

    const SEARCH: Typed<Search, ()> = Typed::get("search", "/{kind}");
    const NEXT: Typed<(), ()> = Typed::get("next", "/next").any_query();
    for route in declared(&[&SEARCH, &NEXT]).routes {
        let names: Vec<&str> = route.query.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["*"], "{}", route.id);
    }
}

#[test]
fn headers_query_and_body_get_their_own_fields() {
    const WHOLE: Typed<Find, ()> =
        Typed::put("whole", "/items").header_fields(&[("If-Match", "id")]).body_field("q").form();
    const RAW: Typed<Find, ()> = Typed::post("raw", "/items").raw("q", &["text/csv"]);
    let declared = declared(&[&WHOLE, &RAW]);
    let [whole, raw] = declared.routes.as_slice() else { panic!("two routes: {:?}", declared.problem) };
    assert_eq!(whole.headers.last().unwrap().name, "If-Match");
    assert_eq!(whole.query.len(), 1);
    let Some(Body::Form(schema)) = &whole.request else { panic!("a form") };
    assert!(schema.contains("string"), "{schema}");
    assert_eq!(raw.request, Some(Body::Raw(vec!["text/csv".to_owned()])));
    assert_eq!(raw.query.len(), 2);
}

#[test]
fn a_body_that_is_one_field_keeps_the_definitions_it_refers_to() {
    let route = UntypedRoute {
        body_field: Some("item"),
        ..UntypedRoute::new(crate::Method::Put, "put", "https://a.example/x")
    };
    let request = json!({
        "type": "object",
        "properties": {"item": {"$ref": "#/$defs/Item"}},
        "$defs": {"Item": {"type": "object", "properties": {"parts": {"items": {"$ref": "#/$defs/Item"}}}}},
    });
    let schema: Value = body_schema(&route, &request).unwrap().parse().unwrap();
    assert_eq!(schema["$defs"], request["$defs"]);
    assert_eq!(schema["$ref"], "#/$defs/Item");
}

#[test]
fn a_field_that_is_named_and_not_there_is_refused() {
    const HEADER: Typed<Find, ()> = Typed::get("one", "/x").header_fields(&[("If-Match", "version")]);
    const BODY: Typed<Find, ()> = Typed::put("two", "/x").body_field("resource");
    assert!(declared(&[&HEADER]).problem.unwrap().message.contains("{version} and no such field"));
    assert!(declared(&[&BODY]).problem.unwrap().message.contains("{resource} and no such field"));
}
