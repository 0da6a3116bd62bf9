//! `portcullis audit erase`: takes what is kept of inputs and outputs out of the store, and says in the chain that it was.

use clap::Args;
use portcullis_runtime::{
    CallId, Ledger, LedgerError,
    ledger::{Erased, Order},
    printable,
};
use serde_json::json;

use crate::{
    arguments::Arguments,
    exit::{Code, DONE, Usage},
    interrupt::or_given_up,
    ledger::Kept,
    look, who,
};

/// What erasing leaves behind, and what takes that away.
const COMPACT: &str =
    "The bytes leave the disk when the store is compacted (`portcullis store compact`), and backups when those go.";
/// Longest reason, in bytes.
const MAX_REASON: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// The workspace. Unless given, `local` for calls, and all of them for what has expired.
    #[arg(long, value_name = "NAME")]
    workspace: Option<String>,

    /// A call whose input and output are erased; several times for several calls.
    #[arg(long = "call", value_name = "ID", required_unless_present = "expired", conflicts_with = "expired")]
    calls: Vec<String>,

    /// Erase what was to be kept until now and no longer.
    #[arg(long)]
    expired: bool,

    /// With `--expired`: the machine's clock is right, though it jumped ahead by more than a day, or nothing was recorded for so
    /// long. Recorded.
    #[arg(long, requires = "expired", conflicts_with = "calls")]
    clock_is_right: bool,

    /// Why. It is kept in the chain for ever: a ticket's number is good, a person's name is not.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Who asks, for the ledger, recorded as stated. The system's user unless given.
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
}

pub(crate) async fn run(arguments: &Arguments, wanted: &Erase) -> anyhow::Result<Code> {
    let calls = wanted.calls.iter().map(|text| read(text)).collect::<Result<Vec<CallId>, Usage>>()?;
    if wanted.reason.trim().is_empty() || wanted.reason.len() > MAX_REASON {
        return Err(Usage(format!("--reason: write 1 to {MAX_REASON} bytes, such as a ticket's number")).into());
    }
    let kept = Kept::existing(arguments).await?;
    let done = or_given_up(erase(&kept.ledger, wanted, &calls)).await;
    kept.close().await;
    tell(arguments, &done?);
    Ok(DONE)
}

async fn erase(ledger: &Ledger, wanted: &Erase, calls: &[CallId]) -> anyhow::Result<Erased> {
    let by = who::caller(wanted.principal.as_deref())?;
    let order = Order { by: &by, reason: &wanted.reason };
    if wanted.clock_is_right {
        ledger.confirm_clock(&by).await?;
    }
    let done = if wanted.expired {
        ledger.erase_expired(wanted.workspace.as_deref(), order).await
    } else {
        ledger.erase(wanted.workspace.as_deref().unwrap_or("local"), calls, order).await
    };
    done.map_err(|error| match error {
        LedgerError::ClockInDoubt { .. } => {
            anyhow::Error::from(error).context("what has expired stays (`--clock-is-right` confirms the clock)")
        }
        error => error.into(),
    })
}

/// A whole id, and not a part of one: what is erased cannot be brought back.
fn read(text: &str) -> Result<CallId, Usage> {
    text.parse().map_err(|_| {
        let text = printable(text, 200);
        Usage(format!("--call: `{text}` is no call's whole id; `portcullis audit show` tells it"))
    })
}

fn tell(arguments: &Arguments, done: &Erased) {
    if arguments.json {
        look::print_json(&json!({ "erased": done, "then": COMPACT }));
        return;
    }
    anstream::println!(
        "Erased {} inputs and outputs of {} calls, {} in all.",
        done.entries,
        done.calls,
        look::bytes(done.bytes)
    );
    for call in &done.nothing_kept {
        anstream::println!("  Nothing is kept of {call}.");
    }
    if done.entries > 0 {
        anstream::println!("{}", look::wrapped(COMPACT, 0));
    }
}
