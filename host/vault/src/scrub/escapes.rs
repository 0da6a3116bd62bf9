//! The views behind escapes: what a text says when its `%41`, `\u0041`, `&#65;` or `=41` are undone.
//!
//! What can be found there and not in the text itself has an escape in it. So only windows are decoded: an escape, and
//! what stands round it as long as those bytes could belong to a find.

use super::{
    characters::{self, Decoded},
    views::{Profile, Sink},
};

/// Escapes that are undone in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// URL escapes, character references and backslashes. Where layers are of different kinds, one view undoes two.
    All,
    /// Not the backslashes: where they mean themselves, one that stands before a secret would take its first letter.
    NoBackslash,
    /// All, in a text that is Latin-1.
    Latin,
    /// Quoted-printable. Alone, as `=` stands before many a secret, and two of its letters may look like digits.
    QuotedPrintable,
}

impl Escapes {
    #[inline(always)]
    fn next(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::All | Self::Latin => memchr::memchr3(b'%', b'\\', b'&', text),
            Self::NoBackslash => memchr::memchr2(b'%', b'&', text),
            Self::QuotedPrintable => memchr::memchr(b'=', text),
        }
    }

    #[inline(always)]
    fn decode(self, text: &[u8]) -> Option<Decoded> {
        match (self, text.first()?) {
            (Self::All | Self::NoBackslash, b'%') => characters::percent(text),
            (Self::All | Self::NoBackslash, b'&') => characters::reference(text),
            (Self::All, b'\\') => characters::backslash(text),
            (Self::Latin, _) => Self::All.decode(text).map(Decoded::narrow),
            (Self::QuotedPrintable, b'=') => characters::quoted_printable(text),
            _ => None,
        }
    }
}

/// All of a text with its escapes of one kind undone once.
pub(super) fn decoded(text: &[u8], decode: impl Fn(&[u8]) -> Option<Decoded>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        if let Some(decoded) = decode(rest) {
            decoded.meant.bytes(|bytes| out.extend_from_slice(bytes));
            rest = rest.get(decoded.used..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}

/// Hands over the windows of one view.
pub(super) fn windows(text: &[u8], escapes: Escapes, profile: &Profile, sink: &mut impl Sink) {
    // The same code for each, with what it does not undo left out.
    match escapes {
        Escapes::All => windows_of(text, Escapes::All, profile, sink),
        Escapes::NoBackslash => windows_of(text, Escapes::NoBackslash, profile, sink),
        Escapes::Latin => windows_of(text, Escapes::Latin, profile, sink),
        Escapes::QuotedPrintable => windows_of(text, Escapes::QuotedPrintable, profile, sink),
    }
}

#[inline(always)]
fn windows_of(text: &[u8], escapes: Escapes, profile: &Profile, sink: &mut impl Sink) {
    let rest = |at: usize| text.get(at..).unwrap_or_default();
    // Nothing before here can be part of the next window.
    let mut floor = 0;
    let mut at = 0;
    while let Some(next) = escapes.next(rest(at)) {
        let escape = at + next;
        sink.looked(0);
        if sink.is_over() {
            return;
        }
        let Some(decoded) = escapes.decode(rest(escape)) else {
            at = escape + 1;
            continue;
        };
        if !profile.wants(decoded.meant) {
            at = escape + decoded.used;
            floor = at;
            continue;
        }
        let before = text.get(floor..escape).unwrap_or_default();
        let before = before.iter().rev().take_while(|b| profile.wants_byte(**b)).count();
        sink.copy(escape - before, text.get(escape - before..escape).unwrap_or_default());
        at = window(text, escape, escapes, profile, sink);
        floor = at;
        sink.end();
    }
}

/// From an escape on, as long as there is what a find could be made of. Gives the end.
#[inline(always)]
fn window(text: &[u8], from: usize, escapes: Escapes, profile: &Profile, sink: &mut impl Sink) -> usize {
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if let Some(decoded) = escapes.decode(rest) {
            if !profile.wants(decoded.meant) {
                return at + decoded.used;
            }
            let range = at..at + decoded.used;
            decoded.meant.bytes(|bytes| sink.piece(range, bytes));
            at += decoded.used;
            continue;
        }
        // The first byte may be an escape's first and yet not be one.
        let Some((first, behind)) = rest.split_first() else { return at };
        if !profile.wants_byte(*first) {
            return at;
        }
        let more = behind.iter().take_while(|b| profile.wants_plain(**b)).count();
        sink.copy(at, rest.get(..=more).unwrap_or_default());
        at += more + 1;
    }
}
