//! Why a file or folder was not opened, and what to write to mend it.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a file or folder was not opened or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Another user owns it.
    #[error(
        "{}: it belongs to user {owner}, and this is user {me}; run as that one, or write: chown -R {me} {}", .path.display(), .path.display()
    )]
    Owner {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who this is.
        me: u32,
    },
    /// A folder that others may write to.
    #[error(
        "{}: others than its owner may write to this folder (mode {mode:o}), so anybody may have put something there; look what is in it, then write: chmod 700 {}",
        .path.display(), .path.display()
    )]
    Writable {
        /// Which one.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Others may read it, and that could not be changed.
    #[error("{}: others than its owner may open it (mode {mode:o}), and that cannot be changed ({error}); write: chmod {wanted:o} {}", .path.display(), .path.display())]
    Wide {
        /// Which one.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it should be.
        wanted: u32,
        /// Why it was not changed.
        error: io::Error,
    },
    /// A link in the place of a file.
    #[error("{}: this is a link, and a file of the host's own was expected; name the file itself, or remove the link", .path.display())]
    Link {
        /// Which one.
        path: PathBuf,
    },
    /// Another user made a link on the way, and may let it lead elsewhere.
    #[error("{}: user {owner} made this link, and may let it lead elsewhere; name the folder that it leads to", .path.display())]
    LinkOfAnother {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Something else in the place of a file.
    #[error("{}: this is no regular file; name another, or move it away", .path.display())]
    NotAFile {
        /// Which one.
        path: PathBuf,
    },
    /// The system says no.
    #[error("{}: {doing}: {error}", .path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        error: io::Error,
    },
}

impl FileError {
    pub(crate) fn io(path: &Path, doing: &'static str, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, error }
    }
}

/// For those who speak of [`io::Error`]: what the system said keeps its kind, and the rest is told in words.
impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { error, .. } => error,
            other => Self::new(io::ErrorKind::PermissionDenied, other.to_string()),
        }
    }
}
