//! What a platform may want to tell somebody, as it happens. The ledger has the whole story; this is for notifiers.

use portcullis_vault::{CredentialEvent, Vaults};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};

/// Events that wait for a receiver that does not keep up.
const HELD: usize = 1_024;

/// Something happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// To a credential: it changed, is about to expire, was refused, or needs a person.
    Credential(CredentialEvent),
}

/// The bus, with what the credentials say on it.
pub(crate) fn bus(vaults: Option<&Vaults>) -> broadcast::Sender<Event> {
    let (sender, _) = broadcast::channel(HELD);
    if let (Some(vaults), Ok(tokio)) = (vaults, tokio::runtime::Handle::try_current()) {
        let (mut from, to) = (vaults.events(), sender.clone());
        tokio.spawn(async move {
            loop {
                match from.recv().await {
                    // Nobody may be listening.
                    Ok(event) => drop(to.send(Event::Credential(event))),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }
    sender
}
