//! Older formats become today's at open, one step at a time.
//!
//! A step makes a new engine with all that is in the old one, and lets it take the old one's place; only then the file
//! `format` says so. Cut off in between, it is done again, so a step must know its own work.

use crate::{
    StoreError,
    anchor::Anchor,
    engine::{self, Failure, Opening, Writes},
    envelope,
    folder::{FORMAT, Folder, Format},
    options::Options,
    redo::Redo,
    tally::{self, Tally},
};

/// A step: the format that it starts from, and what it does.
type Step = (u32, fn(&Folder, &Format, &Options) -> Result<(), StoreError>);

/// All steps, in order.
const STEPS: [Step; 2] = [(0, into_envelopes), (1, with_redo)];

/// Brings a store up to date.
pub(crate) fn run(folder: &Folder, mut format: Format, options: &Options) -> Result<(), StoreError> {
    while format.format < FORMAT {
        let Some((_, step)) = STEPS.iter().find(|(from, _)| *from == format.format) else {
            let number = format.format;
            return Err(folder.corrupt(format!("it has format {number}, which never was")));
        };
        step(folder, &format, options)?;
        format.format += 1;
        format.write(folder.path())?;
    }
    Ok(())
}

/// 0 to 1: values came into envelopes, and a tally beside them. (Format 0 was in no release. It is here so that the way from
/// one format to the next is one that has been gone.)
fn into_envelopes(folder: &Folder, format: &Format, options: &Options) -> Result<(), StoreError> {
    const CHUNK_BYTES: usize = 4 << 20;
    let opening = Opening { folder: folder.engine(format.engine), cache_bytes: options.cache_bytes, hook: None };
    let told = |failure| folder.told(failure, options);
    let old = engine::open(format.engine, opening).map_err(told)?;
    if let Some(stored) = old.get(tally::KEY).map_err(told)? {
        // Done before, and cut off.
        let tally = Tally::from_bytes(&stored).ok_or_else(|| folder.corrupt("its tally is not as it was written"))?;
        let closed = old.close();
        closed.map_err(told)?;
        return anchor(folder, tally);
    }
    let mut tally = Tally { number: 1, ..Tally::default() };
    folder.new_engine(format.engine, options, |new| {
        let (mut chunk, mut bytes, mut failed) = (Writes::new(), 0, None);
        old.visit(&crate::shared::everything(), false, &mut |stored_key, value| {
            let key = stored_key.get(1..).unwrap_or_default();
            let wrapped = envelope::wrap(key, value);
            tally.add(envelope::claimed(&wrapped));
            bytes += stored_key.len() + wrapped.len();
            chunk.insert(stored_key.to_vec(), Some(wrapped));
            if bytes >= CHUNK_BYTES {
                bytes = 0;
                failed = new.write(std::mem::take(&mut chunk)).err();
            }
            failed.is_none()
        })?;
        failed.map_or(Ok::<(), Failure>(()), Err)?;
        chunk.insert(tally::KEY.to_vec(), Some(tally.to_bytes().to_vec()));
        new.write(chunk)
    })?;
    let closed = old.close();
    drop(old);
    closed.map_err(told)?;
    folder.swap(format.engine)?;
    anchor(folder, tally)
}

/// 1 to 2: the files of the last commits came beside the anchor.
fn with_redo(folder: &Folder, _: &Format, _: &Options) -> Result<(), StoreError> {
    Redo::create(folder.path()).map_err(|error| folder.io("making the files of the last commits", &error))
}

fn anchor(folder: &Folder, tally: Tally) -> Result<(), StoreError> {
    Anchor::create(folder.path(), tally).map(drop).map_err(|error| folder.io("making the anchor", &error))
}
