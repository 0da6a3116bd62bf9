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
//! record. `plan` and `price` count the work before it is done, `validate` writes its own sentences.
//!
//! **Whose budget.** Each of the four has a price in units of `portcullis_gate::Work`, and a form `…_within` that charges a
//! budget which is shared with other work. The plain form has a budget of its own.
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

mod decimal;
mod exact;
mod fields;
mod json;
mod mock;
mod node;
mod patterns;
mod places;
mod plan;
mod price;
mod redact;
mod unique;
mod validate;
mod words;

use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Validator};
use portcullis_gate::{Spent, Work};
use serde_json::Value;

pub use fields::{Field, Fields};
pub use json::{Json, JsonError};
pub use mock::{MAX_MOCK_BYTES, MAX_MOCK_NODES, MockError, NoMock};
pub use redact::{MAX_PLACES, REDACTED, Redacted};
pub use validate::{Invalid, MAX_VIOLATIONS, Violation, Violations};

/// Longest schema text that is read, in bytes (1 MiB).
pub const MAX_SCHEMA_BYTES: usize = 1024 * 1024;

/// The only `$schema` that is accepted (a trailing `#` is allowed). A schema that names none is read as this one.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Units of work for compiling one schema, where nobody else's budget is charged: a second at most.
const COMPILE_WORK: u64 = 20_000_000;
/// Units of work for judging or redacting one value, where nobody else's budget is charged.
const VALUE_WORK: u64 = 2_000_000;

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
    /// The JSON pointer of a schema is too long, because names above it are.
    #[error("the JSON pointer of the schema at {pointer} is longer than {limit} bytes: use shorter names")]
    LongPointer {
        /// The pointer (shortened).
        pointer: String,
        /// How many bytes it may have.
        limit: usize,
    },
    /// Compiling it is too much work.
    #[error("compiling the schema is more work than is allowed ({} units): make it smaller, and nest \
             `unevaluatedProperties` and `unevaluatedItems` less", .0.limit)]
    Work(Spent),
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
    plan: plan::Plan,
    /// What it marks as sensitive; none where that is nothing.
    marks: Option<redact::Marks>,
}

impl Schema {
    /// Compiles the text of a JSON Schema, draft 2020-12.
    ///
    /// Bounds: [`MAX_SCHEMA_BYTES`] of text; 128 levels of JSON; references by JSON pointer within the document only
    /// (`#`, `#/$defs/…`, `#/definitions/…`, any other), none longer than 4 KiB; patterns that match in linear time (no
    /// look-around, no back-references) and take at most 64 KiB when compiled; a second of work. `format` is an annotation in draft 2020-12: it is not asserted by [`Schema::validate`], and
    /// it guides [`Schema::mock`].
    ///
    /// Takes text and not a [`Value`]: the parser's nesting limit is what keeps the compiler's stack bounded.
    ///
    /// # Errors
    /// A [`SchemaError`] naming the rule, the place in the schema and, where there is one, what to write instead.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        Self::compile_within(text, &Work::new(COMPILE_WORK))
    }

    /// The same, with the work charged to this budget.
    ///
    /// # Errors
    /// As [`Schema::compile`], and [`SchemaError::Work`] when the budget does not suffice.
    pub fn compile_within(text: &str, work: &Work) -> Result<Self, SchemaError> {
        if text.len() > MAX_SCHEMA_BYTES {
            return Err(SchemaError::TooLarge { bytes: text.len() });
        }
        work.charge(node::as_u64(text.len()) / 16)?;
        let value: Value =
            serde_json::from_str(text).map_err(|error| SchemaError::NotJson { reason: error.to_string() })?;
        let plan = plan::Plan::of(&value, work)?;
        let patterns = PatternOptions::regex().size_limit(patterns::REGEX_BYTES).dfa_size_limit(patterns::STATES_BYTES);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(patterns)
            .with_keyword("uniqueItems", |_, asked, _| {
                Ok(Box::new(unique::Unique { asked: *asked == Value::Bool(true) }))
            })
            .build(&value)
            .map_err(|error| SchemaError::Invalid {
                // The "instance" here is the schema itself, so this is the place in the schema.
                pointer: error.instance_path().to_string(),
                reason: node::short(&error.masked().to_string()),
            })?;
        let marks = redact::Marks::of(&value, &plan.patterns);
        Ok(Self { inner: Arc::new(Inner { value, validator, plan, marks }) })
    }

    /// How many patterns it compiles, those of names twice: each takes up to 512 KiB. Whoever compiles many schemas of one
    /// stranger adds them up.
    #[must_use]
    pub fn patterns(&self) -> usize {
        self.inner.plan.pattern_count
    }

    /// Whether judging `value` is quick enough to be done where others wait: some milliseconds at most.
    #[must_use]
    pub fn is_quick(&self, value: &Value) -> bool {
        self.inner.plan.quick(value).is_some()
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
