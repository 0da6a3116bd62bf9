//! `portcullis adapter`: the adapters that are kept in the data folder.

use std::path::Path;

use anyhow::Context;
use portcullis_runtime::{AdapterInfo, Ceiling, Listed};
use serde_json::json;

use crate::{
    arguments::{AdapterCommand, Arguments, Compiling},
    exit::{self, Code, DONE},
    file,
    interrupt::or_given_up,
    ledger::{Kept, no_ledger},
    look,
    progress::Spinner,
    read::{integration_name, read_adapter, start, start_with},
    who,
};

/// Largest file of compiled code, in bytes.
const MAX_CODE: usize = 256 * 1024 * 1024;

pub(crate) async fn run(arguments: &Arguments, command: &AdapterCommand) -> anyhow::Result<Code> {
    match command {
        AdapterCommand::Compile { file, to, compiling } => return compile(arguments, file, to, compiling).await,
        AdapterCommand::Add { file, name, compiled, principal } => {
            let bytes = read_adapter(file)?;
            let compiled =
                compiled.as_deref().map(|path| file::bytes("the compiled code", path, MAX_CODE)).transpose()?;
            let by = who::caller(principal.as_deref())?;
            let name = integration_name(name.as_ref(), file);
            let kept = Kept::open(arguments).await?;
            let credentials = kept.credentials(arguments).await?;
            let runtime =
                start_with(arguments, kept.ledger.clone(), Default::default(), Default::default(), credentials)?;
            let spinner = Spinner::start("compiling the adapter, and keeping it");
            let done = or_given_up(async {
                if let Some(code) = compiled {
                    runtime.take_compiled(&bytes, &code).await?;
                }
                Ok(runtime.keep_adapter(&bytes, &name, &by).await?)
            });
            let done = done.await;
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

/// Compiles for other hosts. Needs the master key and no store.
async fn compile(arguments: &Arguments, file: &Path, to: &Path, compiling: &Compiling) -> anyhow::Result<Code> {
    let bytes = read_adapter(file)?;
    let runtime = start(arguments, no_ledger().await?, Ceiling::default(), compiling).await?;
    let spinner = Spinner::start("compiling the adapter");
    let code = runtime.compile(&bytes).await;
    drop(spinner);
    let code = code.with_context(|| file.display().to_string())?;
    let write =
        || std::io::Write::write_all(&mut portcullis_files::create_new(to)?, &code).map_err(anyhow::Error::from);
    write().with_context(|| format!("{}: the compiled code cannot be written there", to.display()))?;
    let size = code.len() as u64;
    if arguments.json {
        look::print_json(&json!({ "file": to, "bytes": size }));
    } else {
        let to = to.display();
        anstream::println!("Compiled, {}: {to}", look::bytes(size));
        let how = "A host with the same master key, version and kind of processor takes it:";
        anstream::println!("{how}\n  portcullis adapter add {} --compiled {to}", file.display());
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
