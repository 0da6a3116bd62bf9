//! Whether a request may be sent again when it is not known what became of it.

use serde::{Deserialize, Serialize};

use crate::{
    header::Header,
    parameter::{Parameter, Values},
    shape::Shape,
};

/// What the adapter says about sending a request of a route twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// It is sent once, whatever happens.
    #[default]
    Never,
    /// Twice is the same as once (RFC 9110, section 9.2.2).
    Idempotent,
    /// Twice is the same as once where the request carries this header field, as an `Idempotency-Key`.
    WithKey(String),
}

/// Longest value of a key, in bytes.
const MAX_KEY: u32 = 255;

impl Repeat {
    /// The header field that holds the key, with the values that it may have. It is granted like any other.
    pub(crate) fn key(&self) -> Option<Parameter> {
        match self {
            Repeat::WithKey(name) => {
                let values = Values::Shape(Shape::text(1, MAX_KEY));
                Some(Parameter { name: name.clone(), values })
            }
            Repeat::Never | Repeat::Idempotent => None,
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
