//! Made-up answers: a value that a schema allows, written from the schema and a seed alone.
//!
//! This is what sandbox mode answers with, so it must be plausible to a reader, the same every time for the same
//! schema and seed, and valid: the result is checked with the compiled validator before it is handed out. It is not a
//! fuzzer (it does not look for corners) and not a solver: a schema whose rules only meet by luck ends in a
//! [`MockError`] that says where to write `examples`.
//!
//! How: `value` picks by preference (`examples`, `default`, `const`, `enum`, then type), `merge` makes one schema of
//! `$ref`, `allOf` and the chosen branches, `container` fills objects and arrays, `text` and `number` write the
//! leaves, `pattern` writes a string for a regular expression.

mod container;
mod merge;
mod number;
mod pattern;
mod rng;
mod text;
mod value;

use std::collections::BTreeSet;

use portcullis_gate::{Spent, Work};
use serde_json::Value;

use crate::{
    Schema,
    node::{self, as_u64},
    validate::Invalid,
};
use pattern::{Patterns, UNITS_PER_STEP};
use rng::Rng;
use value::Maker;

/// Most bytes of text (strings and property names) in a made-up value: 64 KiB.
pub const MAX_MOCK_BYTES: usize = 64 * 1024;

/// Most values (objects, arrays, strings …) in a made-up value.
pub const MAX_MOCK_NODES: usize = 10_000;

/// How deep optional properties are still filled in, try by try: if the full answer does not work out, a smaller one
/// may. Each try also makes other choices.
const FILL_DEPTH: [usize; 10] = [5, 5, 4, 3, 2, 2, 1, 1, 0, 0];

/// Most steps (schemas looked at, parts of schemas copied, characters tried) in all tries together: under a second.
const MAX_STEPS: usize = 1_000_000;

/// Units of work where nobody else's budget is charged.
const MOCK_WORK: u64 = 20_000_000;

/// No valid value was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot make up a value for the schema at {}: {why}; add \"examples\": [ … ] there", crate::shown(.pointer))]
pub struct MockError {
    /// JSON Pointer into the schema, to where an example would help.
    pub pointer: String,
    /// What was in the way.
    pub why: String,
}

/// Why there is no made-up value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMock {
    /// None was found.
    #[error(transparent)]
    Hard(#[from] MockError),
    /// Finding one costs more work than is left.
    #[error(transparent)]
    Work(#[from] Spent),
}

impl Schema {
    /// Makes up a value that this schema allows. The same schema and seed always give the same value, bit for bit.
    ///
    /// Preferred are `examples` (which one: by seed), `default`, `const` and `enum`; then a value by type, `format`
    /// and property name. Optional properties are filled in down to a depth. Dates come from the seed, not a clock.
    /// At most [`MAX_MOCK_NODES`] values and [`MAX_MOCK_BYTES`] bytes of text.
    ///
    /// # Errors
    /// [`MockError`], naming the place in the schema that needs an example. Never an invalid value.
    pub fn mock(&self, seed: u64) -> Result<Value, MockError> {
        match self.mock_within(seed, &Work::new(MOCK_WORK)) {
            Ok(value) => Ok(value),
            Err(NoMock::Hard(error)) => Err(error),
            Err(NoMock::Work(spent)) => Err(MockError { pointer: String::new(), why: spent.to_string() }),
        }
    }

    /// The same, with the work charged to this budget.
    ///
    /// # Errors
    /// [`NoMock::Hard`] as [`Schema::mock`], and [`NoMock::Work`] when the budget does not suffice.
    pub fn mock_within(&self, seed: u64, work: &Work) -> Result<Value, NoMock> {
        let affordable = usize::try_from(work.left() / UNITS_PER_STEP).unwrap_or(usize::MAX);
        let mut left = MAX_STEPS.min(affordable);
        let before = left;
        let made = self.tries(seed, &mut left, work);
        let used = work.charge(as_u64(before - left).saturating_mul(UNITS_PER_STEP));
        match made {
            Some(made) => used.map_err(NoMock::Work).and(made),
            None => {
                // Whoever paid for more steps would get another value, and a seed has one value alone.
                let _ = work.charge(u64::MAX);
                Err(NoMock::Work(work.spent()))
            }
        }
    }

    /// What comes of several tries; none where one of them ran out of steps because no more could be paid for.
    fn tries(&self, seed: u64, left: &mut usize, work: &Work) -> Option<Result<Value, NoMock>> {
        let is_short = *left < MAX_STEPS;
        let mut unhelpful = BTreeSet::new();
        let mut patterns = Patterns::new(&self.inner.plan.patterns);
        let mut last = None;
        for (attempt, fill) in FILL_DEPTH.into_iter().enumerate() {
            let rng = Rng::new(seed).child(&attempt.to_string());
            // Half of what is left for each try: the first ones are the best ones, and all end together.
            let mut steps = *left / 2;
            *left -= steps;
            let made = {
                let maker = Maker::new(&self.inner.value, &unhelpful, fill, &mut steps, &mut patterns);
                maker.make_root(rng)
            };
            *left += steps;
            if is_short && steps == 0 {
                return None;
            }
            let error = match made {
                Err(error) => error,
                Ok(value) => match self.validate_within(&value, work) {
                    Ok(()) => return Some(Ok(value)),
                    Err(Invalid::Work(spent)) => return Some(Err(NoMock::Work(spent))),
                    Err(Invalid::Violations(violations)) => {
                        // An example that breaks its own schema is not used again.
                        unhelpful.extend(violations.as_slice().iter().flat_map(|v| prefixes(&v.at)));
                        let first = violations.as_slice().first();
                        MockError {
                            pointer: first.map(|v| parent(&v.rule)).unwrap_or_default(),
                            why: format!("what was made up is not valid {violations}"),
                        }
                    }
                },
            };
            last = Some(error);
        }
        let error = last.unwrap_or_else(|| MockError { pointer: String::new(), why: "nothing was tried".into() });
        Some(Err(NoMock::Hard(MockError { pointer: node::short(&error.pointer), why: node::short(&error.why) })))
    }
}

/// A pointer and every pointer above it.
fn prefixes(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer
        .match_indices('/')
        .map(|(i, _)| i)
        .chain([pointer.len()])
        .filter_map(|i| pointer.get(..i))
        .map(str::to_owned)
}

fn parent(pointer: &str) -> String {
    pointer.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned())
}
