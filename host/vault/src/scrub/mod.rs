//! Finds an integration's secrets in what an upstream sends back, and replaces them before a guest sees it.
//!
//! Debug endpoints, error pages and proxies echo requests. What is looked for is the secret as it is, and under up to four
//! layers of the usual encodings in any order: URL escapes and form encoding, the backslash escapes of JSON and its
//! relatives, HTML character references, quoted-printable, hexadecimal with or without separators, base64 of either
//! alphabet wherever in a longer text it stands, wrapped into lines or not; as UTF-8 and as Latin-1; all in lower or upper
//! case; and the password half of a Basic credential. It is a net, not a proof: an upstream that wants to hand a secret to
//! a guest can encode it in a way of its own (reversed, compressed, in UTF-16, as a list of decimal numbers, in two
//! halves). Such an upstream holds the secret already.
//!
//! Combinations are not listed. The text is decoded, and the same few patterns are searched in what comes out:
//!
//! | file | what it does |
//! | --- | --- |
//! | `patterns.rs` | what is looked for: a secret, its halves, its character sets |
//! | `search.rs` | the search for those patterns in one text |
//! | `views.rs` | which decoded views of a text are searched, and where in the text a find in a view stands |
//! | `escapes.rs`, `characters.rs` | the views behind escapes |
//! | `runs.rs`, `base64.rs`, `hex.rs` | the views behind base64 and hexadecimal |
//! | `buffer.rs` | where a view is written, wiped |
//!
//! **Cost.** Only what stands next to an escape, or in a run long enough to hold a secret, is decoded: a clean body costs
//! a few SIMD passes, and one for each pattern. The worst case, a body of nothing but escapes of several kinds, is linear
//! too, and up to a hundred times dearer. All of it is charged to a budget while it is done, and ends where that is spent. Of
//! a view only a piece is kept at a time, which is never larger than the text it was made from. Base64 in lines takes 16
//! bytes more for each line.
//!
//! **Short secrets.** Four bytes are enough to be looked for ([`MIN_PATTERN`]). Below eight bytes
//! ([`CASE_MATTERS_BELOW`]) only the exact case counts, as the text would otherwise hold them by chance; of random bytes,
//! one gigabyte in about four holds a given secret of four. The shorter the shortest secret, the more runs are decoded.
//! A secret that can be guessed (`strength.rs`) is found as a whole word only: `123456`, and not within `91234567`.
//!
//! **What a guest sends** is searched by the same scrubber before it leaves ([`Scrubber::finds_in`]). Were it not, an
//! upstream that echoes would answer guesses: the guess that comes back replaced is the right one.
//!
//! What the time of a search tells is the text's, and how many patterns there are, how short the shortest is, and which
//! bytes they are made of: `search.rs` says how.
//!
//! **Memory.** The patterns are wiped when the scrubber is dropped, and views as soon as they were searched.

mod base64;
mod buffer;
mod characters;
mod escapes;
mod hex;
mod patterns;
mod runs;
mod search;
mod views;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod chains;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display};

use portcullis_gate::{Spent, Work};
use zeroize::Zeroizing;

use self::{search::Search, views::Views};
use crate::secret::Secret;

/// Shortest pattern, in bytes: shorter ones would be found everywhere.
const MIN_PATTERN: usize = 4;
/// Patterns shorter than this, in bytes, are only found in their own case.
const CASE_MATTERS_BELOW: usize = 8;

/// What finds a vault's secrets.
#[derive(Default)]
pub struct Scrubber {
    /// None where there is nothing to find.
    views: Option<Views>,
    /// By number of the secret: its slot, and what it is replaced by.
    replacements: Vec<(String, String)>,
}

/// What is left of a text after scrubbing.
#[derive(Debug, PartialEq, Eq)]
pub struct Scrubbed {
    /// The text with each find replaced by `[redacted:SLOT]`.
    pub bytes: Vec<u8>,
    /// How many were found.
    pub found: u32,
}

/// A find: what stands from `start` to `end` is to be replaced by what stands for the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hit {
    start: usize,
    end: usize,
    secret: usize,
}

impl Scrubber {
    /// For these secrets, each with its slot's name.
    pub fn new<'a>(secrets: impl Iterator<Item = (impl Display, &'a Secret)>) -> Self {
        Self::of(secrets.map(|(slot, secret)| (slot, secret.expose())))
    }

    fn of<'a>(secrets: impl Iterator<Item = (impl Display, &'a [u8])>) -> Self {
        let mut patterns = Vec::new();
        let mut replacements = Vec::new();
        for (slot, secret) in secrets {
            patterns::add(&mut patterns, secret, replacements.len());
            replacements.push((slot.to_string(), format!("[redacted:{slot}]")));
        }
        Self { views: Search::new(patterns).map(Views::new), replacements }
    }

    /// Replaces what is found; none if there is nothing, so that a clean text costs no copy. For texts that are bounded
    /// elsewhere, to a few KiB: there is no budget.
    pub fn scrub(&self, bytes: &[u8]) -> Option<Scrubbed> {
        // What it does not suffice for, an hour of work, is not handed on.
        let spent = |_| Some(Scrubbed { bytes: b"[redacted]".to_vec(), found: 1 });
        self.scrub_within(bytes, &Work::new(u64::MAX >> 1)).unwrap_or_else(spent)
    }

    /// The same, with the work charged to this budget while it is done.
    ///
    /// # Errors
    /// [`Spent`] when the budget does not suffice: nothing is known of the text then.
    pub fn scrub_within(&self, bytes: &[u8], work: &Work) -> Result<Option<Scrubbed>, Spent> {
        let Some(views) = &self.views else { return Ok(None) };
        let mut hits = views.find(bytes, work)?;
        if hits.is_empty() {
            return Ok(None);
        }
        work.charge(bytes.len() as u64 / 64)?;
        // The longest first of those that begin at one place: `user:password` before `user`.
        hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
        let mut out = Vec::with_capacity(bytes.len());
        let mut done = 0;
        let mut found = 0;
        for hit in hits {
            // One that begins within another is part of it, and takes along what it has beyond.
            if found == 0 || hit.start >= done {
                out.extend_from_slice(bytes.get(done..hit.start).unwrap_or_default());
                let replacement = self.replacements.get(hit.secret);
                out.extend_from_slice(replacement.map_or(&b"[redacted]"[..], |(_, text)| text.as_bytes()));
                found += 1;
            }
            done = done.max(hit.end);
        }
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Ok(Some(Scrubbed { bytes: out, found }))
    }
}

impl Scrubber {
    /// The slot of a secret that this text holds, or would hold once somebody changed its case: servers write the names of
    /// header fields in lower case, and CGI in upper case. None if it holds none.
    ///
    /// # Errors
    /// [`Spent`] when the budget does not suffice: nothing is known of the text then.
    pub fn finds_in(&self, text: &[u8], work: &Work) -> Result<Option<&str>, Spent> {
        let Some(views) = &self.views else { return Ok(None) };
        let slot = |hits: Vec<Hit>| {
            let secret = hits.first()?.secret;
            Some(self.replacements.get(secret).map_or("", |(slot, _)| slot.as_str()))
        };
        if let Some(slot) = slot(views.find(text, work)?) {
            return Ok(Some(slot));
        }
        type Of<T> = fn(&u8) -> T;
        let to_lower: (Of<u8>, Of<bool>) = (u8::to_ascii_lowercase, u8::is_ascii_uppercase);
        let to_upper: (Of<u8>, Of<bool>) = (u8::to_ascii_uppercase, u8::is_ascii_lowercase);
        for (cased, differs) in [to_lower, to_upper] {
            if text.iter().any(differs) {
                work.charge(text.len() as u64 / 64)?;
                let other = Zeroizing::new(text.iter().map(cased).collect::<Vec<u8>>());
                if let Some(slot) = slot(views.find(&other, work)?) {
                    return Ok(Some(slot));
                }
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scrubber({} secrets)", self.replacements.len())
    }
}
