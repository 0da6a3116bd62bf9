//! Whether a request may be sent again when it is not known what became of it.

use serde::{Deserialize, Serialize};

use crate::{header::Header, method::Method};

/// What a route says about sending the same request twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Twice is not once.
    Never,
    /// Twice does what once does (RFC 9110, section 9.2.2).
    Idempotent,
    /// Twice does what once does if the request carries this header field, in lower case: the provider's idempotency key.
    WithKey(String),
}

impl Repeat {
    /// What the method alone says.
    pub fn of_method(method: Method) -> Self {
        match method {
            Method::Get | Method::Head | Method::Put | Method::Delete | Method::Options => Repeat::Idempotent,
            Method::Post | Method::Patch => Repeat::Never,
        }
    }

    /// Whether a request with these header fields may be sent again.
    pub fn allows(&self, headers: &[Header]) -> bool {
        match self {
            Repeat::Never => false,
            Repeat::Idempotent => true,
            Repeat::WithKey(name) => {
                headers.iter().any(|header| header.name.eq_ignore_ascii_case(name) && !header.value.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_allows_only_what_carries_it() {
        let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
        let repeat = Repeat::WithKey("idempotency-key".into());
        assert!(repeat.allows(&[header("a", "b"), header("Idempotency-Key", "1")]));
        assert!(!repeat.allows(&[header("Idempotency-Key", "")]) && !repeat.allows(&[header("key", "1")]));
        assert!(!Repeat::Never.allows(&[header("idempotency-key", "1")]) && Repeat::Idempotent.allows(&[]));
    }
}
