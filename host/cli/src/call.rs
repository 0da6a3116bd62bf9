//! `portcullis call`: one call of an integration that is kept.

use portcullis_runtime::{CredentialProblem, RegistryError, printable};

use crate::{
    arguments::{Arguments, Call},
    exit::{Code, Usage},
    ledger::Kept,
    near::did_you_mean,
    outcome,
    read::{read_ceiling, retention_beside, start_with},
    underway,
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Call) -> anyhow::Result<Code> {
    let ceiling = read_ceiling(wanted.host.ceiling.as_deref())?;
    let call = outcome::call(&wanted.call, &wanted.operation)?;
    let kept = Kept::existing(arguments).await?;
    let ledger = kept.ledger.clone();
    let retention = retention_beside(&kept.settings, wanted.host.retention.as_deref());
    let credentials = kept.credentials(arguments).await;
    let work = async {
        let runtime = start_with(arguments, ledger, ceiling, retention?, credentials?)?;
        let opened = runtime.open(&wanted.workspace, &wanted.integration).await;
        let integration = match opened {
            Err(error @ RegistryError::NoIntegration { .. }) => {
                let names = runtime.integrations(&wanted.workspace).await.map(|all| all.kept).unwrap_or_default();
                let near = did_you_mean(&wanted.integration, names.iter().map(|info| info.name.as_str()));
                return Err(Usage(format!("{error}{near}")).into());
            }
            opened => opened?,
        };
        let meant = outcome::meant(&integration, &wanted.operation);
        Ok((integration.call(call).await, meant))
    };
    // A revoked one is still in its slot, so that `add` would refuse.
    let hint = |problem: &CredentialProblem| {
        let (word, slot) = (problem.helps?.as_str(), printable(&problem.slot, 100));
        Some(format!("; `portcullis credential {word} {} {slot}`", printable(&wanted.integration, 100)))
    };
    underway::carry_out(arguments, kept, &wanted.workspace, &hint, work).await
}
