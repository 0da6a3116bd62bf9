//! Putting a store made of an export in the place of another, which is kept.
//!
//! The new one is made in full beside the old one, under the name that the old one is to have; then the two change names in one
//! step. Cut off anywhere, the old one is whole, under one name or the other, and so is the new one once it has its place.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{export::Exported, look::aside, rebuild::import};
use crate::{
    StoreError,
    folder::{self, Folder},
    options::Options,
};

/// What was put where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// What the new store has.
    pub imported: Exported,
    /// Where the old one is now; none where there was none.
    pub aside: Option<PathBuf>,
}

/// Makes a store of an exported file in the place of what is there, damaged or not, which is moved aside and kept. Blocks.
///
/// A file that is damaged or cut off is refused, and changes nothing.
pub fn replace(
    path: &Path,
    options: &Options,
    file: impl Read,
    progress: &mut dyn FnMut(u64),
) -> Result<Replaced, StoreError> {
    if path.symlink_metadata().is_err() {
        return Ok(Replaced { imported: import(path, options, file, progress)?, aside: None });
    }
    if path.is_symlink() {
        return Err(folder::not_a_store(path, "this is a link; name the folder that it leads to"));
    }
    // Held until the two have changed places: nobody has it open, and nobody opens it.
    let _old: Folder = Folder::lock_damaged(path)?;
    let aside = aside(path)?;
    let imported = match import(&aside, options, file, progress) {
        Ok(imported) => imported,
        Err(error) => {
            // It was made here, a moment ago.
            let _ = fs::remove_dir_all(&aside);
            return Err(error);
        }
    };
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let exchanged = match renameat_with(CWD, path, CWD, &aside, RenameFlags::EXCHANGE) {
        // Some file systems cannot; then there is a moment without either.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            let new = aside.with_extension("new");
            fs::rename(&aside, &new).and_then(|()| fs::rename(path, &aside)).and_then(|()| fs::rename(&new, path))
        }
        exchanged => exchanged.map_err(Into::into),
    };
    exchanged
        .and_then(|()| folder::sync(above))
        .map_err(|error| folder::at(path, "changing places with the new store", &error))?;
    Ok(Replaced { imported, aside: Some(aside) })
}
