//! `portcullis audit workspaces`: whose chains there are.

use serde_json::json;

use crate::{
    arguments::Arguments,
    audit::{open::reading, row},
    exit::{Code, DONE},
    look,
};

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<Code> {
    let chains = reading(arguments, async |opened| Ok(opened.reader().chains().await?)).await?;
    if arguments.json {
        let chain = |chain: &portcullis_runtime::ledger::ChainHead| json!({"workspace": chain.workspace, "records": chain.seq, "hash": chain.hash, "time": chain.time});
        look::print_json(&json!({ "workspaces": chains.iter().map(chain).collect::<Vec<_>>() }));
        return Ok(DONE);
    }
    let rows = chains.iter().map(|chain| {
        let name = portcullis_runtime::printable(&chain.workspace, 128);
        vec![name, chain.seq.to_string(), row::second(chain.time)]
    });
    anstream::println!("{}", look::table(&["workspace", "records", "last (UTC)"], rows));
    Ok(DONE)
}
