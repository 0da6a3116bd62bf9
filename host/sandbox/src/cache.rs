//! Keeps compiled code on disk, keyed by the adapter's digest and by what the code was compiled for.
//!
//! The folder holds a file for each adapter and engine, and nothing that decides: whoever can write here, and read all of it,
//! can only make this host compile again. What a file says is checked with the master key, which does not lie here.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::{
    artifact::Trusted,
    code::{CodeKeys, Purpose, seal},
};

/// Where an older version kept the key that vouched for what lies here.
const OLD_KEY: &str = "key";
/// How the names of files of compiled code end.
const CODE: &str = "code";

/// Largest file of compiled code, in bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// A folder of compiled code.
pub(crate) struct Cache {
    folder: PathBuf,
    keys: Arc<dyn CodeKeys>,
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
    /// Opens or makes the folder.
    pub(crate) fn open(folder: PathBuf, keys: Arc<dyn CodeKeys>) -> Result<Self, CacheError> {
        make_folder(&folder)?;
        forget_old(&folder)?;
        Ok(Self { folder, keys })
    }

    /// Compiled code of this adapter for this engine, if there is any that may be loaded.
    pub(crate) async fn get(&self, purpose: Purpose<'_>) -> Option<Trusted> {
        let path = self.path(purpose);
        let refused = |why: &dyn std::fmt::Display| {
            let (digest, file) = (purpose.adapter, path.display());
            tracing::warn!(digest, %file, "compiled code in the cache is not used ({why}); compiling again");
        };
        let file = match read_own(&path, MAX_FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                refused(&error);
                return None;
            }
        };
        Trusted::open(file, purpose, self.keys.as_ref()).await.inspect_err(|error| refused(error)).ok()
    }

    /// Keeps compiled code of this adapter. Where it cannot be kept, that is told: the code at hand is good all the same.
    pub(crate) async fn put(&self, purpose: Purpose<'_>, code: &[u8]) {
        let kept = match seal(code, purpose, self.keys.as_ref()).await {
            Ok(sealed) => self.keep(purpose, &sealed).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = kept {
            tracing::warn!(digest = purpose.adapter, error, "compiled code is not kept; the next start compiles again");
        }
    }

    /// Keeps a file of compiled code as it is. Whoever asks has checked it.
    pub(crate) fn keep(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Result<(), CacheError> {
        write(&self.folder, &self.path(purpose), sealed)
    }

    /// What vouches for what is kept.
    pub(crate) fn keys(&self) -> &dyn CodeKeys {
        self.keys.as_ref()
    }

    fn path(&self, purpose: Purpose<'_>) -> PathBuf {
        let digest = purpose.adapter.strip_prefix("sha256:").unwrap_or(purpose.adapter);
        let engine = purpose.engine.rsplit(' ').next().unwrap_or_default();
        self.folder.join(format!("{digest}-{engine}.{CODE}"))
    }
}

/// An older version kept a key in this folder, and code under it: whoever could write here could make both. They go.
fn forget_old(folder: &Path) -> Result<(), CacheError> {
    let key = folder.join(OLD_KEY);
    if fs::symlink_metadata(&key).is_err() {
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|error| problem(folder, &error))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_some_and(|extension| extension == CODE) {
            remove(&path)?;
        }
    }
    remove(&key)?;
    let key = key.display();
    tracing::warn!(%key, "removed a key of an older version and the compiled code under it: code is kept under the master key now");
    Ok(())
}

fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        // Another process does the same.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| problem(path, &error)),
    }
}

/// Writes a whole file or none, readable by its owner alone.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let mut name = [0; 8];
    SystemRandom::new()
        .fill(&mut name)
        .map_err(|_| problem(path, &io::Error::other("the system has no random numbers")))?;
    let temporary = folder.join(format!(".{:016x}.tmp", u64::from_le_bytes(name)));
    let written = portcullis_files::create_new(&temporary)
        .map_err(io::Error::from)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(|error| problem(path, &error))
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
    use crate::testing::Keys;

    const A: Purpose<'_> = Purpose { adapter: "sha256:00", engine: "wasmtime 1, a" };

    fn open(folder: &tempfile::TempDir, key: &str) -> Cache {
        Cache::open(folder.path().to_owned(), Arc::new(Keys::of(key))).unwrap()
    }

    #[tokio::test]
    async fn code_comes_back_as_it_was_and_only_for_its_own_adapter_engine_and_master_key() {
        let folder = tempfile::tempdir().unwrap();
        open(&folder, "k1").put(A, b"code").await;
        let again = open(&folder, "k1");
        assert_eq!(again.get(A).await.unwrap().code(), b"code");
        let (other, newer) = (Purpose { adapter: "sha256:11", ..A }, Purpose { engine: "wasmtime 2, b", ..A });
        assert!(again.get(other).await.is_none() && again.get(newer).await.is_none());
        // A file put in place of another is not taken.
        for purpose in [other, newer] {
            fs::copy(again.path(A), again.path(purpose)).unwrap();
            assert!(again.get(purpose).await.is_none());
        }
        assert!(open(&folder, "k2").get(A).await.is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing beside the code");
    }

    #[tokio::test]
    async fn a_key_of_an_older_version_goes_with_what_it_vouched_for() {
        let folder = tempfile::tempdir().unwrap();
        open(&folder, "k1").put(A, b"code").await;
        fs::write(folder.path().join(OLD_KEY), [7; 32]).unwrap();
        fs::write(folder.path().join("notes"), "not ours").unwrap();
        let cache = open(&folder, "k1");
        assert!(cache.get(A).await.is_none() && !folder.path().join(OLD_KEY).exists());
        assert!(folder.path().join("notes").exists());
        cache.put(A, b"code").await;
        assert!(open(&folder, "k1").get(A).await.is_some());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_others_can_read_is_not_used_and_is_written_anew() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = open(&folder, "k1");
        cache.put(A, b"code").await;
        fs::set_permissions(cache.path(A), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(cache.get(A).await.is_none());
        cache.put(A, b"code").await;
        assert!(cache.get(A).await.is_some());
    }
}
