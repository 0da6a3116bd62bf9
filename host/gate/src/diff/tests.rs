//! What is a change and what is none, and how it is told.

use super::{asks::scheme, *};
use crate::{
    descriptor::{Operation, RequestBody, Slot, tests::sample},
    method::Method,
    parameter::Values,
};

/// Kind, subject and whether more is asked, of each change.
fn changes(change: impl FnOnce(&mut Descriptor)) -> Vec<(&'static str, String, bool)> {
    let mut new = sample();
    change(&mut new);
    let diff = diff(&sample(), &new).unwrap();
    diff.changes.into_iter().map(|c| (c.kind.as_str(), c.subject, c.asks_more)).collect()
}

fn one(kind: &'static str, subject: &str, more: bool) -> Vec<(&'static str, String, bool)> {
    vec![(kind, subject.to_owned(), more)]
}

#[test]
fn what_gives_no_power_is_no_change() {
    assert_eq!(changes(|_| {}), []);
    let renamed = |d: &mut Descriptor| {
        d.version = "2.0.0".into();
        d.description = "Other words.".into();
        d.routes[0].id = "other".into();
        d.routes[0].url = "https://api.example.com/items/{other}".into();
        d.routes[0].response = "true".into();
        d.operations[0].routes[0] = "other".into();
        d.operations.reverse();
        d.routes.reverse();
    };
    assert_eq!(changes(renamed), []);
    // A slot and a route that nothing uses.
    let unused = |d: &mut Descriptor| {
        d.slots.push(Slot { name: "new".into(), description: String::new(), scheme: Scheme::Bearer, oauth: None });
        let route = Route { id: "unused".into(), url: "https://new.example/".into(), ..d.routes[2].clone() };
        d.routes.push(route);
    };
    assert_eq!(changes(unused), []);
}

#[test]
fn a_wider_url_asks_for_more_and_a_narrower_one_for_less() {
    let url = |url: &str| changes(|d| d.routes[0].url = format!("https://api.example.com{url}"));
    assert_eq!(url("/items/{rest..}"), one("route's URL", "read-item", true));
    assert_eq!(url("/items/{id:digits}"), one("route's URL", "read-item", false));
    assert_eq!(url("/other/{id}"), one("route's URL", "read-item", true));
}

#[test]
fn a_new_origin_is_told_beside_the_route_that_brings_it() {
    let changed = changes(|d| d.routes[2].url = "https://new.example/status".into());
    let origin = |name: &str, more| ("origin", name.to_owned(), more);
    let route = ("route's URL", "open".to_owned(), true);
    assert_eq!(changed, [origin("https://new.example", true), route, origin("https://open.example.com", false)]);
}

#[test]
fn query_headers_body_slot_method_and_repeats_are_told() {
    assert_eq!(changes(|d| d.routes[0].query.push(Parameter::any("x"))), one("route's query", "read-item", true));
    assert_eq!(changes(|d| d.routes[0].query.clear()), one("route's query", "read-item", false));
    let narrow = |d: &mut Descriptor| d.routes[0].query[0].values = Values::OneOf(vec!["a".into()]);
    assert_eq!(changes(narrow), one("route's query", "read-item", false));
    assert_eq!(changes(|d| d.routes[0].headers.push(Parameter::any("x"))), one("route's headers", "read-item", true));
    let body = |d: &mut Descriptor| d.routes[1].request = Some(RequestBody { kind: BodyKind::Json, schema: None });
    assert_eq!(changes(body), one("route's body", "send", true));
    assert_eq!(changes(|d| d.routes[1].repeat = Repeat::Idempotent), one("route's repeats", "send", true));
    assert_eq!(changes(|d| d.routes[1].slots.clear()), one("route's slots", "send", false));
    assert_eq!(changes(|d| d.routes[1].method = Method::Put), one("route's method", "send", true));
}

#[test]
fn slots_operations_effects_and_uses_are_told() {
    assert_eq!(changes(|d| d.operations[0].effect = Effect::Write), one("effect", "readItem", true));
    assert_eq!(changes(|d| d.operations[1].effect = Effect::Read), one("effect", "send", false));
    assert_eq!(changes(|d| d.operations[0].routes.push("send".into())), one("operation's route", "readItem", true));
    let add = |d: &mut Descriptor| d.operations.push(Operation { name: "new".into(), ..d.operations[1].clone() });
    assert_eq!(changes(add), one("operation", "new", true));
    let scheme = changes(|d| d.slots[0].scheme = Scheme::Bearer);
    assert_eq!(scheme.iter().filter(|(kind, ..)| *kind == "slot's scheme").count(), 1);
    let sign = |d: &mut Descriptor| {
        d.slots.push(Slot { name: "new".into(), description: String::new(), scheme: Scheme::SigningKey, oauth: None });
    };
    assert_eq!(changes(sign), one("slot", "new", true));
    assert_eq!(changes(|d| drop(d.slots.pop())), one("slot", "mac", false));
}

#[test]
fn a_changed_route_that_another_operation_uses_now_is_told_for_that_one_too() {
    let narrowed = |d: &mut Descriptor| d.routes[0].url = "https://api.example.com/items/me".into();
    let handed_over = |d: &mut Descriptor| {
        narrowed(d);
        d.operations[1].routes.push("read-item".into());
    };
    assert_eq!(changes(narrowed), one("route's URL", "read-item", false));
    let mut told = one("operation's route", "send", true);
    told.extend(one("route's URL", "read-item", false));
    assert_eq!(changes(handed_over), told);
    let taken = |d: &mut Descriptor| {
        narrowed(d);
        d.operations[0].routes.remove(0);
        d.operations[1].routes.push("read-item".into());
    };
    assert_eq!(changes(taken).len(), 3);
}

#[test]
fn the_order_in_a_list_says_nothing() {
    let with = |values: [&str; 2], types: [&str; 2]| {
        let mut descriptor = sample();
        descriptor.routes[0].query[0].values = Values::OneOf(values.map(str::to_owned).to_vec());
        let kind = BodyKind::Raw(types.map(str::to_owned).to_vec());
        descriptor.routes[1].request = Some(RequestBody { kind, schema: None });
        descriptor
    };
    let old = with(["a", "b"], ["text/csv", "image/png"]);
    assert!(diff(&old, &with(["b", "a"], ["image/png", "Text/CSV"])).unwrap().is_empty());
    assert!(!diff(&old, &with(["b", "A"], ["image/png", "text/csv"])).unwrap().is_empty());
    assert!(!diff(&old, &with(["b", "a"], ["image/png", "text/html"])).unwrap().is_empty());
}

/// Subject, before and after, of each change.
fn told(change: impl FnOnce(&mut Descriptor)) -> Vec<(String, Option<String>, Option<String>)> {
    let mut new = sample();
    change(&mut new);
    let there = diff(&sample(), &new).unwrap().changes;
    let back = diff(&new, &sample()).unwrap().changes;
    assert_eq!(there.len(), back.len());
    there.into_iter().map(|c| (c.subject, c.before, c.after)).collect()
}

fn line(subject: &str, before: Option<&str>, after: Option<&str>) -> (String, Option<String>, Option<String>) {
    (subject.to_owned(), before.map(str::to_owned), after.map(str::to_owned))
}

#[test]
fn a_change_says_what_was_and_what_is() {
    let added = |d: &mut Descriptor| {
        let route = Route { id: "new".into(), url: "https://api.example.com/new".into(), ..d.routes[0].clone() };
        d.routes.push(route);
        d.operations[0].routes.push("new".into());
    };
    assert_eq!(told(added), [line("new", None, Some("GET https://api.example.com/new with key"))]);
    let removed = |d: &mut Descriptor| drop(d.operations[0].routes.remove(1));
    let origin = "https://open.example.com";
    let route = line("open", Some("GET https://open.example.com/status"), None);
    assert_eq!(told(removed), [line(origin, Some(origin), None), route]);
    let queries = |d: &mut Descriptor| {
        d.routes[0].query.push(Parameter { name: "n".into(), values: Values::Shape("digits(2)".parse().unwrap()) });
    };
    assert_eq!(told(queries), [line("read-item", Some("q"), Some("n:digits(2) q"))]);
    assert_eq!(told(|d| d.routes[0].query.clear()), [line("read-item", Some("q"), Some("none"))]);
    let form = |d: &mut Descriptor| d.routes[1].request = Some(RequestBody { kind: BodyKind::Form, schema: None });
    assert_eq!(told(form), [line("send", None, Some("form"))]);
    let repeat = |d: &mut Descriptor| d.routes[1].repeat = Repeat::WithKey("X-Id".into());
    assert_eq!(told(repeat), [line("send", Some("never"), Some("with x-id"))]);
    let effect = |d: &mut Descriptor| d.operations[0].effect = Effect::Destructive;
    assert_eq!(told(effect), [line("readItem", Some("read"), Some("destructive"))]);
    let scheme = told(|d| d.slots[0].scheme = Scheme::Query { name: "k".into() });
    assert!(scheme.contains(&line("read-item", Some("key (header x-key: …)"), Some("key (query ?k=…)"))));
    assert!(scheme.contains(&line("key", Some("header x-key: …"), Some("query ?k=…"))));
}

#[test]
fn schemes_are_told_apart() {
    let header = |name: &str, prefix: &str| Scheme::Header { name: name.into(), prefix: prefix.into() };
    let all = [Scheme::Bearer, Scheme::Basic, header("a", ""), header("a", "b"), header("b", ""), Scheme::SigningKey];
    let told: BTreeSet<String> = all.iter().chain([&Scheme::Query { name: "a".into() }]).map(scheme).collect();
    assert_eq!(told.len(), 7);
    assert_eq!(scheme(&header("A", "b")), scheme(&header("a", "b")));
}

#[test]
fn lists_that_look_alike_are_told_by_their_number() {
    let values = |last: &str| {
        let values = (0..9).map(|i| i.to_string()).chain([last.to_owned()]).collect();
        vec![Parameter { name: "q".into(), values: Values::OneOf(values) }]
    };
    let with = |query| Descriptor { routes: vec![Route { query, ..sample().routes[0].clone() }], ..sample() };
    let alone = |mut descriptor: Descriptor| {
        descriptor.operations.truncate(1);
        descriptor.operations[0].routes.truncate(1);
        descriptor
    };
    let (old, new) = (alone(with(values("a"))), alone(with(values("b"))));
    let changes = diff(&old, &new).unwrap().changes;
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(change.before.as_deref(), Some("1 of them"));
    assert_eq!(change.after.as_deref(), Some("1 of them, with other values"));
    assert!(change.asks_more);
}

#[test]
fn a_header_or_query_of_another_name_covers_nothing() {
    let header = |name: &str, shape: &str| {
        let mut descriptor = sample();
        let values = Values::Shape(shape.parse().unwrap());
        descriptor.routes[0].headers = vec![Parameter { name: name.into(), values }];
        descriptor
    };
    let asks_more = |old: &Descriptor, new: &Descriptor| diff(old, new).unwrap().asks_more();
    assert!(!asks_more(&header("X-A", "word"), &header("x-a", "digits")));
    assert!(asks_more(&header("X-A", "digits"), &header("x-a", "word")));
    assert!(asks_more(&header("X-A", "word"), &header("X-B", "digits")));
}

#[test]
fn what_asks_for_more_comes_first() {
    let changed = changes(|d| {
        d.routes[0].query.clear();
        d.operations[0].effect = Effect::Write;
    });
    assert_eq!(changed.iter().map(|(.., more)| *more).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_star_asks_for_more_than_any_list_of_names() {
    let query = |json: &str| {
        let mut descriptor = sample();
        descriptor.routes[0].query = serde_json::from_str(json).unwrap();
        descriptor
    };
    let asks_more = |old: &str, new: &str| diff(&query(old), &query(new)).unwrap().asks_more();
    let (digits, status) = (r#"[{ "name": "*", "shape": "digits" }]"#, r#"[{ "name": "s", "one_of": ["x"] }, "*"]"#);
    assert_eq!(told(|d| d.routes[0].query.push(Parameter::any("*"))), [line("read-item", Some("q"), Some("* q"))]);
    for (narrow, wide) in
        [(r#"["q"]"#, r#"["*"]"#), (digits, r#"["*"]"#), (status, r#"["*"]"#), (digits, r#"["q", "*"]"#)]
    {
        assert!(asks_more(narrow, wide) && !asks_more(wide, narrow), "{narrow} {wide}");
    }
}

#[test]
fn a_star_beside_a_slot_that_is_gone_stands_for_its_parameter_and_asks_for_more() {
    let with = |slot: Option<&str>, rules: &str| {
        let mut descriptor = sample();
        descriptor.slots[0].scheme = Scheme::Query { name: "key".into() };
        descriptor.routes[0].query = serde_json::from_str(rules).unwrap();
        descriptor.routes[0].slots = slot.map(str::to_owned).into_iter().collect();
        descriptor
    };
    let asks_more = |old: &str, new: &str| diff(&with(Some("key"), old), &with(None, new)).unwrap().asks_more();
    assert!(asks_more(r#"["*"]"#, r#"["*"]"#) && asks_more(r#"["*"]"#, r#"["key"]"#));
    assert!(!asks_more(r#"["*"]"#, r#"["q"]"#) && !asks_more("[]", "[]"));
    // One that wrote a header leaves no name to the query.
    let mut old = with(Some("key"), r#"["*"]"#);
    let mut new = with(None, r#"["*"]"#);
    for descriptor in [&mut old, &mut new] {
        descriptor.slots[0].scheme = Scheme::Bearer;
    }
    assert!(!diff(&old, &new).unwrap().asks_more());
}

#[test]
fn a_segment_that_a_slot_does_not_write_any_more_is_the_adapters_and_asks_for_more() {
    let with = |slots: &[&str]| {
        let mut descriptor = sample();
        descriptor.slots[0].scheme = Scheme::Path { name: "id".into(), prefix: String::new() };
        descriptor.routes[0].slots = slots.iter().map(|slot| (*slot).to_owned()).collect();
        descriptor.routes[1].slots = Vec::new();
        descriptor
    };
    assert!(diff(&with(&["key"]), &with(&[])).unwrap().asks_more());
    assert!(diff(&with(&[]), &with(&["key"])).unwrap().asks_more(), "and so does the credential");
}
