//! `portcullis explain`: descriptor ∩ grant ∩ ceiling, and which of the three takes what away.

use std::path::Path;

use anyhow::Context;
use portcullis_runtime::{Adapter, Explained, Explanation, Grant, IntegrateError, explain, printable};

use crate::{
    arguments::{Arguments, Explain},
    exit::{self, Code, DONE, USAGE, Usage},
    inspect::issuer,
    ledger::no_ledger,
    look,
    read::{integration_name, load, read_ceiling, read_grant, read_json, start},
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Explain) -> anyhow::Result<Code> {
    let grant = read_grant(&wanted.grant)?;
    let ceiling = read_ceiling(wanted.ceiling.as_deref())?;
    let config = read_json("config", &wanted.config)?;
    let runtime = start(arguments, no_ledger().await?, ceiling.clone(), &wanted.compiling).await?;
    let adapter = load(&runtime, &wanted.adapter).await?;
    let descriptor = runtime.describe(&adapter, &config).await?;
    fits(&grant, &wanted.grant, &adapter, &wanted.adapter)?;
    let name = integration_name(wanted.integration.as_ref(), &wanted.adapter);
    let told = explain(&format!("local/{name}"), &descriptor, &grant, &ceiling)
        .map_err(IntegrateError::from)
        .with_context(|| format!("{} against {}", wanted.grant.display(), wanted.adapter.display()))?;
    let code = if told.refused.is_some() { USAGE } else { DONE };
    if arguments.json {
        look::print_json(&told);
        return Ok(code);
    }
    anstream::print!("{}", text(&told).trim_start_matches('\n'));
    tell_refused(&told);
    Ok(code)
}

/// Whether a grant is for this adapter at all.
pub(crate) fn fits(grant: &Grant, grant_file: &Path, adapter: &Adapter, file: &Path) -> anyhow::Result<()> {
    if grant.adapter == adapter.digest() {
        return Ok(());
    }
    let (granted, actual) = (&grant.adapter, adapter.digest());
    let (file, grant) = (file.display(), grant_file.display());
    let todo = "If it is a new version of that adapter, read what it asks for (`portcullis diff OLD NEW`) and write its \
                digest into the grant; else name the grant that is this adapter's.";
    Err(Usage(format!(
        "{grant} is another adapter's grant: it is for adapter {granted}, and {file} is {actual}. {todo}"
    ))
    .into())
}

/// Says where the grant is refused as a whole.
pub(crate) fn tell_refused(told: &Explanation) {
    if let Some(why) = &told.refused {
        exit::tell("grant", &format!("nothing of this holds, for the grant is refused as a whole: {why}"), None);
    }
}

/// What holds, as cards, each section with an empty line before it.
pub(crate) fn text(told: &Explanation) -> String {
    let mut text = String::new();
    let operations = told.operations.iter().map(|line| {
        let effect = line.item.effect.map(|effect| format!(" ({})", effect.as_str())).unwrap_or_default();
        let mut card = card(line, &format!("{}{effect}", printable(&line.item.operation, 100)), &[]);
        if line.effective && !line.item.missing_routes.is_empty() {
            let missing = format!("but its routes are not open: {}", line.item.missing_routes.join(", "));
            card += &format!("\n{}", look::wrapped(&missing, 4));
        }
        card
    });
    section(&mut text, "Operations", operations.collect());
    let routes = told.routes.iter().map(|line| {
        let granted = &line.item.granted;
        let tokens = granted.token_for.as_ref().map(|slot| format!(" for the tokens of {slot}")).unwrap_or_default();
        let exchange = format!("{} {}{tokens}", granted.method, granted.url);
        let narrowed = line.item.narrowed.clone().unwrap_or_default();
        match &line.item.route {
            Some(route) => card(line, route, &[exchange, narrowed]),
            None => card(line, &exchange, &[narrowed]),
        }
    });
    section(&mut text, "Routes", routes.collect());
    let slots = told.slots.iter().map(|line| {
        let issuer = line.item.oauth.as_ref().map(|oauth| format!("tokens: {}", issuer(Some(oauth))));
        card(line, &line.item.slot, &[issuer.unwrap_or_default()])
    });
    section(&mut text, "Slots", slots.collect());
    let carve_outs = told.carve_outs.iter().map(|line| card(line, &line.item.addresses, &[]));
    section(&mut text, "Carve-outs", carve_outs.collect());
    if !told.limits.is_empty() {
        let rows = told.limits.iter().map(|limit| {
            let ceiling = limit.ceiling.map_or_else(|| "none".to_owned(), |most| most.to_string());
            vec![limit.limit.to_owned(), limit.granted.to_string(), ceiling, limit.effective.to_string()]
        });
        let table = look::table(&["limit", "granted", "ceiling", "holds"], rows);
        text += &format!("{}\n{table}\n", look::heading("Limits that are not the default"));
    }
    text
}

fn section(text: &mut String, heading: &str, cards: Vec<String>) {
    if !cards.is_empty() {
        *text += &format!("{}\n{}\n", look::heading(heading), cards.join("\n"));
    }
}

/// An item: its name and whether it holds, what it is, and who took it away.
fn card<T>(line: &Explained<T>, name: &str, about: &[String]) -> String {
    let holds = if line.removed.is_none() { "holds" } else { "does not hold" };
    let mut text = look::wrapped(&format!("{name}: {holds}"), 2);
    let why = line.removed.as_ref().map(|removed| format!("{}: {}", removed.by.as_str(), removed.why));
    for more in about.iter().chain(&why).filter(|more| !more.is_empty()) {
        text += &format!("\n{}", look::wrapped(more, 4));
    }
    text
}
