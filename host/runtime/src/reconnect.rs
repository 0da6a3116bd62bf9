//! Getting a token anew: by a person who agrees, in a browser, or by asking the authorization server.

use portcullis_ledger::Caller;
use portcullis_vault::{IntegrationVault, VaultError};
use std::sync::Arc;

use crate::integration::Integration;

impl Integration {
    /// The vault that the runtime's credentials have for it.
    async fn kept_vault(&self) -> Result<Arc<IntegrationVault>, VaultError> {
        let Some(vaults) = &self.inner.shared.vaults else {
            return Err(VaultError::Empty("this runtime keeps no credentials".to_owned()));
        };
        let vault = vaults.vault(self.workspace(), self.name()).await;
        vault.map_err(|error| VaultError::Damaged { slot: self.name().to_owned(), why: error.to_string() })
    }

    /// Begins to ask a person, for a slot with a credential of kind `oauth-authorization-code`: the address to open in a
    /// browser. It is good for ten minutes, and once.
    pub async fn authorize(&self, slot: &str, redirect_uri: &str) -> Result<String, VaultError> {
        self.kept_vault().await?.authorize(slot, redirect_uri).await
    }

    /// Goes on with the address that the authorization server sent the browser back to: gets the token, and keeps it.
    pub async fn authorized(&self, slot: &str, callback: &str, by: &Caller) -> Result<(), VaultError> {
        self.kept_vault().await?.authorized(slot, callback, by).await
    }

    /// Forgets the token of a slot and asks for another one, where no person is needed for that.
    pub async fn reconnect(&self, slot: &str, by: &Caller) -> Result<(), VaultError> {
        self.kept_vault().await?.reconnect(slot, by).await
    }
}
