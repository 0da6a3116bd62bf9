//! The operator's ceiling: what no grant on this host goes beyond.
//!
//! One file for the whole host, written by who runs it; grants are written by who uses it. What the ceiling does not
//! mention it does not restrict, so an empty one changes nothing. A grant that asks for more keeps its rest: what is
//! above the ceiling is not open, and `explain` says so.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    address::CarveOut,
    limits::{Limits, LimitsError},
    method::Method,
    name::{NameError, check_full_name},
    printable,
    strict::{self, MAX_RULES_BYTES},
    template::Template,
    url::RequestUrl,
};

/// What no grant goes beyond.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// Origins that may be reached: `https://api.example.com`, or `https://*.example.com` for every name below that one.
    /// All, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<OriginPattern>>,
    /// Origins that may not, whatever `origins` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden_origins: Vec<OriginPattern>,
    /// Methods that may be used. All, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<Method>>,
    /// What grants may carve out of the address policy. Anything, where it is left out; nothing, where it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carve_outs: Option<Vec<AllowedCarveOut>>,
    /// The most that a limit may be, by its name in a grant's `[limits]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u64>,
    /// Another one that holds as well. No file says so: see [`Ceiling::and`].
    #[serde(skip)]
    also: Option<Box<Ceiling>>,
}

/// Addresses that grants may carve out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowedCarveOut {
    /// The addresses, as a grant's `carve_outs` writes them.
    pub addresses: CarveOut,
    /// The integrations whose grants may, each as `WORKSPACE/NAME`; the command's workspace is `local`. All, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrations: Option<Vec<String>>,
}

/// An origin, or all origins of one scheme and port below a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct OriginPattern {
    /// The origin; for `*.example.com`, that of `example.com`.
    origin: String,
    /// Whether it stands for the names below.
    below: bool,
}

/// What is wrong with a ceiling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeilingError {
    /// Not TOML or JSON of the right shape.
    #[error("the ceiling cannot be read: {0}")]
    Syntax(String),
    /// Too large.
    #[error("the ceiling has {0} bytes; at most {MAX_RULES_BYTES}")]
    TooLong(usize),
    /// Not an origin.
    #[error(
        "`{0}` is not an origin; write `https://api.example.com`, `https://api.example.com:8443` or `https://*.example.com`"
    )]
    Origin(String),
    /// No integration can be called that.
    #[error("`carve_outs[{index}].integrations`: {error}")]
    Integration {
        /// Which carve-out, from 0.
        index: usize,
        /// What is wrong.
        error: NameError,
    },
    /// No such limit.
    #[error("there is no limit `{0}`; the limits: {known}", known = Limits::NAMES.join(", "))]
    UnknownLimit(String),
    /// A limit out of range.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl Ceiling {
    /// Reads a ceiling from TOML, or from JSON where the text starts with `{`, and checks it.
    pub fn parse(text: &str) -> Result<Self, CeilingError> {
        if text.len() > MAX_RULES_BYTES {
            return Err(CeilingError::TooLong(text.len()));
        }
        let ceiling: Ceiling = strict::parse(text).map_err(|error| CeilingError::Syntax(error.to_string()))?;
        ceiling.check()?;
        Ok(ceiling)
    }

    /// Checks what the shape alone cannot say.
    pub fn check(&self) -> Result<(), CeilingError> {
        for (index, allowed) in self.carve_outs.iter().flatten().enumerate() {
            for full in allowed.integrations.iter().flatten() {
                check_full_name(full).map_err(|error| CeilingError::Integration { index, error })?;
            }
        }
        for (name, most) in &self.limits {
            if Limits::range(name).is_none() {
                return Err(CeilingError::UnknownLimit(printable(name, 80)));
            }
            Limits::check_one(name, *most)?;
        }
        Ok(())
    }

    /// This one and another one: nothing goes beyond either.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.also = Some(Box::new(match self.also.take() {
            Some(also) => also.and(other),
            None => other,
        }));
        self
    }

    /// Whether it restricts nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The most that a limit may be by all that hold.
    pub(crate) fn most(&self, name: &str) -> Option<u64> {
        let also = self.also.as_ref().and_then(|also| also.most(name));
        // 0 is no limit at all.
        let low = |most: &u64| if *most == 0 { u64::MAX } else { *most };
        self.limits.get(name).copied().into_iter().chain(also).min_by_key(low)
    }

    /// What it costs to hold one route against it, in units of work.
    pub(crate) fn weight(&self) -> u64 {
        let patterns = self.forbidden_origins.len() + self.origins.as_ref().map_or(0, Vec::len);
        let methods = self.methods.as_ref().map_or(0, Vec::len);
        1 + patterns as u64 + methods as u64 / 4 + self.also.as_ref().map_or(0, |also| also.weight())
    }

    /// What it costs to hold one carve-out against it.
    pub(crate) fn carve_outs_weight(&self) -> u64 {
        let names = |allowed: &AllowedCarveOut| 1 + allowed.integrations.as_ref().map_or(0, |names| names.len() as u64);
        let own = self.carve_outs.iter().flatten().map(names).sum::<u64>();
        1 + own + self.also.as_ref().map_or(0, |also| also.carve_outs_weight())
    }

    /// Why no route of this method and template is open, if none is.
    pub(crate) fn forbids(&self, method: Method, template: &Template) -> Option<String> {
        self.forbids_itself(method, template)
            .or_else(|| self.also.as_ref().and_then(|also| also.forbids(method, template)))
    }

    fn forbids_itself(&self, method: Method, template: &Template) -> Option<String> {
        let origin = template.origin();
        if let Some(pattern) = self.forbidden_origins.iter().find(|pattern| pattern.matches(origin)) {
            return Some(format!("`forbidden_origins` has {pattern}"));
        }
        if self.origins.as_ref().is_some_and(|origins| !origins.iter().any(|pattern| pattern.matches(origin))) {
            return Some(format!("`origins` has nothing for {origin}"));
        }
        if self.methods.as_ref().is_some_and(|methods| !methods.contains(&method)) {
            return Some(format!("`methods` leaves out {method}"));
        }
        None
    }

    /// Whether the grant of this integration may carve these addresses out.
    pub(crate) fn allows_carve_out(&self, carve_out: &CarveOut, integration: &str) -> bool {
        self.leaves(integration, |allowed| allowed.covers(carve_out))
    }

    /// Whether it may carve some address out at this port.
    pub(crate) fn allows_carve_out_of_port(&self, port: u16, integration: &str) -> bool {
        self.leaves(integration, |allowed| allowed.port().is_none_or(|own| own == port))
    }

    fn leaves(&self, integration: &str, is_it: impl Fn(&CarveOut) -> bool) -> bool {
        let mut all = std::iter::successors(Some(self), |ceiling| ceiling.also.as_deref());
        all.all(|ceiling| {
            let Some(allowed) = &ceiling.carve_outs else { return true };
            allowed.iter().any(|allowed| {
                let names = allowed.integrations.as_ref();
                names.is_none_or(|names| names.iter().any(|name| name == integration)) && is_it(&allowed.addresses)
            })
        })
    }

    /// The limits, each as low as this ceiling makes it.
    pub(crate) fn lower(&self, limits: &Limits) -> Limits {
        let mut lowered = limits.clone();
        self.limits.iter().for_each(|(name, most)| lowered.lower(name, *most));
        match &self.also {
            Some(also) => also.lower(&lowered),
            None => lowered,
        }
    }

    /// The JSON Schema of ceiling files.
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Ceiling);
        schema.insert("title".to_owned(), "Portcullis ceiling".into());
        schema.to_value()
    }
}

impl OriginPattern {
    /// Whether this origin, as [`RequestUrl::origin`] gives it, is one of them.
    fn matches(&self, origin: &str) -> bool {
        if !self.below {
            return origin == self.origin;
        }
        // `https://` and `example.com:8443` of the pattern round `api.` of the origin.
        let Some((scheme, rest)) = self.origin.split_once("://") else { return false };
        origin
            .strip_prefix(scheme)
            .and_then(|after| after.strip_prefix("://"))
            .and_then(|after| after.strip_suffix(rest))
            .is_some_and(|label| label.len() > 1 && label.ends_with('.'))
    }
}

impl FromStr for OriginPattern {
    type Err = CeilingError;

    fn from_str(text: &str) -> Result<Self, CeilingError> {
        let refuse = || CeilingError::Origin(printable(text, 200));
        let (scheme, rest) = text.split_once("://").ok_or_else(refuse)?;
        let (below, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
        let url = RequestUrl::parse(&format!("{scheme}://{rest}"), 512).map_err(|_| refuse())?;
        if rest.contains(['/', '?']) || (below && (url.address().is_some() || !url.host().contains('.'))) {
            return Err(refuse());
        }
        Ok(Self { origin: url.origin().to_owned(), below })
    }
}

impl TryFrom<String> for OriginPattern {
    type Error = CeilingError;

    fn try_from(text: String) -> Result<Self, CeilingError> {
        text.parse()
    }
}

impl From<OriginPattern> for String {
    fn from(pattern: OriginPattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin.split_once("://") {
            Some((scheme, rest)) if self.below => write!(f, "{scheme}://*.{rest}"),
            _ => f.write_str(&self.origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_refused_and_not_the_last_one_taken() {
        let told = Ceiling::parse(r#"{"limits": {"requests": 4, "requests": 1000}}"#).unwrap_err().to_string();
        assert!(told.contains("`/limits` has `requests` twice"), "{told}");
        let told = Ceiling::parse(r#"{"methods": ["GET"], "methods": ["GET", "POST"]}"#).unwrap_err().to_string();
        assert!(told.contains("has `methods` twice"), "{told}");
        assert!(Ceiling::parse("[limits]\nrequests = 4\nrequests = 1000\n").is_err());
    }

    const FULL: &str = r#"
        origins = ["https://api.example.com", "https://*.example.org:8443"]
        forbidden_origins = ["https://*.corp.example.org:8443"]
        methods = ["GET", "POST"]
        carve_outs = [{ addresses = "127.0.0.1:8025", integrations = ["acme/mail"] }, { addresses = "10.0.0.1:443" }]
        [limits]
        fuel = 5_000_000
    "#;

    fn forbids(ceiling: &Ceiling, method: Method, url: &str) -> Option<String> {
        ceiling.forbids(method, &Template::parse(url).unwrap())
    }

    #[test]
    fn an_empty_ceiling_changes_nothing() {
        let ceiling = Ceiling::parse("").unwrap();
        assert_eq!(ceiling, Ceiling::default());
        assert_eq!(forbids(&ceiling, Method::Delete, "https://any.example/x"), None);
        assert!(ceiling.allows_carve_out(&"10.0.0.1:80".parse().unwrap(), "any"));
        assert_eq!(ceiling.lower(&Limits::default()), Limits::default());
    }

    #[test]
    fn origins_and_methods_are_what_it_says() {
        let ceiling = Ceiling::parse(FULL).unwrap();
        let open = ["https://api.example.com/x", "https://a.example.org:8443/", "https://a.b.example.org:8443/x"];
        for url in open {
            assert_eq!(forbids(&ceiling, Method::Get, url), None, "{url}");
        }
        for url in [
            "https://other.example.com/",
            "http://api.example.com/",
            "https://api.example.com:444/",
            "https://example.org:8443/",
            "https://evilexample.org:8443/",
            "https://a.example.org/",
            "https://a.corp.example.org:8443/",
        ] {
            assert!(forbids(&ceiling, Method::Get, url).is_some(), "{url}");
        }
        assert!(forbids(&ceiling, Method::Delete, open[0]).unwrap().contains("`methods`"));
        assert!(
            forbids(&ceiling, Method::Get, "https://a.corp.example.org:8443/").unwrap().contains("`forbidden_origins`")
        );
    }

    #[test]
    fn an_origin_pattern_is_written_as_it_is_read() {
        for text in ["https://a.example", "https://*.a.example", "https://*.a.example:8443", "http://127.0.0.1:80"] {
            let pattern: OriginPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), text.trim_end_matches(":80"));
            assert_eq!(OriginPattern::try_from(String::from(pattern.clone())).unwrap(), pattern);
        }
        let matches = |pattern: &str, origin: &str| pattern.parse::<OriginPattern>().unwrap().matches(origin);
        assert!(
            matches("https://*.a.example", "https://x.a.example")
                && matches("https://*.a.example", "https://x.y.a.example")
        );
        for origin in [
            "https://a.example",
            "https://.a.example",
            "https://xa.example",
            "https://x.b.example",
            "http://x.a.example",
        ] {
            assert!(!matches("https://*.a.example", origin), "{origin}");
        }
        assert!(
            matches("https://*.a.example", "https://b.a.example")
                && !matches("https://a.example", "https://b.a.example")
        );
    }

    #[test]
    fn a_mebibyte_is_read_and_no_more() {
        let text = |length: usize| format!("#{}", "x".repeat(length - 1));
        assert_eq!(Ceiling::parse(&text(1 << 20)), Ok(Ceiling::default()));
        assert_eq!(Ceiling::parse(&text((1 << 20) + 1)), Err(CeilingError::TooLong((1 << 20) + 1)));
    }

    #[test]
    fn the_published_schema_knows_every_word() {
        let schema = Ceiling::json_schema().to_string();
        for word in ["origins", "forbidden_origins", "methods", "carve_outs", "limits", "Portcullis ceiling"] {
            assert!(schema.contains(word), "{word}");
        }
    }

    #[test]
    fn carve_outs_are_for_the_integrations_it_names() {
        let ceiling = Ceiling::parse(FULL).unwrap();
        let allows = |text: &str, integration| ceiling.allows_carve_out(&text.parse().unwrap(), integration);
        assert!(allows("127.0.0.1:8025", "acme/mail") && !allows("127.0.0.1:8025", "acme/other"));
        assert!(allows("10.0.0.1:443", "other") && !allows("10.0.0.1:80", "other") && !allows("10.0.0.2:443", "other"));
        assert!(!Ceiling::parse("carve_outs = []").unwrap().allows_carve_out(&"10.0.0.1:443".parse().unwrap(), "mail"));
    }

    #[test]
    fn of_two_ceilings_both_hold_whichever_comes_first() {
        let two = [
            FULL,
            "forbidden_origins = [\"https://api.example.com\"]\nmethods = [\"GET\"]\ncarve_outs = [{ addresses = \
             \"10.0.0.0/8:443\" }]\n[limits]\nfuel = 1_000_000\nrequests_per_second = 0",
        ];
        for (one, other) in [(two[0], two[1]), (two[1], two[0])] {
            let both = Ceiling::parse(one).unwrap().and(Ceiling::default()).and(Ceiling::parse(other).unwrap());
            assert!(forbids(&both, Method::Get, "https://api.example.com/x").is_some());
            assert!(forbids(&both, Method::Post, "https://a.example.org:8443/").is_some());
            assert_eq!(forbids(&both, Method::Get, "https://a.example.org:8443/"), None);
            let allows = |text: &str| both.allows_carve_out(&text.parse().unwrap(), "acme/mail");
            assert!(allows("10.0.0.1:443") && !allows("10.0.0.2:443") && !allows("127.0.0.1:8025"));
            assert_eq!((both.lower(&Limits::default()).fuel, both.most("fuel")), (1_000_000, Some(1_000_000)));
            assert_eq!((both.most("requests_per_second"), both.most("wall_ms")), (Some(0), None));
        }
        let hidden = serde_json::json!({"also": {"methods": []}}).to_string();
        assert!(Ceiling::parse(&hidden).unwrap_err().to_string().contains("also"), "no file says so");
    }

    #[test]
    fn limits_are_lowered_and_never_raised() {
        let ceiling = Ceiling::parse("[limits]\nfuel = 5_000_000\nwall_ms = 3_600_000").unwrap();
        let lowered = ceiling.lower(&Limits::default());
        assert_eq!(lowered, Limits { fuel: 5_000_000, ..Limits::default() });
        // 0 is no limit at all there, so it is the highest of all.
        let rate = |ceiling: &str, granted| {
            let limits = Limits { requests_per_second: granted, ..Limits::default() };
            Ceiling::parse(&format!("[limits]\nrequests_per_second = {ceiling}"))
                .unwrap()
                .lower(&limits)
                .requests_per_second
        };
        assert_eq!([rate("10", 0), rate("10", 5), rate("10", 20), rate("0", 20), rate("0", 0)], [10, 5, 10, 20, 0]);
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let ceiling = Ceiling::parse(FULL).unwrap();
        assert_eq!(Ceiling::parse(&serde_json::to_string(&ceiling).unwrap()).unwrap(), ceiling);
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_place() {
        for (from, to, names) in [
            ("methods", "method", "method"),
            ("\"GET\"", "\"TRACE\"", "TRACE"),
            ("fuel", "fuels", "no limit `fuels`"),
            ("5_000_000", "1", "limits.fuel"),
            ("https://api.example.com", "api.example.com", "`api.example.com` is not an origin"),
            ("https://api.example.com", "https://api.example.com/v1", "is not an origin"),
            ("https://api.example.com", "https://*.com", "is not an origin"),
            ("https://api.example.com", "https://*.*.example.com", "is not an origin"),
            ("https://api.example.com", "https://*.127.0.0.1", "is not an origin"),
            ("https://api.example.com", "https://a*.example.com", "is not an origin"),
            ("acme/mail", "mail", "`carve_outs[0].integrations`: `mail` is no name"),
            ("acme/mail", "@host/mail", "begin with `@`"),
        ] {
            let error = Ceiling::parse(&FULL.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
    }
}
