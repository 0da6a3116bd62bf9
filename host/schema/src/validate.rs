//! Judging a value: yes or no first, and the reasons only when it is no.
//!
//! Reasons name places and rules, never values: what is being judged may be a patient record or hold a token.
//! Property *names* do show, shortened, because "at /Too: is not a known property" is what finds a typo; do not use
//! secrets as property names.

use std::fmt;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::bounds::{self, Cost};
use crate::{Schema, node};

/// Most violations that one [`Violations`] lists.
pub const MAX_VIOLATIONS: usize = 5;

/// One rule that a value breaks. Holds no part of the value but property names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer into the value. For a missing property, the pointer it would have; the empty one is the whole.
    pub at: String,
    /// JSON Pointer into the schema, to the keyword that was broken.
    pub rule: String,
    /// The keyword, for example `required`; `bound` when the value was too costly to check.
    pub keyword: String,
    /// What is wrong, without the value.
    pub message: String,
}

/// Why a value does not match: at least one and at most [`MAX_VIOLATIONS`], in the schema's order.
///
/// Displays as one line: `at /To: is required; at /Tag: is longer than 5 characters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    list: Vec<Violation>,
    more: bool,
}

impl Violations {
    /// The violations.
    #[must_use]
    pub fn as_slice(&self) -> &[Violation] {
        &self.list
    }

    /// Whether there were more than are listed.
    #[must_use]
    pub fn more(&self) -> bool {
        self.more
    }
}

impl std::error::Error for Violations {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the top level" } else { &self.at };
        write!(f, "at {at}: {}", self.message)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.list.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            violation.fmt(f)?;
        }
        if self.more { f.write_str("; and more") } else { Ok(()) }
    }
}

impl Schema {
    /// Checks `value`. A valid, ordinary value costs one pass and no allocation.
    ///
    /// `value` must come from a parser that limits nesting (serde_json's own 128 levels), as all JSON in the host does.
    ///
    /// # Errors
    /// [`Violations`]: what is wrong where, without values. Also when checking would take more than two million visits
    /// of a schema to a part of the value (keyword `bound`): what cannot be checked is not valid.
    pub fn validate(&self, value: &Value) -> Result<(), Violations> {
        let root = &self.inner.value;
        let cost = bounds::cost(root, self.inner.shape, value);
        if cost == Cost::Refused {
            return Err(one("bound", "is too large or too deep to be checked against this schema"));
        }
        if self.inner.validator.is_valid(value) {
            return Ok(());
        }
        if cost != Cost::Explainable && !bounds::explainable(root, value) {
            return Err(one("bound", "does not match the schema, and is too large to say where"));
        }
        let mut errors = self.inner.validator.iter_errors(value);
        let list: Vec<_> = errors.by_ref().take(MAX_VIOLATIONS).map(|error| describe(&error)).collect();
        if list.is_empty() {
            return Err(one("bound", "does not match the schema"));
        }
        Err(Violations { list, more: errors.next().is_some() })
    }
}

fn one(keyword: &str, message: &str) -> Violations {
    let violation =
        Violation { at: String::new(), rule: String::new(), keyword: keyword.into(), message: message.into() };
    Violations { list: vec![violation], more: false }
}

fn describe(error: &ValidationError<'_>) -> Violation {
    let kind = error.kind();
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = kind
        && let Some(violation) = of_branches(error, context)
    {
        return violation;
    }
    let mut at = error.instance_path().to_string();
    let message = match kind {
        Kind::Required { property } => {
            at = node::join(&at, property.as_str().unwrap_or_default());
            "is required".to_owned()
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            match unexpected.as_slice() {
                [only] => {
                    at = node::join(&at, only);
                    "is not a known property".to_owned()
                }
                many => format!("has unknown properties: {}", many.join(", ")),
            }
        }
        // The library shows the offending name in full through the inner error.
        Kind::PropertyNames { .. } => "has a property name that is not allowed".to_owned(),
        Kind::FalseSchema => "is not allowed here".to_owned(),
        Kind::Not { .. } => "matches what `not` excludes".to_owned(),
        // Byte offsets into the value are about the value.
        Kind::FromUtf8 { .. } => "is not UTF-8 text once decoded".to_owned(),
        _ => {
            let masked = error.masked_with("").to_string();
            masked.strip_prefix(' ').map_or_else(|| masked.clone(), str::to_owned)
        }
    };
    violation(error, &at, &message)
}

/// What is wrong where none of several schemas fits: the values that there are, or what the one that was meant says. None
/// where nothing tells which one that was.
fn of_branches(error: &ValidationError<'_>, branches: &[Vec<ValidationError<'_>>]) -> Option<Violation> {
    let here = error.instance_path();
    let is_other_type =
        |error: &ValidationError<'_>| matches!(error.kind(), Kind::Type { .. }) && error.instance_path() == here;
    let branches: Vec<_> = branches.iter().filter(|errors| !errors.iter().any(is_other_type)).collect();
    let constant = |error: &ValidationError<'_>| match error.kind() {
        Kind::Constant { expected_value } => Some((error.instance_path().to_string(), expected_value.to_string())),
        _ => None,
    };
    let constants: Vec<_> = branches.iter().filter_map(|errors| errors.iter().find_map(constant)).collect();
    let mut meant = branches.iter().filter(|errors| !errors.iter().any(|error| constant(error).is_some()));
    match (meant.next(), meant.next()) {
        (Some(only), None) => only.first().map(describe),
        (None, None) => {
            let (at, _) = constants.first()?;
            if constants.iter().any(|(other, _)| other != at) {
                return None;
            }
            let values: Vec<_> = constants.iter().map(|(_, value)| value.as_str()).collect();
            Some(violation(error, at, &format!("is not one of {}", values.join(", "))))
        }
        _ => None,
    }
}

fn violation(error: &ValidationError<'_>, at: &str, message: &str) -> Violation {
    Violation {
        at: node::short(at),
        rule: node::short(&error.schema_path().to_string()),
        keyword: node::short(error.kind().keyword()),
        message: node::short(message),
    }
}
