//! What is kept of a call's input and output, and of what strangers said on the way: how it is written beside the chain, and how it is read and checked.
//!
//! A record holds the size of an input or output, a salted hash of all of it, and the hash of what was kept. What was kept is
//! an entry of its own in the store, written in the same batch as the record and erased without touching it:
//!
//! ```json
//! {"kept":"redacted","salt":"<32 hex digits>","expires":"2026-12-21T09:00:00Z","value":{"To":"[redacted]"}}
//! ```
//!
//! **Why the hash has a salt, and where it is.** The hash of an address or a birth date is as good as the date: who has the
//! hash tries them all. With sixteen random bytes before the text nobody can, unless they have the salt; so the salt stands
//! with what is kept, and is erased with it. Until then the hash proves what the whole text was, also where only a part of it
//! was kept. Input and output have a salt each, for one can be erased, or expire, before the other.
//!
//! **Why nothing kept means no hash.** Without its salt a hash can be held against nothing.

use jiff::{Timestamp, ToSpan};
use portcullis_gate::Work;
use portcullis_schema::{Json, MAX_PLACES, Schema};
use portcullis_store::{Batch, Scan, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::LedgerError,
    hash::Hash,
    keys,
    policy::{Rule, Side},
    record::{CallId, Kept, Payload},
    words::Words,
};

/// Longest entry, in bytes (16 MiB): what goes into one batch of a store beside others.
pub const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Longest part of an entry, in bytes (2 MiB).
const PART_BYTES: usize = 2 * 1024 * 1024;

/// So many bytes of JSON that are written cost a unit.
const WRITTEN_BYTES_PER_UNIT: u64 = 8;
/// So many that are kept do.
const KEPT_BYTES_PER_UNIT: u64 = 4;

/// The random bytes that the hashes of one call begin with.
#[derive(Clone, PartialEq, Eq)]
pub struct Salts {
    /// For the input, and for the bodies of requests.
    pub input: [u8; 16],
    /// For the output.
    pub output: [u8; 16],
    /// For the words of strangers.
    pub words: [u8; 16],
}

impl Salts {
    /// New ones, for one call.
    #[must_use]
    pub fn generate() -> Self {
        Self { input: salt(), output: salt(), words: salt() }
    }

    fn of(&self, side: Side) -> &[u8; 16] {
        match side {
            Side::Input => &self.input,
            Side::Output => &self.output,
            Side::Words => &self.words,
        }
    }
}

impl std::fmt::Debug for Salts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salts")
    }
}

/// Sixteen random bytes. Where the system gives none, those of an id, which are fewer.
fn salt() -> [u8; 16] {
    let mut salt = [0; 16];
    if aws_lc_rs::rand::fill(&mut salt).is_err() {
        salt = *CallId::generate().as_bytes();
    }
    salt
}

/// An input or output, and what has to be known to keep it.
#[derive(Clone, Copy, Debug)]
pub struct ToKeep<'a> {
    /// Whose call.
    pub workspace: &'a str,
    /// Which call.
    pub call: CallId,
    /// Which of the two it is.
    pub side: Side,
    /// The call's salts.
    pub salts: &'a Salts,
    /// The operation's schema for it.
    pub schema: &'a Schema,
    /// The value. What is kept of its numbers is their text.
    pub value: &'a Json,
    /// When it is kept.
    pub now: Timestamp,
}

/// Where something is kept, and when.
struct Place<'a> {
    workspace: &'a str,
    call: CallId,
    side: Side,
    now: Timestamp,
}

impl Rule {
    /// What a record says of an input or output. What is kept of it is put into the batch that has to be committed with the
    /// record: with `Ledger::commit`, and not with `append`. What it costs is charged to `work`.
    pub fn keep(&self, what: &ToKeep<'_>, batch: &mut Batch, work: &Work) -> Result<Payload, LedgerError> {
        let text = what.value.to_string();
        let bytes = text.len() as u64;
        work.charge(bytes / WRITTEN_BYTES_PER_UNIT)?;
        if self.kept != Kept::Nothing {
            // Written, hashed twice and copied.
            work.charge(bytes / KEPT_BYTES_PER_UNIT)?;
            // Each pointer goes through all of it, at the worst.
            work.charge(bytes.saturating_mul(self.hide.len() as u64) / WRITTEN_BYTES_PER_UNIT)?;
        }
        let to = Place { workspace: what.workspace, call: what.call, side: what.side, now: what.now };
        let salt = what.salts.of(what.side);
        if self.kept != Kept::Redacted {
            return self.write(&to, salt, &text, None, batch);
        }
        let (redacted, places) = self.redacted(what, work)?;
        let redacted = redacted.map(|value| what.value.with_value(value).to_string());
        let payload = self.write(&to, salt, &text, redacted.as_deref(), batch)?;
        Ok(Payload { redacted: places, ..payload })
    }

    /// What a record says of the words of strangers in a call's records, which are kept in the same way; none where there are
    /// none.
    pub fn keep_words(
        &self,
        (workspace, call): (&str, CallId),
        words: &Words,
        salts: &Salts,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Payload>, LedgerError> {
        if words.is_empty() {
            return Ok(None);
        }
        let text = serde_json::to_string(words).map_err(|error| LedgerError::Entry(error.to_string()))?;
        let to = Place { workspace, call, side: Side::Words, now };
        let whole = Self { kept: if self.kept == Kept::Nothing { Kept::Nothing } else { Kept::Whole }, ..self.clone() };
        whole.write(&to, &salts.words, &text, None, batch).map(Some)
    }

    /// Puts a text into the batch; another one in its place, where something was taken out of it.
    fn write(
        &self,
        to: &Place<'_>,
        salt: &[u8; 16],
        text: &str,
        instead: Option<&str>,
        batch: &mut Batch,
    ) -> Result<Payload, LedgerError> {
        let mut payload = Payload { bytes: text.len() as u64, kept: self.kept, ..Payload::default() };
        if self.kept == Kept::Nothing {
            return Ok(payload);
        }
        let Place { workspace, call, side, now } = *to;
        let entry = self.entry(now, salt, instead.unwrap_or(text));
        if entry.len() > MAX_KEPT_BYTES {
            return Err(LedgerError::Entry(format!(
                "what is to be kept of the {side} has {} bytes, and the limit is {MAX_KEPT_BYTES}; a retention rule with \
                 `what = \"nothing\"` keeps nothing of it",
                entry.len()
            )));
        }
        payload.hash = Some(Hash::salted(salt, text.as_bytes()));
        payload.stored = Some(Hash::of(entry.as_bytes()));
        for (part, bytes) in (0_u16..).zip(entry.as_bytes().chunks(PART_BYTES)) {
            let key = match part {
                0 => keys::payload(workspace, call, side),
                part => keys::payload_part(workspace, call, side, part),
            };
            batch.insert(key, bytes);
        }
        if let Some(seconds) = self.expires(now).and_then(|at| u64::try_from(at.as_second()).ok()) {
            batch.insert(keys::expiry(seconds, workspace, call, side), Vec::new());
        }
        Ok(payload)
    }

    /// The value without what its schema marks and the operator names, if that is anything, and the places of it.
    fn redacted(&self, what: &ToKeep<'_>, work: &Work) -> Result<(Option<Value>, Vec<String>), LedgerError> {
        let redacted = what.schema.redact_within(what.value, work)?;
        let (mut value, mut places, mut more) = (redacted.value, redacted.places, redacted.more);
        for pointer in &self.hide {
            if pointer.hide(value.to_mut()) && !places.iter().any(|place| place == pointer.as_str()) {
                places.push(pointer.to_string());
            }
        }
        more |= places.len() > MAX_PLACES;
        if more {
            places.truncate(MAX_PLACES - 1);
            places.push("…".to_owned());
        }
        let value = match value {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(value) => Some(value),
        };
        Ok((value, places))
    }

    fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        let hours = i64::from(self.days?) * 24;
        Timestamp::from_second(now.as_second()).ok()?.checked_add(hours.hours()).ok()
    }

    fn entry(&self, now: Timestamp, salt: &[u8; 16], text: &str) -> String {
        let header = Header {
            kept: self.kept,
            salt: salt.iter().map(|byte| format!("{byte:02x}")).collect(),
            expires: self.expires(now),
        };
        let mut entry = serde_json::to_string(&header).unwrap_or_default();
        // The value is written as the text that it is: what is hashed is that text, and not one that says the same.
        entry.pop();
        entry.reserve(text.len() + VALUE.len() + 1);
        entry.push_str(VALUE);
        entry.push_str(text);
        entry.push('}');
        entry
    }
}

const VALUE: &str = r#","value":"#;

/// What stands before the value.
#[derive(Serialize, Deserialize)]
struct Header {
    kept: Kept,
    salt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

/// What stands in place of what was erased.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tombstone {
    pub(crate) erased: Timestamp,
}

/// What is kept of an input or output.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// How much of it.
    pub kept: Kept,
    /// Until when; until it is erased where there is none.
    pub expires: Option<Timestamp>,
    /// The JSON text.
    pub text: String,
    salt: [u8; 16],
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("kept", &self.kept).field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Stored {
    /// Whether a text is the whole input or output that the record is about: `Json::to_string` of it.
    #[must_use]
    pub fn proves(&self, payload: &Payload, text: &str) -> bool {
        payload.hash == Some(Hash::salted(&self.salt, text.as_bytes()))
    }
}

/// What there is of an input or output that a record tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is there, and as it was written.
    Kept(Stored),
    /// Nothing was ever kept of it.
    NeverKept,
    /// It was erased. That a record of the chain tells who did it, and why, is for the caller to see.
    Erased {
        /// When.
        at: Timestamp,
    },
    /// Its time is over. It is not shown, and stays on the disk until `portcullis audit erase --expired`.
    Expired {
        /// Since when.
        at: Timestamp,
    },
    /// It is not as it was written, or not there, and nobody erased it.
    Damaged {
        /// What is wrong.
        what: String,
    },
}

/// Reads what is kept of an input or output, and holds it against what its record says.
pub async fn read(
    store: &dyn Store,
    (workspace, call, side): (&str, CallId, Side),
    payload: &Payload,
    now: Timestamp,
) -> Result<Found, LedgerError> {
    let Some(expected) = payload.stored else { return Ok(Found::NeverKept) };
    let damaged = |what: &str| Ok(Found::Damaged { what: what.to_owned() });
    let Some((bytes, _)) = fetch(store, workspace, call, side).await? else {
        return damaged("it is missing, and nobody erased it");
    };
    if let Some(Tombstone { erased }) = tombstone(&bytes) {
        return Ok(Found::Erased { at: erased });
    }
    if Hash::of(&bytes) != expected {
        return damaged("it is not what the record says was kept");
    }
    let Some(stored) = parse(&bytes).filter(|stored| stored.kept == payload.kept) else {
        return damaged("it cannot be read");
    };
    if stored.kept == Kept::Whole && !stored.proves(payload, &stored.text) {
        return damaged("it is not the text whose hash the record has");
    }
    Ok(match stored.expires {
        Some(at) if at <= now => Found::Expired { at },
        _ => Found::Kept(stored),
    })
}

/// An entry as it stands in the store, its parts put together, and their keys. Of one that is longer than any that was kept,
/// which somebody put there, no more than that is read; and all keys are told, so that all of it can be erased.
pub(crate) async fn fetch(
    store: &dyn Store,
    workspace: &str,
    call: CallId,
    side: Side,
) -> Result<Option<(Vec<u8>, Vec<Vec<u8>>)>, LedgerError> {
    let mut scan = Scan::prefix(keys::payload(workspace, call, side));
    let (mut bytes, mut keys) = (Vec::new(), Vec::new());
    loop {
        let page = store.scan(&scan).await?;
        for (key, value) in page.entries {
            if bytes.len() <= MAX_KEPT_BYTES {
                bytes.extend(value);
            }
            keys.push(key);
        }
        match page.next {
            Some(next) => scan = scan.after(next),
            None => return Ok((!keys.is_empty()).then_some((bytes, keys))),
        }
    }
}

pub(crate) fn tombstone(bytes: &[u8]) -> Option<Tombstone> {
    serde_json::from_slice(bytes).ok()
}

/// None where it is no entry.
pub(crate) fn parse(bytes: &[u8]) -> Option<Stored> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('}')?;
    let (header, text) = text.split_once(VALUE)?;
    let header: Header = serde_json::from_str(&format!("{header}}}")).ok()?;
    let mut salt = [0; 16];
    if header.salt.len() != 2 * salt.len() {
        return None;
    }
    for (byte, digits) in salt.iter_mut().zip(header.salt.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Stored { kept: header.kept, expires: header.expires, text: text.to_owned(), salt })
}
