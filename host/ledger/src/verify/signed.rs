//! Signed heads, one after the other: who signed them, whether they follow from each other, and what they say of chains.

use std::collections::{BTreeMap, HashMap};

use super::{
    chain::Mark,
    wrong::{HeadWhy, HeadWrong, HeadsVerdict},
};
use crate::{
    hash::Hash,
    heads::{HeadBody, KeyId, PublicKey, SignedHead},
};

/// By workspace.
pub(super) type Marks = BTreeMap<String, Vec<Mark>>;

/// Whether there must be all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// From the first on, without a gap.
    First,
    /// From any on, without a gap.
    Anywhere,
    /// Some of them, in order.
    Some,
}

/// The judge of the signed heads of one place.
pub(super) struct HeadsCheck<'k> {
    keys: Vec<(KeyId, &'k PublicKey)>,
    begins: Begins,
    verdict: HeadsVerdict,
    before: Option<SignedHead>,
    /// SHA-256 of each that is signed by one of the keys.
    pub(super) hashes: HashMap<u64, Hash>,
}

impl<'k> HeadsCheck<'k> {
    pub(super) fn new(place: &str, keys: &'k [PublicKey], begins: Begins) -> Self {
        let verdict = HeadsVerdict { place: place.to_owned(), heads: 0, last: None, wrong: None };
        let keys = keys.iter().map(|key| (key.id(), key)).collect();
        Self { keys, begins, verdict, before: None, hashes: HashMap::new() }
    }

    /// The next one, given back where what it says counts: if one of the keys signed it, or if there are no keys, by which
    /// nothing can be told from what is genuine, and what contradicts a chain does so all the same.
    pub(super) fn line(&mut self, bytes: &[u8], line: Option<u64>) -> Option<SignedHead> {
        self.verdict.heads += 1;
        let expected = self.before.as_ref().map_or(1, |before| before.head.seq + 1);
        let signed = match SignedHead::parse(bytes) {
            Ok(signed) => signed,
            Err(what) => {
                self.fail(expected, line, HeadWhy::Unreadable(what));
                return None;
            }
        };
        let seq = signed.head.seq;
        match self.keys.iter().find(|(id, _)| *id == signed.head.key) {
            None if self.keys.is_empty() => {}
            None => {
                self.fail(seq, line, HeadWhy::UnknownKey { key: signed.head.key.clone() });
                return None;
            }
            Some((_, key)) if !signed.is_signed_by(key) => {
                self.fail(seq, line, HeadWhy::Signature);
                return None;
            }
            Some(_) => {}
        }
        let begins_here = self.before.is_none() && self.begins != Begins::First;
        let gap_is_fine = self.begins == Begins::Some && seq > expected;
        if seq != expected && !begins_here && !gap_is_fine {
            let why = if seq > expected { HeadWhy::Missing } else { HeadWhy::OutOfOrder { found: seq } };
            self.fail(expected, line, why);
        }
        let prev = match &self.before {
            Some(before) if seq == expected => Some(before.hash()),
            None if seq == 1 => Some(HeadBody::genesis()),
            _ => None,
        };
        if prev.is_some_and(|prev| prev != signed.head.prev) {
            self.fail(seq, line, HeadWhy::NotNext);
        }
        if self.before.as_ref().is_some_and(|before| seq > before.head.seq && signed.head.time < before.head.time) {
            self.fail(seq, line, HeadWhy::TimeBack);
        }
        self.hashes.insert(seq, Hash::of(bytes));
        if !self.keys.is_empty() {
            self.verdict.last = self.verdict.last.max(Some(seq));
        }
        self.before = Some(signed.clone());
        Some(signed)
    }

    /// Something is wrong with one of them. The first in number counts.
    pub(super) fn fail(&mut self, seq: u64, line: Option<u64>, why: HeadWhy) {
        if self.verdict.wrong.as_ref().is_none_or(|wrong| seq < wrong.seq) {
            self.verdict.wrong = Some(HeadWrong { seq, line, why });
        }
    }

    /// Whether signatures are checked: there are keys.
    pub(super) fn checks(&self) -> bool {
        !self.keys.is_empty()
    }

    /// What stands here and elsewhere must be the same.
    pub(super) fn compare(&mut self, other: &HeadsCheck<'_>) {
        let mut seqs: Vec<u64> = self.hashes.keys().copied().collect();
        seqs.sort_unstable();
        for seq in seqs {
            if other.hashes.get(&seq).is_some_and(|hash| self.hashes.get(&seq) != Some(hash)) {
                self.fail(seq, None, HeadWhy::Differs { place: other.place().to_owned() });
            }
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.verdict.place
    }

    pub(super) fn finish(self) -> HeadsVerdict {
        self.verdict
    }
}

/// Notes what a signed head says of each chain, and whether its signature was checked.
pub(super) fn note(marks: &mut Marks, signed: &SignedHead, genuine: bool) {
    for (workspace, at) in &signed.head.heads {
        let mark = Mark { seq: at.seq, hash: at.hash, head: signed.head.seq, time: signed.head.time, genuine };
        marks.entry(workspace.clone()).or_default().push(mark);
    }
}
