//! The cases: a call, what the upstream answers, what must arrive there, and what the caller must get.

use portcullis_runtime::Grant;
use portcullis_tests::upstream::Answer;
use serde_json::{Value, json};

use super::twins::TOKEN;

/// What a call must come to.
pub(super) enum Expected {
    Output(Value),
    /// A failure of the adapter's own.
    Failure {
        code: &'static str,
        retryable: bool,
        after: Option<u64>,
        details: Value,
    },
    /// An error of the host's, by its code.
    Error(&'static str),
}

/// One case.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) operation: &'static str,
    pub(super) input: Value,
    pub(super) key: Option<&'static str>,
    pub(super) answers: Vec<Answer>,
    pub(super) expected: Expected,
    /// Method and target of what must arrive, in order.
    pub(super) lines: Vec<String>,
    /// Header fields that the first request must have.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<&'static str>,
    pub(super) change: fn(&mut Grant),
    /// Nobody listens where the upstream should be.
    pub(super) closed: bool,
}

impl Case {
    fn new(name: &str, operation: &'static str, input: Value, answers: Vec<Answer>, expected: Expected) -> Self {
        let lines = match operation {
            "getTask" => vec!["GET /v1/tasks/7".to_owned()],
            "addTask" => vec!["POST /v1/tasks".to_owned()],
            _ => vec!["GET /v1/tasks?page=1".to_owned()],
        };
        let headers = vec![("authorization", format!("Bearer {TOKEN}")), ("accept", "application/json".to_owned())];
        let (name, change) = (name.to_owned(), |_: &mut Grant| {});
        Self { name, operation, input, key: None, answers, expected, lines, headers, body: None, change, closed: false }
    }

    fn lines(mut self, lines: &[&str]) -> Self {
        self.lines = lines.iter().map(|line| (*line).to_owned()).collect();
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// A good input of each operation.
pub(super) fn inputs() -> [(&'static str, Value); 3] {
    [
        ("getTask", json!({ "id": 7 })),
        ("listTasks", json!({ "most": 20, "done": false })),
        ("addTask", json!({ "title": "Zwölf Bäume 🌳 gießen", "notes": "\"all\" of\tthem" })),
    ]
}

/// All cases.
pub(super) fn all() -> Vec<Case> {
    [good(), refused(), malformed(), hosts()].into_iter().flatten().collect()
}

fn task(id: u32) -> Value {
    json!({ "id": id, "title": format!("Task {id} – ä\u{1f333}"), "done": id.is_multiple_of(2) })
}

fn page(ids: &[u32], next: Option<u32>) -> Answer {
    Answer::json(&json!({ "tasks": ids.iter().map(|id| task(*id)).collect::<Vec<_>>(), "nextPage": next }))
}

fn tasks(ids: &[u32], more: bool) -> Expected {
    Expected::Output(json!({ "more": more, "tasks": ids.iter().map(|id| task(*id)).collect::<Vec<_>>() }))
}

fn get(name: &str, answer: Answer, expected: Expected) -> Case {
    Case::new(name, "getTask", json!({ "id": 7 }), vec![answer], expected)
}

fn good() -> Vec<Case> {
    let list = |name, input, answers, expected| Case::new(name, "listTasks", input, answers, expected);
    let mut more = task(7);
    if let Value::Object(fields) = &mut more {
        fields.insert("owner".to_owned(), json!({ "email": "ada@example.com" }));
    }
    let pages = vec![page(&[1, 2], Some(2)), page(&[3], Some(5)), page(&[4], None)];
    let [_, _, (_, add)] = inputs();
    let endless: Vec<Answer> = (2..13).map(|next| page(&[next], Some(next))).collect();
    let ten: Vec<String> = (1..=10).map(|page| format!("GET /v1/tasks?page={page}")).collect();
    let adding = |name, key| {
        let mut case = Case::new(
            name,
            "addTask",
            add.clone(),
            vec![Answer::json(&task(8)).status(201)],
            Expected::Output(task(8)),
        );
        case.key = key;
        case.body = Some(r#"{"title":"Zwölf Bäume 🌳 gießen","notes":"\"all\" of\tthem"}"#);
        case.header("idempotency-key", key.unwrap_or("CALL")).header("content-type", "application/json")
    };
    let mut endless = list(
        "a list without an end ends after ten pages",
        json!({ "most": 500 }),
        endless,
        tasks(&[2, 3, 4, 5, 6, 7, 8, 9, 10, 11], true),
    );
    endless.lines = ten;
    let mut plain = Case::new(
        "what is null is not sent",
        "addTask",
        json!({ "title": "x", "notes": null }),
        vec![Answer::json(&task(1))],
        Expected::Output(task(1)),
    );
    plain.body = Some(r#"{"title":"x"}"#);
    vec![
        get("one task is read, without what was not declared", Answer::json(&more), Expected::Output(task(7))),
        list(
            "pages are walked to the last",
            json!({ "most": 50, "done": true }),
            pages.clone(),
            tasks(&[1, 2, 3, 4], false),
        )
        .lines(&[
            "GET /v1/tasks?done=true&page=1",
            "GET /v1/tasks?done=true&page=2",
            "GET /v1/tasks?done=true&page=5",
        ]),
        list("a list is cut where it was asked to be", json!({ "most": 1, "done": null }), pages, tasks(&[1], true)),
        list("a list can be empty", json!({ "most": 1 }), vec![page(&[], None)], tasks(&[], false)),
        endless,
        adding("a task is added with the caller's key", Some("order-7")),
        adding("a task is added with a key of the call's", None),
        plain,
    ]
}

fn refused() -> Vec<Case> {
    let repeating = |status: u16| Answer::json(&json!({ "error": format!("no, {TOKEN}") })).status(status);
    let html = |status: u16| Answer {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<html>".to_vec(),
    };
    let failure = |code, retryable, after, status: u16| Expected::Failure {
        code,
        retryable,
        after,
        details: json!({ "status": status }),
    };
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    let dated = repeating(429).header("date", date).header("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT");
    vec![
        get("404", repeating(404), failure("tasks.not-found", false, None, 404)),
        get("404 as a page for people", html(404), failure("tasks.not-found", false, None, 404)),
        get(
            "429 with Retry-After",
            repeating(429).header("retry-after", "7"),
            failure("tasks.rate-limited", true, Some(7_000), 429),
        ),
        get("429 with Retry-After as a date", dated, failure("tasks.rate-limited", true, Some(30_000), 429)),
        get(
            "429 with a Retry-After of years",
            repeating(429).header("retry-after", "999999999"),
            failure("tasks.rate-limited", true, Some(86_400_000), 429),
        ),
        get(
            "429 with a Retry-After that is none",
            repeating(429).header("retry-after", "soon"),
            failure("tasks.rate-limited", true, None, 429),
        ),
        get("500", repeating(500), failure("tasks.unavailable", true, None, 500)),
        get(
            "503 as a page for people",
            html(503).header("retry-after", "2"),
            failure("tasks.unavailable", true, Some(2_000), 503),
        ),
        get("401", repeating(401), failure("tasks.refused", false, None, 401)),
        get(
            "422 and an empty body",
            Answer { status: 422, headers: Vec::new(), body: Vec::new() },
            failure("tasks.refused", false, None, 422),
        ),
        get("304, of which nobody asked", html(304), failure("tasks.refused", false, None, 304)),
        Case::new(
            "pages that go back",
            "listTasks",
            json!({ "most": 50 }),
            vec![page(&[1], Some(2)), page(&[2], Some(2))],
            Expected::Failure { code: "tasks.paging", retryable: false, after: None, details: Value::Null },
        )
        .lines(&["GET /v1/tasks?page=1", "GET /v1/tasks?page=2"]),
    ]
}

/// A success that is none: each ends as the same failure, whatever the language's parser would let pass.
fn malformed() -> Vec<Case> {
    let long = "[".repeat(100_000);
    let bodies: [(&str, &[u8]); 25] = [
        ("a page for people", b"<!doctype html><title>Welcome</title>"),
        ("half of the JSON", br#"{"id": 7, "title": "Wat"#),
        ("an empty body", b""),
        ("blanks", b"  \n"),
        ("null", b"null"),
        ("a list instead of one", br#"[{"id": 7, "title": "x", "done": true}]"#),
        ("an id that is text", br#"{"id": "7", "title": "x", "done": true}"#),
        ("an id that is true", br#"{"id": true, "title": "x", "done": true}"#),
        ("an id below zero", br#"{"id": -7, "title": "x", "done": true}"#),
        ("an id between two", br#"{"id": 7.5, "title": "x", "done": true}"#),
        ("an id that is too large", br#"{"id": 4294967296, "title": "x", "done": true}"#),
        ("an id beyond all numbers", br#"{"id": 1e999, "title": "x", "done": true}"#),
        ("a title that is a number", br#"{"id": 7, "title": 5, "done": true}"#),
        ("a title that is null", br#"{"id": 7, "title": null, "done": true}"#),
        ("a title that is not there", br#"{"id": 7, "done": true}"#),
        ("done that is 1", br#"{"id": 7, "title": "x", "done": 1}"#),
        ("done that is text", br#"{"id": 7, "title": "x", "done": "false"}"#),
        ("half a character, escaped", br#"{"id": 7, "title": "\ud83c", "done": true}"#),
        ("bytes that are not UTF-8", b"{\"id\": 7, \"title\": \"\xff\xfe\", \"done\": true}"),
        ("a byte order mark", b"\xef\xbb\xbf{\"id\": 7, \"title\": \"x\", \"done\": true}"),
        ("NaN", br#"{"id": 7, "title": "x", "done": true, "more": NaN}"#),
        ("a second value behind the first", br#"{"id": 7, "title": "x", "done": true} {}"#),
        ("a comma too many", br#"{"id": 7, "title": "x", "done": true,}"#),
        ("a line break in a text", b"{\"id\": 7, \"title\": \"a\nb\", \"done\": true}"),
        ("a hundred thousand brackets", long.as_bytes()),
    ];
    let unexpected =
        || Expected::Failure { code: "http.unexpected-body", retryable: false, after: None, details: Value::Null };
    let mut cases: Vec<Case> = bodies
        .into_iter()
        .map(|(name, body)| {
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            get(&format!("200 with {name}"), Answer { status: 200, headers, body: body.to_vec() }, unexpected())
        })
        .collect();
    cases.push(get("204", Answer { status: 204, headers: Vec::new(), body: Vec::new() }, unexpected()));
    let wrong = Answer::json(&json!({ "tasks": [task(1), { "id": 2 }], "nextPage": null }));
    cases.push(Case::new(
        "a list of which one is wrong",
        "listTasks",
        json!({ "most": 50 }),
        vec![wrong],
        unexpected(),
    ));
    cases
}

/// What the host says, however the adapter puts it.
fn hosts() -> Vec<Case> {
    let change = |mut case: Case, change: fn(&mut Grant)| {
        case.change = change;
        case
    };
    let mut retried = get(
        "503 and then an answer, tried again by the host",
        Answer::json(&json!({})).status(503),
        Expected::Output(task(7)),
    )
    .lines(&["GET /v1/tasks/7", "GET /v1/tasks/7"]);
    retried.answers.push(Answer::json(&task(7)));
    let unsent = |name, code| {
        let mut case = get(name, Answer::json(&task(7)), Expected::Error(code)).lines(&[]);
        case.headers.clear();
        case
    };
    let denied = unsent("another task than the one that was granted", "path-not-granted");
    let locked = unsent("a slot of which no granted route has use", "slot-not-granted");
    let mut closed = unsent("an upstream that is not there", "connect");
    closed.closed = true;
    let endless: Vec<Answer> = (2..13).map(|next| page(&[next], Some(next))).collect();
    let requests = Case::new(
        "more requests than are granted",
        "listTasks",
        json!({ "most": 500 }),
        endless,
        Expected::Error("requests"),
    );
    let large = get(
        "an answer that is too large",
        Answer::json(&json!({ "title": "x".repeat(5_000) })),
        Expected::Error("response_bytes"),
    );
    vec![
        change(retried, |grant| grant.limits.retries = 1),
        change(denied, |grant| {
            grant.routes.iter_mut().for_each(|route| route.url = route.url.replace("{id:digits(1..10)}", "8"));
        }),
        change(locked, |grant| grant.routes.retain(|route| !route.url.contains("{id"))),
        closed,
        change(requests.lines(&["GET /v1/tasks?page=1", "GET /v1/tasks?page=2"]), |grant| grant.limits.requests = 2),
        change(large, |grant| grant.limits.response_bytes = 1_000),
    ]
}
