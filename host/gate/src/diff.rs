//! What a new version of an adapter asks for that the old one did not, and what it no longer asks for.
//!
//! Two descriptors are compared by the powers that a full grant would give: which operations there are and with what
//! effect, and which exchanges each of them may make, with which credential. Names that give no power (ids of routes,
//! descriptions, versions, schemas) do not count, nor does the order in a list. The diff is empty exactly where those
//! powers are equal. Where it asks for nothing more, whatever the new version can send the old one could, if need be with a
//! credential that the new one leaves away.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use serde::Serialize;

use crate::{
    body::BodyKind,
    descriptor::{Descriptor, DescriptorError, Effect, Route, Scheme},
    method::Method,
    parameter::{Parameter, Values},
    repeat::Repeat,
    template::Template,
};

/// All changes, those that ask for more first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The changes.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// Whether the new version asks for something that the old one did not.
    pub asks_more: bool,
    /// What kind of change.
    pub kind: ChangeKind,
    /// What it is about: an origin, a slot, an operation, or a route by its id.
    pub subject: String,
    /// As it was; none if it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// As it is; none if it is no longer there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ChangeKind {
    Origin,
    Slot,
    SlotScheme,
    Operation,
    Effect,
    Route,
    Method,
    Url,
    Query,
    Headers,
    RouteSlot,
    Body,
    Repeat,
    Use,
}

impl ChangeKind {
    /// The words in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Origin => "origin",
            ChangeKind::Slot => "slot",
            ChangeKind::SlotScheme => "slot's scheme",
            ChangeKind::Operation => "operation",
            ChangeKind::Effect => "effect",
            ChangeKind::Route => "route",
            ChangeKind::Method => "route's method",
            ChangeKind::Url => "route's URL",
            ChangeKind::Query => "route's query",
            ChangeKind::Headers => "route's headers",
            ChangeKind::RouteSlot => "route's slot",
            ChangeKind::Body => "route's body",
            ChangeKind::Repeat => "route's repeats",
            ChangeKind::Use => "operation's route",
        }
    }
}

impl Diff {
    /// Whether the powers are the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether the new version asks for anything that the old one did not.
    pub fn asks_more(&self) -> bool {
        self.changes.iter().any(|change| change.asks_more)
    }
}

/// What one exchange may be: everything about a route that gives power, and nothing that only names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Power {
    method: Method,
    /// The template with its parameters' names taken out.
    url: String,
    query: BTreeSet<Parameter>,
    headers: BTreeSet<Parameter>,
    slot: Option<(String, String)>,
    body: Option<BodyKind>,
    repeat: Repeat,
}

/// What a descriptor asks for, in a form that can be compared.
struct Asks<'a> {
    operations: BTreeMap<&'a str, (Effect, BTreeSet<Rc<Power>>)>,
    /// Each power that some operation has, with the first route that gives it. Shared, not copied: many operations can use
    /// one route, and its lists can be long.
    powers: BTreeMap<Rc<Power>, &'a Route>,
    /// Slots that can be used: sent by such a route, or signed with.
    slots: BTreeMap<&'a str, String>,
}

/// Compares what two versions of an adapter ask for.
pub fn diff(old: &Descriptor, new: &Descriptor) -> Result<Diff, DescriptorError> {
    old.check()?;
    new.check()?;
    let (old, new) = (Asks::of(old), Asks::of(new));
    let mut changes = Vec::new();
    named(&mut changes, ChangeKind::Origin, &old.origins(), &new.origins());
    slots(&mut changes, &old, &new);
    let successors = routes(&mut changes, &old, &new);
    operations(&mut changes, &old, &new, &successors);
    changes.sort_by(|a, b| b.asks_more.cmp(&a.asks_more).then_with(|| a.cmp(b)));
    Ok(Diff { changes })
}

impl<'a> Asks<'a> {
    fn of(descriptor: &'a Descriptor) -> Self {
        let by_id: BTreeMap<&str, (Rc<Power>, &Route)> = descriptor
            .routes
            .iter()
            .filter_map(|route| Some((route.id.as_str(), (Rc::new(Power::of(descriptor, route)?), route))))
            .collect();
        let mut asks = Self { operations: BTreeMap::new(), powers: BTreeMap::new(), slots: BTreeMap::new() };
        for operation in &descriptor.operations {
            let mut powers = BTreeSet::new();
            for (power, route) in operation.routes.iter().filter_map(|id| by_id.get(id.as_str())) {
                asks.powers.entry(power.clone()).or_insert(route);
                powers.insert(power.clone());
            }
            asks.operations.insert(&operation.name, (operation.effect, powers));
        }
        for slot in &descriptor.slots {
            let sent = asks.powers.keys().any(|power| power.slot.as_ref().is_some_and(|(name, _)| *name == slot.name));
            if sent || slot.scheme == Scheme::SigningKey {
                asks.slots.insert(&slot.name, scheme(&slot.scheme));
            }
        }
        asks
    }

    fn origins(&self) -> BTreeSet<String> {
        let origin = |power: &Rc<Power>| Some(Template::parse(&power.url).ok()?.origin().to_owned());
        self.powers.keys().filter_map(origin).collect()
    }
}

impl Power {
    fn of(descriptor: &Descriptor, route: &Route) -> Option<Self> {
        let slot = route.slot.as_deref().and_then(|name| descriptor.slot(name));
        let headers = route.headers.iter().map(|p| in_order(p, p.name.to_ascii_lowercase()));
        let body = route.request.as_ref().map(|body| match &body.kind {
            BodyKind::Raw(types) => {
                let types: BTreeSet<String> = types.iter().map(|media| media.to_ascii_lowercase()).collect();
                BodyKind::Raw(types.into_iter().collect())
            }
            other => other.clone(),
        });
        let repeat = match &route.repeat {
            Repeat::WithKey(name) => Repeat::WithKey(name.to_ascii_lowercase()),
            other => other.clone(),
        };
        Some(Self {
            method: route.method,
            url: Template::parse(&route.url).ok()?.unnamed(),
            query: route.query.iter().map(|p| in_order(p, p.name.clone())).collect(),
            headers: headers.collect(),
            slot: slot.map(|slot| (slot.name.clone(), scheme(&slot.scheme))),
            body,
            repeat,
        })
    }

    /// The exchange in a few words.
    fn told(&self) -> String {
        let mut text = format!("{} {}", self.method, self.url);
        if let Some((slot, _)) = &self.slot {
            text += &format!(" with {slot}");
        }
        text
    }
}

/// The parameter by this name, its list sorted: the order says nothing.
fn in_order(parameter: &Parameter, name: String) -> Parameter {
    let values = match &parameter.values {
        Values::OneOf(values) => Values::OneOf(values.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()),
        other => other.clone(),
    };
    Parameter { name, values }
}

fn scheme(scheme: &Scheme) -> String {
    match scheme {
        Scheme::Bearer => "bearer".to_owned(),
        Scheme::Basic => "basic".to_owned(),
        Scheme::Header { name, prefix } => format!("header {}: {prefix}…", name.to_ascii_lowercase()),
        Scheme::Query { name } => format!("query ?{name}=…"),
        Scheme::SigningKey => "signing-key".to_owned(),
    }
}

/// Things that are there or not.
fn named(changes: &mut Vec<Change>, kind: ChangeKind, old: &BTreeSet<String>, new: &BTreeSet<String>) {
    for name in new.difference(old) {
        changes.push(Change { asks_more: true, kind, subject: name.clone(), before: None, after: Some(name.clone()) });
    }
    for name in old.difference(new) {
        changes.push(Change { asks_more: false, kind, subject: name.clone(), before: Some(name.clone()), after: None });
    }
}

fn slots(changes: &mut Vec<Change>, old: &Asks<'_>, new: &Asks<'_>) {
    let names: BTreeSet<&str> = old.slots.keys().chain(new.slots.keys()).copied().collect();
    for name in names {
        let (before, after) = (old.slots.get(name).cloned(), new.slots.get(name).cloned());
        if before == after {
            continue;
        }
        let kind = if before.is_some() && after.is_some() { ChangeKind::SlotScheme } else { ChangeKind::Slot };
        changes.push(Change { asks_more: after.is_some(), kind, subject: name.to_owned(), before, after });
    }
}

/// Powers that came and went. Of one route id they are one route that has changed: those are given back, old and new.
fn routes(changes: &mut Vec<Change>, old: &Asks<'_>, new: &Asks<'_>) -> Vec<(Rc<Power>, Rc<Power>)> {
    let mut successors = Vec::new();
    let gone: Vec<_> = old.powers.iter().filter(|(power, _)| !new.powers.contains_key(*power)).collect();
    let mut came: Vec<_> = new.powers.iter().filter(|(power, _)| !old.powers.contains_key(*power)).collect();
    for (before, old_route) in gone {
        let same_id = came.iter().position(|(_, route)| route.id == old_route.id);
        if let Some((after, route)) = same_id.map(|at| came.swap_remove(at)) {
            changed(changes, &route.id, before, after);
            successors.push((before.clone(), after.clone()));
        } else {
            changes.push(Change {
                asks_more: false,
                kind: ChangeKind::Route,
                subject: old_route.id.clone(),
                before: Some(before.told()),
                after: None,
            });
        }
    }
    for (after, route) in came {
        changes.push(Change {
            asks_more: true,
            kind: ChangeKind::Route,
            subject: route.id.clone(),
            before: None,
            after: Some(after.told()),
        });
    }
    successors
}

/// In what a route has changed.
fn changed(changes: &mut Vec<Change>, id: &str, before: &Power, after: &Power) {
    let mut change = |kind, asks_more, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.push(Change { asks_more, kind, subject: id.to_owned(), before, after });
        }
    };
    change(ChangeKind::Method, true, Some(before.method.to_string()), Some(after.method.to_string()));
    let narrower = |wide: &str, narrow: &str| {
        Template::parse(wide).is_ok_and(|wide| Template::parse(narrow).is_ok_and(|narrow| wide.covers(&narrow)))
    };
    let wider = !narrower(&before.url, &after.url);
    change(ChangeKind::Url, wider, Some(before.url.clone()), Some(after.url.clone()));
    let told = |parameters: &BTreeSet<Parameter>| {
        let told = parameters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        Some(if told.is_empty() { "none".to_owned() } else { told })
    };
    let more = |old: &BTreeSet<Parameter>, new: &BTreeSet<Parameter>| {
        !new.iter().all(|new| old.iter().any(|old| old.name == new.name && old.covers(new)))
    };
    // What tells them apart may be cut off where lists are long; then they are told by their number.
    let mut parameters = |kind, old: &BTreeSet<Parameter>, new: &BTreeSet<Parameter>| {
        if old == new {
            return;
        }
        let (mut before, mut after) = (told(old), told(new));
        if before == after {
            before = Some(format!("{} of them", old.len()));
            after = Some(format!("{} of them, with other values", new.len()));
        }
        change(kind, more(old, new), before, after);
    };
    parameters(ChangeKind::Query, &before.query, &after.query);
    parameters(ChangeKind::Headers, &before.headers, &after.headers);
    let slot = |power: &Power| power.slot.as_ref().map(|(name, scheme)| format!("{name} ({scheme})"));
    change(ChangeKind::RouteSlot, after.slot.is_some(), slot(before), slot(after));
    let body = |power: &Power| power.body.as_ref().map(BodyKind::told);
    change(ChangeKind::Body, after.body.is_some(), body(before), body(after));
    let repeat = |power: &Power| {
        Some(match &power.repeat {
            Repeat::Never => "never".to_owned(),
            Repeat::Idempotent => "idempotent".to_owned(),
            Repeat::WithKey(name) => format!("with {name}"),
        })
    };
    change(ChangeKind::Repeat, after.repeat != Repeat::Never, repeat(before), repeat(after));
}

fn operations(changes: &mut Vec<Change>, old: &Asks<'_>, new: &Asks<'_>, successors: &[(Rc<Power>, Rc<Power>)]) {
    // What a power was before, and what it is now: itself, or what the route has changed from or to.
    let stays = |power: &Rc<Power>| old.powers.contains_key(power) && new.powers.contains_key(power);
    let forward: BTreeMap<&Power, &Power> = successors.iter().map(|(old, new)| (old.as_ref(), new.as_ref())).collect();
    let back: BTreeMap<&Power, &Power> = successors.iter().map(|(old, new)| (new.as_ref(), old.as_ref())).collect();
    let names: BTreeSet<&str> = old.operations.keys().chain(new.operations.keys()).copied().collect();
    for name in names {
        let subject = name.to_owned();
        match (old.operations.get(name), new.operations.get(name)) {
            (Some((before, uses)), Some((after, now_uses))) => {
                if before != after {
                    changes.push(Change {
                        asks_more: after > before,
                        kind: ChangeKind::Effect,
                        subject: subject.clone(),
                        before: Some(before.as_str().to_owned()),
                        after: Some(after.as_str().to_owned()),
                    });
                }
                // Routes that are new or gone were told; here are those that changed hands, as they were or changed.
                let kind = ChangeKind::Use;
                for power in now_uses {
                    let was = if stays(power) { Some(power.as_ref()) } else { back.get(power.as_ref()).copied() };
                    if was.is_some_and(|was| !uses.contains(was)) {
                        let after = Some(power.told());
                        changes.push(Change { asks_more: true, kind, subject: subject.clone(), before: None, after });
                    }
                }
                for power in uses {
                    let is = if stays(power) { Some(power.as_ref()) } else { forward.get(power.as_ref()).copied() };
                    if is.is_some_and(|is| !now_uses.contains(is)) {
                        let before = Some(power.told());
                        changes.push(Change { asks_more: false, kind, subject: subject.clone(), before, after: None });
                    }
                }
            }
            (before, after) => {
                let effect =
                    |side: Option<&(Effect, BTreeSet<Rc<Power>>)>| side.map(|(effect, _)| effect.as_str().to_owned());
                let asks_more = after.is_some();
                let (before, after) = (effect(before), effect(after));
                changes.push(Change { asks_more, kind: ChangeKind::Operation, subject, before, after });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::{Operation, RequestBody, Slot, tests::sample};

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
            d.slots.push(Slot { name: "new".into(), description: String::new(), scheme: Scheme::Bearer });
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
        assert_eq!(
            changes(|d| d.routes[0].headers.push(Parameter::any("x"))),
            one("route's headers", "read-item", true)
        );
        let body = |d: &mut Descriptor| d.routes[1].request = Some(RequestBody { kind: BodyKind::Json, schema: None });
        assert_eq!(changes(body), one("route's body", "send", true));
        assert_eq!(changes(|d| d.routes[1].repeat = Repeat::Idempotent), one("route's repeats", "send", true));
        assert_eq!(changes(|d| d.routes[1].slot = None), one("route's slot", "send", false));
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
            d.slots.push(Slot { name: "new".into(), description: String::new(), scheme: Scheme::SigningKey });
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
        let all =
            [Scheme::Bearer, Scheme::Basic, header("a", ""), header("a", "b"), header("b", ""), Scheme::SigningKey];
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
}
