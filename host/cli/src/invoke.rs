//! `portcullis invoke`: one call under a grant.

use std::sync::Arc;

use anyhow::Context;
use portcullis_runtime::{Descriptor, MemoryVault, NewIntegration, Secret, Source};

use crate::{
    arguments::{Arguments, Invoke},
    exit::{Code, Usage},
    ledger::Kept,
    near::did_you_mean,
    outcome,
    read::{integration_name, load, read_ceiling, read_grant, read_json, retention_beside, start_with},
    underway, who,
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Invoke) -> anyhow::Result<Code> {
    let grant = read_grant(&wanted.grant)?;
    let ceiling = read_ceiling(wanted.host.ceiling.as_deref())?;
    let config = read_json("config", &wanted.config)?;
    let call = outcome::call(&wanted.call, &wanted.operation)?;
    let credentials = read_credentials(wanted)?;
    let caller = who::caller(wanted.call.principal.as_deref())?;

    let kept = Kept::open(arguments).await?;
    let ledger = kept.ledger.clone();
    let retention = retention_beside(&kept.settings, wanted.host.retention.as_deref());
    let keys = kept.credentials(arguments).await;
    let work = async {
        let runtime = start_with(arguments, ledger, ceiling, retention?, keys?)?;
        let adapter = load(&runtime, &wanted.adapter).await?;
        let vault = Arc::new(MemoryVault::new());
        let name = integration_name(wanted.integration.as_ref(), &wanted.adapter);
        let new = NewIntegration::new("local", name, adapter, grant).config(config).vault(vault.clone());
        let integration = runtime.integrate(new.granted_by(caller)).await?;
        fill(&vault, credentials, integration.descriptor())?;
        let meant = outcome::meant(&integration, &wanted.operation);
        Ok((integration.call(call).await, meant))
    };
    let hint = |problem: &portcullis_runtime::CredentialProblem| {
        let slot = portcullis_runtime::printable(&problem.slot, 100);
        problem.helps.map(|_| format!("; give one with --credential {slot}=env:NAME or {slot}=file:PATH"))
    };
    underway::carry_out(arguments, kept, "local", &hint, work).await
}

/// Reads the secrets. What was written is never repeated: it may be a secret that should not be there.
fn read_credentials(wanted: &Invoke) -> anyhow::Result<Vec<(String, Secret)>> {
    let mut credentials: Vec<(String, Secret)> = Vec::new();
    for text in &wanted.credentials {
        let how = "write SLOT=env:NAME, SLOT=file:PATH, or SLOT=- for standard input; a secret itself does not belong on a \
                   command line";
        let (slot, source) = text.split_once('=').ok_or_else(|| Usage(format!("--credential: {how}")))?;
        let source: Source = source.parse().map_err(|_| Usage(format!("--credential for the slot `{slot}`: {how}")))?;
        if wanted.call.input == "-" && source == Source::Stdin {
            return Err(Usage("input and a credential cannot both come from standard input".to_owned()).into());
        }
        if credentials.iter().any(|(known, _)| known == slot) {
            return Err(Usage(format!("--credential: the slot `{slot}` is given twice")).into());
        }
        credentials.push((slot.to_owned(), source.read().with_context(|| format!("the credential `{slot}`"))?));
    }
    Ok(credentials)
}

/// Puts the secrets into the vault, each in a slot that the adapter declares.
fn fill(vault: &MemoryVault, credentials: Vec<(String, Secret)>, descriptor: &Descriptor) -> anyhow::Result<()> {
    for (slot, secret) in credentials {
        if descriptor.slot(&slot).is_none() {
            let slots: Vec<&str> = descriptor.slots.iter().map(|slot| slot.name.as_str()).collect();
            let near = did_you_mean(&slot, slots.iter().copied());
            let slots = if slots.is_empty() { "none".to_owned() } else { slots.join(", ") };
            return Err(
                Usage(format!("--credential: the adapter has no slot `{slot}`{near}; its slots: {slots}")).into()
            );
        }
        vault.put(slot, secret);
    }
    Ok(())
}
