//! Declared ∩ granted ∩ ceiling, item by item: what is left, and which of the three took the rest away.
//!
//! The one place that knows. `Powers` are compiled from what is left; `explain` tells all of it.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    address::CarveOut,
    ceiling::Ceiling,
    descriptor::{Descriptor, Effect, Route},
    grant::{Grant, GrantError, GrantedRoute},
    index::Index,
    limits::Limits,
    link,
    method::Method,
    parameter::Parameter,
    powers::{GrantMismatch, OpenRoute},
    printable::printable,
    query::{Beyond, beyond},
    scheme::{OAuth, OpenSlot, Scheme},
    slots::{self, Slots},
    template::Template,
    tokens,
    work::{Spent, Work},
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
    work: &Work,
) -> Result<Intersection, GrantMismatch> {
    work.charge(descriptor.weight())?;
    let slots = Slots::of(descriptor);
    let known = Known::of(descriptor, &slots);
    let mut routes = Vec::new();
    for (index, granted) in grant.routes.iter().enumerate() {
        work.charge(granted.weight() + ceiling.weight())?;
        let template = Template::parse(&granted.url).map_err(|error| GrantError::Url { index, error })?;
        let gone = |removed, ids| Fate { open: Vec::new(), removed: Some((removed, ids)) };
        let opened = match &granted.token_for {
            Some(slot) => {
                // The URLs that the slot names are parsed.
                let oauth = slots.get(slot).and_then(|slot| slot.oauth.as_ref());
                work.charge(oauth.map_or(1, OAuth::text_bytes) as u64 / 2)?;
                tokens::open(&slots, slot, granted, &template).map(|route| vec![route])
            }
            None => known.open(granted, &template, work)?,
        };
        routes.push(match (opened, ceiling.forbids(granted.method, &template)) {
            (Err(why), _) => gone(missing(why), Vec::new()),
            (Ok(open), Some(why)) => {
                gone(Removed { by: Layer::Ceiling, why }, open.into_iter().map(|route| route.id).collect())
            }
            (Ok(open), None) => Fate { open, removed: None },
        });
    }
    let effects: HashMap<&str, Effect> =
        descriptor.operations.iter().map(|operation| (operation.name.as_str(), operation.effect)).collect();
    let mut operations = Vec::new();
    for name in &grant.operations {
        work.charge(4 + name.len() as u64 / 8)?;
        let found = match effects.get(name.as_str()) {
            Some(effect) => Ok(*effect),
            None => {
                work.charge(32)?;
                let declared: Vec<&str> = descriptor.operations.iter().take(20).map(|o| o.name.as_str()).collect();
                Err(missing(format!("it declares the operations {}", printable(&declared.join(", "), 400))))
            }
        };
        operations.push((name.clone(), found));
    }
    let mut signing = Vec::new();
    for name in &grant.signing {
        work.charge(4 + name.len() as u64 / 8)?;
        let found = match slots.get(name) {
            Some(slot) if slot.scheme == Scheme::SigningKey => Ok(Scheme::SigningKey),
            _ => Err(missing("it declares no slot of scheme signing-key by this name".to_owned())),
        };
        signing.push((name.clone(), found));
    }
    let mut carve_outs = Vec::new();
    for carve_out in &grant.carve_outs {
        work.charge(ceiling.carve_outs_weight())?;
        let allowed = if ceiling.allows_carve_out(carve_out, integration) {
            Ok(())
        } else {
            let why = format!("`carve_outs` has nothing that holds it for the integration `{integration}`");
            Err(Removed { by: Layer::Ceiling, why: printable(&why, 200) })
        };
        carve_outs.push((*carve_out, allowed));
    }
    let (limits, declared) = (ceiling.lower(&grant.limits), known.declared);
    Ok(Intersection { operations, routes, signing, carve_outs, limits, declared })
}

fn missing(why: String) -> Removed {
    Removed { by: Layer::Descriptor, why }
}

/// Every declared route, so that those that may cover a granted one are found without a look at the others.
struct Known<'a> {
    routes: &'a [Route],
    declared: Vec<Arc<Declared>>,
    index: Index,
    /// By origin and method the last route with a credential in its path.
    credential_in_path: HashMap<String, [Option<usize>; Method::COUNT]>,
}

impl<'a> Known<'a> {
    /// Templates were checked with the descriptor.
    fn of(descriptor: &'a Descriptor, slots: &Slots<'_>) -> Self {
        let parse = |route: &Route| {
            let granted = route.as_granted();
            let slots = slots::of_route(slots, route).ok()?;
            let template = Template::parse(&route.url).ok()?.with_credentials(segments(&slots));
            let open = open_route(route, &granted, template, slots);
            Some(Arc::new(Declared { granted, open }))
        };
        let declared: Vec<Arc<Declared>> = descriptor.routes.iter().filter_map(parse).collect();
        let mut index = Index::default();
        let mut credential_in_path: HashMap<String, [Option<usize>; Method::COUNT]> = HashMap::new();
        for (at, route) in declared.iter().enumerate() {
            let OpenRoute { method, template, slots, .. } = &route.open;
            index.insert(*method, template, at);
            if segments(slots).next().is_some() {
                let methods = credential_in_path.entry(template.origin().to_owned()).or_default();
                if let Some(last) = methods.get_mut(method.index()) {
                    *last = Some(at);
                }
            }
        }
        Self { routes: &descriptor.routes, declared, index, credential_in_path }
    }

    /// The routes that a granted one opens: one for each declared route that covers it. If there are none, why.
    fn open(
        &self,
        granted: &GrantedRoute,
        template: &Template,
        work: &Work,
    ) -> Result<Result<Vec<OpenRoute>, String>, Spent> {
        let mut found = Vec::new();
        self.index.may_cover(granted.method, template, work, &mut |at| found.push(at))?;
        // In the order of the descriptor.
        found.sort_unstable();
        let granted_slots: BTreeSet<&str> = granted.slots.iter().map(String::as_str).collect();
        let (segments_of, bytes) = (template.segments().0.len() as u64, template.as_str().len() as u64);
        let mut open = Vec::new();
        let mut why = None;
        for (wide, route) in found.into_iter().filter_map(|at| Some((self.declared.get(at)?, self.routes.get(at)?))) {
            work.charge(4 + 2 * segments_of + bytes / 4)?;
            // Where a secret goes, a guest writes one word and no other; a grant leaves the parameter as it is.
            let template = match segments(&wide.open.slots).next() {
                Some(_) => Cow::Owned(template.clone().with_credentials(segments(&wide.open.slots))),
                None => Cow::Borrowed(template),
            };
            if !wide.open.template.covers(&template) {
                continue;
            }
            if let Some(problem) = narrower(wide, route, granted, &granted_slots, work)? {
                why = Some(problem);
                continue;
            }
            if open.len() == MAX_COVERING {
                return Ok(Err(format!("more than {MAX_COVERING} routes that the adapter declares cover it")));
            }
            work.charge(granted.weight())?;
            open.push(open_route(route, granted, template.into_owned(), wide.open.slots.clone()));
        }
        if open.is_empty() {
            let why = why.or_else(|| self.credential_elsewhere(granted.method, template));
            return Ok(Err(why.unwrap_or_else(|| "no declared route has this method and URL".to_owned())));
        }
        Ok(Ok(open))
    }

    /// Which route may have been meant, where one of this origin has a credential in its path.
    fn credential_elsewhere(&self, method: Method, template: &Template) -> Option<String> {
        let at = *self.credential_in_path.get(template.origin())?.get(method.index())?;
        let route = self.routes.get(at?)?;
        let (id, url) = (&route.id, printable(&route.url, 400));
        Some(format!("a credential goes into the path of `{id}`; write that segment as in {url}"))
    }
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

/// Why a granted route is not within a declared one of the same method and path, if it is not.
fn narrower(
    wide: &Declared,
    route: &Route,
    granted: &GrantedRoute,
    granted_slots: &BTreeSet<&str>,
    work: &Work,
) -> Result<Option<String>, Spent> {
    // A declared route has each slot once.
    if granted_slots.len() != route.slots.len() || !route.slots.iter().all(|slot| granted_slots.contains(slot.as_str()))
    {
        let told = |slots: &[String]| match slots {
            [] => "none".to_owned(),
            slots => slots.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        let (has, not) = (told(&route.slots), printable(&told(&granted.slots), 200));
        return Ok(Some(format!("`{}` has the slots {has}, not {not}", route.id)));
    }
    if let Some(problem) = outside_links(route, granted) {
        return Ok(Some(problem));
    }
    match outside_query(&wide.open.slots, route, granted, work)? {
        Some(problem) => Ok(Some(problem)),
        None => outside_headers(wide, route, granted, work),
    }
}

/// Why granted header fields are not among the declared ones, if they are not.
fn outside_headers(
    wide: &Declared,
    route: &Route,
    granted: &GrantedRoute,
    work: &Work,
) -> Result<Option<String>, Spent> {
    let mut declared: HashMap<String, &Parameter> = HashMap::new();
    for header in &wide.granted.headers {
        work.charge(header.weight())?;
        declared.insert(header.name.to_ascii_lowercase(), header);
    }
    for header in &granted.headers {
        work.charge(header.weight())?;
        let Some(known) = declared.get(&header.name.to_ascii_lowercase()) else {
            return Ok(Some(unknown(route, "header", header)));
        };
        work.charge(known.weight())?;
        if !known.covers(header) {
            return Ok(Some(wider(route, "header", header, known)));
        }
    }
    Ok(None)
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
fn outside_query(
    slots: &[OpenSlot],
    route: &Route,
    granted: &GrantedRoute,
    work: &Work,
) -> Result<Option<String>, Spent> {
    let what = "query parameter";
    let beyond = beyond(granted.query.iter(), route.query.iter(), slots, work)?;
    Ok(beyond.map(|beyond| match beyond {
        Beyond::Name(rule) => unknown(route, what, rule),
        Beyond::Slots(rule) => format!("the {what} `{}` is the slot's to write", printable(&rule.name, 128)),
        Beyond::Values(rule, known) => wider(route, what, rule, known),
        Beyond::Unlisted(known) => format!(
            "`{}` declares the {what} `{known}`, and the grant's `*` stands for it with more values; list it beside `*`, \
             with no more than these",
            route.id
        ),
    }))
}

fn wider(route: &Route, what: &str, granted: &Parameter, known: &Parameter) -> String {
    format!("`{}` declares the {what} `{known}`, which does not cover `{granted}`", route.id)
}

fn unknown(route: &Route, what: &str, granted: &Parameter) -> String {
    format!("`{}` does not declare the {what} `{}`", route.id, printable(&granted.name, 128))
}
