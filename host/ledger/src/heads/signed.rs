//! One signed head: where chains ended at a moment, said by whoever has the key.
//!
//! A JSON object in the form of RFC 8785. The signature is over the bytes of the member `head`; the next signed head names
//! the SHA-256 of the whole line.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use super::{PublicKey, key::KeyId};
use crate::{frame::canonical, hash::Hash};

/// The version of the form that is written: 2 where it names the store's state, and 1 where there is none.
pub const HEAD_VERSION: u8 = 2;
/// Most workspaces that one signed head names; more are in the ones after it.
pub(crate) const MAX_HEADS: usize = 4096;
/// How such a line begins.
pub(crate) const HEAD: &[u8] = b"{\"head\":";

/// Where a chain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// SHA-256 of the last record.
    pub hash: Hash,
    /// Its number.
    pub seq: u64,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadBody {
    /// Where the chains ended that grew since the signed head before this one. The first names all.
    #[serde(serialize_with = "in_order")]
    pub heads: BTreeMap<String, At>,
    /// By which key it is signed.
    pub key: KeyId,
    /// SHA-256 of the signed head before it.
    pub prev: Hash,
    /// Its number, from 1.
    pub seq: u64,
    /// How many changes were made to what authorises, and the hash of what they led to ([`crate::state`]): the store is never
    /// less far. Not in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<At>,
    /// When it was signed.
    pub time: Timestamp,
    /// The version of this form.
    pub v: u8,
}

/// Names in the order of RFC 8785, which compares UTF-16.
fn in_order<S: Serializer>(heads: &BTreeMap<String, At>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut sorted: Vec<(&String, &At)> = heads.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let mut map = serializer.serialize_map(Some(sorted.len()))?;
    for (name, at) in sorted {
        map.serialize_entry(name, at)?;
    }
    map.end()
}

impl HeadBody {
    /// The bytes that are signed.
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    /// What the first signed head has before it.
    pub fn genesis() -> Hash {
        Hash::of(b"portcullis heads 1")
    }
}

/// An Ed25519 signature. Written in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| de::Error::custom("a signature has 64 bytes"))
    }
}

/// A head and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// What is signed.
    pub head: HeadBody,
    /// By the key that it names.
    pub signature: Signature,
}

impl SignedHead {
    /// As it is written, kept and sent, without a line's end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads it; says nothing of its signature. The reason, where it is none.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if read.head.v > HEAD_VERSION {
            let v = read.head.v;
            return Err(format!(
                "it has version {v}, and this program reads up to {HEAD_VERSION}; use a newer Portcullis"
            ));
        }
        if (read.head.v == 1) == read.head.state.is_some() {
            return Err("version 1 names no state, and version 2 names one".to_owned());
        }
        canonical(&read.line(), line)?;
        Ok(read)
    }

    /// What the next signed head has as `prev`.
    pub fn hash(&self) -> Hash {
        Hash::of(self.line().as_bytes())
    }

    /// Whether this key signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.head.key == key.id() && self.head.bytes().is_ok_and(|bytes| key.verify(&bytes, &self.signature))
    }
}
