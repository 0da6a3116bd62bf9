//! Whether a request may be sent again when it is not known what became of it.

use serde::{Deserialize, Serialize};

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
