//! `portcullis explain`: descriptor ∩ grant ∩ ceiling, and which of the three takes what away.

use std::path::Path;

use portcullis_runtime::{Adapter, Explained, Explanation, Grant, IntegrateError, explain};

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
    let runtime = start(arguments, no_ledger().await?, ceiling.clone())?;
    let adapter = load(&runtime, &wanted.adapter).await?;
    let descriptor = runtime.describe(&adapter, &config).await?;
    fits(&grant, &wanted.grant, &adapter, &wanted.adapter)?;
    let name = integration_name(wanted.integration.as_ref(), &wanted.adapter);
    let told = explain(&format!("local/{name}"), &descriptor, &grant, &ceiling).map_err(IntegrateError::from)?;
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
    let todo = "read what it asks for (`portcullis diff OLD NEW`), then write the new digest";
    Err(Usage(format!("{grant} is for adapter {granted}, {file} is {actual}; {todo}")).into())
}

/// Says where the grant is refused as a whole.
pub(crate) fn tell_refused(told: &Explanation) {
    if let Some(why) = &told.refused {
        exit::tell("grant", &format!("nothing of this holds, for the grant is refused as a whole: {why}"), None);
    }
}

/// What holds, as tables, each with an empty line before it.
pub(crate) fn text(told: &Explanation) -> String {
    let mut text = String::new();
    let mut section = |heading: &str, columns: [&str; 2], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let columns = [columns[0], columns[1], "holds", "why not"];
            text += &format!("{}\n{}\n", look::heading(heading), look::table(&columns, rows));
        }
    };
    let operations = told.operations.iter().map(|line| {
        let effect = line.item.effect.map_or("", |effect| effect.as_str()).to_owned();
        let mut row = row(line, line.item.operation.clone(), effect);
        if line.effective && !line.item.missing_routes.is_empty() {
            let missing = format!("yes, but its routes are not open: {}", line.item.missing_routes.join(", "));
            row.splice(2.., [missing, String::new()]);
        }
        row
    });
    section("Operations", ["operation", "effect"], operations.collect());
    let routes = told.routes.iter().map(|line| {
        let granted = &line.item.granted;
        let tokens = granted.token_for.as_ref().map(|slot| format!(" for the tokens of {slot}")).unwrap_or_default();
        let mut row = row(
            line,
            line.item.route.clone().unwrap_or_default(),
            format!("{} {}{tokens}", granted.method, granted.url),
        );
        if let (Some(narrowed), Some(why)) = (&line.item.narrowed, row.last_mut()) {
            why.clone_from(narrowed);
        }
        row
    });
    section("Routes", ["route", "exchange"], routes.collect());
    let slots = told.slots.iter().map(|line| {
        let issuer = line.item.oauth.as_ref().map(|oauth| issuer(Some(oauth))).unwrap_or_default();
        row(line, line.item.slot.clone(), issuer)
    });
    section("Slots", ["slot", "tokens"], slots.collect());
    let carve_outs = told.carve_outs.iter().map(|line| row(line, line.item.addresses.clone(), String::new()));
    section("Carve-outs", ["addresses", ""], carve_outs.collect());
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

/// Two columns of the item's own, whether it holds, and who took it away.
fn row<T>(line: &Explained<T>, first: String, second: String) -> Vec<String> {
    let (holds, why) = match &line.removed {
        None => ("yes".to_owned(), String::new()),
        Some(removed) => ("no".to_owned(), format!("{}: {}", removed.by.as_str(), removed.why)),
    };
    vec![first, second, holds, why]
}
