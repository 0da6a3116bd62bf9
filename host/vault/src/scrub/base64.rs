//! The view behind base64: every run of its alphabets, standard, URL or mixed, over line breaks, decoded four times, as
//! if it began at its first, second, third or fourth character. What stands before a secret, inside of the base64 or
//! glued to it, then makes no difference.
//!
//! Three of the four are noise. Where all secrets are ASCII, which noise is only for a few bytes, it is not written out.

use std::ops::Range;

use super::{
    buffer::Buffer,
    runs::{self, Class},
    views::{Profile, Sink},
};

/// Characters of both alphabets.
struct Alphabet;

impl Class for Alphabet {
    fn has(byte: u8) -> bool {
        is_character(byte) | (byte == b'\r') | (byte == b'\n')
    }

    /// Over line breaks, indented or not.
    fn around(text: &[u8], floor: usize, seed: Range<usize>) -> Range<usize> {
        let Range { mut start, mut end } = seed;
        loop {
            let before = text.get(floor..start).unwrap_or_default();
            start -= runs::behind(before, &CHARACTERS);
            let before = text.get(floor..start).unwrap_or_default();
            let white = before.iter().rev().take_while(|b| is_white(**b)).count();
            let (before, gap) = before.split_at(before.len() - white);
            if !gap.contains(&b'\n') || !before.last().is_some_and(|b| is_character(*b)) {
                break;
            }
            start -= white;
        }
        loop {
            let behind = text.get(end..).unwrap_or_default();
            end += runs::ahead(behind, &CHARACTERS);
            let behind = text.get(end..).unwrap_or_default();
            let white = behind.iter().take_while(|b| is_white(**b)).count();
            let (gap, behind) = behind.split_at(white);
            if !gap.contains(&b'\n') || !behind.first().is_some_and(|b| is_character(*b)) {
                break;
            }
            end += white;
        }
        start..end
    }
}

fn is_character(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `/` stands right before the digits.
    let digit = byte.wrapping_sub(b'/') < 11;
    letter | digit | (byte == b'+') | (byte == b'-') | (byte == b'_')
}

const CHARACTERS: [bool; 256] = runs::members(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_");

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const NONE: u8 = 0xff;

/// What each character of either alphabet stands for.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut slots: &mut [u8] = &mut values;
    let mut byte = 0_u8;
    while let [slot, behind @ ..] = slots {
        *slot = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => NONE,
        };
        byte = byte.wrapping_add(1);
        slots = behind;
    }
    values
};

/// A run, without its line breaks.
pub(super) struct Run<'a> {
    characters: &'a [u8],
    /// Where each line begins: in `characters`, and in the text.
    lines: &'a [(usize, usize)],
}

impl Run<'_> {
    /// Where in the text a character stands.
    pub(super) fn place(&self, character: usize) -> usize {
        let line = self.lines.partition_point(|(first, _)| *first <= character).saturating_sub(1);
        self.lines.get(line).map_or(0, |(first, at)| at + character.saturating_sub(*first))
    }
}

/// Hands over the windows of the view.
pub(super) fn windows(text: &[u8], profile: &Profile, sink: &mut impl Sink) {
    let mut joined = Buffer::default();
    let mut lines = Vec::new();
    let mut floor = 0;
    while let Some(range) = runs::next::<Alphabet>(text, floor, profile.base64_run()) {
        floor = range.end;
        let mut at = range.start;
        let mut characters = text.get(range).unwrap_or_default();
        lines.clear();
        lines.push((0, at));
        if memchr::memchr(b'\n', characters).is_some() {
            joined.clear();
            lines.clear();
            for line in characters.split_inclusive(|b| is_white(*b)) {
                let length = line.len() - usize::from(line.last().is_some_and(|b| is_white(*b)));
                if length > 0 {
                    lines.push((joined.len(), at));
                    joined.extend(line.get(..length).unwrap_or_default());
                }
                at += line.len();
            }
            characters = &joined;
        }
        let run = Run { characters, lines: &lines };
        for phase in 0..4 {
            sink.looked(characters.len());
            if sink.is_over() {
                return;
            }
            decode(&run, phase, profile, sink);
        }
    }
}

fn value(character: u8) -> u8 {
    VALUES.get(usize::from(character)).copied().unwrap_or(NONE)
}

fn bits(group: &[u8; 4]) -> u32 {
    let [a, b, c, d] = group.map(|character| u32::from(value(character)));
    a << 18 | b << 12 | c << 6 | d
}

fn is_ascii(group: &[u8; 4]) -> bool {
    bits(group) & 0x0080_8080 == 0
}

fn decode(run: &Run, phase: usize, profile: &Profile, sink: &mut impl Sink) {
    let (groups, rest) = run.characters.get(phase..).unwrap_or_default().as_chunks::<4>();
    let Some(enough) = profile.ascii_groups().filter(|enough| *enough > 0) else {
        return write(run, phase, 0..groups.len(), groups, rest, sink);
    };
    let mut at = 0;
    while let Some(ahead) = groups.get(at..at + enough) {
        // From behind: most stretches that are too short are passed over with one look at their end.
        if let Some(other) = ahead.iter().rposition(|group| !is_ascii(group)) {
            at += other + 1;
            continue;
        }
        let more = groups.get(at + enough..).unwrap_or_default();
        let end = at + enough + more.iter().take_while(|group| is_ascii(group)).count();
        // Of the groups before and behind, a part may belong to it.
        let rest = if end >= groups.len() { rest } else { &[] };
        write(run, phase, at.saturating_sub(1)..(end + 1).min(groups.len()), groups, rest, sink);
        at = end + 1;
    }
}

fn write(run: &Run, phase: usize, range: Range<usize>, groups: &[[u8; 4]], rest: &[u8], sink: &mut impl Sink) {
    let mut at = phase + range.start * 4;
    for group in groups.get(range).unwrap_or_default() {
        let [_, bytes @ ..] = bits(group).to_be_bytes();
        sink.sextets(run, at, &bytes);
        at += 4;
    }
    match rest {
        [a, b] => sink.sextets(run, at, &[value(*a) << 2 | value(*b) >> 4]),
        [a, b, c] => {
            let (a, b, c) = (value(*a), value(*b), value(*c));
            sink.sextets(run, at, &[a << 2 | b >> 4, b << 4 | c >> 2]);
        }
        _ => {}
    }
    sink.end();
}
