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
    descriptor::{Descriptor, DescriptorError, Effect},
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
    /// this name. `digest` is the adapter's own.
    pub fn new(
        digest: &str,
        integration: &str,
        descriptor: &Descriptor,
        grant: &Grant,
        ceiling: &Ceiling,
    ) -> Result<Self, GrantMismatch> {
        descriptor.check()?;
        grant.check()?;
        if grant.adapter != digest {
            return Err(GrantMismatch::OtherAdapter { granted: grant.adapter.clone(), actual: digest.to_owned() });
        }
        let left = intersect(integration, descriptor, grant, ceiling)?;
        undeclared(&left, grant)?;
        let mut open: Vec<Arc<OpenRoute>> = Vec::new();
        let mut for_tokens: HashMap<&str, Vec<Arc<OpenRoute>>> = HashMap::new();
        for (granted, fate) in grant.routes.iter().zip(left.routes) {
            let routes = fate.open.into_iter().map(Arc::new);
            match &granted.token_for {
                Some(slot) => for_tokens.entry(slot).or_default().extend(routes),
                None => open.extend(routes),
            }
        }
        let oauth: BTreeMap<&str, Arc<OAuth>> = descriptor
            .slots
            .iter()
            .filter_map(|slot| Some((slot.name.as_str(), Arc::new(slot.oauth.clone()?))))
            .collect();
        let signing: Vec<(String, Scheme)> =
            left.signing.into_iter().filter_map(|(name, scheme)| Some((name, scheme.ok()?))).collect();
        let allowed = left.carve_outs.into_iter().filter(|(_, allowed)| allowed.is_ok());
        let carve_outs: CarveOuts = allowed.map(|(carve_out, _)| carve_out).collect();
        let (ceiling, integration) = (Arc::new(ceiling.clone()), Arc::from(integration));
        let mut operations = HashMap::new();
        for (name, effect) in left.operations {
            let (Ok(effect), Some(operation)) = (effect, descriptor.operation(&name)) else { continue };
            let ids: HashSet<&str> = operation.routes.iter().map(String::as_str).collect();
            let routes: Vec<_> = open.iter().filter(|route| ids.contains(route.id.as_str())).cloned().collect();
            let mut slots = signing.clone();
            for slot in routes.iter().flat_map(|route| &route.slots) {
                if !slots.iter().any(|(known, _)| *known == slot.name) {
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
                takes_escaped: left
                    .declared
                    .iter()
                    .any(|d| ids.contains(d.open.id.as_str()) && d.open.template.takes_escaped()),
                routes,
                oauth: slots.iter().filter_map(issued).collect(),
                slots,
                token_for: None,
                declared: left.declared.iter().filter(|d| ids.contains(d.open.id.as_str())).cloned().collect(),
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
pub(crate) mod tests {
    use super::*;
    use crate::{descriptor::tests::sample, parameter::Values};

    pub(crate) const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    pub(crate) fn grant(routes: &str) -> Grant {
        Grant::parse(&format!("adapter = \"{DIGEST}\"\noperations = [\"readItem\", \"send\"]\n{routes}")).unwrap()
    }

    /// The powers that a grant gives the sample adapter.
    pub(crate) fn powers_of(grant: &Grant) -> Result<Powers, GrantMismatch> {
        Powers::new(DIGEST, "sample", &sample(), grant, &Ceiling::default())
    }

    const SEND: &str = "[[routes]]\nmethod = \"POST\"\nurl = \"https://api.example.com/send\"\nslots = [\"key\"]\n";

    #[test]
    fn a_route_is_open_only_during_the_operations_that_declare_it() {
        let powers = powers_of(&grant(SEND)).unwrap();
        assert_eq!(powers.operation("send").unwrap().routes.len(), 1);
        assert_eq!(powers.operation("readItem").unwrap().routes.len(), 0);
        assert!(powers.operation("send").unwrap().slot("key").is_some());
        assert!(powers.operation("readItem").unwrap().slot("key").is_none());
    }

    #[test]
    fn what_was_not_declared_cannot_be_granted() {
        let cases = [
            (SEND.replace("POST", "GET"), "GET"),
            (SEND.replace("/send", "/other"), "/other"),
            (SEND.replace("api.", "evil."), "evil."),
            (SEND.replace("\"key\"", "\"mac\""), "has the slots key, not mac"),
            (SEND.replace("slots = [\"key\"]\n", ""), "has the slots key, not none"),
            (format!("{SEND}query = [\"x\"]\n"), "`x`"),
        ];
        for (routes, names) in cases {
            let error = powers_of(&grant(&routes)).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
        let mut other = grant(SEND);
        other.operations.push("drop".into());
        assert!(matches!(powers_of(&other), Err(GrantMismatch::Operation { .. })));
        let mut other = grant(SEND);
        other.signing.push("key".into());
        assert!(matches!(powers_of(&other), Err(GrantMismatch::Signing(_))));
    }

    #[test]
    fn a_signing_key_is_for_every_operation_and_other_slots_for_those_that_send_them() {
        let mut grant = grant(SEND);
        grant.signing = vec!["mac".into()];
        let powers = powers_of(&grant).unwrap();
        assert_eq!(powers.operations(), ["readItem", "send"]);
        let slot = |operation: &str, slot: &str| powers.operation(operation).unwrap().slot(slot).cloned();
        assert_eq!(slot("readItem", "mac"), Some(Scheme::SigningKey));
        assert!(matches!(slot("send", "key"), Some(Scheme::Header { .. })));
        assert_eq!((slot("readItem", "key"), slot("send", "none")), (None, None));
        assert!(powers.operation("drop").is_none());
    }

    #[test]
    fn a_parameter_is_granted_by_its_name_and_with_no_more_than_its_values() {
        let mut descriptor = sample();
        let digits = |name: &str| Parameter { name: name.into(), values: Values::Shape("digits".parse().unwrap()) };
        descriptor.routes[1].query = vec![digits("n"), Parameter::any("any")];
        descriptor.routes[1].headers = vec![digits("X-N"), Parameter::any("X-Any")];
        let accepts = |line: &str| {
            let grant = grant(&format!("{SEND}{line}\n"));
            Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).is_ok()
        };
        assert!(accepts(
            "query = [\"any\", { name = \"n\", shape = \"digits(3)\" }, { name = \"n\", one_of = [\"7\"] }]"
        ));
        assert!(accepts("headers = [\"x-any\", { name = \"x-n\", shape = \"digits(3)\" }]"));
        for line in [
            "query = [\"x\"]",
            "query = [\"n\"]",
            "query = [\"Any\"]",
            "query = [{ name = \"x\", shape = \"digits(3)\" }]",
            "query = [\"any\", { name = \"n\", one_of = [\"7\", \"x\"] }]",
            "headers = [\"x-other\"]",
            "headers = [\"X-N\"]",
            "headers = [{ name = \"X_N\", shape = \"digits(3)\" }]",
        ] {
            assert!(!accepts(line), "{line}");
        }
    }

    /// Why this query is not granted where that one is declared; none if it is.
    fn refused(declared: &str, scheme: Scheme, granted: &str) -> Option<String> {
        let mut descriptor = sample();
        descriptor.slots[0].scheme = scheme;
        descriptor.routes[1].query = serde_json::from_str(declared).unwrap();
        let grant = grant(&format!("{SEND}query = {granted}\n"));
        Powers::new(DIGEST, "sample", &descriptor, &grant, &Ceiling::default()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_declared_star_lets_a_grant_list_names_one_by_one() {
        let digits = r#"["a", { "name": "*", "shape": "digits" }]"#;
        for (declared, granted) in [
            (r#"["*"]"#, r#"["b", { name = "c", shape = "word" }, { name = "*", one_of = ["x"] }]"#),
            (r#"["*"]"#, "[\"*\"]"),
            (digits, r#"[{ name = "b", one_of = ["1"] }]"#),
            (digits, r#"["a"]"#),
            (digits, r#"["a", { name = "*", shape = "digits(2)" }]"#),
            // Left out here, `a` is one of the others, with fewer values than are declared for it.
            (digits, r#"[{ name = "*", shape = "digits" }]"#),
        ] {
            assert_eq!(refused(declared, Scheme::Bearer, granted), None, "{declared} {granted}");
        }
    }

    #[test]
    fn a_granted_star_has_no_more_than_is_declared_for_any_name() {
        let status = r#"[{ "name": "status", "one_of": ["open"] }, "*"]"#;
        let digits = r#"["a", { "name": "*", "shape": "digits" }]"#;
        for (declared, granted, names) in [
            (r#"["a"]"#, "[\"*\"]", "does not declare the query parameter `*`"),
            ("[]", "[\"*\"]", "does not declare the query parameter `*`"),
            (digits, "[\"*\"]", "`*:digits`, which does not cover `*`"),
            (digits, "[\"b\"]", "`*:digits`, which does not cover `b`"),
            (status, "[\"*\"]", "`status=open`, and the grant's `*` stands for it with more values; list it"),
            (status, "[\"status\", \"*\"]", "`status=open`, which does not cover `status`"),
            (status, r#"[{ name = "*", one_of = ["open", "x"] }]"#, "`*` stands for it"),
        ] {
            let error = refused(declared, Scheme::Bearer, granted).unwrap();
            assert!(error.contains(names), "{error}");
        }
        let listed = r#"[{ name = "status", one_of = ["open"] }, "*"]"#;
        assert_eq!(refused(status, Scheme::Bearer, listed), None);
        assert_eq!(refused(status, Scheme::Bearer, r#"[{ name = "*", one_of = ["open"] }]"#), None);
    }

    #[test]
    fn the_parameter_that_the_credential_writes_is_not_granted_by_a_star() {
        let scheme = || Scheme::Query { name: "Key".into() };
        for name in ["Key", "kEY"] {
            let error = refused(r#"["*"]"#, scheme(), &format!("[\"{name}\"]")).unwrap();
            assert!(error.contains("is the slot's to write") && error.contains(name), "{error}");
        }
        assert_eq!(refused(r#"["*"]"#, scheme(), r#"["keys", "*"]"#), None);
    }

    #[test]
    fn operations_share_the_routes_that_they_use() {
        let mut descriptor = sample();
        descriptor.operations[0].routes.push("send".into());
        let powers = Powers::new(DIGEST, "sample", &descriptor, &grant(SEND), &Ceiling::default()).unwrap();
        let route = |operation: &str| powers.operation(operation).unwrap().routes()[0].clone();
        assert!(Arc::ptr_eq(&route("send"), &route("readItem")));
    }

    #[test]
    fn a_grant_holds_for_one_digest() {
        let other = DIGEST.replace('0', "1");
        assert!(matches!(
            Powers::new(&other, "sample", &sample(), &grant(SEND), &Ceiling::default()),
            Err(GrantMismatch::OtherAdapter { .. })
        ));
    }

    #[test]
    fn what_is_above_the_ceiling_is_not_open_and_the_rest_is() {
        let read = "[[routes]]\nmethod = \"GET\"\nurl = \"https://open.example.com/status\"\n";
        let mut grant = grant(&format!("{SEND}{read}"));
        grant.carve_outs = vec!["127.0.0.1:80".parse().unwrap(), "127.0.0.1:81".parse().unwrap()];
        let ceiling = "methods = [\"GET\"]\ncarve_outs = [{ addresses = \"127.0.0.1:80\" }]\n[limits]\nrequests = 3";
        let ceiling = Ceiling::parse(ceiling).unwrap();
        let powers = Powers::new(DIGEST, "sample", &sample(), &grant, &ceiling).unwrap();
        assert_eq!(powers.operation("send").unwrap().routes.len(), 0);
        assert_eq!(powers.operation("readItem").unwrap().routes.len(), 1);
        let carve_outs = &powers.operation("send").unwrap().carve_outs;
        let loopback = "127.0.0.1".parse().unwrap();
        assert!(carve_outs.contains(loopback, 80) && !carve_outs.contains(loopback, 81));
        assert_eq!(powers.limits().requests, 3);
        // Above the ceiling or not: what was not declared is a mistake.
        grant.routes[0].url = "https://api.example.com/other".into();
        let error = Powers::new(DIGEST, "sample", &sample(), &grant, &ceiling).unwrap_err();
        assert!(matches!(error, GrantMismatch::Route { index: 0, .. }));
    }

    #[test]
    fn a_granted_route_that_opens_too_many_is_refused() {
        for (count, fits) in [(16, true), (17, false)] {
            let mut descriptor = sample();
            descriptor.routes =
                (0..count).map(|i| crate::Route { id: format!("r{i}"), ..descriptor.routes[1].clone() }).collect();
            descriptor.operations[0].routes.clear();
            descriptor.operations[1].routes = vec!["r0".into()];
            let made = Powers::new(DIGEST, "sample", &descriptor, &grant(SEND), &Ceiling::default());
            assert_eq!(made.is_ok(), fits, "{count}");
        }
    }
}
