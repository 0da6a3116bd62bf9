//! What an integration may do: what is left of descriptor, grant and ceiling, indexed for `decide`.
//!
//! A grant that asks for what the adapter did not declare is a mistake, and is refused as a whole. What is above the
//! host's ceiling is left out. What comes out is, for each granted operation, the routes open during a call of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

use crate::{
    address::{CarveOut, CarveOuts},
    body::BodyKind,
    ceiling::Ceiling,
    descriptor::{Descriptor, DescriptorError, Effect, Operation},
    grant::{Grant, GrantError, GrantedRoute, RouteLimits},
    index::Index,
    intersect::{Declared, Intersection, Layer, intersect},
    limits::Limits,
    link::LinkPlace,
    method::Method,
    parameter::Parameter,
    repeat::Repeat,
    scheme::{OAuth, OpenSlot, Scheme},
    template::Template,
    tokens::{self, TOKEN_OPERATION},
    url::{RequestUrl, UrlRefusal},
    work::{Spent, Work},
};

/// A grant does not fit the descriptor it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantMismatch {
    /// The descriptor itself is not well formed.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The grant itself is not well formed.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// It is for other bytes.
    #[error(
        "the grant is for adapter {granted}, this one is {actual}; read what it asks for, then write the new digest"
    )]
    OtherAdapter {
        /// The digest in the grant.
        granted: String,
        /// The adapter's digest.
        actual: String,
    },
    /// An operation nobody declared.
    #[error("the grant's operation `{name}` is not one that the adapter declares: {why}")]
    Operation {
        /// As granted.
        name: String,
        /// What there is.
        why: String,
    },
    /// A signing slot nobody declared.
    #[error("the grant's signing slot `{0}` is not a slot of scheme signing-key that the adapter declares")]
    Signing(String),
    /// A route nobody declared.
    #[error("the grant's `routes[{index}]` ({route}) is not covered by a route that the adapter declares: {why}")]
    Route {
        /// Which route, from 0.
        index: usize,
        /// Method and URL.
        route: String,
        /// The nearest there is, and how it differs.
        why: String,
    },
    /// Too large to be held against each other.
    #[error(
        "the grant, what the adapter declares and the ceiling together are too large: {0}; grant fewer routes, or routes with \
         shorter lists of parameters and values, or make two integrations of one"
    )]
    Work(#[from] Spent),
}

/// A route that is open: declared by the adapter, granted by the operator, below the ceiling.
#[derive(Clone, Debug)]
pub struct OpenRoute {
    /// The id of the declared route; its schemas are in the descriptor.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The granted template, as narrow as the operator made it.
    pub template: Template,
    /// Query parameters that may be sent; the name `*` stands for every name that is not listed.
    pub query: Vec<Parameter>,
    /// Header fields that may be sent beside those that every route may.
    pub headers: Vec<Parameter>,
    /// The slots whose secrets are added, and how.
    pub slots: Vec<OpenSlot>,
    /// Where a provider writes the URLs that it stands for. Empty for any other route.
    pub links: Vec<LinkPlace>,
    /// The kind of body that may be sent.
    pub body: Option<BodyKind>,
    /// Whether a request may be sent again.
    pub repeat: Repeat,
    /// Bounds of its own.
    pub limits: RouteLimits,
}

/// Which open route allows a request: a number among those of one operation. Only the gate makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub(crate) usize);

/// What one integration may do.
#[derive(Clone, Debug)]
pub struct Powers {
    operations: HashMap<String, Arc<OperationPowers>>,
    /// What the host itself may send to get tokens, by slot.
    tokens: HashMap<String, Arc<OperationPowers>>,
    limits: Limits,
}

/// What may happen during a call of one operation.
#[derive(Clone, Debug)]
pub struct OperationPowers {
    /// The operation's name.
    pub operation: String,
    /// What it does to the world.
    pub effect: Effect,
    /// Addresses and ports that the address policy leaves alone.
    pub carve_outs: CarveOuts,
    /// Shared, not copied: thousands of operations can use one route, and its lists can be long.
    pub(crate) routes: Vec<Arc<OpenRoute>>,
    pub(crate) index: Index,
    /// Whether a declared route takes `%2F` in a segment.
    takes_escaped: bool,
    /// Those of its routes, each once.
    link_places: Vec<LinkPlace>,
    slots: Vec<(String, Scheme)>,
    /// Who issues tokens, by slot: those that a call of this operation may open.
    oauth: BTreeMap<String, Arc<OAuth>>,
    /// Of powers for token requests: the slot that they are for.
    token_for: Option<String>,
    /// The declared routes that this operation may use, granted or not.
    declared: Vec<Arc<Declared>>,
    ceiling: Arc<Ceiling>,
    /// The integration's name: some carve-outs are some integrations' alone.
    integration: Arc<str>,
}

impl Powers {
    /// Intersects what `descriptor` declares with what `grant` allows and what `ceiling` leaves to the integration of
    /// this name, with a budget of its own ([`Work::of_files`]). `digest` is the adapter's own.
    pub fn new(
        digest: &str,
        integration: &str,
        descriptor: &Descriptor,
        grant: &Grant,
        ceiling: &Ceiling,
    ) -> Result<Self, GrantMismatch> {
        Self::new_within(digest, integration, descriptor, grant, ceiling, &Work::of_files())
    }

    /// The same, with what is left of a budget.
    pub fn new_within(
        digest: &str,
        integration: &str,
        descriptor: &Descriptor,
        grant: &Grant,
        ceiling: &Ceiling,
        work: &Work,
    ) -> Result<Self, GrantMismatch> {
        descriptor.check()?;
        grant.check()?;
        if grant.adapter != digest {
            return Err(GrantMismatch::OtherAdapter { granted: grant.adapter.clone(), actual: digest.to_owned() });
        }
        let left = intersect(integration, descriptor, grant, ceiling, work)?;
        undeclared(&left, grant)?;
        let mut open = ById::default();
        let mut for_tokens: HashMap<&str, Vec<Arc<OpenRoute>>> = HashMap::new();
        for (granted, fate) in grant.routes.iter().zip(left.routes) {
            let routes = fate.open.into_iter().map(Arc::new);
            match &granted.token_for {
                Some(slot) => for_tokens.entry(slot).or_default().extend(routes),
                None => routes.for_each(|route| open.push(route)),
            }
        }
        let oauth: BTreeMap<&str, Arc<OAuth>> = descriptor
            .slots
            .iter()
            .filter_map(|slot| Some((slot.name.as_str(), Arc::new(slot.oauth.clone()?))))
            .collect();
        let mut signing: Vec<(String, Scheme)> = Vec::new();
        let mut signs = HashSet::new();
        for (name, scheme) in &left.signing {
            if let Ok(scheme) = scheme
                && signs.insert(name.as_str())
            {
                signing.push((name.clone(), scheme.clone()));
            }
        }
        let mut declared = ById::default();
        left.declared.into_iter().for_each(|route| declared.push(route));
        let allowed = left.carve_outs.into_iter().filter(|(_, allowed)| allowed.is_ok());
        let carve_outs: CarveOuts = allowed.map(|(carve_out, _)| carve_out).collect();
        let (ceiling, integration) = (Arc::new(ceiling.clone()), Arc::from(integration));
        let mut operations = HashMap::new();
        let known: HashMap<&str, &Operation> = descriptor.operations.iter().map(|o| (o.name.as_str(), o)).collect();
        for (name, effect) in left.operations {
            let (Ok(effect), Some(operation)) = (effect, known.get(name.as_str())) else { continue };
            if operations.contains_key(&name) {
                continue;
            }
            // Each of its routes is put into its index, and has a part in its lists.
            let routes = open.of(&operation.routes, work)?;
            let declared = declared.of(&operation.routes, work)?;
            for route in &routes {
                work.charge(16 + route.template.as_str().len() as u64 / 4 + 8 * route.links.len() as u64)?;
            }
            work.charge(16 + 8 * signing.len() as u64)?;
            let (mut slots, mut names) = (signing.clone(), signs.clone());
            for slot in routes.iter().flat_map(|route| &route.slots) {
                if names.insert(&slot.name) {
                    slots.push((slot.name.clone(), slot.scheme.clone()));
                }
            }
            let issued = |(name, _): &(String, Scheme)| Some((name.clone(), oauth.get(name.as_str())?.clone()));
            let powers = OperationPowers {
                operation: name.clone(),
                effect,
                carve_outs: carve_outs.clone(),
                index: indexed(&routes),
                link_places: link_places(&routes),
                takes_escaped: declared.iter().any(|declared| declared.open.template.takes_escaped()),
                oauth: slots.iter().filter_map(issued).collect(),
                slots,
                token_for: None,
                declared,
                routes,
                ceiling: ceiling.clone(),
                integration: Arc::clone(&integration),
            };
            operations.insert(name, Arc::new(powers));
        }
        let mut tokens = HashMap::new();
        for (slot, issuer) in &oauth {
            let routes = for_tokens.remove(slot).unwrap_or_default();
            let powers = OperationPowers {
                operation: TOKEN_OPERATION.to_owned(),
                effect: Effect::Write,
                carve_outs: carve_outs.clone(),
                index: indexed(&routes),
                link_places: Vec::new(),
                takes_escaped: false,
                routes,
                slots: Vec::new(),
                oauth: BTreeMap::from([((*slot).to_owned(), issuer.clone())]),
                token_for: Some((*slot).to_owned()),
                declared: tokens::declared(slot, issuer).into_iter().map(Arc::new).collect(),
                ceiling: ceiling.clone(),
                integration: Arc::clone(&integration),
            };
            tokens.insert((*slot).to_owned(), Arc::new(powers));
        }
        Ok(Self { operations, tokens, limits: left.limits })
    }

    /// The powers of a call of this operation, if it is granted.
    pub fn operation(&self, name: &str) -> Option<&Arc<OperationPowers>> {
        self.operations.get(name)
    }

    /// Names of the granted operations, sorted.
    pub fn operations(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.operations.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// What the host itself may send to get tokens for this slot. None for a slot whose tokens nobody issues; where no route
    /// is granted, there is no route in it.
    pub fn tokens(&self, slot: &str) -> Option<&Arc<OperationPowers>> {
        self.tokens.get(slot)
    }

    /// Who issues tokens for this slot.
    pub fn oauth(&self, slot: &str) -> Option<&OAuth> {
        self.tokens.get(slot)?.oauth(slot)
    }

    /// The bounds of a call: the grant's, as low as the ceiling makes them.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl OperationPowers {
    /// The scheme of a slot that a call of this operation may open.
    pub fn slot(&self, name: &str) -> Option<&Scheme> {
        self.slots.iter().find(|(slot, _)| slot == name).map(|(_, scheme)| scheme)
    }

    /// Names of the slots that a call of this operation may open.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|(name, _)| name.as_str())
    }

    /// Who issues tokens for this slot, if a call of this operation may open it.
    pub fn oauth(&self, slot: &str) -> Option<&OAuth> {
        self.oauth.get(slot).map(AsRef::as_ref)
    }

    /// Reads the URL of a request. Where a declared route takes `%2F` in a segment, a URL may hold it: whether this one may is
    /// then judged like the rest of it. Where none does, it is refused at once.
    pub fn parse_url(&self, text: &str, limit: usize) -> Result<RequestUrl, UrlRefusal> {
        if self.takes_escaped { RequestUrl::parse_escaped(text, limit) } else { RequestUrl::parse(text, limit) }
    }

    /// The places at which answers of a call of this operation may hold links that it may follow. Usually there are none.
    pub fn link_places(&self) -> &[LinkPlace] {
        &self.link_places
    }

    /// The slot whose tokens these powers are for, if they are for that and not for an operation.
    pub fn token_for(&self) -> Option<&str> {
        self.token_for.as_deref()
    }

    /// What an operator would grant for a token request to this URL, where the adapter leaves that to the operator.
    pub(crate) fn left_open(&self, method: Method, url: &RequestUrl) -> Option<GrantedRoute> {
        let slot = self.token_for.as_deref()?;
        tokens::left_open(slot, self.oauth(slot)?, method, url.to_string())
    }

    /// The open route of this number, as [`Decision::Allow`](crate::Decision::Allow) gives it.
    pub fn route(&self, id: RouteId) -> Option<&OpenRoute> {
        self.routes.get(id.0).map(AsRef::as_ref)
    }

    /// All open routes, in the order of the grant.
    pub fn routes(&self) -> &[Arc<OpenRoute>] {
        &self.routes
    }

    /// Why the host's ceiling would not let this route be open, if it would not.
    pub fn ceiling_forbids(&self, route: &GrantedRoute) -> Option<String> {
        self.ceiling.forbids(route.method, &Template::parse(&route.url).ok()?)
    }

    /// The declared routes of this operation that have this method and stand for this URL.
    pub(crate) fn declared(&self, method: Method, url: &RequestUrl) -> impl Iterator<Item = &Declared> {
        let covers = move |declared: &&Declared| {
            let OpenRoute { method: own, template, .. } = &declared.open;
            *own == method && template.origin() == url.origin() && template.matches_path(url.path())
        };
        self.declared.iter().map(AsRef::as_ref).filter(covers)
    }

    /// Why the ceiling would not let a declared route be open, if it would not.
    pub(crate) fn above_ceiling(&self, declared: &Declared) -> Option<String> {
        self.ceiling.forbids(declared.open.method, &declared.open.template)
    }

    /// Whether the ceiling leaves a carve-out by which this URL could be dialled. Of a name it is asked for the port alone:
    /// what a name resolves to is not told.
    pub(crate) fn may_be_carved_out(&self, url: &RequestUrl) -> bool {
        match url.address().map(|address| CarveOut::from(SocketAddr::new(address, url.port()))) {
            Some(carve_out) => self.ceiling.allows_carve_out(&carve_out, &self.integration),
            None => self.ceiling.allows_carve_out_of_port(url.port(), &self.integration),
        }
    }
}

/// Routes in their order, found by id.
struct ById<R> {
    routes: Vec<Arc<R>>,
    places: HashMap<String, Vec<usize>>,
}

/// A route with an id.
trait Identified {
    fn id(&self) -> &str;
}

impl Identified for OpenRoute {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Declared {
    fn id(&self) -> &str {
        &self.open.id
    }
}

impl<R> Default for ById<R> {
    fn default() -> Self {
        Self { routes: Vec::new(), places: HashMap::new() }
    }
}

impl<R: Identified> ById<R> {
    fn push(&mut self, route: Arc<R>) {
        self.places.entry(route.id().to_owned()).or_default().push(self.routes.len());
        self.routes.push(route);
    }

    /// Those of these ids, in their order.
    fn of(&self, ids: &[String], work: &Work) -> Result<Vec<Arc<R>>, Spent> {
        let mut places = Vec::new();
        for id in ids {
            let own = self.places.get(id).map(Vec::as_slice).unwrap_or_default();
            work.charge(4 + 2 * own.len() as u64)?;
            places.extend_from_slice(own);
        }
        places.sort_unstable();
        Ok(places.into_iter().filter_map(|at| self.routes.get(at).cloned()).collect())
    }
}

fn link_places(routes: &[Arc<OpenRoute>]) -> Vec<LinkPlace> {
    let places: BTreeSet<&LinkPlace> = routes.iter().flat_map(|route| &route.links).collect();
    places.into_iter().cloned().collect()
}

fn indexed(routes: &[Arc<OpenRoute>]) -> Index {
    let mut index = Index::default();
    for (number, route) in routes.iter().enumerate() {
        index.insert(route.method, &route.template, number);
    }
    index
}

/// Refuses a grant that asks for what was not declared.
pub(crate) fn undeclared(left: &Intersection, grant: &Grant) -> Result<(), GrantMismatch> {
    for (name, found) in &left.signing {
        if found.is_err() {
            return Err(GrantMismatch::Signing(name.clone()));
        }
    }
    for (index, (route, granted)) in left.routes.iter().zip(&grant.routes).enumerate() {
        if let Some((removed, _)) = &route.removed
            && removed.by == Layer::Descriptor
        {
            let route = format!("{} {}", granted.method, granted.url);
            return Err(GrantMismatch::Route { index, route, why: removed.why.clone() });
        }
    }
    for (name, found) in &left.operations {
        if let Err(removed) = found {
            return Err(GrantMismatch::Operation { name: name.clone(), why: removed.why.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
