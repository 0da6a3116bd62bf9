//! Where a text has a run of one class of bytes that is long enough to hold a secret.
//!
//! A run of sufficient length covers whole aligned chunks, and whether a chunk is all of one class is a few instructions
//! without a branch on its bytes. Only where enough of them follow each other is the run measured.

use std::ops::Range;

/// A class of bytes that runs are made of.
pub(super) trait Class {
    /// Whether a byte may stand within one. Without branches and tables, so that it compiles to SIMD.
    fn has(byte: u8) -> bool;

    /// The run around `seed`, all of which is of the class, not going below `floor`.
    fn around(text: &[u8], floor: usize, seed: Range<usize>) -> Range<usize>;
}

/// How many bytes at the beginning of `text` are in `members`.
pub(super) fn ahead(text: &[u8], members: &[bool; 256]) -> usize {
    let is_member = |byte: &u8| members.get(usize::from(*byte)).copied().unwrap_or_default();
    // By eights, so that there is not a branch for each.
    let (blocks, _) = text.as_chunks::<8>();
    let whole =
        blocks.iter().take_while(|block| block.iter().fold(true, |all, byte| all & is_member(byte))).count() * 8;
    whole + text.get(whole..).unwrap_or_default().iter().take_while(|byte| is_member(byte)).count()
}

/// How many at its end are.
pub(super) fn behind(text: &[u8], members: &[bool; 256]) -> usize {
    let is_member = |byte: &u8| members.get(usize::from(*byte)).copied().unwrap_or_default();
    text.iter().rev().take_while(|byte| is_member(byte)).count()
}

/// A table of these bytes.
pub(super) const fn members(bytes: &[u8]) -> [bool; 256] {
    let mut members = [false; 256];
    let mut slots: &mut [bool] = &mut members;
    let mut byte = 0_u8;
    while let [slot, behind @ ..] = slots {
        let mut rest = bytes;
        while let [first, others @ ..] = rest {
            *slot |= *first == byte;
            rest = others;
        }
        byte = byte.wrapping_add(1);
        slots = behind;
    }
    members
}

/// How many bytes are classed at once.
const BLOCK: usize = 16;

/// The next run of at least `least` bytes that begins at `floor` or later.
pub(super) fn next<C: Class>(text: &[u8], floor: usize, least: usize) -> Option<Range<usize>> {
    match least {
        15.. => next_by::<C, 8>(text, floor, least),
        7.. => next_by::<C, 4>(text, floor, least),
        _ => next_by::<C, 2>(text, floor, least.max(3)),
    }
}

fn next_by<C: Class, const N: usize>(text: &[u8], mut floor: usize, least: usize) -> Option<Range<usize>> {
    // So many whole chunks are in a run of `least` bytes, however it lies.
    let enough = (least + 1) / N - 1;
    loop {
        let (blocks, rest) = text.get(floor..)?.as_chunks::<BLOCK>();
        let mut streak = 0;
        let mut chunks = 0;
        let mut seed = None;
        // What is left over is filled up with what is in no class.
        let mut last = [0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for block in blocks.iter().chain([&last]) {
            let flags = u128::from_le_bytes(block.map(|byte| u8::from(C::has(byte)) * 0xff));
            for chunk in 0..BLOCK / N {
                let flags = flags >> (chunk * N * 8);
                let all = !flags << ((BLOCK - N) * 8) == 0;
                streak = if all { streak + 1 } else { 0 };
                if streak >= enough {
                    seed = Some((chunks + chunk + 1) * N);
                    break;
                }
            }
            if seed.is_some() {
                break;
            }
            chunks += BLOCK / N;
        }
        let end = floor + seed?;
        let run = C::around(text, floor, end - enough * N..end);
        if run.len() >= least {
            return Some(run);
        }
        floor = run.end;
    }
}
