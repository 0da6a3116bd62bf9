//! Where an operator gives a secret: never on the command line, where every process can read it.

use std::{
    fmt,
    fs::{File, FileType},
    io::Read,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use zeroize::Zeroizing;

use crate::secret::{Secret, SecretError};

/// Most bytes that a file or standard input may have.
const MAX_READ: u64 = 64 * 1024;

/// A place to read one secret from: `file:PATH`, `env:NAME`, or `-` for standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file's content.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// Standard input, to its end.
    Stdin,
}

/// A file with a secret, and what others can do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    path: PathBuf,
    how: &'static str,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "the file {path}, from which a secret is read, {}: chmod 600 {path}", self.how)
    }
}

/// A secret could not be read from where it should be. Says nothing about its content.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a source.
    #[error(
        "write `file:PATH`, `env:NAME`, or `-` for standard input; a secret itself does not belong on a command line"
    )]
    Form,
    /// The file or standard input cannot be read.
    #[error("{place} cannot be read: {error}")]
    Read {
        /// Which.
        place: String,
        /// Why.
        error: std::io::Error,
    },
    /// Something else than a file stands there: it may never end, or give something else the next time.
    #[error(
        "{place} is {what}, and not a file; to read a secret from a program, pipe it to standard input and write `-`"
    )]
    NotAFile {
        /// Which.
        place: String,
        /// What it is.
        what: &'static str,
    },
    /// More than a secret has.
    #[error("{place} has more than {MAX_READ} bytes, which no secret has; none of it was taken")]
    TooLong {
        /// Which.
        place: String,
    },
    /// No such variable, or not text.
    #[error("the environment variable {0} is not set")]
    Env(String),
    /// Read, and not a secret.
    #[error("{place}: {error}")]
    Secret {
        /// Where it is.
        place: String,
        /// Why.
        error: SecretError,
    },
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        match text.split_once(':') {
            None if text == "-" => Ok(Source::Stdin),
            Some(("file", path)) if !path.is_empty() => Ok(Source::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Source::Env(name.to_owned())),
            _ => Err(SourceError::Form),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "the file {}", path.display()),
            Source::Env(name) => write!(f, "the environment variable {name}"),
            Source::Stdin => f.write_str("standard input"),
        }
    }
}

impl Source {
    /// What other users of this machine can do with the file, and the command that ends it; none where they can do nothing,
    /// and where it is no file.
    pub fn exposed(&self) -> Option<Exposed> {
        let Source::File(path) = self else { return None };
        let mode = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.permissions().mode();
        let how = match mode {
            mode if mode & 0o002 != 0 => "can be written by every user of this machine",
            mode if mode & 0o004 != 0 => "can be read by every user of this machine",
            mode if mode & 0o020 != 0 => "can be written by the users of its group",
            _ => return None,
        };
        Some(Exposed { path: path.clone(), how })
    }

    /// Reads the secret.
    pub fn read(&self) -> Result<Secret, SourceError> {
        self.read_as(Secret::new)
    }

    /// Reads a secret of several lines: PEM, JSON.
    pub fn read_document(&self) -> Result<Secret, SourceError> {
        self.read_as(Secret::document)
    }

    fn read_as(&self, take: fn(Vec<u8>) -> Result<Secret, SecretError>) -> Result<Secret, SourceError> {
        if let Some(exposed) = self.exposed() {
            tracing::warn!("{exposed}");
        }
        let place = || self.to_string();
        let unreadable = |error| SourceError::Read { place: place(), error };
        let bytes = match self {
            Source::File(path) => {
                // Asked before it is opened: to open a pipe is to wait for who writes into it.
                if let Some(what) = other_than_a_file(path).map_err(unreadable)? {
                    return Err(SourceError::NotAFile { place: place(), what });
                }
                File::open(path).and_then(read_bounded).map_err(unreadable)?
            }
            Source::Stdin => read_bounded(std::io::stdin().lock()).map_err(unreadable)?,
            Source::Env(name) => {
                let text = std::env::var(name).map_err(|_| SourceError::Env(name.clone()))?;
                Some(text.into_bytes())
            }
        };
        let bytes = bytes.ok_or_else(|| SourceError::TooLong { place: place() })?;
        take(bytes).map_err(|error| SourceError::Secret { place: place(), error })
    }
}

/// What stands at a path, where it is no file.
fn other_than_a_file(path: &Path) -> std::io::Result<Option<&'static str>> {
    let found: FileType = std::fs::metadata(path)?.file_type();
    Ok(match found {
        found if found.is_file() => None,
        found if found.is_dir() => Some("a folder"),
        found if found.is_fifo() => Some("a pipe"),
        found if found.is_socket() => Some("a socket"),
        _ => Some("a device"),
    })
}

/// Reads all there is, into memory that is wiped should it be given up half way; none where there is more than a secret has.
fn read_bounded(from: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    // With room for one byte more, so that it never moves, and leaves nothing where it was.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_READ as usize + 1));
    from.take(MAX_READ + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_READ).then(|| bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_can_read_or_write_is_told_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter22").unwrap();
        let told = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Source::File(path.clone()).exposed().map(|exposed| exposed.to_string())
        };
        assert_eq!((told(0o600), told(0o400), told(0o640)), (None, None, None));
        for (mode, how) in
            [(0o644, "read by every user"), (0o666, "written by every user"), (0o660, "written by the users")]
        {
            let told = told(mode).unwrap();
            assert!(told.contains(how) && told.ends_with(&format!("chmod 600 {}", path.display())), "{told}");
        }
        assert_eq!((Source::Stdin.exposed(), Source::Env("HOME".into()).exposed()), (None, None));
    }

    #[test]
    fn a_pipe_and_what_is_longer_than_a_secret_are_refused_and_nothing_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        // Nobody writes into it: to open it would be to wait for ever.
        let told = Source::File(pipe).read().unwrap_err().to_string();
        assert!(told.contains("is a pipe, and not a file") && told.contains("write `-`"), "{told}");
        let told = Source::File(folder.path().into()).read().unwrap_err().to_string();
        assert!(told.contains("is a folder, and not a file"), "{told}");
        let told = Source::File("/dev/zero".into()).read().unwrap_err().to_string();
        assert!(told.contains("is a device, and not a file"), "{told}");
        let (path, most) = (folder.path().join("secret"), usize::try_from(MAX_READ).unwrap());
        for (length, is_cut) in [(most, false), (most + 1, true), (most * 3, true)] {
            std::fs::write(&path, "x".repeat(length)).unwrap();
            let read = Source::File(path.clone()).read_document();
            if is_cut {
                let told = read.unwrap_err().to_string();
                assert!(told.contains("more than 65536 bytes") && !told.contains("xxx"), "{told}");
            } else {
                assert_eq!(read.unwrap().expose().len(), length);
            }
        }
    }

    #[test]
    fn a_secret_written_on_the_command_line_is_not_taken() {
        for text in ["sk_live_123", "file:", "env:", "", "literal:abc"] {
            assert!(matches!(text.parse::<Source>(), Err(SourceError::Form)), "{text}");
        }
        assert_eq!("file:/a:b".parse::<Source>().unwrap(), Source::File("/a:b".into()));
        assert_eq!("-".parse::<Source>().unwrap(), Source::Stdin);
    }
}
