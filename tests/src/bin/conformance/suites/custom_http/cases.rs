//! The calls of the Custom HTTP suite, and what must come of them.

use serde_json::{Value, json};

use Expected::{Denied, Failure, Late, Output};

/// A call, and what must come of it.
pub(super) struct Case {
    pub(super) operation: &'static str,
    pub(super) input: Value,
    pub(super) expected: Expected,
}

pub(super) enum Expected {
    /// An output with at least this.
    Output(Value),
    /// A failure with this code, the adapter's or the host's for the input.
    Failure(&'static str),
    /// An upstream that is too slow.
    Late,
    /// The gate's refusal, by this rule.
    Denied(&'static str),
}

pub(super) fn of_httpbin(origin: &str) -> Vec<Case> {
    let case = |operation, input, expected| Case { operation, input, expected };
    let file = json!({"filename": "a.txt", "contentType": "text/plain", "base64": "aGk="});
    let second = format!("<{origin}/response-headers?items=c&items=d>; rel=\"next\"");
    vec![
        case(
            "getArgs",
            json!({"q": "a b&c=ü", "tags": ["x", "y"], "archived": true}),
            Output(json!({"q": "a b&c=ü", "tags": ["x", "y"], "archived": "true"})),
        ),
        case("headNothing", json!({}), Output(Value::Null)),
        case(
            "postJson",
            json!({"title": "ü\"\\\n", "n": 1, "tags": []}),
            Output(json!({"title": "ü\"\\\n", "n": 1, "tags": []})),
        ),
        case("putJson", json!({"title": "x", "mode": "all"}), Output(json!({"json": {"title": "x"}}))),
        case(
            "patchItem",
            json!({"item": {"title": "x", "parts": [{"title": "y"}]}, "dry": true}),
            Output(json!({"json": {"title": "x", "parts": [{"title": "y"}]}, "args": {"dry": "true"}})),
        ),
        case("deleteJson", json!({"reason": "old"}), Output(json!({"reason": "old"}))),
        case(
            "postForm",
            json!({"a": "1&b=2", "b": [1, 2], "c": {"d": "e f"}}),
            Output(json!({"a": "1&b=2", "b[]": ["1", "2"], "c[d]": "e f"})),
        ),
        case(
            "postMultipart",
            json!({"title": "x\r\n--portcullis-boundary-0", "file": file}),
            Output(json!({"form": {"title": "x\r\n--portcullis-boundary-0"}, "files": {"file": "hi"}})),
        ),
        case(
            "postRaw",
            json!({"content": "a,b\n1,2", "name": "t"}),
            Output(json!({"data": "a,b\n1,2", "args": {"name": "t"}})),
        ),
        case(
            "postRaw",
            json!({"content": {"base64": "AAEC", "contentType": "application/octet-stream"}}),
            Output(json!({"data": "\u{0}\u{1}\u{2}"})),
        ),
        case(
            "getHeaders",
            json!({"trace": "t-1"}),
            Output(json!({"X-Trace": "t-1", "X-Fixed": "always", "X-Client": "portcullis"})),
        ),
        case("anything", json!({"path": "a/b c/{d}"}), Output(json!(format!("{origin}/anything/a/b%20c/{{d}}")))),
        case("anything", json!({"path": "a/../b"}), Failure("invalid-input")),
        case("redirected", json!({"n": 3}), Output(json!(format!("{origin}/get")))),
        case("redirectedAway", json!({"n": 1}), Denied("path-not-granted")),
        case("gzipped", json!({}), Output(json!(true))),
        case("delayed", json!({"seconds": 3}), Late),
        case("status", json!({"code": 204}), Output(Value::Null)),
        case("status", json!({"code": 404}), Failure("http.404")),
        case("status", json!({"code": 418}), Failure("http.418")),
        case("status", json!({"code": 503}), Failure("http.503")),
        case("status", json!({"code": 429}), Failure("http.429")),
        case("created", json!({"code": 201}), Output(Value::Null)),
        case("created", json!({"code": 404}), Output(Value::Null)),
        case("created", json!({"code": 200}), Failure("http.200")),
        case("etag", json!({"etag": "v1", "version": "v1"}), Output(json!({"url": format!("{origin}/etag/v1")}))),
        case("etag", json!({"etag": "v1", "version": "v2"}), Failure("http.412")),
        case("robots", json!({}), Output(json!("User-agent: *\nDisallow: /deny\n"))),
        case("htmlAsText", json!({}), Failure("http.unexpected-body")),
        case("htmlAsJson", json!({}), Failure("http.unexpected-body")),
        case("image", json!({}), Output(Value::Null)),
        case("wrongShape", json!({}), Failure("http.unexpected-body")),
        case(
            "linked",
            json!({"items": ["a", "b"], "Link": second}),
            Output(json!({"items": ["a", "b", "c", "d"], "more": false})),
        ),
        case("judged", json!({"ok": "yes"}), Output(json!({"ok": "yes"}))),
        case("judged", json!({"ok": "no", "error": "Not_Now"}), Failure("httpbin.not-now")),
    ]
}

/// A call, and what must arrive for it: method, and path with query of each request.
pub(super) struct Described {
    pub(super) operation: &'static str,
    pub(super) input: Value,
    pub(super) sent: &'static [(&'static str, &'static str)],
    /// What the output has.
    pub(super) output: Value,
    /// A status the description knows that is no success.
    pub(super) error: u16,
}

pub(super) fn slack() -> Vec<Described> {
    vec![
        Described {
            operation: "postMessage",
            input: json!({"channel": "C1H9RESGL", "text": "It works & more."}),
            sent: &[("POST", "/chat.postMessage")],
            output: json!({"ok": true, "channel": "C1H9RESGL"}),
            error: 400,
        },
        Described {
            operation: "listConversations",
            input: json!({"exclude_archived": true, "limit": 2, "types": "public_channel"}),
            // The example's cursor is always the same, and a list that leads back ends there.
            sent: &[
                ("GET", "/conversations.list?exclude_archived=true&limit=2&types=public_channel"),
                (
                    "GET",
                    "/conversations.list?cursor=dGVhbTpDMDYxRkE1UEI%3D&exclude_archived=true&limit=2&types=public_channel",
                ),
            ],
            output: json!({"more": true}),
            error: 400,
        },
    ]
}

pub(super) fn sendgrid() -> Vec<Described> {
    let mail = json!({
        "personalizations": [{"to": [{"email": "ada@example.com"}]}],
        "from": {"email": "orders@acme.example", "name": "Acme"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "It works."}],
    });
    vec![
        Described {
            operation: "sendMail",
            input: mail,
            sent: &[("POST", "/mail/send")],
            output: Value::Null,
            error: 400,
        },
        Described {
            operation: "listBounces",
            input: json!({"start_time": 5, "subuser": "ada"}),
            sent: &[("GET", "/suppression/bounces?start_time=5")],
            output: json!([]),
            error: 401,
        },
        Described {
            operation: "listTemplates",
            input: json!({"page_size": 10, "generations": "dynamic"}),
            sent: &[("GET", "/templates?generations=dynamic&page_size=10")],
            output: json!({"more": false}),
            error: 400,
        },
    ]
}

pub(super) fn asana() -> Vec<Described> {
    vec![
        Described {
            operation: "listTasks",
            input: json!({"project": "321654", "limit": 2}),
            sent: &[
                ("GET", "/tasks?limit=2&project=321654"),
                ("GET", "/tasks?limit=2&offset=eyJ0eXAiOJiKV1iQLCJhbGciOiJIUzI1NiJ9&project=321654"),
            ],
            output: json!({"more": true}),
            error: 403,
        },
        Described {
            operation: "getTask",
            input: json!({"task_gid": "12345"}),
            sent: &[("GET", "/tasks/12345")],
            output: json!({"gid": "12345"}),
            error: 404,
        },
        Described {
            operation: "createTask",
            input: json!({"data": {"name": "Water the plants", "projects": ["321654"]}}),
            sent: &[("POST", "/tasks")],
            output: json!({"gid": "12345"}),
            error: 400,
        },
        Described {
            operation: "deleteTask",
            input: json!({"task_gid": "12345"}),
            sent: &[("DELETE", "/tasks/12345")],
            output: json!({}),
            error: 404,
        },
    ]
}
