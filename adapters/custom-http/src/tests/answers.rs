//! What is made of what comes back.

use std::cell::Cell;

use portcullis_sdk::{Header, prelude::*};

use super::{example, failure, fake, fields, with};

fn answered(config: Value, response: Response) -> Result<Value, Error> {
    fake(config).on_id("call", move |_| response.clone()).invoke("call", &json!({}))
}

fn text(status: u16, media_type: &str, body: &[u8]) -> Response {
    let header = Header { name: "Content-Type".to_owned(), value: media_type.as_bytes().to_vec() };
    Response { status, url: String::new(), headers: vec![header], body: body.to_vec() }
}

#[test]
fn the_output_is_the_part_that_the_config_selects() {
    let response = json!({"type": "object", "properties": {"data": {"type": ["object", "null"]}}});
    let config = with(json!({"response": response, "output": {"pointer": "/data"}}));
    assert_eq!(answered(config.clone(), Response::with_json(200, &json!({"data": {"a": [1]}}))), Ok(json!({"a": [1]})));
    let nothing = failure(answered(config.clone(), Response::with_json(200, &json!({"else": 1}))));
    assert_eq!(nothing.code, "http.unexpected-body");
    assert!(nothing.message.contains("nothing at `/data`"));
    let other = failure(answered(config, Response::with_json(200, &json!({"data": "secret-text"}))));
    assert_eq!(other.code, "http.unexpected-body");
    assert!(other.message.contains("expected object or null, found string") && !other.message.contains("secret-text"));
    let own = with(json!({"output": {"pointer": "/n", "schema": {"type": "integer"}}}));
    assert_eq!(answered(own.clone(), Response::with_json(200, &json!({"n": 1}))), Ok(json!(1)));
    assert_eq!(failure(answered(own, Response::with_json(200, &json!({"n": "1"})))).code, "http.unexpected-body");
}

#[test]
fn an_answer_may_be_text_bytes_or_nothing() {
    let of = |kind: &str, accept: Value, response: Response| {
        let mut config = with(json!({"responseType": kind}));
        if !accept.is_null() {
            config["endpoints"][0]["accept"] = accept;
        }
        answered(config, response)
    };
    let csv = || text(200, "Text/CSV; charset=utf-8", b"a,b");
    assert_eq!(of("text", Value::Null, csv()), Ok(json!("a,b")));
    for accept in ["text/csv", "text/*", "*/*", "image/png, text/csv;q=0.5"] {
        let accepted = of("text", json!(accept), text(200, "text/csv; charset=utf-8", b"a,b"));
        assert_eq!(accepted, Ok(json!("a,b")), "{accept}");
    }
    let html = failure(of("text", json!("text/csv"), text(200, "text/html", b"<html>")));
    assert_eq!(html.code, "http.unexpected-body");
    assert!(html.message.contains("`text/html` and not `text/csv`"));
    assert_eq!(failure(of("text", Value::Null, text(200, "text/plain", b"\xff"))).code, "http.unexpected-body");
    assert_eq!(of("bytes", Value::Null, text(200, "image/png", b"\xff\x00")), Ok(json!("/wA=")));
    assert_eq!(of("none", Value::Null, text(202, "text/html", b"<html>")), Ok(Value::Null));
}

#[test]
fn a_success_is_a_status_and_what_the_body_says() {
    let config = with(json!({"success": {"statuses": ["200", "4xx"], "body": [
        {"pointer": "/ok", "equals": true},
        {"pointer": "/error", "exists": false},
        {"pointer": "/state", "notEquals": "dead"},
    ]}}));
    for (status, body, expected) in [
        (200, json!({"ok": true}), true),
        (404, json!({"ok": true, "error": null, "state": "well"}), true),
        (201, json!({"ok": true}), false),
        (500, json!({"ok": true}), false),
        (200, json!({"ok": false}), false),
        (200, json!({}), false),
        (200, json!({"ok": true, "error": {}}), false),
        (200, json!({"ok": true, "state": "dead"}), false),
    ] {
        let answer = answered(config.clone(), Response::with_json(status, &body));
        assert_eq!(answer.is_ok(), expected, "{status} {body}: {answer:?}");
    }
    assert_eq!(failure(answered(config, text(200, "text/html", b"<html>"))).code, "http.200");
}

#[test]
fn a_rule_for_json_does_not_judge_what_is_none() {
    let mut config = with(json!({"responseType": "none"}));
    config["success"] = json!({"body": [{"pointer": "/ok", "equals": true}]});
    assert_eq!(answered(config.clone(), text(204, "", b"")), Ok(Value::Null));
    assert_eq!(failure(answered(config, text(404, "", b""))).code, "http.404");
}

#[test]
fn errors_have_the_providers_codes() {
    let mut config = with(json!({}));
    config["errors"] = json!({"codes": ["/error/code"], "message": "/error/message", "retryable": ["busy"]});
    let of = |config: &Value, status: u16, body: Value| {
        failure(answered(config.clone(), Response::with_json(status, &body)))
    };
    let refused = of(&config, 400, json!({"error": {"code": "Bad_Id", "message": "no such id"}}));
    assert_eq!(
        (refused.code.as_ref(), refused.message.as_str(), refused.retryable),
        ("acme.bad-id", "no such id", false)
    );
    assert!(of(&config, 400, json!({"error": {"code": "busy"}})).retryable);
    config["endpoints"][0]["errors"] = json!({"message": "/errors/0/message"});
    let told = of(&config, 400, json!({"errors": [{"message": "no subject"}]}));
    assert_eq!((told.code.as_ref(), told.message.as_str()), ("http.400", "no subject"));
    assert_eq!(of(&config, 400, json!({"error": {"code": "busy"}})).code, "http.400");
}

#[test]
fn what_is_no_json_is_a_failure() {
    for body in [&b"{\"data\": [1, 2"[..], b"<html>", b"nul", b"{}{}", b"\xff", b""] {
        let config = with(json!({"response": {"type": "object"}}));
        let failure = failure(answered(config, text(200, "application/json", body)));
        assert_eq!(failure.code, "http.unexpected-body", "{body:?}");
    }
}

#[test]
fn pages_are_read_up_to_the_bounds() {
    let page = |id: u32, next: Value| json!({"data": [{"id": id, "x": 1}, {"id": id + 1}], "next": next});
    let answers = [page(1, json!("b")), page(3, json!("c")), page(5, Value::Null)];
    let response = json!({"properties": {"next": {}, "data": {"type": "array", "items": {
        "type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
    }}}});
    for (bounds, ids, more, queries) in [
        (json!({}), 1..=6, false, vec!["?limit=2", "?after=b&limit=2", "?after=c&limit=2"]),
        (json!({"maxPages": 2}), 1..=4, true, vec!["?limit=2", "?after=b&limit=2"]),
        (json!({"maxItems": 3}), 1..=3, true, vec!["?limit=2", "?after=b&limit=2"]),
    ] {
        let mut paging = json!({"items": "/data", "next": {"kind": "cursor", "cursor": "/next", "field": "after"}});
        paging.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
        let config = with(
            json!({"input": fields(json!({"limit": {"type": "integer"}})), "response": response, "paging": paging}),
        );
        let (pages, at) = (answers.clone(), Cell::new(0));
        let fake = fake(config).on_id("call", move |_| {
            at.set(at.get() + 1);
            Response::with_json(200, &pages[at.get() - 1])
        });
        let output = fake.invoke("call", &json!({"limit": 2})).unwrap();
        let found: Vec<u64> =
            output["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect();
        assert_eq!((found, &output["more"]), (ids.collect(), &json!(more)));
        assert_eq!(output["items"][0]["x"], json!(1));
        let urls: Vec<String> = fake.sent().iter().map(|sent| sent.url.replace("https://a.example/v1/x", "")).collect();
        assert_eq!(urls, queries);
    }
}

#[test]
fn a_page_with_another_item_than_described_is_a_failure_with_its_place() {
    let config = example();
    let page =
        json!({"data": [{"id": "t_1", "title": "a", "state": "open"}, {"id": "t_2", "title": "b", "state": "lost"}]});
    let fake = fake(config).on_id("list-tasks", move |_| Response::with_json(200, &page));
    let failure = failure(fake.invoke("listTasks", &json!({"project": 7})));
    assert_eq!(failure.code, "http.unexpected-body");
    assert!(failure.message.ends_with("at /items/1/state: it is none of the listed values"), "{}", failure.message);
}

#[test]
fn a_list_that_breaks_gives_what_was_read_and_a_status_can_end_it() {
    let response = json!({"properties": {"next": {}, "data": {"type": "array", "items": {
        "type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
    }}}});
    let read = |next: Value, ends: Value, third: (u16, Value)| {
        let mut paging = json!({"items": "/data", "next": next});
        paging.as_object_mut().unwrap().extend(ends.as_object().unwrap().clone());
        let at = Cell::new(0);
        let fake = fake(with(json!({"response": response, "paging": paging}))).on_id("call", move |_| {
            at.set(at.get() + 1);
            match at.get() {
                3 => Response::with_json(third.0, &third.1),
                n => Response::with_json(200, &json!({"data": [{"id": n}], "next": n})),
            }
        });
        fake.invoke("call", &json!({})).unwrap()
    };
    let page = || json!({"kind": "page", "field": "page"});
    let cursor = || json!({"kind": "cursor", "cursor": "/next", "field": "after"});
    let gone = || (404, json!({"detail": "Invalid page."}));
    let whole = json!({"items": [{"id": 1}, {"id": 2}], "more": false});
    assert_eq!(read(page(), json!({}), gone()), whole);
    assert_eq!(read(cursor(), json!({"ends": [404, 416]}), gone()), whole);
    for (next, ends, third, code, said) in [
        (cursor(), json!({}), gone(), "http.404", "status 404"),
        (page(), json!({"ends": []}), gone(), "http.404", "status 404"),
        (page(), json!({}), (500, json!({})), "http.500", "page 3: "),
        (page(), json!({"maxPages": 2}), gone(), "adapter.max-pages", "more than the 2 pages"),
        (page(), json!({}), (200, json!({"data": [{"id": "x"}]})), "http.unexpected-body", "at /items/2/id: expected"),
        (page(), json!({}), (200, json!({})), "http.unexpected-body", "no list of items"),
    ] {
        let output = read(next, ends, third);
        assert_eq!((&output["items"], &output["more"]), (&whole["items"], &json!(true)), "{code}");
        assert_eq!(output["reason"]["code"], code);
        let message = output["reason"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
    }
}
