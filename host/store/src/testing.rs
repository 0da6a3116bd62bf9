//! For tests, here and in other crates: damages a store, and says what became of it.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    Embedded, EngineKind, Options, Scan, Store, StoreError,
    engine::{self, Opening},
    folder::{Folder, Format},
    tally,
};

/// What to do to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Cut it off somewhere.
    Truncate,
    /// Flip one bit somewhere.
    Flip,
}

/// What was done to which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// How long it is now, or which byte was changed.
    pub at: u64,
}

/// What became of a damaged store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A typed error told of it.
    Detected(StoreError),
    /// Everything is there, and as it was written.
    Unharmed,
    /// It was opened, verified and read without an error, and is not what was written. This must never be.
    Silent(String),
}

/// Damages one file somewhere below a folder, the same for the same seed: half of the time any file, and otherwise any
/// byte. None where all files are empty.
pub fn damage(folder: &Path, harm: Harm, seed: u64) -> io::Result<Option<Damage>> {
    let mut random = Random(seed);
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let total: u64 = files.iter().map(|(_, length)| length).sum();
    if total == 0 {
        return Ok(None);
    }
    let (file, length) = if random.below(2) == 0 {
        let number = usize::try_from(random.below(files.len() as u64)).unwrap_or(0);
        files.get(number).cloned().unwrap_or_default()
    } else {
        let mut at = random.below(total);
        let mut found = Default::default();
        for (file, length) in files {
            if at < length {
                found = (file, length);
                break;
            }
            at -= length;
        }
        found
    };
    let at = random.below(length);
    let open = OpenOptions::new().read(true).write(true).open(&file)?;
    match harm {
        Harm::Truncate => open.set_len(at)?,
        Harm::Flip => {
            let mut byte = [0];
            open.read_exact_at(&mut byte, at)?;
            open.write_all_at(&byte.map(|byte| byte ^ (1 << random.below(8))), at)?;
        }
    }
    Ok(Some(Damage { file, at }))
}

/// Opens a store that may be damaged, verifies it, reads all of it, and compares it with what was written.
pub async fn judge(folder: &Path, options: Options, written: &BTreeMap<Vec<u8>, Vec<u8>>) -> Verdict {
    let store = match Embedded::open(folder, options.existing()).await {
        Ok(store) => store,
        Err(error) => return Verdict::Detected(error),
    };
    match judge_open(&store, written).await {
        Ok(verdict) => verdict,
        Err(error) => Verdict::Detected(error),
    }
}

async fn judge_open(store: &Embedded, written: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Verdict, StoreError> {
    store.verify(|_| {}).await?;
    let mut expected = written.iter();
    let mut scan = Scan::prefix("");
    loop {
        let page = store.scan(&scan).await?;
        for (key, value) in &page.entries {
            match expected.next() {
                Some((wanted, as_was)) if wanted == key && as_was == value => {}
                other => {
                    let wanted = other.map_or("the end".to_owned(), |(wanted, _)| wanted.escape_ascii().to_string());
                    return Ok(Verdict::Silent(format!("`{}` in the place of {wanted}", key.escape_ascii())));
                }
            }
        }
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => break,
        }
    }
    if let Some((missing, _)) = expected.next() {
        return Ok(Verdict::Silent(format!("it ends before `{}`", missing.escape_ascii())));
    }
    for (key, value) in written {
        if store.get(key).await?.as_ref() != Some(value) {
            return Ok(Verdict::Silent(format!("`{}` is another", key.escape_ascii())));
        }
    }
    Ok(Verdict::Unharmed)
}

/// Copies a store that nobody has open.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Says in `format` that a store has this format.
pub fn write_format(folder: &Path, format: u32, engine: EngineKind) -> Result<(), StoreError> {
    Format { format, engine }.write(folder)
}

/// Makes a store as it was in format 0: values without envelopes, no tally, no anchor.
pub fn make_format_0(folder: &Path, kind: EngineKind, entries: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), StoreError> {
    let options = Options::default();
    let locked = Folder::lock(folder, true)?;
    let path = locked.engine(kind);
    fs::create_dir_all(&path).map_err(|error| locked.io("making a folder", &error))?;
    let opening = Opening { folder: path, cache_bytes: options.cache_bytes, hook: None };
    let told = |failure| locked.told(failure, &options);
    let engine = engine::open(kind, opening).map_err(told)?;
    let writes = entries.iter().map(|(key, value)| (tally::entry_key(key), Some(value.clone()))).collect();
    engine.write(writes).map_err(told)?;
    engine.close().map_err(told)?;
    Format { format: 0, engine: kind }.write(folder)
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            collect(&entry.path(), files)?;
        } else if metadata.len() > 0 {
            files.push((entry.path(), metadata.len()));
        }
    }
    Ok(())
}

/// SplitMix64: the same numbers for the same seed, and enough for choosing places.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}
