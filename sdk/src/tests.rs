//! The typed layer as an adapter meets it: what goes out, and what is made of what comes back.

mod tokens;

use std::cell::Cell;

use crate::Map;

use crate::{
    Header, Method, UntypedRoute,
    paging::{Items, Next, Paging},
    prelude::*,
    testing::{CALL_ID, Fake},
};

#[model]
struct Config {
    base_url: String,
    account: Option<String>,
}

#[model]
#[derive(Debug)]
struct Item {
    id: u32,
}

#[model]
#[derive(Default)]
struct Query {
    #[serde(default)]
    limit: Option<u32>,
    after: Option<u32>,
}

const LIST: Route<Query, Value> = Route::get("list", "/items");
const ADD: Route<Vec<Item>, Json<Item>> = Route::post("add", "/items").idempotency_key("Idempotency-Key");
const SOFT: Route<(), Json<Item>> = Route::get("soft", "/soft")
    .success(|response| response.is_success() && !response.text().contains("\"ok\":false"))
    .error(|response| Errors::new("soft", &["/error"]).failure(response));

/// Reads all items.
#[operation(read, uses(LIST))]
fn list_items(cx: &Context<Config>, query: Query) -> Result<Vec<Json<Item>>, Failure> {
    Ok(cx.collect(&LIST, &query, &LAST_ID, 100)?.items)
}

/// Adds items, twice.
#[operation(write, uses(ADD))]
fn add_items(cx: &Context<Config>, item: Item) -> Result<Json<Item>, Failure> {
    cx.send(&ADD, &vec![Item { id: 0 }])?;
    cx.send(&ADD, &vec![item])
}

/// Reads what fails with 200.
#[operation(read, uses(SOFT))]
fn read_soft(cx: &Context<Config>, _input: Value) -> Result<Json<Item>, Failure> {
    cx.send(&SOFT, &())
}

register!(
    config: Config,
    base: |config| &config.base_url,
    headers: |config| config.account.iter().map(|account| ("X-Account", account.clone())).collect(),
    check: |config: &Config| match config.base_url.as_str() {
        "" => Err(Error::invalid_config("/base_url", "write where the server is")),
        _ => Ok(()),
    },
    operations: [list_items, add_items, read_soft],
    name: "tests",
    description: "For tests.",
);

const LAST_ID: Paging =
    Paging::new("/data", Next::LastId { id: "/id", field: "after", more: Some("/more") }).max_pages(4);

fn fake() -> Fake<Config> {
    Fake::new(Config { base_url: "https://a.example".to_owned(), account: Some("7".to_owned()) })
}

fn header<'s>(sent: &'s crate::testing::Sent, name: &str) -> Option<&'s str> {
    sent.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Answers with `pages`, one after the other, and then with the last again.
fn pages(pages: &[Value]) -> impl Fn(&crate::Request) -> Response + use<> {
    let (pages, at) = (pages.to_vec(), Cell::new(0));
    move |_| {
        let page = &pages[at.get().min(pages.len() - 1)];
        at.set(at.get() + 1);
        Response::with_json(200, page)
    }
}

fn ids(items: &[Json<Item>]) -> Vec<u64> {
    items.iter().map(|item| item.value()["id"].as_u64().unwrap()).collect()
}

fn collect(paging: Paging<'static>, answers: &[Value], at_most: usize) -> (Vec<u64>, bool, Vec<String>) {
    let fake = fake().on(&LIST, pages(answers));
    let found = fake.call(
        |cx, query: Query| cx.collect::<_, _, Item>(&LIST, &query, &paging, at_most),
        Query { limit: Some(2), after: None },
    );
    let found = found.unwrap();
    let base = "https://a.example/items";
    let queries = fake.sent().into_iter().map(|sent| sent.url.strip_prefix(base).unwrap_or(&sent.url).to_owned());
    (ids(&found.items), found.more, queries.collect())
}

#[test]
fn the_configs_headers_are_on_every_request_and_declared_with_their_values() {
    let fake = fake().on(&LIST, |_| Response::with_json(200, &json!({"data": [], "more": false})));
    fake.invoke("listItems", &json!({})).unwrap();
    assert_eq!(header(&fake.sent()[0], "X-Account"), Some("7"));
    let route = fake.describe().unwrap().routes.remove(0);
    assert!(format!("{:?}", route.headers).contains(r#"name: "X-Account", values: Values::OneOf(["7"])"#));
}

#[test]
fn a_config_that_cannot_be_right_is_refused() {
    let fake = Fake::new(Config { base_url: String::new(), account: None });
    assert!(matches!(fake.describe().unwrap_err(), Error::InvalidConfig { pointer, .. } if pointer == "/base_url"));
}

#[test]
fn each_request_carries_a_key_of_its_own_made_from_the_callers_or_the_calls_id() {
    let keys = |fake: Fake<Config>| {
        let fake = fake.on(&ADD, |_| Response::with_json(200, &json!({"id": 1})));
        fake.invoke("addItems", &json!({"id": 2})).unwrap();
        fake.sent().iter().map(|sent| header(sent, "Idempotency-Key").unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_call = keys(fake());
    assert!(of_call[0] == CALL_ID && of_call[1].starts_with(&format!("{CALL_ID}-2-")), "{of_call:?}");
    let mine = keys(fake().idempotency_key("mine"));
    assert_eq!(mine, keys(fake().idempotency_key("mine")), "the same call again sends the same keys");
    assert!(mine[0] == "mine" && mine[1].starts_with("mine-2-"), "{mine:?}");
    let long = "é".repeat(127);
    let [first, second] = keys(fake().idempotency_key(long.clone())).try_into().unwrap();
    assert!(first == long && second.len() <= 255, "{second}");
}

#[test]
fn no_two_calls_of_different_keys_send_the_same_one() {
    let keys = |key: String| {
        let fake = fake().idempotency_key(key).on(&ADD, |_| Response::with_json(200, &json!({"id": 1})));
        fake.invoke("addItems", &json!({"id": 2})).unwrap();
        fake.sent().iter().map(|sent| header(sent, "Idempotency-Key").unwrap().to_owned()).collect::<Vec<_>>()
    };
    let cut_off = "k".repeat(254);
    for (one, other) in [("order-7".into(), "order-7-2".into()), (format!("{cut_off}1"), format!("{cut_off}2"))] {
        let (one, other) = (keys(one), keys(other));
        assert!(one.iter().all(|key| !other.contains(key)), "{one:?} {other:?}");
    }
}

#[test]
fn success_can_be_told_by_the_body() {
    let answer =
        |body: Value| fake().on(&SOFT, move |_| Response::with_json(200, &body)).invoke("readSoft", &json!(null));
    assert_eq!(answer(json!({"id": 1})), Ok(json!({"id": 1})));
    let Err(Error::Failed(failure)) = answer(json!({"ok": false, "error": "not_there"})) else { panic!("a failure") };
    assert_eq!(failure.code, "soft.not-there");
}

#[test]
fn a_failure_says_when_to_try_again() {
    let slow = Response {
        headers: vec![Header { name: "Retry-After".to_owned(), value: b"3".to_vec() }],
        ..Response::with_json(429, &json!({}))
    };
    let fake = fake().on(&LIST, move |_| slow.clone());
    let Err(Error::Failed(failure)) = fake.invoke("listItems", &json!({})) else { panic!("a failure") };
    assert_eq!((failure.code.as_ref(), failure.retryable, failure.retry_after_ms), ("http.429", true, Some(3_000)));
}

#[test]
fn pages_are_walked_by_the_last_id() {
    let answers = [json!({"data": [{"id": 1}, {"id": 2}], "more": true}), json!({"data": [{"id": 3}], "more": false})];
    let (items, more, queries) = collect(LAST_ID, &answers, 100);
    assert_eq!((items, more), (vec![1, 2, 3], false));
    assert_eq!(queries, ["?limit=2", "?after=2&limit=2"]);
}

#[test]
fn pages_are_walked_by_cursor_page_offset_and_url() {
    const CURSOR: Paging = Paging::new("/data", Next::Cursor { cursor: "/next", field: "after" });
    const PAGE: Paging = Paging::new("/data", Next::Page { field: "page", first: 1, size: Some("limit") });
    const OFFSET: Paging =
        Paging::new("/data", Next::Offset { field: "skip", size: Some("limit"), total: Some("/total") });
    let capped = [json!({"data": [{"id": 1}], "total": 2}), json!({"data": [{"id": 2}], "total": 2})];
    assert_eq!(collect(OFFSET, &capped, 9).0, [1, 2], "a server may give fewer at a time than were asked for");
    const URL: Paging = Paging::new("/data", Next::Url("/next"));
    const URL_IN: Paging =
        Paging::new("/data", Next::UrlIn(|answer| Some(answer.pointer("/next")?.as_str()?.to_owned())));
    let two = json!([{"id": 1}, {"id": 2}]);
    for (paging, first, second) in [
        (CURSOR, json!({"data": two, "next": "c"}), "?after=c&limit=2"),
        (CURSOR, json!({"data": two, "next": 7}), "?after=7&limit=2"),
        (PAGE, json!({"data": two}), "?limit=2&page=2"),
        (OFFSET, json!({"data": two}), "?limit=2&skip=2"),
        (URL, json!({"data": two, "next": "https://b.example/p2"}), "https://b.example/p2"),
        (URL_IN, json!({"data": two, "next": "?p=2"}), "?p=2"),
    ] {
        let answers = [first, json!({"data": [{"id": 3}], "next": "", "total": 3})];
        let (items, more, queries) = collect(paging, &answers, 100);
        assert_eq!((items, more), (vec![1, 2, 3], false), "{paging:?}");
        assert_eq!(queries, ["?limit=2", second], "{paging:?}");
    }
    let all = json!({"data": two, "total": 2});
    assert_eq!(collect(OFFSET, &[all], 100).2.len(), 1);
}

#[test]
fn a_list_ends_with_what_was_asked_for_its_pages_or_a_circle() {
    let page = |id: u32, next: u32| json!({"data": [{"id": id}, {"id": id + 1}], "more": true, "next": next});
    let many: Vec<Value> = (0..9).map(|n| page(n * 2, n)).collect();
    let (items, more, _) = collect(LAST_ID, &many, 3);
    assert_eq!((items, more), (vec![0, 1, 2], true));
    let (items, more, queries) = collect(LAST_ID, &many, 100);
    assert_eq!((items.len(), more, queries.len()), (8, true, 4));
    const CURSOR: Paging = Paging::new("/data", Next::Cursor { cursor: "/next", field: "after" });
    let (items, more, queries) = collect(CURSOR, &[page(0, 5)], 100);
    assert_eq!((items.len(), more, queries.len()), (4, true, 2));
}

/// What comes of a list whose pages are these, and how many requests it took.
fn read(paging: Paging<'static>, answers: Vec<Response>) -> (Result<Items<Item>, Failure>, usize) {
    let at = Cell::new(0);
    let fake = fake().on(&LIST, move |_| {
        at.set(at.get() + 1);
        answers[(at.get() - 1).min(answers.len() - 1)].clone()
    });
    let query = Query { limit: None, after: None };
    let found = fake.call(|cx, query: Query| cx.collect::<_, _, Item>(&LIST, &query, &paging, 100), query);
    (found, fake.sent().len())
}

#[test]
fn a_list_that_breaks_gives_what_was_read_with_the_reason() {
    const CURSOR: Paging = Paging::new("/data", Next::Cursor { cursor: "/next", field: "after" });
    let good = |id: u32| Response::with_json(200, &json!({"data": [{"id": id}], "next": id}));
    let answer = |status: u16, body: Value| Response::with_json(status, &body);
    let not_json = Response { body: b"<html>".to_vec(), ..good(0) };
    for (broken, code, goes_on_at, retryable) in [
        (answer(503, json!({})), "http.503", 2, true),
        (answer(404, json!({})), "http.404", 2, false),
        (answer(200, json!({"next": 3})), "http.unexpected-body", 2, false),
        (answer(200, json!({"data": [{"id": "x"}], "next": 3})), "http.unexpected-body", 2, false),
        (not_json, "http.unexpected-body", 2, false),
    ] {
        let (found, sent) = read(CURSOR, vec![good(1), good(2), broken.clone()]);
        let found = found.unwrap();
        assert_eq!((ids(&found.items), found.more, found.next, sent), (vec![1, 2], true, Some(json!(goes_on_at)), 3));
        let reason = found.reason.unwrap();
        assert_eq!((reason.code.as_str(), reason.retryable), (code, retryable));
        assert!(reason.message.starts_with("page 3: "), "{}", reason.message);
        let (first, _) = read(CURSOR, vec![broken]);
        assert_eq!(first.unwrap_err().code, code, "a first page that fails is a failure");
    }
    let (found, _) = read(CURSOR, vec![good(1)]);
    let found = found.unwrap();
    assert_eq!((found.items.len(), found.more, found.next), (2, true, None), "a circle");
    assert_eq!(found.reason.unwrap().code, "http.next-page-repeats");
    let (found, sent) = read(CURSOR.max_pages(2), vec![good(1), good(2), good(3)]);
    let found = found.unwrap();
    assert_eq!((found.items.len(), found.more, found.next, sent), (2, true, Some(json!(2)), 2));
    assert_eq!(found.reason.unwrap().code, "adapter.max-pages");
}

#[test]
fn a_status_or_an_answer_without_a_body_can_be_the_end_of_a_list() {
    const PAGE: Paging = Paging::new("/data", Next::Page { field: "after", first: 1, size: None });
    let good = || Response::with_json(200, &json!({"data": [{"id": 1}]}));
    let empty = |status| Response { status, body: Vec::new(), ..good() };
    let not_found = || Response::with_json(404, &json!({"detail": "Invalid page."}));
    for end in [not_found(), empty(204), empty(200), Response::with_json(200, &json!({"data": []}))] {
        let (found, sent) = read(PAGE, vec![good(), good(), end]);
        let found = found.unwrap();
        assert_eq!((found.items.len(), found.more, found.reason, sent), (2, false, None, 3));
    }
    let (found, _) = read(PAGE.ends(&[]), vec![good(), not_found()]);
    assert_eq!((found.as_ref().unwrap().more, found.unwrap().reason.unwrap().code.as_str()), (true, "http.404"));
    let (found, _) = read(PAGE.ends(&[416]), vec![good(), empty(416)]);
    assert_eq!(found.unwrap().reason, None);
    assert_eq!(read(PAGE, vec![empty(204)]).0.unwrap_err().code, "http.unexpected-body", "a first page without a body");
    assert_eq!(read(PAGE, vec![not_found()]).0.unwrap_err().code, "http.404", "a first page that is not there");
}

#[test]
fn a_providers_url_is_resolved_against_the_page_that_it_stands_in() {
    const URL: Paging = Paging::new("/data", Next::Url("/next")).max_pages(2);
    for (reference, asked) in [
        ("items?page=2", "https://b.example/v1/items?page=2"),
        ("../v2/items", "https://b.example/v2/items"),
        ("?page=2", "https://b.example/v1/list?page=2"),
        ("//c.example/x", "https://c.example/x"),
        ("HTTPS://b.example/x", "https://b.example/x"),
    ] {
        let page = json!({"data": [{"id": 1}], "next": reference});
        // The page came after a redirect.
        let moved = Response { url: "https://b.example/v1/list?page=1".to_owned(), ..Response::with_json(200, &page) };
        let fake = fake().on(&LIST, move |_| moved.clone());
        let query = Query { limit: None, after: None };
        fake.call(|cx, query: Query| cx.collect::<_, _, Item>(&LIST, &query, &URL, 100), query).unwrap();
        assert_eq!(fake.sent()[1].url, asked);
    }
}

#[test]
fn a_link_that_cannot_be_followed_does_not_spoil_a_list_that_has_enough() {
    const URL: Paging = Paging::new("/data", Next::Url("/next"));
    let page = Response::with_json(200, &json!({"data": [{"id": 1}], "next": "javascript:x"}));
    let fake = fake().on(&LIST, move |_| page.clone());
    let query = Query { limit: None, after: None };
    let found = fake.call(|cx, query: Query| cx.collect::<_, _, Item>(&LIST, &query, &URL, 1), query).unwrap();
    assert_eq!((found.items.len(), found.more, found.reason), (1, true, None));
}

#[test]
fn where_a_list_goes_on_is_told_unless_a_page_was_cut_off() {
    const URL: Paging = Paging::new("/data", Next::Url("/next"));
    let next = |paging: Paging<'static>, more: bool, at_most: usize| {
        let page = json!({"data": [{"id": 1}, {"id": 2}], "more": more, "next": "https://b.example/p2"});
        let fake = fake().on(&LIST, pages(&[page]));
        let found = fake.call(
            |cx, query: Query| cx.collect::<_, _, Item>(&LIST, &query, &paging, at_most),
            Query { limit: Some(2), after: Some(7) },
        );
        found.unwrap().next
    };
    assert_eq!(next(LAST_ID, true, 2), Some(json!(2)));
    assert_eq!((next(LAST_ID, true, 1), next(LAST_ID, false, 2)), (None, None));
    assert_eq!(next(URL, true, 2), None);
}

#[test]
fn pages_are_read_whole_and_a_list_that_starts_with_a_post_goes_on_with_gets() {
    const FIND: Route<Item, Value> = Route::post("find", "/items/_search").form().idempotent();
    const URL: Paging = Paging::new("/data", Next::Url("/next")).follow(&LIST).max_pages(2);
    let answer = |next: &'static str| move |_: &_| Response::with_json(200, &json!({"total": 5, "next": next}));
    let fake = fake().on(&FIND, answer("/items?page=2")).on(&LIST, answer("/items?page=3"));
    let found = fake.call(
        |cx, item: Item| -> Result<_, Failure> {
            let mut pages = cx.pages(&FIND, &item, &URL)?;
            let mut totals = Vec::new();
            while let Some(page) = pages.read()? {
                totals.push(page.pointer("/total").unwrap());
            }
            Ok((totals, pages.count(), pages.more()))
        },
        Item { id: 7 },
    );
    assert_eq!(found.unwrap(), (vec![json!(5), json!(5)], 2, true));
    let sent: Vec<_> = fake.sent().into_iter().map(|sent| (sent.method, sent.url, sent.body)).collect();
    assert_eq!(
        sent,
        [
            (Method::Post, "https://a.example/items/_search".to_owned(), b"id=7".to_vec()),
            (Method::Get, "https://a.example/items?page=2".to_owned(), Vec::new()),
        ]
    );
}

#[test]
fn an_answer_without_a_list_is_no_page() {
    let fake = fake().on(&LIST, |_| Response::with_json(200, &json!({"data": {}})));
    let Err(Error::Failed(failure)) = fake.invoke("listItems", &json!({})) else { panic!("a failure") };
    assert_eq!(failure.code, "http.unexpected-body");
    assert!(failure.message.contains("no list of items at `/data`"));
}

#[test]
fn batches_have_so_many_items_and_one_failing_does_not_stop_the_others() {
    let fake = fake().on(&ADD, |request| {
        let items: Vec<Value> = serde_json::from_slice(request.body.as_deref().unwrap()).unwrap();
        Response::with_json(if items.len() == 2 { 200 } else { 500 }, &json!({"id": items.len()}))
    });
    let items: Vec<u32> = (0..5).collect();
    let answers = fake.call(
        |cx, ()| -> Result<_, Failure> {
            Ok(cx.send_in_batches(&ADD, &items, 2, |chunk| chunk.iter().map(|id| Item { id: *id }).collect()))
        },
        (),
    );
    let answers = answers.unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(fake.sent()[2].json(), json!([{"id": 4}]));
}

#[test]
fn a_route_can_be_data() {
    let id = "from-config".to_owned();
    let route = UntypedRoute {
        slots: [Some(&Slot::bearer("token")), None, None, None],
        ..UntypedRoute::new(Method::Get, &id, "/x/{id}")
    };
    let fake = fake().on_id(&id, |_| Response::with_json(200, &json!({"id": 1})));
    let request = Map::from_iter([("id".to_owned(), json!(3)), ("q".to_owned(), json!("a"))]);
    let response = fake.call(|cx, ()| cx.exchange_untyped(&route, request.clone()), ()).unwrap();
    assert_eq!(response.status, 200);
    let sent = &fake.sent()[0];
    assert_eq!((sent.url.as_str(), sent.slots.as_slice()), ("https://a.example/x/3?q=a", &["token".to_owned()][..]));
}

#[test]
fn pages_of_a_path_slots_route_ask_for_the_placeholder() {
    const BOT: Slot = Slot::path("bot", "secret");
    const UPDATES: Route<Query, Value> = Route::get("updates", "/{secret}/updates").slot(&BOT).any_query();
    const URL: Paging = Paging::new("/data", Next::Url("/next"));
    let first = json!({"data": [{"id": 1}], "next": "https://a.example/[secret]/updates?page=2"});
    let fake = fake().on(&UPDATES, pages(&[first, json!({"data": [{"id": 2}], "next": null})]));
    let found = fake.call(|cx, query: Query| cx.collect::<_, _, Item>(&UPDATES, &query, &URL, 9), Query::default());
    assert_eq!(ids(&found.unwrap().items), [1, 2]);
    let sent: Vec<String> = fake.sent().into_iter().map(|sent| sent.url).collect();
    assert_eq!(sent, ["https://a.example/-credential-/updates", "https://a.example/-credential-/updates?page=2"]);
    fake.call(|cx, ()| cx.follow(&UPDATES, "https://a.example/x/updates"), ()).unwrap();
    assert_eq!(fake.sent()[2].url, "https://a.example/-credential-/updates");
}

#[derive(Debug)]
struct Rule {
    field: String,
}

impl crate::Judge for Rule {
    fn judge(&self, response: &Response) -> Result<(), Failure> {
        match response.json::<Value>()?.get(&self.field) {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err(Failure::new("soft.no", "no")),
        }
    }
}

#[test]
fn what_is_a_success_can_be_data_too() {
    let rule = Rule { field: "ok".to_owned() };
    let route = UntypedRoute { judge: Some(&rule), ..UntypedRoute::new(Method::Get, "soft", "/soft") };
    for (ok, code) in [(true, None), (false, Some("soft.no"))] {
        let fake = fake().on(&SOFT, move |_| Response {
            headers: vec![Header { name: "Retry-After".to_owned(), value: b"3".to_vec() }],
            ..Response::with_json(if ok { 500 } else { 200 }, &json!({ "ok": ok }))
        });
        let answer = fake.call(|cx, ()| cx.send_untyped(&route, Map::new()), ());
        let told = answer.as_ref().err().map(|failure| (failure.code.as_ref(), failure.retry_after_ms));
        assert_eq!(told, code.map(|code| (code, Some(3_000))));
    }
}
