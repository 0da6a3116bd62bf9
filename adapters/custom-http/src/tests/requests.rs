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
    let failure = super::failure(fake(config).invoke("call", &json!({"id": "a/../b", "q": ""})));
    assert_eq!(failure.code, "adapter.path-segment");
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
