//! Whether a file holds all that it was to hold: everything that signed heads elsewhere name, or the part that was asked for.
//!
//! A file that was shortened is as good in itself as one that was made earlier or of a part. So who gives signed heads says
//! that all they name is to be there; the only heads that are no reproach are those that the host signed after it exported,
//! which its signature under the export tells ([`EndBody::head`](crate::EndBody)). Who wants a part verified names it.

use std::collections::BTreeMap;

use super::{
    signed::Marks,
    wrong::{ChainVerdict, Why, Wrong},
};
use crate::hash::Hash;

/// What a file holds of a chain, without a gap: exports that follow from each other are one piece.
struct Piece {
    from: u64,
    to: u64,
    last: Hash,
    /// The newest signed head when it was exported, where that is signed.
    newest: Option<u64>,
    /// Which verdict is about its end.
    verdict: usize,
}

/// What a file holds of all chains.
#[derive(Default)]
pub(super) struct Pieces(BTreeMap<String, Vec<Piece>>);

/// One export that holds.
pub(super) struct Held {
    pub(super) from: u64,
    pub(super) prev: Option<Hash>,
    pub(super) to: u64,
    pub(super) last: Hash,
    pub(super) newest: Option<u64>,
    pub(super) verdict: usize,
}

impl Pieces {
    pub(super) fn add(&mut self, workspace: &str, held: Held) {
        let pieces = self.0.entry(workspace.to_owned()).or_default();
        match pieces.last_mut() {
            Some(piece) if held.from == piece.to + 1 && held.prev == Some(piece.last) => {
                (piece.to, piece.last, piece.newest, piece.verdict) = (held.to, held.last, held.newest, held.verdict);
            }
            _ => pieces.push(Piece {
                from: held.from,
                to: held.to,
                last: held.last,
                newest: held.newest,
                verdict: held.verdict,
            }),
        }
    }

    /// Says of each chain of which no piece holds all that was to be there what is missing.
    pub(super) fn judge(&self, marks: &Marks, from: Option<u64>, to: Option<u64>, chains: &mut [ChainVerdict]) {
        for (workspace, pieces) in &self.0 {
            let marks = marks.get(workspace).map_or(&[][..], Vec::as_slice);
            let begins = from.or((!marks.is_empty()).then_some(1));
            let lacking = |piece: &Piece| {
                let part = |seq| Wrong { seq, line: None, why: Why::NotInPart { begins: piece.from, ends: piece.to } };
                if let Some(begins) = begins.filter(|begins| piece.from > *begins) {
                    return Some(part(begins));
                }
                if let Some(to) = to {
                    return (piece.to < to).then(|| part(piece.to + 1));
                }
                let counts = marks.iter().filter(|mark| piece.newest.is_none_or(|newest| mark.head <= newest));
                let most = counts.max_by_key(|mark| mark.seq).filter(|mark| mark.seq > piece.to)?;
                let why = Why::Shortened { ends: piece.to, head: most.head, at: most.seq };
                Some(Wrong { seq: piece.to + 1, line: None, why })
            };
            let all: Vec<(usize, Wrong)> =
                pieces.iter().filter_map(|piece| Some((piece.verdict, lacking(piece)?))).collect();
            if all.len() < pieces.len() {
                continue;
            }
            for (at, wrong) in all {
                if let Some(chain) = chains.get_mut(at).filter(|chain| chain.wrong.is_none()) {
                    chain.wrong = Some(wrong);
                }
            }
        }
    }
}
