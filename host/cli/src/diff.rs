//! `portcullis diff`: what a new version of an adapter asks for that the old one did not.

use std::sync::Arc;

use portcullis_runtime::{Ceiling, Discard, diff};
use serde_json::json;

use crate::{
    arguments::{Arguments, Diff},
    exit::{Code, DENIED, DONE},
    look,
    read::{load, read_json, start},
};

pub(crate) async fn run(arguments: &Arguments, wanted: &Diff) -> anyhow::Result<Code> {
    let config = read_json("config", &wanted.config)?;
    let runtime = start(arguments, Arc::new(Discard), Ceiling::default())?;
    let old = load(&runtime, &wanted.old).await?;
    let new = load(&runtime, &wanted.new).await?;
    let (before, after) = (runtime.describe(&old, &config).await?, runtime.describe(&new, &config).await?);
    let found = diff(&before, &after)?;
    let code = if found.asks_more() { DENIED } else { DONE };
    if arguments.json {
        let changes = &found.changes;
        look::print_json(&json!({
            "old": old.digest(), "new": new.digest(), "asks_more": found.asks_more(), "changes": changes,
        }));
        return Ok(code);
    }
    anstream::println!("{} {}, {}", before.name, before.version, old.digest());
    anstream::println!("{} {}, {}", after.name, after.version, new.digest());
    if found.is_empty() {
        anstream::println!("\nBoth ask for the same.");
        return Ok(code);
    }
    let none = || "-".to_owned();
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
