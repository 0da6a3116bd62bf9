//! Keeps compiled code on disk, keyed by the adapter's digest and by what the code was compiled for.
//!
//! The folder holds a random key, readable by its owner alone, and one file for each adapter and engine. A file whose MAC
//! does not fit is as good as no file: the adapter is compiled again.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};

use crate::artifact::{Trusted, seal};

/// Name of the key's file.
const KEY_FILE: &str = "key";
/// Length of the key, in bytes.
const KEY_BYTES: usize = 32;

/// Largest file of compiled code, in bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// A folder of compiled code.
pub struct Cache {
    folder: PathBuf,
    key: hmac::Key,
    compatibility: String,
}

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the cache of compiled adapters at {path}: {problem}")]
pub struct CacheError {
    /// Which file or folder.
    pub path: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl Cache {
    /// Opens or makes the folder and its key.
    pub(crate) fn open(folder: PathBuf, compatibility: String) -> Result<Self, CacheError> {
        make_folder(&folder)?;
        let path = folder.join(KEY_FILE);
        let bytes = match read_own(&path, KEY_BYTES as u64 + 1) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&folder, &path)?,
            Err(error) => return Err(problem(&path, &error)),
        };
        if bytes.len() != KEY_BYTES {
            let problem = format!(
                "it has {} bytes instead of {KEY_BYTES}; delete it, and adapters are compiled again",
                bytes.len()
            );
            return Err(CacheError { path: path.display().to_string(), problem });
        }
        Ok(Self { folder, key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), compatibility })
    }

    /// Compiled code of this adapter, if there is any that may be loaded.
    pub(crate) fn get(&self, digest: &str) -> Option<Trusted> {
        let sealed = read_own(&self.path(digest), MAX_FILE).ok()?;
        let trusted = Trusted::open(&sealed, &self.key, &self.context(digest));
        if trusted.is_none() {
            tracing::warn!(digest, "compiled code in the cache was changed by somebody; compiling again");
        }
        trusted
    }

    /// Keeps compiled code of this adapter.
    pub(crate) fn put(&self, digest: &str, code: &[u8]) -> Result<(), CacheError> {
        write(&self.folder, &self.path(digest), &seal(code, &self.key, &self.context(digest)), true)
    }

    fn path(&self, digest: &str) -> PathBuf {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.folder.join(format!("{digest}-{}.code", self.compatibility))
    }

    fn context(&self, digest: &str) -> Vec<u8> {
        format!("portcullis compiled code\n{digest}\n{}\n", self.compatibility).into_bytes()
    }
}

fn make_key(folder: &Path, path: &Path) -> Result<Vec<u8>, CacheError> {
    let mut bytes = vec![0; KEY_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| problem(path, &io::Error::other("the system has no random numbers")))?;
    // Whoever is first makes it; whoever comes second reads that one.
    write(folder, path, &bytes, false)?;
    read_own(path, KEY_BYTES as u64 + 1).map_err(|error| problem(path, &error))
}

/// Writes a whole file or none, readable by its owner alone. Where one is there already and must not be replaced, it stays.
fn write(folder: &Path, path: &Path, bytes: &[u8], replace: bool) -> Result<(), CacheError> {
    let mut name = [0; 8];
    SystemRandom::new()
        .fill(&mut name)
        .map_err(|_| problem(path, &io::Error::other("the system has no random numbers")))?;
    let temporary = folder.join(format!(".{:016x}.tmp", u64::from_le_bytes(name)));
    let written = portcullis_files::create_new(&temporary)
        .map_err(io::Error::from)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| if replace { fs::rename(&temporary, path) } else { fs::hard_link(&temporary, path) });
    let _ = fs::remove_file(&temporary);
    match written {
        Err(error) if !replace && error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        written => written.map_err(|error| problem(path, &error)),
    }
}

/// Makes the folder, for its owner alone; refuses one that others can write to, since they could put files in place of
/// ours.
fn make_folder(folder: &Path) -> Result<(), CacheError> {
    portcullis_files::folder(folder)
        .map_err(|error| CacheError { path: folder.display().to_string(), problem: error.to_string() })
}

/// Reads a file that is ours: regular, of this user, readable by nobody else. What is checked is what is read: one open
/// file, neither a link nor a pipe that somebody could exchange in between.
fn read_own(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed(),
    );
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if metadata.mode() & 0o077 != 0 || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(
                "it must belong to this user and be readable by nobody else: chmod 600, or delete it",
            ));
        }
    }
    if !metadata.is_file() || metadata.len() > most {
        return Err(io::Error::other("it is not a file of the size that was written here; delete it"));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn problem(path: &Path, error: &io::Error) -> CacheError {
    CacheError { path: path.display().to_string(), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_comes_back_as_it_was_and_only_for_its_own_engine() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), "a".into()).unwrap();
        cache.put("sha256:00", b"code").unwrap();
        let again = Cache::open(folder.path().to_owned(), "a".into()).unwrap();
        assert!(again.get("sha256:00").is_some());
        assert!(again.get("sha256:11").is_none());
        assert!(Cache::open(folder.path().to_owned(), "b".into()).unwrap().get("sha256:00").is_none());
        // A file put in place of another is not taken.
        fs::copy(again.path("sha256:00"), again.path("sha256:11")).unwrap();
        assert!(again.get("sha256:11").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Cache::open(folder.path().to_owned(), "a".into()).unwrap();
        fs::set_permissions(folder.path().join(KEY_FILE), fs::Permissions::from_mode(0o644)).unwrap();
        let error = Cache::open(folder.path().to_owned(), "a".into()).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
