//! What an operator allows: a grant, written as TOML or JSON.
//!
//! A grant names an adapter by digest and lists concrete operations, routes and carve-outs. It is read strictly: an
//! unknown word is an error, because a misspelt limit that is silently ignored is a hole.

use std::{
    collections::{BTreeSet, HashSet},
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    address::{CarveOut, CarveOuts, judge_address},
    limits::{Limits, LimitsError},
    link::{self, LinkPlace},
    method::Method,
    parameter::{Parameter, ParameterError},
    query::OTHERS,
    strict::{self, MAX_RULES_BYTES},
    template::{Tail, Template, TemplateError},
    tokens,
};

/// A grant: the powers of one integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The adapter's digest: `sha256:` and 64 lower-case hex digits. The grant holds for these bytes and no others.
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub adapter: String,
    /// Names of the operations that may be called.
    #[serde(default)]
    pub operations: Vec<String>,
    /// Addresses that may be plain http or private: `127.0.0.1:8025`, `[::1]:80`, `10.1.0.0/16:443`, `10.1.0.0/16`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carve_outs: Vec<CarveOut>,
    /// Slots of scheme `signing-key` that may be used to sign and verify.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing: Vec<String>,
    /// The exchanges that may happen. Each must be declared by the adapter, and may be narrower than what it declares.
    #[serde(default)]
    pub routes: Vec<GrantedRoute>,
    /// Bounds other than the defaults.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
}

/// One exchange an operator allows. Where several routes allow a request, the first of them counts, with its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantedRoute {
    /// The method.
    pub method: Method,
    /// Concrete origin and path; a path segment may be `{name}` or `{name:digits(1..9)}`, which stands for one segment, and
    /// the last one `{name..}`, which stands for one or more.
    pub url: String,
    /// Query parameters that may be sent, with the values they may have. All others are refused. The name `*` stands for
    /// every name that is not listed, where the adapter declares `*`; a name that it declares beside `*` with fewer values
    /// must be listed here too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<Parameter>,
    /// Header fields that may be sent beside Accept, Accept-Language, Content-Type and User-Agent, with the values they
    /// may have; the one that holds an idempotency key is granted here like any other. All others are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Parameter>,
    /// The slots whose secrets are added: all that the declared route has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<String>,
    /// Makes it a route of links: it allows a URL only if the same origin wrote it in an answer of the same call, at one of
    /// these places: `rel=next` in a Link header field, or a JSON pointer such as `/links/next`. Only then may the URL end
    /// with `{name*}`, which stands for whatever follows, and for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkPlace>,
    /// The slot whose tokens the host itself asks for by this route. Such a route is open to no adapter, and has neither
    /// query, headers nor slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_for: Option<String>,
    /// Bounds of this route's own, below those of the call.
    #[serde(default, skip_serializing_if = "RouteLimits::is_none")]
    pub limits: RouteLimits,
}

/// Bounds of one route. Where one is not set, the call's holds; the lower of the two always does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteLimits {
    /// Requests by this route that a call may send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// Body of one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u32>,
    /// Body of one response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u32>,
    /// One request from its start to the response's last byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_ms: Option<u32>,
}

impl RouteLimits {
    /// The call's limits with those of this route, the lower of the two each.
    #[must_use]
    pub fn below(&self, call: &Limits) -> Limits {
        let mut limits = call.clone();
        self.named().for_each(|(name, value)| limits.lower(name, value.into()));
        limits
    }

    /// As TOML writes them: `requests = 3, response_bytes = 1000`.
    pub(crate) fn told(&self) -> String {
        self.named().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let all = [
            ("requests", self.requests),
            ("request_bytes", self.request_bytes),
            ("response_bytes", self.response_bytes),
            ("request_ms", self.request_ms),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    fn check(&self) -> Result<(), LimitsError> {
        self.named().try_for_each(|(name, value)| Limits::check_one(name, value.into()))
    }
}

/// What is wrong with a grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Not TOML or JSON of the right shape.
    #[error("the grant cannot be read: {0}")]
    Syntax(String),
    /// Too large.
    #[error("the grant has {0} bytes; at most {MAX_RULES_BYTES}")]
    TooLong(usize),
    /// Not a digest.
    #[error("`adapter` is `{0}`; write `sha256:` and 64 lower-case hex digits, as `portcullis inspect` prints them")]
    Digest(String),
    /// A route's URL.
    #[error("`routes[{index}].url`: {error}")]
    Url {
        /// Which route, from 0.
        index: usize,
        /// What is wrong.
        error: TemplateError,
    },
    /// A query parameter's or a header field's values.
    #[error("`routes[{index}]`: {error}")]
    Parameter {
        /// Which route, from 0.
        index: usize,
        /// What is wrong.
        error: ParameterError,
    },
    /// A route of links that cannot be one.
    #[error("`routes[{index}]`: {problem}")]
    Links {
        /// Which route, from 0.
        index: usize,
        /// What is wrong.
        problem: String,
    },
    /// Plain http without a carve-out.
    #[error(
        "`routes[{index}].url` is `{url}`, which is plain http; write https, or carve its address and port out: \
         `carve_outs = [\"ADDRESS:{port}\"]`"
    )]
    PlainHttp {
        /// Which route, from 0.
        index: usize,
        /// Its URL.
        url: String,
        /// Its port.
        port: u16,
    },
    /// A route for tokens with something that is a guest's to send.
    #[error(
        "`routes[{0}]`: a route with `token_for` is the host's own; leave `headers`, `slots` and `links` away, and name in `query` only \
         what the token URL itself has, each with its one value"
    )]
    TokenRoute(usize),
    /// A limit out of range.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl Grant {
    /// Reads a grant from TOML, or from JSON where the text starts with `{`, and checks it.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        if text.len() > MAX_RULES_BYTES {
            return Err(GrantError::TooLong(text.len()));
        }
        let grant: Grant = strict::parse(text).map_err(|error| GrantError::Syntax(error.to_string()))?;
        grant.check()?;
        Ok(grant)
    }

    /// The origins that the secret in a slot may be sent to: those of routes that add it, and of its token routes.
    pub fn origins_of(&self, slot: &str) -> BTreeSet<String> {
        let takes =
            |route: &&GrantedRoute| route.slots.iter().any(|of| of == slot) || route.token_for.as_deref() == Some(slot);
        let origin = |route: &GrantedRoute| Some(Template::parse(&route.url).ok()?.origin().to_owned());
        self.routes.iter().filter(takes).filter_map(origin).collect()
    }

    /// Checks what the shape alone cannot say.
    pub fn check(&self) -> Result<(), GrantError> {
        let hex = self.adapter.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(GrantError::Digest(self.adapter.clone()));
        }
        let ports: HashSet<Option<u16>> = self.carve_outs.iter().map(CarveOut::port).collect();
        for (index, route) in self.routes.iter().enumerate() {
            let template = Template::parse(&route.url).map_err(|error| GrantError::Url { index, error })?;
            let port = template.origin_url().port();
            let has_port = ports.contains(&None) || ports.contains(&Some(port));
            if template.origin_url().scheme() != "https" && !has_port {
                return Err(GrantError::PlainHttp { index, url: route.url.clone(), port });
            }
            route
                .query
                .iter()
                .chain(&route.headers)
                .try_for_each(Parameter::check_values)
                .map_err(|error| GrantError::Parameter { index, error })?;
            if route.headers.iter().any(|header| header.name == OTHERS) {
                return Err(GrantError::Parameter { index, error: ParameterError::AnyHeader });
            }
            if route.token_for.is_some()
                && !(route.query.iter().all(tokens::is_fixed)
                    && route.headers.is_empty()
                    && route.slots.is_empty()
                    && route.links.is_empty())
            {
                return Err(GrantError::TokenRoute(index));
            }
            let is_prefix = template.segments().1 == Tail::Any;
            if let Some(problem) = link::problem(&route.links, route.method, is_prefix) {
                return Err(GrantError::Links { index, problem });
            }
            route.limits.check()?;
        }
        Ok(self.limits.check()?)
    }

    /// The carve-outs that routes need: the address and port of each URL that names an address which is dialled under a
    /// carve-out alone, and the loopback address for plain http to `localhost`. And the ports for which only the operator
    /// knows the address, because a plain http URL names a host.
    pub fn needed_carve_outs(routes: &[GrantedRoute]) -> (Vec<CarveOut>, Vec<u16>) {
        let (mut needed, mut unknown): (Vec<CarveOut>, Vec<u16>) = (Vec::new(), Vec::new());
        let (mut known, mut ports) = (HashSet::new(), HashSet::new());
        for template in routes.iter().filter_map(|route| Template::parse(&route.url).ok()) {
            let url = template.origin_url();
            let (secure, port) = (url.scheme() == "https", url.port());
            let loopback = || (url.host() == "localhost").then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
            match url.address().or_else(loopback).filter(|_| !secure || url.address().is_some()) {
                Some(address) if judge_address(address, port, secure, &CarveOuts::default()).is_err() => {
                    let carve_out = CarveOut::new(IpNet::from(address), Some(port)).ok();
                    needed.extend(carve_out.filter(|carve_out| known.insert(*carve_out)));
                }
                Some(_) => {}
                None if secure => {}
                None => unknown.extend(ports.insert(port).then_some(port)),
            }
        }
        (needed, unknown)
    }

    /// The grant as TOML, to be written to a file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The JSON Schema of grant files.
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Grant);
        schema.insert("title".to_owned(), "Portcullis grant".into());
        schema.to_value()
    }
}

impl GrantedRoute {
    /// What it costs to look at the route once, or to copy it, in units of work.
    pub(crate) fn weight(&self) -> u64 {
        let lists = self.query.iter().chain(&self.headers).map(Parameter::weight).sum::<u64>();
        let names = self.slots.iter().map(|slot| 2 + slot.len() as u64 / 8).sum::<u64>();
        // Its URL is parsed.
        16 + self.url.len() as u64 / 2 + lists + names + 4 * self.links.len() as u64
    }

    /// The lines that would say this route in a TOML grant.
    pub fn to_toml_lines(&self) -> String {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut lines = format!("[[routes]]\nmethod = \"{}\"\nurl = {}\n", self.method, quote(&self.url));
        for (key, parameters) in [("query", &self.query), ("headers", &self.headers)] {
            if !parameters.is_empty() {
                let written: Vec<String> = parameters.iter().map(Parameter::to_toml).collect();
                lines += &format!("{key} = [{}]\n", written.join(", "));
            }
        }
        if !self.slots.is_empty() {
            let slots: Vec<String> = self.slots.iter().map(|slot| quote(slot)).collect();
            lines += &format!("slots = [{}]\n", slots.join(", "));
        }
        if !self.links.is_empty() {
            let places: Vec<String> = self.links.iter().map(|place| quote(&place.to_string())).collect();
            lines += &format!("links = [{}]\n", places.join(", "));
        }
        if let Some(slot) = &self.token_for {
            lines += &format!("token_for = {}\n", quote(slot));
        }
        if !self.limits.is_none() {
            lines += &format!("limits = {{ {} }}\n", self.limits.told());
        }
        lines
    }
}

fn is_default(limits: &Limits) -> bool {
    *limits == Limits::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        adapter = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        operations = ["send"]
        carve_outs = ["127.0.0.1:8025", "[::1]:80"]
        [[routes]]
        method = "POST"
        url = "https://api.example.com/send"
        slots = ["key", "other"]
        [[routes]]
        method = "GET"
        url = "http://localhost:8025/{id}"
        query = ["a", { name = "limit", shape = "digits(1..3)" }, "*"]
        headers = [{ name = "X-Mode", one_of = ["a", "b"] }]
        limits = { requests = 3, response_bytes = 1000 }
        [[routes]]
        method = "POST"
        url = "https://login.example.com/token"
        token_for = "key"
        [[routes]]
        method = "GET"
        url = "https://api.example.com/repositories/{link*}"
        links = ["rel=next", "/next"]
        query = ["*"]
        [limits]
        fuel = 5_000_000
    "#;

    #[test]
    fn toml_and_json_say_the_same() {
        let grant = Grant::parse(GOOD).unwrap();
        assert_eq!(grant.limits.fuel, 5_000_000);
        assert_eq!(Grant::parse(&serde_json::to_string(&grant).unwrap()).unwrap(), grant);
        assert_eq!(Grant::parse(&grant.to_toml()).unwrap(), grant);
        assert_eq!(grant.routes[1].limits.requests, Some(3));
        let lines: String = grant.routes.iter().map(GrantedRoute::to_toml_lines).collect();
        let again =
            Grant::parse(&format!("adapter = \"{}\"\ncarve_outs = [\"127.0.0.1:8025\"]\n{lines}", grant.adapter))
                .unwrap();
        assert_eq!(again.routes, grant.routes);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_at_every_depth() {
        let good = serde_json::to_string(&Grant::parse(GOOD).unwrap()).unwrap();
        for (from, to, told) in [
            ("{", "{\"operations\":[],", "the outermost object has `operations` twice"),
            ("\"fuel\":", "\"fuel\":10000,\"fuel\":", "`/limits` has `fuel` twice"),
            ("\"name\":\"limit\"", "\"name\":\"limit\",\"name\":\"x\"", "`/routes/1/query/1` has `name` twice"),
        ] {
            let error = Grant::parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_routes_limits_lower_the_calls_and_never_raise_them() {
        let own = RouteLimits { requests: Some(3), response_bytes: Some(u32::MAX), ..RouteLimits::default() };
        assert_eq!(own.below(&Limits::default()), Limits { requests: 3, ..Limits::default() });
    }

    #[test]
    fn what_is_unknown_or_unsafe_is_refused_with_its_place() {
        let cases = [
            ("fuel = 5_000_000", "fuels = 1", "fuels"),
            ("operations =", "operation =", "operation"),
            ("\"POST\"", "\"CONNECT\"", "CONNECT"),
            ("[::1]:80", "127.0.0.1", "carve_outs"),
            ("sha256:00", "sha256:zz", "sha256:"),
            ("fuel = 5_000_000", "fuel = 1", "limits.fuel"),
            ("localhost:8025", "localhost:8026", "8026"),
            ("/send", "/../send", "routes[0].url"),
            ("digits(1..3)", "int", "`int`"),
            ("[\"a\", \"b\"]", "[]", "routes[1]"),
            ("X-Mode", "*", "`routes[1]`: `*` stands for query parameters only"),
            ("requests = 3", "request = 3", "request"),
            ("requests = 3", "requests = 10_001", "limits.requests"),
            ("slots = [\"key\", \"other\"]", "slot = \"key\"", "unknown field `slot`"),
            ("slots = [\"key\", \"other\"]", "slot = \"key\"", "`slots`"),
            ("links = [\"rel=next\", \"/next\"]", "", "`routes[3]`: `{name*}` is for URLs that a provider writes"),
            ("\"/next\"", "\"next\"", "no place of a link"),
            ("\"/next\"", "\"rel=next\"", "`routes[3]`: the link's place `rel=next` stands there twice"),
            (
                "method = \"GET\"\n        url = \"https",
                "method = \"PUT\"\n        url = \"https",
                "`routes[3]`: a link is followed",
            ),
            (
                "token_for = \"key\"",
                "token_for = \"key\"\nlinks = [\"rel=next\"]",
                "`routes[2]`: a route with `token_for`",
            ),
            ("token_for = \"key\"", "token_for = \"key\"\nslots = [\"key\"]", "`routes[2]`: a route with `token_for`"),
            ("token_for = \"key\"", "token_for = \"key\"\nquery = [\"a\"]", "`routes[2]`: a route with `token_for`"),
            ("token_for = \"key\"", "token_for = \"key\"\nheaders = [\"X\"]", "`routes[2]`: a route with `token_for`"),
        ];
        for (from, to, names) in cases {
            let error = Grant::parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
    }

    #[test]
    fn the_published_schema_knows_every_word() {
        let schema = Grant::json_schema().to_string();
        for word in ["adapter", "operations", "carve_outs", "routes", "limits", "memory_bytes", "additionalProperties"]
        {
            assert!(schema.contains(&format!("\"{word}\"")), "{word}");
        }
        assert!(
            schema.contains("The name `*` stands for") && schema.contains("in a query, `*` stands for"),
            "{schema}"
        );
    }

    #[test]
    fn a_grant_for_all_holds_the_carve_outs_without_which_it_is_refused() {
        let route =
            |url: &str| -> GrantedRoute { toml::from_str(&format!("method = \"GET\"\nurl = \"{url}\"")).unwrap() };
        let routes = [
            "http://127.0.0.1:8080/a",
            "http://127.0.0.1:8080/b",
            "http://localhost:9/x",
            "https://10.0.0.1/x",
            "https://api.example.com/x",
            "http://[::1]/x",
        ];
        let (needed, unknown) = Grant::needed_carve_outs(&routes.map(route));
        let needed: Vec<String> = needed.iter().map(ToString::to_string).collect();
        assert_eq!(needed, ["127.0.0.1:8080", "127.0.0.1:9", "10.0.0.1:443", "[::1]:80"]);
        assert_eq!(unknown, Vec::<u16>::new());
        assert_eq!(Grant::needed_carve_outs(&[route("http://mail.internal:25/x")]).1, [25]);
    }
}
