//! `portcullis call`: one call of an integration that is kept.

use crate::{
    arguments::{Arguments, Call},
    exit::Code,
    ledger::Kept,
    outcome,
    read::{read_ceiling, read_retention, start_with},
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Call) -> anyhow::Result<Code> {
    let ceiling = read_ceiling(wanted.host.ceiling.as_deref())?;
    let retention = read_retention(wanted.host.retention.as_deref())?;
    let call = outcome::call(&wanted.call, &wanted.operation)?;
    let kept = Kept::existing(arguments).await?;
    let credentials = kept.credentials(arguments).await?;
    let runtime = start_with(arguments, kept.ledger.clone(), ceiling, retention, credentials)?;
    let ended = match runtime.open(&wanted.workspace, &wanted.integration).await {
        Ok(integration) => Ok(integration.call(call).await),
        Err(error) => Err(error),
    };
    drop(runtime);
    kept.close().await;
    let hint = format!("; give one with `portcullis credential add {} SLOT`", wanted.integration);
    Ok(outcome::tell(arguments, &ended?, &hint))
}
