//! What an operator allows: a grant, written as TOML or JSON.
//!
//! A grant names an adapter by digest and lists concrete operations, routes and carve-outs. It is read strictly: an
//! unknown word is an error, because a misspelt limit that is silently ignored is a hole.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    address::CarveOuts,
    limits::{Limits, LimitsError},
    method::Method,
    template::{Template, TemplateError},
};

/// Largest grant file, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

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
    /// Origins that may be plain http or have private addresses, each by address and port: `127.0.0.1:8025`, `[::1]:80`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub carve_outs: Vec<SocketAddr>,
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

/// One exchange an operator allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantedRoute {
    /// The method.
    pub method: Method,
    /// Concrete origin and path; a path segment may be `{name}`, which stands for one non-empty segment.
    pub url: String,
    /// Query parameters that may be sent. All others are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// The slot whose secret is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
}

/// What is wrong with a grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Not TOML or JSON of the right shape.
    #[error("the grant cannot be read: {0}")]
    Syntax(String),
    /// Too large.
    #[error("the grant has {0} bytes; at most {MAX_BYTES}")]
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
    /// A limit out of range.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl Grant {
    /// Reads a grant from TOML, or from JSON where the text starts with `{`, and checks it.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        if text.len() > MAX_BYTES {
            return Err(GrantError::TooLong(text.len()));
        }
        let grant: Grant = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| GrantError::Syntax(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| GrantError::Syntax(error.to_string()))?
        };
        grant.check()?;
        Ok(grant)
    }

    /// Checks what the shape alone cannot say.
    pub fn check(&self) -> Result<(), GrantError> {
        let hex = self.adapter.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(GrantError::Digest(self.adapter.clone()));
        }
        for (index, route) in self.routes.iter().enumerate() {
            let template = Template::parse(&route.url).map_err(|error| GrantError::Url { index, error })?;
            let port = template.origin_url().port();
            if template.origin_url().scheme() != "https" && !self.carve_outs.iter().any(|c| c.port() == port) {
                return Err(GrantError::PlainHttp { index, url: route.url.clone(), port });
            }
        }
        Ok(self.limits.check()?)
    }

    /// The carve-outs, as the address policy takes them.
    pub fn carve_outs(&self) -> CarveOuts {
        CarveOuts::new(&self.carve_outs)
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
    /// The lines that would say this route in a TOML grant.
    pub fn to_toml_lines(&self) -> String {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut lines = format!("[[routes]]\nmethod = \"{}\"\nurl = {}\n", self.method, quote(&self.url));
        if !self.query.is_empty() {
            let names: Vec<String> = self.query.iter().map(|name| quote(name)).collect();
            lines += &format!("query = [{}]\n", names.join(", "));
        }
        if let Some(slot) = &self.slot {
            lines += &format!("slot = {}\n", quote(slot));
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
        slot = "key"
        [[routes]]
        method = "GET"
        url = "http://localhost:8025/{id}"
        query = ["a"]
        [limits]
        fuel = 5_000_000
    "#;

    #[test]
    fn toml_and_json_say_the_same() {
        let grant = Grant::parse(GOOD).unwrap();
        assert_eq!(grant.limits.fuel, 5_000_000);
        assert_eq!(Grant::parse(&serde_json::to_string(&grant).unwrap()).unwrap(), grant);
        assert_eq!(Grant::parse(&grant.to_toml()).unwrap(), grant);
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
    }
}
