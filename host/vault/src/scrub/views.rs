//! Which decoded views of a text are searched, and where in the text a find in a view stands.
//!
//! A view is a run of windows, each decoded from one stretch of the text. It is written into a buffer, and whenever that
//! is full, what is in it is searched, and viewed in turn: the memory in use does not grow with what there is to decode.
//! No map of positions is kept. Finds are rare, and where there are some, the text is decoded once more to place them.

use std::ops::Range;

use portcullis_gate::{Spent, Work};

use super::{
    Hit,
    base64::{self, Run},
    buffer::Buffer,
    characters::Meant,
    escapes::{self, Escapes},
    hex,
    patterns::Pattern,
    search::Search,
};

/// Most layers that are undone. JSON in JSON is two.
const MOST_LAYERS: usize = 4;
/// Most of them that are base64 or hexadecimal: undoing these is tried on what only looks like them.
const MOST_RUNS: usize = 2;
/// Most of them that are quoted-printable: undone apart from the other escapes, it doubles the ways through a text.
const MOST_QUOTED: usize = 2;
/// A view is searched when it has this many bytes. It stays in the processor's cache.
const BUFFER: usize = 32 * 1024;
/// So many bytes of a text that is looked through for escapes and runs cost a unit.
const BYTES_PER_UNIT: u64 = 32;
/// Looking at a text at all.
const LOOK: u64 = 8;
/// So many steps of writing a view cost a unit.
const STEPS_PER_UNIT: u64 = 4;
/// So many bytes that are copied, or only looked at, are a step.
const BYTES_PER_STEP: u64 = 8;

/// Stands between two windows. Belongs to no encoding, and secrets have no control characters.
const BETWEEN: u8 = 0;

pub(super) struct Views {
    search: Search,
    profile: Profile,
}

/// Ways to look at a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Escapes(Escapes),
    Base64,
    Hex,
}

/// How many layers may still be undone.
#[derive(Clone, Copy, Debug)]
struct Depth {
    layers: usize,
    runs: usize,
    quoted: usize,
}

/// What of a view a find could be made of.
pub(super) struct Profile {
    /// The shortest pattern, in bytes.
    shortest: usize,
    /// Whether all patterns are ASCII.
    ascii: bool,
    wanted: [bool; 256],
    /// Those of them that begin no escape.
    plain: [bool; 256],
}

/// Takes the windows of a view, in order.
pub(super) trait Sink {
    /// What stands in the text as it is, from `at` on.
    fn copy(&mut self, at: usize, bytes: &[u8]);

    /// What all of a range of the text stands for.
    fn piece(&mut self, range: Range<usize>, bytes: &[u8]);

    /// What base64 stands for: each byte for two characters, from the one numbered `first` on.
    fn sextets(&mut self, run: &Run, first: usize, bytes: &[u8]);

    /// What follows does not touch what came before.
    fn end(&mut self);

    /// So many bytes of a text were looked at more closely, whatever came of it.
    fn looked(&mut self, bytes: usize);

    /// Whether nothing more is wanted.
    fn is_over(&self) -> bool;
}

impl Profile {
    fn new(patterns: &[Pattern]) -> Self {
        let all = || patterns.iter().flat_map(|pattern| pattern.bytes.iter().copied());
        let mut wanted = [false; 256];
        // What decodes further, and what may stand within hexadecimal.
        let syntax = *b"%\\&#;=+/-_ ,:\t\r\n";
        for byte in all().chain(b'0'..=b'9').chain(b'a'..=b'z').chain(b'A'..=b'Z').chain(syntax) {
            if let Some(wanted) = wanted.get_mut(usize::from(byte)) {
                *wanted = true;
            }
        }
        let mut plain = wanted;
        for byte in *b"%\\&=" {
            if let Some(plain) = plain.get_mut(usize::from(byte)) {
                *plain = false;
            }
        }
        let shortest = patterns.iter().map(|pattern| pattern.bytes.len()).min().unwrap_or_default();
        Self { shortest, ascii: all().all(|b| b.is_ascii()), wanted, plain }
    }

    pub(super) fn wants_byte(&self, byte: u8) -> bool {
        self.wanted.get(usize::from(byte)).copied().unwrap_or(true)
    }

    pub(super) fn wants_plain(&self, byte: u8) -> bool {
        self.plain.get(usize::from(byte)).copied().unwrap_or(true)
    }

    #[inline(always)]
    pub(super) fn wants(&self, meant: Meant) -> bool {
        meant.bytes(|bytes| bytes.iter().all(|byte| self.wants_byte(*byte)))
    }

    pub(super) fn shortest(&self) -> usize {
        self.shortest
    }

    /// Least characters of base64 that hold a pattern.
    pub(super) fn base64_run(&self) -> usize {
        (self.shortest * 8).div_ceil(6)
    }

    /// Least characters of hexadecimal that do.
    pub(super) fn hex_run(&self) -> usize {
        self.shortest * 2
    }

    /// How many whole groups of base64 are ASCII where there is a pattern, however it lies; none if it need not be ASCII.
    pub(super) fn ascii_groups(&self) -> Option<usize> {
        self.ascii.then(|| self.shortest.saturating_sub(2) / 3)
    }
}

impl Views {
    pub(super) fn new(search: Search) -> Self {
        Self { profile: Profile::new(search.patterns()), search }
    }

    /// All finds in the text, in no order.
    pub(super) fn find(&self, text: &[u8], work: &Work) -> Result<Vec<Hit>, Spent> {
        let mut hits = Vec::new();
        let depth = Depth { layers: MOST_LAYERS, runs: MOST_RUNS, quoted: MOST_QUOTED };
        self.look(text, depth, &mut hits, work)?;
        Ok(hits)
    }

    fn look(&self, text: &[u8], depth: Depth, hits: &mut Vec<Hit>, work: &Work) -> Result<(), Spent> {
        work.charge(LOOK + text.len() as u64 / BYTES_PER_UNIT)?;
        self.search.find(text, hits, work)?;
        let Some(layers) = depth.layers.checked_sub(1) else { return Ok(()) };
        let below = Depth { layers, ..depth };
        self.through(View::Escapes(Escapes::All), text, below, hits, work)?;
        // In an upstream's own text, what encoders would have escaped may be left: backslashes, and bytes of Latin-1. One
        // layer below, as there is nothing in it that `All` has not found but for that.
        if depth.layers == MOST_LAYERS {
            let below = Depth { layers: 1, ..below };
            if memchr::memchr(b'\\', text).is_some() {
                self.through(View::Escapes(Escapes::NoBackslash), text, below, hits, work)?;
            }
            if !self.profile.ascii {
                self.through(View::Escapes(Escapes::Latin), text, below, hits, work)?;
            }
        }
        if let Some(quoted) = depth.quoted.checked_sub(1) {
            self.through(View::Escapes(Escapes::QuotedPrintable), text, Depth { quoted, ..below }, hits, work)?;
        }
        if let Some(runs) = depth.runs.checked_sub(1) {
            let below = Depth { runs, ..below };
            self.through(View::Base64, text, below, hits, work)?;
            self.through(View::Hex, text, below, hits, work)?;
        }
        Ok(())
    }

    fn through(&self, view: View, text: &[u8], below: Depth, hits: &mut Vec<Hit>, work: &Work) -> Result<(), Spent> {
        let mut writer = Writer {
            views: self,
            below,
            buffer: Buffer::default(),
            window: 0,
            searched: 0,
            hits: Vec::new(),
            work,
            steps: 0,
            all_steps: 0,
            over: Ok(()),
        };
        self.windows(view, text, &mut writer);
        writer.search();
        writer.over?;
        if !writer.hits.is_empty() {
            // The same once more, to place them.
            work.charge(writer.all_steps / STEPS_PER_UNIT + writer.hits.len() as u64)?;
            let mut placer = Placer::new(&writer.hits);
            self.windows(view, text, &mut placer);
            hits.append(&mut placer.hits);
        }
        Ok(())
    }

    fn windows(&self, view: View, text: &[u8], sink: &mut impl Sink) {
        match view {
            View::Escapes(escapes) => escapes::windows(text, escapes, &self.profile, sink),
            View::Base64 => base64::windows(text, &self.profile, sink),
            View::Hex => hex::windows(text, &self.profile, sink),
        }
    }
}

/// Writes a view, and has it searched piece by piece.
struct Writer<'a> {
    views: &'a Views,
    below: Depth,
    buffer: Buffer,
    /// Where in the buffer the window begins.
    window: usize,
    /// How many bytes of the view have been searched and forgotten.
    searched: usize,
    /// Finds, placed in the view.
    hits: Vec<Hit>,
    work: &'a Work,
    /// What was done and not charged yet.
    steps: u64,
    all_steps: u64,
    over: Result<(), Spent>,
}

impl Writer<'_> {
    /// Charges what was done, and has what was written searched.
    fn search(&mut self) {
        self.all_steps += self.steps;
        let charged = self.work.charge(std::mem::take(&mut self.steps) / STEPS_PER_UNIT);
        self.over = self.over.and(charged);
        if self.buffer.is_empty() {
            return;
        }
        let from = self.hits.len();
        if self.over.is_ok() {
            self.over = self.views.look(&self.buffer, self.below, &mut self.hits, self.work);
        }
        for hit in self.hits.iter_mut().skip(from) {
            hit.start += self.searched;
            hit.end += self.searched;
        }
        self.searched += self.buffer.len();
        self.buffer.clear();
        self.window = 0;
    }
}

impl Sink for Writer<'_> {
    fn copy(&mut self, _: usize, bytes: &[u8]) {
        self.looked(bytes.len());
        self.buffer.extend(bytes);
    }

    fn piece(&mut self, _: Range<usize>, bytes: &[u8]) {
        self.steps += 1;
        match bytes {
            // Nearly all are one byte.
            [byte] => self.buffer.push(*byte),
            _ => self.buffer.extend(bytes),
        }
    }

    fn sextets(&mut self, _: &Run, _: usize, bytes: &[u8]) {
        self.steps += 1;
        self.buffer.extend(bytes);
    }

    fn end(&mut self) {
        if self.buffer.len() > self.window {
            self.buffer.push(BETWEEN);
            self.window = self.buffer.len();
            if self.buffer.len() >= BUFFER {
                self.search();
            }
        }
    }

    fn looked(&mut self, bytes: usize) {
        self.steps += 1 + bytes as u64 / BYTES_PER_STEP;
    }

    fn is_over(&self) -> bool {
        self.over.is_err()
    }
}

/// Follows a view as it is written, and places in the text what was found in it.
struct Placer {
    /// First and last bytes of finds in the view, in order, with the find's number.
    points: Vec<(usize, usize, Edge)>,
    /// How many of them have been passed.
    passed: usize,
    /// Where in the view the next byte goes.
    at: usize,
    /// Where the window begins.
    window: usize,
    hits: Vec<Hit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    First,
    Last,
}

impl Placer {
    fn new(found: &[Hit]) -> Self {
        let mut points: Vec<_> = found
            .iter()
            .enumerate()
            .flat_map(|(number, hit)| {
                [(hit.start, number, Edge::First), (hit.end.saturating_sub(1), number, Edge::Last)]
            })
            .collect();
        points.sort_unstable();
        Self { points, passed: 0, at: 0, window: 0, hits: found.to_vec() }
    }

    /// Places what begins or ends within the next `length` bytes; `place` says for each where in the text it stands.
    fn pass(&mut self, length: usize, place: impl Fn(usize) -> Range<usize>) {
        let end = self.at + length;
        while let Some((point, number, edge)) = self.points.get(self.passed).copied().filter(|(at, ..)| *at < end) {
            let stands = place(point.saturating_sub(self.at));
            if let Some(hit) = self.hits.get_mut(number) {
                match edge {
                    Edge::First => hit.start = stands.start,
                    Edge::Last => hit.end = stands.end,
                }
            }
            self.passed += 1;
        }
        self.at = end;
    }
}

impl Sink for Placer {
    fn copy(&mut self, at: usize, bytes: &[u8]) {
        self.pass(bytes.len(), |offset| at + offset..at + offset + 1);
    }

    fn piece(&mut self, range: Range<usize>, bytes: &[u8]) {
        self.pass(bytes.len(), |_| range.clone());
    }

    fn sextets(&mut self, run: &Run, first: usize, bytes: &[u8]) {
        self.pass(bytes.len(), |offset| run.place(first + offset)..run.place(first + offset + 1) + 1);
    }

    fn end(&mut self) {
        if self.at > self.window {
            self.at += 1;
            self.window = self.at;
        }
    }

    fn looked(&mut self, _: usize) {}

    fn is_over(&self) -> bool {
        false
    }
}
