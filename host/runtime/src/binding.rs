//! What a credential was given for: the origins that the integration's grant let its slot go to when it was stored. It stands in
//! the credential's own record, bound by its seal, so a version that sends it elsewhere does not take it along: an operator says
//! so, with the change or afterwards.
//!
//! A credential of which nobody said it, such as one that is older than this rule, is bound when its integration is next opened
//! from the store, to what the version that is kept sends it to.

use std::collections::BTreeSet;

use portcullis_gate::Grant;
use portcullis_ledger::Caller;
use portcullis_vault::{CredentialError, CredentialId, CredentialInfo, Credentials, HostState, State};

use crate::{error::IntegrateError, registry::RegistryError, runtime::Runtime, version};

/// Refuses a version that would send a credential where it was not given for, unless its slot is named. One of which nobody said
/// what it was given for was given for the version that is kept.
pub(crate) async fn check(
    credentials: &Credentials,
    state: &HostState,
    [workspace, name]: [&str; 2],
    grant: &Grant,
    rebind: &[String],
) -> Result<(), IntegrateError> {
    // A record that is refused is no version of anybody's.
    let kept = state.get(&version::key(workspace, name)).await.ok().flatten();
    let kept = kept.and_then(|bytes| version::read(workspace, name, &bytes).ok());
    for info in stored(credentials, [workspace, name]).await? {
        let slot = &info.id.slot;
        let bound = info.origins.or_else(|| Some(kept.as_ref()?.grant.origins_of(slot)));
        let Some(bound) = bound.filter(|_| !rebind.contains(slot)) else { continue };
        if let Some(origin) = grant.origins_of(slot).into_iter().find(|origin| !bound.contains(origin)) {
            let bound = bound.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let bound = if bound.is_empty() { "none".to_owned() } else { bound };
            return Err(IntegrateError::NotBound { slot: slot.clone(), origin, bound });
        }
    }
    Ok(())
}

/// Binds those whose slots are named, and those that are bound to nothing yet.
pub(crate) async fn bind(
    credentials: &Credentials,
    [workspace, name]: [&str; 2],
    grant: &Grant,
    rebind: &[String],
    by: &Caller,
) -> Result<(), CredentialError> {
    let host = Caller::principal("host");
    for info in stored(credentials, [workspace, name]).await? {
        let named = rebind.contains(&info.id.slot);
        if !named && info.origins.is_some() {
            continue;
        }
        let by = if named { by } else { &host };
        match credentials.bind(&info.id, &grant.origins_of(&info.id.slot), by).await {
            Ok(()) => {}
            // It was not named: what is wrong with it is told when it is used.
            Err(error) if !named => tracing::warn!(%error, slot = info.id.slot, "a credential is not bound yet"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Those that are there and can be used.
async fn stored(
    credentials: &Credentials,
    [workspace, name]: [&str; 2],
) -> Result<Vec<CredentialInfo>, CredentialError> {
    let mut all = credentials.list(workspace, Some(name)).await?.credentials;
    all.retain(|info| info.state != State::Revoked);
    Ok(all)
}

impl Runtime {
    /// Lets the credential in a slot of an integration that is kept go to all origins that the kept version sends it to. Gives
    /// these back.
    pub async fn rebind(&self, id: &CredentialId, by: &Caller) -> Result<BTreeSet<String>, RegistryError> {
        let kept = self.integration_info(&id.workspace, &id.integration).await?;
        let credentials = self.credentials().ok_or(RegistryError::NoMasterKey)?;
        let origins = kept.grant.origins_of(&id.slot);
        credentials.bind(id, &origins, by).await.map_err(IntegrateError::from)?;
        Ok(origins)
    }
}
