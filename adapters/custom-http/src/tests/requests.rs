//! What goes out.

use portcullis_sdk::{prelude::*, testing::Sent};

use super::{example, fake, fields, with};

fn sent(config: Value, operation: &str, id: &str, input: Value) -> Sent {
    let fake = fake(config).on_id(id, |_| Response::with_json(200, &json!({"data": {"id": "t_1"}})));
    let _ = fake.invoke(operation, &input);
    fake.sent().into_iter().next().expect("a request")
}

fn header<'s>(sent: &'s Sent, name: &str) -> Option<&'s str> {
    sent.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

#[test]
fn fields_go_where_the_config_says() {
    let input = json!({"project": 7, "title": "x/y", "due": "2026-12-01"});
    let create = sent(example(), "createTask", "create-task", input);
    assert_eq!(create.url, "https://tasks.acme.example/v2/projects/7/tasks");
    assert_eq!(create.json(), json!({"title": "x/y", "due": "2026-12-01"}));
    assert_eq!(create.slots, ["credential"]);
    assert_eq!(header(&create, "acme-version"), Some("2026-01-01"));
    assert_eq!(header(&create, "idempotency-key"), Some(portcullis_sdk::testing::CALL_ID));
    let file = json!({"filename": "a.txt", "contentType": "text/plain", "base64": "aGk="});
    let attach = sent(example(), "attachFile", "attach-file", json!({"task": "t_1", "file": file}));
    assert!(header(&attach, "content-type").unwrap().starts_with("multipart/form-data"));
    assert!(String::from_utf8_lossy(&attach.body).contains("filename=\"a.txt\""));
    assert_eq!(header(&attach, "accept"), Some("*/*"));
}

#[test]
fn an_endpoints_own_header_counts_instead_of_the_configs() {
    let input = json!({"type": "object", "properties": {"version": {"type": "string"}}});
    for (own, given, expected) in [
        (json!("3"), json!({}), Some("3")),
        (json!({"field": "version"}), json!({"version": "4"}), Some("4")),
        (json!({"field": "version"}), json!({}), None),
    ] {
        let mut config = with(json!({"input": input, "headers": {"x-version": own}}));
        config["headers"] = json!({"X-Version": "1", "Accept": "application/vnd.acme+json"});
        let sent = sent(config, "call", "call", given);
        assert_eq!(header(&sent, "x-version"), expected);
        assert_eq!(sent.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("accept")).count(), 1);
        assert_eq!(header(&sent, "accept"), Some("application/vnd.acme+json"));
    }
}

#[test]
fn what_looks_like_a_template_in_a_value_is_a_value() {
    let input = fields(json!({"id": {"type": "string"}, "q": {"type": "string"}}));
    let config = with(json!({"path": "/x/{id}", "input": input}));
    let sent = sent(config.clone(), "call", "call", json!({"id": "{q}", "q": "{id}&a=b"}));
    assert_eq!(sent.url, "https://a.example/v1/x/%7Bq%7D?q=%7Bid%7D%26a%3Db");
    let refused = fake(config).invoke("call", &json!({"id": "a/../b", "q": ""}));
    assert!(matches!(refused, Err(Error::InvalidInput { pointer, .. }) if pointer == "/id"));
}

#[test]
fn a_value_with_a_slash_is_one_escaped_segment_where_the_path_says_so_and_the_callers_mistake_elsewhere() {
    let with_path = |path: &str| with(json!({"path": path, "input": fields(json!({"id": {"type": "string"}}))}));
    let project = |path: &str| sent(with_path(path), "call", "call", json!({"id": "group/sub/project"})).url;
    assert_eq!(project("/projects/{id:escaped(1..200)}"), "https://a.example/v1/projects/group%2Fsub%2Fproject");
    for (path, id) in [("/projects/{id}", "group/project"), ("/projects/{id:escaped}", "group/../x"), ("/p/{id}", "..")]
    {
        match fake(with_path(path)).invoke("call", &json!({ "id": id })) {
            Err(Error::InvalidInput { pointer, message }) => assert_eq!(pointer, "/id", "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn names_in_any_script_go_in_a_body() {
    let input = fields(json!({"größe": {"type": "string"}, "a/b~c": {"type": "string"}}));
    let config = with(json!({"method": "POST", "input": input}));
    let given = json!({"größe": "🦀", "a/b~c": "\u{202e}"});
    assert_eq!(sent(config, "call", "call", given.clone()).json(), given);
}

#[test]
fn a_key_of_the_callers_is_passed_on() {
    let answer = |_: &portcullis_sdk::Request| Response::with_json(200, &json!({"data": {"id": "t"}}));
    let fake = fake(example()).on_id("create-task", answer).idempotency_key("mine");
    assert_eq!(fake.invoke("createTask", &json!({"project": 7, "title": "x"})), Ok(json!({"id": "t"})));
    assert_eq!(header(&fake.sent()[0], "idempotency-key"), Some("mine"));
}

#[test]
fn an_integer_with_a_point_is_written_as_digits_where_it_is_text() {
    let input = fields(json!({
        "id": {"type": "integer"}, "days": {"type": "integer", "minimum": 1}, "list": {"type": "array", "items": {"type": "integer"}},
        "share": {"type": "number"}, "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "word": {"type": "string"},
    }));
    let config = with(json!({"path": "/x/{id:digits(1..20)}", "input": input}));
    let query = |text: &str| sent(config.clone(), "call", "call", text.parse().unwrap()).url;
    assert_eq!(
        query(r#"{"id":30e-1,"days":3.0,"list":[1e2,2],"share":3.0,"either":-0.0,"word":"3.0"}"#),
        "https://a.example/v1/x/3?days=3&either=0&list=100&list=2&share=3.0&word=3.0"
    );
    for (text, place) in [
        (r#"{"id":1,"days":1e30}"#, "/days"),
        (r#"{"id":123456789012345678901}"#, "/id"),
        (r#"{"id":-1}"#, "/id"),
        (r#"{"id":1,"list":[1,1e99]}"#, "/list/1"),
    ] {
        let error = fake(config.clone()).invoke("call", &text.parse().unwrap()).unwrap_err();
        assert!(matches!(&error, Error::InvalidInput { pointer, .. } if pointer == place), "{text}: {error}");
    }
}

#[test]
fn numbers_leave_as_they_came_in_bodies_queries_and_answers() {
    let text = r#"{"a":1.10,"b":[18446744073709551617,-0.0,1e5],"c":12345678901234567.89}"#;
    let anything = json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "array"}, "c": {"type": "number"}}});
    let posted = with(json!({"method": "POST", "path": "/x", "effect": "write", "input": anything}));
    let request = sent(posted, "call", "call", text.parse().unwrap());
    assert_eq!(String::from_utf8(request.body).unwrap(), text);
    let asked = with(json!({"path": "/x", "input": anything}));
    assert_eq!(
        sent(asked.clone(), "call", "call", text.parse().unwrap()).url,
        "https://a.example/v1/x?a=1.10&b=18446744073709551617&b=-0.0&b=1e5&c=12345678901234567.89"
    );
}
