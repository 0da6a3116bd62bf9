//! What an adapter declares, checked to be well formed before anybody reads it.
//!
//! The text comes from untrusted code. Lengths are bounded, names are plain, and nothing in it can smuggle a control
//! character onto a reviewer's terminal.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    grant::GrantedRoute,
    header::{is_reserved, is_token},
    method::Method,
    printable::{is_plain, printable},
    template::{Template, TemplateError},
};

/// Largest descriptor: all its text together, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// Most slots, routes or operations.
const MAX_ITEMS: usize = 512;
/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 4096;

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

/// How the host puts a slot's secret on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Scheme {
    /// `Authorization: Bearer SECRET`.
    Bearer,
    /// `Authorization: Basic base64(SECRET)`; the secret is `user:password`.
    Basic,
    /// A header of the provider's own: prefix and secret.
    Header {
        /// Field name.
        name: String,
        /// Put before the secret.
        prefix: String,
    },
    /// A query parameter.
    Query {
        /// Parameter name.
        name: String,
    },
    /// Never sent: a key for `sign` and `verify`.
    SigningKey,
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
    /// Query parameters it may send.
    pub query: Vec<String>,
    /// The slot whose secret is added.
    pub slot: Option<String>,
    /// JSON Schema of the request body, as text.
    pub request: Option<String>,
    /// JSON Schema of a successful response's body, as text.
    pub response: String,
}

impl Route {
    /// What a grant would say to allow all of it.
    pub fn as_granted(&self) -> GrantedRoute {
        GrantedRoute { method: self.method, url: self.url.clone(), query: self.query.clone(), slot: self.slot.clone() }
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
    /// JSON Schema of the config, as text.
    pub config: String,
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
        let bytes = self.text_bytes();
        if bytes > MAX_BYTES {
            return err("", format!("{bytes} bytes of text; at most {MAX_BYTES}"));
        }
        identifier("name", &self.name)?;
        let version = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-');
        if self.version.is_empty() || self.version.len() > 64 || !self.version.bytes().all(version) {
            return err(
                "version",
                format!("`{}` is not 1 to 64 letters, digits, `.`, `+` and `-`", shorten(&self.version)),
            );
        }
        plain("description", &self.description, MAX_DESCRIPTION)?;
        count("slots", self.slots.len())?;
        count("routes", self.routes.len())?;
        count("operations", self.operations.len())?;

        let mut slots = BTreeSet::new();
        for (i, slot) in self.slots.iter().enumerate() {
            identifier(&format!("slots[{i}].name"), &slot.name)?;
            plain(&format!("slots[{i}].description"), &slot.description, MAX_DESCRIPTION)?;
            check_scheme(&format!("slots[{i}].scheme"), &slot.scheme)?;
            unique(&mut slots, &format!("slots[{i}].name"), &slot.name)?;
        }
        let mut routes = BTreeSet::new();
        for (i, route) in self.routes.iter().enumerate() {
            identifier(&format!("routes[{i}].id"), &route.id)?;
            plain(&format!("routes[{i}].description"), &route.description, MAX_DESCRIPTION)?;
            unique(&mut routes, &format!("routes[{i}].id"), &route.id)?;
            Template::parse(&route.url).map_err(|error: TemplateError| DescriptorError {
                at: format!("routes[{i}].url"),
                problem: printable(&error.to_string(), 400),
            })?;
            for name in &route.query {
                query_name(&format!("routes[{i}].query"), name)?;
            }
            match route.slot.as_deref().map(|name| self.slot(name).ok_or(name)) {
                Some(Err(name)) => {
                    return err(&format!("routes[{i}].slot"), format!("`{name}` is not one of the slots"));
                }
                Some(Ok(Slot { scheme: Scheme::SigningKey, name, .. })) => {
                    return err(
                        &format!("routes[{i}].slot"),
                        format!("`{name}` is a signing key, which is never sent"),
                    );
                }
                Some(Ok(Slot { scheme: Scheme::Query { name }, .. })) if route.query.contains(name) => {
                    return err(&format!("routes[{i}].query"), format!("`{name}` is the slot's to write"));
                }
                _ => {}
            }
        }
        let mut operations = BTreeSet::new();
        for (i, operation) in self.operations.iter().enumerate() {
            let at = format!("operations[{i}].name");
            let name = &operation.name;
            if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return err(&at, format!("`{}` is not 1 to 64 letters and digits", name.escape_default()));
            }
            unique(&mut operations, &at, name)?;
            plain(&format!("operations[{i}].description"), &operation.description, MAX_DESCRIPTION)?;
            for id in &operation.routes {
                if !routes.contains(id.as_str()) {
                    return err(
                        &format!("operations[{i}].routes"),
                        format!("`{}` is not one of the routes", id.escape_default()),
                    );
                }
            }
        }
        Ok(())
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
        let ids = &self.operation(operation)?.routes;
        let routes = self.routes.iter().filter(|route| ids.contains(&route.id));
        Some(routes.filter(|route| slot.is_none() || route.slot.as_deref() == slot).map(Route::as_granted).collect())
    }

    fn text_bytes(&self) -> usize {
        let slots = self.slots.iter().map(|s| s.name.len() + s.description.len());
        let routes = self.routes.iter().map(|r| {
            r.id.len()
                + r.description.len()
                + r.url.len()
                + r.response.len()
                + r.request.as_ref().map_or(0, String::len)
                + r.query.iter().map(String::len).sum::<usize>()
        });
        let operations = self.operations.iter().map(|o| {
            o.name.len()
                + o.description.len()
                + o.input.len()
                + o.output.len()
                + o.routes.iter().map(String::len).sum::<usize>()
        });
        self.description.len() + self.config.len() + slots.chain(routes).chain(operations).sum::<usize>()
    }
}

fn check_scheme(at: &str, scheme: &Scheme) -> Result<(), DescriptorError> {
    match scheme {
        Scheme::Bearer | Scheme::Basic | Scheme::SigningKey => Ok(()),
        Scheme::Query { name } => query_name(at, name),
        Scheme::Header { name, prefix } => {
            if !is_token(name) || name.len() > 128 {
                return err(at, format!("`{}` is not a header name", name.escape_default()));
            }
            if is_reserved(name) && !name.eq_ignore_ascii_case("authorization") {
                return err(at, format!("`{name}` frames or routes the message; a secret cannot go there"));
            }
            if prefix.len() > 128 || !prefix.bytes().all(|b| (b' '..0x7f).contains(&b)) {
                return err(at, "the prefix must be at most 128 printable ASCII characters".to_owned());
            }
            Ok(())
        }
    }
}

fn err<T>(at: &str, problem: String) -> Result<T, DescriptorError> {
    Err(DescriptorError { at: at.to_owned(), problem })
}

fn count(at: &str, items: usize) -> Result<(), DescriptorError> {
    if items > MAX_ITEMS { err(at, format!("{items} of them; at most {MAX_ITEMS}")) } else { Ok(()) }
}

fn unique<'a>(seen: &mut BTreeSet<&'a str>, at: &str, name: &'a str) -> Result<(), DescriptorError> {
    if seen.insert(name) { Ok(()) } else { err(at, format!("`{name}` stands there twice")) }
}

fn identifier(at: &str, name: &str) -> Result<(), DescriptorError> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        return err(at, format!("`{}` is not 1 to 64 lower-case letters, digits and `-`", shorten(name)));
    }
    Ok(())
}

fn query_name(at: &str, name: &str) -> Result<(), DescriptorError> {
    if name.is_empty() || name.len() > 128 || !name.bytes().all(|b| (b'!'..0x7f).contains(&b)) {
        return err(at, format!("`{}` is not 1 to 128 printable ASCII characters", shorten(name)));
    }
    Ok(())
}

fn plain(at: &str, text: &str, most: usize) -> Result<(), DescriptorError> {
    if text.len() > most {
        return err(at, format!("{} bytes; at most {most}", text.len()));
    }
    if text.chars().any(|c| !is_plain(c) && c != '\n') {
        return err(at, "it holds control or invisible characters".to_owned());
    }
    Ok(())
}

fn shorten(text: &str) -> String {
    printable(text, 80)
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
            query: query.iter().map(|q| (*q).to_owned()).collect(),
            slot: slot.map(str::to_owned),
            request: None,
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
            config: "{}".into(),
            slots: vec![
                Slot {
                    name: "key".into(),
                    description: String::new(),
                    scheme: Scheme::Header { name: "X-Key".into(), prefix: String::new() },
                },
                Slot { name: "mac".into(), description: String::new(), scheme: Scheme::SigningKey },
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

    #[test]
    fn a_well_formed_descriptor_passes() {
        sample().check().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        type Spoil = fn(&mut Descriptor);
        let cases: &[(Spoil, &str)] = &[
            (|d| d.name = "Bad Name".into(), "name"),
            (|d| d.description = "\x1b[2J".into(), "description"),
            (|d| d.description = "\u{202e}evil".into(), "description"),
            (|d| d.version = "1\ncarve_outs = [\"169.254.169.254:80\"] #".into(), "version"),
            (|d| d.slots[1].name = "key".into(), "slots[1].name"),
            (|d| d.slots[0].scheme = Scheme::Header { name: "Host".into(), prefix: String::new() }, "slots[0].scheme"),
            (|d| d.slots[0].scheme = Scheme::Header { name: "a b".into(), prefix: String::new() }, "slots[0].scheme"),
            (|d| d.slots[0].scheme = Scheme::Header { name: "X".into(), prefix: "a\r\nb".into() }, "slots[0].scheme"),
            (|d| d.routes[0].url = "https://{host}/".into(), "routes[0].url"),
            (|d| d.routes[0].slot = Some("none".into()), "routes[0].slot"),
            (|d| d.routes[0].slot = Some("mac".into()), "routes[0].slot"),
            (|d| d.routes[1].id = "read-item".into(), "routes[1].id"),
            (|d| d.operations[0].routes = vec!["none".into()], "operations[0].routes"),
            (|d| d.operations[0].name = "a-b".into(), "operations[0].name"),
            (|d| d.operations[1].name = "readItem".into(), "operations[1].name"),
            (|d| d.config = "x".repeat(2 << 20), ""),
        ];
        for (spoil, at) in cases {
            let mut descriptor = sample();
            spoil(&mut descriptor);
            assert_eq!(descriptor.check().unwrap_err().at, *at);
        }
    }
}
