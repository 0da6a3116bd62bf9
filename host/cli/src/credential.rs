//! `portcullis credential`: what operators do with credentials. Secrets come from files, variables, standard input or a prompt,
//! never from arguments, and are never shown again.

mod given;
mod reconnect;
mod rewrap;

use std::collections::BTreeSet;

use portcullis_runtime::{Caller, CredentialId, CredentialInfo, NewOptions, Overlap, printable, weak_secrets};
use serde_json::json;

use crate::{
    arguments::{Arguments, CredentialCommand, CredentialGiven, CredentialNamed},
    audit::when,
    exit::{Code, DONE, Usage},
    interrupt::or_given_up,
    ledger::Kept,
    look,
    near::did_you_mean,
    read::start_with,
    who,
};

pub(crate) async fn run(arguments: &Arguments, command: &CredentialCommand) -> anyhow::Result<Code> {
    match command {
        CredentialCommand::Add(wanted) => give(arguments, wanted, None).await,
        CredentialCommand::Rotate { given, overlap } => {
            let overlap = match overlap {
                None => Overlap::AtOnce,
                Some(text) => Overlap::For(when::duration("--overlap", text)?),
            };
            give(arguments, given, Some(overlap)).await
        }
        CredentialCommand::Revoke { named, reason } => {
            let by = by(named)?;
            let kept = Kept::existing(arguments).await?;
            let done = or_given_up(revoke(arguments, &kept, named, &by, reason)).await;
            kept.close().await;
            done?;
            told(arguments, named, "revoked", "From now on no request goes out with it.")
        }
        CredentialCommand::Remove { named } => {
            let by = by(named)?;
            let kept = Kept::existing(arguments).await?;
            let done = kept.credentials_without_key().remove(&id(named), &by).await;
            kept.close().await;
            done?;
            told(arguments, named, "removed", "Its secrets are gone.")
        }
        CredentialCommand::Rebind { named } => rebind(arguments, named).await,
        CredentialCommand::List { integration, workspace } => list(arguments, workspace, integration.as_deref()).await,
        CredentialCommand::Reconnect(wanted) => reconnect::run(arguments, wanted).await,
        CredentialCommand::Kinds { kind } => given::kinds(arguments, kind.as_deref()),
        CredentialCommand::Rewrap { to } => rewrap::run(arguments, to).await,
    }
}

fn id(named: &CredentialNamed) -> CredentialId {
    CredentialId::new(&named.workspace, &named.integration, &named.slot)
}

fn by(named: &CredentialNamed) -> Result<Caller, Usage> {
    who::caller(named.principal.as_deref())
}

fn told(arguments: &Arguments, named: &CredentialNamed, what: &str, more: &str) -> anyhow::Result<Code> {
    if arguments.json {
        look::print_json(&json!({ "credential": id(named), "action": what }));
    } else {
        let (integration, slot) = (printable(&named.integration, 100), printable(&named.slot, 100));
        let told = format!("The credential of {integration}, slot {slot}, is {what}. {more}");
        anstream::println!("{}", look::wrapped(&told, 0));
    }
    Ok(DONE)
}

/// Ends one. Where it gets tokens, its authorization server is told as well; that this cannot be done stops nothing.
async fn revoke(
    arguments: &Arguments,
    kept: &Kept,
    named: &CredentialNamed,
    by: &Caller,
    reason: &str,
) -> anyhow::Result<()> {
    let without_key = kept.credentials_without_key();
    let listing = without_key.list(&named.workspace, Some(&named.integration)).await?;
    let gets_tokens = listing.credentials.iter().any(|info| info.id == id(named) && info.kind.gets_tokens());
    if gets_tokens {
        let with_server = async {
            let credentials = kept.credentials(arguments).await?;
            let (ceiling, retention) = Default::default();
            let runtime = start_with(arguments, kept.ledger.clone(), ceiling, retention, credentials)?;
            // Held until it is done: through it the server is asked.
            let _integration = runtime.open(&named.workspace, &named.integration).await?;
            anyhow::Ok(runtime.revoke(&id(named), by, reason).await?)
        };
        match with_server.await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::warn!("it is revoked here alone: {error:#}"),
        }
    }
    Ok(without_key.revoke(&id(named), by, reason).await?)
}

/// Adds one, or puts another one in its place.
async fn give(arguments: &Arguments, wanted: &CredentialGiven, rotate: Option<Overlap>) -> anyhow::Result<Code> {
    let expires = wanted.expires.as_deref().map(|text| when::time("--expires", text)).transpose()?;
    let by = by(&wanted.named)?;
    let kept = Kept::existing(arguments).await?;
    let given = or_given_up(async {
        let credentials = kept.credentials(arguments).await?;
        let runtime =
            start_with(arguments, kept.ledger.clone(), Default::default(), Default::default(), credentials.clone())?;
        // What the slot takes is the adapter's to say.
        let integration = runtime.open(&wanted.named.workspace, &wanted.named.integration).await?;
        let slot = integration.descriptor().slot(&wanted.named.slot).cloned().ok_or_else(|| {
            let slots: Vec<&str> = integration.descriptor().slots.iter().map(|slot| slot.name.as_str()).collect();
            let near = did_you_mean(&wanted.named.slot, slots.iter().copied());
            let slots = if slots.is_empty() { "none".to_owned() } else { slots.join(", ") };
            let slot = printable(&wanted.named.slot, 100);
            Usage(format!("its adapter has no slot `{slot}`{near}; its slots: {slots}"))
        })?;
        // Whoever is asked for a secret may take their time, and may think better of it.
        let (asked, of) = (wanted.clone(), slot.clone());
        let given = tokio::task::spawn_blocking(move || given::read(&asked, &of)).await??;
        let checked = portcullis_runtime::check_credential(&given, &slot).map_err(|error| Usage(error.to_string()))?;
        let id = id(&wanted.named);
        let mut options = NewOptions::by(&by).origins(integration.origins_of(&id.slot));
        if let Some(expires) = expires.or(checked) {
            options = options.expires(expires);
        }
        let kind = given.kind;
        let weak: Vec<String> = weak_secrets(&given).into_iter().map(str::to_owned).collect();
        let generation = match rotate {
            None => credentials.add(&id, given, options).await?,
            Some(overlap) => credentials.rotate(&id, given, overlap, options).await?,
        };
        Ok((generation, kind, weak, integration.origins_of(&id.slot)))
    });
    let given = given.await;
    kept.close().await;
    let (generation, kind, weak, origins) = given?;
    if arguments.json {
        look::print_json(
            &json!({ "credential": id(&wanted.named), "kind": kind, "generation": generation, "weak": weak }),
        );
        return Ok(DONE);
    }
    let done = if rotate.is_some() { "rotated" } else { "stored" };
    let (integration, slot, of) = (&wanted.named.integration, &wanted.named.slot, kind.as_str());
    let told = format!("The credential of {integration}, slot {slot}, is {done}: {of}, generation {generation}.");
    // One that is rotated stays bound as it was.
    let told = if rotate.is_none() { format!("{told} {}.", goes_to(&origins)) } else { told };
    anstream::println!("{}", look::wrapped(&told, 0));
    for name in &weak {
        anstream::eprintln!(
            "Warning: `{name}` is weak: it can be guessed by trying. An upstream's answers\n\
             are searched for it, and a request of the adapter's that holds it as a word\n\
             ends its call, be that by chance. Give a longer one if the provider has any."
        );
    }
    if kind == portcullis_runtime::CredentialKind::OauthAuthorizationCode {
        anstream::println!(
            "A person has to agree: portcullis credential reconnect {} {}",
            wanted.named.integration,
            wanted.named.slot
        );
    }
    Ok(DONE)
}

async fn rebind(arguments: &Arguments, named: &CredentialNamed) -> anyhow::Result<Code> {
    let by = by(named)?;
    let kept = Kept::existing(arguments).await?;
    let done = or_given_up(async {
        let credentials = kept.credentials(arguments).await?;
        let runtime = start_with(arguments, kept.ledger.clone(), Default::default(), Default::default(), credentials)?;
        Ok(runtime.rebind(&id(named), &by).await?)
    });
    let done = done.await;
    kept.close().await;
    let origins = done?;
    if arguments.json {
        look::print_json(&json!({ "credential": id(named), "action": "bound", "origins": origins }));
        return Ok(DONE);
    }
    told(arguments, named, "bound", &format!("{}.", goes_to(&origins)))
}

/// Where a credential may be sent.
pub(crate) fn goes_to(origins: &BTreeSet<String>) -> String {
    let named: Vec<String> = origins.iter().map(|origin| printable(origin, 300)).collect();
    if named.is_empty() { "It is sent nowhere".to_owned() } else { format!("It is sent to {} alone", named.join(", ")) }
}

async fn list(arguments: &Arguments, workspace: &str, integration: Option<&str>) -> anyhow::Result<Code> {
    let kept = Kept::existing(arguments).await?;
    let listing = kept.credentials_without_key().list(workspace, integration).await;
    kept.close().await;
    let listing = listing?;
    if arguments.json {
        let unreadable: Vec<String> = listing.unreadable.iter().map(ToString::to_string).collect();
        look::print_json(&json!({ "credentials": listing.credentials, "unreadable": unreadable }));
    } else if listing.credentials.is_empty() && listing.unreadable.is_empty() {
        anstream::println!("No credential is stored yet; `portcullis credential add INTEGRATION SLOT` stores one.");
    } else {
        anstream::println!("{}", table(&listing.credentials));
        for error in &listing.unreadable {
            crate::exit::tell("damaged", &error.to_string(), None);
        }
    }
    Ok(if listing.unreadable.is_empty() { DONE } else { crate::exit::DAMAGED })
}

/// Credentials as a table.
pub(crate) fn table(credentials: &[CredentialInfo]) -> String {
    if credentials.is_empty() {
        return "  none".to_owned();
    }
    let time = |time: Option<jiff::Timestamp>| {
        time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
    };
    let row = |info: &CredentialInfo| {
        let mut state = info.state.as_str().replace('_', " ");
        if let Some(previous) = info.previous {
            state += &format!(" (and generation {} until {})", previous.generation, time(Some(previous.until)));
        }
        if !info.weak.is_empty() {
            state += ", weak";
        }
        let used_by: Vec<&str> = info.used_by.iter().map(String::as_str).collect();
        vec![
            info.id.integration.clone(),
            info.id.slot.clone(),
            info.kind.as_str().to_owned(),
            info.generation.to_string(),
            time(info.expires),
            time(info.last_used),
            state,
            used_by.join(", "),
        ]
    };
    let columns = ["integration", "slot", "kind", "gen", "expires", "last used", "state", "used by"];
    look::table(&columns, credentials.iter().map(row))
}
