//! Reading a range, page by page.

use std::ops::Bound;

/// Entries of a page where no limit is set.
const DEFAULT_ENTRIES: usize = 1_000;
/// Bytes of a page, keys and values together, where no limit is set (4 MiB). A page has at least one entry.
const DEFAULT_BYTES: usize = 4 * 1024 * 1024;

/// A range of keys, a direction, and how much of it to give at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the range begins, in key order.
    pub from: Bound<Vec<u8>>,
    /// Where it ends.
    pub to: Bound<Vec<u8>>,
    /// Whether the last keys come first.
    pub descending: bool,
    /// Most entries of a page.
    pub max_entries: usize,
    /// Most bytes of a page, unless its first entry alone is longer.
    pub max_bytes: usize,
}

impl Scan {
    /// The keys from one bound to another, in order.
    pub fn range(from: Bound<Vec<u8>>, to: Bound<Vec<u8>>) -> Self {
        Self { from, to, descending: false, max_entries: DEFAULT_ENTRIES, max_bytes: DEFAULT_BYTES }
    }

    /// The keys that begin with `prefix`; all of them where it is empty.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let prefix = prefix.into();
        let to = after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self::range(Bound::Included(prefix), to)
    }

    /// The last keys first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// At most this many entries a page; at least one.
    #[must_use]
    pub fn entries(mut self, most: usize) -> Self {
        self.max_entries = most.max(1);
        self
    }

    /// At most this many bytes a page.
    #[must_use]
    pub fn bytes(mut self, most: usize) -> Self {
        self.max_bytes = most;
        self
    }

    /// Goes on where a page ended, in this scan's direction.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        if self.descending {
            self.to = Bound::Excluded(cursor.0);
        } else {
            self.from = Bound::Excluded(cursor.0);
        }
        self
    }

    /// Whether a range this way round can hold anything. Some ordered maps panic when it cannot.
    pub fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
            | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        }
    }
}

/// The first key after all that begin with `prefix`; none where there is no such key.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix.get(..=last)?.to_vec();
    *after.last_mut()? += 1;
    Some(after)
}

/// Where a page ended: its last key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// Some entries of a range, in the scan's direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys and values.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where to go on; none where the range ended.
    pub next: Option<Cursor>,
}

impl Page {
    /// Takes what a scan gives until the page is full, or the range ends.
    pub fn fill<E>(scan: &Scan, entries: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), E>>) -> Result<Self, E> {
        let mut page = Self::default();
        let mut bytes = 0;
        for entry in entries {
            let (key, value) = entry?;
            bytes += key.len() + value.len();
            if !page.entries.is_empty() && (page.entries.len() >= scan.max_entries || bytes > scan.max_bytes) {
                page.next = page.entries.last().map(|(key, _)| Cursor(key.clone()));
                break;
            }
            page.entries.push((key, value));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        for (prefix, after) in [
            (&b"a"[..], Some(&b"b"[..])),
            (b"a\xff", Some(b"b")),
            (b"a\xff\xfe", Some(b"a\xff\xff")),
            (b"\xff\xff", None),
            (b"", None),
        ] {
            assert_eq!(after_prefix(prefix).as_deref(), after, "{prefix:?}");
        }
    }
}
