//! What readers see: the engine, and what must not be seen of it.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use crate::{
    Note, Page, Scan, StoreError,
    engine::{Engine, Range, Writes},
    envelope,
    folder::Folder,
    options::Options,
    tally, tools,
};

/// Is shown keys, values and checksums, and says whether it wants more.
pub(crate) type Show<'a> = dyn FnMut(&[u8], &[u8], u128) -> Result<bool, StoreError> + 'a;

/// Behind a lock that is fair: readers and the committer take turns.
pub(crate) struct Shared {
    pub(crate) folder: Arc<Folder>,
    pub(crate) options: Options,
    /// None while it cannot be opened.
    pub(crate) engine: Option<Arc<dyn Engine>>,
    /// By stored key, what was there before a write that failed. It may be in the engine, and nobody is shown what is not
    /// known to be durable. Empty while all is well.
    pub(crate) undo: Writes,
    /// Why nothing can be read.
    pub(crate) unreadable: Option<StoreError>,
}

impl Shared {
    fn engine(&self) -> Result<&dyn Engine, StoreError> {
        match (&self.engine, &self.unreadable) {
            (Some(engine), _) => Ok(engine.as_ref()),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => {
                Err(StoreError::Io { place: self.folder.place(), problem: "the store was closed".to_owned() })
            }
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let stored_key = tally::entry_key(key);
        let found = match self.undo.get(&stored_key) {
            Some(before) => before.clone(),
            None => self.engine()?.get(&stored_key).map_err(|failure| self.folder.told(failure, &self.options))?,
        };
        let Some(found) = found else { return Ok(None) };
        let (value, _) = envelope::open(key, &found).map_err(|wrong| self.folder.corrupt(wrong.tell(key)))?;
        Ok(Some(value.to_vec()))
    }

    pub(crate) fn note(&self) -> Result<Option<Note>, StoreError> {
        tools::note_of(self.engine()?).map_err(|failure| self.folder.told(failure, &self.options))
    }

    pub(crate) fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        if scan.is_empty() {
            return Ok(Page::default());
        }
        let (mut page, mut bytes) = (Page::default(), 0);
        self.entries(&stored_range(scan), scan.descending, &mut |key, value, _| {
            bytes += key.len() + value.len();
            if !page.entries.is_empty() && (page.entries.len() >= scan.max_entries || bytes > scan.max_bytes) {
                page.next = page.entries.last().map(|(key, _)| crate::Cursor(key.clone()));
                return Ok(false);
            }
            page.entries.push((key.to_vec(), value.to_vec()));
            Ok(true)
        })?;
        Ok(page)
    }

    /// Shows entries: key, value, checksum.
    pub(crate) fn entries(&self, range: &Range, descending: bool, show: &mut Show<'_>) -> Result<(), StoreError> {
        let mut failed = None;
        let mut open = |stored_key: &[u8], stored: &[u8]| {
            let shown = stored_key.split_first().map_or_else(
                || Err(self.folder.corrupt("there is an entry without a key")),
                |(_, key)| {
                    let (value, checksum) =
                        envelope::open(key, stored).map_err(|wrong| self.folder.corrupt(wrong.tell(key)))?;
                    show(key, value, checksum)
                },
            );
            shown.unwrap_or_else(|error| {
                failed = Some(error);
                false
            })
        };
        let engine = self.engine()?;
        let visited = if self.undo.is_empty() {
            engine.visit(range, descending, &mut open)
        } else {
            let before: BTreeMap<_, _> = self.undo.range::<Vec<u8>, _>((range.0.as_ref(), range.1.as_ref())).collect();
            let mut before: Vec<_> = before.into_iter().collect();
            if !descending {
                before.reverse();
            }
            // Before each of the engine's entries come those of the overlay that belong there; it hides its own keys.
            let mut more = true;
            engine
                .visit(range, descending, &mut |key, stored| {
                    while let Some((hidden, was)) = before.last()
                        && more
                        && (if descending { hidden.as_slice() > key } else { hidden.as_slice() < key })
                    {
                        more = was.as_ref().is_none_or(|was| open(hidden, was));
                        before.pop();
                    }
                    more = more && (self.undo.contains_key(key) || open(key, stored));
                    more
                })
                .map(|()| {
                    while let Some((hidden, was)) = before.pop()
                        && more
                    {
                        more = was.as_ref().is_none_or(|was| open(hidden, was));
                    }
                })
        };
        visited.map_err(|failure| self.folder.told(failure, &self.options))?;
        failed.map_or(Ok(()), Err)
    }
}

/// All entries.
pub(crate) fn everything() -> Range {
    (Bound::Included(vec![tally::ENTRY]), Bound::Excluded(vec![tally::ENTRY + 1]))
}

fn stored_range(scan: &Scan) -> Range {
    let (first, end) = everything();
    let stored = |bound: &Bound<Vec<u8>>, open: Bound<Vec<u8>>| match bound {
        Bound::Included(key) => Bound::Included(tally::entry_key(key)),
        Bound::Excluded(key) => Bound::Excluded(tally::entry_key(key)),
        Bound::Unbounded => open,
    };
    (stored(&scan.from, first), stored(&scan.to, end))
}
