//! The words of strangers in a call's records, which are kept beside the chain: put back where they are there, and otherwise why
//! they are not.

use portcullis_runtime::{
    CallId, Clock, Record, SystemClock,
    ledger::{FailureWords, Found, FoundWords, Kind, Reader, read_words},
    store::Store,
};
use serde::Serialize;

/// What there is of a call's words, beside its records.
#[derive(Debug, Default, Serialize)]
pub(super) struct Said {
    /// What its adapter said of its failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<FailureWords>,
    /// Why the words are not there, in words that follow "they".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gone: Option<String>,
}

/// Puts the words of a call into its records, as far as they are there.
pub(super) async fn put_back(
    store: &dyn Store,
    reader: &Reader,
    (workspace, call): (&str, CallId),
    records: &mut [Record],
) -> anyhow::Result<Said> {
    // Never by a time before the newest record: a clock that was set back brings nothing back.
    let newest = reader.chain(workspace).await?.map(|chain| chain.time);
    let now = newest.map_or(SystemClock.now(), |newest| newest.max(SystemClock.now()));
    let gone = match read_words(store, (workspace, call), records, now).await? {
        FoundWords::There(words) => {
            words.put_into(records);
            return Ok(Said { failure: words.failure, gone: None });
        }
        FoundWords::Gone(gone) => gone,
    };
    let erasure = records.iter().rfind(|record| record.kind == Kind::Erasure).map(|record| record.seq);
    let why = match (gone, erasure) {
        (Found::Erased { at }, Some(record)) => format!("were erased at {at} (record {record})"),
        (Found::Erased { at }, None) => {
            format!("are damaged: a mark says that they were erased at {at}, and no record does")
        }
        (Found::Expired { at }, _) => format!("were to be kept until {at}"),
        (Found::Damaged { what }, _) => format!("are damaged: {what}"),
        (Found::NeverKept | Found::Kept(_), _) => "were not kept, as the retention policy says".to_owned(),
    };
    Ok(Said { failure: None, gone: Some(why) })
}
