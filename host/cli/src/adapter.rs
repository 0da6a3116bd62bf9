//! `portcullis adapter`: the adapters that are kept in the data folder.

use portcullis_runtime::{AdapterInfo, Listed};
use serde_json::json;

use crate::{
    arguments::{AdapterCommand, Arguments},
    exit::{self, Code, DONE},
    interrupt::or_given_up,
    ledger::Kept,
    look,
    progress::Spinner,
    read::{integration_name, read_adapter, start_with},
    who,
};

pub(crate) async fn run(arguments: &Arguments, command: &AdapterCommand) -> anyhow::Result<Code> {
    match command {
        AdapterCommand::Add { file, name, principal } => {
            let bytes = read_adapter(file)?;
            let by = who::caller(principal.as_deref())?;
            let name = integration_name(name.as_ref(), file);
            let kept = Kept::open(arguments).await?;
            let credentials = kept.credentials(arguments).await?;
            let runtime =
                start_with(arguments, kept.ledger.clone(), Default::default(), Default::default(), credentials)?;
            let spinner = Spinner::start("looking into the adapter, and keeping it");
            let done = or_given_up(async { Ok(runtime.keep_adapter(&bytes, &name, &by).await?) }).await;
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
            let credentials = kept.credentials(arguments).await?;
            let runtime =
                start_with(arguments, kept.ledger.clone(), Default::default(), Default::default(), credentials)?;
            let all = runtime.adapters().await;
            drop(runtime);
            kept.close().await;
            return Ok(tell(arguments, &all?));
        }
    }
    Ok(DONE)
}

fn tell(arguments: &Arguments, listed: &Listed<AdapterInfo>) -> Code {
    let (all, refused) = (&listed.kept, exit::refused(&listed.refused, arguments.json));
    if arguments.json {
        look::print_json(&json!({ "adapters": all, "refused": refused }));
    } else if all.is_empty() {
        anstream::println!("No adapter is kept yet; `portcullis adapter add FILE` keeps one.");
    } else {
        let row = |info: &AdapterInfo| {
            let added = info.added.strftime("%Y-%m-%d %H:%M").to_string();
            vec![info.name.clone(), info.digest.clone(), look::bytes(info.bytes), added, info.added_by.clone()]
        };
        anstream::println!("{}", look::table(&["adapter", "digest", "size", "added", "by"], all.iter().map(row)));
    }
    if refused.is_empty() { DONE } else { exit::DAMAGED }
}
