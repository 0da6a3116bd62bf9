//! Judging a value: yes or no first, and the reasons only when it is no.
//!
//! Reasons name places and rules, never values: what is being judged may be a patient record or hold a token.
//! Property *names* do show, shortened, because "at /Too: is not a known property" is what finds a typo; do not use
//! secrets as property names.

use std::fmt;

use portcullis_gate::{Spent, Work};
use serde_json::Value;

use crate::{Schema, price::TooMuch, words::describe};

/// Most violations that one [`Violations`] lists.
pub const MAX_VIOLATIONS: usize = 5;
/// Most units that collecting violations may cost: the validator allocates there. Where it is more, none are collected.
const MAX_REASONS: u64 = 10_000;
/// So many times its price in visits is what collecting costs.
const REASONS: u64 = 8;

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

/// Why a value was not found to be valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not.
    #[error(transparent)]
    Violations(#[from] Violations),
    /// Whether it is would cost more work than is left.
    #[error(transparent)]
    Work(#[from] Spent),
}

impl Invalid {
    /// As a violation, where nobody knows of the budget: what cannot be checked is not valid.
    pub(crate) fn into_violations(self) -> Violations {
        match self {
            Invalid::Violations(violations) => violations,
            Invalid::Work(_) => one("bound", TOO_LARGE),
        }
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
    /// [`Violations`]: what is wrong where, without values. Also when checking would cost more than two million units of
    /// work (keyword `bound`): what cannot be checked is not valid.
    pub fn validate(&self, value: &Value) -> Result<(), Violations> {
        self.validate_within(value, &Work::new(crate::VALUE_WORK)).map_err(Invalid::into_violations)
    }

    /// The same, with the work charged to this budget before it is done.
    ///
    /// # Errors
    /// [`Invalid::Violations`] as [`Schema::validate`], and [`Invalid::Work`] when the budget does not suffice.
    pub fn validate_within(&self, value: &Value, work: &Work) -> Result<(), Invalid> {
        let plan = &self.inner.plan;
        let price = match plan.quick(value) {
            Some(bound) => bound,
            None => self.counted(plan.price(value, work.left()), work)?,
        };
        work.charge(price)?;
        if self.inner.validator.is_valid(value) {
            return Ok(());
        }
        let most = MAX_REASONS.min(work.left() / REASONS);
        let Ok(price) = plan.price_of_reasons(value, most) else {
            return Err(one("bound", "does not match the schema, and is too large to say where").into());
        };
        work.charge(price.saturating_mul(REASONS))?;
        let mut errors = self.inner.validator.iter_errors(value);
        let list: Vec<_> =
            errors.by_ref().take(MAX_VIOLATIONS).map(|error| describe(&self.inner.value, &error)).collect();
        if list.is_empty() {
            return Err(one("bound", "does not match the schema").into());
        }
        Err(Violations { list, more: errors.next().is_some() }.into())
    }

    /// A price, or why there is none. What counting it cost is charged with it, or instead of it.
    fn counted(&self, price: Result<u64, TooMuch>, work: &Work) -> Result<u64, Invalid> {
        match price {
            Ok(price) => Ok(price.saturating_mul(2)),
            Err(TooMuch::Depth) => Err(one("bound", TOO_LARGE).into()),
            Err(TooMuch::Units) => Err(work.charge(u64::MAX).err().unwrap_or(work.spent()).into()),
        }
    }
}

const TOO_LARGE: &str = "is too large or too deep to be checked against this schema";

fn one(keyword: &str, message: &str) -> Violations {
    let violation =
        Violation { at: String::new(), rule: String::new(), keyword: keyword.into(), message: message.into() };
    one_violation(violation)
}

pub(crate) fn one_violation(violation: Violation) -> Violations {
    Violations { list: vec![violation], more: false }
}
