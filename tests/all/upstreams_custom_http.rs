//! Custom HTTP against upstreams that misbehave, and hostile configs of it.

use std::{fs, net::SocketAddr, path::Path};

use portcullis_gate::{HeaderRefusal, RESERVED_HEADERS, judge_header};
use portcullis_runtime::{CallError, DescribeError, Integration, Outcome};
use portcullis_tests::{
    folder,
    upstream::{Answer, Received},
};
use serde_json::{Value, json};

use crate::{
    harness::{Case, call, load, secret},
    upstreams::{self, Expected, IMPATIENT, Manner, hold, manners},
};

/// The example of the adapter's README.
fn example() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adapters/custom-http/example.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// An integration with all that a config asks for.
async fn integrated(case: &Case, config: Value, carve_out: Option<SocketAddr>, limits: &str) -> Integration {
    upstreams::integrated(case, "custom_http", config, carve_out, limits).await
}

/// Why a config is refused.
async fn refused(case: &Case, config: &Value) -> String {
    let adapter = load(&case.runtime, &folder::adapter("custom_http").unwrap()).await.unwrap();
    match case.runtime.describe(&adapter, config).await {
        Err(DescribeError::Config(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whatever_the_upstream_does_ends_as_a_typed_error() {
    let case = Case::new().await;
    let mut manners = manners();
    let json = |name, status: &str, body: &str, code| {
        let head = format!("{status}\r\ncontent-type: application/json\r\nretry-after: 2");
        Manner::answer(name, &head, body, Expected::Failure(code, Some(2_000)))
    };
    manners.extend([
        json(
            "the error form",
            "422 Unprocessable Content",
            r#"{"error": {"code": "No_Title"}}"#,
            "acme-tasks.no-title",
        ),
        json("a number for a code", "409 Conflict", r#"{"error": {"code": 17}}"#, "acme-tasks.17"),
        json("a code of another type", "400 Bad Request", r#"{"error": {"code": [1]}}"#, "http.400"),
        json(
            "a success with an error in it",
            "200 OK",
            r#"{"error": {"code": "quota"}, "data": null}"#,
            "acme-tasks.quota",
        ),
        json("an error in another form", "400 Bad Request", r#"["no"]"#, "http.400"),
    ]);
    let shape = Expected::Failure("http.unexpected-body", None);
    manners.push(Manner::answer(
        "another shape than described",
        "200 OK\r\ncontent-type: application/json",
        r#"{"data": [{"id": 1}], "id": 7}"#,
        shape,
    ));
    let operations = [("listTasks", json!({"project": 7})), ("createTask", json!({"project": 7, "title": "x"}))];
    hold(&case, &manners, &operations, |address| {
        let mut config = example();
        config["baseUrl"] = json!(format!("http://{address}"));
        config["success"] = json!({"body": [{"pointer": "/error", "exists": false}]});
        integrated(&case, config, Some(address), IMPATIENT)
    })
    .await;
}

#[tokio::test]
async fn sandbox_mode_answers_for_every_endpoint_of_every_config() {
    let case = Case::new().await;
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/configs");
    let mut all: Vec<Value> = fs::read_dir(configs)
        .unwrap()
        .map(|entry| serde_json::from_str(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap())
        .collect();
    all.push(example());
    assert!(all.len() > 4);
    for config in all {
        let integration = integrated(&case, config.clone(), None, "").await;
        for endpoint in config["endpoints"].as_array().unwrap() {
            let name = endpoint["name"].as_str().unwrap();
            let input = portcullis_schema_mock(&endpoint["input"]);
            let [first, again] = [(); 2].map(|()| call(name, input.clone()).seed(3));
            let (first, again) = (integration.call(first).await, integration.call(again).await);
            let output = first.result.as_ref().unwrap_or_else(|error| panic!("{name}: {error} {input}"));
            assert_eq!(Some(output), again.result.as_ref().ok(), "{name}");
            assert!(!first.would_send.is_empty(), "{name}");
            assert_eq!(first.receipt.bytes_out, 0, "{name}");
        }
    }
    assert!(case.upstream.received().is_empty());
}

/// An input that the schema allows.
fn portcullis_schema_mock(schema: &Value) -> Value {
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let value = |name: &str, field: &Value| match (name, field["type"].as_str()) {
        _ if field.get("examples").is_some() => field["examples"][0].clone(),
        ("code", _) => json!(204),
        (_, Some("integer")) => json!(1),
        (_, Some("array")) if name == "personalizations" => json!([{"to": [{"email": "a@example.com"}]}]),
        (_, Some("array")) => json!([]),
        ("file", _) => json!({"filename": "a", "contentType": "text/plain", "base64": "aGk="}),
        ("from", _) => json!({"email": "a@example.com"}),
        ("item", _) => json!({}),
        ("data", _) => json!({"name": "x"}),
        _ => json!("1"),
    };
    let given = fields.iter().filter(|(name, _)| required.contains(&json!(name)));
    given.map(|(name, field)| (name.clone(), value(name, field))).collect()
}

#[tokio::test]
async fn a_config_is_refused_with_the_place_of_what_is_wrong() {
    let case = Case::new().await;
    let mut config = example();
    config["endpoints"][2]["path"] = json!("/tasks/{id}");
    let why = refused(&case, &config).await;
    assert!(why.contains("/endpoints/2/path") && why.contains("add `id` to its `properties`"), "{why}");
    let mut config = example();
    config["endpoints"][1]["efect"] = json!("read");
    let why = refused(&case, &config).await;
    assert!(why.contains("/endpoints/1"), "{why}");
}

#[tokio::test]
async fn the_adapter_knows_the_headers_that_are_the_hosts_to_write() {
    let case = Case::new().await;
    // Some by how they begin, and some that only look like it.
    let others = [
        "Proxy-Authorization",
        "X_Forwarded_For",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Api-Version",
        "If-Match",
        "Prefer",
        "Origin",
        "Referer",
        "Date",
        "X-Forward",
    ];
    for name in RESERVED_HEADERS.into_iter().chain(others) {
        let is_reserved = judge_header(name, b"x", &[]) == Err(HeaderRefusal::Reserved);
        let mut config = example();
        config["headers"] = json!({ name: "x" });
        let adapter = load(&case.runtime, &folder::adapter("custom_http").unwrap()).await.unwrap();
        let described = case.runtime.describe(&adapter, &config).await;
        assert_eq!(matches!(described, Err(DescribeError::Config(_))), is_reserved, "{name}: {described:?}");
        assert_eq!(described.is_ok(), !is_reserved, "{name}");
    }
}

/// Nothing that a config says makes the adapter trap: it is described, refused, or ends at a bound with a name.
#[tokio::test]
async fn no_config_breaks_the_adapter() {
    let case = Case::new().await;
    let adapter = load(&case.runtime, &folder::adapter("custom_http").unwrap()).await.unwrap();
    let nested =
        |levels: usize, step: fn(Value) -> Value| (0..levels).fold(json!({"type": "string"}), |schema, _| step(schema));
    let wide: serde_json::Map<String, Value> =
        (0..20_000).map(|n| (format!("f{n}"), json!({"type": "string"}))).collect();
    let circle =
        json!({"$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}]}}, "$ref": "#/$defs/A"});
    let fan: Vec<Value> = (0..60).map(|n| json!({"$ref": format!("#/$defs/D{}", n % 6)})).collect();
    let fans: serde_json::Map<String, Value> = (0..6).map(|n| (format!("D{n}"), json!({ "anyOf": fan }))).collect();
    let mut described = 0;
    for (name, schema) in [
        ("deep objects", nested(60, |schema| json!({"type": "object", "properties": {"a": schema}}))),
        ("deep negations", nested(115, |schema| json!({ "not": schema }))),
        ("deep lists", nested(115, |schema| json!({ "items": schema }))),
        ("deep choices", nested(57, |schema| json!({ "anyOf": [schema] }))),
        ("many fields", json!({"type": "object", "properties": wide})),
        ("a circle", circle.clone()),
        ("circles of circles", json!({"anyOf": fan, "$defs": fans})),
        ("names in any script", json!({"type": "object", "properties": {"größe\u{202e}🦀/~": {"type": "string"}}})),
        ("long lists", json!({"enum": (0..50_000).collect::<Vec<u32>>()})),
        ("patterns", json!({"type": "string", "pattern": "(a+)+$"})),
    ] {
        for place in ["input", "response", "output"] {
            let mut config = example();
            let endpoint = &mut config["endpoints"][1];
            match place {
                "output" => endpoint["output"] = json!({"pointer": "/data/a/0/x", "schema": schema}),
                // What a pointer leads to is searched for.
                "response" => endpoint["response"] = schema.clone(),
                _ => endpoint[place] = schema.clone(),
            }
            let found = case.runtime.describe(&adapter, &config).await;
            described += usize::from(found.is_ok());
            if let Err(DescribeError::Failed(error)) = &found {
                let text = format!("{error:?}");
                assert!(text.contains("fuel") || text.contains("guest_ms"), "{name} in {place}: {text}");
            }
        }
    }
    assert!(described > 3, "{described}");
    let mut many = example();
    let one = many["endpoints"][3].clone();
    let endpoint = |n: usize| {
        let mut endpoint = one.clone();
        endpoint["name"] = json!(format!("delete{n}"));
        endpoint
    };
    many["endpoints"] = (0..200).map(endpoint).collect();
    case.runtime.describe(&adapter, &many).await.unwrap();
    many["endpoints"] = (0..201).map(endpoint).collect();
    assert!(matches!(case.runtime.describe(&adapter, &many).await, Err(DescribeError::Config(_))));
    case.goes_on().await;
}

/// What goes to an adapter of data is the config's, and a template in a value is a value.
#[tokio::test]
async fn a_live_call_sends_what_the_config_says() {
    let case = Case::new().await;
    let mut config = example();
    config["baseUrl"] = json!(case.upstream.origin());
    let integration = integrated(&case, config, Some(case.upstream.address), "").await;
    let input = json!({"project": 7, "title": "{project} ${x}"});
    let outcome = integration.call(call("createTask", input).idempotency_key("once").live()).await;
    // The upstream answers `{"ok": true}`, which is not what the config describes.
    assert!(matches!(&outcome.result, Err(CallError::Adapter { code, .. }) if code == "http.unexpected-body"));
    let received = case.upstream.received();
    let sent = received.last().unwrap();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/projects/7/tasks"));
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {}", crate::harness::secret("credential")).as_str()));
    assert_eq!((sent.header("idempotency-key"), sent.header("acme-version")), (Some("once"), Some("2026-01-01")));
    assert_eq!(serde_json::from_slice::<Value>(&sent.body).unwrap(), json!({"title": "{project} ${x}"}));
    case.holds(&outcome).await;
}

/// One endpoint whose pages go on like this, read to its end.
async fn listed(
    path: &str,
    paging: Value,
    answer: impl Fn(&Received, &str) -> Answer + Send + Sync + 'static,
) -> (Case, Outcome) {
    let case = Case::answering(move |request| {
        if request.target == "/ok" {
            return Answer::json(&json!({"ok": true}));
        }
        answer(request, &format!("http://{}", request.header("host").unwrap()))
    })
    .await;
    let response = json!({"properties": {
        "items": {"type": "array", "items": {"type": "object"}}, "next": {}, "@odata.nextLink": {},
    }});
    let config = json!({
        "provider": "paged", "baseUrl": format!("{}/api", case.upstream.origin()), "auth": {"type": "bearer"},
        "endpoints": [{
            "name": "list", "description": "Lists.", "effect": "read", "method": "GET", "path": path,
            "input": {"type": "object", "properties": {"repo": {"type": "string"}}, "required": ["repo"]},
            "response": response, "paging": paging,
        }],
    });
    let integration = integrated(&case, config, Some(case.upstream.address), "").await;
    let outcome = integration.call(call("list", json!({"repo": "r"})).live()).await;
    (case, outcome)
}

fn page(id: u32) -> Value {
    json!({"items": [{"id": id}]})
}

fn ids(outcome: &Outcome) -> Vec<u64> {
    let output = outcome.result.as_ref().unwrap();
    output["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn lists_go_on_where_providers_write_it_without_wide_templates() {
    // As GitHub does: another path than was asked for, and two links in one field.
    let github = json!({"items": "/items", "next": {"kind": "linkHeader", "linksBelow": "/repositories"}});
    let (case, outcome) = listed("/repos/{repo}/issues", github, |request, origin| match request.target.as_str() {
        "/api/repos/r/issues" => {
            let next = format!("{origin}/api/repositories/1296269/issues?per_page=1&after=Y3Vyc29y%3D");
            let field = format!(r#"<{origin}/api/x>; rel="prev"; title="go; rel=next", <{next}>; rel="next last""#);
            Answer::json(&page(1)).header("link", &field)
        }
        _ => Answer::json(&page(2)),
    })
    .await;
    assert_eq!((ids(&outcome), &outcome.result.as_ref().unwrap()["more"]), (vec![1, 2], &json!(false)));
    let received = case.upstream.received();
    assert_eq!(received[1].target, "/api/repositories/1296269/issues?per_page=1&after=Y3Vyc29y%3D");
    assert!(received[1].header("authorization").unwrap().contains(&secret("credential")));
    let routes: Vec<&str> = outcome.exchanges.iter().map(|exchange| exchange.template.as_str()).collect();
    assert!(routes[1].ends_with("/api/repositories/{link*}"), "{routes:?}");
    case.holds(&outcome).await;

    // As Microsoft Graph does, and as others write references.
    for (next, second) in [
        ("{origin}/api/users/r?$skiptoken=X%27ab", "/api/users/r?$skiptoken=X%27ab"),
        ("r?page=2", "/api/users/r?page=2"),
        ("../users/r/?page=2", "/api/users/r/?page=2"),
        ("?q=a b&amp;page=2", "/api/users/r?q=a%20b&page=2"),
    ] {
        let graph = json!({"items": "/items", "next": {"kind": "url", "url": "/@odata.nextLink"}});
        let (case, outcome) = listed("/users/{repo}", graph, move |request, origin| {
            let mut body = page(if request.target == "/api/users/r" { 1 } else { 2 });
            if request.target == "/api/users/r" {
                body["@odata.nextLink"] = json!(next.replace("{origin}", origin));
            }
            Answer::json(&body)
        })
        .await;
        assert_eq!(ids(&outcome), [1, 2], "{next}: {:?}", outcome.result);
        assert_eq!(case.upstream.received()[1].target, second);
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_gives_what_was_read_and_the_refusal() {
    for next in ["https://evil.example/api/repositories/2", "/api/admin", "/repositories/2", "../../api/x"] {
        let paging = json!({"items": "/items", "next": {"kind": "url", "url": "/next", "linksBelow": "/repositories"}});
        let (case, outcome) = listed("/repos/{repo}", paging, move |_, _| {
            let mut body = page(1);
            body["next"] = json!(next);
            Answer::json(&body)
        })
        .await;
        let output = outcome.result.as_ref().unwrap();
        assert_eq!((ids(&outcome), &output["more"]), (vec![1], &json!(true)), "{next}");
        assert_eq!(output["reason"]["code"], "host.denied");
        assert_eq!((outcome.denials.len(), case.upstream.received().len()), (1, 1), "{next}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn a_list_that_breaks_or_ends_by_a_status_gives_what_was_read() {
    let paging = json!({"items": "/items", "next": {"kind": "page", "field": "page"}});
    for (status, body, more) in [(404, json!({"detail": "Invalid page."}), false), (500, json!({}), true)] {
        let (case, outcome) = listed("/repos/{repo}", paging.clone(), move |request, _| {
            if request.target.ends_with("page=3") { Answer::json(&body).status(status) } else { Answer::json(&page(1)) }
        })
        .await;
        let output = outcome.result.as_ref().unwrap();
        assert_eq!((ids(&outcome).len(), &output["more"]), (2, &json!(more)));
        assert_eq!(output["reason"]["code"].as_str(), more.then_some("http.500"));
        case.holds(&outcome).await;
    }
}
