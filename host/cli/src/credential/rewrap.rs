//! `portcullis credential rewrap`: another master key, under which every workspace's data key is wrapped anew.

use portcullis_runtime::KeySource;
use serde_json::json;

use crate::{
    arguments::Arguments,
    exit::{Code, DONE, Usage},
    ledger::Kept,
    look,
    progress::Spinner,
    who,
};

pub(super) async fn run(arguments: &Arguments, to: &str) -> anyhow::Result<Code> {
    let to: KeySource = to.parse().map_err(|error| Usage(format!("--to: {error}")))?;
    let to = to.open().await?;
    let by = who::caller(None)?;
    let kept = Kept::existing(arguments).await?;
    let credentials = kept.credentials(arguments).await;
    let spinner = Spinner::start("wrapping data keys anew");
    let done = match credentials {
        Ok(credentials) => credentials
            .rewrap(to, &by, &mut |done, of| {
                spinner.tell(format!("wrapped the data keys of {done} of {of} workspaces anew"));
            })
            .await
            .map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    drop(spinner);
    kept.close().await;
    let done = done?;
    if arguments.json {
        look::print_json(&json!({ "rewrapped": done }));
    } else {
        let told = format!(
            "The data keys of {} are wrapped by the master key {} now. The old master key opens nothing here any more; from \
             now on give the new one with --master-key.",
            workspaces(done.workspaces),
            done.to
        );
        anstream::println!("{}", look::wrapped(&told, 0));
    }
    Ok(DONE)
}

fn workspaces(count: usize) -> String {
    if count == 1 { "one workspace".to_owned() } else { format!("{count} workspaces") }
}
