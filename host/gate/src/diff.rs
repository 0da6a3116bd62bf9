//! What a new version of an adapter asks for that the old one did not, and what it no longer asks for.
//!
//! Two descriptors are compared by the powers that a full grant would give: which operations there are and with what
//! effect, and which exchanges each of them may make, with which credential. Names that give no power (ids of routes,
//! descriptions, versions, schemas) do not count, nor does the order in a list. The diff is empty exactly where those
//! powers are equal. Where it asks for nothing more, whatever the new version can send the old one could, if need be with a
//! credential that the new one leaves away.

mod asks;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use self::asks::{Asks, Exchanges, Power};
use crate::{
    body::BodyKind,
    descriptor::{Descriptor, DescriptorError, Effect, Route},
    parameter::Parameter,
    query::{OTHERS, beyond},
    repeat::Repeat,
    scheme::{OAuth, OpenSlot, Scheme},
    template::Template,
    work::{Spent, Work},
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

/// Two descriptors cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// One of them is not well formed.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// Too large to be compared.
    #[error(
        "what the two versions declare is too large to be compared: {0}; `portcullis inspect` shows what each of them asks for"
    )]
    Work(#[from] Spent),
}

/// Compares what two versions of an adapter ask for, with a budget of its own ([`Work::of_files`]).
pub fn diff(old: &Descriptor, new: &Descriptor) -> Result<Diff, DiffError> {
    diff_within(old, new, &Work::of_files())
}

/// The same, with what is left of a budget.
pub fn diff_within(old: &Descriptor, new: &Descriptor, work: &Work) -> Result<Diff, DiffError> {
    old.check()?;
    new.check()?;
    let mut exchanges = Exchanges::default();
    let (old, new) = (Asks::of(old, &mut exchanges, work)?, Asks::of(new, &mut exchanges, work)?);
    let exchanges = exchanges.by_number();
    let mut changes = Changes { all: Vec::new(), work };
    named(&mut changes, ChangeKind::Origin, &old.origins(), &new.origins())?;
    slots(&mut changes, &old, &new)?;
    let successors = routes(&mut changes, (&old, &new), &exchanges)?;
    operations(&mut changes, (&old, &new), &successors, &exchanges)?;
    let mut changes = changes.all;
    changes.sort_by(|a, b| b.asks_more.cmp(&a.asks_more).then_with(|| a.cmp(b)));
    Ok(Diff { changes })
}

/// The changes so far. Each is paid for by its length: a long URL can stand in thousands of them.
struct Changes<'w> {
    all: Vec<Change>,
    work: &'w Work,
}

impl Changes<'_> {
    fn push(&mut self, change: Change) -> Result<(), Spent> {
        let text = |side: &Option<String>| side.as_ref().map_or(0, String::len);
        let bytes = change.subject.len() + text(&change.before) + text(&change.after);
        // It is put in order among the others, too.
        self.work.charge(32 + bytes as u64 / 4)?;
        self.all.push(change);
        Ok(())
    }
}

/// Things that are there or not.
fn named(
    changes: &mut Changes<'_>,
    kind: ChangeKind,
    old: &BTreeSet<String>,
    new: &BTreeSet<String>,
) -> Result<(), Spent> {
    for name in new.difference(old) {
        changes.push(Change {
            asks_more: true,
            kind,
            subject: name.clone(),
            before: None,
            after: Some(name.clone()),
        })?;
    }
    for name in old.difference(new) {
        changes.push(Change {
            asks_more: false,
            kind,
            subject: name.clone(),
            before: Some(name.clone()),
            after: None,
        })?;
    }
    Ok(())
}

fn slots(changes: &mut Changes<'_>, old: &Asks<'_>, new: &Asks<'_>) -> Result<(), Spent> {
    let names: BTreeSet<&str> = old.slots.keys().chain(new.slots.keys()).copied().collect();
    for name in names {
        let (old, new) = (old.slots.get(name), new.slots.get(name));
        let [before, after] = [old, new].map(|slot| slot.map(|(scheme, _)| scheme.clone()));
        if before != after {
            let kind = if before.is_some() && after.is_some() { ChangeKind::SlotScheme } else { ChangeKind::Slot };
            changes.push(Change { asks_more: after.is_some(), kind, subject: name.to_owned(), before, after })?;
        }
        let [before, after] = [old, new].map(|slot| slot.and_then(|(_, oauth)| *oauth));
        tokens(changes, name, before, after)?;
    }
    Ok(())
}

/// In what the way to a slot's tokens has changed.
fn tokens(changes: &mut Changes<'_>, slot: &str, old: Option<&OAuth>, new: Option<&OAuth>) -> Result<(), Spent> {
    let mut change = |kind, asks_more, before: Option<String>, after: Option<String>| {
        if before == after {
            return Ok(());
        }
        changes.push(Change { asks_more, kind, subject: slot.to_owned(), before, after })
    };
    let there = |oauth: Option<&OAuth>| oauth.map(|_| "takes tokens".to_owned());
    change(ChangeKind::Tokens, new.is_some(), there(old), there(new))?;
    let none = OAuth::default();
    let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
    for ((what, before), (_, after)) in old.urls().into_iter().zip(new.urls()) {
        let told = |url: Option<&str>| {
            let url = Template::parse(url?).ok()?;
            Some(format!("{} {url}", what.trim_start_matches('.')))
        };
        change(ChangeKind::TokenUrl, after.is_some(), told(before), told(after))?;
    }
    let mut names = |kind, before: &[String], after: &[String]| {
        let (before, after): (BTreeSet<&String>, BTreeSet<&String>) = (before.iter().collect(), after.iter().collect());
        let told = |names: &BTreeSet<&String>| {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(" "))
        };
        change(kind, !after.is_subset(&before), told(&before), told(&after))
    };
    names(ChangeKind::Scopes, &old.scopes, &new.scopes)?;
    names(ChangeKind::TokenValues, &old.values, &new.values)
}

/// Powers that came and went. Of one route id they are one route that has changed: those are given back, old and new.
fn routes(
    changes: &mut Changes<'_>,
    (old, new): (&Asks<'_>, &Asks<'_>),
    exchanges: &BTreeMap<usize, Power>,
) -> Result<Vec<(usize, usize)>, Spent> {
    let mut successors = Vec::new();
    let gone = old.powers.iter().filter(|(number, _)| !new.powers.contains_key(number));
    let came = new.powers.iter().filter(|(number, _)| !old.powers.contains_key(number));
    let mut came: BTreeMap<&str, (usize, &Route)> =
        came.map(|(number, route)| (route.id.as_str(), (*number, *route))).collect();
    for (number, old_route) in gone {
        let Some(before) = exchanges.get(number) else { continue };
        if let Some((successor, route)) = came.remove(old_route.id.as_str()) {
            let Some(after) = exchanges.get(&successor) else { continue };
            changed(changes, (before, old_route), (after, route))?;
            successors.push((*number, successor));
        } else {
            changes.push(Change {
                asks_more: false,
                kind: ChangeKind::Route,
                subject: old_route.id.clone(),
                before: Some(before.told(&old_route.url)),
                after: None,
            })?;
        }
    }
    for (number, route) in came.values() {
        changes.push(Change {
            asks_more: true,
            kind: ChangeKind::Route,
            subject: route.id.clone(),
            before: None,
            after: exchanges.get(number).map(|after| after.told(&route.url)),
        })?;
    }
    Ok(successors)
}

/// In what a route has changed.
fn changed(
    changes: &mut Changes<'_>,
    (before, old): (&Power, &Route),
    (after, new): (&Power, &Route),
) -> Result<(), Spent> {
    let (id, work) = (&new.id, changes.work);
    let mut change = |kind, asks_more, before: Option<String>, after: Option<String>| {
        if before == after {
            return Ok(());
        }
        changes.push(Change { asks_more, kind, subject: id.clone(), before, after })
    };
    change(ChangeKind::Method, true, Some(before.method.to_string()), Some(after.method.to_string()))?;
    let narrower = |wide: &str, narrow: &str| {
        Template::parse(wide).is_ok_and(|wide| Template::parse(narrow).is_ok_and(|narrow| wide.covers(&narrow)))
    };
    // Where a slot wrote a segment and writes it no more, the URL reads as before, and the segment is the adapter's.
    let freed_segment = old.url == new.url && before.url != after.url && !narrower(&before.url, &after.url);
    if before.url != after.url {
        change(ChangeKind::Url, !narrower(&before.url, &after.url), Some(old.url.clone()), Some(new.url.clone()))?;
    }
    let told = |parameters: &BTreeSet<Parameter>| {
        let told = parameters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        Some(if told.is_empty() { "none".to_owned() } else { told })
    };
    // A header field stands in a list once.
    let more = |old: &BTreeSet<Parameter>, new: &BTreeSet<Parameter>| {
        work.charge(old.iter().chain(new).map(Parameter::weight).sum())?;
        let old: HashMap<&str, &Parameter> = old.iter().map(|old| (old.name.as_str(), old)).collect();
        Ok(!new.iter().all(|new| old.get(new.name.as_str()).is_some_and(|old| old.covers(new))))
    };
    // What tells them apart may be cut off where lists are long; then they are told by their number.
    let mut parameters = |kind, more: bool, old: &BTreeSet<Parameter>, new: &BTreeSet<Parameter>| {
        if old == new {
            return Ok(());
        }
        let (mut before, mut after) = (told(old), told(new));
        if before == after {
            before = Some(format!("{} of them", old.len()));
            after = Some(format!("{} of them, with other values", new.len()));
        }
        change(kind, more, before, after)
    };
    let own: Vec<OpenSlot> = before
        .own
        .iter()
        .map(|name| OpenSlot { name: String::new(), scheme: Scheme::Query { name: name.clone() }, segment: None })
        .collect();
    let wider = beyond(after.query.iter(), before.query.iter(), &own, work)?.is_some();
    parameters(ChangeKind::Query, wider, &before.query, &after.query)?;
    parameters(ChangeKind::Headers, more(&before.headers, &after.headers)?, &before.headers, &after.headers)?;
    // The name that a slot wrote is one like any other when the slot is gone, and `*` stands for it.
    let freed = !before.own.is_subset(&after.own) && after.query.iter().any(|rule| rule.name == OTHERS);
    let slots = |power: &Power| {
        let slots: Vec<String> = power.slots.iter().map(|(name, scheme)| format!("{name} ({scheme})")).collect();
        (!slots.is_empty()).then(|| slots.join(", "))
    };
    let more_slots = !after.slots.is_subset(&before.slots) || freed || freed_segment;
    change(ChangeKind::RouteSlots, more_slots, slots(before), slots(after))?;
    let links = |power: &Power| {
        let places: Vec<String> = power.links.iter().map(ToString::to_string).collect();
        Some(if places.is_empty() { "any URL".to_owned() } else { places.join(", ") })
    };
    // Without places it takes any URL; with them, those that are written there.
    let more_links = !before.links.is_empty() && (after.links.is_empty() || !after.links.is_subset(&before.links));
    change(ChangeKind::Links, more_links, links(before), links(after))?;
    let body = |power: &Power| power.body.as_ref().map(BodyKind::told);
    change(ChangeKind::Body, after.body.is_some(), body(before), body(after))?;
    let repeat = |power: &Power| {
        Some(match &power.repeat {
            Repeat::Never => "never".to_owned(),
            Repeat::Idempotent => "idempotent".to_owned(),
            Repeat::WithKey(name) => format!("with {name}"),
        })
    };
    change(ChangeKind::Repeat, after.repeat != Repeat::Never, repeat(before), repeat(after))
}

fn operations(
    changes: &mut Changes<'_>,
    (old, new): (&Asks<'_>, &Asks<'_>),
    successors: &[(usize, usize)],
    exchanges: &BTreeMap<usize, Power>,
) -> Result<(), Spent> {
    // What a power was before, and what it is now: itself, or what the route has changed from or to.
    let stays = |number: &usize| old.powers.contains_key(number) && new.powers.contains_key(number);
    let forward: HashMap<usize, usize> = successors.iter().copied().collect();
    let back: HashMap<usize, usize> = successors.iter().map(|(old, new)| (*new, *old)).collect();
    let told = |side: &Asks<'_>, number: &usize| Some(exchanges.get(number)?.told(&side.powers.get(number)?.url));
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
                    })?;
                }
                // Routes that are new or gone were told; here are those that changed hands, as they were or changed.
                let kind = ChangeKind::Use;
                for power in now_uses {
                    let was = if stays(power) { Some(power) } else { back.get(power) };
                    if was.is_some_and(|was| !uses.contains(was)) {
                        let (subject, after) = (subject.clone(), told(new, power));
                        changes.push(Change { asks_more: true, kind, subject, before: None, after })?;
                    }
                }
                for power in uses {
                    let is = if stays(power) { Some(power) } else { forward.get(power) };
                    if is.is_some_and(|is| !now_uses.contains(is)) {
                        let (subject, before) = (subject.clone(), told(old, power));
                        changes.push(Change { asks_more: false, kind, subject, before, after: None })?;
                    }
                }
            }
            (before, after) => {
                let effect =
                    |side: Option<&(Effect, BTreeSet<usize>)>| side.map(|(effect, _)| effect.as_str().to_owned());
                let asks_more = after.is_some();
                let (before, after) = (effect(before), effect(after));
                changes.push(Change { asks_more, kind: ChangeKind::Operation, subject, before, after })?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
