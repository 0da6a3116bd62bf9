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
    descriptor::{Descriptor, DescriptorError, Effect, Route},
    link::LinkPlace,
    method::Method,
    parameter::{Parameter, Values},
    printable::printable,
    query::{OTHERS, beyond},
    repeat::Repeat,
    scheme::{OAuth, OpenSlot, Scheme},
    slots::of_route,
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
    Tokens,
    TokenUrl,
    Scopes,
    TokenValues,
    Operation,
    Effect,
    Route,
    Method,
    Url,
    Query,
    Headers,
    RouteSlots,
    Links,
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
            ChangeKind::Tokens => "slot's tokens",
            ChangeKind::TokenUrl => "slot's token URL",
            ChangeKind::Scopes => "slot's scopes",
            ChangeKind::TokenValues => "slot's token values",
            ChangeKind::Operation => "operation",
            ChangeKind::Effect => "effect",
            ChangeKind::Route => "route",
            ChangeKind::Method => "route's method",
            ChangeKind::Url => "route's URL",
            ChangeKind::Query => "route's query",
            ChangeKind::Headers => "route's headers",
            ChangeKind::RouteSlots => "route's slots",
            ChangeKind::Links => "route's links",
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
    /// The slots, and how each goes on the wire.
    slots: BTreeSet<(String, String)>,
    /// The query parameters that the slots write: no rule of the query stands for them.
    own: BTreeSet<String>,
    /// Where its URLs have to be written; empty where it takes any.
    links: BTreeSet<LinkPlace>,
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
    slots: BTreeMap<&'a str, (String, Option<&'a OAuth>)>,
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
            let sent = asks.powers.keys().any(|power| power.slots.iter().any(|(name, _)| *name == slot.name));
            if sent || slot.scheme == Scheme::SigningKey {
                asks.slots.insert(&slot.name, (scheme(&slot.scheme), slot.oauth.as_ref()));
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
        let slots = of_route(descriptor, route).ok()?;
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
            url: Template::parse(&route.url).ok()?.with_credentials(slots.iter().filter_map(|s| s.segment)).unnamed(),
            query: route.query.iter().map(|p| in_order(p, p.name.clone())).collect(),
            headers: headers.collect(),
            own: slots.iter().filter_map(|slot| slot.scheme.query_name()).map(str::to_owned).collect(),
            slots: slots.iter().map(|slot| (slot.name.clone(), placed(slot))).collect(),
            links: route.links.iter().cloned().collect(),
            body,
            repeat,
        })
    }

    /// The exchange in a few words, with the URL as the route writes it.
    fn told(&self, url: &str) -> String {
        let mut text = format!("{} {url}", self.method);
        if !self.slots.is_empty() {
            let slots: Vec<&str> = self.slots.iter().map(|(slot, _)| slot.as_str()).collect();
            text += &format!(" with {}", slots.join(", "));
        }
        if !self.links.is_empty() {
            let places: Vec<String> = self.links.iter().map(ToString::to_string).collect();
            text += &format!(", where it is written at {}", places.join(", "));
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
        // Which segment that is, is the route's to say.
        Scheme::Path { prefix, .. } => format!("path {prefix}…"),
        Scheme::Cookie { name } => format!("cookie {name}=…"),
        Scheme::Body { name } => format!("body {name}"),
        Scheme::Sigv4 { service, region } => format!("sigv4 {service} {region}"),
        Scheme::Hmac(hmac) => {
            let headers: BTreeMap<String, &str> =
                hmac.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
            let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let what = printable(&format!("{:?} {:?}", hmac.algorithm, hmac.encoding), 80);
            format!("hmac {what} of {:?} in {}", hmac.message, headers.join(", "))
        }
        Scheme::ClientCertificate | Scheme::SigningKey => scheme.as_str().to_owned(),
    }
}

/// How a slot goes on the wire of one route.
fn placed(slot: &OpenSlot) -> String {
    match slot.segment {
        Some(segment) => format!("{} as segment {}", scheme(&slot.scheme), segment + 1),
        None => scheme(&slot.scheme),
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
        let (old, new) = (old.slots.get(name), new.slots.get(name));
        let [before, after] = [old, new].map(|slot| slot.map(|(scheme, _)| scheme.clone()));
        if before != after {
            let kind = if before.is_some() && after.is_some() { ChangeKind::SlotScheme } else { ChangeKind::Slot };
            changes.push(Change { asks_more: after.is_some(), kind, subject: name.to_owned(), before, after });
        }
        let [before, after] = [old, new].map(|slot| slot.and_then(|(_, oauth)| *oauth));
        tokens(changes, name, before, after);
    }
}

/// In what the way to a slot's tokens has changed.
fn tokens(changes: &mut Vec<Change>, slot: &str, old: Option<&OAuth>, new: Option<&OAuth>) {
    let mut change = |kind, asks_more, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.push(Change { asks_more, kind, subject: slot.to_owned(), before, after });
        }
    };
    let there = |oauth: Option<&OAuth>| oauth.map(|_| "takes tokens".to_owned());
    change(ChangeKind::Tokens, new.is_some(), there(old), there(new));
    let none = OAuth::default();
    let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
    for ((what, before), (_, after)) in old.urls().into_iter().zip(new.urls()) {
        let told = |url: Option<&str>| {
            let url = Template::parse(url?).ok()?;
            Some(format!("{} {url}", what.trim_start_matches('.')))
        };
        change(ChangeKind::TokenUrl, after.is_some(), told(before), told(after));
    }
    let mut names = |kind, before: &[String], after: &[String]| {
        let (before, after): (BTreeSet<&String>, BTreeSet<&String>) = (before.iter().collect(), after.iter().collect());
        let told = |names: &BTreeSet<&String>| {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(" "))
        };
        change(kind, !after.is_subset(&before), told(&before), told(&after));
    };
    names(ChangeKind::Scopes, &old.scopes, &new.scopes);
    names(ChangeKind::TokenValues, &old.values, &new.values);
}

/// Powers that came and went. Of one route id they are one route that has changed: those are given back, old and new.
fn routes(changes: &mut Vec<Change>, old: &Asks<'_>, new: &Asks<'_>) -> Vec<(Rc<Power>, Rc<Power>)> {
    let mut successors = Vec::new();
    let gone: Vec<_> = old.powers.iter().filter(|(power, _)| !new.powers.contains_key(*power)).collect();
    let mut came: Vec<_> = new.powers.iter().filter(|(power, _)| !old.powers.contains_key(*power)).collect();
    for (before, old_route) in gone {
        let same_id = came.iter().position(|(_, route)| route.id == old_route.id);
        if let Some((after, route)) = same_id.map(|at| came.swap_remove(at)) {
            changed(changes, (before, old_route), (after, route));
            successors.push((before.clone(), after.clone()));
        } else {
            changes.push(Change {
                asks_more: false,
                kind: ChangeKind::Route,
                subject: old_route.id.clone(),
                before: Some(before.told(&old_route.url)),
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
            after: Some(after.told(&route.url)),
        });
    }
    successors
}

/// In what a route has changed.
fn changed(changes: &mut Vec<Change>, (before, old): (&Power, &Route), (after, new): (&Power, &Route)) {
    let id = &new.id;
    let mut change = |kind, asks_more, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.push(Change { asks_more, kind, subject: id.clone(), before, after });
        }
    };
    change(ChangeKind::Method, true, Some(before.method.to_string()), Some(after.method.to_string()));
    let narrower = |wide: &str, narrow: &str| {
        Template::parse(wide).is_ok_and(|wide| Template::parse(narrow).is_ok_and(|narrow| wide.covers(&narrow)))
    };
    // Where a slot wrote a segment and writes it no more, the URL reads as before, and the segment is the adapter's.
    let freed_segment = old.url == new.url && before.url != after.url && !narrower(&before.url, &after.url);
    if before.url != after.url {
        change(ChangeKind::Url, !narrower(&before.url, &after.url), Some(old.url.clone()), Some(new.url.clone()));
    }
    let told = |parameters: &BTreeSet<Parameter>| {
        let told = parameters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        Some(if told.is_empty() { "none".to_owned() } else { told })
    };
    let more = |old: &BTreeSet<Parameter>, new: &BTreeSet<Parameter>| {
        !new.iter().all(|new| old.iter().any(|old| old.name == new.name && old.covers(new)))
    };
    // What tells them apart may be cut off where lists are long; then they are told by their number.
    let mut parameters = |kind, more: bool, old: &BTreeSet<Parameter>, new: &BTreeSet<Parameter>| {
        if old == new {
            return;
        }
        let (mut before, mut after) = (told(old), told(new));
        if before == after {
            before = Some(format!("{} of them", old.len()));
            after = Some(format!("{} of them, with other values", new.len()));
        }
        change(kind, more, before, after);
    };
    let own: Vec<OpenSlot> = before
        .own
        .iter()
        .map(|name| OpenSlot { name: String::new(), scheme: Scheme::Query { name: name.clone() }, segment: None })
        .collect();
    let wider = beyond(after.query.iter(), before.query.iter(), &own).is_some();
    parameters(ChangeKind::Query, wider, &before.query, &after.query);
    parameters(ChangeKind::Headers, more(&before.headers, &after.headers), &before.headers, &after.headers);
    // The name that a slot wrote is one like any other when the slot is gone, and `*` stands for it.
    let freed = !before.own.is_subset(&after.own) && after.query.iter().any(|rule| rule.name == OTHERS);
    let slots = |power: &Power| {
        let slots: Vec<String> = power.slots.iter().map(|(name, scheme)| format!("{name} ({scheme})")).collect();
        (!slots.is_empty()).then(|| slots.join(", "))
    };
    let more_slots = !after.slots.is_subset(&before.slots) || freed || freed_segment;
    change(ChangeKind::RouteSlots, more_slots, slots(before), slots(after));
    let links = |power: &Power| {
        let places: Vec<String> = power.links.iter().map(ToString::to_string).collect();
        Some(if places.is_empty() { "any URL".to_owned() } else { places.join(", ") })
    };
    // Without places it takes any URL; with them, those that are written there.
    let more_links = !before.links.is_empty() && (after.links.is_empty() || !after.links.is_subset(&before.links));
    change(ChangeKind::Links, more_links, links(before), links(after));
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
                        let after = new.powers.get(power).map(|route| power.told(&route.url));
                        changes.push(Change { asks_more: true, kind, subject: subject.clone(), before: None, after });
                    }
                }
                for power in uses {
                    let is = if stays(power) { Some(power.as_ref()) } else { forward.get(power.as_ref()).copied() };
                    if is.is_some_and(|is| !now_uses.contains(is)) {
                        let before = old.powers.get(power).map(|route| power.told(&route.url));
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
mod tests;
