//! What the ledger tells of an integration's credentials: the newest change of each slot. The store can be put back to an
//! older state, or a record in it; the chain shows that.
//!
//! It costs one question of the ledger's index, and reading each record of a credential that this integration ever had: all
//! of them, or a slot that is missing would not be missed. These are few: one for each time that a person changed something.
//! It is asked when an integration's credentials are loaded and when one is changed, never for a call.

use std::collections::BTreeMap;

use portcullis_ledger::{Field, Kind as RecordKind, Query};

use super::{CredentialError, Credentials};
use crate::material::Kind;

/// The newest change of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) action: String,
    pub(super) generation: u64,
    pub(super) revision: u64,
    pub(super) kind: Option<Kind>,
}

impl Newest {
    pub(super) fn removed(&self) -> bool {
        self.action == super::What::Removed.as_str()
    }
}

impl Credentials {
    /// By slot.
    pub(super) async fn newest(
        &self,
        workspace: &str,
        integration: &str,
    ) -> Result<BTreeMap<String, Newest>, CredentialError> {
        let reader = self.inner.ledger.reader();
        let mut query = Query::new(workspace)
            .field(Field::Kind, RecordKind::Credential.as_str())
            .field(Field::Integration, integration)
            .limit(1_000);
        let mut newest = BTreeMap::new();
        loop {
            let page = reader.query(&query).await?;
            for (_, record) in page.records {
                let Some(change) = record.change else { continue };
                let number = |name: &str| change.details.get(name)?.parse::<u64>().ok();
                let (Some(generation), Some(revision)) = (number("generation"), number("revision")) else { continue };
                let kind =
                    change.details.get("kind").and_then(|kind| Kind::ALL.into_iter().find(|k| k.as_str() == kind));
                // The newest comes first.
                newest.entry(change.of).or_insert(Newest { action: change.action, generation, revision, kind });
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(newest),
            }
        }
    }
}
