//! What the host writes is its owner's alone: folders 0700, files 0600, whatever the umask says. One rule, and everything that
//! makes a file or a folder asks here. It is not about what is in a file, and it does not keep out root.
//!
//! - What is made, is made so ([`make_folder`], [`options`]): there is no moment at which somebody else could open it.
//! - What is there already and can be read by others is closed to them when it is opened ([`folder`], [`open`], [`close_to_others`]).
//! - What is not ours to close is refused, with the command that mends it: what another user owns, a link that another user made,
//!   and a folder that others may write to, in which anybody may have put anything.

mod error;

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

pub use error::FileError;
use rustix::fs::OFlags;

/// The mode of a folder.
pub const FOLDER: u32 = 0o700;
/// The mode of a file.
pub const FILE: u32 = 0o600;
/// What others than the owner may do.
const OTHERS: u32 = 0o077;
/// That they may write.
const OTHERS_WRITE: u32 = 0o022;

/// Makes a folder, and those above it that are not there, or takes the one that is there if it is ours.
pub fn folder(path: &Path) -> Result<(), FileError> {
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(FOLDER)
        .create(path)
        .map_err(|error| FileError::io(path, "making the folder", error))?;
    existing_folder(path)
}

/// Takes a folder that is there, if it is ours; others are kept out of it from then on.
pub fn existing_folder(path: &Path) -> Result<(), FileError> {
    no_links_of_others(path)?;
    // What is opened is what is judged, and what is closed: a name can be given to another folder in between.
    let open = OpenOptions::new().read(true).custom_flags(flags(OFlags::DIRECTORY)).open(path);
    let open = open.map_err(|error| FileError::io(path, "opening the folder", error))?;
    let about = open.metadata().map_err(|error| FileError::io(path, "looking at the folder", error))?;
    ours(path, &about)?;
    if about.mode() & OTHERS_WRITE != 0 {
        return Err(FileError::Writable { path: path.to_owned(), mode: about.mode() & 0o7777 });
    }
    close(path, &open, &about, FOLDER)
}

/// Makes one folder, where there must be none.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER).create(path)
}

/// How a file is opened: one that is made is its owner's alone, a link in its place is not followed, and a pipe is not waited
/// for. To be given to [`open`].
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK));
    options
}

/// Opens a file, or makes it as the options say. One that is there must be ours; others are kept out of it from then on.
pub fn open(options: &OpenOptions, path: &Path) -> Result<File, FileError> {
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(errno) if errno == rustix::io::Errno::LOOP.raw_os_error() => FileError::Link { path: path.to_owned() },
        _ => FileError::io(path, "opening it", error),
    })?;
    let about = file.metadata().map_err(|error| FileError::io(path, "looking at it", error))?;
    if !about.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    ours(path, &about)?;
    close(path, &file, &about, FILE)?;
    Ok(file)
}

/// Opens or makes a file whose place an operator chose, and which may be another user's that this one may only append to. Others
/// are kept out of it where it is ours.
pub fn open_chosen(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.clone().mode(FILE).open(path)?;
    let about = file.metadata()?;
    if about.is_file() && about.uid() == me() && about.mode() & OTHERS != 0 {
        // Where it may only be appended to, its mode cannot be changed either.
        let _ = file.set_permissions(Permissions::from_mode(FILE));
    }
    Ok(file)
}

/// Makes a file anew, or cuts off the one that is there.
pub fn create(path: &Path) -> Result<File, FileError> {
    open(options().write(true).create(true).truncate(true), path)
}

/// Makes a file where there must be none.
pub fn create_new(path: &Path) -> Result<File, FileError> {
    open(options().write(true).create_new(true), path)
}

/// Closes to others all that is below a folder: for what others' code made there.
pub fn close_to_others(path: &Path) -> Result<(), FileError> {
    existing_folder(path)?;
    let failed = |error| FileError::io(path, "reading the folder", error);
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, about) = (entry.path(), entry.metadata());
        let about = match about {
            Ok(about) => about,
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(FileError::io(&path, "looking at it", error)),
        };
        if about.is_symlink() {
            return Err(FileError::Link { path });
        }
        if about.is_dir() {
            close_to_others(&path)?;
        } else if about.mode() & OTHERS != 0 || about.uid() != me() {
            match open(options().read(true), &path) {
                Err(FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                opened => drop(opened?),
            }
        }
    }
    Ok(())
}

/// Everything at or below a path that others than its owner may open, or that is not ours. Empty where the rule holds.
pub fn open_to_others(path: &Path) -> io::Result<Vec<PathBuf>> {
    let about = fs::symlink_metadata(path)?;
    let mut found = Vec::new();
    if about.is_symlink() || about.uid() != me() || about.mode() & OTHERS != 0 {
        found.push(path.to_owned());
    }
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            found.extend(open_to_others(&entry?.path())?);
        }
    }
    Ok(found)
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn ours(path: &Path, about: &Metadata) -> Result<(), FileError> {
    owned(path, about.uid(), me())
}

fn owned(path: &Path, owner: u32, me: u32) -> Result<(), FileError> {
    if owner == me { Ok(()) } else { Err(FileError::Owner { path: path.to_owned(), owner, me }) }
}

/// Takes from others what they may, of a file or folder that is open.
fn close(path: &Path, open: &File, about: &Metadata, mode: u32) -> Result<(), FileError> {
    if about.mode() & OTHERS == 0 {
        return Ok(());
    }
    open.set_permissions(Permissions::from_mode(mode)).map_err(|error| FileError::Wide {
        path: path.to_owned(),
        mode: about.mode() & 0o7777,
        wanted: mode,
        error,
    })
}

/// Whoever made a link on the way decides where it leads. Root may, and we.
fn no_links_of_others(path: &Path) -> Result<(), FileError> {
    let mut walked = PathBuf::new();
    for part in path.components() {
        walked.push(part);
        let about = fs::symlink_metadata(&walked).map_err(|error| FileError::io(&walked, "looking at it", error))?;
        if about.is_symlink() && about.uid() != me() && about.uid() != 0 {
            return Err(FileError::LinkOfAnother { path: walked, owner: about.uid() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_user_owns_is_refused_with_the_command_that_mends_it() {
        let path = Path::new("/data/store");
        assert!(owned(path, 1000, 1000).is_ok());
        let error = owned(path, 1001, 1000).unwrap_err().to_string();
        assert!(error.contains("chown -R 1000 /data/store"), "{error}");
        assert!(owned(path, 0, 1000).is_err(), "root's too: it could not be closed");
    }
}
