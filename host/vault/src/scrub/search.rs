//! The search for all patterns in one text, in time that the text's length and the number of patterns decide alone.
//!
//! Guests write texts that are searched, and can measure how long that takes. A search that looks for a few bytes first, and
//! for the rest where they are found, tells by its time whether those few bytes are right; from there a secret is guessed
//! piece by piece. So eight bytes of each pattern are held against each place of a text, from its beginning to its end, each
//! whatever the ones before it came to. They are done for sixty-four places at once, without a branch, so that it compiles to
//! SIMD. Only where all eight are right is the whole pattern compared, and who comes that far has guessed eight bytes at once;
//! of a pattern that is no longer than that, all of it.

use std::array;

use portcullis_gate::{Spent, Work};

use super::{CASE_MATTERS_BELOW, Hit, patterns::Pattern};

/// How many bytes of a pattern are held against each place.
const PROBES: usize = 8;
/// How many places are looked at at once.
const BLOCK: usize = 64;
/// So many places cost a unit, for one pattern.
const PLACES_PER_UNIT: u64 = 128;
/// What a pattern costs for itself: the last places of a text are looked at one by one.
const OWN: u64 = 4;
/// A place where all of the probes are right, and what is done with a find later on.
const FIND: u64 = 8;
/// So many bytes of it that are compared cost a unit.
const BYTES_PER_UNIT: u64 = 64;

pub(super) struct Search {
    patterns: Vec<Pattern>,
    /// What one place costs: one for each pattern, and two for one that is found as a whole word alone.
    rate: u64,
}

/// One byte of a pattern, and where in it it stands.
#[derive(Clone, Copy)]
struct Probe {
    offset: usize,
    byte: u8,
    /// What is set in both before they are compared: the bit by which upper and lower case differ, or none.
    fold: u8,
}

impl Search {
    /// None if there is nothing to search for.
    pub(super) fn new(patterns: Vec<Pattern>) -> Option<Self> {
        let rate = patterns.iter().map(|pattern| if pattern.whole { 2 } else { 1 }).sum();
        (!patterns.is_empty()).then_some(Self { patterns, rate })
    }

    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Adds what is found in `text`.
    pub(super) fn find(&self, text: &[u8], hits: &mut Vec<Hit>, work: &Work) -> Result<(), Spent> {
        work.charge(self.rate.saturating_mul(OWN + text.len() as u64 / PLACES_PER_UNIT))?;
        self.patterns.iter().try_for_each(|pattern| pattern.find(text, hits, work))
    }
}

impl Pattern {
    fn find(&self, text: &[u8], hits: &mut Vec<Hit>, work: &Work) -> Result<(), Spent> {
        let length = self.bytes.len();
        // A block looks one byte further to either side.
        let Some(places) = (text.len() + 1).checked_sub(length).filter(|places| *places > 0 && length > 0) else {
            return Ok(());
        };
        let probes: [Probe; PROBES] = array::from_fn(|number| self.probe(number * (length - 1) / (PROBES - 1)));
        let mut at = 0;
        while at < places {
            let block = if at > 0 && at + BLOCK < places { self.block(&probes, text, at) } else { None };
            if let Some(block) = block {
                if block.iter().fold(0, |any, is| any | is) != 0 {
                    let there = (at..).zip(&block).filter(|(_, is)| **is != 0);
                    there.map(|(place, _)| place).try_for_each(|place| self.compare(text, place, hits, work))?;
                }
                at += BLOCK;
            } else {
                if self.place(&probes, text, at) {
                    self.compare(text, at, hits, work)?;
                }
                at += 1;
            }
        }
        Ok(())
    }

    fn probe(&self, offset: usize) -> Probe {
        let byte = self.bytes.get(offset).copied().unwrap_or_default();
        let folds = self.bytes.len() >= CASE_MATTERS_BELOW && byte.is_ascii_alphabetic();
        let fold = if folds { 0x20 } else { 0 };
        Probe { offset, byte: byte | fold, fold }
    }

    /// For each of so many places from `at` on, whether all probes are right there; none at the end of the text.
    fn block(&self, probes: &[Probe; PROBES], text: &[u8], at: usize) -> Option<[u8; BLOCK]> {
        let window = |from: usize| text.get(from..)?.first_chunk::<BLOCK>();
        let mut all = [0xff; BLOCK];
        for probe in probes {
            let window = window(at + probe.offset)?;
            all = array::from_fn(|n| {
                let is = (window.get(n).copied().unwrap_or_default() | probe.fold) == probe.byte;
                all.get(n).copied().unwrap_or_default() & mask(is)
            });
        }
        if self.whole {
            for window in [window(at.checked_sub(1)?)?, window(at + self.bytes.len())?] {
                all = array::from_fn(|n| {
                    let touches = is_of_word(window.get(n).copied().unwrap_or_default());
                    all.get(n).copied().unwrap_or_default() & !mask(touches)
                });
            }
        }
        Some(all)
    }

    /// The same for one place.
    fn place(&self, probes: &[Probe; PROBES], text: &[u8], at: usize) -> bool {
        let byte = |at: Option<usize>| at.and_then(|at| text.get(at)).copied().unwrap_or_default();
        let right = probes
            .iter()
            .fold(true, |all, probe| all & ((byte(at.checked_add(probe.offset)) | probe.fold) == probe.byte));
        let touches = is_of_word(byte(at.checked_sub(1))) | is_of_word(byte(at.checked_add(self.bytes.len())));
        right & !(self.whole & touches)
    }

    /// Adds a find, where the whole pattern is there.
    fn compare(&self, text: &[u8], start: usize, hits: &mut Vec<Hit>, work: &Work) -> Result<(), Spent> {
        let end = start + self.bytes.len();
        work.charge(FIND + self.bytes.len() as u64 / BYTES_PER_UNIT)?;
        if text.get(start..end).is_some_and(|there| same(there, &self.bytes)) {
            hits.push(Hit { start, end, secret: self.secret });
        }
        Ok(())
    }
}

fn mask(is: bool) -> u8 {
    u8::from(is).wrapping_neg()
}

fn same(there: &[u8], pattern: &[u8]) -> bool {
    there == pattern || (pattern.len() >= CASE_MATTERS_BELOW && there.eq_ignore_ascii_case(pattern))
}

/// Whether a letter or a digit. Without a branch.
fn is_of_word(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10)
}
