//! `portcullis integration`: the integrations that are kept in the data folder.

use std::collections::BTreeSet;

use portcullis_runtime::{CredentialInfo, Integration, IntegrationInfo, RegistryError, Runtime};
use serde_json::json;

use crate::{
    arguments::{Arguments, HostFiles, IntegrationAdd, IntegrationCommand},
    credential,
    exit::{self, Code, DONE, Usage},
    explain,
    interrupt::or_given_up,
    ledger::Kept,
    look,
    near::did_you_mean,
    progress::Spinner,
    read::{read_ceiling, read_grant, read_json, retention_beside, start_with},
    who,
};

pub(crate) async fn run(arguments: &Arguments, command: &IntegrationCommand) -> anyhow::Result<Code> {
    match command {
        IntegrationCommand::Add(wanted) => add(arguments, wanted).await,
        IntegrationCommand::List { workspace } => list(arguments, workspace).await,
        IntegrationCommand::Show { name, workspace, host } => show(arguments, [workspace, name], host).await,
    }
}

/// A runtime on the store of the data folder.
async fn start(arguments: &Arguments, kept: &Kept, host: &HostFiles) -> anyhow::Result<Runtime> {
    let ceiling = read_ceiling(host.ceiling.as_deref())?;
    let retention = retention_beside(&kept.settings, host.retention.as_deref())?;
    let credentials = kept.credentials(arguments).await?;
    start_with(arguments, kept.ledger.clone(), ceiling, retention, credentials)
}

async fn add(arguments: &Arguments, wanted: &IntegrationAdd) -> anyhow::Result<Code> {
    let grant = read_grant(&wanted.grant)?;
    let config = read_json("config", &wanted.config)?;
    let by = who::caller(wanted.principal.as_deref())?;
    let kept = Kept::existing(arguments).await?;
    let runtime = start(arguments, &kept, &wanted.host).await?;
    let spinner = Spinner::start("asking the adapter what it needs");
    let made = or_given_up(async {
        let of = [wanted.workspace.as_str(), wanted.name.as_str()];
        let rebind = &wanted.rebind;
        match runtime.keep_integration_and_rebind(of, &wanted.adapter, config, grant, rebind, &by).await {
            Err(error @ RegistryError::NoAdapter(_)) => {
                let names = runtime.adapters().await.map(|all| all.kept).unwrap_or_default();
                let near = did_you_mean(&wanted.adapter, names.iter().map(|info| info.name.as_str()));
                Err(Usage(format!("{error}{near}")).into())
            }
            made => Ok(made?),
        }
    })
    .await;
    drop(spinner);
    let told = match &made {
        Ok(integration) => Some(credentials(&runtime, integration).await?),
        Err(_) => None,
    };
    drop(runtime);
    let told = told.unwrap_or_default();
    let integration = match made {
        Ok(integration) => integration,
        Err(error) => {
            kept.close().await;
            return Err(error);
        }
    };
    let (name, version) = (integration.name().to_owned(), integration.version());
    let rebound: Vec<(String, BTreeSet<String>)> = told
        .iter()
        .filter(|known| wanted.rebind.contains(&known.id.slot))
        .map(|known| (known.id.slot.clone(), integration.origins_of(&known.id.slot)))
        .collect();
    let needs: Vec<(String, String)> = integration
        .granted_slots()
        .into_iter()
        .filter(|slot| !told.iter().any(|known| known.id.slot == slot.name))
        .map(|slot| (slot.name.clone(), look::paragraph(&slot.description)))
        .collect();
    drop(integration);
    kept.close().await;
    if arguments.json {
        let missing: Vec<&String> = needs.iter().map(|(slot, _)| slot).collect();
        look::print_json(
            &json!({ "name": name, "version": version, "credentials_missing": missing, "rebound": rebound }),
        );
        return Ok(DONE);
    }
    anstream::println!("The integration `{name}` is kept, version {version}.");
    for (slot, origins) in &rebound {
        let told = format!("The credential in its slot `{slot}` is bound anew. {}.", credential::goes_to(origins));
        anstream::println!("{}", look::wrapped(&told, 0));
    }
    if !needs.is_empty() {
        anstream::println!("\nIt needs:");
        for (slot, about) in &needs {
            anstream::println!("  portcullis credential add {name} {slot}    {about}");
        }
    }
    Ok(DONE)
}

async fn credentials(runtime: &Runtime, integration: &Integration) -> anyhow::Result<Vec<CredentialInfo>> {
    match runtime.credentials() {
        Some(credentials) => Ok(credentials.list(integration.workspace(), Some(integration.name())).await?.credentials),
        None => Ok(Vec::new()),
    }
}

async fn list(arguments: &Arguments, workspace: &str) -> anyhow::Result<Code> {
    let kept = Kept::open(arguments).await?;
    let credentials = kept.credentials(arguments).await?;
    let runtime = start_with(arguments, kept.ledger.clone(), Default::default(), Default::default(), credentials)?;
    let all = async { anyhow::Ok((runtime.integrations(workspace).await?, runtime.adapters().await?)) }.await;
    drop(runtime);
    kept.close().await;
    let (listed, adapters) = all?;
    let (all, adapters) = (listed.kept, adapters.kept);
    let refused = exit::refused(&listed.refused, arguments.json);
    if arguments.json {
        look::print_json(&json!({ "integrations": all, "refused": refused }));
    } else if all.is_empty() {
        anstream::println!("No integration is kept yet; `portcullis integration add` makes one.");
    } else {
        let row = |info: &IntegrationInfo| {
            let known = adapters.iter().find(|adapter| adapter.digest == info.adapter);
            let adapter = known.map_or_else(|| "(not kept)".to_owned(), |known| known.name.clone());
            let digest = info.adapter.get(..19).unwrap_or(&info.adapter).to_owned();
            vec![
                info.name.clone(),
                adapter,
                digest,
                info.version.to_string(),
                info.grantor.clone(),
                info.grant.operations.join(", "),
            ]
        };
        let columns = ["integration", "adapter", "digest", "version", "granted by", "operations"];
        anstream::println!("{}", look::table(&columns, all.iter().map(row)));
    }
    Ok(if refused.is_empty() { DONE } else { exit::DAMAGED })
}

async fn show(arguments: &Arguments, [workspace, name]: [&str; 2], host: &HostFiles) -> anyhow::Result<Code> {
    let kept = Kept::existing(arguments).await?;
    let runtime = start(arguments, &kept, host).await?;
    let looked = async {
        let info = runtime.integration_info(workspace, name).await?;
        let integration = runtime.open(workspace, name).await?;
        let credentials = credentials(&runtime, &integration).await?;
        anyhow::Ok((info, integration.explain()?, credentials))
    };
    let looked = looked.await;
    drop(runtime);
    kept.close().await;
    let (info, explained, credentials) = looked?;
    if arguments.json {
        look::print_json(&json!({ "integration": info, "explanation": explained, "credentials": credentials }));
        return Ok(DONE);
    }
    let facts = [
        ("integration".to_owned(), format!("{}/{}", info.workspace, info.name)),
        ("version".to_owned(), info.version.to_string()),
        ("adapter".to_owned(), info.adapter.clone()),
        ("granted by".to_owned(), info.grantor.clone()),
        ("config".to_owned(), info.config.to_string()),
    ];
    anstream::println!("{}", look::pairs(&facts));
    anstream::print!("{}", explain::text(&explained));
    anstream::println!("{}\n{}", look::heading("Credentials"), credential::table(&credentials));
    Ok(DONE)
}
