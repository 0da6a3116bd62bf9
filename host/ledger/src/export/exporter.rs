//! What is exported, a piece at a time.
//!
//! JSON Lines are the records byte for byte as they stand in the chain, with a header before them, and after them the signed
//! heads and a line that says how many records there were. They can be verified with the public key alone, so they have no
//! gaps: a range of the chain, never a choice from it. OCSF and CEF take a choice as well, and end with the signed heads.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use portcullis_gate::plain_json;

use super::{cef, ocsf};
use crate::{
    block::Line,
    error::LedgerError,
    frame::{EXPORT_VERSION, ExportEnd, ExportHeader},
    hash::Hash,
    heads::{SignError, SignedHead, Signer},
    query::{Cursor, Query},
    reader::Reader,
};

/// In which form records are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The chain itself, with its signed heads.
    JsonLines,
    /// OCSF events of the class API Activity, one a line.
    Ocsf,
    /// ArcSight's Common Event Format.
    Cef,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::JsonLines, Self::Ocsf, Self::Cef];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
        }
    }
}

/// Why nothing, or not all of it, was exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// JSON Lines are a chain.
    #[error(
        "a chain has no gaps, so JSON Lines cannot leave records out by their fields; export a range of it, or another format"
    )]
    Filtered,
    /// There are none.
    #[error("the workspace `{workspace}` has no records in this range; nothing was exported")]
    Nothing {
        /// Whose records.
        workspace: String,
    },
    /// The export cannot be signed.
    #[error("the export cannot be signed: {0}")]
    Sign(#[from] SignError),
}

/// What is exported.
#[derive(Clone, Debug)]
pub struct Wanted {
    query: Query,
    format: Format,
    from: u64,
    to: u64,
}

impl Wanted {
    /// The records that a query finds, oldest first. Its limit and cursor do not matter.
    pub fn new(query: Query, format: Format) -> Self {
        Self { query: query.oldest_first(), format, from: 1, to: u64::MAX }
    }

    /// Only this record and those after it.
    #[must_use]
    pub fn from(mut self, seq: u64) -> Self {
        self.from = seq.max(1);
        self
    }

    /// Only this record and those before it.
    #[must_use]
    pub fn to(mut self, seq: u64) -> Self {
        self.to = seq;
        self
    }
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many records.
    pub records: u64,
    /// The first record of the range.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// How many signed heads.
    pub heads: u64,
    /// How many bytes.
    pub bytes: u64,
    /// SHA-256 of all of them.
    pub sha256: Hash,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Records,
    Heads,
    End,
    Done,
}

/// Hands out an export, a piece at a time.
pub struct Exporter {
    reader: Reader,
    wanted: Wanted,
    heads: Vec<SignedHead>,
    signer: Option<(Arc<dyn Signer>, u64)>,
    time: Timestamp,
    stage: Stage,
    first: u64,
    last: u64,
    /// The next record to look at.
    next: u64,
    records: u64,
    bytes: u64,
    sum: Context,
}

impl Exporter {
    /// Settles what is in it: what is recorded later is not.
    pub async fn new(reader: Reader, wanted: Wanted, time: Timestamp) -> Result<Self, ExportError> {
        if wanted.format == Format::JsonLines && !wanted.query.fields.is_empty() {
            return Err(ExportError::Filtered);
        }
        let workspace = wanted.query.workspace().to_owned();
        let nothing = || ExportError::Nothing { workspace: workspace.clone() };
        let head = reader.chain(&workspace).await?.ok_or_else(nothing)?;
        let (mut first, mut last) = (wanted.from, wanted.to.min(head.seq));
        if let Some(since) = wanted.query.since {
            first = first.max(reader.first_at(&workspace, head.seq, since).await?);
        }
        if let Some(until) = wanted.query.until {
            last = last.min(reader.first_at(&workspace, head.seq, until).await?.saturating_sub(1));
        }
        if first > last {
            return Err(nothing());
        }
        Ok(Self {
            reader,
            wanted,
            heads: Vec::new(),
            signer: None,
            time,
            stage: Stage::Header,
            first,
            last,
            next: first,
            records: 0,
            bytes: 0,
            sum: Context::new(&SHA256),
        })
    }

    /// With these signed heads at its end: [`covering`](crate::heads::covering) finds the one for its range.
    #[must_use]
    pub fn heads(mut self, heads: impl IntoIterator<Item = SignedHead>) -> Self {
        self.heads.extend(heads);
        self
    }

    /// Signs JSON Lines at their end: by this key, of which that is the newest signed head.
    #[must_use]
    pub fn signed_by(mut self, signer: Arc<dyn Signer>, newest_head: u64) -> Self {
        self.signer = Some((signer, newest_head));
        self
    }

    /// The first and the last record of what is exported.
    pub fn range(&self) -> (u64, u64) {
        (self.first, self.last)
    }

    /// The next piece: whole lines, some hundred KiB of them. None when all was handed out.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        let mut piece = Vec::new();
        while piece.is_empty() {
            match self.stage {
                Stage::Header => {
                    self.header(&mut piece).await?;
                    self.stage = Stage::Records;
                }
                Stage::Records => {
                    self.some_records(&mut piece).await?;
                    if self.next > self.last {
                        self.stage = Stage::Heads;
                    }
                }
                Stage::Heads => {
                    self.signed_heads(&mut piece);
                    self.stage = Stage::End;
                }
                Stage::End => {
                    self.end(&mut piece).await?;
                    self.stage = Stage::Done;
                }
                Stage::Done => return Ok(None),
            }
        }
        self.sum.update(&piece);
        self.bytes += piece.len() as u64;
        Ok(Some(piece))
    }

    /// How many records of the range were looked at, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.next - self.first, self.last + 1 - self.first)
    }

    /// What was handed out so far.
    pub fn exported(&self) -> Exported {
        Exported {
            records: self.records,
            first: self.first,
            last: self.last,
            heads: self.heads.len() as u64,
            bytes: self.bytes,
            sha256: self.sum_so_far(),
        }
    }

    fn sum_so_far(&self) -> Hash {
        Hash::from_digest(&self.sum.clone().finish())
    }

    async fn header(&self, piece: &mut Vec<u8>) -> Result<(), ExportError> {
        if self.wanted.format != Format::JsonLines {
            return Ok(());
        }
        // What comes before the first record, where that is not the chain's first.
        let prev = match self.reader.get(self.wanted.query.workspace(), self.first).await? {
            Some((_, record)) if self.first > 1 => Some(record.prev),
            _ => None,
        };
        let header = ExportHeader {
            from: self.first,
            prev,
            time: self.time,
            to: self.last,
            v: EXPORT_VERSION,
            workspace: self.wanted.query.workspace().to_owned(),
        };
        add(piece, &header.line());
        Ok(())
    }

    async fn some_records(&mut self, piece: &mut Vec<u8>) -> Result<(), ExportError> {
        let workspace = self.wanted.query.workspace().to_owned();
        if self.wanted.query.fields.is_empty() {
            let lines = self.reader.lines(&workspace, self.next).await?;
            let missing =
                |seq| LedgerError::Corrupt { workspace: workspace.clone(), seq, what: "it is missing".to_owned() };
            if lines.is_empty() {
                return Err(missing(self.next).into());
            }
            let last = self.last;
            for line in lines.into_iter().take_while(|line| line.seq <= last) {
                // The chain says that it has all of them.
                if line.seq != self.next {
                    return Err(missing(self.next).into());
                }
                self.one_record(piece, &line, None)?;
            }
            return Ok(());
        }
        let query = self.wanted.query.clone().limit(1_000).after(Cursor(self.next - 1));
        let page = self.reader.query(&query).await?;
        let last = self.last;
        for (line, record) in page.records.into_iter().take_while(|(line, _)| line.seq <= last) {
            self.one_record(piece, &line, Some(record))?;
        }
        self.next = page.next.map_or(self.last + 1, |Cursor(seen)| (seen + 1).min(self.last + 1));
        Ok(())
    }

    fn one_record(
        &mut self,
        piece: &mut Vec<u8>,
        line: &Line,
        record: Option<crate::Record>,
    ) -> Result<(), ExportError> {
        let read = || record.map_or_else(|| line.record(self.wanted.query.workspace()), Ok);
        match self.wanted.format {
            Format::JsonLines => add(piece, &line.text),
            Format::Ocsf => add(piece, &plain_json(&ocsf::event(line, &read()?).to_string())),
            Format::Cef => add(piece, &cef::line(line, &read()?)),
        }
        self.records += 1;
        self.next = line.seq + 1;
        Ok(())
    }

    fn signed_heads(&self, piece: &mut Vec<u8>) {
        for head in &self.heads {
            let (line, time) = (head.line(), head.head.time);
            match self.wanted.format {
                Format::JsonLines => add(piece, &line),
                Format::Ocsf => {
                    add(piece, &plain_json(&ocsf::head(&line, head, self.wanted.query.workspace()).to_string()));
                }
                Format::Cef => cef::head(&line, time).iter().for_each(|line| add(piece, line)),
            }
        }
    }

    async fn end(&self, piece: &mut Vec<u8>) -> Result<(), ExportError> {
        if self.wanted.format == Format::JsonLines {
            let (records, sum) = (self.records, self.sum_so_far());
            let end = match &self.signer {
                Some((signer, head)) => ExportEnd::signed(records, sum, *head, signer.as_ref()).await?,
                None => ExportEnd::unsigned(records, sum),
            };
            add(piece, &end.line());
        }
        Ok(())
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").field("wanted", &self.wanted).field("next", &self.next).finish_non_exhaustive()
    }
}

fn add(piece: &mut Vec<u8>, line: &str) {
    piece.extend_from_slice(line.as_bytes());
    piece.push(b'\n');
}
