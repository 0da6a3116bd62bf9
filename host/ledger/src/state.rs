//! What vouches for the records that authorise, as far as it can be read without a key: which of them there are, with which
//! values, and how many changes made them so.
//!
//! | key | value |
//! | --- | --- |
//! | `V` | the state record ([`StateRecord`]): a number, the hash of each page, a MAC over both; restrictions since then |
//! | `V` page:1 | a page ([`StatePage`]): the hash of each record's value, by key |
//!
//! A record's page is the first byte of its key's hash. So it is a tree of two levels: whoever holds the state record to be
//! true can tell of each record whether it is the one that was kept last, and a change writes one page and the state record.
//!
//! The MAC is made and checked where the master key is, which is not here. The number and the hash
//! ([`StateRecord::at`]) are in the clear, so that signed heads can name them: a head says that the state was at least so far.
//!
//! **Restrictions.** A credential is revoked where no master key is at hand, too. What that changes is appended to the state
//! record without a MAC: each restriction counts, and is chained to what was before it, so that one that a signed head names
//! cannot be taken back. The next change that is made with the master key takes them into the pages. Whoever forges one
//! takes power away and gives none: who reads holds the record to be one that gives none.

use std::collections::BTreeMap;

use portcullis_store::Store;
use serde::{Deserialize, Serialize};

use crate::{error::LedgerError, hash::Hash, heads::At};

/// Where the state record stands. All keys of the state begin with it.
pub const STATE: &[u8] = b"V";

const VERSION: u8 = 1;
/// Largest state record, in bytes: far more than a host makes, and less than a store takes.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Where a page stands.
pub fn page_key(page: u8) -> Vec<u8> {
    [STATE, &[page]].concat()
}

/// The page on which a record stands.
pub fn page_of(key: &[u8]) -> u8 {
    Hash::of(key).as_bytes().first().copied().unwrap_or_default()
}

/// Something that was restricted without the master key since the state record was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// The record's key, in hexadecimal digits.
    pub key: String,
    /// The hash of its value now; none where it is gone.
    pub value: Option<Hash>,
}

/// The state record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRecord {
    /// HMAC-SHA256 over [`StateRecord::root`].
    pub mac: Hash,
    /// How many changes there were when the MAC was made.
    pub number: u64,
    /// The hash of each page that has records, by its number.
    pub pages: BTreeMap<u8, Hash>,
    /// What was restricted since then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<Restriction>,
    v: u8,
}

impl StateRecord {
    /// Of so many changes and these pages, with a MAC that is still to be made.
    pub fn new(number: u64, pages: BTreeMap<u8, Hash>) -> Self {
        Self { mac: Hash::of(b""), number, pages, restrictions: Vec::new(), v: VERSION }
    }

    /// Reads it. The reason, where it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if read.v != VERSION {
            return Err(format!("it has version {}, and this program reads {VERSION}; use a newer Portcullis", read.v));
        }
        Ok(read)
    }

    /// As it is kept.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LedgerError> {
        let bytes = serde_json::to_vec(self).map_err(|error| LedgerError::Entry(error.to_string()))?;
        if bytes.len() > MAX_BYTES {
            let how = "make any change with the master key, which takes the restrictions in";
            let bytes = bytes.len();
            return Err(LedgerError::Entry(format!(
                "the state record has {bytes} bytes; the limit is {MAX_BYTES}: {how}"
            )));
        }
        Ok(bytes)
    }

    /// What the MAC is over: number and pages.
    pub fn root(&self) -> Hash {
        let mut bytes = b"portcullis state 1\0".to_vec();
        bytes.extend_from_slice(&self.number.to_be_bytes());
        for (page, hash) in &self.pages {
            bytes.push(*page);
            bytes.extend_from_slice(hash.as_bytes());
        }
        Hash::of(&bytes)
    }

    /// How many changes there were, restrictions among them, and the hash of what they led to.
    pub fn at(&self) -> At {
        let mut at = At { hash: self.root(), seq: self.number };
        self.restrictions.iter().for_each(|restriction| at = after(at, restriction));
        at
    }

    /// The hash after so many changes, where that can still be told: since the MAC was made.
    pub fn hash_at(&self, number: u64) -> Option<Hash> {
        let mut at = At { hash: self.root(), seq: self.number };
        let mut restrictions = self.restrictions.iter();
        while at.seq < number {
            at = after(at, restrictions.next()?);
        }
        (at.seq == number).then_some(at.hash)
    }

    /// Whether this state came after another one, or is the same: so far as numbers tell, and restrictions that both have.
    pub fn follows(&self, before: &Self) -> bool {
        if self.number == before.number {
            return self.root() == before.root() && self.restrictions.starts_with(&before.restrictions);
        }
        self.number > before.at().seq
    }
}

/// One restriction further.
fn after(at: At, restriction: &Restriction) -> At {
    let seq = at.seq.saturating_add(1);
    let mut bytes = b"portcullis state restriction 1\0".to_vec();
    bytes.extend_from_slice(at.hash.as_bytes());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(&(restriction.key.len() as u64).to_be_bytes());
    bytes.extend_from_slice(restriction.key.as_bytes());
    match &restriction.value {
        None => bytes.push(0),
        Some(hash) => {
            bytes.push(1);
            bytes.extend_from_slice(hash.as_bytes());
        }
    }
    At { hash: Hash::of(&bytes), seq }
}

/// The state of a store, as it stands there: nothing but its form is checked. None where there is none.
pub async fn stored(store: &dyn Store) -> Result<Option<StateRecord>, LedgerError> {
    let Some(bytes) = store.get(STATE).await? else { return Ok(None) };
    StateRecord::parse(&bytes).map(Some).map_err(|what| LedgerError::State { what })
}

/// A page: the hash of each record's value, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatePage(pub BTreeMap<Vec<u8>, Hash>);

impl StatePage {
    /// Reads it; none where it is no page.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let read: BTreeMap<String, Hash> = serde_json::from_slice(bytes).ok()?;
        read.into_iter().map(|(key, hash)| Some((from_hex(&key)?, hash))).collect::<Option<_>>().map(Self)
    }

    /// As it is kept.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LedgerError> {
        let written: BTreeMap<String, &Hash> = self.0.iter().map(|(key, hash)| (to_hex(key), hash)).collect();
        serde_json::to_vec(&written).map_err(|error| LedgerError::Entry(error.to_string()))
    }
}

/// A key as hexadecimal digits.
pub fn to_hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// And back.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restriction(key: &[u8], value: Option<&[u8]>) -> Restriction {
        Restriction { key: to_hex(key), value: value.map(Hash::of) }
    }

    fn state(number: u64) -> StateRecord {
        StateRecord::new(number, BTreeMap::from([(0, Hash::of(b"a page")), (255, Hash::of(b"another"))]))
    }

    #[test]
    fn number_pages_and_each_restriction_with_its_order_are_in_the_hash() {
        let mut all = vec![state(3), state(4)];
        let mut other_page = state(3);
        other_page.pages.insert(1, Hash::of(b"a page"));
        all.push(other_page);
        for restrictions in [
            vec![restriction(b"Ca", None)],
            vec![restriction(b"Ca", Some(b"x"))],
            vec![restriction(b"Ca", None), restriction(b"Cb", None)],
            vec![restriction(b"Cb", None), restriction(b"Ca", None)],
        ] {
            all.push(StateRecord { restrictions, ..state(3) });
        }
        for (i, a) in all.iter().enumerate() {
            assert_eq!(StateRecord::parse(&a.to_bytes().unwrap()).unwrap(), *a);
            for b in &all[i + 1..] {
                assert_ne!(a.at().hash, b.at().hash, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_restriction_that_was_named_cannot_be_taken_back_or_replaced() {
        let one = StateRecord { restrictions: vec![restriction(b"Ca", None)], ..state(3) };
        let mut two = one.clone();
        two.restrictions.push(restriction(b"Cb", None));
        let named = one.at();
        assert_eq!((named.seq, two.at().seq), (4, 5));
        assert_eq!(two.hash_at(named.seq), Some(named.hash));
        let other = StateRecord { restrictions: vec![restriction(b"Cb", None), restriction(b"Ca", None)], ..state(3) };
        assert_ne!(other.hash_at(named.seq), Some(named.hash));
        assert_eq!(state(3).hash_at(named.seq), None, "it is not there any more");
        assert_eq!(state(9).hash_at(named.seq), None, "nobody can tell");
        assert!(two.follows(&one) && !one.follows(&two) && !other.follows(&one) && !state(3).follows(&one));
        assert!(state(5).follows(&one) && !state(4).follows(&one), "taken in, it counts one more");
    }

    #[test]
    fn keys_are_any_bytes() {
        let page = StatePage(BTreeMap::from([(b"C\0\xff\x80".to_vec(), Hash::of(b"x")), (Vec::new(), Hash::of(b"y"))]));
        assert_eq!(StatePage::parse(&page.to_bytes().unwrap()), Some(page));
        assert_eq!((from_hex("0"), from_hex("0g"), from_hex("ö")), (None, None, None));
        assert!(StatePage::parse(b"[]").is_none() && StateRecord::parse(b"{}").is_err());
    }
}
