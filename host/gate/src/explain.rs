//! The intersection, told: what an integration can do, and which of descriptor, grant and ceiling took the rest away.
//!
//! Made from the very intersection that powers are compiled from, so that what is told is what holds. Shapes: sentences
//! are for people; `by` is `descriptor`, `grant` or `ceiling`.

mod usable;

use std::collections::HashSet;

use serde::Serialize;

use self::usable::Usable;

use crate::{
    ceiling::Ceiling,
    descriptor::{Descriptor, Effect},
    grant::{Grant, GrantedRoute},
    intersect::{Fate, Intersection, Layer, Removed, intersect},
    limits::Limits,
    link,
    parameter::{Parameter, told},
    powers::{GrantMismatch, undeclared},
    printable::printable,
    query::OTHERS,
    scheme::{OAuth, Scheme},
    template::Template,
    tokens::TOKEN_OPERATION,
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
/// grant that asks for what was not declared: it says so.
pub fn explain(
    integration: &str,
    descriptor: &Descriptor,
    grant: &Grant,
    ceiling: &Ceiling,
) -> Result<Explanation, GrantMismatch> {
    descriptor.check()?;
    grant.check()?;
    let left = intersect(integration, descriptor, grant, ceiling)?;
    let usable = Usable::of(descriptor, grant, &left);
    Ok(Explanation {
        integration: integration.to_owned(),
        refused: undeclared(&left, grant).err().map(|mismatch| mismatch.to_string()),
        operations: operations(descriptor, &usable, &left),
        routes: routes((descriptor, grant, ceiling), &usable, &left),
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

/// Ids of the declared routes that are open.
fn open_ids(left: &Intersection) -> Vec<&str> {
    left.routes.iter().flat_map(|fate| &fate.open).map(|route| route.id.as_str()).collect()
}

/// Ids of the routes by which a request can leave.
fn usable_ids<'a>(usable: &Usable<'_>, left: &'a Intersection) -> HashSet<&'a str> {
    let open = left.routes.iter().flat_map(|fate| &fate.open);
    open.filter(|open| usable.judge(open).is_ok()).map(|open| open.id.as_str()).collect()
}

fn operations(descriptor: &Descriptor, usable: &Usable<'_>, left: &Intersection) -> Vec<Explained<OperationLine>> {
    let open = usable_ids(usable, left);
    let mut lines = Vec::new();
    for operation in &descriptor.operations {
        let granted = left.operations.iter().any(|(name, _)| *name == operation.name);
        let missing = operation.routes.iter().filter(|id| granted && !open.contains(&id.as_str()));
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
) -> Vec<Explained<RouteLine>> {
    let mut lines = Vec::new();
    for (granted, fate) in grant.routes.iter().zip(&left.routes) {
        for open in &fate.open {
            let narrowed = descriptor.route(&open.id).and_then(|declared| narrowed(&declared.as_granted(), granted));
            let item = RouteLine { route: Some(open.id.clone()), granted: granted.clone(), narrowed };
            lines.push(line(item, usable.judge(open)));
        }
        if let Some((removed, ids)) = &fate.removed {
            let item = |route| RouteLine { route, granted: granted.clone(), narrowed: None };
            let gone = |route| line(item(route), Err::<(), _>(removed.clone()));
            lines.extend(ids.iter().map(|id| gone(Some(id.clone()))));
            if ids.is_empty() {
                lines.push(gone(None));
            }
        }
    }
    let open = open_ids(left);
    for (route, declared) in descriptor.routes.iter().zip(left.declared.iter()) {
        // Those that are granted and lie above the ceiling stand above already.
        let removed = |fate: &Fate| fate.removed.as_ref().is_some_and(|(_, ids)| ids.contains(&route.id));
        if open.contains(&route.id.as_str()) || left.routes.iter().any(removed) {
            continue;
        }
        let mut fate = not_granted();
        if let (Err(removed), Some(why)) = (&mut fate, ceiling.forbids(route.method, &declared.open.template)) {
            removed.why = format!("the grant leaves it out, and the ceiling is below it: {why}");
        }
        let item = RouteLine { route: Some(route.id.clone()), granted: route.as_granted(), narrowed: None };
        lines.push(line(item, fate));
    }
    let same = |a: &GrantedRoute, b: &GrantedRoute| {
        let url = |route: &GrantedRoute| Template::parse(&route.url).ok().map(|template| template.as_str().to_owned());
        a.token_for == b.token_for && a.method == b.method && url(a) == url(b)
    };
    for declared in descriptor.token_routes() {
        if !grant.routes.iter().any(|granted| same(granted, &declared)) {
            let item = RouteLine { route: Some(TOKEN_OPERATION.to_owned()), granted: declared, narrowed: None };
            lines.push(line(item, not_granted()));
        }
    }
    lines
}

/// What a granted route leaves out of the declared one.
fn narrowed(declared: &GrantedRoute, granted: &GrantedRoute) -> Option<String> {
    let mut words = Vec::new();
    if declared.url != granted.url {
        words.push(format!("declared for {}", declared.url));
    }
    let same_name = |a: &Parameter, b: &Parameter| a.name == b.name;
    let same_header = |a: &Parameter, b: &Parameter| a.name.eq_ignore_ascii_case(&b.name);
    narrowed_rules(&mut words, "query", (&declared.query, &granted.query), same_name);
    narrowed_rules(&mut words, "headers", (&declared.headers, &granted.headers), same_header);
    if declared.links.len() > granted.links.len() {
        words.push(format!("links only at {}", link::told(&granted.links)));
    }
    let limits = granted.limits.told();
    if !limits.is_empty() {
        words.push(format!("at most {limits}"));
    }
    if words.is_empty() { None } else { Some(words.join("; ")) }
}

/// What granted rules leave out of declared ones.
fn narrowed_rules(
    words: &mut Vec<String>,
    what: &str,
    (declared, granted): (&[Parameter], &[Parameter]),
    same: impl Fn(&Parameter, &Parameter) -> bool,
) {
    let unlisted = declared.iter().filter(|declared| !granted.iter().any(|granted| same(declared, granted)));
    // What a grant does not list it leaves out, unless it has a `*`: then that stands for it.
    let others: Vec<&Parameter> = granted.iter().filter(|rule| rule.name == OTHERS).collect();
    let (rest, falls): (Vec<_>, Vec<_>) = unlisted.cloned().partition(|_| others.is_empty());
    if !rest.is_empty() {
        words.push(format!("{what} without {}", told(&rest)));
    }
    for rule in falls.iter().filter(|rule| !others.iter().any(|other| other.covers(rule))) {
        words.push(format!("{what} {} only as *", printable(&rule.name, 128)));
    }
    for narrower in granted.iter().filter(|granted| !declared.contains(granted)) {
        words.push(format!("{what} only {narrower}"));
    }
}

fn slots(descriptor: &Descriptor, usable: &Usable<'_>, left: &Intersection) -> Vec<Explained<SlotLine>> {
    let open = left.routes.iter().flat_map(|fate| &fate.open).filter(|open| usable.judge(open).is_ok());
    let sent: HashSet<&str> = open.flat_map(|open| &open.slots).map(|slot| slot.name.as_str()).collect();
    let mut lines = Vec::new();
    for slot in &descriptor.slots {
        let sends = sent.contains(slot.name.as_str());
        let signs = left.signing.iter().any(|(name, fate)| *name == slot.name && fate.is_ok());
        let item = SlotLine { slot: slot.name.clone(), scheme: Some(slot.scheme.clone()), oauth: slot.oauth.clone() };
        lines.push(line(item, if sends || signs { Ok(()) } else { not_granted() }));
    }
    for (name, fate) in &left.signing {
        if let Err(removed) = fate {
            let scheme = descriptor.slot(name).map(|slot| slot.scheme.clone());
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
