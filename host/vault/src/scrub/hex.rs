//! The view behind hexadecimal: pairs of digits in either case, with nothing between them or what dumps and literals put
//! there: `de:ad`, `DE AD`, `0xde, 0xad`, over lines.

use std::ops::Range;

use super::{
    runs::{self, Class},
    views::{Profile, Sink},
};

/// Digits, and what stands between.
struct Dump;

impl Class for Dump {
    fn has(byte: u8) -> bool {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 6;
        // The digits and the colon.
        let digit = byte.wrapping_sub(b'0') < 11;
        let between = (byte == b' ') | (byte == b',') | (byte == b'-') | (byte == b'+') | (byte == b';');
        letter | digit | between | (byte == b'\n') | (byte == b'\r') | (byte == b'\t') | (byte | 0x20 == b'x')
    }

    fn around(text: &[u8], floor: usize, seed: Range<usize>) -> Range<usize> {
        let left = runs::behind(text.get(floor..seed.start).unwrap_or_default(), &MEMBERS);
        let right = runs::ahead(text.get(seed.end..).unwrap_or_default(), &MEMBERS);
        seed.start - left..seed.end + right
    }
}

const MEMBERS: [bool; 256] = runs::members(b"0123456789abcdefABCDEFxX:;,-+ \t\r\n");
const DIGITS: [bool; 256] = runs::members(b"0123456789abcdefABCDEF");

/// Hands over the windows of the view.
pub(super) fn windows(text: &[u8], profile: &Profile, sink: &mut impl Sink) {
    let mut floor = 0;
    while let Some(run) = runs::next::<Dump>(text, floor, profile.hex_run()) {
        floor = run.end;
        // Each token is gone through up to four times, and read digit by digit.
        sink.looked(run.len() * 4);
        if sink.is_over() {
            return;
        }
        dump(text, run, profile, sink);
    }
}

fn dump(text: &[u8], run: Range<usize>, profile: &Profile, sink: &mut impl Sink) {
    let mut at = run.start;
    while let Some(token) = token(text, at..run.end) {
        at = token.end;
        let digits = token.len();
        // The `0` of `0xde` belongs to what stands between.
        if digits == 1 && text.get(token.start) == Some(&b'0') && matches!(text.get(token.end), Some(b'x' | b'X')) {
            continue;
        }
        pairs(text, token.clone(), profile, sink);
        // A digit too many: of what stands before the dump, or behind it.
        if digits % 2 == 1 {
            sink.end();
            pairs(text, token.start + 1..token.end, profile, sink);
        }
    }
    sink.end();
    // Or one before, and one behind.
    at = run.start;
    while let Some(token) = token(text, at..run.end) {
        at = token.end;
        if token.len() % 2 == 0 && token.len() >= profile.hex_run() {
            pairs(text, token.start + 1..token.end, profile, sink);
            sink.end();
        }
    }
}

/// The next digits.
fn token(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(range.clone())?;
    let between = rest.iter().position(u8::is_ascii_hexdigit)?;
    let digits = runs::ahead(rest.get(between..)?, &DIGITS);
    let start = range.start + between;
    Some(start..start + digits)
}

fn pairs(text: &[u8], token: Range<usize>, profile: &Profile, sink: &mut impl Sink) {
    let (pairs, _) = text.get(token.clone()).unwrap_or_default().as_chunks::<2>();
    let wanted = |pair: &[u8; 2]| profile.wants_byte(byte(*pair));
    let mut at = 0;
    while let Some(ahead) = pairs.get(at..).filter(|ahead| !ahead.is_empty()) {
        let streak = ahead.iter().take_while(|pair| wanted(pair)).count();
        for pair in ahead.get(..streak).unwrap_or_default() {
            let place = token.start + at * 2;
            sink.piece(place..place + 2, &[byte(*pair)]);
            at += 1;
        }
        if at >= pairs.len() {
            return;
        }
        sink.end();
        at += 1;
        // From behind: most stretches that are too short are passed over with one look at their end.
        while let Some(other) = pairs.get(at..at + profile.shortest()).and_then(|p| p.iter().rposition(|p| !wanted(p)))
        {
            at += other + 1;
        }
    }
}

fn byte([high, low]: [u8; 2]) -> u8 {
    digit(high) << 4 | digit(low)
}

/// Without a branch: random digits would be guessed wrong every other time.
fn digit(byte: u8) -> u8 {
    (byte & 15) + (byte >> 6) * 9
}
