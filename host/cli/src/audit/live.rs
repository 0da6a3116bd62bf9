//! The part of `portcullis audit verify` that compares what authorises in the store with what the ledger tells of it.
//!
//! The ledger may hold, to its last byte, and a grant beside it be another than it tells of. Only with all chains can that be
//! said, so it is left out where one workspace alone is verified.

use portcullis_runtime::{LiveWrong, Recorded, store::Store};
use serde_json::Value;

use crate::exit;

/// Notes what is verified, and compares in the end.
#[derive(Default)]
pub(super) struct Live(Recorded);

impl Live {
    pub(super) fn note(&mut self, workspace: &str, record: &[u8]) {
        self.0.note(workspace, record);
    }

    pub(super) async fn compare(&self, store: &dyn Store, all: bool) -> anyhow::Result<Vec<LiveWrong>> {
        Ok(if all { self.0.compare(store).await? } else { Vec::new() })
    }
}

pub(super) fn as_json(wrong: &[LiveWrong]) -> Value {
    serde_json::json!(wrong)
}

/// Tells what differs, each by its name.
pub(super) fn tell(wrong: &[LiveWrong]) {
    for wrong in wrong {
        exit::tell("differs", &wrong.to_string(), None);
    }
}
