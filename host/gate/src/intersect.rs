//! Declared ∩ granted ∩ ceiling, item by item: what is left, and which of the three took the rest away.
//!
//! The one place that knows. `Powers` are compiled from what is left; `explain` tells all of it.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    address::CarveOut,
    ceiling::Ceiling,
    descriptor::{Descriptor, Effect, Route},
    grant::{Grant, GrantError, GrantedRoute},
    limits::Limits,
    link,
    parameter::Parameter,
    powers::OpenRoute,
    printable::printable,
    query::{Beyond, beyond},
    scheme::{OpenSlot, Scheme},
    slots,
    template::Template,
    tokens,
};

/// Most declared routes that one granted route opens: each is looked at for each request to its path.
pub(crate) const MAX_COVERING: usize = 16;

/// Who takes something away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The adapter does not declare it.
    Descriptor,
    /// The operator does not grant it.
    Grant,
    /// The host's ceiling is below it.
    Ceiling,
}

impl Layer {
    /// The word in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Descriptor => "descriptor",
            Layer::Grant => "grant",
            Layer::Ceiling => "ceiling",
        }
    }
}

/// That something was taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// By whom.
    pub by: Layer,
    /// Why, in half a sentence.
    pub why: String,
}

/// A declared route: what a grant would say to allow all of it, and what would then be open.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) granted: GrantedRoute,
    pub(crate) open: OpenRoute,
}

/// What became of a granted route.
pub(crate) struct Fate {
    /// What it opens: a route for each declared one that covers it.
    pub(crate) open: Vec<OpenRoute>,
    /// Who took it away, and the ids of the declared routes that cover it.
    pub(crate) removed: Option<(Removed, Vec<String>)>,
}

/// What is left of what was granted.
pub(crate) struct Intersection {
    /// Each granted operation.
    pub(crate) operations: Vec<(String, Result<Effect, Removed>)>,
    /// Each granted route.
    pub(crate) routes: Vec<Fate>,
    /// Each granted signing slot.
    pub(crate) signing: Vec<(String, Result<Scheme, Removed>)>,
    /// Each granted carve-out.
    pub(crate) carve_outs: Vec<(CarveOut, Result<(), Removed>)>,
    /// Bounds.
    pub(crate) limits: Limits,
    /// Every declared route.
    pub(crate) declared: Vec<Arc<Declared>>,
}

/// Intersects the three. Descriptor, grant and ceiling were checked.
pub(crate) fn intersect(
    integration: &str,
    descriptor: &Descriptor,
    grant: &Grant,
    ceiling: &Ceiling,
) -> Result<Intersection, GrantError> {
    let declared = declared(descriptor);
    let mut routes = Vec::new();
    for (index, granted) in grant.routes.iter().enumerate() {
        let template = Template::parse(&granted.url).map_err(|error| GrantError::Url { index, error })?;
        let gone = |removed, ids| Fate { open: Vec::new(), removed: Some((removed, ids)) };
        routes.push(
            match (opened(descriptor, &declared, granted, &template), ceiling.forbids(granted.method, &template)) {
                (Err(why), _) => gone(missing(why), Vec::new()),
                (Ok(open), Some(why)) => {
                    gone(Removed { by: Layer::Ceiling, why }, open.into_iter().map(|route| route.id).collect())
                }
                (Ok(open), None) => Fate { open, removed: None },
            },
        );
    }
    let operations = grant.operations.iter().map(|name| {
        let found = descriptor.operation(name).map(|operation| operation.effect);
        let known = || descriptor.operations.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join(", ");
        (name.clone(), found.ok_or_else(|| missing(format!("it declares the operations {}", known()))))
    });
    let signing = grant.signing.iter().map(|name| match descriptor.slot(name) {
        Some(slot) if slot.scheme == Scheme::SigningKey => (name.clone(), Ok(Scheme::SigningKey)),
        _ => (name.clone(), Err(missing("it declares no slot of scheme signing-key by this name".to_owned()))),
    });
    let carve_outs = grant.carve_outs.iter().map(|carve_out| {
        let allowed = ceiling.allows_carve_out(carve_out, integration);
        let why = || {
            let why = format!("`carve_outs` has nothing that holds it for the integration `{integration}`");
            Removed { by: Layer::Ceiling, why: printable(&why, 200) }
        };
        (*carve_out, if allowed { Ok(()) } else { Err(why()) })
    });
    Ok(Intersection {
        operations: operations.collect(),
        signing: signing.collect(),
        carve_outs: carve_outs.collect(),
        routes,
        limits: ceiling.lower(&grant.limits),
        declared,
    })
}

fn missing(why: String) -> Removed {
    Removed { by: Layer::Descriptor, why }
}

/// Every declared route. Templates were checked with the descriptor.
fn declared(descriptor: &Descriptor) -> Vec<Arc<Declared>> {
    let parse = |route: &Route| {
        let granted = route.as_granted();
        let slots = slots::of_route(descriptor, route).ok()?;
        let template = Template::parse(&route.url).ok()?.with_credentials(segments(&slots));
        let open = open_route(route, &granted, template, slots);
        Some(Arc::new(Declared { granted, open }))
    };
    descriptor.routes.iter().filter_map(parse).collect()
}

/// What is open of a declared route where this much of it is granted.
fn open_route(route: &Route, granted: &GrantedRoute, template: Template, slots: Vec<OpenSlot>) -> OpenRoute {
    OpenRoute {
        id: route.id.clone(),
        method: granted.method,
        template,
        query: granted.query.clone(),
        headers: granted.headers.clone(),
        slots,
        links: granted.links.clone(),
        body: route.request.as_ref().map(|body| body.kind.clone()),
        repeat: route.repeat.clone(),
        limits: granted.limits,
    }
}

/// The segments that slots write.
fn segments(slots: &[OpenSlot]) -> impl Iterator<Item = usize> {
    slots.iter().filter_map(|slot| slot.segment)
}

/// What a granted route opens. If there is nothing, why.
fn opened(
    descriptor: &Descriptor,
    declared: &[Arc<Declared>],
    granted: &GrantedRoute,
    template: &Template,
) -> Result<Vec<OpenRoute>, String> {
    match &granted.token_for {
        Some(slot) => tokens::open(descriptor, slot, granted, template).map(|route| vec![route]),
        None => open(descriptor, declared, granted, template),
    }
}

/// The routes that a granted one opens: one for each declared route that covers it. If there are none, why.
fn open(
    descriptor: &Descriptor,
    declared: &[Arc<Declared>],
    granted: &GrantedRoute,
    template: &Template,
) -> Result<Vec<OpenRoute>, String> {
    let mut open = Vec::new();
    let mut why = "no declared route has this method and URL".to_owned();
    for (wide, route) in declared.iter().zip(&descriptor.routes) {
        if wide.open.method != granted.method {
            continue;
        }
        // Where a secret goes, a guest writes one word and no other; a grant leaves the parameter as it is.
        let template = template.clone().with_credentials(segments(&wide.open.slots));
        if !wide.open.template.covers(&template) {
            if segments(&wide.open.slots).next().is_some() && wide.open.template.origin() == template.origin() {
                why = format!(
                    "a credential goes into the path of `{}`; write that segment as in {}",
                    route.id, route.url
                );
            }
            continue;
        }
        if let Some(problem) = narrower(wide, route, granted) {
            why = problem;
            continue;
        }
        if open.len() == MAX_COVERING {
            return Err(format!("more than {MAX_COVERING} routes that the adapter declares cover it"));
        }
        open.push(open_route(route, granted, template, wide.open.slots.clone()));
    }
    if open.is_empty() { Err(why) } else { Ok(open) }
}

/// Why a granted route is not within a declared one of the same method and path, if it is not.
fn narrower(wide: &Declared, route: &Route, granted: &GrantedRoute) -> Option<String> {
    let set = |slots: &[String]| slots.iter().cloned().collect::<BTreeSet<String>>();
    if set(&route.slots) != set(&granted.slots) {
        let told = |slots: &[String]| if slots.is_empty() { "none".to_owned() } else { slots.join(", ") };
        let (has, not) = (told(&route.slots), printable(&told(&granted.slots), 200));
        return Some(format!("`{}` has the slots {has}, not {not}", route.id));
    }
    if let Some(problem) = outside_links(route, granted) {
        return Some(problem);
    }
    outside_query(&wide.open.slots, route, granted).or_else(|| {
        let declared = route.header_rules();
        let same = |a: &Parameter, b: &Parameter| a.name.eq_ignore_ascii_case(&b.name);
        let covered = |granted: &&Parameter| declared.iter().any(|d| same(d, granted) && d.covers(granted));
        let parameter = granted.headers.iter().find(|granted| !covered(granted))?;
        Some(match declared.iter().find(|declared| same(declared, parameter)) {
            Some(known) => wider(route, "header", parameter, known),
            None => unknown(route, "header", parameter),
        })
    })
}

/// Why granted places of links are not among the declared ones, if they are not. A grant without any would take URLs that nobody
/// wrote.
fn outside_links(route: &Route, granted: &GrantedRoute) -> Option<String> {
    let declared = link::told(&route.links);
    match (route.links.is_empty(), granted.links.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("`{}` is no route of links; leave `links` out", route.id)),
        (false, true) => Some(format!("`{}` stands for links at {declared} alone; write them in `links`", route.id)),
        (false, false) => {
            let other = granted.links.iter().find(|place| !route.links.contains(place))?;
            Some(format!("`{}` declares links at {declared}, not at `{other}`", route.id))
        }
    }
}

/// Why a granted query is not within a declared one, if it is not.
fn outside_query(slots: &[OpenSlot], route: &Route, granted: &GrantedRoute) -> Option<String> {
    let what = "query parameter";
    Some(match beyond(granted.query.iter(), route.query.iter(), slots)? {
        Beyond::Name(rule) => unknown(route, what, rule),
        Beyond::Slots(rule) => format!("the {what} `{}` is the slot's to write", printable(&rule.name, 128)),
        Beyond::Values(rule, known) => wider(route, what, rule, known),
        Beyond::Unlisted(known) => format!(
            "`{}` declares the {what} `{known}`, and the grant's `*` stands for it with more values; list it beside `*`, \
             with no more than these",
            route.id
        ),
    })
}

fn wider(route: &Route, what: &str, granted: &Parameter, known: &Parameter) -> String {
    format!("`{}` declares the {what} `{known}`, which does not cover `{granted}`", route.id)
}

fn unknown(route: &Route, what: &str, granted: &Parameter) -> String {
    format!("`{}` does not declare the {what} `{}`", route.id, printable(&granted.name, 128))
}
