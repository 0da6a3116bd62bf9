//! The first and the last line of an export in JSON Lines.
//!
//! An export is one workspace's records from one number to another, byte for byte as they stand in the chain:
//!
//! ```text
//! {"export":{"from":1,"time":"2026-11-21T16:00:00Z","to":2,"v":1,"workspace":"acme"}}
//! {…record 1…}
//! {…record 2…}
//! {"head":{…},"signature":"…"}
//! {"end":{"head":7,"key":"…","records":2,"sha256":"…"},"signature":"…"}
//! ```
//!
//! The signed heads may stand before the records or after them. Several exports may stand one after the other in a file.
//!
//! **The last line is signed** where the host has a key, since version 2 of this form. The signature says that this host
//! exported just this range, and which signed head was its newest at that moment: so an export that was shortened can be told
//! from one that was made earlier or of a part, and heads that were signed later are no reproach. It is made over
//! [`SIGNED_FORM`], a line feed and the bytes of the member `end`, which no signed head can be taken for.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    hash::Hash,
    heads::{KeyId, PublicKey, SignError, Signature, Signer},
};

/// The version of the form that is written.
pub const EXPORT_VERSION: u8 = 2;
/// What a signature of an export's last line begins with.
pub const SIGNED_FORM: &str = "portcullis export 2";

/// What the first line of an export says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// The first record.
    pub from: u64,
    /// SHA-256 of the record before it, where it is not the chain's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Hash>,
    /// When it was exported.
    pub time: Timestamp,
    /// The last record.
    pub to: u64,
    /// The version of this form.
    pub v: u8,
    /// Whose records.
    pub workspace: String,
}

/// What the last line of an export says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndBody {
    /// The newest signed head of the host when it exported; only where the line is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<u64>,
    /// By which key the line is signed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// How many records there are.
    pub records: u64,
    /// SHA-256 of all bytes before this line, from the header on.
    pub sha256: Hash,
}

/// The last line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportEnd {
    /// What it says.
    pub end: EndBody,
    /// By the key that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// How such a line begins.
pub(crate) const HEADER: &[u8] = b"{\"export\":";
/// How such a line begins.
pub(crate) const END: &[u8] = b"{\"end\":";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine<'a> {
    export: Cow<'a, ExportHeader>,
}

impl ExportHeader {
    /// As it is written, without the line's end.
    pub fn line(&self) -> String {
        serde_json::to_string(&HeaderLine { export: Cow::Borrowed(self) }).unwrap_or_default()
    }

    /// Reads it. The reason, where it is none.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let read: HeaderLine<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        canonical(&read.export.line(), line)?;
        Ok(read.export.into_owned())
    }
}

impl ExportEnd {
    /// One that nobody signed.
    pub fn unsigned(records: u64, sha256: Hash) -> Self {
        Self { end: EndBody { head: None, key: None, records, sha256 }, signature: None }
    }

    /// One that a key signs, by whom `head` is the newest signed head.
    pub async fn signed(records: u64, sha256: Hash, head: u64, signer: &dyn Signer) -> Result<Self, SignError> {
        let key = Some(signer.public_key().id());
        let end = EndBody { head: Some(head), key, records, sha256 };
        let signature = Some(signer.sign(&end.bytes()).await?);
        Ok(Self { end, signature })
    }

    /// As it is written, without the line's end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads it; says nothing of its signature. The reason, where it is none.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        canonical(&read.line(), line)?;
        let parts = [read.end.head.is_some(), read.end.key.is_some(), read.signature.is_some()];
        if parts.contains(&true) && parts.contains(&false) {
            return Err("`head`, `key` and `signature` stand there all or none".to_owned());
        }
        Ok(read)
    }

    /// Whether this key signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let signature = self.signature.filter(|_| self.end.key == Some(key.id()));
        signature.is_some_and(|signature| key.verify(&self.end.bytes(), &signature))
    }
}

impl EndBody {
    /// The bytes that are signed.
    fn bytes(&self) -> Vec<u8> {
        format!("{SIGNED_FORM}\n{}", serde_json::to_string(self).unwrap_or_default()).into_bytes()
    }
}

/// There is one way to write a thing, or a changed byte could go unseen.
pub(crate) fn canonical(written: &str, found: &[u8]) -> Result<(), String> {
    if written.as_bytes() == found {
        return Ok(());
    }
    Err("it is not written in the one form that there is (RFC 8785)".to_owned())
}
