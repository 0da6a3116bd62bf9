//! `portcullis host`: what is set for the whole host; and `portcullis store adopt`, which vouches for a store that nothing vouches
//! for.

use portcullis_runtime::{AdoptedRecord, CompileLimits, HostSettings, printable};
use serde_json::json;

use crate::{
    arguments::{Arguments, HostCommand, HostSet, HostSetting},
    exit::{Code, DONE, USAGE},
    ledger::{Kept, Places},
    look,
    read::{read_ceiling, read_retention},
    who,
};

pub(crate) async fn run(arguments: &Arguments, command: &HostCommand) -> anyhow::Result<Code> {
    match command {
        HostCommand::Set(wanted) => set(arguments, wanted).await,
        HostCommand::Show => show(arguments).await,
    }
}

async fn set(arguments: &Arguments, wanted: &HostSet) -> anyhow::Result<Code> {
    let cleared = |what: HostSetting| wanted.clear.contains(&what);
    let (ceiling, retention) = (wanted.new_ceiling.as_deref(), wanted.new_retention.as_deref());
    let ceiling = ceiling.map(|path| read_ceiling(Some(path))).transpose()?;
    let retention = retention.map(|path| read_retention(Some(path))).transpose()?;
    let by = who::caller(wanted.principal.as_deref())?;
    let kept = Kept::open(arguments).await?;
    let done = async {
        let state = kept.credentials(arguments).await?.state();
        let before = HostSettings::of(&state).await?;
        let mut now = before.clone();
        now.ceiling = ceiling.or(now.ceiling).filter(|_| !cleared(HostSetting::Ceiling));
        now.retention = retention.or(now.retention).filter(|_| !cleared(HostSetting::Retention));
        if let Some(place) = &wanted.heads_place {
            (now.heads, now.heads_carve_outs) = (Some(place.clone()), wanted.heads_place_carve_out.clone());
        }
        if cleared(HostSetting::Heads) {
            (now.heads, now.heads_carve_outs) = (None, Vec::new());
        }
        let key = wanted.signing_key_file.clone().or(now.signing_key);
        now.signing_key = key.filter(|_| !cleared(HostSetting::SigningKey));
        let (cpu, memory) = (wanted.compiling.compile_cpu, wanted.compiling.compile_memory);
        now.compile_cpu = cpu.or(now.compile_cpu).filter(|_| !cleared(HostSetting::CompileCpu));
        now.compile_memory = memory.or(now.compile_memory).filter(|_| !cleared(HostSetting::CompileMemory));
        // One that cannot be a place is told now, and not by the next command.
        Places::set(arguments, &now).sink()?;
        now.keep(&before, &state, &by).await?;
        anyhow::Ok(now)
    };
    let done = done.await;
    kept.close().await;
    tell(arguments, &done?);
    Ok(DONE)
}

async fn show(arguments: &Arguments) -> anyhow::Result<Code> {
    let kept = Kept::existing(arguments).await?;
    let settings = async { anyhow::Ok(HostSettings::of(&kept.credentials(arguments).await?.state()).await?) }.await;
    kept.close().await;
    tell(arguments, &settings?);
    Ok(DONE)
}

fn tell(arguments: &Arguments, settings: &HostSettings) {
    if arguments.json {
        look::print_json(&json!({ "host": settings }));
        return;
    }
    let row = |name: &str, value: Option<String>, none: &str| {
        (name.to_owned(), value.map_or_else(|| none.to_owned(), |value| printable(&value, 2_000)))
    };
    let ceiling = settings.ceiling.as_ref().and_then(|of| serde_json::to_string(of).ok());
    let retention = settings.retention.as_ref().and_then(|of| serde_json::to_string(of).ok());
    let key = settings.signing_key.as_ref().map(|path| path.display().to_string());
    let limits = settings.compile_limits(CompileLimits::default());
    let limit = |value: u64, unit: &str, set: bool| {
        let how = if set { "" } else { ", as nothing else is set" };
        Some(format!("at most {value} {unit}{how}"))
    };
    let (cpu, memory) = (settings.compile_cpu.is_some(), settings.compile_memory.is_some());
    let rows = [
        row("ceiling", ceiling, "none: grants are what they say"),
        row("retention", retention, "what schemas do not mark, until it is erased"),
        row("heads", settings.heads.clone(), "where the command says, or in the data folder"),
        row("signing key", key, "where the command says, or in the data folder"),
        row("compile cpu", limit(limits.cpu_seconds, "s", cpu), ""),
        row("compile memory", limit(limits.memory_bytes / (1024 * 1024), "MiB", memory), ""),
    ];
    anstream::println!("{}", look::pairs(&rows));
}

/// Shows what a store grants that nothing vouches for, and vouches for it when asked to.
pub(crate) async fn adopt(arguments: &Arguments, yes: bool, principal: Option<&str>) -> anyhow::Result<Code> {
    let by = who::caller(principal)?;
    let kept = Kept::adopting(arguments).await?;
    let done = async {
        let state = kept.credentials(arguments).await?.state();
        let seen = state.to_adopt().await?;
        let number = match yes {
            true => Some(state.adopt(&seen, &by).await?.number),
            false => None,
        };
        anyhow::Ok((seen, number))
    };
    let done = done.await;
    kept.close().await;
    let (seen, number) = done?;
    if arguments.json {
        look::print_json(&json!({ "records": seen, "adopted": number.is_some(), "number": number }));
    } else {
        let row =
            |one: &AdoptedRecord| vec![one.hash.to_string().chars().take(16).collect(), printable(&one.record, 200)];
        anstream::println!("{}", look::table(&["sha-256", "record"], seen.iter().map(row)));
        let how = "Nothing can tell whether these are what somebody granted. Look at them (portcullis audit list --where \
                   kind=grant), and adopt them if they are right: portcullis store adopt --yes";
        match number {
            Some(number) => anstream::println!("\nThese {} records are adopted, as change {number}.", seen.len()),
            None => anstream::println!("\n{}", look::wrapped(how, 0)),
        }
    }
    Ok(if number.is_some() || seen.is_empty() { DONE } else { USAGE })
}
