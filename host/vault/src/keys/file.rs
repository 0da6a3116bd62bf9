//! A master key in a file that nobody else may read.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{DataKey, KeyError, LocalKey};

/// Most bytes of a key file.
const MAX_FILE: u64 = 1024;

/// A master key in a file: 32 random bytes as one line of base64. It must not stand where the store does, nor in its backups:
/// whoever has both has the credentials.
pub struct FileKey;

impl FileKey {
    /// Reads the key; makes one where there is no file.
    pub fn open_or_create(path: &Path) -> Result<LocalKey, KeyError> {
        match create(path) {
            // Another host may have been quicker; then its key is the one.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(KeyError::Io { path: shown(path), problem: format!("the master key cannot be made: {error}") })
            }
            _ => Self::open(path),
        }
    }

    /// Reads the key.
    pub fn open(path: &Path) -> Result<LocalKey, KeyError> {
        let io = |error: std::io::Error| KeyError::Io {
            path: shown(path),
            problem: format!("the master key cannot be read: {error}"),
        };
        let mut options = OpenOptions::new();
        options.read(true);
        // A pipe would wait for somebody to write.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(
            &mut options,
            rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
        );
        let file = options.open(path).map_err(io)?;
        // Of the file that was opened, not of its name: a name can be given to another file in between.
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            return Err(KeyError::NotAFile { path: shown(path) });
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            owned(path, about.uid(), rustix::process::geteuid().as_raw())?;
            let mode = about.mode() & 0o7777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Permissions { path: shown(path), mode });
            }
        }
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize));
        file.take(MAX_FILE).read_to_end(&mut line).map_err(io)?;
        LocalKey::from_line(&line, &shown(path))
    }
}

/// Root may put a key there for us; nobody else may.
#[cfg(unix)]
fn owned(path: &Path, owner: u32, me: u32) -> Result<(), KeyError> {
    if owner == me || owner == 0 { Ok(()) } else { Err(KeyError::Owner { path: shown(path), owner, me }) }
}

/// Makes the file as a whole or not at all: what is in it is durable before it has its name, so no half of a key is ever
/// found, and none is used that a power cut could take away.
fn create(path: &Path) -> std::io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // One that is there may be anybody's: the operator chose it. One that is made is the owner's alone.
    if !folder.exists() {
        portcullis_files::folder(folder)?;
    }
    let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = folder.join(name);
    let key = DataKey::generate().map_err(std::io::Error::other)?;
    let mut line = Zeroizing::new(String::with_capacity(64));
    BASE64_STANDARD.encode_string(key.expose(), &mut line);
    line.push('\n');
    let mut file = portcullis_files::create_new(&new)?;
    // A link fails where there is a file already, as O_EXCL does.
    let made =
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&new, path));
    std::fs::remove_file(&new)?;
    made?;
    File::open(folder)?.sync_all()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::keys::KeyProvider;

    #[test]
    fn a_key_is_made_once_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master");
        let made = FileKey::open_or_create(&path).unwrap().id();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(FileKey::open_or_create(&path).unwrap().id(), made);
        assert_eq!(FileKey::open(&path).unwrap().id(), made);
        assert_eq!(std::fs::read_dir(folder.path().join("keys")).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn a_key_that_others_could_read_is_refused_and_told_how_to_close_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master");
        FileKey::open_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = FileKey::open(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(FileKey::open(folder.path()), Err(KeyError::NotAFile { .. })));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(FileKey::open(&pipe), Err(KeyError::NotAFile { .. })));
        let nothing = FileKey::open(&folder.path().join("nothing")).unwrap_err().to_string();
        assert!(nothing.contains("cannot be read"), "{nothing}");
    }

    #[test]
    fn a_key_of_another_user_is_refused_and_one_of_root_is_not() {
        let path = Path::new("/keys/master");
        assert!(owned(path, 1000, 1000).is_ok() && owned(path, 0, 1000).is_ok());
        let error = owned(path, 1001, 1000).unwrap_err().to_string();
        assert!(error.contains("chown 1000 /keys/master"), "{error}");
    }
}
