//! Verifying: is what is there what was kept, and how far?
//!
//! | file | what it judges |
//! | --- | --- |
//! | `chain.rs` | the records of one chain |
//! | `parts.rs` | what a record says of its place |
//! | `canonical.rs` | the one form in which a record is written |
//! | `signed.rs`, `outside.rs` | signed heads; those that are kept elsewhere |
//! | `payloads.rs` | what is kept of inputs and outputs beside a chain |
//! | `store.rs` | a store, also against signed heads that are kept elsewhere |
//! | `export.rs` | an exported file, with the public key alone |
//! | `part.rs` | whether a file holds all that it was to hold |
//! | `wrong.rs` | what can be wrong, in words |
//!
//! Three things vouch for a record: the next record, which names its hash; the chain's head in the store; and a signed
//! head. Somebody with the disk can make the first two anew, and not the third, of which a copy is elsewhere.

mod canonical;
mod chain;
mod export;
mod outside;
mod part;
mod parts;
mod payloads;
mod signed;
mod store;
mod wrong;

pub use export::{ExportOptions, verify_export};
pub use outside::Outside;
pub use payloads::{PayloadWrong, PayloadsVerdict};
pub use store::{VerifyOptions, verify_store};
pub use wrong::{ChainVerdict, FileWrong, HeadWhy, HeadWrong, HeadsVerdict, Signed, Verdict, Why, Wrong};

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records that were looked at.
    pub done: u64,
    /// Of how many, as far as the store's heads or the file's header say.
    pub of: u64,
}

/// Told each record as it stands: workspace, number, bytes. For what is to be compared with what the chain tells, such as whether
/// a grant in the store is the one that a record names.
pub type EachRecord<'a> = &'a mut (dyn FnMut(&str, u64, &[u8]) + Send);

/// Told how far it is.
pub type OnProgress<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// The next line, without its end; empty when there are no more.
pub(crate) fn next_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let all = *rest;
    // Reading from a slice does not fail; it is how the standard library looks for a byte quickly.
    let bytes = std::io::BufRead::skip_until(rest, b'\n').unwrap_or(0);
    let line = all.get(..bytes).unwrap_or_default();
    line.strip_suffix(b"\n").unwrap_or(line)
}
