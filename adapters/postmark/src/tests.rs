//! The adapter against a host of functions: what it sends, what it makes of the answers, and what it declares.

use portcullis_sdk::{Descriptor, Effect, Method, prelude::*, testing::Fake};

use crate::{
    bounces::GET_BOUNCES,
    config::Config,
    email::{SEND_EMAIL, SEND_EMAIL_BATCH},
    messages::SEARCH_OUTBOUND,
    servers::LIST_SERVERS,
    templates::SEND_WITH_TEMPLATE,
};

fn fake() -> Fake<Config> {
    Fake::new(Config::default())
}

fn email() -> Value {
    json!({"From": "a@example.com", "To": "b@example.com", "TextBody": "Hello"})
}

fn taken() -> Value {
    json!({"ErrorCode": 0, "Message": "OK", "MessageID": "m-1", "SubmittedAt": "2026-01-15T09:30:00Z", "To": "b@example.com"})
}

fn failure(status: u16, body: Value) -> Failure {
    let fake = fake().on(&SEND_EMAIL, move |_| Response::with_json(status, &body));
    match fake.invoke("sendEmail", &email()).unwrap_err() {
        Error::Failed(failure) => failure,
        other => panic!("{other}"),
    }
}

fn described() -> Descriptor {
    fake().describe().unwrap()
}

#[test]
fn an_email_goes_out_as_it_came_in_with_the_server_token() {
    let fake = fake().on(&SEND_EMAIL, |_| Response::with_json(200, &taken()));
    assert_eq!(fake.invoke("sendEmail", &email()), Ok(taken()));
    let [sent] = fake.sent().try_into().unwrap();
    assert_eq!((sent.method, sent.url.as_str()), (Method::Post, "https://api.postmarkapp.com/email"));
    assert_eq!(sent.slots, ["server-token"]);
    assert_eq!(sent.json(), email());
}

#[test]
fn the_base_url_is_the_configs() {
    let local = Fake::new(Config { base_url: "http://127.0.0.1:8025/".to_owned() });
    assert!(local.describe().unwrap().routes.iter().all(|route| route.url.starts_with("http://127.0.0.1:8025/")));
}

#[test]
fn postmarks_errors_have_stable_codes() {
    for (status, error_code, code, retryable) in [
        (401, 10, "postmark.bad-token", false),
        (422, 300, "postmark.invalid-email", false),
        (422, 405, "postmark.not-allowed", false),
        (422, 406, "postmark.inactive-recipient", false),
        (422, 1101, "postmark.template-not-found", false),
        (422, 987, "postmark.error-987", false),
        (429, 0, "postmark.rate-limited", true),
        (500, 100, "postmark.maintenance", true),
        (200, 406, "postmark.inactive-recipient", false),
        (200, 100, "postmark.maintenance", true),
    ] {
        let failure = failure(status, json!({"ErrorCode": error_code, "Message": "why"}));
        assert_eq!((failure.code.as_ref(), failure.retryable), (code, retryable));
        assert_eq!(failure.message, "why");
        assert_eq!(failure.details, Some(json!({"errorCode": error_code, "message": "why", "status": status})));
    }
}

#[test]
fn an_error_that_is_not_postmarks_form_keeps_its_status() {
    let failure = failure(502, json!("<html>"));
    assert_eq!((failure.code.as_ref(), failure.retryable), ("http.502", true));
}

#[test]
fn a_batch_returns_each_result_as_it_is() {
    let results = json!([taken(), {"ErrorCode": 406, "Message": "inactive"}]);
    let answer = results.clone();
    let fake = fake().on(&SEND_EMAIL_BATCH, move |_| Response::with_json(200, &answer));
    assert_eq!(fake.invoke("sendEmailBatch", &json!([email(), email()])), Ok(results));
    assert_eq!(fake.sent()[0].json(), json!([email(), email()]));
}

#[test]
fn a_template_is_sent_with_its_model() {
    let fake = fake().on(&SEND_WITH_TEMPLATE, |_| Response::with_json(200, &taken()));
    let input = json!({"From": "a@example.com", "To": "b@example.com", "TemplateAlias": "welcome", "TemplateModel": {"name": "Ada"}});
    fake.invoke("sendEmailWithTemplate", &input).unwrap();
    assert_eq!(fake.sent()[0].json(), input);
}

#[test]
fn searches_send_what_is_given_as_query_and_nothing_else() {
    let fake = fake()
        .on(&GET_BOUNCES, |_| Response::with_json(200, &json!({"TotalCount": 1, "Bounces": [{"ID": 7}]})))
        .on(&SEARCH_OUTBOUND, |_| {
            let message =
                json!({"MessageID": "m", "To": [{"Email": "b@example.com", "Name": null}], "Attachments": ["a.txt"]});
            Response::with_json(200, &json!({"TotalCount": 1, "Messages": [message]}))
        });
    let found = fake.invoke("getBounces", &json!({"count": 5, "offset": 0, "emailFilter": "a+b@example.com"})).unwrap();
    assert_eq!(found["TotalCount"], 1);
    let found = fake.invoke("searchOutboundMessages", &json!({"count": 1, "offset": 2, "status": "sent"})).unwrap();
    assert_eq!(found["Messages"][0]["Attachments"], json!(["a.txt"]));
    let urls: Vec<_> = fake.sent().into_iter().map(|sent| sent.url).collect();
    assert_eq!(
        urls,
        [
            "https://api.postmarkapp.com/bounces?count=5&emailFilter=a%2Bb%40example.com&offset=0",
            "https://api.postmarkapp.com/messages/outbound?count=1&offset=2&status=sent",
        ]
    );
}

#[test]
fn listing_servers_uses_the_account_token_and_never_returns_server_tokens() {
    let fake = fake().on(&LIST_SERVERS, |_| {
        let server = json!({"ID": 1, "Name": "S", "ApiTokens": ["secret"], "BounceHookUrl": "https://u:secret@h/"});
        Response::with_json(200, &json!({"TotalCount": 1, "Servers": [server]}))
    });
    let found = fake.invoke("listServers", &json!({"count": 1, "offset": 0})).unwrap();
    assert!(!found.to_string().contains("secret"), "{found}");
    assert_eq!(fake.sent()[0].slots, ["account-token"]);
}

#[test]
fn the_descriptor_declares_both_tokens_and_what_cannot_be_undone() {
    let descriptor = described();
    assert_eq!(
        descriptor.slots.iter().map(|slot| slot.name.as_str()).collect::<Vec<_>>(),
        ["server-token", "account-token"]
    );
    for operation in &descriptor.operations {
        let expected = if operation.name.starts_with("send") { Effect::Destructive } else { Effect::Read };
        assert_eq!(operation.effect, expected, "{}", operation.name);
        assert_eq!(operation.routes.len(), 1, "{}", operation.name);
    }
    let bounces = descriptor.routes.iter().find(|route| route.id == "get-bounces").unwrap();
    assert!(bounces.query.iter().any(|p| p.name == "emailFilter") && bounces.request.is_none());
}

#[test]
fn the_schemas_say_what_postmark_demands() {
    let descriptor = described();
    let schema = |text: &str| serde_json_value(text);
    let config = Fake::<Config>::config_schema();
    assert_eq!(config["additionalProperties"], json!(false));
    assert_eq!(config["properties"]["baseUrl"]["default"], json!("https://api.postmarkapp.com"));
    let inputs: Vec<_> = descriptor.operations.iter().map(|operation| schema(&operation.input)).collect();
    assert_eq!(inputs[0]["required"], json!(["From", "To"]));
    assert_eq!(inputs[1]["maxItems"], json!(500));
    assert_eq!(inputs[2]["oneOf"][0]["required"], json!(["TemplateId"]));
    let response = schema(&descriptor.routes[0].response);
    assert_eq!(response["properties"]["ErrorCode"]["examples"], json!([0]));
    assert_eq!(response["properties"]["MessageID"]["format"], json!("uuid"));
}

fn serde_json_value(text: &str) -> Value {
    text.parse().unwrap()
}
