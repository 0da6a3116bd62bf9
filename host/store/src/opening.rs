//! Opening a store: everything that must hold before anybody is answered.

use std::{fs, io::Write, path::Path, sync::Arc};

use crate::{
    StoreError,
    anchor::Anchor,
    engine::{self, Engine, EngineKind, Opening},
    folder::{Folder, Found},
    migrations,
    options::Options,
    redo::Redo,
    tally::{self, Tally},
    tools,
};

/// Up to how many entries are counted anew at each open. More of them are left to `verify`.
const COUNTED_AT_OPEN: u64 = 20_000;
/// What is written, flushed and removed to learn whether the disk takes writes again.
const PROBE: &str = "format.new";
const PROBE_BYTES: usize = 64 << 10;

/// An open store, before its committer runs.
pub(crate) struct Opened {
    pub(crate) folder: Arc<Folder>,
    pub(crate) kind: EngineKind,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) witnesses: Witnesses,
    pub(crate) tally: Tally,
}

/// What tells of commits outside of the engine.
pub(crate) struct Witnesses {
    pub(crate) anchor: Anchor,
    pub(crate) redo: Redo,
}

/// Opens or makes the store in a folder.
pub(crate) fn open(path: &Path, options: &Options) -> Result<Opened, StoreError> {
    let folder = Folder::lock(path, options.create)?;
    let format = match folder.settle()? {
        Found::Store(format) => format,
        Found::Nothing if options.create => folder.make(options.engine.unwrap_or_default(), options)?,
        Found::Nothing => {
            return Err(crate::folder::not_a_store(
                path,
                "there is no store in this folder; name the folder of a store",
            ));
        }
    };
    let kind = format.engine;
    if let Some(wanted) = options.engine.filter(|wanted| *wanted != kind) {
        let problem = format!("it is kept by {kind}, not by {wanted}; `portcullis store export` and `import` move it");
        return Err(crate::folder::not_a_store(path, &problem));
    }
    let was_closed = folder.unseal(kind, options.seal_bytes)?;
    migrations::run(&folder, format, options)?;
    if was_closed {
        Redo::create(folder.path()).map_err(|error| folder.io("making the files of the last commits", &error))?;
    }
    let engine = open_engine(&folder, kind, options)?;
    let (witnesses, tally) = judge(&folder, options, engine.as_ref())?;
    if tally.entries <= COUNTED_AT_OPEN {
        tools::recount(&folder, options, engine.as_ref(), &mut |_| true)?;
    }
    Ok(Opened { folder: Arc::new(folder), kind, engine: Arc::from(engine), witnesses, tally })
}

/// Opens the engine, and makes durable what it shows: after `kill -9` that may be in the page cache alone.
pub(crate) fn open_engine(folder: &Folder, kind: EngineKind, options: &Options) -> Result<Box<dyn Engine>, StoreError> {
    let path = folder.engine(kind);
    let opening = Opening { folder: path.clone(), cache_bytes: options.cache_bytes, hook: options.hook.clone() };
    let engine = engine::open(kind, opening).map_err(|failure| folder.told(failure, options))?;
    // What an engine makes has the modes that it likes.
    portcullis_files::close_to_others(&path).map_err(|error| crate::folder::not_ours(&path, error))?;
    engine::sync_folder(&path).map_err(|error| folder.io("flushing what is there", &error))?;
    Ok(engine)
}

/// Opens the engine for reading only, if it can be.
pub(crate) fn open_for_reading(folder: &Folder, kind: EngineKind, options: &Options) -> Option<Box<dyn Engine>> {
    let opening = Opening { folder: folder.engine(kind), cache_bytes: options.cache_bytes, hook: options.hook.clone() };
    engine::open_for_reading(kind, opening).ok().flatten()
}

/// Says what is there, or that it is less than there was. The last commits are done again where the engine lost them.
pub(crate) fn judge(folder: &Folder, options: &Options, engine: &dyn Engine) -> Result<(Witnesses, Tally), StoreError> {
    let told = |failure| folder.told(failure, options);
    let Some(stored) = engine.get(tally::KEY).map_err(told)? else {
        return Err(folder.corrupt("it is silently short: the engine opened it, and its tally of entries is missing"));
    };
    let Some(mut tally) = Tally::from_bytes(&stored) else {
        return Err(folder.corrupt("its tally of entries is not as it was written"));
    };
    let (anchor, anchored) = Anchor::open(folder.path()).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => folder.corrupt(
            "the file `anchor` is missing, without which nobody can say whether commits are missing too; put it back, as old as \
             the rest or newer",
        ),
        _ => folder.io("reading the anchor", &error),
    })?;
    let Some(anchored) = anchored else {
        return Err(folder.corrupt(
            "the file `anchor` is not as it was written, so nobody can say whether commits are missing; put it back",
        ));
    };
    let (redo, records) = Redo::open(folder.path()).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => folder.corrupt(
            "`redo.0` or `redo.1` is missing, without which nobody can say whether the last commits are missing too; put it back",
        ),
        _ => folder.io("reading the last commits", &error),
    })?;
    let known = |tally: Tally| -> Result<Tally, StoreError> {
        let told = records.iter().map(|record| record.tally).chain([anchored]);
        if told.into_iter().any(|other| other.number == tally.number && other != tally) {
            return Err(folder.corrupt("the engine's tally of entries is another than was told for the same commit"));
        }
        Ok(tally)
    };
    known(tally)?;
    for record in &records {
        if record.tally.number == tally.number + 1 {
            let mut writes = record.writes.clone();
            writes.insert(tally::KEY.to_vec(), Some(record.tally.to_bytes().to_vec()));
            engine
                .prepare(
                    writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum::<usize>()
                        as u64,
                )
                .map_err(told)?;
            engine.write(writes).map_err(told)?;
            tally = known(record.tally)?;
        }
    }
    let newest = records.iter().map(|record| record.tally.number).chain([anchored.number]).max().unwrap_or(0);
    if tally.number < newest {
        let is = tally.number;
        return Err(folder
            .corrupt(format!("it is silently short: the engine has {is} commits, and {newest} were made durable")));
    }
    anchor.settle(tally).map_err(|error| folder.io("writing the anchor", &error))?;
    Ok((Witnesses { anchor, redo }, tally))
}

/// Closes what has to be closed after the engine.
pub(crate) fn seal(folder: &Folder, kind: EngineKind, told: &Witnesses, tally: Tally) -> Result<(), StoreError> {
    let engine = folder.engine(kind);
    portcullis_files::close_to_others(&engine).map_err(|error| crate::folder::not_ours(&engine, error))?;
    engine::sync_folder(&engine).map_err(|error| folder.io("flushing", &error))?;
    told.anchor.settle(tally).map_err(|error| folder.io("writing the anchor", &error))?;
    told.redo.clear().map_err(|error| folder.io("emptying the files of the last commits", &error))?;
    folder.seal(kind)
}

/// Whether the disk takes writes.
pub(crate) fn try_to_write(folder: &Folder) -> Result<(), StoreError> {
    let path = folder.path().join(PROBE);
    let write = || {
        let mut file = portcullis_files::create(&path)?;
        file.write_all(&vec![0; PROBE_BYTES])?;
        file.sync_all()
    };
    let written = write();
    let removed = fs::remove_file(&path);
    written.and(removed).map_err(|error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            folder.told(engine::Failure::Full, &Options::default())
        }
        _ => folder.io("trying to write", &error),
    })
}
