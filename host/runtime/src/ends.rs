//! The last records of a call, and the words of strangers in them, which are kept beside the chain.

use portcullis_gate::{Denial, Work};
use portcullis_ledger::{Ending, Entry, FailureWords, LedgerError, Mode, Payload, Salts, Side, Subject, Words};
use portcullis_schema::Json;
use portcullis_store::Batch;
use portcullis_vault::Scrubber;

use crate::{checks::without_secrets, error::CallError, integration::Inner};

/// Units of work for searching the words in a call's last records, whose own budget may be spent by then.
const WORDS_WORK: u64 = 2_000_000;

/// What a call was refused, and how it ended. The words of strangers go into the batch that has to be committed with it.
pub(crate) fn ends(
    inner: &Inner,
    subject: &Subject<'_>,
    salts: &Salts,
    denials: &[Denial],
    failure: Option<FailureWords>,
    mut ending: Ending,
    batch: &mut Batch,
) -> Vec<Entry> {
    let (denials, words): (Vec<Denial>, Vec<_>) = denials.iter().cloned().map(Denial::split).unzip();
    ending.words = match keep(inner, subject, salts, Words { denials: words, failure }, batch) {
        Ok(kept) => kept,
        Err(error) => {
            tracing::error!(%error, call = %subject.call, "what was said in a call is not kept");
            None
        }
    };
    let denials = denials.into_iter().map(|denial| Entry::denial(subject, denial));
    denials.chain([Entry::outcome(subject, ending)]).collect()
}

/// What an adapter says of its failure; none where the host says it.
pub(crate) fn said(error: &CallError) -> Option<FailureWords> {
    match error {
        CallError::Adapter { code, message, .. } => Some(FailureWords { code: code.clone(), message: message.clone() }),
        _ => None,
    }
}

fn keep(
    inner: &Inner,
    subject: &Subject<'_>,
    salts: &Salts,
    words: Words,
    batch: &mut Batch,
) -> Result<Option<Payload>, LedgerError> {
    if words.is_empty() {
        return Ok(None);
    }
    let words = match subject.mode {
        Mode::Live => scrubbed(&inner.vault.scrubber(), &words).unwrap_or(words),
        Mode::Sandbox => words,
    };
    let retention = inner.retention.get(subject.operation).cloned().unwrap_or_default();
    let now = inner.shared.ledger.clock().now();
    retention.side(Side::Words).keep_words((subject.workspace, subject.call), &words, salts, now, batch)
}

/// The same words without the secrets that somebody wrote into them; none where there are none.
fn scrubbed(scrubber: &Scrubber, words: &Words) -> Option<Words> {
    let value: Json = serde_json::to_value(words).ok()?.into();
    // What cannot be searched, or cannot be read any more, is not kept at all.
    match without_secrets(scrubber, &value, &Work::new(WORDS_WORK)) {
        Ok(scrubbed) => Some(serde_json::from_str(&scrubbed?.to_string()).unwrap_or_default()),
        Err(_) => Some(Words::default()),
    }
}
