//! What an adapter declares: slots, routes, operations. Nothing is judged here; `check.rs` says whether it is well formed.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    body::BodyKind,
    check::{check, text_bytes},
    grant::{GrantedRoute, RouteLimits},
    link::LinkPlace,
    method::Method,
    parameter::Parameter,
    repeat::Repeat,
    scheme::{OAuth, Scheme},
};

/// What an operation does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Creates or changes what can be changed back.
    Write,
    /// Cannot be undone.
    Destructive,
}

impl Effect {
    /// The word in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Write => "write",
            Effect::Destructive => "destructive",
        }
    }
}

/// A named secret the adapter needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Unique name.
    pub name: String,
    /// For the operator.
    pub description: String,
    /// How it goes on the wire.
    pub scheme: Scheme,
    /// Who issues tokens for it, where it takes tokens.
    pub oauth: Option<OAuth>,
}

/// One HTTP exchange the adapter needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Unique id.
    pub id: String,
    /// For the operator.
    pub description: String,
    /// The method.
    pub method: Method,
    /// The URL template.
    pub url: String,
    /// Query parameters it may send; the name `*` stands for every name that is not listed.
    pub query: Vec<Parameter>,
    /// Header fields it may send, beside those that every route may.
    pub headers: Vec<Parameter>,
    /// The slots whose secrets are added, no two of which write the same place.
    pub slots: Vec<String>,
    /// The body it sends.
    pub request: Option<RequestBody>,
    /// Where in answers a provider writes the URLs that this route stands for. Empty for any other route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkPlace>,
    /// Whether a request may be sent again.
    pub repeat: Repeat,
    /// JSON Schema of a successful response's body, as text.
    pub response: String,
}

/// The body of a route's requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestBody {
    /// What kind of body.
    pub kind: BodyKind,
    /// JSON Schema of what it says, as text; none for raw bodies.
    pub schema: Option<String>,
}

impl Route {
    /// The header fields it may send, the one that holds its key among them.
    pub(crate) fn header_rules(&self) -> Vec<Parameter> {
        self.headers.iter().cloned().chain(self.repeat.key()).collect()
    }

    /// What a grant would say to allow all of it.
    pub fn as_granted(&self) -> GrantedRoute {
        GrantedRoute {
            method: self.method,
            url: self.url.clone(),
            query: self.query.clone(),
            headers: self.header_rules(),
            slots: self.slots.clone(),
            links: self.links.clone(),
            token_for: None,
            limits: RouteLimits::default(),
        }
    }
}

/// A named action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Unique name.
    pub name: String,
    /// For the caller.
    pub description: String,
    /// What it does to the world.
    pub effect: Effect,
    /// JSON Schema of the input, as text.
    pub input: String,
    /// JSON Schema of the output, as text.
    pub output: String,
    /// Ids of the routes it may use.
    pub routes: Vec<String>,
}

/// What an adapter says about itself for one config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Name of the adapter.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// What it connects to.
    pub description: String,
    /// Secrets it needs.
    pub slots: Vec<Slot>,
    /// Exchanges it needs.
    pub routes: Vec<Route>,
    /// What it offers.
    pub operations: Vec<Operation>,
}

/// What is wrong with a descriptor, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the descriptor's `{at}`: {problem}")]
pub struct DescriptorError {
    /// Where, for example `routes[2].url`.
    pub at: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl Descriptor {
    /// Checks names, references, templates and sizes. The schemas are compiled elsewhere.
    pub fn check(&self) -> Result<(), DescriptorError> {
        check(self)
    }

    /// What it costs to look at all of it once, in units of work.
    pub(crate) fn weight(&self) -> u64 {
        let items = self.slots.len() + self.routes.len() + self.operations.len();
        // A slot's scheme is copied for each route that has it.
        let scheme = self.slots.iter().map(|slot| slot.scheme.text_bytes()).max().unwrap_or(0);
        let slots = self.routes.iter().map(|route| route.slots.len()).sum::<usize>();
        16 * items as u64 + text_bytes(self) as u64 + slots as u64 * (8 + scheme as u64 / 4)
    }

    /// The slot of this name.
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// The route of this id.
    pub fn route(&self, id: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.id == id)
    }

    /// The operation of this name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// What a grant would have to say for the routes of an operation; of those, only the ones that carry this slot, if
    /// one is named. None if there is no such operation.
    pub fn routes_of(&self, operation: &str, slot: Option<&str>) -> Option<Vec<GrantedRoute>> {
        let ids: HashSet<&String> = self.operation(operation)?.routes.iter().collect();
        let routes = self.routes.iter().filter(|route| ids.contains(&route.id));
        let carries = |route: &&Route| slot.is_none_or(|slot| route.slots.iter().any(|own| own == slot));
        Some(routes.filter(carries).map(Route::as_granted).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small well-formed descriptor for this crate's tests.
    pub(crate) fn sample() -> Descriptor {
        let route = |id: &str, method, url: &str, query: &[&str], slot: Option<&str>| Route {
            id: id.into(),
            description: String::new(),
            method,
            url: url.into(),
            query: query.iter().map(|q| Parameter::any(*q)).collect(),
            headers: Vec::new(),
            slots: slot.map(str::to_owned).into_iter().collect(),
            request: None,
            links: Vec::new(),
            repeat: Repeat::Never,
            response: "{}".into(),
        };
        let operation = |name: &str, effect, routes: &[&str]| Operation {
            name: name.into(),
            description: String::new(),
            effect,
            input: "{}".into(),
            output: "{}".into(),
            routes: routes.iter().map(|r| (*r).to_owned()).collect(),
        };
        Descriptor {
            name: "sample".into(),
            version: "1.0.0".into(),
            description: "A sample.".into(),
            slots: vec![
                Slot {
                    name: "key".into(),
                    description: String::new(),
                    scheme: Scheme::Header { name: "X-Key".into(), prefix: String::new() },
                    oauth: None,
                },
                Slot { name: "mac".into(), description: String::new(), scheme: Scheme::SigningKey, oauth: None },
            ],
            routes: vec![
                route("read-item", Method::Get, "https://api.example.com/items/{id}", &["q"], Some("key")),
                route("send", Method::Post, "https://api.example.com/send", &[], Some("key")),
                route("open", Method::Get, "https://open.example.com/status", &[], None),
            ],
            operations: vec![
                operation("readItem", Effect::Read, &["read-item", "open"]),
                operation("send", Effect::Destructive, &["send"]),
            ],
        }
    }
}
