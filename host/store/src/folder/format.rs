//! The file `format`: which format a store has, and which engine keeps it.
//!
//! `{"format":2,"engine":"sled","check":"…"}` on one line: `check` is XXH3-128, as 32 hexadecimal digits, of
//! `portcullis store FORMAT ENGINE`. These three names and that check stay for ever, so that an older version can say of a
//! newer store that it is newer, and not that it is damaged.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{at, place, sync};
use crate::{EngineKind, StoreError, checksum};

/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 2;
/// The file's name.
pub(super) const NAME: &str = "format";
/// Where it is written before it takes its place.
pub(super) const NEW: &str = "format.new";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) format: u32,
    pub(crate) engine: EngineKind,
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    engine: String,
    check: String,
}

fn check(format: u32, engine: &str) -> String {
    format!("{:032x}", checksum::of(format!("portcullis store {format} {engine}").as_bytes()))
}

impl Format {
    /// Reads it; none where there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt { place: place(folder), what: what.to_owned() };
        let bytes = match fs::read(folder.join(NAME)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(folder, "reading `format`", &error)),
        };
        let Ok(written) = serde_json::from_slice::<Written>(&bytes) else {
            return Err(corrupt("the file `format` is not as it was written"));
        };
        if written.check != check(written.format, &written.engine) {
            return Err(corrupt("the file `format` is not as it was written (its checksum is wrong)"));
        }
        if written.format > FORMAT {
            return Err(StoreError::Newer { place: place(folder), found: written.format, known: FORMAT });
        }
        let engine = written.engine.parse().map_err(|problem: String| corrupt(&format!("`format`: {problem}")))?;
        Ok(Some(Self { format: written.format, engine }))
    }

    /// Writes it, durably and as a whole.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let engine = self.engine.name().to_owned();
        let written = Written { format: self.format, check: check(self.format, &engine), engine };
        let write = || {
            let mut file = portcullis_files::create(&folder.join(NEW))?;
            file.write_all(&serde_json::to_vec(&written)?)?;
            file.sync_all()?;
            fs::rename(folder.join(NEW), folder.join(NAME))?;
            sync(folder)
        };
        write().map_err(|error| at(folder, "writing `format`", &error))
    }
}
