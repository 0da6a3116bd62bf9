//! An exported file, with the public key alone: no store, no host, any machine.
//!
//! It is read once, front to back. Signed heads may come after the records that they speak of; so the hashes of the last
//! records are remembered, a bounded number of them.

use std::io::{self, BufRead, Read};

use aws_lc_rs::digest::{Context, SHA256};

use super::{
    OnProgress, Progress,
    chain::{ChainCheck, Mark},
    signed::{Begins, HeadsCheck, Marks, note},
    wrong::{FileWrong, HeadWhy, Signed, Verdict, Why, Wrong},
};
use crate::{
    frame::{END, EXPORT_VERSION, ExportEnd, ExportHeader, HEADER},
    hash::Hash,
    heads::{HEAD, PublicKey},
};

/// Longest line. A signed head that names thousands of workspaces has some hundred KiB.
const MAX_LINE: u64 = 8 * 1024 * 1024;
/// Records whose hashes are remembered, for the signed heads that come after them.
const REMEMBERED: usize = 1 << 20;
/// How often progress is told, in records.
const TOLD_EVERY: u64 = 1 << 14;

/// Verifies exports, one after the other, to the end of what is read. What is wrong is in the verdict; an error says that it
/// could not be read.
pub fn verify_export(
    mut file: impl BufRead,
    keys: &[PublicKey],
    mut progress: Option<OnProgress<'_>>,
) -> Result<Verdict, io::Error> {
    let mut verdict = Verdict::default();
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
                    section = Some(Section::new(header, keys, &buffer));
                }
                Err(what) => {
                    verdict.file = Some(FileWrong { line, what });
                    break;
                }
            },
            Some(open) => {
                if open.line(text, whole, line) {
                    section.take().into_iter().for_each(|section| section.finish(&mut verdict));
                    if verdict.file.is_some() {
                        break;
                    }
                } else {
                    open.sum.update(&buffer);
                    if let Some(progress) = &mut progress
                        && open.records % TOLD_EVERY == 0
                    {
                        progress(Progress { done: verdict.records + open.records, of });
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
        section.finish(&mut verdict);
    } else if line == 0 {
        verdict.file = Some(FileWrong { line: 1, what: "the file is empty".to_owned() });
    }
    if let Some(progress) = &mut progress {
        progress(Progress { done: verdict.records, of });
    }
    Ok(verdict)
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
    check: ChainCheck,
    heads: HeadsCheck<'k>,
    marks: Marks,
    /// Hashes of the last records, each at its number modulo the length.
    hashes: Vec<Hash>,
    sum: Context,
    records: u64,
    wrong: Option<FileWrong>,
}

impl<'k> Section<'k> {
    fn new(header: ExportHeader, keys: &'k [PublicKey], line: &[u8]) -> Self {
        let before = header.prev.unwrap_or_else(|| Hash::genesis(&header.workspace));
        let check = ChainCheck::new(&header.workspace, header.from, before, Vec::new());
        let place = format!("the export of `{}`", header.workspace.escape_debug());
        let heads = HeadsCheck::new(&place, keys, Begins::Some);
        let mut sum = Context::new(&SHA256);
        sum.update(line);
        Self { header, check, heads, marks: Marks::new(), hashes: Vec::new(), sum, records: 0, wrong: None }
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
                note(&mut self.marks, &signed);
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
        if end.records != self.records {
            let what = format!("there are {} records before this line, which says {}", self.records, end.records);
            self.fail(line, &what);
        } else if end.sha256 != sum {
            self.fail(line, "what is before this line has another SHA-256 than it says: something was changed");
        }
    }

    fn fail(&mut self, line: u64, what: &str) {
        if self.wrong.is_none() {
            self.wrong = Some(FileWrong { line, what: what.to_owned() });
        }
    }

    fn finish(mut self, verdict: &mut Verdict) {
        let marks = self.marks.remove(&self.header.workspace).unwrap_or_default();
        let next = self.check.next();
        let mut chain = self.check.finish(None);
        let (from, to) = (self.header.from, self.header.to);
        if chain.wrong.is_none() && chain.holds < to {
            chain.wrong = Some(Wrong { seq: chain.holds + 1, line: None, why: Why::Missing });
        } else if chain.wrong.is_none() && chain.holds > to {
            chain.wrong = Some(Wrong { seq: to + 1, line: None, why: Why::BeyondHead });
            chain.holds = to;
        }
        let mut marks: Vec<Mark> = marks.into_iter().filter(|mark| (from..=chain.holds).contains(&mark.seq)).collect();
        marks.sort_by_key(|mark| mark.seq);
        for mark in marks {
            // Older ones are vouched for by those that are remembered, if any of these is signed.
            if next.saturating_sub(mark.seq) > REMEMBERED as u64 {
                continue;
            }
            if self.hashes.get((mark.seq - from) as usize % REMEMBERED) == Some(&mark.hash) {
                chain.signed = Some(Signed { seq: mark.seq, head: mark.head, time: mark.time });
                continue;
            }
            let holds = chain.signed.map_or(from - 1, |signed| signed.seq);
            chain.holds = holds;
            chain.wrong =
                Some(Wrong { seq: holds + 1, line: None, why: Why::Rehashed { head: mark.head, at: mark.seq } });
            break;
        }
        verdict.records += self.records;
        verdict.chains.push(chain);
        verdict.heads.push(self.heads.finish());
        if verdict.file.is_none() {
            verdict.file = self.wrong;
        }
    }
}
