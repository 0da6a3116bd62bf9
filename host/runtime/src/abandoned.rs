//! What is recorded of a call whose future was dropped before its end.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use portcullis_ledger::{CallId, Caller, Ending, Mode, Receipt, Salts, Status, Subject};
use portcullis_store::Batch;

use crate::{bridge::Bridge, ends::ends, integration::Inner};

/// Records the outcome of a call whose future was dropped before its end.
pub(crate) struct Abandoned {
    inner: Arc<Inner>,
    subject: Option<OwnedSubject>,
    /// What the call had done until then.
    pub(crate) bridge: Option<Arc<Bridge>>,
}

struct OwnedSubject {
    call: CallId,
    operation: String,
    mode: Mode,
    caller: Caller,
    cost: BTreeMap<String, String>,
}

impl Abandoned {
    pub(crate) fn new(inner: &Arc<Inner>, subject: &Subject<'_>) -> Self {
        let subject = OwnedSubject {
            call: subject.call,
            operation: subject.operation.to_owned(),
            mode: subject.mode,
            caller: subject.caller.clone(),
            cost: subject.cost.clone(),
        };
        Self { inner: inner.clone(), subject: Some(subject), bridge: None }
    }

    pub(crate) fn disarm(mut self) {
        self.subject = None;
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let (Some(owned), Ok(tokio)) = (self.subject.take(), tokio::runtime::Handle::try_current()) else { return };
        let inner = self.inner.clone();
        let work = self.bridge.as_ref().map_or(0, |bridge| bridge.outbound.work().used());
        let (tally, denials, refused) = match self.bridge.take() {
            Some(bridge) => {
                let (denials, refused) = bridge.seen(|seen| (std::mem::take(&mut seen.denials), seen.refused));
                (bridge.outbound.take_tally(), denials, refused)
            }
            None => Default::default(),
        };
        tokio.spawn(async move {
            let subject = Subject {
                call: owned.call,
                workspace: &inner.workspace,
                integration: &inner.name,
                integration_version: inner.version.number,
                adapter: inner.adapter.digest(),
                grant: &inner.grant_digest,
                grantor: &inner.version.grantor,
                operation: &owned.operation,
                mode: owned.mode,
                caller: &owned.caller,
                cost: &owned.cost,
            };
            let receipt = Receipt {
                requests: tally.requests(),
                denials: refused,
                retries: tally.retries(),
                bytes_out: tally.bytes_out,
                bytes_in: tally.bytes_in,
                redactions: tally.redactions,
                work,
                ..Receipt::default()
            };
            let ending = Ending {
                status: Status::Abandoned,
                error: Some(Cow::Borrowed("abandoned")),
                exchanges: tally.exchanges,
                bounds: tally.bounds,
                output: None,
                words: None,
                receipt,
            };
            let mut batch = Batch::new();
            let entries = ends(&inner, &subject, &Salts::generate(), &denials, None, ending, &mut batch);
            if let Err(error) = inner.shared.ledger.commit(entries, batch).await {
                tracing::error!(%error, call = %owned.call, "the end of an abandoned call is not recorded");
            }
        });
    }
}
