//! One chain, record by record, from bytes as they stand: hashed and read in part, without a copy.
//!
//! Where a record's `prev` is not the hash of the one before it, either of the two may be the one that was changed. The
//! record after them decides: whom it vouches for is as it was. So the first wrong record is named and not its neighbour.

use jiff::Timestamp;

use super::{
    canonical,
    parts::read,
    payloads::PayloadsVerdict,
    wrong::{ChainVerdict, Signed, Why, Wrong},
};
use crate::{hash::Hash, record::RECORD_VERSION};

/// What a signed head says of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) seq: u64,
    pub(super) hash: Hash,
    pub(super) head: u64,
    pub(super) time: Timestamp,
    /// Whether its signature was checked. One that was not contradicts a chain like any other, and vouches for nothing.
    pub(super) genuine: bool,
}

impl Mark {
    pub(super) fn signed(&self) -> Signed {
        Signed { seq: self.seq, head: self.head, time: self.time, export: false }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// So far all holds.
    Holds,
    /// The record before this one, or this one, was changed; whom the next one vouches for was not.
    Follows { hash: Hash },
    /// A signed head names another hash for this record: if the next one does so too, this alone was changed.
    Marked { mark: Mark },
    /// Another record stood where this one should: does it come later?
    Seeks { found: u64, lines: u64, goes_on: bool },
    /// The first wrong record is known.
    Settled,
}

/// The judge of one chain.
pub(super) struct ChainCheck {
    workspace: String,
    from: u64,
    next: u64,
    before: Hash,
    time: String,
    marks: Vec<Mark>,
    mark: usize,
    signed: Option<Signed>,
    state: State,
    records: u64,
    holds: u64,
    wrong: Option<Wrong>,
    /// The line of the record that is judged, and of the one before it, in a file.
    line: Option<u64>,
    line_before: Option<u64>,
}

impl ChainCheck {
    /// From this record on, which has this hash before it. Marks that are older are left out.
    pub(super) fn new(workspace: &str, from: u64, before: Hash, mut marks: Vec<Mark>) -> Self {
        let from = from.max(1);
        marks.retain(|mark| mark.seq >= from);
        marks.sort_by_key(|mark| (mark.seq, mark.head));
        Self {
            workspace: workspace.to_owned(),
            from,
            next: from,
            before,
            time: String::new(),
            marks,
            mark: 0,
            signed: None,
            state: State::Holds,
            records: 0,
            holds: from.saturating_sub(1),
            wrong: None,
            line: None,
            line_before: None,
        }
    }

    /// The record that comes next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether nothing is wrong so far, for sure.
    pub(super) fn holds(&self) -> bool {
        matches!(self.state, State::Holds)
    }

    /// Whether the last record was as it has to be; then its hash.
    pub(super) fn last_hash(&self) -> Option<Hash> {
        self.holds().then_some(self.before)
    }

    /// Something is wrong with the record that comes next, apart from what it says.
    pub(super) fn fail(&mut self, why: Why, line: Option<u64>) {
        if self.holds() {
            (self.line, self.line_before) = (line, self.line);
            self.settle(self.next, self.next.saturating_sub(1), why);
        }
    }

    /// The next record as it stands, and its line in a file.
    pub(super) fn record(&mut self, bytes: &[u8], line: Option<u64>) {
        self.records += 1;
        match self.state {
            State::Holds => {
                (self.line_before, self.line) = (self.line, line);
                self.judge(bytes);
            }
            State::Follows { hash } => {
                let vouched = read(bytes).is_ok_and(|parts| parts.prev == hash);
                self.who_was_changed(vouched);
            }
            State::Marked { mark } => {
                let alone = read(bytes).is_ok_and(|parts| parts.prev == mark.hash);
                self.alone_or_all(mark, alone);
            }
            State::Seeks { found, lines, goes_on } => {
                let seq = read(bytes).ok().map(|parts| parts.seq);
                if seq == Some(self.next) {
                    self.settle(self.next, self.next - 1, Why::OutOfOrder { found });
                } else {
                    let goes_on = goes_on || lines == 0 && seq == Some(self.next + 1);
                    self.state = State::Seeks { found, lines: lines + 1, goes_on };
                }
            }
            State::Settled => {}
        }
    }

    fn judge(&mut self, bytes: &[u8]) {
        let parts = match read(bytes) {
            Ok(parts) => parts,
            Err(why) => return self.settle(self.next, self.next - 1, why),
        };
        if parts.v > u64::from(RECORD_VERSION) {
            return self.settle(self.next, self.next - 1, Why::Newer { version: parts.v });
        }
        if parts.workspace != self.workspace {
            return self.settle(self.next, self.next - 1, Why::Foreign { workspace: parts.workspace.into_owned() });
        }
        if parts.seq != self.next {
            self.state = State::Seeks { found: parts.seq, lines: 0, goes_on: false };
            return;
        }
        if let Err((at, what)) = canonical::check(bytes) {
            return self.settle(self.next, self.next - 1, Why::NotCanonical { at, what });
        }
        let hash = Hash::of(bytes);
        if parts.prev != self.before {
            if self.next == self.from {
                return self.settle(self.next, self.next - 1, Why::NotTheBeginning);
            }
            self.state = State::Follows { hash };
            // A signed head may know.
            if self.marks.iter().any(|mark| mark.seq == self.next && mark.hash == hash) {
                self.who_was_changed(true);
            } else if self.signed.is_some_and(|signed| signed.seq == self.next - 1) {
                self.who_was_changed(false);
            }
            return;
        }
        if before(&parts.time, &self.time) {
            return self.settle(self.next, self.next - 1, Why::TimeBack);
        }
        while let Some(mark) = self.marks.get(self.mark).filter(|mark| mark.seq == self.next).copied() {
            if mark.hash != hash {
                self.state = State::Marked { mark };
                return;
            }
            if mark.genuine {
                self.signed = Some(mark.signed());
            }
            self.mark += 1;
        }
        self.time.clear();
        self.time.push_str(&parts.time);
        self.before = hash;
        self.holds = self.next;
        self.next += 1;
    }

    /// The record that is judged does not follow from the one before it: which of the two was changed.
    fn who_was_changed(&mut self, this_is_vouched_for: bool) {
        let (this, before) = (self.next, self.next - 1);
        if this_is_vouched_for && self.signed.is_none_or(|signed| signed.seq < before) {
            self.line = self.line_before;
            return self.settle(before, before.saturating_sub(1), Why::Edited);
        }
        // Then only a signed head vouches for the record before it.
        let holds =
            if self.signed.is_some_and(|signed| signed.seq == before) { before } else { before.saturating_sub(1) };
        self.settle(this, holds, Why::Edited);
    }

    /// A record is another than was signed: it alone was changed, or all from somewhere on.
    fn alone_or_all(&mut self, mark: Mark, alone: bool) {
        if alone {
            return self.settle(mark.seq, mark.seq - 1, Why::Edited);
        }
        let holds = self.signed.map_or(self.from.saturating_sub(1), |signed| signed.seq);
        if holds + 1 != mark.seq {
            self.line = None;
        }
        self.settle(holds + 1, holds, Why::Rehashed { head: mark.head, at: mark.seq });
    }

    fn settle(&mut self, seq: u64, holds: u64, why: Why) {
        self.wrong = Some(Wrong { seq, line: self.line, why });
        self.holds = holds;
        self.state = State::Settled;
    }

    /// There are no more records. What the chain's head says, where there is one: how many there are, and the last one's hash.
    pub(super) fn finish(mut self, head: Option<(u64, Hash)>) -> ChainVerdict {
        match self.state {
            State::Follows { hash } => {
                let vouched = head.is_none_or(|(seq, of_head)| seq == self.next && of_head == hash);
                self.who_was_changed(vouched);
            }
            State::Marked { mark } => {
                let alone = head.is_some_and(|(_, hash)| hash == mark.hash);
                self.alone_or_all(mark, alone);
            }
            State::Seeks { goes_on, .. } => {
                let why = match head {
                    // One stands in its place, and the next one after that: its number was changed.
                    _ if goes_on => Why::Edited,
                    Some((seq, _)) if self.next > seq => Why::BeyondHead,
                    _ => Why::Missing,
                };
                self.settle(self.next, self.next - 1, why);
            }
            State::Holds => self.end(head),
            State::Settled => {}
        }
        ChainVerdict {
            workspace: self.workspace,
            from: self.from,
            records: self.records,
            holds: self.holds,
            wrong: self.wrong,
            signed: self.signed,
            payloads: PayloadsVerdict::default(),
        }
    }

    fn end(&mut self, head: Option<(u64, Hash)>) {
        let last = self.next - 1;
        self.line = None;
        if let Some(mark) = self.marks.last().filter(|mark| mark.seq > last) {
            let why = Why::CutOff { head: mark.head, at: mark.seq };
            return self.settle(self.next, last, why);
        }
        let Some((seq, hash)) = head else { return };
        if last < seq {
            self.settle(self.next, last, Why::Missing);
        } else if last > seq {
            self.settle(seq + 1, seq, Why::BeyondHead);
        } else if hash != self.before && last >= self.from {
            let signed = self.signed.is_some_and(|signed| signed.seq == last);
            self.settle(last, if signed { last } else { last - 1 }, Why::HeadDiffers);
        }
    }
}

/// Whether a time in UTC is before another. As text they sort as they are, but for the `Z` where a fraction may go on.
fn before(a: &str, b: &str) -> bool {
    a.trim_end_matches('Z') < b.trim_end_matches('Z')
}
