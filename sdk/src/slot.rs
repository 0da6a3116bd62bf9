//! Credential slots: which secrets an adapter needs and how the host puts them on the wire.

use crate::{
    bindings::portcullis::adapter::descriptor::{self, HeaderScheme, Scheme},
    describe::{Declare, Declared},
};

/// A named secret the adapter needs. A constant, or made from a config; the secret itself never reaches the adapter.
///
/// Names are lower-case letters, digits and `-`, 1 to 64 bytes, unique in the adapter; another name does not compile.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// const TOKEN: Slot = Slot::bearer("token").describe("An API token, from Settings, API.");
/// const KEY: Slot = Slot::header("key", "X-Api-Key").describe("The project's key.");
/// ```
///
/// ```compile_fail
/// use portcullis_sdk::prelude::*;
///
/// const TOKEN: Slot = Slot::bearer("API token");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    name: &'a str,
    description: &'a str,
    placement: Placement<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Placement<'a> {
    Bearer,
    Basic,
    Header { name: &'a str, prefix: &'a str },
    Query(&'a str),
    SigningKey,
}

impl<'a> Slot<'a> {
    /// `Authorization: Bearer SECRET` (RFC 6750, section 2.1).
    #[must_use]
    pub const fn bearer(name: &'a str) -> Self {
        Self::new(name, Placement::Bearer)
    }

    /// `Authorization: Basic base64(SECRET)`, where the secret is `user:password` (RFC 7617).
    #[must_use]
    pub const fn basic(name: &'a str) -> Self {
        Self::new(name, Placement::Basic)
    }

    /// A header of the provider's own: `header: SECRET`. See [`Slot::prefix`] for a word before the secret.
    #[must_use]
    pub const fn header(name: &'a str, header: &'a str) -> Self {
        Self::new(name, Placement::Header { name: header, prefix: "" })
    }

    /// A query parameter of this name. Only where a provider offers nothing better: URLs end up in logs.
    #[must_use]
    pub const fn query(name: &'a str, parameter: &'a str) -> Self {
        Self::new(name, Placement::Query(parameter))
    }

    /// A key for [`Context::sign`](crate::Context::sign) and [`Context::verify`](crate::Context::verify); it is never
    /// sent. List the constant in the operation's `uses`.
    #[must_use]
    pub const fn signing_key(name: &'a str) -> Self {
        Self::new(name, Placement::SigningKey)
    }

    /// Put before the secret in a header, as it is: `Slot::header("key", "Authorization").prefix("Token ")`.
    #[must_use]
    pub const fn prefix(mut self, prefix: &'a str) -> Self {
        let header = matches!(self.placement, Placement::Header { .. });
        assert!(header, "a prefix is for header slots; write Slot::header(name, header).prefix(…)");
        if let Placement::Header { name, .. } = self.placement {
            self.placement = Placement::Header { name, prefix };
        }
        self
    }

    /// One sentence for the operator: which secret, and where to find it.
    #[must_use]
    pub const fn describe(mut self, description: &'a str) -> Self {
        self.description = description;
        self
    }

    /// The slot's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    const fn new(name: &'a str, placement: Placement<'a>) -> Self {
        assert!(is_name(name), "a slot's name is 1 to 64 lower-case letters, digits and `-`, as in `server-token`");
        Self { name, description: "", placement }
    }
}

impl Declare for Slot<'_> {
    fn declare(&self, declared: &mut Declared) -> Option<String> {
        let scheme = match self.placement {
            Placement::Bearer => Scheme::Bearer,
            Placement::Basic => Scheme::Basic,
            Placement::Header { name, prefix } => {
                Scheme::Header(HeaderScheme { name: name.to_owned(), prefix: prefix.to_owned() })
            }
            Placement::Query(parameter) => Scheme::Query(parameter.to_owned()),
            Placement::SigningKey => Scheme::SigningKey,
        };
        declared.add_slot(descriptor::Slot {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            scheme,
        });
        None
    }
}

/// Whether this can name a slot, a route or an adapter: 1 to 64 lower-case letters, digits and `-`.
pub(crate) const fn is_name(name: &str) -> bool {
    let mut rest = name.as_bytes();
    if rest.is_empty() || rest.len() > 64 {
        return false;
    }
    while let [first, others @ ..] = rest {
        if !matches!(first, b'a'..=b'z' | b'0'..=b'9' | b'-') {
            return false;
        }
        rest = others;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_digits_and_hyphens() {
        for good in ["a", "server-token", "v2", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Server", "a_b", "a b", "é", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
