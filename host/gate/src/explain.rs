//! The intersection, told: what an integration can do, and which of descriptor, grant and ceiling took the rest away.
//!
//! Made from the very intersection that powers are compiled from, so that what is told is what holds. Shapes: sentences
//! are for people; `by` is `descriptor`, `grant` or `ceiling`.

mod usable;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use self::usable::Usable;

use crate::{
    ceiling::Ceiling,
    descriptor::{Descriptor, Effect, Route},
    grant::{Grant, GrantedRoute},
    intersect::{Intersection, Layer, Removed, intersect},
    limits::Limits,
    link,
    parameter::{Parameter, told},
    powers::{GrantMismatch, undeclared},
    printable::printable,
    query::OTHERS,
    scheme::{OAuth, Scheme},
    slots::Slots,
    template::Template,
    tokens::TOKEN_OPERATION,
    work::{Spent, Work},
};

/// What is effective, and what became of the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The integration that the ceiling was asked about.
    pub integration: String,
    /// Why the grant is refused as a whole, if it is: it asks for what was not declared. Then nothing of it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Operations that are declared or granted.
    pub operations: Vec<Explained<OperationLine>>,
    /// Routes that are declared or granted.
    pub routes: Vec<Explained<RouteLine>>,
    /// Slots that are declared or granted for signing.
    pub slots: Vec<Explained<SlotLine>>,
    /// Addresses that the grant carves out.
    pub carve_outs: Vec<Explained<CarveOutLine>>,
    /// Limits that the grant sets, or the ceiling lowers.
    pub limits: Vec<LimitLine>,
}

/// One item, and who took it away, if anybody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained<T> {
    /// The item.
    #[serde(flatten)]
    pub item: T,
    /// Whether it holds.
    pub effective: bool,
    /// Who took it away, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationLine {
    /// Its name.
    pub operation: String,
    /// What it does to the world; none if it is not declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Routes that it needs and by which no request can leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_routes: Vec<String>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteLine {
    /// Id of the declared route, `@token` for one by which the host asks for tokens; none if nothing that was declared covers
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// As granted; as declared, where it is not granted.
    #[serde(flatten)]
    pub granted: GrantedRoute,
    /// What the grant leaves out of what is declared, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<String>,
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotLine {
    /// Its name.
    pub slot: String,
    /// How it goes on the wire; none if it is not declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// Who issues tokens for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
}

/// A carve-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CarveOutLine {
    /// As granted.
    pub addresses: String,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitLine {
    /// Its name.
    pub limit: &'static str,
    /// As granted, or the default.
    pub granted: u64,
    /// The most that the ceiling leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<u64>,
    /// What holds.
    pub effective: u64,
}

/// Explains what the integration of this name can do. Unlike [`Powers::new`](crate::Powers::new) it does not stop at a
/// grant that asks for what was not declared: it says so. It has a budget of its own ([`Work::of_files`]).
pub fn explain(
    integration: &str,
    descriptor: &Descriptor,
    grant: &Grant,
    ceiling: &Ceiling,
) -> Result<Explanation, GrantMismatch> {
    explain_within(integration, descriptor, grant, ceiling, &Work::of_files())
}

/// The same, with what is left of a budget.
pub fn explain_within(
    integration: &str,
    descriptor: &Descriptor,
    grant: &Grant,
    ceiling: &Ceiling,
    work: &Work,
) -> Result<Explanation, GrantMismatch> {
    descriptor.check()?;
    grant.check()?;
    let left = intersect(integration, descriptor, grant, ceiling, work)?;
    let usable = Usable::of(descriptor, grant, &left, work)?;
    Ok(Explanation {
        integration: integration.to_owned(),
        refused: undeclared(&left, grant).err().map(|mismatch| mismatch.to_string()),
        operations: operations(descriptor, &usable, &left),
        routes: routes((descriptor, grant, ceiling), &usable, &left, work)?,
        slots: slots(descriptor, &usable, &left),
        carve_outs: left
            .carve_outs
            .iter()
            .map(|(carve_out, allowed)| line(CarveOutLine { addresses: carve_out.to_string() }, allowed.clone()))
            .collect(),
        limits: limits(grant, ceiling, &left.limits),
    })
}

fn line<T, V>(item: T, fate: Result<V, Removed>) -> Explained<T> {
    Explained { item, effective: fate.is_ok(), removed: fate.err() }
}

fn not_granted() -> Result<(), Removed> {
    Err(Removed { by: Layer::Grant, why: "the grant leaves it out".to_owned() })
}

fn operations(descriptor: &Descriptor, usable: &Usable<'_>, left: &Intersection) -> Vec<Explained<OperationLine>> {
    // Ids of the routes by which a request can leave.
    let open: HashSet<&str> = usable.open(left).map(|open| open.id.as_str()).collect();
    let names: HashSet<&str> = left.operations.iter().map(|(name, _)| name.as_str()).collect();
    let mut lines = Vec::new();
    for operation in &descriptor.operations {
        let granted = names.contains(operation.name.as_str());
        let missing = operation.routes.iter().filter(|id| granted && !open.contains(id.as_str()));
        let item = OperationLine {
            operation: operation.name.clone(),
            effect: Some(operation.effect),
            missing_routes: missing.cloned().collect(),
        };
        lines.push(line(item, if granted { Ok(()) } else { not_granted() }));
    }
    for (name, fate) in &left.operations {
        if fate.is_err() {
            let item = OperationLine { operation: name.clone(), effect: None, missing_routes: Vec::new() };
            lines.push(line(item, fate.clone()));
        }
    }
    lines
}

fn routes(
    (descriptor, grant, ceiling): (&Descriptor, &Grant, &Ceiling),
    usable: &Usable<'_>,
    left: &Intersection,
    work: &Work,
) -> Result<Vec<Explained<RouteLine>>, Spent> {
    let known: HashMap<&str, &Route> = descriptor.routes.iter().map(|route| (route.id.as_str(), route)).collect();
    // Those that are told with what was granted of them.
    let mut told: HashSet<&str> = HashSet::new();
    let mut lines = Vec::new();
    for ((granted, fate), judged) in grant.routes.iter().zip(&left.routes).zip(usable.judged()) {
        for (open, judged) in fate.open.iter().zip(judged) {
            told.insert(&open.id);
            let narrowed = match known.get(open.id.as_str()) {
                Some(declared) => {
                    work.charge(as_granted_weight(declared))?;
                    narrowed(&declared.as_granted(), granted, work)?
                }
                None => None,
            };
            work.charge(granted.weight())?;
            let item = RouteLine { route: Some(open.id.clone()), granted: granted.clone(), narrowed };
            lines.push(line(item, judged.clone()));
        }
        if let Some((removed, ids)) = &fate.removed {
            told.extend(ids.iter().map(String::as_str));
            work.charge((1 + ids.len() as u64) * granted.weight())?;
            let item = |route| RouteLine { route, granted: granted.clone(), narrowed: None };
            let gone = |route| line(item(route), Err::<(), _>(removed.clone()));
            lines.extend(ids.iter().map(|id| gone(Some(id.clone()))));
            if ids.is_empty() {
                lines.push(gone(None));
            }
        }
    }
    for (route, declared) in descriptor.routes.iter().zip(left.declared.iter()) {
        if told.contains(route.id.as_str()) {
            continue;
        }
        work.charge(as_granted_weight(route) + ceiling.weight())?;
        let mut fate = not_granted();
        if let (Err(removed), Some(why)) = (&mut fate, ceiling.forbids(route.method, &declared.open.template)) {
            removed.why = format!("the grant leaves it out, and the ceiling is below it: {why}");
        }
        let item = RouteLine { route: Some(route.id.clone()), granted: route.as_granted(), narrowed: None };
        lines.push(line(item, fate));
    }
    // As it is granted, if it is: slot, method and URL in its normal form.
    let key = |route: &GrantedRoute| {
        let slot = route.token_for.clone()?;
        Some((slot, route.method, Template::parse(&route.url).ok()?.as_str().to_owned()))
    };
    let for_tokens = grant.routes.iter().filter(|granted| granted.token_for.is_some());
    work.charge(for_tokens.clone().map(GrantedRoute::weight).sum())?;
    let granted: HashSet<_> = for_tokens.filter_map(key).collect();
    for declared in descriptor.token_routes() {
        work.charge(declared.weight())?;
        if !key(&declared).is_some_and(|declared| granted.contains(&declared)) {
            let item = RouteLine { route: Some(TOKEN_OPERATION.to_owned()), granted: declared, narrowed: None };
            lines.push(line(item, not_granted()));
        }
    }
    Ok(lines)
}

/// What it costs to make of a declared route what a grant would say for all of it.
fn as_granted_weight(route: &Route) -> u64 {
    16 + route.url.len() as u64 / 2 + route.query.iter().chain(&route.headers).map(Parameter::weight).sum::<u64>()
}

/// What a granted route leaves out of the declared one.
fn narrowed(declared: &GrantedRoute, granted: &GrantedRoute, work: &Work) -> Result<Option<String>, Spent> {
    let mut words = Vec::new();
    if declared.url != granted.url {
        words.push(format!("declared for {}", declared.url));
    }
    narrowed_rules(&mut words, "query", (&declared.query, &granted.query), str::to_owned, work)?;
    narrowed_rules(&mut words, "headers", (&declared.headers, &granted.headers), str::to_ascii_lowercase, work)?;
    if declared.links.len() > granted.links.len() {
        words.push(format!("links only at {}", link::told(&granted.links)));
    }
    let limits = granted.limits.told();
    if !limits.is_empty() {
        words.push(format!("at most {limits}"));
    }
    Ok(if words.is_empty() { None } else { Some(words.join("; ")) })
}

/// What granted rules leave out of declared ones.
fn narrowed_rules(
    words: &mut Vec<String>,
    what: &str,
    (declared, granted): (&[Parameter], &[Parameter]),
    read: impl Fn(&str) -> String,
    work: &Work,
) -> Result<(), Spent> {
    // Each is looked at, and told in some words.
    work.charge(8 * declared.iter().chain(granted).map(Parameter::weight).sum::<u64>())?;
    let listed: HashSet<String> = granted.iter().map(|granted| read(&granted.name)).collect();
    let unlisted = declared.iter().filter(|declared| !listed.contains(&read(&declared.name)));
    // What a grant does not list it leaves out, unless it has a `*`: then that stands for it.
    let others: Vec<&Parameter> = granted.iter().filter(|rule| rule.name == OTHERS).collect();
    let (rest, falls): (Vec<_>, Vec<_>) = unlisted.cloned().partition(|_| others.is_empty());
    if !rest.is_empty() {
        words.push(format!("{what} without {}", told(&rest)));
    }
    for rule in &falls {
        let mut is_covered = false;
        for other in &others {
            work.charge(other.weight() + rule.weight())?;
            is_covered |= other.covers(rule);
        }
        if !is_covered {
            words.push(format!("{what} {} only as *", printable(&rule.name, 128)));
        }
    }
    let declared: HashSet<&Parameter> = declared.iter().collect();
    for narrower in granted.iter().filter(|granted| !declared.contains(granted)) {
        words.push(format!("{what} only {narrower}"));
    }
    Ok(())
}

fn slots(descriptor: &Descriptor, usable: &Usable<'_>, left: &Intersection) -> Vec<Explained<SlotLine>> {
    let sent: HashSet<&str> = usable.open(left).flat_map(|open| &open.slots).map(|slot| slot.name.as_str()).collect();
    let signing: HashSet<&str> =
        left.signing.iter().filter(|(_, fate)| fate.is_ok()).map(|(name, _)| name.as_str()).collect();
    let known = Slots::of(descriptor);
    let mut lines = Vec::new();
    for slot in &descriptor.slots {
        let sends = sent.contains(slot.name.as_str());
        let signs = signing.contains(slot.name.as_str());
        let item = SlotLine { slot: slot.name.clone(), scheme: Some(slot.scheme.clone()), oauth: slot.oauth.clone() };
        lines.push(line(item, if sends || signs { Ok(()) } else { not_granted() }));
    }
    for (name, fate) in &left.signing {
        if let Err(removed) = fate {
            let scheme = known.get(name).map(|slot| slot.scheme.clone());
            let item = SlotLine { slot: format!("{name} (to sign with)"), scheme, oauth: None };
            lines.push(line(item, Err::<(), _>(removed.clone())));
        }
    }
    lines
}

/// The limits that are not the default, or lowered.
fn limits(grant: &Grant, ceiling: &Ceiling, effective: &Limits) -> Vec<LimitLine> {
    let defaults = Limits::default();
    let line = |name: &&'static str| {
        let granted = grant.limits.get(name)?;
        let line = LimitLine { limit: name, granted, ceiling: ceiling.most(name), effective: effective.get(name)? };
        (defaults.get(name) != Some(granted) || line.effective != granted).then_some(line)
    };
    Limits::NAMES.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests;
