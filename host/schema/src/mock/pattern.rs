//! A string that a regular expression matches, by walking its syntax tree.
//!
//! Bounded: repetition counts are cut to a few, the text has a byte limit, and every character tried is
//! counted. ASCII letters and digits are preferred wherever a class has them.

use std::collections::HashMap;

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::rng::Rng;
use crate::patterns;

/// How much beyond their minimum repetitions may go, try by try.
const EXTRA: [u32; 8] = [4, 2, 0, 1, 8, 16, 40, 250];
const MAX_BYTES: usize = 8 * 1024;

/// So many units of work are a step.
pub(crate) const UNITS_PER_STEP: u64 = 10;

/// The patterns of one schema, each parsed and compiled once.
pub(crate) struct Patterns<'s> {
    prices: &'s patterns::Patterns,
    compiled: HashMap<String, Option<(Hir, Regex)>>,
}

impl<'s> Patterns<'s> {
    pub(crate) fn new(prices: &'s patterns::Patterns) -> Self {
        Self { prices, compiled: HashMap::new() }
    }

    fn get(&mut self, pattern: &str) -> Option<&(Hir, Regex)> {
        if !self.compiled.contains_key(pattern) {
            let tree = regex_syntax::ParserBuilder::new().nest_limit(64).build().parse(pattern);
            let regex = regex::RegexBuilder::new(pattern)
                .size_limit(patterns::REGEX_BYTES)
                .dfa_size_limit(patterns::STATES_BYTES)
                .build();
            self.compiled.insert(pattern.to_owned(), tree.ok().zip(regex.ok()));
        }
        self.compiled.get(pattern)?.as_ref()
    }

    /// How many steps it takes to hold a text of so many bytes against a pattern, and before that to compile it.
    pub(crate) fn steps(&self, pattern: &str, bytes: usize) -> usize {
        let Some(known) = self.prices.get(pattern) else { return pattern.len() };
        let compile = if self.compiled.contains_key(pattern) { 0 } else { known.price.compile };
        let units = known.price.of(bytes).saturating_add(compile);
        usize::try_from(units / UNITS_PER_STEP).unwrap_or(usize::MAX)
    }

    /// Whether a property name matches.
    pub(crate) fn is_match(&mut self, pattern: &str, name: &str) -> bool {
        self.get(pattern).is_some_and(|(_, regex)| regex.is_match(name))
    }

    /// A match for `pattern` of `min` to `max` characters, or why there is none. Each character tried is a step.
    pub(crate) fn string(
        &mut self,
        pattern: &str,
        (min, max): (usize, usize),
        rng: &mut Rng,
        steps: &mut usize,
    ) -> Result<String, String> {
        let hard = || format!("no text for the pattern {pattern:?} was found");
        *steps = steps.saturating_sub(self.steps(pattern, 0));
        let prices = self.prices;
        let read = |bytes: usize| prices.get(pattern).map_or(1, |known| known.price.of(bytes) / UNITS_PER_STEP);
        let (tree, matcher) = self.get(pattern).ok_or_else(hard)?;
        let long = u32::try_from(min).unwrap_or(u32::MAX);
        for extra in EXTRA.into_iter().chain([long, long.saturating_mul(2)]) {
            let mut out = String::new();
            if write(tree, extra, &mut out, rng, steps).is_none() {
                continue;
            }
            // A pattern that is not anchored at its end leaves room for more.
            let missing = min.saturating_sub(out.chars().count());
            let padded = || format!("{out}{}", "a".repeat(missing.min(MAX_BYTES)));
            for candidate in [out.clone(), padded()] {
                let length = candidate.chars().count();
                *steps = steps.saturating_sub(usize::try_from(read(candidate.len())).unwrap_or(usize::MAX));
                if *steps == 0 {
                    return Err(hard());
                }
                if length >= min && length <= max && matcher.is_match(&candidate) {
                    return Ok(candidate);
                }
            }
        }
        Err(hard())
    }
}

/// Takes so many steps. Where there are fewer, all of them are gone.
fn take(steps: &mut usize, count: usize) -> Option<()> {
    let left = steps.checked_sub(count);
    *steps = left.unwrap_or(0);
    left.map(drop)
}

fn write(tree: &Hir, extra: u32, out: &mut String, rng: &mut Rng, steps: &mut usize) -> Option<()> {
    take(steps, 1)?;
    if out.len() > MAX_BYTES {
        return None;
    }
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => {
            let ranges = match class {
                Class::Unicode(class) => class.ranges().iter().take_while(|range| range.start() <= '~').count(),
                Class::Bytes(class) => class.ranges().len(),
            };
            take(steps, ranges)?;
            out.push(one_of(class, rng)?);
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(extra));
            let room = usize::try_from(most - repetition.min.min(most)).unwrap_or(0);
            let more = u32::try_from(rng.below(room + 1)).unwrap_or(0);
            // A large `extra` is asked for because the text was too short.
            let count =
                repetition.min.saturating_add(if extra > 8 { most.saturating_sub(repetition.min) } else { more });
            for _ in 0..count {
                write(&repetition.sub, extra, out, rng, steps)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, extra, out, rng, steps)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, extra, out, rng, steps)?;
            }
        }
        HirKind::Alternation(branches) => write(rng.pick(branches)?, extra, out, rng, steps)?,
    }
    Some(())
}

fn one_of(class: &Class, rng: &mut Rng) -> Option<char> {
    // Ranges are sorted, and only the first few can hold ASCII.
    let ascii = |from: &char| *from <= '~';
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => {
            let all = class.ranges().iter().map(|range| (range.start(), range.end()));
            all.clone().take_while(|(from, _)| ascii(from)).chain(all.take(1)).collect()
        }
        Class::Bytes(class) => class.ranges().iter().map(|r| (char::from(r.start()), char::from(r.end()))).collect(),
    };
    let allowed = |c: &char| ranges.iter().any(|(from, to)| (from..=to).contains(&c));
    let kinds: [fn(&char) -> bool; 3] = [char::is_ascii_lowercase, char::is_ascii_alphanumeric, char::is_ascii_graphic];
    for kind in kinds {
        let candidates: Vec<char> = ('!'..='~').filter(kind).filter(allowed).collect();
        if let Some(c) = rng.pick(&candidates) {
            return Some(*c);
        }
    }
    ranges.first().map(|(from, _)| if allowed(&' ') { ' ' } else { *from })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(pattern: &str, length: (usize, usize), seed: u64) -> Result<String, String> {
        Patterns::new(&patterns::Patterns::default()).string(pattern, length, &mut Rng::new(seed), &mut 100_000)
    }

    #[test]
    fn a_text_is_written_for_the_patterns_that_providers_use() {
        let patterns = [
            r"^[a-z0-9-]{8}-\d{4}$",
            r"^(\+|00)?[1-9][0-9 \-\(\)\.]{7,32}$",
            r"^[A-Z]{2}(_[A-Z]{2})?$",
            r"\d+",
            "^.{3,}$",
            r"^-?(0|[1-9][0-9]{0,17})$",
            r"^urn:uuid:[0-9a-f]{8}$",
            r"^\S+( \S+)*$",
            "^[^@]+@[^@]+$",
            "^(?:a|b|)$",
            r"^[\s\S]*$",
            "",
            r"^\p{L}+$",
            r"\bword\b",
        ];
        for pattern in patterns {
            for seed in 0..20 {
                made(pattern, (0, 100), seed).unwrap();
            }
        }
        assert_eq!(made("^[a-z]+$", (50, 60), 1).map(|s| s.len() >= 50), Ok(true));
    }

    #[test]
    fn a_pattern_that_is_huge_or_never_matches_is_an_error() {
        for pattern in ["(a{1000}){1000}", "a^b", r"[^\s\S]", "(((((((a{9}){9}){9}){9}){9}){9}){9})", "("] {
            assert!(made(pattern, (0, 100), 1).is_err(), "{pattern}");
        }
    }
}
