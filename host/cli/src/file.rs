//! Reads files that somebody named on the command line: regular files, within a bound, without waiting.
//!
//! A folder, a device or a pipe is refused by name: `/dev/zero` has no end, and a pipe may have no writer. Standard input
//! is read where an option says `-`, within the same bounds.

use std::{
    fmt::Display,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

use crate::exit::Usage;

/// Largest config or input, in bytes.
pub(crate) const MAX_JSON: usize = 8 * 1024 * 1024;
/// Largest file of public keys, in bytes.
pub(crate) const MAX_KEYS: usize = 256 * 1024;

/// Opens a regular file to be read. `what` is what the file is for: `the grant`.
pub(crate) fn open(what: impl Display, path: &Path) -> Result<File, Usage> {
    let shown = path.display();
    let failed = |error: io::Error| Usage(format!("{what}: {shown} cannot be read: {error}"));
    // Without `NONBLOCK` the opening of a pipe waits for a writer.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let is = match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(Usage(format!("{what}: {shown} is {is}; name a regular file")))
}

/// All bytes of a regular file, at most so many.
pub(crate) fn bytes(what: impl Display, path: &Path, most: usize) -> Result<Vec<u8>, Usage> {
    let file = open(&what, path)?;
    let shown = path.display();
    bounded(file, most, |problem| Usage(format!("{what}: {shown} {problem}")))
}

/// The text of a regular file.
pub(crate) fn text(what: impl Display, path: &Path, most: usize) -> Result<String, Usage> {
    let bytes = bytes(&what, path, most)?;
    String::from_utf8(bytes).map_err(|error| not_text(&what, &path.display(), &error))
}

/// The text of standard input.
pub(crate) fn standard_input(what: impl Display, most: usize) -> Result<String, Usage> {
    let name = "standard input";
    let bytes = bounded(io::stdin().lock(), most, |problem| Usage(format!("{what}: {name} {problem}")))?;
    String::from_utf8(bytes).map_err(|error| not_text(&what, &name, &error))
}

fn not_text(what: &dyn Display, place: &dyn Display, error: &std::string::FromUtf8Error) -> Usage {
    let at = error.utf8_error().valid_up_to();
    Usage(format!("{what}: {place} is no UTF-8 text, from byte {at} on"))
}

fn bounded(from: impl Read, most: usize, told: impl Fn(String) -> Usage) -> Result<Vec<u8>, Usage> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    from.take(limit).read_to_end(&mut bytes).map_err(|error| told(format!("cannot be read: {error}")))?;
    if bytes.len() > most {
        return Err(told(format!("has more than {most} bytes; that is the most that is read of it")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refused(path: &Path, most: usize) -> String {
        text("the grant", path, most).unwrap_err().0
    }

    #[test]
    fn what_is_no_regular_file_is_refused_by_name_and_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refused(folder.path(), 10).ends_with("is a folder; name a regular file"));
        let fifo = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        assert!(refused(&fifo, 10).ends_with("is a pipe; name a regular file"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        assert!(refused(&link, 10).ends_with("is a pipe; name a regular file"));
        for device in ["/dev/zero", "/dev/null"] {
            assert!(refused(Path::new(device), 10).ends_with("is a device; name a regular file"));
        }
        let none = refused(&folder.path().join("none"), 10);
        assert!(none.starts_with("the grant: ") && none.contains("cannot be read: No such file"), "{none}");
    }

    #[test]
    fn a_bound_is_kept_to_the_byte_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "0123456789").unwrap();
        assert_eq!(text("the grant", &file, 10).unwrap(), "0123456789");
        assert!(refused(&file, 9).ends_with("has more than 9 bytes; that is the most that is read of it"));
        fs::write(&file, b"ab\xff").unwrap();
        assert!(refused(&file, 9).ends_with("is no UTF-8 text, from byte 2 on"));
    }
}
