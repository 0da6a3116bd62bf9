//! The words of strangers in a call's records: what an adapter or an upstream wrote into refusals and failures.
//!
//! A denied URL, a slot's name that nobody declared, a failure's code and message are text that a guest chooses, and it may choose
//! the name of a person. A chain cannot be edited; so it holds rules, templates, numbers and hashes, and these words stand beside
//! it, like an input: with a salt, for as long as the policy says, and erased together with the call's input and output. The
//! outcome of a call has the hash of all of its words.
//!
//! Records that were written before this have the words in them, and are read as they are.

use jiff::Timestamp;
use portcullis_gate::DenialWords;
use portcullis_store::Store;
use serde::{Deserialize, Serialize};

use crate::{
    error::LedgerError,
    payload::{Found, read},
    policy::Side,
    record::{CallId, Payload, Record},
};

/// The error's code in the chain where a call ended with a failure that the adapter reported: its own code is among the words.
pub const FAILURE: &str = "adapter-failure";

/// The words of strangers in a call's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Those of its refusals, in the order of their records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<DenialWords>,
    /// Those of the failure that its adapter reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureWords>,
}

/// What an adapter says of its failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureWords {
    /// Its code.
    pub code: String,
    /// Its message, for people.
    pub message: String,
}

impl Words {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.denials.is_empty() && self.failure.is_none()
    }

    /// Puts the words of refusals back into a call's records.
    pub fn put_into(&self, records: &mut [Record]) {
        let denials = records.iter_mut().filter_map(|record| record.denial.as_mut());
        for (denial, words) in denials.zip(&self.denials) {
            *denial = denial.clone().with_words(words.clone());
        }
    }
}

/// What there is of the words of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundWords {
    /// These; empty ones where nothing was said, or where the records have them in themselves.
    There(Words),
    /// They are not there, and that is why: erased, expired, never kept, or damaged.
    Gone(Found),
}

/// Reads the words of a call, of which these are the records.
pub async fn read_words(
    store: &dyn Store,
    (workspace, call): (&str, CallId),
    records: &[Record],
    now: Timestamp,
) -> Result<FoundWords, LedgerError> {
    let named: Option<&Payload> = records.iter().find_map(|record| record.outside_words.as_ref());
    let Some(payload) = named else { return Ok(FoundWords::There(Words::default())) };
    Ok(match read(store, (workspace, call, Side::Words), payload, now).await? {
        Found::Kept(stored) => match serde_json::from_str(&stored.text) {
            Ok(words) => FoundWords::There(words),
            Err(error) => FoundWords::Gone(Found::Damaged { what: format!("they cannot be read: {error}") }),
        },
        gone => FoundWords::Gone(gone),
    })
}
