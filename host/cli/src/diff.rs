//! `portcullis diff`: what a new version of an adapter asks for that the old one did not.

use portcullis_runtime::{Ceiling, diff};
use serde_json::json;

use crate::{
    arguments::{Arguments, Diff},
    config,
    exit::{Code, DENIED, DONE},
    ledger::no_ledger,
    look,
    read::{load, read_json, start},
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Diff) -> anyhow::Result<Code> {
    let config = read_json("config", &wanted.config)?;
    let runtime = start(arguments, no_ledger().await?, Ceiling::default())?;
    let old = load(&runtime, &wanted.old).await?;
    let new = load(&runtime, &wanted.new).await?;
    let (old_schema, new_schema) = (runtime.config_schema(&old).await?, runtime.config_schema(&new).await?);
    let configs = config::changes(&old_schema, &new_schema);
    let (before, after) = (runtime.describe(&old, &config).await?, runtime.describe(&new, &config).await?);
    let found = diff(&before, &after)?;
    let code = if found.asks_more() { DENIED } else { DONE };
    if arguments.json {
        let changes = &found.changes;
        look::print_json(&json!({
            "old": old.digest(), "new": new.digest(), "asks_more": found.asks_more(), "changes": changes,
            "config_changes": configs,
        }));
        return Ok(code);
    }
    let none = || "-".to_owned();
    anstream::println!("{} {}, {}", before.name, before.version, old.digest());
    anstream::println!("{} {}, {}", after.name, after.version, new.digest());
    if !configs.is_empty() {
        let rows = configs.iter().map(|change| {
            let [before, after] = [&change.before, &change.after].map(|told| told.clone().unwrap_or_else(none));
            vec![change.place.clone(), before, after]
        });
        let heading = look::heading("Config: gives no power by itself");
        anstream::println!("{heading}\n{}", look::table(&["place", "before", "now"], rows));
    }
    if found.is_empty() {
        anstream::println!("\nBoth ask for the same.");
        return Ok(code);
    }
    let rows = found.changes.iter().map(|change| {
        let more = if change.asks_more { "MORE" } else { "less" }.to_owned();
        let (before, after) = (change.before.clone().unwrap_or_else(none), change.after.clone().unwrap_or_else(none));
        vec![more, change.kind.as_str().to_owned(), change.subject.clone(), before, after]
    });
    anstream::println!("\n{}", look::table(&["asks", "what", "of", "before", "now"], rows));
    if found.asks_more() {
        anstream::println!(
            "\nA grant holds for one digest: the new version runs only when somebody grants it what it asks for."
        );
    }
    Ok(code)
}
