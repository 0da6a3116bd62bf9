//! The regular expressions of a schema: which are accepted, and what reading a text with one costs.
//!
//! This is not what matches a `pattern`; the validator does, with the `regex` crate, which this host tells it to use: it
//! has no look-around and no back-references, and so a text is read in time that is at most the product of its length and
//! the size of the compiled pattern. Most patterns never need that: what they can be in the midst of while they read a
//! text is one of a few states, and each byte costs a look at a table. Whether that is so is found out once, by
//! going through those states; where there are too many, the price is the product.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use regex::Regex;
use regex_automata::{
    Anchored, Input,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    nfa::thompson::{self, NFA, WhichCaptures},
    util::alphabet::Unit,
};

use crate::node;

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 8 * 1024;
/// Most memory one compiled pattern may take, in bytes: `^\w+$` takes 18 KiB, `^[A-Za-z0-9]{1,255}$` 19.
const PROGRAM_BYTES: usize = 64 * 1024;
/// The same of the `regex` crate, which compiles a pattern in several ways.
pub(crate) const REGEX_BYTES: usize = 8 * PROGRAM_BYTES;
/// Most memory for the states that one pattern was in, for each thread that matches.
pub(crate) const STATES_BYTES: usize = 512 * 1024;
/// Most steps in which all states of a pattern are gone through: a few milliseconds.
const MAX_STEPS: u64 = 500_000;
/// What a state takes in memory beside its row of the table and what it stands for, about.
const STATE_BYTES: usize = 64;
/// So many bytes of a text cost a unit, where each is a look at a table.
const BYTES_PER_UNIT: u64 = 16;
/// So many bytes of a compiled pattern are one state.
const BYTES_PER_STATE: u64 = 32;
/// So many states, each asked for one byte of a text, cost a unit.
const STATES_PER_UNIT: u64 = 8;

/// What reading a text with a pattern costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    /// In 1/16 units for each byte.
    rate: u64,
    /// Units for a compilation.
    pub(crate) compile: u64,
}

impl Price {
    /// In units, for a text of this many bytes.
    pub(crate) fn of(self, bytes: usize) -> u64 {
        1 + self.rate.saturating_mul(node::as_u64(bytes)) / 16
    }

    /// In 1/16 units, for each byte of a text.
    pub(crate) fn rate(self) -> u64 {
        self.rate
    }
}

/// The patterns of one schema, by their text.
#[derive(Default)]
pub(crate) struct Patterns(HashMap<String, Pattern>);

/// One pattern. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pattern {
    pub(crate) price: Price,
    /// Only of those that names are held against: others are left to the validator.
    regex: Option<Arc<Regex>>,
}

impl Pattern {
    /// Whether a name matches, as the validator judges it. One that cannot be read fits any name.
    pub(crate) fn fits(&self, name: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(name))
    }
}

impl Patterns {
    /// Reads a pattern, unless it was read before; `names` if property names are held against it. If it is refused, why.
    pub(crate) fn read(&mut self, pattern: &str, names: bool) -> Result<Pattern, String> {
        if let Some(known) = self.0.get(pattern).filter(|known| !names || known.regex.is_some()) {
            return Ok(known.clone());
        }
        let read = read(pattern, names)?;
        self.0.insert(pattern.to_owned(), read.clone());
        Ok(read)
    }

    pub(crate) fn get(&self, pattern: &str) -> Option<&Pattern> {
        self.0.get(pattern)
    }
}

fn read(pattern: &str, names: bool) -> Result<Pattern, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("the pattern has {} bytes; at most {MAX_PATTERN_BYTES} are read", pattern.len()));
    }
    // The validator translates in the same way.
    let translated = jsonschema_regex::to_rust_regex(pattern).map_err(|()| "the pattern is no regular expression")?;
    let tree = regex_syntax::parse(&translated).map_err(|error| why(&error))?;
    let config =
        thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(PROGRAM_BYTES)).shrink(false);
    let program = thompson::Compiler::new().configure(config).build_from_hir(&tree).map_err(|_| {
        format!("the pattern takes more than {} KiB when compiled: lower its counts `{{n,m}}`", PROGRAM_BYTES / 1024)
    })?;
    let states = node::as_u64(program.memory_usage()) / BYTES_PER_STATE + 1;
    let steps = steps_through_all_states(&program, states);
    let rate = match steps {
        Some(_) => 16 / BYTES_PER_UNIT,
        None => (16 * states).div_ceil(STATES_PER_UNIT),
    };
    let compile = 100 + 20 * states + steps.unwrap_or(MAX_STEPS) / STATES_PER_UNIT;
    let build = || {
        let built = regex::RegexBuilder::new(&translated).size_limit(REGEX_BYTES).dfa_size_limit(STATES_BYTES).build();
        built.map(Arc::new).map_err(|_| "the pattern takes too much memory when compiled".to_owned())
    };
    Ok(Pattern { price: Price { rate, compile }, regex: names.then(build).transpose()? })
}

/// What is wrong with a pattern, and what would do.
fn why(error: &regex_syntax::Error) -> String {
    let regex_syntax::Error::Parse(error) = error else {
        return "the pattern is no regular expression that this host reads".to_owned();
    };
    match error.kind() {
        regex_syntax::ast::ErrorKind::UnsupportedLookAround => {
            "the pattern looks ahead or behind, and such patterns cannot be matched in linear time: write it without \
             `(?=`, `(?!`, `(?<=` and `(?<!`, or leave it to the adapter"
                .to_owned()
        }
        regex_syntax::ast::ErrorKind::UnsupportedBackreference => {
            "the pattern refers back to a group, and such patterns cannot be matched in linear time: write it without \
             back-references, or leave it to the adapter"
                .to_owned()
        }
        kind => format!("the pattern is no regular expression that this host reads: {kind}"),
    }
}

/// How many steps it took to go through all states that a pattern can be in while it reads a text; none where there are too
/// many. For each state and each class of bytes it is worked out what comes next, in as many steps as the state stands for
/// places in the program.
fn steps_through_all_states(program: &NFA, size: u64) -> Option<u64> {
    let config = DFA::config()
        .cache_capacity(STATES_BYTES)
        .skip_cache_capacity_check(true)
        // The memory is never emptied to begin again: what does not fit is not small.
        .minimum_cache_clear_count(Some(0));
    let dfa = DFA::builder().configure(config).build_from_nfa(program.clone()).ok()?;
    let mut cache: Cache = dfa.create_cache();
    let start = dfa.start_state_forward(&mut cache, &Input::new("").anchored(Anchored::No)).ok()?;
    let classes: Vec<Unit> = dfa.byte_classes().representatives(..).collect();
    let row = classes.len().next_power_of_two() * size_of::<LazyStateID>() + STATE_BYTES;
    let mut seen = HashSet::from([start]);
    let mut queue = vec![(start, size)];
    let mut steps = 0_u64;
    while let Some((state, places)) = queue.pop() {
        for class in &classes {
            steps += 2 + places + size / 64;
            if steps > MAX_STEPS {
                return None;
            }
            let before = cache.memory_usage();
            let next = match class.as_u8() {
                Some(byte) => dfa.next_state(&mut cache, state, byte),
                None => dfa.next_eoi_state(&mut cache, state),
            };
            let next = next.ok()?;
            // A state in which it gives up reading, for example at a word boundary that is not ASCII.
            if next.is_quit() {
                return None;
            }
            if !next.is_dead() && seen.insert(next) {
                let grown = cache.memory_usage().saturating_sub(before).saturating_sub(row);
                queue.push((next, node::as_u64(grown) / 2));
            }
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(pattern: &str) -> Price {
        read(pattern, true).unwrap_or_else(|why| panic!("{pattern}: {why}")).price
    }

    #[test]
    fn patterns_that_providers_use_cost_a_look_at_a_table_for_each_byte() {
        for pattern in [
            r"^[A-Za-z0-9\-\.]{1,64}$",
            "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            r"^(\+|00)?[1-9][0-9 \-\(\)\.]{7,32}$",
            "^[A-Z]{2}(_[A-Z]{2})?$",
            "^[^@]+@[^@]+$",
            r"^\S+( \S+)*$",
            r"^-?(0|[1-9][0-9]{0,17})$",
            "(x+x+)+y",
            r"^\p{L}+$",
            r"^[\p{L}\p{N} _-]+$",
            r"^\w+$",
        ] {
            assert_eq!(price(pattern).rate, 1, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_with_too_many_states_costs_their_product_with_the_text() {
        for pattern in ["[01]*1[01]{60}$", "(a|b)*a(a|b){40}c", "^(([a-z])+.)+[A-Z]([a-z])+[01]*1[01]{40}$"] {
            assert!(price(pattern).rate > 32, "{pattern}: {:?}", price(pattern));
        }
        // And twice the states cost twice as much.
        let (once, twice) = (price("[01]*1[01]{200}$").rate, price("[01]*1[01]{400}$").rate);
        assert!((15..=25).contains(&(twice * 10 / once)), "{once} {twice}");
    }

    #[test]
    fn a_pattern_that_cannot_be_linear_or_is_too_large_says_why() {
        for (pattern, told) in [
            ("(?=a)b", "looks ahead or behind"),
            ("(?<!a)b", "looks ahead or behind"),
            (r"(a)\1", "refers back to a group"),
            ("((a{1,100}){1,100}){1,100}", "more than 64 KiB"),
            (r"(\p{L}|\p{N}){100}", "more than 64 KiB"),
            ("(", "no regular expression"),
        ] {
            let why = read(pattern, false).err().unwrap_or_else(|| panic!("{pattern}"));
            assert!(why.contains(told), "{pattern}: {why}");
        }
        assert!(read(&"a".repeat(10_000), false).is_err_and(|why| why.contains("at most 8192")));
    }
}
