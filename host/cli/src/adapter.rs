//! `portcullis adapter`: the adapters that are kept in the data folder.

use portcullis_runtime::{AdapterInfo, Caller, Ceiling};
use serde_json::json;

use crate::{
    arguments::{AdapterCommand, Arguments},
    exit::{Code, DONE, Usage},
    ledger::Kept,
    look,
    progress::Spinner,
    read::{integration_name, start},
};

pub(crate) async fn run(arguments: &Arguments, command: &AdapterCommand) -> anyhow::Result<Code> {
    match command {
        AdapterCommand::Add { file, name, principal } => {
            let bytes =
                std::fs::read(file).map_err(|error| Usage(format!("{} cannot be read: {error}", file.display())))?;
            let name = integration_name(name.as_ref(), file);
            let kept = Kept::open(arguments).await?;
            let runtime = start(arguments, kept.ledger.clone(), Ceiling::default())?;
            let spinner = Spinner::start("looking into the adapter, and keeping it");
            let done = runtime.keep_adapter(&bytes, &name, &Caller::principal(principal)).await;
            drop((spinner, runtime));
            kept.close().await;
            let info = done?;
            if arguments.json {
                look::print_json(&info);
            } else {
                anstream::println!("Kept the adapter `{}`, {}.\n  {}", info.name, look::bytes(info.bytes), info.digest);
            }
        }
        AdapterCommand::List => {
            let kept = Kept::open(arguments).await?;
            let runtime = start(arguments, kept.ledger.clone(), Ceiling::default())?;
            let all = runtime.adapters().await;
            drop(runtime);
            kept.close().await;
            tell(arguments, &all?);
        }
    }
    Ok(DONE)
}

fn tell(arguments: &Arguments, all: &[AdapterInfo]) {
    if arguments.json {
        look::print_json(&json!({ "adapters": all }));
    } else if all.is_empty() {
        anstream::println!("No adapter is kept yet; `portcullis adapter add FILE` keeps one.");
    } else {
        let row = |info: &AdapterInfo| {
            let added = info.added.strftime("%Y-%m-%d %H:%M").to_string();
            vec![info.name.clone(), info.digest.clone(), look::bytes(info.bytes), added, info.added_by.clone()]
        };
        anstream::println!("{}", look::table(&["adapter", "digest", "size", "added", "by"], all.iter().map(row)));
    }
}
