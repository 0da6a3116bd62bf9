//! The vaults of a host: one for each integration that is open. They hear of each change before it is acknowledged to be in
//! effect, and tell what becomes known of their credentials.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use portcullis_ledger::Caller;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    Vault,
    credentials::{CredentialChange, CredentialError, CredentialId, Credentials, What},
    live::{CredentialEvent, Happened, IntegrationVault},
};

/// Events that wait for a receiver that does not keep up.
const HELD: usize = 1_024;
/// How often it is looked whether something is about to expire.
const LOOK: Duration = Duration::from_secs(60);

/// The vaults of a host. Cheap to clone.
#[derive(Clone)]
pub struct Vaults {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) credentials: Credentials,
    events: broadcast::Sender<CredentialEvent>,
    open: Mutex<HashMap<(String, String), Weak<IntegrationVault>>>,
}

impl Vaults {
    /// Of these credentials. Must be called within tokio: a task of its own hears of changes, for as long as these last.
    pub fn new(credentials: Credentials) -> Self {
        let mut changes = credentials.changes();
        let shared = Arc::new(Shared { credentials, events: broadcast::channel(HELD).0, open: Mutex::default() });
        let weak = Arc::downgrade(&shared);
        tokio::spawn(async move {
            let mut look = tokio::time::interval(LOOK);
            look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    change = changes.recv() => {
                        let Some(shared) = weak.upgrade() else { return };
                        match change {
                            Ok(change) => shared.changed(&change).await,
                            Err(RecvError::Lagged(_)) => shared.look_again().await,
                            Err(RecvError::Closed) => return,
                        }
                    }
                    _ = look.tick() => {
                        let Some(shared) = weak.upgrade() else { return };
                        for vault in shared.open() {
                            vault.tell_what_expires();
                        }
                    }
                }
            }
        });
        Self { shared }
    }

    /// The credentials, for those who run the host.
    pub fn credentials(&self) -> &Credentials {
        &self.shared.credentials
    }

    /// What becomes known of credentials from now on. Who does not keep up loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<CredentialEvent> {
        self.shared.events.subscribe()
    }

    /// The vault of an integration: the same one for all who have it open. Reads what is stored, and decrypts nothing.
    pub async fn vault(&self, workspace: &str, integration: &str) -> Result<Arc<IntegrationVault>, CredentialError> {
        let key = (workspace.to_owned(), integration.to_owned());
        if let Some(open) = self.shared.find(&key) {
            return Ok(open);
        }
        let vault = IntegrationVault::load(self.shared.clone(), workspace, integration).await?;
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have opened it meanwhile.
        if let Some(known) = open.get(&key).and_then(Weak::upgrade) {
            return Ok(known);
        }
        open.retain(|_, vault| vault.strong_count() > 0);
        open.insert(key, Arc::downgrade(&vault));
        Ok(vault)
    }

    /// Ends a credential, here and, where it has got tokens and the server takes them back (RFC 7009), there: that is tried
    /// once it has no effect here any more, and how it went undoes nothing.
    pub async fn revoke(&self, id: &CredentialId, by: &Caller, reason: &str) -> Result<(), CredentialError> {
        let open = self.shared.find(&(id.workspace.clone(), id.integration.clone()));
        let at_server = match &open {
            Some(vault) => vault.revocation(&id.slot).await,
            None => None,
        };
        self.shared.credentials.revoke(id, by, reason).await?;
        if let Some(vault) = open {
            vault.refresh().await;
        }
        if let Some(at_server) = at_server {
            at_server.await;
        }
        Ok(())
    }
}

impl Shared {
    fn find(&self, key: &(String, String)) -> Option<Arc<IntegrationVault>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Weak::upgrade)
    }

    fn open(&self) -> Vec<Arc<IntegrationVault>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn tell(&self, id: CredentialId, generation: u64, what: Happened) {
        let time = self.credentials.now();
        // Nobody may be listening.
        drop(self.events.send(CredentialEvent { id, generation, time, what }));
    }

    async fn changed(&self, change: &CredentialChange) {
        let key = (change.id.workspace.clone(), change.id.integration.clone());
        if let Some(vault) = self.find(&key) {
            vault.refresh().await;
        }
        let what = match change.what {
            What::Added => Happened::Added,
            What::Rotated { .. } => Happened::Rotated,
            What::Revoked => Happened::Revoked,
            What::Removed => Happened::Removed,
            // Told with its reason by whoever found out.
            What::NeedsReconnect | What::Bound => return,
            What::Reconnected => Happened::Reconnected,
        };
        self.tell(change.id.clone(), change.generation, what);
    }

    async fn look_again(&self) {
        for vault in self.open() {
            vault.refresh_all().await;
        }
    }
}

impl fmt::Debug for Vaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vaults").field("credentials", &self.shared.credentials).finish_non_exhaustive()
    }
}
