//! Ordered keys and values with atomic compare-and-set batches, range scans with cursors, and durable commits.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `batch.rs` | a change: what must hold, what is written |
//! | `scan.rs` | reading a range, page by page |
//! | `error.rs` | what can go wrong, and what to do |
//! | `memory.rs` | a store that forgets, for tests |
//! | `embedded.rs`, `options.rs` | a store in a folder: queue, reads, closing |
//! | `committer.rs` | the one thread that writes: checks, group commit, trouble with the disk |
//! | `shared.rs` | what readers see |
//! | `engine.rs`, `engine/` | what a database must be able to do; sled and redb |
//! | `envelope.rs`, `tally.rs`, `anchor.rs` | how what is damaged or missing is found: bytes and all |
//! | `redo.rs` | the last commits, outside of the engine: what it lost it gets again |
//! | `folder.rs`, `folder/` | what is in the folder: lock, format, seal; what was interrupted is put right |
//! | `opening.rs`, `migrations.rs` | what must hold before anybody is answered; older formats |
//! | `tools.rs`, `tools/` | verify, export, import, compact; look at what is damaged, salvage what holds, replace |
//!
//! [`Store`] is all that the rest of Portcullis knows of a database. It is narrow on purpose: whatever holds ordered keys
//! and can commit a batch as a whole can stand behind it, in this process or on another machine.
//!
//! Three promises hold for every store:
//!
//! - **All or nothing, in one order.** A batch is applied as a whole or not at all, and whoever reads sees batches in the
//!   order in which they were committed. A batch whose checks do not hold changes nothing and says which key it was.
//! - **Durable.** When [`Store::commit`] returns `Ok`, neither `kill -9` nor a power cut loses the batch, and nobody was
//!   shown it before.
//! - **Never silently short.** What is damaged or missing is told by name ([`StoreError::Corrupt`]), and is never answered
//!   as if it had not been there.
//!
//! # In the folder
//!
//! All numbers are little endian, all checksums XXH3 with 128 bits.
//!
//! | what | bytes | finds |
//! | --- | --- | --- |
//! | a key in the engine | `01`, the key | |
//! | its value, the envelope | `01`, checksum (16) of key length (u32), key and value; the value | a value that changed, or lies under another key |
//! | the tally, under `00 "tally"` | `01`, commits (u64), entries (u64), sum of the entries' checksums (u128), checksum (16) of these | entries that are gone or came back |
//! | `anchor` | the tally when it was last opened or closed, in two slots of 64 bytes, at 0 and 512 | an engine that came back with fewer commits |
//! | `redo.0`, `redo.1` | the last two commits as a whole, written in turn, flushed with each commit; empty while closed | the same, since then; and mends it by two commits |
//! | `seal`, while closed | lines `CHECKSUM LENGTH NAME` for each of the engine's files, and a checksum of them | any change to a closed store, before an engine sees it |
//! | `format` | one line of JSON: format, engine, checksum | another format, another engine |
//!
//! The seal of files beyond [`Options::seal_bytes`] is compared by their lengths alone, and more than 20,000 entries are not
//! counted at open; [`Embedded::verify`] counts them all. After a crash there is no seal: the engine recovers, and tally,
//! anchor and the redo files say whether it found everything.
//!
//! All of it is its owner's alone (`portcullis-files`): folders 0700, files 0600, the lock too.

mod anchor;
mod batch;
mod checksum;
mod committer;
mod embedded;
mod engine;
mod envelope;
mod error;
mod folder;
mod memory;
mod migrations;
mod opening;
mod options;
mod redo;
mod scan;
mod shared;
mod tally;
#[doc(hidden)]
pub mod testing;
mod tools;

pub use batch::{Batch, Check, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
pub use embedded::Embedded;
pub use engine::{EngineKind, Hook, Step};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use options::{FreeSpace, Options};
pub use scan::{Cursor, Page, Scan};
pub use tools::{
    Compacted, Exported, Looked, Note, Replaced, Seen, Verified, compact, export, import, look, replace, salvage,
};

use async_trait::async_trait;

/// Ordered keys and values. Keys are compared as bytes.
#[async_trait]
pub trait Store: Send + Sync {
    /// The value of a key; none where there is none.
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// A page of a range. Each page is as the store was at one moment; two pages may differ by what came between.
    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError>;

    /// Applies a batch as a whole, if its checks hold. Returns when it is durable.
    ///
    /// [`StoreError::Conflict`] says that a check did not hold: nothing was changed. After any other error it is not known
    /// whether the batch was applied: read before trying again.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// What was left out when it was salvaged from a damaged store; none where it never was.
    async fn salvaged(&self) -> Result<Option<Note>, StoreError> {
        Ok(None)
    }

    /// What it is and where, for people, for example `sled at .portcullis/store`.
    fn place(&self) -> String;
}
