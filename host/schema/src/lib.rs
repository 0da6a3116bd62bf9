//! JSON Schema for the host: compile once within bounds, validate without showing values, and make up answers from a
//! schema.
//!
//! **What it is.** [`Schema::compile`] takes the text of a JSON Schema (draft 2020-12) that a stranger wrote,
//! [`Schema::validate`] judges a value that a stranger sent, [`Schema::mock`] writes the answer that sandbox mode
//! gives in place of the network, and [`Schema::redact`] takes out of a value what nobody should read later. All four are
//! total: whatever the schema or the value, they end with an answer or a typed error, within bounds that are constants in
//! this crate.
//!
//! **What it is not.** It fetches nothing (a `$ref` reaches no further than its own document), knows no clock, no
//! disk and no randomness, and does not decide anything about requests; that is the gate.
//!
//! **Why it is more than a call to `jsonschema`.** A schema is a small program. Sixty definitions that each name the
//! next one twice take longer than the age of the universe to check, a few hundred nested references overflow a
//! thread's stack, and an ordinary error text quotes the value it complains about, which may be someone's medical
//! record. `bounds` counts the work before it is done, `validate` writes its own sentences.
//!
//! ```
//! use portcullis_schema::Schema;
//! let schema = Schema::compile(r#"{"type": "object", "properties": {"To": {"type": "string", "format": "email"}},
//!                                  "required": ["To"]}"#)?;
//! let violations = schema.validate(&serde_json::json!({})).unwrap_err();
//! assert_eq!(violations.to_string(), "at /To: is required");
//! let made_up = schema.mock(7).unwrap();
//! assert!(schema.validate(&made_up).is_ok());
//! # Ok::<(), portcullis_schema::SchemaError>(())
//! ```

mod bounds;
mod fields;
mod mock;
mod node;
mod redact;
mod validate;

use std::sync::{Arc, OnceLock};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

pub use fields::{Field, Fields};
pub use mock::{MAX_MOCK_BYTES, MAX_MOCK_NODES, MockError};
pub use redact::{MAX_PLACES, REDACTED, Redacted};
pub use validate::{MAX_VIOLATIONS, Violation, Violations};

/// Longest schema text that is read, in bytes (1 MiB).
pub const MAX_SCHEMA_BYTES: usize = 1024 * 1024;

/// The only `$schema` that is accepted (a trailing `#` is allowed). A schema that names none is read as this one.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Most memory one compiled `pattern` may take, in bytes.
const PATTERN_BYTES: usize = 512 * 1024;

/// Most patterns (`pattern` and the names under `patternProperties`) in one schema: each is a compiled program.
pub const MAX_PATTERNS: usize = 256;

/// Why a text is not a schema this host will use. Pointers are JSON Pointers (RFC 6901) into the schema; the empty
/// pointer, shown as `the root`, is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is longer than [`MAX_SCHEMA_BYTES`].
    #[error("the schema is {bytes} bytes long; at most {MAX_SCHEMA_BYTES} are read: split it, or drop unused `$defs`")]
    TooLarge {
        /// Length of the text in bytes.
        bytes: usize,
    },
    /// The text is not JSON, or nests deeper than the 128 levels that serde_json reads.
    #[error("the schema is not JSON that can be read: {reason}")]
    NotJson {
        /// What the JSON parser said, with line and column.
        reason: String,
    },
    /// `$schema` names another dialect, in the root or below it.
    #[error("`$schema` at {} is {found:?}; only draft 2020-12 is supported: \
             write \"{DIALECT}\" or leave it out", shown(.pointer))]
    Dialect {
        /// Where the `$schema` stands.
        pointer: String,
        /// What it says (shortened).
        found: String,
    },
    /// A `$ref` leaves the document.
    #[error("`$ref` at {} points outside the schema, to {reference:?}, and nothing is ever fetched: \
             copy the target into `$defs` and write \"#/$defs/<name>\"", shown(.pointer))]
    RemoteRef {
        /// Where the schema with the `$ref` stands.
        pointer: String,
        /// The reference (shortened).
        reference: String,
    },
    /// A `$ref` names a place that does not exist in the document.
    #[error("`$ref` at {} points to {reference:?}, which is not in the schema: \
             add it, or correct the pointer", shown(.pointer))]
    MissingRef {
        /// Where the schema with the `$ref` stands.
        pointer: String,
        /// The reference (shortened).
        reference: String,
    },
    /// A keyword that this host does not follow, because it changes what references mean.
    #[error("`{keyword}` at {} is not supported: \
             use `$ref` with a JSON pointer such as \"#/$defs/<name>\"", shown(.pointer))]
    Keyword {
        /// Where the schema with the keyword stands.
        pointer: String,
        /// The keyword.
        keyword: &'static str,
    },
    /// A schema applies itself to the same value again, without going into a property or an item.
    #[error("the schema at {} applies itself to the same value for ever: \
             put the reference under `properties` or `items`", shown(.pointer))]
    Endless {
        /// One schema on the circle.
        pointer: String,
    },
    /// Too many schemas apply to one and the same value, one inside the other.
    #[error("more than {limit} schemas are nested at {} for one value: \
             flatten `allOf` and chains of `$ref`", shown(.pointer))]
    TooDeep {
        /// Where the chain became too long.
        pointer: String,
        /// How many are allowed.
        limit: usize,
    },
    /// More than [`MAX_PATTERNS`] patterns.
    #[error("the schema holds {found} patterns; at most {MAX_PATTERNS} are compiled: share them through `$defs`")]
    TooManyPatterns {
        /// How many it holds.
        found: usize,
    },
    /// The document breaks the rules of JSON Schema, or holds a `pattern` that cannot be matched in linear time.
    #[error("the schema is not valid at {}: {reason}", shown(.pointer))]
    Invalid {
        /// Where in the schema.
        pointer: String,
        /// What is wrong (shortened).
        reason: String,
    },
}

/// A compiled JSON Schema. `Send`, `Sync`, and cheap to clone: clones share one compiled form.
#[derive(Clone)]
pub struct Schema {
    inner: Arc<Inner>,
}

struct Inner {
    value: Value,
    validator: Validator,
    shape: bounds::Shape,
    patterns: usize,
    /// What it marks as sensitive, once somebody has asked; none where that is nothing.
    marks: OnceLock<Option<redact::Marks>>,
}

impl Schema {
    /// Compiles the text of a JSON Schema, draft 2020-12.
    ///
    /// Bounds: [`MAX_SCHEMA_BYTES`] of text; 128 levels of JSON; references by JSON pointer within the document only
    /// (`#`, `#/$defs/…`, `#/definitions/…`, any other); patterns that match in linear time (no look-around, no
    /// back-references). `format` is an annotation in draft 2020-12: it is not asserted by [`Schema::validate`], and
    /// it guides [`Schema::mock`].
    ///
    /// Takes text and not a [`Value`]: the parser's nesting limit is what keeps the compiler's stack bounded.
    ///
    /// # Errors
    /// A [`SchemaError`] naming the rule, the place in the schema and, where there is one, what to write instead.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_SCHEMA_BYTES {
            return Err(SchemaError::TooLarge { bytes: text.len() });
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| SchemaError::NotJson { reason: error.to_string() })?;
        let (shape, patterns) = bounds::inspect(&value)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
            .build(&value)
            .map_err(|error| SchemaError::Invalid {
                // The "instance" here is the schema itself, so this is the place in the schema.
                pointer: error.instance_path().to_string(),
                reason: node::short(&error.masked().to_string()),
            })?;
        Ok(Self { inner: Arc::new(Inner { value, validator, shape, patterns, marks: OnceLock::new() }) })
    }

    /// How many patterns it compiles, those of names twice: each takes up to 512 KiB. Whoever compiles many schemas of one
    /// stranger adds them up.
    #[must_use]
    pub fn patterns(&self) -> usize {
        self.inner.patterns
    }

    /// The schema as it was parsed, for descriptors and documentation.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.inner.value
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").field("value", &self.inner.value).finish_non_exhaustive()
    }
}

/// A pointer for a reader: the empty one is easy to overlook in a sentence.
fn shown(pointer: &str) -> &str {
    if pointer.is_empty() { "the root" } else { pointer }
}
