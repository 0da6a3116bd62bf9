//! The search for all patterns in one text: a SIMD search for four bytes of each, then a comparison with the whole.
//!
//! Four bytes are what the SIMD search looks at anyway, and all that its library keeps of a secret. Which four is chosen
//! so that other texts hold them rarely.

use aho_corasick::{AhoCorasick, Input, packed};
use zeroize::Zeroizing;

use super::{CASE_MATTERS_BELOW, Hit, patterns::Pattern};

/// What the search library is given of each pattern. Equally long, so that no two can begin at one place.
const NEEDLE: usize = 4;

type Needle = [u8; NEEDLE];

pub(super) struct Search {
    patterns: Vec<Pattern>,
    finder: Finder,
    /// By needle: the patterns that hold it, and where.
    uses: Vec<Vec<Use>>,
}

struct Use {
    pattern: usize,
    offset: usize,
}

enum Finder {
    Packed(packed::Searcher),
    /// On processors without the instructions, and with more needles than they are good for.
    Automaton(AhoCorasick),
}

impl Search {
    /// None if there is nothing to search for.
    pub(super) fn new(patterns: Vec<Pattern>) -> Option<Self> {
        // With room for all of them: four bytes of a secret are not to be left behind either.
        let mut needles: Zeroizing<Vec<Needle>> = Zeroizing::new(Vec::with_capacity(3 * patterns.len()));
        let mut uses: Vec<Vec<Use>> = Vec::new();
        for (pattern, Pattern { bytes, .. }) in patterns.iter().enumerate() {
            let (offset, needle) = rarest(bytes)?;
            let mut cases = Zeroizing::new([needle; 3]);
            if bytes.len() >= CASE_MATTERS_BELOW {
                *cases = [needle, needle.map(|b| b.to_ascii_lowercase()), needle.map(|b| b.to_ascii_uppercase())];
            }
            cases.sort_unstable();
            let mut last = None;
            for case in cases.iter() {
                if last.replace(case) == Some(case) {
                    continue;
                }
                let used = Use { pattern, offset };
                match needles.iter().position(|known| known == case).and_then(|known| uses.get_mut(known)) {
                    Some(known) => known.push(used),
                    None => {
                        needles.push(*case);
                        uses.push(vec![used]);
                    }
                }
            }
        }
        if needles.is_empty() {
            return None;
        }
        let packed = packed::Config::new().builder().extend(needles.iter()).build();
        let finder = match packed {
            Some(packed) => Finder::Packed(packed),
            None => Finder::Automaton(AhoCorasick::new(needles.iter()).ok()?),
        };
        Some(Self { patterns, finder, uses })
    }

    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Adds what is found in `text`.
    pub(super) fn find(&self, text: &[u8], hits: &mut Vec<Hit>) {
        let mut from = 0;
        while let Some((needle, at)) = self.finder.find(text, from) {
            for Use { pattern, offset } in self.uses.get(needle).into_iter().flatten() {
                let Some(pattern) = self.patterns.get(*pattern) else { continue };
                let Some(start) = at.checked_sub(*offset) else { continue };
                let end = start + pattern.bytes.len();
                let there = |there: &[u8]| same(there, &pattern.bytes) && (!pattern.whole || is_word(text, start, end));
                if text.get(start..end).is_some_and(there) {
                    hits.push(Hit { start, end, secret: pattern.secret });
                }
            }
            // Not behind the needle: another may begin within it.
            from = at + 1;
        }
    }
}

impl Finder {
    fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let found = match self {
            Self::Packed(packed) => packed.find_in(text, (from..text.len()).into()),
            Self::Automaton(automaton) => automaton.find(Input::new(text).range(from..)),
        }?;
        Some((found.pattern().as_usize(), found.start()))
    }
}

fn same(there: &[u8], pattern: &[u8]) -> bool {
    there == pattern || (pattern.len() >= CASE_MATTERS_BELOW && there.eq_ignore_ascii_case(pattern))
}

/// Whether no letter or digit touches what stands there.
fn is_word(text: &[u8], start: usize, end: usize) -> bool {
    let touches = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    !touches(start.checked_sub(1)) && !touches(Some(end))
}

/// The four bytes of a pattern that other texts are least likely to hold, and their offset.
fn rarest(pattern: &[u8]) -> Option<(usize, Needle)> {
    // In a pattern that repeats itself, one that does not: it would be tried again and again.
    let mut all = Zeroizing::new(pattern.array_windows::<NEEDLE>().copied().collect::<Vec<Needle>>());
    all.sort_unstable();
    let times = |needle: &Needle| all.partition_point(|n| n <= needle) - all.partition_point(|n| n < needle);
    let cost = |needle: &Needle| times(needle) * 8 + needle.iter().map(|b| commonness(*b)).sum::<usize>();
    pattern.array_windows::<NEEDLE>().copied().enumerate().min_by_key(|(_, needle)| cost(needle))
}

/// How common a byte is in what APIs send. Letters count for more: they are searched in three cases.
fn commonness(byte: u8) -> usize {
    match byte {
        b' ' | b'"' | b',' | b':' | b'0' => 8,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 8,
        b'a'..=b'z' => 6,
        b'1'..=b'9' | b'.' | b'/' | b'-' | b'_' | b'=' | b'\\' => 5,
        b'A'..=b'Z' => 4,
        _ => 2,
    }
}
