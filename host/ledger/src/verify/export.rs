//! An exported file, with the public key alone: no store, no host, any machine.
//!
//! It is read once, front to back. Signed heads that are kept elsewhere are read before it. Signed heads in it may come after
//! the records that they speak of; so the hashes of the last records are remembered, a bounded number of them. A signed head
//! that names an older record than those vouches for nothing.

use std::io::{self, BufRead, Read};

use aws_lc_rs::digest::{Context, SHA256};

use super::{
    OnProgress, Progress,
    chain::{ChainCheck, Mark},
    outside::{MAX_LINE, Outside, read_outside},
    part::{Held, Pieces},
    signed::{Begins, HeadsCheck, Marks, note},
    wrong::{FileWrong, HeadWhy, Signed, Verdict, Why, Wrong},
};
use crate::{
    frame::{END, EXPORT_VERSION, ExportEnd, ExportHeader, HEADER},
    hash::Hash,
    heads::{HEAD, PublicKey},
};

/// Records whose hashes are remembered, for the signed heads that come after them.
const REMEMBERED: usize = 1 << 20;
/// How often progress is told, in records.
const TOLD_EVERY: u64 = 1 << 14;

/// What exports are verified with.
#[derive(Default)]
pub struct ExportOptions<'a> {
    /// Whose signatures count. Several after a change of the key.
    pub keys: &'a [PublicKey],
    /// Signed heads that are kept elsewhere. All that they name must be in the file, from the chain's first record on, unless
    /// they were signed after the host exported (which only a signed export tells), or a part is asked for.
    pub outside: Vec<Outside<'a>>,
    /// The file must hold this record and those after it.
    pub from: Option<u64>,
    /// The file must hold this record and those before it; no more is asked for, whatever signed heads name.
    pub to: Option<u64>,
    /// Told how far it is.
    pub progress: Option<OnProgress<'a>>,
}

/// Verifies exports, one after the other, to the end of what is read. What is wrong is in the verdict; an error says that it
/// could not be read.
pub fn verify_export(mut file: impl BufRead, mut options: ExportOptions<'_>) -> Result<Verdict, io::Error> {
    let mut marks = Marks::new();
    let mut outside = Vec::new();
    for place in std::mem::take(&mut options.outside) {
        outside.push(read_outside(place, options.keys, &mut marks).map_err(io::Error::other)?);
    }
    let mut run = Run { keys: options.keys, marks, outside, pieces: Pieces::default(), verdict: Verdict::default() };
    let mut line = 0;
    let mut section: Option<Section<'_>> = None;
    let mut buffer = Vec::with_capacity(4096);
    let mut of = 0;
    loop {
        buffer.clear();
        if file.by_ref().take(MAX_LINE).read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        line += 1;
        let whole = buffer.ends_with(b"\n");
        let text = buffer.strip_suffix(b"\n").unwrap_or(&buffer);
        match &mut section {
            None => match header(text, whole) {
                Ok(header) => {
                    of += header.to - header.from + 1;
                    section = Some(Section::new(header, &run, &buffer));
                }
                Err(what) => {
                    run.verdict.file = Some(FileWrong { line, what });
                    break;
                }
            },
            Some(open) => {
                if open.line(text, whole, line) {
                    section.take().into_iter().for_each(|section| section.finish(&mut run));
                    if run.verdict.file.is_some() {
                        break;
                    }
                } else {
                    open.sum.update(&buffer);
                    if let Some(progress) = &mut options.progress
                        && open.records % TOLD_EVERY == 0
                    {
                        progress(Progress { done: run.verdict.records + open.records, of });
                    }
                }
            }
        }
    }
    if let Some(mut section) = section {
        section.fail(
            line + 1,
            "the file ends here, without the line that says how many records there are; it was cut off",
        );
        section.finish(&mut run);
    } else if line == 0 {
        run.verdict.file = Some(FileWrong { line: 1, what: "the file is empty".to_owned() });
    }
    let Run { marks, outside, pieces, mut verdict, .. } = run;
    pieces.judge(&marks, options.from, options.to, &mut verdict.chains);
    verdict.heads.extend(outside.into_iter().map(HeadsCheck::finish));
    if let Some(progress) = &mut options.progress {
        progress(Progress { done: verdict.records, of });
    }
    Ok(verdict)
}

/// What all exports of a file have in common.
struct Run<'k> {
    keys: &'k [PublicKey],
    /// What signed heads elsewhere say.
    marks: Marks,
    outside: Vec<HeadsCheck<'k>>,
    pieces: Pieces,
    verdict: Verdict,
}

fn header(text: &[u8], whole: bool) -> Result<ExportHeader, String> {
    if !text.starts_with(HEADER) {
        return Err("an export begins with a line `{\"export\":…}`; this is none".to_owned());
    }
    let header = ExportHeader::parse(text).map_err(|what| format!("the header cannot be read: {what}"))?;
    if header.v > EXPORT_VERSION {
        let v = header.v;
        return Err(format!(
            "the export has version {v}, and this program reads up to {EXPORT_VERSION}; use a newer Portcullis"
        ));
    }
    if header.from == 0 || header.to < header.from || header.to == u64::MAX {
        return Err(format!("the header says records {} to {}; that is no range", header.from, header.to));
    }
    if header.prev.is_none() != (header.from == 1) {
        return Err("the header must say what is before the first record, unless that is the chain's first".to_owned());
    }
    if !whole {
        return Err("the header is cut short".to_owned());
    }
    Ok(header)
}

/// One export.
struct Section<'k> {
    header: ExportHeader,
    keys: &'k [PublicKey],
    check: ChainCheck,
    heads: HeadsCheck<'k>,
    marks: Marks,
    /// Hashes of the last records, each at its number modulo the length.
    hashes: Vec<Hash>,
    sum: Context,
    records: u64,
    wrong: Option<FileWrong>,
    /// The host's newest signed head when it exported, where that is signed by one of the keys.
    newest: Option<u64>,
}

impl<'k> Section<'k> {
    fn new(header: ExportHeader, run: &Run<'k>, line: &[u8]) -> Self {
        let before = header.prev.unwrap_or_else(|| Hash::genesis(&header.workspace));
        let marks = run.marks.get(&header.workspace).map_or(&[][..], Vec::as_slice);
        let marks = marks.iter().filter(|mark| mark.seq <= header.to).copied().collect();
        let check = ChainCheck::new(&header.workspace, header.from, before, marks);
        let keys = run.keys;
        let place = format!("the export of `{}`", portcullis_gate::printable(&header.workspace, 128));
        let heads = HeadsCheck::new(&place, keys, Begins::Some);
        let mut sum = Context::new(&SHA256);
        sum.update(line);
        Self {
            header,
            keys,
            check,
            heads,
            marks: Marks::new(),
            hashes: Vec::new(),
            sum,
            records: 0,
            wrong: None,
            newest: None,
        }
    }

    /// The next line. Whether it was the last one.
    fn line(&mut self, text: &[u8], whole: bool, line: u64) -> bool {
        if text.starts_with(END) {
            self.end(text, whole, line);
            return true;
        }
        if text.starts_with(HEAD) {
            if !whole {
                self.fail(line, "the signed head is cut short");
            } else if let Some(signed) = self.heads.line(text, Some(line)) {
                if !signed.head.heads.contains_key(&self.header.workspace) {
                    let why = HeadWhy::OfOthers { workspace: self.header.workspace.clone() };
                    self.heads.fail(signed.head.seq, Some(line), why);
                }
                note(&mut self.marks, &signed, self.heads.checks());
            }
            return false;
        }
        if text.starts_with(HEADER) {
            self.fail(line, "another export begins here, before the end of the one that it stands in");
            return false;
        }
        if !whole {
            self.check.fail(Why::Torn, Some(line));
        }
        let expected = self.check.next();
        self.check.record(text, Some(line));
        self.records += 1;
        if let Some(hash) = self.check.last_hash() {
            let at = (expected - self.header.from) as usize % REMEMBERED;
            match self.hashes.get_mut(at) {
                Some(place) => *place = hash,
                None => self.hashes.push(hash),
            }
        }
        false
    }

    fn end(&mut self, text: &[u8], whole: bool, line: u64) {
        let end = match ExportEnd::parse(text) {
            Ok(end) if whole => end,
            Ok(_) => return self.fail(line, "the last line is cut short"),
            Err(what) => return self.fail(line, &format!("the last line cannot be read: {what}")),
        };
        let sum = Hash::from_digest(&self.sum.clone().finish());
        if end.signature.is_some() && self.header.v < 2 {
            return self.fail(line, "it is signed, and the header says that this is a form in which it cannot be");
        }
        let body = &end.end;
        if body.records != self.records {
            let what = format!("there are {} records before this line, which says {}", self.records, body.records);
            self.fail(line, &what);
        } else if body.sha256 != sum {
            self.fail(line, "what is before this line has another SHA-256 than it says: something was changed");
        } else if let Some(key) = body.key.as_ref().filter(|_| !self.keys.is_empty()) {
            match self.keys.iter().find(|known| known.id() == *key) {
                None => self.fail(line, &format!("it is signed by the key {key}, which is none of those given")),
                Some(known) if !end.is_signed_by(known) => {
                    self.fail(line, "its signature is wrong: it was changed, or somebody without the key made it");
                }
                Some(_) => self.newest = body.head,
            }
        }
    }

    fn fail(&mut self, line: u64, what: &str) {
        if self.wrong.is_none() {
            self.wrong = Some(FileWrong { line, what: what.to_owned() });
        }
    }

    fn finish(mut self, run: &mut Run<'_>) {
        let marks = self.marks.remove(&self.header.workspace).unwrap_or_default();
        let (next, last) = (self.check.next(), self.check.last_hash());
        let mut chain = self.check.finish(None);
        let (from, to) = (self.header.from, self.header.to);
        if chain.wrong.is_none() && chain.holds < to {
            chain.wrong = Some(Wrong { seq: chain.holds + 1, line: None, why: Why::Missing });
        } else if chain.wrong.is_none() && chain.holds > to {
            chain.wrong = Some(Wrong { seq: to + 1, line: None, why: Why::BeyondHead });
            chain.holds = to;
        }
        let mut marks: Vec<Mark> = marks;
        marks.sort_by_key(|mark| (mark.seq, mark.head));
        for mark in marks {
            if mark.seq < from {
                let why = Why::CutBefore { head: mark.head, begins: from };
                chain.wrong.get_or_insert(Wrong { seq: mark.seq, line: None, why });
                continue;
            }
            if mark.seq > chain.holds {
                let why = Why::CutOff { head: mark.head, at: mark.seq };
                chain.wrong.get_or_insert(Wrong { seq: chain.holds + 1, line: None, why });
                break;
            }
            // Older ones are vouched for by those that are remembered, if any of these is signed.
            if next.saturating_sub(mark.seq) > REMEMBERED as u64 {
                continue;
            }
            if self.hashes.get((mark.seq - from) as usize % REMEMBERED) == Some(&mark.hash) {
                let newer = chain.signed.is_none_or(|signed| signed.seq < mark.seq);
                if mark.genuine && newer {
                    chain.signed = Some(mark.signed());
                }
                continue;
            }
            let holds = chain.signed.map_or(from - 1, |signed| signed.seq.min(mark.seq - 1));
            chain.holds = holds;
            chain.wrong =
                Some(Wrong { seq: holds + 1, line: None, why: Why::Rehashed { head: mark.head, at: mark.seq } });
            break;
        }
        if let Some(head) = self.newest.filter(|_| chain.wrong.is_none() && self.wrong.is_none()) {
            chain.signed = Some(Signed { seq: to, head, time: self.header.time, export: true });
        }
        for place in &run.outside {
            self.heads.compare(place);
        }
        if let Some(last) = last.filter(|_| chain.wrong.is_none() && self.wrong.is_none()) {
            let (prev, newest, verdict) = (self.header.prev, self.newest, run.verdict.chains.len());
            run.pieces.add(&self.header.workspace, Held { from, prev, to, last, newest, verdict });
        }
        run.verdict.records += self.records;
        run.verdict.chains.push(chain);
        run.verdict.heads.push(self.heads.finish());
        if run.verdict.file.is_none() {
            run.verdict.file = self.wrong;
        }
    }
}
