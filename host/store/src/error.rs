//! What can go wrong, and what to do.

/// Why a store did not do what it was asked. `place` is [`Store::place`](crate::Store::place).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A check of a batch did not hold. Nothing was changed.
    #[error("{key} was changed by somebody else meanwhile; read it again and decide anew")]
    Conflict {
        /// The key, as text.
        key: String,
    },
    /// There is too little free space. Nothing was changed; reads go on, and so do writes as soon as there is space.
    #[error(
        "{place}: {free_bytes} bytes are free and {floor_bytes} are kept free; make space, and writing goes on by itself"
    )]
    Full {
        /// Which store.
        place: String,
        /// What is free.
        free_bytes: u64,
        /// What has to be.
        floor_bytes: u64,
    },
    /// The file system takes no writes. Reads go on, and so do writes as soon as it does.
    #[error("{place}: the file system is read-only; make it writable, and writing goes on by itself")]
    ReadOnly {
        /// Which store.
        place: String,
    },
    /// Reading or writing failed.
    #[error("{place}: {problem}")]
    Io {
        /// Which store.
        place: String,
        /// What was being done and what went wrong.
        problem: String,
    },
    /// What was written could not be made durable. Whether it is on the disk cannot be known, so nothing is written any more
    /// until the process is started again, which finds out.
    #[error("{place}: a flush to the disk failed ({problem}); nothing is written until the process is started again")]
    Stopped {
        /// Which store.
        place: String,
        /// What went wrong.
        problem: String,
    },
    /// Something is not as it was written, or missing.
    #[error(
        "{place} is damaged: {what}; `portcullis store verify` says how much, `portcullis store salvage --to FILE` writes what still holds, and `portcullis store import FILE --replace` puts that, or a backup, in its place"
    )]
    Corrupt {
        /// Which store.
        place: String,
        /// What is wrong, and where.
        what: String,
    },
    /// Others than its owner could read or change it, or it is another user's.
    #[error("{problem}")]
    Open {
        /// Which store.
        place: String,
        /// What is open to whom, and the command that mends it.
        problem: String,
    },
    /// Another process has it open.
    #[error("{place}: another process has it open; end that one, or give each its own")]
    Busy {
        /// Which store.
        place: String,
    },
    /// It was written by a newer version.
    #[error("{place} has format {found}, and this version knows formats up to {known}; use a newer Portcullis")]
    Newer {
        /// Which store.
        place: String,
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// There is no store, or another kind of file.
    #[error("{place}: {problem}")]
    NotAStore {
        /// Which one.
        place: String,
        /// What is there in its place, and what to do.
        problem: String,
    },
    /// A key, value or batch is larger than a store takes.
    #[error("{what} has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// How large.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}
