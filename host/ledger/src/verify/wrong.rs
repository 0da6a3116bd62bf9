//! What can be wrong with a chain, with signed heads, with an exported file.

use jiff::Timestamp;
use portcullis_gate::printable;

use super::payloads::PayloadsVerdict;
use crate::{heads::KeyId, record::RECORD_VERSION};

/// The first record that is not as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which one.
    pub seq: u64,
    /// In which line of a file.
    pub line: Option<u64>,
    /// What is wrong.
    pub why: Why,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {}", self.seq)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// It is no record.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is written in another way than records are.
    #[error("it is not written in the one form that there is (RFC 8785): at its byte {at}, {what}")]
    NotCanonical {
        /// Where, from 0.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// The end is missing.
    #[error("it is cut short")]
    Torn,
    /// Its hash is not what the next record says.
    #[error("it was changed: its SHA-256 is not what the record after it says")]
    Edited,
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// Another stands in its place.
    #[error("it is out of order: record {found} stands in its place")]
    OutOfOrder {
        /// Which one.
        found: u64,
    },
    /// It is another workspace's.
    #[error("it belongs to the workspace `{}`", printable(.workspace, 128))]
    Foreign {
        /// Whose it says it is.
        workspace: String,
    },
    /// It cannot be judged.
    #[error("it has version {version}, and this program reads up to {RECORD_VERSION}; use a newer Portcullis")]
    Newer {
        /// Its version.
        version: u64,
    },
    /// It does not follow from what is before it.
    #[error("it does not begin the chain: it names another SHA-256 before it")]
    NotTheBeginning,
    /// Time goes back.
    #[error("its time is before that of the record before it")]
    TimeBack,
    /// The chain's head names another hash.
    #[error("its SHA-256 is not what the chain's head says: one of the two was changed")]
    HeadDiffers,
    /// The chain has no head.
    #[error("there are records, and no head that says how many; it was taken out, or these were put in")]
    NoHead,
    /// There are more than the head says.
    #[error("it is beyond the chain's head")]
    BeyondHead,
    /// The store cannot give it.
    #[error("the store cannot give it: {0}")]
    Store(String),
    /// A signed head says otherwise.
    #[error(
        "it, or one of those up to record {at}, was changed, and all from there on were hashed anew: signed head {head} names another SHA-256 for record {at}"
    )]
    Rehashed {
        /// Which signed head.
        head: u64,
        /// The record that it names.
        at: u64,
    },
    /// A signed head says that there was more.
    #[error("it is missing, and so are all after it: signed head {head} says that there are at least {at} records")]
    CutOff {
        /// Which signed head.
        head: u64,
        /// The record that it names.
        at: u64,
    },
    /// An export begins after a record that its own signed head names.
    #[error("it and all before record {begins} are missing: signed head {head}, which stands in the export, names it")]
    CutBefore {
        /// Which signed head.
        head: u64,
        /// The first record that there is.
        begins: u64,
    },
    /// An export is less than the signed heads elsewhere name.
    #[error(
        "it is not in the export, which ends at record {ends}, and signed head {head} names record {at}: the export was \
         shortened, or it was made earlier, or of a part (`--to {ends}` verifies it as a part)"
    )]
    Shortened {
        /// The last record that there is.
        ends: u64,
        /// Which signed head.
        head: u64,
        /// The record that it names.
        at: u64,
    },
    /// An export lacks records that it was to hold.
    #[error(
        "it is not in the export, which holds records {begins} to {ends}: the export was shortened, or made of a part \
         (`--from` and `--to` say which part is verified)"
    )]
    NotInPart {
        /// The first record that there is.
        begins: u64,
        /// The last one.
        ends: u64,
    },
}

/// What is wrong with a signed head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadWhy {
    /// It is none.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The key did not make its signature.
    #[error("its signature is wrong: it was changed, or somebody without the key made it")]
    Signature,
    /// Its key was not given.
    #[error("it is signed by the key {key}, which is none of those given")]
    UnknownKey {
        /// Which key.
        key: KeyId,
    },
    /// It does not follow from the one before it.
    #[error("the signed head before it is not the one that it names")]
    NotNext,
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// Another stands in its place.
    #[error("signed head {found} stands in its place")]
    OutOfOrder {
        /// Which one.
        found: u64,
    },
    /// Time goes back.
    #[error("its time is before that of the signed head before it")]
    TimeBack,
    /// Elsewhere another is kept.
    #[error(
        "it is another one than in {place}: the store was put back to an older state and went on from there, or was changed"
    )]
    Differs {
        /// Where.
        place: String,
    },
    /// Elsewhere there are more.
    #[error("it is missing in the store and kept in {place}: the store was put back to an older state, or cut off")]
    RolledBack {
        /// Where.
        place: String,
    },
    /// It speaks of other workspaces.
    #[error("it does not name the workspace `{}`", printable(.workspace, 128))]
    OfOthers {
        /// The one that it should name.
        workspace: String,
    },
}

/// The first signed head that is not as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadWrong {
    /// Which one.
    pub seq: u64,
    /// In which line of a file.
    pub line: Option<u64>,
    /// What is wrong.
    pub why: HeadWhy,
}

impl std::fmt::Display for HeadWrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "signed head {}", self.seq)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// What is wrong with a file around its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWrong {
    /// In which line, from 1.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for FileWrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// How far a chain is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The last record that a signed head names and that is as it says. All before it are so, too.
    pub seq: u64,
    /// That signed head.
    pub head: u64,
    /// When it was signed.
    pub time: Timestamp,
    /// Whether it is the export itself that is signed, all of it; then `head` was the host's newest signed head at that time.
    pub export: bool,
}

/// What was found of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainVerdict {
    /// Whose.
    pub workspace: String,
    /// The first record that was looked at.
    pub from: u64,
    /// How many were looked at.
    pub records: u64,
    /// Everything up to this record holds; one less than `from` where nothing does.
    pub holds: u64,
    /// The first that is wrong.
    pub wrong: Option<Wrong>,
    /// How far it is signed; what comes after that only its own hashes vouch for.
    pub signed: Option<Signed>,
    /// What its records name of inputs and outputs. Nothing of an export, which has none.
    pub payloads: PayloadsVerdict,
}

/// What was found of signed heads in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadsVerdict {
    /// Where.
    pub place: String,
    /// How many there are.
    pub heads: u64,
    /// The last one that is signed by one of the keys.
    pub last: Option<u64>,
    /// The first that is wrong.
    pub wrong: Option<HeadWrong>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many records were looked at.
    pub records: u64,
    /// Each chain.
    pub chains: Vec<ChainVerdict>,
    /// The signed heads, by place.
    pub heads: Vec<HeadsVerdict>,
    /// What is wrong with the exported file itself.
    pub file: Option<FileWrong>,
}

impl Verdict {
    /// Whether nothing is wrong. Says nothing of what is not signed.
    pub fn holds(&self) -> bool {
        self.file.is_none()
            && self.chains.iter().all(|chain| chain.wrong.is_none() && chain.payloads.holds())
            && self.heads.iter().all(|heads| heads.wrong.is_none())
    }

    /// Whether a signature that was checked vouches for something of every chain that has records. Where not, somebody who can
    /// write where they stand could have made all of them.
    pub fn is_signed(&self) -> bool {
        self.chains.iter().all(|chain| chain.records == 0 || chain.signed.is_some())
    }

    /// How many records hold and are not signed: whoever could write where they stand could have made them.
    pub fn unsigned(&self) -> u64 {
        let signed = |chain: &ChainVerdict| chain.signed.map_or(chain.from.saturating_sub(1), |signed| signed.seq);
        self.chains.iter().map(|chain| chain.holds.saturating_sub(signed(chain))).sum()
    }
}
