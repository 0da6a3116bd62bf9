//! `portcullis diff`: what a new version of an adapter asks for that the old one did not.

use anyhow::Context;
use portcullis_runtime::{Ceiling, diff, printable};
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
    let runtime = start(arguments, no_ledger().await?, Ceiling::default(), &wanted.compiling).await?;
    let old = load(&runtime, &wanted.old).await?;
    let new = load(&runtime, &wanted.new).await?;
    let (old_schema, new_schema) = (runtime.config_schema(&old).await?, runtime.config_schema(&new).await?);
    let configs = config::changes(&old_schema, &new_schema);
    let (before, after) = (runtime.describe(&old, &config).await?, runtime.describe(&new, &config).await?);
    let found =
        diff(&before, &after).with_context(|| format!("{} and {}", wanted.old.display(), wanted.new.display()))?;
    let code = if found.asks_more() { DENIED } else { DONE };
    if arguments.json {
        let changes = &found.changes;
        look::print_json(&json!({
            "old": old.digest(), "new": new.digest(), "asks_more": found.asks_more(), "changes": changes,
            "config_changes": configs,
        }));
        return Ok(code);
    }
    for (which, described, digest) in [("old", &before, old.digest()), ("new", &after, new.digest())] {
        let name = format!("{which}: {} {}", printable(&described.name, 64), printable(&described.version, 64));
        anstream::println!("{}\n    {digest}", look::wrapped(&name, 0));
    }
    if !configs.is_empty() {
        anstream::println!("{}", look::heading("Config: gives no power by itself"));
        for change in &configs {
            anstream::println!("{}", one_column(&change.place, change.before.as_deref(), change.after.as_deref()));
        }
    }
    if found.is_empty() {
        anstream::println!("\nBoth ask for the same.");
        return Ok(code);
    }
    for (asks_more, heading) in [(true, "Asks for more"), (false, "Asks for less")] {
        let changes: Vec<_> = found.changes.iter().filter(|change| change.asks_more == asks_more).collect();
        if changes.is_empty() {
            continue;
        }
        anstream::println!("{}", look::heading(heading));
        for change in changes {
            let title = format!("{}: {}", change.kind.as_str(), printable(&change.subject, 200));
            anstream::println!("{}", one_column(&title, change.before.as_deref(), change.after.as_deref()));
        }
    }
    if found.asks_more() {
        let how = "A grant holds for one digest: the new version runs only when somebody grants it what it asks for.";
        anstream::println!("\n{}", look::wrapped(how, 0));
    }
    Ok(code)
}

/// A difference: what it is of, what was before and what is now, one below the other.
fn one_column(title: &str, before: Option<&str>, after: Option<&str>) -> String {
    let mut text = look::wrapped(title, 2);
    for (mark, side) in [("-", before), ("+", after)] {
        if let Some(side) = side {
            let broken = look::wrapped(side, 6);
            text += &format!("\n    {mark} {}", broken.trim_start());
        }
    }
    text
}
