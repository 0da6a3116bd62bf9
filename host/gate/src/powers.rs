//! Declared ∩ granted: what may happen at all, indexed so that a decision costs the same however much is granted.
//!
//! A grant that asks for what the adapter did not declare is a mistake, and is refused as a whole. What comes out is, for
//! each granted operation, the routes open during a call of it, found by origin and method.

use std::{collections::HashMap, sync::Arc};

use crate::{
    address::CarveOuts,
    descriptor::{Descriptor, DescriptorError, Effect, Scheme},
    grant::{Grant, GrantError, GrantedRoute},
    method::Method,
    repeat::Repeat,
    template::Template,
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
    #[error("the grant's operation `{name}` is not one that the adapter declares: {declared}")]
    Operation {
        /// As granted.
        name: String,
        /// What there is.
        declared: String,
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

/// A route that is open: declared by the adapter and granted by the operator.
#[derive(Clone, Debug)]
pub struct OpenRoute {
    /// The id of the declared route; its schemas are in the descriptor.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The granted template, as narrow as the operator made it.
    pub template: Template,
    /// Query parameters that may be sent.
    pub query: Vec<String>,
    /// The slot whose secret is added, and how.
    pub slot: Option<(String, Scheme)>,
    /// Whether a body may be sent.
    pub body: bool,
    /// Whether a request may be sent again.
    pub repeat: Repeat,
}

/// What one integration may do.
#[derive(Clone, Debug)]
pub struct Powers {
    operations: HashMap<String, Arc<OperationPowers>>,
}

/// What may happen during a call of one operation.
#[derive(Clone, Debug)]
pub struct OperationPowers {
    /// The operation's name.
    pub operation: String,
    /// What it does to the world.
    pub effect: Effect,
    /// Origins and ports that the address policy leaves alone.
    pub carve_outs: CarveOuts,
    pub(crate) routes: Vec<OpenRoute>,
    index: HashMap<String, [Vec<usize>; Method::COUNT]>,
    slots: Vec<(String, Scheme)>,
    declared: Arc<Vec<(Method, Template, GrantedRoute)>>,
}

impl Powers {
    /// Intersects what `descriptor` declares with what `grant` allows. `digest` is the adapter's own.
    pub fn new(digest: &str, descriptor: &Descriptor, grant: &Grant) -> Result<Self, GrantMismatch> {
        descriptor.check()?;
        grant.check()?;
        if grant.adapter != digest {
            return Err(GrantMismatch::OtherAdapter { granted: grant.adapter.clone(), actual: digest.to_owned() });
        }
        let signing = signing_slots(descriptor, grant)?;
        let declared = Arc::new(declared_routes(descriptor));
        let open = open_routes(descriptor, grant, &declared)?;
        let mut operations = HashMap::new();
        for name in &grant.operations {
            let Some(operation) = descriptor.operation(name) else {
                let declared: Vec<&str> = descriptor.operations.iter().map(|o| o.name.as_str()).collect();
                return Err(GrantMismatch::Operation { name: name.clone(), declared: declared.join(", ") });
            };
            let routes: Vec<OpenRoute> =
                open.iter().filter(|route| operation.routes.contains(&route.id)).cloned().collect();
            let mut index: HashMap<String, [Vec<usize>; Method::COUNT]> = HashMap::new();
            let mut slots = signing.clone();
            for (i, route) in routes.iter().enumerate() {
                let methods = index.entry(route.template.origin().to_owned()).or_default();
                if let Some(ids) = methods.get_mut(route.method.index()) {
                    ids.push(i);
                }
                slots.extend(route.slot.iter().filter(|slot| !signing.contains(slot)).cloned());
            }
            let powers = OperationPowers {
                operation: name.clone(),
                effect: operation.effect,
                carve_outs: grant.carve_outs(),
                routes,
                index,
                slots,
                declared: declared.clone(),
            };
            operations.insert(name.clone(), Arc::new(powers));
        }
        Ok(Self { operations })
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
}

impl OperationPowers {
    /// The scheme of a slot that a call of this operation may open.
    pub fn slot(&self, name: &str) -> Option<&Scheme> {
        self.slots.iter().find(|(slot, _)| slot == name).map(|(_, scheme)| scheme)
    }

    /// The open route of this number, as [`Decision::Allow`](crate::Decision::Allow) gives it.
    pub fn route(&self, number: usize) -> Option<&OpenRoute> {
        self.routes.get(number)
    }

    /// Whether any route is open at this origin.
    pub(crate) fn has_origin(&self, origin: &str) -> bool {
        self.index.contains_key(origin)
    }

    /// The routes open at this origin for this method.
    pub(crate) fn candidates(&self, origin: &str, method: Method) -> &[usize] {
        self.index.get(origin).and_then(|methods| methods.get(method.index())).map_or(&[], Vec::as_slice)
    }

    /// The declared route that would cover this request if it were granted.
    pub(crate) fn declared(&self, method: Method, origin: &str, path: &str) -> Option<&GrantedRoute> {
        self.declared
            .iter()
            .find(|(m, template, _)| *m == method && template.origin() == origin && template.matches_path(path))
            .map(|(_, _, route)| route)
    }
}

fn signing_slots(descriptor: &Descriptor, grant: &Grant) -> Result<Vec<(String, Scheme)>, GrantMismatch> {
    grant
        .signing
        .iter()
        .map(|name| match descriptor.slot(name) {
            Some(slot) if slot.scheme == Scheme::SigningKey => Ok((name.clone(), Scheme::SigningKey)),
            _ => Err(GrantMismatch::Signing(name.clone())),
        })
        .collect()
}

/// Every declared route with the grant lines that would allow it. Templates were checked with the descriptor.
fn declared_routes(descriptor: &Descriptor) -> Vec<(Method, Template, GrantedRoute)> {
    descriptor
        .routes
        .iter()
        .filter_map(|route| Some((route.method, Template::parse(&route.url).ok()?, route.as_granted())))
        .collect()
}

fn open_routes(
    descriptor: &Descriptor,
    grant: &Grant,
    declared: &[(Method, Template, GrantedRoute)],
) -> Result<Vec<OpenRoute>, GrantMismatch> {
    let mut open = Vec::new();
    for (index, granted) in grant.routes.iter().enumerate() {
        let template = Template::parse(&granted.url).map_err(|error| GrantError::Url { index, error })?;
        let mut why = "no declared route has this method and URL".to_owned();
        let before = open.len();
        for ((method, wide, _), route) in declared.iter().zip(&descriptor.routes) {
            if *method != granted.method || !wide.covers(&template) {
                continue;
            }
            if route.slot != granted.slot {
                let or_none = |slot: &Option<String>| slot.clone().unwrap_or_else(|| "none".to_owned());
                why = format!("`{}` has the slot {}, not {}", route.id, or_none(&route.slot), or_none(&granted.slot));
                continue;
            }
            if let Some(name) = granted.query.iter().find(|name| !route.query.contains(name)) {
                why = format!("`{}` does not declare the query parameter `{name}`", route.id);
                continue;
            }
            let slot = route.slot.as_deref().and_then(|name| descriptor.slot(name));
            open.push(OpenRoute {
                id: route.id.clone(),
                method: granted.method,
                template: template.clone(),
                query: granted.query.clone(),
                slot: slot.map(|slot| (slot.name.clone(), slot.scheme.clone())),
                body: route.request.is_some(),
                // The method's word, until descriptors have a word of their own.
                repeat: Repeat::of_method(granted.method),
            });
        }
        if open.len() == before {
            return Err(GrantMismatch::Route { index, route: format!("{} {}", granted.method, granted.url), why });
        }
    }
    Ok(open)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::descriptor::tests::sample;

    pub(crate) const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    pub(crate) fn grant(routes: &str) -> Grant {
        Grant::parse(&format!("adapter = \"{DIGEST}\"\noperations = [\"readItem\", \"send\"]\n{routes}")).unwrap()
    }

    const SEND: &str = "[[routes]]\nmethod = \"POST\"\nurl = \"https://api.example.com/send\"\nslot = \"key\"\n";

    #[test]
    fn a_route_is_open_only_during_the_operations_that_declare_it() {
        let powers = Powers::new(DIGEST, &sample(), &grant(SEND)).unwrap();
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
            (SEND.replace("\"key\"", "\"mac\""), "slot"),
            (SEND.replace("slot = \"key\"\n", ""), "slot"),
            (format!("{SEND}query = [\"x\"]\n"), "`x`"),
        ];
        for (routes, names) in cases {
            let error = Powers::new(DIGEST, &sample(), &grant(&routes)).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
        let mut other = grant(SEND);
        other.operations.push("drop".into());
        assert!(matches!(Powers::new(DIGEST, &sample(), &other), Err(GrantMismatch::Operation { .. })));
        let mut other = grant(SEND);
        other.signing.push("key".into());
        assert!(matches!(Powers::new(DIGEST, &sample(), &other), Err(GrantMismatch::Signing(_))));
    }

    #[test]
    fn a_grant_holds_for_one_digest() {
        let other = DIGEST.replace('0', "1");
        assert!(matches!(Powers::new(&other, &sample(), &grant(SEND)), Err(GrantMismatch::OtherAdapter { .. })));
    }
}
